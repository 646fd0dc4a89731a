/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cmd/ve-unpack/digest.h"

#include <errno.h>
#include <nettle/version.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const unsigned char zeros[DIGEST_BLOCK];

void sha_end(struct sha256_ctx *sha, unsigned char ret[SHA256_DIGEST_SIZE])
{
#if NETTLE_VERSION_MAJOR >= 4
	sha256_digest(sha, ret);
#else
	sha256_digest(sha, SHA256_DIGEST_SIZE, ret);
#endif
}

void digest_begin(struct digest *d, uint64_t size)
{
	sha256_init(&d->sha);
	d->size = size;
	d->at = 0;
	d->wrong = 0;
	d->fill = 0;
}

/* ---- large files: blocks that are not all zero */

static void flush(struct digest *d)
{
	unsigned char offset[8];
	uint64_t at = d->at - d->fill;
	if (memcmp(d->block, zeros, d->fill)) {
		for (int i = 0; i < 8; i++)
			offset[i] = (unsigned char)(at >> (56 - 8 * i));
		sha256_update(&d->sha, sizeof(offset), offset);
		sha256_update(&d->sha, d->fill, d->block);
	}
	d->fill = 0;
}

/* `data` NULL: zeros */
static void feed_blocks(struct digest *d, const unsigned char *data, uint64_t length)
{
	while (length) {
		if (!data && d->fill == 0 && length >= DIGEST_BLOCK) {
			d->at += length / DIGEST_BLOCK * DIGEST_BLOCK;
			length %= DIGEST_BLOCK;
			continue;
		}
		size_t n = DIGEST_BLOCK - d->fill;
		if (n > length)
			n = (size_t)length;
		memcpy(d->block + d->fill, data ? data : zeros, n);
		d->fill += n;
		d->at += n;
		length -= n;
		data = data ? data + n : NULL;
		if (d->fill == DIGEST_BLOCK)
			flush(d);
	}
}

static void feed(struct digest *d, const unsigned char *data, uint64_t length)
{
	if (d->size > DIGEST_PLAIN_MAX) {
		feed_blocks(d, data, length);
		return;
	}
	d->at += length;
	if (data) {
		sha256_update(&d->sha, (size_t)length, data);
		return;
	}
	for (; length > DIGEST_BLOCK; length -= DIGEST_BLOCK)
		sha256_update(&d->sha, DIGEST_BLOCK, zeros);
	sha256_update(&d->sha, (size_t)length, zeros);
}

void digest_feed(struct digest *d, uint64_t offset, const void *data, size_t length)
{
	if (offset < d->at || offset > d->size || length > d->size - offset)
		d->wrong = 1;
	if (d->wrong)
		return;
	feed(d, NULL, offset - d->at);
	feed(d, data, length);
}

int digest_end(struct digest *d, unsigned char ret[SHA256_DIGEST_SIZE])
{
	if (d->wrong)
		return -EINVAL;
	feed(d, NULL, d->size - d->at);
	if (d->fill)
		flush(d);
	sha_end(&d->sha, ret);
	return 0;
}

int digest_fd(int fd, uint64_t size, unsigned char ret[SHA256_DIGEST_SIZE])
{
	static struct digest d;
	static unsigned char buffer[1 << 18];
	digest_begin(&d, size);
	for (off_t at = 0, end; at < (off_t)size; at = end) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		end = at < 0 ? -1 : lseek(fd, at, SEEK_HOLE);
		if (end < 0)
			return -errno;
		if (end > (off_t)size)
			end = (off_t)size;
		while (at < end) {
			size_t want = (uint64_t)(end - at) < sizeof(buffer) ? (size_t)(end - at) : sizeof(buffer);
			ssize_t n = pread(fd, buffer, want, at);
			if (n < 0)
				return -errno;
			if (n == 0)
				return -EAGAIN; /* it shrank meanwhile */
			digest_feed(&d, (uint64_t)at, buffer, (size_t)n);
			at += n;
		}
	}
	return digest_end(&d, ret);
}

void digest_text(const unsigned char raw[SHA256_DIGEST_SIZE], char ret[DIGEST_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < SHA256_DIGEST_SIZE; i++) {
		ret[2 * i] = digits[raw[i] >> 4];
		ret[2 * i + 1] = digits[raw[i] & 15];
	}
	ret[2 * SHA256_DIGEST_SIZE] = 0;
}

/* ---- the table: open addressing, half full at most */

struct row {
	ino_t ino; /* 0: free; no file has it */
	uint64_t size;
	int known;
	unsigned char raw[SHA256_DIGEST_SIZE];
};

struct digest_table {
	struct row *rows;
	size_t room, used;
};

static struct row *find_row(struct row *rows, size_t room, ino_t ino)
{
	size_t i = (size_t)(ino * 0x9e3779b97f4a7c15ULL) & (room - 1);
	while (rows[i].ino && rows[i].ino != ino)
		i = (i + 1) & (room - 1);
	return &rows[i];
}

struct digest_table *digest_table_new(void)
{
	struct digest_table *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->room = 4096;
	t->rows = calloc(t->room, sizeof(*t->rows));
	if (!t->rows) {
		free(t);
		return NULL;
	}
	return t;
}

static int grow(struct digest_table *t)
{
	struct row *rows = calloc(t->room * 2, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < t->room; i++)
		if (t->rows[i].ino)
			*find_row(rows, t->room * 2, t->rows[i].ino) = t->rows[i];
	free(t->rows);
	t->rows = rows;
	t->room *= 2;
	return 0;
}

int digest_table_put(struct digest_table *t, ino_t ino, uint64_t size, const unsigned char raw[SHA256_DIGEST_SIZE])
{
	if (t->used * 2 >= t->room && grow(t) < 0)
		return -ENOMEM;
	struct row *row = find_row(t->rows, t->room, ino);
	t->used += !row->ino;
	row->ino = ino;
	row->size = size;
	row->known = 1;
	memcpy(row->raw, raw, sizeof(row->raw));
	return 0;
}

void digest_table_drop(struct digest_table *t, ino_t ino)
{
	find_row(t->rows, t->room, ino)->known = 0;
}

const unsigned char *digest_table_find(const struct digest_table *t, ino_t ino, uint64_t size)
{
	const struct row *row = find_row(t->rows, t->room, ino);
	return row->ino && row->known && row->size == size ? row->raw : NULL;
}
