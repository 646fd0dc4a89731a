/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Of inits that cannot say READY=1 the host looks at their children: all of it is the kernel's word but for
 * /etc/inittab, which is the guest's and is read as hostile text. A guest that lies makes itself ready too early.
 */
#include "lib/run/init_kind.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/image/store.h"
#include "lib/run/proc.h"
#include "lib/run/run.h"

/*
 * Sources: section 8 of each one's manual; for sysvinit initctl(5); for runit what its own `init 0` does, which also
 * knows where a distribution keeps the flag that goes with the signal. sysvinit's powerfail scripts, which SIGPWR runs,
 * are not to be relied on: Debian has the line in its inittab and no script. openrc-init runs `openrc shutdown` beside
 * the `openrc` that still boots, and each then waits for the other's services (seen with 0.56).
 */
static const struct init_kind kinds[] = {
	{"systemd", READY_NOTIFY, NULL, STOP_SIGNAL, 4, 1, 0},
	{"init", READY_INITTAB, NULL, STOP_INITCTL, SIGPWR, 0, 0},
	{"busybox", READY_INITTAB, NULL, STOP_SIGNAL, SIGUSR2, 0, 0},
	{"openrc-init", READY_NO_CHILD, "openrc", STOP_SIGNAL, SIGTERM, 0, 1},
	{"runit", READY_CHILD, "runsvdir", STOP_RUNLEVEL_0, SIGCONT, 0, 0},
	{"runit-init", READY_CHILD, "runsvdir", STOP_RUNLEVEL_0, SIGCONT, 0, 0}, /* becomes runit in a moment */
	{"s6-svscan", READY_UNKNOWN, NULL, STOP_SIGNAL, SIGUSR2, 0, 0},
	{"", READY_UNKNOWN, NULL, STOP_SIGNAL, SIGPWR, 0, 0},
};

const struct init_kind *init_kind_by_name(const char *program)
{
	const struct init_kind *k = kinds;
	while (*k->program && strcmp(k->program, program) != 0)
		k++;
	return k;
}

const struct init_kind *init_kind_of(pid_t init)
{
	char program[NAME_MAX + 1];
	return init_kind_by_name(proc_program(init, program, sizeof program) ? "" : program);
}

/* ---- ready: what an inittab makes init wait for */

static const char *word(const char *p, size_t *ret_size)
{
	p += strspn(p, " \t");
	*ret_size = strcspn(p, " \t");
	return p;
}

/* The name that the kernel gives to what `command` executes. `command` may begin with the marks of either init. */
static void command_name(const char *command, char ret[INIT_NAME_MAX])
{
	size_t n;
	const char *p = word(command + strspn(command, "+@-"), &n);
	if (n == 4 && !strncmp(p, "exec", n))
		p = word(p + n, &n);
	const char *slash = memrchr(p, '/', n);
	if (slash) {
		n -= (size_t)(slash + 1 - p);
		p = slash + 1;
	}
	snprintf(ret, INIT_NAME_MAX, "%.*s", (int)(n < INIT_NAME_MAX ? n : INIT_NAME_MAX - 1), p);
}

static void add_name(struct init_boot_names *names, const char *name)
{
	if (*name && names->n < INIT_BOOT_NAMES && !init_is_boot_name(names, name))
		snprintf(names->name[names->n++], INIT_NAME_MAX, "%s", name);
}

/* id:runlevels:action:process. 1: init waits for the process; 0: it starts it and goes on; -1: neither. */
static int entry(char *line, char name[INIT_NAME_MAX])
{
	static const struct {
		const char *action;
		int waits;
	} actions[] = {{"sysinit", 1}, {"boot", 0}, {"bootwait", 1}, {"wait", 1}, {"once", 0}, {"respawn", 0},
		{"askfirst", 0}};
	char *field[4] = {line + strspn(line, " \t")};
	if (*field[0] == '#')
		return -1;
	for (int i = 1; i < 4; i++) {
		char *colon = strchr(field[i - 1], ':');
		if (!colon)
			return -1;
		*colon = 0;
		field[i] = colon + 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (!strcmp(field[2], actions[i].action)) {
			command_name(field[3], name);
			return actions[i].waits;
		}
	return -1;
}

int init_is_boot_name(const struct init_boot_names *names, const char *comm)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->name[i], comm))
			return 1;
	return 0;
}

