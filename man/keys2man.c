/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keys2man TEMPLATE: the page with the key lists where it says @supported@ and @unsupported@ alone on a line.
 * keys2man --list: the keys, one a line, for the check that the page has them all.
 * Built against the same table that libve parses with, so the page cannot name a key, type or default that is not so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/spec.h"

static const struct {
	enum spec_type type;
	const char *words;
} types[] = {
	{SPEC_STRING, "string"},
	{SPEC_NAME, "name"},
	{SPEC_HOSTNAME, "host name"},
	{SPEC_UUID, "UUID"},
	{SPEC_PATH, "absolute path"},
	{SPEC_BOOL, "true or false"},
	{SPEC_INTEGER, "whole number"},
	{SPEC_SIZE, "size"},
	{SPEC_RATE, "rate"},
	{SPEC_SECONDS, "seconds"},
	{SPEC_COUNT, "count"},
	{SPEC_PERCENT, "per cent"},
	{SPEC_LIST, "list of strings"},
	{SPEC_ENUM, "one word"},
	{SPEC_SIGNAL, "signal"},
};

/* Of keys that are carried out in part, the values to try: what the parser refuses as unsupported is told apart. */
static const struct {
	const char *key, *words;
} tried_words[] = {
	{"seccomp", "default|strict|unconfined|/etc/vectl/seccomp"},
};

static const char *type_words(enum spec_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return types[i].words;
	return NULL;
}

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

static int is_refused(const char *key, const char *value)
{
	cleanup_spec struct spec *s = spec_new();
	struct error e = {0};

	return s && spec_put(s, key, value, &e) < 0 && e.code == VE_E_UNSUPPORTED;
}

/* "Values: a, b." and, of those that the parser refuses, "Known, but refused by this version: c." */
static void put_words(const struct spec_key *row)
{
	const char *words = row->choices;
	char word[64];

	for (size_t i = 0; !words && i < ARRAY_SIZE(tried_words); i++)
		if (!strcmp(tried_words[i].key, row->key))
			words = tried_words[i].words;
	for (int refused = 0; words && refused < 2; refused++) {
		int n = 0;

		for (const char *p = words; *p;) {
			size_t k = strcspn(p, "|");

			snprintf(word, sizeof(word), "%.*s", (int)k, p);
			p += k + (p[k] == '|');
			if (is_refused(row->key, word) != refused)
				continue;
			fputs(n++ ? ", " : refused ? "Refused by this version: " : "Values: ", stdout);
			/* a path stands for any file */
			put_text(*word == '/' ? "a file" : word);
		}
		if (n)
			fputs(".\n", stdout);
	}
}

static void put_range(const struct spec_key *row)
{
	switch (row->type) {
	case SPEC_INTEGER:
	case SPEC_SIZE:
	case SPEC_RATE:
	case SPEC_SECONDS:
	case SPEC_COUNT:
	case SPEC_PERCENT:
	case SPEC_SIGNAL:
		if (row->max >= INT64_MAX - 1)
			printf(", %" PRId64 " or more", row->min);
		else
			printf(", %" PRId64 " to %" PRId64, row->min, row->max);
		break;
	case SPEC_STRING:
		if (row->max > 0)
			printf(" of up to %" PRId64 " bytes", row->max);
		break;
	case SPEC_LIST:
		if (row->max > 0)
			printf(", %" PRId64 " at most", row->max);
		break;
	default:
		break;
	}
}

static void put_key(const struct spec_key *row)
{
	fputs(".It Va ", stdout);
	for (const char *p = row->key; *p; p++)
		putchar(*p == '*' ? 'K' : *p);
	putchar('\n');
	put_text(row->doc);
	putchar('\n');
	if (!is_supported(row))
		return;
	put_words(row);
	fputs(".br\nType: ", stdout);
	fputs(type_words(row->type), stdout);
	put_range(row);
	fputs(".\n", stdout);
	if (row->flags & SPEC_READONLY) {
		fputs("Fixed when the VE is created.\n", stdout);
		return;
	}
	fputs("Default: ", stdout);
	put_text(row->fallback ? row->fallback : "not set");
	fputs(row->flags & SPEC_LIVE ? ".\nA change takes effect at once.\n"
				     : ".\nA change waits for the next start.\n",
		stdout);
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
	if (argc != 2 || !(f = fopen(argv[1], "re"))) {
		fputs("usage: keys2man TEMPLATE|--list\n", stderr);
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
