/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "colour.h"
#include "json.h"
#include "vectl.h"
#include "wrap.h"

enum { OPT_REPAIR = 300, OPT_DRY_RUN, WHAT_COLUMN = 8, REMEDY_COLUMN = 10 };
static const struct option options[] = {
	{"repair", no_argument, NULL, OPT_REPAIR}, {"dry-run", no_argument, NULL, OPT_DRY_RUN}, CLI_OPTIONS, {0}};

/* What is right is counted, and shown with -v alone, so that what is wrong is not lost in it. */
struct view {
	int verbose, colour;
	const char *remedy; /* the last one: lines that follow one another often have the same */
	unsigned ok, warn, fail, left, mended;
};

static void print_status(const struct view *v, const char *status)
{
	const char *begin = v->colour ? colour_of(status) : "";
	printf("  %s%-4s%s  ", begin, status, *begin ? COLOUR_END : "");
}

static void print_comment(const char *text)
{
	fputs("# ", stdout);
	wrap_words(stdout, text, screen_width(stdout), REMEDY_COLUMN + 2, REMEDY_COLUMN, "# ");
}

/* A shell snippet, a command a line, under what it is for: what can be pasted stays on its line, comments need not. */
static void print_remedy(const char *remedy)
{
	for (const char *line = remedy; line && *line;) {
		int n = (int)strcspn(line, "\n");
		char *copy = strndup(line, n);
		printf("%*s", REMEDY_COLUMN, "");
		if (copy && !strncmp(copy, "# ", 2))
			print_comment(copy + 2);
		else
			cli_print_text(stdout, copy);
		putchar('\n');
		free(copy);
		line += n + (line[n] == '\n');
	}
}

static void print_line(struct view *v, const char *status, const char *what, const char *remedy)
{
	print_status(v, status);
	wrap_text(stdout, what, WHAT_COLUMN, WHAT_COLUMN);
	putchar('\n');
	if (!remedy || !v->remedy || strcmp(remedy, v->remedy))
		print_remedy(remedy);
	v->remedy = remedy;
}

static void print_checks(struct view *v, yajl_val checks)
{
	const char *group = "";
	unsigned hidden = 0;
	for (size_t i = 0; i <= json_size(checks); i++) {
		yajl_val check = i < json_size(checks) ? YAJL_GET_ARRAY(checks)->values[i] : NULL;
		const char *its = check ? json_text(json_at(check, "group")) : "";
		if (strcmp(its, group)) {
			if (hidden) {
				print_status(v, "ok");
				printf("%u %s\n", hidden, hidden == 1 ? "check" : "checks");
			}
			hidden = 0;
			group = its;
			if (*group)
				printf("%s\n", group);
		}
		if (!check)
			break;
		const char *status = json_text(json_at(check, "status"));
		v->ok += !strcmp(status, "ok");
		v->warn += !strcmp(status, "warn");
		v->fail += !strcmp(status, "fail");
		if (!strcmp(status, "ok") && !v->verbose)
			hidden++;
		else
			print_line(v, status, json_text(json_at(check, "what")), json_text(json_at(check, "remedy")));
	}
}

static void print_leftovers(struct view *v, yajl_val leftovers)
{
	if (json_size(leftovers))
		puts("leftovers");
	for (size_t i = 0; i < json_size(leftovers); i++) {
		yajl_val f = YAJL_GET_ARRAY(leftovers)->values[i];
		const char *status = json_text(json_at(f, "status")), *error = json_text(json_at(f, "error")),
			   *action = json_text(json_at(f, "action"));
		int mended = !strcmp(status, "mended"), in_use = !strcmp(status, "in-use");
		v->mended += mended;
		v->left += !mended && !in_use; /* what is in use is no leftover after all */
		print_status(v, status);
		struct wrapped line;
		FILE *out = wrap_begin(&line);
		if (out) {
			cli_print_text(out, json_text(json_at(f, "path")));
			fputs(": ", out);
			cli_print_text(out, json_text(json_at(f, "what")));
			fputs(error ? ": " : "", out);
			cli_print_text(out, error);
		}
		wrap_end(&line, stdout, WHAT_COLUMN + (int)strlen(status) - 4, WHAT_COLUMN);
		if (!strcmp(status, "would-mend")) {
			printf("%*s", REMEDY_COLUMN, "");
			print_comment(action);
			putchar('\n');
		} else if (!mended && !in_use)
			print_remedy(json_text(json_at(f, "remedy")));
	}
}

static int print_report(struct cli *cli, const char *text)
{
	struct view v = {.verbose = cli->verbose, .colour = colour_wanted(cli)};
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	yajl_val leftovers = json_at(document, "leftovers");
	if (!cli->quiet)
		print_checks(&v, json_at(document, "checks"));
	print_leftovers(&v, leftovers);
	if (!cli->quiet)
		printf("\n%u right, %u to look at, %u wrong; %u left by crashes", v.ok, v.warn, v.fail, v.left);
	if (!cli->quiet && v.mended)
		printf(", %u mended", v.mended);
	if (!cli->quiet)
		putchar('\n');
	return EXIT_DONE;
}

int verb_doctor(struct cli *cli, int argc, char **argv)
{
	char *text cleanup_text = NULL;
	int flags = 0;

	for (int c; (c = cli_getopt(cli, argc, argv, "", options)) != -1;)
		switch (c) {
		case OPT_REPAIR:
			flags |= VE_DOCTOR_REPAIR;
			break;
		case OPT_DRY_RUN:
			flags |= VE_DOCTOR_DRY_RUN;
			break;
		default:
			return cli->status;
		}
	if (optind < argc)
		return cli_usage(cli, "doctor", "one word too many: %s", argv[optind]);
	if (flags == VE_DOCTOR_DRY_RUN)
		return cli_usage(cli, "doctor", "--dry-run belongs to --repair");
	int r = cli_host(cli);
	if (r)
		return r;
	int bad = ve_doctor_json(cli->host, flags, &text);
	if (bad < 0)
		return cli_fail(cli);
	r = cli->json ? cli_print_document(cli, text) : print_report(cli, text);
	return r ? r : bad ? EXIT_FAILED : EXIT_DONE;
}
