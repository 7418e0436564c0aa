// What select(2), pselect6 and ppoll write back of their timeout: after a descriptor, after a signal, after the time, and over a stop.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int ends[2];

static void sleep_for(long millis) {
    struct timespec time = {millis / 1000, millis % 1000 * 1000000};
    while (nanosleep(&time, &time)) {}
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

// Of two seconds, after a fifth of one.
static const char *rest(double left) { return left > 1.81 ? "too much" : left > 0.2 ? "the rest" : left > 0 ? "little" : "none"; }

static void handler(int signal) { (void)signal; }

static void *kick(void *main_thread) {
    sleep_for(200);
    pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    return NULL;
}

enum how { SELECT, RAW_SELECT, PSELECT6, PPOLL };

// One call with a timeout that stands in memory: what it returns.
static long call(enum how how, void *timeout) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct pollfd polled = {ends[0], POLLIN, 0};
    switch (how) {
    case SELECT: return select(ends[0] + 1, &set, NULL, NULL, timeout);
    case RAW_SELECT: return syscall(SYS_select, ends[0] + 1, &set, NULL, NULL, timeout);
    case PSELECT6: return syscall(SYS_pselect6, ends[0] + 1, &set, NULL, NULL, timeout, NULL);
    default: return syscall(SYS_ppoll, &polled, 1, timeout, NULL, 8);
    }
}

static double seconds(enum how how, const long *timeout) {
    return timeout[0] + timeout[1] / (how == SELECT || how == RAW_SELECT ? 1e6 : 1e9);
}

static void after_each(const char *name, enum how how) {
    char byte;
    pthread_t main_thread = pthread_self(), other;
    long timeout[2] = {2, 0};
    if (fork() == 0) {
        sleep_for(200);
        _exit(write(ends[1], "x", 1) != 1);
    }
    long got = call(how, timeout);
    printf("%s ready %ld: %s", name, got, rest(seconds(how, timeout)));
    wait(NULL);
    if (read(ends[0], &byte, 1) != 1) perror("read");

    timeout[0] = 2, timeout[1] = 0;
    pthread_create(&other, NULL, kick, &main_thread);
    got = call(how, timeout);
    printf(", signal %ld %s: %s", got, strerror(errno), rest(seconds(how, timeout)));
    pthread_join(other, NULL);

    timeout[0] = 0, timeout[1] = 20000;
    got = call(how, timeout);
    printf(", time %ld: %ld %ld\n", got, timeout[0], timeout[1]);
}

// A second's timeout; after 0.3 s the process is stopped for one second. What is made again with its rest does not count that.
static void over_stop(const char *name, long (*sleeps)(void)) {
    fflush(stdout);
    double began = now();
    pid_t child = fork();
    if (child == 0) {
        long got = sleeps();
        printf("%s over a stop: %ld, %s\n", name, got, now() - began > 1.65 ? "later by it" : "as it was");
        fflush(stdout);
        _exit(0);
    }
    sleep_for(300);
    kill(child, SIGSTOP);
    sleep_for(1000);
    kill(child, SIGCONT);
    waitpid(child, NULL, 0);
}

static long select_second(void) { return call(RAW_SELECT, (long[2]){1, 0}); }
static long ppoll_second(void) { return call(PPOLL, (long[2]){1, 0}); }
static long poll_second(void) { return poll(NULL, 0, 1000); }

static long *read_only(long first, long second) {
    long *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = first, page[1] = second;
    mprotect(page, 4096, PROT_READ);
    return page;
}

// A call whose rest cannot be written is not made again after a stop.
static long select_fixed(void) {
    long got = call(RAW_SELECT, read_only(1, 0));
    return got == -1 && errno == EINTR ? -EINTR : got;
}

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    setvbuf(stdout, NULL, _IONBF, 0);
    if (pipe(ends)) return 1;
    after_each("select", SELECT);
    after_each("raw select", RAW_SELECT);
    after_each("pselect6", PSELECT6);
    after_each("ppoll", PPOLL);

    // The usual loop: whatever comes in half a second in all.
    pid_t child = fork();
    if (child == 0) {
        for (int n = 0; n < 20; n++) {
            sleep_for(100);
            if (write(ends[1], "x", 1) != 1) _exit(1);
        }
        _exit(0);
    }
    long half[2] = {0, 550000};
    int bytes = 0;
    char byte;
    while (bytes < 20 && call(RAW_SELECT, half) > 0) bytes += read(ends[0], &byte, 1) == 1;
    printf("within the time: %s\n", bytes < 10 ? "some" : "all");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]), close(ends[1]);
    if (pipe(ends)) return 1;

    over_stop("select", select_second);
    over_stop("ppoll", ppoll_second);
    over_stop("poll", poll_second);
    over_stop("select of fixed memory", select_fixed);

    long *fixed = read_only(0, 20000);
    long got = call(RAW_SELECT, fixed);
    printf("fixed memory: select %ld, %ld left,", got, fixed[1]);
    fixed = read_only(0, 20000000);
    got = call(PPOLL, fixed);
    printf(" ppoll %ld, %ld left\n", got, fixed[1]);
    // Memory that the answer goes to is another matter.
    long *set = read_only(1L << ends[0], 0);
    got = syscall(SYS_select, ends[0] + 1, set, NULL, NULL, (long[2]){0, 20000});
    printf("a fixed set: %ld %s\n", got, strerror(errno));
    got = call(RAW_SELECT, (long[2]){-1, 0});
    printf("a negative time: %ld %s,", got, strerror(errno));
    got = call(RAW_SELECT, (long[2]){0, -1});
    printf(" %ld %s\n", got, strerror(errno));
    got = call(RAW_SELECT, (long[2]){0, 1020000});
    printf("more than a second of microseconds: %ld\n", got);
    return 0;
}
