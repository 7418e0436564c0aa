/*
 * Takes its handler away for good when the signal has come: a second one ends it while it tidies up, as it is meant to. Before it
 * sends itself a signal, the C library blocks all of them for a moment, which is no handler.
 */
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t over;

static void on_signal(int signal)
{
    over = signal;
}

int main(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t mine, before;

    sigemptyset(&mine);
    sigaddset(&mine, SIGTERM);
    sigaddset(&mine, SIGHUP);
    sigprocmask(SIG_BLOCK, &mine, &before);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    while (!over)
        sigsuspend(&before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    (void)!write(1, "bye\n", 4);
    raise(SIGCHLD);
    return 0;
}
