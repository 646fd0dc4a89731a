/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* help: the commands from the table of verbs, the keys from libve's. */
#include <errno.h>
#include <string.h>

#include "json.h"
#include "vectl.h"
#include "wrap.h"

enum { KEY_COLUMN = 20, WIDTH = 79 };

void cli_print_overview(FILE *out)
{
	fputs("usage: vectl [OPTION]... COMMAND [ARGUMENT]...\n\nSystem containers: virtual environments (VEs) with a "
	      "full "
	      "init.\n\nCommands:\n",
		out);
	for (const struct verb *v = verbs; v->name; v++)
		fprintf(out, "  %-9s %s\n", v->name, v->summary);
	fputs("\nOptions, before the command or after it:\n"
	      "  --root=DIR       work under DIR instead of / (or VECTL_ROOT)\n"
	      "  --json           one JSON document on stdout\n"
	      "  --color=WHEN     auto, always or never\n"
	      "  --progress=MODE  auto, json (JSON Lines on stdout) or none\n"
	      "  -q, -v           say less, say more\n"
	      "  --help, --version\n"
	      "\n'vectl help COMMAND' tells more. A first VE:\n"
	      "  vectl create web1 --image debian/13 --start\n",
		out);
}

/* Words up to the end of the line, filled to WIDTH; more lines of it begin at column `indent`. */
static void put_wrapped(const char *text, int column, int indent)
{
	wrap_words(stdout, text, WIDTH, column, indent, "");
	putchar('\n');
}

/* A line an option; its description stays in its column. */
static void put_option_lines(const char *lines)
{
	while (*lines) {
		int head = (int)strspn(lines, " "), length = (int)strcspn(lines, "\n");
		const char *gap = strstr(lines + head, "  ");
		if (gap && gap < lines + length)
			head = (int)(gap - lines + strspn(gap, " "));
		printf("%.*s", head, lines);
		put_wrapped(lines + head, head, head);
		lines += length + (lines[length] == '\n');
	}
}

static int refuse_json(struct cli *cli)
{
	return cli_usage(cli, "help",
		"the help of a command is no document: leave out --json; `vectl help keys --json` has the keys");
}

int cli_help(struct cli *cli, const struct verb *v)
{
	if (cli->json)
		return refuse_json(cli);
	cli->printed = 1;
	if (!v) {
		cli_print_overview(stdout);
		return EXIT_DONE;
	}
	int column = printf("usage: vectl %s%s", v->name, *v->args ? " " : "");
	put_wrapped(v->args, column, column);
	printf("\n%s\n", v->summary);
	if (v->alias)
		printf("\nAlso: vectl %s\n", v->alias);
	if (v->options) {
		putchar('\n');
		put_option_lines(v->options);
	}
	if (v->example)
		printf("\nExample: %s\n", v->example);
	return EXIT_DONE;
}

/* ---- keys */

/* Whether `word` is the key, a name in place of each `*`, or what the key begins with. */
static int is_key(yajl_val key, const char *word, int *ret_whole)
{
	const char *k = json_text(json_at(key, "key"));

	for (;;) {
		size_t n = strcspn(k, "."), m = strcspn(word, ".");
		int any = n == 1 && *k == '*';

		if (any && json_true(json_at(key, "rest_is_key"))) {
			*ret_whole = 1;
			return *word != '\0';
		}
		if (m == 0 || (!any && (n != m || memcmp(k, word, n) != 0)))
			return 0;
		*ret_whole = !k[n] && !word[m];
		if (!word[m])
			return 1;
		if (!k[n])
			return 0;
		k += n + 1;
		word += m + 1;
	}
}

static const char *changes(yajl_val key)
{
	return !json_true(json_at(key, "supported")) ? "refused"
	       : json_true(json_at(key, "readonly")) ? "fixed"
	       : json_true(json_at(key, "live"))     ? "live"
						     : "next";
}

static const struct {
	const char *word, *sentence;
} change_words[] = {
	{"live", "takes effect at once"},
	{"next", "waits for the next start of a VE that runs"},
	{"fixed", "not possible: fixed when the VE is created"},
	{"refused", "refused: known, but not carried out by this version"},
};

static void put_words(FILE *out, yajl_val list, const char *join)
{
	for (size_t i = 0; i < json_size(list); i++)
		fprintf(out, "%s%s", i ? join : "", json_text(YAJL_GET_ARRAY(list)->values[i]));
}

static void put_example(const char *with, const char *example)
{
	const char *quote = strchr(example, ' ') ? "'" : "";

	printf("  Example:  vectl set web1 %s%s%s%s%s\n", with ? with : "", with ? " " : "", quote, example, quote);
}

