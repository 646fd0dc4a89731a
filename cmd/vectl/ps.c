/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"
#include "table.h"
#include "vectl.h"

static const struct option options[] = {CLI_OPTIONS, {0}};
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

int verb_ps(struct cli *cli, int argc, char **argv)
{
	const char *name;
	struct ve *ve cleanup_ve = NULL;
	char *text cleanup_text = NULL;

	if (cli_getopt(cli, argc, argv, "", options) != -1)
		return cli->status;
	int r = cli_one_name(cli, argc, argv, 0, 0, &name);
	if (!r)
		r = cli_open_ve(cli, name, &ve);
	if (r)
		return r;
	if (ve_ps_json(ve, &text) < 0)
		return cli_fail(cli);
	if (cli->json)
		return cli_print_document(cli, text);

	yajl_val document cleanup_json = json_read(cli, text);
	struct table *t cleanup_table = table_new(columns, N_COLUMNS);
	if (!document || !t)
		return EXIT_FAILED;
	yajl_val processes = json_at(document, "processes");
	for (size_t i = 0; i < json_size(processes); i++)
		add_process(t, YAJL_GET_ARRAY(processes)->values[i]);
	table_print(t);
	return EXIT_DONE;
}
