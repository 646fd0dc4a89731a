/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plans are pure, so what a start would do is compared with files in golden/, line by line. After a change that is
 * meant, write them anew from the build folder and read the difference before committing it:
 *
 *	VECTL_GOLDEN_UPDATE=1 tests/unit/test-plan && git diff tests/unit/golden
 *
 * Files hold each spec on one host and one spec on each host; the combinations between follow from
 * plan/spec_and_host_are_independent.
 */
#include "tests/unit/fixture.h"
#include "tests/unit/planning.h"
#include <linux/capability.h>
#include <linux/mount.h>

#include <sys/resource.h>

TestSuite(plan, .timeout = 60);

#define EACH_COMBINATION(c, h)                                                                                         \
	for (const struct spec_case *c = spec_cases; c < spec_cases + ARRAY_SIZE(spec_cases); c++)                     \
		for (const struct host_case *h = host_cases; h < host_cases + ARRAY_SIZE(host_cases); h++)

/* ---- golden files */

static void compare_golden(const struct spec_case *c, const struct host_case *h)
{
	cleanup_plan struct plan *p = make_plan(c, h);
	cleanup_free char *text = NULL, *want = NULL;
	char path[PATH_MAX];
	struct error e = {0};

	cr_assert_eq(plan_text(p, &text, &e), 0);
	cr_assert_gt(FORMAT(path, GOLDEN_FOLDER "/%s-on-%s.txt", c->name, h->name), 0);
	if (getenv("VECTL_GOLDEN_UPDATE")) {
		cr_assert_eq(write_file_atomic_at(AT_FDCWD, path, text, strlen(text), 0644), 0, "%s", path);
		return;
	}
	cr_assert_eq(read_file_at(AT_FDCWD, path, 1 << 20, &want, NULL), 0, "%s: is it missing?", path);
	for (const char *a = text, *b = want; *a || *b;) {
		int n = (int)strcspn(a, "\n"), m = (int)strcspn(b, "\n");
		cr_assert(n == m && !strncmp(a, b, n), "%s:\n  is   %.*s\n  want %.*s", path, n, a, m, b);
		a += n + (a[n] == '\n');
		b += m + (b[m] == '\n');
	}
	cr_assert_str_eq(text, want);
}

Test(plan, each_spec_as_its_golden_file_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(spec_cases); i++)
		compare_golden(&spec_cases[i], &host_cases[0]);
	compare_golden(&privileged_case, &host_cases[0]);
}

Test(plan, each_host_as_its_golden_file_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_cases); i++)
		compare_golden(&spec_cases[0], &host_cases[i]);
}

static int from_the_spec(int op)
{
	return op == OP_EXEC || op == OP_HOSTNAME;
}

static int same_step(const struct plan_step *a, const struct plan_step *b)
{
	if (a->op != b->op || a->actor != b->actor || a->optional != b->optional || memcmp(a->n, b->n, sizeof(a->n)))
		return 0;
	for (int k = 0; k < 3; k++)
		if (!a->s[k] != !b->s[k] || a->len[k] != b->len[k] ||
			(a->s[k] && memcmp(a->s[k], b->s[k], a->len[k] + 1)))
			return 0;
	return 1;
}

/* Every combination has the host's steps from the minimal spec on it, and the spec's from it on the whole host. */
Test(plan, spec_and_host_are_independent)
{
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *p = make_plan(c, h), *host = make_plan(&spec_cases[0], h);
		cleanup_plan struct plan *spec = make_plan(c, &host_cases[0]);

		if (c->adds_steps)
			continue;
		cr_assert_eq(p->nsteps, host->nsteps, "%s on %s", c->name, h->name);
		for (size_t i = 0; i < p->nsteps; i++) {
			const struct plan_step *s = &p->step[i];
			const struct plan_step *want = from_the_spec(s->op) ? find(spec, s->op) : &host->step[i];
			cr_assert(want && same_step(s, want), "%s on %s: step %zu, %s", c->name, h->name, i,
				plan_op_name(s->op));
		}
	}
}

/* ---- what holds of every plan */

