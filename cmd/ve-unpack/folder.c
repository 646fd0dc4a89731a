/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies a folder as it is: owners, modes, times, extended attributes, access lists, hard links, holes. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "cmd/ve-unpack/digest.h"
#include "cmd/ve-unpack/unpack.h"
#include "lib/base/util.h"

enum { LINK_BUCKETS = 16384, COPY_CHUNK = 1 << 20 };

struct hard_link {
	struct hard_link *next;
	dev_t dev;
	ino_t ino;
	char path[];
};

struct copy {
	struct unpack *u;
	uint64_t total; /* entries, counted before */
	struct hard_link *links[LINK_BUCKETS];
	dev_t root_dev; /* of the output: a folder that holds it would be copied for ever */
	ino_t root_ino;
	char path[PATH_MAX];  /* of the entry at hand, from the root */
	struct digest digest; /* of the file at hand */
	char buffer[COPY_CHUNK];
};

static int open_folder(const struct copy *c, int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail(c->path, errno, "cannot be opened");
	return fd;
}

static struct statx look(const struct copy *c, int parent, const char *name)
{
	struct statx sx;
	if (statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx) < 0)
		fail(c->path, errno, "cannot be read");
	return sx;
}

/* Appends a component to c->path; the result is what take_back() needs. */
static size_t go_down(struct copy *c, const char *name)
{
	size_t length = strlen(c->path);
	int n = snprintf(c->path + length, sizeof(c->path) - length, "%s%s", length ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(c->path) - length) {
		c->path[length] = 0;
		refuse(c->path, "paths beneath it are too long");
	}
	return length;
}

/* An mtime is restored after the content, mode after the owner (chown clears setuid), capabilities after both. */
static void set_metadata(struct copy *c, int fd, const struct statx *sx)
{
	struct timespec times[2] = {
		{sx->stx_atime.tv_sec, sx->stx_atime.tv_nsec}, {sx->stx_mtime.tv_sec, sx->stx_mtime.tv_nsec}};
	if (fchown(fd, sx->stx_uid, sx->stx_gid) < 0 || fchmod(fd, sx->stx_mode & 07777) < 0)
		fail(c->path, errno, "owner and mode cannot be set");
	if (futimens(fd, times) < 0)
		fail(c->path, errno, "times cannot be set");
}

static void copy_xattrs(struct copy *c, int from, int to)
{
	static char names[XATTR_LIST_MAX], value[XATTR_VALUE_MAX];
	ssize_t length = flistxattr(from, names, sizeof(names));
	if (length < 0 && errno != EOPNOTSUPP)
		fail(c->path, errno, "extended attributes cannot be read");
	for (const char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
		int acl = !strncmp(name, "system.posix_acl_", strlen("system.posix_acl_"));
		ssize_t size = fgetxattr(from, name, value, sizeof(value));
		if (size < 0)
			fail(c->path, errno, "extended attribute %s cannot be read", name);
		if (acl)
			check_acl(c->path, value, (size_t)size);
		else if (!check_xattr(c->path, name, value, (size_t)size)) {
			c->u->xattrs++;
			continue;
		}
		if (fsetxattr(to, name, value, (size_t)size, 0) < 0)
			fail(c->path, errno, "extended attribute %s cannot be set", name);
	}
}

/* `to` -1: it is there already, and is read for its digest alone. */
static void copy_range(struct copy *c, int from, int to, off_t at, off_t end)
{
	while (at < end) {
		size_t want = (size_t)(end - at) < sizeof(c->buffer) ? (size_t)(end - at) : sizeof(c->buffer);
		ssize_t n = pread(from, c->buffer, want, at);
		if (n < 0)
			fail(c->path, errno, "cannot be copied");
		if (n == 0)
			return; /* it shrank while it was copied */
		digest_feed(&c->digest, (uint64_t)at, c->buffer, (size_t)n);
		for (ssize_t done = 0; to >= 0 && done < n;) {
			ssize_t w = pwrite(to, c->buffer + done, (size_t)(n - done), at + done);
			if (w < 0)
				fail(c->path, errno, "cannot be written");
			done += w;
		}
		at += n;
		c->u->bytes += (uint64_t)n;
	}
}

