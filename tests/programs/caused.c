/*
 * Signals that come of what the program itself has brought about. What is done is the argument.
 *
 * child:  a SIGCHLD handler calls printf() if it finds a child that has ended, while the main flow calls puts().
 * reaped: one that prints in any case; the main flow calls puts() when no child is left.
 * timer:  a SIGALRM handler calls printf() if its hour has passed, while the main flow calls puts().
 * early:  one that prints in any case; the main flow calls puts() when the timer is off.
 * copied: a child has its parent's SIGUSR1 handler, which prints, and calls puts(); the parent calls nothing of that kind.
 * reset:  the same, but the child puts the default back first.
 * later:  calls step() before it has a child, beside one, and when that is gone; it handles SIGCHLD.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile time_t begun;
static volatile int steps;

static void reaps(int signal)
{
    if (waitpid(-1, NULL, WNOHANG) > 0)
        printf("signal %d\n", signal);
}

static void tells_time(int signal)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - begun >= 3600)
        printf("signal %d\n", signal);
}

static void prints(int signal)
{
    printf("signal %d\n", signal);
}

static void waits(void)
{
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

static void step(void)
{
    steps++;
}

int main(int count, char **words)
{
    const char *word = count == 2 ? words[1] : "";
    struct timespec now;

    if (strcmp(word, "child") == 0 || strcmp(word, "reaped") == 0) {
        signal(SIGCHLD, word[0] == 'c' ? reaps : prints);
        if (fork() == 0)
            _exit(0);
        if (word[0] == 'r')
            waits();
        puts("one");
        waits();
        return 0;
    }
    if (strcmp(word, "timer") == 0 || strcmp(word, "early") == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        begun = now.tv_sec;
        signal(SIGALRM, word[0] == 't' ? tells_time : prints);
        alarm(3600);
        if (word[0] == 'e')
            alarm(0);
        puts("one");
        return 0;
    }
    if (strcmp(word, "copied") == 0 || strcmp(word, "reset") == 0) {
        signal(SIGUSR1, prints);
        if (fork() == 0) {
            if (word[0] == 'r')
                signal(SIGUSR1, SIG_DFL);
            puts("one");
            _exit(0);
        }
        waits();
        return 0;
    }
    if (strcmp(word, "later") == 0) {
        signal(SIGCHLD, reaps);
        step();
        if (fork() == 0)
            _exit(0);
        step();
        waits();
        step();
        return 0;
    }
    return 2;
}
