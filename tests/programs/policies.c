// The calls of sched(7): what a program is told of its scheduling, and what it may change.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t least, most;
};

static void said(const char *what, long result) {
    printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : "");
}

static void now(const char *when, pid_t pid) {
    struct sched_param parameters = {.sched_priority = -1};
    struct attributes a = {0};
    long policy = sched_getscheduler(pid), got = sched_getparam(pid, &parameters);
    long full = syscall(SYS_sched_getattr, pid, &a, 48, 0);
    printf("%s: %ld, %ld %d; %ld: %u %u %llu %d %u %llu %llu\n", when, policy, got, parameters.sched_priority, full, a.size,
           a.policy, (unsigned long long)a.flags, a.nice, a.priority, (unsigned long long)a.deadline,
           (unsigned long long)a.period);
}

static int set(int policy, int priority) {
    return sched_setscheduler(0, policy, &(struct sched_param){.sched_priority = priority});
}

static void child(const char *when) {
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        now(when, 0);
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void *thread(void *data) {
    now("thread", 0);
    set(SCHED_IDLE, 0);
    now("thread idle", 0);
    return data;
}

static long with(struct attributes a, size_t size) {
    a.size = size;
    return syscall(SYS_sched_setattr, 0, &a, 0);
}

static void policies(void) {
    now("at first", 0);
    now("by number", getpid());
    for (int policy = -2; policy < 9; policy++)
        for (int priority = -1; priority <= 100; priority += policy == SCHED_FIFO ? 33 : 101) {
            char what[32];
            snprintf(what, sizeof what, "set %d %d", policy, priority);
            if (policy == 7) continue;
            said(what, set(policy, priority));
            now("then", 0);
        }
    set(SCHED_OTHER, 0);
    now("back", 0);
}

static void errors(void) {
    struct sched_param parameters = {0};
    struct attributes a = {.size = sizeof a};
    said("get of nobody", sched_getscheduler(999999));
    said("get of a negative", sched_getscheduler(-1));
    said("parameters of nobody", sched_getparam(999999, &parameters));
    said("parameters of a negative", sched_getparam(-7, &parameters));
    said("parameters nowhere", sched_getparam(0, NULL));
    said("parameters at a bad address", sched_getparam(0, (void *)8));
    said("set of nobody", sched_setscheduler(999999, SCHED_OTHER, &parameters));
    said("set of a negative", sched_setscheduler(-1, SCHED_OTHER, &parameters));
    said("set from nowhere", sched_setscheduler(0, SCHED_OTHER, NULL));
    said("set from a bad address", sched_setscheduler(0, SCHED_OTHER, (void *)8));
    said("set parameters of nobody", sched_setparam(999999, &parameters));
    said("set parameters from nowhere", sched_setparam(0, NULL));
    said("set parameters 77", sched_setparam(0, &(struct sched_param){.sched_priority = 77}));
    said("set parameters 0", sched_setparam(0, &parameters));
    said("attributes of nobody", syscall(SYS_sched_getattr, 999999, &a, sizeof a, 0));
    said("attributes too small", syscall(SYS_sched_getattr, 0, &a, 47, 0));
    said("attributes too large", syscall(SYS_sched_getattr, 0, &a, 4097, 0));
    said("attributes with flags", syscall(SYS_sched_getattr, 0, &a, sizeof a, 1));
    said("attributes nowhere", syscall(SYS_sched_getattr, 0, NULL, sizeof a, 0));
    said("attributes at a bad address", syscall(SYS_sched_getattr, 0, (void *)8, sizeof a, 0));
    said("attributes of a negative", syscall(SYS_sched_getattr, -1, &a, sizeof a, 0));
    said("set attributes of nobody", syscall(SYS_sched_setattr, 999999, &a, 0));
    said("set attributes with flags", syscall(SYS_sched_setattr, 0, &a, 1));
    said("set attributes from nowhere", syscall(SYS_sched_setattr, 0, NULL, 0));
    said("set attributes from a bad address", syscall(SYS_sched_setattr, 0, (void *)8, 0));
    memset(&a, 0, sizeof a);
    said("size 0", with(a, 0));
    said("size 7", with(a, 7));
    said("size 48", with(a, 48));
    said("size 56", with(a, 56));
    a.policy = 1000;
    said("no such policy", with(a, 48));
    a = (struct attributes){.flags = 1ull << 40};
    said("no such flag", with(a, 48));
    a = (struct attributes){.policy = SCHED_FIFO, .priority = 100};
    said("priority 100", with(a, 48));
    a = (struct attributes){.policy = SCHED_DEADLINE, .runtime = 10, .deadline = 5, .period = 20};
    said("no deadline", with(a, 48));
    said("interval of nobody", sched_rr_get_interval(999999, &(struct timespec){0}));
    said("highest", sched_get_priority_max(SCHED_RR));
    said("lowest", sched_get_priority_min(SCHED_FIFO));
    said("of no policy", sched_get_priority_max(99));
}

static void attributes(void) {
    struct attributes a = {.policy = SCHED_RR, .priority = 50};
    said("round robin", with(a, 48));
    now("then", 0);
    said("parameters", sched_setparam(0, &(struct sched_param){.sched_priority = 20}));
    now("then", 0);
    a = (struct attributes){.policy = SCHED_OTHER, .nice = 5};
    said("nice 5", with(a, 48));
    now("then", 0);
    said("getpriority", getpriority(PRIO_PROCESS, 0));
    said("setpriority", setpriority(PRIO_PROCESS, 0, 7));
    now("then", 0);
    a = (struct attributes){.policy = SCHED_FIFO, .priority = 3, .flags = 8 | 16};
    said("keep all", with(a, 48));
    now("then", 0);
    a = (struct attributes){.policy = SCHED_BATCH, .nice = 99};
    said("nice 99", with(a, 48));
    now("then", 0);
    said("back to 0", setpriority(PRIO_PROCESS, 0, 0));
    a = (struct attributes){.policy = SCHED_FIFO, .priority = 5, .flags = 1};
    said("reset on fork", with(a, 48));
    now("then", 0);
    child("child");
    a = (struct attributes){.policy = SCHED_FIFO, .priority = 6};
    said("no reset on fork", with(a, 48));
    child("child");
    said("or so", sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &(struct sched_param){.sched_priority = 9}));
    now("then", 0);
    child("child");
}

