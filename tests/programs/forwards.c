/*
 * A process in front of another, as an init of a container is: it passes SIGTERM on to its child and ends as that one does.
 * The child gets ready after its parent has begun to wait. A SIGUSR1 to the parent before that adds one to its exit status.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t child;
static volatile sig_atomic_t noted;

static void pass_on(int signal)
{
    kill(child, signal);
}

static void note(int signal)
{
    (void)signal;
    noted = 1;
}

static void end(int signal)
{
    (void)signal;
    _exit(7);
}

int main(void)
{
    sigset_t term;
    int status;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    signal(SIGTERM, pass_on);
    signal(SIGUSR1, note);
    child = fork();
    if (child == 0) {
        signal(SIGTERM, SIG_DFL);
        sigprocmask(SIG_UNBLOCK, &term, NULL);
        signal(SIGTERM, end);
        for (;;)
            pause();
    }
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    while (waitpid(child, &status, 0) == -1)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) + noted : 100;
}
