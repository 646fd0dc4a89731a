/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/host/host.h"

TestSuite(error, .timeout = 60);

Test(error, set)
{
	struct error e = {0};

	cr_expect_eq(error_set(&e, VE_E_HOST, EOPNOTSUPP, "try it", "mend it", "%s is %d", "this", 7), -EOPNOTSUPP);
	cr_expect_eq(e.code, VE_E_HOST);
	cr_expect_eq(e.errnum, EOPNOTSUPP);
	cr_expect_str_eq(e.tried, "try it");
	cr_expect_str_eq(e.wrong, "this is 7");
	cr_expect_str_eq(e.remedy, "mend it");
	cr_expect_str_eq(e.subject, "");
	cr_expect_str_eq(e.step, "");
	cr_expect_str_eq(e.ve, "");
}

Test(error, the_first_is_kept)
{
	struct error e = {0}, was;

	error_set(&e, VE_E_SPEC, ENOENT, "first", "first remedy", "first wrong");
	was = e;
	/* The result is still that of the call at hand. */
	cr_expect_eq(error_set(&e, VE_E_HOST, EIO, "second", "second remedy", "second wrong"), -EIO);
	cr_expect_eq(memcmp(&e, &was, sizeof(e)), 0);
	cr_expect_eq(error_sys(&e, EPERM, "third", "subject"), -EPERM);
	cr_expect_eq(memcmp(&e, &was, sizeof(e)), 0);
	error_clear(&e);
	cr_expect_eq(e.code, 0);
	cr_expect_eq(error_sys(&e, EPERM, "third", "subject"), -EPERM);
	cr_expect_str_eq(e.tried, "third");
}

Test(error, sys)
{
	struct error e = {0};

	cr_expect_eq(error_sys(&e, ENOENT, "open it", "/a/b"), -ENOENT);
	cr_expect_eq(e.code, VE_E_FAILED);
	cr_expect_eq(e.errnum, ENOENT);
	cr_expect_str_eq(e.tried, "open it");
	cr_expect_str_eq(e.subject, "/a/b");
	cr_expect_str_eq(e.wrong, "/a/b: No such file or directory");
	cr_expect_str_eq(e.remedy, "");
	e = (struct error){0};
	cr_expect_eq(error_sys(&e, EPERM, "do it", NULL), -EPERM);
	cr_expect_str_eq(e.wrong, "Operation not permitted");
	cr_expect_str_eq(e.subject, "");
	e = (struct error){0};
	cr_expect_eq(error_sys(&e, EPERM, "do it", ""), -EPERM);
	cr_expect_str_eq(e.wrong, "Operation not permitted");
}

/* Never 0 or positive: callers take those for success. */
Test(error, the_result_is_negative)
{
	static const int numbers[] = {0, 1, -1, ENOENT, -ENOENT, 4095, -4095, 99999, -99999};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		struct error e = {0};
		int n = numbers[i] < 0 ? -numbers[i] : numbers[i], want = n ? -n : -EINVAL;
		cr_expect_eq(error_set(&e, VE_E_FAILED, numbers[i], "t", NULL, "w"), want);
		cr_expect_eq(e.errnum, n);
		e = (struct error){0};
		cr_expect_eq(error_sys(&e, numbers[i], "t", "s"), want);
		cr_expect_eq(e.errnum, n);
		cr_expect_eq(error_set(NULL, VE_E_FAILED, numbers[i], "t", NULL, "w"), want);
		cr_expect_eq(error_sys(NULL, numbers[i], "t", "s"), want);
	}
}

Test(error, hostile_words)
{
	struct error e = {0};

	error_set(&e, VE_E_ARCHIVE, 0, "read\nit", "do\033[2J that", "'%s' is wrong", "\033]0;x\007\r\n\tend\177");
	cr_expect_str_eq(e.tried, "read it");
	cr_expect_str_eq(e.remedy, "do?[2J that");
	cr_expect_str_eq(e.wrong, "'?]0;x?   end?' is wrong");
	e = (struct error){0};
	error_sys(&e, EIO, "read it", "a\nb");
	cr_expect_str_eq(e.subject, "a b");
	cr_expect_str_eq(e.wrong, "a b: Input/output error");
	/* A value is no format. */
	e = (struct error){0};
	error_sys(&e, EIO, "%s%n", "%d%n%s");
	cr_expect_str_eq(e.tried, "%s%n");
	cr_expect_str_eq(e.wrong, "%d%n%s: Input/output error");
}

static void expect_cut(const char *field, size_t size, const char *whole)
{
	cr_expect_lt(strlen(field), size);
	cr_expect_geq(strlen(field), size - 4);
	cr_expect_eq(strncmp(field, whole, strlen(field)), 0);
	cr_expect(json_is_utf8(field, strlen(field)), "cut inside a character");
}

