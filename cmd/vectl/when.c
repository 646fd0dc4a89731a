/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "vectl.h"
#include "when.h"

static int midnight(time_t now, int days_ago, int64_t *ret)
{
	struct tm tm;
	if (!localtime_r(&now, &tm))
		return -1;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_mday -= days_ago;
	tm.tm_isdst = -1;
	*ret = mktime(&tm);
	return 0;
}

/* NUMBER and one letter: that long ago. */
static int ago(const char *text, time_t now, int64_t *ret)
{
	static const struct {
		char letter;
		int seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	size_t digits = strspn(text, "0123456789");
	if (!digits || digits > 9 || !text[digits] || text[digits + 1])
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].letter == text[digits]) {
			*ret = (int64_t)now - strtoll(text, NULL, 10) * units[i].seconds;
			return 0;
		}
	return -1;
}

static int local_time(const char *text, time_t now, int64_t *ret)
{
	static const struct {
		const char *form;
		int has_date;
	} forms[] = {{"%Y-%m-%d %H:%M:%S", 1}, {"%Y-%m-%dT%H:%M:%S", 1}, {"%Y-%m-%d %H:%M", 1}, {"%Y-%m-%dT%H:%M", 1},
		{"%Y-%m-%d", 1}, {"%H:%M:%S", 0}, {"%H:%M", 0}};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0};
		if (!forms[i].has_date && !localtime_r(&now, &tm))
			continue;
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_isdst = -1;
		const char *end = strptime(text, forms[i].form, &tm);
		if (!end || *end)
			continue;
		*ret = mktime(&tm);
		return 0;
	}
	return -1;
}

int when_parse(const char *text, time_t now, int64_t *ret)
{
	if (!strcmp(text, "today"))
		return midnight(now, 0, ret);
	if (!strcmp(text, "yesterday"))
		return midnight(now, 1, ret);
	if (text[0] == '@') {
		size_t digits = strspn(text + 1, "0123456789");
		if (!digits || digits > 11 || text[1 + digits])
			return -1;
		*ret = strtoll(text + 1, NULL, 10);
		return 0;
	}
	return ago(text, now, ret) && local_time(text, now, ret) ? -1 : 0;
}

int cli_since(struct cli *cli, const char *text, int64_t *ret_seconds)
{
	if (!when_parse(text, time(NULL), ret_seconds))
		return 0;
	return cli_usage(cli, cli->verb->name,
		"--since=%s: it is a time such as 10m, 2h or 3d ago, today, 12:00, '2026-01-31 12:00' or @SECONDS",
		text);
}
