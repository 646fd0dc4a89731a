/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"
#include "lib/plan/wire.h"
#include "lib/run/proc.h"
#include "lib/run/run.h"
#include "lib/run/state.h"

int runtime_open_dir(struct ve_host *host, const char *name)
{
	char path[PATH_MAX];
	if (FORMAT(path, "%s/%s", host->run, name) < 0)
		return -ENAMETOOLONG;
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- the state file */

/* Copies one record's lines out of its frame; -EAGAIN when it was read in the middle of a write. */
static int unframe(const char *record, char *ret)
{
	unsigned first, last;
	char b[STATE_RECORD + 1];
	memcpy(b, record, STATE_RECORD);
	b[STATE_RECORD] = 0;
	char *tail = NULL, *p = b;
	if (sscanf(b, "seq %u\n", &first) != 1)
		return -ENODATA;
	while ((p = strstr(p + 1, "\nseq ")))
		tail = p;
	if (!tail || sscanf(tail, "\nseq %u\n", &last) != 1 || first != last)
		return -EAGAIN;
	tail[1] = 0;
	strcpy(ret, b);
	return 0;
}

static const char *line_of(const char *record, const char *key)
{
	size_t n = strlen(key);
	for (const char *p = record; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (!strncmp(p, key, n) && p[n] == ' ')
			return p + n + 1;
	return NULL;
}

/* Digits of this line alone; what is none, or above `max`, is 0: never another process's number. */
static uint64_t take_number(const char **at, uint64_t max)
{
	const char *p = *at;
	uint64_t n = 0;
	int fits = 1;
	while (*p == ' ')
		p++;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = *p - '0';
		fits = fits && digit <= max && n <= (max - digit) / 10;
		n = fits ? n * 10 + digit : 0;
	}
	*at = p;
	return *p == ' ' || *p == '\n' ? n : 0;
}

static void numbers(const char *record, const char *key, uint64_t max, uint64_t *a, uint64_t *b)
{
	const char *l = line_of(record, key);
	*a = l ? take_number(&l, max) : 0;
	*b = l ? take_number(&l, UINT64_MAX) : 0;
}

static void parse_keeper(const char *r, struct runtime *rt)
{
	uint64_t a, b;
	numbers(r, "keeper", INT_MAX, &a, &b);
	rt->keeper = (pid_t)a;
	rt->keeper_start = b;
	numbers(r, "server", INT_MAX, &a, &b);
	rt->server = (pid_t)a;
	numbers(r, "init", INT_MAX, &a, &b);
	rt->init = (pid_t)a;
	rt->init_start = b;
	numbers(r, "ids", UINT32_MAX, &a, &b);
	rt->owner = (uint32_t)a;
	rt->base = b > UINT32_MAX ? 0 : (uint32_t)b;
	numbers(r, "boot", UINT_MAX, &a, &b);
	rt->boot = (unsigned)a;
	numbers(r, "boots", UINT_MAX, &a, &b);
	rt->boots = a ? (unsigned)a : rt->boot; /* a keeper of an earlier version does not count on */
	numbers(r, "started", INT64_MAX, &a, &b);
	rt->started = (int64_t)a;
	rt->started_ns = b > INT64_MAX ? 0 : (int64_t)b;
	numbers(r, "again", 1, &a, &b);
	rt->again = (int)a;
	const char *state = line_of(r, "state");
	rt->state = state && !strncmp(state, "running\n", 8)   ? VE_RUNNING
		    : state && !strncmp(state, "stopped\n", 8) ? VE_STOPPING
							       : VE_STARTING;
}

/* The server writes printable ASCII alone, unless somebody has taken it over. */
static void copy_status(const char *line, char *ret, size_t size)
{
	size_t n = 0;
	for (; line[n] != '\n' && n < size - 1; n++)
		ret[n] = line[n] >= ' ' && line[n] < 127 ? line[n] : '?';
	ret[n] = 0;
}

static void parse_server(const char *r, struct runtime *rt)
{
	uint64_t boot, ready, none;
	numbers(r, "boot", UINT_MAX, &boot, &none);
	numbers(r, "ready", 1, &ready, &none);
	if (boot != rt->boot)
		return; /* of an earlier boot */
	rt->ready = rt->state == VE_RUNNING && ready == 1;
	const char *status = line_of(r, "status");
	if (status)
		copy_status(status, rt->status, sizeof rt->status);
}

static void read_records(int dir, struct runtime *rt)
{
	char b[2 * STATE_RECORD], keeper[STATE_RECORD + 1], server[STATE_RECORD + 1];
	cleanup_fd int fd = openat(dir, "state", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	rt->state = VE_STARTING;
	for (int left = 50; fd >= 0 && left-- > 0;) {
		ssize_t n = pread(fd, b, sizeof b, 0);
		if (n < STATE_RECORD)
			return;
		int k = unframe(b, keeper), s = n == sizeof b ? unframe(b + STATE_RECORD, server) : -ENODATA;
		/* A server that died in the middle of a write does not hide what the keeper says. */
		if (k == -EAGAIN || (s == -EAGAIN && left))
			continue;
		if (!k)
			parse_keeper(keeper, rt);
		if (!k && !s)
			parse_server(server, rt);
		return;
	}
}

/* What root wrote down before the start. */
static int read_undo(int dir, struct runtime *rt)
{
	cleanup_free char *text = NULL;
	int r = read_file_at(dir, "undo", 4096, &text, NULL);
	if (r < 0)
		return r;
	const char *l = line_of(text, "cgroup");
	if (l && FORMAT(rt->cgroup, "%.*s", (int)strcspn(l, "\n"), l) < 0)
		rt->cgroup[0] = 0; /* half a path is another path */
	rt->privileged = (l = line_of(text, "ids")) && !strncmp(l, "0 ", 2);
	return 0;
}

int runtime_read(struct ve_host *host, const char *name, struct runtime *ret, struct error *e)
{
	struct runtime rt = {.host = host, .state = VE_STOPPED};
	snprintf(rt.name, sizeof rt.name, "%s", name);
	cleanup_fd int dir = runtime_open_dir(host, name);
	if (dir < 0 && dir != -ENOENT)
		return error_sys(e, -dir, "read the VE's state", host->run);
	if (dir >= 0) {
		rt.present = 1;
		/* Read-only: closing a writable one wakes who waits for its change, ourselves too. */
		cleanup_fd int lock = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		rt.alive = lock >= 0 && lock_is_held(lock) > 0;
		read_records(dir, &rt);
		read_undo(dir, &rt);
		if (!rt.alive)
			/* Its keeper was killed; what it kept may take a moment to follow, or refuse to. */
			rt.state = *rt.cgroup && cgroup_is_populated(rt.cgroup) > 0 ? VE_STOPPING : VE_STOPPED;
	}
	if (rt.alive && rt.state == VE_RUNNING && *rt.cgroup) {
		char path[600];
		FORMAT(path, "%s/ve", rt.cgroup);
		if (cgroup_is_frozen(path) > 0)
			rt.state = VE_PAUSED;
	}
	*ret = rt;
	return 0;
}

/* ---- verified handles */

static int not_ours(struct ve *ve, struct error *e, const char *what)
{
	snprintf(e->ve, sizeof e->ve, "%s", ve->name);
	return error_set(e, VE_E_STATE, ESRCH, "find the VE's processes",
		"`vectl stop --force` ends what is left of it", "%s", what);
}

/* Is `pid` in a cgroup beneath `below` (an absolute path in the cgroup2 mount)? */
static int in_cgroup(pid_t pid, const struct runtime *rt, const char *below)
{
	char path[64];
	cleanup_free char *text = NULL;
	FORMAT(path, "/proc/%d/cgroup", pid);
	if (read_file_at(AT_FDCWD, path, 16384, &text, NULL) < 0)
		return 0;
	const char *l = strncmp(text, "0::", 3) ? strstr(text, "\n0::") : text;
	if (!l)
		return 0;
	l += *l == '\n' ? 4 : 3;
	/* What the file shows is relative to our cgroup namespace's root, which is the mount's root here. */
	const char *name = strrchr(rt->cgroup, '/');
	while (name > rt->cgroup && name[-1] != '/')
		name--;
	char want[600];
	if (FORMAT(want, "%s%s", name, below) < 0)
		return 0;
	size_t n = strlen(want);
	const char *end = l + strcspn(l, "\n");
	for (const char *p = l; p + n <= end; p++)
		if (p[0] != 0 && !strncmp(p, want, n) && (p[n] == '/' || p[n] == '\n') && p > l && p[-1] == '/')
			return 1;
	return 0;
}

static int namespace_owner(pid_t pid, uint32_t *ret)
{
	char path[64];
	FORMAT(path, "/proc/%d/ns/user", pid);
	cleanup_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
	uid_t uid;
	if (ns < 0 || ioctl(ns, NS_GET_OWNER_UID, &uid))
		return -errno;
	*ret = uid;
	return 0;
}

/* As a user namespace that root recorded, and not what the state claims. */
static int has_own_user_namespace(pid_t pid, const struct runtime *rt, const struct id_range *ids)
{
	uint32_t owner = 0;
	return !namespace_owner(pid, &owner) && owner == ids->owner && rt->base == ids->base;
}

static int has_our_user_namespace(pid_t pid, const struct runtime *rt)
{
	char path[64];
	struct stat ours, its;
	FORMAT(path, "/proc/%d/ns/user", pid);
	return rt->base == 0 && !stat(path, &its) && !stat("/proc/self/ns/user", &ours) && its.st_ino == ours.st_ino &&
	       its.st_dev == ours.st_dev;
}

static int open_pid(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : fd;
}

int runtime_open_init(struct ve *ve, const struct runtime *rt, struct error *e)
{
	struct id_range ids;
	if (!rt->alive || rt->init <= 0)
		return not_ours(ve, e, "the VE's init is not running");
	int r = ids_of(ve, &ids, e);
	if (r)
		return r;
	cleanup_fd int fd = open_pid(rt->init);
	if (fd < 0)
		return not_ours(ve, e, "the VE's init is gone");
	struct proc_status st;
	if (proc_status(rt->init, &st) || st.ns_pid != 1)
		return not_ours(ve, e, "the process that the state names is no init");
	if (!in_cgroup(rt->init, rt, "/ve"))
		return not_ours(ve, e, "the process that the state names is not in the VE's cgroup");
	if (rt->privileged ? !has_our_user_namespace(rt->init, rt) : !has_own_user_namespace(rt->init, rt, &ids))
		return not_ours(ve, e, "the process that the state names is not in the VE's user namespace");
	/* All of this was true of this process only if it is the same one still. */
	if (syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0))
		return not_ours(ve, e, "the VE's init is gone");
	return TAKE_FD(fd);
}

int runtime_open_keeper(struct ve *ve, const struct runtime *rt, struct error *e)
{
	cleanup_fd int fd = rt->keeper > 0 ? open_pid(rt->keeper) : -ESRCH;
	if (fd < 0 || proc_start_time(rt->keeper) != rt->keeper_start || !in_cgroup(rt->keeper, rt, "/supervisor"))
		return not_ours(ve, e, "the VE's keeper is gone");
	return TAKE_FD(fd);
}

/* The same namespace? */
static int is_same(int a, int b)
{
	struct stat one, two;
	return !fstat(a, &one) && !fstat(b, &two) && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* Once more, of the namespace itself: the process may have gone on into another one since it was looked at. */
static int is_expected(struct ve *ve, const struct runtime *rt, int ns, int keeper, const char *name, struct error *e)
{
	cleanup_fd int ours = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC),
		       owner = keeper ? ioctl(ns, NS_GET_USERNS) : -EBADF;
	struct id_range ids;
	uid_t uid;
	if (keeper)
		return is_same(owner, ours);
	if (strcmp(name, "user"))
		return 1;
	if (rt->privileged)
		return is_same(ns, ours);
	return !ids_of(ve, &ids, e) && !ioctl(ns, NS_GET_OWNER_UID, &uid) && uid == ids.owner;
}

int runtime_open_namespace(
	struct ve *ve, const struct runtime *rt, int process, int keeper, const char *name, struct error *e)
{
	char path[64];
	FORMAT(path, "/proc/%d/ns/%s", keeper ? rt->keeper : rt->init, name);
	cleanup_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
	/* Its number was its own only if it is there still. */
	if (syscall(SYS_pidfd_send_signal, process, 0, NULL, 0))
		return -ESRCH;
	if (ns < 0)
		return error_sys(e, errno, "look at the VE's processes", path);
	if (!is_expected(ve, rt, ns, keeper, name, e))
		return not_ours(ve, e,
			keeper ? "the keeper's mounts are not the host's to change"
			       : "the VE's init is in another user namespace");
	return TAKE_FD(ns);
}

int runtime_open_root_cgroup(const struct runtime *rt, struct error *e)
{
	char path[600];
	FORMAT(path, "%s/ve/root%u", rt->cgroup, rt->boot);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_sys(e, errno, "open the VE's cgroup", path) : fd;
}

/* ---- locks */

static const char tried_lock[] = "lock the VE for a change";

static int lock_path(struct ve *ve, char path[PATH_MAX], struct error *e)
{
	int r = host_make_folders(ve->host, e);
	if (r)
		return r;
	snprintf(path, PATH_MAX, "%s/.lock/%s", ve->host->run, ve->name);
	return 0;
}

int change_lock_new(struct ve *ve, struct error *e)
{
	char path[PATH_MAX];
	int r = lock_path(ve, path, e);
	/* Such locks cannot be polled, and waiting in fcntl would not hear a Ctrl-C: look again, ever less often. */
	for (int pause_ms = 1; !r; pause_ms = pause_ms < 50 ? 2 * pause_ms : 50) {
		int fd = lock_file(path, e, tried_lock);
		if (fd != -EAGAIN)
			return fd;
		struct pollfd p = {.fd = ve->host->cancel_fd, .events = POLLIN};
		if (poll(&p, 1, pause_ms) > 0)
			r = error_set(e, VE_E_INTERRUPTED, EINTR, tried_lock, NULL,
				"interrupted while another vectl was changing it");
	}
	return r;
}

/* A VE that went while its lock was waited for: taking the lock made the file anew. */
static int still_there(struct ve *ve, int lock, struct error *e)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	if (lock < 0 || !access(path, F_OK) || errno != ENOENT)
		return lock;
	FORMAT(path, "%s/.lock/%s", ve->host->run, ve->name);
	unlink(path);
	close(lock);
	return error_set(e, VE_E_NO_VE, ENOENT, "open the VE", "`vectl list` shows those that there are",
		"it was destroyed meanwhile");
}

