// Reaches for what supervises it. Exits with 0 if nothing of it could be reached, else with the number of the attempt.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int refused(long result) {
    return result == -1 && errno == EPERM;
}

// System calls made by an instruction that ends at this address. The last of them ends the process, with code 9.
static int from_address(uintptr_t after) {
    static const unsigned char code[] = {0x0f, 0x05, 0xc3}; // syscall; ret
    void *page = (void *)((after - 2) & ~(uintptr_t)4095);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (mmap(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) != page) return 1;
    memcpy((void *)(after - 2), code, sizeof code);
    long calls[] = {SYS_getppid, SYS_exit_group};
    for (int n = 0; n < 2; n++) {
        long result;
        __asm__ volatile("call *%1" : "=a"(result) : "r"(after - 2), "0"(calls[n]), "D"(9L) : "rcx", "r11", "memory");
        if (result != getppid()) return 2 + n;
    }
    return 4;
}

static int at_init(void) {
    char bytes[8];
    struct iovec own = {bytes, sizeof bytes}, other = {(void *)0x400000, sizeof bytes};
    if (!refused(ptrace(PTRACE_SEIZE, 1, NULL, NULL))) return 1;
    if (!refused(ptrace(PTRACE_ATTACH, 1, NULL, NULL))) return 2;
    if (!refused(process_vm_readv(1, &own, 1, &other, 1, 0))) return 3;
    if (!refused(process_vm_writev(1, &own, 1, &other, 1, 0))) return 4;
    int pidfd = syscall(SYS_pidfd_open, 1, 0);
    if (pidfd < 0) return 5;
    for (int fd = 0; fd < 12; fd++)
        if (!refused(syscall(SYS_pidfd_getfd, pidfd, fd, 0))) return 6;
    struct rlimit limit = {1, 1};
    if (!refused(prlimit(1, RLIMIT_CPU, &limit, NULL))) return 7;
    if (!refused(syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0x1234567, NULL))) return 8;
    int memory = open("/proc/1/mem", O_RDWR);
    if (memory < 0) memory = open("/proc/1/task/1/mem", O_RDWR);
    if (memory >= 0 && read(memory, bytes, sizeof bytes) != 0) return 9;
    const char *calls[] = {"/proc/1/syscall", "/proc/1/task/1/syscall"};
    for (int n = 0; n < 2; n++) {
        int shown = open(calls[n], O_RDONLY);
        if (shown >= 0 && read(shown, bytes, sizeof bytes) > 0) return 10 + n;
    }
    for (int signal = 1; signal <= 64; signal++)
        kill(1, signal);
    return 0;
}

// What a debugger does with a process of its own, and one that asks to be traced by whoever started it.
static int at_own(void) {
    int status, one = 1, other;
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(1);
        raise(SIGSTOP);
        _exit(one);
    }
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return 1;
    struct iovec mine = {&other, sizeof other}, its = {&one, sizeof one};
    if (process_vm_readv(child, &mine, 1, &its, 1, 0) != sizeof one || other != one) return 2;
    other = 7;
    if (process_vm_writev(child, &mine, 1, &its, 1, 0) != sizeof one) return 3;
    if (ptrace(PTRACE_CONT, child, NULL, NULL)) return 4;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7) return 5;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) return 6;
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "address")) return from_address(strtoul(argv[3], NULL, 0));
    if (argc > 1 && !strcmp(argv[1], "init")) return at_init();
    return argc > 1 && !strcmp(argv[1], "own") ? at_own() : 99;
}
