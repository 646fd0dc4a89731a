/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "colour.h"
#include "json.h"
#include "table.h"
#include "usage.h"
#include "vectl.h"

const char *const usage_order_names[USAGE_ORDERS] = {"cpu", "memory", "pids", "name", "time", "uptime"};

static double real(yajl_val v)
{
	return v && YAJL_IS_DOUBLE(v) ? YAJL_GET_DOUBLE(v) : (double)json_number(v, -1);
}

static void take_traffic(yajl_val list, struct usage *u)
{
	static const char *const classes[] = {"near", "far"};

	u->net_in = u->net_out = json_size(list) ? 0 : -1;
	for (size_t i = 0; i < json_size(list); i++) {
		for (size_t k = 0; k < sizeof(classes) / sizeof(classes[0]); k++) {
			yajl_val class = json_at(YAJL_GET_ARRAY(list)->values[i], classes[k]);
			u->net_in += json_number(json_at(class, "in_bytes"), 0);
			u->net_out += json_number(json_at(class, "out_bytes"), 0);
		}
	}
}

static void take_row(yajl_val v, struct usage *u)
{
	yajl_val cpu = json_at(v, "cpu"), memory = json_at(v, "memory"), io = json_at(v, "io"),
		 ready = json_at(v, "ready");
	const char *name = json_text(json_at(v, "name")), *state = json_text(json_at(v, "state"));

	*u = (struct usage){.runs = cpu != NULL, .ready = ready ? json_true(ready) : -1};
	snprintf(u->name, sizeof(u->name), "%s", name ? name : "?");
	snprintf(u->state, sizeof(u->state), "%s", state ? state : "?");
	u->percent = real(json_at(cpu, "percent"));
	u->cpu_ns = json_number(json_at(cpu, "usage_ns"), -1);
	u->memory = json_number(json_at(memory, "usage"), -1);
	u->cache = json_number(json_at(memory, "cache"), -1);
	if (u->memory >= 0 && u->cache >= 0) /* what could be had back at once is no use */
		u->memory -= u->cache < u->memory ? u->cache : u->memory;
	u->pids = json_number(json_at(json_at(v, "pids"), "current"), -1);
	u->read_bytes = json_number(json_at(io, "read_bytes"), -1);
	u->write_bytes = json_number(json_at(io, "write_bytes"), -1);
	u->uptime = json_number(json_at(v, "uptime"), -1);
	take_traffic(json_at(v, "traffic"), u);
}

int usage_read(struct cli *cli, const char *text, struct usage **ret, size_t *ret_n)
{
	yajl_val document cleanup_json = json_read(cli, text);
	yajl_val ves = document ? json_at(document, "ves") : NULL;
	size_t n = json_size(ves);

	if (!document)
		return -1;
	struct usage *rows = calloc(n ? n : 1, sizeof(*rows));
	if (!rows) {
		cli_error(cli, NULL, cli->verb->name, 0, "memory is out", "free some memory");
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		take_row(YAJL_GET_ARRAY(ves)->values[i], &rows[i]);
	*ret = rows;
	*ret_n = n;
	return 0;
}

/* ---- order */

static int by_number(double a, double b) /* the greatest first */
{
	return a > b ? -1 : a < b;
}

static int by_name(const void *p, const void *q)
{
	const struct usage *a = p, *b = q;
	return strcmp(a->name, b->name);
}

static int compare(const void *p, const void *q, void *arg)
{
	const struct usage *a = p, *b = q;
	const int *how = arg;
	const double keys[USAGE_ORDERS][2] = {
		[BY_CPU] = {a->percent, b->percent},
		[BY_MEMORY] = {(double)a->memory, (double)b->memory},
		[BY_PIDS] = {(double)a->pids, (double)b->pids},
		[BY_TIME] = {(double)a->cpu_ns, (double)b->cpu_ns},
		[BY_UPTIME] = {(double)a->uptime, (double)b->uptime},
	};
	int r = how[0] == BY_NAME ? 0 : by_number(keys[how[0]][0], keys[how[0]][1]);

	r = r ? r : strcmp(a->name, b->name);
	return how[1] ? -r : r;
}

void usage_sort(struct usage *rows, size_t n, int order, int reverse)
{
	int how[2] = {order, reverse};
	qsort_r(rows, n, sizeof(*rows), compare, how);
}

/* Both as libve lists them, by name. */
void usage_compare(struct usage *rows, size_t n, const struct usage *before, size_t n_before, double seconds)
{
	for (size_t i = 0; i < n; i++) {
		const struct usage *was =
			n_before ? bsearch(&rows[i], before, n_before, sizeof(*before), by_name) : NULL;
		rows[i].percent = -1;
		if (was && was->cpu_ns >= 0 && rows[i].cpu_ns >= was->cpu_ns && seconds > 0)
			rows[i].percent = (double)(rows[i].cpu_ns - was->cpu_ns) / 1e7 / seconds;
	}
}

/* ---- a table */

const char *usage_percent(char buf[16], double percent)
{
	snprintf(buf, 16, percent < 0 ? "-" : percent < 99.95 ? "%.1f" : "%.0f", percent);
	return buf;
}

int usage_print(struct cli *cli, const struct usage *rows, size_t n)
{
	static const struct table_column columns[] = {{"NAME", .flex = 1}, {"STATE", .state = 1}, {"READY"},
		{"CPU%", 1}, {"CPU", 1}, {"MEMORY", 1}, {"PIDS", 1}, {"READ", 1}, {"WRITE", 1}, {"NET-IN", 1},
		{"NET-OUT", 1}, {"UPTIME", 1}};
	struct table *t cleanup_table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char buf[HUMAN], percent[16];

	if (!t)
		return EXIT_FAILED;
	for (size_t i = 0; i < n; i++) {
		const struct usage *u = &rows[i];
		table_add(t, u->name);
		table_add(t, u->state);
		table_add(t, !u->runs || u->ready < 0 ? "-" : u->ready ? "yes" : "no");
		table_add(t, usage_percent(percent, u->percent));
		table_add(t, human_cpu(buf, u->cpu_ns));
		table_add(t, human_bytes(buf, u->memory));
		table_add(t, human_count(buf, u->pids));
		table_add(t, human_bytes(buf, u->read_bytes));
		table_add(t, human_bytes(buf, u->write_bytes));
		table_add(t, human_bytes(buf, u->net_in));
		table_add(t, human_bytes(buf, u->net_out));
		table_add(t, human_uptime(buf, u->uptime));
	}
	table_colour(t, colour_wanted(cli));
	table_print(t);
	return EXIT_DONE;
}
