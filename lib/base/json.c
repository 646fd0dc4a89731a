/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/base/json.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "lib/base/util.h"

struct reader {
	const char *text, *file, *tried;
	size_t size;
	yajl_handle yajl;
	size_t end; /* of the token before: yajl tells where a token ends, and not where it begins */
	size_t position;
	unsigned line, column; /* of `position` */
	char *key;             /* read, its value not yet */
	unsigned key_line, key_column;
	struct json *root, *open; /* `open`: the object or array that is being filled */
	unsigned depth, nodes;
	struct error *error;
	int result; /* negative once a callback refused something */
};

/* Moves on to `position`, which never goes back. Columns count characters, not bytes. */
static void locate(struct reader *r, size_t position)
{
	if (position > r->size)
		position = r->size;
	for (; r->position < position; r->position++) {
		unsigned char c = (unsigned char)r->text[r->position];

		if (c == '\n') {
			r->line++;
			r->column = 1;
		} else if ((c & 0xc0) != 0x80) {
			r->column++;
		}
	}
}

static size_t token_start(const struct reader *r)
{
	size_t at = r->end;

	while (at < r->size && strchr(" \t\r\n,:", r->text[at]) && r->text[at])
		at++;
	return at;
}

/* For callbacks: goes to the token that yajl has just read. */
static void at_token(struct reader *r)
{
	size_t end = yajl_get_bytes_consumed(r->yajl);

	locate(r, token_start(r));
	if (end > r->end)
		r->end = end;
}

/* Keeps what is wrong at the place that was located last; gives 0, with which a callback makes yajl stop. */
__attribute__((format(printf, 4, 5))) static int refuse(
	struct reader *r, int errnum, const char *remedy, const char *format, ...)
{
	char words[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(words, sizeof(words), format, ap);
	va_end(ap);
	r->result = error_set(
		r->error, VE_E_FAILED, errnum, r->tried, remedy, "%s:%u:%u: %s", r->file, r->line, r->column, words);
	return 0;
}

static int out_of_memory(struct reader *r)
{
	r->result = error_sys(r->error, ENOMEM, r->tried, r->file);
	return 0;
}

static void free_node(struct json *j)
{
	free(j->key);
	free(j->string);
	free(j);
}

void json_free(struct json *j)
{
	struct json *at = j, *next;

	/* Without recursion: leaves first, back up through `parent`. */
	while (at) {
		if (at->child) {
			next = at->child;
			at->child = NULL;
		} else {
			next = at == j ? NULL : at->next ? at->next : at->parent;
			free_node(at);
		}
		at = next;
	}
}

static char *copy_text(const unsigned char *text, size_t n)
{
	char *p = malloc(n + 1);

	if (p) {
		memcpy(p, text, n);
		p[n] = '\0';
	}
	return p;
}

/* NULL: refused, or out of memory. */
static struct json *add(struct reader *r, enum json_type type)
{
	struct json *j;

