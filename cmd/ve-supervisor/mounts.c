/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.* of the spec. The keeper opens each source as root, gives it the VE's owners and its attributes, and attaches
 * it in the minimal root, of which each boot's mount namespace is a copy: there its attributes are locked. Init shows
 * it at its target, to which every path leads inside the VE's root and nowhere else.
 */
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "cmd/ve-supervisor/keeper.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int tree[PLAN_MOUNTS_MAX]; /* detached, by the plan's numbers */

static int number_ok(const struct wire_step *s)
{
	return s->n[0] >= 0 && s->n[0] < PLAN_MOUNTS_MAX;
}

/*
 * Through no symbolic link at all: a source may lie in what this or another VE can write to, and a link put there
 * would show it any place of the host's.
 */
int open_mount(const struct wire_step *s)
{
	const char *path = wire_string(plan, s, 0);
	if (!number_ok(s))
		return -EINVAL;
	int fd = TRY(path, sys_openat2(AT_FDCWD, path, O_PATH, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
	tree[s->n[0]] =
		TRY(path, sys_open_tree(fd, "",
				  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (s->n[1] ? AT_RECURSIVE : 0)));
	close(fd);
	return 0;
}

int make_mount(const struct wire_step *s)
{
	const char *source = wire_string(plan, s, 0), *type = wire_string(plan, s, 1);
	if (!number_ok(s))
		return -EINVAL;
	int fs = TRY(type, sys_fsopen(type));
	TRY(source, sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0));
	int r = configure_fs(fs, wire_string(plan, s, 2));
	if (r)
		return r;
	TRY(source, sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	tree[s->n[0]] = TRY(source, sys_fsmount(fs, 0));
	close(fs);
	return 0;
}

/* Where mount `number` waits in the minimal root. */
static void mount_point(char *buf, size_t size, int64_t number)
{
	struct text t = {buf, buf + size};
	text_add(&t, MIN_MOUNTS "/");
	text_number(&t, number);
}

static int make_mount_point(int mounted, const char *path)
{
	struct stat st;
	TRY(path, fstat(mounted, &st));
	if (S_ISDIR(st.st_mode))
		TRY(path, mkdir(path, 0755));
	else
		close(TRY(path, open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644)));
	return 0;
}

int attach_mount(const struct wire_step *s, int userns)
{
	char path[32];
	if (!number_ok(s))
		return -EINVAL;
	int t = tree[s->n[0]], all = s->n[2] & ATTACH_RECURSIVE ? AT_RECURSIVE : 0;
	struct mount_attr a = {
		.attr_set = s->n[1],
		.attr_clr = s->n[1] & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0,
		.propagation = MS_PRIVATE, /* else what the host mounts there later would come in, and be kept busy */
	};
	TRY(wire_string(plan, s, 0), sys_mount_setattr(t, "", AT_EMPTY_PATH | all, &a));
	struct mount_attr idmap = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = userns};
	if (s->n[2] & ATTACH_IDMAP && sys_mount_setattr(t, "", AT_EMPTY_PATH | all, &idmap))
		/* EINVAL: not on this file system; EPERM: it is id-mapped already, for somebody else */
		return errno == EINVAL || errno == EPERM ? -EOPNOTSUPP : -errno;
	mount_point(path, sizeof path, s->n[0]);
	int r = make_mount_point(t, path);
	if (r)
		return r;
	TRY(path, sys_move_mount(t, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
	close(t);
	return 0;
}

/* In the minimal root, whose mount opens devices; the VE sees it where init shows it, and nowhere else. */
int device_node(const struct wire_step *s)
{
	const char *at = wire_string(plan, s, 0), *numbers = wire_string(plan, s, 2);
	char *end;
	step_subject = wire_string(plan, s, 1);
	if (!numbers[0] || numbers[1] != ' ')
		return -EINVAL;
	unsigned long major = strtoul(numbers + 2, &end, 10);
	if (*end != ':')
		return -EINVAL;
	TRY(step_subject, mknod(at, s->n[0], makedev(major, strtoul(end + 1, NULL, 10))));
	TRY(step_subject, chown(at, plan->base + s->n[1], plan->base + s->n[2]));
	return 0;
}

/* ---- init's part */

static int open_inside(int root, const char *path)
{
	return sys_openat2(root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* Mounting there would change what the kernel's own files say to programs of the VE. */
static int is_kernels(int fd)
{
	struct statfs st;
	return fstatfs(fd, &st) || st.f_type == PROC_SUPER_MAGIC || st.f_type == SYSFS_MAGIC ||
	       st.f_type == CGROUP2_SUPER_MAGIC;
}

/*
 * What is refused by name when it is set (own_places in lib/spec/mounts.c) is refused where a link leads as well: a
 * mount on the VE's root would be what `vectl exec` finds as /, and one on /dev or /run/host would be in the place of
 * what vectl shows there. The VE's own proc tells where a folder is, with all links followed and across mounts.
 */
static int is_taken(int root, int fd)
{
	static const char *const taken[] = {"/proc", "/sys", "/dev", "/run/host"};
	char link[40], real[4096];
	struct text t = {link, link + sizeof link};
	const size_t top = sizeof MIN_ROOT - 1;
	text_add(&t, "proc/self/fd/");
	text_number(&t, fd);
	ssize_t n = readlinkat(root, link, real, sizeof real - 1);
	if (n < (ssize_t)top || n == sizeof real - 1)
		return 1;
	real[n] = 0;
	if (strncmp(real, MIN_ROOT, top) || real[top] != '/')
		return 1; /* the root itself, or nothing that is seen from it */
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		size_t len = strlen(taken[i]);
		if (!strncmp(real + top, taken[i], len) && (!real[top + len] || real[top + len] == '/'))
			return 1;
	}
	return 0;
}

/*
 * The target, made as far as it is missing, folder by folder: each is opened anew from the root, so that a link of the
 * image's leads to what it says inside.
 */
static int open_target(int root, const char *path, int folder)
{
	char b[4096];
	size_t n = strlen(path), at = 0;
	int parent = -1, fd = -1;
	step_subject = path;
	if (n >= sizeof b || path[0] != '/')
		return -ENAMETOOLONG;
	memcpy(b, path, n + 1);
	while (at < n) {
		size_t next = at + 1 + strcspn(b + at + 1, "/");
		char *name = b + at + 1;
		b[next] = 0;
		fd = open_inside(root, b);
		if (fd < 0 && errno == ENOENT) {
			int made, in = parent < 0 ? root : parent;
			if (next < n || folder)
				made = mkdirat(in, name, 0755);
			else if ((made = openat(in, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644)) >= 0)
				close(made);
			if (made < 0)
				return errno == EEXIST ? -ENOENT : -errno; /* a link that leads to nothing */
			fd = open_inside(root, b);
		}
		if (parent >= 0)
			close(parent);
		if (fd < 0)
			return -errno;
		parent = fd;
		if (next < n)
			b[next] = '/';
		at = next;
	}
	if (fd < 0)
		return -EINVAL;
	return is_kernels(fd) || is_taken(root, fd) ? -EXDEV : fd;
}

static int move_to_target(int mounted, int root, const char *path)
{
	struct stat what, where;
	TRY(path, fstat(mounted, &what));
	int at = open_target(root, path, S_ISDIR(what.st_mode));
	if (at < 0)
		return at;
	TRY(path, fstat(at, &where));
	if (S_ISDIR(what.st_mode) != S_ISDIR(where.st_mode))
		return S_ISDIR(what.st_mode) ? -ENOTDIR : -EISDIR;
	TRY(path, sys_move_mount(mounted, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	close(at);
	return 0;
}

int bind_mount(const struct wire_step *s, int root)
{
	char from[32];
	if (!number_ok(s))
		return -EINVAL;
	mount_point(from, sizeof from, s->n[0]);
	/* With what lies below: copies of a more privileged namespace's mounts cannot be parted. */
	int t = TRY(from, sys_open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
	int r = move_to_target(t, root, wire_string(plan, s, 0));
	close(t);
	return r;
}

int mount_inside(const struct wire_step *s, int root)
{
	const char *type = wire_string(plan, s, 0);
	int fs = TRY(type, sys_fsopen(type));
	int r = configure_fs(fs, wire_string(plan, s, 2));
	if (r)
		return r;
	TRY(type, sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	int t = TRY(type, sys_fsmount(fs, s->n[0]));
	close(fs);
	r = move_to_target(t, root, wire_string(plan, s, 1));
	close(t);
	return r;
}
