// A server and those who ask it. It takes a request, and then, if its word is "stuck", waits for a byte that nobody writes. Who
// asks waits for the answer and for the end of who reads its own output, as nc(1) does; with "on", it looks again every second.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address = {.sin_family = AF_INET};

static int serve(int stuck)
{
    int server = socket(AF_INET, SOCK_STREAM, 0), ends[2];
    char byte;
    if (bind(server, (void *)&address, sizeof address) != 0 || listen(server, 5) != 0 || pipe(ends) != 0)
        return 2;
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (read(client, &byte, 1) != 1 || (stuck && read(ends[0], &byte, 1) != 1) || write(client, "y", 1) != 1)
            return 3;
        close(client);
    }
}

static int ask(int on)
{
    struct pollfd ends[2] = {{.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN}, {.fd = 1}};
    char byte;
    if (connect(ends[0].fd, (void *)&address, sizeof address) != 0 || write(ends[0].fd, "x", 1) != 1)
        return 2;
    while (poll(ends, 2, on ? 1000 : -1) == 0)
        continue;
    return read(ends[0].fd, &byte, 1) != 1;
}

int main(int argc, char **argv)
{
    address.sin_port = htons(8080);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (argc > 1 && strcmp(argv[1], "ask") == 0)
        return ask(argc > 2);
    return serve(argc > 1);
}
