// The first thread ends, and the process lives on in the second: everything works there as before.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <stdint.h>
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

static void *nothing(void *data) { return data; }

static void *lives_on(void *data) {
    // Certainly later than the other's end, whatever time it takes.
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    char bytes[16];
    say("getrandom", getrandom(bytes, sizeof bytes, 0));
    cpu_set_t set;
    say("sched_getaffinity", sched_getaffinity(0, sizeof set, &set));
    say("sched_getscheduler", sched_getscheduler(0));
    pid_t child = fork();
    if (!child) _exit(7);
    int status = 0;
    say("waitpid", waitpid(child, &status, 0) == child);
    say("exit", WEXITSTATUS(status));
    child = vfork();
    if (!child) _exit(8);
    waitpid(child, &status, 0);
    say("vfork", WEXITSTATUS(status));
    pthread_t thread;
    say("pthread_create", pthread_create(&thread, NULL, nothing, NULL));
    say("pthread_join", pthread_join(thread, NULL));

    int ends[2];
    if (pipe(ends)) return data;
    struct pollfd end = {.fd = ends[0], .events = POLLIN};
    say("poll", poll(&end, 1, 30));
    fd_set reads;
    FD_ZERO(&reads);
    FD_SET(ends[0], &reads);
    struct timeval soon = {0, 30000};
    say("select", select(ends[0] + 1, &reads, NULL, NULL, &soon));
    int set_of_one = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(set_of_one, EPOLL_CTL_ADD, ends[0], &event);
    say("epoll_wait", epoll_wait(set_of_one, &event, 1, 30));
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 30000000;
    if (limit.tv_nsec >= 1000000000) limit.tv_sec++, limit.tv_nsec -= 1000000000;
    say("sem_timedwait", sem_timedwait(&sem, &limit) < 0 ? errno : 0);
    int sockets[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 30000}, sizeof(struct timeval));
    say("recv", recv(sockets[0], bytes, 1, 0) < 0 ? errno : 0);

    signal(SIGALRM, on_alarm);
    alarm(1);
    struct timespec left = {0, 0};
    say("nanosleep", nanosleep(&(struct timespec){2, 500000000}, &left) < 0 ? errno : 0);
    say("left", left.tv_sec);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, NULL);
    pause();
    say("alarms", alarms);
    timer_t timer;
    struct sigevent tells = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    say("timer_create", timer_create(CLOCK_MONOTONIC, &tells, &timer));
    timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 50000000}}, NULL);
    pause();
    say("alarms", alarms);
    int descriptor = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(descriptor, 0, &(struct itimerspec){{0, 0}, {0, 50000000}}, NULL);
    uint64_t count = 0;
    say("read", read(descriptor, &count, sizeof count));
    say("expirations", count);
    sigset_t waits;
    sigemptyset(&waits);
    sigaddset(&waits, SIGUSR1);
    sigprocmask(SIG_BLOCK, &waits, NULL);
    say("sigtimedwait", sigtimedwait(&waits, NULL, &(struct timespec){0, 30000000}) < 0 ? errno : 0);
    kill(getpid(), SIGUSR1);
    say("sigwaitinfo", sigwaitinfo(&waits, NULL) == SIGUSR1);
    _exit(33);
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, lives_on, NULL);
    pthread_exit(NULL);
}
