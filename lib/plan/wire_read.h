/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a plan in the programs in libexec: checked once as a whole, then used without further checks. */
#ifndef VE_PLAN_WIRE_READ_H
#define VE_PLAN_WIRE_READ_H

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/plan/wire.h"

static inline const char *wire_string(const struct wire_header *h, const struct wire_step *s, int i)
{
	return s->s[i] ? (const char *)h + s->s[i] : "";
}

static inline const struct wire_step *wire_find(const struct wire_header *h, int op)
{
	for (uint32_t i = 0; i < h->nsteps; i++)
		if (h->step[i].op == op)
			return &h->step[i];
	return NULL;
}

static inline int wire_range_ok(const struct wire_header *h, uint64_t offset, uint64_t size)
{
	return offset <= h->size && size <= h->size - offset;
}

/* NULL unless everything inside lies inside, strings end, and the version is this build's. */
static inline const struct wire_header *wire_check(const void *data, size_t size, const char *version)
{
	const struct wire_header *h = data;
	if (size < sizeof *h || size > UINT32_MAX || h->magic != WIRE_MAGIC || h->size != size)
		return NULL;
	if (strncmp(h->version, version, sizeof h->version) || !memchr(h->name, 0, sizeof h->name))
		return NULL;
	if (h->listen_fds > SFD_LISTEN_MAX)
		return NULL;
	if (h->nsteps > 4096 || !wire_range_ok(h, sizeof *h, (uint64_t)h->nsteps * sizeof h->step[0]))
		return NULL;
	for (uint32_t i = 0; i < h->nsteps; i++) {
		const struct wire_step *s = &h->step[i];
		if (s->actor >= ACTOR_COUNT || s->op >= OP_COUNT || s->index != i)
			return NULL;
		for (int k = 0; k < 3; k++)
			if (s->s[k] ? !wire_range_ok(h, s->s[k], (uint64_t)s->len[k] + 1) ||
						((const char *)h)[s->s[k] + s->len[k]]
				    : s->len[k])
				return NULL;
	}
	for (int i = 0; i < BLOB_COUNT; i++)
		if (!wire_range_ok(h, h->blob[i].offset, h->blob[i].size) || h->blob[i].offset % 8 ||
			h->blob[i].size % 8 || h->blob[i].size > WIRE_BLOB_MAX)
			return NULL;
	return h;
}

static inline const struct wire_header *wire_map(int fd, const char *version)
{
	struct stat st;
	if (fstat(fd, &st) || st.st_size <= 0)
		return NULL;
	void *p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? NULL : wire_check(p, st.st_size, version);
}

#endif
