// Children by vfork and posix_spawn, good and bad.
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void wait_for(const char *what, pid_t pid) {
    int status = 0;
    pid_t got = waitpid(pid, &status, 0);
    printf("%s: %d, exited %d with %d, signal %d\n", what, got == pid, WIFEXITED(status),
           WEXITSTATUS(status), WTERMSIG(status));
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    static volatile int shared;
    pid_t pid = vfork();
    if (pid == 0) {
        shared = 42;
        _exit(5);
    }
    printf("shared %d\n", shared);
    wait_for("vfork and exit", pid);

    pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "echo in the shell; exit 6", NULL);
        _exit(127);
    }
    wait_for("vfork and exec", pid);

    pid = vfork();
    if (pid == 0) {
        execl("/no/such/file", "x", NULL);
        shared = errno;
        _exit(127);
    }
    printf("errno %d\n", shared);
    wait_for("vfork and failed exec", pid);

    for (int n = 0; n < 3; n++) {
        char script[64];
        snprintf(script, sizeof script, "echo spawned %d; kill -%d $$; exit %d", n, n ? 0 : SIGUSR1, n);
        char *argv[] = {"sh", "-c", script, NULL};
        int error = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
        wait_for("posix_spawn", pid);
        printf("error %d\n", error);
    }
    char *argv[] = {"x", NULL};
    printf("posix_spawn of nothing: %s\n", strerror(posix_spawn(&pid, "/no/such", NULL, NULL, argv, environ)));
    printf("system: %d\n", system("exit 3") >> 8);
    FILE *pipe = popen("echo from popen", "r");
    char line[64] = "";
    if (!pipe || !fgets(line, sizeof line, pipe)) return 1;
    printf("%s%d\n", line, pclose(pipe));
    printf("nobody left: %d %d\n", wait(NULL), errno == ECHILD);
    return 0;
}
