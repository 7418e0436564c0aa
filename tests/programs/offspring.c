// What fork(2), vfork(2), posix_spawn(3) and execve(2) hand on, and what wait(2), waitpid(2), waitid(2) and SIGCHLD tell.
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static volatile sig_atomic_t calls, code, status_told;

static void child_changed(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    calls++;
    code = info->si_code;
    status_told = info->si_status;
}

static void handler(int signal)
{
    (void)signal;
}

static int disposition(int signal)
{
    struct sigaction action;
    sigaction(signal, NULL, &action);
    return action.sa_handler == SIG_DFL ? 0 : action.sa_handler == SIG_IGN ? 1 : 2;
}

// Blocked, pending, disposition of the two signals, seconds of the alarm: what is handed on or not.
static void tell(const char *who)
{
    sigset_t mask, pending;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigpending(&pending);
    printf("%s: blocked %d, pending %d, USR1 %d, USR2 %d, timer %d\n", who, sigismember(&mask, SIGUSR1),
           sigismember(&pending, SIGUSR1), disposition(SIGUSR1), disposition(SIGUSR2), alarm(0) != 0);
    fflush(stdout);
}

static void watch(int flags)
{
    struct sigaction action = {.sa_sigaction = child_changed, .sa_flags = SA_SIGINFO | SA_RESTART | flags};
    sigaction(SIGCHLD, &action, NULL);
    calls = 0;
}

static pid_t child_that(int what)
{
    pid_t child = fork();
    if (child == 0) {
        if (what == SIGSTOP)
            raise(SIGSTOP);
        else if (what < 0)
            kill(getpid(), -what);
        _exit(what & 0xff);
    }
    return child;
}

int main(int argc, char **argv)
{
    sigset_t set, none;
    int status;
    if (argc > 1) {
        tell(argv[1]);
        return 7;
    }
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR1);
    alarm(100);

    pid_t child = fork();
    if (child == 0) {
        tell("fork");
        raise(SIGUSR1);
        alarm(50);
        execl("/proc/self/exe", argv[0], "exec", (char *)NULL);
        _exit(99);
    }
    pid_t waited = waitpid(child, &status, 0);
    printf("exec: %d %d\n", waited == child, WEXITSTATUS(status));
    child = vfork();
    if (child == 0) {
        execl("/proc/self/exe", argv[0], "vfork", (char *)NULL);
        _exit(99);
    }
    wait(&status);
    printf("vfork: %d\n", WEXITSTATUS(status));
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGUSR2);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    char *words[] = {argv[0], "posix_spawn", NULL};
    int result = posix_spawn(&child, "/proc/self/exe", NULL, &attributes, words, environ);
    wait(&status);
    printf("posix_spawn: %d %d, of nothing %d\n", result, WEXITSTATUS(status),
           posix_spawn(&child, "/nonexistent", NULL, NULL, words, environ) == ENOENT);
    tell("the parent");

    // How children end, and what is told of it.
    watch(0);
    int ways[] = {3, -SIGTERM, -SIGKILL};
    for (int n = 0; n < 3; n++) {
        child = child_that(ways[n]);
        waitpid(child, &status, 0);
        while (calls <= n)
            usleep(100);
        printf("end %d: exited %d %d, by signal %d %d, SIGCHLD's code %d, status %d\n", ways[n], WIFEXITED(status),
               WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status),
               WIFSIGNALED(status) ? WTERMSIG(status) : 0, code, status_told);
    }
    waited = waitpid(-1, &status, 0);
    printf("no child: %d %d", waited, errno == ECHILD);
    waited = waitpid(getpid(), &status, WNOHANG);
    printf(", not a child: %d %d", waited, errno == ECHILD);
    waited = waitpid(-1, &status, 0x4000);
    printf(", no such option: %d %d\n", waited, errno == EINVAL);

    // Stopping and going on; SA_NOCLDSTOP keeps both from being told.
    for (int flags = 0; flags <= SA_NOCLDSTOP; flags += SA_NOCLDSTOP) {
        watch(flags);
        child = child_that(SIGSTOP);
        waitpid(child, &status, WUNTRACED);
        printf("stopped %d %d, told %d", WIFSTOPPED(status), WSTOPSIG(status), calls);
        siginfo_t info = {0};
        printf(", once %d", waitid(P_PID, child, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == 0);
        kill(child, SIGSTOP);
        kill(child, SIGCONT);
        waitpid(child, &status, 0);
        printf(", ended %d, told %d\n", WEXITSTATUS(status) == SIGSTOP, calls >= 1);
    }
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    printf("continued %d, running %d", WIFCONTINUED(status), waitpid(child, &status, WNOHANG));
    kill(child, SIGKILL);
    siginfo_t info = {0};
    result = waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    printf(", waitid %d, code %d, status %d", result, info.si_code, info.si_status);
    result = waitid(P_ALL, 0, &info, WEXITED);
    printf(", still there %d %d", result, info.si_pid == child);
    result = waitid(P_ALL, 0, &info, WEXITED);
    printf(", then no more %d %d", result, errno == ECHILD);
    result = waitid(P_ALL, 0, &info, 0);
    printf(", no option %d %d\n", result, errno == EINVAL);

    // A group of children, waited for as one.
    child = fork();
    if (child == 0) {
        setpgid(0, 0);
        _exit(1);
    }
    setpgid(child, child);
    pid_t second = child_that(2);
    printf("group %d", waitpid(-child, &status, 0) == child);
    printf(", own group %d\n", waitpid(0, &status, 0) == second);

    // SIGCHLD pending once for three ends; ignored or with SA_NOCLDWAIT there are no zombies.
    watch(0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int n = 0; n < 3; n++) {
        child = child_that(n);
        waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("three ends, told %d", calls);
    int reaped = 0;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        reaped++;
    printf(", reaped %d\n", reaped);
    watch(SA_NOCLDWAIT);
    child_that(1);
    waited = wait(&status);
    printf("SA_NOCLDWAIT: %d %d, told %d\n", waited, errno == ECHILD, calls);
    signal(SIGCHLD, SIG_IGN);
    child_that(1);
    waited = wait(&status);
    printf("ignored: %d %d\n", waited, errno == ECHILD);

    // An interrupted wait: EINTR without SA_RESTART.
    signal(SIGCHLD, SIG_DFL);
    struct sigaction plain = {.sa_handler = handler};
    sigaction(SIGALRM, &plain, NULL);
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    struct itimerval soon = {.it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    waited = waitpid(child, &status, 0);
    printf("interrupted: %d %d", waited, errno == EINTR);
    kill(child, SIGTERM);
    waited = waitpid(child, &status, 0);
    printf(", then %d %d\n", waited == child, WTERMSIG(status));
    return 0;
}
