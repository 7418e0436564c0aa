// What the kernel refuses, or does in part, of calls that are answered or held under control.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// By its number: the compiler would look at the sizes.
static long wait_on(int set, struct epoll_event *events, int most) { return syscall(SYS_epoll_wait, set, events, most, 20); }

static void tell(const char *what, long got) {
    printf("%s: %ld %s\n", what, got, got == -1 ? strerror(errno) : "");
}

// struct sched_attr in its first version (sched_setattr(2)).
struct attributes {
    unsigned size, policy;
    unsigned long flags;
    int nice;
    unsigned priority;
    unsigned long times[3];
};

static void set_nice(const char *what, pid_t of, int nice) {
    struct attributes attributes = {.size = sizeof attributes, .nice = nice};
    tell(what, syscall(SYS_sched_setattr, of, &attributes, 0));
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    struct epoll_event events[2];
    int set = epoll_create1(0), ends[2];
    if (pipe(ends)) return 1;
    tell("no events", wait_on(set, events, 0));
    tell("fewer than none", wait_on(set, events, -1));
    tell("too many", wait_on(set, events, INT_MAX / 12 + 1));
    tell("no set", wait_on(ends[0], events, 1));
    tell("no descriptor", wait_on(1000, events, 1));
    tell("a set", epoll_pwait(set, events, 2, 20, NULL));

    struct itimerval value = {{0, 0}, {5000, 0}}, now;
    tell("setitimer", syscall(SYS_setitimer, ITIMER_REAL, &value, 8L));
    getitimer(ITIMER_REAL, &now);
    printf("armed %d\n", now.it_value.tv_sec > 4000);

    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    int random = open("/dev/urandom", O_RDONLY);
    tell("getrandom over the end", syscall(SYS_getrandom, page + 4090, 20, 0));
    tell("read over the end", read(random, page + 4090, 20));
    tell("getrandom beyond it", syscall(SYS_getrandom, page + 4096, 20, 0));
    tell("getrandom of nothing", syscall(SYS_getrandom, page, 0, 0));
    tell("contradiction", syscall(SYS_getrandom, page, 1, GRND_INSECURE | GRND_RANDOM));
    tell("unknown", syscall(SYS_getrandom, page, 1, 8));

    // An ordinary user of a machine has no other: nothing to refuse.
    if (geteuid() != 0) return 0;
    pid_t child = fork();
    if (child == 0) {
        struct sched_param parameter = {0};
        cpu_set_t cpus;
        sched_getaffinity(0, sizeof cpus, &cpus);
        if (setresuid(3334, 3334, 3334)) _exit(1);
        tell("policy of another", sched_setscheduler(getppid(), SCHED_BATCH, &parameter));
        tell("no policy of another", sched_setscheduler(getppid(), 77, &parameter));
        tell("parameters of another", sched_setparam(getppid(), &parameter));
        tell("CPUs of another", sched_setaffinity(getppid(), sizeof cpus, &cpus));
        set_nice("nice of another", getppid(), 5);
        tell("priority of another", setpriority(PRIO_PROCESS, getppid(), 5));
        tell("own policy", sched_setscheduler(0, SCHED_BATCH, &parameter));
        tell("own CPUs", sched_setaffinity(0, sizeof cpus, &cpus));
        set_nice("nicer", 0, 5);
        setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0});
        set_nice("less nice", 0, 1);
        tell("less nice again", setpriority(PRIO_PROCESS, 0, 1));
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return 0;
}
