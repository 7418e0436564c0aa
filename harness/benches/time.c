/* 27.5 seconds, by each kind of sleep. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void nothing(int signal)
{
    (void)signal;
}

int main(void)
{
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    signal(SIGALRM, nothing);
    sleep(3);
    alarm(5);
    pause();
    struct itimerval interval = {{0, 0}, {2, 500000}};
    setitimer(ITIMER_REAL, &interval, NULL);
    pause();
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec four = {{0, 0}, {4, 0}}, six = {{0, 0}, {6, 0}};
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &four, NULL);
    pause();
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(fd, 0, &six, NULL);
    uint64_t expired;
    if (read(fd, &expired, sizeof expired) != sizeof expired)
        return 1;
    poll(NULL, 0, 7000);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long passed = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    return passed < 27500 || passed > 27600;
}
