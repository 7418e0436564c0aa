/* Preloaded: has a call that makes descriptors make the third, as it is where another thread has just closed that one. THIRD says
   which call, and which time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THIRD = 3 };

static char name[16];
static int when;

__attribute__((constructor)) static void take(void)
{
    const char *asked = getenv("THIRD");

    unsetenv("LD_PRELOAD");
    if (asked && sscanf(asked, "%15s %d", name, &when) == 2 && fcntl(THIRD, F_GETFD) < 0)
        dup3(open("/dev/null", O_RDONLY | O_CLOEXEC), THIRD, O_CLOEXEC);
}

static int is_meant(const char *call)
{
    static int calls;

    if (strcmp(call, name) || ++calls != when)
        return 0;
    close(THIRD);
    fprintf(stderr, "%s makes the third\n", call);
    return 1;
}

int eventfd(unsigned int count, int flags)
{
    int (*real)(unsigned int, int) = (int (*)(unsigned int, int))dlsym(RTLD_NEXT, "eventfd");

    is_meant("eventfd");
    return real(count, flags);
}

int pipe2(int ends[2], int flags)
{
    int (*real)(int *, int) = (int (*)(int *, int))dlsym(RTLD_NEXT, "pipe2");
    int meant = is_meant("pipe2");
    int made = real(ends, flags);

    /* The end that is written to. */
    if (meant && !made) {
        int reading = fcntl(ends[0], F_DUPFD_CLOEXEC, THIRD + 1);
        dup3(ends[1], THIRD, O_CLOEXEC);
        close(ends[1]);
        ends[0] = reading;
        ends[1] = THIRD;
    }
    return made;
}
