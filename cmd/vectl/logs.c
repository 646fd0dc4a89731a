/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "filter.h"
#include "journal.h"
#include "logs.h"
#include "vectl.h"
#include "when.h"

enum { CHUNK = 16384, JSON_LINE_MAX = 65536, SETTLE_MS = 100, PRINT_EVERY_MS = 50, OPT_JOURNAL = 300, OPT_SINCE };

static const struct option options[] = {
	{"follow", no_argument, NULL, 'f'},
	{"lines", required_argument, NULL, 'n'},
	{"journal", no_argument, NULL, OPT_JOURNAL},
	{"boot", required_argument, NULL, 'b'},
	{"since", required_argument, NULL, OPT_SINCE},
	CLI_OPTIONS,
	{0},
};

struct output {
	const char *name;
	struct filter filter;
	char *line; /* --json -f: a line that has no end yet */
	size_t held;
	int json, stream, n; /* n: lines so far */
};

/* Where the last `lines` lines begin; a last line without an end counts as one. */
static size_t tail_start(const char *text, size_t size, long lines)
{
	size_t i = size;

	if (lines < 0)
		return 0;
	if (i && text[i - 1] == '\n')
		i--;
	for (; i > 0; i--)
		if (text[i - 1] == '\n' && --lines == 0)
			return i;
	return lines > 0 ? 0 : size;
}

static const char mark[] = "--- boot ";

/*
 * Where the output of a boot begins that is no older than `since`: after the last "--- boot N, DATE TIME UTC ---".
 * `size` when there is none. The guest can print such a line as well, and then shortens what is shown of itself.
 */
static size_t boot_start(const char *text, size_t size, time_t since)
{
	for (size_t i = size; i > 0; i--) {
		if ((i > 1 && text[i - 2] != '\n') || size - (i - 1) < sizeof(mark) ||
			memcmp(text + i - 1, mark, sizeof(mark) - 1))
			continue;
		struct tm tm = {0};
		const char *end = memchr(text + i - 1, '\n', size - (i - 1)), *comma = strchr(text + i - 1, ',');
		if (!end || !comma || !strptime(comma, ", %Y-%m-%d %H:%M:%S", &tm) || timegm(&tm) < since)
			return size;
		return end + 1 - text;
	}
	return size;
}

struct boot_mark {
	size_t at;
	long number;
	time_t began;
};

/* Whether the line at `at` is where a boot begins. */
static int is_mark(const char *text, size_t size, size_t at, struct boot_mark *ret)
{
	char line[128], *comma;
	struct tm tm = {0};
	const char *end = memchr(text + at, '\n', size - at);

	if ((at && text[at - 1] != '\n') || size - at < sizeof(mark) || memcmp(text + at, mark, sizeof(mark) - 1) ||
		!end)
		return 0;
	snprintf(line, sizeof(line), "%.*s", (int)(end - text - (ptrdiff_t)at < 127 ? end - text - (ptrdiff_t)at : 127),
		text + at);
	long number = strtol(line + sizeof(mark) - 1, &comma, 10);
	if (!strptime(comma, ", %Y-%m-%d %H:%M:%S", &tm))
		return 0;
	*ret = (struct boot_mark){at, number, timegm(&tm)};
	return 1;
}

/* The next boot's mark from `at` on; 0: none, and ret->at is `size`. */
static int next_boot(const char *text, size_t size, size_t at, struct boot_mark *ret)
{
	while (at < size && !is_mark(text, size, at, ret)) {
		const char *end = memchr(text + at, '\n', size - at);
		at = end ? (size_t)(end + 1 - text) : size;
	}
	if (at >= size)
		*ret = (struct boot_mark){.at = size};
	return at < size;
}

/* The boot of that number, the last of them where there are more (the guest can print such a line); else 0. */
static int boot_by_number(const char *text, size_t size, long number, struct boot_mark *ret)
{
	int found = 0;
	struct boot_mark m;
	for (size_t at = 0; next_boot(text, size, at, &m); at = m.at + 1)
		if (m.number == number) {
			*ret = m;
			found = 1;
		}
	return found;
}

