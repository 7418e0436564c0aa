/*
 * A program that makes a pseudoterminal of its own, starts a session on it, and types ^C there: the session's leader, which
 * sleeps meanwhile, is to end with 5.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_sigint(int signal)
{
    (void)signal;
    _exit(5);
}

int main(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), status = 0, ready[2];
    const char *name;
    pid_t child;
    char byte;

    if (master == -1 || grantpt(master) == -1 || unlockpt(master) == -1 || pipe(ready) == -1)
        return 2;
    name = ptsname(master);
    child = fork();
    if (child == 0) {
        setsid();
        if (open(name, O_RDWR) == -1)
            _exit(3);
        signal(SIGINT, on_sigint);
        (void)!write(ready[1], "r", 1);
        for (;;)
            pause();
    }
    if (read(ready[0], &byte, 1) != 1 || write(master, "\003", 1) != 1)
        return 2;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}