void init_boot_names(const char *inittab, struct init_boot_names *ret)
{
	struct init_boot_names waited = {0}, others = {0};
	char name[INIT_NAME_MAX];
	cleanup_free char *text = strdup(inittab ?: "::sysinit:/etc/init.d/rcS\n"); /* busybox, by itself */
	char *rest = text;
	for (char *line; text && (line = strsep(&rest, "\n"));) {
		int waits = entry(line, name);
		if (waits >= 0)
			add_name(waits ? &waited : &others, name);
	}
	*ret = (struct init_boot_names){.waits = waited.n > 0};
	for (size_t i = 0; i < waited.n; i++)
		if (!init_is_boot_name(&others, waited.name[i]))
			add_name(ret, waited.name[i]);
	/* What Debian's and others' rc scripts become, where OpenRC does the work. */
	add_name(ret, "openrc");
}

/* One layer of the VE's disk. -ENOENT: it does not say; -ENXIO: it says that there is none. */
static int read_inittab_of(const char *layer, char **ret)
{
	char path[64];
	struct stat st;
	cleanup_fd int root = open(layer, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	/* Looked at before it is opened: a device node would be the host's device. */
	cleanup_fd int there = rootfs_open(root, "etc/inittab", O_PATH);
	if (there < 0 || fstat(there, &st))
		return there < 0 ? there : -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > INITTAB_MAX)
		return -ENXIO; /* a device 0:0 is how an overlay says that a file of the lower layer is gone */
	FORMAT(path, "/proc/self/fd/%d", there);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = malloc(INITTAB_MAX + 1);
	ssize_t n = fd >= 0 && text ? pread(fd, text, INITTAB_MAX, 0) : -1;
	if (n < 0)
		return -errno;
	text[n] = 0;
	*ret = TAKE_PTR(text);
	return 0;
}

/*
 * From the host's own file systems, and not through the root of a process of the VE: that may be one of the guest's
 * making, FUSE for one, where a read waits for as long as the guest likes.
 */
static int read_inittab(const char *disk, char **ret)
{
	char path[PATH_MAX];
	if (FORMAT(path, "%s/disk/upper", disk) < 0)
		return -ENAMETOOLONG;
	int r = read_inittab_of(path, ret);
	if (r != -ENOENT)
		return r;
	return FORMAT(path, "%s/image/rootfs", disk) < 0 ? -ENAMETOOLONG : read_inittab_of(path, ret);
}

/* ---- ready: init's children */

struct look {
	const struct init_kind *kind;
	struct init_boot_names names;
	char own[INIT_NAME_MAX];
	int booting, children, found;
};

static int look_at(pid_t pid, void *arg)
{
	struct look *l = arg;
	char comm[INIT_NAME_MAX];
	if (proc_comm(pid, comm, sizeof comm))
		return 0;
	l->children++;
	switch (l->kind->ready) {
	case READY_INITTAB:
		/* A fork that has yet to execute its program; but busybox's child asks for Enter first. */
		l->booting |=
			init_is_boot_name(&l->names, comm) || (l->kind->stop == STOP_INITCTL && !strcmp(comm, l->own));
		break;
	case READY_NO_CHILD:
		l->booting |= !strcmp(comm, l->kind->child) || !strcmp(comm, l->own);
		break;
	default:
		l->found |= !strcmp(comm, l->kind->child);
	}
	return 0;
}

int init_is_ready(const struct init_kind *kind, pid_t init, const char *disk)
{
	struct look l = {.kind = kind};
	if (kind->ready == READY_UNKNOWN)
		return -1;
	if (kind->ready == READY_NOTIFY || proc_comm(init, l.own, sizeof l.own))
		return 0;
	if (kind->ready == READY_INITTAB) {
		cleanup_free char *inittab = NULL;
		int r = read_inittab(disk, &inittab), busybox = kind->stop == STOP_SIGNAL;
		/* The program alone does not make it an init: busybox is also sh, and others are called init, too. */
		if (busybox ? strcmp(l.own, "init") && strcmp(l.own, "linuxrc") && strcmp(l.own, "busybox") : r < 0)
			return -1;
		init_boot_names(inittab, &l.names);
	}
	if (proc_each_child(init, look_at, &l))
		return 0;
	if (kind->ready == READY_CHILD)
		return l.found;
	/* Before the first of what it waits for is started it has not seen a child's end either. */
	int begun = kind->ready == READY_INITTAB && !l.names.waits ? l.children > 0 : proc_has_reaped(init);
	return begun && !l.booting;
}

/* ---- stop */

/* sysvinit's request, initctl(5). */
struct initctl {
	int32_t magic, command, runlevel, seconds;
	char data[368];
};

