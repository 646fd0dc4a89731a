/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keys2man TEMPLATE: the page with the key lists where it says @supported@ and @unsupported@ alone on a line.
 * keys2man --schema: the JSON Schema of the file.
 * keys2man --list: the keys, one a line, for the check that the page has them all.
 * Built against the same table that libve parses with, so the page cannot name a key, type or default that is not so.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/format.h"
#include "lib/spec/spec.h"

enum { COLUMNS = 76 };

/*
 * A sentence or a part of one: words with line breaks where a line is full or a sentence ends. What troff would take
 * for an escape or a request is made plain.
 */
static void put_text(const char *s)
{
	size_t column = 0;

	while (*s) {
		size_t n = strcspn(s, " ");
		int ends = n > 0 && s[n] && (s[n - 1] == '.' || s[n - 1] == '?') && s[n + 1] >= 'A' && s[n + 1] <= 'Z';

		if (column == 0 && (*s == '.' || *s == '\''))
			fputs("\\&", stdout);
		for (size_t i = 0; i < n; i++)
			if (s[i] == '\\' || s[i] == '-')
				fputs(s[i] == '-' ? "\\-" : "\\e", stdout);
			else
				putchar(s[i]);
		column += n + 1;
		s += n;
		if (*s) {
			column = ends || column + strcspn(s + 1, " ") > COLUMNS ? 0 : column;
			putchar(column ? ' ' : '\n');
			s++;
		}
	}
}

static int is_supported(const struct spec_key *row)
{
	return !(row->flags & SPEC_UNSUPPORTED);
}

/* "Values: a, b." and, of those that the parser refuses, "Refused by this version: c." */
static void put_words(const struct spec_key *row)
{
	const char *words = spec_words(row);
	char word[64];

	for (int refused = 0; words && refused < 2; refused++) {
		int n = 0;

		for (const char *p = words; *p;) {
			size_t k = strcspn(p, "|");

			snprintf(word, sizeof(word), "%.*s", (int)k, p);
			p += k + (p[k] == '|');
			if (spec_word_refused(row, word) != refused)
				continue;
			fputs(n++ ? ", " : refused ? "Refused by this version: " : "Values: ", stdout);
			put_text(word);
		}
		if (n)
			fputs(".\n", stdout);
	}
}

static void put_key(const struct spec_key *row)
{
	char text[1024];

	fputs(".It Va ", stdout);
	for (const char *p = row->key; *p; p++)
		putchar(*p == '*' ? 'K' : *p);
	putchar('\n');
	put_text(row->doc);
	putchar('\n');
	fputs(".br\nType: ", stdout);
	spec_describe_type(row, text, sizeof(text));
	put_text(text);
	fputs(".\n", stdout);
	if (!is_supported(row))
		return;
	put_words(row);
	if (row->flags & SPEC_READONLY) {
		fputs("Fixed when the VE is created.\n", stdout);
		return;
	}
	fputs("Default: ", stdout);
	put_text(row->fallback ? row->fallback : "not set");
	fputs(row->flags & SPEC_LIVE ? ".\nA change takes effect at once.\n"
				     : ".\nA change waits for the next start.\n",
		stdout);
	spec_example(row, text, sizeof(text));
	fputs("Example:\n.Ql ", stdout);
	put_text(text);
	fputs(" .\n", stdout);
	if (spec_trait(row)->example_with) {
		fputs("Together with\n.Ql ", stdout);
		put_text(spec_trait(row)->example_with);
		fputs(" .\n", stdout);
	}
}

static void put_keys(int supported)
{
	for (const struct spec_key *row = spec_keys; row->key; row++)
		if (is_supported(row) == supported)
			put_key(row);
}

int main(int argc, char **argv)
{
	char line[1024];
	FILE *f;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (const struct spec_key *row = spec_keys; row->key; row++)
			printf("%s\t%s\n", row->key, is_supported(row) ? "supported" : "unsupported");
		return fflush(stdout) != 0;
	}
	if (argc == 2 && !strcmp(argv[1], "--schema")) {
		cleanup_free char *schema = NULL;
		struct error e = {0};

		return spec_schema(&schema, &e) < 0 || fputs(schema, stdout) < 0 || fflush(stdout) != 0;
	}
	if (argc != 2 || !(f = fopen(argv[1], "re"))) {
		fputs("usage: keys2man TEMPLATE|--schema|--list\n", stderr);
		return 2;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!strcmp(line, "@supported@\n"))
			put_keys(1);
		else if (!strcmp(line, "@unsupported@\n"))
			put_keys(0);
		else
			fputs(line, stdout);
	}
	if (ferror(f) || fclose(f) != 0 || fflush(stdout) != 0) {
		fprintf(stderr, "keys2man: %s: read or write error\n", argv[1]);
		return 1;
	}
	return 0;
}
