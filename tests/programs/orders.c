// A parent and a child, which has executed a program of its own, each do what the letters of a word say, and tell what they saw.
// usage: orders CHILD PARENT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t came;
static char seen[256];

static void on_usr1(int signal) {
    (void)signal;
    came++;
}

static void saw(char what, long value) {
    size_t length = strlen(seen);
    snprintf(seen + length, sizeof seen - length, "%c%ld ", what, value);
}

// What both have: a pipe, an open file; the number of who made it, and of the other.
struct both {
    int in, out, file;
    pid_t parent, other;
};

static int obey(const char *word, struct both *both) {
    char byte = 0;
    int fd;
    struct stat status;
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    char *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd = open("g", O_RDONLY | O_CLOEXEC), 0);
    close(fd);
    for (; *word; word++) {
        switch (*word) {
        case 'b': if (brk(NULL)) return 101; break;
        case 's': saw('s', stat("f", &status) == 0); break;
        case 'c': close(creat("f", 0600)); break;
        case 'd': unlink("f"); break;
        case 'a': fd = open("g", O_WRONLY | O_APPEND); if (write(fd, "x", 1) != 1) return 102; close(fd); break;
        case 'x': fd = open("g", O_WRONLY); if (pwrite(fd, "y", 1, 0) != 1) return 103; close(fd); break;
        case 'm': saw('m', mapped[0]); break;
        case 'o': {
            char text[64];
            fd = open("g", O_RDONLY | O_CLOEXEC);
            saw('o', read(fd, text, sizeof text));
            close(fd);
            break;
        }
        case 'i': saw('i', read(both->file, &byte, 1) == 1 ? byte : 0); break;
        case 'l': saw('l', lseek(both->file, 0, SEEK_CUR)); break;
        case 'w': if (write(both->out, "w", 1) != 1) return 104; break;
        case 'r': saw('r', read(both->in, &byte, 1)); break;
        case 'k': kill(both->other, SIGUSR1); break;
        case 'u': sigprocmask(SIG_BLOCK, &usr1, NULL); break;
        case 'v': sigprocmask(SIG_UNBLOCK, &usr1, NULL); break;
        case 'n': saw('n', came); break;
        case 'p': saw('p', getppid() == both->parent); break;
        case 'g': setpgid(0, 0); break;
        case 'q': saw('q', getpgid(both->other) == both->other); break;
        case 't': saw('t', waitpid(-1, NULL, WNOHANG) > 0); break;
        case 'f': if (fork() == 0) _exit(0); break;
        default: return 105;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    struct sigaction action = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
    sigaction(SIGUSR1, &action, NULL);
    if (argc == 8) {
        struct both both = { atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), atoi(argv[6]) };
        int done = obey(argv[7], &both);
        printf("child %s\n", seen);
        return done;
    }
    if (argc != 3) return 100;
    int ends[2], fd = open("g", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (write(fd, "abc", 3) != 3 || lseek(fd, 0, SEEK_SET) != 0 || pipe2(ends, O_NONBLOCK)) return 106;
    char numbers[5][16];
    int values[5] = { ends[0], ends[1], fd, getpid(), getpid() };
    for (int n = 0; n < 5; n++) snprintf(numbers[n], sizeof numbers[n], "%d", values[n]);
    // It goes on, and its maker could do so from where it has executed its program.
    pid_t child = vfork();
    if (child == 0) {
        execl("/proc/self/exe", argv[0], "child", numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
              argv[1], (char *)NULL);
        _exit(107);
    }
    struct both both = { ends[0], ends[1], fd, getppid(), child };
    int done = obey(argv[2], &both);
    int status = 0;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) continue;
    printf("parent %s%d\n", seen, status);
    return done;
}
