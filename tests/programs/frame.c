// Its handler writes down where the signal interrupted it, from the signal frame, and who sent it. Between installing the
// handler and looking at what it wrote, it computes.
//
// -DTHREAD: a second thread sleeps meanwhile. -DCHILD: a child does it all, and its parent counts the SIGCHLD that it gets.
// -DPLAIN: the handler does not ask to be told of the sender.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile unsigned long interrupted;
static volatile int code = -1, sender = -1;

static void note(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    interrupted = (unsigned long)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    code = info->si_code;
    sender = info->si_pid;
}

static int table[64];

__attribute__((noinline)) static unsigned mix(unsigned seed, int rounds)
{
    unsigned sum = seed;
    for (int i = 0; i < rounds; i++) {
        table[i & 63] ^= (int)sum;
        sum = sum * 1664525u + 1013904223u;
        if (sum & 1)
            sum ^= (unsigned)table[(i * 7) & 63];
        else
            sum += (unsigned)(i << 3);
        double d = (double)(sum >> 8) * 0.5;
        sum += (unsigned)d % 977u;
    }
    return sum;
}

#ifdef THREAD
static int door[2];

static void *sleep_well(void *none)
{
    char byte;
    return read(door[0], &byte, 1) == 1 ? none : NULL;
}
#endif

#ifdef CHILD
static volatile sig_atomic_t changes;

static void count(int sig)
{
    (void)sig;
    changes++;
}
#endif

int main(void)
{
    struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
#ifdef PLAIN
    // The kernel gives the context all the same.
    sa.sa_flags = 0;
#endif
    sigaction(SIGUSR1, &sa, NULL);
#ifdef THREAD
    pthread_t thread;
    if (pipe(door) != 0 || pthread_create(&thread, NULL, sleep_well, door) != 0)
        return 1;
#endif
#ifdef CHILD
    struct sigaction chld = {.sa_handler = count, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &chld, NULL);
    if (fork() > 0) {
        int status;
        wait(&status);
        return status != 0 || changes != 1;
    }
#endif
    unsigned sum = mix(1, 5) + mix(2, 3);
    printf("%u %lx %d %d\n", sum, interrupted, code, sender);
#ifdef THREAD
    if (write(door[1], "x", 1) != 1 || pthread_join(thread, NULL) != 0)
        return 1;
#endif
    return 0;
}
