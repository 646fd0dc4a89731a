/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What plans make of what the spec gives for init, and of what does not fit. */
#include "tests/unit/fixture.h"
#include "tests/unit/planning.h"

TestSuite(plan_input, .timeout = 60);

/* ---- init's command line and environment */

static void expect_item(const struct plan_step *s, int k, const char *want)
{
	for (const char *p = s->s[k]; p && p <= s->s[k] + s->len[k]; p += strlen(p) + 1)
		if (!strcmp(p, want))
			return;
	cr_expect_fail("'%s' is missing", want);
}

static unsigned items_that_start(const struct plan_step *s, int k, const char *with)
{
	unsigned n = 0;
	for (const char *p = s->s[k]; p && p <= s->s[k] + s->len[k]; p += strlen(p) + 1)
		n += !strncmp(p, with, strlen(with));
	return n;
}

Test(plan_input, environment)
{
	cleanup_plan struct plan *p = make_plan(&spec_cases[3], &host_cases[0]);
	const struct plan_step *s = find(p, OP_EXEC);

	expect_item(s, 2, "container=lxc-vectl");
	expect_item(s, 2, "container_uuid=" TEST_UUID);
	expect_item(s, 2, "NOTIFY_SOCKET=/run/host/notify");
	expect_item(s, 2, "LANG=C.UTF-8");
	expect_item(s, 2, "dotted.name=a=b c");
	/* getenv finds the first of two of one name: the user's takes the default's place. */
	expect_item(s, 2, "PATH=/opt/bin:/bin");
	expect_item(s, 2, "TERM=vt220");
	cr_expect_eq(items_that_start(s, 2, "PATH="), 1);
	cr_expect_eq(items_that_start(s, 2, "TERM="), 1);
	cr_expect_eq(items_that_start(s, 2, ""), 7);
}

static int build_with(struct spec *s, struct plan **ret, struct error *e)
{
	struct plan_input in = make_input(s, &host_cases[0]);
	return plan_build(&in, ret, e);
}

static void expect_env_refused(struct spec *s)
{
	struct plan *p = NULL;
	struct error e = {0};

	cr_expect_eq(build_with(s, &p, &e), -E2BIG);
	cr_expect_null(p);
	cr_expect_eq(e.code, VE_E_SPEC);
	cr_expect_str_eq(e.wrong, "env: at most 32768 bytes in all");
	cr_expect_str_eq(e.remedy, "shorten it, or take some away");
}

Test(plan_input, environment_has_bounds)
{
	cleanup_spec struct spec *s = make_spec(&spec_cases[0]), *wide = make_spec(&spec_cases[0]);
	cleanup_spec struct spec *big = make_spec(&spec_cases[0]);
	cleanup_plan struct plan *p = NULL, *q = NULL;
	char key[32], value[512];
	struct error e = {0};

	for (int i = 0; i < 250; i++) {
		FORMAT(key, "env.K%03d", i);
		cr_assert_eq(spec_put(s, key, "v", &e), 0);
	}
	cr_assert_eq(build_with(s, &p, &e), 0, "%s", e.wrong);
	cr_expect_eq(items_that_start(find(p, OP_EXEC), 2, "K"), 250);
	cr_assert_eq(spec_put(s, "env.ONE_MORE", "v", &e), 0);
	expect_env_refused(s);

	memset(value, 'x', sizeof(value));
	value[255 - 2] = 0;
	cr_assert_eq(spec_put(wide, "env.W", value, &e), 0);
	cr_assert_eq(build_with(wide, &q, &e), 0, "%s", e.wrong);
	cr_expect_eq(items_that_start(find(q, OP_EXEC), 2, "W=x"), 1);
	value[255 - 2] = 'x';
	value[256 - 2] = 0;
	cr_assert_eq(spec_put(wide, "env.W", value, &e), 0);
	expect_env_refused(wide);

	value[200] = 0;
	for (int i = 0; i < 200; i++) {
		FORMAT(key, "env.K%03d", i);
		cr_assert_eq(spec_put(big, key, value, &e), 0);
	}
	expect_env_refused(big);
}

Test(plan_input, init_arguments)
{
	cleanup_plan struct plan *own = make_plan(&spec_cases[2], &host_cases[0]);
	cleanup_plan struct plan *found = make_plan(&spec_cases[0], &host_cases[0]);
	const struct plan_step *s = find(own, OP_EXEC);

	cr_expect_str_eq(s->s[0], "/bin/busybox");
	cr_expect_eq(s->len[0], strlen("/bin/busybox"));
	cr_expect_eq(s->len[1], sizeof("/bin/busybox\0init\0--with a blank") - 1);
	cr_expect_eq(memcmp(s->s[1], "/bin/busybox\0init\0--with a blank", s->len[1] + 1), 0);
	s = find(found, OP_EXEC);
	cr_expect_eq(s->len[0], sizeof("/usr/lib/systemd/systemd\0/lib/systemd/systemd\0/sbin/init") - 1);
	cr_expect_null(s->s[1]);
}

Test(plan_input, init_arguments_have_bounds)
{
	cleanup_spec struct spec *s = make_spec(&spec_cases[0]);
	cleanup_plan struct plan *p = NULL;
	char value[160] = "init=/i";
	struct error e = {0};

	for (int i = 1; i < 63; i++)
		strcat(value, ",a");
	cr_assert_eq(spec_assign(s, value, &e), 0, "%s", e.wrong);
	cr_assert_eq(build_with(s, &p, &e), 0, "%s", e.wrong);
	cr_expect_eq(items_that_start(find(p, OP_EXEC), 1, ""), 63);
	/* Refused when it is set, not when it is needed. */
	cr_expect_lt(spec_assign(s, "init+=b", &e), 0);
	cr_expect_eq(e.code, VE_E_SPEC);
	cr_expect_eq(spec_check(s, &e), 0);
}

/* ---- input that does not fit */

Test(plan_input, long_paths_are_refused)
{
	cleanup_spec struct spec *s = make_spec(&spec_cases[0]);
	struct plan_input in = make_input(s, &host_cases[0]);
	struct plan *p = NULL;
	struct error e = {0};
	char *path = malloc(PATH_MAX + 1);

	memset(path, 'p', PATH_MAX);
	path[0] = '/';
	path[PATH_MAX] = 0;
	in.image_root = path;
	cr_expect_eq(plan_build(&in, &p, &e), -ENAMETOOLONG);
	cr_expect_null(p);
	cr_expect_eq(e.errnum, ENAMETOOLONG);
	in = make_input(s, &host_cases[0]);
	in.root_id = path;
	e = (struct error){0};
	cr_expect_eq(plan_build(&in, &p, &e), -ENAMETOOLONG);
	cr_expect_null(p);
	cr_expect_eq(e.errnum, ENAMETOOLONG);
	free(path);
}

/* A ve.json that a hand took the uuid from. */
Test(plan_input, no_uuid_is_no_null)
{
	cleanup_spec struct spec *s = spec_new();
	cleanup_plan struct plan *p = NULL;
	cleanup_free char *text = NULL;
	struct error e = {0};

	cr_assert_eq(spec_put(s, "name", "web1", &e), 0);
	cr_assert_eq(build_with(s, &p, &e), 0, "%s", e.wrong);
	cr_assert_eq(plan_text(p, &text, &e), 0);
	cr_expect_null(strstr(text, "null"));
	cr_expect_eq(items_that_start(find(p, OP_EXEC), 2, "container_uuid"), 0);
}
