/* Waits with a time that never comes: longer than any clock of the kernel's holds. Without an argument each wait is ended by a signal
 * of a child that sleeps for a moment; with one only the wait of that number is made, and nobody ends it. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct timespec ever = {LONG_MAX, 0}, long_ever = {1L << 61, 0}, moment = {0, 20000000};

static void on_signal(int signal)
{
    (void)signal;
}

static int wait_by(int kind)
{
    struct timeval time = {LONG_MAX / 2, 0};
    struct epoll_event event;
    sigset_t set;
    int word = 7, fd;

    switch (kind) {
    case 0:
        return ppoll(NULL, 0, &long_ever, NULL);
    case 1:
        return pselect(0, NULL, NULL, NULL, &ever, NULL);
    case 2:
        return select(0, NULL, NULL, NULL, &time);
    case 3:
        return nanosleep(&ever, NULL);
    case 4:
        return (errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ever, NULL)) ? -1 : 0;
    case 5:
        return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &ever, NULL, 0);
    case 6:
        return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 7, &long_ever, NULL, FUTEX_BITSET_MATCH_ANY);
    case 7:
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        return sigtimedwait(&set, NULL, &long_ever);
    default:
        fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        timerfd_settime(fd, 0, &(struct itimerspec){{0, 0}, ever}, NULL);
        kind = epoll_create1(EPOLL_CLOEXEC);
        event.events = EPOLLIN;
        epoll_ctl(kind, EPOLL_CTL_ADD, fd, &event);
        return epoll_wait(kind, &event, 1, -1);
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct timespec before, after;
    struct itimerval timer = {{0, 0}, {LONG_MAX / 2, 0}};
    int parent = getpid(), result;

    sigaction(SIGUSR1, &action, NULL);
    if (argc > 1)
        return wait_by(atoi(argv[1]));
    setitimer(ITIMER_REAL, &timer, NULL);
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (int kind = 0; kind < 9; kind++) {
        if (!fork()) {
            nanosleep(&moment, NULL);
            kill(parent, SIGUSR1);
            _exit(0);
        }
        result = wait_by(kind);
        printf("%d: %d, %s\n", kind, result, errno == EINTR ? "EINTR" : "another error");
        wait(NULL);
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    getitimer(ITIMER_REAL, &timer);
    printf("%s, %s\n", after.tv_sec - before.tv_sec < 60 ? "not long" : "long",
           timer.it_value.tv_sec > 9000000000 ? "the timer is far away" : "the timer is near");
    return 0;
}
