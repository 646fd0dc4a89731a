/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users and groups from a guest's files (cmd/ve-enter/account.c): what is there may be hostile. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ve-enter/account.h"
#include "lib/base/util.h"

#include "lib/run/enter_wire.h"

TestSuite(enter, .timeout = 20);

/* Whatever fails, something is said that can be done; and it fits where it is put. */
Test(enter, each_failure_has_a_remedy)
{
	for (int step = -1; step < ENTER_STEP_COUNT; step++)
		for (int err = 1; err < 134; err++) {
			const char *remedy = enter_remedy(step, err);
			cr_expect(*remedy && strlen(remedy) < 200, "step %d, errno %d: '%s'", step, err, remedy);
		}
	cr_expect(strstr(enter_remedy(ENTER_EXEC, ENOENT), "install it"));
	cr_expect(strstr(enter_remedy(ENTER_CWD, ENOENT), "--cwd"));
	cr_expect(strstr(enter_remedy(ENTER_SECCOMP, EPERM), "vectl restart NAME"));
	cr_expect(strstr(enter_remedy(-1, EMFILE), "ulimit -n"));
}

static int find(const char *text, const char *user, struct account *ret)
{
	return account_find(text, strlen(text), user, ret);
}

Test(enter, ids_are_plain_numbers)
{
	static const struct {
		const char *text;
		int result;
		uint32_t id;
	} rows[] = {
		{"0", 0, 0},
		{"1000", 0, 1000},
		{"65534", 0, 65534},
		{"007", 0, 7},
		{"65535", -EINVAL, 9},
		{"99999", -EINVAL, 9},
		{"", -EINVAL, 9},
		{"-1", -EINVAL, 9},
		{"+1", -EINVAL, 9},
		{" 1", -EINVAL, 9},
		{"1 ", -EINVAL, 9},
		{"0x10", -EINVAL, 9},
		{"1:2", -EINVAL, 9},
		{"4294967296", -EINVAL, 9},
		{"4294967295", -EINVAL, 9},
		{"2147483648", -EINVAL, 9},
		{"18446744073709551616", -EINVAL, 9},
		{"000000", -EINVAL, 9},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t id = 9;

		cr_expect_eq(account_parse_id(rows[i].text, strlen(rows[i].text), &id), rows[i].result, "'%s'",
			rows[i].text);
		cr_expect_eq(id, rows[i].id, "'%s'", rows[i].text);
	}
}

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "\n"
			     "# a comment\n"
			     "www:x:33:34::var/www:nologin\n"
			     "1000:x:0:0::/root:/bin/sh\n"
			     "user:x:1000:1000:A:/home/user:/bin/zsh\n"
			     "user:x:0:0:again:/root:/bin/sh\n"
			     "big:x:4294967296:0::/:/bin/sh\n"
			     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
			     "short:x:5\n"
			     "many:x:5:5::/:/bin/sh:more\n"
			     "last:x:7:8::/l:/bin/l";

Test(enter, users_by_name)
{
	struct account a;

	cr_assert_eq(find(passwd, "root", &a), 0);
	cr_expect(a.uid == 0 && a.gid == 0);
	cr_expect_str_eq(a.home, "/root");
	cr_expect_str_eq(a.shell, "/bin/bash");
	cr_assert_eq(find(passwd, "www", &a), 0);
	cr_expect(a.uid == 33 && a.gid == 34);
	cr_expect_str_eq(a.home, "/", "not absolute");
	cr_expect_str_eq(a.shell, "/bin/sh", "not absolute");
	cr_assert_eq(find(passwd, "user", &a), 0, "the first line holds");
	cr_expect_eq(a.uid, 1000);
	cr_assert_eq(find(passwd, "last", &a), 0, "without a newline at the end");
	cr_expect(a.uid == 7 && a.gid == 8);
	cr_expect_str_eq(a.shell, "/bin/l");
}

