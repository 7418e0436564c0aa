/* Children that do the same, one after the other. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 12

static volatile sig_atomic_t ended;

static void on_sigchld(int signal)
{
    (void)signal;
    ended = 1;
}

/* Wakes its parent and goes on: the odd one makes a call more. */
static void child(int to, int odd)
{
    write(to, "x", 1);
    if (odd)
        getuid();
    getppid();
    _exit(0);
}

/* `brood NTH ODD`: fails if the child of this number, counted from 1, has not ended when its byte was read; the child ODD does more. */
int main(int count, char **words)
{
    int wrong = count > 1 ? atoi(words[1]) : 0, odd = count > 2 ? atoi(words[2]) : 0, failed = 0;
    int ends[2];
    char byte;

    if (pipe(ends) == -1)
        return 2;

    signal(SIGCHLD, on_sigchld);
    for (int nth = 1; nth <= COUNT; nth++) {
        ended = 0;
        if (fork() == 0)
            child(ends[1], nth == odd);
        while (read(ends[0], &byte, 1) != 1)
            ;
        if (nth == wrong && !ended)
            failed = 1;
        while (wait(NULL) == -1)
            ;
    }
    return failed;
}
