/* Waits for a key, and takes an interrupted read() for the end of its input. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void on_sigwinch(int signal)
{
    (void)signal;
}

int main(void)
{
    struct sigaction action = { .sa_handler = on_sigwinch }; /* no SA_RESTART */
    char key;

    sigaction(SIGWINCH, &action, NULL);
    if (read(0, &key, 1) != 1)
        return 1;
    return 0;
}
