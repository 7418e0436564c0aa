// Waits of threads with a time limit: which run out, which do not, in which order, and that the limit stays as it was.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, inherits;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static int ready;

static struct timespec in(long milliseconds) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += milliseconds * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static void *waits(void *data) {
    long milliseconds = (long)data;
    struct timespec limit = in(milliseconds), before = limit;
    pthread_mutex_lock(&lock);
    int result = 0;
    while (!ready && !result) result = pthread_cond_timedwait(&changed, &lock, &limit);
    printf("%ld ms: %s, limit kept %d\n", milliseconds, strerror(result), !memcmp(&limit, &before, sizeof limit));
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void *holds(void *data) {
    pthread_mutex_t *mutex = data;
    pthread_mutex_lock(mutex);
    sem_post(&sem);
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    pthread_mutex_unlock(mutex);
    return NULL;
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    sem_init(&sem, 0, 0);
    pthread_t threads[3];
    long limits[] = {120, 40, 80};
    for (int n = 0; n < 3; n++) pthread_create(&threads[n], NULL, waits, (void *)limits[n]);
    for (int n = 0; n < 3; n++) pthread_join(threads[n], NULL);

    // Woken in time, the other way out.
    pthread_create(&threads[0], NULL, waits, (void *)100000L);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    pthread_mutex_lock(&lock);
    ready = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(threads[0], NULL);

    struct timespec limit = in(20);
    printf("semaphore: %d", sem_timedwait(&sem, &limit));
    printf(" %s\n", strerror(errno));

    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inherits, &attributes);
    pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t *mutexes[] = {&plain, &inherits};
    for (int n = 0; n < 2; n++) {
        pthread_create(&threads[0], NULL, holds, mutexes[n]);
        sem_wait(&sem);
        limit = in(20);
        printf("mutex: %s", strerror(pthread_mutex_timedlock(mutexes[n], &limit)));
        limit = in(100000);
        printf(", %s\n", strerror(pthread_mutex_timedlock(mutexes[n], &limit)));
        pthread_mutex_unlock(mutexes[n]);
        pthread_join(threads[0], NULL);
    }

    ready = 0;
    pthread_create(&threads[0], NULL, waits, (void *)100L);
    limit = in(20);
    printf("join: %s\n", strerror(pthread_timedjoin_np(threads[0], NULL, &limit)));
    pthread_join(threads[0], NULL);
    return 0;
}
