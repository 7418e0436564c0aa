// A function of about 150 instructions without a call, between installing a handler and the end.
#include <signal.h>

static volatile sig_atomic_t got;

static void note(int sig)
{
    (void)sig;
    got = 1;
}

#define STEP(n) a = (a ^ (unsigned)(n)) * 2654435761u; b += a >> 7; table[(n) & 7] = b;
#define FOUR(n) STEP(n) STEP(n + 1) STEP(n + 2) STEP(n + 3)

static volatile unsigned table[8];

__attribute__((noinline)) unsigned mix(unsigned a, unsigned b)
{
    FOUR(0) FOUR(4) FOUR(8) FOUR(12) FOUR(16) FOUR(20) STEP(24)
    return a ^ b;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = note};
    sigaction(SIGUSR1, &sa, 0);
    return mix(1, 2) == 0;
}
