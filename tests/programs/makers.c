// Processes and threads made in every way there is, and makings that fail.
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void say(const char *what, long number) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s %ld\n", what, number);
    if (write(1, line, length) != length) _exit(9);
}

static int reap(pid_t child) {
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void made(long result) {
    if (result == 0) _exit(77);
    say("errno", result < 0 ? errno : 0);
    if (result > 0) say("exit", reap(result));
}

static void ordinary(void) {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534)) say("setresuid", errno);
}

// clone(2) that fails: with what a sandbox is told, with nonsense, and for want of memory that could be read.
static void failures(void) {
    ordinary();
    made(syscall(SYS_clone, (long)(CLONE_NEWNS | SIGCHLD), 0L, 0L, 0L, 0L));
    made(syscall(SYS_clone, (long)(CLONE_NEWUTS | CLONE_NEWIPC | SIGCHLD), 0L, 0L, 0L, 0L));
    made(syscall(SYS_clone, (long)(CLONE_THREAD | SIGCHLD), 0L, 0L, 0L, 0L));
    made(syscall(SYS_clone, (long)(CLONE_SIGHAND | SIGCHLD), 0L, 0L, 0L, 0L));
    made(syscall(SYS_clone3, (void *)8, sizeof(struct clone_args)));
    struct clone_args odd = {.flags = CLONE_FS | CLONE_NEWNS, .exit_signal = SIGCHLD};
    made(syscall(SYS_clone3, &odd, sizeof odd));
    struct clone_args short_one = {.exit_signal = SIGCHLD};
    made(syscall(SYS_clone3, &short_one, 8));
    struct clone_args fine = {.exit_signal = SIGCHLD};
    made(syscall(SYS_clone3, &fine, sizeof fine));
    made(syscall(SYS_fork));
}

// No more processes than the user may have.
static void limited(void) {
    ordinary();
    setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0});
    for (int n = 0; n < 3; n++) made(fork());
    pthread_t thread;
    say("pthread_create", pthread_create(&thread, NULL, (void *(*)(void *))pause, NULL));
    say("still", 1);
}

static void many(void) {
    int count = 0, ended = 0, status;
    for (int n = 0; n < 400; n++) {
        pid_t child = fork();
        if (child < 0) break;
        if (!child) {
            pause();
            _exit(0);
        }
        count++;
    }
    say("children", count);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(&status) > 0) ended += WTERMSIG(status) == SIGTERM;
    say("ended", ended);
}

static char stack[64 << 10] __attribute__((aligned(16)));
static volatile int shared;

static int shares(void *data) {
    shared += (int)(intptr_t)data;
    return 21;
}

static void memory(void) {
    pid_t child = clone(shares, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)5);
    say("shared", reap(child));
    say("and now", shared);
    child = clone(shares, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)6);
    say("lent", reap(child));
    say("and now", shared);
    child = clone(shares, stack + sizeof stack, CLONE_VFORK | SIGCHLD, (void *)7);
    say("copied", reap(child));
    say("and now", shared);
    child = vfork();
    if (!child) {
        shared = 100;
        _exit(3);
    }
    say("vfork", reap(child));
    say("and now", shared);
    child = vfork();
    if (!child) {
        execl("/nowhere/at/all", "all", NULL);
        _exit(127);
    }
    say("no such program", reap(child));
}

static void spawns(void) {
    char *words[] = {"sh", "-c", "exit 8", NULL}, *none[] = {"none", NULL};
    pid_t child;
    say("posix_spawn", posix_spawn(&child, "/bin/sh", NULL, NULL, words, environ));
    say("exit", reap(child));
    say("posix_spawn of nothing", posix_spawn(&child, "/nowhere", NULL, NULL, none, environ));
    say("system", WEXITSTATUS(system("exit 6")));
    FILE *pipe = popen("echo 12", "r");
    int number = 0;
    if (fscanf(pipe, "%d", &number) != 1) number = -1;
    say("popen", number);
    say("pclose", pclose(pipe));
}

// From handlers, and from handlers of their children.
static volatile int depth;

static void forks_on(int signal) {
    int own = ++depth;
    pid_t child = fork();
    if (!child) {
        if (own < 4) kill(getpid(), signal);
        _exit(10 + own);
    }
    say("exit", reap(child));
}

static void handlers(void) {
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = forks_on, .sa_flags = SA_NODEFER}, NULL);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR1);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *sleeps(void *data) {
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return data;
}

static void *forks(void *data) {
    for (int n = 0; n < 3; n++) {
        pid_t child = fork();
        if (!child) _exit(n + (int)(intptr_t)data);
        say("exit", reap(child));
    }
    return data;
}

static void threads(void) {
    pthread_t asleep[3], forking;
    pthread_mutex_lock(&lock);
    for (int n = 0; n < 3; n++) pthread_create(&asleep[n], NULL, sleeps, NULL);
    pthread_create(&forking, NULL, forks, (void *)30);
    pthread_join(forking, NULL);
    forks((void *)50);
    pthread_mutex_unlock(&lock);
    for (int n = 0; n < 3; n++) pthread_join(asleep[n], NULL);
    say("joined", 3);
}

#define FORK asm volatile("syscall" : "=a"(child) : "a"(SYS_fork) : "rcx", "r11", "memory"); made(child);
#define FIVE FORK FORK FORK FORK FORK
#define THIRTY FIVE FIVE FIVE FIVE FIVE FIVE

// One call site after the other, each with an instruction of its own behind it.
static void sites(void) {
    long child;
    THIRTY
    THIRTY
}

static void *nothing(void *data) { return data; }

static void numbers(void) {
    int rounds = 300, failed = 0;
    for (int n = 0; n < rounds; n++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL)) failed++;
        else pthread_join(thread, NULL);
    }
    say("failed", failed);
}

// A number that comes again, for a process and for a thread's sake; only root may ask for one.
static void again(void) {
    pid_t number = 4000;
    for (int n = 0; n < 5; n++) {
        struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1};
        long child = syscall(SYS_clone3, &args, sizeof args);
        if (child == 0 && n % 2) {
            pthread_t thread;
            pthread_create(&thread, NULL, nothing, NULL);
            pthread_join(thread, NULL);
        }
        if (child == 0) _exit(n);
        say("number", child);
        if (child > 0) say("exit", reap(child));
    }
}

// What a parent does with SIGCONT makes no difference to how its children are made.
static void continued(int signal) { (void)signal; }

static void catches(void) {
    signal(SIGCONT, continued);
    made(fork());
}

static void blocks(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    made(fork());
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*does)(void);
    } all[] = {
        {"failures", failures}, {"limited", limited}, {"many", many}, {"memory", memory}, {"spawns", spawns},
        {"handlers", handlers}, {"threads", threads}, {"sites", sites}, {"numbers", numbers},
        {"again", again}, {"catches", catches}, {"blocks", blocks},
    };
    for (size_t n = 0; argc > 1 && n < sizeof all / sizeof *all; n++)
        if (!strcmp(argv[1], all[n].name)) all[n].does();
    return 0;
}
