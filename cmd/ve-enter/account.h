/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_ENTER_ACCOUNT_H
#define VE_ENTER_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Users and groups of a VE, from the text of its /etc/passwd and /etc/group. The text is the guest's: hostile. An id is
 * a plain decimal number of 0 to 65534, or its line is malformed; nothing ever turns into 0 (CVE-2016-3697).
 */
enum { ACCOUNT_ID_MAX = 65534, ACCOUNT_FIELD_MAX = 1024, ACCOUNT_GROUPS_MAX = 1024 };

struct account {
	uint32_t uid, gid;
	char name[ACCOUNT_FIELD_MAX], home[ACCOUNT_FIELD_MAX], shell[ACCOUNT_FIELD_MAX];
};

/* Strict: digits alone, at most ACCOUNT_ID_MAX. 0, or -EINVAL. */
int account_parse_id(const char *text, size_t size, uint32_t *ret);

/*
 * The first line for `user`: of digits alone it is a uid, never a name. Home and shell that are not absolute become "/"
 * and "/bin/sh". -ENOENT: there is none (also for a number out of range); -EINVAL: its line is malformed.
 */
int account_find(const char *text, size_t size, const char *user, struct account *ret);

/*
 * The supplementary groups of the user `name`: `gid`, then every group that lists the name, each once.
 * Returns their number; -E2BIG for more than ACCOUNT_GROUPS_MAX.
 */
int account_groups(const char *text, size_t size, const char *name, uint32_t gid, uint32_t *ret);

#endif
