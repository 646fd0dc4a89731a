/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image list and image info. */
#include <string.h>
#include <time.h>

#include "image.h"
#include "wrap.h"

enum { ID_SHOWN = 12 };

static int print_names(yajl_val images)
{
	for (size_t i = 0; i < json_size(images); i++) {
		const char *name = json_text(json_at(YAJL_GET_ARRAY(images)->values[i], "name"));
		if (name)
			puts(name);
	}
	return EXIT_DONE;
}

/* As its os-release says, or else as its template does. */
static const char *os_text(yajl_val image, char *buf, size_t size)
{
	const char *os = json_text(json_at(image, "os")), *name = json_text(json_at(image, "distribution")),
		   *release = json_text(json_at(image, "release"));
	if (os && *os)
		return os;
	snprintf(buf, size, "%s%s%s", name ? name : "", name && release ? " " : "", name && release ? release : "");
	return buf;
}

static int print_table(yajl_val images)
{
	static const struct table_column columns[] = {{"NAME", .flex = 1}, {"ID"}, {"OS", .flex = 1},
		{"SIZE", .right = 1}, {"AGE", .right = 1}, {"VES", .right = 1}, {"STATE"}};
	struct table *t cleanup_table = table_new(columns, sizeof(columns) / sizeof(*columns));
	if (!t)
		return EXIT_FAILED;
	for (size_t i = 0; i < json_size(images); i++) {
		yajl_val image = YAJL_GET_ARRAY(images)->values[i];
		const char *id = json_text(json_at(image, "id")), *name = json_text(json_at(image, "name")),
			   *was = json_text(json_at(image, "was"));
		long long users = json_number(json_at(image, "ve_count"), 0),
			  created = json_number(json_at(image, "created"), 0);
		char id_text[ID_SHOWN + 1], size[HUMAN], age[HUMAN], users_text[HUMAN], old[256], os[256];
		snprintf(id_text, sizeof(id_text), "%s", id ? id : "");
		snprintf(users_text, sizeof(users_text), "%lld", users);
		snprintf(old, sizeof(old), "(%s)", was ? was : "?");
		table_add(t, name ? name : old);
		table_add(t, id_text);
		table_add(t, os_text(image, os, sizeof(os)));
		table_add(t, human_bytes(size, json_number(json_at(image, "size"), -1)));
		table_add(t, human_uptime(age, created ? (long long)time(NULL) - created : -1));
		table_add(t, users_text);
		table_add(t, json_true(json_at(image, "broken")) ? "broken" : name ? "" : users ? "old" : "unused");
	}
	table_print(t);
	return EXIT_DONE;
}

int image_list(struct cli *cli, int names)
{
	char *text cleanup_text = NULL;
	if (ve_image_list_json(cli->host, &text) < 0)
		return cli_fail(cli);
	if (cli->json)
		return cli_print_document(cli, text);
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	yajl_val images = json_at(document, "images");
	return names ? print_names(images) : print_table(images);
}

/* ---- info */

static void show_text(FILE *out, yajl_val image, yajl_val v)
{
	cli_print_text(out, json_text(v) ? json_text(v) : "");
}

static void show_list(FILE *out, yajl_val image, yajl_val v)
{
	for (size_t i = 0; i < json_size(v); i++) {
		fputs(i ? ", " : "", out);
		show_text(out, image, YAJL_GET_ARRAY(v)->values[i]);
	}
}

static void show_os(FILE *out, yajl_val image, yajl_val v)
{
	yajl_val release = json_at(image, "release"), variant = json_at(json_at(image, "metadata"), "variant");
	show_text(out, image, v);
	if (release) {
		fputc(' ', out);
		show_text(out, image, release);
	}
	if (variant) {
		fputs(", ", out);
		show_text(out, image, variant);
	}
}

static void show_metadata(FILE *out, yajl_val image, yajl_val v)
{
	yajl_val description = json_at(v, "description"), source = json_at(v, "source");
	show_text(out, image, description);
	if (source) {
		fputs(description ? ", from " : "from ", out);
		show_text(out, image, source);
	}
}

static void show_template(FILE *out, yajl_val image, yajl_val v)
{
	yajl_val version = json_at(image, "version"), mirror = json_at(image, "mirror");
	show_text(out, image, v);
	if (json_text(version) && *json_text(version)) {
		fputc(' ', out);
		show_text(out, image, version);
	}
	if (mirror) {
		fputs(", from ", out);
		show_text(out, image, mirror);
	}
}

static void show_size(FILE *out, yajl_val image, yajl_val v)
{
	char buf[HUMAN];
	fprintf(out, "%s in %lld entries", human_bytes(buf, json_number(v, -1)),
		json_number(json_at(image, "entries"), 0));
}

static void show_time(FILE *out, yajl_val image, yajl_val v)
{
	char buf[64];
	time_t when = (time_t)json_number(v, 0);
	struct tm tm;
	if (localtime_r(&when, &tm) && strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S %z", &tm))
		fputs(buf, out);
}

static void show_left_out(FILE *out, yajl_val image, yajl_val v)
{
	int shown = 0;
	for (size_t i = 0; v && YAJL_IS_OBJECT(v) && i < YAJL_GET_OBJECT(v)->len; i++) {
		long long n = json_number(YAJL_GET_OBJECT(v)->values[i], 0);
		if (n)
			fprintf(out, "%s%lld %s", shown++ ? ", " : "", n, YAJL_GET_OBJECT(v)->keys[i]);
	}
	fputs(shown ? "" : "nothing", out);
}

static const struct row {
	const char *key, *label;
	void (*show)(FILE *out, yajl_val image, yajl_val v);
} rows[] = {
	{"id", "Id", show_text},
	{"names", "Names", show_list},
	{"distribution", "System", show_os},
	{"metadata", "Description", show_metadata},
	{"arch", "Architecture", show_text},
	{"init", "Init", show_text},
	{"size", "Size", show_size},
	{"created", "Created", show_time},
	{"template", "Template", show_template},
	{"left_out", "Left out", show_left_out},
	{"ves", "Used by", show_list},
	{"path", "Path", show_text},
};

static void print_row(const struct row *row, yajl_val image, yajl_val v)
{
	struct wrapped value;
	FILE *out = wrap_begin(&value);
	if (out)
		row->show(out, image, v);
	int column = printf("  %-13s ", row->label);
	wrap_end(&value, stdout, column, column);
}

int image_info(struct cli *cli, char **args, int count)
{
	char *text cleanup_text = NULL;
	if (ve_image_info_json(cli->host, args[0], &text) < 0)
		return cli_fail(cli);
	if (cli->json)
		return cli_print_document(cli, text);
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	yajl_val image = json_at(document, "image"), source = json_at(json_at(image, "source"), "path");
	cli_print_text(stdout, args[0]);
	printf("%s\n", json_true(json_at(image, "broken")) ? ": broken; `vectl image verify` says in what" : "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		yajl_val v = json_at(image, rows[i].key);
		if (!v || (YAJL_IS_ARRAY(v) && !json_size(v)))
			continue;
		if (rows[i].show == show_metadata && !json_at(v, "description") && !json_at(v, "source"))
			continue;
		print_row(&rows[i], image, v);
	}
	if (source)
		print_row(&(struct row){NULL, "Source", show_text}, image, source);
	return EXIT_DONE;
}
