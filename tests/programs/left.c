/* What is left behind, and what is not: one case for each word. `stop` catches SIGTERM. */
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_stop(int signal)
{
    (void)signal;
    stop = 1;
}

/* Writes down that it was interrupted. */
static void on_report(int signal)
{
    (void)signal;
    close(open("interrupted", O_CREAT | O_WRONLY, 0644));
    _exit(1);
}

static void on_leave(int signal)
{
    (void)signal;
    _exit(1);
}

/* Ends by the signal itself, as the parent wants to know. */
static void on_raise(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

static void handle(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGTERM, &action, NULL);
}

static void put(const char *name, const char *text)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_APPEND, 0644);
    if (write(fd, text, strlen(text)) < 0 || close(fd))
        abort();
}

static int objects(void)
{
    struct mq_attr attributes = { .mq_maxmsg = 2, .mq_msgsize = 8 };
    int shm = shmget(0x2a, 8192, IPC_CREAT | IPC_EXCL | 0600), sem = semget(IPC_PRIVATE, 3, 0600);
    int msg = msgget(0x2b, IPC_CREAT | IPC_EXCL | 0600);
    mqd_t queue = mq_open("/jobs", O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    struct { long type; char text[4]; } message = { 1, "abc" };

    if (shm == -1 || sem == -1 || queue == (mqd_t)-1 || msgsnd(msg, &message, 4, 0) || mq_send(queue, "hello", 5, 0))
        return 1;
    printf("%d %d %d\n", shm, sem, msg);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    char name[] = "tmp.XXXXXX";

    if (!strcmp(what, "objects"))
        return objects();
    if (!strcmp(what, "append")) {
        put("log", "one\n");
        put("log", "two\n");
    } else if (!strcmp(what, "log")) { /* the more lines the later it is told to stop; never half a line */
        handle(on_stop);
        for (int n = 0; n < 3 && !stop; n++)
            put("log", "a line\n");
        put("log", stop ? "stopped\n" : "done\n");
    } else if (!strcmp(what, "report")) {
        handle(on_report);
        put("result", "ok\n");
    } else if (!strcmp(what, "random")) { /* each run leaves a file of another name */
        if (fork() == 0)
            _exit(0);
        wait(NULL);
        close(mkstemp(name));
        if (fork() == 0) {
            strcpy(name, "tmp.XXXXXX");
            close(mkstemp(name));
            _exit(0);
        }
        wait(NULL);
    } else if (!strcmp(what, "leave") || !strcmp(what, "raise")) {
        handle(*what == 'l' ? on_leave : on_raise);
        put("work.tmp", "x\n");
        unlink("work.tmp");
    } else if (!strcmp(what, "killer")) { /* its child has no chance to tidy up */
        int child, up[2], down[2];
        char byte = 0;
        if (pipe(up) || pipe(down))
            return 2;
        child = fork();
        if (child == 0) {
            put("work.tmp", "x\n");
            if (write(up[1], &byte, 1) != 1 || read(down[0], &byte, 1) != 1)
                return 2;
            unlink("work.tmp");
            _exit(0);
        }
        handle(on_stop);
        while (read(up[0], &byte, 1) == -1)
            ;
        if (stop)
            kill(child, SIGTERM);
        else if (write(down[1], &byte, 1) != 1)
            return 2;
        waitpid(child, NULL, 0);
    } else if (!strcmp(what, "holds")) { /* the more descriptors the earlier it is told to stop */
        int fd;
        handle(on_stop);
        fd = open("/etc/passwd", O_RDONLY);
        if (stop)
            return 0;
        close(fd);
    } else {
        return 2;
    }
    return 0;
}
