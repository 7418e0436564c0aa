// Goes from call to call, and waits for an alarm that is far away.
#include <unistd.h>

int main(void) {
    alarm(100000);
    for (;;) getppid();
}
