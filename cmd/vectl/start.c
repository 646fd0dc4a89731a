/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "logs.h"
#include "vectl.h"

enum { LAST_LINES = 10, OPT_ALL = 300, OPT_WAIT, OPT_TIMEOUT, OPT_FOREGROUND, OPT_CONSOLE };

static const struct option options[] = {
	{"all", no_argument, NULL, OPT_ALL},
	{"wait", required_argument, NULL, OPT_WAIT},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{"console", no_argument, NULL, OPT_CONSOLE},
	CLI_OPTIONS,
	{0},
};

int cli_parse_wait(struct cli *cli, const char *text, int *ret_wait)
{
	if (!strcmp(text, "ready"))
		*ret_wait = VE_WAIT_READY;
	else if (!strcmp(text, "running"))
		*ret_wait = VE_WAIT_RUNNING;
	else
		return cli_usage(cli, cli->verb->name, "--wait=%s: it is running or ready", text);
	return 0;
}

/* Stays until the VE has stopped; the first signal asks it to, the next one does not ask. `signalled`: one came. */
static int stay(struct cli *cli, struct ve *ve, int signalled)
{
	int fd = ve_stopped_fd(ve), signals = 0;

	if (fd == -ESRCH)
		return EXIT_DONE;
	if (fd < 0)
		return cli_fail(cli);
	struct pollfd polled[] = {{fd, POLLIN, 0}, {cli->cancel_fd, POLLIN, 0}};
	for (;;) {
		if (poll(polled, 2, signalled ? 0 : -1) < 0) {
			if (errno != EINTR)
				break;
			continue;
		}
		if (polled[0].revents)
			break;
		if (!signalled && !cli_take_signal(cli))
			continue;
		signalled = 0;
		int r = ve_stop(ve, 0, signals++ > 0);
		if (r == -EINTR && ve_error_code(cli->host) == VE_E_INTERRUPTED)
			continue;
		close(fd);
		return r < 0 && ve_state(ve) != VE_STOPPED ? cli_fail(cli) : EXIT_DONE;
	}
	close(fd);
	return EXIT_DONE;
}

/* What the guest said last, where that may tell why; not for what went wrong before there was a guest. */
static int fail_with_console(struct cli *cli, struct ve *ve, time_t since, int after_stop)
{
	char more[160];
	int code = ve_error_code(cli->host);
	/* Not where somebody else has started it, nor where it was started and is waited for. */
	int is_down = after_stop && code != VE_E_STATE && strcmp(ve_error_tried(cli->host), "wait") != 0;
	snprintf(more, sizeof(more), "it is stopped now, so after that: vectl start %s", ve_name(ve));
	int status = cli_fail_and(cli, is_down ? more : NULL);
	int may_tell = code == VE_E_FAILED || code == VE_E_TIMEOUT || code == VE_E_NO_INIT;

	if (may_tell && cli->json) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);
		if (out) {
			logs_print_last(ve, since, LAST_LINES, "", out);
			if (!fclose(out))
				cli_add_to_error(cli, "console", text);
		}
		free(text);
	} else if (may_tell && !cli->quiet)
		logs_print_last(ve, since, LAST_LINES, "  ", stderr);
	return status;
}

/* What a service manager hands to this process (sd_listen_fds(3)) is for the VE's init. Returns how many. */
static size_t take_listen_fds(int fds[VE_LISTEN_FDS_MAX])
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	long n = pid && count && strtol(pid, NULL, 10) == getpid() ? strtol(count, NULL, 10) : 0;

	for (long i = 0; i < n && i < VE_LISTEN_FDS_MAX; i++)
		fds[i] = 3 + (int)i;
	return n < 0 ? 0 : (size_t)n; /* too many are refused by the library */
}

/* It runs, and something that it was to have is missing. */
static void say_notes(struct cli *cli, struct ve *ve)
{
	char *text cleanup_text = NULL;

	if (ve_start_notes(ve, &text) < 0)
		return;
	for (char *line = text, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		cli_note(cli, "vectl: %s: start: it runs without %.*s", ve_name(ve), (int)(end - line), line);
		end += *end == '\n';
	}
}

int cli_start(struct cli *cli, struct ve *ve, const struct start *start)
{
	time_t since = time(NULL);
	struct ve_start_options how = start->options;
	int fds[VE_LISTEN_FDS_MAX];
	how.n_listen_fds = cli->several ? 0 : take_listen_fds(fds); /* whose of several VEs would they be? */
	how.listen_fds = fds;
	int r = ve_start(ve, &how);
	cli_progress_clear();
	if (r < 0)
		return fail_with_console(cli, ve, since, start->after_stop);
	r = cli_done(cli, ve_name(ve), ve_state_name(VE_RUNNING));
	say_notes(cli, ve);
	if (start->console)
		r = cli_console_relay(cli, ve);
	if (start->foreground && (r == EXIT_DONE || r > 128)) /* detached from the console, or a signal ended that */
		r = stay(cli, ve, r > 128);
	return r;
}

struct start_arg {
	struct start start;
	int all;
};

static int start_one(struct cli *cli, struct ve *ve, void *p)
{
	const struct start_arg *arg = p;

	if (arg->all && ve_state(ve) != VE_STOPPED)
		return EXIT_DONE;
	return cli_start(cli, ve, &arg->start);
}

int verb_start(struct cli *cli, int argc, char **argv)
{
	struct start_arg arg = {.start.options.size = sizeof(arg.start.options)};
	struct names names cleanup_names = {0};
	int r = 0;

	for (int c; (c = cli_getopt(cli, argc, argv, "", options)) != -1;) {
		switch (c) {
		case OPT_ALL:
			arg.all = 1;
			break;
		case OPT_WAIT:
			r = cli_parse_wait(cli, optarg, &arg.start.options.wait);
			break;
		case OPT_TIMEOUT:
			r = cli_timeout(cli, optarg, &arg.start.options.timeout_ms);
			break;
		case OPT_FOREGROUND:
			arg.start.foreground = 1;
			break;
		case OPT_CONSOLE:
			arg.start.console = 1;
			break;
		default:
			return cli->status;
		}
		if (r)
			return r;
	}
	if ((arg.start.foreground || arg.start.console) && (arg.all || argc - optind > 1))
		return cli_usage(cli, "start", "--foreground and --console are for one VE");
	if (arg.start.console && cli->json)
		return cli_usage(cli, "start", "--console has no --json form");
	r = cli_names(cli, argc, argv, arg.all, &names);
	return r ? r : cli_each(cli, &names, start_one, &arg);
}
