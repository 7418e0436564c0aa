// A plain store between two calls that do nothing: only a handler sees it, so every point tells another story.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stage, seen = -1;

static void on_sigchld(int signal) {
    (void)signal;
    seen = stage;
}

int main(void) {
    struct sigaction action = { .sa_handler = on_sigchld, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGCHLD, &action, NULL) == -1) return 100;
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    stage = 1;
    getpid();
    stage = 2;
    getpid();
    stage = 3;
    while (waitpid(pid, NULL, 0) == -1) continue;
    return 10 + seen;
}
