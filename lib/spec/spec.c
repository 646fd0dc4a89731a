/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

struct spec *spec_new(void)
{
	return calloc(1, sizeof(struct spec));
}

void spec_free(struct spec *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n; i++)
		value_clear(&s->values[i]);
	free(s->values);
	free(s);
}

/* ---- order: the table's; what belongs to one name (net.eth0) together, names in alphabetical order */

static int compare(const struct spec_key *a, const char *a_path, const struct spec_key *b, const char *b_path)
{
	size_t n = spec_group_length(a->key);

	if (n > 0 && n == spec_group_length(b->key) && !memcmp(a->key, b->key, n)) {
		size_t name = n - 1; /* of "net." */
		size_t k = spec_component(a_path + name), m = spec_component(b_path + name);
		int c = memcmp(a_path + name, b_path + name, k < m ? k : m);

		if (c || k != m)
			return c ? c : k < m ? -1 : 1;
	}
	if (a != b)
		return a < b ? -1 : 1;
	return strcmp(a_path, b_path);
}

/* Where `path` is, or belongs. */
static size_t position(const struct spec *s, const struct spec_key *row, const char *path, bool *ret_there)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = compare(s->values[middle].row, s->values[middle].path, row, path);

		if (c == 0) {
			*ret_there = true;
			return middle;
		}
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_there = false;
	return low;
}

struct value *spec_get(const struct spec *s, const char *path)
{
	const struct spec_key *row = spec_find_key(path);
	bool there = false;
	size_t at;

	if (!row)
		return NULL;
	at = position(s, row, path, &there);
	return there ? &s->values[at] : NULL;
}

int spec_store(struct spec *s, const struct place *at, struct value *v)
{
	bool there;
	size_t i = position(s, v->row, v->path, &there);

	if (there) {
		value_clear(&s->values[i]);
		s->values[i] = *v;
		return 0;
	}
	if (s->n == SPEC_MAX_VALUES)
		return spec_fail(at, v->path, VE_E_SPEC, E2BIG, "unset what is not needed", "more than %d values",
			SPEC_MAX_VALUES);
	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 16;
		struct value *p = realloc(s->values, room * sizeof(*p));

		if (!p)
			return spec_fail_memory(at);
		s->values = p;
		s->room = room;
	}
	memmove(s->values + i + 1, s->values + i, (s->n - i) * sizeof(*v));
	s->values[i] = *v;
	s->n++;
	return 0;
}

static void drop(struct spec *s, struct value *v)
{
	size_t i = (size_t)(v - s->values);

	value_clear(v);
	s->n--;
	memmove(s->values + i, s->values + i + 1, (s->n - i) * sizeof(*v));
}

/* ---- assignments */

static int set(struct spec *s, const struct place *at, const char *key, const char *value)
{
	struct value v;
	int r = value_from_text(at, key, value, &v);

	if (r < 0)
		return r;
	r = spec_store(s, at, &v);
	if (r < 0)
		value_clear(&v);
	return r;
}

static bool is_in(char *const *items, const char *item)
{
	for (; items && *items; items++)
		if (!strcmp(*items, item))
			return true;
	return false;
}

/* `items` without what is in `less`, or with what is in `more`; the strings stay whose they are. */
static int merge(const struct place *at, const char *key, const struct value *old, const struct value *change, char op,
	char ***ret, size_t *ret_n)
{
	char *const *have = old ? old->items : NULL;
	size_t n = 0, i, total = 0;
	char **items;

	for (i = 0; have && have[i]; i++)
		total++;
	for (i = 0; change->items[i]; i++) {
		total++;
		if (op == '-' && !is_in(have, change->items[i]))
			return spec_fail(at, key, VE_E_SPEC, ENOENT, "`get` shows what is there",
				"`%.64s` is not in the list", change->items[i]);
	}
	items = calloc(total + 1, sizeof(*items));
	if (!items)
		return spec_fail_memory(at);
	for (i = 0; have && have[i]; i++)
		if (op == '+' || !is_in(change->items, have[i]))
			items[n++] = have[i];
	/* Of a fixed set of words each is there once; elsewhere (arguments of init) a repetition means something. */
	for (i = 0; op == '+' && change->items[i]; i++)
		if (!change->row->choices || !is_in(have, change->items[i]))
			items[n++] = change->items[i];
	*ret = items;
	*ret_n = n;
	return 0;
}

static int change_list(struct spec *s, const struct place *at, const char *key, const char *value, char op)
{
	cleanup_free char **items = NULL;
	struct value change, v, *old = spec_get(s, key);
	size_t n = 0;
	int r = value_from_text(at, key, value, &change);

	if (r < 0)
		return r;
	if (change.row->type != SPEC_LIST) {
		value_clear(&change);
		return spec_fail(at, key, VE_E_SPEC, 0, "use KEY=VALUE", "not a list: %c= does not apply", op);
	}
	r = merge(at, key, old, &change, op, &items, &n);
	if (r >= 0 && n == 0) {
		drop(s, old);
	} else if (r >= 0) {
		r = value_from_items(at, key, items, n, &v);
		if (r >= 0) {
			r = spec_store(s, at, &v);
			if (r < 0)
				value_clear(&v);
		}
	}
	value_clear(&change);
	return r;
}

