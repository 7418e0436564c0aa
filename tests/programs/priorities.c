// What the queries of sched(7) say and refuse, and what getpriority(2) and nice(2) remember.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int order[4], next;

static void *yields(void *number)
{
    for (int n = 0; n < 100; n++)
        if (sched_yield() != 0)
            return NULL;
    order[__atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST)] = (int)(long)number;
    return NULL;
}

int main(void)
{
    int policies[] = {SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE};
    struct sched_param parameters = {.sched_priority = 77};
    struct timespec interval;
    for (int n = 0; n < 5; n++)
        printf("policy %d: %d to %d\n", policies[n], sched_get_priority_min(policies[n]), sched_get_priority_max(policies[n]));
    int result = sched_get_priority_max(99);
    printf("no such policy %d %d\n", result, errno == EINVAL);
    printf("own policy %d", sched_getscheduler(0));
    result = sched_getparam(0, &parameters);
    printf(", priority %d %d", result, parameters.sched_priority);
    result = sched_rr_get_interval(0, &interval);
    printf(", interval %d %d\n", result, interval.tv_sec == 0);
    result = sched_getscheduler(-1);
    printf("-1: %d %d", result, errno == EINVAL);
    result = sched_getscheduler(0x3fffff);
    printf(", nobody: %d %d", result, errno == ESRCH);
    result = sched_getparam(0, NULL);
    printf(", no place: %d %d", result, errno == EINVAL);
    parameters.sched_priority = 5;
    result = sched_setparam(0, &parameters);
    printf(", bad priority: %d %d", result, errno == EINVAL);
    result = sched_setscheduler(0, 99, &parameters);
    printf(", bad policy: %d %d\n", result, errno == EINVAL);
    parameters.sched_priority = 0;
    result = sched_setscheduler(0, SCHED_BATCH, &parameters);
    printf("SCHED_BATCH: %d, then %d", result, sched_getscheduler(0));
    result = sched_setscheduler(0, SCHED_OTHER, &parameters);
    printf(", and back: %d, then %d\n", result, sched_getscheduler(0));

    cpu_set_t before, one;
    sched_getaffinity(0, sizeof before, &before);
    int first = sched_getcpu();
    CPU_ZERO(&one);
    result = sched_setaffinity(0, sizeof one, &one);
    printf("no CPU: %d %d", result, errno == EINVAL);
    CPU_SET(first, &one);
    result = sched_setaffinity(0, sizeof one, &one);
    sched_getaffinity(0, sizeof one, &one);
    printf(", one CPU: %d, %d, there %d", result, CPU_COUNT(&one), sched_getcpu() == first);
    result = sched_setaffinity(0, sizeof before, &before);
    printf(", all again: %d\n", result);

    errno = 0;
    result = getpriority(PRIO_PROCESS, 0);
    printf("nice %d %d, then %d", result, errno, nice(3));
    printf(", %d", getpriority(PRIO_PROCESS, 0));
    result = setpriority(PRIO_PROCESS, 0, 7);
    printf(", set %d %d", result, getpriority(PRIO_PROCESS, 0));
    result = setpriority(99, 0, 0);
    printf(", nothing of that kind %d %d\n", result, errno == EINVAL);
    fflush(stdout);
    int status;
    if (fork() == 0)
        _exit(getpriority(PRIO_PROCESS, 0));
    wait(&status);
    printf("the child has %d\n", WEXITSTATUS(status));

    pthread_t threads[4];
    for (long n = 0; n < 4; n++)
        pthread_create(&threads[n], NULL, yields, (void *)n);
    for (int n = 0; n < 4; n++)
        pthread_join(threads[n], NULL);
    printf("%d threads yielded, each once %d\n", next, order[0] + order[1] + order[2] + order[3]);
    return 0;
}
