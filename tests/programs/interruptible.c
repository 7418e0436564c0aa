// Calls that sleep in the kernel for a time, given in milliseconds, and that nothing begins again when a signal ends them: what
// each returns, and whether that was at the right time.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char bytes[1 << 18];
static struct timespec period;
static volatile sig_atomic_t handled;

static void handle(int signal)
{
    (void)signal;
    handled++;
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static long begun;

static void begin(void)
{
    errno = 0;
    begun = now();
}

// The third part of the time is when others do something.
static void told(const char *what, long result, int thirds)
{
    int error = result < 0 ? errno : 0;
    long all = period.tv_sec * 1000 + period.tv_nsec / 1000000, passed = now() - begun;
    int in_time = passed >= all * thirds / 3 - 1 && passed < all * (thirds + 1) / 3;
    printf("%s: %ld %s, %s\n", what, result, strerror(error), in_time ? "in time" : "not in time");
    fflush(stdout);
}

static void third(void)
{
    long nanoseconds = (period.tv_sec * 1000000000 + period.tv_nsec) / 3;
    nanosleep(&(struct timespec){nanoseconds / 1000000000, nanoseconds % 1000000000}, NULL);
}

static void semaphores(void)
{
    int set = semget(IPC_PRIVATE, 1, 0600), status;
    struct sembuf down = {0, -1, 0}, up = {0, 1, 0};
    for (int again = 0; again < 2; again++) {
        begin();
        told("semtimedop", semtimedop(set, &down, 1, &period), 3);
    }
    pid_t parent = getpid();
    for (int ups = 0; ups < 2; ups++) {
        begin();
        pid_t child = fork();
        if (child == 0) {
            third();
            _exit(ups ? semop(set, &up, 1) : kill(parent, SIGUSR1));
        }
        told(ups ? "semtimedop, given" : "semtimedop, signalled", semtimedop(set, &down, 1, &period), 1);
        waitpid(child, &status, 0);
        printf("handled %d, child %d\n", handled, status);
    }
    struct timespec none = {0, 0}, bad = {0, 1000000000};
    begin();
    told("semtimedop without time", semtimedop(set, &down, 1, &none), 0);
    told("semtimedop with none that is one", semtimedop(set, &down, 1, &bad), 0);
    semctl(set, 0, IPC_RMID);
}

static void requests(void)
{
    aio_context_t context = 0;
    struct io_event events[2];
    int ends[2];
    if (syscall(SYS_io_setup, 4, &context) != 0 || pipe(ends) != 0)
        return;
    begin();
    told("io_getevents", syscall(SYS_io_getevents, context, 1, 2, events, &period), 3);
    begin();
    told("io_pgetevents", syscall(SYS_io_pgetevents, context, 1, 2, events, &period, NULL), 3);
    // One of two comes.
    if (write(ends[1], "x", 1) != 1)
        return;
    struct iocb readable = {.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = ends[0], .aio_buf = POLLIN}, *all = &readable;
    printf("io_submit %ld\n", syscall(SYS_io_submit, context, 1, &all));
    begin();
    told("io_getevents of one", syscall(SYS_io_getevents, context, 2, 2, events, &period), 3);
    close(ends[0]), close(ends[1]);
}

static void limit(int socket)
{
    struct timeval time = {period.tv_sec, period.tv_nsec / 1000};
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

static void keeps(int socket)
{
    struct timeval time;
    socklen_t length = sizeof time;
    getsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, &length);
    // The kernel counts in ticks of some milliseconds.
    long more = (time.tv_sec - period.tv_sec) * 1000 + (time.tv_usec - period.tv_nsec / 1000) / 1000;
    printf("still limited: %d\n", more >= 0 && more <= 10);
}

static void fill(int socket)
{
    // What the kernel still moves leaves room again.
    for (int again = 0; again < 2; again++) {
        while (send(socket, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            continue;
        third();
    }
    while (send(socket, bytes, 1, MSG_DONTWAIT) > 0)
        continue;
}

static void sends(int socket, const char *what)
{
    struct iovec part = {bytes, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct mmsghdr messages[2] = {{.msg_hdr = message}, {.msg_hdr = message}};
    limit(socket);
    puts(what);
    fill(socket);
    begin();
    told("write", write(socket, bytes, 1), 3);
    begin();
    told("send", send(socket, bytes, sizeof bytes / 4, 0), 3);
    begin();
    told("sendmsg", sendmsg(socket, &message, 0), 3);
    begin();
    told("sendmmsg", sendmmsg(socket, messages, 2, 0), 3);
    begin();
    told("writev", writev(socket, &part, 1), 3);
    begin();
    told("send that does not wait", send(socket, bytes, 1, MSG_DONTWAIT), 0);
    keeps(socket);
}

static void sockets(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0)
        sends(ends[0], "a stream");
    // What fits is sent, and the rest is not.
    int parts[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, parts);
    limit(parts[0]);
    begin();
    long sent = 0, part;
    while ((part = send(parts[0], bytes, sizeof bytes, 0)) == (long)sizeof bytes)
        sent += part;
    told("send of much", part > 0 && part < (long)sizeof bytes ? 1 : part, 3);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0) {
        limit(ends[0]);
        while (send(ends[0], bytes, 1, MSG_DONTWAIT) > 0)
            continue;
        begin();
        told("send of a datagram", send(ends[0], bytes, 1, 0), 3);
    }

    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0interruptible"};
    socklen_t length = sizeof(sa_family_t) + 14;
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(server, (void *)&name, length) != 0 || listen(server, 0) != 0)
        perror("listen");
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    printf("first %d\n", connect(client, (void *)&name, length));
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    limit(client);
    begin();
    told("connect", connect(client, (void *)&name, length), 3);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    length = sizeof address;
    server = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (void *)&address, length) != 0 || listen(server, 1) != 0)
        perror("listen");
    getsockname(server, (void *)&address, &length);
    client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (void *)&address, length) != 0)
        perror("connect");
    sends(client, "TCP");
}

static void descriptors(void)
{
    enum { MANY = 1000 };
    static struct pollfd polled[MANY];
    int ends[2];
    if (pipe(ends) != 0)
        return;
    for (int nth = 0; nth < MANY; nth++)
        polled[nth] = (struct pollfd){ends[0], POLLIN, 1};
    begin();
    int ready = poll(polled, MANY, period.tv_sec * 1000 + period.tv_nsec / 1000000);
    told("poll of many", ready, 3);
    begin();
    told("ppoll of many", ppoll(polled, MANY, &period, NULL), 3);
    int set = 0;
    for (int nth = 0; nth < MANY; nth++)
        set += polled[nth].revents;
    printf("ready %d\n", set);
    fd_set many;
    FD_ZERO(&many);
    for (int fd = 100; fd < 500; fd++) {
        dup2(ends[0], fd);
        FD_SET(fd, &many);
    }
    begin();
    struct timeval time = {period.tv_sec, period.tv_nsec / 1000};
    told("select of many", select(500, &many, NULL, NULL, &time), 3);
    pid_t child = fork();
    begin();
    if (child == 0) {
        third();
        _exit(write(ends[1], "x", 1) != 1);
    }
    told("poll of many, one written to", poll(polled, MANY, 1000000000), 1);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    long milliseconds = argc > 1 ? atol(argv[1]) : 100;
    period = (struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000};
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    semaphores();
    requests();
    sockets();
    descriptors();
    return 0;
}
