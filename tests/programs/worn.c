/* Says what it finds in its folder, by calls that show no number of a file, and then does what the first argument says. On
   SIGUSR1 it also says what numbers a new file has, as far as the second argument lets it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static volatile sig_atomic_t came;

static void note(int signal)
{
    (void)signal;
    came = 1;
}

/* Without stdio, which asks for the number of what it writes to. */
static void say(const char *format, long long a, long long b)
{
    char text[200];
    write(1, text, snprintf(text, sizeof text, format, a, b));
}

static int make(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        say("cannot make one: %lld\n", errno, 0);
    write(fd, "new", 3);
    return fd;
}

static void look(const char *folder)
{
    struct statx is;

    if (statx(AT_FDCWD, folder, 0, STATX_BASIC_STATS | STATX_BTIME, &is))
        return;
    say("%llo %lld", is.stx_mode, is.stx_nlink);
    say(", %lld.%09lld", is.stx_mtime.tv_sec, is.stx_mtime.tv_nsec);
    say(", %lld.%09lld", is.stx_atime.tv_sec, is.stx_atime.tv_nsec);
    say(", changed %lld.%09lld", is.stx_ctime.tv_sec, is.stx_ctime.tv_nsec);
    say(", made %lld.%09lld\n", is.stx_btime.tv_sec, is.stx_btime.tv_nsec);
}

static void find(void)
{
    char text[20] = "";
    int fd = open("log", O_RDONLY);

    if (fd >= 0) {
        read(fd, text, sizeof text - 1);
        close(fd);
    }
    say("log %lld, gone %lld", strcmp(text, "before\n"), access("gone", F_OK));
    say(", deep %lld, moved %lld", access("deep/er/state", F_OK), access("moved", F_OK));
    say(", left %lld, attribute %lld\n", access("left", F_OK), getxattr(".", "user.worn", text, sizeof text));
    look(".");
    look("..");
    say("beside %lld, other %lld", access("../beside", F_OK), access("../other", F_OK));
    say(", attribute %lld\n", getxattr("..", "user.worn", text, sizeof text), 0);
}

static void change(const char *how)
{
    if (strcmp(how, "listed") == 0) {
        DIR *folder = opendir(".");
        while (readdir(folder))
            ;
        closedir(folder);
    } else if (strcmp(how, "passing") == 0) {
        struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "socket"};
        int fd = make("file");
        close(fd);
        rename("file", "renamed");
        unlink("renamed");
        mkdir("folder", 0700);
        close(make("folder/file"));
        unlink("folder/file");
        rmdir("folder");
        mkfifo("fifo", 0600);
        unlink("fifo");
        bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&at, sizeof at);
        unlink("socket");
    } else if (strcmp(how, "left") == 0) {
        close(make("left"));
    } else if (strcmp(how, "held") == 0) {
        make("held");
        unlink("held");
    } else if (strcmp(how, "gone") == 0) {
        unlink("gone");
    } else if (strcmp(how, "again") == 0) {
        unlink("gone");
        close(make("gone"));
    } else if (strcmp(how, "moved") == 0) {
        rename("deep", "moved");
    } else if (strcmp(how, "written") == 0) {
        int fd = open("log", O_WRONLY | O_APPEND);
        write(fd, "more\n", 5);
        close(fd);
    } else if (strcmp(how, "mode") == 0) {
        chmod(".", 0700);
    } else if (strcmp(how, "copied") == 0) {
        chmod("log", 0600);
    } else if (strcmp(how, "attribute") == 0) {
        setxattr(".", "user.worn", "x", 1, 0);
    } else if (strcmp(how, "linked") == 0) {
        link("log", "other");
        unlink("other");
    } else if (strcmp(how, "beside") == 0) {
        close(make("../beside"));
    } else if (strcmp(how, "around") == 0) {
        chmod("..", 0750);
        setxattr("..", "user.worn", "x", 1, 0);
    } else if (strcmp(how, "replaced") == 0) {
        rename("../within", "../other");
        mkdir("../within", 0751);
        chdir("../within");
        close(make("left"));
    }
}

static void by_stat(int fd)
{
    struct stat is;
    fstat(fd, &is);
    say("number %lld, device %lld\n", is.st_ino, 0);
}

/* One that was there before. */
static void by_change(const char *name)
{
    struct stat before, after;
    stat(name, &before);
    int fd = open(name, O_WRONLY | O_APPEND);
    write(fd, "more\n", 5);
    fstat(fd, &after);
    say("another number %lld, device %lld\n", before.st_ino != after.st_ino, before.st_dev != after.st_dev);
}

/* A mount has a number that no other gets (statx(2), Linux 6.8). */
static void by_mount(int fd)
{
    struct statx is;
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x4000, &is) == 0 && is.stx_mask & 0x4000)
        say("mount %lld\n", is.stx_mnt_id, 0);
}

static void by_names(void)
{
    DIR *folder = opendir(".");
    struct dirent *entry;
    while ((entry = readdir(folder)))
        if (strncmp(entry->d_name, "shown", 5) == 0) {
            write(1, entry->d_name, strlen(entry->d_name));
            say(" is %lld\n", entry->d_ino, 0);
        }
    closedir(folder);
}

static void by_map(int fd)
{
    static char text[1 << 16];
    mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    int maps = open("/proc/self/maps", O_RDONLY);
    size_t got = 0;
    for (ssize_t more; (more = read(maps, text + got, sizeof text - 1 - got)) > 0;)
        got += more;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strstr(line, "/shown"))
            say("mapped %lld\n", strtoll(strchr(strchr(line, ':') + 1, ' '), NULL, 10), 0);
    close(maps);
}

int main(int argc, char **argv)
{
    const char *by = argc > 2 ? argv[2] : "";

    signal(SIGUSR1, note);
    find();
    change(argc > 1 ? argv[1] : "");
    getppid();
    if (came) {
        int fd = make("shown"), other = make("shown-too");
        if (strcmp(by, "stat") == 0)
            by_stat(fd), by_stat(other), by_change("log");
        else if (strcmp(by, "mount") == 0)
            by_stat(other), by_mount(fd);
        else if (strcmp(by, "names") == 0)
            by_names();
        else
            by_map(fd);
    }
    return 0;
}
