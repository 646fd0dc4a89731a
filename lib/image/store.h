/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_IMAGE_STORE_H
#define VE_IMAGE_STORE_H

#include <limits.h>
#include <stdint.h>

#include "lib/host/host.h"

/*
 * Inside DATA/images, beside what image.h names:
 *   tmp/ID.PID/   one operation at work; its file `lock` is held while it lives, so that what a killed one left is
 *                 recognised. `image` in it is what becomes store/ID.
 *   lock-NAME     held while NAME is built, so that of two builds at once the second takes the first's result
 *   log-NAME      what the template said when it last failed
 * NAME has ',' for '/' there. Short changes (making tmp/ID.PID, moves into and out of the store, refs) happen under a
 * flock of the folder DATA/images itself.
 */

enum {
	IMAGE_ID_SIZE = 33,       /* 32 hexadecimal digits */
	IMAGE_COMPONENT_MAX = 63, /* of a name */
	IMAGE_COMPONENTS = 3,
	IMAGE_NAME_SIZE = IMAGE_COMPONENTS * (IMAGE_COMPONENT_MAX + 1),
	IMAGE_JSON_MAX = 64 * 1024,
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

struct work {
	int images, dir, lock; /* fds; images is borrowed */
	char path[64];         /* tmp/ID.PID */
	char id[IMAGE_ID_SIZE];
};
int work_begin(int images, struct work *ret, struct error *e);
void work_end(struct work *w); /* removes what is left in it; an empty one is allowed */
#define cleanup_work __attribute__((cleanup(work_end)))
#define WORK_NONE                                                                                                      \
	{                                                                                                              \
		.images = -EBADF, .dir = -EBADF, .lock = -EBADF                                                        \
	}

/* tmp/ID.PID/image becomes store/ID, and NAME means it from now on. */
int store_commit(struct work *w, const char *name, struct error *e);
int store_unname(int images, const char *name);

/* The VEs of an image, "a, b, c", with their number as the result. */
int store_users(struct ve_host *host, const char *id, char *buf, size_t size);

/* Removes what killed operations left, and images that no name and no VE refers to. */
void store_collect(struct ve_host *host, int images);

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
