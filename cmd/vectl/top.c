/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What VEs use, as it changes. On a terminal it draws frames on the alternate screen, one write each; elsewhere it
 * prints a table an interval. Nothing that a guest chose is shown: names are VEs', and checked.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "colour.h"
#include "table.h"
#include "terminal.h"
#include "usage.h"
#include "vectl.h"

enum {
	OPT_SORT = 300,
	DELAY_MS = 2000,
	FIRST_MS = 200,
	BAR_MAX = 20,
	LINE = 1024,
	CTRL_C = 3,
	CTRL_L = 12,
	CTRL_Z = 26
};
#define ENTER_SCREEN "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"

static const struct option options[] = {
	{"batch", no_argument, NULL, 'b'},
	{"delay", required_argument, NULL, 'd'},
	{"frames", required_argument, NULL, 'n'},
	{"sort", required_argument, NULL, OPT_SORT},
	CLI_OPTIONS,
	{0},
};

struct top {
	struct cli *cli;
	struct ve_stat_options what;
	int delay_ms, batch;
	long frames; /* negative: without end */
	int order, reverse, all, help, colour;
	size_t scroll;
	unsigned short lines, columns;
	struct usage *rows, *before; /* before: by name */
	size_t n, n_before;
	double at, cost; /* when they were taken, and how long that took, in seconds */
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the screen */

static int on_screen;

static void leave_screen(void)
{
	if (on_screen && write(STDOUT_FILENO, LEAVE_SCREEN, strlen(LEAVE_SCREEN)) < 0) {
		/* the terminal is gone */
	}
	on_screen = 0;
	terminal_restore();
}

/* ---- taking */

static int take(struct top *t)
{
	char *text cleanup_text = NULL;
	struct usage *rows, *sorted;
	size_t n;
	double begun = now(), was = t->at;

	if (ve_stat_json(t->cli->host, &t->what, &text) < 0) {
		leave_screen();
		return cli_fail(t->cli);
	}
	if (usage_read(t->cli, text, &rows, &n))
		return EXIT_FAILED;
	usage_sort(rows, n, BY_NAME, 0);
	t->at = now();
	t->cost = t->at - begun;
	usage_compare(rows, n, t->before, t->n_before, t->at - was);
	if (!(sorted = malloc((n ? n : 1) * sizeof(*sorted)))) {
		free(rows);
		return cli_error(t->cli, NULL, "top", ENOMEM, "memory is out", "free some memory");
	}
	memcpy(sorted, rows, n * sizeof(*rows));
	free(t->before);
	free(t->rows);
	t->before = rows;
	t->n_before = t->n = n;
	t->rows = sorted;
	return EXIT_DONE;
}

static void choose(struct top *t)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->n; i++)
		if (t->all || t->rows[i].runs)
			t->rows[kept++] = t->rows[i];
	t->n = kept;
	usage_sort(t->rows, t->n, t->order, t->reverse);
}

/* ---- drawing */

/* One line of the screen, cut to its width: what it holds is ASCII. */
static void line(struct top *t, FILE *out, const char *begin, const char *text)
{
	fprintf(out, "%s%.*s%s\033[K\r\n", t->colour ? begin : "", t->columns, text,
		t->colour && *begin ? COLOUR_END : "");
}

static const char *bar(char buf[BAR_MAX + 1], double part, int width)
{
	int full = (int)(part * width + 0.5);
	if (width > BAR_MAX)
		width = BAR_MAX;
	for (int i = 0; i < width; i++)
		buf[i] = i < full ? '|' : '.';
	buf[width] = 0;
	return buf;
}

static long long meminfo(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	return p ? strtoll(p + strlen(key), NULL, 10) * 1024 : 0;
}

