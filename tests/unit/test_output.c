/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the command says of errors, and the exit status that goes with them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "cmd/vectl/vectl.h"
#include "cmd/vectl/wrap.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/host/host.h"

TestSuite(output, .timeout = 60);

/* Of progress.c, which draws; nothing is drawn here. */
void cli_progress_clear(void)
{
}

void cli_progress(void *arg, const struct ve_progress *progress)
{
}

static char *said;
static size_t said_size;
static FILE *real;

static void listen_to(FILE **stream)
{
	free(said);
	said = NULL;
	real = *stream;
	*stream = open_memstream(&said, &said_size);
	cr_assert_not_null(*stream);
}

static void stop_listening(FILE **stream)
{
	fclose(*stream);
	*stream = real;
}

static struct ve_host host = {.cancel_fd = -1};

static int fail(
	struct cli *cli, int code, int errnum, const char *ve, const char *tried, const char *wrong, const char *remedy)
{
	host = (struct ve_host){.cancel_fd = -1};
	error_set(&host.error, code, errnum, tried, remedy, "%s", wrong);
	FORMAT(host.error.ve, "%s", ve);
	cli->host = &host;
	listen_to(&stderr);
	int status = cli_fail(cli);
	stop_listening(&stderr);
	return status;
}

Test(output, one_line)
{
	static const struct {
		const char *ve, *tried, *wrong, *remedy, *line;
	} cases[] = {
		{"web1", "start it", "no init", "install one", "vectl: web1: start it: no init: install one\n"},
		{"", "start it", "no init", "install one", "vectl: start it: no init: install one\n"},
		{"web1", "start it", "no init", NULL, "vectl: web1: start it: no init\n"},
		{"", "", "no init", "", "vectl: no init\n"},
		{"web1", "start it", "", "", "vectl: web1: start it: Input/output error\n"},
		{"web1", "a\nb", "c\033[2J", "d", "vectl: web1: a b: c?[2J: d\n"},
		{"web1", "a", "c\xff\xc2\x9b", "\xc3\xa9", "vectl: web1: a: c\\xff\\xc2\\x9b: \xc3\xa9\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cli cli = {.cancel_fd = -1};
		cr_expect_eq(fail(&cli, VE_E_FAILED, EIO, cases[i].ve, cases[i].tried, cases[i].wrong, cases[i].remedy),
			EXIT_FAILED);
		cr_expect_str_eq(said, cases[i].line);
	}
}

static const struct {
	int code, status, own;
	const char *name;
} statuses[] = {
	{VE_E_FAILED, 1, 125, "failed"}, {VE_E_USAGE, 2, 125, "usage"}, {VE_E_NO_VE, 3, 125, "no-ve"},
	{VE_E_STATE, 4, 125, "state"}, {VE_E_TIMEOUT, 5, 125, "timeout"}, {VE_E_EXISTS, 1, 125, "exists"},
	{VE_E_NO_IMAGE, 1, 125, "no-image"}, {VE_E_SPEC, 1, 125, "spec"}, {VE_E_UNSUPPORTED, 1, 125, "unsupported"},
	{VE_E_HOST, 1, 125, "host"}, {VE_E_PERMISSION, 1, 125, "permission"}, {VE_E_NO_INIT, 1, 125, "no-init"},
	{VE_E_BUSY, 1, 125, "busy"}, {VE_E_INTERRUPTED, 130, 125, "interrupted"}, {VE_E_TEMPLATE, 1, 125, "template"},
	{VE_E_ARCHIVE, 1, 125, "archive"}, {VE_E_NOT_EXECUTABLE, 1, 126, "not-executable"},
	{VE_E_NO_COMMAND, 1, 127, "no-command"}, {999, 1, 125, "failed"}, /* of a libve that is newer */
};

Test(output, each_error_has_its_exit_status)
{
	const struct verb exec = {.name = "exec", .passes_status = 1}, start = {.name = "start"};
	const struct verb set = {.name = "set", .spec_is_usage = 1};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct cli cli = {.cancel_fd = -1};
		cr_expect_eq(fail(&cli, statuses[i].code, EIO, "v", "t", "w", "r"), statuses[i].status, "%d",
			statuses[i].code);
		cli.verb = &start;
		cr_expect_eq(fail(&cli, statuses[i].code, EIO, "v", "t", "w", "r"), statuses[i].status, "%d",
			statuses[i].code);
		cli.verb = &set;
		cr_expect_eq(fail(&cli, statuses[i].code, EIO, "v", "t", "w", "r"),
			statuses[i].code == VE_E_SPEC ? 2 : statuses[i].status, "%d", statuses[i].code);
		cli.verb = &exec;
		cr_expect_eq(
			fail(&cli, statuses[i].code, EIO, "v", "t", "w", "r"), statuses[i].own, "%d", statuses[i].code);
	}
	struct cli no_host = {.cancel_fd = -1};
	listen_to(&stderr);
	cr_expect_eq(cli_fail(&no_host), EXIT_FAILED);
	stop_listening(&stderr);
	cr_expect_str_eq(said, "vectl: memory is out\n");
}

