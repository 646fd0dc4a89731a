/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#include "vectl.h"

static const struct {
	int code;
	const char *name;
	int status, own_status; /* the latter for exec and attach */
} codes[] = {
	{VE_E_FAILED, "failed", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_USAGE, "usage", EXIT_USAGE, EXIT_OWN_FAILURE},
	{VE_E_NO_VE, "no-ve", EXIT_NO_VE, EXIT_OWN_FAILURE},
	{VE_E_STATE, "state", EXIT_STATE, EXIT_OWN_FAILURE},
	{VE_E_TIMEOUT, "timeout", EXIT_TIMEOUT, EXIT_OWN_FAILURE},
	{VE_E_EXISTS, "exists", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_NO_IMAGE, "no-image", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_SPEC, "spec", EXIT_FAILED, EXIT_OWN_FAILURE}, /* or EXIT_USAGE: verb.spec_is_usage */
	{VE_E_UNSUPPORTED, "unsupported", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_HOST, "host", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_PERMISSION, "permission", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_NO_INIT, "no-init", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_BUSY, "busy", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_INTERRUPTED, "interrupted", EXIT_INTERRUPTED, EXIT_OWN_FAILURE},
	{VE_E_TEMPLATE, "template", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_ARCHIVE, "archive", EXIT_FAILED, EXIT_OWN_FAILURE},
	{VE_E_NOT_EXECUTABLE, "not-executable", EXIT_FAILED, EXIT_NOT_EXECUTABLE},
	{VE_E_NO_COMMAND, "no-command", EXIT_FAILED, EXIT_NO_COMMAND},
};

/* From good to bad: what a caller can wait out or correct comes before what needs a look, an interrupt hides nothing.
 */
static const int exit_order[] = {EXIT_DONE, EXIT_TIMEOUT, EXIT_STATE, EXIT_NO_VE, EXIT_USAGE, EXIT_FAILED,
	EXIT_OWN_FAILURE, EXIT_NOT_EXECUTABLE, EXIT_NO_COMMAND, EXIT_INTERRUPTED};

struct said { /* one error, whoever made it */
	int code, errnum;
	const char *ve, *step, *subject, *tried, *message, *remedy;
};

static int exit_rank(int status)
{
	int n = sizeof(exit_order) / sizeof(exit_order[0]);
	for (int i = 0; i < n; i++)
		if (exit_order[i] == status)
			return i;
	return n;
}

int cli_worst(int a, int b)
{
	return exit_rank(a) >= exit_rank(b) ? a : b;
}

/* The length of the UTF-8 sequence at `s` that may go to a terminal; 0: it is a control byte or not UTF-8. */
static size_t printable(const unsigned char *s)
{
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls; overlong forms, surrogates and what lies past U+10FFFF are left to their first two bytes */
	if ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void cli_print_text(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)(text ? text : "");
	while (*s) {
		size_t n = printable(s);
		if (n)
			fwrite(s, 1, n, out);
		else
			fprintf(out, "\\x%02x", *s);
		s += n ? n : 1;
	}
}

