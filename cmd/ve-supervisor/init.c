/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the VE's first process does before it becomes the guest's init. It runs with the VE's own ids in all of the VE's
 * namespaces, so a hostile image can at most harm its own VE; still every mount goes to a folder that was opened
 * without following a link, and never by a path through what the image brought.
 */
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <termios.h>

#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum {
	NOTHING = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	NO_LINKS = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH
};

static struct {
	int root;           /* the VE's root, before the pivot */
	int dev, run, proc; /* mounts made for it */
	int master, tty;    /* of the console */
} v = {-1, -1, -1, -1, -1, -1};

/* ---- small parts */

static int folder_at(int dir, const char *path)
{
	int fd = sys_openat2(dir, path, O_PATH | O_DIRECTORY, 0, NO_LINKS);
	if (fd < 0 && errno == ENOENT && mkdirat(dir, path, 0755) == 0)
		fd = sys_openat2(dir, path, O_PATH | O_DIRECTORY, 0, NO_LINKS);
	return fd;
}

static int mount_made(const char *type, const char *options, unsigned attr, int *ret)
{
	int fs = TRY(type, sys_fsopen(type));
	int r = configure_fs(fs, options);
	if (r)
		return r;
	TRY(type, sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	*ret = TRY(type, sys_fsmount(fs, attr));
	close(fs);
	return 0;
}

static int mount_at(const char *type, const char *options, unsigned attr, const char *target, int *ret)
{
	int m = -1, at = TRY(target, folder_at(v.root, target)), r = mount_made(type, options, attr, &m);
	if (r)
		return r;
	TRY(target, sys_move_mount(m, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	close(at);
	if (ret)
		*ret = m;
	else
		close(m);
	return 0;
}

/* Shows what `from` in `dir` (or dir itself, with "") is at the existing entry `to` of `to_dir`. */
static int bind_at(int dir, const char *from, int to_dir, const char *to)
{
	int t = TRY(
		from, sys_open_tree(dir, from,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | (*from ? 0 : AT_EMPTY_PATH)));
	int at = TRY(to, sys_openat2(to_dir, to, O_PATH, 0, NO_LINKS));
	TRY(to, sys_move_mount(t, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	close(at);
	close(t);
	return 0;
}

static int put_at(int dir, const char *name, const char *text, size_t size, mode_t mode)
{
	int fd = TRY(name, openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode));
	if (size)
		TRY(name, write(fd, text, size));
	close(fd);
	return 0;
}

/* ---- steps */

static int become_root(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	TRY("setgroups", syscall(SYS_setgroups, 0, NULL));
	TRY("setresgid", syscall(SYS_setresgid, 0, 0, 0));
	TRY("setresuid", syscall(SYS_setresuid, 0, 0, 0));
	/* Again, because a change of ids clears it; the keeper's end is the VE's end. */
	TRY("parent's death signal", prctl(PR_SET_PDEATHSIG, SIGKILL));
	write_at(AT_FDCWD, "/proc/self/oom_score_adj", "0");
	return 0;
}

static int overlay(const char *lower, const char *upper, const char *work)
{
	const char *option[][2] = {{"lowerdir", lower}, {"upperdir", upper}, {"workdir", work}};
	int fs = TRY("overlay", sys_fsopen("overlay"));
	for (int i = 0; i < 3; i++)
		TRY(option[i][1], sys_fsconfig(fs, FSCONFIG_SET_STRING, option[i][0], option[i][1], 0));
	TRY("userxattr", sys_fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0));
	TRY("overlay", sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	v.root = TRY("overlay", sys_fsmount(fs, 0));
	close(fs);
	struct statvfs st;
	TRY("overlay", fstatvfs(v.root, &st));
	/* The kernel falls back to a read-only overlay in silence when its work folder cannot be made. */
	step_subject = "the overlay came up read-only";
	if (st.f_flag & ST_RDONLY)
		return -EROFS;
	TRY(MIN_ROOT, sys_move_mount(v.root, "", AT_FDCWD, MIN_ROOT, MOVE_MOUNT_F_EMPTY_PATH));
	TRY(MIN_ROOT, fchdir(v.root));
	return 0;
}

static int dev(const char *options, int64_t ptys)
{
	int r = mount_at("tmpfs", "mode=755,size=512k,nr_inodes=1024", MOUNT_ATTR_NOSUID, "dev", &v.dev);
	if (r)
		return r;
#define X(name, major, minor, group)                                                                                   \
	if ((r = put_at(v.dev, name, "", 0, 0666)) || (r = bind_at(AT_FDCWD, "/dev/" name, v.dev, name)))              \
		return r;
	DEVICES(X)
#undef X
	const char *folder[] = {"pts", "shm", "mqueue", ".vectl", ".vectl/proc", ".vectl/sys"};
	for (size_t i = 0; i < sizeof folder / sizeof *folder; i++)
		TRY(folder[i], mkdirat(v.dev, folder[i], i == 3 ? 0700 : 0755));
	const char *link[][2] = {{"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"fd/0", "stdin"}, {"fd/1", "stdout"},
		{"fd/2", "stderr"}};
	for (size_t i = 0; i < sizeof link / sizeof *link; i++)
		TRY(link[i][1], symlinkat(link[i][0], v.dev, link[i][1]));
	char b[96];
	struct text t = {b, b + sizeof b};
	text_add(&t, options);
	text_number(&t, ptys);
	return mount_at("devpts", b, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "dev/pts", NULL);
}

/* The pty is one of the VE's own devpts, opened through the mounts made here and TIOCGPTPEER (CVE-2025-52565). */
static int console(void)
{
	int zero = 0, r;
	v.master = TRY("pts/ptmx", sys_openat2(v.dev, "pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0, NO_LINKS));
	TRY("console", ioctl(v.master, TIOCSPTLCK, &zero));
	v.tty = TRY("console", ioctl(v.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	TRY("console", fchown(v.tty, 0, 5));
	if ((r = put_at(v.dev, "console", "", 0, 0600)))
		return r;
	return bind_at(v.tty, "", v.dev, "console");
}

/* That of the minimal root, which is the host's network namespace's as the VE is. */
static int bind_sys(void)
{
	close(TRY("sys", folder_at(v.root, "sys")));
	return bind_at(AT_FDCWD, "/sys", v.root, "sys");
}

static int mount_step(const struct wire_step *s)
{
	const char *type = wire_string(plan, s, 0), *target = wire_string(plan, s, 1);
	int m = -1, keep = !strcmp(target, "run") ? 1 : !strcmp(target, "proc") ? 2 : 0;
	int r = mount_at(type, wire_string(plan, s, 2), s->n[0], target, keep ? &m : NULL);
	if (!r && keep)
		*(keep == 1 ? &v.run : &v.proc) = m;
	return r;
}

/* In the boot's own /run, which nobody has touched yet. */
int run_file(int run, const char *path, const char *text)
{
	char b[256];
	size_t n = strlen(path);
	step_subject = path;
	if (n >= sizeof b)
		return -ENAMETOOLONG;
	memcpy(b, path, n + 1);
	for (char *p = strchr(b, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		if (mkdirat(run, b, 0755) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return put_at(run, path, text, strlen(text), 0644);
}

/* With the mounts beneath it, among them `incoming`: what the host mounts there comes in, and nothing goes out. */
static int bind_run_host(void)
{
	TRY("run/host", mkdirat(v.run, "host", 0755));
	TRY(MIN_HOST, sys_mount(NULL, MIN_HOST, NULL, MS_REC | MS_SLAVE, NULL));
	int t = TRY(MIN_HOST, sys_open_tree(AT_FDCWD, MIN_HOST, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
	int at = TRY("run/host", sys_openat2(v.run, "host", O_PATH, 0, NO_LINKS));
	TRY("run/host", sys_move_mount(t, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	close(at);
	close(t);
	return 0;
}

/* Through the VE's own proc, by the VE's root: what belongs to no namespace of the VE's is refused by the kernel. */
static int set_sysctl(const char *name, const char *value)
{
	char path[256];
	struct text t = {path, path + sizeof path};
	text_add(&t, "sys/");
	char *p = t.at;
	text_add(&t, name);
	/* As sysctl(8) has it: a slash in a name stands for a dot, as in the name of an interface. */
	for (; *p; p++)
		*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
	int fd = TRY(name, sys_openat2(v.proc, path, O_WRONLY, 0, NO_LINKS));
	TRY(name, write(fd, value, strlen(value)));
	close(fd);
	return 0;
}

/* One that this boot does not take is no reason to end a VE that ran with it. */
static int live_sysctls(const struct wire_step *s, struct boot *b)
{
	for (uint32_t i = 0; live && i < live->nsteps; i++) {
		const struct wire_step *l = &live->step[i];
		if (l->op != OP_SYSCTL)
			continue;
		int r = set_sysctl(live_string(live, l, 0), live_string(live, l, 1));
		if (r < 0)
			note_failure(b->sync, s, -r);
	}
	return 0;
}

static int boot_id(void)
{
	unsigned char id[16];
	char b[40], *p = b;
	TRY("random numbers", syscall(SYS_getrandom, id, sizeof id, 0));
	id[6] = (id[6] & 0x0f) | 0x40; /* RFC 9562: version 4, variant 1 */
	id[8] = (id[8] & 0x3f) | 0x80;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = "0123456789abcdef"[id[i] >> 4];
		*p++ = "0123456789abcdef"[id[i] & 15];
	}
	*p++ = '\n';
	int r = put_at(v.run, ".boot_id", b, p - b, 0444);
	if (!r)
		r = bind_at(v.run, ".boot_id", v.proc, "sys/kernel/random/boot_id");
	unlinkat(v.run, ".boot_id", 0);
	return r;
}

/* An empty file over each; they keep ordinary users of the VE off, its root may take them away. */
static int mask(const char *list, size_t size)
{
	int r = put_at(v.run, ".masked", "", 0, 0000);
	for (const char *p = list; !r && p < list + size; p += strlen(p) + 1) {
		r = bind_at(v.run, ".masked", v.proc, p);
		if (r == -ENOENT)
			r = 0; /* this kernel does not have it */
	}
	unlinkat(v.run, ".masked", 0);
	return r;
}

/* What is beneath `path` there, at the same place once more, with other flags. Absent: not in this kernel. */
static int remount_at(int dir, const char *path, int read_only)
{
	struct mount_attr a = {
		.attr_set = read_only ? MOUNT_ATTR_RDONLY : 0,
		.attr_clr = read_only ? 0 : MOUNT_ATTR_RDONLY,
	};
	int t = sys_open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (t < 0 && errno == ENOENT)
		return 0;
	TRY(path, t);
	TRY(path, sys_mount_setattr(t, "", AT_EMPTY_PATH, &a));
	int at = TRY(path, sys_openat2(dir, path, O_PATH, 0, NO_LINKS));
	TRY(path, sys_move_mount(t, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	close(at);
	close(t);
	return 0;
}

static int proc_read_only(const struct wire_step *s)
{
	for (int i = 0; i < 2; i++) {
		const char *list = wire_string(plan, s, i);
		for (const char *p = list; s->len[i] && p < list + s->len[i]; p += strlen(p) + 1) {
			int r = remount_at(v.proc, p, i == 0);
			if (r)
				return r;
		}
	}
	return 0;
}

static int pivot(void)
{
	TRY("pivot_root", sys_pivot_root(".", "."));
	TRY("the minimal root", sys_umount2(".", MNT_DETACH));
	TRY("/", chdir("/"));
	const int done[] = {v.root, v.dev, v.run, v.proc};
	for (int i = 0; i < 4; i++)
		close(done[i]);
	return 0;
}

/*
 * Inside the VE's root by now, so links lead nowhere but into it; and the VE's devices are there, some of which act as
 * soon as they are opened.
 */
static int open_regular(const char *path)
{
	struct stat st = {.st_mode = S_IFREG};
	int at = sys_openat2(AT_FDCWD, path, O_PATH, 0, RESOLVE_NO_MAGICLINKS);
	TRY(path, at < 0 && errno != ENOENT ? -1 : 0);
	if (at >= 0) {
		TRY(path, fstat(at, &st));
		close(at);
	}
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	int fd = TRY(path,
		sys_openat2(AT_FDCWD, path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644, RESOLVE_NO_MAGICLINKS));
	/* Once more: the folder may be one that somebody else writes to. */
	TRY(path, fstat(fd, &st));
	return S_ISREG(st.st_mode) ? fd : -EINVAL;
}

static int hostname(const char *name, int to_file)
{
	TRY(name, sethostname(name, strlen(name)));
	if (!to_file)
		return 0;
	char b[128];
	struct text t = {b, b + sizeof b};
	text_add(&t, name);
	text_add(&t, "\n");
	step_subject = "/etc/hostname";
	int fd = open_regular(step_subject);
	if (fd < 0)
		return fd;
	char old[128];
	ssize_t n = read(fd, old, sizeof old);
	if (n != t.at - b || memcmp(old, b, n)) {
		TRY("/etc/hostname", ftruncate(fd, 0));
		TRY("/etc/hostname", pwrite(fd, b, t.at - b, 0));
	}
	close(fd);
	return 0;
}

static int loopback(void)
{
	struct ifreq q = {.ifr_name = "lo"};
	int s = TRY("lo", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	TRY("lo", ioctl(s, SIOCGIFFLAGS, &q));
	q.ifr_flags |= IFF_UP;
	TRY("lo", ioctl(s, SIOCSIFFLAGS, &q));
	close(s);
	return 0;
}

static int rlimit(const struct wire_step *s)
{
	const struct wire_step *changed = live_find(live, OP_RLIMIT, s->n[0]), *from = changed ?: s;
	struct rlimit l = {from->n[1], from->n[2]};
	TRY(wire_string(plan, s, 0), setrlimit(s->n[0], &l));
	return 0;
}

static int bounding_set(uint64_t keep)
{
	for (int c = 0; c < 64; c++) {
		if (keep & (1ull << c))
			continue;
		if (prctl(PR_CAPBSET_DROP, c) && errno == EINVAL)
			break; /* past the kernel's last capability */
	}
	TRY("ambient capabilities", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	/* A new user namespace has emptied the inheritable set; without one the caller's would come along. */
	TRY("inheritable capabilities", keep_capabilities(~0ull));
	return 0;
}

static int await_keeper(struct boot *b)
{
	struct sync_message m = {.kind = SYNC_CONSOLE};
	int fd, r = sync_send(b->sync, &m, v.master);
	if (r)
		return r;
	close(v.master);
	step_subject = "the keeper's word";
	r = sync_recv(b->sync, &m, &fd);
	if (r <= 0)
		_exit(1); /* the keeper died, or gave up */
	return 0;
}

static char *const *string_list(const char *s, size_t size, char **list, size_t max)
{
	size_t n = 0;
	for (const char *p = s; size && p <= s + size && n + 1 < max; p += strlen(p) + 1)
		list[n++] = (char *)p;
	list[n] = NULL;
	return list;
}

static int exec_init(const struct wire_step *s, struct boot *b)
{
	static char *argv[64], *env[256], *candidate[16];
	/*
	 * As on a machine, PID 1 has a console and no controlling terminal: what it starts on the console can take it,
	 * and a Ctrl-C there is for that and not for init.
	 */
	setsid();
	for (int i = 0; i < 3; i++)
		TRY("console", dup2(v.tty, i));
	/* Downwards, each before its place is taken; sync lies above them all. */
	for (unsigned i = 0; i < plan->listen_fds; i++)
		TRY("LISTEN_FDS", dup2(SFD_COUNT_END + i, 3 + i));
	TRY("close_range", sys_close_range(3 + plan->listen_fds, ~0u, CLOSE_RANGE_CLOEXEC));
	umask(022);
	string_list(wire_string(plan, s, 0), s->len[0], candidate, 16);
	string_list(wire_string(plan, s, 1), s->len[1], argv, 64);
	string_list(wire_string(plan, s, 2), s->len[2], env, 256);
	struct sync_message m = {.kind = SYNC_EXEC};
	sync_send(b->sync, &m, -1);
	int err = ENOENT;
	for (int i = 0; candidate[i]; i++) {
		if (!s->len[1]) {
			argv[0] = candidate[i];
			argv[1] = NULL;
		}
		execve(candidate[i], argv, env);
		step_subject = candidate[i];
		err = errno;
		if (err != ENOENT)
			break;
	}
	return -err;
}

static int init_step(const struct wire_step *s, struct boot *b)
{
	const char *s0 = wire_string(plan, s, 0);
	const struct wire_step *changed;
	switch (s->op) {
	case OP_BECOME_ROOT:
		return become_root();
	case OP_OVERLAY:
		return overlay(s0, wire_string(plan, s, 1), wire_string(plan, s, 2));
	case OP_DEV:
		return dev(s0, s->n[0]);
	case OP_CONSOLE:
		return console();
	case OP_MOUNT:
		return mount_step(s);
	case OP_SYSCTL:
		return live ? 0 : set_sysctl(s0, wire_string(plan, s, 1));
	case OP_LIVE:
		return live_sysctls(s, b);
	case OP_DEVICE:
	case OP_BIND_MOUNT:
	case OP_MOUNT_INSIDE:
		return show_place(s, &(struct inside){v.root, v.proc, MIN_ROOT}, v.dev);
	case OP_LIVE_PLACES:
		return show_live_places(&(struct inside){v.root, v.proc, MIN_ROOT}, v.dev);
	case OP_BIND_SYS:
		return bind_sys();
	case OP_BIND_RUN_HOST:
		return bind_run_host();
	case OP_BOOT_ID:
		return boot_id();
	case OP_MASK:
		return mask(s0, s->len[0]);
	case OP_PROC_READ_ONLY:
		return proc_read_only(s);
	case OP_RUN_FILE:
		return live_links ? 0 : run_file(v.run, s0, wire_string(plan, s, 1));
	case OP_RESOLVER:
		return resolver(s, v.root, v.run);
	case OP_PIVOT_ROOT:
		return pivot();
	case OP_SHARE_MOUNTS:
		/* Init programs do this on a machine, and leave it to the manager in a container: what is mounted
		 * later is then seen in services that have a mount namespace of their own. */
		TRY("/", sys_mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL));
		return 0;
	case OP_FIRST_BOOT_OPEN:
		return guest_first_boot_open(s0, b);
	case OP_FIRST_BOOT:
		return guest_first_boot(b);
	case OP_HOSTNAME:
		changed = live_find(live, OP_HOSTNAME, 0);
		return changed ? hostname(live_string(live, changed, 0), changed->n[0]) : hostname(s0, s->n[0]);
	case OP_LOOPBACK:
		return loopback();
	case OP_ADDRESS:
		return live_links ? 0 : address(s);
	case OP_LINK_UP:
		return live_links ? 0 : link_up(s);
	case OP_ROUTE:
		return live_links ? 0 : route(s);
	case OP_LIVE_LINKS:
		return live_links ? live_network(v.run) : 0;
	case OP_KEYRING:
		TRY("session keyring", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0));
		return 0;
	case OP_RLIMIT:
		return rlimit(s);
	case OP_BOUNDING_SET:
		return bounding_set(s->n[0]);
	case OP_AWAIT_KEEPER:
		return await_keeper(b);
	case OP_SECCOMP:
		TRY(s0, load_seccomp(&plan->blob[BLOB_SECCOMP_VE]));
		return 0;
	case OP_EXEC:
		return exec_init(s, b);
	}
	return -ENOSYS;
}

void init_of_ve(struct boot *b)
{
	prctl(PR_SET_NAME, "ve-init");
	unblock_signals();
	/* Folders of the host's: the image's links could lead through them (/sbin/init -> /proc/self/fd/N/../..). */
	const unsigned listen = SFD_COUNT_END, n = plan->listen_fds;
	const int sync = fcntl(b->sync, F_DUPFD_CLOEXEC, listen + SFD_LISTEN_MAX + 1);
	if (sync < 0 || sys_close_range(3, listen - 1, 0) || sys_close_range(listen + n, sync - 1, 0) ||
		sys_close_range(sync + 1, ~0u, 0))
		_exit(1);
	b->sync = sync;
	run_steps(ACTOR_INIT, init_step, b);
	_exit(127);
}
