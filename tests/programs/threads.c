// Threads: mutex, condition, barrier, cancellation, a signal to one of them, fork and exec beside others.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static int turn, total;
static __thread int own;

static void *in_turns(void *argument) {
    int number = (int)(long)argument;
    pthread_barrier_wait(&barrier);
    for (int n = 0; n < 10; n++) {
        pthread_mutex_lock(&lock);
        while (turn % 4 != number) pthread_cond_wait(&changed, &lock);
        turn++;
        total += number;
        own++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return (void *)(long)own;
}

static void *wait_for_signal(void *set) {
    int signal = 0;
    sigwait(set, &signal);
    return (void *)(long)signal;
}

static void *for_ever(void *unused) {
    (void)unused;
    for (;;) pause();
    return NULL;
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    pthread_t threads[4];
    pthread_barrier_init(&barrier, NULL, 4);
    for (long n = 0; n < 4; n++)
        if (pthread_create(&threads[n], NULL, in_turns, (void *)n)) return 1;
    for (int n = 0; n < 4; n++) {
        void *result;
        pthread_join(threads[n], &result);
        printf("thread %d: %ld\n", n, (long)result);
    }
    printf("turn %d total %d own %d\n", turn, total, own);

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&threads[0], NULL, wait_for_signal, &set);
    pthread_kill(threads[0], SIGUSR2);
    void *result;
    pthread_join(threads[0], &result);
    printf("pthread_kill: %d\n", (int)(long)result == SIGUSR2);
    pthread_create(&threads[0], NULL, wait_for_signal, &set);
    kill(getpid(), SIGUSR1);
    pthread_join(threads[0], &result);
    printf("kill: %d\n", (int)(long)result == SIGUSR1);

    pthread_create(&threads[0], NULL, for_ever, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "echo child of a process with threads", NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    printf("status %d\n", status);
    pthread_cancel(threads[0]);
    pthread_join(threads[0], &result);
    printf("canceled %d\n", result == PTHREAD_CANCELED);
    pthread_create(&threads[0], NULL, for_ever, NULL);
    execl("/bin/sh", "sh", "-c", "echo exec ended the other thread; exit 4", NULL);
    return 1;
}
