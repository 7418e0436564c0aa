// Computes where SIGCONT is blocked, and then looks whether one is pending: in the main flow, or with -DHANDLER in a handler
// that blocks it meanwhile.
#include <signal.h>

static volatile sig_atomic_t seen;
static volatile unsigned sum;

static void note(int sig)
{
    (void)sig;
}

__attribute__((noinline)) static void work(void)
{
    for (unsigned i = 0; i < 5; i++)
        sum += i;
}

static void look(int sig)
{
    (void)sig;
    sigset_t pending;
    work();
    if (sigpending(&pending) != 0 || sigismember(&pending, SIGCONT))
        seen = 1;
}

int main(void)
{
    signal(SIGUSR1, note);
    sigset_t cont;
    sigemptyset(&cont);
    sigaddset(&cont, SIGCONT);
#ifdef HANDLER
    struct sigaction sa = {.sa_handler = look, .sa_mask = cont};
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR2);
#else
    sigprocmask(SIG_BLOCK, &cont, NULL);
    look(0);
#endif
    return seen;
}
