// One line of source that is in the program three times, the second and third in a loop, and a handler that says how often it
// had been executed when the signal came, if one did.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile int steps[4];
static volatile int seen = -1;

static void look(int sig)
{
    (void)sig;
    seen = steps[0];
}

static inline __attribute__((always_inline)) void step(void)
{
    steps[0]++; /* HERE */
}

int main(void)
{
    struct sigaction sa = {.sa_handler = look};
    sigaction(SIGUSR1, &sa, NULL);
    step();
    getpid();
    for (int i = 0; i < 3; i++) {
        step();
        step();
    }
    printf("%d %d\n", steps[0], seen);
    return 0;
}
