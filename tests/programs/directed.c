// Whom kill(2), killpg(3), tgkill(2), pthread_kill(3) and sigqueue(3) reach, and what they refuse.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t calls;
static __thread volatile sig_atomic_t mine;
static int ready[2], go[2];

static void count(int signal)
{
    (void)signal;
    calls++;
    mine++;
}

static void tell(int fd)
{
    if (write(fd, "", 1) != 1)
        _exit(90);
}

static void hear(int fd)
{
    char byte;
    while (read(fd, &byte, 1) != 1)
        if (errno != EINTR)
            _exit(91);
}

static void *thread(void *result)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    tell(ready[1]);
    hear(go[0]);
    *(int *)result = mine;
    return NULL;
}

static int waiting_child(int group)
{
    pid_t child = fork();
    if (child == 0) {
        if (group >= 0)
            setpgid(0, group);
        tell(ready[1]);
        for (;;)
            pause();
    }
    hear(ready[0]);
    return child;
}

int main(void)
{
    struct sigaction action = {.sa_handler = count};
    sigset_t set;
    int status, result;
    sigaction(SIGUSR1, &action, NULL);
    if (pipe(ready) != 0 || pipe(go) != 0)
        return 1;

    result = kill(getpid(), 0);
    printf("0 to itself %d\n", result);
    result = kill(0x3fffff, SIGUSR1);
    printf("to nobody %d %d\n", result, errno == ESRCH);
    result = kill(getpid(), -1);
    printf("-1 %d %d\n", result, errno == EINVAL);
    result = kill(getpid(), 65);
    printf("65 %d %d\n", result, errno == EINVAL);
    result = killpg(0x3fffff, SIGUSR1);
    printf("to no group %d %d\n", result, errno == ESRCH);
    kill(getpid(), SIGUSR1);
    printf("itself: %d call at once\n", calls);
    raise(SIGUSR1);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    pthread_kill(pthread_self(), SIGUSR1);
    printf("raise, tgkill, pthread_kill: %d calls\n", calls);
    result = syscall(SYS_tgkill, getpid(), 0x3fffff, SIGUSR1);
    printf("tgkill of no thread %d %d, pthread_kill of 65 %d\n", result, errno == ESRCH,
           pthread_kill(pthread_self(), 65) == EINVAL);

    // A process-directed signal goes to the thread that does not block it.
    int taken = -1;
    pthread_t other;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    calls = 0;
    pthread_create(&other, NULL, thread, &taken);
    hear(ready[0]);
    kill(getpid(), SIGUSR1);
    pthread_kill(other, SIGUSR1);
    while (calls < 1)
        usleep(1000);
    tell(go[1]);
    pthread_join(other, NULL);
    sigpending(&set);
    printf("the other thread took %d, pending here %d\n", taken >= 1 && taken <= 2, sigismember(&set, SIGUSR1));
    pthread_kill(pthread_self(), SIGUSR1);
    sigpending(&set);
    printf("blocked here: %d\n", sigismember(&set, SIGUSR1));
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);

    // Children: one alone, a group of two, and all of this group.
    pid_t child = waiting_child(-1);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    printf("child ended by %d\n", WTERMSIG(status));
    result = kill(child, 0);
    printf("reaped: %d %d\n", result, errno == ESRCH);
    pid_t leader = waiting_child(0), member = waiting_child(leader);
    result = killpg(leader, SIGINT);
    printf("group %d", result);
    waitpid(leader, &status, 0);
    printf(" %d", WTERMSIG(status));
    waitpid(member, &status, 0);
    printf(" %d\n", WTERMSIG(status));
    child = waiting_child(-1);
    signal(SIGHUP, SIG_IGN);
    result = kill(0, SIGHUP);
    waitpid(child, &status, 0);
    printf("own group %d, child ended by %d\n", result, WTERMSIG(status));
    child = waiting_child(-1);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    kill(child, SIGTERM);
    printf("not ended while stopped: %d\n", waitpid(child, &status, WNOHANG));
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    printf("then by %d\n", WTERMSIG(status));
    // A zombie can be signalled, without effect.
    child = fork();
    if (child == 0)
        _exit(3);
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    printf("zombie %d", kill(child, SIGKILL));
    waitpid(child, &status, 0);
    printf(", exit code %d\n", WEXITSTATUS(status));
    return 0;
}
