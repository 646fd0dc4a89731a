/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/util.h"

static int parse(const char *text, struct json **ret, struct error *e)
{
	return json_parse(text, strlen(text), "f", "read f", ret, e);
}

static void expect_error(const char *text, size_t size, int result, const char *wrong)
{
	struct json *untouched = (struct json *)&expect_error, *j = untouched;
	struct error e = {0};
	int r = json_parse(text, size, "f", "read f", &j, &e);

	cr_expect_eq(r, result, "%.60s: %d", text, r);
	cr_expect_str_eq(e.wrong, wrong);
	cr_expect_str_eq(e.tried, "read f");
	cr_expect(*e.remedy);
	cr_expect_eq(j, untouched);
}

static char *write_again(const struct json *j, int pretty)
{
	struct json_writer *w = jw_new(pretty);
	char *text = NULL;

	jw_copy(w, NULL, j);
	cr_assert_eq(jw_finish(w, &text), 0);
	return text;
}

Test(json, types_and_places)
{
	static const char text[] =
		"{\"a\": 1,\n  \"b\" : [true, null, -2.5,\n\t\"x\\u00e9\"],\n\"\xc3\xa9\": {\"k\":false} }\n";
	cleanup_json struct json *j = NULL;
	struct error e = {0};
	const struct json *b, *k;

	cr_assert_eq(parse(text, &j, &e), 0, "%s", e.wrong);
	cr_expect_eq(j->type, JSON_OBJECT);
	cr_expect_eq(json_integer(j, "a", 0), 1);
	cr_expect_eq(json_integer(j, "nothing", 7), 7);
	cr_expect_eq(json_integer(j, "b", 7), 7);
	cr_expect_null(json_string(j, "a"));
	cr_expect_null(json_get(j, "c"));
	cr_expect_null(json_get(NULL, "c"));
	b = json_get(j, "b");
	cr_assert_not_null(b);
	cr_expect_eq(b->type, JSON_ARRAY);
	cr_expect(b->key_line == 2 && b->key_column == 3 && b->line == 2 && b->column == 9);
	k = b->child;
	cr_expect(k->type == JSON_BOOL && k->integer == 1 && k->line == 2 && k->column == 10 && !k->key);
	k = k->next;
	cr_expect(k->type == JSON_NULL && k->column == 16);
	k = k->next;
	cr_expect(k->type == JSON_DOUBLE && k->number == -2.5 && !strcmp(k->string, "-2.5") && k->column == 22);
	k = k->next;
	cr_expect(k->type == JSON_STRING && k->line == 3 && k->column == 2 && k == b->last && !k->next);
	cr_expect_str_eq(k->string, "x\xc3\xa9");
	cr_expect_eq(k->length, 3);
	/* Columns count characters: the key is two bytes of UTF-8. */
	b = json_get(j, "\xc3\xa9");
	cr_assert_not_null(b);
	cr_expect(b->key_line == 4 && b->key_column == 1 && b->line == 4 && b->column == 6 && b->parent == j);
}

Test(json, numbers)
{
	cleanup_json struct json *j = NULL;
	struct error e = {0};
	const struct json *n;

	cr_assert_eq(parse("[9223372036854775807, -9223372036854775808, 9223372036854775808, 1e2]", &j, &e), 0);
	n = j->child;
	cr_expect(n->type == JSON_INTEGER && n->integer == INT64_MAX);
	n = n->next;
	cr_expect(n->type == JSON_INTEGER && n->integer == INT64_MIN);
	n = n->next;
	cr_expect(n->type == JSON_DOUBLE && n->number == 9223372036854775808.0);
	cr_expect_str_eq(n->string, "9223372036854775808");
	n = n->next;
	cr_expect(n->type == JSON_DOUBLE && n->number == 100.0);
}

