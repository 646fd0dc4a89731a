/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of what was set while a VE runs: what was written is read, and nothing else is. */
#include "tests/unit/planning.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "lib/plan/live.h"

TestSuite(live, .timeout = 60);

static const struct spec_case set_case = {
	"set", {"hostname=db.example.org", "sysctl.net.ipv4.ip_forward=1", "sysctl.kernel.sem=32000 1 1 1",
		       "rlimit.nofile=256", "boot.on_exit=restart-on-failure"}};

enum { NOFILE = 1u << RLIMIT_NOFILE };
static _Alignas(struct live_record) char buf[LIVE_SLOT];

static struct plan *steps(const struct spec_case *c)
{
	cleanup_spec struct spec *s = make_spec(c);
	struct plan_input in = {.spec = s, .facts = &host_cases[0].facts, .name = "web1"};
	struct error e = {0};
	struct plan *p = NULL;

	cr_assert_eq(plan_live(&in, &p, &e), 0, "%s", e.wrong);
	return p;
}

static int encode(const struct spec_case *c, uint32_t resources, uint64_t sequence, void *to)
{
	cleanup_plan struct plan *p = steps(c);
	return live_encode(p, resources, 0, sequence, to);
}

Test(live, round_trip)
{
	int n = encode(&set_case, NOFILE, 7, buf);
	const struct live_record *r = live_check(buf, n);

	cr_assert_not_null(r);
	cr_expect_eq(r->size, n);
	cr_expect_eq(r->sequence, 7);
	const struct wire_step *s = live_find(r, OP_HOSTNAME, 0);
	cr_assert_not_null(s);
	cr_expect_str_eq(live_string(r, s, 0), "db.example.org");
	cr_expect_eq(s->n[0], 1);
	s = live_find(r, OP_RLIMIT, RLIMIT_NOFILE);
	cr_assert_not_null(s);
	cr_expect(s->n[1] == 256 && s->n[2] == 256);
	cr_expect_null(live_find(r, OP_RLIMIT, RLIMIT_CORE), "a limit that nobody changed");
	s = live_find(r, OP_ON_EXIT, 0);
	cr_assert_not_null(s);
	cr_expect_eq(s->n[0], ON_EXIT_RESTART_FAILED);
	int sysctls = 0;
	for (uint32_t i = 0; i < r->nsteps; i++)
		sysctls += r->step[i].op == OP_SYSCTL;
	cr_expect_eq(sysctls, 2);
	s = live_find(r, OP_SYSCTL, 0);
	cr_expect_str_eq(live_string(r, s, 1), strcmp(live_string(r, s, 0), "kernel.sem") ? "1" : "32000 1 1 1");
}

/* Nothing set is a record, too: the defaults, where the plan has something else. */
Test(live, of_defaults)
{
	int n = encode(&spec_cases[0], 0, 1, buf);
	const struct live_record *r = live_check(buf, n);

	cr_assert_not_null(r);
	cr_expect_eq(r->nsteps, 1);
	const struct wire_step *s = live_find(r, OP_HOSTNAME, 0);
	cr_assert_not_null(s);
	cr_expect_str_eq(live_string(r, s, 0), "web1");
	cr_expect_eq(s->n[0], 0);
}

/* Mounts come with all that they are made of, so that a later change finds what is there. */
Test(live, places)
{
	static const struct spec_case c = {"mounts",
		{"mount.data.source=/srv", "mount.data.target=/data", "mount.s.type=tmpfs", "mount.s.target=/s"}};
	static const int ops[] = {OP_OPEN_MOUNT, OP_ATTACH_MOUNT, OP_BIND_MOUNT, OP_MOUNT_INSIDE};
	cleanup_spec struct spec *s = make_spec(&c);
	struct plan_input in = {.spec = s, .facts = &host_cases[0].facts, .name = "web1", .places = 1};
	cleanup_plan struct plan *p = NULL;
	struct error e = {0};

	cr_assert_eq(plan_live(&in, &p, &e), 0, "%s", e.wrong);
	int n = live_encode(p, 0, LIVE_HAS_PLACES, 1, buf);
	struct live_record *r = (struct live_record *)buf;
	cr_assert_not_null(live_check(buf, n));
	cr_expect(live_has_places(r));
	cr_expect_not(live_has_places(NULL));
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		cr_expect_not_null(live_find(r, ops[i], 0), "%s", plan_op_name(ops[i]));
	cr_expect_str_eq(live_string(r, live_find(r, OP_BIND_MOUNT, 0), 0), "/data");
	for (uint32_t i = 0; i < r->nsteps; i++)
		if (r->step[i].op == OP_BIND_MOUNT)
			r->step[i].n[0] = MOUNT_SLOTS;
	r->sum = live_sum(r);
	cr_expect_null(live_check(buf, n), "a number that no mount can have");
}

