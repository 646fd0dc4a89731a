/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_UNPACK_MANIFEST_H
#define VE_UNPACK_MANIFEST_H

#include "cmd/ve-unpack/digest.h"
#include "cmd/ve-unpack/unpack.h"

/*
 * A manifest says all that makes an image what it is, in the form of mtree(5): a line an entry, folders before what is
 * in them, the entries of a folder in the order of the bytes of their names.
 *
 *	./bin/su type=file mode=4755 uid=0 gid=0 size=72000 time=1679584623 sha256digest=…
 *
 * Times are in seconds, which is what archives keep, and none are given for folders, since not every archive has them.
 * Names for one file (hard links) have hardlink=FIRST-NAME alone after the first. xattr.NAME=HEX follows for each
 * extended attribute and access list. blocksdigest= stands for sha256digest= in a large file (digest.h).
 */

/* Calls `on_line` for each entry of the root that the process is chrooted into; the line ends without a newline. */
struct walk_result {
	uint64_t entries, bytes;
};
typedef void walk_fn(void *arg, const char *line, uint64_t bytes);
void walk_root(int root, const struct digest_table *known, walk_fn *on_line, void *arg, struct walk_result *ret);

/* Writes it to `fd`; ret_id is its SHA-256, the image's id. */
void manifest_write(
	int root, const struct digest_table *known, int fd, char ret_id[DIGEST_TEXT_SIZE], struct walk_result *ret);

/* The order of a manifest's paths, which are escaped. */
int manifest_path_compare(const char *a, const char *b);

/*
 * Compares the manifest (its text, which is changed) with the root; each difference is a line of JSON on stdout. Ends
 * the process where the manifest is none. Returns how many differences there are.
 */
uint64_t manifest_verify(struct unpack *u, char *text, size_t size, struct walk_result *ret);

#endif
