/* Calls whose lines are known: the tests look for the comments. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static volatile int value;
static volatile pid_t own, parent;

static void on_signal(int signal)
{
    (void)signal;
    own = getpid(); /* in the handler */
    value = value + 1;
}

__attribute__((noinline)) void insert(int number)
{
    value = value + number;
}

__attribute__((noinline)) void fill(int number)
{
    insert(number); /* calls insert */
    value = value + number;
}

__attribute__((noinline)) void ask(int number)
{
    parent = getppid(); /* asks */
    value = value + number;
}

static void *sleeper(void *nothing)
{
    pause(); /* sleeps as well */
    return nothing;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    (void)argv;
    if (argc > 2 && pthread_create(&thread, NULL, sleeper, NULL) != 0)
        abort();
    signal(SIGUSR1, on_signal);
    fill(argc); /* calls fill */
    ask(argc); /* calls ask */
    if (argc == 2)
        for (;;) value = value + 1; /* spins */
    pause(); /* sleeps */
    return 0;
}