static int last(const struct plan *p, int op)
{
	for (size_t i = p->nsteps; i-- > 0;)
		if (p->step[i].op == op)
			return (int)i;
	return -1;
}

/* Whatever comes of `a` comes before whatever comes of `b`, and both are there. */
static const struct {
	enum plan_op a, b;
} order[] = {
	{OP_RESERVE_IDS, OP_RUNTIME_DIR},
	{OP_RUNTIME_DIR, OP_CGROUP_MAKE},
	{OP_RUNTIME_DIR, OP_CGROUP_SET},
	{OP_RUNTIME_DIR, OP_CGROUP_OWN},
	{OP_CGROUP_MAKE, OP_CGROUP_OWN},
	{OP_CGROUP_MAKE, OP_SPAWN_SUPERVISOR},
	{OP_CGROUP_SET, OP_SPAWN_SUPERVISOR},
	{OP_CGROUP_OWN, OP_SPAWN_SUPERVISOR},
	{OP_DISK_LAYER, OP_SPAWN_SUPERVISOR},
	{OP_CONSOLE_LOG, OP_SPAWN_SUPERVISOR},
	{OP_CONTROL_SOCKET, OP_SPAWN_SUPERVISOR},
	{OP_SECCOMP_COMPILE, OP_SPAWN_SUPERVISOR},
	{OP_SPAWN_SUPERVISOR, OP_OPEN_LAYER},
	{OP_OPEN_LAYER, OP_BECOME_OWNER}, /* paths that root alone may walk */
	{OP_HOST_RLIMIT, OP_BECOME_OWNER},
	{OP_HOST_RLIMIT, OP_USER_NAMESPACE}, /* its creator's limits cap the whole VE */
	{OP_BECOME_OWNER, OP_PRIVATE_MOUNTS},
	{OP_BECOME_OWNER, OP_USER_NAMESPACE},
	{OP_OPEN_LAYER, OP_PRIVATE_MOUNTS},
	{OP_PRIVATE_MOUNTS, OP_RUN_HOST},
	{OP_USER_NAMESPACE, OP_ATTACH_LAYER},
	{OP_ATTACH_LAYER, OP_ENTER},
	{OP_ENTER, OP_DROP_CAPABILITIES},
	{OP_SPAWN_SERVER, OP_DROP_CAPABILITIES},
	{OP_JOIN_USER_NAMESPACE, OP_TIME_NAMESPACE},
	{OP_TIME_NAMESPACE, OP_CLONE_INIT},
	{OP_CLONE_INIT, OP_BECOME_ROOT},
	{OP_BECOME_ROOT, OP_OVERLAY},
	{OP_OVERLAY, OP_DEV},
	{OP_OVERLAY, OP_PIVOT_ROOT},
	{OP_DEV, OP_CONSOLE},
	{OP_DEV, OP_MOUNT},
	{OP_MOUNT, OP_BIND_RUN_HOST}, /* into the tmpfs on /run */
	{OP_MOUNT, OP_BOOT_ID},
	{OP_MOUNT, OP_MASK},
	{OP_MOUNT, OP_PIVOT_ROOT}, /* afterwards proc and sysfs are refused */
	{OP_PIVOT_ROOT, OP_HOSTNAME},
	{OP_RLIMIT, OP_BOUNDING_SET},
	{OP_LOOPBACK, OP_BOUNDING_SET},
	{OP_BOUNDING_SET, OP_AWAIT_KEEPER},
	{OP_AWAIT_KEEPER, OP_SECCOMP},
	{OP_SECCOMP, OP_EXEC},
};

Test(plan, order)
{
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *p = make_plan(c, h);
		for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
			int a = last(p, order[i].a), b = first(p, order[i].b);
			cr_expect(a >= 0 && b >= 0 && a < b, "%s on %s: %s at %d, %s at %d", c->name, h->name,
				plan_op_name(order[i].a), a, plan_op_name(order[i].b), b);
		}
		cr_expect_eq(last(p, OP_EXEC), (int)p->nsteps - 1);
		cr_expect_eq(first(p, OP_RESERVE_IDS), 0);
	}
}

