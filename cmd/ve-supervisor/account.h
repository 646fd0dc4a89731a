/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of a guest's files, changed: pure functions that allocate nothing, for the first boot and its unit test.
 * Each writes the new text to `out` and returns its size; -ENOSPC when it does not fit.
 */
#ifndef VE_SUPERVISOR_ACCOUNT_H
#define VE_SUPERVISOR_ACCOUNT_H

#include <stddef.h>
#include <sys/types.h>

struct span {
	const char *at;
	size_t size;
};

/*
 * passwd(5) and shadow(5): field `field` (0 is the name) of the user's first line, which is the one that counts,
 * becomes `value`. A line with fewer fields gets the empty ones between. -ENOENT: there is no such user.
 */
ssize_t account_set(struct span text, const char *user, int field, const char *value, char *out, size_t room);

/* Adds the lines of `more` that `text` does not have, each whole; blank ones are left out. */
ssize_t lines_add(struct span text, struct span more, char *out, size_t room);

#endif