Test(json, syntax_errors)
{
	static const struct {
		const char *text, *wrong;
	} cases[] = {
		{"", "f:1:1: not valid JSON: it ends too early"},
		{" \n ", "f:2:2: not valid JSON: it ends too early"},
		{"{\"a\": 1", "f:1:8: not valid JSON: it ends too early"},
		{"{\"a\":\"b", "f:1:8: not valid JSON: it ends too early"},
		{"[1 2]", "f:1:4: not valid JSON: after array element, I expect ',' or ']'"},
		{"[1]\n x", "f:2:2: not valid JSON: trailing garbage"},
		{"{} {}", "f:1:4: not valid JSON: trailing garbage"},
		{"{\n \"a\" 1}", "f:2:6: not valid JSON: object key and value must be separated by a colon (':')"},
		{"{\"a\":1,}", "f:1:8: not valid JSON: invalid object key (must be a string)"},
		{"[1,,2]", "f:1:4: not valid JSON: unallowed token at this point in JSON text"},
		{"{\"a\": tru}", "f:1:7: not valid JSON: invalid string in json text"},
		{"[nul", "f:1:2: not valid JSON: invalid string in json text"},
		{"[\"a\nb\"]", "f:1:2: not valid JSON: invalid character inside string"},
		{"[\"\xff\"]", "f:1:2: not valid JSON: invalid bytes in UTF8 string"},
		{"[\"\\ud800\"]", "f:1:2: half a surrogate pair in a string"},
		{"[\"\\udc00\"]", "f:1:2: half a surrogate pair in a string"},
		{"[\"\\ud83dx\\ude00\"]", "f:1:2: half a surrogate pair in a string"},
		{"{\"\\udfff\": 1}", "f:1:2: half a surrogate pair in a string"},
		{"[\"a\\u0000b\"]", "f:1:2: \\u0000 in a string"},
		{"{\"\\u0000\": 1}", "f:1:2: \\u0000 in a string"},
	};
	cleanup_json struct json *j = NULL;
	struct error e = {0};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(cases[i].text, strlen(cases[i].text), -EINVAL, cases[i].wrong);
	expect_error("[1e999]", 7, -ERANGE, "f:1:2: the number 1e999 is too large");
	expect_error("[\"a\0b\"]", 7, -EINVAL, "f:1:2: not valid JSON: invalid character inside string");
	/* A whole pair, and a backslash before what only looks like half of one. */
	cr_assert_eq(parse("[\"\\ud83d\\ude00\\\\ud800\"]", &j, &e), 0, "%s", e.wrong);
	cr_expect_str_eq(j->child->string, "\xf0\x9f\x98\x80\\ud800");
}

Test(json, duplicates)
{
	static const char twice[] = "{\"a\":1,\"b\":{\"a\":1},\n\"b\":3, \"a\":2}";

	expect_error(twice, strlen(twice), -EEXIST, "f:2:1: `b` is there twice, first at line 1, column 8");
	/* The same key once escaped is the same key. */
	expect_error("[{\"a\":1,\"\\u0061\":2}]", 20, -EEXIST, "f:1:9: `a` is there twice, first at line 1, column 3");
}

Test(json, depth)
{
	char text[64];
	cleanup_json struct json *j = NULL;
	struct error e = {0};

	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	cr_expect_eq(json_parse(text, 2 * JSON_MAX_DEPTH, "f", "read f", &j, &e), 0);
	memset(text, '[', sizeof(text));
	expect_error(text, sizeof(text), -E2BIG, "f:1:17: nested deeper than 16 levels");
}

Test(json, size_and_nodes, .timeout = 60)
{
	size_t n = JSON_MAX_BYTES + 1, i;
	cleanup_free char *text = malloc(n);
	cleanup_json struct json *j = NULL;
	struct error e = {0};

	memset(text, ' ', n);
	expect_error(text, n, -EFBIG, "f:1:1: 1048577 bytes, where at most 1048576 are read");
	memset(text, '[', JSON_MAX_BYTES);
	expect_error(text, JSON_MAX_BYTES, -E2BIG, "f:1:17: nested deeper than 16 levels");
	/* The array itself is a node too. */
	text[0] = '[';
	for (i = 0; i < JSON_MAX_NODES; i++)
		memcpy(text + 1 + 2 * i, "0,", 2);
	text[2 * (JSON_MAX_NODES - 1)] = ']';
	cr_expect_eq(json_parse(text, 2 * JSON_MAX_NODES - 1, "f", "read f", &j, &e), 0, "%s", e.wrong);
	text[2 * (JSON_MAX_NODES - 1)] = ',';
	text[2 * JSON_MAX_NODES] = ']';
	expect_error(text, 2 * JSON_MAX_NODES + 1, -E2BIG, "f:1:131072: more than 65536 values");
}

Test(json, many_keys_are_quick, .timeout = 30)
{
	cleanup_free char *text = malloc(JSON_MAX_BYTES);
	cleanup_json struct json *j = NULL;
	struct error e = {0};
	size_t n = 1, i;

	text[0] = '{';
	for (i = 0; i < 60000; i++)
		n += (size_t)sprintf(text + n, "\"%zx\":0,", i);
	strcpy(text + n, "\"ea5f\":1}");
	cr_expect_eq(parse(text, &j, &e), -EEXIST);
	cr_expect(strstr(e.wrong, "`ea5f` is there twice"), "%s", e.wrong);
}

Test(json, writing)
{
	struct json_writer *w = jw_new(1);
	cleanup_free char *text = NULL;

	jw_object(w, NULL);
	jw_string(w, "s", "a\"\\\n\x01\x7f/\xff\xc3(\xed\xa0\x80");
	jw_integer(w, "i", INT64_MIN);
	jw_double(w, "d", 0.1);
	jw_double(w, "inf", 1e308 * 10);
	jw_bool(w, "t", 5);
	jw_null(w, "n");
	jw_string(w, "none", NULL);
	jw_array(w, "empty");
	jw_end(w);
	jw_array(w, "brackets");
	jw_string(w, NULL, "[");
	jw_string(w, NULL, "{ }");
	jw_object(w, NULL);
	jw_end(w);
	jw_end(w);
	jw_end(w);
	cr_assert_eq(jw_finish(w, &text), 0);
	cr_expect_str_eq(text,
		"{\n"
		"  \"s\": \"a\\\"\\\\\\n\\u0001\x7f/\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\n"
		"  \"i\": -9223372036854775808,\n"
		"  \"d\": 0.1,\n"
		"  \"inf\": null,\n"
		"  \"t\": true,\n"
		"  \"n\": null,\n"
		"  \"none\": null,\n"
		"  \"empty\": [],\n"
		"  \"brackets\": [\n"
		"    \"[\",\n"
		"    \"{ }\",\n"
		"    {}\n"
		"  ]\n"
		"}\n");
}

