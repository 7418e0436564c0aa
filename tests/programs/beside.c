/* One process beside another, or one thread beside another, while a third is ended: `beside WHAT`. Exits with 0 if all is as the
 * manual pages have it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;
static pid_t child;

static void on_sigchld(int signal)
{
    (void)signal;
    ended++;
}

static void nap(long milliseconds)
{
    struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

static int ended_by(pid_t process)
{
    int status;
    return waitpid(process, &status, 0) == process && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* A child that computes, until it is ended. */
static pid_t computes(void)
{
    pid_t made = fork();
    if (made == 0)
        for (volatile unsigned long round = 0;; round++)
            continue;
    return made;
}

static pid_t sleeps(void)
{
    pid_t made = fork();
    if (made == 0)
        for (;;)
            pause();
    return made;
}

/* A parent ends a child that computes for too long; and hears of it. */
static int watchdog(void)
{
    struct sigaction action = { .sa_handler = on_sigchld };
    sigaction(SIGCHLD, &action, NULL);
    child = computes();
    nap(30);
    kill(child, SIGTERM);
    return ended_by(child) == SIGTERM && ended == 1 ? 0 : 1;
}

/* Two of them, and a third that comes to an end. */
static int several(void)
{
    pid_t one = computes(), other = computes(), third = fork();
    if (third == 0) {
        for (volatile unsigned long round = 0; round < 100000; round++)
            continue;
        _exit(7);
    }
    int status;
    if (waitpid(third, &status, 0) != third || WEXITSTATUS(status) != 7)
        return 1;
    kill(one, SIGKILL);
    kill(other, SIGTERM);
    return ended_by(one) == SIGKILL && ended_by(other) == SIGTERM ? 0 : 2;
}

static void *ends_it(void *unused)
{
    nap(2000);
    kill(child, SIGKILL);
    return unused;
}

/* A thread ends a child for which its sibling waits. */
static int thread(void)
{
    pthread_t beside;
    child = sleeps();
    pthread_create(&beside, NULL, ends_it, NULL);
    int signal = ended_by(child);
    pthread_join(beside, NULL);
    return signal == SIGKILL ? 0 : 1;
}

/* What the kernel refuses ends nobody. */
static int refused(void)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    child = sleeps();
    info.si_code = SI_USER;
    if (syscall(SYS_rt_sigqueueinfo, child, SIGTERM, &info) != -1 || errno != EPERM)
        return 1;
    info.si_code = SI_TKILL;
    if (syscall(SYS_rt_tgsigqueueinfo, child, child, SIGTERM, &info) != -1 || errno != EPERM)
        return 2;
    if (syscall(SYS_rt_sigqueueinfo, child, SIGTERM, 8) != -1 || errno != EFAULT)
        return 3;
    if (syscall(SYS_tgkill, getpid(), child, SIGTERM) != -1 || errno != ESRCH)
        return 4;
    int descriptor = (int)syscall(SYS_pidfd_open, child, 0);
    info.si_signo = SIGUSR1;
    info.si_code = SI_QUEUE;
    if (syscall(SYS_pidfd_send_signal, descriptor, SIGTERM, &info, 0) != -1 || errno != EINVAL)
        return 5;
    if (syscall(SYS_pidfd_send_signal, descriptor, SIGTERM, 8, 0) != -1 || errno != EFAULT)
        return 6;
    info.si_signo = SIGUSR2;
    if (syscall(SYS_pidfd_send_signal, descriptor, SIGUSR2, &info, 0) == -1)
        return 7;
    return ended_by(child) == SIGUSR2 ? 0 : 8;
}

int main(int count, char **words)
{
    if (count > 1 && !strcmp(words[1], "watchdog"))
        return watchdog();
    if (count > 1 && !strcmp(words[1], "several"))
        return several();
    if (count > 1 && !strcmp(words[1], "thread"))
        return thread();
    if (count > 1 && !strcmp(words[1], "refused"))
        return refused();
    return 100;
}
