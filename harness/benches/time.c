/* 27.5 seconds, by all kinds of sleep; or a second by one of them, named by the first argument; or `none`. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void nothing(int signal)
{
    (void)signal;
}

/* All calls of all kinds but those that let time pass are made in each, so that these are what is compared. */
static int one(const char *kind)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    int is = strcmp(kind, "timerfd") == 0;
    struct itimerspec second = {{0, 0}, {is, 0}};
    uint64_t expired;

    signal(SIGALRM, nothing);
    timerfd_settime(fd, 0, &second, NULL);
    if (is && read(fd, &expired, sizeof expired) != sizeof expired)
        return 1;
    alarm(strcmp(kind, "alarm") == 0);
    if (strcmp(kind, "alarm") == 0)
        pause();
    poll(NULL, 0, strcmp(kind, "poll") == 0 ? 1000 : 0);
    usleep(strcmp(kind, "sleep") == 0 ? 1000000 : 0);
    return 0;
}

int main(int count, char **words)
{
    struct timespec before, after;

    if (count > 1)
        return one(words[1]);
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
