/*
 * Tells by its exit status how it met the signals that it was sent.
 *
 * order:   SIGUSR1 and SIGUSR2 are blocked but while it waits for them. 12 if SIGUSR1 was handled first, 21 if SIGUSR2 was.
 * pending: SIGUSR1 is blocked, and only let through when a timer is over. How often it is handled then.
 * queued:  the same with a real-time signal.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t order;

static void on_signal(int signal)
{
    order = order * 10 + (signal == SIGUSR2 ? 2 : 1);
}

static void on_queued(int signal)
{
    (void)signal;
    order++;
}

int main(int count, char **words)
{
    struct sigaction action = { .sa_handler = count > 1 && strcmp(words[1], "order") == 0 ? on_signal : on_queued };
    sigset_t mine, before;

    sigfillset(&action.sa_mask);
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    sigaddset(&mine, SIGUSR2);
    sigaddset(&mine, SIGRTMIN);
    if (count < 2 || sigprocmask(SIG_BLOCK, &mine, &before) != 0)
        return 99;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
    if (strcmp(words[1], "order") == 0) {
        while (order < 10)
            sigsuspend(&before);
        return order;
    }
    sleep(3);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return order;
}
