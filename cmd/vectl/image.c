/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <time.h>

#include "image.h"

enum { OPT_NAMES = 300, OPT_ALL, OPT_UNUSED };
static const struct option image_options[] = {{"names", no_argument, NULL, OPT_NAMES},
	{"all", no_argument, NULL, OPT_ALL}, {"unused", no_argument, NULL, OPT_UNUSED}, CLI_OPTIONS, {0}};

static int done(struct cli *cli, const char *image, const char *what, int r)
{
	char *body = NULL;
	size_t size;
	cli_progress_clear();
	if (r < 0)
		return cli_fail(cli);
	if (!cli->json) {
		cli_note(cli, "%s: %s", image, what);
		return EXIT_DONE;
	}
	FILE *out = open_memstream(&body, &size);
	if (!out)
		return EXIT_FAILED;
	fputs("{\"image\":", out);
	cli_json_string(out, image);
	fputs(",\"action\":", out);
	cli_json_string(out, what);
	fputc('}', out);
	if (fclose(out) == 0)
		cli_keep_document(cli, body);
	free(body);
	return EXIT_DONE;
}

static int image_build(struct cli *cli, char **args, int count)
{
	return done(cli, args[0], "built", ve_image_build(cli->host, args[0]));
}

static int image_import(struct cli *cli, char **args, int count)
{
	return done(cli, args[0], "imported", ve_image_import(cli->host, args[0], args[1]));
}

/* ---- remove */

static int remove_unused(struct cli *cli)
{
	char *text cleanup_text = NULL, size[HUMAN];
	if (ve_image_remove_unused(cli->host, &text) < 0)
		return cli_fail(cli);
	if (cli->json)
		return cli_print_document(cli, text);
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	yajl_val removed = json_at(document, "removed");
	for (size_t i = 0; i < json_size(removed); i++) {
		yajl_val image = YAJL_GET_ARRAY(removed)->values[i];
		const char *was = json_text(json_at(image, "was"));
		cli_note(cli, "%.12s: removed, it was %s", json_text(json_at(image, "id")),
			was ? was : "without a name");
	}
	if (json_size(removed))
		cli_note(cli, "%zu removed, %s", json_size(removed),
			human_bytes(size, json_number(json_at(document, "size"), 0)));
	else
		cli_note(cli, "nothing to remove: each image has a name, or a VE that uses it");
	return EXIT_DONE;
}

static int image_remove(struct cli *cli, char **args, int count)
{
	int worst = EXIT_DONE;
	if (count == 0)
		return remove_unused(cli);
	for (int i = 0; i < count; i++)
		worst = cli_worst(worst, done(cli, args[i], "removed", ve_image_remove(cli->host, args[i])));
	return worst;
}

/* ---- verify */

static void print_difference(yajl_val d)
{
	const char *path = json_text(json_at(d, "path")), *what = json_text(json_at(d, "what")),
		   *expected = json_text(json_at(d, "expected")), *found = json_text(json_at(d, "found"));
	int plain = what && (!strcmp(what, "missing") || !strcmp(what, "added"));
	fputs("  ", stdout);
	cli_print_text(stdout, path ? path : "the manifest");
	fputs("  ", stdout);
	cli_print_text(stdout, what ? what : "?");
	if (what && (!strcmp(what, "content") || !strcmp(what, "manifest"))) {
		fputs(" changed", stdout);
	} else if (!plain) {
		fputc(' ', stdout);
		cli_print_text(stdout, expected ? expected : "none");
		fputs(", now ", stdout);
		cli_print_text(stdout, found ? found : "none");
	}
	fputc('\n', stdout);
}

