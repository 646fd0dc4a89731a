/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "colour.h"
#include "json.h"
#include "table.h"
#include "vectl.h"

enum { OPT_STATE = 300, OPT_LABEL, OPT_NAMES, COLUMNS_MAX = 32, CELL = 1024 };

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"state", required_argument, NULL, OPT_STATE},
	{"label", required_argument, NULL, OPT_LABEL},
	{"names", no_argument, NULL, OPT_NAMES},
	CLI_OPTIONS,
	{0},
};

/* ---- cells: each writes what one column shows of a VE; an empty cell is shown as a dash */

static void cell_text(yajl_val v, char *cell)
{
	snprintf(cell, CELL, "%s", v && json_text(v) ? json_text(v) : "");
}

static void cell_count(yajl_val v, char *cell)
{
	long long n = json_number(v, 0);
	if (n > 0)
		snprintf(cell, CELL, "%lld", n);
}

static void cell_bytes(yajl_val v, char *cell)
{
	human_bytes(cell, json_number(v, -1));
}

static void cell_uptime(yajl_val v, char *cell)
{
	human_uptime(cell, json_number(v, -1));
}

static void cell_yes(yajl_val v, char *cell)
{
	snprintf(cell, CELL, "%s", !v ? "-" : json_true(v) ? "yes" : "no"); /* an init that cannot say */
}

static void cell_list(yajl_val v, char *cell)
{
	for (size_t i = 0, used = 0; i < json_size(v) && used < CELL; i++) {
		const char *text = json_text(YAJL_GET_ARRAY(v)->values[i]);
		used += snprintf(cell + used, CELL - used, "%s%s", i ? "," : "", text ? text : "?");
	}
}

static void cell_labels(yajl_val v, char *cell)
{
	for (size_t i = 0, used = 0; v && YAJL_IS_OBJECT(v) && i < YAJL_GET_OBJECT(v)->len && used < CELL; i++) {
		const char *text = json_text(YAJL_GET_OBJECT(v)->values[i]);
		used += snprintf(cell + used, CELL - used, "%s%s=%s", i ? "," : "", YAJL_GET_OBJECT(v)->keys[i],
			text ? text : "?");
	}
}

static const struct column {
	const char *key; /* in the document and for -o */
	struct table_column heading;
	void (*show)(yajl_val v, char *cell);
	int by_default;
} columns[] = {
	{"name", {"NAME", .flex = 1}, cell_text, 1},
	{"state", {"STATE", .state = 1}, cell_text, 1},
	{"ready", {"READY"}, cell_yes, 0},
	{"image", {"IMAGE", .flex = 1}, cell_text, 1},
	{"addresses", {"ADDRESSES", .flex = 1}, cell_list, 1},
	{"memory", {"MEMORY", .right = 1}, cell_bytes, 1},
	{"uptime", {"UPTIME", .right = 1}, cell_uptime, 1},
	{"pid", {"PID", .right = 1}, cell_count, 0},
	{"boot", {"BOOT", .right = 1}, cell_count, 0},
	{"labels", {"LABELS", .flex = 1}, cell_labels, 0},
	{"suspended", {"SUSPENDED", .flex = 1}, cell_text, 0},
};
enum { N_COLUMNS = sizeof(columns) / sizeof(columns[0]) };

struct request {
	const struct column *chosen[COLUMNS_MAX];
	size_t n;
	const char *state, *label;
	int names;
};

static const struct column *find_column(const char *name, size_t length)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		if (strlen(columns[i].key) == length && !strncmp(columns[i].key, name, length))
			return &columns[i];
	return NULL;
}

static int choose_columns(struct cli *cli, const char *list, struct request *q)
{
	q->n = 0;
	for (const char *p = list;; p++) {
		size_t length = strcspn(p, ",");
		const struct column *c = find_column(p, length);
		if (!c)
			return cli_usage(cli, "list", "-o: no such column: %.*s", (int)length, p);
		if (q->n == COLUMNS_MAX)
			return cli_usage(cli, "list", "-o: at most %d columns", COLUMNS_MAX);
		q->chosen[q->n++] = c;
		p += length;
		if (!*p)
			return 0;
	}
}

static int choose_state(struct cli *cli, const char *state, struct request *q)
{
	for (int s = VE_STOPPED; s <= VE_STOPPING; s++)
		if (!strcmp(state, ve_state_name(s))) {
			q->state = state;
			return 0;
		}
	return cli_usage(cli, "list", "--state=%s: no such state", state);
}

