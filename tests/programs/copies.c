// One line of source that is in the program three times, and a handler that says which of them was interrupted, if any.
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
    step();
    step();
    printf("%d %d\n", steps[0], seen);
    return 0;
}