Test(enter, a_number_is_never_a_name)
{
	struct account a;

	cr_assert_eq(find(passwd, "1000", &a), 0);
	cr_expect_eq(a.uid, 1000, "the guest named its root 1000");
	cr_expect_str_eq(a.name, "user");
	cr_assert_eq(find(passwd, "65534", &a), 0);
	cr_expect_str_eq(a.name, "nobody");
}

Test(enter, what_is_not_found_or_malformed_leaves_the_output_alone)
{
	static const struct {
		const char *user;
		int result;
	} rows[] = {
		{"nosuch", -ENOENT},
		{"", -ENOENT},
		{"-1", -ENOENT},
		{"1:2", -ENOENT},
		{"4294967296", -ENOENT},
		{"4294967295", -ENOENT},
		{"2147483648", -ENOENT},
		{"65535", -ENOENT},
		{"0x0", -ENOENT},
		{"12345", -ENOENT},
		{"big", -EINVAL},
		{"short", -EINVAL},
		{"many", -EINVAL},
		{"root:x", -ENOENT},
		{"roo", -ENOENT},
		{"rootx", -ENOENT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct account a = {.uid = 77, .gid = 88};

		cr_expect_eq(find(passwd, rows[i].user, &a), rows[i].result, "'%s'", rows[i].user);
		cr_expect(a.uid == 77 && a.gid == 88, "'%s'", rows[i].user);
	}
}

Test(enter, hostile_bytes_in_passwd)
{
	static const char nul[] = "u:x:5:5::/ho\0me:/bin/sh\n", nul_id[] = "u:x:5\0:5::/:/bin/sh\n";
	char *longer = malloc(4096), *line = malloc(8192);
	struct account a;

	cr_expect_eq(account_find(nul, sizeof(nul) - 1, "u", &a), -EINVAL);
	cr_expect_eq(account_find(nul_id, sizeof(nul_id) - 1, "u", &a), -EINVAL);
	cr_expect_eq(account_find("", 0, "u", &a), -ENOENT);
	memset(longer, 'a', 4095);
	longer[4095] = '\0';
	snprintf(line, 8192, "u:x:5:5::/%s:/bin/sh\n", longer);
	cr_expect_eq(find(line, "u", &a), -EINVAL);
	snprintf(line, 8192, "%s:x:5:5::/:/bin/sh\n", longer);
	cr_expect_eq(find(line, longer, &a), -EINVAL);
	free(longer);
	free(line);
}

Test(enter, groups_are_exact)
{
	static const char text[] = "root:x:0:\n"
				   "adm:x:4:syslog,user\n"
				   "sudo:x:27:users,xuser,user2\n"
				   "dup:x:4:user\n"
				   "own:x:1000:user\n"
				   "evil:x:4294967296:user\n"
				   "neg:x:-1:user\n"
				   "five:x:5:user:x\n"
				   "audio:x:29:,user,\n"
				   "video:x:44: user\n"
				   "last:x:50:user";
	static const uint32_t want[] = {1000, 4, 29, 50};
	uint32_t groups[ACCOUNT_GROUPS_MAX];

	cr_assert_eq(account_groups(text, sizeof(text) - 1, "user", 1000, groups), (int)ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		cr_expect_eq(groups[i], want[i]);
	cr_assert_eq(account_groups(NULL, 0, "user", 7, groups), 1, "no file");
	cr_expect_eq(groups[0], 7);
}

Test(enter, too_many_groups_are_refused)
{
	static char text[ACCOUNT_GROUPS_MAX * 32];
	static uint32_t groups[ACCOUNT_GROUPS_MAX];
	size_t n = 0;

	for (int i = 1; i < ACCOUNT_GROUPS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "g:x:%d:u\n", i);
	cr_expect_eq(account_groups(text, n, "u", 0, groups), ACCOUNT_GROUPS_MAX);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "g:x:5000:u\n");
	cr_expect_eq(account_groups(text, n, "u", 0, groups), -E2BIG);
}