void cli_json_string(FILE *out, const char *text)
{
	if (!text) {
		fputs("null", out);
		return;
	}
	fputc('"', out);
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		size_t n = printable(s);
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (n)
			fwrite(s, 1, n, out);
		else if (s[0] == 0xc2 && (s[1] & 0xc0) == 0x80)
			fprintf(out, "\\u%04x", s[1]), s++;
		else if (*s < 0x80)
			fprintf(out, "\\u%04x", *s);
		else
			fputs("\\ufffd", out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

/* A command may end when memory is out; a half-built document may not be printed as if it were whole. */
static _Noreturn void out_of_memory(void)
{
	fputs("vectl: memory is out\n", stderr);
	exit(EXIT_FAILED);
}

static void keep_result(struct cli *cli, char *body)
{
	char **grown = realloc(cli->results, (cli->n_results + 1) * sizeof(char *));
	if (!grown || !body)
		out_of_memory();
	cli->results = grown;
	cli->results[cli->n_results++] = body;
}

static void keep_error(struct cli *cli, const struct said *e, const char *code)
{
	char *body = NULL;
	size_t size;
	FILE *out = open_memstream(&body, &size);
	if (!out)
		out_of_memory();
	const struct {
		const char *key, *value;
	} members[] = {{"ve", e->ve}, {"step", e->step}, {"subject", e->subject}, {"tried", e->tried},
		{"message", e->message}, {"remedy", e->remedy}};
	fputs("\"error\":{\"code\":", out);
	cli_json_string(out, code);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		fprintf(out, ",\"%s\":", members[i].key);
		cli_json_string(out, members[i].value && *members[i].value ? members[i].value : NULL);
	}
	fprintf(out, ",\"errno\":%d}", e->errnum);
	if (fclose(out))
		out_of_memory();
	keep_result(cli, body);
}

void cli_add_to_error(struct cli *cli, const char *key, const char *text)
{
	char *body = NULL, *last = cli->n_results ? cli->results[cli->n_results - 1] : NULL;
	size_t size;
	if (!last || strncmp(last, "\"error\":", 8) != 0)
		return;
	FILE *out = open_memstream(&body, &size);
	if (!out)
		out_of_memory();
	fprintf(out, "%.*s,\"%s\":", (int)strlen(last) - 1, last, key);
	cli_json_string(out, text);
	fputc('}', out);
	if (fclose(out))
		out_of_memory();
	free(last);
	cli->results[cli->n_results - 1] = body;
}

static void print_line(const struct said *e)
{
	const char *parts[] = {"vectl", e->ve, e->tried, e->message, e->remedy};
	int first = 1;

	cli_progress_clear();
	flockfile(stderr);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i] || !*parts[i])
			continue;
		if (!first)
			fputs(": ", stderr);
		cli_print_text(stderr, parts[i]);
		first = 0;
	}
	fputc('\n', stderr);
	funlockfile(stderr);
}

static int say(struct cli *cli, const struct said *e)
{
	size_t i = 0;
	while (i + 1 < sizeof(codes) / sizeof(codes[0]) && codes[i].code != e->code)
		i++;
	if (codes[i].code != e->code)
		i = 0;
	struct said why = *e;
	if (!why.message || !*why.message)
		why.message = why.errnum ? strerror(why.errnum) : "it failed, and libve does not say why";
	e = &why;
	if (cli->json)
		keep_error(cli, e, codes[i].name);
	else
		print_line(e);
	if (cli->verbose && !cli->json) {
		fprintf(stderr, "  code %s, errno %d, step ", codes[i].name, e->errnum);
		cli_print_text(stderr, e->step && *e->step ? e->step : "-");
		fputs(", subject ", stderr);
		cli_print_text(stderr, e->subject && *e->subject ? e->subject : "-");
		fputc('\n', stderr);
	}
	if (cli->verb && cli->verb->passes_status)
		return codes[i].own_status;
	return e->code == VE_E_SPEC && cli->verb && cli->verb->spec_is_usage ? EXIT_USAGE : codes[i].status;
}

int cli_fail_and(struct cli *cli, const char *more)
{
	const struct ve_host *host = cli->host;
	char remedy[1024];
	if (!host)
		return say(cli, &(struct said){VE_E_FAILED, ENOMEM, .message = "memory is out"});
	snprintf(remedy, sizeof(remedy), "%s%s%s", ve_error_remedy(host), more && *ve_error_remedy(host) ? "; " : "",
		more ? more : "");
	return say(
		cli, &(struct said){ve_error_code(host), ve_error_errno(host), ve_error_ve(host), ve_error_step(host),
			     ve_error_subject(host), ve_error_tried(host), ve_error_message(host), remedy});
}

int cli_fail(struct cli *cli)
{
	return cli_fail_and(cli, NULL);
}

int cli_error(
	struct cli *cli, const char *ve, const char *tried, int errno_value, const char *wrong, const char *remedy)
{
	return say(
		cli, &(struct said){VE_E_FAILED, errno_value, ve, .tried = tried, .message = wrong, .remedy = remedy});
}

