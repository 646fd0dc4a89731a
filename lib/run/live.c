/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of the spec that a running VE takes at once. In this order, so that a vectl that is killed anywhere leaves
 * what the next change, or the next start, puts right:
 *   1. RUN/ve.json, what the VE runs with, says the new values: what differs from the spec is pending, and is brought
 *      back by the next change of anything;
 *   2. of mounts and devices, RUN/live (lib/plan/live.h) says which ones come and which go;
 *   3. ve-apply brings the VE to them, all or none, but for mounts that the VE does not let go: those wait;
 *   4. RUN/live has them for the boots that follow, since the plan is sealed;
 *   5. what the VE's mounts and devices do not need any more is dropped from its minimal root;
 *   6. the spec is saved.
 */
#include "lib/run/live.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "config.h"
#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/confine/devices.h"
#include "lib/plan/live.h"
#include "lib/run/devices.h"
#include "lib/run/hooks.h"
#include "lib/run/live_network.h"
#include "lib/run/places.h"
#include "lib/run/spawn.h"

static const char tried[] = "set";
enum { BOOTS_MAX = 5 /* that may begin while we change something */ };

struct change_set {
	struct ve *ve;
	const struct spec *before;      /* the spec on the disk */
	const struct spec *from, *to;   /* what the VE runs with; the spec that is to be */
	struct spec *next;              /* what it runs with then: `from` but for keys that are applied */
	struct places_change places_of; /* of these, for `places` */
	struct places *places;
	struct plan *plan; /* the steps of plan_live for `next`, without mounts and devices */
	uint32_t resources;
	int raise; /* limits may be raised here */
	int recorded, undone;
	char filtered[600]; /* the cgroup whose device filter was replaced; "": none */
	int filter;
	struct error *e;
	/* The request in the making; what failed is told by `key`. */
	struct apply_request *request;
	char key[APPLY_CHANGES_MAX][APPLY_NAME_MAX];
	int full;
};

/* ---- what differs */

static int is_applied(const char *path)
{
	const struct spec_key *row = spec_find_key(path);
	return row && row->flags & SPEC_APPLIED && strncmp(path, "net.", 4); /* those: live_network.c */
}

static int differs(const struct spec *a, const struct spec *b, const char *path)
{
	cleanup_free char *one = spec_is_set(a, path) ? spec_text(a, path) : NULL,
			  *other = spec_is_set(b, path) ? spec_text(b, path) : NULL;
	return one && other ? strcmp(one, other) != 0 : one != other;
}

/* Where a change was cut short, what the VE runs with may be what it was to be, and not what it is. */
static int changes(const struct change_set *c, const char *path)
{
	return differs(c->from, c->to, path) || differs(c->before, c->to, path);
}

static int any_difference(const char *path, const char *text, void *arg)
{
	return is_applied(path) && changes(arg, path);
}

static int copy_applied(const char *path, const char *text, void *arg)
{
	struct error ignored = {0};
	return is_applied(path) ? spec_put(arg, path, text, &ignored) : 0;
}

static int unset_applied(const char *path, const char *text, void *arg)
{
	struct error ignored = {0};
	return is_applied(path) ? spec_unset(arg, path, &ignored) : 0;
}

/*
 * What is set goes together, but with what waits for the next start it may not yet: a device that a VE on the host's
 * network must not have, where that network is given up in the same breath.
 */
static int check_next(const struct change_set *c)
{
	struct error why = {0};
	if (!spec_check(c->next, &why))
		return 0;
	return error_set(c->e, VE_E_STATE, EBUSY, tried,
		"set it when the VE is stopped, or set what waits for a start first and restart it",
		"what the VE runs with does not allow it: %s", why.wrong);
}

static int make_next(struct change_set *c)
{
	cleanup_free char *text = NULL;
	int r = spec_write(c->from, &text, c->e);
	if (!r)
		r = spec_parse(text, strlen(text), "what the VE runs with", &c->next, c->e);
	if (!r && (spec_each(c->from, unset_applied, c->next) || spec_each(c->to, copy_applied, c->next)))
		r = error_sys(c->e, ENOMEM, tried, "memory");
	return r ? r : check_next(c);
}

static int save_running(struct ve *ve, const struct spec *s, struct error *e)
{
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	int r = spec_write(s, &text, e);
	if (r)
		return r;
	FORMAT(path, "%s/%s/ve.json", ve->host->run, ve->name);
	r = write_file_atomic_at(AT_FDCWD, path, text, strlen(text), 0600);
	return r < 0 ? error_sys(e, -r, tried, path) : 0;
}

