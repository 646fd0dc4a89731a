/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "json.h"
#include "vectl.h"
#include "wrap.h"

static void note_wrapped(struct cli *cli, const char *text)
{
	char *lines = NULL;
	size_t size;
	FILE *out = open_memstream(&lines, &size);

	if (!out)
		return;
	wrap_words(out, text, screen_width(stderr), 4, 4, "");
	if (!fclose(out)) {
		const char *dash = "  - ";
		for (char *at = NULL, *line = strtok_r(lines, "\n", &at); line; line = strtok_r(NULL, "\n", &at)) {
			cli_note(cli, "%s%s", dash, line);
			dash = "";
		}
	}
	free(lines);
}

/* What a privileged VE is without, said when it is made so: lines on stderr, or a member of the result. */
void cli_say_lost(struct cli *cli, struct ve *ve)
{
	char *text cleanup_text = NULL, *list cleanup_text = NULL, *value cleanup_text = NULL;
	size_t size;

	if (ve_get(ve, "privileged", &value) < 0 || strcmp(value, "true") != 0 || ve_info_json(ve, &text) < 0)
		return;
	yajl_val document cleanup_json = json_read(cli, text);
	yajl_val lost = document ? json_at(json_at(document, "ve"), "lost") : NULL;
	if (!json_size(lost))
		return;
	if (cli->json) {
		FILE *out = open_memstream(&list, &size);
		if (!out)
			return;
		json_write(out, lost);
		if (!fclose(out))
			cli_add_to_result(cli, "lost", list);
		return;
	}
	cli_note(cli, "%s: privileged, and so:", ve_name(ve));
	for (size_t i = 0; i < json_size(lost); i++)
		note_wrapped(cli, json_text(YAJL_GET_ARRAY(lost)->values[i]));
}
