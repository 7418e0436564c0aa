/*
 * Connects to the Unix socket of `mute.c`, and looks once a second whether it is told something.
 */
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct pollfd told = {.events = POLLIN};

    strcpy(address.sun_path + 1, "mute");
    told.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(told.fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 5) < 0)
        return 7;
    while (poll(&told, 1, 1000) == 0)
        ;
    return 0;
}
