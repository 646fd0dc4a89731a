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

static void print_scalar(FILE *out, yajl_val v)
{
	if (YAJL_IS_STRING(v))
		cli_print_text(out, YAJL_GET_STRING(v));
	else
		json_write(out, v);
}

static void flatten(FILE *out, yajl_val v, const char *indent, char *path, size_t used)
{
	if (YAJL_IS_OBJECT(v)) {
		for (size_t i = 0; i < YAJL_GET_OBJECT(v)->len; i++) {
			const char *key = YAJL_GET_OBJECT(v)->keys[i];
			int n = snprintf(path + used, PATH_LENGTH - used, "%s%s", used ? "." : "", key);
			if (n > 0 && (size_t)n < PATH_LENGTH - used)
				flatten(out, YAJL_GET_OBJECT(v)->values[i], indent, path, used + n);
		}
		return;
	}
	path[used] = '\0';
	fputs(indent, out);
	cli_print_text(out, path);
	fputc('=', out);
	if (YAJL_IS_ARRAY(v)) {
		for (size_t i = 0; i < YAJL_GET_ARRAY(v)->len; i++) {
			fputs(i ? "," : "", out);
			print_scalar(out, YAJL_GET_ARRAY(v)->values[i]);
		}
	} else {
		print_scalar(out, v);
	}
	fputc('\n', out);
}

void json_flatten(FILE *out, yajl_val v, const char *indent)
{
	char path[PATH_LENGTH] = "";
	if (v)
		flatten(out, v, indent, path, 0);
}
