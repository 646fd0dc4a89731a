/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A root file system as lines of a manifest. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "cmd/ve-unpack/manifest.h"
#include "lib/base/util.h"

enum { LINK_BUCKETS = 4096 };

struct first_name {
	struct first_name *next;
	ino_t ino;
	char path[]; /* escaped */
};

struct walk {
	const struct digest_table *known;
	walk_fn *on_line;
	void *arg;
	struct walk_result result;
	char path[PATH_MAX]; /* of the entry at hand, "./bin/su" */
	char *line;
	size_t length, room;
	struct first_name *links[LINK_BUCKETS];
};

/* ---- the line */

static void put(struct walk *w, const char *text, size_t length)
{
	if (w->room - w->length <= length) {
		size_t room = (w->length + length + 1) * 2;
		char *more = realloc(w->line, room);
		if (!more)
			no_memory(w->path);
		w->line = more;
		w->room = room;
	}
	memcpy(w->line + w->length, text, length);
	w->length += length;
	w->line[w->length] = 0;
}

static void put_text(struct walk *w, const char *text)
{
	put(w, text, strlen(text));
}

/* As mtree does: a backslash and three octal digits for what is not plain. */
static void put_escaped(struct walk *w, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		char octal[5] = {'\\', (char)('0' + (*p >> 6)), (char)('0' + (*p >> 3 & 7)), (char)('0' + (*p & 7)), 0};
		if (*p <= ' ' || *p >= 0x7f || strchr("\\#=*?[\"", *p))
			put(w, octal, 4);
		else
			put(w, (const char *)p, 1);
	}
}

static void put_hex(struct walk *w, const unsigned char *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < size; i++) {
		char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
		put(w, pair, 2);
	}
}

/* ---- its parts */

/* Labels that a host's security module puts on every file say nothing about the image. */
static int is_hosts_label(const char *name)
{
	static const char *const labels[] = {
		"security.selinux", "security.SMACK64", "security.apparmor", "security.ima", "security.evm"};
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		if (!strncmp(name, labels[i], strlen(labels[i])))
			return 1;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_xattrs(struct walk *w)
{
	static char names[XATTR_LIST_MAX], *sorted[XATTR_LIST_MAX / 2];
	static unsigned char value[XATTR_VALUE_MAX];
	ssize_t length = llistxattr(w->path, names, sizeof(names));
	size_t count = 0;
	if (length < 0 && errno != EOPNOTSUPP)
		fail(w->path, errno, "extended attributes cannot be read");
	for (char *name = names; length > 0 && name < names + length; name += strlen(name) + 1)
		if (!is_hosts_label(name))
			sorted[count++] = name;
	qsort(sorted, count, sizeof(*sorted), by_text);
	for (size_t i = 0; i < count; i++) {
		ssize_t size = lgetxattr(w->path, sorted[i], value, sizeof(value));
		if (size < 0)
			fail(w->path, errno, "extended attribute %s cannot be read", sorted[i]);
		put_text(w, " xattr.");
		put_escaped(w, sorted[i]);
		put_text(w, "=");
		put_hex(w, value, (size_t)size);
	}
}

static void put_digest(struct walk *w, int dir, const char *name, const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;
	unsigned char raw[SHA256_DIGEST_SIZE];
	char text[DIGEST_TEXT_SIZE];
	const unsigned char *found = w->known ? digest_table_find(w->known, st->st_ino, size) : NULL;
	if (!found) {
		cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
		int r = fd < 0 ? -errno : digest_fd(fd, size, raw);
		if (r < 0)
			fail(w->path, -r, "cannot be read");
	}
	digest_text(found ? found : raw, text);
	put_text(w, size > DIGEST_PLAIN_MAX ? " blocksdigest=" : " sha256digest=");
	put_text(w, text);
}

/* 1: the file has an earlier name, which was put. */
static int put_hard_link(struct walk *w, const struct stat *st)
{
	struct first_name **bucket = &w->links[st->st_ino % LINK_BUCKETS];
	for (const struct first_name *l = *bucket; l; l = l->next)
		if (l->ino == st->st_ino) {
			put_text(w, " hardlink=");
			put_text(w, l->path);
			return 1;
		}
	struct first_name *l = malloc(sizeof(*l) + w->length + 1);
	if (!l)
		no_memory(w->path);
	*l = (struct first_name){.next = *bucket, .ino = st->st_ino};
	memcpy(l->path, w->line, w->length + 1); /* the line has nothing but the path yet */
	*bucket = l;
	return 0;
}

static const char *type_name(mode_t mode)
{
	static const struct {
		mode_t mode;
		const char *name;
	} types[] = {{S_IFREG, "file"}, {S_IFDIR, "dir"}, {S_IFLNK, "link"}, {S_IFIFO, "fifo"}, {S_IFSOCK, "socket"},
		{S_IFCHR, "char"}, {S_IFBLK, "block"}};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((mode & S_IFMT) == types[i].mode)
			return types[i].name;
	return "unknown";
}

static void put_entry(struct walk *w, int dir, const char *name, const struct stat *st)
{
	char text[192], target[PATH_MAX];
	w->length = 0;
	put_escaped(w, w->path);
	w->result.entries++;
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1 && put_hard_link(w, st)) {
		w->on_line(w->arg, w->line, 0);
		return;
	}
	uint64_t size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	FORMAT(text, " type=%s mode=%04o uid=%u gid=%u", type_name(st->st_mode), st->st_mode & 07777, st->st_uid,
		st->st_gid);
	put_text(w, text);
	if (S_ISREG(st->st_mode)) {
		FORMAT(text, " size=%llu", (unsigned long long)size);
		put_text(w, text);
	}
	if (!S_ISDIR(st->st_mode)) {
		FORMAT(text, " time=%lld", (long long)st->st_mtim.tv_sec);
		put_text(w, text);
	}
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(dir, name, target, sizeof(target));
		if (n < 0 || n == sizeof(target))
			fail(w->path, n < 0 ? errno : ENAMETOOLONG, "cannot be read");
		target[n] = 0;
		put_text(w, " link=");
		put_escaped(w, target);
	}
	if (S_ISREG(st->st_mode))
		put_digest(w, dir, name, st);
	put_xattrs(w);
	w->result.bytes += size;
	w->on_line(w->arg, w->line, size);
}

