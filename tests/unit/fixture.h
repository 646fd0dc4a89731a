/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A temporary root with a host handle on it, filled by hand: nothing of the machine's own vectl is read. */
#ifndef VE_TEST_FIXTURE_H
#define VE_TEST_FIXTURE_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/host/host.h"

struct fixture {
	char folder[64];
	struct ve_host host;
};

static inline void fixture_make(struct fixture *f)
{
	*f = (struct fixture){.host.cancel_fd = -1};
	FORMAT(f->folder, "/tmp/ve-test-XXXXXX");
	cr_assert_not_null(mkdtemp(f->folder));
	FORMAT(f->host.root, "%s", f->folder);
	FORMAT(f->host.etc, "%s/etc/vectl", f->folder);
	FORMAT(f->host.data, "%s/var/lib/vectl", f->folder);
	FORMAT(f->host.run, "%s/run/vectl", f->folder);
	FORMAT(f->host.id, "0badcafe");
	const char *made[] = {f->host.etc, f->host.data, f->host.run};
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		cr_assert_eq(mkdir_parents(made[i], 0700), 0, "%s", made[i]);
}

static inline void fixture_remove(struct fixture *f)
{
	cr_expect_eq(remove_tree_at(AT_FDCWD, f->folder), 0);
}

/* A path beneath the temporary root, in a buffer that the next call but three uses again. */
static inline const char *under(const struct fixture *f, const char *format, ...)
{
	static char path[4][512];
	static unsigned turn;
	char rest[384];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(rest, sizeof(rest), format, ap);
	va_end(ap);
	cr_assert_lt(n, (int)sizeof(rest));
	turn = (turn + 1) % 4;
	cr_assert_gt(FORMAT(path[turn], "%s/%s", f->folder, rest), 0);
	return path[turn];
}

static inline void put_bytes(const char *path, const void *data, size_t size)
{
	cr_assert_eq(write_file_atomic_at(AT_FDCWD, path, data, size, 0600), 0, "%s", path);
}

static inline void put_text(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

#endif