static void put_key(yajl_val key)
{
	const char *change = changes(key), *fallback = json_text(json_at(key, "default"));
	size_t i = 0;

	printf("%s\n", json_text(json_at(key, "key")));
	fputs("  ", stdout);
	put_wrapped(json_text(json_at(key, "doc")), 2, 2);
	printf("\n  Takes:    %s\n", json_text(json_at(key, "takes")));
	if (json_size(json_at(key, "choices"))) {
		fputs("  Values:   ", stdout);
		put_words(stdout, json_at(key, "choices"), ", ");
		putchar('\n');
	}
	if (json_size(json_at(key, "refused"))) {
		fputs("  Refused:  ", stdout);
		put_words(stdout, json_at(key, "refused"), ", ");
		fputs(" (by this version)\n", stdout);
	}
	printf("  Default:  %s\n", fallback ? fallback : "not set");
	while (strcmp(change_words[i].word, change) != 0)
		i++;
	printf("  Change:   %s\n", change_words[i].sentence);
	if (!strcmp(change, "live") || !strcmp(change, "next"))
		put_example(json_text(json_at(key, "example_with")), json_text(json_at(key, "example")));
}

/* One line a key, in the column of a man page's list; those that are refused last. */
static void list_keys(yajl_val keys, const char *group)
{
	for (int refused = 0; refused < 2; refused++) {
		int n = 0, whole;
		for (size_t i = 0; i < json_size(keys); i++) {
			yajl_val key = YAJL_GET_ARRAY(keys)->values[i];
			if ((group && !is_key(key, group, &whole)) || (strcmp(changes(key), "refused") == 0) != refused)
				continue;
			if (!n++ && refused)
				puts("\nKnown, but not carried out by this version:");
			else if (n == 1)
				puts("Keys of a VE's spec; `vectl help KEY` tells more, and ve.json(5) has all of it:");
			printf("  %-*s %s\n", KEY_COLUMN, json_text(json_at(key, "key")),
				json_text(json_at(key, "takes")));
		}
	}
}

static int print_keys_tsv(yajl_val keys)
{
	for (size_t i = 0; i < json_size(keys); i++) {
		yajl_val key = YAJL_GET_ARRAY(keys)->values[i];
		printf("%s\t%s\t%s\t", json_text(json_at(key, "key")), json_text(json_at(key, "type")), changes(key));
		put_words(stdout, json_at(key, "choices"), "|");
		putchar('\n');
	}
	return EXIT_DONE;
}

/* `word` NULL: all of them. 0: there is no such key. */
static int help_keys(struct cli *cli, yajl_val keys, const char *word)
{
	int found = 0, whole = 0;

	for (size_t i = 0; word && i < json_size(keys); i++) {
		yajl_val key = YAJL_GET_ARRAY(keys)->values[i];
		int all = 0;
		if (!is_key(key, word, &all))
			continue;
		found++;
		if (all && !cli->json)
			put_key(key);
		whole |= all;
	}
	if (word && !found)
		return 0;
	if (cli->json) {
		int n = 0, all;
		fputs("{\"format\":1,\"keys\":[", stdout);
		for (size_t i = 0; i < json_size(keys); i++)
			if (!word || is_key(YAJL_GET_ARRAY(keys)->values[i], word, &all)) {
				fputs(n++ ? "," : "", stdout);
				json_write(stdout, YAJL_GET_ARRAY(keys)->values[i]);
			}
		fputs("]}\n", stdout);
	} else if (!whole) {
		list_keys(keys, word);
	}
	cli->printed = 1;
	return 1;
}

/* ---- for completion */

/* "--wait=running|ready" of "  --wait=running|ready     return when ..."; "of a b c" as the text says which words. */
static void put_options(const char *lines)
{
	int n = 0;

	for (const char *line = lines; line && *line; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL)) {
		char text[512], *description, *word, *rest, words[256] = "";
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
		char *start = text + strspn(text, " ");
		description = strstr(start, "  ");
		if (description) {
			*description = '\0';
			description += 2 + strspn(description + 2, " ");
			if (!strncmp(description, "of ", 3) &&
				strspn(description, "abcdefghijklmnopqrstuvwxyz- ") == strlen(description))
				snprintf(words, sizeof(words), "%s", description + 3);
		}
		for (char *p = words; *p; p++)
			*p = *p == ' ' ? '|' : *p;
		const char *meta = strchr(start, '=');
		for (word = strtok_r(start, ", []", &rest); word; word = strtok_r(NULL, ", []", &rest)) {
			if (*word != '-' || !word[1])
				continue;
			char *equals = strchr(word, '=');
			printf("%s%.*s", n++ ? " " : "", equals ? (int)(equals - word) : (int)strlen(word), word);
			if (meta)
				printf("=%.*s", *words ? (int)strlen(words) : (int)strcspn(meta + 1, ", ]"),
					*words ? words : meta + 1);
		}
	}
}

