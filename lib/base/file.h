/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_BASE_FILE_H
#define VE_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * All: 0 or a non-negative value, or a negative errno. Every fd returned is O_CLOEXEC. Where `dir` is an fd, `path` is
 * taken as open_beneath takes it; with AT_FDCWD it is a host path of root's own, absolute mostly, and links are
 * followed (but for the last component of what is replaced or removed).
 */

/* openat2() that stays beneath `dir` and follows no symbolic or magic link. */
int open_beneath(int dir, const char *path, int flags, unsigned mode);

/* A whole file of at most `limit` bytes, NUL-terminated; -EFBIG when it is longer. *ret is the caller's to free. */
int read_file_at(int dir, const char *path, size_t limit, char **ret, size_t *ret_size);

/* Replaces a file: temporary beside it, write, fsync, rename, fsync of the folder. */
int write_file_atomic_at(int dir, const char *path, const void *data, size_t size, unsigned mode);
/* The same without waiting for the disk: whoever reads it has it at once, but a power cut may bring the old one back.
 */
int write_file_soon_at(int dir, const char *path, const void *data, size_t size, unsigned mode);

/* One write() to an existing file (cgroup and proc files). */
int write_string_at(int dir, const char *path, const char *text);

/* mkdir -p; new folders get `mode`. Follows links: host paths of root's only. */
int mkdir_parents(const char *path, unsigned mode);

/* Removes a tree of any depth, crossing no mount (-EBUSY) and following no link. Absent is success. */
int remove_tree_at(int dir, const char *path);

/* Open-file-description locks. try_lock: 0 taken, -EAGAIN held elsewhere. is_locked: 1 held elsewhere, 0 free. */
int lock_try(int fd);
int lock_wait(int fd); /* -EINTR after a signal */
int lock_is_held(int fd);

int write_all(int fd, const void *data, size_t size);

#endif
