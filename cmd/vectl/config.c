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

/* The document of one key, up to its value. */
static void print_value(struct cli *cli, struct ve *ve, const char *key)
{
	fputs("{\"format\":1,\"ve\":", stdout);
	cli_json_string(stdout, ve_name(ve));
	fputs(",\"key\":", stdout);
	cli_json_string(stdout, key);
	fputs(",\"value\":", stdout);
	cli->printed = 1;
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
	json_print_keys(stdout, spec, "");
	return EXIT_DONE;
}

/* What several keys begin with: net, net.eth0, labels. */
static int get_group(struct cli *cli, struct ve *ve, const char *group)
{
	char *text cleanup_text = NULL, name[256];

	if (ve_get_json(ve, &text) < 0)
		return cli_fail(cli);
	yajl_val spec cleanup_json = json_read(cli, text), at = spec;
	if (!spec)
		return EXIT_FAILED;
	for (const char *p = group; at && *p; p += p[strcspn(p, ".")] ? strcspn(p, ".") + 1 : strcspn(p, ".")) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, "."), p);
		at = json_at(at, name);
	}
	if (!cli->json) {
		json_print_keys(stdout, at, group);
		return EXIT_DONE;
	}
	print_value(cli, ve, group);
	if (at)
		json_write(stdout, at);
	else
		fputs("{}", stdout);
	fputs("}\n", stdout);
	return EXIT_DONE;
}

/* What the spec has at a key, or NULL: of labels and the like the rest of the path is the key, dots and all. */
static yajl_val member(yajl_val spec, const char *key)
{
	char name[256];
	yajl_val at = json_at(spec, key);

	if (at || !spec || !YAJL_IS_OBJECT(spec) || !key[strcspn(key, ".")])
		return at;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(key, "."), key);
	return member(json_at(spec, name), key + strcspn(key, ".") + 1);
}

/* One key as JSON, of the type that it has in the whole spec; a default is not in there. */
static int print_one(struct cli *cli, struct ve *ve, const char *key, const char *text)
{
	char *whole cleanup_text = NULL;

	if (ve_get_json(ve, &whole) < 0)
		return cli_fail(cli);
	yajl_val spec cleanup_json = json_read(cli, whole), at = member(spec, key);
	if (!spec)
		return EXIT_FAILED;
	print_value(cli, ve, key);
	if (at)
		json_write(stdout, at);
	else if (!strcmp(text, "true") || !strcmp(text, "false") || (*text && !text[strspn(text, "0123456789")]))
		fputs(text, stdout);
	else
		cli_json_string(stdout, text);
	fputs("}\n", stdout);
	return EXIT_DONE;
}