/* A folder is made before it is written to or given away, and its parent before it. */
Test(plan, cgroups_are_made_before_they_are_touched)
{
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *p = make_plan(c, h);
		char top[600];
		FORMAT(top, "%s/vectl%s%s/web1", h->facts.cgroup_mount, *h->root_id ? "-" : "", h->root_id);
		for (size_t i = 0; i < p->nsteps; i++) {
			const struct plan_step *s = &p->step[i];
			if (s->op != OP_CGROUP_OWN && s->op != OP_CGROUP_MAKE)
				continue;
			cr_expect_eq(strncmp(s->s[0], top, strlen(top)), 0, "%s", s->s[0]);
			if (!strcmp(s->s[0], top))
				continue;
			size_t parent = strrchr(s->s[0], '/') - s->s[0], k = 0;
			while (k < i && (p->step[k].op != OP_CGROUP_MAKE || p->step[k].len[0] != parent ||
						strncmp(p->step[k].s[0], s->s[0], parent)))
				k++;
			cr_expect_lt(k, i, "%s on %s: nothing makes the parent of %s", c->name, h->name, s->s[0]);
		}
		/* The guest may not write what limits it: nothing of `ve` itself but the folder is given to its base
		 * id. */
		for (size_t i = 0; i < p->nsteps; i++)
			if (p->step[i].op == OP_CGROUP_OWN && p->step[i].n[0] == p->ids.base) {
				const char *rest = p->step[i].s[0] + strlen(top);
				cr_expect(!strcmp(rest, "/ve") || !strncmp(rest, "/ve/root1", 9), "%s", rest);
			}
	}
}

Test(plan, actors)
{
	static const enum plan_actor actor_of[] = {
#define X(op, actor, name, doc) [OP_##op] = ACTOR_##actor,
		PLAN_OPS(X)
#undef X
	};
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *p = make_plan(c, h);
		unsigned seen[ACTOR_COUNT] = {0}, once[OP_COUNT] = {0};
		int keepers_last = -1;
		for (size_t i = 0; i < p->nsteps; i++) {
			const struct plan_step *s = &p->step[i];
			cr_expect_eq(s->actor, actor_of[s->op], "%s", plan_op_name(s->op));
			cr_expect(!i || p->step[i - 1].actor <= s->actor, "step %zu goes back to an earlier actor", i);
			seen[s->actor]++;
			once[s->op]++;
			if (s->actor == ACTOR_KEEPER)
				keepers_last = s->op;
		}
		for (int a = 0; a < ACTOR_COUNT; a++)
			cr_expect_gt(seen[a], 0, "%s has nothing to do", plan_actor_name(a));
		cr_expect_eq(keepers_last, OP_DROP_CAPABILITIES);
		/* Confinement is in every plan, once, and may not be gone on without. */
		static const enum plan_op confining[] = {OP_SECCOMP, OP_SECCOMP_COMPILE, OP_BOUNDING_SET,
			OP_DROP_CAPABILITIES, OP_AWAIT_KEEPER, OP_USER_NAMESPACE, OP_BECOME_OWNER, OP_BECOME_ROOT,
			OP_PRIVATE_MOUNTS, OP_PIVOT_ROOT, OP_MASK, OP_EXEC};
		for (size_t i = 0; i < ARRAY_SIZE(confining); i++) {
			cr_expect_eq(once[confining[i]], 1, "%s", plan_op_name(confining[i]));
			cr_expect_eq(find(p, confining[i])->optional, 0, "%s", plan_op_name(confining[i]));
		}
	}
}