static void copy_content(struct copy *c, int from, int to, off_t size)
{
	/* Shared blocks take no room; what they hold is read from where nobody changes it any more. */
	int cloned = size > 0 && ioctl(to, FICLONE, from) == 0;
	int source = cloned ? to : from, target = cloned ? -1 : to;
	if (!cloned && ftruncate(to, size) < 0)
		fail(c->path, errno, "cannot be written");
	for (off_t data = 0, hole; data < size; data = hole) {
		data = lseek(source, data, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return; /* a hole up to the end */
		if (data < 0)
			fail(c->path, errno, "cannot be read");
		hole = lseek(source, data, SEEK_HOLE);
		if (hole < 0)
			fail(c->path, errno, "cannot be read");
		copy_range(c, source, target, data, hole < size ? hole : size);
	}
}

/* For the manifest. What is not certain, a clone of a file that has grown say, will be read again. */
static void remember(struct copy *c, int to)
{
	unsigned char raw[SHA256_DIGEST_SIZE];
	struct stat st;
	if (fstat(to, &st) < 0)
		fail(c->path, errno, "cannot be read");
	if ((uint64_t)st.st_size == c->digest.size && digest_end(&c->digest, raw) == 0 &&
		digest_table_put(c->u->digests, st.st_ino, c->digest.size, raw) < 0)
		no_memory(c->path);
}

static void copy_file(struct copy *c, int from_dir, int to_dir, const char *name, const struct statx *sx)
{
	cleanup_fd int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (from < 0 || fstat(from, &st) < 0)
		fail(c->path, errno, "cannot be opened");
	if (!S_ISREG(st.st_mode))
		refuse(c->path, "it was replaced while it was copied");
	cleanup_fd int to = openat(to_dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		fail(c->path, errno, "cannot be made");
	digest_begin(&c->digest, (uint64_t)st.st_size);
	copy_content(c, from, to, st.st_size);
	remember(c, to);
	set_metadata(c, to, sx);
	copy_xattrs(c, from, to);
}

static void copy_special(struct copy *c, int from_dir, int to_dir, const char *name, const struct statx *sx)
{
	struct timespec times[2] = {
		{sx->stx_atime.tv_sec, sx->stx_atime.tv_nsec}, {sx->stx_mtime.tv_sec, sx->stx_mtime.tv_nsec}};
	char target[PATH_MAX];
	if (S_ISLNK(sx->stx_mode)) {
		ssize_t n = readlinkat(from_dir, name, target, sizeof(target));
		if (n < 0 || n == sizeof(target))
			fail(c->path, n < 0 ? errno : ENAMETOOLONG, "cannot be read");
		target[n] = 0;
		if (symlinkat(target, to_dir, name) < 0)
			fail(c->path, errno, "cannot be made");
	} else if (mkfifoat(to_dir, name, sx->stx_mode & 07777) < 0) {
		fail(c->path, errno, "cannot be made");
	}
	if (fchownat(to_dir, name, sx->stx_uid, sx->stx_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		fail(c->path, errno, "owner and times cannot be set");
	if (!S_ISLNK(sx->stx_mode) && fchmodat(to_dir, name, sx->stx_mode & 07777, 0) < 0)
		fail(c->path, errno, "mode cannot be set");
}

/* 1 when the entry was linked to an earlier one; else it is remembered. */
static int copy_link(struct copy *c, int to_dir, const char *name, const struct statx *sx)
{
	dev_t dev = makedev(sx->stx_dev_major, sx->stx_dev_minor);
	struct hard_link **bucket = &c->links[(sx->stx_ino ^ dev) % LINK_BUCKETS];
	for (struct hard_link *l = *bucket; l; l = l->next) {
		if (l->dev != dev || l->ino != sx->stx_ino)
			continue;
		if (linkat(c->u->root, l->path, to_dir, name, 0) < 0)
			fail(c->path, errno, "cannot be linked");
		return 1;
	}
	struct hard_link *l = malloc(sizeof(*l) + strlen(c->path) + 1);
	if (!l)
		no_memory(c->path);
	*l = (struct hard_link){.next = *bucket, .dev = dev, .ino = sx->stx_ino};
	strcpy(l->path, c->path);
	*bucket = l;
	return 0;
}

static void copy_folder(struct copy *c, int from, int to, int depth);

static void copy_entry(struct copy *c, int from, int to, const char *name, int depth)
{
	struct statx sx = look(c, from, name);
	check_ids(c->path, sx.stx_uid, sx.stx_gid);
	if (S_ISDIR(sx.stx_mode)) {
		if (makedev(sx.stx_dev_major, sx.stx_dev_minor) == c->root_dev && sx.stx_ino == c->root_ino)
			refuse(c->path, "the folder holds the image store itself");
		if (depth >= FOLDER_DEPTH_MAX)
			refuse(c->path, "folders are nested deeper than %d", FOLDER_DEPTH_MAX);
		if (mkdirat(to, name, 0700) < 0)
			fail(c->path, errno, "cannot be made");
		cleanup_fd int sub_to = open_folder(c, to, name);
		cleanup_fd int attributes = -EBADF;
		if (sx.stx_attributes & sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) {
			c->u->mounts++;
		} else {
			attributes = open_folder(c, from, name);
			copy_folder(c, open_folder(c, from, name), sub_to, depth + 1);
		}
		set_metadata(c, sub_to, &sx);
		/* Last: the children would inherit a default access list. */
		if (attributes >= 0)
			copy_xattrs(c, attributes, sub_to);
	} else if (S_ISCHR(sx.stx_mode) || S_ISBLK(sx.stx_mode)) {
		c->u->devices++;
		return;
	} else if (S_ISSOCK(sx.stx_mode)) {
		c->u->sockets++;
		return;
	} else if (sx.stx_nlink > 1 && copy_link(c, to, name, &sx)) {
		;
	} else if (S_ISREG(sx.stx_mode)) {
		copy_file(c, from, to, name, &sx);
	} else {
		copy_special(c, from, to, name, &sx);
	}
	c->u->entries++;
	progress(c->u, c->u->entries, c->total);
}

/* Owns `from`. Without `to` (-1) the entries are only counted. */
static void copy_folder(struct copy *c, int from, int to, int depth)
{
	DIR *dir = fdopendir(from);
	struct dirent *d;
	if (!dir)
		fail(*c->path ? c->path : "/", errno, "cannot be read");
	while (errno = 0, d = readdir(dir)) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		size_t length = go_down(c, d->d_name);
		if (to >= 0) {
			copy_entry(c, from, to, d->d_name, depth);
		} else {
			struct statx sx = look(c, from, d->d_name);
			c->total++;
			if (S_ISDIR(sx.stx_mode) && depth < FOLDER_DEPTH_MAX &&
				!(sx.stx_attributes & sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
				copy_folder(c, open_folder(c, from, d->d_name), -1, depth + 1);
		}
		c->path[length] = 0;
	}
	if (errno)
		fail(*c->path ? c->path : "/", errno, "cannot be read");
	closedir(dir);
}

void unpack_folder(struct unpack *u)
{
	struct copy *c = calloc(1, sizeof(*c));
	struct stat st;
	if (!c)
		no_memory("/");
	if (fstat(u->root, &st) < 0)
		fail("/", errno, "cannot be read");
	c->u = u;
	c->root_dev = st.st_dev;
	c->root_ino = st.st_ino;
	int count = openat(u->source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int from = openat(u->source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (count < 0 || from < 0)
		fail("/", errno, "cannot be read");
	if (u->progress_fd >= 0)
		copy_folder(c, count, -1, 0);
	else
		close(count);
	copy_folder(c, from, u->root, 0);
	if (u->entries == 0)
		refuse("/", "the folder is empty");
	for (size_t i = 0; i < LINK_BUCKETS; i++)
		for (struct hard_link *l = c->links[i], *next; l; l = next) {
			next = l->next;
			free(l);
		}
	free(c);
}
