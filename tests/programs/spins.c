/* Computes without a call: for ever, or for long. The argument says how. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int flag;
static volatile unsigned long count;

static void on_signal(int signal)
{
    (void)signal;
    flag = 1;
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

/* A loop that goes round once: it is the same at each of its instructions whenever one comes there. */
#define TEN(text) text text text text text text text text text text
static __attribute__((noinline)) void backs_off(unsigned long zero)
{
    while (count < 200000) {
        __asm__ volatile("1: " TEN("pause; ") TEN("pause; ") "test %0, %0; jnz 1b" : : "r"(zero) : "cc");
        count++;
    }
}

static void *sleeps(void *nothing)
{
    pause();
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
    munmap(shared, 4096);
    if (strcmp(how, "waits") == 0) {
        waits(&flag);
    } else if (strcmp(how, "counts") == 0) {
        counts(400000000);
    } else if (strcmp(how, "backs-off") == 0) {
        backs_off(0);
    } else if (strcmp(how, "beside") == 0) {
        if (pthread_create(&thread, NULL, sleeps, NULL) != 0)
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
