/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event log: what is written, how it is bounded, and what is believed of it. */
#include "tests/unit/fixture.h"

#include <poll.h>

#include "cmd/vectl/when.h"
#include "lib/plan/event_log.h"
#include "lib/run/event.h"

static struct fixture f;
static struct ve web = {.host = &f.host, .name = "web1"}, db = {.host = &f.host, .name = "db1"};

static void make(void)
{
	fixture_make(&f);
	cr_assert_eq(mkdir_parents(under(&f, "var/lib/vectl/ve/web1"), 0700), 0);
	cr_assert_eq(mkdir_parents(under(&f, "var/lib/vectl/ve/db1"), 0700), 0);
}

static void drop(void)
{
	fixture_remove(&f);
}

TestSuite(events, .init = make, .fini = drop, .timeout = 60);

static struct ve_events *open_events(const char *const *names, int flags, int last)
{
	const struct ve_events_options o = {.size = sizeof o, .names = names, .flags = flags, .last = last};
	struct ve_events *ev = NULL;
	cr_assert_eq(ve_events_open(&f.host, &o, &ev), 0, "%s", f.host.error.wrong);
	return ev;
}

/* The next event, as "VE EVENT"; "" when there is none. */
static const char *next(struct ve_events *ev)
{
	static char b[128];
	cleanup_free char *text = NULL;
	cleanup_json struct json *j = NULL;
	struct error e = {0};
	int r = ve_events_next(ev, &text);
	cr_assert_geq(r, 0);
	if (!r)
		return "";
	cr_assert_eq(json_parse(text, strlen(text), "event", "test", &j, &e), 0, "%s in %s", e.wrong, text);
	snprintf(b, sizeof b, "%s %s", json_string(j, "ve"), json_string(j, "event"));
	return b;
}

static void append(const char *file, const char *text)
{
	FILE *out = fopen(under(&f, "var/lib/vectl/ve/%s", file), "a");
	cr_assert(out);
	fputs(text, out);
	fclose(out);
}

Test(events, of_all_in_the_order_of_time)
{
	event_log(&web, "created");
	event_log(&db, "created");
	event_log(&web, "starting");
	event_log(&db, "starting");
	struct ve_events *ev = open_events(NULL, 0, 0);
	cr_expect_str_eq(next(ev), "web1 created");
	cr_expect_str_eq(next(ev), "db1 created");
	cr_expect_str_eq(next(ev), "web1 starting");
	cr_expect_str_eq(next(ev), "db1 starting");
	cr_expect_str_eq(next(ev), "");
	cr_expect_eq(ve_events_fd(ev), -1);
	ve_events_close(ev);
	ev = open_events(NULL, 0, 1);
	cr_expect_str_eq(next(ev), "db1 starting");
	cr_expect_str_eq(next(ev), "");
	ve_events_close(ev);
	ev = open_events(NULL, VE_EVENTS_NEW, 0);
	cr_expect_str_eq(next(ev), "");
	ve_events_close(ev);
}

Test(events, of_a_name_that_nothing_has)
{
	const char *const names[] = {"nosuch", NULL};
	const struct ve_events_options o = {.size = sizeof o, .names = names};
	struct ve_events *ev = NULL;
	cr_expect_eq(ve_events_open(&f.host, &o, &ev), -ENOENT);
	cr_expect_eq(f.host.error.code, VE_E_NO_VE);
	cr_expect_null(ev);
}

Test(events, the_log_is_bounded_and_numbers_grow)
{
	enum { EVENTS = 3000 };
	const char *const names[] = {"web1", NULL};
	struct stat st[2];
	for (int i = 0; i < EVENTS; i++) {
		struct json_writer *w = event_begin("changed");
		jw_integer(w, "n", i);
		event_end(&web, w);
	}
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(stat(under(&f, "var/lib/vectl/ve/web1/events.%d", i), &st[i]), 0);
		cr_expect_leq(st[i].st_size, EVENT_LOG_LIMIT);
	}
	struct ve_events *ev = open_events(names, 0, 0);
	int64_t seq = 0, n = -1, count = 0;
	for (;; count++) {
		cleanup_free char *text = NULL;
		cleanup_json struct json *j = NULL;
		struct error e = {0};
		if (ve_events_next(ev, &text) <= 0)
			break;
		cr_assert_eq(json_parse(text, strlen(text), "event", "test", &j, &e), 0);
		cr_assert_gt(json_integer(j, "seq", 0), seq);
		if (n >= 0)
			cr_assert_eq(json_integer(j, "n", 0), n + 1, "one is missing in the middle");
		seq = json_integer(j, "seq", 0);
		n = json_integer(j, "n", 0);
	}
	cr_expect_eq(n, EVENTS - 1, "the last one that is there is %lld", (long long)n);
	cr_expect_gt(count, 400);
	ve_events_close(ev);
}

