/*
 * Carries out a script of a client, given as pairs of arguments: `connect tcp:8080`, `send TEXT`, `expect TEXT`, `wait-eof ""`,
 * `receive ""`, `drain ""`, `close ""`. What it is sent it writes to its standard output.
 *
 * It ends with 0 when every line is done. What cannot be done ends it, with the exit code that curl(1) has for it:
 * 7 there is nobody to connect to, 52 the connection was closed before what is expected has come, 55 it could not be sent,
 * 56 the connection was reset. A script that makes no sense ends with 2.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REFUSED = 7, CLOSED = 52, UNSENT = 55, RESET = 56, SENSELESS = 2 };

static int connection = -1;
/* What has come and no line has waited for yet. */
static char *come;
static size_t length;

static void use(const struct sockaddr *address, socklen_t size)
{
    connection = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, address, size) < 0)
        _exit(REFUSED);
    length = 0;
}

static void connect_to(const char *address)
{
    if (strncmp(address, "tcp:", 4) == 0) {
        struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(address + 4))};
        tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        use((struct sockaddr *)&tcp, sizeof tcp);
    } else if (strncmp(address, "unix:", 5) == 0 && strlen(address + 5) < sizeof((struct sockaddr_un *)0)->sun_path) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        strcpy(name.sun_path, address + 5);
        /* An abstract one, without a file (unix(7)). */
        if (name.sun_path[0] == '@')
            name.sun_path[0] = '\0';
        use((struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address + 5)));
    } else {
        _exit(SENSELESS);
    }
}

static void write_all(int descriptor, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t sent = descriptor == connection ? send(descriptor, text, size, MSG_NOSIGNAL) : write(descriptor, text, size);
        if (sent < 0)
            _exit(UNSENT);
        text += sent;
        size -= (size_t)sent;
    }
}

/* Takes what comes next; false at the end. */
static int more(void)
{
    char piece[4096];
    ssize_t got = recv(connection, piece, sizeof piece, 0);
    if (got < 0)
        _exit(RESET);
    write_all(STDOUT_FILENO, piece, (size_t)got);
    come = realloc(come, length + (size_t)got + 1);
    if (come == NULL)
        _exit(SENSELESS);
    memcpy(come + length, piece, (size_t)got);
    length += (size_t)got;
    return got > 0;
}

static void expect(const char *text)
{
    for (;;) {
        char *found = length > 0 ? memmem(come, length, text, strlen(text)) : NULL;
        if (found != NULL) {
            char *rest = found + strlen(text);
            length -= (size_t)(rest - come);
            memmove(come, rest, length);
            return;
        }
        if (!more())
            _exit(CLOSED);
    }
}

/* Takes what comes within a second; false if nothing does, or at the end. */
static int soon(void)
{
    struct pollfd comes = {.fd = connection, .events = POLLIN};
    return poll(&comes, 1, 1000) > 0 && more();
}

int main(int argc, char **argv)
{
    for (int n = 1; n + 1 < argc; n += 2) {
        const char *line = argv[n], *text = argv[n + 1];
        if (strcmp(line, "connect") == 0)
            connect_to(text);
        else if (strcmp(line, "send") == 0)
            write_all(connection, text, strlen(text));
        else if (strcmp(line, "expect") == 0)
            expect(text);
        else if (strcmp(line, "wait-eof") == 0)
            while (more())
                ;
        else if (strcmp(line, "drain") == 0)
            while (soon())
                ;
        else if (strcmp(line, "receive") == 0)
            soon();
        else if (strcmp(line, "close") == 0)
            close(connection);
        else
            return SENSELESS;
    }
    return 0;
}