/* The last is 0, the one before -1. */
static int boot_from_end(const char *text, size_t size, long which, struct boot_mark *ret)
{
	long n = which;
	struct boot_mark m;
	for (size_t at = 0; next_boot(text, size, at, &m); at = m.at + 1)
		n++;
	if (n < 1)
		return 0;
	next_boot(text, size, 0, ret);
	while (--n)
		next_boot(text, size, ret->at + 1, ret);
	return 1;
}

/* From where to where the log holds what is wanted. -1: it has no such boot. */
static int select_part(const struct selection *s, const char *text, size_t size, size_t *ret_from, size_t *ret_to)
{
	size_t from = 0, to = size;
	struct boot_mark m;

	if (s->has_boot) {
		if (!(s->boot > 0 ? boot_by_number : boot_from_end)(text, size, s->boot, &m))
			return -1;
		from = m.at;
		next_boot(text, size, from + 1, &m);
		to = m.at;
	}
	if (s->since) {
		next_boot(text, size, from, &m);
		while (m.at < to && m.began < s->since)
			next_boot(text, size, m.at + 1, &m);
		from = m.at < to ? m.at : to;
	}
	*ret_from = from + tail_start(text + from, to - from, s->lines);
	*ret_to = to;
	return 0;
}

static int no_such_boot(struct cli *cli, const char *name, const struct selection *s, const char *text, size_t size)
{
	char wrong[128];
	struct boot_mark first, last;
	if (!next_boot(text, size, 0, &first) || !boot_from_end(text, size, 0, &last))
		snprintf(wrong, sizeof(wrong), "its log has no boot yet");
	else if (first.number == last.number)
		snprintf(wrong, sizeof(wrong), "its log has no boot %ld but boot %ld", s->boot, last.number);
	else
		snprintf(wrong, sizeof(wrong), "its log has no boot %ld but boots %ld to %ld", s->boot, first.number,
			last.number);
	return cli_error(cli, name, "logs", ENOENT, wrong,
		"-b 0 is the last, -b -1 the one before, others as their first line says");
}

void logs_print_last(struct ve *ve, time_t since, int lines, const char *prefix, FILE *out)
{
	char *text = NULL;
	size_t size = 0;

	if (ve_console_log(ve, &text, &size) < 0)
		return;
	size_t start = boot_start(text, size, since);
	for (size_t i = start + tail_start(text + start, size - start, lines); i < size;) {
		struct filter filter = {.mode = FILTER_PLAIN};
		const char *end = memchr(text + i, '\n', size - i);
		size_t n = end ? (size_t)(end - text) - i : size - i;

		fputs(prefix, out);
		filter_write(&filter, text + i, n, out);
		fputc('\n', out);
		i += n + 1;
	}
	ve_free(text);
}

static void emit_json_line(struct output *o)
{
	o->line[o->held] = '\0';
	if (o->held && o->line[o->held - 1] == '\r')
		o->line[o->held - 1] = '\0';
	if (o->stream) {
		fputs("{\"ve\":", stdout);
		cli_json_string(stdout, o->name);
		fputs(",\"line\":", stdout);
		cli_json_string(stdout, o->line);
		fputs("}\n", stdout);
	} else {
		fputs(o->n ? "," : "", stdout);
		cli_json_string(stdout, o->line);
	}
	o->n++;
	o->held = 0;
}

static void emit(struct output *o, const char *data, size_t size)
{
	if (!o->json) {
		filter_write(&o->filter, data, size, stdout);
		return;
	}
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n' || o->held == JSON_LINE_MAX - 1)
			emit_json_line(o);
		if (data[i] != '\n' && data[i] != '\0')
			o->line[o->held++] = data[i];
	}
}

/* What the log had when it was last printed, to tell what is new. */
struct seen {
	char *text;
	size_t size;
};

/*
 * The log loses whole files of its past at once, so it begins either where it began before or somewhere in the middle.
 * Returns where in `now` the new part begins; 0 when nothing of what was seen is left.
 */
