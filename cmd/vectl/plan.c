/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "show.h"
#include "wrap.h"

/* Where the words of a step begin; a note begins at the margin. */
enum { STEP_INDENT = 33, NOTE_INDENT = 2 };

static int get_plan(struct cli *cli, struct ve *ve, char **ret_text)
{
	return cli->json ? ve_plan_json(ve, ret_text) : ve_plan_text(ve, ret_text);
}

static int print_plan(struct cli *cli, const char *text)
{
	int width = screen_width(stdout);
	if (!width)
		return cli_print_document(cli, text);
	for (const char *end; *text; text = end + (*end == '\n')) {
		end = text + strcspn(text, "\n");
		wrap_words(stdout, text, width, 0, *text == ' ' ? STEP_INDENT : NOTE_INDENT, "");
		putchar('\n');
	}
	return EXIT_DONE;
}

int verb_plan(struct cli *cli, int argc, char **argv)
{
	return cli_show(cli, argc, argv, get_plan, NULL, print_plan);
}