/*
 * What the words of `args` are: the NAME of an image that is made (`image`, which a template may make too), the name of
 * one that has to be there (`stored`), a SOURCE or FILE; of NAME SOURCE, the first is one that nobody has yet.
 */
static const char *kind_of_arg(const char *arg, size_t n)
{
	int is_new = !strncmp(arg + n, " SOURCE", 7);

	if (!strncmp(arg, "NAME", 4))
		return is_new              ? "-"
		       : arg[n - 1] == '.' ? "stored..."
		       : n > 4             ? "stored" /* NAME|ID */
					   : "image";
	return !strncmp(arg, "SOURCE", 6) || !strncmp(arg, "FILE", 4) ? "file" : "-";
}

static void put_args(const char *args, size_t n)
{
	int first = 1;

	while (n > 0) {
		size_t k = 0;
		while (k < n && args[k] != ' ')
			k++;
		if (k > 0 && *args != '[' && *args != '-')
			printf("%s%s", first ? "" : " ", kind_of_arg(args, k));
		first = k > 0 ? 0 : first;
		args += k;
		n -= k;
		while (n > 0 && *args == ' ')
			args++, n--;
	}
}

/* A verb whose help lists actions: each is a line of its own, "image remove". */
static void put_actions(const struct verb *v)
{
	for (const char *line = v->options; line && *line; line += strcspn(line, "\n") + (strchr(line, '\n') != NULL)) {
		const char *word = line + strspn(line, " "), *end = strstr(word, "  ");
		char text[256];
		size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz");
		if (word - line != 2 || n == 0 || !end || !strchr(" ", word[n]))
			continue;
		printf("%s %.*s\t\t", v->name, (int)n, word);
		put_args(word + n, end - word - n);
		putchar('\t');
		snprintf(text, sizeof(text), "%.*s", (int)(end - word - n), word + n);
		put_options(text);
		putchar('\n');
	}
}

static int print_verbs_tsv(void)
{
	for (const struct verb *v = verbs; v->name; v++) {
		const char *takes = v->takes                                                              ? v->takes
				    : !strncmp(v->args, "NAME...", 7) || !strncmp(v->args, "[NAME...", 8) ? "ve..."
				    : !strncmp(v->args, "NAME", 4)                                        ? "ve"
													  : "";
		printf("%s\t%s\t%s\t", v->name, v->alias ? v->alias : "", takes);
		put_options(v->options);
		putchar('\n');
		put_actions(v);
	}
	return EXIT_DONE;
}

/* ---- the verb */

enum { OPT_KEYS = 300, OPT_VERBS };
static const struct option options[] = {
	{"keys", no_argument, NULL, OPT_KEYS}, {"verbs", no_argument, NULL, OPT_VERBS}, CLI_OPTIONS, {0}};

int verb_help(struct cli *cli, int argc, char **argv)
{
	char *text cleanup_text = NULL;
	int what = 0;

	for (int c; (c = cli_getopt(cli, argc, argv, "", options)) != -1; what = c)
		if (c != OPT_KEYS && c != OPT_VERBS)
			return cli->status;
	if (what && cli->json)
		return refuse_json(cli);
	if (what == OPT_VERBS)
		return print_verbs_tsv();
	const char *word = what ? NULL : argv[optind];
	const struct verb *verb = word ? cli_find_verb(word) : NULL;
	if (!what && (!word || verb)) {
		if (word && argv[optind + 1])
			return cli_usage(cli, "help", "one word too many: %s", argv[optind + 1]);
		return cli_help(cli, verb);
	}
	if (ve_keys_json(&text) < 0)
		return cli_error(cli, NULL, "help", ENOMEM, "memory is out", "free some memory");
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	if (what == OPT_KEYS)
		return print_keys_tsv(json_at(document, "keys"));
	if (help_keys(cli, json_at(document, "keys"), strcmp(word, "keys") ? word : NULL))
		return EXIT_DONE;
	return strchr(word, '.') ? cli_usage(cli, "help", "%s: no such key; `vectl help keys` has them", word)
				 : cli_unknown_verb(cli, word);
}
