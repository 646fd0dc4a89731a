/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/util.h"
#include "lib/host/conf.h"
#include "lib/host/ids.h"

int id_pool_read(struct ve_host *host, struct id_pool *ret, struct error *e)
{
	struct host_conf c;
	int r = conf_read(host, &c, e);
	if (!r)
		*ret = (struct id_pool){c.idpool.base, c.idpool.count};
	return r;
}

int ids_lock(struct ve_host *host, struct error *e)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve/.ids", host->data);
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(e, errno, "pick host ids", path);
	int r = lock_wait(fd);
	return r < 0 ? error_sys(e, -r, "pick host ids", path) : TAKE_FD(fd);
}

int ids_lock_folder(struct error *e)
{
	struct stat st;
	mkdir_parents("/run/lock", 0755);
	if (mkdir(HOST_ID_LOCKS, 0700) && errno != EEXIST)
		return error_sys(e, errno, "pick host ids", HOST_ID_LOCKS);
	/* Beneath a sticky folder, and root's: nobody else can move it away after this look (CVE-2015-1331). */
	if (lstat(HOST_ID_LOCKS, &st))
		return error_sys(e, errno, "pick host ids", HOST_ID_LOCKS);
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || st.st_mode & 022)
		return error_set(e, VE_E_HOST, EPERM, "pick host ids", "look who made it, and remove it",
			HOST_ID_LOCKS ": not a folder of root's alone");
	return 0;
}

int ids_lock_path(const struct id_range *ids, char *buf, size_t size)
{
	int n = snprintf(buf, size, HOST_ID_LOCKS "/%u", ids->base);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int read_link(int dir, const char *path, struct id_range *ret)
{
	char b[64], same[64];
	struct id_range ids;
	ssize_t n = readlinkat(dir, path, b, sizeof b - 1);
	if (n < 0)
		return -errno;
	b[n] = 0;
	if (sscanf(b, "%u %u", &ids.base, &ids.owner) != 2)
		return -EINVAL;
	FORMAT(same, "%u %u", ids.base,
		ids.owner); /* as ids_link writes it: no signs, nothing behind, nothing wrapped */
	if (strcmp(b, same))
		return -EINVAL;
	*ret = ids;
	return 0;
}

int ids_of(struct ve *ve, struct id_range *ret, struct error *e)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve/%s/ids", ve->host->data, ve->name);
	int r = read_link(AT_FDCWD, path, ret);
	return r ? error_sys(e, -r, "find the VE's host ids", path) : 0;
}

int ids_link(int ve_dir, const struct id_range *ids, struct error *e)
{
	char b[64];
	FORMAT(b, "%u %u", ids->base, ids->owner);
	unlinkat(ve_dir, "ids.new", 0);
	if (symlinkat(b, ve_dir, "ids.new") || renameat(ve_dir, "ids.new", ve_dir, "ids"))
		return error_sys(e, errno, "record the VE's host ids", "ids");
	return 0;
}

struct taken {
	struct id_range *ids;
	char (*name)[64];
	size_t n, room;
};

static int read_taken(struct ve_host *host, const char *except, struct taken *t, struct error *e)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve", host->data);
	DIR *d = opendir(path);
	if (!d)
		return error_sys(e, errno, "pick host ids", path);
	struct dirent *de;
	int r = 0;
	while (!r && (de = readdir(d))) {
		char link[300];
		struct id_range one;
		FORMAT(link, "%s/ids", de->d_name);
		if (!strcmp(de->d_name, except ? except : "") || read_link(dirfd(d), link, &one))
			continue;
		if (t->n == t->room) {
			t->room = t->room * 2 + 64;
			void *a = realloc(t->ids, t->room * sizeof *t->ids),
			     *b = a ? realloc(t->name, t->room * sizeof *t->name) : NULL;
			if (a)
				t->ids = a;
			if (b)
				t->name = b;
			if (!a || !b) {
				r = error_sys(e, ENOMEM, "pick host ids", "memory");
				break;
			}
		}
		t->ids[t->n] = one;
		snprintf(t->name[t->n++], 64, "%.63s", de->d_name);
	}
	closedir(d);
	return r;
}

static const char *holder(const struct taken *t, uint32_t base)
{
	for (size_t i = 0; i < t->n; i++)
		if (base < t->ids[i].base + (uint64_t)IDS_COUNT && t->ids[i].base < base + (uint64_t)IDS_COUNT)
			return t->name[i];
	return NULL;
}

static int owner_taken(const struct taken *t, uint32_t owner)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->ids[i].owner == owner)
			return 1;
	return 0;
}

