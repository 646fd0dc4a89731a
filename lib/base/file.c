/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base/util.h"

static int open_how(int dir, const char *path, int flags, unsigned mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
		.resolve = resolve,
	};
	int tries, fd;

	/* EAGAIN: something was renamed while the kernel resolved `..`; it asks to be asked again. */
	for (tries = 0; tries < 32; tries++) {
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

int open_beneath(int dir, const char *path, int flags, unsigned mode)
{
	return open_how(dir, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/* AT_FDCWD stands for host paths of root's own, absolute mostly, where links are as good as what they lead to. */
static int open_from(int dir, const char *path, int flags, unsigned mode)
{
	int fd;

	if (dir != AT_FDCWD)
		return open_beneath(dir, path, flags, mode);
	fd = openat(dir, path, flags | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

/* The folder that holds `path`, and the last component in *ret_name (inside `path`). */
static int open_parent(int dir, const char *path, const char **ret_name)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = slash ? (size_t)(slash - path) : 0;
	int fd;

	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	if (n >= sizeof(parent) || strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(parent, path, n);
	strcpy(parent + n, slash && n == 0 ? "/" : n == 0 ? "." : "");
	fd = open_from(dir, parent, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0)
		*ret_name = name;
	return fd;
}

int read_file_at(int dir, const char *path, size_t limit, char **ret, size_t *ret_size)
{
	cleanup_free char *text = NULL;
	/* O_NONBLOCK: a FIFO that somebody put there must not hang us. */
	cleanup_fd int fd = open_from(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	size_t size = 0, room = 0;
	struct stat st;

	if (fd < 0)
		return fd;
	if (limit > SIZE_MAX / 4)
		limit = SIZE_MAX / 4;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	/* st_size is 0 or 4096 for what the kernel makes up on reading: read to the end whatever it says. */
	for (;;) {
		ssize_t n;

		if (size == room) {
			size_t more = room ? room * 2 : st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
			char *p;

			if (more > limit + 1)
				more = limit + 1;
			if (more <= room)
				return -EFBIG;
			p = realloc(text, more + 1);
			if (!p)
				return -ENOMEM;
			text = p;
			room = more;
		}
		n = read(fd, text + size, room - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > limit)
			return -EFBIG;
		if ((off_t)size == st.st_size && size < room)
			break; /* asked for more and got all there is: no second read to hear it again */
	}
	text[size] = '\0';
	*ret = TAKE_PTR(text);
	if (ret_size)
		*ret_size = size;
	return 0;
}

int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

struct content {
	const void *data;
	size_t size;
	unsigned mode;
	int wait; /* for the disk */
};

static int write_and_rename(int parent, int fd, const char *temporary, const char *name, const struct content *c)
{
	int r = write_all(fd, c->data, c->size);

	if (r < 0)
		return r;
	/* fchmod, since the mode given to open is cut by the umask. */
	if (fchmod(fd, c->mode) < 0 || (c->wait && fsync(fd) < 0))
		return -errno;
	/* Begun, so that the data are there before the name is: a name without data is what a power cut would leave. */
	if (!c->wait)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return renameat(parent, temporary, parent, name) < 0 ? -errno : 0;
}

static int replace_file(int dir, const char *path, const struct content *c)
{
	cleanup_fd int parent = -EBADF, fd = -EBADF;
	char temporary[] = ".new-0123456789abcdef";
	const char *name;
	int tries, r;

	parent = open_parent(dir, path, &name);
	if (parent < 0)
		return parent;
	for (tries = 0; tries < 16 && fd < 0; tries++) {
		uint64_t n;

		if (getrandom(&n, sizeof(n), 0) != sizeof(n))
			return -EIO;
		snprintf(temporary, sizeof(temporary), ".new-%016llx", (unsigned long long)n);
		fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return -errno;
	}
	if (fd < 0)
		return -EEXIST;
	r = write_and_rename(parent, fd, temporary, name, c);
	if (r < 0) {
		unlinkat(parent, temporary, 0);
		return r;
	}
	/* EINVAL: a file system that knows no fsync of a folder. */
	return c->wait && fsync(parent) < 0 && errno != EINVAL ? -errno : 0;
}

int write_file_atomic_at(int dir, const char *path, const void *data, size_t size, unsigned mode)
{
	return replace_file(dir, path, &(struct content){data, size, mode, 1});
}

int write_file_soon_at(int dir, const char *path, const void *data, size_t size, unsigned mode)
{
	return replace_file(dir, path, &(struct content){data, size, mode, 0});
}

int write_string_at(int dir, const char *path, const char *text)
{
	cleanup_fd int fd = open_from(dir, path, O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOCTTY, 0);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = write(fd, text, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

int mkdir_parents(const char *path, unsigned mode)
{
	char buf[PATH_MAX];
	struct stat st;
	char *p;

	if (!*path)
		return -ENOENT;
	if (strlen(path) >= sizeof(buf))
		return -ENAMETOOLONG;
	strcpy(buf, path);
	for (p = buf; *p;) {
		char saved;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		saved = *p;
		*p = '\0';
		if (mkdir(buf, mode) == 0) {
			/* mkdir's mode is cut by the umask. */
			if (chmod(buf, mode) < 0)
				return -errno;
		} else if (errno != EEXIST) {
			return -errno;
		}
		*p = saved;
	}
	if (stat(buf, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/*
 * A guest may nest folders deeper than we have fds or stack for. Below REMOVE_DEPTH a folder is moved up into the
 * tree's top and taken from there in the next pass.
 */
enum { REMOVE_DEPTH = 32 };

struct removal {
	int top;             /* fd of the tree's top folder */
	unsigned long moved; /* folders moved up so far */
	unsigned long gone;  /* entries removed so far */
};

static int remove_entry(struct removal *r, int parent, const char *name, unsigned depth);

static int remove_children(struct removal *r, DIR *d, unsigned depth)
{
	struct dirent *entry;
	int ret;

	for (;;) {
		errno = 0;
		entry = readdir(d);
		if (!entry)
			return -errno;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		ret = remove_entry(r, dirfd(d), entry->d_name, depth);
		if (ret < 0)
			return ret;
	}
}

static DIR *open_folder(int parent, const char *name)
{
	int fd = open_how(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
	DIR *d;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	d = fdopendir(fd);
	if (!d) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return d;
}

static int move_up(struct removal *r, int parent, const char *name)
{
	char flat[64];
	int tries;

	for (tries = 0; tries < 1024; tries++) {
		snprintf(flat, sizeof(flat), ".vectl-removing-%lu", r->moved++);
		if (renameat2(parent, name, r->top, flat, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int remove_folder(struct removal *r, int parent, const char *name, unsigned depth)
{
	DIR *d = open_folder(parent, name);
	int ret;

	if (!d)
		return -errno;
	/* A folder may grow behind readdir's back by what moves up, and file systems differ in what readdir then shows:
	 * go on as long as there is progress. */
	for (;;) {
		unsigned long before = r->moved + r->gone;

		if (depth == 0)
			r->top = dirfd(d);
		ret = remove_children(r, d, depth + 1);
		if (ret < 0)
			break;
		if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			break;
		ret = -errno;
		if ((ret != -ENOTEMPTY && ret != -EEXIST) || r->moved + r->gone == before)
			break;
		rewinddir(d);
	}
	closedir(d);
	if (ret == 0)
		r->gone++;
	return ret;
}

static int remove_entry(struct removal *r, int parent, const char *name, unsigned depth)
{
	int ret;

	if (unlinkat(parent, name, 0) == 0) {
		r->gone++;
		return 0;
	}
	if (errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth > REMOVE_DEPTH)
		return move_up(r, parent, name);
	ret = remove_folder(r, parent, name, depth);
	/* EXDEV is what openat2 says of a mount on the way; "busy" is what it means. */
	return ret == -EXDEV ? -EBUSY : ret;
}

int remove_tree_at(int dir, const char *path)
{
	struct removal r = {.top = -EBADF};
	cleanup_fd int parent = -EBADF;
	const char *name;

	parent = open_parent(dir, path, &name);
	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	return remove_entry(&r, parent, name, 0);
}

static int ofd_lock(int fd, int cmd, struct flock *lock)
{
	*lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, cmd, lock) < 0 ? -errno : 0;
}

int lock_try(int fd)
{
	struct flock lock;
	int r = ofd_lock(fd, F_OFD_SETLK, &lock);

	return r == -EACCES ? -EAGAIN : r;
}

/* -EINTR after a signal: whoever waits decides whether that means to give up. */
int lock_wait(int fd)
{
	struct flock lock;

	return ofd_lock(fd, F_OFD_SETLKW, &lock);
}

int lock_is_held(int fd)
{
	struct flock lock;
	int r = ofd_lock(fd, F_OFD_GETLK, &lock);

	return r < 0 ? r : lock.l_type != F_UNLCK;
}
