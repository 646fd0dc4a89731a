/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectl.h"

static const struct option options[] = {CLI_OPTIONS, {0}};

int verb_rename(struct cli *cli, int argc, char **argv)
{
	struct ve *ve cleanup_ve = NULL;
	const char *name;

	if (cli_getopt(cli, argc, argv, "", options) != -1)
		return cli->status;
	int r = cli_one_name(cli, argc, argv, 1, 1, &name);
	if (r || (r = cli_open_ve(cli, name, &ve)))
		return r;
	if (ve_rename(ve, argv[optind + 1]) < 0)
		return cli_fail(cli);
	return cli_done(cli, ve_name(ve), "stopped");
}