static void draw_host(struct top *t, FILE *out)
{
	char b[LINE], text[2048] = "", clock[32], cpu_bar[BAR_MAX + 1], memory_bar[BAR_MAX + 1], used[HUMAN],
		      total[HUMAN];
	double load[3] = {0}, percent = 0;
	time_t seconds = time(NULL);
	struct tm tm;
	size_t running = 0;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (size_t i = 0; i < t->n_before; i++) {
		running += t->before[i].runs != 0;
		percent += t->before[i].percent > 0 ? t->before[i].percent : 0;
	}
	FILE *f = fopen("/proc/meminfo", "re");
	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = 0;
		fclose(f);
	}
	long long all = meminfo(text, "MemTotal:"), free_now = meminfo(text, "MemAvailable:");
	if (getloadavg(load, 3) < 0 || !localtime_r(&seconds, &tm) || !strftime(clock, sizeof(clock), "%H:%M:%S", &tm))
		snprintf(clock, sizeof(clock), "-");
	snprintf(b, sizeof(b), "%s  %zu VEs, %zu running  load %.2f %.2f %.2f", clock, t->n_before, running, load[0],
		load[1], load[2]);
	line(t, out, "\033[1m", b);
	snprintf(b, sizeof(b), "CPU [%s] %.1f%% of %ld00%%   host memory [%s] %s of %s",
		bar(cpu_bar, cpus > 0 ? percent / 100 / (double)cpus : 0, 10), percent, cpus,
		bar(memory_bar, all ? (double)(all - free_now) / (double)all : 0, 10),
		human_bytes(used, all - free_now), human_bytes(total, all));
	line(t, out, "", b);
}

enum {
	STATE = 8,
	CPU = 6,
	MEMORY = 7,
	PIDS = 5,
	TIME = 8,
	UPTIME = 7,
	FIXED = STATE + CPU + MEMORY + PIDS + TIME + UPTIME
};

enum { NAME_MIN = 14 };

/* How wide the name and the bar are: the bar goes first where there is no room. */
static void widths(const struct top *t, int *ret_name, int *ret_bar)
{
	int room = t->columns - FIXED - 6 * 2, longest = 4;
	for (size_t i = 0; i < t->n; i++)
		if ((int)strlen(t->rows[i].name) > longest)
			longest = (int)strlen(t->rows[i].name);
	int width = room - 2 - longest;
	width = width > BAR_MAX ? BAR_MAX : width < 8 ? 8 : width;
	if (room - 2 - width < 8)
		width = 0;
	room -= width ? width + 2 : 0;
	if (room < NAME_MIN) /* then the last columns do not fit */
		room = NAME_MIN;
	*ret_name = longest < room ? longest : room;
	*ret_bar = width;
}

static void draw_row(struct top *t, FILE *out, const struct usage *u, int name, int width)
{
	char b[LINE], percent[16], cpu_bar[BAR_MAX + 3] = "", memory[HUMAN], pids[HUMAN], cpu[HUMAN], uptime[HUMAN];
	int cut = (int)strlen(u->name) > name;
	const char *colour = t->colour ? colour_of(u->state) : "";

	if (width) {
		bar(cpu_bar, u->percent > 0 ? u->percent / 100 : 0, width);
		strcat(cpu_bar, "  ");
	}
	int n = snprintf(b, sizeof(b), "%-*.*s%s  ", name - cut, name - cut, u->name, cut ? "~" : "");
	int before = n < t->columns ? n : t->columns;
	snprintf(b + n, sizeof(b) - (size_t)n, "%-*s", STATE, u->state);
	int state = n + STATE < t->columns ? STATE : t->columns - before;
	fprintf(out, "%.*s%s%.*s%s", before, b, colour, state, b + n, *colour ? COLOUR_END : "");
	snprintf(b, sizeof(b), "  %*s  %s%*s  %*s  %*s  %*s", CPU, usage_percent(percent, u->percent), cpu_bar, MEMORY,
		human_bytes(memory, u->memory), PIDS, human_count(pids, u->pids), TIME, human_cpu(cpu, u->cpu_ns),
		UPTIME, human_uptime(uptime, u->uptime));
	fprintf(out, "%.*s\033[K\r\n", t->columns - before - state, b);
}

static void draw_table(struct top *t, FILE *out, size_t room)
{
	char b[LINE];
	int name, width;

	widths(t, &name, &width);
	snprintf(b, sizeof(b), "%-*s  %-*s  %*s  %-*s%s%*s  %*s  %*s  %*s", name, "NAME", STATE, "STATE", CPU, "CPU%",
		width, "", width ? "  " : "", MEMORY, "MEMORY", PIDS, "PIDS", TIME, "CPU", UPTIME, "UPTIME");
	line(t, out, "\033[7m", b);
	if (t->scroll + room > t->n)
		t->scroll = t->n > room ? t->n - room : 0;
	for (size_t i = t->scroll; i < t->n && i < t->scroll + room; i++)
		draw_row(t, out, &t->rows[i], name, width);
}

