// A signal from outside, a child's end and a sleep that time ends: what the handlers saw is printed.
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stage, told = -1, seen = -1;

static void on_signal(int signal) {
    if (signal == SIGCHLD) seen = stage;
    else told = stage;
}

int main(void) {
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    char text[32];
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGCHLD, &action, NULL) == -1 || sigaction(SIGUSR1, &action, NULL) == -1) return 100;
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    stage = 1;
    getpid();
    stage = 2;
    usleep(1000);
    stage = 3;
    while (waitpid(pid, NULL, 0) == -1) continue;
    stage = 4;
    int length = snprintf(text, sizeof text, "%d %d\n", (int)told, (int)seen);
    return write(STDOUT_FILENO, text, length) == length ? 0 : 100;
}
