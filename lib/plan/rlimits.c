/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/resource.h>

#include "lib/base/util.h"
#include "lib/plan/build.h"

/*
 * What PID 1 of a machine has (kernel defaults, and systemd's for the number of files). -1: unlimited. `whole` are
 * those that, at the moment when the user namespace is made, cap all of the VE: they are raised to what the host
 * allows.
 */
static const struct {
	int resource;
	const char *name;
	int64_t soft, hard;
	int whole;
} machine_limits[] = {
	{RLIMIT_CPU, "cpu", -1, -1, 0},
	{RLIMIT_FSIZE, "fsize", -1, -1, 0},
	{RLIMIT_DATA, "data", -1, -1, 0},
	{RLIMIT_STACK, "stack", 8 << 20, -1, 0},
	{RLIMIT_CORE, "core", 0, -1, 0},
	{RLIMIT_RSS, "rss", -1, -1, 0},
	{RLIMIT_NPROC, "nproc", -1, -1, 1},
	{RLIMIT_NOFILE, "nofile", 1024, 524288, 0},
	{RLIMIT_MEMLOCK, "memlock", 8 << 20, 8 << 20, 1},
	{RLIMIT_AS, "as", -1, -1, 0},
	{RLIMIT_LOCKS, "locks", -1, -1, 0},
	{RLIMIT_SIGPENDING, "sigpending", -1, -1, 1},
	{RLIMIT_MSGQUEUE, "msgqueue", 819200, 819200, 1},
	{RLIMIT_NICE, "nice", 0, 0, 0},
	{RLIMIT_RTPRIO, "rtprio", 0, 0, 0},
	{RLIMIT_RTTIME, "rttime", -1, -1, 0},
};

static int64_t lower_limit(int64_t a, int64_t b)
{
	return a == -1 ? b : b == -1 || a < b ? a : b;
}

/* What the spec says: soft and hard alike, so that what is asked for is what programs meet. 1 when it says so. */
static int explicit_limit(const struct builder *b, const char *name, int64_t *ret)
{
	char key[32];
	if (FORMAT(key, "rlimit.%s", name) < 0 || !spec_is_set(b->in->spec, key))
		return 0;
	int64_t n = spec_integer(b->in->spec, key, 0);
	*ret = n == SPEC_MAX ? -1 : n;
	return 1;
}

static int64_t wanted_hard(const struct builder *b, size_t i)
{
	int64_t n;
	return explicit_limit(b, machine_limits[i].name, &n) ? n : machine_limits[i].hard;
}

/* A default is lowered to what there is; what somebody asked for is had, or the start is refused. */
static void check_limit(struct builder *b, size_t i)
{
	const struct host_facts *f = b->in->facts;
	const char *name = machine_limits[i].name;
	int64_t want, have = f->hard[machine_limits[i].resource];
	if (b->failed || !explicit_limit(b, name, &want))
		return;
	if (machine_limits[i].resource == RLIMIT_NOFILE && f->nr_open > 0 && lower_limit(want, f->nr_open) != want)
		b->failed = error_set(b->e, VE_E_HOST, EPERM, "plan the start",
			"lower it, or raise the host's: sysctl fs.nr_open=NUMBER",
			"rlimit.%s: more than the %lld that this host's fs.nr_open allows", name,
			(long long)f->nr_open);
	else if (!f->cap_sys_resource && lower_limit(want, have) != want)
		b->failed = error_set(b->e, VE_E_HOST, EPERM, "plan the start",
			"lower it, or run vectl with CAP_SYS_RESOURCE and a higher limit",
			"rlimit.%s: above the caller's hard limit of %lld, and raising that takes CAP_SYS_RESOURCE, "
			"which is missing",
			name, (long long)have);
}

void plan_check_rlimits(struct builder *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(machine_limits); i++)
		check_limit(b, i);
}

void plan_host_rlimits(struct builder *b)
{
	const struct host_facts *f = b->in->facts;
	plan_check_rlimits(b);
	for (size_t i = 0; i < ARRAY_SIZE(machine_limits); i++) {
		int64_t have = f->hard[machine_limits[i].resource],
			want = machine_limits[i].whole ? -1 : wanted_hard(b, i);
		if (!machine_limits[i].whole && lower_limit(want, have) == want)
			continue; /* the host's own is no lower */
		if (!f->cap_sys_resource && lower_limit(want, have) != want &&
			!(machine_limits[i].whole && have == want))
			plan_note(b,
				"rlimit %s stays at the caller's %lld: raising it takes CAP_SYS_RESOURCE, which is "
				"missing",
				machine_limits[i].name, (long long)have);
		struct plan_step *s = plan_add(b, OP_HOST_RLIMIT);
		plan_set_text(b, s, 0, "%s", machine_limits[i].name);
		s->n[0] = machine_limits[i].resource;
		s->n[1] = f->cap_sys_resource ? want : have;
	}
}

void plan_rlimits(struct builder *b)
{
	const struct host_facts *f = b->in->facts;
	for (size_t i = 0; i < ARRAY_SIZE(machine_limits); i++) {
		int64_t want = wanted_hard(b, i), soft = machine_limits[i].soft;
		int64_t have = f->cap_sys_resource ? want : f->hard[machine_limits[i].resource];
		struct plan_step *s = plan_add(b, OP_RLIMIT);
		plan_set_text(b, s, 0, "%s", machine_limits[i].name);
		s->n[0] = machine_limits[i].resource;
		s->n[2] = lower_limit(want, have);
		s->n[1] = lower_limit(explicit_limit(b, machine_limits[i].name, &soft) ? want : soft, s->n[2]);
	}
}
