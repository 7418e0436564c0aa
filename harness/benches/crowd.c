/* Much of one kind: `children N`, each of which makes one call; `threads N CALLS`; `calls N` beside a thread that sleeps. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1024 };

static int calls;

static void *worker(void *unused)
{
    for (int call = 0; call < calls; call++)
        syscall(SYS_getppid);
    return unused;
}

static void *sleeper(void *unused)
{
    pause();
    return unused;
}

static int children(int count)
{
    for (int child = 0; child < count; child++) {
        pid_t made = fork();
        if (made == 0) {
            getppid();
            _exit(0);
        }
        if (made < 0)
            return 1;
    }
    while (count > 0 && wait(NULL) > 0)
        count--;
    return count;
}

static int threads(int count)
{
    pthread_t made[MOST];

    if (count > MOST)
        return 1;
    for (int thread = 0; thread < count; thread++)
        if (pthread_create(&made[thread], NULL, worker, NULL))
            return 1;
    for (int thread = 0; thread < count; thread++)
        pthread_join(made[thread], NULL);
    return 0;
}

int main(int count, char **words)
{
    pthread_t beside;
    int number = count > 2 ? atoi(words[2]) : 0;

    calls = count > 3 ? atoi(words[3]) : number;
    if (number <= 0)
        return 2;
    if (!strcmp(words[1], "children"))
        return children(number);
    if (!strcmp(words[1], "threads"))
        return threads(number);
    if (pthread_create(&beside, NULL, sleeper, NULL))
        return 1;
    worker(NULL);
    _exit(0);
}
