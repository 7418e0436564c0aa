/* Runs a program on a host that forbids something: a seccomp filter answers EPERM, as a strict container does.
 *
 *     forbid namespaces|network|perf|mem|notify PROGRAM ARGUMENT...
 *
 * namespaces  clone(2) with CLONE_NEWUSER or CLONE_NEWPID
 * network     unshare(2) with CLONE_NEWNET
 * perf        perf_event_open(2)
 * mem         pwrite64(2), which is how /proc/PID/mem is written
 * notify      seccomp(2) with SECCOMP_FILTER_FLAG_NEW_LISTENER
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ban {
	const char *name;
	unsigned int number;
	unsigned int argument; /* which argument must have one of `bits` */
	unsigned int bits;     /* 0: the call is forbidden whatever its arguments */
};

static const struct ban bans[] = {
	{"namespaces", SYS_clone, 0, CLONE_NEWUSER | CLONE_NEWPID},
	{"network", SYS_unshare, 0, CLONE_NEWNET},
	{"perf", SYS_perf_event_open, 0, 0},
	{"mem", SYS_pwrite64, 0, 0},
	{"notify", SYS_seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER},
};

static int forbid(const struct ban *ban)
{
	unsigned int argument = offsetof(struct seccomp_data, args) + 8 * ban->argument; /* its lower half */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ban->number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument),
		ban->bits ? (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, ban->bits, 0, 1)
			  : (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: %s namespaces|network|perf|mem|notify PROGRAM ARGUMENT...\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < sizeof bans / sizeof bans[0]; i++) {
		if (strcmp(argv[1], bans[i].name) != 0)
			continue;
		if (!forbid(&bans[i])) {
			perror("forbid: seccomp");
			return 126;
		}
		execv(argv[2], argv + 2);
		perror(argv[2]);
		return 127;
	}
	fprintf(stderr, "%s: there is nothing to forbid called %s\n", argv[0], argv[1]);
	return 2;
}