	at_token(r);
	if (++r->nodes > JSON_MAX_NODES) {
		refuse(r, E2BIG, "leave out what is not needed", "more than %d values", JSON_MAX_NODES);
		return NULL;
	}
	j = calloc(1, sizeof(*j));
	if (!j) {
		out_of_memory(r);
		return NULL;
	}
	j->type = type;
	j->line = r->line;
	j->column = r->column;
	j->key = TAKE_PTR(r->key);
	j->key_line = j->key ? r->key_line : 0;
	j->key_column = j->key ? r->key_column : 0;
	j->parent = r->open;
	if (!r->open)
		r->root = j;
	else if (r->open->last)
		r->open->last = r->open->last->next = j;
	else
		r->open->child = r->open->last = j;
	return j;
}

static int on_null(void *ctx)
{
	return add(ctx, JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int value)
{
	struct json *j = add(ctx, JSON_BOOL);

	if (!j)
		return 0;
	j->integer = !!value;
	return 1;
}

/* JSON's decimal point is a point in every locale. */
static double parse_double(const char *text)
{
	locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	double d;

	if (!c)
		return NAN;
	d = strtod_l(text, NULL, c);
	freelocale(c);
	return d;
}

static int on_number(void *ctx, const char *text, size_t n)
{
	struct reader *r = ctx;
	struct json *j = add(r, JSON_INTEGER);

	if (!j)
		return 0;
	j->string = copy_text((const unsigned char *)text, n);
	if (!j->string)
		return out_of_memory(r);
	j->length = n;
	if (!strpbrk(j->string, ".eE")) {
		errno = 0;
		j->integer = strtoll(j->string, NULL, 10);
		if (errno == 0)
			return 1;
	}
	/* An integer that does not fit becomes a double; `string` still has it to the digit. */
	j->type = JSON_DOUBLE;
	j->integer = 0;
	j->number = parse_double(j->string);
	if (!isfinite(j->number))
		return refuse(r, ERANGE, "give a smaller number", "the number %.40s is too large", j->string);
	return 1;
}

/* yajl lets half a surrogate pair pass, as `?` or as bytes that are no UTF-8. `raw` is the token as it is written. */
static bool half_surrogate(const char *raw, size_t n)
{
	size_t i;

	for (i = 0; i + 5 < n; i++) {
		if (raw[i] != '\\')
			continue;
		if (raw[++i] != 'u' || (raw[i + 1] | 0x20) != 'd' || !strchr("89abAB", raw[i + 2])) {
			if (raw[i] == 'u' && (raw[i + 1] | 0x20) == 'd' && strchr("cdefCDEF", raw[i + 2]))
				return true;
			continue;
		}
		/* A high half: the low one must follow, and is passed over with it. */
		if (i + 10 >= n || raw[i + 5] != '\\' || raw[i + 6] != 'u' || (raw[i + 7] | 0x20) != 'd' ||
			!strchr("cdefCDEF", raw[i + 8]))
			return true;
		i += 10;
	}
	return false;
}

/* For strings and keys, `start` being where the token began. */
static int check_text(struct reader *r, size_t start, const unsigned char *text, size_t n)
{
	if (memchr(text, 0, n))
		return refuse(r, 0, "remove it", "\\u0000 in a string");
	if (half_surrogate(r->text + start, r->end - start))
		return refuse(r, 0, "write the whole character", "half a surrogate pair in a string");
	return 1;
}

static int on_string(void *ctx, const unsigned char *text, size_t n)
{
	struct reader *r = ctx;
	size_t start = token_start(r);
	struct json *j = add(r, JSON_STRING);

	if (!j)
		return 0;
	if (!check_text(r, start, text, n))
		return 0;
	j->string = copy_text(text, n);
	if (!j->string)
		return out_of_memory(r);
	j->length = n;
	return 1;
}

static int on_key(void *ctx, const unsigned char *text, size_t n)
{
	struct reader *r = ctx;
	size_t start = token_start(r);

	at_token(r);
	if (!check_text(r, start, text, n))
		return 0;
	free(r->key);
	r->key = copy_text(text, n);
	if (!r->key)
		return out_of_memory(r);
	r->key_line = r->line;
	r->key_column = r->column;
	return 1;
}

static int open_container(struct reader *r, enum json_type type)
{
	struct json *j = add(r, type);

	if (!j)
		return 0;
	if (++r->depth > JSON_MAX_DEPTH)
		return refuse(r, E2BIG, "nest less", "nested deeper than %d levels", JSON_MAX_DEPTH);
	r->open = j;
	return 1;
}

static int close_container(struct reader *r)
{
	at_token(r);
	r->depth--;
	r->open = r->open->parent;
	return 1;
}

static int before(const struct json *a, const struct json *b)
{
	return a->key_line != b->key_line ? a->key_line < b->key_line : a->key_column < b->key_column;
}

static int compare_keys(const void *x, const void *y)
{
	const struct json *a = *(struct json *const *)x, *b = *(struct json *const *)y;
	int c = strcmp(a->key, b->key);

	return c ? c : before(a, b) ? -1 : 1;
}

/* Sorting finds duplicates in an object of any size without comparing all pairs. */
static int refuse_duplicates(struct reader *r, struct json *object)
{
	cleanup_free struct json **sorted = NULL;
	struct json *j, *first = NULL, *second = NULL;
	size_t n = 0, i;

	for (j = object->child; j; j = j->next)
		n++;
	if (n < 2)
		return 1;
	sorted = calloc(n, sizeof(*sorted));
	if (!sorted)
		return out_of_memory(r);
	for (i = 0, j = object->child; j; j = j->next)
		sorted[i++] = j;
	qsort(sorted, n, sizeof(*sorted), compare_keys);
	for (i = 1; i < n; i++)
		if (!strcmp(sorted[i - 1]->key, sorted[i]->key) && (!second || before(sorted[i], second))) {
			first = sorted[i - 1];
			second = sorted[i];
		}
	if (!second)
		return 1;
	r->result = error_set(r->error, VE_E_FAILED, EEXIST, r->tried, "remove one of the two",
		"%s:%u:%u: `%.64s` is there twice, first at line %u, column %u", r->file, second->key_line,
		second->key_column, second->key, first->key_line, first->key_column);
	return 0;
}

static int on_start_map(void *ctx)
{
	return open_container(ctx, JSON_OBJECT);
}

static int on_end_map(void *ctx)
{
	struct reader *r = ctx;

	return refuse_duplicates(r, r->open) && close_container(r);
}

static int on_start_array(void *ctx)
{
	return open_container(ctx, JSON_ARRAY);
}

static int on_end_array(void *ctx)
{
	return close_container(ctx);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end_map,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

static int syntax_error(struct reader *r, size_t consumed, bool at_end)
{
	unsigned char *words = yajl_get_error(r->yajl, 0, NULL, 0);
	const char *why = words ? (const char *)words : "", *colon;
	size_t start = token_start(r);
	int n;

	/* "lexical error: what\n" and "parse error: what\n": what is enough. */
	colon = strstr(why, ": ");
	if (colon)
		why = colon + 2;
	n = (int)strcspn(why, "\n");
	if (n > 0 && why[n - 1] == '.')
		n--;
	if (!strncmp(why, "premature EOF", 13)) {
		why = "it ends too early";
		n = (int)strlen(why);
	} else {
		at_end = false;
	}
	if (at_end)
		start = r->size;
	else if (consumed > 0 && start > consumed - 1)
		start = consumed - 1; /* a comma or colon where none may be */
	locate(r, start);
	refuse(r, 0, "correct it there", "not valid JSON: %.*s", n, why);
	if (words)
		yajl_free_error(r->yajl, words);
	return r->result;
}

static int read_text(struct reader *r)
{
	yajl_status status = yajl_parse(r->yajl, (const unsigned char *)r->text, r->size);
	size_t consumed = yajl_get_bytes_consumed(r->yajl);
	bool at_end = false;

	if (status == yajl_status_ok) {
		status = yajl_complete_parse(r->yajl);
		at_end = true;
	}
	if (status == yajl_status_ok)
		return 0;
	return r->result < 0 ? r->result : syntax_error(r, consumed, at_end);
}

int json_parse(const char *text, size_t size, const char *file, const char *tried, struct json **ret, struct error *e)
{
	struct reader r = {
		.text = text, .size = size, .file = file, .tried = tried, .error = e, .line = 1, .column = 1};
	int result;

	if (size > JSON_MAX_BYTES) {
		refuse(&r, EFBIG, "leave out what is not needed", "%zu bytes, where at most %d are read", size,
			JSON_MAX_BYTES);
		return r.result;
	}
	r.yajl = yajl_alloc(&callbacks, NULL, &r);
	if (!r.yajl)
		return error_sys(e, ENOMEM, tried, file);
	result = read_text(&r);
	yajl_free(r.yajl);
	free(r.key);
	if (result < 0) {
		json_free(r.root);
		return result;
	}
	*ret = r.root;
	return 0;
}

struct json *json_get(const struct json *object, const char *key)
{
	struct json *j;

	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (j = object->child; j; j = j->next)
		if (!strcmp(j->key, key))
			return j;
	return NULL;
}

const char *json_string(const struct json *object, const char *key)
{
	const struct json *j = json_get(object, key);

	return j && j->type == JSON_STRING ? j->string : NULL;
}

int64_t json_integer(const struct json *object, const char *key, int64_t otherwise)
{
	const struct json *j = json_get(object, key);

	return j && j->type == JSON_INTEGER ? j->integer : otherwise;
}
