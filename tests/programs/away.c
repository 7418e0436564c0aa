/* Catches two signals; takes the handler of one away for a moment, and that of the other for good. */
#include <signal.h>
#include <unistd.h>

static void handler(int signal)
{
    (void)signal;
}

int main(void)
{
    signal(SIGHUP, handler);
    signal(SIGTERM, handler);
    getppid();
    signal(SIGHUP, SIG_DFL);
    getppid();
    signal(SIGHUP, handler);
    signal(SIGTERM, SIG_DFL);
    getppid();
    return 0;
}
