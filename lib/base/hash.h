/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_BASE_HASH_H
#define VE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* FNV-1a, 64 bits: short names for things that are compared in full afterwards. No defence against chosen collisions.
 */
static inline uint64_t hash_bytes(const void *data, size_t size)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (const unsigned char *p = data, *e = p + size; p < e; p++)
		h = (h ^ *p) * 0x100000001b3u;
	return h;
}
static inline uint64_t hash_string(const char *s)
{
	return hash_bytes(s, strlen(s));
}

#endif