static int verify_one(struct cli *cli, const char *image)
{
	char *text cleanup_text = NULL, wrong[96], tried[160], size[HUMAN];
	int r = ve_image_verify(cli->host, image, &text);
	cli_progress_clear();
	if (r < 0)
		return cli_fail(cli);
	if (cli->json) {
		cli_keep_document(cli, text);
		return r ? EXIT_FAILED : EXIT_DONE;
	}
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	if (!r) {
		cli_note(cli, "%s: good, %lld entries, %s", image, json_number(json_at(document, "entries"), 0),
			human_bytes(size, json_number(json_at(document, "size"), 0)));
		return EXIT_DONE;
	}
	yajl_val differences = json_at(document, "differences");
	long long count = json_number(json_at(document, "difference_count"), 0),
		  shown = (long long)json_size(differences);
	cli_print_text(stdout, image);
	printf(":\n");
	for (size_t i = 0; i < json_size(differences); i++)
		print_difference(YAJL_GET_ARRAY(differences)->values[i]);
	if (count > shown)
		printf("  and %lld more\n", count - shown);
	fflush(stdout);
	snprintf(tried, sizeof(tried), "verifying %.140s", image);
	snprintf(wrong, sizeof(wrong), "broken, %lld difference%s", count, count == 1 ? "" : "s");
	return cli_error(cli, NULL, tried, EBADMSG, wrong,
		"build it again, or import it under another name: where it comes out the same, that mends it");
}

/* Each image once, by a name where it has one. */
static int verify_all(struct cli *cli)
{
	char *text cleanup_text = NULL;
	int worst = EXIT_DONE;
	cli->several = 1;
	if (ve_image_list_json(cli->host, &text) < 0)
		return cli_fail(cli);
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	yajl_val images = json_at(document, "images");
	for (size_t i = 0; i < json_size(images) && worst != EXIT_INTERRUPTED; i++) {
		const char *id = json_text(json_at(YAJL_GET_ARRAY(images)->values[i], "id"));
		const char *name = json_text(json_at(YAJL_GET_ARRAY(images)->values[i], "name"));
		int again = 0;
		for (size_t k = 0; k < i && id; k++) {
			const char *other = json_text(json_at(YAJL_GET_ARRAY(images)->values[k], "id"));
			again |= other && !strcmp(other, id);
		}
		if (id && !again)
			worst = cli_worst(worst, verify_one(cli, name ? name : id));
	}
	return worst;
}

static int image_verify(struct cli *cli, char **args, int count)
{
	int worst = EXIT_DONE;
	if (count == 0)
		return verify_all(cli);
	for (int i = 0; i < count && worst != EXIT_INTERRUPTED; i++)
		worst = cli_worst(worst, verify_one(cli, args[i]));
	return worst;
}

/* ---- which of them */

static const struct action {
	const char *name, *args;
	int min, max; /* words */
	int option;   /* that belongs to it; it stands for the words, but with list */
	int (*fn)(struct cli *cli, char **args, int count);
} actions[] = {
	{"build", "NAME", 1, 1, 0, image_build},
	{"import", "NAME FILE|FOLDER", 2, 2, 0, image_import},
	{"info", "NAME|ID", 1, 1, 0, image_info},
	{"list", "", 0, 0, OPT_NAMES, NULL},
	{"remove", "NAME... or --unused", 1, INT_MAX, OPT_UNUSED, image_remove},
	{"verify", "NAME|ID... or --all", 1, INT_MAX, OPT_ALL, image_verify},
};
#define ACTIONS "list, info, build, import, verify, remove"

int verb_image(struct cli *cli, int argc, char **argv)
{
	const struct action *action = NULL;
	int option = 0;

	/* Options may come before, between and after; which of them fit depends on the action. */
	for (int c; (c = cli_getopt(cli, argc, argv, "", image_options)) != -1; option = c)
		if (c < OPT_NAMES || c > OPT_UNUSED)
			return cli->status;
		else if (option && option != c)
			return cli_usage(cli, "image", "--names, --all and --unused exclude one another");
	if (optind >= argc)
		return cli_usage(cli, "image", "which of " ACTIONS "?");
	const char *word = argv[optind++];
	int words = argc - optind;
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(word, actions[i].name))
			action = &actions[i];
	if (!action)
		return cli_usage(cli, "image", "%s: not one of " ACTIONS, word);
	if (option && option != action->option)
		return cli_usage(cli, "image", "--names belongs to list, --all to verify, --unused to remove");
	int stands_for = option && action->max;
	if (stands_for ? words > 0 : words < action->min || words > action->max)
		return cli_usage(cli, "image", "%s wants %s", word, *action->args ? action->args : "no more words");
	int r = cli_host(cli);
	if (r)
		return r;
	cli->several = words > 1 && action->max > 2;
	return action->fn ? action->fn(cli, argv + optind, words) : image_list(cli, option == OPT_NAMES);
}
