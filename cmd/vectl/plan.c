/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectl.h"

static const struct option options[] = {CLI_OPTIONS, {0}};

int verb_plan(struct cli *cli, int argc, char **argv)
{
	const char *name;
	struct ve *ve cleanup_ve = NULL;
	char *text cleanup_text = NULL;

	if (cli_getopt(cli, argc, argv, "", options) != -1)
		return cli->status;
	int r = cli_one_name(cli, argc, argv, 0, 0, &name);
	if (!r)
		r = cli_open_ve(cli, name, &ve);
	if (r)
		return r;
	if ((cli->json ? ve_plan_json(ve, &text) : ve_plan_text(ve, &text)) < 0)
		return cli_fail(cli);
	return cli_print_document(cli, text);
}
