/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caller's part of a start: the plan's first steps, the supervisor's launch, and undo when one of them fails. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "config.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"
#include "lib/confine/confine.h"
#include "lib/confine/devices.h"
#include "lib/net/net.h"
#include "lib/run/devices.h"
#include "lib/run/event.h"
#include "lib/run/first_boot.h"
#include "lib/run/foresee.h"
#include "lib/run/hooks.h"
#include "lib/run/mounts.h"
#include "lib/run/network.h"
#include "lib/run/run.h"
#include "lib/run/spawn.h"
#include "lib/storage/disk.h"

struct launch {
	struct ve *ve;
	const struct plan *plan;
	const struct spec *spec;
	const struct network *network;
	struct error *e;
	uint32_t fault_step;
	char cgroup[512];
	const int *listen_fds;                  /* the caller's */
	int fd[SFD_COUNT_END + SFD_LISTEN_MAX]; /* what becomes the supervisor's; -1: not yet */
	int report;                             /* our end */
	int runtime;                            /* the runtime folder is ours */
	void *seccomp[BLOB_COUNT];
	size_t seccomp_size[BLOB_COUNT];
};

static const char tried[] = "start";

static int failed(struct launch *l, const struct plan_step *s, int err, const char *subject, const char *remedy)
{
	int r = error_set(l->e, VE_E_FAILED, err, tried, remedy ?: error_remedy(err) ?: "`vectl plan NAME` shows the step in its place", "step %s: %s: %s",
		plan_op_name(s->op), subject, strerror(err));
	snprintf(l->e->step, sizeof l->e->step, "%s", plan_op_name(s->op));
	snprintf(l->e->subject, sizeof l->e->subject, "%.200s", subject);
	return r;
}

/* ---- steps */

static int reserve_ids(struct launch *l, const struct plan_step *s)
{
	int r = ids_lock_folder(l->e);
	if (r)
		return r;
	int fd = lock_file(s->s[0], l->e, tried);
	if (fd == -EAGAIN)
		return error_set(l->e, VE_E_BUSY, EADDRINUSE, tried,
			"give this VE other ids: vectl unset NAME userns.base picks free ones",
			"a VE of another root runs with the ids from %lld", (long long)s->n[0]);
	l->fd[SFD_IDLOCK] = fd;
	return fd < 0 ? fd : 0;
}