Test(json, misuse_of_the_writer)
{
	char *untouched = (char *)"x", *text = untouched;
	struct json_writer *w;

	w = jw_new(0);
	jw_object(w, NULL);
	cr_expect_eq(jw_finish(w, &text), -EINVAL); /* not ended */
	w = jw_new(0);
	jw_object(w, NULL);
	jw_integer(w, NULL, 1);
	jw_end(w);
	cr_expect_eq(jw_finish(w, &text), -EINVAL); /* no key in an object */
	w = jw_new(0);
	jw_end(w);
	cr_expect_eq(jw_finish(w, &text), -EINVAL);
	w = jw_new(0);
	cr_expect_eq(jw_finish(w, &text), -EINVAL); /* nothing */
	jw_object(NULL, NULL);
	jw_end(NULL);
	cr_expect_eq(jw_finish(NULL, &text), -ENOMEM);
	cr_expect_eq(text, untouched);
}

Test(json, round_trip)
{
	static const char text[] = "{\"a\":[1,-0,2.50,1e3,123456789012345678901234567890,true,false,null],\"\":{\"x\":"
				   "\"\\u0001\\n\xf0\x9f\x98\x80\"}}\n";
	cleanup_json struct json *j = NULL, *k = NULL;
	cleanup_free char *plain = NULL, *pretty = NULL, *again = NULL;
	struct error e = {0};

	cr_assert_eq(parse(text, &j, &e), 0, "%s", e.wrong);
	plain = write_again(j, 0);
	cr_expect_str_eq(plain, text);
	pretty = write_again(j, 1);
	cr_assert_eq(parse(pretty, &k, &e), 0, "%s", e.wrong);
	again = write_again(k, 0);
	cr_expect_str_eq(again, text);
}

Test(json, utf8)
{
	cr_expect(json_is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10));
	cr_expect(json_is_utf8("", 0));
	cr_expect_not(json_is_utf8("\xc3", 1));
	cr_expect_not(json_is_utf8("\xc0\x80", 2));
	cr_expect_not(json_is_utf8("\xed\xa0\x80", 3));
	cr_expect_not(json_is_utf8("\xf4\x90\x80\x80", 4));
	cr_expect_not(json_is_utf8("\xe0\x80\x80", 3));
}

Test(error, first_failure_is_kept)
{
	struct error e = {0};

	cr_expect_eq(error_set(&e, VE_E_SPEC, 0, "do", "mend", "n %d", 1), -EINVAL);
	cr_expect_eq(error_sys(&e, ENOENT, "other", "/x"), -ENOENT);
	cr_expect(e.code == VE_E_SPEC && e.errnum == 0);
	cr_expect_str_eq(e.tried, "do");
	cr_expect_str_eq(e.wrong, "n 1");
	cr_expect_str_eq(e.remedy, "mend");
	cr_expect_str_eq(e.subject, "");
	error_clear(&e);
	cr_expect_eq(error_sys(&e, ENOENT, "open it", "/x"), -ENOENT);
	cr_expect(e.code == VE_E_FAILED && e.errnum == ENOENT);
	cr_expect_str_eq(e.wrong, "/x: No such file or directory");
	cr_expect_str_eq(e.subject, "/x");
	cr_expect_eq(error_set(NULL, VE_E_SPEC, EBUSY, "do", NULL, "x"), -EBUSY);
}

Test(error, one_printable_line)
{
	struct error e = {0};
	char text[1024];
	size_t i;

	error_set(&e, VE_E_SPEC, 0, "a\nb", NULL, "x\n\x1b[31m\x7f");
	cr_expect_str_eq(e.tried, "a b");
	cr_expect_str_eq(e.wrong, "x ?[31m?");
	cr_expect_str_eq(e.remedy, "");
	/* Cut between characters. */
	for (i = 0; i < 1020; i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	error_clear(&e);
	error_set(&e, VE_E_SPEC, 0, text, text, "%s", text);
	cr_expect_eq(strlen(e.wrong), sizeof(e.wrong) - 2);
	cr_expect(json_is_utf8(e.wrong, strlen(e.wrong)));
	cr_expect(json_is_utf8(e.tried, strlen(e.tried)));
	cr_expect(json_is_utf8(e.remedy, strlen(e.remedy)));
}