/* A running VE of whatever root holds the range. */
static int in_use_elsewhere(uint32_t base)
{
	char path[64];
	struct id_range ids = {base, 0};
	ids_lock_path(&ids, path, sizeof path);
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && lock_is_held(fd) > 0;
}

/* 1 and the line when a file of "name:start:count" lines gives ids of [base, base + count) to somebody. */
static int subid_overlap(const char *file, uint64_t base, uint64_t count, char *line, size_t size)
{
	cleanup_file FILE *f = fopen(file, "re");
	while (f && fgets(line, size, f)) {
		unsigned long long start, n;
		const char *c = strchr(line, ':');
		line[strcspn(line, "\n")] = 0;
		if (c && sscanf(c, ":%llu:%llu", &start, &n) == 2 && start < base + count && base < start + n)
			return 1;
	}
	return 0;
}

int ids_check_host(uint64_t base, uint64_t count, struct error *e)
{
	static const char remedy[] = "choose another userns.base, or name a free range as idpool in vectl.conf";
	const char *file[] = {"/etc/subuid", "/etc/subgid"};
	char line[256];
	for (int i = 0; i < 2; i++)
		if (subid_overlap(file[i], base, count, line, sizeof line))
			return error_set(e, VE_E_BUSY, EADDRINUSE, "pick host ids", remedy,
				"ids %llu to %llu: %s gives some away: '%s'", (unsigned long long)base,
				(unsigned long long)(base + count - 1), file[i], line);
	cleanup_file FILE *f = fopen("/etc/passwd", "re");
	struct passwd *p;
	while (f && (p = fgetpwent(f)))
		if (p->pw_uid >= base && p->pw_uid < base + count)
			return error_set(e, VE_E_BUSY, EADDRINUSE, "pick host ids", remedy,
				"uid %u is the host's user '%s'", p->pw_uid, p->pw_name);
	return 0;
}

static int pick(struct ve_host *host, uint32_t want, const struct taken *t, struct id_range *ret, struct error *e)
{
	struct id_pool pool;
	int r = id_pool_read(host, &pool, e);
	if (r || (r = ids_check_host(pool.base, IDS_COUNT, e)))
		return r;
	uint32_t ranges = pool.count / IDS_COUNT - 1, base = 0, owner = 0, first = hash_string(host->root) % ranges;
	if (want) {
		const char *name = holder(t, want);
		if (name)
			return error_set(e, VE_E_BUSY, EADDRINUSE, "pick host ids", "choose another userns.base",
				"the ids from %u are those of VE '%s'", want, name);
		if (want < pool.base + (uint64_t)IDS_COUNT && pool.base < want + (uint64_t)IDS_COUNT)
			return error_set(e, VE_E_BUSY, EADDRINUSE, "pick host ids", "choose another userns.base",
				"%u to %u are the owner uids of all VEs", pool.base, pool.base + IDS_COUNT - 1);
		base = want;
	}
	/* Roots start at different places, so that two of them seldom meet in the pool that they share. */
	for (uint32_t i = 0; !base && i < ranges; i++) {
		uint32_t b = pool.base + (1 + (first + i) % ranges) * IDS_COUNT;
		if (!holder(t, b) && !in_use_elsewhere(b))
			base = b;
	}
	/* Of owners there are as many as 32 bits have ranges: one is free where a range was. */
	for (uint32_t i = 0; base && !owner && i < IDS_COUNT; i++) {
		uint32_t o = pool.base + (base / IDS_COUNT + i) % IDS_COUNT;
		owner = owner_taken(t, o) ? 0 : o;
	}
	if (!base || !owner)
		return error_set(e, VE_E_BUSY, ENOSPC, "pick host ids", "destroy a VE, or widen idpool in vectl.conf",
			"all %u ranges of the pool are taken", ranges);
	if ((r = ids_check_host(base, IDS_COUNT, e)))
		return r;
	*ret = (struct id_range){base, owner};
	return 0;
}

int ids_pick(struct ve_host *host, uint32_t want_base, const char *except, struct id_range *ret, struct error *e)
{
	struct taken t = {0};
	int r = read_taken(host, except, &t, e);
	if (!r)
		r = pick(host, want_base, &t, ret, e);
	free(t.ids);
	free(t.name);
	return r;
}

int ids_count(struct ve_host *host, unsigned *ret, struct error *e)
{
	struct taken t = {0};
	int r = read_taken(host, NULL, &t, e);
	if (!r)
		*ret = (unsigned)t.n;
	free(t.ids);
	free(t.name);
	return r;
}