int change_lock(struct ve *ve, struct error *e)
{
	return still_there(ve, change_lock_new(ve, e), e);
}

int change_lock_try(struct ve *ve, struct error *e)
{
	char path[PATH_MAX];
	int r = lock_path(ve, path, e);
	return r ? r : still_there(ve, lock_file(path, e, tried_lock), e);
}

/* Remedies that say NAME mean this VE: what is printed can be pasted. */
static void name_remedy(struct error *e)
{
	char b[sizeof e->remedy];
	char *at = strstr(e->remedy, "NAME");
	if (at && FORMAT(b, "%.*s%s%s", (int)(at - e->remedy), e->remedy, e->ve, at + 4) >= 0)
		snprintf(e->remedy, sizeof e->remedy, "%s", b);
}

int error_of(struct ve *ve, struct error *e, int r)
{
	if (r >= 0)
		return r;
	if (!e->ve[0])
		snprintf(e->ve, sizeof e->ve, "%s", ve->name);
	name_remedy(e);
	return r;
}

const char *ve_state_name(int state)
{
	static const char *const name[] = {"stopped", "starting", "running", "paused", "stopping"};
	return state >= 0 && state < (int)ARRAY_SIZE(name) ? name[state] : "unknown";
}

int ve_state(struct ve *ve)
{
	struct error *e = host_begin(ve->host);
	struct runtime rt;
	int r = runtime_read(ve->host, ve->name, &rt, e);
	return r < 0 ? error_of(ve, e, r) : rt.state;
}
