/* What a program finds of its network: which ports it is given, and what is left of earlier connections. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3 */
#endif

static union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} to;

static socklen_t loopback(int family, int port)
{
    memset(&to, 0, sizeof to);
    to.any.sa_family = family;
    to.four.sin_port = htons(port); /* in both at the same place */
    if (family == AF_INET)
        to.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        to.six.sin6_addr = in6addr_loopback;
    return family == AF_INET ? sizeof to.four : sizeof to.six;
}

static int port(int fd)
{
    union address own;
    socklen_t size = sizeof own;
    return getsockname(fd, &own.any, &size) ? -1 : ntohs(own.four.sin_port);
}

static int must(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static void ports(int family)
{
    /* The second port that would be chosen is asked for. */
    int asked = must(socket(family, SOCK_STREAM, 0), "socket");
    must(bind(asked, &to.any, loopback(family, 32769)), "bind");

    int server = must(socket(family, SOCK_STREAM, 0), "socket");
    must(bind(server, &to.any, loopback(family, 0)), "bind");
    must(listen(server, 5), "listen");
    printf("bind %d", port(server));
    for (int i = 0; i < 2; i++) {
        int client = must(socket(family, SOCK_STREAM, 0), "socket");
        must(connect(client, &to.any, loopback(family, port(server))), "connect");
        printf(", connect %d", port(client));
    }
    int unnamed = must(socket(family, SOCK_STREAM, 0), "socket");
    must(listen(unnamed, 5), "listen");
    printf(", listen %d", port(unnamed));

    /* Nobody is there, so a socket with the same port would be connected to itself. */
    int alone = must(socket(family, SOCK_STREAM, 0), "socket");
    int refused = connect(alone, &to.any, loopback(family, port(unnamed) + 1));
    printf(", %s\n", refused < 0 ? strerror(errno) : "connected to itself");

    int first = must(socket(family, SOCK_DGRAM, 0), "socket");
    must(sendto(first, "x", 1, 0, &to.any, loopback(family, 9)), "sendto");
    int second = must(socket(family, SOCK_DGRAM, 0), "socket");
    loopback(family, 9);
    struct iovec data = {"x", 1};
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &data, .msg_iovlen = 1};
    must(sendmsg(second, &message, 0), "sendmsg");
    int third = must(socket(family, SOCK_DGRAM, 0), "socket");
    must(connect(third, &to.any, loopback(family, 9)), "connect");
    printf("sendto %d, sendmsg %d, connect %d\n", port(first), port(second), port(third));

    int narrow = must(socket(family, SOCK_STREAM, 0), "socket");
    unsigned range = 40000 | 40010u << 16;
    if (setsockopt(narrow, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range) == 0) {
        must(bind(narrow, &to.any, loopback(family, 0)), "bind");
        int got = port(narrow);
        printf("of ten: %s\n", got >= 40000 && got <= 40010 ? "one of them" : "another");
    }
}

/* Unix sockets that leave their name to the kernel. */
static void names(void)
{
    for (int i = 0; i < 2; i++) {
        struct sockaddr_un own = {.sun_family = AF_UNIX};
        int fd = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
        must(bind(fd, (struct sockaddr *)&own, sizeof own.sun_family), "bind");
        socklen_t size = sizeof own;
        must(getsockname(fd, (struct sockaddr *)&own, &size), "getsockname");
        printf("%s %.*s", i ? "," : "names", (int)size - 3, own.sun_path + 1);
        must(bind(fd, (struct sockaddr *)&own, sizeof own.sun_family), "bind again");
    }
    putchar('\n');
}

/* A server's life with one client, which it sends away. */
static void serve(void)
{
    int server = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(bind(server, &to.any, loopback(AF_INET, 7007)), "bind");
    must(listen(server, 5), "listen");
    int client = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(connect(client, &to.any, loopback(AF_INET, 7007)), "connect");
    int accepted = must(accept(server, NULL, NULL), "accept");
    close(accepted);
    close(client);
    close(server);
    puts("served");
    fflush(stdout);
}

static void copy(const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        fputs(line, stdout);
    if (file)
        fclose(file);
}

/* One connection, whose first end to be closed is the client's or the other. The server may be of IPv6 and its client not. */
static void connection(int server_family, int client_family, int server_port, int client_first)
{
    int server = must(socket(server_family, SOCK_STREAM, 0), "socket");
    socklen_t size = loopback(server_family, server_port);
    if (server_family != client_family)
        to.six.sin6_addr = in6addr_any;
    must(bind(server, &to.any, size), "bind");
    must(listen(server, 5), "listen");
    int client = must(socket(client_family, SOCK_STREAM, 0), "socket");
    must(connect(client, &to.any, loopback(client_family, port(server))), "connect");
    printf("to %d from %d\n", port(server), port(client));
    int accepted = must(accept(server, NULL, NULL), "accept");
    int ends[] = {client_first ? client : accepted, client_first ? accepted : client};
    char byte;
    close(ends[0]);
    must(read(ends[1], &byte, 1), "read");
    close(ends[1]);
    close(server);
}

/* So many connections, of several kinds, where nothing is to be left of any made before. */
static void connections(int count)
{
    char network[64] = "";
    must(readlink("/proc/self/ns/net", network, sizeof network - 1), "readlink");
    puts(network);
    copy("/proc/net/tcp");
    copy("/proc/net/tcp6");
    for (int i = 0; i < count; i++) {
        connection(AF_INET, AF_INET, i ? 0 : 7010, 1);
        connection(AF_INET, AF_INET, i ? 0 : 7011, 0);
        connection(AF_INET6, AF_INET6, i ? 0 : 7012, 1);
        connection(AF_INET6, AF_INET, i ? 0 : 7013, 0);
    }
}

/* A connection that is looked for in vain by its addresses, because it is one of an interface as well; or one by which data is
   sent with its first packet. */
static void special(int is_fast)
{

    int server = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(bind(server, &to.any, loopback(AF_INET, 7014)), "bind");
    must(listen(server, 5), "listen");
    int client = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    if (is_fast) {
        must(sendto(client, "x", 1, MSG_FASTOPEN, &to.any, loopback(AF_INET, 7014)), "sendto");
    } else {
        must(setsockopt(client, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), "setsockopt");
        must(connect(client, &to.any, loopback(AF_INET, 7014)), "connect");
        must(send(client, "x", 1, 0), "send");
    }
    int accepted = must(accept(server, NULL, NULL), "accept");
    char byte;
    must(read(accepted, &byte, 1), "read");
    close(is_fast ? accepted : client);
    must(read(is_fast ? client : accepted, &byte, 1), "read");
    close(is_fast ? client : accepted);
    close(server);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "connections") == 0) {
        connections(atoi(argv[2]));
        if (argc > 3)
            special(strcmp(argv[3], "fast") == 0);
        return 0;
    }
    if (argc > 1) {
        for (int i = 0; i < atoi(argv[1]); i++) {
            serve();
            if (argc > 2)
                sleep(atoi(argv[2]));
        }
        return 0;
    }
    ports(AF_INET);
    ports(AF_INET6);
    names();
    copy("/proc/sys/net/ipv4/ip_local_port_range");
    return 0;
}
