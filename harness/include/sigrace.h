/* Probes: places that the author of a program marks for sigrace, where no system call is.
 *
 *     SIGRACE_PROBE("tested");
 *
 * is the point Probe("tested"): sigrace can hold the thread there, send a signal just there, or let another thread run.
 * Without sigrace it is one system call that the kernel refuses, well under a microsecond, and nothing else: errno stays
 * as it is, no signal is blocked, nothing is allocated, so it may stand in a signal handler too. There is no library to
 * link. The name is printable UTF-8 of 1 to 64 bytes; under any other it is a call like any other.
 *
 * For C and C++. Where it is not Linux, it is nothing. License: MIT or Apache-2.0.
 */
#ifndef SIGRACE_H
#define SIGRACE_H

#if defined(__linux__) && defined(__x86_64__) && defined(__LP64__)

/* prctl(0x53494752, 1, name, 0, 0), an option that Linux does not have. By hand, since prctl(2) would set errno. The
 * compiler must not move stores across: a handler that runs here sees what has been stored. */
static __inline__ void sigrace_probe(const char *name)
{
    long result;
    __asm__ volatile("xorl %%r10d, %%r10d\n\txorl %%r8d, %%r8d\n\tsyscall"
                     : "=a"(result)
                     : "0"(157L), "D"(0x53494752L), "S"(1L), "d"(name)
                     : "rcx", "r8", "r10", "r11", "memory", "cc");
    (void)result;
}
#define SIGRACE_PROBE(name) sigrace_probe(name)

#elif defined(__linux__)

#include <errno.h>
#include <sys/syscall.h>
#ifdef __cplusplus
extern "C"
#else
extern
#endif
    long syscall(long number, ...);
static __inline__ void sigrace_probe(const char *name)
{
    int before = errno;
    (void)syscall(SYS_prctl, 0x53494752L, 1L, name, 0L, 0L);
    errno = before;
}
#define SIGRACE_PROBE(name) sigrace_probe(name)

#else

#define SIGRACE_PROBE(name) ((void)(name))

#endif
#endif
