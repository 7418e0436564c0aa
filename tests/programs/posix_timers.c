// What POSIX timers tell: by signal, by thread, by asking; once, again and again, and while the signal is blocked.
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count;
static siginfo_t info;
static sem_t told;

static void handler(int signal, siginfo_t *about, void *context) {
    (void)signal;
    (void)context;
    info = *about;
    count++;
}

static void by_thread(union sigval value) {
    printf("thread function: %d\n", value.sival_int);
    sem_post(&told);
}

static void set(timer_t timer, long value, long interval) {
    struct itimerspec new = {{0, interval * 1000000}, {0, value * 1000000}};
    if (timer_settime(timer, 0, &new, NULL)) perror("timer_settime");
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigset_t timers, old;
    sigemptyset(&timers);
    sigaddset(&timers, SIGUSR1);
    sigaddset(&timers, SIGRTMIN);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
    sigprocmask(SIG_BLOCK, &timers, &old);

    timer_t one;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    event.sigev_value.sival_int = 42;
    printf("create %d\n", timer_create(CLOCK_MONOTONIC, &event, &one));
    set(one, 20, 0);
    sigsuspend(&old);
    printf("signo %d code %d value %d overrun %d %d\n", info.si_signo, info.si_code, info.si_value.sival_int,
           info.si_overrun, timer_getoverrun(one));

    set(one, 10, 10);
    for (count = 0; count < 3;) sigsuspend(&old);
    printf("again and again %d\n", count);
    struct itimerspec off = {{0, 0}, {0, 0}}, was;
    timer_settime(one, 0, &off, &was);
    printf("interval %ld\n", was.it_interval.tv_nsec);
    timer_gettime(one, &was);
    printf("off %ld %ld\n", was.it_value.tv_nsec, was.it_interval.tv_nsec);
    was.it_value.tv_sec = 1000;
    timer_settime(one, 0, &was, NULL);
    timer_gettime(one, &was);
    printf("left %d\n", was.it_value.tv_sec >= 999);
    timer_settime(one, 0, &off, NULL);

    // Expires about ten times while nobody takes its signal.
    timer_t real;
    event.sigev_signo = SIGRTMIN;
    event.sigev_value.sival_ptr = &real;
    timer_create(CLOCK_REALTIME, &event, &real);
    set(real, 20, 20);
    nanosleep(&(struct timespec){0, 210000000}, NULL);
    count = 0;
    sigprocmask(SIG_UNBLOCK, &timers, NULL);
    set(real, 0, 0);
    printf("once %d, value %d, overrun near ten %d\n", count, info.si_value.sival_ptr == &real,
           timer_getoverrun(real) >= 8);
    sigprocmask(SIG_BLOCK, &timers, NULL);

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += 30000000;
    if (now.tv_nsec >= 1000000000) now.tv_sec++, now.tv_nsec -= 1000000000;
    struct itimerspec absolute = {{0, 0}, now};
    timer_settime(real, TIMER_ABSTIME, &absolute, NULL);
    printf("sigwaitinfo %d", sigwaitinfo(&timers, &info) == SIGRTMIN);
    printf(" code %d\n", info.si_code);

    sem_init(&told, 0, 0);
    struct sigevent threads = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = by_thread};
    threads.sigev_value.sival_int = 7;
    timer_t thread;
    timer_create(CLOCK_MONOTONIC, &threads, &thread);
    set(thread, 10, 0);
    sem_wait(&told);

    struct sigevent mine = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    mine._sigev_un._tid = gettid();
    timer_t here;
    timer_create(CLOCK_BOOTTIME, &mine, &here);
    set(here, 10, 0);
    printf("own thread %d\n", sigwaitinfo(&timers, &info) == SIGUSR1);

    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    timer_t silent;
    timer_create(CLOCK_MONOTONIC, &none, &silent);
    set(silent, 10, 0);
    nanosleep(&(struct timespec){0, 30000000}, NULL);
    timer_gettime(silent, &was);
    printf("silent %ld\n", was.it_value.tv_nsec);
    printf("deleted %d %d %d\n", timer_delete(one), timer_delete(real), timer_delete(silent));
    set(one, 10, 0);
    return 0;
}
