/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

/* ---- reading */

static void at_key(struct place *at, const struct json *j)
{
	at->line = j->key ? j->key_line : j->line;
	at->column = j->key ? j->key_column : j->column;
}

static void at_value(struct place *at, const struct json *j)
{
	at->line = j->line;
	at->column = j->column;
}

/* `prefix.key`; what does not fit is cut, and then too long for any key. */
static void join_path(char *buf, size_t size, const char *prefix, const char *key)
{
	if (snprintf(buf, size, "%s%s%s", prefix, *prefix ? "." : "", key) < 0)
		buf[0] = '\0';
}

/* An unknown object is named with its first key: `memry.max` says more than `memry`. */
static int unknown(struct place *at, const char *path, const struct json *j)
{
	char whole[SPEC_MAX_PATH * 2];
	size_t n;

	at_key(at, j);
	n = (size_t)snprintf(whole, sizeof(whole), "%.*s", SPEC_MAX_PATH, path);
	for (j = j->child; j && j->key && n < SPEC_MAX_PATH; j = j->child)
		n += (size_t)snprintf(whole + n, sizeof(whole) - n, ".%.64s", j->key);
	return spec_fail_unknown(at, whole);
}

/* "stop.timeout": 5 on one level, where "stop": {"timeout": 5} is meant. */
static int dotted(struct place *at, const char *path, const struct json *j)
{
	char remedy[128];
	size_t n = spec_component(j->key);

	if (!spec_find_key(path) && !spec_is_group(path))
		return unknown(at, path, j);
	at_key(at, j);
	snprintf(remedy, sizeof(remedy), "write \"%.*s\": {\"%.48s\": ...}", (int)(n > 48 ? 48 : n), j->key,
		j->key + n + 1);
	return spec_fail(at, path, VE_E_SPEC, 0, remedy, "a dotted key is written as nested objects");
}

static int read_members(struct spec *s, struct place *at, const struct json *object, const char *prefix);

static int read_member(struct spec *s, struct place *at, const struct json *j, const char *prefix)
{
	bool free_key = spec_is_free_group(prefix);
	char path[SPEC_MAX_PATH + 64];
	struct value v;
	int r;

	at_key(at, j);
	if (strlen(prefix) + strlen(j->key) + 2 > SPEC_MAX_PATH)
		return spec_fail(at, NULL, VE_E_SPEC, 0, "shorten it", "a key longer than %d bytes", SPEC_MAX_PATH - 1);
	join_path(path, sizeof(path), prefix, j->key);
	if (!free_key && strchr(j->key, '.'))
		return dotted(at, path, j);
	if (spec_find_key(path)) {
		at_value(at, j);
		r = value_from_json(at, path, j, &v);
		if (r < 0)
			return r;
		r = spec_store(s, at, &v);
		if (r < 0)
			value_clear(&v);
		return r;
	}
	if (!spec_is_group(path))
		return unknown(at, path, j);
	if (j->type == JSON_OBJECT)
		return read_members(s, at, j, path);
	at_value(at, j);
	return spec_fail(at, path, VE_E_SPEC, 0, "write {\"KEY\": VALUE}", "wrong type: an object is expected");
}