/* Without a user namespace: no step of one, and what takes its place. */
Test(plan, privileged)
{
	static const enum plan_op absent[] = {OP_USER_NAMESPACE, OP_JOIN_USER_NAMESPACE, OP_CGROUP_OWN};
	static const enum plan_op confining[] = {OP_CGROUP_DEVICES, OP_PROC_READ_ONLY, OP_SECCOMP, OP_SECCOMP_COMPILE,
		OP_BOUNDING_SET, OP_DROP_CAPABILITIES, OP_AWAIT_KEEPER, OP_BECOME_OWNER, OP_BECOME_ROOT,
		OP_PRIVATE_MOUNTS, OP_PIVOT_ROOT, OP_MASK, OP_EXEC};
	static const enum plan_op before[][2] = {{OP_CGROUP_MAKE, OP_CGROUP_DEVICES},
		{OP_CGROUP_DEVICES, OP_SPAWN_SUPERVISOR}, {OP_MOUNT, OP_PROC_READ_ONLY},
		{OP_PROC_READ_ONLY, OP_BOOT_ID} /* or it would be covered */, {OP_PROC_READ_ONLY, OP_PIVOT_ROOT}};
	for (const struct host_case *h = host_cases; h < host_cases + ARRAY_SIZE(host_cases); h++) {
		cleanup_plan struct plan *p = make_plan(&privileged_case, h);
		for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
			cr_expect_eq(first(p, absent[i]), -1, "%s", plan_op_name(absent[i]));
		for (size_t i = 0; i < ARRAY_SIZE(confining); i++) {
			int at = first(p, confining[i]);
			cr_assert(at >= 0 && at == last(p, confining[i]), "%s", plan_op_name(confining[i]));
			cr_expect_eq(p->step[at].optional, 0, "%s", plan_op_name(confining[i]));
		}
		for (size_t i = 0; i < ARRAY_SIZE(before); i++)
			cr_expect_lt(last(p, before[i][0]), first(p, before[i][1]));
		for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
			int a = last(p, order[i].a), b = first(p, order[i].b);
			cr_expect(a < 0 || b < 0 || a < b, "%s at %d, %s at %d", plan_op_name(order[i].a), a,
				plan_op_name(order[i].b), b);
		}
		for (size_t i = 0; i < p->nsteps; i++)
			cr_expect(p->step[i].op != OP_MOUNT || !strstr(p->step[i].s[1], ".vectl"),
				"a proc that nothing guards");
		cr_expect_eq(p->ids.base, 0);
		cr_expect_eq(p->ids.owner, 0x70000007, "of the process that reads hostile bytes");
		cr_expect_eq(find(p, OP_RESERVE_IDS)->n[0], 0x70010000);
		cr_expect_eq(find(p, OP_DROP_CAPABILITIES)->n[0], 0x3fffffffll);
		cr_expect_str_eq(find(p, OP_SECCOMP)->s[0], "privileged");
		cr_expect_str_eq(find(p, OP_SECCOMP_COMPILE)->s[0], "privileged");
		cr_expect(p->nnotes && strstr(p->note[p->nnotes - 1], "not contained"), "it is said");
	}
}

Test(plan, ids_and_capabilities_are_those_given)
{
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *p = make_plan(c, h);
		const struct plan_step *ids = find(p, OP_RESERVE_IDS), *map = find(p, OP_USER_NAMESPACE);
		cr_expect_eq(ids->n[0], 0x70010000);
		cr_expect_eq(ids->n[1], 0x70000007);
		cr_expect_str_eq(ids->s[0], HOST_ID_LOCKS "/1879113728");
		cr_expect_eq(map->n[0], 0x70010000);
		cr_expect_eq(map->n[1], 65536);
		cr_expect_eq(find(p, OP_BECOME_OWNER)->n[0], 0x70000007);
		cr_expect_eq(find(p, OP_BOUNDING_SET)->n[0], 0x1b7fcbffffll);
		cr_expect_eq(find(p, OP_DROP_CAPABILITIES)->n[0], 0, "none");
		cr_expect_str_eq(p->name, "web1");
		cr_expect_eq(p->ids.base, 0x70010000);
		cr_expect_eq(p->ids.owner, 0x70000007);
	}
}

/* Soft is no higher than hard, and without CAP_SYS_RESOURCE nothing is above what the caller has. */
Test(plan, rlimits_are_settable)
{
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *p = make_plan(c, h);
		unsigned set = 0;
		for (size_t i = 0; i < p->nsteps; i++) {
			const struct plan_step *s = &p->step[i];
			if (s->op != OP_RLIMIT && s->op != OP_HOST_RLIMIT)
				continue;
			int64_t have = h->facts.hard[s->n[0]], hard = s->op == OP_RLIMIT ? s->n[2] : s->n[1];
			if (s->op == OP_RLIMIT) {
				set |= 1u << s->n[0];
				cr_expect(hard == -1 || (s->n[1] != -1 && s->n[1] <= hard), "%s on %s: %s", c->name,
					h->name, s->s[0]);
			}
			if (!h->facts.cap_sys_resource)
				cr_expect(have == -1 || (hard != -1 && hard <= have), "%s on %s: %s", c->name, h->name,
					s->s[0]);
		}
		cr_expect_eq(set, 0xffff, "%s on %s: init inherits a limit of the caller's", c->name, h->name);
	}
}

