/* Works for a moment without echo, and takes ^C for a wish to end; one that comes too early for its note is not heard of. */
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static struct termios found;
static volatile sig_atomic_t quiet;

static void on_sigint(int signal)
{
    (void)signal;
    if (quiet)
        tcsetattr(0, TCSANOW, &found);
    _exit(0);
}

int main(void)
{
    struct termios modes;

    tcgetattr(0, &found);
    signal(SIGINT, on_sigint);
    modes = found;
    modes.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(0, TCSANOW, &modes);
    (void)!write(1, "working\n", 8);
    quiet = 1;
    (void)!write(1, "done\n", 5);
    tcsetattr(0, TCSANOW, &found);
    return 0;
}
