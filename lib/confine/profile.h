/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_CONFINE_PROFILE_H
#define VE_CONFINE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a profile says about system calls, as data. A name stands in exactly one place of a profile. A name that
 * libseccomp does not know on this architecture is left out; "name=NUMBER" gives the number for calls that are newer
 * than the libseccomp in use (all architectures number new calls alike since 5.1).
 */
enum verdict { VERDICT_ALLOW, VERDICT_EPERM, VERDICT_ENOSYS };

struct call_row {
	enum verdict verdict;
	const char *calls; /* names, one space between two */
	const char *why;
};

/* One argument, as the kernel sees it: the low 32 bits (see profile.c), masked. */
struct arg_test {
	unsigned arg;
	uint32_t mask, value;
};

enum { ARG_TESTS = 2 };

struct arg_rule {
	struct arg_test test[ARG_TESTS]; /* all hold; a test with mask 0 always holds */
	uint32_t action;
};

/* A call decided by its arguments: the first rule that holds, else `otherwise`. */
struct filtered_call {
	const char *call;
	const struct arg_rule *rules;
	size_t n_rules;
	uint32_t otherwise;
	const char *why;
};

struct profile {
	const char *name;
	uint32_t unknown;  /* action for calls that are in no row */
	uint32_t bad_arch; /* action for calls in another architecture's numbering */
	const struct call_row *rows;
	size_t n_rows;
	const struct filtered_call *filtered;
	size_t n_filtered;
};

const struct profile *profile_find(const char *name); /* NULL: no such profile */

/*
 * Takes the next name off *names. 1: `name` is filled and *ret_number is what follows "=", or -1; 0: no more;
 * -EINVAL: a malformed table.
 */
enum { CALL_NAME_MAX = 40 };
int profile_next_call(const char **names, char name[CALL_NAME_MAX], int *ret_number);

#endif
