/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the server writes of the console, and what libve reads of it. */
#include "tests/unit/fixture.h"

#include <time.h>

#include "cmd/ve-supervisor/log.h"
#include "lib/plan/console_log.h"

enum { LIMIT = 1024 }; /* of each file, header included */

static struct fixture f;
static struct ve ve = {.host = &f.host, .name = "web1"};
static int fd[2] = {-1, -1};

static void open_files(void)
{
	for (int i = 0; i < 2; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = open(under(&f, "var/lib/vectl/ve/web1/console.%d", i), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		cr_assert_geq(fd[i], 0);
	}
}

static void make(void)
{
	fixture_make(&f);
	cr_assert_eq(mkdir_parents(under(&f, "var/lib/vectl/ve/web1"), 0700), 0);
	open_files();
}

static void drop(void)
{
	fixture_remove(&f);
}

TestSuite(console_log, .init = make, .fini = drop, .timeout = 60);

static void expect_log(const char *want, size_t want_size)
{
	cleanup_free char *text = NULL;
	size_t size = 0;

	cr_assert_eq(ve_console_log(&ve, &text, &size), 0, "%s", f.host.error.wrong);
	cr_expect_eq(size, want_size, "%zu, not %zu", size, want_size);
	cr_expect_eq(text[size], 0);
	cr_expect(size == want_size && !memcmp(text, want, size), "'%s'", text);
}

static void expect_text(const char *want)
{
	expect_log(want, strlen(want));
}

static off_t size_of(int i)
{
	struct stat st;
	cr_assert_eq(fstat(fd[i], &st), 0);
	return st.st_size;
}

static void expect_header(int i, const char *sequence)
{
	char b[LOG_HEADER], want[LOG_HEADER + 1];

	cr_assert_eq(pread(fd[i], b, LOG_HEADER, 0), LOG_HEADER);
	snprintf(want, sizeof(want), "vectl-console %-17s\n", sequence);
	cr_expect_eq(memcmp(b, want, LOG_HEADER), 0, "'%.32s'", b);
}

Test(console_log, nothing_yet)
{
	struct log l;

	expect_text("");
	log_open(&l, fd, LIMIT);
	expect_header(0, "1");
	cr_expect_eq(size_of(1), 0);
	expect_text("");
	cr_assert_eq(remove_tree_at(AT_FDCWD, under(&f, "var/lib/vectl/ve/web1")), 0);
	expect_text("");
}

Test(console_log, bytes_as_they_are)
{
	static const char bytes[] = "a\0b\r\n\033[1m\xff\xfe\nvectl-console 9\n";
	struct log l;

	log_open(&l, fd, LIMIT);
	log_write(&l, bytes, sizeof(bytes) - 1);
	log_write(&l, "", 0);
	log_write(&l, "end", 3);
	char want[sizeof(bytes) + 2];
	memcpy(want, bytes, sizeof(bytes) - 1);
	memcpy(want + sizeof(bytes) - 1, "end", 3);
	expect_log(want, sizeof(want));
}

/* Over many turns: what is kept is the end of what was written, in order, at least one limit's worth, at most two. */
Test(console_log, rotation)
{
	static char all[64 * 1024];
	size_t n = 0;
	struct log l;

	log_open(&l, fd, LIMIT);
	for (int line = 0; n < sizeof(all) - 100; line++) {
		char b[100];
		int size = snprintf(b, sizeof(b), "line %d %.*s\n", line, line % 60,
			"............................................................");
		log_write(&l, b, size);
		memcpy(all + n, b, size);
		n += size;
		for (int i = 0; i < 2; i++)
			cr_assert_leq(size_of(i), LIMIT);

		cleanup_free char *text = NULL;
		size_t kept = 0;
		cr_assert_eq(ve_console_log(&ve, &text, &kept), 0);
		cr_assert_leq(kept, n);
		cr_assert_eq(memcmp(text, all + n - kept, kept), 0, "after line %d", line);
		if (n > LIMIT)
			cr_assert_geq(kept, LIMIT - LOG_HEADER - 100, "after line %d: %zu bytes", line, kept);
		else
			cr_assert_leq(n - kept, 0);
		cr_assert_leq(kept, 2 * (LIMIT - LOG_HEADER));
	}
	cr_expect_gt(l.sequence, 50);
	char number[24];
	FORMAT(number, "%llu", (unsigned long long)l.sequence);
	expect_header(l.current, number);
	FORMAT(number, "%llu", (unsigned long long)l.sequence - 1);
	expect_header(!l.current, number);
}

Test(console_log, goes_on_where_it_was)
{
	for (int start = 0; start < 40; start++) {
		struct log l;
		char b[64];
		open_files();
		log_open(&l, fd, LIMIT);
		FORMAT(b, "start %d ends here, without a newline", start);
		log_write(&l, b, strlen(b));
	}
	cleanup_free char *text = NULL;
	size_t size;
	cr_assert_eq(ve_console_log(&ve, &text, &size), 0);
	/* 40 starts of some 37 bytes fit two files of 992. */
	const char *at = text;
	for (int start = 0; start < 40; start++) {
		char b[64];
		FORMAT(b, "start %d ends here, without a newline", start);
		cr_assert_eq(strncmp(at, b, strlen(b)), 0, "start %d: '%.40s'", start, at);
		at += strlen(b);
	}
	cr_expect_eq(at, text + size);
}

Test(console_log, exactly_full)
{
	static char block[LIMIT - LOG_HEADER];
	struct log l;

	log_open(&l, fd, LIMIT);
	memset(block, 'a', sizeof(block));
	log_write(&l, block, sizeof(block));
	cr_expect_eq(size_of(0), LIMIT);
	cr_expect_eq(size_of(1), 0);
	log_write(&l, "b", 1);
	cr_expect_eq(size_of(1), LOG_HEADER + 1);
	cr_expect_eq(l.current, 1);
	char want[sizeof(block) + 1];
	memcpy(want, block, sizeof(block));
	want[sizeof(block)] = 'b';
	expect_log(want, sizeof(want));
	/* Found full at the next start: the other is the older one, and makes room. */
	log_write(&l, block, sizeof(block) - 1);
	open_files();
	log_open(&l, fd, LIMIT);
	cr_expect_eq(l.current, 1);
	log_write(&l, "c", 1);
	cr_expect_eq(l.current, 0);
	cr_expect_eq(l.sequence, 3);
	cr_expect_eq(size_of(0), LOG_HEADER + 1);
}

static void expect_mark(const char *text, const char *begin)
{
	struct tm t = {0};
	char tail[16] = "";

	cr_assert_eq(strncmp(text, begin, strlen(begin)), 0, "'%s'", text);
	const char *end = strptime(text + strlen(begin), "%Y-%m-%d %H:%M:%S", &t);
	cr_assert_not_null(end, "'%s'", text);
	snprintf(tail, sizeof(tail), "%s", end);
	cr_expect_str_eq(tail, " UTC ---\n");
	cr_expect_leq(llabs((long long)timegm(&t) - (long long)time(NULL)), 5);
}

/* A mark stands on a line of its own, also when the guest's last line has no end, also after a restart. */
Test(console_log, marks)
{
	struct log l;
	cleanup_free char *a = NULL, *b = NULL, *c = NULL;
	size_t size;

	log_open(&l, fd, LIMIT);
	log_boot(&l, 1);
	cr_assert_eq(ve_console_log(&ve, &a, &size), 0);
	expect_mark(a, "--- boot 1, ");
	log_write(&l, "login: ", 7);
	log_boot(&l, 4294967295u);
	cr_assert_eq(ve_console_log(&ve, &b, &size), 0);
	cr_assert_eq(strncmp(b + strlen(a), "login: \n", 8), 0);
	expect_mark(b + strlen(a) + 8, "--- boot 4294967295, ");
	log_write(&l, "halted", 6);
	open_files();
	log_open(&l, fd, LIMIT);
	log_boot(&l, 2);
	cr_assert_eq(ve_console_log(&ve, &c, &size), 0);
	cr_assert_eq(strncmp(c + strlen(b), "halted\n", 7), 0);
	expect_mark(c + strlen(b) + 7, "--- boot 2, ");
}

/* ---- files that something else wrote, or that a crash left */

static void put(int i, const char *header, const char *text)
{
	char b[256];
	memset(b, ' ', LOG_HEADER);
	memcpy(b, header, strlen(header));
	b[LOG_HEADER - 1] = '\n';
	memcpy(b + LOG_HEADER, text, strlen(text) + 1);
	cr_assert_eq(ftruncate(fd[i], 0), 0);
	cr_assert_eq(pwrite(fd[i], b, LOG_HEADER + strlen(text), 0), (ssize_t)(LOG_HEADER + strlen(text)));
}

/* Boots are counted in the header, so that the count outlasts the marks, and nothing of the guest's can be taken for
 * it. */
Test(console_log, boots_are_counted)
{
	struct log l;
	char lines[LIMIT / 2];

	cr_expect_eq(log_boots(fd), 0);
	memset(lines, '\n', sizeof(lines));
	for (unsigned boot = 1; boot <= 20; boot++) {
		open_files();
		cr_expect_eq(log_boots(fd), boot - 1);
		log_open(&l, fd, LIMIT);
		log_boot(&l, boot);
		cr_expect_eq(log_boots(fd), boot);
		log_write(&l, "--- boot 77, 2026-01-31 12:00:00 UTC ---\n", 42);
		/* Past all marks, in some of the rounds. */
		for (unsigned i = 0; i < boot % 7; i++)
			log_write(&l, lines, sizeof(lines));
	}
	char header[32];
	FORMAT(header, "%llu 20", (unsigned long long)l.sequence);
	expect_header(l.current, header);
	open_files();
	cr_expect_eq(log_boots(fd), 20);
	/* Files of versions that did not count begin anew, and so does what is no number. */
	put(0, "vectl-console 7", "--- boot 3, \n");
	put(1, "vectl-console 8 x", "");
	cr_expect_eq(log_boots(fd), 0);
	put(1, "vectl-console 8 99999999999", "");
	cr_expect_eq(log_boots(fd), 0);
	put(1, "vectl-console 8 5", "");
	cr_expect_eq(log_boots(fd), 5);
	put(1, "something else 8 5", "");
	cr_expect_eq(log_boots(fd), 0);
}

Test(console_log, the_older_comes_first)
{
	put(0, "vectl-console 7", "older\n");
	put(1, "vectl-console 8", "newer\n");
	expect_text("older\nnewer\n");
	put(0, "vectl-console 9", "newest\n");
	expect_text("newer\nnewest\n");
	put(0, "vectl-console 10", "ten\n");
	expect_text("newer\nten\n");
}

Test(console_log, strange_files)
{
	struct log l;

	put(0, "something else ", "never shown\n");
	put(1, "vectl-console 2", "shown\n");
	expect_text("shown\n");
	log_open(&l, fd, LIMIT);
	cr_expect_eq(l.current, 1);
	log_write(&l, "more\n", 5);
	expect_text("shown\nmore\n");

	/* Killed between the truncation and the header. */
	cr_assert_eq(ftruncate(fd[0], 0), 0);
	expect_text("shown\nmore\n");
	cr_assert_eq(pwrite(fd[0], "vectl-con", 9, 0), 9);
	expect_text("shown\nmore\n");
	log_open(&l, fd, LIMIT);
	cr_expect_eq(l.current, 1);
	cr_expect_eq(l.sequence, 2);

	put(0, "vectl-console x", "no number\n");
	put(1, "vectl-console 0", "nought\n");
	expect_text("");
	log_open(&l, fd, LIMIT);
	expect_header(0, "1");
	expect_text("");
}
