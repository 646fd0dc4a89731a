/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wrap.h"

#include <string.h>
#include <sys/ioctl.h>

#include "vectl.h"

int screen_width(FILE *out)
{
	struct winsize size;
	if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

static int columns_of(const char *text, size_t n)
{
	int columns = 0;
	for (size_t i = 0; i < n; i++)
		columns += ((unsigned char)text[i] & 0xc0) != 0x80;
	return columns;
}

/* Where a line that begins with a word of so many columns begins: to the left of the others, if only there it fits. */
static int line_start(int width, int columns, int indent, int lead)
{
	enum { LEAST = 2 };
	int fits = width - lead - columns;
	return fits >= indent ? indent : fits > LEAST ? fits : indent < LEAST ? indent : LEAST;
}

void wrap_words(FILE *out, const char *text, int width, int column, int indent, const char *lead)
{
	int blanks = 0;
	while (*text && *text != '\n') {
		size_t n = strcspn(text, " \n");
		int columns = columns_of(text, n);
		if (width && blanks && column + blanks + columns > width) {
			int start = line_start(width, columns, indent, (int)strlen(lead));
			fprintf(out, "\n%*s%s", start, "", lead);
			column = start + (int)strlen(lead);
			blanks = 0;
		}
		fprintf(out, "%*s%.*s", blanks, "", (int)n, text);
		column += blanks + columns;
		text += n;
		blanks = (int)strspn(text, " ");
		text += blanks;
	}
}

void wrap_text(FILE *out, const char *text, int column, int indent)
{
	char *clean = NULL;
	size_t size;
	FILE *f = open_memstream(&clean, &size);
	if (!f)
		return;
	cli_print_text(f, text);
	if (!fclose(f))
		wrap_words(out, clean, screen_width(out), column, indent, "");
	free(clean);
}

FILE *wrap_begin(struct wrapped *w)
{
	*w = (struct wrapped){0};
	return w->stream = open_memstream(&w->text, &w->size);
}

void wrap_end(struct wrapped *w, FILE *out, int column, int indent)
{
	if (w->stream && !fclose(w->stream))
		wrap_words(out, w->text, screen_width(out), column, indent, "");
	free(w->text);
	fputc('\n', out);
}
