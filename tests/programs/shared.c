// Two processes and shared memory: each reads a number, makes a call that does nothing, and writes one more.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    volatile int *number = mmap(NULL, sizeof *number, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (number == MAP_FAILED) return 100;
    pid_t pid = fork();
    for (int n = 0; n < 2; n++) {
        int read = *number;
        getppid();
        *number = read + 1;
        getppid();
    }
    if (pid == 0) _exit(0);
    while (waitpid(pid, NULL, 0) == -1) continue;
    return *number;
}
