// What programs should not do, by name. The second argument only marks the processes.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int daemonize(void) {
    if (fork()) return 0;
    setsid();
    if (fork()) _exit(0);
    if (chdir("/")) _exit(1);
    for (;;) pause();
}

static int ignore_all(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int signal = 1; signal < 65; signal++) sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    fork();
    for (;;) pause();
    return 0;
}

static int stop_itself(void) {
    if (fork() == 0) raise(SIGSTOP);
    raise(SIGSTOP);
    return 0;
}

static int fork_in_a_loop(void) {
    while (fork() >= 0) {}
    if (errno != EAGAIN) return 1;
    for (;;) pause();
}

static int fork_for_ever(void) {
    for (;;) fork();
    return 0;
}

static int end_all(void) {
    if (fork() == 0)
        for (;;) pause();
    if (fork() == 0) {
        kill(-1, SIGKILL);
        return 3;
    }
    for (;;) pause();
}

static int close_all(void) {
    if (syscall(SYS_close_range, 0, ~0u, 0)) return 1;
    return write(1, "x", 1) == -1 && errno == EBADF ? 3 : 4;
}

static int write_much(void) {
    static char block[50000];
    for (int n = 0; n < 100; n++) {
        memset(block, 'a' + n % 26, sizeof block);
        for (size_t at = 0; at < sizeof block;) {
            ssize_t wrote = write(1, block + at, sizeof block - at);
            if (wrote < 0) return 1;
            at += wrote;
        }
    }
    return 0;
}

static int io_uring(void) {
    char parameters[120] = {0};
    return syscall(SYS_io_uring_setup, 4, parameters) == -1 ? errno : 0;
}

static int int80(void) {
    int result;
    // getpid of the 32-bit table.
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    return -result & 0xff;
}

static int x32(void) {
    // getpid with __X32_SYSCALL_BIT.
    return syscall(0x40000000 | SYS_getpid) == -1 ? errno : 0;
}

static int compute(void) {
    for (volatile unsigned long n = 0;; n++) {}
    return 0;
}

static int yield(void) {
    for (;;) sched_yield();
    return 0;
}

static int poll_child(void) {
    pid_t pid = fork();
    if (pid == 0)
        for (;;) pause();
    while (waitpid(pid, NULL, WNOHANG) == 0) {}
    return 0;
}

static volatile sig_atomic_t rang;

static void ring(int signal) {
    rang = signal;
}

static int yield_until_alarm(void) {
    signal(SIGALRM, ring);
    alarm(1);
    while (!rang) sched_yield();
    return 5;
}

static int zombies(void) {
    for (int n = 0; n < 2; n++)
        if (fork() == 0) _exit(n);
    for (;;) pause();
}

static int orphans(void) {
    for (int n = 0; n < 2; n++)
        if (fork() == 0)
            for (;;) pause();
    return 0;
}

static int exec_blocked(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (fork() == 0) {
        execlp("true", "true", NULL);
        _exit(127);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return wait(NULL) < 0;
}

static int crash_in_child(void) {
    if (fork() == 0) *(volatile int *)8 = 1;
    return wait(NULL) < 0;
}

static int call_often(void) {
    for (int n = 0; n < 20000; n++) getppid();
    return 0;
}

static int call_for_ever(void) {
    for (;;) getppid();
    return 0;
}

static void *sleep_in_thread(void *unused) {
    pause();
    return unused;
}

static int make_threads_for_ever(void) {
    pthread_t thread;
    for (;;) pthread_create(&thread, NULL, sleep_in_thread, NULL);
    return 0;
}

static int wait_for_ten(void) {
    for (int n = 0; n < 10; n++)
        if (fork() == 0) _exit(0);
    for (int n = 0; n < 10; n++)
        if (wait(NULL) < 0) return 1;
    return 0;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*act)(void);
    } acts[] = {
        {"daemonize", daemonize},       {"ignore_all", ignore_all},   {"stop_itself", stop_itself},
        {"fork_in_a_loop", fork_in_a_loop}, {"fork_for_ever", fork_for_ever}, {"end_all", end_all},
        {"close_all", close_all},       {"write_much", write_much},   {"io_uring", io_uring},
        {"int80", int80},               {"x32", x32},                 {"compute", compute},
        {"yield", yield},               {"poll_child", poll_child},   {"yield_until_alarm", yield_until_alarm},
        {"zombies", zombies},           {"orphans", orphans},         {"exec_blocked", exec_blocked},
        {"crash_in_child", crash_in_child}, {"call_often", call_often},     {"wait_for_ten", wait_for_ten},
        {"call_for_ever", call_for_ever}, {"make_threads_for_ever", make_threads_for_ever},
    };
    for (unsigned n = 0; argc > 1 && n < sizeof acts / sizeof *acts; n++)
        if (!strcmp(acts[n].name, argv[1])) return acts[n].act();
    return 99;
}
