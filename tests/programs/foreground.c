/*
 * A child takes the terminal's foreground from its parent.
 *
 *   foreground ended    the child ends with it; the parent sleeps for ever
 *   foreground taken    the child waits for what is typed; so does the parent, for the child
 *   foreground given    the child ends, and the parent takes the foreground back before it waits for what is typed
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

int main(int count, char **words)
{
    const char *how = count > 1 ? words[1] : "";
    char key;
    pid_t child;

    signal(SIGTTOU, SIG_IGN);
    child = fork();
    if (child == 0) {
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        return strcmp(how, "taken") == 0 ? (int)read(0, &key, 1) : 0;
    }
    waitpid(child, NULL, 0);
    if (strcmp(how, "given") == 0) {
        tcsetpgrp(0, getpgrp());
        return (int)read(0, &key, 1);
    }
    for (;;)
        pause();
}
