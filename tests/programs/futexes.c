// Says what each operation of futex(2) gave: returns, counts, the words, and who was woken.
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Atomic unsigned word, other;
static _Atomic int ready, awake;
static int shared_flag = FUTEX_PRIVATE_FLAG;

static long futex(_Atomic unsigned *at, int op, unsigned val, const void *time, _Atomic unsigned *at2, unsigned val3) {
    long got = syscall(SYS_futex, at, op, val, time, at2, val3);
    return got < 0 ? -errno : got;
}

static void say(const char *what, long got) { printf("%s: %ld\n", what, got); }

struct sleeper {
    pthread_t thread;
    _Atomic unsigned *at;
    unsigned bitset;
    long got;
    int order;
};

static void *sleeps(void *argument) {
    struct sleeper *self = argument;
    ready++;
    self->got = futex(self->at, FUTEX_WAIT_BITSET | shared_flag, 0, NULL, NULL, self->bitset);
    self->order = ++awake;
    return NULL;
}

// So many have said that they are about to sleep, and have had the time to.
static void until_asleep(int count) {
    struct timespec a_little = {0, 20000000};
    while (ready < count) sched_yield();
    nanosleep(&a_little, NULL);
}

static struct sleeper crew[4];

static void begin(_Atomic unsigned *at, int count, const unsigned *bitsets) {
    ready = awake = 0;
    for (int n = 0; n < count; n++) {
        crew[n] = (struct sleeper){.at = at, .bitset = bitsets ? bitsets[n] : FUTEX_BITSET_MATCH_ANY};
        pthread_create(&crew[n].thread, NULL, sleeps, &crew[n]);
        until_asleep(n + 1);
    }
}

static void wait_awake(int count) {
    while (awake < count) sched_yield();
}

static void end(int count) {
    futex(&word, FUTEX_WAKE | shared_flag, INT_MAX, NULL, NULL, 0);
    futex(&other, FUTEX_WAKE | shared_flag, INT_MAX, NULL, NULL, 0);
    for (int n = 0; n < count; n++) {
        pthread_join(crew[n].thread, NULL);
        printf(" %ld", crew[n].got);
    }
    printf("\n");
}

static void waking(void) {
    begin(&word, 3, NULL);
    say("wake one", futex(&word, FUTEX_WAKE | shared_flag, 1, NULL, NULL, 0));
    wait_awake(1);
    printf("the first to sleep: %d\n", crew[0].order);
    say("wake none is one", futex(&word, FUTEX_WAKE | shared_flag, 0, NULL, NULL, 0));
    wait_awake(2);
    printf("then the second: %d\n", crew[1].order);
    say("wake with the other flag", futex(&word, FUTEX_WAKE | (shared_flag ^ FUTEX_PRIVATE_FLAG), 5, NULL, NULL, 0));
    say("wake elsewhere", futex(&other, FUTEX_WAKE | shared_flag, 5, NULL, NULL, 0));
    say("wake all", futex(&word, FUTEX_WAKE | shared_flag, INT_MAX, NULL, NULL, 0));
    end(3);
}

static void bitsets(void) {
    begin(&word, 3, (unsigned[]){1, 2, 3});
    say("bit 3", futex(&word, FUTEX_WAKE_BITSET | shared_flag, 9, NULL, NULL, 4));
    say("bit 2", futex(&word, FUTEX_WAKE_BITSET | shared_flag, 1, NULL, NULL, 2));
    wait_awake(1);
    printf("the second: %d\n", crew[1].order);
    say("no bit", futex(&word, FUTEX_WAKE_BITSET | shared_flag, 1, NULL, NULL, 0));
    say("wait for no bit", futex(&word, FUTEX_WAIT_BITSET | shared_flag, 0, NULL, NULL, 0));
    end(3);
}

static void requeueing(void) {
    begin(&word, 4, NULL);
    say("requeue another value", futex(&word, FUTEX_CMP_REQUEUE | shared_flag, 1, (void *)1, &other, 5));
    say("requeue", futex(&word, FUTEX_CMP_REQUEUE | shared_flag, 1, (void *)2, &other, 0));
    say("left", futex(&other, FUTEX_WAKE | shared_flag, 1, NULL, NULL, 0));
    wait_awake(2);
    printf("first and second: %d\n", crew[0].order + crew[1].order);
    say("requeue without comparing", futex(&word, FUTEX_REQUEUE | shared_flag, 0, (void *)9, &other, 0));
    say("onto itself", futex(&other, FUTEX_REQUEUE | shared_flag, 0, (void *)9, &other, 0));
    say("nobody", futex(&word, FUTEX_WAKE | shared_flag, 1, NULL, NULL, 0));
    say("negative", futex(&other, FUTEX_REQUEUE | shared_flag, -1, (void *)1, &word, 0));
    end(4);
}