Test(output, the_worst_of_several)
{
	static const int order[] = {0, 5, 4, 3, 2, 1, 125, 126, 127, 130};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		for (size_t k = 0; k < ARRAY_SIZE(order); k++)
			cr_expect_eq(
				cli_worst(order[i], order[k]), order[i > k ? i : k], "%d and %d", order[i], order[k]);
}

Test(output, usage)
{
	struct cli cli = {.cancel_fd = -1};
	const struct verb exec = {.name = "exec", .passes_status = 1};

	listen_to(&stderr);
	cr_expect_eq(cli_usage(&cli, "start", "there is no option '%s'", "--fo\033o"), EXIT_USAGE);
	stop_listening(&stderr);
	cr_expect_str_eq(said, "vectl: start: there is no option '--fo\\x1bo': see 'vectl start --help'\n");
	listen_to(&stderr);
	cr_expect_eq(cli_usage(&cli, NULL, "what to do is missing"), EXIT_USAGE);
	stop_listening(&stderr);
	cr_expect_str_eq(said, "vectl: what to do is missing: see 'vectl --help'\n");
	cli.verb = &exec;
	listen_to(&stderr);
	cr_expect_eq(cli_usage(&cli, "exec", "no command"), EXIT_OWN_FAILURE);
	stop_listening(&stderr);
}

Test(output, quiet_notes)
{
	struct cli cli = {.cancel_fd = -1};

	listen_to(&stderr);
	cli_note(&cli, "number %d", 7);
	cli.quiet = 1;
	cli_note(&cli, "not this");
	cli.quiet = 0;
	cli.json = 1;
	cli_note(&cli, "nor this");
	stop_listening(&stderr);
	cr_expect_not_null(strstr(said, "number 7"));
	cr_expect_null(strstr(said, "this"));
}

/* --json: nothing on stderr, and one document on stdout that says all of it. */
Test(output, json_errors)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct cli cli = {.cancel_fd = -1, .json = 1};
		cleanup_json struct json *j = NULL;
		struct error e = {0};

		cr_expect_eq(fail(&cli, statuses[i].code, EIO, "web1", "try \"it\"", "wrong \xff\\", NULL),
			statuses[i].status);
		cr_expect_str_eq(said, "");
		cli_add_to_error(&cli, "console", "boom\n\"!");
		cli.host = NULL; /* cli_finish closes it, and this one is not from ve_host_open */
		listen_to(&stdout);
		cr_expect_eq(cli_finish(&cli, statuses[i].status), statuses[i].status);
		fflush(stdout);
		char *document = strdup(said);
		stop_listening(&stdout);
		cr_assert_eq(json_parse(document, strlen(document), "stdout", "read it", &j, &e), 0, "%s: %s", e.wrong,
			document);
		free(document);
		cr_expect_eq(json_integer(j, "format", 0), 1);
		const struct json *error = json_get(j, "error");
		cr_assert_not_null(error);
		cr_expect_str_eq(json_string(error, "code"), statuses[i].name);
		cr_expect_str_eq(json_string(error, "ve"), "web1");
		cr_expect_str_eq(json_string(error, "tried"), "try \"it\"");
		cr_expect_str_eq(json_string(error, "message"), "wrong \xef\xbf\xbd\\");
		cr_expect_eq(json_get(error, "remedy")->type, JSON_NULL);
		cr_expect_eq(json_integer(error, "errno", 0), EIO);
		cr_expect_str_eq(json_string(error, "console"), "boom\n\"!");
	}
}

static void expect_printed(void (*print)(FILE *, const char *), const char *text, const char *want)
{
	cleanup_free char *have = NULL;
	size_t size;
	FILE *f = open_memstream(&have, &size);

	print(f, text);
	fclose(f);
	cr_expect_str_eq(have, want);
}

