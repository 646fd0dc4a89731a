/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Specs and hosts that plans are made of in tests. Nothing here looks at the machine. */
#ifndef VE_TEST_PLANNING_H
#define VE_TEST_PLANNING_H

#include <criterion/criterion.h>

#include "lib/base/util.h"
#include "lib/plan/plan.h"

#define TEST_UUID "6f1d3c52-8e7a-4b6e-9b0c-2f4d5a7c9e11"

struct spec_case {
	const char *name;
	const char *set[8];
	int adds_steps; /* so that steps of other plans are not at the same places */
};

static const struct spec_case spec_cases[] = {
	{"minimal", {NULL}},
	{"hostname", {"hostname=db.example.org"}},
	{"init", {"init=/bin/busybox,init,--with a blank"}},
	{"env", {"env.LANG=C.UTF-8", "env.TERM=vt220", "env.dotted.name=a=b c", "env.PATH=/opt/bin:/bin"}},
	{"network-none", {"network=none"}, 1},
	{"every-key", {"hostname=h", "init=/sbin/init", "env.A=1", "network=private", "storage=overlay", "labels.a.b=c",
			      "stop.signal=SIGRTMIN+4", "stop.timeout=7"}},
	{"rlimit", {"rlimit.nofile=256", "rlimit.as=max", "rlimit.stack=524288", "rlimit.nproc=100"}, 1},
	{"mounts",
		{"mount.data.source=/srv/data", "mount.data.target=/data", "mount.data.options=rbind,ro,noatime",
			"mount.raw.source=/srv/raw", "mount.raw.target=/data/raw", "mount.raw.idmap=false"},
		1},
	{"mount-types",
		{"mount.disk.type=ext4", "mount.disk.source=/dev/vdb", "mount.disk.target=/disk",
			"mount.disk.options=ro,nosuid,noload", "mount.tmp.type=tmpfs", "mount.tmp.target=/scratch",
			"mount.tmp.options=size=64M,noexec"},
		1},
	{"sysctl", {"sysctl.net.ipv4.ip_forward=1", "sysctl.kernel.shmmax=65536", "sysctl.kernel.sem=32000 1 1 1"}, 1},
	{"hooks", {"hooks.pre-start=/etc/vectl/before", "hooks.post-stop=/etc/vectl/after", "hooks.start=/x"}, 1},
	{"on-exit", {"boot.on_exit=restart-on-failure"}, 1},
};

/* Apart: steps of the others are not in its plan. */
static const struct spec_case privileged_case = {"privileged", {"privileged=true", "hostname=h"}};

static inline struct spec *make_spec(const struct spec_case *c)
{
	struct error e = {0};
	struct spec *s = spec_new();

	cr_assert_not_null(s);
	cr_assert_eq(spec_put(s, "name", "web1", &e), 0, "%s", e.wrong);
	cr_assert_eq(spec_put(s, "uuid", TEST_UUID, &e), 0, "%s", e.wrong);
	for (size_t i = 0; i < ARRAY_SIZE(c->set) && c->set[i]; i++)
		cr_assert_eq(spec_assign(s, c->set[i], &e), 0, "%s: %s", c->set[i], e.wrong);
	return s;
}

/* Hard limits by resource number: cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue ...
 */
#define KERNEL_LIMITS                                                                                                  \
	{                                                                                                              \
		-1, -1, -1, -1, -1, -1, 95000, 1048576, 8388608, -1, -1, 95000, 819200, 0, 0, -1                       \
	}
#define LOW_LIMITS                                                                                                     \
	{                                                                                                              \
		3600, -1, 1 << 30, 1 << 20, 0, -1, 150, 512, 65536, -1, -1, 100, 0, 0, 0, -1                           \
	}
#define CAPABLE_KERNEL                                                                                                 \
	.kernel = "6.1.0-test", .time_namespace = 1, .user_namespace = 1, .overlay = 1, .seccomp = 1,                  \
	.clone_into_cgroup = 1

struct host_case {
	const char *name, *root_id, *run_dir;
	struct host_facts facts;
};

static const struct host_case host_cases[] = {
	{"whole", "", "/run/vectl/web1",
		{CAPABLE_KERNEL, .mqueue = 1, .cgroup_mount = "/sys/fs/cgroup",
			.controllers = "cpuset cpu io memory hugetlb pids rdma misc", .cap_sys_resource = 1,
			.hard = KERNEL_LIMITS}},
	{"hugetlb-only", "", "/run/vectl/web1",
		{CAPABLE_KERNEL, .mqueue = 1, .cgroup_mount = "/sys/fs/cgroup/unified", .controllers = "hugetlb",
			.cap_sys_resource = 1, .hard = KERNEL_LIMITS}},
	{"no-controllers", "", "/run/vectl/web1",
		{CAPABLE_KERNEL, .mqueue = 1, .cgroup_mount = "/sys/fs/cgroup/unified", .cap_sys_resource = 1,
			.hard = KERNEL_LIMITS}},
	{"low-limits", "", "/run/vectl/web1",
		{CAPABLE_KERNEL, .mqueue = 1, .cgroup_mount = "/sys/fs/cgroup", .controllers = "memory pids",
			.cap_sys_resource = 0, .hard = LOW_LIMITS}},
	{"low-limits-raised", "", "/run/vectl/web1",
		{CAPABLE_KERNEL, .mqueue = 1, .cgroup_mount = "/sys/fs/cgroup", .controllers = "memory pids",
			.cap_sys_resource = 1, .hard = LOW_LIMITS}},
	{"no-mqueue", "", "/run/vectl/web1",
		{CAPABLE_KERNEL, .mqueue = 0, .cgroup_mount = "/sys/fs/cgroup", .controllers = "cpu memory pids io",
			.cap_sys_resource = 1, .hard = KERNEL_LIMITS}},
	{"other-root", "0badcafe", "/srv/other/run/vectl/web1",
		{CAPABLE_KERNEL, .mqueue = 1, .cgroup_mount = "/sys/fs/cgroup", .controllers = "cpu memory pids io",
			.cap_sys_resource = 1, .hard = KERNEL_LIMITS}},
};

static inline struct plan_input make_input(const struct spec *s, const struct host_case *h)
{
	return (struct plan_input){
		.spec = s,
		.facts = &h->facts,
		.name = "web1",
		.root_id = h->root_id,
		.run_dir = h->run_dir,
		.data_dir = "/var/lib/vectl/ve/web1",
		.image_root = "/var/lib/vectl/images/store/0123456789abcdef/root",
		.supervisor = "/usr/libexec/vectl/ve-supervisor",
		.ids = {0x70010000, 0x70000007},
		.caps = 0x1b7fcbffffull,
		.keeper_caps = 0x3fffffffull,
	};
}

static inline struct plan *make_plan(const struct spec_case *c, const struct host_case *h)
{
	cleanup_spec struct spec *s = make_spec(c);
	struct plan_input in = make_input(s, h);
	struct plan *p = NULL;
	struct error e = {0};

	cr_assert_eq(plan_build(&in, &p, &e), 0, "%s on %s: %s", c->name, h->name, e.wrong);
	cr_assert_not_null(p);
	return p;
}

static inline const struct plan_step *find(const struct plan *p, int op)
{
	for (size_t i = 0; i < p->nsteps; i++)
		if (p->step[i].op == op)
			return &p->step[i];
	return NULL;
}

static inline int first(const struct plan *p, int op)
{
	for (size_t i = 0; i < p->nsteps; i++)
		if (p->step[i].op == op)
			return (int)i;
	return -1;
}

#endif