static void operating(void) {
    struct {
        const char *name;
        unsigned op;
        unsigned before;
    } rows[] = {
        {"set, equal", FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 3), 3},
        {"add, less", FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_LT, 0), 5},
        {"or, greater", FUTEX_OP(FUTEX_OP_OR, 6, FUTEX_OP_CMP_GT, -1), 1},
        {"andn, unequal", FUTEX_OP(FUTEX_OP_ANDN, 6, FUTEX_OP_CMP_NE, 7), 7},
        {"xor shifted, at least", FUTEX_OP((FUTEX_OP_XOR | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_GE, 16), 16},
        {"unknown comparison", FUTEX_OP(FUTEX_OP_SET, 1, 9, 0), 0},
    };
    for (unsigned n = 0; n < sizeof rows / sizeof *rows; n++) {
        begin(&word, 2, NULL);
        other = rows[n].before;
        long got = futex(&other, FUTEX_WAKE_OP | shared_flag, 1, (void *)1, &other, rows[n].op);
        printf("%s: %ld, %u;", rows[n].name, got, other);
        other = rows[n].before;
        got = futex(&word, FUTEX_WAKE_OP | shared_flag, 1, (void *)1, &other, rows[n].op);
        printf(" %ld, %u\n", got, other);
        other = 0;
        end(2);
    }
    begin(&other, 2, NULL);
    printf("waiters of the other: %ld\n", futex(&word, FUTEX_WAKE_OP | shared_flag, 1, (void *)2, &other,
                                                FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)));
    other = 0;
    end(2);
}

static void refusals(void) {
    struct timespec wrong = {0, 1000000000}, none = {0, 0}, short_time = {0, 3000000}, past = {1, 0};
    _Atomic unsigned *odd = (_Atomic unsigned *)((char *)&word + 1);
    say("another value", futex(&word, FUTEX_WAIT | shared_flag, 4, NULL, NULL, 0));
    say("misaligned", futex(odd, FUTEX_WAIT | shared_flag, 0, NULL, NULL, 0));
    say("nowhere", futex((void *)8, FUTEX_WAIT | shared_flag, 0, NULL, NULL, 0));
    say("wake nowhere", futex((void *)8, FUTEX_WAKE | shared_flag, 1, NULL, NULL, 0));
    say("wrong time", futex(&word, FUTEX_WAIT | shared_flag, 0, &wrong, NULL, 0));
    say("wrong clock", futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME | shared_flag, 0, NULL, NULL, 0));
    say("no time", futex(&word, FUTEX_WAIT | shared_flag, 0, &none, NULL, 0));
    say("a little time", futex(&word, FUTEX_WAIT | shared_flag, 0, &short_time, NULL, 0));
    say("until the past", futex(&word, FUTEX_WAIT_BITSET | shared_flag, 0, &past, NULL, 1));
    say("until the past, realtime", futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME | shared_flag, 0, &past, NULL, 1));
    clock_gettime(CLOCK_MONOTONIC, &past);
    past.tv_nsec += 2000000;
    if (past.tv_nsec >= 1000000000) past.tv_sec++, past.tv_nsec -= 1000000000;
    say("until soon", futex(&word, FUTEX_WAIT_BITSET | shared_flag, 0, &past, NULL, 1));
    say("unknown operation", futex(&word, 77, 0, NULL, NULL, 0));
}

static _Atomic int handled;
static void handler(int signal) { handled += signal == SIGUSR1; }

