// Which thread takes a signal that comes to its process, where several can (signal(7), `complete_signal` of kernel/signal.c):
// of kill(2), setitimer(2), a timer and a child's end, while some sleep, some block it and some wait for it. With the word
// "mixed", only where two wait for it, one of them in a call with a timeout.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLEEPERS = 4 }; // the first is the process's first thread

static struct sleeper {
    int orders[2];
    pid_t tid;
} sleepers[SLEEPERS];
static int answers[2], taken[2], mixed;
static __thread char name = '?';

static void put(int fd, char byte)
{
    if (write(fd, &byte, 1) != 1)
        _exit(90);
}

static char get(int fd)
{
    char byte;
    if (read(fd, &byte, 1) != 1)
        _exit(91);
    return byte;
}

static void take(int signal)
{
    (void)signal;
    put(taken[1], name);
}

static sigset_t only(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

// Does what it is told, and sleeps in read(2) or futex(2) until then.
static void obey(struct sleeper *self)
{
    const struct timespec hour = {.tv_sec = 3600};
    sigset_t usr1 = only(SIGUSR1), chld = only(SIGCHLD), both = usr1, none;
    sigaddset(&both, SIGALRM);
    sigemptyset(&none);
    name = '0' + (self - sleepers);
    self->tid = syscall(SYS_gettid);
    for (;;) {
        char order = get(self->orders[0]);
        // What is waited for by name comes later: these answer before they sleep.
        if (strchr("wtpns", order) != NULL)
            put(answers[1], name);
        switch (order) {
        case 'b':
            pthread_sigmask(SIG_BLOCK, &both, NULL);
            break;
        case 'u':
            pthread_sigmask(SIG_UNBLOCK, &both, NULL);
            break;
        case 'B':
            pthread_sigmask(SIG_BLOCK, &chld, NULL);
            break;
        case 'U':
            pthread_sigmask(SIG_UNBLOCK, &chld, NULL);
            break;
        case 'w': {
            int got;
            sigwait(&usr1, &got);
            put(taken[1], name);
            break;
        }
        case 't':
            if (sigtimedwait(&usr1, NULL, &hour) == SIGUSR1)
                put(taken[1], name);
            break;
        case 'p':
            ppoll(NULL, 0, &hour, &none);
            break;
        case 'n':
            nanosleep(&hour, NULL);
            break;
        case 's':
            sigsuspend(&none);
            break;
        case 'a':
            setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 1000}, NULL);
            break;
        case 'T': {
            timer_t timer;
            struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
            struct itimerspec soon = {.it_value.tv_nsec = 1000000};
            timer_create(CLOCK_MONOTONIC, &event, &timer);
            timer_settime(timer, 0, &soon, NULL);
            break;
        }
        case 'f':
            if (fork() == 0)
                _exit(0);
            break;
        case 'x':
            put(answers[1], name);
            syscall(SYS_exit, 0);
        }
        if (strchr("wtpns", order) == NULL)
            put(answers[1], name);
    }
}

static void *begin(void *self)
{
    obey(self);
    return NULL;
}

static void order(int which, char what)
{
    put(sleepers[which].orders[1], what);
    get(answers[0]);
}

// Waits until a sleeper is in this call, as /proc/PID/task/TID/syscall has it.
static void until_in(int which, long call)
{
    char path[64], text[32];
    sprintf(path, "/proc/self/task/%d/syscall", sleepers[which].tid);
    do {
        FILE *file = fopen(path, "r");
        if (file == NULL || fgets(text, sizeof text, file) == NULL)
            _exit(92);
        fclose(file);
        usleep(100);
    } while (strtol(text, NULL, 10) != call);
}

static void all(const char *what)
{
    for (int which = 0; which < SLEEPERS; which++)
        order(which, what[which]);
}

static void told(const char *what)
{
    char taker = get(taken[0]);
    printf("%s: %c\n", what, taker);
    fflush(stdout);
    // In its handler it would block the next.
    order(taker - '0', '.');
}

static void sent(const char *what)
{
    kill(getpid(), SIGUSR1);
    told(what);
}

// Has a sleeper end, and waits until it has (an ended first thread is in no call, another has no folder).
static void end(int which)
{
    char path[64], text[32] = "";
    sprintf(path, "/proc/self/task/%d/syscall", sleepers[which].tid);
    order(which, 'x');
    for (FILE *file; strtol(text, NULL, 10) != -1 && (file = fopen(path, "r")) != NULL; fclose(file)) {
        if (fgets(text, sizeof text, file) == NULL)
            strcpy(text, "-1");
        usleep(100);
    }
}

