/* Two processes send each other a signal in turn, as often as the argument says. */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t got;

static void on_signal(int signal)
{
    (void)signal;
    got++;
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t blocked, before;
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    pid_t parent = getpid(), child;

    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    child = fork();
    for (int round = 0; round < rounds; round++) {
        if (child != 0)
            kill(child, SIGUSR1);
        while (got <= round)
            sigsuspend(&before);
        if (child == 0)
            kill(parent, SIGUSR1);
    }
    if (child != 0)
        wait(NULL);
    return 0;
}
