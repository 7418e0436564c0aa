// Sleeps that the kernel's own time ends: each returns what it returns without control, and is no hang and no wait for others.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char bytes[1 << 16];

static void limit(int socket, int option) {
    struct timeval time = {0, 120000};
    if (setsockopt(socket, SOL_SOCKET, option, &time, sizeof time)) perror("setsockopt");
}

static void sends(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) return;
    limit(ends[1], SO_SNDTIMEO);
    long sent;
    do sent = send(ends[1], bytes, sizeof bytes, 0);
    while (sent > 0);
    printf("send: %s\n", strerror(errno));
    do sent = write(ends[1], bytes, 1);
    while (sent > 0);
    printf("write: %s\n", strerror(errno));
}

static void receives(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)) return;
    limit(ends[0], SO_RCVTIMEO);
    long got = recv(ends[0], bytes, sizeof bytes, 0);
    printf("recv: %ld %s\n", got, strerror(errno));
    got = read(ends[0], bytes, sizeof bytes);
    printf("read: %ld %s\n", got, strerror(errno));
}

static int listens(struct sockaddr_in *address) {
    int server = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(server, (void *)address, length) || listen(server, 1)) perror("listen");
    getsockname(server, (void *)address, &length);
    return server;
}

static void accepts(void) {
    struct sockaddr_in address;
    int server = listens(&address);
    limit(server, SO_RCVTIMEO);
    int got = accept(server, NULL, NULL);
    printf("accept: %d %s\n", got, strerror(errno));
}

// What is left to send lingers as long as it may, then the close is over.
static void lingers(void) {
    struct sockaddr_in address;
    int server = listens(&address), client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (void *)&address, sizeof address)) perror("connect");
    struct linger linger = {1, 1};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    while (send(client, bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
    printf("close: %d\n", close(client));
    close(server);
}

// The queue has room for one: the first packet of the second client is sent again, until there is room.
static void crowded(void) {
    struct sockaddr_in address;
    int server = listens(&address), client;
    if (listen(server, 0)) perror("listen");
    for (int n = 0; n < 2; n++) {
        client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int got = connect(client, (void *)&address, sizeof address);
        printf("connect: %d %s\n", got, strerror(errno));
    }
    printf("accept: %s\n", accept(server, NULL, NULL) < 0 ? strerror(errno) : "a client");
    struct pollfd made = {.fd = client, .events = POLLOUT};
    printf("poll: %d\n", poll(&made, 1, -1));
    printf("accept: %s\n", accept(server, NULL, NULL) < 0 ? strerror(errno) : "a client");
}

// A client that says nothing is let in after a while.
static void deferred(void) {
    struct sockaddr_in address;
    int server = listens(&address), client = socket(AF_INET, SOCK_STREAM, 0), second = 1;
    setsockopt(server, IPPROTO_TCP, TCP_DEFER_ACCEPT, &second, sizeof second);
    if (connect(client, (void *)&address, sizeof address)) perror("connect");
    printf("accept: %s\n", accept(server, NULL, NULL) < 0 ? strerror(errno) : "a client");
}

static struct timespec in(clockid_t clock, long milliseconds) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += milliseconds * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static void several_futexes(void) {
    static uint32_t words[2];
    struct futex_waitv waits[2] = {
        {.uaddr = (uintptr_t)&words[0], .flags = FUTEX_32},
        {.uaddr = (uintptr_t)&words[1], .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG},
    };
    for (int clock = CLOCK_REALTIME; clock <= CLOCK_MONOTONIC; clock++) {
        struct timespec end = in(clock, 80);
        long got = syscall(SYS_futex_waitv, waits, 2, 0, &end, clock);
        printf("futex_waitv: %ld %s\n", got, strerror(errno));
    }
}

// A read of a terminal in non-canonical mode with VMIN 0 ends after VTIME.
static void terminal(void) {
    int master, slave;
    if (openpty(&master, &slave, NULL, NULL, NULL)) return;
    struct termios mode;
    tcgetattr(slave, &mode);
    cfmakeraw(&mode);
    mode.c_cc[VMIN] = 0;
    mode.c_cc[VTIME] = 2;
    tcsetattr(slave, TCSANOW, &mode);
    printf("terminal: %zd\n", read(slave, bytes, 1));
    if (write(master, "x", 1) != 1) perror("write");
    printf("terminal: %zd\n", read(slave, bytes, 9));
}

static void semaphores(void) {
    int set = semget(IPC_PRIVATE, 1, 0600);
    struct sembuf down = {0, -1, 0};
    struct timespec time = {0, 100000000};
    int got = semtimedop(set, &down, 1, &time);
    printf("semtimedop: %d %s\n", got, strerror(errno));
    semctl(set, 0, IPC_RMID);
}

static void queues(void) {
    char name[32];
    snprintf(name, sizeof name, "/waits-%d", getpid());
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
    mq_unlink(name);
    struct timespec end = in(CLOCK_REALTIME, 60);
    long got = mq_timedreceive(queue, bytes, 8, NULL, &end);
    printf("mq_timedreceive: %ld %s\n", got, strerror(errno));
    if (mq_send(queue, "full", 4, 0)) perror("mq_send");
    end = in(CLOCK_REALTIME, 60);
    got = mq_timedsend(queue, "late", 4, 0, &end);
    printf("mq_timedsend: %ld %s\n", got, strerror(errno));
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*does)(void);
    } all[] = {
        {"sends", sends}, {"receives", receives}, {"accepts", accepts}, {"lingers", lingers},
        {"crowded", crowded}, {"deferred", deferred},
        {"futexes", several_futexes}, {"terminal", terminal}, {"semaphores", semaphores}, {"queues", queues},
    };
    setvbuf(stdout, NULL, _IONBF, 0);
    for (size_t n = 0; argc > 1 && n < sizeof all / sizeof *all; n++)
        if (!strcmp(argv[1], all[n].name)) all[n].does();
    return 0;
}
