/* Computes without a call: for ever, or for long. The argument says how. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int flag;
static volatile unsigned long count;

static void on_signal(int signal)
{
    (void)signal;
    flag = 1;
}

static void on_child(int signal)
{
    (void)signal;
    flag = waitpid(-1, NULL, WNOHANG) > 0;
}

static __attribute__((noinline)) void waits(volatile int *what)
{
    while (!*what);
}

/* Writes nothing, and is never in the same state twice. */
static __attribute__((noinline)) void counts(unsigned long number)
{
    while (number != 0) {
        __asm__ volatile("" : "+r"(number));
        number--;
    }
}

/* A loop that goes round once, over and over: at each of its instructions all registers are the same whenever one comes there, and
 * only memory is not. */
#define SEVEN(text) text text text text text text text
static __attribute__((noinline)) void divides(unsigned long by)
{
    __asm__ volatile("1: " SEVEN(SEVEN("movl $1000000007, %%eax; xorl %%edx, %%edx; divq %0; ")) "cmpq %0, %0; jne 1b;"
                     "incq %1; cmpq $4000000, %1; jb 1b"
                     : : "r"(by), "m"(count) : "rax", "rdx", "cc", "memory");
}

static void *sleeps(void *nothing)
{
    pause();
    return nothing;
}

static void *tells(void *nothing)
{
    write(1, "now\n", 4);
    flag = 1;
    return nothing;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    struct itimerval soon = { .it_value.tv_usec = 60000 };
    pthread_t thread;
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED)
        return 2;
    if (strcmp(how, "shared") == 0)
        waits(shared);
    if (strcmp(how, "mapped") == 0) {
        if (fork() == 0) {
            write(1, "child\n", 6);
            *shared = 1;
            _exit(0);
        }
        waits(shared);
        write(1, "parent\n", 7);
        return 0;
    }
    munmap(shared, 4096);
    if (strcmp(how, "child") == 0) {
        /* Twice, as a shell that starts one command after the other. */
        signal(SIGCHLD, on_child);
        for (int times = 0; times < 2; times++) {
            flag = 0;
            if (fork() == 0) {
                write(1, "child\n", 6);
                _exit(0);
            }
            waits(&flag);
            write(1, "parent\n", 7);
        }
    } else if (strcmp(how, "alarm") == 0) {
        signal(SIGALRM, on_signal);
        alarm(3000);
        waits(&flag);
    } else if (strcmp(how, "waits") == 0) {
        waits(&flag);
    } else if (strcmp(how, "counts") == 0) {
        counts(400000000);
    } else if (strcmp(how, "divides") == 0) {
        divides(3);
    } else if (strcmp(how, "beside") == 0) {
        if (pthread_create(&thread, NULL, sleeps, NULL) != 0)
            return 2;
        waits(&flag);
    } else if (strcmp(how, "sibling") == 0) {
        if (pthread_create(&thread, NULL, tells, NULL) != 0)
            return 2;
        waits(&flag);
    } else if (strcmp(how, "profiled") == 0) {
        signal(SIGPROF, on_signal);
        setitimer(ITIMER_PROF, &soon, NULL);
        waits(&flag);
    } else {
        return 2;
    }
    return 0;
}
