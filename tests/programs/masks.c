// Blocked and pending signals: what is pending, in which order they arrive, what fork and exec keep.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *what, const sigset_t *set) {
    printf("%s:", what);
    for (int n = 1; n < 65; n++)
        if (sigismember(set, n) == 1) printf(" %d", n);
    printf("\n");
}

static void show_now(const char *what) {
    sigset_t set;
    printf("%s\n", what);
    sigprocmask(SIG_SETMASK, NULL, &set);
    show("  blocked", &set);
    sigpending(&set);
    show("  pending", &set);
}

static int order[16];
static volatile sig_atomic_t arrived;

static void handler(int signal) {
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    order[arrived++] = signal * 10 + sigismember(&mask, SIGUSR1) + 2 * sigismember(&mask, SIGUSR2);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1) {
        show_now("after exec");
        return 0;
    }
    show_now("at first");
    struct sigaction action = {.sa_handler = handler};
    int signals[] = {SIGUSR2, SIGUSR1, SIGTERM, SIGRTMIN + 1, SIGRTMIN};
    sigset_t set;
    sigemptyset(&set);
    for (int n = 0; n < 5; n++) {
        sigaction(signals[n], &action, NULL);
        sigaddset(&set, signals[n]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int n = 0; n < 5; n++) {
        raise(signals[n]);
        kill(getpid(), signals[n]);
    }
    show_now("blocked and sent");
    pid_t pid = fork();
    if (pid == 0) {
        show_now("in the child");
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    show_now("let in");
    for (int n = 0; n < arrived; n++) printf("%d ", order[n]);
    printf("\n");

    arrived = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    action.sa_mask = set;
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
    action.sa_flags = SA_NODEFER | SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    printf("%d %d reset %d\n", order[0], order[1], now.sa_handler == SIG_DFL);

    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    show_now("ignored and blocked");
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTERM);
    execl("/proc/self/exe", argv[0], "again", NULL);
    return 1;
}
