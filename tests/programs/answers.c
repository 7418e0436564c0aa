/*
 * A server on tcp:8080 that ends when it is sent SIGTERM. Argument: tests (it looks at its flag and then waits in accept, and a signal between
 * the two is noticed when the next client comes) or waits (SIGTERM is blocked but while it waits).
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void on_sigterm(int signal)
{
    (void)signal;
    asked = 1;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(8080) };
    struct sigaction action = { .sa_handler = on_sigterm };
    const int waits = argc > 1 && strcmp(argv[1], "waits") == 0;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sigset_t term, before;
    char request[64];

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (waits)
        sigprocmask(SIG_BLOCK, &term, NULL);
    sigprocmask(SIG_SETMASK, NULL, &before);
    sigdelset(&before, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    if (sigaction(SIGTERM, &action, NULL) == -1 || bind(listener, (struct sockaddr *)&address, sizeof address) == -1
        || listen(listener, 5) == -1)
        return 2;
    while (!asked) {
        struct pollfd ready = { .fd = listener, .events = POLLIN };
        int client;

        if (waits && ppoll(&ready, 1, NULL, &before) == -1)
            continue;
        if ((client = accept(listener, NULL, NULL)) == -1)
            continue;
        if (read(client, request, sizeof request) > 0)
            write(client, "hello\n", 6);
        close(client);
    }
    return puts("bye") == EOF;
}
