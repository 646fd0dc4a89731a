/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "colour.h"
#include "table.h"
#include "vectl.h"
#include "wrap.h"

enum { GAP = 2, FLEX_MIN = 8, CUT_MIN = 3 };

struct table {
	const struct table_column *columns;
	size_t n_columns, n_cells, room;
	char **cells;
	int failed, colour;
};

struct table *table_new(const struct table_column *columns, size_t n_columns)
{
	struct table *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->columns = columns;
	t->n_columns = n_columns;
	for (size_t i = 0; i < n_columns; i++)
		table_add(t, columns[i].name);
	return t;
}

/* What a guest chose (process names, status lines) is made harmless here, before widths are counted. */
static char *clean(const char *text)
{
	char *copy = NULL;
	size_t size;
	const char *p = text && *text ? text : "-";
	while (*p >= ' ' && *p < 127)
		p++;
	if (!*p) /* nearly all of them; a stream costs more than the rest of a row */
		return strdup(text && *text ? text : "-");
	FILE *out = open_memstream(&copy, &size);
	if (!out)
		return NULL;
	cli_print_text(out, text && *text ? text : "-");
	return fclose(out) ? NULL : copy;
}

void table_add(struct table *t, const char *cell)
{
	if (t->n_cells == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		char **grown = realloc(t->cells, room * sizeof(char *));
		if (!grown) {
			t->failed = 1;
			return;
		}
		t->cells = grown;
		t->room = room;
	}
	char *copy = clean(cell);
	if (!copy)
		t->failed = 1;
	else
		t->cells[t->n_cells++] = copy;
}

static int is_lead(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static int width_of(const char *s)
{
	int n = 0;
	for (; *s; s++)
		n += is_lead(*s);
	return n;
}

/* The widest column that may be cut; n_columns: none. Where those that are made for it do not suffice, any is. */
static size_t widest(const struct table *t, const int *widths, int any)
{
	size_t found = t->n_columns;
	for (size_t i = 0; i < t->n_columns; i++)
		if ((any || t->columns[i].flex) && widths[i] > (any ? CUT_MIN : FLEX_MIN) &&
			(found == t->n_columns || widths[i] > widths[found]))
			found = i;
	return found;
}

/* Fits the columns to the screen; returns how many are shown, for one where not all can be. */
static size_t fit(const struct table *t, int *widths)
{
	size_t shown = t->n_columns;
	int screen = screen_width(stdout), total = 0;
	for (size_t i = 0; i < t->n_columns; i++)
		total += widths[i] + (i ? GAP : 0);
	while (screen && total > screen) {
		size_t i = widest(t, widths, 0);
		if (i == t->n_columns)
			i = widest(t, widths, 1);
		if (i < t->n_columns) {
			widths[i]--;
			total--;
		} else if (shown > 1) {
			total -= widths[--shown] + GAP;
		} else {
			break;
		}
	}
	return shown;
}

static const char *cut_mark(void)
{
	const char *locale = getenv("LC_ALL");
	if (!locale || !*locale)
		locale = getenv("LC_CTYPE");
	if (!locale || !*locale)
		locale = getenv("LANG");
	return locale && (strcasestr(locale, "utf-8") || strcasestr(locale, "utf8")) ? "…" : "~";
}

static void print_cell(const char *cell, int width, int right, int last, const char *colour)
{
	int have = width_of(cell), cut = have > width;
	int keep = cut ? width - 1 : have, n = 0;
	const char *end = cell;

	while (*end && (n < keep || !is_lead(*end)))
		n += is_lead(*end++);
	if (right && !cut)
		printf("%*s", width - have, "");
	fputs(colour, stdout);
	fwrite(cell, 1, end - cell, stdout);
	if (cut)
		fputs(cut_mark(), stdout);
	fputs(*colour ? COLOUR_END : "", stdout);
	if (!right && !last && !cut)
		printf("%*s", width - have, "");
	fputs(last ? "\n" : "  ", stdout);
}

void table_colour(struct table *t, int on)
{
	t->colour = on;
}

void table_print(struct table *t)
{
	int *widths = calloc(t->n_columns ? t->n_columns : 1, sizeof(int));

	if (t->failed || !widths) {
		free(widths);
		fputs("vectl: memory is out\n", stderr);
		exit(EXIT_FAILED);
	}
	for (size_t i = 0; i < t->n_cells; i++) {
		int w = width_of(t->cells[i]);
		if (w > widths[i % t->n_columns])
			widths[i % t->n_columns] = w;
	}
	size_t shown = fit(t, widths);
	for (size_t i = 0; i < t->n_cells; i++) {
		size_t c = i % t->n_columns;
		const char *colour = t->colour && t->columns[c].state ? colour_of(t->cells[i]) : "";
		if (c < shown)
			print_cell(t->cells[i], widths[c], t->columns[c].right, c + 1 == shown, colour);
	}
	free(widths);
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

const char *human_count(char buf[HUMAN], long long n)
{
	snprintf(buf, HUMAN, n < 0 ? "-" : "%lld", n);
	return buf;
}

const char *human_bytes(char buf[HUMAN], long long bytes)
{
	static const char units[] = "KMGTPE";
	double value = bytes;
	int unit = -1;

	if (bytes < 1024)
		return human_count(buf, bytes);
	while (value >= 1024 && unit + 1 < (int)sizeof(units) - 1)
		value /= 1024, unit++;
	if (value >= 1023.95 && unit + 1 < (int)sizeof(units) - 1)
		value /= 1024, unit++;
	snprintf(buf, HUMAN, value < 99.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return buf;
}

const char *human_uptime(char buf[HUMAN], long long s)
{
	if (s < 0)
		snprintf(buf, HUMAN, "-");
	else if (s < 60)
		snprintf(buf, HUMAN, "%llds", s);
	else if (s < 3600)
		snprintf(buf, HUMAN, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, HUMAN, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, HUMAN, "%lldd%02lldh", s / 86400, s / 3600 % 24);
	return buf;
}

const char *human_cpu(char buf[HUMAN], long long ns)
{
	if (ns < 0 || ns >= 60 * 1000000000LL)
		return human_uptime(buf, ns < 0 ? -1 : ns / 1000000000);
	snprintf(buf, HUMAN, "%lld.%02llds", ns / 1000000000, ns / 10000000 % 100);
	return buf;
}