static void signals(void) {
    struct timespec long_time = {100, 0};
    struct sigaction action = {.sa_handler = handler};
    for (int restarts = 0; restarts < 2; restarts++) {
        action.sa_flags = restarts ? SA_RESTART : 0;
        sigaction(SIGUSR1, &action, NULL);
        begin(&word, 1, NULL);
        int before = handled;
        pthread_kill(crew[0].thread, SIGUSR1);
        while (handled == before) usleep(1000);
        if (!restarts) wait_awake(1);
        until_asleep(1);
        printf("handled %d, woken %ld:", handled, futex(&word, FUTEX_WAKE | shared_flag, 1, NULL, NULL, 0));
        end(1);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        printf("with a time: ");
        fflush(stdout);
        _exit(futex(&word, FUTEX_WAIT | shared_flag, 0, &long_time, NULL, 0) == -EINTR ? 7 : 8);
    }
    int status;
    until_asleep(0);
    kill(child, SIGUSR1);
    waitpid(child, &status, 0);
    printf("child ended with %d\n", WEXITSTATUS(status));
    // Stopped and continued, they sleep on; the parent is told when all are stopped.
    fflush(stdout);
    child = fork();
    if (child == 0) {
        begin(&word, 2, NULL);
        while (futex(&other, FUTEX_WAIT | shared_flag, 0, NULL, NULL, 0) != -EAGAIN) {
            say("woken", futex(&word, FUTEX_WAKE | shared_flag, 9, NULL, NULL, 0));
            end(2);
            fflush(stdout);
            _exit(3);
        }
    }
    for (int n = 0; n < 8; n++) until_asleep(0);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d\n", WIFSTOPPED(status));
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    printf("continued %d\n", WIFCONTINUED(status));
    until_asleep(0);
    kill(child, SIGQUIT);
    waitpid(child, &status, 0);
    printf("ended by %d\n", WTERMSIG(status));
    fflush(stdout);
}

static void copies(void) {
    begin(&word, 1, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        say("of a copy", futex(&word, FUTEX_WAKE | shared_flag, 9, NULL, NULL, 0));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    end(1);
    // Memory that two processes share is one futex for both, but not for private waiters.
    _Atomic unsigned *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(stdout);
    child = fork();
    if (child == 0) _exit(futex(common, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 5 : 6);
    int status;
    until_asleep(0);
    say("private of shared memory", futex(common, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
    say("shared memory", futex(common, FUTEX_WAKE, 1, NULL, NULL, 0));
    waitpid(child, &status, 0);
    printf("child ended with %d\n", WEXITSTATUS(status));
}

static pthread_mutex_t lock;
static void *dies_with_it(void *argument) {
    pthread_mutex_lock(&lock);
    ready = 1;
    until_asleep(1);
    return argument;
}

static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int turn, sum;

static void *works(void *argument) {
    long self = (long)argument;
    for (int round = 0; round < 5; round++) {
        pthread_mutex_lock(&plain);
        while (turn % 4 != self) pthread_cond_wait(&cond, &plain);
        turn++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&plain);
        pthread_rwlock_wrlock(&rwlock);
        sum += self;
        pthread_rwlock_unlock(&rwlock);
        sem_wait(&semaphore);
        sem_post(&semaphore);
        pthread_barrier_wait(&barrier);
    }
    return (void *)(self + 1);
}

static void library(void) {
    pthread_mutexattr_t robust;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&lock, &robust);
    pthread_t thread, crew[4];
    ready = 0;
    pthread_create(&thread, NULL, dies_with_it, NULL);
    while (!ready) sched_yield();
    say("owner died", pthread_mutex_lock(&lock) == EOWNERDEAD);
    say("consistent", pthread_mutex_consistent(&lock));
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    sem_init(&semaphore, 0, 1);
    pthread_barrier_init(&barrier, NULL, 4);
    for (long n = 0; n < 4; n++) pthread_create(&crew[n], NULL, works, (void *)n);
    long joined = 0;
    for (int n = 0; n < 4; n++) {
        void *got;
        pthread_join(crew[n], &got);
        joined += (long)got;
    }
    printf("turns %d, sum %d, joined %ld\n", turn, sum, joined);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    pthread_mutex_lock(&plain);
    say("timed wait", pthread_cond_timedwait(&cond, &plain, &soon) == ETIMEDOUT);
    sem_wait(&semaphore);
    say("semaphore", sem_timedwait(&semaphore, &soon) == -1 && errno == ETIMEDOUT);
}

int main(void) {
    for (int pass = 0; pass < 2; pass++) {
        waking();
        bitsets();
        requeueing();
        operating();
        refusals();
        signals();
        copies();
        shared_flag = 0;
    }
    library();
    return 0;
}
