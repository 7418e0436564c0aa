/* Every clock is read before and after each kind of sleep of an hour: each has to show that hour, and hardly more.
 * `again` has it done once more in a child, and then by another execution of this file. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600L

static const int ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
                          CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI};
enum { IDS = sizeof ids / sizeof *ids, ALL = IDS + 4 };

static void nothing(int signal)
{
    (void)signal;
}

/* All clocks in milliseconds. */
static void read_all(long *now)
{
    for (int n = 0; n < IDS; n++) {
        struct timespec t;
        clock_gettime(ids[n], &t);
        now[n] = t.tv_sec * 1000 + t.tv_nsec / 1000000;
    }
    struct timeval day;
    gettimeofday(&day, NULL);
    now[IDS] = day.tv_sec * 1000 + day.tv_usec / 1000;
    now[IDS + 1] = time(NULL) * 1000;
    struct tms used;
    now[IDS + 2] = times(&used) * 10;
    struct sysinfo info;
    sysinfo(&info);
    now[IDS + 3] = info.uptime * 1000;
}

static struct timespec later(int clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_sec += HOUR;
    return t;
}

static void sleeps(void)
{
    sleep(HOUR);
}

static void sleeps_until(void)
{
    struct timespec monotonic = later(CLOCK_MONOTONIC);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &monotonic, NULL);
}

static void sleeps_until_a_date(void)
{
    struct timespec date = later(CLOCK_REALTIME);
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &date, NULL);
    /* That has passed by now. */
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &date, NULL);
}

static void polls(void)
{
    poll(NULL, 0, HOUR * 1000);
}

static void selects(void)
{
    struct timeval hour = {HOUR, 0};
    select(0, NULL, NULL, NULL, &hour);
}

static void waits_for_events(void)
{
    int set = epoll_create1(0), ends[2];
    struct epoll_event event = {EPOLLIN, {0}};
    if (pipe(ends) == 0)
        epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
    epoll_wait(set, &event, 1, HOUR * 1000);
    close(set), close(ends[0]), close(ends[1]);
}

static void waits_for_a_signal(void)
{
    sigset_t set;
    struct timespec hour = {HOUR, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigtimedwait(&set, NULL, &hour);
}

static void alarms(void)
{
    signal(SIGALRM, nothing);
    alarm(HOUR);
    pause();
}

static void interval_timer(void)
{
    struct itimerval hour = {{0, 0}, {HOUR, 0}};
    signal(SIGALRM, nothing);
    setitimer(ITIMER_REAL, &hour, NULL);
    pause();
}

static void posix_timer(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec until = {{0, 0}, later(CLOCK_REALTIME)};
    signal(SIGALRM, nothing);
    timer_create(CLOCK_REALTIME, &event, &timer);
    timer_settime(timer, TIMER_ABSTIME, &until, NULL);
    pause();
    timer_delete(timer);
}

static void timer_descriptor(void)
{
    int fd = timerfd_create(CLOCK_BOOTTIME, 0);
    struct itimerspec until = {{0, 0}, later(CLOCK_BOOTTIME)};
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &until, NULL);
    unsigned long expired;
    if (read(fd, &expired, sizeof expired) != sizeof expired)
        perror("read");
    close(fd);
}

static void waits_for_a_condition(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    struct timespec date = later(CLOCK_REALTIME);
    pthread_mutex_lock(&mutex);
    pthread_cond_timedwait(&condition, &mutex, &date);
    pthread_cond_timedwait(&condition, &mutex, &date);
}

static void waits_for_a_semaphore(void)
{
    sem_t semaphore;
    struct timespec date = later(CLOCK_REALTIME);
    sem_init(&semaphore, 0, 0);
    sem_timedwait(&semaphore, &date);
}

static void receives(void)
{
    int ends[2];
    char byte;
    struct timeval hour = {HOUR, 0};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return;
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);
    if (recv(ends[0], &byte, 1, 0) != -1 || errno != EAGAIN)
        puts("recv: no timeout");
    close(ends[0]), close(ends[1]);
}

static void looks_at_the_clock(void)
{
    struct timespec end = later(CLOCK_MONOTONIC), now;
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec < end.tv_sec);
}

static const struct {
    const char *name;
    void (*sleep)(void);
    long more;
} kinds[] = {
    {"sleep", sleeps, 100},
    {"until a moment", sleeps_until, 100},
    {"until a date", sleeps_until_a_date, 100},
    {"poll", polls, 100},
    {"select", selects, 100},
    {"epoll", waits_for_events, 100},
    {"sigtimedwait", waits_for_a_signal, 100},
    {"alarm", alarms, 100},
    {"setitimer", interval_timer, 100},
    {"timer_settime", posix_timer, 100},
    {"timerfd", timer_descriptor, 100},
    {"condition", waits_for_a_condition, 100},
    {"semaphore", waits_for_a_semaphore, 100},
    {"SO_RCVTIMEO", receives, 100},
    {"a loop that looks", looks_at_the_clock, 2000},
};

static void all(const char *where)
{
    for (unsigned n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        long before[ALL], after[ALL];
        int wrong = 0;
        read_all(before);
        kinds[n].sleep();
        read_all(after);
        for (int clock = 0; clock < ALL; clock++) {
            long passed = after[clock] - before[clock], whole = clock == IDS + 1 || clock == IDS + 3 ? 1000 : 10;
            if (passed < HOUR * 1000 - whole || passed > HOUR * 1000 + kinds[n].more + whole) {
                printf("%s, %s: clock %d went on by %ld ms\n", where, kinds[n].name, clock, passed);
                wrong = 1;
            }
        }
        printf("%s, %s: %s\n", where, kinds[n].name, wrong ? "WRONG" : "an hour");
    }
    fflush(stdout);
}

int main(int count, char **words)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    all(count > 1 ? "executed" : "at first");
    if (count > 1)
        return 0;
    pid_t child = fork();
    if (child == 0) {
        all("in a child");
        execl(words[0], words[0], "executed", NULL);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    return status != 0;
}
