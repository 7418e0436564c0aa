// What a process can read about itself.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void lines(const char *file, const char *prefixes) {
    FILE *status = fopen(file, "r");
    char line[512];
    if (!status) {
        printf("%s: %s\n", file, strerror(errno));
        return;
    }
    while (fgets(line, sizeof line, status)) {
        char *colon = strchr(line, ':');
        char name[64] = ",";
        if (!colon || colon - line > 60) continue;
        strncat(name, line, colon - line);
        strcat(name, ",");
        if (strstr(prefixes, name)) fputs(line, stdout);
    }
    fclose(status);
}

int main(void) {
    lines("/proc/self/status", ",Name,State,Umask,Threads,Uid,Gid,SigPnd,ShdPnd,SigBlk,SigCgt,");
    char path[64], link[256];
    snprintf(path, sizeof path, "/proc/%d/fd/0", getpid());
    ssize_t length = readlink(path, link, sizeof link);
    printf("stdin %.*s\n", (int)length, link);
    for (int fd = 0; fd < 3; fd++) printf("flags of %d: %o %d\n", fd, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    cpu_set_t cpus;
    printf("affinity %d, ", sched_getaffinity(0, sizeof cpus, &cpus));
    printf("%d cpus, %ld on line\n", CPU_COUNT(&cpus), sysconf(_SC_NPROCESSORS_ONLN));
    printf("policy %d nice %d\n", sched_getscheduler(0), getpriority(PRIO_PROCESS, 0));
    printf("group of its own %d, uid %d %d gid %d %d\n", getpgrp() == getpid(), getuid(), geteuid(), getgid(),
           getegid());
    int limits[] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_STACK, RLIMIT_NPROC, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_RTPRIO};
    for (unsigned n = 0; n < sizeof limits / sizeof *limits; n++) {
        struct rlimit limit;
        getrlimit(limits[n], &limit);
        printf("limit %d: %lld %lld\n", limits[n], (long long)limit.rlim_cur, (long long)limit.rlim_max);
    }
    for (int signal = 1; signal < 65; signal++) {
        struct sigaction action;
        // A shell without job control has what it starts in the background ignore these two.
        if (signal == SIGINT || signal == SIGQUIT) continue;
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            printf("signal %d: ignored %d\n", signal, action.sa_handler == SIG_IGN);
    }
    printf("tty %d\n", open("/dev/tty", O_RDWR) >= 0);
    return 0;
}
