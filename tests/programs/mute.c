/*
 * Listens at a Unix socket of this name and takes clients, whom it never tells anything. Told to stop, it ends.
 */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct pollfd ready[2] = {{.events = POLLIN}, {.events = POLLIN}};
    sigset_t term;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    ready[0].fd = signalfd(-1, &term, 0);
    strcpy(address.sun_path + 1, "mute");
    ready[1].fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(ready[1].fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 5) < 0 || listen(ready[1].fd, 8) < 0)
        return 2;
    while (poll(ready, 2, -1) > 0 && ready[0].revents == 0)
        accept(ready[1].fd, NULL, NULL);
    return 0;
}
