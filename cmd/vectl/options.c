/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "colour.h"
#include "vectl.h"

enum { LETTERS_MAX = 32 };
static const char global_letters[] = "hqv";

int cli_global_option(struct cli *cli, int option, const char *value)
{
	switch (option) {
	case CLI_OPT_JSON:
		cli->json = 1;
		return 1;
	case CLI_OPT_ROOT:
		cli->root = value;
		return 1;
	case CLI_OPT_QUIET:
	case 'q':
		cli->quiet = 1;
		return 1;
	case CLI_OPT_VERBOSE:
	case 'v':
		cli->verbose = 1;
		return 1;
	case CLI_OPT_PROGRESS:
		if (!strcmp(value, "json"))
			cli->progress = PROGRESS_JSON;
		else if (!strcmp(value, "none"))
			cli->progress = PROGRESS_NONE;
		else if (!strcmp(value, "auto"))
			cli->progress = PROGRESS_AUTO;
		else
			return -cli_usage(cli, cli->verb ? cli->verb->name : NULL,
				"--progress=%s: it is one of auto, json, none", value);
		return 1;
	case CLI_OPT_COLOUR:
		if (!strcmp(value, "always"))
			cli->colour = COLOUR_ALWAYS;
		else if (!strcmp(value, "never"))
			cli->colour = COLOUR_NEVER;
		else if (!strcmp(value, "auto"))
			cli->colour = COLOUR_AUTO;
		else
			return -cli_usage(cli, cli->verb ? cli->verb->name : NULL,
				"--color=%s: it is one of auto, always, never", value);
		return 1;
	}
	return 0;
}

/* getopt_long has just refused argv[optind - 1], or the letter optopt. */
static int refuse(struct cli *cli, char **argv, int c, const struct option *options)
{
	const char *verb = cli->verb ? cli->verb->name : NULL;
	const struct option *o = options;

	while (o->name && o->val != optopt)
		o++;
	if (c == ':' && optopt && o->name)
		return cli_usage(cli, verb, "--%s needs a value", o->name);
	if (c == ':')
		return cli_usage(cli, verb, "-%c needs a value", optopt);
	if (!optopt)
		return cli_usage(cli, verb, "unknown option %s", argv[optind - 1]);
	if (o->name)
		return cli_usage(cli, verb, "--%s takes no value", o->name);
	return cli_usage(cli, verb, "unknown option -%c", optopt);
}

int cli_getopt(struct cli *cli, int argc, char **argv, const char *letters, const struct option *options)
{
	/* a leading + (and nothing else) may come before the colon that tells a missing value from an unknown option */
	char all[LETTERS_MAX] = "";
	int plus = letters[0] == '+', n;

	n = snprintf(all, sizeof(all), "%s:%s", plus ? "+" : "", letters + plus);
	for (const char *g = global_letters; *g && n + 1 < LETTERS_MAX; g++)
		if (!strchr(letters, *g))
			all[n++] = *g;
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, all, options, NULL)) != -1;) {
		if (c == CLI_OPT_HELP || (c == 'h' && !strchr(letters, 'h'))) {
			cli->status = cli_help(cli, cli->verb);
			return '?';
		}
		if (c == '?' || c == ':') {
			cli->status = refuse(cli, argv, c, options);
			return '?';
		}
		int taken = c < 256 && strchr(letters, c) ? 0 : cli_global_option(cli, c, optarg);
		if (taken == 0)
			return c;
		if (taken < 0) {
			cli->status = -taken;
			return '?';
		}
	}
	return -1;
}

int cli_seconds_to_ms(const char *text)
{
	char *end;

	if (!strcmp(text, "max"))
		return -1;
	if (*text < '0' || *text > '9')
		return INT_MIN; /* strtod would take signs, blanks, inf and nan as well */
	double seconds = strtod(text, &end);
	if (*end || strpbrk(text, "xX") || !isfinite(seconds) || seconds > INT_MAX / 1000)
		return INT_MIN;
	int ms = (int)(seconds * 1000);
	return ms > 0 ? ms : 1; /* 0 is "the default" to the library */
}

int cli_timeout(struct cli *cli, const char *text, int *ret_ms)
{
	int ms = cli_seconds_to_ms(text);
	if (ms == INT_MIN)
		return cli_usage(cli, cli->verb->name, "--timeout=%s: it is a number of seconds, or max", text);
	*ret_ms = ms;
	return 0;
}
