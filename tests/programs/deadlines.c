// What sem_timedwait(3), pthread_cond_timedwait(3), pthread_mutex_timedlock(3), mq_notify(3) and its sisters promise.
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t calls, code, value;
static sem_t semaphore, told;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int ready;

static void count(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    calls++;
    code = info->si_code;
    value = info->si_value.sival_int;
}

static struct timespec in(clockid_t clock, long milliseconds)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += milliseconds % 1000 * 1000000;
    time.tv_sec += milliseconds / 1000 + time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static void *post(void *unused)
{
    (void)unused;
    sem_post(&semaphore);
    pthread_mutex_lock(&mutex);
    ready = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *hold(void *unused)
{
    struct timespec soon = in(CLOCK_REALTIME, 20);
    (void)unused;
    printf("held mutex: %d", pthread_mutex_timedlock(&mutex, &soon) == ETIMEDOUT);
    printf(", tried %d\n", pthread_mutex_trylock(&mutex) == EBUSY);
    return NULL;
}

static void notified(union sigval sent)
{
    value = sent.sival_int;
    sem_post(&told);
}

int main(void)
{
    struct timespec soon = in(CLOCK_REALTIME, 20), later = in(CLOCK_REALTIME, 100000), bad = {0, 1000000000}, past = {1, 0};
    struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
    struct itimerval alarm = {.it_value = {0, 20000}};
    pthread_t thread;
    int number;
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sem_init(&semaphore, 0, 1);
    sem_init(&told, 0, 0);

    int result = sem_timedwait(&semaphore, &past);
    printf("sem_timedwait: free %d", result);
    result = sem_timedwait(&semaphore, &soon);
    printf(", in vain %d %d", result, errno == ETIMEDOUT);
    result = sem_timedwait(&semaphore, &past);
    printf(", past %d %d", result, errno == ETIMEDOUT);
    result = sem_timedwait(&semaphore, &bad);
    printf(", bad %d %d", result, errno == EINVAL);
    result = sem_trywait(&semaphore);
    printf(", tried %d %d", result, errno == EAGAIN);
    setitimer(ITIMER_REAL, &alarm, NULL);
    result = sem_timedwait(&semaphore, &later);
    printf(", interrupted %d %d", result, errno == EINTR);
    setitimer(ITIMER_REAL, &alarm, NULL);
    result = sem_wait(&semaphore);
    printf(", without a time %d %d\n", result, errno == EINTR);

    pthread_mutex_lock(&mutex);
    soon = in(CLOCK_REALTIME, 20);
    printf("pthread_cond_timedwait: in vain %d", pthread_cond_timedwait(&condition, &mutex, &soon) == ETIMEDOUT);
    printf(", past %d", pthread_cond_timedwait(&condition, &mutex, &past) == ETIMEDOUT);
    printf(", bad %d", pthread_cond_timedwait(&condition, &mutex, &bad) == EINVAL);
    soon = in(CLOCK_MONOTONIC, 20);
    printf(", monotonic %d\n", pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &soon) == ETIMEDOUT);
    pthread_create(&thread, NULL, hold, NULL);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, post, NULL);
    while (!ready)
        result = pthread_cond_timedwait(&condition, &mutex, &later);
    pthread_mutex_unlock(&mutex);
    result = sem_timedwait(&semaphore, &later);
    pthread_join(thread, NULL);
    printf("posted %d, value %d\n", result, sem_getvalue(&semaphore, &number) == 0 ? number : -1);

    // A message queue tells once that it is no longer empty, nobody else meanwhile, and not if somebody waits for it.
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
    char name[64], text[16];
    unsigned priority;
    snprintf(name, sizeof name, "/deadlines-%d-%ld", getpid(), (long)time(NULL));
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    if (queue < 0) {
        printf("no message queues: %d\n", errno == ENOSYS);
        return 0;
    }
    mq_unlink(name);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 5};
    calls = 0;
    result = mq_notify(queue, &event);
    printf("mq_notify %d", result);
    result = mq_notify(queue, &event);
    printf(", busy %d %d", result, errno == EBUSY);
    mq_send(queue, "one", 4, 1);
    printf(", told %d, code %d, value %d", calls, code, value);
    mq_send(queue, "two", 4, 9);
    printf(", once %d", calls);
    soon = in(CLOCK_REALTIME, 20);
    result = mq_timedsend(queue, "three", 6, 0, &soon);
    printf(", full %d %d\n", result, errno == ETIMEDOUT);
    for (int n = 0; n < 2; n++) {
        result = mq_receive(queue, text, sizeof text, &priority);
        printf("%s %d, priority %u; ", text, result, priority);
    }
    soon = in(CLOCK_REALTIME, 20);
    result = mq_timedreceive(queue, text, sizeof text, &priority, &soon);
    printf("empty %d %d", result, errno == ETIMEDOUT);
    result = mq_receive(queue, text, 3, NULL);
    printf(", too short %d %d\n", result, errno == EMSGSIZE);
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = notified;
    event.sigev_value.sival_int = 6;
    printf("by a thread %d", mq_notify(queue, &event));
    mq_send(queue, "four", 5, 0);
    sem_wait(&told);
    printf(", value %d", value);
    mq_receive(queue, text, sizeof text, NULL);
    printf(", taken back %d\n", mq_notify(queue, NULL));
    fflush(stdout);
    // A child that waits for a message gets it, and nobody is told.
    event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    pid_t child = fork();
    if (child == 0) {
        later = in(CLOCK_REALTIME, 100000);
        _exit(mq_timedreceive(queue, text, sizeof text, NULL, &later) == 5 && strcmp(text, "five") == 0 ? 4 : 5);
    }
    mq_send(queue, "five", 5, 0);
    waitpid(child, &number, 0);
    printf("the child got it: %d\n", WEXITSTATUS(number));
    return 0;
}