Test(plan, two_builds_are_equal)
{
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *a = make_plan(c, h), *b = make_plan(c, h);
		cr_assert_eq(a->nsteps, b->nsteps);
		cr_assert_eq(a->nnotes, b->nnotes);
		for (size_t i = 0; i < a->nsteps; i++)
			cr_assert(same_step(&a->step[i], &b->step[i]), "%s on %s: step %zu", c->name, h->name, i);
		for (size_t i = 0; i < a->nnotes; i++)
			cr_assert_str_eq(a->note[i], b->note[i]);
	}
}

/* ---- text and JSON */

Test(plan, step_text_fits_its_buffer)
{
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *p = make_plan(c, h);
		for (size_t i = 0; i < p->nsteps; i++) {
			char whole[8192], part[1100];
			plan_step_text(&p->step[i], whole, sizeof(whole));
			size_t n = strlen(whole);
			cr_assert_gt(n, 0);
			cr_expect_lt(n, 1024, "%s on %s: step %zu is cut when it is printed", c->name, h->name, i);
			for (size_t size = 1; size <= n + 2 && size < sizeof(part) - 1; size++) {
				memset(part, 0x7e, sizeof(part));
				plan_step_text(&p->step[i], part, size);
				size_t want = n < size - 1 ? n : size - 1;
				cr_assert_eq(strlen(part), want);
				cr_assert_eq(strncmp(part, whole, want), 0);
				cr_assert_eq(part[size], 0x7e, "step %zu writes past %zu bytes", i, size);
			}
		}
	}
}

Test(plan, step_text_substitutes_its_own_values_alone)
{
	struct plan_step s = {.op = OP_RLIMIT, .s = {"nofile"}, .len = {6}, .n = {7, 1024, -1}};
	char b[128];

	plan_step_text(&s, b, sizeof(b));
	cr_expect_str_eq(b, "limit nofile: soft 1024, hard unlimited");
	/* What a value holds is not substituted again, and a list's NULs are blanks. */
	s = (struct plan_step){.op = OP_MASK, .s = {(char *)"s0\0n1\0x2"}, .len = {8}, .n = {5, 6, 7}};
	plan_step_text(&s, b, sizeof(b));
	cr_expect_str_eq(b, "hide from ordinary users, beneath /proc: s0 n1 x2");
	s = (struct plan_step){.op = OP_CLONE_INIT, .n = {0x2c020000}};
	plan_step_text(&s, b, sizeof(b));
	cr_expect_not_null(strstr(b, " mnt,pid,uts,ipc "), "%s", b);
	/* What has no name is not left out. */
	s = (struct plan_step){
		.op = OP_MOUNT, .s = {"tmpfs", "run", ""}, .len = {5, 3}, .n = {MOUNT_ATTR_NODEV | 1 << 20}};
	plan_step_text(&s, b, sizeof(b));
	cr_expect_not_null(strstr(b, "attributes nodev,0x100000"), "%s", b);
	s = (struct plan_step){.op = OP_BOUNDING_SET, .n = {1 << CAP_CHOWN | 1 << CAP_NET_RAW}};
	plan_step_text(&s, b, sizeof(b));
	cr_expect_not_null(strstr(b, "the capabilities chown,net_raw in"), "%s", b);
	s = (struct plan_step){.op = OP_CGROUP_MAKE};
	plan_step_text(&s, b, sizeof(b));
	cr_expect_str_eq(b, "make the cgroup ");
}