static size_t new_part(const struct seen *seen, const char *now, size_t size)
{
	if (size >= seen->size && (!seen->size || !memcmp(now, seen->text, seen->size)))
		return seen->size;
	size_t probe = size < 64 ? size : 64;
	for (const char *p = seen->text + 1; probe && (p = memmem(p, seen->text + seen->size - p, now, probe)); p++) {
		size_t left = seen->text + seen->size - p;
		if (left <= size && !memcmp(p, now, left))
			return left;
	}
	return 0;
}

static int print_new(
	struct cli *cli, struct ve *ve, struct output *o, struct seen *seen, const struct selection *selection)
{
	struct seen now = {0};

	if (ve_console_log(ve, &now.text, &now.size) < 0)
		return cli_fail(cli);
	size_t start, end;
	if (seen->text)
		start = new_part(seen, now.text, now.size);
	else if (select_part(selection, now.text, now.size, &start, &end))
		start = now.size; /* its first boot is yet to come */
	emit(o, now.text + start, now.size - start);
	ve_free(seen->text);
	*seen = now;
	fflush(stdout);
	return ferror(stdout) ? EXIT_FAILED : EXIT_DONE;
}

/* 1 when `fd` has ended. */
static int drain(int fd)
{
	char chunk[CHUNK];

	for (int i = 0; i < 64; i++) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n <= 0)
			return n == 0 || (errno != EAGAIN && errno != EINTR);
	}
	return 0;
}

/*
 * The console's stream says when there is something new; the log, which has it already then and is whole where a slow
 * reader of the stream would lose bytes, says what. EXIT_DONE when the stream has ended.
 */
static int relay(struct cli *cli, struct ve *ve, struct output *o, int fd, struct seen *seen)
{
	struct pollfd polled[] = {{cli->cancel_fd, POLLIN, 0}, {STDOUT_FILENO, 0, 0}, {fd, POLLIN, 0}};
	int rest = 0, ended = 0;

	for (;;) {
		/* after each print the stream is left alone for a moment: the log is read as a whole */
		int n = poll(polled, rest ? 2 : 3, rest ? PRINT_EVERY_MS : -1);
		if (n < 0 && errno != EINTR)
			return EXIT_FAILED;
		if (n > 0 && polled[0].revents)
			return EXIT_INTERRUPTED;
		if (n > 0 && (polled[1].revents & (POLLERR | POLLNVAL)))
			return EXIT_FAILED; /* the reader of the pipe has gone */
		if (rest || n <= 0 || !polled[2].revents) {
			rest = 0;
			continue;
		}
		ended = drain(fd);
		int r = print_new(cli, ve, o, seen, NULL);
		if (r || ended)
			return r;
		rest = 1;
	}
}

static int follow_runs(
	struct cli *cli, struct ve *ve, struct output *o, const struct selection *selection, struct seen *seen)
{
	for (;;) {
		int fd = ve_console_open(ve), r;

		if (fd < 0 && ve_error_code(cli->host) != VE_E_STATE)
			return cli_fail(cli);
		r = print_new(cli, ve, o, seen, selection);
		if (!r && fd >= 0)
			r = relay(cli, ve, o, fd, seen);
		if (fd >= 0)
			close(fd);
		if (r)
			return r;
		/* The VE is going down, or is back already: then the stream is opened again. */
		if (fd >= 0 && ve_wait(ve, VE_STOPPED, 0, SETTLE_MS) < 0 && ve_error_code(cli->host) != VE_E_TIMEOUT)
			return cli_fail(cli);
		if (ve_wait(ve, VE_RUNNING, 0, -1) < 0)
			return ve_error_code(cli->host) == VE_E_INTERRUPTED ? EXIT_INTERRUPTED : cli_fail(cli);
	}
}

static int follow(struct cli *cli, struct ve *ve, struct output *o, const struct selection *selection)
{
	struct seen seen = {0};
	int r = follow_runs(cli, ve, o, selection, &seen);

	/* The last line of a stream that ends has no end of its own; the document has. */
	if (o->json && o->held)
		emit_json_line(o);
	ve_free(seen.text);
	return r;
}

