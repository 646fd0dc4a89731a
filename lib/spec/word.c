/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What text may be: strings in general, names, words of a fixed set. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

bool value_is_choice(const char *choices, const char *word)
{
	size_t n = strlen(word);

	while (n > 0) {
		size_t k = strcspn(choices, "|");

		if (k == n && !memcmp(choices, word, n))
			return true;
		if (!choices[k])
			break;
		choices += k + 1;
	}
	return false;
}

/* "a|b|c" as "a, b or c". */
void value_choice_words(const char *choices, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	while (*choices && used < size) {
		size_t k = strcspn(choices, "|");
		const char *rest = choices + k + (choices[k] == '|');
		const char *join = !*rest ? "" : strchr(rest, '|') ? ", " : " or ";
		int n = snprintf(buf + used, size - used, "%.*s%s", (int)k, choices, join);

		used += n > 0 ? (size_t)n : 0;
		choices = rest;
	}
}

/* ---- what a string may hold */

/* Control characters, C1 ones too, would let a spec write to the terminal of whoever lists VEs. */
bool value_has_control(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return true;
	return false;
}

int value_check_string(const struct place *at, const char *path, const char *text, size_t max)
{
	size_t n = strlen(text);

	if (!n)
		return spec_fail(at, path, VE_E_SPEC, 0, at->file ? "remove the key" : "`unset` takes a value away",
			"the value is empty");
	if (n > max)
		return spec_fail(at, path, VE_E_SPEC, 0, "shorten it", "%zu bytes long, where %zu are allowed", n, max);
	if (!json_is_utf8(text, n))
		return spec_fail(at, path, VE_E_SPEC, 0, "write it in UTF-8", "not valid UTF-8");
	if (value_has_control(text))
		return spec_fail(at, path, VE_E_SPEC, 0, "remove it", "a control character is in the value");
	return 0;
}

#define NAME_RULE "use 1 to 63 of a-z 0-9 -, first and last a letter or digit"

const char *value_name_problem(const char *name)
{
	size_t n = strlen(name);

	if (!n)
		return "the name is empty";
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return "the name has characters that are not allowed";
	if (n > 63)
		return "the name is longer than 63 characters";
	if (name[0] == '-')
		return "the name starts with -";
	if (name[n - 1] == '-')
		return "the name ends with -";
	return NULL;
}

int spec_valid_name(const char *name, struct error *e)
{
	const char *problem = value_name_problem(name);

	if (!problem)
		return 0;
	return error_set(e, VE_E_USAGE, EINVAL, "check the name", NAME_RULE, "`%.80s`: %s", name, problem);
}

#define HOSTNAME_RULE                                                                                                  \
	"use up to 64 of letters, digits and -, in parts of up to 63 with dots between, none starting or ending with " \
	"-"

static const char *hostname_problem(const char *name)
{
	const char *p = name;

	if (strlen(name) > 64)
		return "the host name is longer than 64 bytes";
	for (;;) {
		size_t n = strcspn(p, "."), i;

		if (!n)
			return "a part of the host name is empty";
		if (n > 63)
			return "a part of the host name is longer than 63 bytes";
		if (p[0] == '-' || p[n - 1] == '-')
			return "a part of the host name starts or ends with -";
		for (i = 0; i < n; i++)
			if (!isascii((unsigned char)p[i]) || (!isalnum((unsigned char)p[i]) && p[i] != '-'))
				return "the host name has characters that are not allowed";
		if (!p[n])
			return NULL;
		p += n + 1;
	}
}

static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (i = 0; form[i]; i++)
		if (form[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

int value_set_bool(const struct place *at, const char *path, const char *text, struct value *v)
{
	bool yes = value_is_choice("true|yes|on", text);

	if (!yes && !value_is_choice("false|no|off", text))
		return spec_fail(at, path, VE_E_SPEC, 0, "give true or false", "`%.64s` is not true or false", text);
	v->integer = yes;
	v->text = strdup(yes ? "true" : "false");
	return v->text ? 0 : spec_fail_memory(at);
}

int value_in_form(
	const struct place *at, const char *path, const struct spec_format *format, const char *text, char **ret)
{
	char canonical[FORMAT_MAX];
	const char *problem = format ? format->check(text, canonical, sizeof(canonical)) : NULL;

	if (problem)
		return spec_fail(at, path, VE_E_SPEC, 0, format->form, "`%.64s` is not %s%s%s", text, format->name,
			*problem ? ": " : "", problem);
	*ret = strdup(format ? canonical : text);
	return *ret ? 0 : spec_fail_memory(at);
}

/* Without doubled slashes and one at the end; `..` would make of it whatever a link at that place says. */
static int set_path(const struct place *at, const char *path, const char *text, struct value *v)
{
	const struct spec_format *form = spec_trait(v->row)->value;
	cleanup_free char *clean = malloc(strlen(text) + 2);
	char *to = clean;

	if (!clean)
		return spec_fail_memory(at);
	if (text[0] != '/')
		return spec_fail(at, path, VE_E_SPEC, 0, "start it with /", "`%.64s` is not an absolute path", text);
	for (const char *p = text; *p;) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return spec_fail(at, path, VE_E_SPEC, 0, "write the path without it", "`%.*s` is in the path",
				(int)n, p);
		if (n || to == clean) {
			*to++ = '/';
			memcpy(to, p, n);
			to += n;
		}
		p += n;
	}
	*to = '\0';
	return value_in_form(at, path, form, clean, &v->text);
}

int value_set_word(const struct place *at, const char *path, const char *text, struct value *v)
{
	const struct spec_key *row = v->row;
	const char *problem;
	char words[128];
	char *p;

	switch (row->type) {
	case SPEC_NAME:
		problem = value_name_problem(text);
		if (problem)
			return spec_fail(at, path, VE_E_SPEC, 0, NAME_RULE, "%s", problem);
		break;
	case SPEC_HOSTNAME:
		problem = hostname_problem(text);
		if (problem)
			return spec_fail(at, path, VE_E_SPEC, 0, HOSTNAME_RULE, "%s", problem);
		break;
	case SPEC_UUID:
		if (!is_uuid(text))
			return spec_fail(at, path, VE_E_SPEC, 0, "write it as 8-4-4-4-12 hexadecimal digits",
				"`%.64s` is not a UUID", text);
		break;
	case SPEC_PATH:
		return set_path(at, path, text, v);
	case SPEC_STRING:
		return value_in_form(at, path, spec_trait(row)->value, text, &v->text);
	case SPEC_ENUM:
		value_choice_words(row->choices, words, sizeof(words));
		if (!value_is_choice(row->choices, text))
			return spec_fail(at, path, VE_E_SPEC, 0, "correct the value", "`%.64s` is not %s", text, words);
		break;
	default:
		break;
	}
	v->text = strdup(text);
	if (!v->text)
		return spec_fail_memory(at);
	for (p = v->text; row->type == SPEC_UUID && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return 0;
}
