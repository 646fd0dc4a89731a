/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts and devices of a VE that runs: which ones it has, by its plan and by what was set since (lib/plan/live.h), and
 * how they become those of a changed spec.
 */
#ifndef VE_RUN_PLACES_H
#define VE_RUN_PLACES_H

#include "lib/run/apply_wire.h"
#include "lib/run/run.h"

struct places;

void places_free(struct places *p);
static inline void places_free_p(struct places **p)
{
	places_free(*p);
}
#define cleanup_places __attribute__((cleanup(places_free_p)))

struct places_change {
	/*
	 * What the VE runs with, and what that becomes, but for what waits; before: the spec on the disk, to tell what
	 * is changed by who changes it now.
	 */
	const struct spec *running, *next, *before;
	uint32_t base; /* the VE's first host id; 0: privileged */
};

/* live: the record's file. */
int places_load(struct ve *ve, int live, const struct places_change *c, struct places **ret, struct error *e);
int places_differ(const struct places *p);  /* there is something to be done */
int places_changed(const struct places *p); /* or was, since the VE was started: the record has them */

/* Adds them to a request, with strings put by apply_put_text. */
void places_request(const struct places *p, struct apply_request *r, int *full);
/* The error of the one that failed. */
int places_failed(const struct places *p, const struct apply_report *r, struct error *e);
/* What waits, by a report; NULL: all of it, since there is no init to show it to. */
void places_wait(struct places *p, const struct apply_report *r);
/* `next` goes back to what the VE runs with where something waits. Why, a line each, in `notes`. */
int places_restore(const struct places *p, struct spec *next, char *notes, size_t size);

/* The record's steps: before the change, with marks (enum live_mark), or after it; or when it was taken back. */
enum places_when { PLACES_AFTER, PLACES_BEFORE, PLACES_UNDONE };
int places_steps(const struct places *p, enum places_when when, struct plan *to, struct error *e);
/* A request that drops from the minimal root what is not there after the change. */
void places_drop_request(const struct places *p, struct apply_request *r);

/* The offset of a copy of `text` in the request. */
uint32_t apply_put_text(struct apply_request *r, const char *text, int *full);

#endif
