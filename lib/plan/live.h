/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was set while the VE runs, for the boots that follow: /run/vectl/NAME/live, root's alone, written by libve and
 * read by the keeper at each end of init, and by what enters. Empty until the first such change. A record stands in for
 * all steps of the plan with the operations below (of rlimit: for those that it has; of mounts and devices: once one of
 * them was changed, which LIVE_HAS_PLACES says).
 *
 * Two slots, written in turn by one pwrite: a writer that is killed in its middle spoils the older of the two. The
 * sum tells such a record, and one that is read in the middle of a write; the other slot is whole then. As with the
 * plan, LIVE_MAGIC changes with the form. No libc beyond memory and pread: static programs share this file.
 */
#ifndef VE_PLAN_LIVE_H
#define VE_PLAN_LIVE_H

#include <stddef.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/plan/wire.h"

#define LIVE_MAGIC 0x3256494cu /* "LIV2" */
enum { LIVE_SLOT = 65536, LIVE_RLIMITS = 16, LIVE_HOSTNAME_MAX = 64 };
enum live_flags { LIVE_HAS_PLACES = 1 };
/*
 * `optional` of a mount's or device's steps in a record that was written before a change: one that may have come, and
 * is not for later boots; one that may have gone, and is. A change that was cut short is mended by them.
 */
enum live_mark { LIVE_COMING = 1, LIVE_LEAVING = 2 };

struct live_record {
	uint32_t magic;
	uint32_t size; /* of the whole */
	uint64_t sum;  /* of all that follows */
	uint64_t sequence;
	uint32_t nsteps, flags;
	struct wire_step step[]; /* strings: offsets from the record's start */
};

static inline uint64_t live_sum(const struct live_record *r)
{
	const size_t from = offsetof(struct live_record, sequence);
	return hash_bytes((const char *)r + from, r->size - from);
}

static inline const char *live_string(const struct live_record *r, const struct wire_step *s, int i)
{
	return s->s[i] ? (const char *)r + s->s[i] : "";
}

static inline int live_step_ok(const struct live_record *r, const struct wire_step *s)
{
	for (int i = 0; i < 3; i++) {
		if (!s->s[i] && !s->len[i])
			continue;
		if (s->s[i] < sizeof *r || s->s[i] >= r->size || s->len[i] >= r->size - s->s[i])
			return 0;
		/* Ends there, and not before. */
		if (memchr((const char *)r + s->s[i], 0, s->len[i] + 1) != (const char *)r + s->s[i] + s->len[i])
			return 0;
	}
	switch (s->op) {
	case OP_HOSTNAME:
		return s->len[0] > 0 && s->len[0] <= LIVE_HOSTNAME_MAX;
	case OP_SYSCTL:
		return s->len[0] > 0;
	case OP_RLIMIT:
		return s->n[0] >= 0 && s->n[0] < LIVE_RLIMITS;
	case OP_ON_EXIT:
		return s->n[0] == ON_EXIT_RESTART || s->n[0] == ON_EXIT_RESTART_FAILED;
	case OP_OPEN_MOUNT:
	case OP_MAKE_MOUNT:
	case OP_ATTACH_MOUNT:
	case OP_BIND_MOUNT:
		return s->n[0] >= 0 && s->n[0] < MOUNT_SLOTS && s->len[0] > 0;
	case OP_MOUNT_INSIDE:
	case OP_DEVICE_NODE:
	case OP_DEVICE:
		return s->len[0] > 0 && s->len[1] > 0;
	}
	return 0;
}

/* NULL unless all of it is as it was written. `data`: aligned as the structure is. */
static inline const struct live_record *live_check(const void *data, size_t room)
{
	const struct live_record *r = data;
	if (room < sizeof *r || r->magic != LIVE_MAGIC || r->size < sizeof *r || r->size > room)
		return NULL;
	if (r->sum != live_sum(r) || r->nsteps > (r->size - sizeof *r) / sizeof r->step[0])
		return NULL;
	for (uint32_t i = 0; i < r->nsteps; i++)
		if (!live_step_ok(r, &r->step[i]))
			return NULL;
	return r;
}

/* The newest whole record, in `buf` of LIVE_SLOT bytes; NULL where there is none. */
static inline const struct live_record *live_read(int fd, void *buf)
{
	struct live_record head[2];
	for (int i = 0; i < 2; i++)
		if (pread(fd, &head[i], sizeof head[i], i * LIVE_SLOT) != sizeof head[i])
			head[i].sequence = 0;
	int first = head[1].sequence > head[0].sequence;
	for (int i = 0; i < 2; i++) {
		ssize_t n = pread(fd, buf, LIVE_SLOT, (i ? !first : first) * LIVE_SLOT);
		const struct live_record *r = n > 0 ? live_check(buf, n) : NULL;
		if (r)
			return r;
	}
	return NULL;
}

static inline int live_has_places(const struct live_record *r)
{
	return r && r->flags & LIVE_HAS_PLACES;
}

/* The record's step with that operation, of OP_RLIMIT the one for a resource; NULL: none, or no record. */
static inline const struct wire_step *live_find(const struct live_record *r, int op, int64_t resource)
{
	for (uint32_t i = 0; r && i < r->nsteps; i++)
		if (r->step[i].op == op && (op != OP_RLIMIT || r->step[i].n[0] == resource))
			return &r->step[i];
	return NULL;
}

#endif
