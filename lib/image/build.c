/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making images: by a template, from a tarball, from a folder; and finding the one that a name means. */
#include "lib/image/build.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/image.h"

enum { TEMPLATE_SHARE = 85, NAMES_TRIED = 1000 };

int source_read(const char *path, const char *tried, struct source *ret, struct error *e)
{
	struct stat st;
	cleanup_free char *real = realpath(path, NULL);
	if (!real || stat(real, &st) < 0)
		return error_set(e, errno == ENOENT || errno == ENOTDIR ? VE_E_NO_IMAGE : VE_E_FAILED, errno, tried,
			"name a tarball or a folder that is there", "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_set(e, VE_E_USAGE, EINVAL, tried, "name a tarball or a folder",
			"%s: neither a tarball nor a folder", path);
	*ret = (struct source){
		.is_folder = S_ISDIR(st.st_mode),
		.size = S_ISDIR(st.st_mode) ? 0 : st.st_size,
		.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
		.inode = (int64_t)st.st_ino,
	};
	if (FORMAT(ret->path, "%s", real) < 0)
		return error_sys(e, ENAMETOOLONG, tried, path);
	return 0;
}

/* ---- with the name's lock held */

static int work_path(const struct ve_host *host, const struct work *w, const char *name, char ret[PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s/images/%s/%s", host->data, w->path, name);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* By a template and ve-unpack. `source` NULL: what the template makes by itself. */
static int make_by_template(struct ve_host *host, int images, const char *name, const char *template, const char *what,
	const struct source *source, struct error *e)
{
	cleanup_work struct work w = WORK_NONE;
	cleanup_json struct json *metadata = NULL;
	char folder[PATH_MAX], output[PATH_MAX], target[PATH_MAX];
	int r = work_begin(images, &w, e);
	if (r < 0)
		return r;
	if (work_path(host, &w, "template", folder) < 0)
		return error_sys(e, ENAMETOOLONG, what, host->data);
	struct template_run run = {
		.path = template,
		.image = source ? "tarball" : name,
		.source = source ? source->path : NULL,
		.folder = folder,
		.what = what,
		.until = source ? 0 : TEMPLATE_SHARE,
		.images = images,
	};
	r = template_run(host, &run, output, &metadata, e);
	if (r < 0)
		return r;
	struct unpack_run unpack = {
		.name = name,
		.template = strrchr(template, '/') + 1,
		.version = source ? NULL : name + strcspn(name, "/") + (strchr(name, '/') != NULL),
		.archive = output,
		.what = what,
		.source = source,
		.metadata = metadata,
		.from = run.until,
	};
	/* Messages name the file that the user knows. */
	if (source && realpath(output, target))
		unpack.archive = target;
	return unpack_run(host, &w, &unpack, e);
}

static int make_from_folder(struct ve_host *host, int images, const char *name, const char *what,
	const struct source *source, struct error *e)
{
	cleanup_work struct work w = WORK_NONE;
	int r = work_begin(images, &w, e);
	struct unpack_run unpack = {
		.name = name, .template = "folder", .archive = source->path, .what = what, .source = source};
	return r < 0 ? r : unpack_run(host, &w, &unpack, e);
}

static int refused(const char *what, const char *template, const char *why, struct error *e)
{
	return error_set(e, VE_E_TEMPLATE, EPERM, what, "`chown root` and `chmod 0755` it",
		"%s is not taken as a template: %s", template, why);
}

static int make_from_source(struct ve_host *host, int images, const char *name, const char *what,
	const struct source *source, struct error *e)
{
	char template[PATH_MAX];
	const char *why;
	if (source->is_folder)
		return make_from_folder(host, images, name, what, source, e);
	int r = template_find(host, "tarball", template, sizeof(template), &why);
	if (r == -EPERM)
		return refused(what, template, why, e);
	if (r < 0)
		return error_set(e, VE_E_TEMPLATE, ENOENT, what, "install vectl again", "%s/tarball is missing",
			host_template_dir);
	return make_by_template(host, images, name, template, what, source, e);
}

static int build(struct ve_host *host, int images, const char *name, struct error *e)
{
	char template[PATH_MAX], what[IMAGE_NAME_SIZE + 16], known[192], remedy[256];
	const char *why;
	if (FORMAT(what, "building %s", name) < 0)
		return -ENAMETOOLONG;
	int r = template_find(host, name, template, sizeof(template), &why);
	if (r == -EPERM)
		return refused(what, template, why, e);
	if (r < 0) {
		template_list(host, known, sizeof(known));
		snprintf(remedy, sizeof(remedy), "templates: %.120s; or: vectl image import %.80s TARBALL",
			*known ? known : "none", name);
		return error_set(
			e, VE_E_NO_IMAGE, ENOENT, what, remedy, "no such image, and no template that makes it");
	}
	return make_by_template(host, images, name, template, what, NULL, e);
}

/* ---- tarballs and folders given by path */

/* 1: NAME was given to `id` when it was made from this very path; 2: and from this very content. */
static int is_from(int images, const char *id, const char *name, const struct source *source)
{
	cleanup_json struct json *j = NULL;
	if (image_describe(images, id, &j) < 0)
		return 0;
	const struct json *s = json_get(image_origin(j, name), "source");
	const char *from = json_string(s, "path");
	if (!from || strcmp(from, source->path))
		return 0;
	int same = !source->is_folder && json_integer(s, "size", -1) == source->size &&
		   json_integer(s, "mtime_ns", -1) == source->mtime_ns && json_integer(s, "inode", -1) == source->inode;
	return same ? 2 : 1;
}

/*
 * A name for what a path leads to: the first of local/BASENAME, local/BASENAME-2... that is free or came from this
 * path. A tarball that has not changed is not unpacked again; a folder is, since nothing cheap tells whether it
 * changed.
 */
static int resolve_path(struct ve_host *host, int images, const char *path, char ret_id[IMAGE_ID_SIZE],
	char name[IMAGE_NAME_SIZE], int *ret_imported, struct error *e)
{
	struct source source;
	char tried[160];
	snprintf(tried, sizeof(tried), "importing %.140s", path);
	int r = source_read(path, tried, &source, e);
	for (unsigned n = 1; r == 0 && n <= NAMES_TRIED; n++) {
		cleanup_name_lock struct name_lock lock = {.fd = -EBADF};
		r = image_name_of_path(source.path, n, name);
		if (r == 0)
			r = name_lock(host, images, name, &lock, e);
		if (r < 0)
			return r;
		int from = store_lookup(images, name, ret_id) == 0 ? is_from(images, ret_id, name, &source) : 1;
		if (from == 2 && !store_damage(images, ret_id))
			return 0;
		if (from == 0)
			continue;
		r = make_from_source(host, images, name, tried, &source, e);
		*ret_imported = r >= 0;
		return r < 0 ? r : store_lookup(images, name, ret_id);
	}
	return r < 0 ? r
		     : error_set(e, VE_E_EXISTS, EEXIST, tried, "give it one of your own: vectl image import",
			       "too many images of this name");
}

/* ---- what others call */

int image_resolve(struct ve_host *host, const char *image, int make, char **ret_id, char **ret_name, int *ret_imported,
	struct error *e)
{
	char id[IMAGE_ID_SIZE], name[IMAGE_NAME_SIZE];
	int imported = 0, is_path = image_is_path(image);
	int r = is_path ? 0 : image_name_check(image, e);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%s", is_path ? "" : image);
	cleanup_fd int images = store_open(host, make, e);
	if (images < 0 && (make || images != -ENOENT))
		return images;
	r = is_path || images < 0 ? -ENOENT : store_lookup(images, image, id);
	if (r == -ENOENT && !make)
		return error_set(e, VE_E_NO_IMAGE, ENOENT, "looking for the image",
			"vectl image build or import makes it", "%s is not in the store", image);
	if (r == -ENOENT) {
		store_collect(host, images, NULL, NULL);
		if (is_path) {
			r = resolve_path(host, images, image, id, name, &imported, e);
		} else {
			cleanup_name_lock struct name_lock lock = {.fd = -EBADF};
			r = name_lock(host, images, image, &lock, e);
			/* Somebody may have built it while we waited. */
			if (r == 0 && store_lookup(images, image, id) < 0) {
				r = build(host, images, image, e);
				if (r == 0)
					r = store_lookup(images, image, id);
			}
		}
	}
	if (r < 0)
		return error_sys(e, -r, "looking for the image", image);
	char *copy = strdup(id), *name_copy = strdup(name);
	if (!copy || !name_copy) {
		free(copy);
		free(name_copy);
		return error_sys(e, ENOMEM, "looking for the image", image);
	}
	*ret_id = copy;
	*ret_name = name_copy;
	*ret_imported = imported;
	return 0;
}

int ve_image_build(struct ve_host *host, const char *image)
{
	struct error *e = host_begin(host);
	cleanup_name_lock struct name_lock lock = {.fd = -EBADF};
	int r = image_name_check(image, e);
	if (r < 0)
		return r;
	cleanup_fd int images = store_open(host, 1, e);
	if (images < 0)
		return images;
	store_collect(host, images, NULL, NULL);
	r = name_lock(host, images, image, &lock, e);
	if (r == 0)
		r = build(host, images, image, e);
	if (r == 0)
		store_collect(host, images, NULL, NULL); /* the one that it replaced */
	name_unlock(&lock);
	return r;
}

int ve_image_import(struct ve_host *host, const char *image, const char *source)
{
	struct error *e = host_begin(host);
	cleanup_name_lock struct name_lock lock = {.fd = -EBADF};
	struct source from;
	char what[160], id[IMAGE_ID_SIZE], remedy[256];
	int r = image_name_check(image, e);
	if (r < 0)
		return r;
	snprintf(what, sizeof(what), "importing %.60s as %.80s", source, image);
	r = source_read(source, what, &from, e);
	if (r < 0)
		return r;
	cleanup_fd int images = store_open(host, 1, e);
	if (images < 0)
		return images;
	store_collect(host, images, NULL, NULL);
	r = name_lock(host, images, image, &lock, e);
	if (r == 0 && store_lookup(images, image, id) == 0) {
		snprintf(remedy, sizeof(remedy), "choose another name, or remove it first: vectl image remove %.150s",
			image);
		r = error_set(e, VE_E_EXISTS, EEXIST, what, remedy, "an image %s is there already", image);
	}
	if (r == 0)
		r = make_from_source(host, images, image, what, &from, e);
	name_unlock(&lock);
	return r;
}
