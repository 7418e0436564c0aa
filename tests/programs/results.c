/* Makes calls that fail, fall short or are interrupted, and tells what each returned and which handlers ran, as it saw them. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char calls[8192], handlers[2048];
static pid_t children[8];
static int made;
static sigjmp_buf back;
static volatile sig_atomic_t jumps;

static void add(char *log, const char *text)
{
    strcat(log, text);
}

/* Without printf, since a handler does this too. */
static void number(char *log, long value)
{
    char digits[24], *at = digits + sizeof digits - 1;
    *at = 0;
    do *--at = '0' + value % 10; while (value /= 10);
    add(log, at);
}

static const char *error(void)
{
    switch (errno) {
    case EINTR: return "EINTR";
    case ECHILD: return "ECHILD";
    case ESRCH: return "ESRCH";
    case EPIPE: return "EPIPE";
    case EAGAIN: return "EAGAIN";
    default: return "another";
    }
}

static long told(const char *call, long result, long asked)
{
    int kept = errno;
    char line[64] = "";
    add(line, call);
    if (result < 0) {
        add(line, " ");
        add(line, error());
    } else if (!strcmp(call, "wait4") && result > 0) {
        for (int child = 0; child < made; child++)
            if (children[child] == result) {
                add(line, " p0.");
                number(line, child + 1);
            }
    } else {
        add(line, " ");
        number(line, result);
        if (asked) {
            add(line, "/");
            number(line, asked);
        }
    }
    add(line, "\n");
    add(calls, line);
    errno = kept;
    return result;
}

static void handler(int signal)
{
    int kept = errno;
    number(handlers, signal);
    add(handlers, "\n");
    if (signal == SIGCHLD)
        while (told("wait4", waitpid(-1, NULL, WNOHANG), 0) > 0) {}
    if (signal == SIGALRM && jumps++ == 0)
        siglongjmp(back, 1);
    errno = kept;
}

static pid_t child(int pipe)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (pipe >= 0) write(pipe, "abc", 3);
        _exit(0);
    }
    children[made++] = pid;
    return pid;
}

int main(void)
{
    const int signals[] = {SIGCHLD, SIGPIPE, SIGALRM, SIGUSR1};
    struct sigaction action = {.sa_handler = handler};
    for (int index = 0; index < 4; index++) sigaction(signals[index], &action, NULL);
    sigset_t blocked, before, usr2;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    char bytes[10];
    int data[2], broken[2];
    pipe(data);
    pipe(broken);
    close(broken[0]);

    /* The child's end is pending until it is unblocked. */
    sigprocmask(SIG_BLOCK, &blocked, &before);
    pid_t first = child(data[1]);
    while (told("read", read(data[0], bytes, 10), 10) < 0) {}
    poll(NULL, 0, 5);
    kill(first, 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    /* It wakes a call, and a handler jumps out of another. */
    child(-1);
    while (jumps < 1 && told("read", read(data[0], bytes, 1), 1) < 0) {
        if (sigsetjmp(back, 1) == 0) {
            alarm(1);
            told("read", read(data[0], bytes, 5), 5);
        }
    }
    /* And one is waited for in the right way. */
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    child(-1);
    told("rt_sigsuspend", sigsuspend(&before), 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    told("write", write(broken[1], "a", 1), 1);
    if (told("kill", kill(children[0], SIGUSR2), 0) == 0) return 1;
    told("wait4", waitpid(-1, NULL, 0), 0);
    sigprocmask(SIG_BLOCK, &usr2, NULL);
    kill(getpid(), SIGUSR2);
    told("rt_sigtimedwait", sigtimedwait(&usr2, NULL, &(struct timespec){0}), 0);
    told("rt_sigtimedwait", sigtimedwait(&usr2, NULL, &(struct timespec){0}), 0);
    /* What comes from here on is not told. */
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    add(calls, "\n");
    write(1, calls, strlen(calls));
    write(1, handlers, strlen(handlers));
    return 0;
}
