/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a program inside a VE sees, a line a question: probe fds | audit | keyring | syscalls | caps |
 * privileged | tty.
 * And what root of the host does to a VE: probe place PID FOLDER TARGET shows FOLDER of the host at TARGET in the mount
 * namespace of PID.
 * Linked statically, since it runs in images that have no libc.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#ifndef NETLINK_AUDIT
#define NETLINK_AUDIT 9
#endif

static const char *error_name(int err)
{
	switch (err) {
	case 0:
		return "OK";
	case EPERM:
		return "EPERM";
	case ENOSYS:
		return "ENOSYS";
	case EACCES:
		return "EACCES";
	case EINVAL:
		return "EINVAL";
	case EAFNOSUPPORT:
		return "EAFNOSUPPORT";
	case EPROTONOSUPPORT:
		return "EPROTONOSUPPORT";
	case EFAULT:
		return "EFAULT";
	case EBADF:
		return "EBADF";
	default:
		return strerror(err);
	}
}

/* Every open fd with what it is, from fcntl alone: /proc/self/fd would show the folder's own fd too. */
static int fds(void)
{
	for (int fd = 0; fd < 65536; fd++) {
		char path[64], target[512];
		ssize_t n;

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof target - 1);
		target[n > 0 ? n : 0] = 0;
		printf("%d %s\n", fd, target);
	}
	return 0;
}

static int audit(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);

	printf("%s\n", error_name(fd < 0 ? errno : 0));
	return 0;
}

static int keyring(void)
{
	long serial = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);

	if (serial < 0)
		printf("%s\n", error_name(errno));
	else
		printf("%ld\n", serial);
	return 0;
}

#define TRY(name, call)                                                                                                \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		long r_ = (call);                                                                                      \
		printf("%s %s\n", name, error_name(r_ < 0 ? errno : 0));                                               \
	} while (0)

/* Calls that a guest must not reach: refused as EPERM, and ones that no kernel has as ENOSYS. */
static int syscalls(void)
{
	TRY("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
	TRY("init_module", syscall(SYS_init_module, 0, 0, ""));
	TRY("finit_module", syscall(SYS_finit_module, 0, "", 0));
	TRY("delete_module", syscall(SYS_delete_module, "none", 0));
	TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, 0, 0));
	TRY("swapon", syscall(SYS_swapon, "/none", 0));
	TRY("iopl", syscall(SYS_iopl, 3));
	TRY("settimeofday", syscall(SYS_settimeofday, 0, "12345678901234567890"));
	TRY("syslog", klogctl(3, (char[4096]){0}, 4096));
	TRY("bpf", syscall(SYS_bpf, 0, 0, 0));
	TRY("unknown", syscall(999));
	return 0;
}

/* What an ordinary root may do to the machine, and root of a privileged VE not. */
static int privileged(void)
{
	struct timespec t = {0};
	int folder = open("/", O_RDONLY | O_DIRECTORY), tty = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	clock_gettime(CLOCK_REALTIME, &t);
	TRY("FIFREEZE", ioctl(folder, FIFREEZE, 0));
	TRY("TIOCCONS", ioctl(tty, TIOCCONS));
	TRY("reboot.CAD", syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL)); /* LINUX_REBOOT_CMD_CAD_OFF */
	TRY("clock", syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
	return 0;
}

static int caps(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "Cap", 3) || !strncmp(line, "NoNewPrivs", 10) || !strncmp(line, "Seccomp:", 8))
			fputs(line, stdout);
	return 0;
}

static int tty(void)
{
	struct winsize w = {0};
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

	ioctl(0, TIOCGWINSZ, &w);
	printf("controlling %s name %s size %d %d\n", fd < 0 ? error_name(errno) : "yes",
		ttyname(0) ? ttyname(0) : "none", w.ws_row, w.ws_col);
	return 0;
}

static int place(const char *pid, const char *folder, const char *target)
{
	char path[64];
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, folder, 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC), ns;

	snprintf(path, sizeof path, "/proc/%s/ns/mnt", pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (tree < 0 || ns < 0 || setns(ns, CLONE_NEWNS) < 0 || (mkdir(target, 0755) < 0 && errno != EEXIST) ||
		syscall(SYS_move_mount, tree, "", AT_FDCWD, target, 4 /* MOVE_MOUNT_F_EMPTY_PATH */) < 0) {
		perror(target);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} questions[] = {{"fds", fds}, {"audit", audit}, {"keyring", keyring}, {"syscalls", syscalls}, {"caps", caps},
		{"privileged", privileged}, {"tty", tty}};

	for (size_t i = 0; argc > 1 && i < sizeof questions / sizeof *questions; i++)
		if (!strcmp(argv[1], questions[i].name))
			return questions[i].run();
	if (argc == 5 && !strcmp(argv[1], "place"))
		return place(argv[2], argv[3], argv[4]);
	fprintf(stderr,
		"usage: probe fds|audit|keyring|syscalls|caps|privileged|tty, or probe place PID FOLDER TARGET\n");
	return 2;
}
