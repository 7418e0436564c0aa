#include <stdlib.h>
#include <stdint.h>

struct node { struct node *next; int value; };

static struct node *list;
volatile int flag;
int count;
char name[24];

__attribute__((noinline)) static void link_in(struct node *node)
{
    node->next = list;
    list = node;
    count++;
}

__attribute__((noinline)) int insert(int value)
{
    static int calls;
    struct node *node = malloc(sizeof *node);
    if (!node)
        return -1;
    calls++;
    node->value = value + calls;
    link_in(node);
    return 0;
}

static inline __attribute__((always_inline)) void raise_flag(int by)
{
    flag = flag + by;
}

int main(int argc, char **argv)
{
    raise_flag(argc);
    if (insert(argc) != 0)
        abort();
    raise_flag(2);
    return flag == 99;
}
