/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Messages quote what files and guests say, and each must stay one line that is safe to print on a terminal. What does
 * not fit is cut between two characters, not inside one.
 */
static void make_printable(char *text, int cut)
{
	char *p;

	if (cut) {
		size_t n = strlen(text), start = n;

		while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
			start--;
		if (start > 0 && (unsigned char)text[start - 1] >= 0xc0) {
			unsigned char lead = text[start - 1];
			size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

			if (n - start < want)
				text[start - 1] = '\0';
		}
	}
	for (p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = *p == '\n' || *p == '\t' || *p == '\r' ? ' ' : '?';
}

static void copy(char *to, size_t size, const char *from)
{
	int n = snprintf(to, size, "%s", from ? from : "");

	make_printable(to, n >= (int)size);
}

int error_set(struct error *e, int code, int errnum, const char *tried, const char *remedy, const char *wrong, ...)
{
	va_list ap;
	int n;

	if (errnum < 0)
		errnum = -errnum;
	if (e && !e->code) {
		e->code = code;
		e->errnum = errnum;
		copy(e->tried, sizeof(e->tried), tried);
		copy(e->remedy, sizeof(e->remedy), remedy);
		va_start(ap, wrong);
		n = vsnprintf(e->wrong, sizeof(e->wrong), wrong, ap);
		va_end(ap);
		if (n < 0)
			e->wrong[0] = '\0';
		make_printable(e->wrong, n >= (int)sizeof(e->wrong));
	}
	return errnum ? -errnum : -EINVAL;
}

const char *error_remedy(int errnum)
{
	static const struct {
		int errnum;
		const char *remedy;
	} rows[] = {
		{ENOSPC, "make room there: df and df -i show what is full"},
		{EDQUOT, "make room there, or raise the disk quota"},
		{EROFS, "mount that file system read-write"},
		{EIO, "look for the device's errors: dmesg"},
		{ENOMEM, "free some memory"},
		{EMFILE, "allow the caller more open files: ulimit -n"},
		{ENFILE, "allow more open files: sysctl fs.file-max=NUMBER"},
		{ENAMETOOLONG, "give a shorter path"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].errnum == errnum)
			return rows[i].remedy;
	return NULL;
}

int error_sys(struct error *e, int errnum, const char *tried, const char *subject)
{
	char words[128];

	if (errnum < 0)
		errnum = -errnum;
	if (e && !e->code) {
		/* The GNU strerror_r: strerror's buffer is shared between threads. */
		const char *why = strerror_r(errnum, words, sizeof(words));

		if (subject && *subject)
			error_set(e, VE_E_FAILED, errnum, tried, error_remedy(errnum), "%s: %s", subject, why);
		else
			error_set(e, VE_E_FAILED, errnum, tried, error_remedy(errnum), "%s", why);
		copy(e->subject, sizeof(e->subject), subject);
	}
	return errnum ? -errnum : -EINVAL;
}

void error_clear(struct error *e)
{
	*e = (struct error){0};
}
