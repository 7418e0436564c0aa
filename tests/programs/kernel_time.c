// A wait for a semaphore of System V runs out while another thread goes from call to call. Who catches SIGCONT cannot be woken
// by it unseen, so the wait ends by the kernel's own time.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

static void continued(int signal) {
    (void)signal;
}

static void *waits(void *time) {
    int id = semget(IPC_PRIVATE, 1, 0600);
    struct sembuf take = {0, -1, 0};
    semtimedop(id, &take, 1, time);
    return NULL;
}

int main(int count, char **arguments) {
    (void)arguments;
    pthread_t thread;
    signal(SIGCONT, continued);
    struct timespec begin, now;
    // When it only waits, that is for long enough that the machine's load does not end it before all sleep.
    struct timespec time = {0, count > 1 ? 200000000 : 5000000};
    pthread_create(&thread, NULL, waits, &time);
    // The thread goes first, until it sleeps.
    sched_yield();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        // With an argument it only waits.
        if (count > 1) break;
        getppid();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < begin.tv_sec * 1000 + begin.tv_nsec / 1000000 + 50);
    pthread_join(thread, NULL);
    puts("end");
    return 0;
}