/*
 * Whether it lies on a tmpfs, as /run does. Asked of the kernel alone: a look at a file of a file system of the guest's
 * making (FUSE) waits for as long as the guest likes.
 */
static int is_on_tmpfs(pid_t init, int fd)
{
	enum { TABLE_MAX = 256 << 10 };
	char path[64], *rest, *line;
	cleanup_free char *info = NULL, *table = NULL;
	FORMAT(path, "/proc/self/fdinfo/%d", fd);
	if (read_file_at(AT_FDCWD, path, 4096, &info, NULL) < 0 || !(line = strstr(info, "mnt_id:")))
		return 0;
	int id = atoi(line + strlen("mnt_id:"));
	FORMAT(path, "/proc/%d/mountinfo", init);
	if (read_file_at(AT_FDCWD, path, TABLE_MAX, &table, NULL) < 0)
		return 0;
	rest = table;
	while ((line = strsep(&rest, "\n"))) {
		const char *type = strstr(line, " - ");
		if (atoi(line) == id)
			return type && !strncmp(type, " - tmpfs ", strlen(" - tmpfs "));
	}
	return 0;
}

/* The FIFO that init itself has open, so that no path of the guest's is followed. */
static int open_initctl(pid_t init, int pidfd)
{
	char path[64], target[PATH_MAX];
	FORMAT(path, "/proc/%d/fd", init);
	DIR *d = opendir(path);
	if (!d)
		return -errno;
	int r = -ENOENT;
	struct dirent *de;
	/* The folder is of one process for good: the same one that the pidfd is of, if that lives now. */
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0))
		r = -errno;
	for (int left = 256; r == -ENOENT && left-- > 0 && (de = readdir(d));) {
		struct stat st;
		ssize_t n = readlinkat(dirfd(d), de->d_name, target, sizeof target - 1);
		target[n > 0 ? n : 0] = 0;
		if (!strstr(target, "/initctl"))
			continue;
		/* Seen before it is opened: a device's open could do something, and another FIFO's could wait. */
		cleanup_fd int fifo = openat(dirfd(d), de->d_name, O_PATH | O_CLOEXEC);
		if (fifo < 0 || !is_on_tmpfs(init, fifo) || fstat(fifo, &st) || !S_ISFIFO(st.st_mode))
			continue;
		FORMAT(path, "/proc/self/fd/%d", fifo);
		r = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		r = r < 0 ? -errno : r;
	}
	closedir(d);
	return r;
}

/*
 * A reboot of the guest's own that gets as far as its killall5 ends the scripts of runlevel 0, too: init is in that
 * runlevel then, with nothing to do, and takes no request for it again. So every other while it is asked for runlevel
 * 6, after which it does not come up again either, since the keeper knows of the stop.
 */
static int ask_by_initctl(pid_t init, int pidfd, int64_t asking_ms)
{
	enum { WHILE_MS = 25000 };
	/* 3 seconds between SIGTERM and SIGKILL for what inittab itself keeps running, as telinit has it. */
	const struct initctl request = {
		.magic = 0x03091969, .command = 1, .runlevel = asking_ms / WHILE_MS % 2 ? '6' : '0', .seconds = 3};
	cleanup_fd int fd = open_initctl(init, pidfd);
	if (fd < 0)
		return fd;
	return write(fd, &request, sizeof request) == sizeof request ? 0 : -EIO;
}

static int ask_inside(struct ve *ve)
{
	enum { ASK_MS = 2000 };
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	static const char *const argv[] = {"/sbin/init", "0", NULL};
	const struct ve_exec_options o = {
		.size = sizeof o, .cwd = "/", .argv = argv, .stdin_fd = null, .stdout_fd = null, .stderr_fd = null};
	struct ve_process *p = NULL;
	if (null < 0)
		return -errno;
	int r = exec_within(ve, &o, ASK_MS, &p);
	ve_process_close(p);
	host_begin(ve->host); /* it may have left an error there, which is not the stop's */
	return r;
}

int init_ask_to_stop(const struct init_kind *kind, struct ve *ve, pid_t init, int pidfd, int64_t asking_ms)
{
	int r = 0, signal = kind->realtime ? SIGRTMIN + kind->signal : kind->signal;
	if (kind->stop == STOP_RUNLEVEL_0)
		r = ask_inside(ve);
	if (kind->stop == STOP_INITCTL && !ask_by_initctl(init, pidfd, asking_ms))
		return 0;
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) ? -errno : r < 0 ? r : 0;
}
