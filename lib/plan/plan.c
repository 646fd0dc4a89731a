/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/confine/devices.h"
#include "lib/plan/build.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

enum { ARGS_MAX = 63 /* of init: what ve-supervisor has room for */ };

/* ---- parts */

static int refuse(struct builder *b, const char *remedy, const char *what)
{
	return error_set(b->e, VE_E_HOST, EOPNOTSUPP, "plan the start", remedy, "this host has no %s", what);
}

static int check_host(struct builder *b)
{
	const struct host_facts *f = b->in->facts;
	const struct {
		int there;
		const char *what, *remedy;
	} need[] = {
		{f->cgroup_mount[0], "cgroup2 mount", "mount one: mount -t cgroup2 none /sys/fs/cgroup/unified"},
		{f->user_namespace, "user namespaces", "boot a kernel with CONFIG_USER_NS"},
		{f->time_namespace, "time namespaces", "boot a kernel with CONFIG_TIME_NS (5.6 or later)"},
		{f->overlay, "overlay file system", "load it: modprobe overlay"},
		{f->seccomp, "seccomp filters", "boot a kernel with CONFIG_SECCOMP_FILTER"},
		{f->clone_into_cgroup, "clone3", "boot a kernel of 6.1 or later"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(need); i++)
		if (!need[i].there)
			return refuse(b, need[i].remedy, need[i].what);
	return 0;
}

static int privileged(const struct builder *b)
{
	return spec_integer(b->in->spec, "privileged", 0) != 0;
}

static void cgroup_make(struct builder *b, const char *below)
{
	plan_set_text(b, plan_add(b, OP_CGROUP_MAKE), 0, "%s%s", b->cgroup, below);
}

static void cgroup_set(struct builder *b, const char *path, const char *file, const char *value, int optional)
{
	struct plan_step *s = plan_add(b, OP_CGROUP_SET);
	plan_set_text(b, s, 0, "%s/%s", path, file);
	plan_set_text(b, s, 1, "%s", value);
	s->optional = optional;
}

static void cgroup_own(struct builder *b, const char *below, uint32_t uid, int optional)
{
	struct plan_step *s = plan_add(b, OP_CGROUP_OWN);
	plan_set_text(b, s, 0, "%s%s", b->cgroup, below);
	s->n[0] = uid;
	s->optional = optional;
}

/* What the guest's own init manages with: limits lie one level above its root. */
static void cgroup_controllers(struct builder *b)
{
	const char *want[] = {"cpu", "memory", "pids", "io"};
	const struct host_facts *f = b->in->facts;
	char value[64] = "", above[512];
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (facts_has_word(f->controllers, want[i])) {
			strcat(value, *value ? " +" : "+");
			strcat(value, want[i]);
		} else
			plan_note(b,
				"this host's cgroup2 tree offers no %s controller: its use is not accounted or limited",
				want[i]);
	if (!*value)
		return;
	snprintf(above, sizeof above, "%s", b->cgroup);
	*strrchr(above, '/') = 0;
	cgroup_set(b, f->cgroup_mount, "cgroup.subtree_control", value, 1);
	cgroup_set(b, above, "cgroup.subtree_control", value, 1);
	cgroup_set(b, b->cgroup, "cgroup.subtree_control", value, 1);
	char ve[600];
	snprintf(ve, sizeof ve, "%s/ve", b->cgroup);
	cgroup_set(b, ve, "cgroup.subtree_control", value, 1);
}

static void cgroups(struct builder *b)
{
	const struct plan_input *in = b->in;
	cgroup_make(b, "");
	cgroup_make(b, "/supervisor");
	cgroup_make(b, "/ve");
	cgroup_controllers(b);
	char ve[600];
	snprintf(ve, sizeof ve, "%s/ve", b->cgroup);
	/* Ids of memory cgroups are global to the host, 65,535 of them. */
	cgroup_set(b, ve, "cgroup.max.descendants", "1000", 0);
	cgroup_set(b, ve, "cgroup.max.depth", "10", 0);
	cgroup_make(b, "/ve/root1");
	/* CLONE_INTO_CGROUP by the keeper wants the common ancestor's cgroup.procs; a reboot's fresh root wants the
	 * folder. */
	plan_device_filter(b, ve);
	if (privileged(b))
		return; /* all of it is root's: the keeper's and the guest's */
	cgroup_own(b, "/cgroup.procs", in->ids.owner, 0);
	cgroup_own(b, "/ve", in->ids.base, 0);
	const char *delegated[] = {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"};
	for (size_t i = 0; i < ARRAY_SIZE(delegated); i++) {
		char path[64];
		snprintf(path, sizeof path, "/ve/root1%s", delegated[i]);
		cgroup_own(b, path, in->ids.base, 0);
	}
	if (facts_has_word(in->facts->controllers, "memory")) {
		cgroup_own(b, "/ve/root1/memory.oom.group", in->ids.base, 1);
		cgroup_own(b, "/ve/root1/memory.reclaim", in->ids.base, 1); /* since 5.19 */
	}
}

static const char *seccomp_profile(const struct builder *b)
{
	return privileged(b) ? "privileged" : "default";
}

static void hooks_part(struct builder *b)
{
	const char *before = spec_string(b->in->spec, "hooks.pre-start"),
		   *after = spec_string(b->in->spec, "hooks.post-stop");
	if (!before && !after)
		return;
	struct plan_step *s = plan_add(b, OP_HOOKS);
	plan_set_text(b, s, 0, "%s", before ?: "none");
	plan_set_text(b, s, 1, "%s", after ?: "none");
}

static void host_part(struct builder *b)
{
	const struct plan_input *in = b->in;
	struct plan_step *s = plan_add(b, OP_RESERVE_IDS);
	char lock[64];
	ids_lock_path(&in->ids, lock, sizeof lock);
	plan_set_text(b, s, 0, "%s", lock);
	s->n[0] = in->ids.base;
	s->n[1] = in->ids.owner;
	plan_set_text(b, plan_add(b, OP_RUNTIME_DIR), 0, "%s", in->run_dir);
	hooks_part(b);
	cgroups(b);
	s = plan_add(b, OP_DISK_LAYER);
	plan_set_text(b, s, 0, "%s", in->data_dir);
	s = plan_add(b, OP_CONSOLE_LOG);
	plan_set_text(b, s, 0, "%s/console", in->data_dir);
	s->n[0] = 512 << 10;
	plan_set_text(b, plan_add(b, OP_CONTROL_SOCKET), 0, "%s/control", in->run_dir);
	plan_set_text(b, plan_add(b, OP_SECCOMP_COMPILE), 0, "%s", seccomp_profile(b));
	plan_network_host(b);
	s = plan_add(b, OP_SPAWN_SUPERVISOR);
	plan_set_text(b, s, 0, "%s", in->supervisor);
	plan_set_text(b, s, 1, "%s/supervisor", b->cgroup);
}

static void keeper_part(struct builder *b)
{
	const struct plan_input *in = b->in;
	struct plan_step *s = plan_add(b, OP_OPEN_LAYER);
	plan_set_text(b, s, 0, "%s/disk", in->data_dir);
	s = plan_add(b, OP_OPEN_LAYER);
	plan_set_text(b, s, 0, "%s", in->image_root);
	s->n[0] = LAYER_IMAGE;
	plan_guest_open(b);
	plan_on_exit(b);
	plan_open_mounts(b);
	plan_host_rlimits(b);
	plan_add(b, OP_BECOME_OWNER)->n[0] = privileged(b) ? 0 : in->ids.owner;
	plan_add(b, OP_PRIVATE_MOUNTS);
	s = plan_add(b, OP_RUN_HOST);
	plan_set_text(
		b, s, 0, "lxc-vectl"); /* OpenRC knows only names that contain lxc, docker, systemd-nspawn or rkt */
	plan_set_text(b, s, 1, "%s", spec_string(in->spec, "uuid") ?: "");
	s->n[0] = in->credentials;
	if (!privileged(b)) {
		s = plan_add(b, OP_USER_NAMESPACE);
		s->n[0] = in->ids.base;
		s->n[1] = IDS_COUNT;
		s->n[2] = plan_has_links(b);
	}
	plan_links(b);
	s = plan_add(b, OP_ATTACH_LAYER);
	s->n[2] = !privileged(b);
	plan_set_text(b, s, 0, "/u");
	s = plan_add(b, OP_ATTACH_LAYER);
	plan_set_text(b, s, 0, "/l0");
	s->n[0] = 1;
	s->n[1] = 1;
	s->n[2] = !privileged(b);
	plan_attach_mounts(b);
	plan_make_devices(b);
	plan_guest_attach(b);
	plan_add(b, OP_ENTER);
	plan_add(b, OP_SPAWN_SERVER);
	plan_add(b, OP_DROP_CAPABILITIES)->n[0] = privileged(b) ? (int64_t)in->keeper_caps : 0;
}

static void entrant_part(struct builder *b)
{
	if (!privileged(b))
		plan_add(b, OP_JOIN_USER_NAMESPACE);
	int64_t fresh = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	if (plan_has_links(b))
		plan_add(b, OP_JOIN_NETWORK);
	else if (!plan_shares_network(b))
		fresh |= CLONE_NEWNET;
	plan_add(b, OP_TIME_NAMESPACE);
	plan_add(b, OP_CLONE_INIT)->n[0] = fresh;
}

/* In order: proc and sysfs while the minimal root's whole ones are still in sight, the rest for what comes after it. */
static const struct {
	const char *type, *target, *options;
	unsigned attr;
} mounts[] = {
	{"proc", "proc", "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
	{"tmpfs", "run", "mode=755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV},
	{"tmpfs", "dev/shm", "mode=1777", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV},
	{"mqueue", "dev/mqueue", "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
	{"sysfs", "sys", "", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
	{"cgroup2", "sys/fs/cgroup", "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
	/* Whole ones at a place of their own: without them the masks would keep nested user namespaces from mounting
	   proc. */
	{"proc", "dev/.vectl/proc", "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
	{"sysfs", "dev/.vectl/sys", "", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
};

/*
 * Of a privileged VE: with a user namespace the kernel itself guards all of this. Root inside could take the mounts
 * away, or mount another proc; they keep its programs, which mean no harm, from the host's settings (systemd-sysctl and
 * package scripts write there as they would on a machine of their own).
 */
static void guard_proc(struct builder *b)
{
	static const char *const read_only[] = {
		"sys", "acpi", "asound", "bus", "driver", "fs", "irq", "scsi", "mtrr", NULL};
	/* What belongs to the VE's own network, IPC and UTS namespaces. */
	static const char *const writable[] = {"sys/net", "sys/fs/mqueue", "sys/kernel/hostname",
		"sys/kernel/domainname", "sys/kernel/auto_msgmni", "sys/kernel/msgmax", "sys/kernel/msgmnb",
		"sys/kernel/msgmni", "sys/kernel/msg_next_id", "sys/kernel/sem", "sys/kernel/sem_next_id",
		"sys/kernel/shmall", "sys/kernel/shmmax", "sys/kernel/shmmni", "sys/kernel/shm_next_id",
		"sys/kernel/shm_rmid_forced", NULL};
	struct plan_step *s = plan_add(b, OP_PROC_READ_ONLY);
	plan_set_list(b, s, 0, read_only);
	plan_set_list(b, s, 1, writable);
}

static void init_mounts(struct builder *b)
{
	struct plan_step *s = plan_add(b, OP_OVERLAY);
	plan_set_text(b, s, 0, "/l0");
	plan_set_text(b, s, 1, "/u/upper");
	plan_set_text(b, s, 2, "/u/work");
	s = plan_add(b, OP_DEV);
	plan_set_text(b, s, 0, "newinstance,ptmxmode=0666,mode=620,gid=5,max=");
	s->n[0] = 512; /* pseudo-terminals are the host's 4096 for all VEs together */
	plan_add(b, OP_CONSOLE);
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (!strcmp(mounts[i].type, "mqueue") && !b->in->facts->mqueue)
			continue;
		/* Whole ones, which may be written, are not left lying in a VE whose root is the host's. */
		if (privileged(b) && strstr(mounts[i].target, ".vectl"))
			continue;
		/* The kernel lets nobody mount it who has no say over the network namespace whose devices it shows. */
		if (plan_shares_network(b) && !strcmp(mounts[i].type, "sysfs")) {
			if (!strcmp(mounts[i].target, "sys"))
				plan_add(b, OP_BIND_SYS);
			continue;
		}
		s = plan_add(b, OP_MOUNT);
		plan_set_text(b, s, 0, "%s", mounts[i].type);
		plan_set_text(b, s, 1, "%s", mounts[i].target);
		plan_set_text(b, s, 2, "%s", mounts[i].options);
		s->n[0] = mounts[i].attr;
	}
	plan_add(b, OP_LIVE);
	plan_sysctls(b);
	plan_add(b, OP_BIND_RUN_HOST);
	if (privileged(b))
		guard_proc(b);
	plan_add(b, OP_BOOT_ID);
	const char *masked[] = {"kallsyms", "kcore", "keys", "sysrq-trigger", "timer_list",
		/* the kernel guards these from root in a user namespace */
		privileged(b) ? "kmsg" : NULL, "kpagecgroup", "kpagecount", "kpageflags", "sched_debug", "slabinfo",
		"vmallocinfo", NULL};
	plan_set_list(b, plan_add(b, OP_MASK), 0, masked);
	plan_show_devices(b);
	plan_bind_mounts(b);
	plan_add(b, OP_LIVE_PLACES);
	plan_first_boot_open(b);
	plan_networkd(b);
	plan_resolver(b);
	plan_add(b, OP_PIVOT_ROOT);
	plan_add(b, OP_SHARE_MOUNTS);
	plan_first_boot(b);
}

struct env_list {
	char text[256][256];
	const char *item[256];
	size_t n, bytes;
	int full;
};

/* A later one of the same name takes the earlier one's place: getenv would find the earlier. */
static int add_env(const char *path, const char *text, void *arg)
{
	struct env_list *l = arg;
	if (strncmp(path, "env.", 4))
		return 0;
	const char *name = path + 4;
	size_t i = 0, len = strlen(name);
	while (i < l->n && (strncmp(l->text[i], name, len) || l->text[i][len] != '='))
		i++;
	if (i == ARRAY_SIZE(l->text) - 1)
		return l->full = 1;
	size_t before = i < l->n ? strlen(l->text[i]) + 1 : 0;
	int n = snprintf(l->text[i], sizeof l->text[0], "%s=%s", name, text);
	if (n < 0 || (size_t)n >= sizeof l->text[0])
		return l->full = 1;
	l->bytes += n + 1 - before;
	l->item[i] = l->text[i];
	l->n += i == l->n;
	return l->full = l->bytes > LIST_BYTES;
}

static void exec_init(struct builder *b)
{
	static const char *const found[] = {"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init", NULL};
	struct plan_step *s = plan_add(b, OP_EXEC);
	const char *const *argv = spec_list(b->in->spec, "init");
	size_t argc = 0;
	while (argv && argv[argc])
		argc++;
	if (argc > ARGS_MAX && !b->failed)
		b->failed = error_set(b->e, VE_E_SPEC, E2BIG, "plan the start", "take some away",
			"init: at most %d arguments", ARGS_MAX);
	if (argv && *argv) {
		const char *const program[] = {argv[0], NULL};
		plan_set_list(b, s, 0, program);
		plan_set_list(b, s, 1, argv);
	} else
		plan_set_list(b, s, 0, found);
	struct env_list *l = calloc(1, sizeof *l);
	if (!l) {
		b->failed = b->failed ?: error_sys(b->e, ENOMEM, "plan the start", "memory");
		return;
	}
	const char *uuid = spec_string(b->in->spec, "uuid");
	add_env("env.container", "lxc-vectl", l);
	if (uuid)
		add_env("env.container_uuid", uuid, l);
	add_env("env.NOTIFY_SOCKET", "/run/host/notify", l);
	add_env("env.PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", l);
	add_env("env.TERM", "linux", l);
	if (b->in->credentials)
		add_env("env.CREDENTIALS_DIRECTORY", "/run/host/credentials", l);
	spec_each(b->in->spec, add_env, l);
	if (b->in->listen_fds) {
		char count[16];
		snprintf(count, sizeof count, "%u", b->in->listen_fds);
		add_env("env.LISTEN_FDS", count, l);
		add_env("env.LISTEN_PID", "1", l);
	}
	if (l->full && !b->failed)
		/* In more words spec_check has said it before. */
		b->failed = error_set(b->e, VE_E_SPEC, E2BIG, "plan the start", "shorten it, or take some away",
			"env: at most %d bytes in all", LIST_BYTES);
	plan_set_list(b, s, 2, l->item);
	free(l);
}

static void init_part(struct builder *b)
{
	const struct plan_input *in = b->in;
	plan_add(b, OP_BECOME_ROOT);
	init_mounts(b);
	plan_hostname(b);
	if (!plan_shares_network(b))
		plan_add(b, OP_LOOPBACK);
	plan_network_inside(b);
	plan_add(b, OP_KEYRING);
	plan_rlimits(b);
	plan_add(b, OP_BOUNDING_SET)->n[0] = (int64_t)in->caps;
	plan_add(b, OP_AWAIT_KEEPER);
	plan_set_text(b, plan_add(b, OP_SECCOMP), 0, "%s", seccomp_profile(b));
	exec_init(b);
}

int plan_build(const struct plan_input *in, struct plan **ret, struct error *e)
{
	cleanup_plan struct plan *p = calloc(1, sizeof *p);
	if (!p)
		return error_sys(e, ENOMEM, "plan the start", "memory");
	struct builder b = {.in = in, .plan = p, .e = e};
	snprintf(p->name, sizeof p->name, "%s", in->name);
	p->ids = (struct id_range){privileged(&b) ? 0 : in->ids.base, in->ids.owner};
	p->listen_fds = in->listen_fds;
	int r = check_host(&b);
	if (r)
		return r;
	if (FORMAT(b.cgroup, "%s/vectl%s%s/%s", in->facts->cgroup_mount, *in->root_id ? "-" : "", in->root_id,
		    in->name) < 0)
		return error_sys(e, ENAMETOOLONG, "plan the start", in->facts->cgroup_mount);
	cleanup_free struct spec_mount *asked = NULL;
	r = spec_mounts(in->spec, &asked, e);
	if (r < 0)
		return r;
	b.mounts = asked;
	b.nmounts = r;
	host_part(&b);
	keeper_part(&b);
	entrant_part(&b);
	init_part(&b);
	if (privileged(&b))
		plan_note(&b, "privileged: root inside is root of the host for the kernel, and is not contained when "
			      "hostile");
	if (b.failed)
		return b.failed;
	*ret = TAKE_PTR(p);
	return 0;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->nsteps; i++)
		for (int k = 0; k < 3; k++)
			free(p->step[i].s[k]);
	for (size_t i = 0; i < p->nnotes; i++)
		free(p->note[i]);
	free(p->note);
	free(p->step);
	free(p);
}
