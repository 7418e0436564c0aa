/* Crashes in a way that its first argument names. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int sink;
static char alternate[65536];

static __attribute__((noinline)) int deep(volatile int *cell) {
    int got = *cell; /* reads */
    sink = got;
    return got + 1;
}

static __attribute__((noinline)) int middle(volatile int *cell) {
    int got = deep(cell); /* calls deep */
    return got + sink;
}

static __attribute__((noinline)) void outer(volatile int *cell) {
    getppid(); /* the last call */
    sink += middle(cell); /* calls middle */
    sink++;
}

static void *in_thread(void *unused) {
    (void)unused;
    outer(NULL); /* in the thread */
    sink++;
    return NULL;
}

static int *shared;

static void uses(int number) {
    *shared = number; /* uses what is not there yet */
}

static void handler(int number) {
    sink = number;
    sink += deep(NULL); /* in the handler */
    sink++;
}

static __attribute__((noinline)) int endless(int depth) {
    volatile char room[512];
    room[depth % 512] = (char)depth; /* overflows */
    if (depth == sink)
        return depth;
    int got = endless(depth + 1) + room[0];
    sink = got;
    return got;
}

static void overflown(int number) {
    (void)number;
    getpid(); /* says so */
    signal(SIGSEGV, SIG_DFL); /* and again */
}

static __attribute__((noinline)) void nowhere(void (*function)(void)) {
    function(); /* calls nothing */
    sink++;
}

static __attribute__((noinline)) void give_up(void) {
    sink++;
    abort(); /* gives up */
}

static __attribute__((noinline)) int divide(int by) {
    getppid(); /* before dividing */
    return sink / by; /* divides */
}

static __attribute__((noinline)) void illegal(void) {
    getppid(); /* before the illegal one */
    __asm__ volatile("ud2"); /* is none */
    sink++;
}

static __attribute__((noinline)) void after_end(void) {
    FILE *file = tmpfile();
    if (!file || ftruncate(fileno(file), 4096))
        exit(2);
    volatile char *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
    sink = mapped[0];
    if (ftruncate(fileno(file), 0)) /* cuts */
        exit(3);
    sink = mapped[0]; /* reads beyond */
    sink++;
}

static sigjmp_buf before;

static void caught(int number) {
    (void)number;
    siglongjmp(before, 1);
}

/* The bad access is caught, and what ends the process later is the signal alone. */
static __attribute__((noinline)) void recovers(void) {
    signal(SIGSEGV, caught);
    if (!sigsetjmp(before, 1))
        deep(NULL);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV); /* raises */
    sink++;
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    int turns = argc > 2 ? atoi(argv[2]) : 0;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* limits */
    sink = 7;
    for (int turn = 0; turn < turns; turn++)
        getuid();
    if (!strcmp(way, "null")) {
        outer(NULL); /* outer at last */
    } else if (!strcmp(way, "thread")) {
        pthread_t thread;
        pthread_create(&thread, NULL, in_thread, NULL);
        pthread_join(thread, NULL);
    } else if (!strcmp(way, "child")) {
        pid_t child = fork();
        if (child == 0) {
            outer(NULL); /* in the child */
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        return WTERMSIG(status);
    } else if (!strcmp(way, "handler")) {
        signal(SIGUSR1, handler);
        raise(SIGUSR1); /* interrupted */
        sink++;
    } else if (!strcmp(way, "overflow") || !strcmp(way, "alternate")) {
        if (*way == 'a') {
            sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL);
            sigaction(SIGSEGV, &(struct sigaction){.sa_handler = overflown, .sa_flags = SA_ONSTACK}, NULL);
        }
        setrlimit(RLIMIT_STACK, &(struct rlimit){1 << 20, 1 << 20});
        endless(100);
    } else if (!strcmp(way, "nowhere")) {
        nowhere(NULL); /* nowhere at last */
    } else if (!strcmp(way, "library")) {
        getppid(); /* before the library */
        sink += (int)strlen((char *)(long)(argc - 2)); /* in a library */
    } else if (!strcmp(way, "abort")) {
        give_up(); /* gives up at last */
    } else if (!strcmp(way, "divide")) {
        sink += divide(argc - 2); /* calls divide */
    } else if (!strcmp(way, "illegal")) {
        illegal(); /* calls illegal */
    } else if (!strcmp(way, "wild")) {
        outer((int *)0x4141414141414141); /* no address */
    } else if (!strcmp(way, "kernel")) {
        outer((int *)-64); /* the kernel's */
    } else if (!strcmp(way, "cut")) {
        after_end(); /* after its end */
    } else if (!strcmp(way, "recovers")) {
        recovers();
    } else if (!strcmp(way, "signal")) {
        static int value;
        signal(SIGUSR1, uses);
        getppid(); /* too early */
        shared = &value;
        pause();
    }
    return 0;
}
