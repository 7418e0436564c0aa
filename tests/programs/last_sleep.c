// Programs that end up asleep for good: what could still end the sleep tells a hang from a wait for the outside.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void nothing(int signal) { (void)signal; }

static void awaits(int signal) {
    sigset_t blocked, open;
    sigemptyset(&blocked);
    sigaddset(&blocked, signal);
    sigprocmask(SIG_BLOCK, &blocked, &open);
    sigaction(signal, &(struct sigaction){.sa_handler = nothing}, NULL);
    for (;;) sigsuspend(&open);
}

static void by_itself(int fd) {
    fcntl(fd, F_SETOWN, getpid());
    fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
    awaits(SIGIO);
}

static int datagrams(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (void *)&address, sizeof address)) perror("bind");
    return fd;
}

static void signals_of_socket(void) { by_itself(datagrams()); }

static void signals_of_pipe(void) {
    int ends[2];
    if (!pipe(ends)) by_itself(ends[0]);
}

// Two sockets that are connected to each other, with nobody else to accept.
static int connection(int kind) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int server = socket(AF_INET, kind, 0), client = socket(AF_INET, kind, 0);
    if (bind(server, (void *)&address, length) || (kind == SOCK_STREAM && listen(server, 1))) perror("bind");
    getsockname(server, (void *)&address, &length);
    if (connect(client, (void *)&address, length)) perror("connect");
    return client;
}

static void reads_from(int fd) {
    char byte;
    if (read(fd, &byte, 1) < 0) perror("read");
}

static void reads_connection(void) { reads_from(connection(SOCK_STREAM)); }

static void reads_datagrams(void) { reads_from(connection(SOCK_DGRAM)); }

// Its peer has no room any more.
static void fills(int flags) {
    static char bytes[1 << 16];
    int fd = connection(SOCK_STREAM);
    while (send(fd, bytes, sizeof bytes, flags) > 0) continue;
    struct pollfd end = {.fd = fd, .events = POLLOUT};
    poll(&end, 1, -1);
}

static void fills_asleep(void) { fills(0); }

static void fills_polling(void) { fills(MSG_DONTWAIT); }

static void clients(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (listen(fd, 1) || accept(fd, NULL, NULL) < 0) perror("accept");
}

// Whoever opens the file breaks the lease, and the kernel tells.
static void lease(void) {
    int fd = open("leased", O_CREAT | O_RDONLY, 0600);
    if (fcntl(fd, F_SETLEASE, F_RDLCK)) perror("F_SETLEASE");
    awaits(SIGIO);
}

static void directory(void) {
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    if (fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT)) perror("F_NOTIFY");
    awaits(SIGIO);
}

// The kernel writes to the eventfd when the socket has something to read.
static void request(void) {
    aio_context_t context = 0;
    int done = eventfd(0, 0);
    struct iocb poll = {.aio_fildes = datagrams(), .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN,
                        .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = done};
    struct iocb *all[] = {&poll};
    if (syscall(SYS_io_setup, 1, &context) || syscall(SYS_io_submit, context, 1, all) != 1) perror("io_submit");
    uint64_t count;
    if (read(done, &count, sizeof count) < 0) perror("read");
}

// Nobody sends anything through a standard output.
static void own_output(void) {
    struct pollfd end = {.fd = 1};
    poll(&end, 1, -1);
}

static int ends[2];

static void *reads(void *data) {
    char byte;
    if (read(ends[0], &byte, 1) < 0) perror("read");
    return data;
}

// The first thread has ended, its process has not.
static void second_thread(void) {
    pthread_t thread;
    if (pipe(ends)) return;
    pthread_create(&thread, NULL, reads, NULL);
    pthread_exit(NULL);
}

static void *polls(void *data) {
    struct pollfd end = {.fd = datagrams(), .events = POLLIN};
    poll(&end, 1, -1);
    return data;
}

static void second_thread_outside(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, polls, NULL);
    pthread_exit(NULL);
}

static void event(void) {
    uint64_t count;
    if (read(eventfd(0, 0), &count, sizeof count) < 0) perror("read");
}

// A semaphore in memory that several processes have: of a file with a name, which anybody may open, or of none.
static void waits_at(void *memory) {
    sem_t *semaphore = memory;
    if (sem_init(semaphore, 1, 0) || sem_wait(semaphore)) perror("semaphore");
}

static void named_memory(void) {
    int fd = open("shared", O_CREAT | O_RDWR, 0600);
    if (ftruncate(fd, 4096)) perror("ftruncate");
    waits_at(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

static void nameless_memory(void) {
    waits_at(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*does)(void);
    } all[] = {
        {"socket signals", signals_of_socket}, {"pipe signals", signals_of_pipe}, {"lease", lease},
        {"connection", reads_connection}, {"full connection", fills_asleep}, {"clients", clients},
        {"full connection that is polled", fills_polling}, {"connected datagrams", reads_datagrams},
        {"directory", directory}, {"request", request}, {"own output", own_output}, {"event", event},
        {"second thread", second_thread}, {"second thread outside", second_thread_outside},
        {"named memory", named_memory}, {"nameless memory", nameless_memory},
    };
    for (size_t n = 0; argc > 1 && n < sizeof all / sizeof *all; n++)
        if (!strcmp(argv[1], all[n].name)) all[n].does();
    return 0;
}
