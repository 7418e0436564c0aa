// A child that makes a child and wakes its parent on the way: when it sleeps, others can run besides the one held back.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int ends[2];
    char got[3] = { 0 };
    if (pipe(ends) == -1) return 100;
    pid_t pid = fork();
    if (pid == 0) {
        pid_t inner = fork();
        if (inner == 0) _exit(write(ends[1], "c", 1) != 1);
        if (write(ends[1], "b", 1) != 1) _exit(1);
        while (waitpid(inner, NULL, 0) == -1) continue;
        _exit(0);
    }
    if (write(ends[1], "a", 1) != 1) return 100;
    getpid();
    for (int n = 0; n < 3; n++)
        if (read(ends[0], got + n, 1) != 1) return 100;
    while (waitpid(pid, NULL, 0) == -1) continue;
    return write(STDOUT_FILENO, got, 3) == 3 ? 0 : 100;
}
