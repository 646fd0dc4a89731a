/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "colour.h"
#include "vectl.h"

#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define CYAN   "\033[36m"
#define FAINT  "\033[2m"

static const struct {
	const char *word, *begin;
} colours[] = {
	{"running", GREEN},
	{"ready", GREEN},
	{"rebooted", GREEN},
	{"restarted", GREEN},
	{"resumed", GREEN},
	{"ok", GREEN},
	{"mended", GREEN},
	{"starting", YELLOW},
	{"stopping", YELLOW},
	{"warn", YELLOW},
	{"paused", CYAN},
	{"stopped", FAINT},
	{"destroyed", FAINT},
	{"start-failed", RED},
	{"reboot-failed", RED},
	{"oom-kill", RED},
	{"fail", RED},
	{"failed", RED},
};

int colour_wanted(const struct cli *cli)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (cli->colour != COLOUR_AUTO)
		return cli->colour == COLOUR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

const char *colour_of(const char *word)
{
	size_t n = word ? strcspn(word, " ") : 0; /* stopped (suspended) */
	for (size_t i = 0; n && i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strlen(colours[i].word) == n && !strncmp(word, colours[i].word, n))
			return colours[i].begin;
	return "";
}