Test(live, damage_is_seen)
{
	int n = encode(&set_case, ~0u, 1, buf);

	cr_assert_gt(n, 0);
	for (int i = 0; i < n; i++) {
		/* Of exactly that size, so that AddressSanitizer sees a read past it. */
		char *copy = aligned_alloc(8, (n + 7) & ~7);
		memcpy(copy, buf, n);
		copy[i] ^= 0x41;
		cr_expect_null(live_check(copy, n), "byte %d", i);
		free(copy);
	}
	for (int cut = 0; cut < n; cut++) {
		char *copy = malloc(cut ? cut : 1);
		memcpy(copy, buf, cut);
		cr_expect_null(live_check(copy, cut), "%d bytes", cut);
		free(copy);
	}
}

/* With a sum that is right: what was written by something that is not this libve. */
static int accepted(void (*change)(struct live_record *r))
{
	int n = encode(&set_case, NOFILE, 1, buf);
	struct live_record *r = (struct live_record *)buf;

	change(r);
	r->sum = live_sum(r);
	return live_check(buf, n) != NULL;
}

static void nothing(struct live_record *r)
{
}
static void many_steps(struct live_record *r)
{
	r->nsteps = UINT32_MAX / sizeof(r->step[0]) + 2;
}
static void other_op(struct live_record *r)
{
	r->step[0].op = OP_EXEC;
}
static void string_outside(struct live_record *r)
{
	r->step[1].s[0] = r->size;
}
static void string_in_header(struct live_record *r)
{
	r->step[1].s[0] = 4;
}
static void long_string(struct live_record *r)
{
	r->step[1].len[0] = r->size;
}
static void length_alone(struct live_record *r)
{
	r->step[1].s[1] = 0;
}
static void resource(struct live_record *r)
{
	for (uint32_t i = 0; i < r->nsteps; i++)
		if (r->step[i].op == OP_RLIMIT)
			r->step[i].n[0] = -1;
}
static void policy(struct live_record *r)
{
	for (uint32_t i = 0; i < r->nsteps; i++)
		if (r->step[i].op == OP_ON_EXIT)
			r->step[i].n[0] = 3;
}

Test(live, strict)
{
	cr_expect(accepted(nothing));
	cr_expect_not(accepted(many_steps));
	cr_expect_not(accepted(other_op));
	cr_expect_not(accepted(string_outside));
	cr_expect_not(accepted(string_in_header));
	cr_expect_not(accepted(long_string));
	cr_expect_not(accepted(length_alone));
	cr_expect_not(accepted(resource));
	cr_expect_not(accepted(policy));
}

static void put(int fd, uint64_t sequence, int cut)
{
	int n = encode(&set_case, NOFILE, sequence, buf);
	cr_assert_eq(pwrite(fd, buf, n - cut, (off_t)(sequence & 1) * LIVE_SLOT), n - cut);
}

/* A writer that was killed in its middle leaves the record before. */
Test(live, the_newest_whole_one_is_read)
{
	cleanup_fd int fd = memfd_create("live", MFD_CLOEXEC), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const struct live_record *r;

	cr_expect_null(live_read(fd, buf), "an empty file");
	cr_expect_null(live_read(null, buf), "no file");
	put(fd, 1, 100);
	cr_expect_null(live_read(fd, buf), "a first one that was cut");
	for (uint64_t i = 1; i < 5; i++) {
		put(fd, i, 0);
		r = live_read(fd, buf);
		cr_assert_not_null(r);
		cr_expect_eq(r->sequence, i);
	}
	int n = encode(&spec_cases[0], 0, 5, buf);
	cr_assert_eq(pwrite(fd, buf, n - 3, LIVE_SLOT), n - 3);
	r = live_read(fd, buf);
	cr_assert_not_null(r);
	cr_expect_eq(r->sequence, 4);
}

Test(live, too_much)
{
	cleanup_spec struct spec *s = make_spec(&spec_cases[0]);
	struct plan_input in = {.spec = s, .facts = &host_cases[0].facts, .name = "web1"};
	cleanup_plan struct plan *p = NULL;
	struct error e = {0};
	char text[1200];

	for (int i = 0; i < 70; i++) {
		snprintf(text, sizeof text, "sysctl.net.x%d=%01000d", i, 1);
		cr_assert_eq(spec_assign(s, text, &e), 0, "%s", e.wrong);
	}
	cr_assert_eq(plan_live(&in, &p, &e), 0);
	cr_expect_eq(live_encode(p, ~0u, 0, 1, buf), -E2BIG);
}