/* As deep as json_parse lets a text be. */
static int read_members(struct spec *s, struct place *at, const struct json *object, const char *prefix)
{
	const struct json *j;
	int r;

	for (j = object->child; j; j = j->next) {
		if (!*prefix && !strcmp(j->key, "format"))
			continue;
		r = read_member(s, at, j, prefix);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_format(struct place *at, const struct json *root)
{
	const struct json *format;

	at_value(at, root);
	if (root->type != JSON_OBJECT)
		return spec_fail(
			at, NULL, VE_E_SPEC, 0, "start with {\"format\": 1", "wrong type: an object is expected");
	format = json_get(root, "format");
	if (!format)
		return spec_fail(at, "format", VE_E_SPEC, 0, "add \"format\": 1", "it is missing");
	at_value(at, format);
	if (format->type != JSON_INTEGER)
		return spec_fail(
			at, "format", VE_E_SPEC, 0, "write \"format\": 1", "wrong type: a whole number is expected");
	if (format->integer != 1)
		return spec_fail(at, "format", VE_E_SPEC, 0,
			format->integer > 1 ? "use a later version of vectl, or write \"format\": 1"
					    : "write \"format\": 1",
			"%lld is not a format that this version reads", (long long)format->integer);
	return 0;
}

int spec_parse_allow(
	const char *text, size_t size, const char *file, unsigned allow, struct spec **ret, struct error *e)
{
	cleanup_json struct json *root = NULL;
	cleanup_spec struct spec *s = NULL;
	static const char tried[] = "read the spec"; /* of which file is said where it is wrong */
	struct place at = {.tried = tried, .file = file, .error = e, .allow = allow};
	bool first = e && !e->code;
	int r;

	r = json_parse(text, size, file, tried, &root, e);
	if (r < 0) {
		if (first && r != -ENOMEM)
			e->code = VE_E_SPEC;
		return r;
	}
	s = spec_new();
	if (!s)
		return spec_fail_memory(&at);
	r = check_format(&at, root);
	if (r >= 0)
		r = read_members(s, &at, root, "");
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

int spec_parse(const char *text, size_t size, const char *file, struct spec **ret, struct error *e)
{
	return spec_parse_allow(text, size, file, SPEC_READONLY, ret, e);
}

/* ---- writing */

static void write_value(struct json_writer *w, const char *key, const struct value *v)
{
	char **item;

	switch (v->row->type) {
	case SPEC_BOOL:
		jw_bool(w, key, v->integer != 0);
		break;
	case SPEC_LIST:
		jw_array(w, key);
		for (item = v->items; *item; item++)
			jw_string(w, NULL, *item);
		jw_end(w);
		break;
	case SPEC_INTEGER:
	case SPEC_SECONDS:
	case SPEC_SIZE:
	case SPEC_RATE:
	case SPEC_COUNT:
		if (v->integer != SPEC_MAX) {
			jw_integer(w, key, v->integer);
			break;
		}
		/* fall through */
	default:
		jw_string(w, key, v->text);
	}
}

/* How much of the path is groups, with the last dot: 4 of "net.", 9 of "net.eth0.", 4 of "env." with any rest. */
static size_t groups_length(const struct value *v)
{
	const char *key = v->row->key;
	size_t n = 0;

	while (key[spec_component(key)]) {
		key += spec_component(key) + 1;
		n += spec_component(v->path + n) + 1;
	}
	return n;
}

/* Dots in the first n bytes, as far as both are the same up to a dot. */
static size_t common(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t n = 0, i;

	for (i = 0; i < a_length && i < b_length && a[i] == b[i]; i++)
		if (a[i] == '.')
			n = i + 1;
	return n;
}

static void close_groups(struct json_writer *w, const char *open, size_t from, size_t to)
{
	for (; from < to; from++)
		if (open[from] == '.')
			jw_end(w);
}

int spec_write(const struct spec *s, char **ret_text, struct error *e)
{
	struct json_writer *w = jw_new(1);
	const char *open = "";
	size_t open_length = 0, i;
	int r;

	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	for (i = 0; i < s->n; i++) {
		const struct value *v = &s->values[i];
		size_t length = groups_length(v), at = common(open, open_length, v->path, length);

		close_groups(w, open, at, open_length);
		while (at < length) {
			char name[SPEC_MAX_PATH];
			size_t n = spec_component(v->path + at);

			snprintf(name, sizeof(name), "%.*s", (int)n, v->path + at);
			jw_object(w, name);
			at += n + 1;
		}
		write_value(w, v->path + length, v);
		open = v->path;
		open_length = length;
	}
	close_groups(w, open, 0, open_length);
	jw_end(w);
	r = jw_finish(w, ret_text);
	return r < 0 ? error_sys(e, -r, "write the spec", NULL) : 0;
}
