// What sigaction(2), sigprocmask(2), sigpending(2), sigsuspend(2), raise(3) and signal(2) promise.
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t calls, depth, deepest, order[16], blocked_inside, on_stack;
static char *stack;

static void count(int signal)
{
    order[calls % 16] = signal;
    calls++;
}

static void nest(int signal)
{
    calls++;
    if (++depth > deepest)
        deepest = depth;
    if (calls < 4)
        raise(signal);
    depth--;
}

static void look(int signal)
{
    sigset_t mask;
    char here;
    (void)signal;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    blocked_inside = sigismember(&mask, SIGUSR1) + 2 * sigismember(&mask, SIGUSR2);
    on_stack = &here >= stack && &here < stack + SIGSTKSZ;
    calls++;
}

static int install(int signal, void (*handler)(int), int flags, int also)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    if (also)
        sigaddset(&action.sa_mask, also);
    calls = deepest = 0;
    return sigaction(signal, &action, NULL);
}

static int pending(int signal)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signal);
}

int main(void)
{
    struct sigaction old;
    sigset_t set, none, before;
    sigemptyset(&none);

    // Nothing of these depends on signals that come: errors and what is read back.
    int refused[] = {SIGKILL, SIGSTOP, 0, 65};
    for (int n = 0; n < 4; n++) {
        int result = install(refused[n], count, 0, 0);
        printf("sigaction of %d: %d %d\n", refused[n], result, errno == EINVAL);
    }
    install(SIGUSR1, count, SA_RESTART | SA_NODEFER, SIGUSR2);
    sigaction(SIGUSR1, NULL, &old);
    printf("read back %d %d %d\n", old.sa_handler == count, !!(old.sa_flags & SA_NODEFER),
           sigismember(&old.sa_mask, SIGUSR2));
    int result = sigprocmask(99, &none, NULL);
    printf("how %d %d\n", result, errno == EINVAL);

    install(SIGUSR1, count, SA_RESETHAND, 0);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &old);
    printf("SA_RESETHAND: %d call, default after %d\n", calls, old.sa_handler == SIG_DFL);

    install(SIGUSR1, nest, SA_NODEFER, 0);
    raise(SIGUSR1);
    printf("SA_NODEFER: %d calls, %d deep\n", calls, deepest);
    install(SIGUSR1, nest, 0, 0);
    raise(SIGUSR1);
    printf("deferred: %d calls, %d deep\n", calls, deepest);

    stack = malloc(SIGSTKSZ);
    stack_t alternate = {.ss_sp = stack, .ss_size = SIGSTKSZ};
    printf("sigaltstack %d\n", sigaltstack(&alternate, NULL));
    install(SIGUSR1, look, SA_ONSTACK, SIGUSR2);
    raise(SIGUSR1);
    printf("SA_ONSTACK %d, blocked in the handler %d\n", on_stack, blocked_inside);
    install(SIGUSR1, look, 0, 0);
    raise(SIGUSR1);
    printf("own stack %d, blocked in the handler %d\n", !on_stack, blocked_inside);

    // A standard signal is pending once; one that is ignored is not pending at all.
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &before);
    install(SIGUSR1, count, 0, 0);
    for (int n = 0; n < 3; n++)
        raise(SIGUSR1);
    printf("blocked: %d calls, pending %d\n", calls, pending(SIGUSR1));
    sigprocmask(SIG_SETMASK, &before, NULL);
    printf("unblocked: %d calls, pending %d\n", calls, pending(SIGUSR1));
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    printf("ignored while pending: %d\n", pending(SIGUSR1));
    raise(SIGUSR1);
    signal(SIGUSR1, count);
    printf("raised while ignored: %d\n", pending(SIGUSR1));

    // sigsuspend ends by a signal that its mask lets through, and puts the mask back.
    raise(SIGUSR2);
    install(SIGUSR2, count, 0, 0);
    raise(SIGUSR1);
    sigdelset(&set, SIGUSR1);
    result = sigsuspend(&set);
    printf("sigsuspend %d %d: %d calls, signal %d, SIGUSR2 pending %d\n", result, errno == EINTR, calls, order[0],
           pending(SIGUSR2));
    sigprocmask(SIG_BLOCK, NULL, &set);
    printf("mask after it: %d %d\n", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));

    // The lower number first; every one of a real-time signal, in order.
    for (int signal = SIGRTMIN; signal <= SIGRTMIN + 2; signal++) {
        install(signal, count, 0, 0);
        sigaddset(&set, signal);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    int sent[] = {2, 0, 1, 0, 2};
    for (int n = 0; n < 5; n++)
        raise(SIGRTMIN + sent[n]);
    calls = 0;
    sigprocmask(SIG_SETMASK, &none, NULL);
    printf("real-time signals:");
    for (int n = 0; n < calls; n++)
        printf(" %d", order[n]);
    printf("\nold %d\n", signal(SIGUSR2, SIG_DFL) == count);
    fflush(stdout);
    raise(SIGUSR2);
    return 1;
}
