/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/image/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/image.h"

enum { LOCK_POLL_MS = 100 };

static const char tried_store[] = "opening the image store";

int store_open(struct ve_host *host, int make, struct error *e)
{
	static const char *const folders[] = {"store", "ref", "tmp"};
	char path[PATH_MAX];
	int r = FORMAT(path, "%s/images", host->data);
	if (r < 0)
		return error_sys(e, -r, tried_store, host->data);
	if (make) {
		r = host_make_folders(host, e);
		if (r < 0)
			return r;
		r = mkdir_parents(path, 0700);
		if (r < 0)
			return error_sys(e, -r, tried_store, path);
	}
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !make)
		return -ENOENT;
	if (fd < 0)
		return error_sys(e, errno, tried_store, path);
	for (size_t i = 0; make && i < ARRAY_SIZE(folders); i++)
		if (mkdirat(fd, folders[i], 0700) < 0 && errno != EEXIST)
			return error_sys(e, errno, tried_store, path);
	return TAKE_FD(fd);
}

/* The folder that holds a name's link: ref, ref/debian, ... Returns the fd, and the link's own name. */
static int open_ref_folder(int images, const char *name, int make, const char **ret_last)
{
	char path[IMAGE_NAME_SIZE + 8];
	const char *slash = strrchr(name, '/');
	int r = FORMAT(path, "ref/%s", name);
	if (r < 0)
		return r;
	if (slash)
		path[4 + (slash - name)] = 0;
	else
		path[3] = 0;
	for (char *p = path + 4; make && slash && *p; p++) {
		char *end = p + strcspn(p, "/"), keep = *end;
		*end = 0;
		if (mkdirat(images, path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*end = keep;
		p = keep ? end : end - 1;
	}
	int fd = open_beneath(images, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0)
		*ret_last = slash ? slash + 1 : name;
	return fd;
}

static int read_id_link(int dir, const char *name, char ret_id[IMAGE_ID_SIZE])
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = 0;
	const char *id = strrchr(target, '/');
	if (!id || !image_id_valid(id + 1))
		return -EINVAL;
	strcpy(ret_id, id + 1);
	return 0;
}

int store_has(int images, const char *id)
{
	char path[IMAGE_PATH_SIZE];
	struct stat st;
	return FORMAT(path, "store/%s/image.json", id) >= 0 && fstatat(images, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int store_lookup(int images, const char *name, char ret_id[IMAGE_ID_SIZE])
{
	const char *last;
	char id[IMAGE_ID_SIZE];
	cleanup_fd int dir = open_ref_folder(images, name, 0, &last);
	if (dir < 0)
		return dir == -ENOTDIR ? -ENOENT : dir;
	int r = read_id_link(dir, last, id);
	if (r < 0)
		return r == -EINVAL ? -ENOENT : r; /* EINVAL also where a folder of names is meant */
	if (!store_has(images, id))
		return -ENOENT;
	strcpy(ret_id, id);
	return 0;
}

/* ---- work in progress */

enum { RANDOM_SIZE = 33 };

static int random_name(char ret[RANDOM_SIZE])
{
	unsigned char bytes[(RANDOM_SIZE - 1) / 2];
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int work_begin(int images, struct work *ret, struct error *e)
{
	static const char tried[] = "preparing a place for the image";
	struct work w = WORK_NONE;
	char name[RANDOM_SIZE];
	int r = random_name(name);
	if (r == 0)
		r = FORMAT(w.path, "tmp/%s.%d", name, (int)getpid());
	if (r < 0)
		return error_sys(e, -r, tried, "id");
	/* Between mkdir and the lock it looks like a leftover. */
	if (flock(images, LOCK_EX) < 0)
		return error_sys(e, errno, tried, "images");
	if (mkdirat(images, w.path, 0700) < 0) {
		r = -errno;
	} else {
		w.dir = openat(images, w.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		w.lock = w.dir < 0 ? -1 : openat(w.dir, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		r = w.lock < 0 ? -errno : lock_try(w.lock);
		w.images = images;
	}
	flock(images, LOCK_UN);
	if (r < 0) {
		int s = error_sys(e, -r, tried, w.path);
		work_end(&w);
		return s;
	}
	*ret = w;
	return 0;
}

void work_end(struct work *w)
{
	if (w->images >= 0)
		remove_tree_at(w->images, w->path);
	close_fd_p(&w->lock);
	close_fd_p(&w->dir);
	*w = (struct work)WORK_NONE;
}

/* ---- names */

static int point_name(struct work *w, const char *name, struct error *e)
{
	static const char tried[] = "naming the image";
	char target[IMAGE_PATH_SIZE];
	const char *last;
	int r = image_ref_target(name, w->id, target, sizeof(target));
	if (r < 0)
		return error_sys(e, -r, tried, name);
	cleanup_fd int dir = open_ref_folder(w->images, name, 1, &last);
	if (dir == -ENOTDIR || dir == -ELOOP)
		return error_set(e, VE_E_EXISTS, EEXIST, tried, "choose another name",
			"%s: an image with the first part of this name is there already", name);
	if (dir < 0)
		return error_sys(e, -dir, tried, name);
	if (symlinkat(target, w->dir, "ref") < 0)
		return error_sys(e, errno, tried, name);
	if (renameat(w->dir, "ref", dir, last) < 0) {
		if (errno == EISDIR || errno == EEXIST || errno == ENOTEMPTY)
			return error_set(e, VE_E_EXISTS, EEXIST, tried, "choose another name",
				"%s: there are images whose names begin with it and '/'", name);
		return error_sys(e, errno, tried, name);
	}
	if (fsync(dir) < 0)
		return error_sys(e, errno, tried, name);
	return 0;
}

static int stat_in(int images, const char *id, const char *name, struct stat *ret)
{
	char path[IMAGE_PATH_SIZE];
	return FORMAT(path, "store/%s/%s", id, name) >= 0 && fstatat(images, path, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

const char *store_damage(int images, const char *id)
{
	struct stat st;
	if (stat_in(images, id, "broken", &st))
		return "`vectl image verify` found it broken";
	if (!stat_in(images, id, "rootfs", &st) || !S_ISDIR(st.st_mode))
		return "its tree is missing from the store";
	/* version 0.1.0, whose ids are shorter, kept no manifest */
	if (strlen(id) == IMAGE_ID_SIZE - 1 &&
		(!stat_in(images, id, "manifest", &st) || !S_ISREG(st.st_mode) || !st.st_size))
		return "its manifest is missing from the store";
	return NULL;
}

/* What is known of the stored one, and where the content came from this time; `mend`: in the one that takes its place.
 */
static int merge_origins(struct work *w, int mend, struct error *e)
{
	static const char tried[] = "recording where the image came from";
	cleanup_json struct json *old = NULL, *new = NULL;
	cleanup_free char *text = NULL, *fresh = NULL;
	char path[IMAGE_PATH_SIZE];
	size_t size;
	int r = image_describe(w->images, w->id, &old);
	if (r < 0 && mend)
		return 0; /* that was damaged, too */
	if (r == 0)
		r = read_file_at(w->dir, "image/image.json", IMAGE_JSON_MAX, &fresh, &size);
	if (r >= 0)
		r = json_parse(fresh, size, "image.json", tried, &new, e);
	if (r >= 0)
		r = image_merge_origins(mend ? new : old, old, new, &text);
	if (r >= 0)
		r = FORMAT(path, "store/%s/image.json", w->id);
	if (r >= 0)
		r = write_file_atomic_at(
			mend ? w->dir : w->images, mend ? "image/image.json" : path, text, strlen(text), 0600);
	return r < 0 ? error_sys(e, -r, tried, w->id) : 0;
}

static int is_running(struct ve_host *host, const char *id);

/* Of two in one file system, so that a crash leaves both; `spare` is where one is meanwhile if it has to be. */
static int exchange(int images, const char *a, const char *b, const char *spare)
{
	if (renameat2(images, a, images, b, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != EINVAL) /* a file system that cannot */
		return -errno;
	if (renameat(images, b, images, spare) < 0)
		return -errno;
	if (renameat(images, a, images, b) == 0)
		return renameat(images, spare, images, a) < 0 ? -errno : 0;
	int r = -errno;
	renameat(images, spare, images, b);
	return r;
}

/* Where an image goes in and the one that is there goes out. */
struct places {
	char store[IMAGE_PATH_SIZE], aside[IMAGE_PATH_SIZE], spare[IMAGE_PATH_SIZE];
};

static int find_places(const struct work *w, struct places *ret)
{
	char name[RANDOM_SIZE];
	int r = random_name(name);
	if (r == 0)
		r = FORMAT(ret->store, "store/%s", w->id);
	if (r >= 0)
		r = FORMAT(ret->aside, "replaced/%s.%s", w->id, name);
	if (r >= 0)
		r = FORMAT(ret->spare, "replaced/%s.%s.0", w->id, name);
	return r;
}

/*
 * A broken one that is there comes out to `aside`, with no moment at which it is where a crash would have it removed:
 * VEs may be running on it.
 */
static int move_in(struct work *w, const struct places *p, int there, struct error *e)
{
	static const char tried[] = "putting the image into the store";
	int r = 0;
	cleanup_fd int image = openat(w->dir, "image", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (image < 0 || fsync(image) < 0)
		return error_sys(e, errno, tried, p->store);
	if (there && mkdirat(w->images, "replaced", 0700) < 0 && errno != EEXIST)
		return error_sys(e, errno, tried, "replaced");
	if (renameat(w->dir, "image", w->images, there ? p->aside : p->store) < 0)
		return error_sys(e, errno, tried, p->store);
	if (there)
		r = exchange(w->images, p->aside, p->store, p->spare);
	if (r < 0) {
		renameat(w->images, p->aside, w->dir, "image");
		return error_sys(e, -r, tried, p->store);
	}
	cleanup_fd int store = openat(w->images, "store", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store < 0 || fsync(store) < 0)
		return error_sys(e, errno, tried, p->store);
	return 0;
}

/* As it was; work_end removes what has come back to tmp. */
static void move_out(struct work *w, const struct places *p, int there)
{
	if (!there || exchange(w->images, p->aside, p->store, p->spare) == 0)
		renameat(w->images, there ? p->aside : p->store, w->dir, "image");
}

int store_commit(struct ve_host *host, struct work *w, const char *name, struct error *e)
{
	static const char tried[] = "putting the image into the store";
	struct places places;
	struct stat st;
	int r = find_places(w, &places);
	if (r < 0)
		return error_sys(e, -r, tried, w->id);
	if (flock(w->images, LOCK_EX) < 0)
		return error_sys(e, errno, tried, "images");
	int there = fstatat(w->images, places.store, &st, AT_SYMLINK_NOFOLLOW) == 0,
	    described = store_has(w->images, w->id);
	int keep = described && !store_damage(w->images, w->id);
	if (described)
		r = merge_origins(w, !keep, e);
	if (r >= 0 && !keep)
		r = move_in(w, &places, there, e);
	if (r >= 0) {
		r = point_name(w, name, e);
		if (r < 0 && !keep)
			move_out(w, &places, there);
		/* Where a VE may run on it, it stays until none does: collect_replaced. */
		else if (!keep && there && !is_running(host, w->id))
			renameat(w->images, places.aside, w->dir, "image");
	}
	flock(w->images, LOCK_UN);
	return r < 0 ? r : 0;
}

int store_unname(int images, const char *name)
{
	const char *last;
	char parent[IMAGE_NAME_SIZE + 8];
	cleanup_fd int dir = open_ref_folder(images, name, 0, &last);
	if (dir < 0)
		return dir;
	if (unlinkat(dir, last, 0) < 0)
		return -errno;
	fsync(dir);
	/* Folders that have no name in them any more. */
	if (FORMAT(parent, "ref/%s", name) < 0)
		return 0;
	for (char *slash; (slash = strrchr(parent, '/')) && slash - parent > 3;) {
		*slash = 0;
		if (unlinkat(images, parent, AT_REMOVEDIR) < 0)
			break;
	}
	return 0;
}

/* ---- lists */

/* An absent folder is an empty one: NULL. Any other failure is told, lest what cannot be seen be taken for absent. */
static int open_dir(int dir, const char *path, DIR **ret)
{
	int fd = open_beneath(dir, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	DIR *d = fdopendir(fd);
	if (!d) {
		int r = -errno;
		close(fd);
		return r;
	}
	*ret = d;
	return 0;
}

/* The next entry; NULL with *r == 0 at the end, and with a negative errno in it otherwise. */
static struct dirent *next_entry(DIR *d, int *r)
{
	errno = 0;
	struct dirent *entry = d ? readdir(d) : NULL;
	*r = entry || !d ? 0 : -errno;
	return entry;
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}
#define cleanup_dir __attribute__((cleanup(close_dir)))

static int compare_refs(const void *a, const void *b)
{
	return strcmp(((const struct ref *)a)->name, ((const struct ref *)b)->name);
}

static int collect_refs(int images, const char *prefix, int depth, struct ref **refs, size_t *count)
{
	char path[IMAGE_NAME_SIZE + 8];
	if (FORMAT(path, "ref%s%s", *prefix ? "/" : "", prefix) < 0)
		return 0;
	cleanup_dir DIR *d = NULL;
	struct dirent *entry;
	int r = open_dir(images, path, &d);
	while (r == 0 && (entry = next_entry(d, &r))) {
		char name[IMAGE_NAME_SIZE];
		struct ref ref = {0};
		if (entry->d_name[0] == '.' || FORMAT(name, "%s%s%s", prefix, *prefix ? "/" : "", entry->d_name) < 0)
			continue;
		if (image_name_check(name, NULL) < 0)
			continue;
		if (read_id_link(dirfd(d), entry->d_name, ref.id) == 0) {
			struct ref *more = reallocarray(*refs, *count + 1, sizeof(**refs));
			if (!more)
				return -ENOMEM;
			strcpy(ref.name, name);
			*refs = more;
			(*refs)[(*count)++] = ref;
		} else if (depth < IMAGE_COMPONENTS) {
			r = collect_refs(images, name, depth + 1, refs, count);
			if (r < 0)
				return r;
		}
	}
	return r;
}

int store_refs(int images, struct ref **ret, size_t *ret_count)
{
	cleanup_free struct ref *refs = NULL;
	size_t count = 0;
	int r = collect_refs(images, "", 1, &refs, &count);
	if (r < 0)
		return r;
	if (count)
		qsort(refs, count, sizeof(*refs), compare_refs);
	*ret = TAKE_PTR(refs);
	*ret_count = count;
	return 0;
}

int store_ids(int images, char (**ret)[IMAGE_ID_SIZE], size_t *ret_count)
{
	cleanup_free void *list = NULL;
	size_t count = 0;
	cleanup_dir DIR *d = NULL;
	struct dirent *entry;
	int r = open_dir(images, "store", &d);
	while (r == 0 && (entry = next_entry(d, &r))) {
		if (!image_id_valid(entry->d_name))
			continue;
		char(*more)[IMAGE_ID_SIZE] = reallocarray(list, count + 1, IMAGE_ID_SIZE);
		if (!more)
			return -ENOMEM;
		list = more;
		strcpy(more[count++], entry->d_name);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(list);
	*ret_count = count;
	return 0;
}

/* 1: this folder of a VE holds the image. Names with a dot count too: a VE that is being made holds its image already.
 */
static int holds(int ves, const char *ve, const char *id)
{
	char link[NAME_MAX + 8], found[IMAGE_ID_SIZE];
	if (!strcmp(ve, ".") || !strcmp(ve, "..") || FORMAT(link, "%s/image", ve) < 0)
		return 0;
	int r = read_id_link(ves, link, found);
	if (r == -ENOENT || r == -ENOTDIR || r == -EINVAL)
		return 0;
	return r < 0 ? r : !strcmp(found, id);
}

int store_users(struct ve_host *host, const char *id, char *buf, size_t size)
{
	cleanup_fd int data = open(host->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = NULL;
	struct dirent *entry;
	size_t used = 0;
	int count = 0, r = data < 0 ? -errno : open_dir(data, "ve", &d);
	if (size)
		buf[0] = 0;
	while (r >= 0 && (entry = next_entry(d, &r))) {
		r = holds(dirfd(d), entry->d_name, id);
		if (r <= 0)
			continue;
		int n = used < size ? snprintf(buf + used, size - used, "%s%s", count ? ", " : "", entry->d_name) : 0;
		if (n > 0)
			used += (size_t)n;
		count++;
	}
	return r < 0 ? r : count;
}

/* 1: a VE of this image runs, or that is not known. */
static int is_running(struct ve_host *host, const char *id)
{
	char path[PATH_MAX];
	cleanup_fd int data = open(host->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *d = NULL;
	struct dirent *entry;
	int r = data < 0 ? -errno : open_dir(data, "ve", &d);
	while (r >= 0 && (entry = next_entry(d, &r))) {
		r = holds(dirfd(d), entry->d_name, id);
		if (r <= 0)
			continue;
		if (FORMAT(path, "%s/%s/lock", host->run, entry->d_name) < 0)
			return 1;
		cleanup_fd int lock = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (lock >= 0 ? lock_is_held(lock) != 0 : errno != ENOENT)
			return 1;
	}
	return r < 0;
}

/* How it is mended depends on where it came from. */
static int refuse_damaged(int images, const char *name, const char *id, const char *damage, struct error *e)
{
	cleanup_json struct json *j = NULL;
	char remedy[256] = "";
	if (image_describe(images, id, &j) == 0) {
		const struct json *source = json_get(image_origin(j, name), "source");
		const char *path = json_string(source, "path");
		int n = !source ? FORMAT(remedy, "build it again: vectl image build %s", name)
			: path  ? FORMAT(remedy, "import it again, as another: vectl image import NEW %s", path)
				: 0;
		if (n <= 0)
			*remedy = 0;
	}
	return error_set(e, VE_E_NO_IMAGE, EBADMSG, "taking the image", *remedy ? remedy : "build or import it again",
		"%s is damaged: %s", name, damage);
}

int image_hold(struct ve_host *host, const char *name, const char *id, int ve, struct error *e)
{
	static const char tried[] = "taking the image";
	char target[IMAGE_PATH_SIZE];
	int r = FORMAT(target, "../../images/store/%s", id);
	if (r < 0)
		return error_sys(e, -r, tried, id);
	cleanup_fd int images = store_open(host, 0, e);
	if (images < 0 && images != -ENOENT)
		return images;
	if (images >= 0 && flock(images, LOCK_SH) < 0)
		return error_sys(e, errno, tried, "images");
	if (images < 0 || !store_has(images, id))
		return error_set(e, VE_E_NO_IMAGE, ESTALE, tried, "try again",
			"image %.12s was replaced and removed meanwhile", id);
	const char *damage = store_damage(images, id);
	if (damage)
		return refuse_damaged(images, name, id, damage, e);
	return symlinkat(target, ve, "image") < 0 ? error_sys(e, errno, tried, "image") : 0;
}

/* ---- the lock of one name */

/* 0: taken. -EAGAIN: held elsewhere. -ESTALE: its last holder removed the file meanwhile; to be tried again. */
static int name_lock_try(struct name_lock *l)
{
	struct stat mine, there;
	cleanup_fd int fd = openat(l->images, l->file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &mine) < 0)
		return -errno;
	int r = lock_try(fd);
	if (r < 0)
		return r;
	if (fstatat(l->images, l->file, &there, AT_SYMLINK_NOFOLLOW) < 0 || there.st_ino != mine.st_ino)
		return -ESTALE;
	l->fd = TAKE_FD(fd);
	return 0;
}

int name_lock(struct ve_host *host, int images, const char *name, struct name_lock *ret, struct error *e)
{
	static const char tried[] = "waiting for the image's lock";
	struct name_lock l = {.images = images, .fd = -EBADF};
	char flat[IMAGE_NAME_SIZE];
	int said = 0;
	image_flat_name(name, flat);
	int r = FORMAT(l.file, "lock-%s", flat);
	if (r < 0)
		return error_sys(e, -r, tried, name);
	while ((r = name_lock_try(&l)) < 0) {
		if (r == -ESTALE)
			continue;
		if (r != -EAGAIN)
			return error_sys(e, -r, tried, l.file);
		if (!said++)
			host_progress(host, "waiting", "this image is being built already", -1, -1, -1);
		/* Waiting for a lock can neither be polled nor cancelled; so it is tried again. */
		struct pollfd cancel = {.fd = host->cancel_fd, .events = POLLIN};
		poll(&cancel, 1, LOCK_POLL_MS);
		if (host_cancelled(host, e))
			return -EINTR;
	}
	*ret = l;
	return 0;
}

void name_unlock(struct name_lock *l)
{
	if (l->fd < 0)
		return;
	unlinkat(l->images, l->file, 0);
	close(l->fd);
	l->fd = -EBADF;
}

/* ---- removal */

static int is_named(int images, const char *id)
{
	cleanup_free struct ref *refs = NULL;
	size_t count = 0;
	if (store_refs(images, &refs, &count) < 0)
		return 1; /* not known: stays */
	for (size_t i = 0; i < count; i++)
		if (!strcmp(refs[i].id, id))
			return 1;
	return 0;
}

/* Takes an image out of the store unless a VE or a name refers to it; both are given under the same lock. */
static void drop(struct ve_host *host, int images, const char *id, store_removed_fn *on_removed, void *arg)
{
	cleanup_work struct work w = WORK_NONE;
	char path[IMAGE_PATH_SIZE], users[64], moved[IMAGE_PATH_SIZE];
	if (FORMAT(path, "store/%s", id) < 0 || work_begin(images, &w, NULL) < 0 ||
		FORMAT(moved, "%s/image", w.path) < 0 || flock(images, LOCK_EX) < 0)
		return;
	int gone = !is_named(images, id) && store_users(host, id, users, sizeof(users)) == 0 &&
		   renameat(images, path, w.dir, "image") == 0;
	flock(images, LOCK_UN);
	if (gone && on_removed)
		on_removed(arg, images, moved, id);
}

/* Locks of names whose holder was killed. */
static void collect_locks(int images)
{
	cleanup_dir DIR *d = NULL;
	struct dirent *entry;
	if (open_dir(images, ".", &d) < 0)
		return;
	while (d && (entry = readdir(d))) {
		if (strncmp(entry->d_name, "lock-", 5))
			continue;
		struct name_lock l = {.images = images, .fd = -EBADF};
		if (FORMAT(l.file, "%s", entry->d_name) >= 0 && name_lock_try(&l) == 0)
			name_unlock(&l);
	}
}

static void collect_leftovers(int images)
{
	cleanup_dir DIR *d = NULL;
	struct dirent *entry;
	if (open_dir(images, "tmp", &d) < 0)
		return;
	while (d && (entry = readdir(d))) {
		char path[NAME_MAX + 8], lock[NAME_MAX + 16];
		if (entry->d_name[0] == '.' || FORMAT(path, "tmp/%s", entry->d_name) < 0 ||
			FORMAT(lock, "%s/lock", path) < 0)
			continue;
		if (flock(images, LOCK_EX) < 0)
			return;
		cleanup_fd int fd = open_beneath(images, lock, O_RDWR, 0);
		int dead = fd == -ENOENT || (fd >= 0 && lock_try(fd) == 0);
		flock(images, LOCK_UN);
		if (dead)
			remove_tree_at(images, path);
	}
}

/* One below replaced/; a replacement on a file system that cannot exchange may have been killed half-way. */
static void collect_replaced_one(struct ve_host *host, int images, const char *entry)
{
	cleanup_work struct work w = WORK_NONE;
	char id[IMAGE_ID_SIZE], path[NAME_MAX + 16], stored[IMAGE_PATH_SIZE], users[64];
	struct stat st;
	size_t length = strcspn(entry, ".");
	snprintf(id, sizeof(id), "%.*s", (int)(length < sizeof(id) ? length : 0), entry);
	if (!image_id_valid(id) || is_running(host, id) || FORMAT(path, "replaced/%s", entry) < 0 ||
		FORMAT(stored, "store/%s", id) < 0 || work_begin(images, &w, NULL) < 0 || flock(images, LOCK_EX) < 0)
		return;
	int half = fstatat(images, stored, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
		   (is_named(images, id) || store_users(host, id, users, sizeof(users)) != 0);
	if (half)
		renameat(images, path, images, stored);
	else if (!is_running(host, id))
		renameat(images, path, w.dir, "image"); /* work_end removes it */
	flock(images, LOCK_UN);
}

static void collect_replaced(struct ve_host *host, int images)
{
	cleanup_dir DIR *d = NULL;
	struct dirent *entry;
	int r = open_dir(images, "replaced", &d);
	while (r == 0 && (entry = next_entry(d, &r)))
		if (entry->d_name[0] != '.')
			collect_replaced_one(host, images, entry->d_name);
	if (d)
		unlinkat(images, "replaced", AT_REMOVEDIR);
}

/* What an interrupted replacement left without a name. Names are given under the same flock as the move in. */
static void collect_unnamed(struct ve_host *host, int images, store_removed_fn *on_removed, void *arg)
{
	cleanup_free char(*ids)[IMAGE_ID_SIZE] = NULL;
	cleanup_free struct ref *refs = NULL;
	size_t n_ids = 0, n_refs = 0;
	char users[64];
	if (flock(images, LOCK_EX) < 0)
		return;
	int r = store_ids(images, &ids, &n_ids);
	if (r == 0)
		r = store_refs(images, &refs, &n_refs);
	flock(images, LOCK_UN);
	for (size_t i = 0; r == 0 && i < n_ids; i++) {
		int named = 0;
		for (size_t k = 0; k < n_refs; k++)
			named |= !strcmp(refs[k].id, ids[i]);
		if (!named && store_users(host, ids[i], users, sizeof(users)) == 0)
			drop(host, images, ids[i], on_removed, arg);
	}
}

void store_collect(struct ve_host *host, int images, store_removed_fn *on_removed, void *arg)
{
	collect_locks(images);
	collect_leftovers(images);
	collect_replaced(host, images);
	collect_unnamed(host, images, on_removed, arg);
}
