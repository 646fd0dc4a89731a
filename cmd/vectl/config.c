/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "json.h"
#include "vectl.h"

static const struct option options[] = {CLI_OPTIONS, {0}};

static int open_named(struct cli *cli, int argc, char **argv, int min, int max, const char **name, struct ve **ret)
{
	/* -1: help was wanted and given. Options may stand among the words, since no key begins with a dash. */
	if (cli_getopt(cli, argc, argv, "", options) != -1)
		return cli->status ? cli->status : -1;
	int r = cli_one_name(cli, argc, argv, min, max, name);
	return r ? r : cli_open_ve(cli, *name, ret);
}

static int get_all(struct cli *cli, struct ve *ve)
{
	char *text cleanup_text = NULL;

	if (ve_get_json(ve, &text) < 0)
		return cli_fail(cli);
	if (cli->json)
		return cli_print_document(cli, text);
	yajl_val spec cleanup_json = json_read(cli, text);
	if (!spec)
		return EXIT_FAILED;
	json_flatten(stdout, spec, "");
	return EXIT_DONE;
}

static int get_one(struct cli *cli, struct ve *ve, const char *key)
{
	char *text cleanup_text = NULL;
	char wrong[256];
	int r = ve_get(ve, key, &text);

	if (r == -ENODATA) {
		snprintf(wrong, sizeof(wrong), "%s is not set and has no default", key);
		return cli_error(cli, ve_name(ve), "get", ENODATA, wrong, NULL);
	}
	if (r < 0)
		return cli_fail(cli);
	if (!cli->json) {
		cli_print_text(stdout, text);
		fputc('\n', stdout);
		return EXIT_DONE;
	}
	const char *words[] = {"{\"format\":1,\"ve\":", ve_name(ve), ",\"key\":", key, ",\"value\":", text};
	for (int i = 0; i < 6; i += 2) {
		fputs(words[i], stdout);
		cli_json_string(stdout, words[i + 1]);
	}
	fputs("}\n", stdout);
	cli->printed = 1;
	return EXIT_DONE;
}

int verb_get(struct cli *cli, int argc, char **argv)
{
	const char *name;
	struct ve *ve cleanup_ve = NULL;
	int r = open_named(cli, argc, argv, 0, 1, &name, &ve);

	if (r)
		return r < 0 ? EXIT_DONE : r;
	return argc - optind > 1 ? get_one(cli, ve, argv[optind + 1]) : get_all(cli, ve);
}

/* What of a running VE's spec waits for its next start; the JSON has it in `info`. */
static void say_pending(struct cli *cli, struct ve *ve)
{
	char *text cleanup_text = NULL, keys[1024] = "";
	size_t used = 0;

	if (cli->json || cli->quiet || ve_info_json(ve, &text) < 0)
		return;
	yajl_val document cleanup_json = json_read(cli, text);
	yajl_val pending = document ? json_at(json_at(document, "ve"), "pending") : NULL;
	for (size_t i = 0; i < json_size(pending) && used < sizeof(keys); i++)
		used += snprintf(keys + used, sizeof(keys) - used, "%s%s", i ? ", " : "",
			json_text(YAJL_GET_ARRAY(pending)->values[i]));
	if (used)
		cli_note(cli, "%s: waits for the next start: %s", ve_name(ve), keys);
}

static int changed(struct cli *cli, struct ve *ve, int r)
{
	int state;

	if (r < 0)
		return cli_fail(cli);
	state = ve_state(ve);
	if (state > VE_STOPPED)
		say_pending(cli, ve);
	return cli_done(cli, ve_name(ve), state < 0 ? NULL : ve_state_name(state));
}

int verb_set(struct cli *cli, int argc, char **argv)
{
	const char *name;
	struct ve *ve cleanup_ve = NULL;
	int r = open_named(cli, argc, argv, 1, argc, &name, &ve);

	if (r)
		return r < 0 ? EXIT_DONE : r;
	r = changed(cli, ve, ve_set(ve, (const char *const *)argv + optind + 1));
	for (char **a = argv + optind + 1; !r && *a; a++)
		if (!strncmp(*a, "privileged=", 11)) {
			cli_say_lost(cli, ve);
			break;
		}
	return r;
}

int verb_unset(struct cli *cli, int argc, char **argv)
{
	const char *name;
	struct ve *ve cleanup_ve = NULL;
	int r = open_named(cli, argc, argv, 1, argc, &name, &ve);

	if (r)
		return r < 0 ? EXIT_DONE : r;
	return changed(cli, ve, ve_unset(ve, (const char *const *)argv + optind + 1));
}
