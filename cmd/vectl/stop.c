/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectl.h"

enum { OPT_ALL = 300, OPT_WAIT, OPT_TIMEOUT, OPT_FORCE };

static const struct option stop_options[] = {
	{"all", no_argument, NULL, OPT_ALL},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"force", no_argument, NULL, OPT_FORCE},
	CLI_OPTIONS,
	{0},
};
static const struct option restart_options[] = {
	{"all", no_argument, NULL, OPT_ALL},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"force", no_argument, NULL, OPT_FORCE},
	{"wait", required_argument, NULL, OPT_WAIT},
	CLI_OPTIONS,
	{0},
};

struct stop {
	int all, timeout_ms, force;
	struct start start; /* of restart */
};

static int end(struct cli *cli, struct ve *ve, const struct stop *stop)
{
	int r = ve_stop(ve, stop->timeout_ms, stop->force);

	if (r > 0)
		cli_note(cli, "%s: it did not shut down in time, and was killed", ve_name(ve));
	return r;
}

static int stop_one(struct cli *cli, struct ve *ve, void *p)
{
	const struct stop *stop = p;

	if (stop->all && ve_state(ve) == VE_STOPPED)
		return EXIT_DONE;
	if (end(cli, ve, stop) < 0)
		return cli_fail(cli);
	return cli_done(cli, ve_name(ve), ve_state_name(VE_STOPPED));
}

static int restart_one(struct cli *cli, struct ve *ve, void *p)
{
	const struct stop *stop = p;
	int state = ve_state(ve);

	if (stop->all && state == VE_STOPPED)
		return EXIT_DONE;
	/* What cannot be started again is not stopped. */
	if (state != VE_STOPPED && (ve_check_start(ve) < 0 || end(cli, ve, stop) < 0))
		return cli_fail(cli);
	struct start start = stop->start;
	start.after_stop = state != VE_STOPPED;
	return cli_start(cli, ve, &start);
}

static int parse(struct cli *cli, int argc, char **argv, const struct option *options, struct stop *stop)
{
	int r = 0;

	for (int c; (c = cli_getopt(cli, argc, argv, "", options)) != -1;) {
		switch (c) {
		case OPT_ALL:
			stop->all = 1;
			break;
		case OPT_TIMEOUT:
			r = cli_timeout(cli, optarg, &stop->timeout_ms);
			break;
		case OPT_FORCE:
			stop->force = 1;
			break;
		case OPT_WAIT:
			r = cli_parse_wait(cli, optarg, &stop->start.options.wait);
			break;
		default:
			return cli->status ? cli->status : -1; /* -1: help was wanted and given */
		}
		if (r)
			return r;
	}
	return 0;
}

static int stop_or_restart(struct cli *cli, int argc, char **argv, const struct option *options,
	int (*fn)(struct cli *cli, struct ve *ve, void *arg))
{
	struct stop stop = {.start.options.size = sizeof(stop.start.options)};
	struct names names cleanup_names = {0};
	int r = parse(cli, argc, argv, options, &stop);

	if (r == 0)
		r = cli_names(cli, argc, argv, stop.all, &names);
	if (r)
		return r < 0 ? EXIT_DONE : r;
	return cli_each(cli, &names, fn, &stop);
}

int verb_stop(struct cli *cli, int argc, char **argv)
{
	return stop_or_restart(cli, argc, argv, stop_options, stop_one);
}

int verb_restart(struct cli *cli, int argc, char **argv)
{
	return stop_or_restart(cli, argc, argv, restart_options, restart_one);
}