static int assign(struct spec *s, const char *assignment, unsigned allow, struct error *e)
{
	char tried[160], key[SPEC_MAX_PATH];
	struct place at = {.tried = tried, .error = e, .allow = allow};
	const char *equals = strchr(assignment, '=');
	size_t n = equals ? (size_t)(equals - assignment) : 0;
	char op = n > 0 && (equals[-1] == '+' || equals[-1] == '-') ? equals[-1] : '=';

	n -= op != '=';
	snprintf(tried, sizeof(tried), "set %.*s", (int)(equals && n < 128 ? n : 128), assignment);
	if (!equals || n == 0)
		return error_set(e, VE_E_USAGE, 0, tried, "give KEY=VALUE, KEY+=VALUE or KEY-=VALUE", "%s",
			equals ? "there is no key" : "there is no =");
	if (n >= sizeof(key))
		return spec_fail(
			&at, NULL, VE_E_SPEC, 0, "shorten it", "the key is longer than %d bytes", SPEC_MAX_PATH - 1);
	memcpy(key, assignment, n);
	key[n] = '\0';
	return op == '=' ? set(s, &at, key, equals + 1) : change_list(s, &at, key, equals + 1, op);
}

int spec_assign(struct spec *s, const char *assignment, struct error *e)
{
	return assign(s, assignment, 0, e);
}

int spec_put(struct spec *s, const char *key, const char *value, struct error *e)
{
	char tried[160];
	struct place at = {.tried = tried, .error = e, .allow = SPEC_READONLY};

	snprintf(tried, sizeof(tried), "set %.128s", key);
	return set(s, &at, key, value);
}

int spec_unset(struct spec *s, const char *key, struct error *e)
{
	const struct spec_key *row = spec_find_key(key);
	char tried[160];
	struct place at = {.tried = tried, .error = e};
	struct value *v;
	size_t n = strlen(key), i;

	snprintf(tried, sizeof(tried), "unset %.128s", key);
	if (!row && !spec_is_group(key))
		return spec_fail_unknown(&at, key);
	if (row && row->flags & SPEC_READONLY)
		return spec_fail(&at, key, VE_E_SPEC, EROFS, "leave it as it is", "fixed when the VE is created");
	if (row) {
		v = spec_get(s, key);
		if (v)
			drop(s, v);
		return 0;
	}
	for (i = s->n; i-- > 0;)
		if (!strncmp(s->values[i].path, key, n) && s->values[i].path[n] == '.')
			drop(s, &s->values[i]);
	return 0;
}

/* ---- values */

int spec_is_set(const struct spec *s, const char *key)
{
	return spec_get(s, key) != NULL;
}

const char *spec_string(const struct spec *s, const char *key)
{
	const struct value *v = spec_get(s, key);
	const struct spec_key *row;

	if (v)
		return v->text;
	row = spec_find_key(key);
	return row ? row->fallback : NULL;
}

int64_t spec_integer(const struct spec *s, const char *key, int64_t otherwise)
{
	const struct place at = {.tried = "", .allow = ~0u};
	const struct value *v = spec_get(s, key);
	const struct spec_key *row = v ? v->row : spec_find_key(key);
	struct value fallback;
	int64_t n;

	if (v)
		return v->integer;
	if (!row || !row->fallback || value_from_text(&at, key, row->fallback, &fallback) < 0)
		return otherwise;
	n = fallback.integer;
	value_clear(&fallback);
	return n;
}

const char *const *spec_list(const struct spec *s, const char *key)
{
	const struct value *v = spec_get(s, key);

	return v ? (const char *const *)v->items : NULL;
}

char *spec_text(const struct spec *s, const char *key)
{
	const char *text = spec_string(s, key);

	return text ? strdup(text) : NULL;
}

int spec_each(const struct spec *s, int (*fn)(const char *path, const char *text, void *arg), void *arg)
{
	size_t i;
	int r;

	for (i = 0; i < s->n; i++) {
		r = fn(s->values[i].path, s->values[i].text, arg);
		if (r)
			return r;
	}
	return 0;
}

/* ---- between keys */

static const struct {
	const char *less, *more; /* less may not be above more */
} ordered[] = {
	{"memory.low", "memory.high"},
	{"memory.low", "memory.max"},
	{"memory.high", "memory.max"},
};

/* What a start hands to init in one piece: refused when it is set, not when it is needed. */
struct environment {
	const struct place *at;
	size_t count, bytes;
};

static int check_variable(const char *path, const char *text, void *arg)
{
	struct environment *v = arg;
	size_t size;

	if (strncmp(path, "env.", 4) != 0)
		return 0;
	size = strlen(path) - 4 + 1 + strlen(text);
	v->count++;
	v->bytes += size + 1;
	if (size > SPEC_ENV_BYTES)
		return spec_fail(v->at, path, VE_E_SPEC, E2BIG, "shorten it",
			"%s: NAME=value has %zu bytes; at most %d are possible", path, size, SPEC_ENV_BYTES);
	if (v->count > SPEC_ENV_COUNT || v->bytes > SPEC_ENV_TOTAL)
		return spec_fail(v->at, path, VE_E_SPEC, E2BIG, "take some away",
			"env: at most %d variables with %d bytes in all are possible", SPEC_ENV_COUNT, SPEC_ENV_TOTAL);
	return 0;
}

int spec_check(const struct spec *s, struct error *e)
{
	const struct place at = {.tried = "check the spec", .error = e};
	struct environment environment = {.at = &at};
	char remedy[128];
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(ordered); i++) {
		const struct value *less = spec_get(s, ordered[i].less), *more = spec_get(s, ordered[i].more);

		if (!less || !more || less->integer <= more->integer)
			continue;
		snprintf(remedy, sizeof(remedy), "set %s to at most %s", less->path, more->text);
		return spec_fail(&at, less->path, VE_E_SPEC, ERANGE, remedy, "%s (%s) is above %s (%s)", less->path,
			less->text, more->path, more->text);
	}
	r = spec_check_values(s, &at);
	return r < 0 ? r : spec_each(s, check_variable, &environment);
}
