/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text for people: filled to the width of the terminal, as it is in a file or a pipe. */
#ifndef VECTL_WRAP_H
#define VECTL_WRAP_H

#include <stdio.h>

int screen_width(FILE *out); /* columns; 0: no terminal, and everything is wanted as it is */

/*
 * Words up to the end of the line, which begins at `column`; further lines begin at `indent`, with `lead` before it,
 * and those with a word that is too long for that further to the left. No line is longer than `width` (0: no limit),
 * but for a word that is; no newline at the end.
 */
void wrap_words(FILE *out, const char *text, int width, int column, int indent, const char *lead);

/* The same to the width of `out`, and harmless, whoever wrote the text. */
void wrap_text(FILE *out, const char *text, int column, int indent);

/* What several calls print as one text: write to what wrap_begin returns, then wrap_end wraps and ends the line. */
struct wrapped {
	FILE *stream; /* NULL: memory is out */
	char *text;
	size_t size;
};
FILE *wrap_begin(struct wrapped *w);
void wrap_end(struct wrapped *w, FILE *out, int column, int indent);

#endif
