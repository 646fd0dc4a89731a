/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads a seccomp program for real and says what calls answer then.
 *
 *   confine_probe RUN PROFILE [-u] [COMMAND…]
 *
 * RUN: folder that holds the cache; -u: as root of a user namespace of its own. Without a command: a line "CHECK ERRNO"
 * for each check. With PROFILE "time": how long a compilation and a hit of the cache take.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/confine/confine.h"
#include "lib/confine/program.h"

static struct ve_host host;

static void complain(const struct error *e)
{
	fprintf(stderr, "%s: %s: %s\n", e->tried, e->wrong, e->remedy);
}

static void say(const char *what, long result)
{
	printf("%s %d\n", what, result < 0 ? errno : 0);
	fflush(stdout);
}

static void try_socket(const char *what, int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	say(what, fd);
	if (fd >= 0)
		close(fd);
}

static void try_sockets(void)
{
	int pair[2];

	try_socket("unix", AF_UNIX, SOCK_STREAM, 0);
	try_socket("inet", AF_INET, SOCK_STREAM, 0);
	try_socket("inet6", AF_INET6, SOCK_DGRAM, 0);
	try_socket("netlink-route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	try_socket("netlink-uevent", AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
	try_socket("netlink-audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
	try_socket("netlink-crypto", AF_NETLINK, SOCK_RAW, NETLINK_CRYPTO);
	try_socket("alg", AF_ALG, SOCK_SEQPACKET, 0);
	try_socket("vsock", AF_VSOCK, SOCK_STREAM, 0);
	try_socket("key", AF_KEY, SOCK_RAW, 2);
	try_socket("tipc", AF_TIPC, SOCK_RDM, 0);
	try_socket("unspec", AF_UNSPEC, SOCK_STREAM, 0);
	try_socket("family-300", 300, SOCK_STREAM, 0);
	say("pair-unix", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	say("pair-tipc", socketpair(AF_TIPC, SOCK_STREAM, 0, pair));
	/* The kernel takes ints: what stands in the upper half does not count. */
	say("alg-high-bits", syscall(SYS_socket, 0x100000000L | AF_ALG, SOCK_SEQPACKET, 0));
	say("audit-high-bits", syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0x100000000L | NETLINK_AUDIT));
}

#if defined(__x86_64__)
static long call_i386(long number)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "0"(number), "b"(0), "c"(0), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return -1;
	}
	return r;
}
#endif

static void try_foreign(void)
{
#if defined(__x86_64__)
	/* A kernel without IA32 emulation answers int 0x80 with SIGSEGV: a child of its own. */
	pid_t child = fork();
	if (child == 0) {
		say("i386-getpid", call_i386(20));
		_exit(0);
	}
	int status;
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		printf("i386-getpid signal\n");
	say("x32-getpid", syscall(0x40000000 | SYS_getpid));
	say("x32-socket-alg", syscall(0x40000000 | SYS_socket, AF_ALG, SOCK_SEQPACKET, 0));
#endif
}

static void try_calls(void)
{
	struct timespec now = {0};
	struct timex tx = {.modes = 0};
	char c = 'x', log[16];

	say("getpid", syscall(SYS_getpid));
	say("unknown-999", syscall(999));
	say("init_module", syscall(SYS_init_module, NULL, 0, ""));
	say("finit_module", syscall(SYS_finit_module, -1, "", 0));
	say("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	say("bpf", syscall(SYS_bpf, 0, NULL, 0));
	say("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, NULL, 0));
	say("userfaultfd", syscall(SYS_userfaultfd, 0));
	say("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
	say("io_uring_setup", syscall(SYS_io_uring_setup, 0, NULL));
	say("keyctl", syscall(SYS_keyctl, 0, -3, 0, 0, 0));
	say("syslog", klogctl(3, log, sizeof(log)));
	say("clock_settime", clock_settime(CLOCK_REALTIME, &now));
	say("adjtimex-read", adjtimex(&tx));
	say("tiocsti", ioctl(0, TIOCSTI, &c));
	say("tiocsti-high-bits", syscall(SYS_ioctl, 0, 0x100000000L | TIOCSTI, &c));
	say("tioclinux", ioctl(0, TIOCLINUX, &c));
	say("unshare-user", unshare(CLONE_NEWUSER));
	printf("no-new-privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static int become_root_of_namespace(void)
{
	char map[64];
	unsigned uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	FORMAT(map, "0 %u 1", uid);
	if (write_string_at(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 ||
		write_string_at(AT_FDCWD, "/proc/self/uid_map", map) < 0)
		return -EPERM;
	FORMAT(map, "0 %u 1", gid);
	return write_string_at(AT_FDCWD, "/proc/self/gid_map", map);
}

static int load_program(const char *profile)
{
	cleanup_free void *program = NULL;
	struct error e = {0};
	size_t size;
	int r = confine_seccomp(&host, profile, &program, &size, &e);

	if (r < 0) {
		complain(&e);
		return r;
	}
	struct sock_fprog fprog = {.len = (unsigned short)(size / sizeof(struct sock_filter)), .filter = program};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0)
		return -errno;
	return 0;
}

static double microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int measure(const char *profile)
{
	enum { HITS = 200 };
	struct error e = {0};
	void *program;
	size_t size;
	double t[3];

	t[0] = microseconds();
	if (program_compile(profile_find(profile), &program, &size, &e) < 0) {
		complain(&e);
		return 1;
	}
	free(program);
	t[1] = microseconds();
	if (confine_seccomp(&host, profile, &program, &size, &e) < 0) /* fills the cache */
		return 1;
	free(program);
	t[2] = microseconds();
	for (int i = 0; i < HITS; i++) {
		if (confine_seccomp(&host, profile, &program, &size, &e) < 0)
			return 1;
		free(program);
	}
	printf("%s: %zu instructions, compiled in %.0f us, from the cache in %.0f us\n", profile,
		size / sizeof(struct sock_filter), t[1] - t[0], (microseconds() - t[2]) / HITS);
	return 0;
}

int main(int argc, char **argv)
{
	bool in_userns = argc > 3 && strcmp(argv[3], "-u") == 0;
	char **command = argv + 3 + in_userns;
	int r;

	if (argc < 3 || FORMAT(host.run, "%s", argv[1]) < 0)
		return 2;
	if (strcmp(argv[2], "time") == 0)
		return measure("default") | measure("supervisor");
	r = in_userns ? become_root_of_namespace() : 0;
	if (r < 0) {
		fprintf(stderr, "user namespace: %s\n", strerror(-r));
		return 77;
	}
	r = load_program(argv[2]);
	if (r < 0) {
		fprintf(stderr, "load: %s\n", strerror(-r));
		return r == -EACCES ? 77 : 1; /* no CAP_SYS_ADMIN */
	}
	if (*command) {
		execvp(*command, command);
		perror(*command);
		return 127;
	}
	try_sockets();
	try_foreign();
	try_calls();
	return 0;
}