int cli_usage(struct cli *cli, const char *verb, const char *fmt, ...)
{
	char message[512], remedy[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	snprintf(remedy, sizeof(remedy), "see 'vectl %s%s--help'", verb ? verb : "", verb ? " " : "");
	return say(cli, &(struct said){VE_E_USAGE, EINVAL, .tried = verb, .message = message, .remedy = remedy});
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	if (cli->quiet || cli->json)
		return;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	cli_progress_clear();
	if (*text == '\n') /* after a guest's unfinished line */
		fputc('\n', stderr);
	cli_print_text(stderr, text + (*text == '\n'));
	fputc('\n', stderr);
	free(text);
}

int cli_done(struct cli *cli, const char *ve, const char *state)
{
	char *body = NULL;
	size_t size;

	if (!cli->json) {
		if (cli->verbose)
			cli_note(cli, "%s: %s", ve, state ? state : "done");
		return EXIT_DONE;
	}
	FILE *out = open_memstream(&body, &size);
	if (!out)
		out_of_memory();
	fputs("\"ve\":", out);
	cli_json_string(out, ve);
	fputs(",\"state\":", out);
	cli_json_string(out, state);
	if (fclose(out))
		out_of_memory();
	keep_result(cli, body);
	return EXIT_DONE;
}

void cli_add_to_result(struct cli *cli, const char *key, const char *json)
{
	char *last = cli->n_results ? cli->results[cli->n_results - 1] : NULL, *body = NULL;
	if (!last)
		return;
	if (asprintf(&body, "%s,\"%s\":%s", last, key, json) < 0)
		out_of_memory();
	free(last);
	cli->results[cli->n_results - 1] = body;
}

/* What cli_finish puts round a result is taken off: the braces, and "format". */
void cli_keep_document(struct cli *cli, const char *json)
{
	static const char format[] = "\"format\"";
	const char *p = strchr(json, '{'), *end = strrchr(json, '}');
	if (!p || !end)
		return;
	p += 1 + strspn(p + 1, " \n\t");
	if (!strncmp(p, format, strlen(format)))
		p += strcspn(p, ",") + 1;
	keep_result(cli, strndup(p, p < end ? (size_t)(end - p) : 0));
}

int cli_print_document(struct cli *cli, const char *json)
{
	size_t size = strlen(json);
	fwrite(json, 1, size, stdout);
	if (!size || json[size - 1] != '\n')
		fputc('\n', stdout);
	cli->printed = 1;
	return EXIT_DONE;
}

static void print_results(const struct cli *cli)
{
	fputs("{\"format\":1,", stdout);
	if (cli->several)
		fputs("\"results\":[", stdout);
	/* of one name the last result is what the verb came to: create --start is done, then failed to start */
	for (size_t i = cli->several || !cli->n_results ? 0 : cli->n_results - 1; i < cli->n_results; i++)
		printf(cli->several ? "%s{%s}" : "%s%s", cli->several && i ? "," : "", cli->results[i]);
	fputs(cli->several ? "]}\n" : "}\n", stdout);
}

int cli_finish(struct cli *cli, int status)
{
	cli_progress_clear();
	if (cli->json && !cli->printed && (cli->n_results || cli->several))
		print_results(cli);
	for (size_t i = 0; i < cli->n_results; i++)
		free(cli->results[i]);
	free(cli->results);
	cli->results = NULL;
	cli->n_results = 0;

	errno = 0;
	if ((fflush(stdout) || ferror(stdout)) && errno != EBADF) {
		/* the errno of an earlier write is lost, but a pipe without a reader shows itself */
		struct pollfd p = {STDOUT_FILENO, 0, 0};
		int e = errno ? errno : poll(&p, 1, 0) > 0 && p.revents & POLLERR ? EPIPE : EIO;
		if (e != EPIPE) /* a reader that has seen enough, as of `vectl list | head`, is told nothing */
			fprintf(stderr, "vectl: standard output: %s\n", strerror(e));
		status = cli_worst(status, cli->verb && cli->verb->passes_status ? status : EXIT_FAILED);
	}
	ve_host_close(cli->host);
	cli->host = NULL;
	return status;
}

int cli_host(struct cli *cli)
{
	if (cli->host)
		return 0;
	struct ve_host_options options = {
		.size = sizeof(options),
		.root = cli->root,
		.cancel_fd = cli->cancel_fd > 0 ? cli->cancel_fd : -1,
		.on_progress = cli->quiet ? NULL : cli_progress,
		.progress_arg = cli,
	};
	return ve_host_open(&options, &cli->host) < 0 ? cli_fail(cli) : 0;
}

int cli_open_ve(struct cli *cli, const char *name, struct ve **ret)
{
	int r = cli_host(cli);
	if (r)
		return r;
	return ve_open(cli->host, name, ret) < 0 ? cli_fail(cli) : 0;
}
