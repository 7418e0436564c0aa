/* Looks once a second whether its child has ended, which waits for a signal. */
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    pid_t child = fork();

    if (child == 0) {
        pause();
        _exit(0);
    }
    while (waitpid(child, NULL, WNOHANG) == 0)
        sleep(1);
    return 0;
}
