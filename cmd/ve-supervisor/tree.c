/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cmd/ve-supervisor/tree.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "cmd/ve-supervisor/sys.h"
#include "lib/plan/wire.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* ---- on the host's side */

/*
 * Through no symbolic link at all: a source may lie in what this or another VE can write to, and a link put there
 * would show it any place of the host's.
 */
int tree_open(const char *path, int recursive)
{
	int fd = TRY(path, sys_openat2(AT_FDCWD, path, O_PATH, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
	int tree = TRY(
		path, sys_open_tree(fd, "",
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0)));
	close(fd);
	return tree;
}

static int make(const char *type, const char *source, const char *options, unsigned attr)
{
	int fs = TRY(type, sys_fsopen(type));
	TRY(source, sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0));
	int r = configure_fs(fs, options);
	if (r)
		return r;
	TRY(source, sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	int tree = TRY(source, sys_fsmount(fs, attr));
	close(fs);
	return tree;
}

int tree_make(const char *type, const char *source, const char *options)
{
	return make(type, source, options, 0);
}

/* By its source it is known as vectl's later. */
int tree_make_inside(const char *type, const char *options, unsigned attr)
{
	return make(type, INSIDE_SOURCE, options, attr);
}

int tree_own(int tree, const char *subject, unsigned attr, int flags, int userns)
{
	int all = flags & ATTACH_RECURSIVE ? AT_RECURSIVE : 0;
	struct mount_attr a = {
		.attr_set = attr,
		.attr_clr = attr & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0,
		.propagation = MS_PRIVATE, /* else what the host mounts there later would come in, and be kept busy */
	};
	TRY(subject, sys_mount_setattr(tree, "", AT_EMPTY_PATH | all, &a));
	struct mount_attr idmap = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = userns};
	if (flags & ATTACH_IDMAP && sys_mount_setattr(tree, "", AT_EMPTY_PATH | all, &idmap))
		/* EINVAL: not on this file system; EPERM: it is id-mapped already, for somebody else */
		return errno == EINVAL || errno == EPERM ? -EOPNOTSUPP : -errno;
	return 0;
}

struct tree_path tree_path(int64_t number)
{
	struct tree_path p;
	struct text t = {p.s, p.s + sizeof p.s};
	text_add(&t, MIN_MOUNTS "/");
	text_number(&t, number);
	return p;
}

static int make_mount_point(int tree, const char *path)
{
	struct stat st;
	TRY(path, fstat(tree, &st));
	if (S_ISDIR(st.st_mode))
		TRY(path, mkdir(path, 0755));
	else
		close(TRY(path, open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644)));
	return 0;
}

int tree_attach(int tree, int64_t number)
{
	static struct tree_path path; /* what failed is told by it */
	path = tree_path(number);
	int r = make_mount_point(tree, path.s);
	if (r)
		return r;
	TRY(path.s, sys_move_mount(tree, "", AT_FDCWD, path.s, MOVE_MOUNT_F_EMPTY_PATH));
	return 0;
}

int tree_copy(int64_t number)
{
	static struct tree_path path;
	path = tree_path(number);
	/* With what lies below: copies of a more privileged namespace's mounts cannot be parted. */
	return TRY(path.s, sys_open_tree(AT_FDCWD, path.s, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
}

int node_make(const char *at, const char *subject, const char *numbers, unsigned mode, uint32_t uid, uint32_t gid)
{
	char *end;
	step_subject = subject;
	if (!numbers[0] || numbers[1] != ' ')
		return -EINVAL;
	unsigned long major = strtoul(numbers + 2, &end, 10);
	if (*end != ':')
		return -EINVAL;
	TRY(subject, mknod(at, mode, makedev(major, strtoul(end + 1, NULL, 10))));
	TRY(subject, lchown(at, uid, gid));
	return 0;
}

/* ---- in the VE */

int open_inside(const struct inside *in, const char *path)
{
	return sys_openat2(in->root, path, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
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
 * what vectl shows there. proc tells where a folder is, with all links followed and across mounts.
 */
int path_inside(const struct inside *in, int fd, char *buf, int size, const char **ret)
{
	static const char *const taken[] = {"/proc", "/sys", "/dev", "/run/host"};
	char link[40];
	struct text t = {link, link + sizeof link};
	const size_t top = strlen(in->prefix);
	text_add(&t, "self/fd/");
	text_number(&t, fd);
	ssize_t n = readlinkat(in->proc, link, buf, size - 1);
	if (n < (ssize_t)top || n == size - 1)
		return -EXDEV;
	buf[n] = 0;
	if (strncmp(buf, in->prefix, top) || buf[top] != '/' || !buf[top + 1])
		return -EXDEV; /* the root itself, or nothing that is seen from it */
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		size_t len = strlen(taken[i]);
		if (!strncmp(buf + top, taken[i], len) && (!buf[top + len] || buf[top + len] == '/'))
			return -EXDEV;
	}
	*ret = buf + top;
	return 0;
}

/*
 * The target, made as far as it is missing, folder by folder: each is opened anew from the root, so that a link of the
 * image's leads to what it says inside.
 */
static int open_target(const struct inside *in, const char *path, int folder)
{
	char b[4096];
	const char *real;
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
		fd = open_inside(in, b);
		if (fd < 0 && errno == ENOENT) {
			int made, above = parent < 0 ? in->root : parent;
			if (next < n || folder)
				made = mkdirat(above, name, 0755);
			else if ((made = openat(above, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644)) >= 0)
				close(made);
			if (made < 0)
				return errno == EEXIST ? -ENOENT : -errno; /* a link that leads to nothing */
			fd = open_inside(in, b);
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
	return is_kernels(fd) || path_inside(in, fd, b, sizeof b, &real) ? -EXDEV : fd;
}

int tree_show(int tree, const struct inside *in, const char *target)
{
	struct stat what, where;
	TRY(target, fstat(tree, &what));
	int at = open_target(in, target, S_ISDIR(what.st_mode));
	if (at < 0)
		return at;
	TRY(target, fstat(at, &where));
	if (S_ISDIR(what.st_mode) != S_ISDIR(where.st_mode))
		return S_ISDIR(what.st_mode) ? -ENOTDIR : -EISDIR;
	TRY(target, sys_move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	close(at);
	return 0;
}

int node_show(int tree, int dev, const char *path)
{
	const uint64_t no_links = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH;
	char b[256];
	struct stat st;
	size_t n = strlen(path);
	step_subject = path;
	if (n >= sizeof b)
		return -ENAMETOOLONG;
	memcpy(b, path, n + 1);
	int in = TRY(path, fcntl(dev, F_DUPFD_CLOEXEC, 3));
	char *name = b;
	for (char *p = strchr(b, '/'); p; p = strchr(name, '/')) {
		*p = 0;
		if (mkdirat(in, name, 0755) && errno != EEXIST)
			return -errno;
		int next = TRY(path, sys_openat2(in, name, O_PATH | O_DIRECTORY, 0, no_links));
		close(in);
		in = next;
		name = p + 1;
	}
	int made = openat(in, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (made < 0 && errno != EEXIST)
		return -errno;
	if (made >= 0)
		close(made);
	int at = TRY(path, sys_openat2(in, name, O_PATH, 0, no_links));
	TRY(path, fstat(at, &st));
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	TRY(path, sys_move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	close(at);
	close(in);
	return 0;
}
