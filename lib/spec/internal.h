/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_SPEC_INTERNAL_H
#define VE_SPEC_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/spec/format.h"
#include "lib/spec/spec.h"

enum {
	SPEC_MAX_STRING = 4096,
	SPEC_MAX_ITEMS = 256, /* of a list */
	SPEC_MAX_VALUES = 4096,
	SPEC_MAX_PATH = 320,  /* bytes of a full dotted path */
	SPEC_ENV_BYTES = 255, /* of one NAME=value */
	SPEC_ENV_COUNT = 240, /* with those that the plan adds, what a start hands over */
	SPEC_ENV_TOTAL = 30000,
	SPEC_MAX_NAME = 32, /* of what stands for `*` */
};

/* Where a value comes from: an assignment (file NULL), or a place in a file. */
struct place {
	const char *tried;
	const char *file;
	unsigned line, column;
	struct error *error;
	unsigned allow; /* SPEC_READONLY, SPEC_UNSUPPORTED: such keys may be set */
};

/* Fills the error, with place and key in front where the value is from a file. */
int spec_fail(const struct place *at, const char *path, int code, int errnum, const char *remedy, const char *wrong,
	...) __attribute__((format(printf, 6, 7)));
int spec_fail_memory(const struct place *at);
/* For a path that no row has. */
int spec_fail_unknown(const struct place *at, const char *path);

/* One value, in its canonical text; `items` for lists. */
struct value {
	const struct spec_key *row;
	char *path;
	char *text;
	int64_t integer; /* numeric types, BOOL, SIGNAL */
	char **items;    /* LIST: NULL-terminated */
};
void value_clear(struct value *v);

/* These check the key, flags and names in the path as well, and fill all of *ret. */
int value_from_text(const struct place *at, const char *path, const char *text, struct value *ret);
int value_from_items(const struct place *at, const char *path, char *const *items, size_t n, struct value *ret);
int value_from_json(const struct place *at, const char *path, const struct json *json, struct value *ret);
/* `a,b` apart; a comma inside an item is `\,`, a backslash `\\`. *ret: NULL-terminated, free with value_free_items. */
int value_split(const char *text, char ***ret, size_t *ret_n);
void value_free_items(char **items);
/* What a value of each kind is made of, by type; `v` has its row already. */
bool value_is_choice(const char *choices, const char *word);          /* of "a|b|c" */
void value_choice_words(const char *choices, char *buf, size_t size); /* "a, b or c" */
bool value_has_control(const char *text);
int value_check_string(const struct place *at, const char *path, const char *text, size_t max);
/* In its canonical form, to be freed, or as it is where `format` is NULL. */
int value_in_form(
	const struct place *at, const char *path, const struct spec_format *format, const char *text, char **ret);
int value_set_bool(const struct place *at, const char *path, const char *text, struct value *v);
int value_set_word(const struct place *at, const char *path, const char *text, struct value *v);
int value_number_kind(enum spec_type type); /* negative: no number */
const char *value_number_form(int kind);    /* what to write */
int value_set_number(const struct place *at, const char *path, const char *text, struct value *v);
int value_set_signal(const struct place *at, const char *path, const char *text, struct value *v);
int value_set_items(const struct place *at, const char *path, char *const *items, size_t n, struct value *v);
int value_set_split(const struct place *at, const char *path, const char *text, struct value *v);
/* The rule that `name` breaks as a VE name, or NULL. */
const char *value_name_problem(const char *name);

struct spec {
	struct value *values; /* in the order that spec_each gives */
	size_t n, room;
};
struct value *spec_get(const struct spec *s, const char *path);
/* Takes over what *v holds, in place of an earlier value, but on failure. */
int spec_store(struct spec *s, const struct place *at, struct value *v);

/* A part of spec_check: what each value has to be beyond its type. */
int spec_check_values(const struct spec *s, const struct place *at);

int spec_parse_allow(
	const char *text, size_t size, const char *file, unsigned allow, struct spec **ret, struct error *e);

/* Paths against the table. */
int spec_is_free_group(const char *path);      /* the whole rest is a key: "env" */
size_t spec_group_length(const char *row_key); /* of "net.*" in "net.*.type"; 0 where no `*` is inside */
size_t spec_component(const char *path);       /* length of the first component */
/* The nearest key with the user's own names in place of `*`; 0 when nothing is near. */
int spec_nearest_words(const char *path, char *buf, size_t size);

#endif
