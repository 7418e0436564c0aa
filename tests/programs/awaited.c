// What sigwait(3), sigwaitinfo(2), sigtimedwait(2), sigqueue(3) and signalfd(2) promise.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t calls;

static void count(int signal)
{
    (void)signal;
    calls++;
}

static void queue(int signal, int value)
{
    sigqueue(getpid(), signal, (union sigval){.sival_int = value});
}

int main(void)
{
    sigset_t set, other;
    siginfo_t info;
    int signal = 0;
    struct timespec none = {0, 0}, bit = {0, 20000000}, bad = {0, 1000000000}, longer = {30, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGCHLD);
    sigemptyset(&other);
    sigaddset(&other, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct sigaction action = {.sa_handler = count};
    sigaction(SIGUSR2, &action, NULL);

    raise(SIGUSR1);
    int result = sigwait(&set, &signal);
    printf("sigwait %d %d\n", result, signal);
    for (int n = 1; n <= 3; n++)
        queue(SIGRTMIN, n * 10);
    for (int n = 1; n <= 3; n++) {
        result = sigwaitinfo(&set, &info);
        printf("sigwaitinfo %d, code %d, value %d, own %d\n", result, info.si_code, info.si_value.sival_int,
               info.si_pid == getpid());
    }
    result = sigtimedwait(&set, &info, &none);
    printf("no time %d %d\n", result, errno == EAGAIN);
    result = sigtimedwait(&set, &info, &bit);
    printf("some time %d %d\n", result, errno == EAGAIN);
    result = sigtimedwait(&set, &info, &bad);
    printf("bad time %d %d\n", result, errno == EINVAL);
    raise(SIGUSR1);
    queue(SIGRTMIN, 7);
    int first = sigtimedwait(&set, &info, &none), second = sigtimedwait(&set, &info, &none);
    printf("order %d %d\n", first == SIGUSR1, second == SIGRTMIN);
    result = sigqueue(getpid(), 65, (union sigval){0});
    printf("sigqueue of 65: %d %d, of 0: %d, to nobody %d\n", result, errno == EINVAL,
           sigqueue(getpid(), 0, (union sigval){0}), sigqueue(0x3fffff, 0, (union sigval){0}));

    // A child's end, awaited; and a handler that ends the wait for something else.
    pid_t child = fork();
    if (child == 0)
        _exit(5);
    result = sigtimedwait(&set, &info, &longer);
    printf("child %d, its %d, code %d, status %d\n", result == SIGCHLD, info.si_pid == child, info.si_code,
           info.si_status);
    waitpid(child, NULL, 0);
    child = fork();
    if (child == 0) {
        nanosleep(&bit, NULL);
        kill(getppid(), SIGUSR2);
        _exit(0);
    }
    sigdelset(&set, SIGCHLD);
    result = sigwaitinfo(&set, &info);
    printf("interrupted %d %d, %d call\n", result, errno == EINTR, calls);
    waitpid(child, NULL, 0);

    // signalfd: the same signals as data.
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo read_info;
    result = read(fd, &read_info, sizeof read_info);
    printf("empty %d %d\n", result, errno == EAGAIN);
    queue(SIGRTMIN, 99);
    result = read(fd, &read_info, sizeof read_info);
    printf("read %d, value %d, code %d\n", result == sizeof read_info, read_info.ssi_int, read_info.ssi_code);
    result = read(fd, &read_info, 10);
    printf("too short %d %d\n", result, errno == EINVAL);
    return 0;
}
