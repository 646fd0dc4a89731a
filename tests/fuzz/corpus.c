/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What there is to try with the readers of JSON and specs, from the table that libve parses with: for each key each
 * value that fits its type and form, and such that do not.
 *
 * corpus FOLDER: a file each, the first inputs of a fuzzer.
 * corpus: JSON Lines with key, expect, taken (whether spec_parse took it) and document, for the check of the schema:
 *   good   taken;
 *   bad    refused, and by a schema too;
 *   odd    refused, for reasons that a schema cannot know: a range in a string, a sum of two keys.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

enum expect { GOOD, BAD, ODD };
static const char *const expect_names[] = {"good", "bad", "odd"};

static const char *folder;
static unsigned count;

static int put_file(const char *text)
{
	char path[4096];
	FILE *f;

	if (FORMAT(path, "%s/%05u.json", folder, count) < 0 || !(f = fopen(path, "we")))
		return -1;
	fputs(text, f);
	return fclose(f);
}

static int put(const char *key, enum expect expect, const char *text)
{
	cleanup_spec struct spec *s = NULL;
	struct error e = {0};
	struct json_writer *w;
	char *line;
	int taken;

	count++;
	if (folder)
		return put_file(text);
	taken = spec_parse(text, strlen(text), "ve.json", &s, &e) == 0;
	w = jw_new(0);
	if (!w)
		return -1;
	jw_object(w, NULL);
	jw_string(w, "key", key);
	jw_string(w, "expect", expect_names[expect]);
	jw_bool(w, "taken", taken);
	jw_string(w, "why", e.wrong);
	jw_string(w, "document", text);
	jw_end(w);
	if (jw_finish(w, &line) < 0)
		return -1;
	fputs(line, stdout);
	free(line);
	return 0;
}

/* The document with `json` as the value of the row, `name` where it has `*`. */
static int put_value(const struct spec_key *row, const char *name, enum expect expect, const char *json)
{
	char text[16384], key[SPEC_MAX_PATH], *p = key, *rest;
	size_t used = 0, depth = 0;
	const char *star = strchr(row->key, '*');

	snprintf(key, sizeof(key), "%.*s", (int)strcspn(row->key, "*"), row->key);
	used += (size_t)snprintf(text, sizeof(text), "{\"format\": 1");
	/* the groups before `*`, the name, what follows it */
	for (p = strtok_r(key, ".", &rest); p; p = strtok_r(NULL, ".", &rest))
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\"%s\": ", depth++ ? "{" : ", ", p);
	if (star)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "{\"%s\": ", name), depth++;
	if (star && star[1])
		used += (size_t)snprintf(text + used, sizeof(text) - used, "{\"%s\": ", star + 2), depth++;
	used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", json);
	while (depth-- > 0 && used < sizeof(text))
		used += (size_t)snprintf(text + used, sizeof(text) - used, "}");
	return used >= sizeof(text) ? -1 : put(row->key, expect, text);
}

static void quote(char *buf, size_t size, const char *text)
{
	size_t used = 0;

	buf[used++] = '"';
	for (; *text && used + 4 < size; text++) {
		if (*text == '"' || *text == '\\')
			buf[used++] = '\\';
		buf[used++] = *text;
	}
	buf[used++] = '"';
	buf[used] = '\0';
}

/* Each of the words with `between` after it, as a string or as the only item of a list. */
static int put_words(const struct spec_key *row, const char *name, enum expect expect, const char *words, char between)
{
	char word[4096], json[8300], quoted[8200];

	while (words && *words) {
		size_t n = strchr(words, between) ? (size_t)(strchr(words, between) - words) : strlen(words);
		enum expect now = expect;

		snprintf(word, sizeof(word), "%.*s", (int)n, words);
		words += n + (words[n] == between);
		quote(quoted, sizeof(quoted), word);
		snprintf(json, sizeof(json), row->type == SPEC_LIST ? "[%s]" : "%s", quoted);
		if (expect == GOOD && spec_word_refused(row, word))
			now = BAD;
		if (put_value(row, name, now, json) < 0)
			return -1;
	}
	return 0;
}

static int put_number(const struct spec_key *row, const char *name)
{
	static const char *const suffixes[] = {
		[SPEC_SIZE] = "K\nM\nG\nT", [SPEC_RATE] = "k\nm\ng", [SPEC_PERCENT] = "%"};
	bool has_max = row->type == SPEC_SIZE || row->type == SPEC_RATE || row->type == SPEC_COUNT;
	const char *suffix = row->type <= SPEC_PERCENT ? suffixes[row->type] : NULL;
	/* a multiple of 65536 where that is asked for */
	int64_t min = row->min, max = row->max;
	char text[64];
	int r = 0;

	snprintf(text, sizeof(text), "%" PRId64, min);
	r |= put_value(row, name, GOOD, text);
	r |= put_words(row, name, GOOD, text, '\n');
	snprintf(text, sizeof(text), "%" PRId64, max);
	r |= put_value(row, name, GOOD, text);
	r |= put_words(row, name, has_max ? GOOD : BAD, "max", '\n');
	for (; suffix && *suffix; suffix += suffix[1] == '\n' ? 2 : 1) {
		snprintf(text, sizeof(text), "%" PRId64 "%c", min > 0 && row->type == SPEC_PERCENT ? min : 2000,
			*suffix);
		r |= put_words(row, name, GOOD, text, '\n');
	}
	snprintf(text, sizeof(text), "%" PRId64, min - 1);
	r |= put_value(row, name, BAD, text);
	r |= put_words(row, name, min > 0 ? ODD : BAD, text, '\n');
	if (max < INT64_MAX - 1) {
		snprintf(text, sizeof(text), "%" PRId64, max + 1);
		r |= put_value(row, name, BAD, text);
		r |= put_words(row, name, ODD, text, '\n');
	}
	r |= put_words(row, name, ODD, "99999999999999999999", '\n');
	r |= put_words(row, name, BAD, "x\n 1\n1 \n+1\n0x10\n1e3\n1.5\n1Q\n-\n--1", '\n');
	return r | put_value(row, name, BAD, "1.5") | put_value(row, name, BAD, "true");
}