static void draw_help(struct top *t, FILE *out)
{
	static const char *const text[] = {"c      by CPU use now", "m      by memory",
		"p      by the number of processes", "n      by name", "t      by CPU time since the boot",
		"u      by uptime", "r      the other way round", "a      also those that do not run",
		"Space  a frame now", "Up, Down, PgUp, PgDn  scroll", "q      leave", "",
		"CPU% is of one CPU. Memory is without page cache, and where the host does not",
		"account for it, what the processes have resident, shared pages counted for each."};
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]) && i + 5 < t->lines; i++)
		line(t, out, "", text[i]);
}

static int draw(struct top *t)
{
	char *frame = NULL, b[LINE];
	size_t size;
	FILE *out = open_memstream(&frame, &size);

	if (!out)
		return cli_error(t->cli, NULL, "top", ENOMEM, "memory is out", "free some memory");
	fputs("\033[H", out);
	draw_host(t, out);
	line(t, out, "", "");
	if (t->help)
		draw_help(t, out);
	else
		draw_table(t, out, t->lines > 5 ? t->lines - 5u : 1);
	fputs("\033[J", out);
	snprintf(b, sizeof(b), "sorted by %s%s   c m p n t u: sort  a: all  ?: help  q: leave",
		usage_order_names[t->order], t->reverse ? ", reversed" : "");
	fprintf(out, "\033[%d;1H%.*s\033[K", t->lines, t->columns, b);
	if (fclose(out))
		return EXIT_FAILED;
	int failed = write(STDOUT_FILENO, frame, size) != (ssize_t)size;
	free(frame);
	return failed ? EXIT_FAILED : EXIT_DONE;
}

/* ---- keys */

enum action { NOTHING, REDRAW, SAMPLE, LEAVE, INTERRUPT, SUSPEND };

static enum action scroll(struct top *t, long by)
{
	t->scroll = by < 0 && t->scroll < (size_t)-by ? 0 : t->scroll + (size_t)by;
	return REDRAW;
}

static enum action escape(struct top *t, const char *keys)
{
	long page = t->lines > 6 ? t->lines - 6 : 1;
	static const struct {
		const char *sequence;
		int pages, lines;
	} moves[] = {{"[A", 0, -1}, {"OA", 0, -1}, {"[B", 0, 1}, {"OB", 0, 1}, {"[5~", -1, 0}, {"[6~", 1, 0}};
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
		if (!strncmp(keys, moves[i].sequence, strlen(moves[i].sequence)))
			return scroll(t, moves[i].pages * page + moves[i].lines);
	return NOTHING;
}

static enum action press(struct top *t, char key)
{
	static const char orders[] = "cmpntu";
	const char *order = strchr(orders, key);

	if (key && order) {
		t->order = (int)(order - orders);
		t->scroll = 0;
		return REDRAW;
	}
	switch (key) {
	case 'r':
		t->reverse = !t->reverse;
		return REDRAW;
	case 'a':
		t->all = !t->all;
		return SAMPLE;
	case '?':
	case 'h':
		t->help = !t->help;
		return REDRAW;
	case ' ':
	case CTRL_L:
		return SAMPLE;
	case 'q':
		return LEAVE;
	case CTRL_C:
		return INTERRUPT;
	case CTRL_Z:
		return SUSPEND;
	}
	return NOTHING;
}

static enum action take_keys(struct top *t)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys) - 1);
	enum action most = NOTHING;

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		return LEAVE; /* the terminal is gone */
	keys[n > 0 ? n : 0] = 0;
	if (keys[0] == '\033')
		return escape(t, keys + 1);
	for (ssize_t i = 0; i < n; i++) {
		enum action a = press(t, keys[i]);
		most = a > most ? a : most;
	}
	return most;
}

static void enter_screen(struct top *t)
{
	static int registered;

	terminal_raw();
	if (!registered++)
		atexit(leave_screen);
	on_screen = 1;
	if (write(STDOUT_FILENO, ENTER_SCREEN, strlen(ENTER_SCREEN)) < 0)
		on_screen = 0;
	terminal_size(&t->lines, &t->columns);
	t->lines = t->lines ? t->lines : 24;
	t->columns = t->columns ? t->columns : 80;
}

static void suspend(struct top *t)
{
	leave_screen();
	raise(SIGTSTP);
	enter_screen(t);
}

/* Until the next frame is due: what to do then. */
static enum action attend(struct top *t, int watch, double due)
{
	double left = due - now();
	struct pollfd p[] = {{t->cli->cancel_fd, POLLIN, 0}, {watch, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
	int r = poll(p, 3, left > 0 ? (int)(left * 1000) + 1 : 0);