static int parse(struct cli *cli, int argc, char **argv, struct request *q)
{
	int r = 0;

	for (size_t i = 0; i < N_COLUMNS; i++)
		if (columns[i].by_default)
			q->chosen[q->n++] = &columns[i];
	for (int c; (c = cli_getopt(cli, argc, argv, "o:", options)) != -1;) {
		switch (c) {
		case 'o':
			r = choose_columns(cli, optarg, q);
			break;
		case OPT_STATE:
			r = choose_state(cli, optarg, q);
			break;
		case OPT_LABEL:
			q->label = optarg;
			break;
		case OPT_NAMES:
			q->names = 1;
			break;
		default:
			return cli->status ? cli->status : -1; /* -1: help was wanted and given */
		}
		if (r)
			return r;
	}
	return optind < argc ? cli_usage(cli, "list", "one word too many: %s", argv[optind]) : 0;
}

static int wanted(const struct request *q, yajl_val ve)
{
	const char *state = json_text(json_at(ve, "state"));
	char key[256];

	if (q->state && (!state || strcmp(state, q->state)))
		return 0;
	if (!q->label)
		return 1;
	const char *equals = strchr(q->label, '=');
	snprintf(key, sizeof(key), "%.*s", equals ? (int)(equals - q->label) : (int)strlen(q->label), q->label);
	const char *value = json_text(json_at(json_at(ve, "labels"), key));
	return value && (!equals || !strcmp(value, equals + 1));
}

/* One that is suspended is no state of its own, but nobody shall wonder why it does not start. */
static void show_cell(const struct column *c, yajl_val ve, char *cell)
{
	c->show(json_at(ve, c->key), cell);
	size_t used = strlen(cell);
	if (c->heading.state && json_text(json_at(ve, "suspended")))
		snprintf(cell + used, CELL - used, " (suspended)");
}

static int print_table(const struct cli *cli, const struct request *q, yajl_val ves)
{
	struct table_column headings[COLUMNS_MAX];

	for (size_t i = 0; i < q->n; i++)
		headings[i] = q->chosen[i]->heading;
	struct table *t cleanup_table = table_new(headings, q->n);
	if (!t)
		return EXIT_FAILED;
	for (size_t i = 0; i < json_size(ves); i++) {
		yajl_val ve = YAJL_GET_ARRAY(ves)->values[i];
		for (size_t c = 0; wanted(q, ve) && c < q->n; c++) {
			char cell[CELL] = "";
			show_cell(q->chosen[c], ve, cell);
			table_add(t, cell);
		}
	}
	table_colour(t, colour_wanted(cli));
	table_print(t);
	return EXIT_DONE;
}

static int print_names(const struct request *q, yajl_val ves)
{
	for (size_t i = 0; i < json_size(ves); i++) {
		yajl_val ve = YAJL_GET_ARRAY(ves)->values[i];
		if (wanted(q, ve))
			puts(json_text(json_at(ve, "name")) ? json_text(json_at(ve, "name")) : "?");
	}
	return EXIT_DONE;
}

static int print_filtered_json(struct cli *cli, const struct request *q, yajl_val ves)
{
	const char *comma = "";

	fputs("{\"format\":1,\"ves\":[", stdout);
	for (size_t i = 0; i < json_size(ves); i++) {
		yajl_val ve = YAJL_GET_ARRAY(ves)->values[i];
		if (!wanted(q, ve))
			continue;
		fputs(comma, stdout);
		if (q->names)
			cli_json_string(stdout, json_text(json_at(ve, "name")));
		else
			json_write(stdout, ve);
		comma = ",";
	}
	fputs("]}\n", stdout);
	cli->printed = 1;
	return EXIT_DONE;
}

/* Names alone need no state of anything: for completion, and for hosts with thousands. */
static int list_names(struct cli *cli)
{
	char **names;

	if (ve_list_names(cli->host, &names) < 0)
		return cli_fail(cli);
	for (char **p = names; *p; p++)
		puts(*p);
	ve_free_names(names);
	return EXIT_DONE;
}

int verb_list(struct cli *cli, int argc, char **argv)
{
	struct request q = {0};
	char *text cleanup_text = NULL;
	int r = parse(cli, argc, argv, &q);

	if (!r)
		r = cli_host(cli);
	if (r)
		return r < 0 ? EXIT_DONE : r;
	int filtered = q.state || q.label;
	if (q.names && !filtered && !cli->json)
		return list_names(cli);
	if (ve_list_json(cli->host, &text) < 0)
		return cli_fail(cli);
	if (cli->json && !filtered && !q.names)
		return cli_print_document(cli, text);

	yajl_val document = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	/* The process ends with this: taking a thousand rows apart again is a tenth of the work. Kept, not lost. */
	static volatile yajl_val kept __attribute__((unused));
	kept = document;
	yajl_val ves = json_at(document, "ves");
	if (cli->json)
		return print_filtered_json(cli, &q, ves);
	return q.names ? print_names(&q, ves) : print_table(cli, &q, ves);
}