Test(plan, names)
{
	for (int op = 0; op < OP_COUNT; op++) {
		cr_expect_gt(strlen(plan_op_name(op)), 2);
		for (int other = 0; other < op; other++)
			cr_expect_str_neq(plan_op_name(op), plan_op_name(other));
	}
	cr_expect_str_eq(plan_op_name(-1), "?");
	cr_expect_str_eq(plan_op_name(OP_COUNT), "?");
	cr_expect_str_eq(plan_actor_name(ACTOR_CALLER), "caller");
	cr_expect_str_eq(plan_actor_name(ACTOR_INIT), "init");
	cr_expect_str_eq(plan_actor_name(-1), "?");
	cr_expect_str_eq(plan_actor_name(ACTOR_COUNT), "?");
}

static void check_json_step(const struct plan_step *s, const struct json *j, size_t i)
{
	const struct json *args = json_get(j, "args");
	char text[1024], key[] = "s0";

	cr_assert_not_null(args);
	plan_step_text(s, text, sizeof(text));
	cr_expect_eq(json_integer(j, "index", -1), (int64_t)i);
	cr_expect_str_eq(json_string(j, "op"), plan_op_name(s->op));
	cr_expect_str_eq(json_string(j, "actor"), plan_actor_name(s->actor));
	cr_expect_str_eq(json_string(j, "text"), text);
	for (int k = 0; k < 3; k++) {
		key[0] = 's';
		key[1] = (char)('0' + k);
		const struct json *v = json_get(args, key);
		cr_expect_eq(!v, !s->s[k], "step %zu, %s", i, key);
		if (v && v->type == JSON_STRING)
			cr_expect_str_eq(v->string, s->s[k]);
		if (v && v->type == JSON_ARRAY) {
			const char *p = s->s[k];
			for (const struct json *item = v->child; item; item = item->next, p += strlen(p) + 1)
				cr_expect_str_eq(item->string, p);
			cr_expect_eq(p, s->s[k] + s->len[k] + 1, "step %zu: items are missing", i);
		}
		key[0] = 'n';
		cr_expect_eq(json_integer(args, key, 0), s->n[k], "step %zu, %s", i, key);
	}
}

Test(plan, json_says_the_same)
{
	EACH_COMBINATION(c, h)
	{
		cleanup_plan struct plan *p = make_plan(c, h);
		cleanup_free char *text = NULL;
		cleanup_json struct json *j = NULL;
		struct error e = {0};
		size_t n = 0, notes = 0;

		cr_assert_eq(plan_json(p, &text, &e), 0);
		cr_assert_eq(json_parse(text, strlen(text), "plan", "test", &j, &e), 0, "%s", e.wrong);
		cr_expect_eq(json_integer(j, "format", 0), 1);
		cr_expect_str_eq(json_string(j, "ve"), "web1");
		for (const struct json *s = json_get(j, "steps")->child; s; s = s->next, n++) {
			cr_assert_lt(n, p->nsteps);
			check_json_step(&p->step[n], s, n);
		}
		cr_expect_eq(n, p->nsteps);
		for (const struct json *s = json_get(j, "notes")->child; s; s = s->next, notes++)
			cr_expect_str_eq(s->string, p->note[notes]);
		cr_expect_eq(notes, p->nnotes);
	}
}

/* ---- hosts that lack something */

static const struct lack {
	size_t offset;
	const char *wrong, *remedy;
} lacks[] = {
	{offsetof(struct host_facts, cgroup_mount), "this host has no cgroup2 mount",
		"mount one: mount -t cgroup2 none /sys/fs/cgroup/unified"},
	{offsetof(struct host_facts, user_namespace), "this host has no user namespaces",
		"boot a kernel with CONFIG_USER_NS"},
	{offsetof(struct host_facts, time_namespace), "this host has no time namespaces",
		"boot a kernel with CONFIG_TIME_NS (5.6 or later)"},
	{offsetof(struct host_facts, overlay), "this host has no overlay file system", "load it: modprobe overlay"},
	{offsetof(struct host_facts, seccomp), "this host has no seccomp filters",
		"boot a kernel with CONFIG_SECCOMP_FILTER"},
	{offsetof(struct host_facts, clone_into_cgroup), "this host has no clone3", "boot a kernel of 6.1 or later"},
};

