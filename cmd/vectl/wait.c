/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "vectl.h"

enum { OPT_STATE = 300, OPT_TIMEOUT };
static const struct option options[] = {
	{"state", required_argument, NULL, OPT_STATE},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	CLI_OPTIONS,
	{0},
};
static const struct {
	const char *name;
	int state, ready;
} states[] = {
	{"running", VE_RUNNING, 0},
	{"ready", VE_RUNNING, 1},
	{"stopped", VE_STOPPED, 0},
	{"paused", VE_PAUSED, 0},
};
enum { N_STATES = sizeof(states) / sizeof(states[0]) };

int verb_wait(struct cli *cli, int argc, char **argv)
{
	const char *name, *wanted = NULL;
	struct ve *ve cleanup_ve = NULL;
	int timeout_ms = -1, i = 0, r = 0;

	for (int c; (c = cli_getopt(cli, argc, argv, "", options)) != -1;) {
		if (c == OPT_STATE)
			wanted = optarg;
		else if (c == OPT_TIMEOUT)
			r = cli_timeout(cli, optarg, &timeout_ms);
		else
			return cli->status;
		if (r)
			return r;
	}
	while (wanted && i < N_STATES && strcmp(wanted, states[i].name))
		i++;
	if (!wanted || i == N_STATES)
		return cli_usage(
			cli, "wait", "--state=%s: it is one of running, ready, stopped, paused", wanted ? wanted : "");
	r = cli_one_name(cli, argc, argv, 0, 0, &name);
	if (!r)
		r = cli_open_ve(cli, name, &ve);
	if (r)
		return r;
	if (ve_wait(ve, states[i].state, states[i].ready, timeout_ms) < 0)
		return cli_fail(cli);
	return cli_done(cli, name, states[i].name);
}
