/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_BASE_JSON_H
#define VE_BASE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

/* A JSON text as a tree, on yajl. Every node knows where it began, so that a complaint can name line and column. */
enum json_type { JSON_NULL, JSON_BOOL, JSON_INTEGER, JSON_DOUBLE, JSON_STRING, JSON_OBJECT, JSON_ARRAY };

struct json {
	enum json_type type;
	unsigned line, column;         /* 1-based, of the value */
	unsigned key_line, key_column; /* of its key, in an object */
	char *key;                     /* in an object; NULL elsewhere */
	int64_t integer;               /* INTEGER, BOOL */
	double number;                 /* DOUBLE */
	char *string;                  /* STRING (and the literal text of INTEGER and DOUBLE) */
	size_t length;                 /* of `string`; may hold NUL bytes only where the text had \u0000 */
	struct json *parent, *child, *last, *next;
};

enum { JSON_MAX_DEPTH = 16, JSON_MAX_BYTES = 1 << 20, JSON_MAX_NODES = 65536 };

/*
 * Refuses, with file, line and column: syntax errors, depth, size and node count above the limits, duplicate keys,
 * \u0000 in strings, text after the document. `file` is only a name for messages. `tried` is the message's first part.
 */
int json_parse(const char *text, size_t size, const char *file, const char *tried, struct json **ret, struct error *e);
void json_free(struct json *j);
static inline void json_free_p(struct json **j)
{
	json_free(*j);
}
#define cleanup_json __attribute__((cleanup(json_free_p)))

struct json *json_get(const struct json *object, const char *key);   /* NULL when absent or not an object */
const char *json_string(const struct json *object, const char *key); /* NULL when absent or no string */
int64_t json_integer(const struct json *object, const char *key, int64_t otherwise);

/* Whether `text` is UTF-8 throughout: what jw_string writes unchanged. */
int json_is_utf8(const char *text, size_t size);

/* Writing. All calls are no-ops after the first failure (out of memory), which jw_finish reports. */
struct json_writer;
struct json_writer *jw_new(int pretty);                 /* NULL: out of memory */
void jw_object(struct json_writer *w, const char *key); /* key NULL inside an array or at the top */
void jw_array(struct json_writer *w, const char *key);
void jw_end(struct json_writer *w);
void jw_string(struct json_writer *w, const char *key, const char *value); /* invalid UTF-8 becomes U+FFFD */
void jw_integer(struct json_writer *w, const char *key, int64_t value);
void jw_double(struct json_writer *w, const char *key, double value);
void jw_bool(struct json_writer *w, const char *key, int value);
void jw_null(struct json_writer *w, const char *key);
void jw_copy(struct json_writer *w, const char *key, const struct json *value); /* a parsed tree */
/* Frees the writer. The text (with a newline at its end) is the caller's to free; -ENOMEM on failure. */
int jw_finish(struct json_writer *w, char **ret_text);

#endif
