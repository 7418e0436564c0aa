/* How old files are by the program's own clock: those that it has made and changed, by every way to ask. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void tell(const char *what, struct timespec date)
{
    double age = now() - (date.tv_sec + date.tv_nsec / 1e9);

    /* The kernel dates by its last tick. */
    printf("%s: %.0f s\n", what, age + 0.02);
}

static void told(const char *what, const struct stat *file)
{
    tell(what, file->st_mtim);
    if (file->st_uid != geteuid())
        printf("%s: user %u\n", what, (unsigned)file->st_uid);
}

static void extended(const char *what, int folder, const char *path, int flags)
{
    struct statx file;

    if (statx(folder, path, flags, STATX_BASIC_STATS | STATX_BTIME, &file) == -1) {
        printf("%s: none\n", what);
        return;
    }
    tell(what, (struct timespec){ .tv_sec = file.stx_mtime.tv_sec, .tv_nsec = file.stx_mtime.tv_nsec });
    if (file.stx_mask & STATX_BTIME)
        tell("  made", (struct timespec){ .tv_sec = file.stx_btime.tv_sec, .tv_nsec = file.stx_btime.tv_nsec });
    tell("  changed", (struct timespec){ .tv_sec = file.stx_ctime.tv_sec, .tv_nsec = file.stx_ctime.tv_nsec });
}

int main(void)
{
    struct timespec given[2] = { { .tv_sec = 0 }, { .tv_sec = 0 } };
    char path[4096], old[] = "/etc/passwd";
    struct stat file, other;
    int fd, folder, pipes[2];

    setvbuf(stdout, NULL, _IONBF, 0);
    if (!getcwd(path, sizeof path - 10) || mkdir("folder", 0755) || pipe(pipes))
        return 2;
    strcat(path, "/first");
    fd = open("first", O_CREAT | O_RDWR, 0644);
    folder = open("folder", O_RDONLY | O_DIRECTORY);
    if (fd == -1 || folder == -1 || symlink(path, "folder/link"))
        return 2;
    sleep(1);

    fstat(fd, &file), told("fstat", &file);
    stat("first", &file), told("stat", &file);
    stat(path, &file), told("stat, absolute", &file);
    lstat("folder/link", &file), told("lstat", &file);
    fstatat(folder, "link", &file, 0), told("fstatat", &file);
    fstatat(folder, "../first", &file, 0), told("fstatat, dots", &file);
    fstatat(fd, "", &file, AT_EMPTY_PATH), told("fstatat, empty", &file);
    fstatat(folder, "", &file, AT_EMPTY_PATH), told("fstatat, folder", &file);
    fstat(pipes[0], &file), told("pipe", &file);
    extended("statx", AT_FDCWD, "first", 0);
    extended("statx, empty", fd, "", AT_EMPTY_PATH);
    stat(".", &file), tell("current", file.st_ctim);
    printf("statx, not there: %d\n", stat("second", &file));

    /* What is changed again is new, and other files stay as old as they are. */
    sleep(1);
    if (write(fd, "x", 1) != 1 || close(open("second", O_CREAT | O_RDWR, 0600)))
        return 2;
    extended("written", fd, "", AT_EMPTY_PATH);
    stat("second", &other), told("second", &other);
    stat("folder", &file), told("folder", &file);
    if (utimensat(AT_FDCWD, "folder", NULL, 0))
        return 2;
    stat("folder", &file), told("touched", &file);
    sleep(1);
    stat("second", &other), told("second", &other);

    /* A date that the program gives a file itself is that. */
    given[1].tv_sec = (time_t)now() + 60;
    if (utimensat(AT_FDCWD, "second", given, 0))
        return 2;
    stat("second", &file);
    printf("given: %d %d\n", file.st_mtim.tv_sec == given[1].tv_sec, file.st_atim.tv_sec == 0);
    tell("its status", file.st_ctim);
    stat(old, &file);
    printf("old: %d\n", now() - file.st_mtim.tv_sec > 10);

    /* Somebody else may not see everything. */
    if (mkdir("private", 0000))
        return 2;
    printf("private: %d\n", stat("private/file", &file));
    /* What is open anybody may ask about. */
    if (geteuid() == 0 && setuid(65534))
        return 2;
    fstat(fd, &file), tell("open", file.st_mtim);
    return 0;
}
