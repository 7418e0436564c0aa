// Parents that end, stop and continue their children in every way there is, and what they see of it.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t told;

static void on_sigchld(int signal) {
    (void)signal;
    told++;
}

static void say(const char *what, long number) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s %ld\n", what, number);
    if (write(1, line, length) != length) _exit(9);
}

static pid_t sleeper(void) {
    pid_t child = fork();
    if (child) return child;
    for (;;) pause();
}

static int reap(pid_t child) {
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

static void ends(pid_t child) { say("ended by", WTERMSIG(reap(child))); }

static void one(void) {
    pid_t child = sleeper();
    kill(child, SIGTERM);
    ends(child);
    say("told", told);
}

// A child that has a handler to run first.
static void busy(void) {
    signal(SIGUSR1, on_sigchld);
    pid_t child = sleeper();
    kill(child, SIGUSR1);
    kill(child, SIGTERM);
    ends(child);
}

static void ten(void) {
    pid_t children[10];
    for (int n = 0; n < 10; n++) children[n] = sleeper();
    for (int n = 0; n < 10; n++) kill(children[n], n % 2 ? SIGTERM : SIGKILL);
    for (int n = 0; n < 10; n++) ends(children[n]);
}

static void group(void) {
    pid_t first = 0, children[4];
    for (int n = 0; n < 4; n++) {
        children[n] = fork();
        if (!children[n]) {
            setpgid(0, first);
            for (;;) pause();
        }
        setpgid(children[n], first ? first : children[n]);
        if (!first) first = children[n];
    }
    say("kill", killpg(first, SIGHUP));
    for (int n = 0; n < 4; n++) ends(children[n]);
    say("kill of nobody", killpg(first, SIGHUP));
}

static void stops(void) {
    pid_t child = sleeper();
    int status;
    for (int n = 0; n < 3; n++) {
        kill(child, SIGSTOP);
        while (waitpid(child, &status, WUNTRACED) < 0) continue;
        say("stopped", WIFSTOPPED(status));
        kill(child, SIGCONT);
        while (waitpid(child, &status, WCONTINUED) < 0) continue;
        say("continued", WIFCONTINUED(status));
    }
    kill(child, SIGSTOP);
    while (waitpid(child, &status, WUNTRACED) < 0) continue;
    say("stopped", WIFSTOPPED(status));
    kill(child, SIGTERM);
    kill(child, SIGCONT);
    ends(child);
}

static void ways(void) {
    pid_t child = sleeper();
    int descriptor = syscall(SYS_pidfd_open, child, 0);
    say("pidfd_send_signal", syscall(SYS_pidfd_send_signal, descriptor, SIGUSR1, NULL, 0));
    ends(child);
    say("and again", syscall(SYS_pidfd_send_signal, descriptor, SIGUSR1, NULL, 0));
    close(descriptor);
    child = sleeper();
    say("tgkill", syscall(SYS_tgkill, child, child, SIGUSR2));
    ends(child);
    child = sleeper();
    say("tkill", syscall(SYS_tkill, child, SIGINT));
    ends(child);
    child = sleeper();
    say("sigqueue", sigqueue(child, SIGRTMIN, (union sigval){7}));
    say("sigqueue once more", sigqueue(child, SIGRTMIN, (union sigval){8}));
    ends(child);
    say("nobody", kill(child, SIGTERM));
    say("no signal", kill(getpid(), 999));
}

// The child of the child has nobody who waits for it but the run's init, or this process as a subreaper would.
static void grandchildren(void) {
    int tell[2];
    if (pipe(tell)) return;
    pid_t child = fork();
    if (!child) {
        pid_t numbers[3];
        for (int n = 0; n < 3; n++) numbers[n] = sleeper();
        if (write(tell[1], numbers, sizeof numbers) < 0) _exit(1);
        for (int n = 0; n < 3; n++)
            if (WTERMSIG(reap(numbers[n])) != SIGTERM) _exit(2);
        _exit(5);
    }
    pid_t numbers[3];
    if (read(tell[0], numbers, sizeof numbers) < 0) return;
    for (int n = 0; n < 3; n++) kill(numbers[n], SIGTERM);
    say("child's exit", WEXITSTATUS(reap(child)));
}

// The end of the child closes its end of the pipe first, and only then sends SIGCHLD.
static void end_of_file(void) {
    for (int n = 0; n < 5; n++) {
        int tell[2];
        if (pipe(tell)) return;
        pid_t child = fork();
        if (!child) {
            close(tell[0]);
            _exit(n);
        }
        close(tell[1]);
        char byte;
        long got;
        while ((got = read(tell[0], &byte, 1)) < 0 && errno == EINTR) continue;
        if (getpid() < 0 || getuid() == (uid_t)-1) say("a call that cannot fail failed", errno);
        close(tell[0]);
        say("exit", WEXITSTATUS(reap(child)));
    }
}

static void handled(int signal) { _exit(40 + signal); }

// Children that do not end as they are told.
static void stubborn(void) {
    int ready[2];
    char byte;
    if (pipe(ready)) return;
    pid_t child = fork();
    if (!child) {
        signal(SIGTERM, handled);
        signal(SIGINT, SIG_IGN);
        if (write(ready[1], "r", 1) < 0) _exit(1);
        for (;;) pause();
    }
    while (read(ready[0], &byte, 1) < 0) continue;
    kill(child, SIGINT);
    kill(child, SIGWINCH);
    kill(child, SIGTERM);
    say("exit", WEXITSTATUS(reap(child)));
    child = fork();
    if (!child) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        if (write(ready[1], "r", 1) < 0) _exit(1);
        int signal = 0;
        sigwait(&all, &signal);
        _exit(signal);
    }
    while (read(ready[0], &byte, 1) < 0) continue;
    kill(child, SIGTERM);
    say("awaited", WEXITSTATUS(reap(child)));
    child = sleeper();
    kill(child, 0);
    kill(child, SIGCONT);
    kill(child, SIGQUIT);
    int status = reap(child);
    say("quit", WTERMSIG(status));
}

// Everybody but the caller.
static void everybody(void) {
    pid_t children[3];
    for (int n = 0; n < 3; n++) children[n] = sleeper();
    say("kill", kill(-1, SIGTERM));
    for (int n = 0; n < 3; n++) ends(children[n]);
}

// A group of two: one that waits for the other.
static void family(void) {
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        if (fork() == 0) {
            signal(SIGTERM, SIG_DFL);
            for (;;) pause();
        }
        signal(SIGTERM, on_sigchld);
        while (wait(NULL) == -1 && errno == EINTR);
        _exit(7);
    }
    setpgid(child, child);
    sleep(1);
    kill(-child, SIGTERM);
    say("family", WEXITSTATUS(reap(child)));
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*does)(void);
    } all[] = {
        {"one", one}, {"busy", busy}, {"ten", ten}, {"group", group}, {"stops", stops}, {"ways", ways},
        {"grandchildren", grandchildren}, {"end of file", end_of_file}, {"stubborn", stubborn},
        {"everybody", everybody}, {"family", family},
    };
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = on_sigchld}, NULL);
    for (size_t n = 0; argc > 1 && n < sizeof all / sizeof *all; n++)
        if (!strcmp(argv[1], all[n].name)) all[n].does();
    return told ? 3 : 4;
}
