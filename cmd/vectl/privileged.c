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

static int is_set_to(struct ve *ve, const char *key, const char *wanted)
{
	char *value cleanup_text = NULL;

	return ve_get(ve, key, &value) >= 0 && !strcmp(value, wanted);
}

/*
 * What a VE that is privileged, or on the host's network, is without, said when it is made so: lines on stderr, or a
 * member of the result.
 */
void cli_say_lost(struct cli *cli, struct ve *ve)
{
	char *text cleanup_text = NULL, *list cleanup_text = NULL;
	size_t size;

	int privileged = is_set_to(ve, "privileged", "true");
	if ((!privileged && !is_set_to(ve, "network", "host")) || ve_info_json(ve, &text) < 0)
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
	cli_note(cli, "%s: %s, and so:", ve_name(ve), privileged ? "privileged" : "on the host's network");
	for (size_t i = 0; i < json_size(lost); i++)
		note_wrapped(cli, json_text(YAJL_GET_ARRAY(lost)->values[i]));
}
