/* A daemon with a clock of its own: it looks every second whether it was asked to end. A request that comes while it writes is
 * forgotten; with SOUND it is kept. */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void on_sigterm(int signal)
{
    (void)signal;
    asked = 1;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_sigterm};
    int seen;

    sigaction(SIGTERM, &action, NULL);
    do {
#ifdef SOUND
        (void)!write(STDOUT_FILENO, ".", 1);
        poll(NULL, 0, 1000);
        seen = asked;
#else
        poll(NULL, 0, 1000);
        seen = asked;
        (void)!write(STDOUT_FILENO, ".", 1);
        asked = 0;
#endif
    } while (!seen);
    return 0;
}
