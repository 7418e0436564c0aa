/* Sleeps for a minute altogether, whatever signals come meanwhile. */
#include <signal.h>
#include <unistd.h>

static void wake(int signal)
{
    (void)signal;
}

int main(void)
{
    unsigned left = 60;

    signal(SIGTERM, wake);
    while (left > 0)
        left = sleep(left);
    return 0;
}
