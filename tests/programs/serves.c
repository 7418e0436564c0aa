// A server that looks at the time every second while it waits for clients.
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void)
{
    const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0serves" };
    const socklen_t size = offsetof(struct sockaddr_un, sun_path) + sizeof "\0serves" - 1;
    struct pollfd ready = { .fd = socket(AF_UNIX, SOCK_STREAM, 0), .events = POLLIN };

    if (bind(ready.fd, (const struct sockaddr *)&address, size) == -1 || listen(ready.fd, 8) == -1)
        return 2;
    for (;;) {
        if (poll(&ready, 1, 1000) == 1) {
            int client = accept(ready.fd, 0, 0);
            if (write(client, "hello\n", 6) != 6)
                return 2;
            close(client);
        }
    }
}
