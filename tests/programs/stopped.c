// Stopping and continuing, as the parent sees it through wait.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void next(const char *what, int flags) {
    int status = 0;
    pid_t got = waitpid(child, &status, flags);
    printf("%s: %d stopped %d by %d, continued %d, exited %d with %d, killed %d by %d\n", what, got == child,
           WIFSTOPPED(status), WIFSTOPPED(status) ? WSTOPSIG(status) : 0, WIFCONTINUED(status),
           WIFEXITED(status), WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status),
           WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    // The child stops again only when it has been seen to go on: the news of that is lost once it has stopped.
    int door[2];
    char byte = 0;
    if (pipe(door) != 0) return 2;
    child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        if (read(door[0], &byte, 1) != 1) _exit(2);
        raise(SIGTSTP);
        _exit(3);
    }
    next("first stop", WUNTRACED);
    kill(child, SIGCONT);
    next("go on", WCONTINUED);
    if (write(door[1], &byte, 1) != 1) return 2;
    next("second stop", WUNTRACED);
    kill(child, SIGCONT);
    next("end", 0);

    // Stopped while it sleeps in a call, for a time and for ever.
    for (int forever = 0; forever < 2; forever++) {
        child = fork();
        if (child == 0) {
            if (forever) pause();
            struct timespec time = {0, 60000000};
            _exit(nanosleep(&time, NULL) ? 1 : 4);
        }
        kill(child, SIGSTOP);
        next("stop asleep", WUNTRACED);
        kill(child, SIGTERM);
        printf("still stopped %d\n", waitpid(child, NULL, WNOHANG));
        if (forever) kill(child, SIGKILL);
        else kill(child, SIGCONT);
        next("end", 0);
    }
    child = fork();
    if (child == 0) {
        struct timespec time = {0, 60000000};
        _exit(nanosleep(&time, NULL) ? 1 : 4);
    }
    kill(child, SIGSTOP);
    next("stop asleep", WUNTRACED);
    kill(child, SIGCONT);
    next("end", 0);
    return 0;
}
