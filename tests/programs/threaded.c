// Handlers in a process with two threads: which of them takes a signal, and whether it is looked at there.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static int door[2], ready[2];
static int keeps;

static void note(int sig)
{
    int before = errno;
    (void)sig;
    if (write(-1, "", 1) != -1)
        _exit(2);
    if (keeps)
        errno = before;
}

// Looks at errno, in whichever thread.
static int looks(void)
{
    return chdir("") == -1 && errno != ENOENT;
}

static void *sleep_well(void *none)
{
    char byte;
    if (write(ready[1], "x", 1) != 1)
        exit(2);
    return read(door[0], &byte, 1) == 1 ? none : NULL;
}

static void *works(void *set)
{
    pthread_sigmask(SIG_UNBLOCK, set, NULL);
    if (looks())
        exit(3);
    return NULL;
}

// Each waits for a time, or for a semaphore; all leave if anything else has ended that.
static sem_t posted;
static int watched;

static void *waits(void *how)
{
    struct timespec ten = {0, 10000000};
    struct epoll_event event;
    sigset_t set;
    int ok = 0;
    switch ((int)(long)how) {
    case 0: ok = nanosleep(&ten, NULL) == 0; break;
    case 1: ok = poll(NULL, 0, 20) == 0; break;
    case 2: ok = epoll_wait(epoll_create1(0), &event, 1, 30) == 0; break;
    case 3: ok = sem_wait(&posted) == 0; break;
    case 5: ok = epoll_wait(watched, &event, 1, -1) == 1; break;
    case 4:
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        ok = sigtimedwait(&set, NULL, &ten) == -1 && errno == EAGAIN;
        break;
    }
    if (!ok)
        _exit(4);
    return NULL;
}

static int among_sleepers(void)
{
    pthread_t threads[5];
    struct timespec moment = {0, 1000000};
    int wrong = 0;
    sem_init(&posted, 0, 0);
    for (long how = 0; how < 5; how++)
        pthread_create(&threads[how], NULL, waits, (void *)how);
    // Now all sleep.
    nanosleep(&moment, NULL);
    for (int visit = 0; visit < 3; visit++)
        wrong |= looks();
    sem_post(&posted);
    for (int how = 0; how < 5; how++)
        pthread_join(threads[how], NULL);
    return wrong;
}

// The other one is about to enter a call which fails where there is a signal to look at (signal(7)).
static int beside_one_that_enters(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct timespec moment = {0, 1000000};
    pthread_t thread;
    int wrong;
    watched = epoll_create1(0);
    if (epoll_ctl(watched, EPOLL_CTL_ADD, door[0], &event) != 0)
        return 2;
    pthread_create(&thread, NULL, waits, (void *)5);
    sched_yield();
    getppid();
    wrong = looks();
    nanosleep(&moment, NULL);
    if (write(door[1], "x", 1) != 1)
        return 2;
    pthread_join(thread, NULL);
    return wrong;
}

int main(int argc, char **argv)
{
    struct sigaction sa = {.sa_handler = note};
    const char *word = argc > 1 ? argv[1] : "";
    pthread_t thread;
    sigset_t set;
    char byte;
    keeps = strstr(word, "sound") != NULL;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaction(SIGUSR1, &sa, NULL);
    if (pipe(door) != 0 || pipe(ready) != 0)
        return 2;
    if (strcmp(word, "sleepers") == 0)
        return among_sleepers();
    if (strcmp(word, "enters") == 0)
        return beside_one_that_enters();
    if (strncmp(word, "worker", 6) == 0 || strcmp(word, "either") == 0) {
        // What the first thread does not block it takes itself.
        if (strcmp(word, "either") != 0)
            pthread_sigmask(SIG_BLOCK, &set, NULL);
        pthread_create(&thread, NULL, works, &set);
        return pthread_join(thread, NULL);
    }
    if (pthread_create(&thread, NULL, sleep_well, NULL) != 0)
        return 2;
    // The other one sleeps in a call by now.
    if (strcmp(word, "asleep") == 0 && read(ready[0], &byte, 1) != 1)
        return 2;
    int wrong = looks();
    if (write(door[1], "x", 1) != 1)
        return 2;
    pthread_join(thread, NULL);
    return wrong;
}