/* The keeper is not root: lines of another form than ours are no events, and one cannot speak for another VE. */
Test(events, what_is_not_believed)
{
	event_log(&web, "created");
	append("web1/events.0", "no JSON\n"
				"{\"event\":\"untimed\"}\n"
				"{\"time_ns\":9,\"event\":\"with \\u001b[31m escape\"}\n"
				"{\"time_ns\":9,\"event\":[]}\n"
				"{\"time_ns\":9,\"ve\":\"db1\",\"seq\":1,\"event\":\"early\",\"x\":\"\\u001b\"}\n"
				"{\"time_ns\":9");
	struct ve_events *ev = open_events(NULL, 0, 0);
	cleanup_free char *text = NULL;
	cr_assert_eq(ve_events_next(ev, &text), 1);
	cr_expect(strstr(text, "\"ve\":\"web1\""), "%s", text);
	cr_expect(strstr(text, "\"event\":\"early\""), "%s", text);
	cr_expect(strstr(text, "\\u001B") || strstr(text, "\\u001b"), "%s", text);
	cr_expect(!strchr(text, 27));
	cr_expect_str_eq(next(ev), "web1 created");
	cr_expect_str_eq(next(ev), "");
	ve_events_close(ev);
	/* The line that was torn spoils its successor, and no more. */
	event_log(&web, "starting");
	event_log(&web, "paused");
	ev = open_events(NULL, 0, 1);
	cr_expect_str_eq(next(ev), "web1 paused");
	ve_events_close(ev);
}

static void await(struct ve_events *ev, const char *want)
{
	for (int i = 0; i < 100; i++) {
		const char *got = next(ev);
		if (*got) {
			cr_expect_str_eq(got, want);
			return;
		}
		struct pollfd p = {.fd = ve_events_fd(ev), .events = POLLIN};
		cr_assert_eq(poll(&p, 1, 5000), 1, "nothing comes, where '%s' should", want);
	}
	cr_assert_fail("no '%s'", want);
}

Test(events, following)
{
	event_log(&web, "created");
	struct ve_events *ev = open_events(NULL, VE_EVENTS_FOLLOW, 0);
	char path[PATH_MAX];
	await(ev, "web1 created");
	event_log(&web, "starting");
	await(ev, "web1 starting");
	event_log(&db, "starting"); /* its log was not there yet */
	await(ev, "db1 starting");

	/* one that is made is filled before it has its name */
	cr_assert_eq(mkdir_parents(under(&f, "var/lib/vectl/ve/.create-new"), 0700), 0);
	event_end_in(under(&f, "var/lib/vectl/ve/.create-new"), event_begin("created"));
	snprintf(path, sizeof path, "%s", under(&f, "var/lib/vectl/ve/.create-new"));
	cr_assert_eq(rename(path, under(&f, "var/lib/vectl/ve/new")), 0);
	await(ev, "new created");

	/* renamed, it goes on under its name */
	snprintf(path, sizeof path, "%s", under(&f, "var/lib/vectl/ve/new"));
	cr_assert_eq(rename(path, under(&f, "var/lib/vectl/ve/newer")), 0);
	event_end_in(under(&f, "var/lib/vectl/ve/newer"), event_begin("renamed"));
	await(ev, "newer renamed");

	/* destroyed, with its last word and without */
	event_log(&web, "destroyed");
	snprintf(path, sizeof path, "%s", under(&f, "var/lib/vectl/ve/web1"));
	cr_assert_eq(rename(path, under(&f, "var/lib/vectl/ve/.destroy-web1")), 0);
	cr_assert_eq(remove_tree_at(AT_FDCWD, under(&f, "var/lib/vectl/ve/.destroy-web1")), 0);
	await(ev, "web1 destroyed");
	snprintf(path, sizeof path, "%s", under(&f, "var/lib/vectl/ve/db1"));
	cr_assert_eq(rename(path, under(&f, "var/lib/vectl/ve/.destroy-db1")), 0);
	await(ev, "db1 destroyed");
	cr_expect_str_eq(next(ev), "");
	ve_events_close(ev);
}

Test(events, as_one_document)
{
	cleanup_free char *text = NULL;
	cleanup_json struct json *j = NULL;
	struct error e = {0};
	cr_assert_eq(ve_events_json(&web, &text), 0);
	ve_free(TAKE_PTR(text));
	event_log(&web, "created");
	event_log(&web, "starting");
	cr_assert_eq(ve_events_json(&web, &text), 0);
	cr_assert_eq(json_parse(text, strlen(text), "events", "test", &j, &e), 0, "%s", e.wrong);
	cr_expect_eq(json_integer(j, "format", 0), 1);
	const struct json *list = json_get(j, "events");
	cr_assert(list && list->child && list->child->next && !list->child->next->next);
	cr_expect_str_eq(json_string(list->child, "event"), "created");
}

/* ---- the times that --since takes */

static void expect_when(const char *text, int64_t want)
{
	int64_t got = -1;
	cr_expect_eq(when_parse(text, 1000000000, &got), 0, "%s", text);
	cr_expect_eq(got, want, "%s: %lld, not %lld", text, (long long)got, (long long)want);
}

Test(when, is_understood)
{
	setenv("TZ", "UTC0", 1); /* 1,000,000,000 is 2001-09-09 01:46:40 there */
	tzset();
	expect_when("90s", 999999910);
	expect_when("10m", 999999400);
	expect_when("2h", 999992800);
	expect_when("1d", 999913600);
	expect_when("1w", 999395200);
	expect_when("@123", 123);
	expect_when("today", 999993600);
	expect_when("yesterday", 999907200);
	expect_when("2001-09-09", 999993600);
	expect_when("2001-09-09 01:46:40", 1000000000);
	expect_when("2001-09-09T01:46", 999999960);
	expect_when("01:46", 999999960);
	expect_when("01:46:40", 1000000000);
}

Test(when, is_refused)
{
	const char *const bad[] = {"", "10", "m", "10x", "-1h", "10mm", "@", "@x", "2001-13-01", "2001-09-09 25:00",
		"now!", "12:00 ", "99999999999d"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int64_t got = 7;
		cr_expect_eq(when_parse(bad[i], 1000000000, &got), -1, "'%s'", bad[i]);
		cr_expect_eq(got, 7);
	}
}
