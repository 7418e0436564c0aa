/* A child answers later on, and its parent, which catches SIGUSR1, gives up what a signal interrupts: `gives_up error` takes EINTR for an
 * error, `gives_up end` for the end of the file. With `again` as a second word it reads again, as it should. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_sigusr1(int signal)
{
    (void)signal;
}

static ssize_t answer(int from, char *buffer, size_t size, int again)
{
    ssize_t got;
    do
        got = read(from, buffer, size);
    while (got == -1 && errno == EINTR && again);
    return got;
}

int main(int count, char **words)
{
    struct sigaction action = { .sa_handler = on_sigusr1 };
    int ends[2], again = count > 2, fails = count > 1 && !strcmp(words[1], "error");
    char buffer[16];
    ssize_t got;

    if (pipe(ends) == -1 || sigaction(SIGUSR1, &action, NULL) == -1)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGUSR1, SIG_IGN);
        close(ends[0]);
        for (int line = 0; line < 3; line++) {
            sleep(1);
            if (write(ends[1], "line\n", 5) != 5)
                _exit(3);
        }
        _exit(0);
    }
    close(ends[1]);
    int failed = 0;
    while ((got = answer(ends[0], buffer, sizeof buffer, again)) > 0)
        if (write(1, buffer, (size_t)got) != got)
            return 4;
    failed = fails && got == -1;
    close(ends[0]);
    if (got == -1)
        kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) == -1 && errno == EINTR)
        continue;
    return failed;
}
