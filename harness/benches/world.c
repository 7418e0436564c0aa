/* What a run may do with its network and its files: the first argument says what. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many connections, which the client ends first: each leaves a socket in TIME_WAIT. */
static int connections(int count)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof to;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    char byte = 'x';

    if (bind(server, (struct sockaddr *)&to, size) || listen(server, 5) ||
        getsockname(server, (struct sockaddr *)&to, &size))
        return 1;
    while (count-- > 0) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)&to, size))
            return 1;
        int accepted = accept(server, NULL, NULL);
        if (write(client, &byte, 1) != 1 || read(accepted, &byte, 1) != 1)
            return 1;
        close(client);
        if (read(accepted, &byte, 1) != 0)
            return 1;
        close(accepted);
    }
    close(server);
    return 0;
}

/* A file that is removed again, after a look at its number, or without one. */
static int file(int looks)
{
    char name[] = "world-XXXXXX";
    struct stat is;
    int fd = open(name, O_RDWR | O_CREAT, 0600);

    return fd < 0 || write(fd, name, sizeof name) < 0 || (looks && fstat(fd, &is)) || close(fd) || unlink(name);
}

/* A file that stays. */
static int left(void)
{
    int fd = open("world-left", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    return fd < 0 || write(fd, "left", 4) < 0 || close(fd);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "nothing";

    if (strcmp(what, "file") == 0 || strcmp(what, "seen") == 0)
        return file(strcmp(what, "seen") == 0);
    if (strcmp(what, "left") == 0)
        return left();
    return connections(strcmp(what, "connection") == 0 ? 1 : strcmp(what, "connections") == 0 ? 8 : 0);
}
