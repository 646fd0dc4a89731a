/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show.h"

static const struct option options[] = {CLI_OPTIONS, {0}};

int cli_show(struct cli *cli, int argc, char **argv, int (*get)(struct cli *cli, struct ve *ve, char **ret_text),
	int (*print)(yajl_val document), int (*print_text)(struct cli *cli, const char *text))
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
	if (get(cli, ve, &text) < 0)
		return cli_fail(cli);
	if (cli->json)
		return cli_print_document(cli, text);
	if (!print)
		return print_text(cli, text);
	yajl_val document cleanup_json = json_read(cli, text);
	return document ? print(document) : EXIT_FAILED;
}
