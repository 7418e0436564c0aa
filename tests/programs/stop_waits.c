// Which waits end with EINTR when their process is stopped and goes on, without a handler, and which are taken up again (signal(7)).
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int sockets[2];

static long by_epoll(void) {
    struct epoll_event event;
    return epoll_wait(epoll_create1(0), &event, 1, 1000);
}

static long by_epoll_pwait(void) {
    struct epoll_event event;
    sigset_t none;
    sigemptyset(&none);
    return epoll_pwait(epoll_create1(0), &event, 1, 1000, &none);
}

static long by_sigtimedwait(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return sigtimedwait(&set, NULL, &(struct timespec){1, 0});
}

static void limit(void) {
    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){1, 0}, sizeof(struct timeval));
}

static long by_recv(void) {
    char byte;
    limit();
    return recv(sockets[0], &byte, 1, 0);
}

static long by_read(void) {
    char byte;
    limit();
    return read(sockets[0], &byte, 1);
}

static long by_poll(void) { return poll(NULL, 0, 1000); }
static long by_select(void) { return select(0, NULL, NULL, NULL, &(struct timeval){1, 0}); }
static long by_nanosleep(void) { return nanosleep(&(struct timespec){1, 0}, NULL); }

static long by_queue(void) {
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 1};
    mqd_t queue = mq_open("/stopped_wait", O_RDWR | O_CREAT, 0600, &attributes);
    mq_unlink("/stopped_wait");
    char byte;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    return mq_timedreceive(queue, &byte, 1, NULL, &until);
}

static void over_stop(const char *name, long (*waits)(void)) {
    pid_t child = fork();
    if (child == 0) {
        errno = 0;
        long got = waits();
        printf("%s %ld %s\n", name, got, got ? strerror(errno) : "");
        _exit(0);
    }
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    kill(child, SIGCONT);
    waitpid(child, NULL, 0);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) return 1;
    over_stop("epoll_wait", by_epoll);
    over_stop("epoll_pwait", by_epoll_pwait);
    over_stop("sigtimedwait", by_sigtimedwait);
    over_stop("recv", by_recv);
    over_stop("read", by_read);
    over_stop("poll", by_poll);
    over_stop("select", by_select);
    over_stop("nanosleep", by_nanosleep);
    over_stop("mq_timedreceive", by_queue);
    return 0;
}
