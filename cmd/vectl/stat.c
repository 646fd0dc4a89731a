/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "usage.h"
#include "vectl.h"

enum { INTERVAL_MS = 250 };
static const struct option options[] = {{"interval", required_argument, NULL, 'i'}, CLI_OPTIONS, {0}};

int verb_stat(struct cli *cli, int argc, char **argv)
{
	struct ve_stat_options o = {.size = sizeof(o), .interval_ms = INTERVAL_MS};
	char *text cleanup_text = NULL;
	struct usage *rows = NULL;
	size_t n = 0;

	for (int c; (c = cli_getopt(cli, argc, argv, "i:", options)) != -1;) {
		if (c != 'i')
			return cli->status;
		o.interval_ms = cli_seconds_to_ms(optarg);
		if (o.interval_ms <= 0 || o.interval_ms > 3600 * 1000)
			return cli_usage(cli, "stat", "--interval=%s: it is a number of seconds", optarg);
	}
	int r = cli_host(cli);
	if (r)
		return r;
	if (optind < argc)
		o.names = (const char *const *)argv + optind;
	if (ve_stat_json(cli->host, &o, &text) < 0)
		return cli_fail(cli);
	if (cli->json)
		return cli_print_document(cli, text);
	if (usage_read(cli, text, &rows, &n))
		return EXIT_FAILED;
	r = usage_print(cli, rows, n);
	free(rows);
	return r;
}