/* What undo will need stands there, by root and for root alone, before the first thing is made. */
static int write_undo(struct launch *l, int dir)
{
	char text[2048];
	int n = FORMAT(text, "format 1\ncgroup %s\nids %u %u\ndisk %s/ve/%s\n", l->cgroup, l->plan->ids.base,
		l->plan->ids.owner, l->ve->host->data, l->ve->name);
	if (n < 0)
		return n;
	cleanup_fd int fd = openat(dir, "undo", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : write_all(fd, text, n);
}

static int runtime_dir(struct launch *l, const struct plan_step *s)
{
	/* The change lock is held and what was there is undone, so nobody else makes this folder. */
	if (mkdir(s->s[0], 0700))
		return failed(l, s, errno, s->s[0], NULL);
	l->runtime = 1;
	cleanup_fd int dir = open(s->s[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return failed(l, s, errno, s->s[0], NULL);
	int r = write_undo(l, dir);
	if (r < 0)
		return failed(l, s, -r, "undo", NULL);
	if ((r = hooks_owe_start(dir, l->spec)) < 0)
		return failed(l, s, -r, "hooks.start", NULL);
	l->fd[SFD_LOCK] = openat(dir, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (l->fd[SFD_LOCK] < 0 || (r = lock_try(l->fd[SFD_LOCK])) < 0)
		return failed(l, s, l->fd[SFD_LOCK] < 0 ? errno : -r, "lock", NULL);
	l->fd[SFD_STATE] = openat(dir, "state", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (l->fd[SFD_STATE] < 0)
		return failed(l, s, errno, "state", NULL);
	/* Empty until something is set while the VE runs; libve alone writes there. */
	cleanup_fd int made = openat(dir, "live", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	l->fd[SFD_LIVE] = made < 0 ? -errno : openat(dir, "live", O_RDONLY | O_CLOEXEC);
	if (l->fd[SFD_LIVE] < 0)
		return failed(l, s, errno, "live", NULL);
	/* Room for what is written there later, by those who could not tell anybody that it is missing. */
	r = posix_fallocate(l->fd[SFD_STATE], 0, 2 * STATE_RECORD);
	return r ? failed(l, s, r, "state", NULL) : 0;
}

static int cgroup_step(struct launch *l, const struct plan_step *s)
{
	if (s->op == OP_CGROUP_MAKE)
		return cgroup_make(s->s[0], l->e);
	if (s->op == OP_CGROUP_OWN)
		return chown(s->s[0], s->n[0], s->n[0]) ? (s->optional ? 0 : failed(l, s, errno, s->s[0], NULL)) : 0;
	int r = write_string_at(AT_FDCWD, s->s[0], s->s[1]);
	return r < 0 && !s->optional ? failed(l, s, -r, s->s[0], NULL) : 0;
}

static int console_log(struct launch *l, const struct plan_step *s)
{
	for (int i = 0; i < 2; i++) {
		char path[PATH_MAX];
		FORMAT(path, "%s.%d", s->s[0], i);
		l->fd[SFD_LOG0 + i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (l->fd[SFD_LOG0 + i] < 0)
			return failed(l, s, errno, path, NULL);
	}
	return 0;
}

/* sun_path holds 108 bytes and a root folder may be deeper, so the socket is bound through the folder's fd. */
static int control_socket(struct launch *l, const struct plan_step *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	cleanup_fd int dir = runtime_open_dir(l->ve->host, l->ve->name);
	if (dir < 0)
		return failed(l, s, -dir, s->s[0], NULL);
	FORMAT(a.sun_path, "/proc/self/fd/%d/control", dir);
	int fd = l->fd[SFD_CONTROL] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || chmod(a.sun_path, 0600) || listen(fd, 16))
		return failed(l, s, errno, s->s[0], NULL);
	return 0;
}

static int seccomp_compile(struct launch *l, const struct plan_step *s)
{
	const char *profile[BLOB_COUNT] = {[BLOB_SECCOMP_VE] = s->s[0], [BLOB_SECCOMP_SUPERVISOR] = "supervisor"};
	for (int i = 0; i < BLOB_COUNT; i++) {
		int r = confine_seccomp(l->ve->host, profile[i], &l->seccomp[i], &l->seccomp_size[i], l->e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_folder(const char *top, const char *below)
{
	char path[PATH_MAX];
	FORMAT(path, "%s%s", top, below);
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The plan stays in the runtime folder: what enters the VE later is confined by the same one. */
static int save_plan(struct launch *l)
{
	char path[PATH_MAX];
	struct stat st;
	FORMAT(path, "%s/%s/plan", l->ve->host->run, l->ve->name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(l->fd[SFD_PLAN], &st))
		return -errno;
	cleanup_free char *b = malloc(st.st_size);
	if (!b || pread(l->fd[SFD_PLAN], b, st.st_size, 0) != st.st_size)
		return -EIO;
	return write_all(fd, b, st.st_size);
}

/* What the VE runs with, for telling later what a change still waits for. */
static void save_spec(struct ve *ve, const struct spec *s)
{
	cleanup_free char *text = NULL;
	struct error ignored = {0};
	char path[PATH_MAX];
	if (spec_write(s, &text, &ignored))
		return;
	FORMAT(path, "%s/%s/ve.json", ve->host->run, ve->name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && write_all(fd, text, strlen(text)) < 0)
		unlink(path);
}

/* What happens by itself is logged by the keeper; where the host counts no memory there is nothing to watch. */
static int watch_memory(struct launch *l, int null)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve/%s", l->ve->host->data, l->ve->name);
	event_open(path, &l->fd[SFD_EVENTS0]);
	FORMAT(path, "%s/ve/memory.events", l->cgroup);
	int *fds = &l->fd[SFD_EVENTS0];
	fds[2] = open(path, O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		if (fds[i] < 0 && (fds[i] = fcntl(null, F_DUPFD_CLOEXEC, 3)) < 0)
			return -errno;
	return 0;
}

static int spawn_supervisor(struct launch *l, const struct plan_step *s)
{
	int sp[2], r;
	struct plan_blob blobs[BLOB_COUNT];
	for (int i = 0; i < BLOB_COUNT; i++)
		blobs[i] = (struct plan_blob){l->seccomp[i], l->seccomp_size[i]};
	l->fd[SFD_PLAN] = plan_encode(l->plan, blobs, l->fault_step, l->e);
	if (l->fd[SFD_PLAN] < 0)
		return l->fd[SFD_PLAN];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp))
		return failed(l, s, errno, "socketpair", NULL);
	l->report = sp[0];
	l->fd[SFD_REPORT] = sp[1];
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC),
		       cgroup = open(s->s[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->fd[SFD_CGROUP_VE] = open_folder(l->cgroup, "/ve");
	l->fd[SFD_CGROUP_ROOT] = open_folder(l->cgroup, "/ve/root1");
	if (null < 0 || cgroup < 0 || l->fd[SFD_CGROUP_VE] < 0 || l->fd[SFD_CGROUP_ROOT] < 0)
		return failed(l, s, errno, s->s[1], NULL);
	for (int i = 0; i < 3; i++)
		l->fd[i] = null;
	r = watch_memory(l, null);
	if (r < 0)
		return failed(l, s, -r, "memory.events", NULL);
	const char *argv[] = {"ve-supervisor", l->ve->name, NULL};
	for (unsigned i = 0; i < l->plan->listen_fds; i++)
		l->fd[SFD_COUNT_END + i] = l->listen_fds[i];
	r = (l->plan->ids.base ? spawn_detached : spawn_detached_read_only)(
		cgroup, s->s[0], argv, l->fd, SFD_COUNT_END + (int)l->plan->listen_fds);
	for (int i = 0; i < 3; i++)
		l->fd[i] = -1;
	if (r < 0)
		return failed(l, s, -r, s->s[0], r == -ENOENT ? "install vectl whole" : NULL);
	/* While it works; without the saved plan nothing could enter, so its failure is the start's. */
	if ((r = save_plan(l)) < 0)
		return failed(l, s, -r, "plan", NULL);
	/* Ours would keep the VE 'alive' and the report open after the keeper's death. */
	for (int i = 3; i < SFD_COUNT_END; i++)
		close_fd_p(&l->fd[i]), l->fd[i] = -1;
	return 0;
}

/* What pre-start prepared, post-stop takes away; one that failed has to do that itself. */
static int run_pre_start(struct launch *l)
{
	int r = hooks_owe_post_stop(l->ve, l->spec, l->e);
	if (!r && (r = hooks_run(l->ve, l->spec, "hooks.pre-start", 0, l->e)))
		hooks_forget_post_stop(l->ve);
	return r;
}

static int network(struct launch *l, const struct plan_step *s)
{
	cleanup_fd int dir = runtime_open_dir(l->ve->host, l->ve->name);
	if (dir < 0)
		return failed(l, s, -dir, l->ve->host->run, NULL);
	int r = network_step(l->ve, s, l->network, dir, l->e);
	if (r < 0)
		snprintf(l->e->step, sizeof l->e->step, "%s", plan_op_name(s->op));
	return r;
}

static int caller_step(struct launch *l, const struct plan_step *s)
{
	switch (s->op) {
	case OP_RESERVE_IDS:
		return reserve_ids(l, s);
	case OP_RUNTIME_DIR:
		return runtime_dir(l, s);
	case OP_HOOKS:
		return run_pre_start(l);
	case OP_CGROUP_MAKE:
	case OP_CGROUP_SET:
	case OP_CGROUP_OWN:
		return cgroup_step(l, s);
	case OP_CGROUP_DEVICES:
		return device_filter_attach(s->s[0], s->s[1] ? s->s[1] : "", s->s[1] ? s->len[1] : 0, l->e);
	case OP_DISK_LAYER:
		return disk_prepare(s->s[0], l->e);
	case OP_CONSOLE_LOG:
		return console_log(l, s);
	case OP_CONTROL_SOCKET:
		return control_socket(l, s);
	case OP_SECCOMP_COMPILE:
		return seccomp_compile(l, s);
	case OP_BRIDGE:
	case OP_PARENT:
	case OP_FORWARDING:
	case OP_FIREWALL:
	case OP_PROXY:
		return network(l, s);
	case OP_SPAWN_SUPERVISOR:
		return spawn_supervisor(l, s);
	default:
		return failed(l, s, ENOSYS, "not a step of the caller's", NULL);
	}
}

/* ---- what the supervisor reports */

#define LEADS_AWAY      "a link at the target leads to /, or into /dev, /run/host, /proc or /sys: choose another target"
#define MORE_NAMESPACES "allow more namespaces: `sysctl -a | grep ^user.max_` shows the limits"

/* What to do about a step that failed, by what it was and what the kernel said. */
static const struct {
	int op, err;
	const char *remedy;
} remedies[] = {
	{OP_EXEC, ENOENT, "check the image's init, or set another: vectl set NAME init=/path"},
	{OP_EXEC, EACCES, "check the image's init, or set another: vectl set NAME init=/path"},
	{OP_EXEC, ENOEXEC, "check the image's init, or set another: vectl set NAME init=/path"},
	{OP_LINK_ROUTE, EEXIST, "the host has a route to that address (`ip route`): give the VE another one"},
	{OP_LINK, ENODEV, "`ip link` shows the bridges that there are: set another net.IF.link"},
	{OP_LINK, EXFULL, "a bridge has at most 1024 ports: set net.IF.type=routed"},
	{OP_MACVLAN, EBUSY, "it is a port of a bridge or a bond: set net.IF.link to that one"},
	{OP_MACVLAN, EOPNOTSUPP, "this kernel has no macvlan: modprobe macvlan, or set another net.IF.type"},
	{OP_LINK_UP, EADDRINUSE, "another one on that device has its hardware address: set another net.IF.mac"},
	{OP_LINK_RATE, ENOENT,
		"this kernel lacks what limits a rate: modprobe it, or unset net.IF.rate_in and rate_out"},
	{OP_LINK_RATE, EOPNOTSUPP,
		"this kernel lacks what limits a rate: modprobe it, or unset net.IF.rate_in and rate_out"},
	{OP_LINK_ADDRESS, EACCES, "IPv6 is switched off on this host: unset net.IF.ipv6"},
	{OP_LINK_ADDRESS, EOPNOTSUPP, "IPv6 is switched off on this host: unset net.IF.ipv6"},
	{OP_ADDRESS, EACCES, "IPv6 is switched off on this host: unset net.IF.ipv6"},
	{OP_ADDRESS, EOPNOTSUPP, "IPv6 is switched off on this host: unset net.IF.ipv6"},
	{OP_USER_NAMESPACE, EPERM, "run vectl outside of the chroot: the kernel refuses user namespaces inside one"},
	{OP_PRIVATE_MOUNTS, ENOSPC, MORE_NAMESPACES},
	{OP_USER_NAMESPACE, ENOSPC, MORE_NAMESPACES},
	{OP_TIME_NAMESPACE, ENOSPC, MORE_NAMESPACES},
	{OP_CLONE_INIT, ENOSPC, MORE_NAMESPACES},
	{OP_OPEN_MOUNT, ENOENT, "make it, or unset the mount"},
	{OP_OPEN_MOUNT, ELOOP, "a symbolic link is in the source: give the path that it leads to (realpath shows it)"},
	{OP_MAKE_MOUNT, ENOENT, "make it, or unset the mount"},
	{OP_MAKE_MOUNT, ENODEV, "this kernel does not know that file system: set another type"},
	{OP_MAKE_MOUNT, ENOTBLK, "it wants a block device; losetup makes one of a file"},
	{OP_MAKE_MOUNT, EINVAL, "check type and options; `dmesg` has the kernel's words"},
	{OP_ATTACH_MOUNT, EOPNOTSUPP,
		"owners cannot be mapped on that file system: set idmap=false of that mount, and they are the host's"},
	{OP_BIND_MOUNT, ENOENT, "a link at the target leads to nothing: choose another target"},
	{OP_BIND_MOUNT, ELOOP, "a link at the target leads nowhere that can be mounted on: choose another target"},
	{OP_BIND_MOUNT, EXDEV, LEADS_AWAY},
	{OP_BIND_MOUNT, ENOTDIR, "the source is a folder, and there is a file: choose another target"},
	{OP_BIND_MOUNT, EISDIR, "the source is a file, and there is a folder: name the file in it"},
	{OP_MOUNT_INSIDE, EINVAL, "check the mount's options"},
	{OP_MOUNT_INSIDE, EXDEV, LEADS_AWAY},
	{OP_HOSTNAME, EINVAL, "it must be a file: vectl unset NAME hostname, and mend it inside"},
	{OP_HOSTNAME, ELOOP, "its links lead nowhere: vectl unset NAME hostname, and mend it inside"},
	{OP_SYSCTL, ENOENT, "this kernel has no such sysctl in a VE: unset it"},
	{OP_SYSCTL, EACCES, "this kernel lets the host's root alone set it: unset it"},
	{OP_SYSCTL, EPERM, "this kernel lets the host's root alone set it: unset it"},
	{OP_SYSCTL, EINVAL, "the kernel does not take that value: set another"},
	{OP_SYSCTL, ERANGE, "the kernel does not take that value: set another"},
};

const char *start_remedy(int op, int err)
{
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if (remedies[i].op == op && remedies[i].err == err)
			return remedies[i].remedy;
	return NULL;
}

/* The key of the spec that a step comes from, where its name does not say it: "mount.data: ". */
static const char *key_of(const struct launch *l, const struct plan_step *s)
{
	if (s->op == OP_OPEN_MOUNT || s->op == OP_BIND_MOUNT)
		return s->s[1];
	if (s->op != OP_MAKE_MOUNT)
		return NULL;
	for (size_t i = 0; i < l->plan->nsteps; i++)
		if (l->plan->step[i].op == OP_ATTACH_MOUNT && l->plan->step[i].n[0] == s->n[0])
			return l->plan->step[i].s[0];
	return NULL;
}

static int supervisor_failed(struct launch *l, const struct wire_report *r)
{
	const struct plan_step *s = r->step < l->plan->nsteps ? &l->plan->step[r->step] : NULL;
	const char *key = s ? key_of(l, s) : NULL;
	char subject[sizeof r->subject + 64];
	FORMAT(subject, "%.40s%s%.*s", key ?: "", key ? ": " : "", (int)sizeof r->subject, r->subject);
	return failed(l, s ? s : &l->plan->step[0], r->err, *subject ? subject : "?",
		start_remedy(s ? (int)s->op : -1, r->err) ?: "`vectl plan NAME` shows the step in its place");
}

/* Kept for ve_start_notes and ve_info_json for as long as it runs. One that cannot be kept is no reason to fail. */
static void save_note(struct launch *l, const struct wire_report *r)
{
	char path[PATH_MAX], line[512], left[64] = "";
	int op = r->step < l->plan->nsteps ? (int)l->plan->step[r->step].op : -1;
	FORMAT(path, "%s/ve/%s", l->ve->host->data, l->ve->name);
	if (op == OP_FIRST_BOOT || op == OP_FIRST_BOOT_OPEN)
		first_boot_left(path, left, sizeof left);
	int n = FORMAT(line, "%s: %.*s: %s%s%s%s\n", op < 0 ? "?" : plan_op_name(op), (int)sizeof r->subject,
		r->subject, strerror(r->err), *left ? " (not done: " : "", left,
		*left ? "; it is not tried again: do it inside)" : "");
	if (n < 0 || FORMAT(path, "%s/%s/notes", l->ve->host->run, l->ve->name) < 0)
		return;
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		write_all(fd, line, n);
}

static int await_report(struct launch *l)
{
	for (;;) {
		struct wire_report r;
		struct pollfd p[2] = {
			{.fd = l->report, .events = POLLIN}, {.fd = l->ve->host->cancel_fd, .events = POLLIN}};
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return error_sys(l->e, errno, tried, "poll");
		if (p[1].revents)
			return error_set(
				l->e, VE_E_INTERRUPTED, EINTR, tried, NULL, "interrupted; what was begun is undone");
		if (!p[0].revents)
			continue;
		ssize_t n = recv(l->report, &r, sizeof r, 0);
		if (n != sizeof r)
			return error_set(l->e, VE_E_FAILED, ECHILD, tried, "try again; `vectl logs NAME` may tell more",
				"the supervisor ended before the VE ran");
		if (r.kind == REPORT_RUNNING) {
			char path[PATH_MAX];
			FORMAT(path, "%s/ve/%s", l->ve->host->data, l->ve->name);
			first_boot_drop(path); /* what stays is dropped by undo */
			return 0;
		}
		if (r.kind == REPORT_FAILED)
			return supervisor_failed(l, &r);
		if (r.kind == REPORT_NOTE)
			save_note(l, &r);
	}
}

static uint32_t fault_from_environment(const struct plan *p)
{
#if VE_FAULTS
	const char *v = getenv("VECTL_FAULT"), *colon = v ? strchr(v, ':') : NULL;
	if (colon)
		return (uint32_t)strtoul(colon + 1, NULL, 10) | (*v == 's' ? FAULT_SERVER : 0);
#else
	(void)p;
#endif
	return FAULT_NEVER;
}

static void fault_point(struct launch *l, size_t step)
{
#if VE_FAULTS
	if (l->fault_step == step)
		raise(SIGKILL);
#else
	(void)l;
	(void)step;
#endif
}

static int run_plan(struct launch *l)
{
	int r = 0;
	for (size_t i = 0; !r && i < l->plan->nsteps; i++) {
		const struct plan_step *s = &l->plan->step[i];
		if (s->actor != ACTOR_CALLER)
			continue;
		if (host_cancelled(l->ve->host, l->e))
			return -EINTR;
		r = caller_step(l, s);
		if (r < 0)
			return r;
		r = 0;
		fault_point(l, i);
	}
	return await_report(l);
}

static int launch(struct ve *ve, const struct spec *s, const struct network *n, const struct plan *p,
	const int *listen_fds, struct error *e)
{
	struct launch l = {.listen_fds = listen_fds,
		.network = n,
		.ve = ve,
		.plan = p,
		.spec = s,
		.e = e,
		.report = -1,
		.fault_step = fault_from_environment(p)};
	for (size_t i = 0; i < ARRAY_SIZE(l.fd); i++)
		l.fd[i] = -1;
	for (size_t i = 0; i < p->nsteps; i++)
		if (p->step[i].op == OP_CGROUP_MAKE) {
			FORMAT(l.cgroup, "%s", p->step[i].s[0]); /* the first is the VE's own folder */
			break;
		}
	int r = run_plan(&l);
	for (int i = 3; i < SFD_COUNT_END; i++)
		close_fd_p(&l.fd[i]);
	close_fd_p(&l.report); /* a keeper that still waits for init's exec sees it and ends */
	for (int i = 0; i < BLOB_COUNT; i++)
		free(l.seccomp[i]);
	if (r < 0 && l.runtime) {
		struct error ignored = {0};
		undo(ve, &ignored);
	}
	return r;
}

/* ---- public */

int plan_of(struct ve *ve, const struct spec *s, const struct network *n, unsigned listen_fds, struct plan **ret,
	struct error *e)
{
	struct host_facts facts;
	struct id_range ids;
	char run[PATH_MAX], data[HOST_PATH_MAX + 80], link[PATH_MAX], image[PATH_MAX], supervisor[PATH_MAX];
	/* A ve.json that was written by hand has been parsed, and that is all. */
	int r = spec_check(s, e);
	if (r || (r = facts_probe(&facts, e)) || (r = ids_of(ve, &ids, e)))
		return r;
	FORMAT(run, "%s/%s", ve->host->run, ve->name);
	FORMAT(data, "%s/ve/%s", ve->host->data, ve->name);
	FORMAT(link, "%s/image/rootfs", data);
	FORMAT(supervisor, "%s/ve-supervisor", host_libexec_dir);
	if (!realpath(link, image))
		return error_set(e, VE_E_NO_IMAGE, errno, "plan the start",
			"build or import the same again, or make the VE anew",
			"its image is not in the store any more: %s: %s", link, strerror(errno));
	struct plan_device devices[PLAN_DEVICES_MAX];
	size_t ndevices = 0;
	if ((r = devices_of(s, devices, &ndevices, e)))
		return r;
	unsigned char exposed[SPEC_MOUNTS_MAX] = {0};
	if ((r = mounts_exposed(s, exposed, e)))
		return r;
	struct plan_input in = {
		.devices = devices,
		.ndevices = ndevices,
		.exposed = exposed,
		.interfaces = n->interfaces,
		.ninterfaces = n->n,
		.resolver = n->resolver,
		.own = n->n ? &n->own : NULL,
		.spec = s,
		.facts = &facts,
		.name = ve->name,
		.root_id = ve->host->id,
		.run_dir = run,
		.data_dir = data,
		.image_root = image,
		.supervisor = supervisor,
		.ids = ids,
		.listen_fds = listen_fds,
		.first_boot = first_boot_pending(data),
		.credentials = credentials_present(data),
		.caps = confine_caps(
			spec_list(s, "caps.keep"), spec_list(s, "caps.drop"), spec_integer(s, "privileged", 0) != 0),
		.keeper_caps = confine_keeper_caps(),
	};
	return plan_build(&in, ret, e);
}

int settle(struct ve *ve, struct runtime *rt, struct error *e)
{
	enum { LOOK_MS = 50, LOOKS = 200 };
	int r = 0;
	for (int i = 0; !r && i < LOOKS && rt->alive && (rt->state == VE_STARTING || rt->state == VE_STOPPING); i++) {
		struct error ignored = {0};
		cleanup_fd int keeper = runtime_open_keeper(ve, rt, &ignored);
		r = wait_pidfd(ve->host, keeper, LOOK_MS, e);
		if (!r || r == -ETIMEDOUT)
			r = runtime_read(ve->host, ve->name, rt, e);
	}
	return r;
}

/* A folder or a file of the host's would be a way out of the VE. */
static int check_listen_fds(const struct ve_start_options *o, struct error *e)
{
	if (o->n_listen_fds > SFD_LISTEN_MAX)
		return error_set(e, VE_E_USAGE, EINVAL, tried, NULL, "%zu fds for init, where %d are possible",
			o->n_listen_fds, SFD_LISTEN_MAX);
	for (size_t i = 0; i < o->n_listen_fds; i++) {
		struct stat st;
		if (fstat(o->listen_fds[i], &st) ||
			!(S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
			return error_set(e, VE_E_USAGE, EINVAL, tried, "give it sockets, FIFOs or character devices",
				"fd %d is not one that init may have", o->listen_fds[i]);
	}
	return 0;
}

static int not_suspended(const struct spec *s, struct error *e)
{
	const char *why = spec_string(s, "suspended");
	return !why ? 0
		    : error_set(e, VE_E_STATE, EPERM, tried, "lift that first: vectl unset NAME suspended",
			      "it is suspended: %s", why);
}

/* What a start makes of the spec as it is. */
static int plan_start(struct ve *ve, unsigned listen_fds, int take, struct spec **ret_spec, struct network *ret_network,
	struct plan **ret, struct error *e)
{
	int r = spec_load(ve, ret_spec, e);
	if (r || (r = not_suspended(*ret_spec, e)) || (r = hooks_check(ve, *ret_spec, e)))
		return r;
	if ((r = spec_check(*ret_spec, e)) || (r = network_of(ve, *ret_spec, take, ret_network, e)))
		return r;
	return plan_of(ve, *ret_spec, ret_network, listen_fds, ret, e);
}

int ve_check_start(struct ve *ve)
{
	struct error *e = host_begin(ve->host);
	cleanup_spec struct spec *s = NULL;
	cleanup_plan struct plan *p = NULL;
	cleanup_network struct network n = {0};
	struct wire_report r;
	int err = plan_start(ve, 0, 0, &s, &n, &p, e);
	if (!err && foresee(p, &r))
		err = supervisor_failed(&(struct launch){.ve = ve, .plan = p, .spec = s, .e = e}, &r);
	return error_of(ve, e, err);
}

static void log_failure(struct ve *ve, const struct error *e)
{
	struct json_writer *w = event_begin("start-failed");
	const struct {
		const char *key, *value;
	} member[] = {{"step", e->step}, {"subject", e->subject}, {"tried", e->tried}, {"message", e->wrong},
		{"remedy", e->remedy}};
	jw_object(w, "error");
	jw_integer(w, "errno", e->errnum);
	for (size_t i = 0; i < ARRAY_SIZE(member); i++)
		if (*member[i].value)
			jw_string(w, member[i].key, member[i].value);
	jw_end(w);
	event_end(ve, w);
}

/* A VE whose start hook failed is not one that was started. */
static int run_start_hook(struct ve *ve, const struct spec *s, struct error *e)
{
	struct runtime rt;
	struct error ignored = {0};
	if (!spec_string(s, "hooks.start"))
		return 0;
	int r = runtime_read(ve->host, ve->name, &rt, e);
	if (!r && !(r = hooks_run(ve, s, "hooks.start", rt.init, e))) {
		hooks_forget_start(ve);
		return 0;
	}
	/* Undone also when it was given up: the caller learns that it does not run. */
	end_and_undo(ve, &rt, &ignored);
	return r;
}

static int start_locked(struct ve *ve, const struct ve_start_options *o, char top[512], struct error *e)
{
	cleanup_spec struct spec *s = NULL;
	cleanup_plan struct plan *p = NULL;
	cleanup_network struct network n = {0};
	struct runtime rt;
	struct error ignored = {0};
	cleanup_fd int lock = change_lock(ve, e);
	if (lock < 0)
		return lock;
	int r = runtime_read(ve->host, ve->name, &rt, e);
	if (r)
		return r;
	if ((r = undo_cut_start(ve, &rt, e)) || (r = settle(ve, &rt, e)))
		return r;
	if (rt.alive)
		return error_set(e, VE_E_STATE, EALREADY, tried, "stop or restart it, or attach to it",
			"it is %s already", ve_state_name(rt.state));
	if (rt.present && (r = undo(ve, e)))
		return r;
	r = plan_start(ve, (unsigned)o->n_listen_fds, 1, &s, &n, &p, e);
	for (size_t i = 0; !r && i < p->nsteps && !*top; i++)
		if (p->step[i].op == OP_CGROUP_MAKE) /* the first is the VE's own folder */
			snprintf(top, 512, "%.*s", (int)(strrchr(p->step[i].s[0], '/') - p->step[i].s[0]),
				p->step[i].s[0]);
	if (!r) {
		net_release(ve, s, NULL, &ignored); /* what it ran with until now, and shall no more */
		event_log(ve, "starting");
		r = launch(ve, s, &n, p, o->listen_fds, e);
	}
	if (r) {
		log_failure(ve, e);
		return r;
	}
	save_spec(ve, s);
	return run_start_hook(ve, s, e);
}

int ve_start(struct ve *ve, const struct ve_start_options *options)
{
	struct error *e = host_begin(ve->host);
	struct ve_start_options o = {0};
	if (options)
		memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
	char top[512] = "";
	int r = check_listen_fds(&o, e);
	if (!r)
		r = start_locked(ve, &o, top, e);
	/* After a failure too: a link may be left that ends a moment later than all else. */
	if (*top)
		reaper_wake(ve->host, top);
	if (r < 0)
		return error_of(ve, e, r);
	if (o.wait == VE_WAIT_READY)
		return error_of(ve, e, wait_for(ve, VE_RUNNING, 1, o.timeout_ms ? o.timeout_ms : 120000, 1, e));
	return 0;
}

int ve_start_notes(struct ve *ve, char **ret_text)
{
	struct error *e = host_begin(ve->host);
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	char *text = NULL;
	int r = dir < 0 ? dir : read_file_at(dir, "notes", 65536, &text, NULL);
	if (r == -ENOENT)
		r = (text = strdup("")) ? 0 : -ENOMEM;
	if (r < 0)
		return error_of(ve, e, error_sys(e, -r, "read the notes of the start", "notes"));
	*ret_text = text;
	return 0;
}
