/* Loops that make the same calls again and again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 300

static volatile sig_atomic_t ended;

static void on_sigchld(int signal)
{
    (void)signal;
    ended = 1;
}

/* A pipe that has so many bytes in it, and an end. */
static int filled(int bytes)
{
    char text[TIMES];
    int ends[2];

    memset(text, 'x', sizeof text);
    if (pipe(ends) == -1 || write(ends[1], text, bytes) != bytes)
        exit(2);
    close(ends[1]);
    return ends[0];
}

/* Reads all of it, byte by byte. True if a child had ended when the byte of this number had been read, and not before. */
static int ended_at(int from, int wanted)
{
    int seen = 0, bytes = 0;
    char byte;

    while (read(from, &byte, 1) == 1)
        if (++bytes == wanted)
            seen = ended;
        else if (bytes < wanted && ended)
            ended = 0;
    return seen;
}

int main(int count, char **words)
{
    const char *what = count > 1 ? words[1] : "";
    char byte;

    /* A child that could run instead, all the time. */
    if (count > 2 && strcmp(words[2], "beside") == 0 && fork() == 0)
        _exit(0);

    if (strcmp(what, "ends") == 0 && count > 2) {
        /* BROKEN: a child that ends while the byte of this number is read is taken for a failure. */
        int from = filled(TIMES), wrong;

        signal(SIGCHLD, on_sigchld);
        if (fork() == 0)
            _exit(0);
        wrong = ended_at(from, atoi(words[2]));
        while (wait(NULL) == -1 && errno == EINTR)
            ;
        return wrong;
    }
    if (strcmp(what, "copy") == 0) {
        int from = filled(100), to = open("/dev/null", O_WRONLY);

        while (read(from, &byte, 1) == 1)
            write(to, &byte, 1);
        return 0;
    }
    if (strcmp(what, "apart") == 0) {
        /* The same call in two loops, and some bytes at a time in the second. */
        int from = filled(120);
        char bytes[3];

        for (int time = 0; time < 30; time++)
            read(from, &byte, 1);
        for (int time = 0; time < 20; time++)
            read(from, bytes, 3);
        for (int time = 0; time < 40; time++)
            read(from, &byte, 1); /* 30 bytes are left, and then nothing */
        return 0;
    }
    return 2;
}
