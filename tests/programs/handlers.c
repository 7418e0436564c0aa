/*
 * What handlers may do after all. Which one is installed is the argument; the outside sends SIGUSR1.
 *
 * suspended: calls printf(), but the signal is only unblocked in sigsuspend(2), where nothing is half done.
 * guarded:   calls printf() unless a flag says that the main flow does.
 * written:   changes errno, which the main flow sets and never reads.
 * coalesced: sets a flag that the main flow tests and clears in two instructions.
 * jumping:   jumps out of a function that is safe.
 * shown:     calls printf() whenever it comes: broken, so that it is seen that something is looked for.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t busy, pending, handled;
static sigjmp_buf place;

static void prints(int signal)
{
    handled = 1;
    printf("signal %d\n", signal);
}

static void prints_if_idle(int signal)
{
    handled = 1;
    if (!busy)
        printf("signal %d\n", signal);
}

static void changes_errno(int signal)
{
    (void)signal;
    close(-1);
}

static void sets_flag(int signal)
{
    (void)signal;
    pending = 1;
}

static void jumps(int signal)
{
    (void)signal;
    siglongjmp(place, 1);
}

static int install(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };

    sigemptyset(&action.sa_mask);
    return sigaction(SIGUSR1, &action, NULL);
}

static int suspended(void)
{
    sigset_t usr1, before;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &usr1, &before) == -1 || install(prints) == -1)
        return 2;
    printf("waits\n");
    while (!handled)
        sigsuspend(&before);
    printf("done\n");
    return 0;
}

static int guarded(void)
{
    busy = 1;
    if (install(prints_if_idle) == -1)
        return 2;
    printf("one\n");
    printf("two\n");
    return 0;
}

static int written(void)
{
    if (install(changes_errno) == -1)
        return 2;
    errno = 0;
    errno = EINVAL;
    return 0;
}

static int coalesced(void)
{
    int seen = 0;

    if (install(sets_flag) == -1)
        return 2;
    raise(SIGUSR1);
    for (int i = 0; i < 3; i++)
        if (pending) {
            pending = 0;
            seen++;
        }
    return seen > 1;
}

static int jumping(void)
{
    static char text[8];

    if (sigsetjmp(place, 1) == 0) {
        if (install(jumps) == -1)
            return 2;
        (void)!write(STDOUT_FILENO, text, 0);
        pause();
    }
    return 0;
}

static int shown(void)
{
    if (install(prints) == -1)
        return 2;
    printf("one\n");
    return 0;
}

int main(int count, char **words)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } all[] = {
        { "suspended", suspended }, { "guarded", guarded }, { "written", written },
        { "coalesced", coalesced }, { "jumping", jumping }, { "shown", shown },
    };

    for (unsigned i = 0; count == 2 && i < sizeof all / sizeof all[0]; i++)
        if (strcmp(words[1], all[i].name) == 0)
            return all[i].run();
    return 2;
}
