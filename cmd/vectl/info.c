/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <time.h>

#include "show.h"
#include "table.h"
#include "wrap.h"

static void show_value(FILE *out, yajl_val v)
{
	if (json_text(v)) {
		cli_print_text(out, json_text(v));
	} else if (v && YAJL_IS_ARRAY(v)) {
		for (size_t i = 0; i < json_size(v); i++) {
			fputs(i ? " " : "", out);
			show_value(out, YAJL_GET_ARRAY(v)->values[i]);
		}
	} else {
		json_write(out, v);
	}
}

static void show_bytes(FILE *out, yajl_val v)
{
	char buf[HUMAN];
	fputs(human_bytes(buf, json_number(v, -1)), out);
}

static void show_uptime(FILE *out, yajl_val v)
{
	char buf[HUMAN];
	fputs(human_uptime(buf, json_number(v, -1)), out);
}

static void show_time(FILE *out, yajl_val v)
{
	char buf[64];
	time_t when = json_number(v, 0);
	struct tm tm;

	if (json_text(v))
		cli_print_text(out, json_text(v));
	else if (localtime_r(&when, &tm) && strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S %z", &tm))
		fputs(buf, out);
}

static void show_userns(FILE *out, yajl_val v)
{
	long long base = json_number(json_at(v, "base"), 0), count = json_number(json_at(v, "count"), 0);

	fprintf(out, "%lld-%lld", base, base + count - 1);
	if (json_at(v, "owner"))
		fprintf(out, ", user namespace owned by uid %lld", json_number(json_at(v, "owner"), 0));
}

static void show_yes(FILE *out, yajl_val v)
{
	fputs(json_true(v) ? "yes" : "no", out);
}

/* The interface, and of both classes what it received and sent. */
static void show_traffic(FILE *out, yajl_val v)
{
	static const struct {
		const char *key, *before;
	} classes[] = {{"near", " near"}, {"far", ", far"}};
	char in[HUMAN], sent[HUMAN];

	for (size_t i = 0; i < json_size(v); i++) {
		yajl_val one = YAJL_GET_ARRAY(v)->values[i];
		fputs(i ? "; " : "", out);
		show_value(out, json_at(one, "interface"));
		for (size_t k = 0; k < sizeof(classes) / sizeof(classes[0]); k++) {
			yajl_val class = json_at(one, classes[k].key);
			fprintf(out, "%s %s in %s out", classes[k].before,
				human_bytes(in, json_number(json_at(class, "in_bytes"), -1)),
				human_bytes(sent, json_number(json_at(class, "out_bytes"), -1)));
		}
	}
}

/* A row without a key begins a group; what the document lacks, or has empty, is left out, and so are empty groups. */
static const struct row {
	const char *group, *key, *label;
	void (*show)(FILE *out, yajl_val v);
} rows[] = {
	{"Identity"},
	{NULL, "image", "Image", show_value},
	{NULL, "hostname", "Host name", show_value},
	{NULL, "init", "Init", show_value}, /* as the spec has it: what runs may be another until the next start */
	{NULL, "uuid", "UUID", show_value},
	{NULL, "machine_id", "Machine id", show_value},
	{NULL, "labels", "Labels", NULL},
	{NULL, "suspended", "Suspended", show_value},
	{NULL, "traffic", "Traffic", show_traffic},
	{NULL, "pending", "At next start", show_value},
	{"Running"},
	{NULL, "ready", "Ready", show_yes},
	{NULL, "status", "Guest says", show_value},
	{NULL, "boot", "Boot", show_value},
	{NULL, "started", "Started", show_time},
	{NULL, "uptime", "Uptime", show_uptime},
	{NULL, "memory", "Memory", show_bytes},
	{NULL, "addresses", "Addresses", show_value},
	{"On the host"},
	{NULL, "pid", "Leader pid", show_value},
	{NULL, "keeper", "Keeper pid", show_value},
	{NULL, "supervisor", "Supervisor pid", show_value},
	{NULL, "unit", "Unit", show_value},
	{NULL, "cgroup", "Cgroup", show_value},
	{NULL, "userns", "Host ids", show_userns},
	{NULL, "privileged", "Privileged", show_yes},
};

static int is_empty(yajl_val v)
{
	return !v || (YAJL_IS_ARRAY(v) && !json_size(v)) || (YAJL_IS_OBJECT(v) && !YAJL_GET_OBJECT(v)->len) ||
	       (json_text(v) && !*json_text(v));
}

/* no pid, no boot: 0 */
static int is_no_number(const struct row *row, yajl_val v)
{
	return row->show == show_value && YAJL_IS_NUMBER(v) && !json_number(v, 1);
}

static void show_labels(FILE *out, yajl_val v)
{
	for (size_t i = 0; i < YAJL_GET_OBJECT(v)->len; i++) {
		const char *text = json_text(YAJL_GET_OBJECT(v)->values[i]);
		fputs(i ? " " : "", out);
		cli_print_text(out, YAJL_GET_OBJECT(v)->keys[i]);
		fputc('=', out);
		cli_print_text(out, text ? text : "?");
	}
}

static void print_rows(yajl_val ve, int stopped)
{
	const char *group = NULL;
	int running = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		if (row->group) {
			group = row->group;
			running = !strcmp(group, "Running");
			continue;
		}
		yajl_val v = json_at(ve, row->key);
		if (is_empty(v) || (stopped && running) || is_no_number(row, v))
			continue;
		if (group)
			printf("\n%s\n", group);
		group = NULL;
		struct wrapped value;
		FILE *out = wrap_begin(&value);
		if (out && row->show)
			row->show(out, v);
		else if (out && YAJL_IS_OBJECT(v))
			show_labels(out, v);
		int column = printf("  %-15s ", row->label);
		wrap_end(&value, stdout, column, column);
	}
}

static void print_sentences(const char *group, yajl_val list)
{
	if (json_size(list))
		printf("\n%s\n", group);
	for (size_t i = 0; i < json_size(list); i++) {
		fputs("  ", stdout);
		wrap_text(stdout, json_text(YAJL_GET_ARRAY(list)->values[i]), 2, 4);
		fputc('\n', stdout);
	}
}

static void print_info(yajl_val ve)
{
	const char *state = json_text(json_at(ve, "state"));
	yajl_val notes = json_at(ve, "notes"), lost = json_at(ve, "lost"), spec = json_at(ve, "spec");

	cli_print_text(stdout, json_text(json_at(ve, "name")));
	printf(": %s%s\n", state ? state : "?",
		json_true(json_at(ve, "stale")) ? " (a crash left something behind)" : "");
	print_rows(ve, state && !strcmp(state, ve_state_name(VE_STOPPED)));
	print_sentences(
		json_true(json_at(ve, "privileged")) ? "Privileged, and so" : "On the host's network, and so", lost);
	print_sentences("Notes", notes);
	if (!is_empty(spec)) {
		fputs("\nSpec\n", stdout);
		json_flatten(stdout, spec, "  ");
	}
}

static int get_info(struct cli *cli, struct ve *ve, char **ret_text)
{
	(void)cli;
	return ve_info_json(ve, ret_text);
}

static int print_document(yajl_val document)
{
	print_info(json_at(document, "ve"));
	return EXIT_DONE;
}

int verb_info(struct cli *cli, int argc, char **argv)
{
	return cli_show(cli, argc, argv, get_info, print_document, NULL);
}
