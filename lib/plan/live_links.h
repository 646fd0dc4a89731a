/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VE's interfaces as they were changed while it runs, for the boots that follow: in /run/vectl/NAME/live, behind
 * the records of live.h and in two slots as those. Nothing there until the first such change. It stands in for all
 * links, addresses and routes of the plan.
 */
#ifndef VE_PLAN_LIVE_LINKS_H
#define VE_PLAN_LIVE_LINKS_H

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/net/veth.h"

#define LIVE_LINKS_MAGIC 0x314b4c4cu /* "LLK1" */
enum { LIVE_LINKS_AT = 1 << 20, LIVE_LINKS_SLOT = 16384, LIVE_LINKS_MAX = 16, LIVE_ADDRESSES_MAX = 32 };

struct live_link {
	char name[16];  /* inside */
	uint32_t index; /* inside */
	uint32_t naddresses, ngateways;
	unsigned char mac[6];
	struct veth_ip address[LIVE_ADDRESSES_MAX], gateway[2];
};
struct live_links {
	uint32_t magic;
	uint32_t nlinks;
	uint64_t sum; /* of all that follows */
	uint64_t sequence;
	struct live_link link[LIVE_LINKS_MAX];
};
_Static_assert(sizeof(struct live_links) <= LIVE_LINKS_SLOT, "a slot holds it");

static inline uint64_t live_links_sum(const struct live_links *l)
{
	const size_t from = offsetof(struct live_links, sequence);
	return hash_bytes((const char *)l + from, sizeof *l - from);
}

static inline int live_links_ok(const struct live_links *l)
{
	if (l->magic != LIVE_LINKS_MAGIC || l->nlinks > LIVE_LINKS_MAX || l->sum != live_links_sum(l))
		return 0;
	for (uint32_t i = 0; i < l->nlinks; i++)
		if (l->link[i].naddresses > LIVE_ADDRESSES_MAX || l->link[i].ngateways > 2 || l->link[i].name[15])
			return 0;
	return 1;
}

static inline uint64_t live_links_sequence(int fd, int slot)
{
	uint64_t sequence;
	const off_t at = LIVE_LINKS_AT + slot * LIVE_LINKS_SLOT + (off_t)offsetof(struct live_links, sequence);
	return pread(fd, &sequence, sizeof sequence, at) == sizeof sequence ? sequence : 0;
}

/* The newest whole record; 1, or 0: there is none. */
static inline int live_links_read(int fd, struct live_links *ret)
{
	uint64_t sequence[2] = {live_links_sequence(fd, 0), live_links_sequence(fd, 1)};
	int first = sequence[1] > sequence[0];
	for (int i = 0; i < 2 && sequence[i ? !first : first]; i++) {
		const off_t at = LIVE_LINKS_AT + (i ? !first : first) * LIVE_LINKS_SLOT;
		if (pread(fd, ret, sizeof *ret, at) == sizeof *ret && live_links_ok(ret))
			return 1;
	}
	return 0;
}

#endif
