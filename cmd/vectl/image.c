/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <time.h>

#include "json.h"
#include "table.h"
#include "vectl.h"

enum { OPT_NAMES = 300, ID_SHOWN = 12 };
static const struct option list_options[] = {{"names", no_argument, NULL, OPT_NAMES}, CLI_OPTIONS, {0}};

static int print_names(yajl_val images)
{
	for (size_t i = 0; i < json_size(images); i++) {
		const char *name = json_text(json_at(YAJL_GET_ARRAY(images)->values[i], "name"));
		if (name)
			puts(name);
	}
	return EXIT_DONE;
}

static int print_table(yajl_val images)
{
	static const struct table_column columns[] = {
		{"NAME", .flex = 1}, {"ID"}, {"OS"}, {"SIZE", .right = 1}, {"CREATED"}, {"VES", .right = 1}};
	struct table *t cleanup_table = table_new(columns, sizeof(columns) / sizeof(*columns));
	if (!t)
		return EXIT_FAILED;
	for (size_t i = 0; i < json_size(images); i++) {
		yajl_val image = YAJL_GET_ARRAY(images)->values[i];
		char id[ID_SHOWN + 1], size[HUMAN], created[32] = "", users[HUMAN];
		const char *text = json_text(json_at(image, "id"));
		time_t when = (time_t)json_number(json_at(image, "created"), 0);
		struct tm tm;
		snprintf(id, sizeof(id), "%s", text ? text : "");
		if (when > 0 && localtime_r(&when, &tm))
			strftime(created, sizeof(created), "%Y-%m-%d %H:%M", &tm);
		snprintf(users, sizeof(users), "%lld", json_number(json_at(image, "ve_count"), 0));
		table_add(t, json_text(json_at(image, "name")));
		table_add(t, id);
		table_add(t, json_text(json_at(image, "os")));
		table_add(t, human_bytes(size, json_number(json_at(image, "size"), -1)));
		table_add(t, created);
		table_add(t, users);
	}
	table_print(t);
	return EXIT_DONE;
}

static int image_list(struct cli *cli, int names)
{
	char *text cleanup_text = NULL;
	if (ve_image_list_json(cli->host, &text) < 0)
		return cli_fail(cli);
	if (cli->json && !names)
		return cli_print_document(cli, text);
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	yajl_val images = json_at(document, "images");
	return names ? print_names(images) : print_table(images);
}

static int done(struct cli *cli, const char *image, const char *what, int r)
{
	cli_progress_clear();
	if (r < 0)
		return cli_fail(cli);
	if (cli->json) {
		fputs("{\"format\":1,\"image\":", stdout);
		cli_json_string(stdout, image);
		fputs(",\"action\":", stdout);
		cli_json_string(stdout, what);
		fputs("}\n", stdout);
		cli->printed = 1;
	} else {
		cli_note(cli, "%s: %s", image, what);
	}
	return EXIT_DONE;
}

static int image_build(struct cli *cli, char **args)
{
	return done(cli, args[0], "built", ve_image_build(cli->host, args[0]));
}

static int image_import(struct cli *cli, char **args)
{
	return done(cli, args[0], "imported", ve_image_import(cli->host, args[0], args[1]));
}

static int image_remove(struct cli *cli, char **args)
{
	return done(cli, args[0], "removed", ve_image_remove(cli->host, args[0]));
}

static const struct action {
	const char *name, *args;
	int count;
	int (*fn)(struct cli *cli, char **args);
} actions[] = {
	{"build", "NAME", 1, image_build},
	{"import", "NAME FILE|FOLDER", 2, image_import},
	{"list", "", 0, NULL},
	{"remove", "NAME", 1, image_remove},
};

int verb_image(struct cli *cli, int argc, char **argv)
{
	const struct action *action = NULL;
	int names = 0;

	/* Options may come before, between and after; which of them fit depends on the action. */
	for (int c; (c = cli_getopt(cli, argc, argv, "", list_options)) != -1;) {
		if (c != OPT_NAMES)
			return cli->status;
		names = 1;
	}
	if (optind >= argc)
		return cli_usage(cli, "image", "which of list, build, import, remove?");
	const char *word = argv[optind++];
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(word, actions[i].name))
			action = &actions[i];
	if (!action)
		return cli_usage(cli, "image", "%s: not one of list, build, import, remove", word);
	if (argc - optind != action->count)
		return cli_usage(cli, "image", "%s wants %s", word, *action->args ? action->args : "no more words");
	if (names && action->fn)
		return cli_usage(cli, "image", "--names belongs to list");
	int r = cli_host(cli);
	if (r)
		return r;
	return action->fn ? action->fn(cli, argv + optind) : image_list(cli, names);
}
