/* Calls whose lines are known: the tests look for the comments. */
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

int main(int argc, char **argv)
{
    (void)argv;
    signal(SIGUSR1, on_signal);
    fill(argc); /* calls fill */
    ask(argc); /* calls ask */
    if (argc > 1)
        for (;;) value = value + 1; /* spins */
    pause(); /* sleeps */
    return 0;
}
