// What alarm(2), setitimer(2), timer_create(2) and its sisters, timerfd_create(2) and the sleeps promise.
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t calls, code, value, overrun;
/* Whose overrun is of interest. */
static timer_t *volatile overrunning;

static void count(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    calls++;
    code = info->si_code;
    value = info->si_value.sival_int;
    if (overrunning) {
        /* The most: who is kept from its CPU for a period gets another signal, which has none. */
        int most = timer_getoverrun(*overrunning);
        if (most > overrun)
            overrun = most;
    }
}

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void await(int number)
{
    while (calls < number)
        usleep(500);
}

static void timers(const char *name, clockid_t clock)
{
    timer_t timer, silent;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 42};
    struct itimerspec setting = {.it_value = {0, 10000000}}, left, past = {.it_value = {1, 0}};
    sigset_t set;
    calls = 0;
    printf("%s: create %d", name, timer_create(clock, &event, &timer));
    printf(", unarmed %d", timer_gettime(timer, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    timer_settime(timer, 0, &setting, NULL);
    await(1);
    printf(", once %d, code %d, value %d, overrun %d", calls, code, value, timer_getoverrun(timer));
    timer_gettime(timer, &left);
    printf(", disarmed %d", left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    // A time that is over at once, on the clock itself.
    timer_settime(timer, TIMER_ABSTIME, &past, NULL);
    await(2);
    // A period: at least three times.
    setting.it_interval = setting.it_value;
    timer_settime(timer, 0, &setting, NULL);
    await(5);
    struct itimerspec off = {0}, old;
    timer_settime(timer, 0, &off, &old);
    printf(", period back %ld", old.it_interval.tv_nsec);
    // One signal for many expirations; the rest is the overrun.
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int before = calls;
    overrun = 0;
    overrunning = &timer;
    setting.it_value.tv_nsec = setting.it_interval.tv_nsec = 2000000;
    timer_settime(timer, 0, &setting, NULL);
    struct timespec nap = {0, 30000000};
    nanosleep(&nap, NULL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    timer_settime(timer, 0, &off, NULL);
    overrunning = NULL;
    printf(", blocked: overrun %d", calls > before && overrun >= 5);
    // Deleted before it is due: never.
    before = calls;
    setting.it_value.tv_nsec = 20000000;
    timer_settime(timer, 0, &setting, NULL);
    printf(", delete %d", timer_delete(timer));
    nanosleep(&nap, NULL);
    printf(" %d", calls - before);
    event.sigev_notify = SIGEV_NONE;
    timer_create(clock, &event, &silent);
    setting.it_value = (struct timespec){100, 0};
    timer_settime(silent, 0, &setting, NULL);
    timer_gettime(silent, &left);
    printf(", silent left %d\n", left.it_value.tv_sec >= 98 && left.it_value.tv_sec <= 100);
    timer_delete(silent);
}

static void descriptor(const char *name, clockid_t clock)
{
    int fd = timerfd_create(clock, TFD_NONBLOCK);
    uint64_t times = 0;
    struct itimerspec setting = {.it_value = {0, 1000000}, .it_interval = {0, 1000000}}, left;
    int result = read(fd, &times, sizeof times);
    printf("timerfd %s: unarmed %d %d", name, result, errno == EAGAIN);
    timerfd_settime(fd, 0, &setting, NULL);
    struct timespec nap = {0, 20000000};
    nanosleep(&nap, NULL);
    result = read(fd, &times, sizeof times);
    printf(", read %d, many %d", result, times >= 10);
    timerfd_gettime(fd, &left);
    printf(", interval %ld", left.it_interval.tv_nsec);
    setting = (struct itimerspec){0};
    timerfd_settime(fd, 0, &setting, NULL);
    result = read(fd, &times, sizeof times);
    printf(", disarmed %d %d", result, errno == EAGAIN);
    result = read(fd, &times, 4);
    printf(", short %d %d\n", result, errno == EINVAL);
    close(fd);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGRTMIN + 1, &action, NULL);

    printf("alarm %u", alarm(100));
    unsigned left_of_alarm = alarm(1);
    printf(", left %d", left_of_alarm >= 99 && left_of_alarm <= 100);
    printf(", ends pause %d", pause());
    printf(" %d, %d call, off %u\n", errno == EINTR, calls, alarm(0));

    struct itimerval tick = {.it_value = {0, 5000}, .it_interval = {0, 5000}}, stop = {0}, old;
    calls = 0;
    setitimer(ITIMER_REAL, &tick, NULL);
    await(4);
    setitimer(ITIMER_REAL, &stop, &old);
    printf("setitimer: interval %ld", (long)old.it_interval.tv_usec);
    tick.it_value.tv_usec = 1000000;
    int result = setitimer(ITIMER_REAL, &tick, NULL);
    printf(", bad %d %d", result, errno == EINVAL);
    result = setitimer(7, &stop, NULL);
    printf(", no such timer %d %d\n", result, errno == EINVAL);

    timers("CLOCK_REALTIME", CLOCK_REALTIME);
    timers("CLOCK_MONOTONIC", CLOCK_MONOTONIC);
    timers("CLOCK_BOOTTIME", CLOCK_BOOTTIME);
    timer_t timer;
    struct itimerspec bad = {.it_value = {0, 1000000000}};
    result = timer_create(99, NULL, &timer);
    printf("no such clock %d %d", result, errno == EINVAL);
    timer_create(CLOCK_MONOTONIC, NULL, &timer);
    result = timer_settime(timer, 0, &bad, NULL);
    printf(", bad time %d %d", result, errno == EINVAL);
    timer_delete(timer);
    result = timer_delete(timer);
    printf(", deleted twice %d %d\n", result, errno == EINVAL);
    descriptor("CLOCK_MONOTONIC", CLOCK_MONOTONIC);
    descriptor("CLOCK_REALTIME", CLOCK_REALTIME);

    // Sleeps: how long, what is left when a handler ends them, what they refuse.
    struct timespec left = {0, 0}, nap = {0, 30000000}, invalid = {0, -1}, lasting = {100, 0};
    double begin = now(CLOCK_MONOTONIC);
    result = nanosleep(&nap, NULL);
    printf("nanosleep %d, long enough %d", result, now(CLOCK_MONOTONIC) - begin >= 0.03);
    result = nanosleep(&invalid, NULL);
    printf(", invalid %d %d", result, errno == EINVAL);
    tick = (struct itimerval){.it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &tick, NULL);
    result = nanosleep(&lasting, &left);
    printf(", interrupted %d %d, left %d\n", result, errno == EINTR, left.tv_sec == 99);
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    for (int n = 0; n < 3; n++) {
        struct timespec until;
        left = (struct timespec){7, 7};
        setitimer(ITIMER_REAL, &tick, NULL);
        result = clock_nanosleep(clocks[n], 0, &lasting, &left);
        printf("clock_nanosleep %d: %d, left %d", clocks[n], result == EINTR, left.tv_sec == 99);
        clock_gettime(clocks[n], &until);
        printf(", past %d", clock_nanosleep(clocks[n], TIMER_ABSTIME, &until, NULL));
        until.tv_sec += 100;
        left = (struct timespec){7, 7};
        setitimer(ITIMER_REAL, &tick, NULL);
        result = clock_nanosleep(clocks[n], TIMER_ABSTIME, &until, &left);
        printf(", absolute %d, untouched %d\n", result == EINTR, left.tv_sec == 7);
    }
    printf("no such clock %d, of a thread %d\n", clock_nanosleep(99, 0, &nap, NULL) == EINVAL,
           clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &nap, NULL) == EINVAL);
    printf("sleep %u, usleep %d\n", sleep(1), usleep(1000));
    setitimer(ITIMER_REAL, &tick, NULL);
    unsigned unslept = sleep(100);
    printf("sleep cut short, %d left\n", unslept == 99 || unslept == 100);
    return 0;
}
