/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

/* Values of rows that this version carries out in part. */
static const struct {
	const char *key;
	const char *carried; /* `|` between */
	const char *wrong;   /* NULL: the general words */
	const char *remedy;
} partly[] = {
	{"net.*.type", "bridge|routed|macvlan", NULL, "use bridge, routed or macvlan"},
	{"storage", "overlay", NULL, "use overlay"},
	{"seccomp", "default", NULL, "use default"},
	{"features", "fuse|tun", NULL, "use fuse or tun"},
};

const char *spec_words(const struct spec_key *row)
{
	return row->choices ? row->choices : !strcmp(row->key, "seccomp") ? "default|strict|unconfined" : NULL;
}

int spec_word_refused(const struct spec_key *row, const char *word)
{
	if (row->flags & SPEC_UNSUPPORTED)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(partly); i++)
		if (!strcmp(partly[i].key, row->key))
			return !value_is_choice(partly[i].carried, word);
	return 0;
}

int spec_fail(
	const struct place *at, const char *path, int code, int errnum, const char *remedy, const char *wrong, ...)
{
	struct error *e = at->error;
	bool first = e && !e->code;
	char words[512];
	va_list ap;
	int r;

	va_start(ap, wrong);
	vsnprintf(words, sizeof(words), wrong, ap);
	va_end(ap);
	if (!at->file)
		r = error_set(e, code, errnum, at->tried, remedy, "%s", words);
	else if (path && *path)
		r = error_set(e, code, errnum, at->tried, remedy, "%s:%u:%u: %.96s: %s", at->file, at->line, at->column,
			path, words);
	else
		r = error_set(
			e, code, errnum, at->tried, remedy, "%s:%u:%u: %s", at->file, at->line, at->column, words);
	if (first && path)
		snprintf(e->subject, sizeof(e->subject), "%.255s", path);
	return r;
}

int spec_fail_memory(const struct place *at)
{
	return error_sys(at->error, ENOMEM, at->tried, NULL);
}

int spec_fail_unknown(const struct place *at, const char *path)
{
	char near[SPEC_MAX_PATH], remedy[SPEC_MAX_PATH + 32] = "`man ve.json` has the keys";

	if (spec_nearest_words(path, near, sizeof(near)))
		snprintf(remedy, sizeof(remedy), "did you mean `%s`?", near);
	return spec_fail(at, path, VE_E_SPEC, 0, remedy, "there is no such key");
}

void value_free_items(char **items)
{
	size_t i;

	for (i = 0; items && items[i]; i++)
		free(items[i]);
	free(items);
}

void value_clear(struct value *v)
{
	free(v->path);
	free(v->text);
	value_free_items(v->items);
	*v = (struct value){0};
}

/* ---- the whole */

static int check_name_form(
	const struct place *at, const char *whole, const struct spec_format *form, const char *name, size_t n)
{
	char text[SPEC_MAX_PATH], canonical[FORMAT_MAX];
	const char *problem = NULL;

	snprintf(text, sizeof(text), "%.*s", (int)(n < SPEC_MAX_PATH ? n : SPEC_MAX_PATH), name);
	if (form)
		problem = form->check(text, canonical, sizeof(canonical));
	return problem ? spec_fail(at, whole, VE_E_SPEC, 0, form->form, "`%.64s` is not %s%s%s", text, form->name,
				 *problem ? ": " : "", problem)
		       : 0;
}

