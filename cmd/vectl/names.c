/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectl.h"

int cli_names(struct cli *cli, int argc, char **argv, int all, struct names *ret)
{
	int given = argc - optind;

	if (all && given)
		return cli_usage(cli, cli->verb->name, "names and --all exclude each other");
	if (!all && !given)
		return cli_usage(cli, cli->verb->name, "the name of a VE is missing");
	cli->several |= all || given > 1;
	if (!all) {
		*ret = (struct names){.list = argv + optind, .n = given};
		return 0;
	}
	int r = cli_host(cli);
	if (r)
		return r;
	struct names found = {0};
	if (ve_list_names(cli->host, &found.owned) < 0)
		return cli_fail(cli);
	found.list = found.owned;
	while (found.list[found.n])
		found.n++;
	*ret = found;
	return 0;
}

void cli_names_free(struct names *names)
{
	if (names->owned)
		ve_free_names(names->owned);
}

int cli_each(
	struct cli *cli, const struct names *names, int (*fn)(struct cli *cli, struct ve *ve, void *arg), void *arg)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < names->n; i++) {
		struct ve *ve cleanup_ve = NULL;
		int r = cli_open_ve(cli, names->list[i], &ve);
		/* of the others, the first one would fail for the same reason */
		int host_failed = r && (!cli->host || ve_error_code(cli->host) == VE_E_PERMISSION);

		if (!r)
			r = fn(cli, ve, arg);
		status = cli_worst(status, r);
		if (host_failed || r == EXIT_INTERRUPTED)
			break;
	}
	return status;
}

int cli_one_name(struct cli *cli, int argc, char **argv, int min, int max, const char **ret)
{
	int more = argc - optind - 1;

	if (more < 0)
		return cli_usage(cli, cli->verb->name, "the name of a VE is missing");
	if (more < min)
		return cli_usage(cli, cli->verb->name, "something is missing, wanted are: %s", cli->verb->args);
	if (more > max)
		return cli_usage(cli, cli->verb->name, "one word too many: %s", argv[optind + 1 + max]);
	*ret = argv[optind];
	return 0;
}
