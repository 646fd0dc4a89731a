/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "json.h"
#include "vectl.h"

enum { PATH_LENGTH = 1024 };

yajl_val json_read(struct cli *cli, const char *text)
{
	char why[256] = "";
	yajl_val v = yajl_tree_parse(text, why, sizeof(why));

	if (!v || !YAJL_IS_OBJECT(v)) {
		if (v)
			yajl_tree_free(v);
		cli_error(cli, NULL, "reading what libve reports", 0, *why ? why : "it is no JSON object",
			"check that vectl and libve are of one version");
		return NULL;
	}
	return v;
}

yajl_val json_at(yajl_val v, const char *key)
{
	const char *path[] = {key, NULL};

	if (!v || !YAJL_IS_OBJECT(v))
		return NULL;
	yajl_val found = yajl_tree_get(v, path, yajl_t_any);
	return found && !YAJL_IS_NULL(found) ? found : NULL;
}

size_t json_size(yajl_val v)
{
	return v && YAJL_IS_ARRAY(v) ? YAJL_GET_ARRAY(v)->len : 0;
}

const char *json_text(yajl_val v)
{
	return v && YAJL_IS_STRING(v) ? YAJL_GET_STRING(v) : NULL;
}

long long json_number(yajl_val v, long long otherwise)
{
	if (!v || !YAJL_IS_NUMBER(v))
		return otherwise;
	if (YAJL_IS_INTEGER(v))
		return YAJL_GET_INTEGER(v);
	return YAJL_IS_DOUBLE(v) ? (long long)YAJL_GET_DOUBLE(v) : otherwise;
}

int json_true(yajl_val v)
{
	return v && YAJL_IS_TRUE(v);
}

void json_write(FILE *out, yajl_val v)
{
	if (!v || YAJL_IS_NULL(v)) {
		fputs("null", out);
	} else if (YAJL_IS_OBJECT(v)) {
		fputc('{', out);
		for (size_t i = 0; i < YAJL_GET_OBJECT(v)->len; i++) {
			fputs(i ? "," : "", out);
			cli_json_string(out, YAJL_GET_OBJECT(v)->keys[i]);
			fputc(':', out);
			json_write(out, YAJL_GET_OBJECT(v)->values[i]);
		}
		fputc('}', out);
	} else if (YAJL_IS_ARRAY(v)) {
		fputc('[', out);
		for (size_t i = 0; i < YAJL_GET_ARRAY(v)->len; i++) {
			fputs(i ? "," : "", out);
			json_write(out, YAJL_GET_ARRAY(v)->values[i]);
		}
		fputc(']', out);
	} else if (YAJL_IS_STRING(v)) {
		cli_json_string(out, YAJL_GET_STRING(v));
	} else if (YAJL_IS_NUMBER(v)) {
		fputs(YAJL_GET_NUMBER(v), out);
	} else {
		fputs(YAJL_IS_TRUE(v) ? "true" : "false", out);
	}
}

/* Items of a list as `set` takes them: a comma inside is \\, and a backslash is doubled. */
static void print_item(FILE *out, const char *text)
{
	char one[2] = "";

	for (; *text; text++) {
		size_t n = strcspn(text, ",\\");
		char *part = strndup(text, n);
		if (part)
			cli_print_text(out, part);
		free(part);
		if (!text[n])
			return;
		one[0] = text[n];
		fprintf(out, "\\%s", one);
		text += n;
	}
}

static void print_scalar(FILE *out, yajl_val v)
{
	if (YAJL_IS_STRING(v))
		cli_print_text(out, YAJL_GET_STRING(v));
	else
		json_write(out, v);
}

static void print_value(FILE *out, yajl_val v)
{
	if (!YAJL_IS_ARRAY(v)) {
		print_scalar(out, v);
		return;
	}
	for (size_t i = 0; i < YAJL_GET_ARRAY(v)->len; i++) {
		yajl_val item = YAJL_GET_ARRAY(v)->values[i];
		fputs(i ? "," : "", out);
		if (YAJL_IS_STRING(item))
			print_item(out, YAJL_GET_STRING(item));
		else
			print_scalar(out, item);
	}
}

struct flatten {
	FILE *out; /* NULL: only measure */
	const char *indent;
	int columns; /* keys in a column of `width`, for people; else key=value */
	int width;
	char path[PATH_LENGTH];
};

static void flatten(struct flatten *f, yajl_val v, size_t used)
{
	if (YAJL_IS_OBJECT(v)) {
		for (size_t i = 0; i < YAJL_GET_OBJECT(v)->len; i++) {
			const char *key = YAJL_GET_OBJECT(v)->keys[i];
			int n = snprintf(f->path + used, PATH_LENGTH - used, "%s%s", used ? "." : "", key);
			if (n > 0 && (size_t)n < PATH_LENGTH - used)
				flatten(f, YAJL_GET_OBJECT(v)->values[i], used + n);
		}
		return;
	}
	f->path[used] = '\0';
	if (!f->out) {
		f->width = (int)used > f->width ? (int)used : f->width;
		return;
	}
	fputs(f->indent, f->out);
	cli_print_text(f->out, f->path);
	if (f->columns)
		fprintf(f->out, "%*s", f->width - (int)used + 2, "");
	else
		fputc('=', f->out);
	print_value(f->out, v);
	fputc('\n', f->out);
}

void json_flatten(FILE *out, yajl_val v, const char *indent)
{
	struct flatten f = {.out = out, .indent = indent};
	if (v)
		flatten(&f, v, 0);
}

void json_print_keys(FILE *out, yajl_val v, const char *prefix)
{
	struct flatten f = {.indent = "", .columns = isatty(fileno(out))};
	int n = snprintf(f.path, sizeof(f.path), "%s", prefix);
	if (!v || n < 0 || n >= PATH_LENGTH)
		return;
	flatten(&f, v, n);
	f.out = out;
	flatten(&f, v, n);
}
