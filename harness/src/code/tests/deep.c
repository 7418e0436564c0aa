#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

volatile int sum;
unsigned long kept[6];

static void on_signal(int signal)
{
    char byte;
    /* What a thread in a system call does not tell: the registers that its callers have. */
    __asm__ volatile("movq %%rbx, %0\n\tmovq %%rbp, %1\n\tmovq %%r12, %2\n\tmovq %%r13, %3\n\tmovq %%r14, %4\n\tmovq %%r15, %5"
                     : "=m"(kept[0]), "=m"(kept[1]), "=m"(kept[2]), "=m"(kept[3]), "=m"(kept[4]), "=m"(kept[5]));
    sum += read(0, &byte, 1) + signal;
    _exit(0);
}

__attribute__((noinline)) static int innermost(int *numbers, int count)
{
    for (int i = 0; i < count; i++)
        numbers[i] += sum;
    __asm__ volatile("ud2");
    return numbers[0];
}

static inline __attribute__((always_inline)) int inlined(int count)
{
    int numbers[16] = { 1, 2, 3 };
    return innermost(numbers, count) + sum;
}

__attribute__((noinline)) static int middle(int count)
{
    sum++;
    return inlined(count) + 1;
}

__attribute__((noinline)) int outer(int count)
{
    return middle(count + sum) * 2;
}

int main(void)
{
    char *own = malloc(65536);
    stack_t stack = { .ss_sp = own, .ss_size = 65536 };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
    sigaltstack(&stack, NULL);
    sigaction(SIGILL, &action, NULL);
    return outer(3);
}