static void emit_to(void *arg, const char *data, size_t size)
{
	emit(arg, data, size);
}

static int show_journal(struct cli *cli, struct ve *ve, struct output *o, const struct selection *selection)
{
	struct journal j;
	int r = journal_open(cli, ve, o->stream, selection, &j), document = o->json && !o->stream;

	if (r)
		return r;
	if (document) {
		fputs("{\"format\":1,\"ve\":", stdout);
		cli_json_string(stdout, o->name);
		fputs(",\"lines\":[", stdout);
	}
	r = journal_relay(cli, o->name, &j, emit_to, o);
	journal_close(&j);
	if (o->json && o->held)
		emit_json_line(o);
	if (document) {
		fputs("]}\n", stdout);
		cli->printed = 1;
	}
	return r;
}

static int show(struct cli *cli, struct ve *ve, struct output *o, const struct selection *selection)
{
	char *log cleanup_text = NULL;
	size_t size = 0, from, to;

	if (o->stream)
		return follow(cli, ve, o, selection);
	if (ve_console_log(ve, &log, &size) < 0)
		return cli_fail(cli);
	if (select_part(selection, log, size, &from, &to))
		return no_such_boot(cli, o->name, selection, log, size);
	if (!o->json) {
		emit(o, log + from, to - from);
		if (to > from && log[to - 1] != '\n' && o->filter.mode != FILTER_RAW)
			fputc('\n', stdout);
		return EXIT_DONE;
	}
	fputs("{\"format\":1,\"ve\":", stdout);
	cli_json_string(stdout, o->name);
	fputs(",\"lines\":[", stdout);
	emit(o, log + from, to - from);
	if (o->held)
		emit_json_line(o);
	fputs("]}\n", stdout);
	cli->printed = 1;
	return EXIT_DONE;
}

int verb_logs(struct cli *cli, int argc, char **argv)
{
	struct ve *ve cleanup_ve = NULL;
	struct output o = {.filter.mode = isatty(STDOUT_FILENO) ? FILTER_COLOURS : FILTER_RAW};
	struct selection selection = {.lines = -1};
	int journal = 0;
	char *end;
	int r;

	for (int c; (c = cli_getopt(cli, argc, argv, "fn:b:", options)) != -1;) {
		switch (c) {
		case 'f':
			o.stream = 1;
			break;
		case OPT_JOURNAL:
			journal = 1;
			break;
		case 'n':
			errno = 0;
			selection.lines = strtol(optarg, &end, 10);
			if (*optarg < '0' || *optarg > '9' || *end || errno || selection.lines > INT_MAX)
				return cli_usage(cli, "logs", "-n %s: it is a number of lines", optarg);
			break;
		case 'b':
			errno = 0;
			selection.has_boot = 1;
			selection.boot = strtol(optarg, &end, 10);
			if (!*optarg || *end || errno || labs(selection.boot) > INT_MAX)
				return cli_usage(cli, "logs",
					"-b %s: it is a number: 0 for the last boot, -1 for the one before", optarg);
			break;
		case OPT_SINCE:
			if ((r = cli_since(cli, optarg, &selection.since)))
				return r;
			break;
		default:
			return cli->status;
		}
	}
	if (o.stream && selection.has_boot && selection.boot)
		return cli_usage(cli, "logs", "-f goes on with the last boot: -b 0");
	r = cli_one_name(cli, argc, argv, 0, 0, &o.name);
	if (!r)
		r = cli_open_ve(cli, o.name, &ve);
	if (r)
		return r;
	o.json = cli->json;
	if (o.json && !(o.line = malloc(JSON_LINE_MAX)))
		return cli_error(cli, o.name, "logs", ENOMEM, "memory is out", "free some memory");
	r = journal ? show_journal(cli, ve, &o, &selection) : show(cli, ve, &o, &selection);
	free(o.line);
	return r;
}
