/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show.h"

static int get_plan(struct cli *cli, struct ve *ve, char **ret_text)
{
	return cli->json ? ve_plan_json(ve, ret_text) : ve_plan_text(ve, ret_text);
}

int verb_plan(struct cli *cli, int argc, char **argv)
{
	return cli_show(cli, argc, argv, get_plan, NULL);
}
