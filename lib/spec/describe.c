/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key table as it is told to people and programs: manual page, help, completion. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

static const struct {
	const char *name, *words;
} types[] = {
	[SPEC_STRING] = {"string", "string"},
	[SPEC_NAME] = {"name", "name"},
	[SPEC_HOSTNAME] = {"hostname", "host name"},
	[SPEC_UUID] = {"uuid", "UUID"},
	[SPEC_PATH] = {"path", "absolute path"},
	[SPEC_BOOL] = {"bool", "true or false"},
	[SPEC_INTEGER] = {"integer", "whole number"},
	[SPEC_SIZE] = {"size", "size"},
	[SPEC_RATE] = {"rate", "rate"},
	[SPEC_SECONDS] = {"seconds", "seconds"},
	[SPEC_COUNT] = {"count", "count"},
	[SPEC_PERCENT] = {"percent", "per cent"},
	[SPEC_LIST] = {"list", "list of strings"},
	[SPEC_ENUM] = {"enum", "one word"},
	[SPEC_SIGNAL] = {"signal", "signal"},
};

const char *spec_type_name(enum spec_type type)
{
	return types[type].name;
}

int spec_describe_type(const struct spec_key *row, char *buf, size_t size)
{
	const struct spec_format *form = spec_trait(row)->value;
	char range[64] = "";

	if (value_number_kind(row->type) >= 0 || row->type == SPEC_SIGNAL)
		snprintf(range, sizeof(range),
			row->max >= INT64_MAX - 1 ? ", %" PRId64 " or more" : ", %" PRId64 " to %" PRId64, row->min,
			row->max);
	else if (row->type == SPEC_STRING && row->max > 0 && !form)
		snprintf(range, sizeof(range), " of up to %" PRId64 " bytes", row->max);
	else if (row->type == SPEC_LIST && row->max > 0)
		snprintf(range, sizeof(range), ", %" PRId64 " at most", row->max);
	int n = form && row->type == SPEC_LIST ? snprintf(buf, size, "list, each %s%s", form->name, range)
		: form                         ? snprintf(buf, size, "%s", form->name)
					       : snprintf(buf, size, "%s%s", types[row->type].words, range);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int spec_example(const struct spec_key *row, char *buf, size_t size)
{
	const struct spec_trait *t = spec_trait(row);
	size_t star = strcspn(row->key, "*");
	int n = snprintf(buf, size, "%.*s%s%s=%s", (int)star, row->key,
		row->key[star] && t->example_name ? t->example_name : "", row->key[star] ? row->key + star + 1 : "",
		t->example ? t->example : "");

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* The words of a key of which there is a fixed set, those that this version refuses apart. */
static void write_choices(struct json_writer *w, const struct spec_key *row, const char *member, int refused)
{
	const char *words = spec_words(row);
	char word[64];

	jw_array(w, member);
	while (words && *words) {
		size_t n = strcspn(words, "|");

		snprintf(word, sizeof(word), "%.*s", (int)n, words);
		words += n + (words[n] == '|');
		if (spec_word_refused(row, word) == refused)
			jw_string(w, NULL, word);
	}
	jw_end(w);
}

static void write_row(struct json_writer *w, const struct spec_key *row)
{
	char text[SPEC_MAX_STRING];

	jw_object(w, NULL);
	jw_string(w, "key", row->key);
	jw_string(w, "type", types[row->type].name);
	spec_describe_type(row, text, sizeof(text));
	jw_string(w, "takes", text);
	if (value_number_kind(row->type) >= 0) {
		jw_integer(w, "min", row->min);
		if (row->max >= INT64_MAX - 1)
			jw_null(w, "max");
		else
			jw_integer(w, "max", row->max);
	}
	write_choices(w, row, "choices", 0);
	write_choices(w, row, "refused", 1);
	if (row->fallback)
		jw_string(w, "default", row->fallback);
	else
		jw_null(w, "default");
	jw_string(w, "doc", row->doc);
	spec_example(row, text, sizeof(text));
	jw_string(w, "example", text);
	if (spec_trait(row)->example_with)
		jw_string(w, "example_with", spec_trait(row)->example_with);
	jw_bool(w, "supported", !(row->flags & SPEC_UNSUPPORTED));
	jw_bool(w, "readonly", (row->flags & SPEC_READONLY) != 0);
	jw_bool(w, "live", (row->flags & SPEC_LIVE) != 0);
	jw_bool(w, "rest_is_key", (row->flags & SPEC_FREE_KEY) != 0);
	jw_end(w);
}

int spec_keys_json(char **ret_text)
{
	struct json_writer *w = jw_new(1);

	if (!w)
		return -ENOMEM;
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_array(w, "keys");
	for (const struct spec_key *row = spec_keys; row->key; row++)
		write_row(w, row);
	jw_end(w);
	jw_end(w);
	return jw_finish(w, ret_text);
}