/* What stands for `*` in the path: a name, or the rest of the path. */
static int check_names(const struct place *at, const struct spec_key *row, const char *whole)
{
	const char *key = row->key, *path = whole;

	const struct spec_format *form = spec_trait(row)->name;

	for (;;) {
		size_t k = spec_component(key), p = spec_component(path);
		bool any = k == 1 && *key == '*';

		if (any && row->flags & SPEC_FREE_KEY) {
			size_t n = strlen(path);

			if (!json_is_utf8(path, n) || value_has_control(path) || strpbrk(path, "= "))
				return spec_fail(at, whole, VE_E_SPEC, 0, "rename it",
					"=, blanks and control characters cannot be in a key");
			/* `labels.a-=x` takes x away from a list labels.a, and would be read so. */
			if (path[n - 1] == '+' || path[n - 1] == '-')
				return spec_fail(at, whole, VE_E_SPEC, 0, "rename it", "a key cannot end with + or -");
			return check_name_form(at, whole, form, path, n);
		}
		if (any &&
			(p > SPEC_MAX_NAME ||
				strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") < p))
			return spec_fail(at, whole, VE_E_SPEC, 0, "use up to 32 letters, digits, _ and -",
				"`%.*s` cannot be a name", (int)(p > 64 ? 64 : p), path);
		if (any && check_name_form(at, whole, form, path, p) < 0)
			return -EINVAL;
		if (!key[k])
			return 0;
		key += k + 1;
		path += p + 1;
	}
}

/* Which row, and whether it may be set. Fills v->row and v->path. */
static int begin(const struct place *at, const char *path, struct value *v)
{
	const struct spec_key *row = spec_find_key(path);
	char words[SPEC_MAX_PATH + 64];
	int r;

	if (!row && spec_is_group(path)) {
		snprintf(words, sizeof(words), "give one of them: `vectl set NAME %.64s.KEY=VALUE`", path);
		return spec_fail(at, path, VE_E_SPEC, 0, words, "it stands for several keys");
	}
	if (!row)
		return spec_fail_unknown(at, path);
	if (row->flags & SPEC_UNSUPPORTED & ~at->allow)
		return spec_fail(at, path, VE_E_UNSUPPORTED, EOPNOTSUPP, at->file ? "remove it" : "leave it out",
			"known, but not carried out by this version");
	if (row->flags & SPEC_READONLY & ~at->allow)
		return spec_fail(at, path, VE_E_SPEC, EROFS, "leave it out", "fixed when the VE is created");
	if (strlen(path) >= SPEC_MAX_PATH)
		return spec_fail(
			at, path, VE_E_SPEC, 0, "shorten it", "the key is longer than %d bytes", SPEC_MAX_PATH - 1);
	r = check_names(at, row, path);
	if (r < 0)
		return r;
	v->row = row;
	v->path = strdup(path);
	return v->path ? 0 : spec_fail_memory(at);
}

static int check_carried(const struct place *at, const struct value *v)
{
	size_t i;

	for (i = 0; !(at->allow & SPEC_UNSUPPORTED) && i < ARRAY_SIZE(partly); i++) {
		const char *word = v->text;

		if (strcmp(partly[i].key, v->row->key) != 0)
			continue;
		for (size_t k = 0; v->items && v->items[k]; k++)
			if (!value_is_choice(partly[i].carried, word = v->items[k]))
				break;
		if (value_is_choice(partly[i].carried, word))
			continue;
		if (partly[i].wrong)
			return spec_fail(
				at, v->path, VE_E_UNSUPPORTED, EOPNOTSUPP, partly[i].remedy, "%s", partly[i].wrong);
		return spec_fail(at, v->path, VE_E_UNSUPPORTED, EOPNOTSUPP, partly[i].remedy,
			"`%.64s` is known, but not carried out by this version", word);
	}
	return 0;
}

static int set_text(const struct place *at, const char *path, const char *text, struct value *v)
{
	const struct spec_key *row = v->row;
	/* A list's items are measured one by one. */
	size_t max = row->type == SPEC_LIST ? SIZE_MAX : SPEC_MAX_STRING;
	int r;

	if (row->type == SPEC_STRING && row->max > 0)
		max = (size_t)row->max;
	r = !*text && row->flags & SPEC_EMPTY ? 0 : value_check_string(at, path, text, max);
	if (r < 0)
		return r;
	switch (row->type) {
	case SPEC_BOOL:
		return value_set_bool(at, path, text, v);
	case SPEC_LIST:
		return value_set_split(at, path, text, v);
	case SPEC_SIGNAL:
		return value_set_signal(at, path, text, v);
	default:
		return value_number_kind(row->type) >= 0 ? value_set_number(at, path, text, v)
							 : value_set_word(at, path, text, v);
	}
}

static int finish(const struct place *at, struct value *v, int r, struct value *ret)
{
	if (r >= 0)
		r = check_carried(at, v);
	if (r < 0) {
		value_clear(v);
		return r;
	}
	*ret = *v;
	return 0;
}

int value_from_text(const struct place *at, const char *path, const char *text, struct value *ret)
{
	struct value v = {0};
	int r = begin(at, path, &v);

	return finish(at, &v, r < 0 ? r : set_text(at, path, text, &v), ret);
}

int value_from_items(const struct place *at, const char *path, char *const *items, size_t n, struct value *ret)
{
	struct value v = {0};
	int r = begin(at, path, &v);

	return finish(at, &v, r < 0 ? r : value_set_items(at, path, items, n, &v), ret);
}

/* ---- from JSON */

static const char *const json_words[] = {
	[JSON_NULL] = "null",
	[JSON_BOOL] = "true or false",
	[JSON_INTEGER] = "a number",
	[JSON_DOUBLE] = "a number with a fraction or exponent",
	[JSON_STRING] = "a string",
	[JSON_OBJECT] = "an object",
	[JSON_ARRAY] = "an array",
};

static const char *expected_words(const struct spec_key *row)
{
	int kind = value_number_kind(row->type);

	return kind >= 0                  ? value_number_form(kind)
	       : row->type == SPEC_SIGNAL ? "a signal's name or number"
	       : row->type == SPEC_BOOL   ? "true or false"
	       : row->type == SPEC_LIST   ? "an array of strings"
					  : "a string";
}

static int wrong_type(const struct place *at, const char *path, const struct spec_key *row, const struct json *json)
{
	return spec_fail(at, path, VE_E_SPEC, 0, json->type == JSON_NULL ? "remove the key" : "correct the value",
		"wrong type: %s is expected, and this is %s", expected_words(row), json_words[json->type]);
}

static int set_array(const struct place *at, const char *path, const struct json *json, struct value *v)
{
	cleanup_free char **items = NULL;
	const struct json *j;
	size_t n = 0, i = 0;

	for (j = json->child; j; j = j->next)
		n++;
	items = calloc(n + 1, sizeof(*items));
	if (!items)
		return spec_fail_memory(at);
	for (j = json->child; j; j = j->next) {
		struct place item = *at;

		item.line = j->line;
		item.column = j->column;
		if (j->type != JSON_STRING)
			return wrong_type(&item, path, v->row, j);
		items[i++] = j->string;
	}
	return value_set_items(at, path, items, n, v);
}

static int set_json(const struct place *at, const char *path, const struct json *json, struct value *v)
{
	const struct spec_key *row = v->row;
	bool numeric = value_number_kind(row->type) >= 0 || row->type == SPEC_SIGNAL;

	switch (json->type) {
	case JSON_ARRAY:
		return row->type == SPEC_LIST ? set_array(at, path, json, v) : wrong_type(at, path, row, json);
	case JSON_BOOL:
		return row->type == SPEC_BOOL ? set_text(at, path, json->integer ? "true" : "false", v)
					      : wrong_type(at, path, row, json);
	case JSON_STRING:
		return row->type == SPEC_LIST || row->type == SPEC_BOOL ? wrong_type(at, path, row, json)
									: set_text(at, path, json->string, v);
	case JSON_DOUBLE:
		/* One that is whole is only too long for 64 bits, and is then out of range, not of the wrong type. */
		return numeric && !strpbrk(json->string, ".eE") ? set_text(at, path, json->string, v)
								: wrong_type(at, path, row, json);
	case JSON_INTEGER:
		return numeric ? set_text(at, path, json->string, v) : wrong_type(at, path, row, json);
	default:
		return wrong_type(at, path, row, json);
	}
}

/* `at` is the value's place; complaints about the key itself have the key's. */
int value_from_json(const struct place *at, const char *path, const struct json *json, struct value *ret)
{
	struct place key = *at;
	struct value v = {0};
	int r;

	key.line = json->key_line;
	key.column = json->key_column;
	r = begin(&key, path, &v);
	return finish(at, &v, r < 0 ? r : set_json(at, path, json, &v), ret);
}
