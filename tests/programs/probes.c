/* Probes in C and in C++: twice the same, one in a handler, and calls that are none. What it writes is the same bare. */
#include "../../harness/include/sigrace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

static void on_sigusr1(int signal)
{
    (void)signal;
    SIGRACE_PROBE("in the handler");
}

static int bad(unsigned long option, unsigned long version, const void *name)
{
    errno = 0;
    return prctl((int)option, version, name, 0, 0) == -1 ? errno : 0;
}

int main(void)
{
    char long_name[66];
    int i;

    for (i = 0; i < 65; i++)
        long_name[i] = 'x';
    long_name[65] = 0;
    signal(SIGUSR1, on_sigusr1);
    errno = ENOTTY;
    for (i = 0; i < 2; i++)
        SIGRACE_PROBE("twice");
    printf("errno stays: %d\n", errno == ENOTTY);
    raise(SIGUSR1);
    printf("refused: %d %d %d %d %d\n", bad(0x53494752, 1, "one more") == EINVAL,
           bad(0x53494752, 1, long_name) == EINVAL, bad(0x53494752, 1, "a\nb") == EINVAL,
           bad(0x53494752, 1, (void *)8) == EINVAL, bad(0x53494752, 2, "other") == EINVAL);
    return 0;
}