// A sleeper does this, and then the signal comes.
static void sent_in(const char *what, int which, char doing, long call)
{
    order(which, doing);
    until_in(which, call);
    sent(what);
}

static void *direct(void *unused)
{
    (void)unused;
    all("bbbb");
    if (mixed) {
        order(3, 'w');
        until_in(3, SYS_rt_sigtimedwait);
        sent_in("one with a timeout, one without", 0, 't', SYS_rt_sigtimedwait);
        exit(0);
    }
    all("uuuu");
    for (int again = 0; again < 3; again++)
        sent("to all");
    all("bbbb");
    all("buuu");
    for (int again = 0; again < 3; again++)
        sent("to all but the first");
    all("ubuu");
    sent("to the first again");
    order(0, 'b');
    for (int again = 0; again < 2; again++)
        sent("one less");
    order(1, 'u');
    sent("one more");
    order(2, 'b');
    sent("without that one");
    order(0, 'u');
    order(3, 'a');
    told("an alarm, to all but one");
    order(0, 'b');
    order(3, 'a');
    told("an alarm, not to the first");
    order(0, 'u');
    order(3, 'T');
    told("a timer");
    order(0, 'b');
    order(1, 'T');
    told("a timer, not to the first");

    // A child's end is told to the thread that made it.
    all("bbbb");
    all("UUUU");
    for (int which = SLEEPERS - 1; which >= 0; which--) {
        order(which, 'f');
        told("its child ends");
    }
    order(2, 'B');
    order(2, 'f');
    told("its child ends, and it blocks that");
    order(1, 'f');
    told("another's");
    order(2, 'f');
    told("its child again");
    all("UBBB");
    order(3, 'f');
    told("only the first can");
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;

    // Sleeps of other kinds, and who waits for it.
    all("bbbb");
    sent_in("waited for", 2, 'w', SYS_rt_sigtimedwait);
    sent_in("waited for at most an hour", 1, 't', SYS_rt_sigtimedwait);
    sent_in("in ppoll", 3, 'p', SYS_ppoll);
    sent_in("in ppoll, the first", 0, 'p', SYS_ppoll);
    sent_in("in sigsuspend", 1, 's', SYS_rt_sigsuspend);
    order(3, 'w');
    until_in(3, SYS_rt_sigtimedwait);
    sent_in("waited for twice", 0, 'w', SYS_rt_sigtimedwait);
    sent("the other waits on");
    order(3, 'p');
    until_in(3, SYS_ppoll);
    sent_in("twice, for at most an hour", 0, 't', SYS_rt_sigtimedwait);
    sent("the other polls on");
    order(2, 'u');
    sent_in("asleep for an hour", 2, 'n', SYS_clock_nanosleep);
    order(0, 'u');
    order(2, 'n');
    until_in(2, SYS_clock_nanosleep);
    sent_in("both asleep for an hour", 0, 'n', SYS_clock_nanosleep);
    order(0, 'b');
    sent("the other sleeps on");

    // The first thread ends, and one of the others does.
    all("bbbb");
    end(0);
    order(1, 'u');
    order(3, 'u');
    sent("without the first thread");
    order(1, 'b');
    sent("the only one");
    order(1, 'u');
    sent("the same");
    end(3);
    sent("one is left");
    exit(0);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = take, .sa_flags = SA_RESTART};
    sigset_t every, before;
    pthread_t thread;
    mixed = argc > 1 && strcmp(argv[1], "mixed") == 0;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    if (pipe(answers) != 0 || pipe(taken) != 0)
        return 1;
    sigset_t chld = only(SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    for (int which = 0; which < SLEEPERS; which++) {
        if (pipe(sleepers[which].orders) != 0)
            return 1;
        if (which > 0 && pthread_create(&thread, NULL, begin, &sleepers[which]) != 0)
            return 1;
    }
    // Who directs takes no signal.
    sigfillset(&every);
    sigprocmask(SIG_SETMASK, &every, &before);
    if (pthread_create(&thread, NULL, direct, NULL) != 0)
        return 1;
    sigprocmask(SIG_SETMASK, &before, NULL);
    obey(&sleepers[0]);
    return 0;
}
