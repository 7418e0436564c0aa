// What siginfo says of a child that ends, is killed, stops and goes on, and of kill and sigqueue.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static siginfo_t info;
static volatile sig_atomic_t count;

static void handler(int signal, siginfo_t *told, void *context) {
    (void)signal;
    (void)context;
    info = *told;
    count++;
}

static sigset_t old;

static void wait_for_one(const char *what, pid_t sender) {
    while (!count) sigsuspend(&old);
    count = 0;
    printf("%s: signo %d code %d status %d, its pid %d, own uid %d\n", what, info.si_signo, info.si_code,
           info.si_signo == SIGCHLD ? info.si_status : 0, info.si_pid == sender, info.si_uid == getuid());
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigset_t set;
    sigemptyset(&set);
    int signals[] = {SIGCHLD, SIGUSR1, SIGRTMIN, SIGRTMIN + 1};
    for (int n = 0; n < 4; n++) {
        sigaddset(&set, signals[n]);
        sigaction(signals[n], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &set, &old);

    pid_t pid = fork();
    if (pid == 0) _exit(7);
    wait_for_one("exit", pid);
    printf("waited %d\n", waitpid(pid, NULL, 0) == pid);

    pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &old, NULL);
        for (;;) pause();
    }
    kill(pid, SIGSTOP);
    wait_for_one("stop", pid);
    kill(pid, SIGCONT);
    wait_for_one("continue", pid);
    kill(pid, SIGKILL);
    wait_for_one("kill", pid);
    siginfo_t waited = {0};
    printf("waitid %d\n", waitid(P_PID, pid, &waited, WEXITED | WNOWAIT));
    printf("code %d status %d pid %d\n", waited.si_code, waited.si_status, waited.si_pid == pid);
    printf("waited %d\n", waitpid(pid, NULL, 0) == pid);

    kill(getpid(), SIGUSR1);
    wait_for_one("own kill", getpid());
    pid_t parent = getpid();
    pid = fork();
    if (pid == 0) {
        kill(parent, SIGUSR1);
        for (;;) pause();
    }
    wait_for_one("child's kill", pid);
    kill(pid, SIGTERM);
    wait_for_one("term", pid);
    printf("waited %d\n", waitpid(pid, NULL, 0) == pid);
    for (int n = 0; n < 3; n++) {
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 10 + n});
        wait_for_one("sigqueue", getpid());
        printf("value %d\n", info.si_value.sival_int);
    }
    return 0;
}
