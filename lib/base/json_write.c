/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "lib/base/util.h"

enum { WRITER_DEPTH = 64 };

struct json_writer {
	yajl_gen gen;
	unsigned depth;
	char is_array[WRITER_DEPTH];
	int failed; /* negative errno */
};

static void fail(struct json_writer *w, int r)
{
	if (!w->failed)
		w->failed = r;
}

static void check(struct json_writer *w, yajl_gen_status status)
{
	if (status != yajl_gen_status_ok)
		fail(w, -EINVAL);
}

struct json_writer *jw_new(int pretty)
{
	struct json_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->gen = yajl_gen_alloc(NULL);
	if (!w->gen) {
		free(w);
		return NULL;
	}
	if (pretty) {
		yajl_gen_config(w->gen, yajl_gen_beautify, 1);
		yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
	}
	return w;
}

/* Length of the UTF-8 character at `p`, 0 where there is none: overlong forms, surrogates, past U+10FFFF. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	unsigned c = p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
	size_t i;

	if (n == 0 || n > left)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
		(c == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

int json_is_utf8(const char *text, size_t size)
{
	size_t at = 0;

	while (at < size) {
		size_t step = utf8_length((const unsigned char *)text + at, size - at);

		if (!step)
			return 0;
		at += step;
	}
	return 1;
}

static void put_text(struct json_writer *w, const char *text)
{
	size_t n = strlen(text), at = 0, to = 0;
	cleanup_free unsigned char *clean = malloc(n * 3 + 1);

	if (!clean) {
		fail(w, -ENOMEM);
		return;
	}
	while (at < n) {
		size_t step = utf8_length((const unsigned char *)text + at, n - at);

		if (step) {
			memcpy(clean + to, text + at, step);
			at += step;
			to += step;
		} else {
			memcpy(clean + to, "\xef\xbf\xbd", 3);
			at++;
			to += 3;
		}
	}
	check(w, yajl_gen_string(w->gen, clean, to));
}

/* Whether a value may be written here; its key is written. */
static int begin(struct json_writer *w, const char *key)
{
	if (!w || w->failed)
		return 0;
	if ((w->depth > 0 && !w->is_array[w->depth - 1]) != (key != NULL)) {
		fail(w, -EINVAL);
		return 0;
	}
	if (key)
		put_text(w, key);
	return !w->failed;
}

static void open_container(struct json_writer *w, const char *key, int is_array)
{
	if (!begin(w, key))
		return;
	if (w->depth == WRITER_DEPTH) {
		fail(w, -EINVAL);
		return;
	}
	w->is_array[w->depth++] = (char)is_array;
	check(w, is_array ? yajl_gen_array_open(w->gen) : yajl_gen_map_open(w->gen));
}

void jw_object(struct json_writer *w, const char *key)
{
	open_container(w, key, 0);
}

void jw_array(struct json_writer *w, const char *key)
{
	open_container(w, key, 1);
}

void jw_end(struct json_writer *w)
{
	if (!w || w->failed)
		return;
	if (w->depth == 0) {
		fail(w, -EINVAL);
		return;
	}
	check(w, w->is_array[--w->depth] ? yajl_gen_array_close(w->gen) : yajl_gen_map_close(w->gen));
}

void jw_string(struct json_writer *w, const char *key, const char *value)
{
	if (!value)
		jw_null(w, key);
	else if (begin(w, key))
		put_text(w, value);
}

void jw_integer(struct json_writer *w, const char *key, int64_t value)
{
	if (begin(w, key))
		check(w, yajl_gen_integer(w->gen, value));
}

void jw_double(struct json_writer *w, const char *key, double value)
{
	char text[64], *p;
	int n;

	if (!begin(w, key))
		return;
	if (!isfinite(value)) { /* JSON has no word for it */
		check(w, yajl_gen_null(w->gen));
		return;
	}
	/* The fewest digits that read back as the same number. */
	for (n = 15; n <= 17; n++) {
		snprintf(text, sizeof(text), "%.*g", n, value);
		if (strtod(text, NULL) == value)
			break;
	}
	/* The decimal point is the locale's, and JSON's is a point. */
	for (p = text; *p; p++)
		if (!strchr("0123456789+-eE", *p))
			*p = '.';
	check(w, yajl_gen_number(w->gen, text, strlen(text)));
}

void jw_bool(struct json_writer *w, const char *key, int value)
{
	if (begin(w, key))
		check(w, yajl_gen_bool(w->gen, !!value));
}

void jw_null(struct json_writer *w, const char *key)
{
	if (begin(w, key))
		check(w, yajl_gen_null(w->gen));
}

void jw_copy(struct json_writer *w, const char *key, const struct json *value)
{
	const struct json *j;

	if (!value) {
		jw_null(w, key);
		return;
	}
	switch (value->type) {
	case JSON_NULL:
		jw_null(w, key);
		break;
	case JSON_BOOL:
		jw_bool(w, key, value->integer != 0);
		break;
	case JSON_INTEGER:
	case JSON_DOUBLE:
		/* As it was written: no digit is lost. */
		if (begin(w, key))
			check(w, yajl_gen_number(w->gen, value->string, value->length));
		break;
	case JSON_STRING:
		jw_string(w, key, value->string);
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		open_container(w, key, value->type == JSON_ARRAY);
		/* As deep as json_parse lets a tree be: JSON_MAX_DEPTH. */
		for (j = value->child; j; j = j->next)
			jw_copy(w, j->key, j);
		jw_end(w);
		break;
	}
}

/*
 * Copies yajl's text, with one newline at its end, and with nothing between the brackets of what is empty, where yajl
 * leaves lines blank. A newline is never part of a string: there it is written as \n.
 */
static void tidy(char *to, const unsigned char *text, size_t n)
{
	size_t i, o = 0;

	while (n > 0 && text[n - 1] == '\n')
		n--;
	for (i = 0; i < n; i++) {
		size_t end = o;

		if (text[i] == ']' || text[i] == '}') {
			while (end > 0 && (to[end - 1] == '\n' || to[end - 1] == ' '))
				end--;
			if (end > 0 && to[end - 1] == (text[i] == ']' ? '[' : '{') && memchr(to + end, '\n', o - end))
				o = end;
		}
		to[o++] = (char)text[i];
	}
	strcpy(to + o, "\n");
}

int jw_finish(struct json_writer *w, char **ret_text)
{
	const unsigned char *text;
	char *copy;
	size_t n;
	int r;

	if (!w)
		return -ENOMEM;
	r = w->failed;
	if (!r && w->depth > 0)
		r = -EINVAL;
	if (!r && yajl_gen_get_buf(w->gen, &text, &n) != yajl_gen_status_ok)
		r = -EINVAL;
	if (!r && n == 0)
		r = -EINVAL;
	if (!r) {
		copy = malloc(n + 2);
		if (copy) {
			tidy(copy, text, n);
			*ret_text = copy;
		} else {
			r = -ENOMEM;
		}
	}
	yajl_gen_free(w->gen);
	free(w);
	return r;
}
