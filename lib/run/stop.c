/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"
#include "lib/run/event.h"
#include "lib/run/hooks.h"
#include "lib/run/init_kind.h"
#include "lib/run/network.h"
#include "lib/run/run.h"

int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

int wait_pidfd(struct ve_host *host, int pidfd, int timeout_ms, struct error *e)
{
	for (int64_t end = now_ms() + timeout_ms;;) {
		int64_t left = timeout_ms < 0 ? -1 : end - now_ms();
		if (timeout_ms >= 0 && left < 0)
			left = 0;
		struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = host->cancel_fd, .events = POLLIN}};
		int r = poll(p, 2, left > INT_MAX ? INT_MAX : (int)left);
		if (r < 0 && errno != EINTR)
			return error_sys(e, errno, "wait for the VE", "poll");
		if (r > 0 && p[0].revents)
			return 0;
		if (r > 0 && p[1].revents)
			return error_set(e, VE_E_INTERRUPTED, EINTR, "wait for the VE", NULL, "interrupted");
		if (r == 0 && timeout_ms >= 0)
			return -ETIMEDOUT;
	}
}

static int parse_signal(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {{"HUP", SIGHUP}, {"INT", SIGINT}, {"QUIT", SIGQUIT}, {"KILL", SIGKILL}, {"USR1", SIGUSR1},
		{"USR2", SIGUSR2}, {"TERM", SIGTERM}, {"CONT", SIGCONT}, {"PWR", SIGPWR}, {"WINCH", SIGWINCH},
		{"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"CHLD", SIGCHLD}, {"IO", SIGIO}};
	if (!strncmp(text, "SIG", 3))
		text += 3;
	if (!strncmp(text, "RTMIN", 5))
		return SIGRTMIN + atoi(text + 5);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i].name))
			return names[i].number;
	int n = atoi(text);
	return n > 0 && n <= 64 ? n : -EINVAL;
}

static int reap_after(struct ve *ve, struct error *e)
{
	struct runtime rt;
	cleanup_fd int lock = change_lock(ve, e);
	int r = lock < 0 ? lock : runtime_read(ve->host, ve->name, &rt, e);
	/* Somebody may have started it again in between; that one is not ours to undo. */
	return r < 0 || !rt.present || rt.alive ? (r < 0 ? r : 0) : undo(ve, e);
}

/* Addresses and ports go while the VE ends; what fails now undo does again, and tells. */
static void leave_network(struct ve *ve)
{
	struct error ignored = {0};
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	if (dir >= 0)
		network_undo(ve, dir, &ignored);
}

/* Ends a VE without asking its init. The keeper sees init's end and follows; a keeper that does not is ended too. */
int end_now(struct ve *ve, const struct runtime *rt, int init, int keeper, struct error *e)
{
	struct error ignored = {0};
	if (keeper >= 0)
		syscall(SYS_pidfd_send_signal, keeper, SIGTERM, NULL, 0); /* no reboot any more */
	if (init >= 0)
		syscall(SYS_pidfd_send_signal, init, SIGKILL, NULL, 0);
	leave_network(ve);
	/* One that is given up is ended all the same: the keeper gets its time to follow, and to say how it ended. */
	int cancel_fd = ve->host->cancel_fd, r = -ESRCH;
	ve->host->cancel_fd = -1;
	if (keeper >= 0 && init >= 0)
		r = wait_pidfd(ve->host, keeper, 5000, &ignored);
	ve->host->cancel_fd = cancel_fd;
	if (!r)
		return 0;
	return *rt->cgroup ? cgroup_destroy(rt->cgroup, e) : 0;
}

static int thaw(struct ve *ve, const struct runtime *rt, struct error *e)
{
	char path[600];
	FORMAT(path, "%s/ve", rt->cgroup);
	return rt->state == VE_PAUSED ? cgroup_freeze(path, 0, ve->host->cancel_fd, e) : 0;
}

enum ask {
	ASK_HEARD,
	ASK_AGAIN,  /* there is none yet (a reboot is under way), or it may have missed it so early in its boot */
	ASK_LATER,  /* it has to boot first */
	ASK_SLOWLY, /* it took a request for a runlevel, which a reboot of its own may push aside; again does no harm */
};

static enum ask ask_init(struct ve *ve, const struct spec *s, int64_t asking_ms)
{
	/* A boot that hangs is not waited for any longer. */
	enum { PATIENCE_MS = 15000 };
	struct runtime rt;
	struct error ignored = {0};
	if (runtime_read(ve->host, ve->name, &rt, &ignored))
		return ASK_AGAIN;
	cleanup_fd int init = runtime_open_init(ve, &rt, &ignored);
	if (init < 0)
		return ASK_AGAIN;
	const struct init_kind *kind = init_kind_of(rt.init);
	int ready = runtime_is_ready(&rt), r = 0;
	if (!ready && kind->not_early && asking_ms < PATIENCE_MS)
		return ASK_LATER;
	if (spec_is_set(s, "stop.signal"))
		syscall(SYS_pidfd_send_signal, init, parse_signal(spec_string(s, "stop.signal")), NULL, 0);
	else
		r = init_ask_to_stop(kind, ve, rt.init, init, asking_ms);
	if (!ready || r)
		return ASK_AGAIN;
	return kind->stop == STOP_INITCTL ? ASK_SLOWLY : ASK_HEARD;
}

