/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compiled programs are kept below the run folder, since compiling takes longer than the rest of a start's plan. The
 * cache may be missing, broken or unwritable: then the program is compiled, and that alone decides over success.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/confine/confine.h"
#include "lib/confine/program.h"

#define FORMAT_VERSION "vectl seccomp program, format 1"

#define PREFIX "seccomp-"

enum {
	PROGRAM_MAX = BPF_MAXINSNS * sizeof(struct sock_filter),
	ENTRIES_MAX = 16, /* a few profiles, of two or three versions while one follows another */
};

/* FNV-1a. Names the file and finds accidents; who may write there is root. */
static uint64_t hash64(const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

static void put_field(FILE *f, const void *data, size_t size)
{
	uint32_t length = (uint32_t)size;

	fwrite(&length, sizeof(length), 1, f);
	fwrite(data, size, 1, f);
}

static int render(const struct profile *profile, char **ret, size_t *ret_size)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int bad;

	if (!f)
		return -ENOMEM;
	program_render_policy(profile, f);
	bad = ferror(f);
	if (fclose(f) != 0 || bad)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

/* What a program follows from, each field with its length before it, so that no two keys run together. */
static int make_key(const struct profile *profile, char **ret, size_t *ret_size)
{
	const struct scmp_version *v = seccomp_version();
	cleanup_free char *policy = NULL, *key = NULL;
	size_t policy_size, size = 0;
	char library[48], arch[16];
	FILE *f;
	int r, bad;

	r = render(profile, &policy, &policy_size);
	if (r < 0)
		return r;
	f = open_memstream(&key, &size);
	if (!f)
		return -ENOMEM;
	FORMAT(library, "libseccomp %u.%u.%u", v->major, v->minor, v->micro);
	FORMAT(arch, "%x", seccomp_arch_native());
	put_field(f, FORMAT_VERSION, strlen(FORMAT_VERSION));
	put_field(f, VE_VERSION, strlen(VE_VERSION));
	put_field(f, profile->name, strlen(profile->name));
	put_field(f, library, strlen(library));
	put_field(f, arch, strlen(arch));
	put_field(f, policy, policy_size);
	bad = ferror(f);
	if (fclose(f) != 0 || bad)
		return -ENOMEM;
	*ret = TAKE_PTR(key);
	*ret_size = size;
	return 0;
}

/* A negative errno where there is no folder that only we can write to. */
static int open_cache(const struct ve_host *host)
{
	cleanup_fd int fd = -EBADF;
	char path[PATH_MAX];
	struct stat st;
	int r = FORMAT(path, "%s/.cache", host->run);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		r = mkdir_parents(path, 0700);
		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return -EPERM;
	return TAKE_FD(fd);
}

/* The file: key, length of the program, program, hash of the program. */
static int load(int dir, const char *name, const char *key, size_t key_size, void **ret, size_t *ret_size)
{
	cleanup_free char *data = NULL, *program = NULL;
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint32_t length;
	uint64_t hash;
	struct stat st;
	size_t size, fixed = key_size + sizeof(length) + sizeof(hash);
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 07777) != 0600 || st.st_nlink != 1)
		return -EPERM;
	if (st.st_size <= (off_t)fixed || st.st_size > (off_t)(fixed + PROGRAM_MAX))
		return -EBADMSG;
	size = (size_t)st.st_size;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	n = pread(fd, data, size, 0);
	if (n < 0)
		return -errno;
	if ((size_t)n != size || memcmp(data, key, key_size) != 0)
		return -EBADMSG;
	memcpy(&length, data + key_size, sizeof(length));
	memcpy(&hash, data + size - sizeof(hash), sizeof(hash));
	if (length != size - fixed || length % sizeof(struct sock_filter) != 0 ||
		hash != hash64(data + key_size + sizeof(length), length))
		return -EBADMSG;
	program = malloc(length);
	if (!program)
		return -ENOMEM;
	memcpy(program, data + key_size + sizeof(length), length);
	*ret = TAKE_PTR(program);
	*ret_size = length;
	return 0;
}

static int store(int dir, const char *name, const char *key, size_t key_size, const void *program, size_t size)
{
	cleanup_free char *data = malloc(key_size + sizeof(uint32_t) + size + sizeof(uint64_t));
	uint64_t hash = hash64(program, size);
	uint32_t length = (uint32_t)size;
	char *p = data;

	if (!data)
		return -ENOMEM;
	p = mempcpy(p, key, key_size);
	p = mempcpy(p, &length, sizeof(length));
	p = mempcpy(p, program, size);
	p = mempcpy(p, &hash, sizeof(hash));
	return write_file_atomic_at(dir, name, data, (size_t)(p - data), 0600);
}

struct entry {
	char name[32];
	struct timespec stored;
};

static int newest_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->stored.tv_sec != y->stored.tv_sec)
		return x->stored.tv_sec < y->stored.tv_sec ? 1 : -1;
	if (x->stored.tv_nsec != y->stored.tv_nsec)
		return x->stored.tv_nsec < y->stored.tv_nsec ? 1 : -1;
	return strcmp(x->name, y->name);
}

/*
 * Entries of versions that have gone would stay for good. Whoever reads one at this moment has it open already, or
 * finds none and compiles; `keep` is the one that was stored just now.
 */
static void remove_oldest(int dir, const char *keep)
{
	cleanup_free struct entry *entries = NULL;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	size_t n = 0;

	if (fd >= 0 && !d)
		close(fd);
	while (d && (de = readdir(d))) {
		struct entry entry;
		struct stat st;
		struct entry *more;

		if (strncmp(de->d_name, PREFIX, strlen(PREFIX)) || !strcmp(de->d_name, keep) ||
			FORMAT(entry.name, "%s", de->d_name) < 0 ||
			fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		entry.stored = st.st_mtim;
		more = reallocarray(entries, n + 1, sizeof(*entries));
		if (!more)
			break;
		entries = more;
		entries[n++] = entry;
	}
	if (d)
		closedir(d);
	if (n < ENTRIES_MAX)
		return;
	qsort(entries, n, sizeof(*entries), newest_first);
	for (size_t i = ENTRIES_MAX - 1; i < n; i++)
		unlinkat(dir, entries[i].name, 0);
}

int confine_seccomp(struct ve_host *host, const char *profile_name, void **ret, size_t *ret_size, struct error *e)
{
	const struct profile *profile = profile_find(profile_name);
	cleanup_fd int dir = -EBADF;
	cleanup_free char *key = NULL;
	cleanup_free void *program = NULL;
	char name[32];
	size_t key_size, size;
	int r;

	if (!profile)
		return error_set(e, VE_E_USAGE, EINVAL, "compile the seccomp program", "use the profile 'default'",
			"there is no seccomp profile '%s'", profile_name);
	r = make_key(profile, &key, &key_size);
	if (r < 0)
		return error_sys(e, -r, "compile the seccomp program", "memory");
	FORMAT(name, PREFIX "%016llx", (unsigned long long)hash64(key, key_size));
	dir = open_cache(host);
	if (dir < 0 || load(dir, name, key, key_size, &program, &size) < 0) {
		r = program_compile(profile, &program, &size, e);
		if (r < 0)
			return r;
		/* What cannot be kept is compiled again next time. */
		if (dir >= 0 && store(dir, name, key, key_size, program, size) == 0)
			remove_oldest(dir, name);
	}
	*ret = TAKE_PTR(program);
	*ret_size = size;
	return 0;
}
