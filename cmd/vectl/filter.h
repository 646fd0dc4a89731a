/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a guest's console output may reach the terminal of the one who reads it. Escape sequences can set titles,
 * fill the clipboard or make a terminal answer as if its user had typed; of them only colours are let through.
 */
#ifndef VECTL_FILTER_H
#define VECTL_FILTER_H

#include <stddef.h>
#include <stdio.h>

enum filter_mode {
	FILTER_RAW,     /* byte-exact, for files and pipes */
	FILTER_COLOURS, /* text, line ends, tabs and colours, for terminals */
	FILTER_PLAIN,   /* text, newlines and tabs */
};
struct filter {
	enum filter_mode mode;
	int state;
	size_t held;
	char sequence[32]; /* of an escape sequence that is not complete yet */
};
void filter_write(struct filter *f, const char *data, size_t size, FILE *out);

#endif
