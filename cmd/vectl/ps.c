/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show.h"
#include "table.h"

static const struct table_column columns[] = {{"PID", 1}, {"GUEST", 1}, {"UID", 1}, {"GUEST", 1}, {"STATE"},
	{"MEMORY", 1}, {"TIME", 1}, {"COMMAND", .flex = 1}};
enum { N_COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static void add_process(struct table *t, yajl_val p)
{
	static const char *const counts[] = {"pid", "guest_pid", "uid", "guest_uid"};
	char buf[HUMAN];

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		table_add(t, human_count(buf, json_number(json_at(p, counts[i]), -1)));
	table_add(t, json_text(json_at(p, "state")));
	table_add(t, human_bytes(buf, json_number(json_at(p, "rss"), -1)));
	table_add(t, human_cpu(buf, json_number(json_at(p, "cpu_ns"), -1)));
	table_add(t, json_text(json_at(p, "command")));
}

static int get_ps(struct cli *cli, struct ve *ve, char **ret_text)
{
	(void)cli;
	return ve_ps_json(ve, ret_text);
}

static int print_ps(yajl_val document)
{
	struct table *t cleanup_table = table_new(columns, N_COLUMNS);
	yajl_val processes = json_at(document, "processes");
	if (!t)
		return EXIT_FAILED;
	for (size_t i = 0; i < json_size(processes); i++)
		add_process(t, YAJL_GET_ARRAY(processes)->values[i]);
	table_print(t);
	return EXIT_DONE;
}

int verb_ps(struct cli *cli, int argc, char **argv)
{
	return cli_show(cli, argc, argv, get_ps, print_ps, NULL);
}