static int get_one(struct cli *cli, struct ve *ve, const char *key)
{
	char *text cleanup_text = NULL;
	char wrong[256];
	int r = ve_get(ve, key, &text);

	if (r == -EISDIR)
		return get_group(cli, ve, key);
	if (r == -ENODATA) {
		snprintf(wrong, sizeof(wrong), "%s is not set and has no default", key);
		return cli_error(cli, ve_name(ve), "get", ENODATA, wrong, "vectl set gives it a value");
	}
	if (r < 0)
		return cli_fail(cli);
	if (!cli->json) {
		cli_print_text(stdout, text);
		fputc('\n', stdout);
		return EXIT_DONE;
	}
	return print_one(cli, ve, key, text);
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

/* Whether the key of `word`, KEY or KEY=VALUE, is `path` or what it begins with. */
static int is_of(const char *word, const char *path)
{
	size_t n = strcspn(word, "=");

	if (word[n] && n > 0 && strchr("+-", word[n - 1]))
		n--;
	return !strncmp(word, path, n) && (!path[n] || path[n] == '.');
}

static int is_pending(yajl_val pending, const char *word)
{
	for (size_t i = 0; i < json_size(pending); i++)
		if (is_of(word, json_text(YAJL_GET_ARRAY(pending)->values[i])))
			return 1;
	return 0;
}

static void put_key(FILE *out, int json, int first, const char *key, size_t n)
{
	char *text = strndup(key, n);

	fputs(first ? "" : json ? "," : ", ", out);
	if (json)
		cli_json_string(out, text ? text : "");
	else
		cli_print_text(out, text ? text : "");
	free(text);
}

/* Why, of what could have been in effect at once. */
static char *notes_of(struct cli *cli, struct ve *ve)
{
	char *text cleanup_text = NULL, *list = NULL;
	size_t size, n = 0;
	FILE *out = open_memstream(&list, &size);

	if (!out)
		return NULL;
	if (ve_change_notes(ve, &text) < 0)
		text = NULL;
	for (char *line = text, *end; line && *line; line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		if (cli->json)
			put_key(out, 1, !n++, line, (size_t)(end - line));
		else
			cli_note(cli, "%s: %.*s", ve_name(ve), (int)(end - line), line);
	}
	if (fclose(out)) {
		free(list);
		return NULL;
	}
	return list;
}

static void put_lists(struct cli *cli, const char *live, const char *waits, const char *notes)
{
	const char *keys[] = {"live", "pending", "notes"}, *items[] = {live, waits, notes};

	for (int i = 0; i < 3; i++) {
		char *list cleanup_text = NULL;
		if (asprintf(&list, "[%s]", items[i]) >= 0)
			cli_add_to_result(cli, keys[i], list);
	}
}

/* "live", "pending" and "notes" of a change, as members of the document or as lines. */
static void say_effect(struct cli *cli, struct ve *ve, yajl_val pending, char *const *words)
{
	char *live cleanup_text = NULL, *waits cleanup_text = NULL, *notes cleanup_text = NULL;
	size_t live_size, waits_size, n = 0;
	FILE *out = open_memstream(&live, &live_size);

	if (!out)
		return;
	for (size_t i = 0; words && words[i]; i++) {
		size_t length = strcspn(words[i], "=");
		if (words[i][length] && length > 0 && strchr("+-", words[i][length - 1]))
			length--;
		if (!is_pending(pending, words[i]))
			put_key(out, cli->json, !n++, words[i], length);
	}
	if (fclose(out) || !(out = open_memstream(&waits, &waits_size)))
		return;
	for (size_t i = 0; i < json_size(pending); i++) {
		const char *key = json_text(YAJL_GET_ARRAY(pending)->values[i]);
		put_key(out, cli->json, !i, key, strlen(key));
	}
	if (fclose(out))
		return;
	if (cli->json) {
		notes = notes_of(cli, ve);
		put_lists(cli, live, waits, notes ? notes : "");
		return;
	}
	if (*live)
		cli_note(cli, "%s: in effect: %s", ve_name(ve), live);
	if (*waits)
		cli_note(cli, "%s: waits for the next start: %s", ve_name(ve), waits);
	notes = notes_of(cli, ve);
}

int cli_changed(struct cli *cli, struct ve *ve, char *const *words)
{
	char *text cleanup_text = NULL;
	int state = ve_state(ve), r = cli_done(cli, ve_name(ve), state < 0 ? NULL : ve_state_name(state));

	/* Of a VE that does not run everything waits, and nothing need be said. */
	if (state <= VE_STOPPED || (cli->quiet && !cli->json) || ve_info_json(ve, &text) < 0) {
		put_lists(cli, "", "", "");
		return r;
	}
	yajl_val document cleanup_json = json_read(cli, text);
	say_effect(cli, ve, document ? json_at(json_at(document, "ve"), "pending") : NULL, words);
	return r;
}

int verb_set(struct cli *cli, int argc, char **argv)
{
	const char *name;
	struct ve *ve cleanup_ve = NULL;
	int r = open_named(cli, argc, argv, 1, argc, &name, &ve);

	if (r)
		return r < 0 ? EXIT_DONE : r;
	if (ve_set(ve, (const char *const *)argv + optind + 1) < 0)
		return cli_fail(cli);
	r = cli_changed(cli, ve, argv + optind + 1);
	for (char **a = argv + optind + 1; !r && *a; a++)
		if (!strncmp(*a, "privileged=", 11) || !strncmp(*a, "network=", 8)) {
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
	if (ve_unset(ve, (const char *const *)argv + optind + 1) < 0)
		return cli_fail(cli);
	return cli_changed(cli, ve, argv + optind + 1);
}