static int ask_and_wait(struct ve *ve, const struct runtime *rt, int keeper, int timeout_ms, struct error *e)
{
	static const int again_ms[] = {
		[ASK_HEARD] = INT_MAX, [ASK_AGAIN] = 1000, [ASK_LATER] = 100, [ASK_SLOWLY] = 5000};
	cleanup_spec struct spec *s = NULL;
	int r = spec_load(ve, &s, e);
	if (r || (r = thaw(ve, rt, e)))
		return r;
	/* What it had to say is in hooks.log; the VE stops all the same. */
	struct error ignored = {0};
	hooks_run(ve, s, "hooks.stop", rt->init, &ignored);
	if (host_cancelled(ve->host, e))
		return -EINTR;
	int64_t seconds = spec_integer(s, "stop.timeout", 90), start = now_ms();
	if (timeout_ms <= 0)
		timeout_ms = seconds >= INT_MAX / 1000 ? -1 : (int)(seconds * 1000);
	/* First the keeper: an init that is on its way to a reboot already would not listen, and come up again. */
	if (syscall(SYS_pidfd_send_signal, keeper, SIGTERM, NULL, 0) && errno != ESRCH)
		return error_sys(e, errno, "stop", "signal to the keeper");
	for (;;) {
		enum ask heard = ask_init(ve, s, now_ms() - start);
		int64_t left = timeout_ms < 0 ? INT_MAX : start + timeout_ms - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		int slice = again_ms[heard];
		if (timeout_ms < 0)
			slice = heard == ASK_HEARD ? -1 : slice;
		else if (slice > left)
			slice = (int)left;
		r = wait_pidfd(ve->host, keeper, slice, e);
		if (r != -ETIMEDOUT)
			return r;
	}
}

/* Under the lock from before the kill, so that the reaper, which sees the keeper's end too, keeps out of the way. */
static int force_stop(struct ve *ve, const struct runtime *seen, int init, int keeper, struct error *e)
{
	struct runtime rt;
	cleanup_fd int lock = change_lock(ve, e);
	int r = lock < 0 ? lock : runtime_read(ve->host, ve->name, &rt, e);
	if (r < 0)
		return r;
	/* Somebody stopped it, or even started it again, while we waited for the lock: that one is not ours. */
	if (rt.keeper == seen->keeper && rt.keeper_start == seen->keeper_start &&
		(r = end_now(ve, &rt, init, keeper, e)) < 0)
		return r;
	if ((r = runtime_read(ve->host, ve->name, &rt, e)) < 0)
		return r;
	return rt.present && !rt.alive ? undo(ve, e) : 0;
}

static void log_stopping(struct ve *ve, int force)
{
	struct json_writer *w = event_begin("stopping");
	jw_string(w, "by", "host");
	jw_bool(w, "force", force);
	event_end(ve, w);
}

static int stop(struct ve *ve, int timeout_ms, int force, struct error *e)
{
	struct runtime rt;
	int r = runtime_read(ve->host, ve->name, &rt, e);
	if (r)
		return r;
	if (!rt.alive) {
		if (rt.present && (r = reap_after(ve, e)))
			return r;
		return error_set(e, VE_E_STATE, ESRCH, "stop", NULL, "it is not running");
	}
	struct error why = {0};
	cleanup_fd int keeper = runtime_open_keeper(ve, &rt, &why), init = runtime_open_init(ve, &rt, &why);
	if (!force && keeper < 0) {
		if (rt.state == VE_STARTING)
			return error_set(e, VE_E_STATE, EAGAIN, "stop",
				"wait for it: vectl wait NAME --state running; or --force", "it is still starting");
		*e = why;
		return -ESRCH;
	}
	log_stopping(ve, force);
	/* Not under the change lock: a stop that takes a minute must not keep a `stop --force` waiting. */
	r = force ? -ETIMEDOUT : ask_and_wait(ve, &rt, keeper, timeout_ms, e);
	if (r == -ETIMEDOUT) {
		r = force_stop(ve, &rt, init, keeper, e);
		return r < 0 ? r : !force;
	}
	return r < 0 ? r : reap_after(ve, e);
}

int ve_stop(struct ve *ve, int timeout_ms, int force)
{
	struct error *e = host_begin(ve->host);
	return error_of(ve, e, stop(ve, timeout_ms, force, e));
}

int ve_stopped_fd(struct ve *ve)
{
	struct error *e = host_begin(ve->host);
	struct runtime rt;
	int r = runtime_read(ve->host, ve->name, &rt, e);
	if (!r && rt.alive && rt.keeper <= 0)
		r = error_set(e, VE_E_STATE, EAGAIN, "watch", "try again", "it is being started");
	if (!r && !rt.alive)
		r = error_set(e, VE_E_STATE, ESRCH, "watch", "start it first: vectl start NAME", "it is not running");
	return error_of(ve, e, r ? r : runtime_open_keeper(ve, &rt, e));
}

static int freeze(struct ve *ve, int frozen, struct error *e)
{
	struct runtime rt;
	char path[600];
	cleanup_fd int lock = change_lock(ve, e);
	int r = lock < 0 ? lock : runtime_read(ve->host, ve->name, &rt, e);
	if (r < 0)
		return r;
	if (rt.state != (frozen ? VE_RUNNING : VE_PAUSED))
		return error_set(e, VE_E_STATE, EINVAL, frozen ? "pause" : "resume",
			frozen ? "only a running VE can be paused" : "only a paused VE can be resumed", "it is %s",
			ve_state_name(rt.state));
	FORMAT(path, "%s/ve", rt.cgroup);
	r = cgroup_freeze(path, frozen, ve->host->cancel_fd, e);
	if (!r)
		event_log(ve, frozen ? "paused" : "resumed");
	return r;
}

int ve_pause(struct ve *ve)
{
	struct error *e = host_begin(ve->host);
	return error_of(ve, e, freeze(ve, 1, e));
}

int ve_resume(struct ve *ve)
{
	struct error *e = host_begin(ve->host);
	return error_of(ve, e, freeze(ve, 0, e));
}
