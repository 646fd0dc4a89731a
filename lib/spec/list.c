/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists: `a,b` apart and together. */
#include <errno.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

int value_split(const char *text, char ***ret, size_t *ret_n)
{
	size_t n = 1, at = 0;
	const char *p;
	char **items;

	for (p = text; *p; p++)
		n += *p == ',';
	items = calloc(n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (p = text;;) {
		char *item = malloc(strlen(p) + 1), *to = item;

		if (!item) {
			value_free_items(items);
			return -ENOMEM;
		}
		for (; *p && *p != ','; p++) {
			if (*p == '\\' && (p[1] == ',' || p[1] == '\\'))
				p++;
			*to++ = *p;
		}
		*to = '\0';
		items[at++] = item;
		if (!*p)
			break;
		p++;
	}
	*ret = items;
	*ret_n = at;
	return 0;
}

static char *join(char *const *items, size_t n)
{
	size_t size = 1, i;
	const char *p;
	char *text, *to;

	for (i = 0; i < n; i++)
		size += strlen(items[i]) * 2 + 1;
	to = text = malloc(size);
	if (!text)
		return NULL;
	for (i = 0; i < n; i++) {
		if (i > 0)
			*to++ = ',';
		for (p = items[i]; *p; p++) {
			if (*p == ',' || *p == '\\')
				*to++ = '\\';
			*to++ = *p;
		}
	}
	*to = '\0';
	return text;
}

int value_set_items(const struct place *at, const char *path, char *const *items, size_t n, struct value *v)
{
	const struct spec_key *row = v->row;
	const struct spec_format *form = spec_trait(row)->value;
	size_t most = row->max > 0 ? (size_t)row->max : SPEC_MAX_ITEMS, i, j;
	char words[128];
	int r;

	if (n == 0)
		return spec_fail(at, path, VE_E_SPEC, 0, at->file ? "remove the key" : "`unset` takes a value away",
			"the list is empty");
	if (n > most)
		return spec_fail(at, path, VE_E_SPEC, E2BIG, "shorten it", "%zu items, where %zu are allowed", n, most);
	v->items = calloc(n + 1, sizeof(*v->items));
	if (!v->items)
		return spec_fail_memory(at);
	for (i = 0; i < n; i++) {
		if (!*items[i])
			return spec_fail(at, path, VE_E_SPEC, 0, "remove it", "item %zu is empty", i + 1);
		r = value_check_string(at, path, items[i], SPEC_MAX_STRING);
		if (r < 0)
			return r;
		if (row->choices && !value_is_choice(row->choices, items[i])) {
			value_choice_words(row->choices, words, sizeof(words));
			return spec_fail(
				at, path, VE_E_SPEC, 0, words, "`%.64s` is none of those that there are", items[i]);
		}
		r = value_in_form(at, path, form, items[i], &v->items[i]);
		if (r < 0)
			return r;
		/* Of words of a fixed set and of addresses each is there once; an argument of init may be repeated. */
		for (j = 0; (row->choices || form) && j < i; j++)
			if (!strcmp(v->items[i], v->items[j]))
				return spec_fail(at, path, VE_E_SPEC, EEXIST, "remove one of the two",
					"`%.64s` is there twice", items[i]);
	}
	v->text = join(v->items, n);
	return v->text ? 0 : spec_fail_memory(at);
}

int value_set_split(const struct place *at, const char *path, const char *text, struct value *v)
{
	char **items;
	size_t n;
	int r = value_split(text, &items, &n);

	if (r < 0)
		return spec_fail_memory(at);
	r = value_set_items(at, path, items, n, v);
	value_free_items(items);
	return r;
}
