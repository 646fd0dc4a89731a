/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_UNPACK_H
#define VE_UNPACK_H

#include <stddef.h>
#include <stdint.h>

struct digest_table;

/*
 * ve-unpack reads what strangers made, as root. Three walls, each enough by itself: names are checked here, libarchive
 * is told to stay inside, and the process is chrooted into the folder with only the capabilities that owners, modes and
 * file capabilities need.
 */

enum { EXIT_SYSTEM = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 }; /* REFUSED: the archive or folder is broken or unsafe */

enum {
	ID_MAX = 65535,          /* a VE has 65536 ids */
	FOLDER_DEPTH_MAX = 256,  /* three fds a level while a folder is copied */
	XATTR_VALUE_MAX = 65536, /* XATTR_SIZE_MAX of the kernel */
};

struct unpack {
	int root;                                                  /* the output folder */
	int source;                                                /* the archive, or the folder */
	int progress_fd;                                           /* -1: none */
	int percent;                                               /* last one told; -1: none yet */
	struct digest_table *digests;                              /* of the files that are unpacked */
	uint64_t entries, bytes, devices, sockets, xattrs, mounts; /* kept, and left out */
};

/* One line on stderr, "SUBJECT: what is wrong", then the process ends. */
_Noreturn void refuse(const char *subject, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void fail(const char *subject, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static inline _Noreturn void no_memory(const char *subject)
{
	fail(subject, 0, "memory is out");
}

/* "PERCENT DONE TOTAL" on progress_fd, once a percent. */
void progress(struct unpack *u, uint64_t done, uint64_t total);

/* The entry's path without leading "./" ("" is the root). Ends the process for one that could leave the folder. */
const char *check_path(const char *entry, const char *path, const char *what);
void check_ids(const char *entry, int64_t uid, int64_t gid);

/* 1: to be kept, 0: to be left out. Ends the process for file capabilities of another user namespace. */
int check_xattr(const char *entry, const char *name, const void *value, size_t size);
/* An xattr system.posix_acl_*: ends the process when it names an id that a VE does not have. */
void check_acl(const char *entry, const void *value, size_t size);

void unpack_archive(struct unpack *u, uint64_t size);
void unpack_folder(struct unpack *u);

#endif
