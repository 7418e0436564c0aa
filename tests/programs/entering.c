/*
 * One call, and a handler that looks itself what of it has happened and what its caller knows of that.
 *
 * Prints from the handler of SIGUSR1, SIGALRM or SIGCHLD "not done", "done, not stored" or "stored", and at the end what the call
 * gave. The call is the first of its name after getppid(2), and getpgrp(2) is the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int stored = -1; /* -1 as long as the call has given nothing */
static int next, ends[2];
static volatile pid_t caller, child;
static const char *mode;

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) == -1)
        _exit(3);
}

static int is(const char *name)
{
    return strcmp(mode, name) == 0;
}

static int done(void)
{
    int left = -1;
    if (is("wait"))
        return waitpid(child, NULL, WNOHANG) == -1;
    if (is("read"))
        return ioctl(ends[0], FIONREAD, &left) == 0 && left == 0;
    return fcntl(next, F_GETFD) != -1;
}

static void on_signal(int signal)
{
    int saved = errno;
    (void)signal;
    if (syscall(SYS_gettid) != caller)
        say("another thread: ");
    say(stored != -1 ? "stored\n" : done() ? "done, not stored\n" : "not done\n");
    errno = saved;
}

static void opens(void)
{
    caller = syscall(SYS_gettid);
    getppid();
    stored = open("/dev/null", O_RDONLY);
    getpgrp();
}

/* It is the only one that takes the signal. */
static void *in_thread(void *none)
{
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    opens();
    return none;
}

static void unnamed(void)
{
    struct sockaddr name = { .sa_family = AF_UNIX };
    struct timeval long_time = { .tv_sec = 100 };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, &name, sizeof name.sa_family) == -1 || listen(listener, 1) == -1)
        _exit(2);
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof long_time);
    next = listener + 1;
    getppid();
    stored = accept(listener, NULL, NULL);
}

int main(int count, char **words)
{
    struct sigaction action = { .sa_handler = on_signal };
    char byte;
    pthread_t thread;
    sigset_t usr1;
    int result, error;

    mode = count > 1 ? words[1] : "";
    caller = syscall(SYS_gettid);
    if (is("restart"))
        action.sa_flags = SA_RESTART;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    if (is("blocked") || is("thread"))
        sigprocmask(SIG_BLOCK, &usr1, NULL);
    if (pipe(ends) == -1)
        return 2;
    next = dup(STDOUT_FILENO);
    close(next);
    if (!is("uncaught"))
        sigaction(SIGUSR1, &action, NULL);
    if (is("alarm")) {
        struct itimerval later = { .it_value.tv_sec = 100 };
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &later, NULL);
    }
    if (is("wait"))
        sigaction(SIGCHLD, &action, NULL);

    errno = 0;
    if (is("read") || is("sleep") || is("restart")) {
        if (is("read") && write(ends[1], "x", 1) != 1)
            return 2;
        if (is("restart") && fork() == 0)
            _exit(write(ends[1], "x", 1) == 1 ? 0 : 2);
        getppid();
        stored = read(ends[0], &byte, 1);
    } else if (is("wait")) {
        child = fork();
        if (child == 0)
            _exit(0);
        getppid();
        stored = waitpid(child, NULL, WNOHANG) == child;
    } else if (is("accept")) {
        unnamed();
    } else if (is("thread")) {
        pthread_create(&thread, NULL, in_thread, NULL);
        pthread_join(thread, NULL);
    } else {
        opens();
    }
    error = errno;
    getpgrp();
    result = stored;
    printf("%d %s\n", result > 1 ? 2 : result, result == -1 ? strerror(error) : "-");
    return 0;
}