static const struct {
	const char *good, *bad, *odd;
} by_type[] = {
	[SPEC_STRING] = {"x\na b\n\xc3\xa9", NULL, NULL},
	[SPEC_NAME] = {"web1\n101", "-a\na-\nA\na b\na.b", NULL},
	[SPEC_HOSTNAME] = {"web1.example.org\nA", "-a\na b\na_b", "a..b\na.-b"},
	[SPEC_UUID] = {"01234567-89ab-cdef-0123-456789abcdef", "0123\n01234567-89ab-cdef-0123-456789abcdeg", NULL},
	[SPEC_PATH] = {"/\n/a b/\xc3\xa9", "a/b\n./a\n/..\n/a/../b\n/a/.", NULL},
	[SPEC_SIGNAL] = {"SIGTERM\nTERM\nSIGRTMIN+4\n15\nRTMAX-1", "term\n-1\nSIG TERM", "SIGNOTHING\n65\nSIGRTMIN+99"},
};

static int put_row(const struct spec_key *row)
{
	const struct spec_format *form = spec_trait(row)->value, *names = spec_trait(row)->name;
	const char *name = spec_trait(row)->example_name, *bad = form ? form->bad : NULL,
		   *odd = form ? form->odd : NULL;
	const char *good = form ? form->good : row->choices ? row->choices : NULL, *example = spec_trait(row)->example;
	char between = form ? '\n' : '|', json[8300], word[256];
	int r = 0;

	if (row->type < ARRAY_SIZE(by_type) && !good && row->type != SPEC_LIST) {
		good = by_type[row->type].good;
		bad = by_type[row->type].bad;
		odd = by_type[row->type].odd;
		between = '\n';
	}
	if (row->flags & SPEC_UNSUPPORTED) {
		snprintf(word, sizeof(word), "%s", row->type == SPEC_BOOL ? "true" : "\"1\"");
		return put_value(row, name, BAD, word);
	}
	if (value_number_kind(row->type) >= 0)
		r |= put_number(row, name);
	else if (row->type == SPEC_BOOL)
		r |= put_value(row, name, GOOD, "false") | put_value(row, name, GOOD, "true") |
		     put_value(row, name, BAD, "\"true\"") | put_value(row, name, BAD, "1");
	else
		r |= put_words(row, name, GOOD, good, between);
	if (row->type != SPEC_LIST && row->type != SPEC_BOOL)
		r |= put_words(row, name, GOOD, example, '\n');
	r |= put_words(row, name, BAD, bad, '\n') | put_words(row, name, ODD, odd, '\n');
	if (row->type == SPEC_ENUM || (row->type == SPEC_LIST && row->choices))
		r |= put_words(row, name, BAD, "nonsense\nNONE", '\n');
	if (row->type == SPEC_LIST) {
		r |= put_value(row, name, BAD, "[]") | put_value(row, name, BAD, "[\"\"]") |
		     put_value(row, name, BAD, "\"a\"") | put_value(row, name, BAD, "[1]");
		snprintf(word, sizeof(word), "%.*s", good ? (int)strcspn(good, between == '|' ? "|" : "\n") : 1,
			good ? good : "a");
		snprintf(json, sizeof(json), "[\"%s\", \"%s\"]", word, word);
		r |= put_value(row, name, good ? BAD : GOOD, json); /* a set has each once; arguments may be repeated */
	}
	/* names in place of `*` */
	if (strchr(row->key, '*') && row->type != SPEC_BOOL) {
		snprintf(json, sizeof(json), value_number_kind(row->type) >= 0 || !row->choices ? "\"%s\"" : "[\"%s\"]",
			example);
		if (row->type != SPEC_LIST) {
			r |= put_value(row, names ? "\\u0000" : "a b", BAD, json);
			r |= put_value(row, "", BAD, json) | put_value(row, "a=b", BAD, json);
		}
	}
	return r | put_value(row, name, BAD, "null") | put_value(row, name, BAD, "{}") |
	       put_value(row, name, row->flags & SPEC_EMPTY ? GOOD : BAD, "\"\"") |
	       put_value(row, name, BAD, row->type == SPEC_LIST ? "[\"a\\u0007\"]" : "\"a\\u0007\"");
}

int main(int argc, char **argv)
{
	/* of the form itself */
	static const char *const good[] = {"{\"format\": 1}", "{\"format\": 1, \"labels\": {\"a.b\": \"c\"}}"};
	static const char *const bad[] = {"{}", "[]", "null", "{\"format\": 2}", "{\"format\": \"1\"}",
		"{\"format\": 1, \"nonsense\": 1}", "{\"format\": 1, \"stop\": 5}",
		"{\"format\": 1, \"stop.timeout\": 5}", "{\"format\": 1, \"stop\": {\"timeot\": 5}}"};
	int r = 0;

	folder = argc > 1 ? argv[1] : NULL;
	if (folder && mkdir(folder, 0700) < 0 && errno != EEXIST) {
		perror(folder);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		r |= put("format", GOOD, good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		r |= put("format", BAD, bad[i]);
	for (const struct spec_key *row = spec_keys; row->key && !r; row++)
		r |= put_row(row);
	if (r || fflush(stdout)) {
		fprintf(stderr, "corpus: writing failed after %u\n", count);
		return 1;
	}
	return 0;
}