static void inheritance(void) {
    said("set", set(SCHED_RR, 12));
    child("child");
    pthread_t one;
    pthread_create(&one, NULL, thread, NULL);
    pthread_join(one, NULL);
    now("after the thread", 0);
    pid_t pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    said("of another", sched_setscheduler(pid, SCHED_BATCH, &(struct sched_param){0}));
    now("another", pid);
    now("self", 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    said("of one that was", sched_getscheduler(pid));
}

static void affinity(void) {
    cpu_set_t set, first;
    said("get", sched_getaffinity(0, sizeof first, &first));
    long size = syscall(SYS_sched_getaffinity, 0, sizeof set, &set);
    printf("bytes %ld, the same %d\n", size, CPU_EQUAL(&set, &first) || size < (long)sizeof set);
    CPU_ZERO(&set);
    CPU_SET(1, &set);
    said("set CPU 1", sched_setaffinity(0, sizeof set, &set));
    CPU_ZERO(&set);
    said("get", sched_getaffinity(0, sizeof set, &set));
    printf("count %d, CPU 1 %d\n", CPU_COUNT(&set), CPU_ISSET(1, &set));
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        sched_getaffinity(0, sizeof set, &set);
        _exit(CPU_COUNT(&set));
    }
    int status;
    waitpid(pid, &status, 0);
    printf("child's count %d\n", WEXITSTATUS(status));
    CPU_ZERO(&set);
    said("none", sched_setaffinity(0, sizeof set, &set));
    CPU_SET(1000, &set);
    said("no such CPU", sched_setaffinity(0, sizeof set, &set));
    CPU_SET(0, &set);
    said("one of them", sched_setaffinity(0, sizeof set, &set));
    sched_getaffinity(0, sizeof set, &set);
    printf("count %d, CPU 0 %d\n", CPU_COUNT(&set), CPU_ISSET(0, &set));
    said("set of nobody", sched_setaffinity(999999, sizeof set, &set));
    said("get of nobody", sched_getaffinity(999999, sizeof set, &set));
    said("get of a negative", sched_getaffinity(-1, sizeof set, &set));
    said("set from nowhere", syscall(SYS_sched_setaffinity, 0, 8, NULL));
    said("get to nowhere", syscall(SYS_sched_getaffinity, 0, 128, NULL));
    said("get in no bytes", syscall(SYS_sched_getaffinity, 0, 0, &set));
    said("get in odd bytes", syscall(SYS_sched_getaffinity, 0, 12, &set));
    said("back", sched_setaffinity(0, sizeof first, &first));
    sched_getaffinity(0, sizeof set, &set);
    printf("as before %d\n", CPU_EQUAL(&set, &first));
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*does)(void);
    } all[] = {
        {"policies", policies}, {"errors", errors}, {"attributes", attributes}, {"inheritance", inheritance},
        {"affinity", affinity},
    };
    if (argc > 2 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) perror("setresuid");
    for (size_t n = 0; argc > 1 && n < sizeof all / sizeof *all; n++)
        if (!strcmp(argv[1], all[n].name)) all[n].does();
    return 0;
}
