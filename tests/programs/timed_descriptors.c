// Descriptors that become ready, or calls on them that give up, after a time: timerfd, sockets, message queues.
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void set(int fd, long value, long interval) {
    struct itimerspec new = {{0, interval * 1000000}, {0, value * 1000000}};
    if (timerfd_settime(fd, 0, &new, NULL)) perror("timerfd_settime");
}

static unsigned long count(int fd) {
    uint64_t count = 0;
    return read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    set(timer, 20, 0);
    printf("read %lu\n", count(timer));
    struct pollfd polled = {timer, POLLIN, 0};
    set(timer, 20, 0);
    int early = poll(&polled, 1, 5);
    printf("poll %d %d", early, poll(&polled, 1, 100000));
    printf(" read %lu\n", count(timer));

    int set_of_one = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.fd = timer}};
    epoll_ctl(set_of_one, EPOLL_CTL_ADD, timer, &event);
    set(timer, 10, 10);
    for (int n = 0; n < 3; n++) printf("epoll %d read %d\n", epoll_wait(set_of_one, &event, 1, -1), count(timer) > 0);
    struct itimerspec was;
    timerfd_gettime(timer, &was);
    printf("interval %ld armed %d\n", was.it_interval.tv_nsec, was.it_value.tv_nsec > 0);
    set(timer, 20, 20);
    nanosleep(&(struct timespec){0, 210000000}, NULL);
    printf("about ten %d\n", count(timer) >= 8);

    // One timer, two processes.
    set(timer, 50, 0);
    pid_t child = fork();
    if (child == 0) _exit(count(timer) == 1 ? 3 : 4);
    int status;
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    set(timer, 0, 0);
    set(timer, 100, 0);
    close(timer);

    int ends[2];
    char byte;
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    struct timeval limit = {0, 30000};
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    long got = read(ends[0], &byte, 1);
    printf("read %ld %s\n", got, strerror(errno));
    got = recv(ends[0], &byte, 1, MSG_DONTWAIT);
    printf("recv %ld %s\n", got, strerror(errno));
    child = fork();
    if (child == 0) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        _exit(write(ends[1], "x", 1) != 1);
    }
    limit.tv_sec = 1000;
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    printf("recv %ld\n", recv(ends[0], &byte, 1, 0));
    waitpid(child, &status, 0);

    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 1};
    mqd_t queue = mq_open("/timed", O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    mq_unlink("/timed");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += 50000000;
    if (now.tv_nsec >= 1000000000) now.tv_sec++, now.tv_nsec -= 1000000000;
    got = mq_timedreceive(queue, &byte, 1, NULL, &now);
    printf("receive %ld %s\n", got, strerror(errno));
    printf("send %d", mq_send(queue, "x", 1, 0));
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_nsec += 50000000;
    if (now.tv_nsec >= 1000000000) now.tv_sec++, now.tv_nsec -= 1000000000;
    got = mq_timedsend(queue, "x", 1, 0, &now);
    printf(" %ld %s\n", got, strerror(errno));
    now.tv_sec += 1000;
    printf("receive %zd\n", mq_timedreceive(queue, &byte, 1, NULL, &now));
    return 0;
}
