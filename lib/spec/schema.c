/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

/* What each type is called, and what JSON it is: a string of that pattern, an integer, or either. */
static const struct {
	const char *name;
	const char *json;    /* the JSON type, NULL: none but the string */
	const char *pattern; /* of the string; "": any, NULL: no string */
} types[] = {
	[SPEC_STRING] = {"string", NULL, ""},
	[SPEC_NAME] = {"name", NULL, "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
	[SPEC_HOSTNAME] = {"hostname", NULL, "^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$"},
	[SPEC_UUID] = {"uuid", NULL, "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"},
	[SPEC_PATH] = {"path", NULL, "^/(?!(.*/)?[.][.]?(/|$))"},
	[SPEC_BOOL] = {"bool", "boolean", NULL},
	[SPEC_INTEGER] = {"integer", "integer", "^[0-9]+$"},
	[SPEC_SIZE] = {"size", "integer", "^([0-9]+[KMGT]?|max)$"},
	[SPEC_RATE] = {"rate", "integer", "^([0-9]+[kmg]?|max)$"},
	[SPEC_SECONDS] = {"seconds", "integer", "^[0-9]+$"},
	[SPEC_COUNT] = {"count", "integer", "^([0-9]+|max)$"},
	[SPEC_PERCENT] = {"percent", "integer", "^[0-9]+%?$"},
	[SPEC_LIST] = {"list", "array", NULL},
	[SPEC_ENUM] = {"enum", NULL, ""},
	[SPEC_SIGNAL] = {"signal", "integer", "^([0-9]+|(SIG)?[A-Z][A-Z0-9]*([+-][0-9]+)?)$"},
};

/* No control characters, C1 ones included: as parsing has it. */
#define TEXT_PATTERN "^[^\\u0000-\\u001f\\u007f-\\u009f]"

static void choices(struct json_writer *w, const struct spec_key *row)
{
	const char *words = spec_words(row);
	char word[64];

	jw_array(w, "enum");
	while (*words) {
		size_t n = strcspn(words, "|");

		snprintf(word, sizeof(word), "%.*s", (int)n, words);
		if (!spec_word_refused(row, word))
			jw_string(w, NULL, word);
		words += n + (words[n] == '|');
	}
	jw_end(w);
}

/* Whether only the words of the row are taken, and not what else has its form. */
static int only_words(const struct spec_key *row)
{
	return row->choices || (spec_words(row) && spec_word_refused(row, "/"));
}

static void string_form(struct json_writer *w, const struct spec_key *row)
{
	const struct spec_format *form = spec_trait(row)->value;
	const char *pattern = form ? form->pattern : types[row->type].pattern;

	jw_string(w, "type", "string");
	if (only_words(row)) {
		choices(w, row);
		return;
	}
	jw_integer(w, "minLength", row->flags & SPEC_EMPTY ? 0 : 1);
	jw_integer(w, "maxLength", row->type == SPEC_STRING && row->max > 0 ? row->max : SPEC_MAX_STRING);
	jw_string(w, "pattern",
		pattern && *pattern       ? pattern
		: row->flags & SPEC_EMPTY ? TEXT_PATTERN "*$"
					  : TEXT_PATTERN "+$");
}

static void integer_form(struct json_writer *w, const struct spec_key *row)
{
	jw_string(w, "type", "integer");
	jw_integer(w, "minimum", row->min);
	if (row->max < INT64_MAX - 1)
		jw_integer(w, "maximum", row->max);
}

static void write_row(struct json_writer *w, const char *name, const struct spec_key *row)
{
	jw_object(w, name);
	char text[SPEC_MAX_PATH + 256], *value;

	jw_string(w, "description", row->doc);
	if (!spec_example(row, text, sizeof(text)) && row->type != SPEC_LIST && row->type != SPEC_BOOL &&
		(value = strchr(text, '='))) {
		jw_array(w, "examples");
		jw_string(w, NULL, value + 1);
		jw_end(w);
	}
	if (row->flags & SPEC_READONLY)
		jw_bool(w, "readOnly", 1);
	if (row->type == SPEC_BOOL) {
		jw_string(w, "type", "boolean");
	} else if (row->type == SPEC_LIST) {
		jw_string(w, "type", "array");
		jw_integer(w, "minItems", 1);
		jw_integer(w, "maxItems", row->max > 0 ? row->max : SPEC_MAX_ITEMS);
		if (row->choices || spec_trait(row)->value)
			jw_bool(w, "uniqueItems", 1);
		jw_object(w, "items");
		string_form(w, row);
		jw_end(w);
	} else if (types[row->type].json) {
		jw_array(w, "anyOf");
		jw_object(w, NULL);
		integer_form(w, row);
		jw_end(w);
		jw_object(w, NULL);
		string_form(w, row);
		jw_end(w);
		jw_end(w);
	} else {
		string_form(w, row);
	}
	jw_end(w);
}

/* The rows from `row` on whose key starts with the first `skip` bytes of its key, as an object's properties. */
static const struct spec_key *write_group(struct json_writer *w, const struct spec_key *row, size_t skip)
{
	const struct spec_key *first = row;
	int any = first->key[skip] == '*';

	jw_string(w, "type", "object");
	jw_bool(w, "additionalProperties", 0);
	jw_object(w, any ? "patternProperties" : "properties");
	if (skip == 0) {
		jw_object(w, "format");
		jw_integer(w, "const", 1);
		jw_end(w);
	}
	while (row->key && !strncmp(row->key, first->key, skip)) {
		size_t n = spec_component(row->key + skip);
		char name[128];

		/* Parsing refuses what is not carried out, so the schema has none of it. */
		if (row->flags & SPEC_UNSUPPORTED) {
			row++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)n, row->key + skip);
		if (any)
			snprintf(name, sizeof(name), "%s",
				spec_trait(row)->name        ? spec_trait(row)->name->pattern
				: row->flags & SPEC_FREE_KEY ? "^[^= ]*[^= +-]$"
							     : "^[A-Za-z0-9_-]{1,32}$");
		if (row->key[skip + n]) {
			jw_object(w, name);
			row = write_group(w, row, skip + n + 1);
			jw_end(w);
		} else {
			write_row(w, name, row++);
		}
	}
	jw_end(w);
	return row;
}

int spec_schema(char **ret_text, struct error *e)
{
	struct json_writer *w = jw_new(1);
	int r;

	if (!w)
		return error_sys(e, ENOMEM, "write the schema", NULL);
	jw_object(w, NULL);
	jw_string(w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	jw_string(w, "title", "ve.json");
	jw_string(w, "description", "The spec of a virtual environment of vectl.");
	jw_array(w, "required");
	jw_string(w, NULL, "format");
	jw_end(w);
	write_group(w, spec_keys, 0);
	jw_end(w);
	r = jw_finish(w, ret_text);
	return r < 0 ? error_sys(e, -r, "write the schema", NULL) : 0;
}
