/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the VE is given once, before its init ever runs: root's password and keys. It is done here, in the VE's own
 * namespaces and with its own ids, so that the guest's links lead nowhere but into the guest. What is to be done lies
 * in a folder of the host's, a file a thing; each is removed as soon as it has taken effect. A start that ends before
 * init's exec leaves the rest to the next, and the guest has not run in between; once it has, nothing is tried again.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd/ve-supervisor/account.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"

/* A magic link (/etc/shadow -> /proc/self/fd/N) would lead to the folder of the host's that is still open. */
enum { IN_GUEST = RESOLVE_NO_MAGICLINKS, NO_LINKS = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
enum { INPUT_MAX = 64 << 10, FILE_MAX = 512 << 10 };

static int folder = -1;
static char input[INPUT_MAX], old_text[FILE_MAX], new_text[FILE_MAX + INPUT_MAX], other_text[FILE_MAX];

/* Before the pivot, while the host's folder is in sight; after it, what reads it is guest_first_boot. */
int guest_first_boot_open(const char *path, struct boot *b)
{
	if (b->number > 1)
		return 0; /* it was done, or could not be, in the first */
	folder = TRY(path, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return 0;
}

static ssize_t read_all(int fd, char *buf, size_t room)
{
	size_t n = 0;
	for (;;) {
		ssize_t got = read(fd, buf + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return n;
		if ((n += got) == room)
			return -EFBIG;
	}
}

/* A file of the guest's, wherever its links lead. `real` is the path that they led to. */
struct guest_file {
	char real[512];
	struct stat st;
	ssize_t size; /* of its text in old_text */
};

static int read_guest_file(const char *path, struct guest_file *f)
{
	char link[40];
	struct text t = {link, link + sizeof link};
	int fd = TRY(path, sys_openat2(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, IN_GUEST));
	int r = fstat(fd, &f->st) ? -errno : S_ISREG(f->st.st_mode) ? 0 : -EINVAL;
	text_add(&t, "/proc/self/fd/");
	text_number(&t, fd);
	ssize_t n = readlink(link, f->real, sizeof f->real - 1);
	if (!r && (n < 2 || n == sizeof f->real - 1))
		r = n < 0 ? -errno : -ENAMETOOLONG;
	if (!r) {
		f->real[n] = 0;
		f->size = read_all(fd, old_text, sizeof old_text);
		r = f->size < 0 ? f->size : 0;
	}
	close(fd);
	return r;
}

static int fill(int fd, const char *text, size_t size, const struct stat *like)
{
	if (fchown(fd, like->st_uid, like->st_gid) || fchmod(fd, like->st_mode & 07777))
		return -errno;
	while (size) {
		ssize_t n = write(fd, text, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		text += n;
		size -= n;
	}
	return fsync(fd) ? -errno : 0;
}

/* Whole or not at all: written beside it, synced, renamed. */
static int replace_at(int dir, const char *name, const char *text, size_t size, const struct stat *like)
{
	static const char temporary[] = ".vectl-first-boot";
	unlinkat(dir, temporary, 0); /* of a start that was killed */
	int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int r = fill(fd, text, size, like);
	close(fd);
	if (!r && renameat(dir, temporary, dir, name))
		r = -errno;
	if (r)
		unlinkat(dir, temporary, 0);
	else
		fsync(dir);
	return r;
}

static int replace(struct guest_file *f, const char *text, size_t size)
{
	if ((size_t)f->size == size && !memcmp(old_text, text, size))
		return 0;
	char *slash = strrchr(f->real, '/');
	if (!slash)
		return -EINVAL;
	*slash = 0;
	int dir = sys_openat2(AT_FDCWD, *f->real ? f->real : "/", O_RDONLY | O_DIRECTORY, 0, NO_LINKS);
	if (dir < 0)
		return -errno;
	int r = replace_at(dir, slash + 1, text, size, &f->st);
	close(dir);
	return r;
}

/* ---- the things themselves; each gets the host's file in `input` */

/* A password field that is not "x" would win over /etc/shadow. */
static int point_to_shadow(void)
{
	static const char path[] = "/etc/passwd";
	struct guest_file f;
	int r = read_guest_file(path, &f);
	ssize_t n = r ? r : account_set((struct span){old_text, f.size}, "root", 1, "x", new_text, sizeof new_text);
	return n < 0 ? n : replace(&f, new_text, n);
}

static int password(struct span hash)
{
	static const char path[] = "/etc/shadow";
	struct guest_file f;
	struct timespec now;
	char day[24], *text = new_text;
	struct text t = {day, day + sizeof day};
	clock_gettime(CLOCK_REALTIME, &now);
	text_number(&t, now.tv_sec / 86400);
	step_subject = path;
	int r = read_guest_file(path, &f);
	if (r)
		return r;
	ssize_t n = account_set((struct span){old_text, f.size}, "root", 1, hash.at, other_text, sizeof other_text);
	if (n >= 0)
		n = account_set((struct span){other_text, n}, "root", 2, day, new_text, sizeof new_text);
	explicit_bzero(other_text, sizeof other_text);
	if (n == -ENOENT && (size_t)f.size < sizeof new_text - INPUT_MAX) {
		struct text line = {new_text, new_text + sizeof new_text};
		const char *part[] = {"root:", hash.at, ":", day, ":0:99999:7:::\n"};
		for (size_t i = 0; i < sizeof part / sizeof *part; i++)
			text_add(&line, part[i]);
		memcpy(line.at, old_text, f.size);
		n = line.at - new_text + f.size;
	}
	r = n < 0 ? n : replace(&f, text, n);
	explicit_bzero(new_text, sizeof new_text);
	if (r)
		return r;
	step_subject = "/etc/passwd";
	return point_to_shadow();
}

static int authorized_keys(struct span keys)
{
	static const char home[] = "/root/.ssh", path[] = "/root/.ssh/authorized_keys";
	struct guest_file f = {.st = {.st_mode = S_IFREG | 0600}};
	step_subject = home;
	/* Not by its whole path: /root may be a magic link. */
	int root = TRY(home, sys_openat2(AT_FDCWD, "/root", O_RDONLY | O_DIRECTORY, 0, IN_GUEST));
	int made = mkdirat(root, ".ssh", 0700), err = errno;
	close(root);
	if (made && err != EEXIST)
		return -err;
	step_subject = path;
	int r = read_guest_file(path, &f);
	if (r == -ENOENT) {
		/* Made where it belongs: what there is already keeps its mode, and the folder its links. */
		int dir = TRY(home, sys_openat2(AT_FDCWD, home, O_RDONLY | O_DIRECTORY, 0, IN_GUEST));
		ssize_t n = lines_add((struct span){"", 0}, keys, new_text, sizeof new_text);
		r = n < 0 ? n : replace_at(dir, "authorized_keys", new_text, n, &f.st);
		close(dir);
		return r;
	}
	ssize_t n = r ? r : lines_add((struct span){old_text, f.size}, keys, new_text, sizeof new_text);
	return n < 0 ? n : replace(&f, new_text, n);
}

static const struct {
	const char *name;
	int (*apply)(struct span text);
} things[] = {{"password", password}, {"authorized_keys", authorized_keys}};

static int apply(size_t i)
{
	int fd = openat(folder, things[i].name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	ssize_t n = read_all(fd, input, sizeof input - 1);
	close(fd);
	if (n < 0)
		return n;
	input[n] = 0;
	int r = things[i].apply((struct span){input, n});
	explicit_bzero(input, sizeof input);
	if (!r && unlinkat(folder, things[i].name, 0))
		r = -errno;
	return r;
}

/* One that cannot be done keeps none of the others from it; the first failure is told. */
int guest_first_boot(struct boot *b)
{
	const char *subject = step_subject;
	int first = 0;
	if (b->number > 1 || folder < 0)
		return 0;
	for (size_t i = 0; i < sizeof things / sizeof *things; i++) {
		step_subject = things[i].name;
		int r = apply(i);
		if (r && !first) {
			first = r;
			subject = step_subject;
		}
	}
	fsync(folder);
	close(folder);
	folder = -1;
	step_subject = subject;
	return first;
}
