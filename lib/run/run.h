/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this room share. */
#ifndef VE_RUN_H
#define VE_RUN_H

#include "lib/host/host.h"
#include "lib/host/ids.h"
#include "lib/plan/plan.h"
#include "lib/run/state.h"

/* ve.json of a VE, and that of the new name while it is renamed. */
#define SPEC_RENAMED "ve.json.renamed"
int spec_load(struct ve *ve, struct spec **ret, struct error *e);
int spec_save(struct ve *ve, const struct spec *s, struct error *e);

/* The plan of the VE's next start, from its spec, what its net.* comes to, and this host's facts. */
struct network;
int plan_of(struct ve *ve, const struct spec *s, const struct network *n, unsigned listen_fds, struct plan **ret,
	struct error *e);

/* What to do about a step of the plan that failed, by enum plan_op and errno; NULL: nothing in particular. */
const char *start_remedy(int op, int err);

/*
 * With the change lock held nobody starts it: one that is neither running nor stopped is rebooting, or about to end.
 * Either is over in a moment, which this waits for.
 */
int settle(struct ve *ve, struct runtime *rt, struct error *e);

/* A pidfd of the VE's keeper, checked. */
int runtime_open_keeper(struct ve *ve, const struct runtime *rt, struct error *e);

/* Ends a VE at once, its init unasked: with the change lock held. init, keeper: pidfds, or negative. */
int end_now(struct ve *ve, const struct runtime *rt, int init, int keeper, struct error *e);

/* Undoes what a start of the VE left, from the undo record; twice does no harm. With the change lock held. */
int undo(struct ve *ve, struct error *e);

/* Both of these, of a VE that runs. */
int end_and_undo(struct ve *ve, const struct runtime *rt, struct error *e);

/*
 * A VE that runs though its start was killed before hooks.start had succeeded is ended and undone, and *rt read anew.
 * With the change lock held.
 */
int undo_cut_start(struct ve *ve, struct runtime *rt, struct error *e);

/* Names the VE in an error that does not name one yet; returns r. */
int error_of(struct ve *ve, struct error *e, int r);

/*
 * Starts the root's reaper unless it is there, in a cgroup of its own beside the VEs' (top: theirs), since it outlives
 * whatever started it. Its absence is no failure: the next vectl reaps.
 */
void reaper_wake(struct ve_host *host, const char *top);

/* was_alive: the end of the VE is an end of the waiting for its readiness, even before it was seen alive. */
int wait_for(struct ve *ve, int state, int ready, int timeout_ms, int was_alive, struct error *e);
/* 1 or 0; -1: of this VE's init it cannot be told. */
int runtime_is_ready(const struct runtime *rt);

/*
 * ve_exec that gives up, with -ETIMEDOUT, when the command was not exec'd in time: what it opens in the VE on the way
 * may be of the guest's making and never answer. timeout_ms negative: for ever.
 */
struct ve_exec_options;
struct ve_process;
int exec_within(struct ve *ve, const struct ve_exec_options *options, int timeout_ms, struct ve_process **ret);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t now_ms(void);

/* Waits for a pidfd: 0 ended, -ETIMEDOUT, -EINTR (cancelled; said in `e`). timeout_ms negative: for ever. */
int wait_pidfd(struct ve_host *host, int pidfd, int timeout_ms, struct error *e);

#endif
