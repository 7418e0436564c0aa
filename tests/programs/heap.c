/*
 * A heap that is grown while a signal may come. Built with CHILD the signal is the end of a child, else SIGUSR1 from
 * outside. The handler calls malloc() and printf(); built with SOUND it sets a flag, and the main flow does that later.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECES = 8 };

static volatile sig_atomic_t arrived;

static void tell(int signal)
{
    char *text = malloc(200);

    if (text == NULL)
        return;
    memset(text, 0, 200);
    printf("signal %d\n", signal);
    free(text);
}

static void handler(int signal)
{
    arrived = signal;
#ifndef SOUND
    tell(signal);
#endif
}

int main(void)
{
    char *pieces[PIECES];

#ifdef CHILD
    signal(SIGCHLD, handler);
    if (fork() == 0)
        _exit(0);
#else
    signal(SIGUSR1, handler);
#endif
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = malloc(100 + 400 * (size_t)i);
        if (pieces[i] != NULL)
            memset(pieces[i], i, 100);
    }
    for (int i = 0; i < PIECES; i++)
        free(pieces[i]);
    while (waitpid(-1, NULL, 0) > 0)
        ;
#ifdef SOUND
    if (arrived)
        tell(arrived);
#endif
    return 0;
}
