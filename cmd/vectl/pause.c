/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectl.h"

enum { OPT_ALL = 300 };
static const struct option options[] = {{"all", no_argument, NULL, OPT_ALL}, CLI_OPTIONS, {0}};

struct freeze {
	int all, from, to; /* enum ve_state; with --all, VEs in other states than `from` are left alone */
	int (*change)(struct ve *ve);
};

static int change_one(struct cli *cli, struct ve *ve, void *p)
{
	const struct freeze *f = p;

	if (f->all && ve_state(ve) != f->from)
		return EXIT_DONE;
	if (f->change(ve) < 0)
		return cli_fail(cli);
	return cli_done(cli, ve_name(ve), ve_state_name(f->to));
}

static int pause_or_resume(struct cli *cli, int argc, char **argv, struct freeze f)
{
	struct names names cleanup_names = {0};

	for (int c; (c = cli_getopt(cli, argc, argv, "", options)) != -1;) {
		if (c != OPT_ALL)
			return cli->status;
		f.all = 1;
	}
	int r = cli_names(cli, argc, argv, f.all, &names);
	return r ? r : cli_each(cli, &names, change_one, &f);
}

int verb_pause(struct cli *cli, int argc, char **argv)
{
	return pause_or_resume(cli, argc, argv, (struct freeze){0, VE_RUNNING, VE_PAUSED, ve_pause});
}

int verb_resume(struct cli *cli, int argc, char **argv)
{
	return pause_or_resume(cli, argc, argv, (struct freeze){0, VE_PAUSED, VE_RUNNING, ve_resume});
}
