/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_IMAGE_BUILD_H
#define VE_IMAGE_BUILD_H

#include "lib/base/json.h"
#include "lib/image/store.h"

/* Where a tarball came from; an unchanged one need not be unpacked twice. */
struct source {
	char path[PATH_MAX]; /* absolute */
	int is_folder;
	int64_t size, mtime_ns, inode;
};
int source_read(const char *path, const char *tried, struct source *ret, struct error *e);

/*
 * The template of an image's family: absolute path. -ENOENT: none; -EPERM: a file that is none for the reason *ret_why.
 */
int template_find(struct ve_host *host, const char *image, char *buf, size_t size, const char **ret_why);
/* "busybox, debian": for messages. */
void template_list(struct ve_host *host, char *buf, size_t size);
/*
 * Runs a template in `folder` (an absolute path that is not there yet; the template can write there and to its cache
 * alone). `source`: what it gets as VECTL_SOURCE, or NULL. Percents are shown as 0 to `until`. ret_output: the tar file
 * or folder, or a link to one. *ret_metadata: what it said of the image, the caller's; untouched where it said nothing.
 */
struct template_run {
	const char *path, *image, *source, *folder;
	const char *what; /* "building debian/13" */
	int until;
	int images; /* where its last words are kept when it fails */
};
int template_run(struct ve_host *host, const struct template_run *run, char ret_output[PATH_MAX],
	struct json **ret_metadata, struct error *e);
/* What a template's metadata.json may have. */
int template_metadata_check(const struct json *metadata, const char *tried, const char *remedy, struct error *e);

/* host_run, with a cancellation told in the words of `what`. */
int run_child(struct ve_host *host, const struct host_child *child, const char *what, struct error *e);

/*
 * Unpacks `archive` (a path) into the new image of `w`, describes it and puts it into the store as `name`.
 * Percents are shown as `from` to 100.
 */
struct unpack_run {
	const char *name, *template, *version, *archive, *what; /* version NULL: no template's */
	const struct source *source;                            /* recorded; NULL: none */
	const struct json *metadata;                            /* recorded; NULL: none */
	int from;
};
int unpack_run(struct ve_host *host, struct work *w, const struct unpack_run *run, struct error *e);

/* ve-unpack ended with `status` and said `said`, "" for nothing. `data`: the host's. */
int unpack_failed(const char *what, const char *data, int status, const char *said, struct error *e);

#endif
