/* `asks flush`: asks after it has thrown away what was typed before. `asks N`: has its end of input told N times, and ends. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct termios modes;
    char key;

    if (argc > 1 && strcmp(argv[1], "flush") == 0) {
        tcgetattr(0, &modes);
        tcsetattr(0, TCSAFLUSH, &modes);
        (void)!write(1, "sure? ", 6);
        return read(0, &key, 1) != 1;
    }
    signal(SIGHUP, SIG_IGN);
    for (int left = argc > 1 ? atoi(argv[1]) : 1; left > 0;)
        left -= read(0, &key, 1) != 1;
    return 0;
}
