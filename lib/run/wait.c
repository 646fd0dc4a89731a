/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for a state: woken by the runtime folder's and the state file's inotify events, never by a clock. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/run/event.h"
#include "lib/run/init_kind.h"
#include "lib/run/proc.h"
#include "lib/run/run.h"

enum { LOOK_MS = 100 };

/*
 * What was seen of an init that does not say READY=1: it counts when it was there at two looks, since a moment between
 * two of its steps may look the same.
 */
struct seen {
	uint64_t what; /* 0: nothing yet */
	int64_t since;
};

int runtime_is_ready(const struct runtime *rt)
{
	if (rt->ready)
		return 1;
	if (!rt->alive || rt->init <= 0 || rt->state == VE_STARTING)
		return 0;
	char disk[PATH_MAX];
	if (!rt->host || FORMAT(disk, "%s/ve/%s", rt->host->data, rt->name) < 0)
		return 0;
	return init_is_ready(init_kind_of(rt->init), rt->init, disk);
}

static int add_child(pid_t pid, void *arg)
{
	uint64_t *sum = arg;
	*sum = *sum * 1000003 + (uint64_t)pid;
	return 0;
}

/* Inits of which nothing is known: ready once they have started something and have come to rest. */
static uint64_t at_rest(pid_t init)
{
	uint64_t children = 0;
	struct proc_status st;
	if (proc_each_child(init, add_child, &children) || proc_status(init, &st) || st.state != 'S')
		return 0;
	return children;
}

static int looks_ready(const struct runtime *rt, struct seen *seen, int once)
{
	int ready = runtime_is_ready(rt);
	uint64_t what = ready < 0 ? at_rest(rt->init) : (uint64_t)ready;
	if (once)
		return what != 0;
	if (!what || what != seen->what) {
		*seen = (struct seen){what, now_ms()};
		return 0;
	}
	return now_ms() - seen->since >= LOOK_MS;
}

static int reached(const struct runtime *rt, int state, int ready, struct seen *seen, int once)
{
	if (rt->state != state)
		return 0;
	return state != VE_RUNNING || !ready || rt->ready || looks_ready(rt, seen, once);
}

/*
 * Of an init that does not say READY=1, which its keeper would log, whoever first sees it ready says so: once a boot,
 * by a file that only one of those who wait at the same time makes.
 */
static void log_seen_ready(struct ve *ve, const struct runtime *rt)
{
	char name[32];
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	FORMAT(name, "ready-%u", rt->boots);
	cleanup_fd int fd =
		dir < 0 ? -EBADF : openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	struct json_writer *w = event_begin("ready");
	jw_integer(w, "boot", rt->boots);
	jw_string(w, "by", "host");
	event_end(ve, w);
	FORMAT(name, "ready-%u", rt->boots - 1);
	unlinkat(dir, name, 0);
}

/* Whether nobody tells when it gets ready. */
static int is_mute(const struct runtime *rt)
{
	return rt->init > 0 && init_kind_of(rt->init)->ready != READY_NOTIFY;
}

static int watch(int inotify, struct ve *ve)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/%s", ve->host->run, ve->name);
	inotify_add_watch(inotify, ve->host->run, IN_CREATE | IN_DELETE | IN_ONLYDIR);
	/* Absent while stopped; the folder's creation wakes us then. A keeper's death without a word closes the lock.
	 */
	const char *files[] = {"state", "lock"};
	for (int i = 0; i < 2; i++) {
		FORMAT(path, "%s/%s/%s", ve->host->run, ve->name, files[i]);
		inotify_add_watch(inotify, path, IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF);
	}
	FORMAT(path, "%s/%s", ve->host->run, ve->name);
	inotify_add_watch(inotify, path, IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR);
	return 0;
}

static int timed_out(struct error *e, int state, int ready, int timeout_ms)
{
	return error_set(e, VE_E_TIMEOUT, ETIMEDOUT, "wait", "look at `vectl logs NAME`; the VE was left as it is",
		"it was not %s within %g seconds", ready ? "ready" : ve_state_name(state), timeout_ms / 1000.0);
}

int wait_for(struct ve *ve, int state, int ready, int timeout_ms, int was_alive, struct error *e)
{
	cleanup_fd int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct seen seen = {0, 0};
	struct runtime rt;
	if (inotify < 0)
		return error_set(e, VE_E_FAILED, errno, "wait", "raise fs.inotify.max_user_instances", "inotify: %s",
			strerror(errno));
	for (int64_t end = now_ms() + timeout_ms;;) {
		/* First watch, then look: what happens in between wakes the poll below. */
		watch(inotify, ve);
		int r = runtime_read(ve->host, ve->name, &rt, e);
		if (r)
			return r;
		if (reached(&rt, state, ready, &seen, timeout_ms >= 0 && timeout_ms < LOOK_MS)) {
			if (ready && state == VE_RUNNING && !rt.ready)
				log_seen_ready(ve, &rt);
			return 0;
		}
		if (ready && !rt.alive && !was_alive)
			return error_set(
				e, VE_E_STATE, ESRCH, "wait", "start it first: vectl start NAME", "it is not running");
		if (ready && !rt.alive && was_alive)
			return error_set(e, VE_E_FAILED, ESRCH, "wait", "look at `vectl logs NAME`",
				"it ended before it was ready");
		was_alive |= rt.alive;
		struct error ignored = {0};
		cleanup_fd int keeper = rt.alive ? runtime_open_keeper(ve, &rt, &ignored) : -EBADF;
		int64_t left = timeout_ms < 0 ? -1 : end - now_ms();
		if (timeout_ms >= 0 && left <= 0)
			return timed_out(e, state, ready, timeout_ms);
		/* Pausing and an init that says nothing leave no event behind. */
		int look = state == VE_PAUSED || rt.state == VE_PAUSED || (ready && is_mute(&rt));
		if (look && (left < 0 || left > LOOK_MS))
			left = LOOK_MS;
		struct pollfd p[3] = {{.fd = inotify, .events = POLLIN}, {.fd = keeper, .events = POLLIN},
			{.fd = ve->host->cancel_fd, .events = POLLIN}};
		if (poll(p, 3, left > INT_MAX ? INT_MAX : (int)left) < 0 && errno != EINTR)
			return error_sys(e, errno, "wait", "poll");
		if (p[2].revents)
			return error_set(
				e, VE_E_INTERRUPTED, EINTR, "wait", NULL, "interrupted; the VE was left as it is");
		char events[4096];
		while (read(inotify, events, sizeof events) > 0)
			;
	}
}

int ve_wait(struct ve *ve, int state, int ready, int timeout_ms)
{
	struct error *e = host_begin(ve->host);
	return error_of(ve, e, wait_for(ve, state, ready, timeout_ms, 0, e));
}
