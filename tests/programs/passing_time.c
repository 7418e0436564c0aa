// Time goes on: for calls, for computing, and for what was armed first.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;

static void on_alarm(int signal) {
    (void)signal;
    alarms++;
}

static void say(const char *what, long number) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s %ld\n", what, number);
    if (write(1, line, length) != length) _exit(9);
}

static void arm(long milliseconds) {
    struct timeval value = {milliseconds / 1000, milliseconds % 1000 * 1000};
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, value}, NULL);
}

static timer_t posix(long milliseconds, clockid_t clock) {
    timer_t timer;
    struct sigevent tells = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec value = {{0, 0}, {milliseconds / 1000, milliseconds % 1000 * 1000000}};
    if (timer_create(clock, &tells, &timer) || timer_settime(timer, 0, &value, NULL)) perror("timer");
    return timer;
}

static void computes(void) {
    while (!alarms) continue;
    alarms = 0;
}

static void watchdog(void) {
    signal(SIGALRM, SIG_DFL);
    alarm(3);
    for (int n = 0; n < 20000; n++) getppid();
    say("left", alarm(0) > 0);
}

static void ties(void) {
    struct timespec time = {0, 300000000};
    arm(300);
    nanosleep(&time, NULL);
    say("timer before sleep", alarms);
    alarms = 0;
    posix(300, CLOCK_MONOTONIC);
    poll(NULL, 0, 300);
    say("timer before poll", alarms);
    alarms = 0;
    alarm(1);
    posix(1000, CLOCK_MONOTONIC);
    while (alarms < 2) pause();
    say("both", alarms);
}

// A loop that nothing ends but time.
static void loops(void) {
    alarm(1);
    computes();
    say("alarm", 1);
    arm(150);
    computes();
    say("setitimer", 1);
    posix(150, CLOCK_MONOTONIC);
    computes();
    say("timer_settime", 1);
}

// A loop that nothing ends but another process, whose sleep is over meanwhile.
static void beside(void) {
    pid_t child = fork();
    if (!child) {
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        kill(getppid(), SIGALRM);
        _exit(4);
    }
    computes();
    int status;
    waitpid(child, &status, 0);
    say("exit", WEXITSTATUS(status));
}

static void short_sleeps(void) {
    for (int n = 0; n < 20; n++) {
        alarms = 0;
        setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 10}}, NULL);
        while (!alarms) {
            struct timespec soon;
            clock_gettime(CLOCK_MONOTONIC, &soon);
            soon.tv_nsec += 10000;
            if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &soon, NULL);
        }
    }
    say("timers", 20);
}

static void left(void) {
    struct itimerval interval;
    struct itimerspec rest;
    struct timespec begun, now;
    alarm(10);
    timer_t timer = posix(10000, CLOCK_MONOTONIC);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 < 2200);
    getitimer(ITIMER_REAL, &interval);
    timer_gettime(timer, &rest);
    say("getitimer", interval.it_value.tv_sec);
    say("timer_gettime", rest.it_value.tv_sec);
    say("alarm", alarm(0));
}

static void remainders(void) {
    struct timespec time = {1, 0}, rest = {-1, -1};
    arm(100);
    int result = syscall(SYS_nanosleep, &time, (void *)8);
    say("nanosleep", result < 0 ? errno : 0);
    arm(100);
    result = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, (void *)8);
    say("clock_nanosleep", result < 0 ? errno : 0);
    arm(100);
    result = nanosleep(&time, NULL);
    say("without", result < 0 ? errno : 0);
    arm(200);
    result = nanosleep(&time, &rest);
    say("left", result < 0 && rest.tv_sec == 0 && rest.tv_nsec > 500000000 && rest.tv_nsec < 900000000);
    arm(100);
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec++;
    say("absolute", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, (void *)8));
    say("bad time", syscall(SYS_nanosleep, (void *)8, NULL) < 0 ? errno : 0);
    time.tv_nsec = 1000000000;
    say("too many", nanosleep(&time, NULL) < 0 ? errno : 0);
    say("bad clock", clock_nanosleep(77, 0, &(struct timespec){0, 1}, NULL));
    say("own CPU time", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){0, 1}, NULL));
}

static void cpu_armed(void) {
    posix(60000, CLOCK_PROCESS_CPUTIME_ID);
    setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {60, 0}}, NULL);
    for (int n = 0; n < 10; n++) getppid();
    say("alarms", alarms);
}

static void cpu_goes_off(void) {
    posix(30, CLOCK_PROCESS_CPUTIME_ID);
    computes();
    say("gone off", 1);
}

static void virtual_goes_off(void) {
    signal(SIGVTALRM, on_alarm);
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){{0, 0}, {0, 30000}}, NULL);
    computes();
    say("gone off", 1);
}

// Loops that wait for an alarm by looking again and again.
static void looks(const char *which) {
    struct pollfd none = {.fd = -1};
    struct timespec zero = {0, 0};
    struct timeval none_left = {0, 0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int epoll = epoll_create1(0), ends[2];
    if (pipe2(ends, 04000)) return;
    char byte;
    long count = 0;
    arm(700);
    for (; !alarms; count++) {
        if (!strcmp(which, "poll")) poll(&none, 1, 0);
        if (!strcmp(which, "ppoll")) syscall(SYS_ppoll, &none, 1, &zero, NULL, 8);
        if (!strcmp(which, "select")) none_left = (struct timeval){0, 0}, syscall(SYS_select, 0, NULL, NULL, NULL, &none_left);
        if (!strcmp(which, "pselect")) pselect(0, NULL, NULL, NULL, &zero, NULL);
        if (!strcmp(which, "epoll")) epoll_wait(epoll, &(struct epoll_event){0}, 1, 0);
        if (!strcmp(which, "epoll2")) syscall(SYS_epoll_pwait2, epoll, &(struct epoll_event){0}, 1, &zero, NULL, 8);
        if (!strcmp(which, "wait")) waitpid(-1, NULL, WNOHANG);
        if (!strcmp(which, "sigtimedwait")) sigtimedwait(&set, NULL, &zero);
        if (!strcmp(which, "sigpending")) sigpending(&set);
        if (!strcmp(which, "read")) if (read(ends[0], &byte, 1) > 0) return;
        if (!strcmp(which, "access")) access("/nowhere", 0);
        if (!strcmp(which, "open")) if (syscall(SYS_open, "/nowhere", 0) > 0) return;
        if (!strcmp(which, "getppid")) getppid();
        if (!strcmp(which, "yield")) syscall(SYS_sched_yield);
        if (!strcmp(which, "kill")) kill(getpid(), 0);
        if (!strcmp(which, "nanosleep")) nanosleep(&zero, NULL);
        if (!strcmp(which, "clock")) syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &zero), zero = (struct timespec){0, 0};
    }
    say("went off", alarms);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*does)(void);
    } all[] = {
        {"watchdog", watchdog}, {"ties", ties}, {"loops", loops}, {"beside", beside}, {"short sleeps", short_sleeps}, {"left", left},
        {"remainders", remainders}, {"armed", cpu_armed}, {"goes off", cpu_goes_off},
        {"virtual goes off", virtual_goes_off},
    };
    signal(SIGALRM, on_alarm);
    for (size_t n = 0; argc > 1 && n < sizeof all / sizeof *all; n++)
        if (!strcmp(argv[1], all[n].name)) all[n].does();
    if (argc > 2 && !strcmp(argv[1], "looks")) looks(argv[2]);
    return 0;
}
