/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "table.h"
#include "vectl.h"

enum { BAR = 24, WIDTH_MAX = 512, REDRAW_NS = 50 * 1000 * 1000 };

static int drawn;

static int terminal_width(void)
{
	struct winsize size;
	const char *term = getenv("TERM");

	if (!isatty(STDERR_FILENO) || !term || !*term || !strcmp(term, "dumb"))
		return 0;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

void cli_progress_clear(void)
{
	if (!drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	drawn = 0;
}

/* Templates report often; a terminal at the other end of a slow line is redrawn twenty times a second at most. */
static int too_soon(int percent)
{
	static struct timespec last;
	static int last_percent = -2;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	long long ns = (now.tv_sec - last.tv_sec) * 1000000000LL + (now.tv_nsec - last.tv_nsec);
	if (last.tv_sec && ns < REDRAW_NS && percent == last_percent)
		return 1;
	last = now;
	last_percent = percent;
	return 0;
}

/* building debian/13  [#####     ] 42%  unpacking, 54.0M of 131.3M */
static void draw(const struct ve_progress *p, int width)
{
	int colour = !getenv("NO_COLOR") || !*getenv("NO_COLOR");
	char line[WIDTH_MAX + 1], done[HUMAN], total[HUMAN];
	int n = snprintf(line, sizeof(line), "%s", p->what), bar_at = -1;

	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	if (p->percent >= 0 && n + BAR + 10 < width) {
		char bar[BAR + 1];
		int full = (p->percent > 100 ? 100 : p->percent) * BAR / 100;
		memset(bar, '#', full);
		memset(bar + full, ' ', BAR - full);
		bar[BAR] = '\0';
		bar_at = n + 3;
		n += snprintf(line + n, sizeof(line) - n, "  [%s] %3d%%", bar, p->percent);
	} else if (p->percent >= 0) {
		n += snprintf(line + n, sizeof(line) - n, " %d%%", p->percent);
	}
	if (*p->step && n < (int)sizeof(line))
		n += snprintf(line + n, sizeof(line) - n, "  %s", p->step);
	if (p->bytes >= 0 && p->bytes_total > 0 && n < (int)sizeof(line))
		snprintf(line + n, sizeof(line) - n, ", %s of %s", human_bytes(done, p->bytes),
			human_bytes(total, p->bytes_total));

	size_t limit = width > 1 ? width - 1 : 1; /* the last column would wrap on some terminals */
	for (size_t i = 0; line[i] && i < sizeof(line) - 1; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f || i >= limit)
			line[i] = i >= limit ? '\0' : ' ';
	fputs("\r", stderr);
	if (colour && bar_at >= 0 && strlen(line) > (size_t)(bar_at + BAR))
		fprintf(stderr, "%.*s\033[32m%.*s\033[0m%s", bar_at, line, BAR, line + bar_at, line + bar_at + BAR);
	else
		fputs(line, stderr);
	fputs("\033[K", stderr);
	fflush(stderr);
	drawn = 1;
}

static void print_number(const char *key, long long n)
{
	if (n < 0)
		printf(",\"%s\":null", key);
	else
		printf(",\"%s\":%lld", key, n);
}

void cli_progress(void *arg, const struct ve_progress *p)
{
	struct cli *cli = arg;

	if (cli->progress == PROGRESS_NONE)
		return;
	if (cli->progress == PROGRESS_JSON) {
		fputs("{\"what\":", stdout);
		cli_json_string(stdout, p->what);
		fputs(",\"step\":", stdout);
		cli_json_string(stdout, *p->step ? p->step : NULL);
		print_number("percent", p->percent);
		print_number("bytes", p->bytes);
		print_number("bytes_total", p->bytes_total);
		fputs("}\n", stdout);
		fflush(stdout);
		return;
	}
	int width = terminal_width();
	if (width && !too_soon(p->percent))
		draw(p, width);
}
