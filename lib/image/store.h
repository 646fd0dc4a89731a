/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_IMAGE_STORE_H
#define VE_IMAGE_STORE_H

#include <limits.h>
#include <stdint.h>

#include "lib/host/host.h"

/*
 * Inside DATA/images, beside what image.h names:
 *   tmp/RANDOM.PID/  one operation at work; its file `lock` is held while it lives, so that what a killed one left is
 *                 recognised. `image` in it is what becomes store/ID.
 *   replaced/ID.RANDOM/  a broken image that was mended, as long as VEs may still run on it
 *   cache/TEMPLATE/  what a template keeps between builds, locked shared meanwhile
 *   lock-NAME     held while NAME is built, so that of two builds at once the second takes the first's result
 *   log-NAME      what the template said when it last failed
 * NAME has ',' for '/' there. Short changes (making tmp/RANDOM.PID, moves into and out of the store, refs) happen under
 * a flock of the folder DATA/images itself; a VE takes hold of its image under a shared one.
 */

enum {
	IMAGE_ID_SIZE = 65,       /* 64 hexadecimal digits; 32 in images that version 0.1.0 made */
	IMAGE_COMPONENT_MAX = 63, /* of a name */
	IMAGE_COMPONENTS = 3,
	IMAGE_NAME_SIZE = IMAGE_COMPONENTS * (IMAGE_COMPONENT_MAX + 1),
	IMAGE_PATH_SIZE = 128, /* of what is in DATA/images, but for names */
	IMAGE_JSON_MAX = 1024 * 1024,
};

/* ---- names (name.c; pure) */

int image_name_check(const char *name, struct error *e); /* 0, or VE_E_USAGE with the rule that is broken */
int image_is_path(const char *image);                    /* 1: names a tarball or folder, not an image */
/* local/BASENAME, without the endings of archives and with '-' for what names cannot have. `n` > 1: local/BASENAME-n */
int image_name_of_path(const char *path, unsigned n, char ret[IMAGE_NAME_SIZE]);
int image_ref_target(const char *name, const char *id, char *buf, size_t size); /* "../../store/ID" */
int image_id_valid(const char *id);
void image_flat_name(const char *name, char ret[IMAGE_NAME_SIZE]); /* debian,13 */

/* ---- the store (store.c) */

/* DATA/images, made with its folders when `make`; else -ENOENT without an error where there is none. Returns the fd. */
int store_open(struct ve_host *host, int make, struct error *e);
int store_lookup(int images, const char *name, char ret_id[IMAGE_ID_SIZE]); /* -ENOENT: no such name */
/* By name, or by at least 8 digits of the id. `images` may be negative: there is no store. */
int image_find(int images, const char *image, const char *tried, char ret_id[IMAGE_ID_SIZE], struct error *e);
int store_has(int images, const char *id); /* 1 or 0 */
/* What is known to be wrong with it: by the last verification, or at a glance, its tree unread. NULL: nothing. */
const char *store_damage(int images, const char *id);

struct work {
	int images, dir, lock;  /* fds; images is borrowed */
	char path[64];          /* tmp/RANDOM.PID */
	char id[IMAGE_ID_SIZE]; /* of the image, once it is known */
};
int work_begin(int images, struct work *ret, struct error *e);
void work_end(struct work *w); /* removes what is left in it; an empty one is allowed */
#define cleanup_work __attribute__((cleanup(work_end)))
#define WORK_NONE                                                                                                      \
	{                                                                                                              \
		.images = -EBADF, .dir = -EBADF, .lock = -EBADF                                                        \
	}

/*
 * tmp/RANDOM.PID/image becomes store/ID, and NAME means it from now on. Where the same content is stored already, that
 * stays and learns where it came from this time. One that was found broken is replaced, and kept for VEs that run on
 * it.
 */
int store_commit(struct ve_host *host, struct work *w, const char *name, struct error *e);
int store_unname(int images, const char *name);

/* ---- what is known of an image (describe.c): store/ID/image.json */

struct json;
int image_describe(int images, const char *id, struct json **ret);
/*
 * How the image came to have that name; the last one for NULL and for a name that it has not. Images that version 0.1.0
 * made have one origin, the description itself. Never NULL.
 */
const struct json *image_origin(const struct json *image, const char *name);
/* `base` as it is, with the origins of `old`, and those of `new` in place of older ones of the same names. */
int image_merge_origins(const struct json *base, const struct json *old, const struct json *new, char **ret_text);

/* The VEs of an image, "a, b, c", with their number as the result; or a negative errno: not known. */
int store_users(struct ve_host *host, const char *id, char *buf, size_t size);

/*
 * Removes what killed operations left, and images that no name and no VE refers to; `on_removed` (or NULL) is told of
 * each of those before it goes.
 */
typedef void store_removed_fn(void *arg, int images, const char *path, const char *id);
void store_collect(struct ve_host *host, int images, store_removed_fn *on_removed, void *arg);

/* Each name with its id, in order of name. */
struct ref {
	char name[IMAGE_NAME_SIZE];
	char id[IMAGE_ID_SIZE];
};
int store_refs(int images, struct ref **ret, size_t *ret_count);
/* Every id in the store. */
int store_ids(int images, char (**ret)[IMAGE_ID_SIZE], size_t *ret_count);

/* The lock of one name. Waits for it, unless the host is cancelled. */
struct name_lock {
	int images, fd;
	char file[IMAGE_NAME_SIZE + 8];
};
int name_lock(struct ve_host *host, int images, const char *name, struct name_lock *ret, struct error *e);
void name_unlock(struct name_lock *l);
#define cleanup_name_lock __attribute__((cleanup(name_unlock)))

/* ---- what a root file system says of itself (rootfs.c) */

/* O_PATH of a file of the image, links resolved inside it. */
int rootfs_open(int rootfs, const char *path, int flags);
const char *rootfs_find_init(int rootfs, const char *const *candidates); /* NULL: none of them */
void rootfs_os(int rootfs, char *buf, size_t size);                      /* "debian 13", or "" */
void rootfs_arch(int rootfs, const char *init, char *buf, size_t size);  /* "amd64"; of this machine without an init */
int rootfs_clear_machine_id(int rootfs, struct error *e);                /* 1: there was one */

extern const char *const image_default_inits[];

#endif
