/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "colour.h"
#include "json.h"
#include "vectl.h"
#include "when.h"

enum { OPT_SINCE = 300, LAST_OF_FOLLOW = 10, NAME_SHOWN = 24 };
static const struct option options[] = {
	{"follow", no_argument, NULL, 'f'},
	{"lines", required_argument, NULL, 'n'},
	{"since", required_argument, NULL, OPT_SINCE},
	CLI_OPTIONS,
	{0},
};

/* What the line begins with, or what is for programs alone. */
static int is_shown_already(const char *key)
{
	static const char *const shown[] = {"ve", "seq", "time_ns", "boottime_ns", "event", NULL};
	for (const char *const *s = shown; *s; s++)
		if (!strcmp(*s, key))
			return 1;
	return 0;
}

static void print_value(FILE *out, const char *key, yajl_val v)
{
	fprintf(out, "  ");
	cli_print_text(out, key);
	fputc('=', out);
	if (YAJL_IS_OBJECT(v)) { /* an error: what it says */
		cli_print_text(out, json_text(json_at(v, "message")));
	} else if (YAJL_IS_ARRAY(v)) {
		for (size_t i = 0; i < json_size(v); i++) {
			fputs(i ? "," : "", out);
			cli_print_text(out, json_text(YAJL_GET_ARRAY(v)->values[i]));
		}
	} else if (json_text(v)) {
		cli_print_text(out, json_text(v));
	} else {
		json_write(out, v);
	}
}

/* On a terminal the longest of names leave room for what happened. */
static void print_name(const char *name)
{
	if (isatty(STDOUT_FILENO) && strlen(name) > NAME_SHOWN)
		printf("%.*s…", NAME_SHOWN - 1, name);
	else
		printf("%-12s", name);
}

static int print_event(struct cli *cli, const char *text)
{
	char when[64] = "?";
	struct tm tm;

	if (cli->json) {
		cli_print_document(cli, text);
		return EXIT_DONE;
	}
	yajl_val event cleanup_json = json_read(cli, text);
	if (!event)
		return EXIT_FAILED;
	time_t seconds = json_number(json_at(event, "time_ns"), 0) / 1000000000;
	if (localtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	const char *word = json_text(json_at(event, "event")), *colour = colour_wanted(cli) ? colour_of(word) : "";
	printf("%s  ", when);
	print_name(json_text(json_at(event, "ve")));
	printf("  %s%s%s", colour, word, *colour ? COLOUR_END : "");
	for (size_t i = 0; i < YAJL_GET_OBJECT(event)->len; i++)
		if (!is_shown_already(YAJL_GET_OBJECT(event)->keys[i]))
			print_value(stdout, YAJL_GET_OBJECT(event)->keys[i], YAJL_GET_OBJECT(event)->values[i]);
	fputc('\n', stdout);
	return EXIT_DONE;
}

/* All that there is now. */
static int print_events(struct cli *cli, struct ve_events *events)
{
	for (;;) {
		char *text cleanup_text = NULL;
		int r = ve_events_next(events, &text);
		if (r < 0)
			return cli_fail(cli);
		if (r == 0)
			break;
		if ((r = print_event(cli, text)) != EXIT_DONE)
			return r;
	}
	cli->printed = 1;
	fflush(stdout);
	return ferror(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int follow(struct cli *cli, struct ve_events *events)
{
	struct pollfd polled[] = {
		{cli->cancel_fd, POLLIN, 0}, {STDOUT_FILENO, 0, 0}, {ve_events_fd(events), POLLIN, 0}};

	for (;;) {
		if (poll(polled, 3, -1) < 0 && errno != EINTR)
			return EXIT_FAILED;
		if (polled[0].revents)
			return EXIT_INTERRUPTED;
		if (polled[1].revents & (POLLERR | POLLNVAL))
			return EXIT_FAILED; /* the reader of the pipe has gone */
		int r = print_events(cli, events);
		if (r != EXIT_DONE)
			return r;
	}
}

static int parse(struct cli *cli, int argc, char **argv, struct ve_events_options *o)
{
	int64_t since = 0;
	int limited = 0, r;
	char *end;

	for (int c; (c = cli_getopt(cli, argc, argv, "fn:", options)) != -1;) {
		switch (c) {
		case 'f':
			o->flags |= VE_EVENTS_FOLLOW;
			break;
		case 'n':
			errno = 0;
			long n = strtol(optarg, &end, 10);
			if (*optarg < '0' || *optarg > '9' || *end || errno || n > INT_MAX)
				return cli_usage(cli, "events", "-n %s: it is a number of events", optarg);
			o->flags |= n ? 0 : VE_EVENTS_NEW;
			o->last = (int)n;
			limited = 1;
			break;
		case OPT_SINCE:
			if ((r = cli_since(cli, optarg, &since)))
				return r;
			limited = 1;
			break;
		default:
			return cli->status ? cli->status : -1; /* -1: help was wanted and given */
		}
	}
	o->since_ns = since * 1000000000;
	if (o->flags & VE_EVENTS_FOLLOW && !limited)
		o->last = LAST_OF_FOLLOW;
	return 0;
}

int verb_events(struct cli *cli, int argc, char **argv)
{
	struct ve_events_options o = {.size = sizeof(o)};
	struct ve_events *events;
	int r = parse(cli, argc, argv, &o);

	if (!r)
		r = cli_host(cli);
	if (r)
		return r < 0 ? EXIT_DONE : r;
	if (optind < argc)
		o.names = (const char *const *)argv + optind;
	if (ve_events_open(cli->host, &o, &events) < 0)
		return cli_fail(cli);
	r = print_events(cli, events);
	if (!r && o.flags & VE_EVENTS_FOLLOW)
		r = follow(cli, events);
	ve_events_close(events);
	return r;
}