/* ---- the tree */

static char **read_names(const struct walk *w, int fd, size_t *ret_count)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	char **names = NULL;
	size_t count = 0, room = 0;
	if (!dir)
		fail(w->path, errno, "cannot be read");
	while (errno = 0, d = readdir(dir)) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (count == room) {
			room = room ? room * 2 : 64;
			names = reallocarray(names, room, sizeof(*names));
		}
		if (!names || !(names[count++] = strdup(d->d_name)))
			no_memory(w->path);
	}
	if (errno)
		fail(w->path, errno, "cannot be read");
	closedir(dir);
	if (count)
		qsort(names, count, sizeof(*names), by_text);
	*ret_count = count;
	return names;
}

static void walk_folder(struct walk *w, int dir, int depth)
{
	size_t count, length = strlen(w->path);
	int list = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	if (list < 0)
		fail(w->path, errno, "cannot be read");
	char **names = read_names(w, list, &count);
	for (size_t i = 0; i < count; i++) {
		struct stat st;
		int n = snprintf(w->path + length, sizeof(w->path) - length, "/%s", names[i]);
		if (n < 0 || (size_t)n >= sizeof(w->path) - length)
			refuse(w->path, "paths beneath it are too long");
		if (fstatat(dir, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			fail(w->path, errno, "cannot be read");
		put_entry(w, dir, names[i], &st);
		if (S_ISDIR(st.st_mode)) {
			if (depth >= FOLDER_DEPTH_MAX)
				refuse(w->path, "folders are nested deeper than %d", FOLDER_DEPTH_MAX);
			cleanup_fd int sub =
				openat(dir, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
			if (sub < 0)
				fail(w->path, errno, "cannot be read");
			walk_folder(w, sub, depth + 1);
		}
		free(names[i]);
	}
	w->path[length] = 0;
	free(names);
}

void walk_root(int root, const struct digest_table *known, walk_fn *on_line, void *arg, struct walk_result *ret)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct stat st;
	if (!w)
		no_memory("/");
	w->known = known;
	w->on_line = on_line;
	w->arg = arg;
	strcpy(w->path, ".");
	if (fstat(root, &st) < 0)
		fail("/", errno, "cannot be read");
	put_entry(w, root, ".", &st);
	walk_folder(w, root, 0);
	*ret = w->result;
	for (size_t i = 0; i < LINK_BUCKETS; i++)
		for (struct first_name *l = w->links[i], *next; l; l = next) {
			next = l->next;
			free(l);
		}
	free(w->line);
	free(w);
}
