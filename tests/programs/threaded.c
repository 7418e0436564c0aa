// A handler that changes errno, in a process with a second thread: its main flow cannot be stopped between two calls.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static int door[2];

static void *sleep_well(void *none)
{
    char byte;
    return read(door[0], &byte, 1) == 1 ? none : NULL;
}

static void note(int sig)
{
    (void)sig;
    if (write(-1, "", 1) != -1)
        _exit(2);
}

int main(void)
{
    struct sigaction sa = {.sa_handler = note};
    pthread_t thread;
    if (pipe(door) != 0 || pthread_create(&thread, NULL, sleep_well, NULL) != 0)
        return 2;
    sigaction(SIGUSR1, &sa, NULL);
    int wrong = chdir("") == -1 && errno != ENOENT;
    if (write(door[1], "x", 1) != 1)
        return 2;
    return wrong;
}