int live_spec(struct ve *ve, struct spec **ret)
{
	struct error ignored = {0};
	cleanup_free char *text = NULL;
	char path[PATH_MAX];
	size_t size;
	FORMAT(path, "%s/%s/ve.json", ve->host->run, ve->name);
	int r = read_file_at(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size);
	return r < 0 ? r : spec_parse(text, size, path, ret, &ignored);
}

/* ---- the record for the boots that follow */

static int open_live(struct ve *ve)
{
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	int fd = dir < 0 ? dir : openat(dir, "live", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return dir < 0 ? dir : fd < 0 ? -errno : fd;
}

/* The next record's number, and the resources that the last one has. */
static uint64_t read_last(int fd, char *buf, uint32_t *resources)
{
	const struct live_record *last = live_read(fd, buf);
	for (uint32_t i = 0; last && i < last->nsteps; i++)
		if (last->step[i].op == OP_RLIMIT)
			*resources |= 1u << last->step[i].n[0];
	return last ? last->sequence + 1 : 1;
}

static int too_much(struct error *e)
{
	return error_set(e, VE_E_SPEC, E2BIG, tried, "stop the VE first: vectl stop NAME",
		"its sysctls and mounts are too many, or too long, to be changed while it runs");
}

static int make_plan(struct change_set *c, const struct spec *s, struct plan **ret)
{
	struct host_facts facts;
	int r = facts_probe(&facts, c->e);
	if (r)
		return r;
	c->raise = facts.cap_sys_resource;
	const struct plan_input in = {.spec = s, .facts = &facts, .name = c->ve->name};
	return plan_live(&in, ret, c->e);
}

enum { NOWHERE = -1 };

/*
 * Until it is PLACES_AFTER, it has the values that the VE runs with so far. fd NOWHERE: whether it can be written,
 * whatever comes of it.
 */
static int write_record(struct change_set *c, int fd, enum places_when when, uint32_t resources)
{
	cleanup_plan struct plan *p = NULL;
	cleanup_free char *buf = calloc(1, LIVE_SLOT);
	const struct spec *s = when != PLACES_AFTER && fd >= 0 ? c->from : c->next;
	int r = buf ? make_plan(c, s, &p) : error_sys(c->e, ENOMEM, tried, "memory");
	if (!r && places_changed(c->places))
		r = places_steps(c->places, when, p, c->e);
	if (r)
		return r;
	uint64_t next = fd < 0 ? 1 : read_last(fd, buf, &resources);
	int n = live_encode(p, resources, places_changed(c->places) ? LIVE_HAS_PLACES : 0, next, buf);
	if (n < 0)
		return too_much(c->e);
	c->recorded |= fd >= 0;
	ssize_t done = fd < 0 ? n : pwrite(fd, buf, (size_t)n, (off_t)(next & 1) * LIVE_SLOT);
	return done == n ? 0 : error_sys(c->e, done < 0 ? errno : ENOSPC, tried, "live");
}

/* ---- the request */

enum { TEXT_AT = sizeof(struct apply_request) };

static uint32_t put_text(struct change_set *c, const char *text)
{
	return apply_put_text(c->request, text, &c->full);
}

static struct apply_change *put_change(struct change_set *c, enum apply_kind kind, const char *key)
{
	static struct apply_change nowhere;
	if (c->request->nchanges == APPLY_CHANGES_MAX) {
		c->full = 1;
		return &nowhere;
	}
	snprintf(c->key[c->request->nchanges], sizeof c->key[0], "%s", key);
	struct apply_change *change = &c->request->change[c->request->nchanges++];
	*change = (struct apply_change){.kind = kind};
	return change;
}

static int put_sysctl(const char *path, const char *text, void *arg)
{
	struct change_set *c = arg;
	if (strncmp(path, "sysctl.", 7) || !changes(c, path))
		return 0;
	struct apply_change *change = put_change(c, APPLY_SYSCTL, path);
	change->name = put_text(c, path + 7);
	change->value = text ? put_text(c, text) : 0;
	return 0;
}

/* What the second pass finds is set no more. */
static int unset_sysctl(const char *path, const char *text, void *arg)
{
	struct change_set *c = arg;
	return spec_is_set(c->to, path) ? 0 : put_sysctl(path, NULL, arg);
}

/* What both have is put already. */
static int unset_sysctl_before(const char *path, const char *text, void *arg)
{
	struct change_set *c = arg;
	return spec_is_set(c->from, path) ? 0 : unset_sysctl(path, text, arg);
}

static void put_rlimit(struct change_set *c, const struct plan_step *s)
{
	char key[64];
	FORMAT(key, "rlimit.%s", s->s[0]);
	if (!changes(c, key))
		return;
	struct apply_change *change = put_change(c, APPLY_RLIMIT, key);
	change->resource = (uint32_t)s->n[0];
	change->soft = s->n[1];
	change->hard = s->n[2];
	c->resources |= 1u << s->n[0];
}

static void put_hostname(struct change_set *c, const struct plan_step *s)
{
	if (!changes(c, "hostname"))
		return;
	put_change(c, APPLY_HOSTNAME, "hostname")->value = put_text(c, s->s[0]);
	if (s->n[0])
		put_change(c, APPLY_ETC_HOSTNAME, "hostname: /etc/hostname")->value = put_text(c, s->s[0]);
}

static int make_request(struct change_set *c)
{
	c->request = calloc(1, APPLY_REQUEST_MAX);
	if (!c->request)
		return error_sys(c->e, ENOMEM, tried, "memory");
	*c->request = (struct apply_request){.magic = APPLY_MAGIC, .size = TEXT_AT, .version = VE_VERSION};
	spec_each(c->to, put_sysctl, c);
	spec_each(c->from, unset_sysctl, c);
	spec_each(c->before, unset_sysctl_before, c);
	for (size_t i = 0; i < c->plan->nsteps; i++) {
		const struct plan_step *s = &c->plan->step[i];
		if (s->op == OP_RLIMIT)
			put_rlimit(c, s);
		if (s->op == OP_HOSTNAME)
			put_hostname(c, s);
	}
	if (places_differ(c->places))
		places_request(c->places, c->request, &c->full);
	return c->full ? too_much(c->e) : 0;
}

static int seal(const struct apply_request *r)
{
	enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
	cleanup_fd int fd = memfd_create("ve-apply", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write_all(fd, r, r->size) < 0 || fcntl(fd, F_ADD_SEALS, SEALS))
		return -errno;
	return TAKE_FD(fd);
}

/* ---- applying */

static const struct {
	const char *prefix;
	int err;
	const char *wrong, *remedy;
} reasons[] = {
	{"rlimit.", EPERM,
		"it is above the hard limit that init has by now, and raising that takes CAP_SYS_RESOURCE, which is "
		"missing",
		"set it while the VE is stopped, or run vectl with CAP_SYS_RESOURCE"},
	{"sysctl.", ENOENT, "this kernel has no such sysctl in a VE", "check its name"},
	{"sysctl.", EACCES, "this kernel lets the host's root alone set it", "set it on the host, if at all"},
	{"sysctl.", EPERM, "this kernel lets the host's root alone set it", "set it on the host, if at all"},
	{"sysctl.", EINVAL, "the kernel does not take that value", "set another"},
	{"sysctl.", ERANGE, "the kernel does not take that value", "set another"},
	{"hostname: /etc", EINVAL, "it is no ordinary file", "look at it inside, or set it while the VE is stopped"},
	{"", ETIMEDOUT, "no answer from the VE's file system", "set it while the VE is stopped"},
};

static int refused(struct change_set *c, const struct apply_report *r)
{
	if (r->place >= 0)
		return places_failed(c->places, r, c->e);
	const char *key = r->change >= 0 && r->change < (int)c->request->nchanges ? c->key[r->change] : "the VE";
	const char *wrong = strerror(r->err), *remedy = "nothing was changed; set it while the VE is stopped";
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].err == r->err && !strncmp(key, reasons[i].prefix, strlen(reasons[i].prefix))) {
			wrong = reasons[i].wrong;
			remedy = reasons[i].remedy;
			break;
		}
	snprintf(c->e->subject, sizeof c->e->subject, "%s", key);
	return error_set(c->e, VE_E_FAILED, r->err, tried, remedy, "%s: %s", key, wrong);
}

