/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_UNPACK_DIGEST_H
#define VE_UNPACK_DIGEST_H

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The digest of a file's content. Up to DIGEST_PLAIN_MAX bytes it is the content's SHA-256. A file that claims to be
 * larger may be one hole of exabytes, so of those it is the SHA-256 of each block of DIGEST_BLOCK bytes (at a multiple
 * of them; the last may be shorter) that is not all zero, its offset as a big-endian 64-bit number before it. Either
 * way it follows from the content alone and not from where its holes are.
 */
enum { DIGEST_TEXT_SIZE = 2 * SHA256_DIGEST_SIZE + 1, DIGEST_BLOCK = 65536 };
#define DIGEST_PLAIN_MAX (1ULL << 30)

void sha_end(struct sha256_ctx *sha, unsigned char ret[SHA256_DIGEST_SIZE]); /* in every version of nettle */

struct digest {
	struct sha256_ctx sha;
	uint64_t size, at; /* of the file; what came so far */
	int wrong;         /* it came in another order, or beyond the size */
	size_t fill;       /* of block, in a large file */
	unsigned char block[DIGEST_BLOCK];
};
void digest_begin(struct digest *d, uint64_t size);
void digest_feed(struct digest *d, uint64_t offset, const void *data, size_t length);
int digest_end(struct digest *d, unsigned char ret[SHA256_DIGEST_SIZE]); /* 0, or -EINVAL: to be read from the file */
int digest_fd(int fd, uint64_t size, unsigned char ret[SHA256_DIGEST_SIZE]); /* negative errno */
void digest_text(const unsigned char raw[SHA256_DIGEST_SIZE], char ret[DIGEST_TEXT_SIZE]);

/* What is known from unpacking, by inode number: what was written last. All are of one file system. */
struct digest_table;
struct digest_table *digest_table_new(void); /* NULL: out of memory */
int digest_table_put(struct digest_table *t, ino_t ino, uint64_t size, const unsigned char raw[SHA256_DIGEST_SIZE]);
void digest_table_drop(struct digest_table *t, ino_t ino);
const unsigned char *digest_table_find(const struct digest_table *t, ino_t ino, uint64_t size); /* NULL: not known */

#endif