static void expect_refusal(const struct host_facts *facts, const struct lack *l)
{
	cleanup_spec struct spec *s = make_spec(&spec_cases[0]);
	struct plan_input in = make_input(s, &host_cases[0]);
	struct plan *untouched = (struct plan *)&in, *p = untouched;
	struct error e = {0};

	in.facts = facts;
	cr_expect_eq(plan_build(&in, &p, &e), -EOPNOTSUPP);
	cr_expect_eq(p, untouched);
	cr_expect_eq(e.code, VE_E_HOST);
	cr_expect_eq(e.errnum, EOPNOTSUPP);
	cr_expect_str_eq(e.tried, "plan the start");
	cr_expect_str_eq(e.wrong, l->wrong);
	cr_expect_str_eq(e.remedy, l->remedy);
}

Test(plan, each_thing_that_a_host_lacks_is_named)
{
	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++) {
		struct host_facts f = host_cases[0].facts;
		memset((char *)&f + lacks[i].offset, 0, sizeof(int));
		expect_refusal(&f, &lacks[i]);
	}
	struct host_facts nothing = {0};
	expect_refusal(&nothing, &lacks[0]);
}

static void expect_notes(const char *host, const char *const *want)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_cases); i++) {
		if (strcmp(host_cases[i].name, host))
			continue;
		cleanup_plan struct plan *p = make_plan(&spec_cases[0], &host_cases[i]);
		size_t n = 0;
		for (; want[n]; n++) {
			cr_assert_lt(n, p->nnotes, "%s: no note '%s'", host, want[n]);
			cr_expect_str_eq(p->note[n], want[n]);
		}
		cr_expect_eq(p->nnotes, n, "%s has %zu notes", host, p->nnotes);
		return;
	}
	cr_assert_fail("no host '%s'", host);
}

#define NO_CONTROLLER(c) "this host's cgroup2 tree offers no " c " controller: its use is not accounted or limited"
#define STAYS(name, n)                                                                                                 \
	"rlimit " name " stays at the caller's " n ": raising it takes CAP_SYS_RESOURCE, which is missing"

Test(plan, notes_say_what_is_left_out)
{
	expect_notes("whole", (const char *[]){NULL});
	expect_notes("hugetlb-only", (const char *[]){NO_CONTROLLER("cpu"), NO_CONTROLLER("memory"),
					     NO_CONTROLLER("pids"), NO_CONTROLLER("io"), NULL});
	expect_notes("low-limits-raised", (const char *[]){NO_CONTROLLER("cpu"), NO_CONTROLLER("io"), NULL});
	expect_notes("low-limits", (const char *[]){NO_CONTROLLER("cpu"), NO_CONTROLLER("io"), STAYS("cpu", "3600"),
					   STAYS("data", "1073741824"), STAYS("stack", "1048576"), STAYS("core", "0"),
					   STAYS("nproc", "150"), STAYS("nofile", "512"), STAYS("memlock", "65536"),
					   STAYS("sigpending", "100"), STAYS("msgqueue", "0"), NULL});
	expect_notes("no-mqueue", (const char *[]){NULL});
}

/* A controller's name is a whole word: cpuset is not cpu. */
Test(plan, controllers_are_whole_words)
{
	struct host_case h = host_cases[0];
	FORMAT(h.facts.controllers, "cpuset iocost memory.x pids");
	cleanup_plan struct plan *p = make_plan(&spec_cases[0], &h);
	unsigned writes = 0;

	for (size_t i = 0; i < p->nsteps; i++)
		if (p->step[i].op == OP_CGROUP_SET && strstr(p->step[i].s[0], "subtree_control")) {
			cr_expect_str_eq(p->step[i].s[1], "+pids");
			cr_expect_eq(p->step[i].optional, 1);
			writes++;
		}
	cr_expect_eq(writes, 4);
	cr_expect_eq(p->nnotes, 3);
}