/* What is too long is cut between characters, however they fall on the end. */
Test(error, long_words)
{
	static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa7"};

	for (size_t c = 0; c < 4; c++)
		for (size_t shift = 0; shift < 4; shift++) {
			char text[1200];
			struct error e = {0};
			memset(text, 'x', shift);
			size_t n = shift, width = strlen(characters[c]);
			for (; n + width < sizeof(text); n += width)
				memcpy(text + n, characters[c], width);
			text[n] = 0;
			error_set(&e, VE_E_FAILED, EIO, text, text, "%s", text);
			expect_cut(e.tried, sizeof(e.tried), text);
			expect_cut(e.remedy, sizeof(e.remedy), text);
			expect_cut(e.wrong, sizeof(e.wrong), text);
			e = (struct error){0};
			error_sys(&e, EIO, "t", text);
			expect_cut(e.subject, sizeof(e.subject), text);
			expect_cut(e.wrong, sizeof(e.wrong), text);
		}
}

/* What just fits is whole. */
Test(error, words_that_fit)
{
	struct error e = {0};
	char text[sizeof(e.wrong)];

	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = 0;
	error_set(&e, VE_E_FAILED, EIO, "t", NULL, "%s", text);
	cr_expect_str_eq(e.wrong, text);
	memcpy(text + sizeof(text) - 3, "\xc3\xa9", 3);
	e = (struct error){0};
	error_set(&e, VE_E_FAILED, EIO, "t", NULL, "%s", text);
	cr_expect_str_eq(e.wrong, text);
}

/* ---- the public view */

Test(error, the_handle_shows_it)
{
	struct ve_host h = {.cancel_fd = -1};

	cr_expect_eq(ve_error_code(&h), VE_E_NONE);
	cr_expect_str_eq(ve_error_message(&h), "");
	error_sys(&h.error, ENOSPC, "write it", "/x");
	memcpy(h.error.ve, "web1", 5);
	memcpy(h.error.step, "overlay", 8);
	cr_expect_eq(ve_error_code(&h), VE_E_FAILED);
	cr_expect_eq(ve_error_errno(&h), ENOSPC);
	cr_expect_str_eq(ve_error_ve(&h), "web1");
	cr_expect_str_eq(ve_error_step(&h), "overlay");
	cr_expect_str_eq(ve_error_subject(&h), "/x");
	cr_expect_str_eq(ve_error_tried(&h), "write it");
	cr_expect_str_eq(ve_error_message(&h), "/x: No space left on device");
	cr_expect_str_eq(ve_error_remedy(&h), "make room there: df and df -i show what is full");
	/* The next call begins clean. */
	cr_expect_eq(host_begin(&h), &h.error);
	cr_expect_eq(ve_error_code(&h), VE_E_NONE);
	cr_expect_str_eq(ve_error_message(&h), "");
}

Test(error, an_errno_that_asks_for_nothing_has_no_remedy)
{
	struct error e = {0};

	error_sys(&e, EROFS, "write it", "/x");
	cr_expect_str_eq(e.remedy, "mount that file system read-write");
	error_clear(&e);
	error_sys(&e, ESRCH, "end it", "7");
	cr_expect_str_eq(e.remedy, "");
	cr_expect_null(error_remedy(0));
}

Test(error, names_that_open_refuses)
{
	static const char *const names[] = {"", "a/b", "..", ".", "Web", "a-", "-a", "a b", "a\n", "\xc3\xa9",
		"0123456789012345678901234567890123456789012345678901234567890123"};
	struct ve_host h = {.cancel_fd = -1};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct ve *untouched = (struct ve *)&h, *ve = untouched;
		cr_expect_eq(ve_open(&h, names[i], &ve), -EINVAL, "'%s'", names[i]);
		cr_expect_eq(ve, untouched);
		cr_expect_eq(ve_error_code(&h), VE_E_USAGE, "'%s'", names[i]);
		cr_expect_str_eq(ve_error_remedy(&h), "use 1 to 63 of a-z 0-9 -, first and last a letter or digit");
	}
	struct ve *ve = NULL;
	memcpy(h.data, "/nonexistent", 13);
	cr_expect_eq(ve_open(&h, "web1", &ve), -ENOENT);
	cr_expect_null(ve);
	cr_expect_eq(ve_error_code(&h), VE_E_NO_VE);
	cr_expect_str_eq(ve_error_ve(&h), "web1");
	cr_expect_str_eq(ve_error_message(&h), "there is no VE of that name");
}

Test(error, interrupted)
{
	struct ve_host h = {.cancel_fd = -1};
	int ends[2];

	cr_expect_eq(host_cancelled(&h, &h.error), 0);
	cr_assert_eq(pipe(ends), 0);
	h.cancel_fd = ends[0];
	cr_expect_eq(host_cancelled(&h, &h.error), 0);
	cr_expect_eq(ve_error_code(&h), VE_E_NONE);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect_eq(host_cancelled(&h, &h.error), 1);
	cr_expect_eq(ve_error_code(&h), VE_E_INTERRUPTED);
	cr_expect_eq(ve_error_errno(&h), EINTR);
	/* It is not read from: every later call sees it too. */
	cr_expect_eq(host_cancelled(&h, &h.error), 1);
}
