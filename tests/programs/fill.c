/* How much a TCP connection takes until it is full, again and again, while it is read from: by this process, or by a child. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char bytes[4096];

static long must(long result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

/* How many bytes are sent until there is no more room. */
static long fill(int fd)
{
    long all = 0, sent;
    while ((sent = send(fd, bytes, sizeof bytes, 0)) > 0)
        all += sent;
    must(errno == EAGAIN ? 0 : -1, "send");
    return all;
}

static long take(int fd, long at_most)
{
    long all = 0, got;
    while (all < at_most && (got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        all += got;
    return all;
}

int main(int argc, char **argv)
{
    (void)argv;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof to;
    int server = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(bind(server, (struct sockaddr *)&to, size), "bind");
    must(listen(server, 5), "listen");
    must(getsockname(server, (struct sockaddr *)&to, &size), "getsockname");
    int from = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(connect(from, (struct sockaddr *)&to, size), "connect");
    int at = must(accept(server, NULL, NULL), "accept");
    must(fcntl(from, F_SETFL, O_NONBLOCK), "fcntl");
    long sent = 0;

    if (argc > 1) {
        pid_t child = must(fork(), "fork");
        if (child == 0) {
            close(from);
            printf("read %ld\n", take(at, 1L << 40));
            return 0;
        }
        close(at);
        for (int round = 0; round < 4; round++) {
            struct pollfd ready = {from, POLLOUT, 0};
            sent += fill(from);
            printf("after %ld, ", sent);
            must(poll(&ready, 1, -1), "poll");
        }
        printf("sent %ld\n", sent);
        fflush(stdout);
        close(from);
        must(waitpid(child, NULL, 0), "waitpid");
        return 0;
    }
    must(fcntl(at, F_SETFL, O_NONBLOCK), "fcntl");
    for (int round = 0; round < 4; round++) {
        long now = fill(from);
        sent += now;
        printf("%ld, read %ld\n", now, take(at, now / 2));
    }
    return 0;
}
