// Which calls a signal interrupts, and which are begun again. The timer repeats, so that no call is missed by it.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

static void handler(int signal) {
    (void)signal;
    seen = 1;
}

static void every(int milliseconds, int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, milliseconds * 1000}, {0, milliseconds * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    seen = 0;
}

static void told(const char *call, long result) {
    int error = errno;
    every(0, 0);
    printf("%s: %ld %s\n", call, result, result < 0 ? strerror(error) : "");
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    int ends[2];
    char byte;
    if (pipe(ends)) return 1;

    every(20, 0);
    told("read", read(ends[0], &byte, 1));
    every(20, 0);
    told("pause", pause());
    every(20, 0);
    struct timespec asked = {1000, 0}, left = {0, 0};
    long result = nanosleep(&asked, &left);
    told("nanosleep", result);
    printf("left %d\n", left.tv_sec == 999);
    every(20, SA_RESTART);
    told("clock_nanosleep with SA_RESTART", clock_nanosleep(CLOCK_MONOTONIC, 0, &asked, &left));
    every(20, SA_RESTART);
    struct pollfd fd = {ends[0], POLLIN, 0};
    told("poll with SA_RESTART", poll(&fd, 1, 1000000));
    every(20, 0);
    told("poll for ever", poll(&fd, 1, -1));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    every(20, 0);
    told("select", select(ends[0] + 1, &set, NULL, NULL, NULL));

    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    every(20, 0);
    result = sigsuspend(&none);
    told("sigsuspend", result);
    every(20, 0);
    fd_set copy;
    FD_ZERO(&copy);
    FD_SET(ends[0], &copy);
    result = pselect(ends[0] + 1, &copy, NULL, NULL, NULL, &none);
    told("pselect", result);
    every(20, 0);
    struct timespec long_time = {1000, 0};
    result = sigtimedwait(&blocked, NULL, &long_time);
    told("sigtimedwait", result);
    struct timespec short_time = {0, 10000000};
    seen = 0;
    while (sigtimedwait(&blocked, NULL, &(struct timespec){0, 0}) > 0) {}
    result = sigtimedwait(&blocked, NULL, &short_time);
    told("sigtimedwait without a signal", result);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);

    // A call that is begun again ends by what it waits for, although the handler has run.
    every(20, SA_RESTART);
    pid_t pid = fork();
    if (pid == 0) {
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        _exit(write(ends[1], "x", 1) == 1 ? 3 : 4);
    }
    result = read(ends[0], &byte, 1);
    printf("handler %d\n", seen);
    told("read with SA_RESTART", result);
    every(20, SA_RESTART);
    int status = 0;
    result = waitpid(pid, &status, 0) == pid;
    told("waitpid with SA_RESTART", result);
    printf("status %d\n", WEXITSTATUS(status));

    pid = fork();
    if (pid == 0)
        for (;;) pause();
    every(20, 0);
    told("waitpid", waitpid(pid, &status, 0));
    kill(pid, SIGTERM);
    printf("reaped %d signal %d\n", waitpid(pid, &status, 0) == pid, WTERMSIG(status));
    alarm(1000);
    printf("alarm: %u %u\n", alarm(0), alarm(0));
    return 0;
}