	if (r == 0)
		return SAMPLE;
	if (r < 0)
		return NOTHING;
	if (p[0].revents)
		return INTERRUPT;
	if (p[1].revents) {
		terminal_changed(&t->lines, &t->columns);
		return REDRAW;
	}
	return take_keys(t);
}

static int live(struct top *t)
{
	int watch = terminal_watch(), r = take(t), frames = 0;
	double due = now() + FIRST_MS / 1000.0; /* the first one knows no percentages yet */

	if (r)
		return r;
	enter_screen(t);
	choose(t);
	for (enum action a = REDRAW;; a = attend(t, watch, due)) {
		if (a == LEAVE || a == INTERRUPT)
			break;
		if (a == SUSPEND)
			suspend(t);
		if (a == SAMPLE) {
			if ((r = take(t)) || frames++ == t->frames)
				break;
			choose(t);
			/* With thousands of VEs a frame costs something: never more than a fifth of the time. */
			due = now() + (t->delay_ms / 1000.0 > 4 * t->cost ? t->delay_ms / 1000.0 : 4 * t->cost);
		}
		if (a == REDRAW)
			usage_sort(t->rows, t->n, t->order, t->reverse);
		if (a != NOTHING && (r = draw(t)))
			break;
		if (frames == t->frames)
			break;
	}
	leave_screen();
	int s = cli_take_signal(t->cli);
	return r ? r : s ? 128 + s : EXIT_DONE;
}

/* ---- without a terminal */

static int batch(struct top *t)
{
	t->what.interval_ms = t->delay_ms;
	for (long i = 0; t->frames < 0 || i < t->frames; i++) {
		char *text cleanup_text = NULL;
		if (ve_stat_json(t->cli->host, &t->what, &text) < 0)
			return ve_error_code(t->cli->host) == VE_E_INTERRUPTED ? EXIT_INTERRUPTED : cli_fail(t->cli);
		if (t->cli->json) {
			cli_print_document(t->cli, text);
		} else {
			free(t->rows);
			t->rows = NULL;
			if (usage_read(t->cli, text, &t->rows, &t->n))
				return EXIT_FAILED;
			choose(t);
			if (i)
				putchar('\n');
			int r = usage_print(t->cli, t->rows, t->n);
			if (r)
				return r;
		}
		if (fflush(stdout) || ferror(stdout))
			return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int parse(struct cli *cli, int argc, char **argv, struct top *t)
{
	char *end;

	for (int c; (c = cli_getopt(cli, argc, argv, "bd:n:", options)) != -1;) {
		switch (c) {
		case 'b':
			t->batch = 1;
			break;
		case 'd':
			t->delay_ms = cli_seconds_to_ms(optarg);
			if (t->delay_ms < 100)
				return cli_usage(cli, "top", "-d %s: it is a number of seconds, 0.1 or more", optarg);
			break;
		case 'n':
			errno = 0;
			t->frames = strtol(optarg, &end, 10);
			if (*optarg < '0' || *optarg > '9' || *end || errno || t->frames < 1)
				return cli_usage(cli, "top", "-n %s: it is a number of frames", optarg);
			break;
		case OPT_SORT:
			for (t->order = 0; t->order < USAGE_ORDERS && strcmp(optarg, usage_order_names[t->order]);)
				t->order++;
			if (t->order == USAGE_ORDERS)
				return cli_usage(cli, "top",
					"--sort=%s: it is one of cpu, memory, pids, name, time, uptime", optarg);
			break;
		default:
			return cli->status ? cli->status : -1; /* -1: help was wanted and given */
		}
	}
	return 0;
}

int verb_top(struct cli *cli, int argc, char **argv)
{
	struct top t = {.cli = cli, .what.size = sizeof(t.what), .delay_ms = DELAY_MS, .frames = -1};
	int r = parse(cli, argc, argv, &t);

	if (!r)
		r = cli_host(cli);
	if (r)
		return r < 0 ? EXIT_DONE : r;
	if (optind < argc)
		t.what.names = (const char *const *)argv + optind;
	t.colour = colour_wanted(cli);
	t.batch |= cli->json || !terminal_is(STDIN_FILENO) || !terminal_is(STDOUT_FILENO);
	r = t.batch ? batch(&t) : live(&t);
	free(t.rows);
	free(t.before);
	return r;
}
