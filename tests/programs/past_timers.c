// Timers that are set to a time that has passed, and repeat: what has passed is counted.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t came;

static void handler(int signal) {
    (void)signal;
    came++;
}

// Every ten seconds, since 100.5 s ago: a loaded machine does not get to the next.
static struct itimerspec since(clockid_t clock) {
    struct itimerspec new = {{10, 0}, {0, 0}};
    clock_gettime(clock, &new.it_value);
    new.it_value.tv_sec -= 101;
    new.it_value.tv_nsec += 500000000;
    if (new.it_value.tv_nsec >= 1000000000) new.it_value.tv_sec++, new.it_value.tv_nsec -= 1000000000;
    return new;
}

int main(void) {
    clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
    signal(SIGRTMIN, handler);
    for (int n = 0; n < 3; n++) {
        uint64_t count = 0;
        struct itimerspec new = since(clocks[n]), left;
        int fd = timerfd_create(clocks[n], 0);
        timerfd_settime(fd, TFD_TIMER_ABSTIME, &new, NULL);
        if (read(fd, &count, sizeof count) != sizeof count) perror("read");
        timerfd_gettime(fd, &left);
        printf("timerfd %lu, next in %s\n", (unsigned long)count, left.it_value.tv_sec >= 8 ? "nine" : "less");
        close(fd);

        timer_t timer;
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
        timer_create(clocks[n], &event, &timer);
        new = since(clocks[n]);
        came = 0;
        timer_settime(timer, TIMER_ABSTIME, &new, NULL);
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        int overrun = timer_getoverrun(timer);
        timer_gettime(timer, &left);
        printf("signals %d, overrun %d, next in %s\n", came, overrun, left.it_value.tv_sec >= 8 ? "nine" : "less");
        timer_delete(timer);
    }
    // Once is once, however long ago.
    struct itimerspec once = since(CLOCK_MONOTONIC);
    once.it_interval.tv_sec = 0;
    uint64_t count = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &once, NULL);
    if (read(fd, &count, sizeof count) != sizeof count) perror("read");
    printf("once %lu\n", (unsigned long)count);
    return 0;
}
