/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_BASE_ERROR_H
#define VE_BASE_ERROR_H

#include <ve/ve.h>

/*
 * What went wrong, in the order in which it is printed: `VE: tried: wrong: remedy`.
 * A function that fails fills one of these and returns a negative errno; the first failure is kept, since what follows
 * it (undo, clean-up) is a consequence.
 */
struct error {
	int code;          /* enum ve_error_code; 0: none yet */
	int errnum;        /* positive errno, or 0 */
	char ve[64];       /* the VE concerned, or "" */
	char step[48];     /* the plan's step, or "" */
	char subject[256]; /* path, key or number that the failure is about, or "" */
	char tried[160];   /* what was tried */
	char wrong[512];   /* what is wrong */
	char remedy[256];  /* what to do, or "" */
};

/* Fills `e` unless it holds an earlier failure. `errnum` 0 stands for EINVAL in the result. Returns -errnum. */
int error_set(struct error *e, int code, int errnum, const char *tried, const char *remedy, const char *wrong, ...)
	__attribute__((format(printf, 6, 7)));

/* A failed system call: `wrong` becomes "SUBJECT: strerror(errnum)". Returns -errnum. */
int error_sys(struct error *e, int errnum, const char *tried, const char *subject);

/* What to do about an errno whatever was tried, or NULL. error_sys takes it. */
const char *error_remedy(int errnum);

void error_clear(struct error *e);

#endif