static void expect_wrapped(const char *text, int width, int column, int indent, const char *lead, const char *want)
{
	cleanup_free char *have = NULL;
	size_t size;
	FILE *f = open_memstream(&have, &size);

	cr_assert_not_null(f);
	wrap_words(f, text, width, column, indent, lead);
	fclose(f);
	cr_expect_str_eq(have, want, "'%s', not '%s'", have, want);
}

Test(output, words_are_wrapped)
{
	expect_wrapped("aa bb cc", 0, 5, 4, "", "aa bb cc");
	expect_wrapped("aa bb cc", 8, 0, 2, "", "aa bb cc");
	expect_wrapped("aa bb cc", 7, 0, 2, "", "aa bb\n  cc");
	expect_wrapped("aa bb cc", 7, 0, 2, "# ", "aa bb\n  # cc");
	expect_wrapped("aa bb\ncc", 7, 0, 2, "", "aa bb");
	expect_wrapped("\xc3\xa4\xc3\xa4 \xc3\xa4", 4, 0, 2, "", "\xc3\xa4\xc3\xa4 \xc3\xa4");
}
Test(output, a_long_word_begins_further_to_the_left)
{
	expect_wrapped("aaaa 1234567 b", 10, 0, 4, "", "aaaa\n   1234567\n    b");
	expect_wrapped("aaaa 123456 b", 10, 0, 4, "", "aaaa\n    123456\n    b");
	expect_wrapped("aaaa 1234567 b", 10, 0, 4, "# ", "aaaa\n  # 1234567\n    # b");
	/* Where it fits nowhere it is whole still, and not at the very margin. */
	expect_wrapped("aaaa 12345678901 b", 10, 0, 4, "", "aaaa\n  12345678901\n    b");
	expect_wrapped("aaaa 12345678901 b", 10, 0, 1, "", "aaaa\n 12345678901\n b");
	expect_wrapped("12345678901 b", 10, 0, 4, "", "12345678901\n    b");
}

/* No byte of a guest's choice makes a terminal do anything. */
Test(output, text_for_terminals)
{
	for (int a = 1; a < 256; a++)
		for (int b = 0; b < 256; b++) {
			cleanup_free char *have = NULL;
			size_t size;
			FILE *f = open_memstream(&have, &size);
			char text[] = {(char)a, (char)b, 0};
			cli_print_text(f, text);
			fclose(f);
			for (size_t i = 0; i < size; i++)
				cr_assert((unsigned char)have[i] >= ' ' && have[i] != 127, "%02x %02x", a, b);
			cr_assert(json_is_utf8(have, size), "%02x %02x", a, b);
			for (size_t i = 0; i + 1 < size; i++)
				cr_assert(!((unsigned char)have[i] == 0xc2 && (unsigned char)have[i + 1] < 0xa0),
					"%02x %02x is a C1 control", a, b);
		}
	expect_printed(cli_print_text, NULL, "");
	expect_printed(cli_print_text, "plain \xe2\x82\xac\xf0\x9f\x90\xa7", "plain \xe2\x82\xac\xf0\x9f\x90\xa7");
	expect_printed(cli_print_text, "\xed\xa0\x80", "\\xed\\xa0\\x80");
	expect_printed(cli_print_text, "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	expect_printed(cli_print_text, "\xe2\x82", "\\xe2\\x82");
}

Test(output, json_strings)
{
	expect_printed(cli_json_string, NULL, "null");
	expect_printed(cli_json_string, "", "\"\"");
	expect_printed(cli_json_string, "a\"b\\c\n\x7f", "\"a\\\"b\\\\c\\u000a\\u007f\"");
	expect_printed(cli_json_string, "\xc2\x9b", "\"\\u009b\"");
	expect_printed(cli_json_string, "\xff\xe2\x82", "\"\\ufffd\\ufffd\\ufffd\"");
	for (int a = 1; a < 256; a++) {
		cleanup_free char *have = NULL;
		cleanup_json struct json *j = NULL;
		struct error e = {0};
		size_t size;
		FILE *f = open_memstream(&have, &size);
		char text[] = {'x', (char)a, 'y', 0};
		fputc('[', f);
		cli_json_string(f, text);
		fputc(']', f);
		fclose(f);
		cr_assert_eq(json_parse(have, size, "x", "t", &j, &e), 0, "%02x: %s", a, have);
		if (a < 128)
			cr_expect_str_eq(j->child->string, text);
	}
}