/* The next init inherits the keeper's. What cannot be raised here is refused where init's is. */
static int raise_keeper(const struct change_set *c, const struct runtime *rt)
{
	if (!c->raise)
		return 0;
	cleanup_fd int keeper = runtime_open_keeper(c->ve, rt, c->e);
	if (keeper < 0)
		return keeper;
	for (uint32_t i = 0; i < c->request->nchanges; i++) {
		const struct apply_change *change = &c->request->change[i];
		struct rlimit has;
		if (change->kind != APPLY_RLIMIT || prlimit(rt->keeper, (int)change->resource, NULL, &has) ||
			(rlim_t)change->hard <= has.rlim_max)
			continue;
		has.rlim_max = (rlim_t)change->hard;
		if (prlimit(rt->keeper, (int)change->resource, &has, NULL))
			return error_sys(c->e, errno, tried, c->key[i]);
	}
	return 0;
}

/*
 * It gives itself a limited time, and its end is seen. But one that the kernel holds up, in a mount say, whose file
 * system does not answer, cannot end; whoever waits has the VE's lock.
 */
static int await_report(int fd, struct apply_report *ret, struct error *e)
{
	enum { TIMEOUT_MS = 120000 /* more than all of its own together */ };
	const int64_t end = now_ms() + TIMEOUT_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left;
	while ((left = end - now_ms()) > 0) {
		int r = poll(&p, 1, (int)left);
		if (r < 0 && errno != EINTR)
			return error_sys(e, errno, tried, "ve-apply");
		if (r <= 0)
			continue;
		ssize_t n = recv(fd, ret, sizeof *ret, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		return n == sizeof *ret ? 0
					: error_set(e, VE_E_FAILED, EPIPE, tried, "try again",
						  "ve-apply ended before it was done");
	}
	return error_set(e, VE_E_TIMEOUT, ETIMEDOUT, tried, "look what holds it up, and restart the VE",
		"ve-apply has not answered for %d seconds", TIMEOUT_MS / 1000);
}

/* -ESRCH, and nothing in `e`: it ended before that. */
static int ask(struct change_set *c, const struct runtime *rt, const struct apply_request *q, int fds[AFD_END],
	struct apply_report *ret)
{
	static const char *const argv[] = {"ve-apply", NULL};
	char path[PATH_MAX];
	int pair[2];
	cleanup_fd int request = seal(q), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (request < 0 || null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_sys(c->e, errno, tried, "request");
	cleanup_fd int ours = pair[0], theirs = pair[1];
	fds[0] = fds[1] = fds[2] = null;
	fds[AFD_REQUEST] = request;
	fds[AFD_REPORT] = theirs;
	if (FORMAT(path, "%s/ve-apply", host_libexec_dir) < 0)
		return error_sys(c->e, ENAMETOOLONG, tried, host_libexec_dir);
	int r = (rt->privileged ? spawn_detached_read_only : spawn_detached)(-1, path, argv, fds, AFD_END);
	if (r < 0)
		return error_sys(c->e, -r, tried, path);
	close(TAKE_FD(theirs));
	return await_report(ours, ret, c->e);
}

static int open_minimal(struct change_set *c, const struct runtime *rt)
{
	cleanup_fd int keeper = runtime_open_keeper(c->ve, rt, c->e);
	return keeper < 0 ? keeper : runtime_open_namespace(c->ve, rt, keeper, 1, "mnt", c->e);
}

/* -ESRCH, and nothing in `e`: this init has ended. */
static int apply(struct change_set *c, const struct runtime *rt)
{
	struct apply_report report = {.err = ESRCH};
	struct error ignored = {0};
	int fds[AFD_END];
	for (int i = 0; i < AFD_END; i++)
		fds[i] = -1;
	cleanup_fd int init = runtime_open_init(c->ve, rt, &ignored), minimal = -1, mounts = -1, user = -1;
	if (init < 0)
		return -ESRCH;
	int r = raise_keeper(c, rt);
	if (r)
		return r;
	if (c->request->nplaces && ((r = minimal = open_minimal(c, rt)) < 0 ||
					   (r = mounts = runtime_open_namespace(c->ve, rt, init, 0, "mnt", c->e)) < 0 ||
					   (r = user = runtime_open_namespace(c->ve, rt, init, 0, "user", c->e)) < 0))
		return r;
	fds[AFD_INIT] = init;
	fds[AFD_MINIMAL] = minimal;
	fds[AFD_MOUNTS] = mounts;
	fds[AFD_USER] = user;
	c->request->privileged = rt->privileged != 0;
	if ((r = ask(c, rt, c->request, fds, &report)))
		return r;
	c->request->again = 1;
	c->undone = report.err != 0;
	if (report.err)
		return report.err == ESRCH ? -ESRCH : refused(c, &report);
	places_wait(c->places, &report);
	return 0;
}

/* What cannot be dropped pins a source on the host until the VE stops, or is changed once more. */
static void drop_places(struct change_set *c)
{
	cleanup_free struct apply_request *q = calloc(1, sizeof *q);
	struct apply_report report;
	struct runtime rt;
	struct error ignored = {0}, *e = c->e;
	int fds[AFD_END];
	for (int i = 0; i < AFD_END; i++)
		fds[i] = -1;
	if (!q || runtime_read(c->ve->host, c->ve->name, &rt, &ignored) || !rt.alive)
		return;
	c->e = &ignored;
	cleanup_fd int minimal = open_minimal(c, &rt);
	*q = (struct apply_request){.magic = APPLY_MAGIC, .size = sizeof *q, .version = VE_VERSION};
	places_drop_request(c->places, q);
	fds[AFD_MINIMAL] = minimal;
	if (minimal >= 0)
		ask(c, &rt, q, fds, &report);
	c->e = e;
}

static int is_asked(const struct change_set *c)
{
	return c->request->nchanges || c->request->nplaces;
}

/* 1: the VE has ended meanwhile, and all of it is for the next start. */
static int apply_to_boots(struct change_set *c, int fd)
{
	struct runtime rt, after;
	int r = runtime_read(c->ve->host, c->ve->name, &rt, c->e);
	for (int i = 0; !r && i < BOOTS_MAX; i++) {
		if (is_asked(c) && (r = settle(c->ve, &rt, c->e)))
			return r;
		if (!rt.alive)
			return 1;
		/* Between two inits, as long as boot.on_exit makes it wait: the next one reads the record. */
		if (!rt.init)
			places_wait(c->places, NULL);
		r = is_asked(c) && rt.init ? apply(c, &rt) : 0;
		if (!r) {
			fault_point("live", 3);
			/* Each time: what waits may differ. */
			r = write_record(c, fd, PLACES_AFTER, c->resources);
		}
		if (r && r != -ESRCH)
			return r;
		int ended = r;
		if (!(r = runtime_read(c->ve->host, c->ve->name, &after, c->e)) && is_asked(c))
			r = settle(c->ve, &after, c->e);
		/* An init that was on its way while the record was written has not seen it. */
		if (!r && !ended && (!after.alive || (after.boot == rt.boot && after.init == rt.init)))
			return !after.alive;
		rt = after;
	}
	return r ? r
		 : error_set(c->e, VE_E_BUSY, EAGAIN, tried, "try again when it does not reboot all the time",
			   "the VE rebooted while it was changed");
}

static void free_change_set(struct change_set **c)
{
	if (!*c)
		return;
	plan_free((*c)->plan);
	places_free((*c)->places);
	spec_free((*c)->next);
	free((*c)->request);
	if (*(*c)->filtered && (*c)->filter >= 0)
		close((*c)->filter);
	free(*c);
}

/* A hook that lies in what the VE is shown from now on would be what its root makes of it. */
static int check_hooks(const struct change_set *c)
{
	int changed = places_differ(c->places) || changes(c, "hooks.stop") || changes(c, "hooks.post-stop");
	return changed ? hooks_check_running(c->ve, c->next, c->e) : 0;
}

static int change_hooks(const struct change_set *c, const struct spec *s, struct error *e)
{
	return changes(c, "hooks.post-stop") ? hooks_change_post_stop(c->ve, s, e) : 0;
}

static int any_device(const char *path, const char *text, void *arg)
{
	return !strncmp(path, "device.", 7) && any_difference(path, text, arg);
}

/* Before a device is shown, and after it is gone. s: the VE's, with what it has or is to have. */
static int filter_devices(struct change_set *c, const struct spec *s, struct error *e)
{
	struct runtime rt;
	char path[600];
	if (!spec_each(c->from, any_device, c) && !spec_each(c->to, any_device, c) &&
		!spec_each(c->before, any_device, c))
		return 0;
	int r = runtime_read(c->ve->host, c->ve->name, &rt, e);
	if (r || !rt.alive)
		return r;
	FORMAT(path, "%s/ve", rt.cgroup);
	if (!*c->filtered) {
		c->filter = device_filter_get(path, e);
		if (c->filter < 0 && c->filter != -ENOENT)
			return c->filter;
		FORMAT(c->filtered, "%s", path);
	}
	return devices_filter(s, path, e);
}

static int load_places(struct change_set *c, int fd)
{
	struct runtime rt;
	int r = runtime_read(c->ve->host, c->ve->name, &rt, c->e);
	c->places_of =
		(struct places_change){.running = c->from, .next = c->next, .before = c->before, .base = rt.base};
	if (!r)
		r = places_load(c->ve, fd, &c->places_of, &c->places, c->e);
	if (!r && places_restore(c->places, c->next, c->ve->notes, sizeof c->ve->notes))
		r = error_sys(c->e, ENOMEM, tried, "memory");
	return r;
}

/* What waits is not what the VE runs with, so the spec's values are pending. */
static int settle_places(struct change_set *c)
{
	*c->ve->notes = 0;
	if (places_restore(c->places, c->next, c->ve->notes, sizeof c->ve->notes))
		return error_sys(c->e, ENOMEM, tried, "memory");
	if (!*c->ve->notes)
		return 0;
	int r = filter_devices(c, c->next, c->e);
	return r ? r : save_running(c->ve, c->next, c->e);
}

/* What differs between the two comes into effect. 0 also when there is nothing that it could do so in. */
static int bring(
	struct ve *ve, const struct spec *before, const struct spec *from, const struct spec *to, struct error *e)
{
	__attribute__((cleanup(free_change_set))) struct change_set *c = calloc(1, sizeof *c);
	if (!c)
		return error_sys(e, ENOMEM, tried, "memory");
	*c = (struct change_set){.ve = ve, .before = before, .from = from, .to = to, .e = e};
	if (!spec_each(from, any_difference, c) && !spec_each(to, any_difference, c) &&
		!spec_each(before, any_difference, c))
		return 0;
	cleanup_fd int fd = open_live(ve); /* a VE that an earlier version started has none */
	if (fd < 0)
		return 0;
	int r = make_next(c);
	if (r || (r = load_places(c, fd)) || (r = check_hooks(c)) || (r = make_plan(c, c->next, &c->plan)) ||
		(r = write_record(c, NOWHERE, PLACES_BEFORE, ~0u)) || (r = make_request(c)) ||
		(r = save_running(ve, c->next, e)))
		return r;
	fault_point("live", 1);
	if (places_differ(c->places))
		r = write_record(c, fd, PLACES_BEFORE, 0);
	fault_point("live", 2);
	if (!r && !(r = change_hooks(c, c->next, e)) && !(r = filter_devices(c, c->next, e)))
		r = apply_to_boots(c, fd);
	fault_point("live", 4);
	if (r >= 0) {
		/* It has come about, whatever fails from here on. */
		r = places_differ(c->places) ? settle_places(c) : 0;
		if (!r && places_differ(c->places))
			drop_places(c);
		return r;
	}
	/* It is as it was, and so is what is said of it. */
	struct error ignored = {0};
	/* The one that was, since the host's nodes may have other numbers by now. */
	if (*c->filtered)
		device_filter_put(c->filtered, c->filter, &ignored);
	change_hooks(c, from, &ignored);
	save_running(ve, from, &ignored);
	c->e = &ignored;
	if (c->recorded)
		write_record(c, fd, c->undone ? PLACES_UNDONE : PLACES_BEFORE, 0);
	return r;
}

/* Interfaces first: what the VE runs with is theirs to write, too. */
static int bring_all(struct ve *ve, const struct spec *before, const struct spec *to, struct error *e)
{
	cleanup_spec struct spec *running = NULL;
	int r = live_network(ve, to, e);
	if (r || live_spec(ve, &running))
		return r;
	return bring(ve, before, running, to, e);
}

int live_save(struct ve *ve, const struct spec *s, struct error *e)
{
	cleanup_spec struct spec *running = NULL, *before = NULL;
	struct runtime rt;
	*ve->notes = 0;
	int r = runtime_read(ve->host, ve->name, &rt, e);
	if (r)
		return r;
	if (!rt.alive || live_spec(ve, &running))
		return spec_save(ve, s, e);
	if ((r = spec_load(ve, &before, e)))
		return r;
	if (!(r = bring_all(ve, before, s, e)) && !(r = spec_save(ve, s, e)))
		return 0;
	struct error ignored = {0};
	bring_all(ve, before, running, &ignored);
	return r;
}
