/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ve-supervisor and ve-apply share: how a step that fails says of what, and small text. No allocation, no stdio.
 */
#ifndef VE_SUPERVISOR_STEP_H
#define VE_SUPERVISOR_STEP_H

#include <errno.h>
#include <stdint.h>

/*
 * What a failed step says of itself: `step_subject` is set before the call that may fail, and the step returns -errno.
 * Nothing is allocated or formatted on the way to init's exec.
 */
extern const char *step_subject;
#define TRY(subject, call)                                                                                             \
	({                                                                                                             \
		step_subject = (subject);                                                                              \
		long r_ = (long)(call);                                                                                \
		if (r_ < 0)                                                                                            \
			return -errno;                                                                                 \
		r_;                                                                                                    \
	})

/* Text into a fixed buffer, cut where it is full; always NUL-terminated. */
struct text {
	char *at, *end;
};
void text_add(struct text *t, const char *s);
void text_number(struct text *t, uint64_t n);

/* "key=value,flag" for a file system that is being made. */
int configure_fs(int fs, const char *options);

#endif