/* Of the mounts that everybody reaches, those whose owners are mapped are named; a fact, and not looked up here. */
Test(plan, exposed_mounts_are_said)
{
	const struct spec_case c = {"bind", {"mount.data.source=/srv/data", "mount.data.target=/data"}, 1};
	for (unsigned char exposed = 0; exposed < 2; exposed++) {
		cleanup_spec struct spec *s = make_spec(&c);
		cleanup_plan struct plan *p = NULL;
		struct plan_input in = make_input(s, &host_cases[0]);
		struct error e = {0};
		size_t said = 0;

		in.exposed = &exposed;
		cr_assert_eq(plan_build(&in, &p, &e), 0, "%s", e.wrong);
		for (size_t i = 0; i < p->nnotes; i++)
			said += strstr(p->note[i], "mount.data: ") && strstr(p->note[i], " /srv/data,") &&
				strstr(p->note[i], "idmap=false");
		cr_expect_eq(said, exposed);
	}
}

/* ---- what was asked for is had, or refused */

Test(plan, explicit_rlimits_that_cannot_be_had_are_errors)
{
	const struct {
		const char *set, *host, *wrong;
	} refused[] = {
		{"rlimit.nofile=513", "low-limits",
			"rlimit.nofile: above the caller's hard limit of 512, and raising that takes CAP_SYS_RESOURCE, "
			"which is missing"},
		{"rlimit.nofile=max", "low-limits-raised",
			"rlimit.nofile: more than the 1048576 that this host's fs.nr_open allows"},
		{"rlimit.nofile=1048577", "low-limits-raised",
			"rlimit.nofile: more than the 1048576 that this host's fs.nr_open allows"},
		{"rlimit.nofile=1048576", "low-limits-raised", NULL},
		{"rlimit.nofile=512", "low-limits", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const struct spec_case c = {"refused", {refused[i].set}, 0};
		cleanup_spec struct spec *s = make_spec(&c);
		cleanup_plan struct plan *p = NULL;
		struct error e = {0};

		for (size_t h = 0; h < ARRAY_SIZE(host_cases); h++) {
			struct host_facts facts = host_cases[h].facts;
			struct plan_input in = make_input(s, &host_cases[h]);
			if (strcmp(host_cases[h].name, refused[i].host))
				continue;
			facts.nr_open = 1048576;
			in.facts = &facts;
			int r = plan_build(&in, &p, &e);
			cr_expect_eq(r, refused[i].wrong ? -EPERM : 0, "%s: %d", refused[i].set, r);
			cr_expect_str_eq(e.wrong, refused[i].wrong ?: "");
			cr_expect_eq(e.code, refused[i].wrong ? VE_E_HOST : 0);
		}
	}
}

/* ---- devices: a node and its place each; a filter where a mode would be no limit */

Test(plan, devices_are_made_and_shown_and_filtered_where_access_is_less)
{
	const struct spec_case minimal = {"minimal", {NULL}, 0};
	const struct {
		const char *access;
		int filtered;
	} cases[] = {{"rw", 0}, {"rwm", 0}, {"r", 1}, {"w", 1}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_spec struct spec *s = make_spec(&minimal);
		cleanup_plan struct plan *p = NULL;
		const struct plan_device device = {"/dev/net/tun", 0020660, 3, 4, cases[i].access, 10, 200};
		struct plan_input in = make_input(s, &host_cases[0]);
		struct error e = {0};

		in.devices = &device;
		in.ndevices = 1;
		cr_assert_eq(plan_build(&in, &p, &e), 0, "%s", e.wrong);
		const struct plan_step *node = find(p, OP_DEVICE_NODE), *show = find(p, OP_DEVICE),
				       *filter = find(p, OP_CGROUP_DEVICES);
		cr_assert(node && show);
		cr_expect_str_eq(node->s[1], "/dev/net/tun");
		cr_expect_str_eq(node->s[2], "c 10:200");
		cr_expect_eq(node->n[0], 0020660);
		cr_expect_eq(node->n[1], 3);
		cr_expect_eq(node->n[2], 4);
		cr_expect_str_eq(show->s[1], "net/tun");
		cr_expect_str_eq(show->s[0], node->s[0]);
		cr_expect_lt(first(p, OP_PRIVATE_MOUNTS), first(p, OP_DEVICE_NODE));
		cr_expect_lt(first(p, OP_DEV), first(p, OP_DEVICE));
		cr_expect_eq(filter != NULL, cases[i].filtered, "access %s", cases[i].access);
	}
}
