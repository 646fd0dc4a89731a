/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in the store. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/image.h"
#include "lib/image/store.h"

enum { USERS_TEXT = 4096, PREFIX_MIN = 8 };

static void write_users(struct json_writer *w, struct ve_host *host, const char *id)
{
	char users[USERS_TEXT], *save = NULL;
	int count = store_users(host, id, users, sizeof(users));
	jw_integer(w, "ve_count", count > 0 ? count : 0);
	jw_array(w, "ves");
	/* Names that do not fit are counted alone. */
	if (strlen(users) < sizeof(users) - 1)
		for (char *p = strtok_r(users, ", ", &save); p; p = strtok_r(NULL, ", ", &save))
			jw_string(w, NULL, p);
	jw_end(w);
}

static void copy_keys(struct json_writer *w, const struct json *from, const char *const *keys)
{
	for (; *keys; keys++) {
		const struct json *value = json_get(from, *keys);
		if (value)
			jw_copy(w, *keys, value);
	}
}

static int has_file(int images, const char *id, const char *name)
{
	char path[IMAGE_PATH_SIZE];
	struct stat st;
	return FORMAT(path, "store/%s/%s", id, name) >= 0 && fstatat(images, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What a template says of its image goes before what the image says of itself. */
static void write_release(struct json_writer *w, const struct json *image, const struct json *origin)
{
	const struct json *metadata = json_get(origin, "metadata");
	const char *os = json_string(image, "os"), *space = os ? strchr(os, ' ') : NULL;
	const char *distribution = json_string(metadata, "distribution"), *release = json_string(metadata, "release");
	char first[80] = "";
	if (os)
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(os, " "), os);
	if (!distribution && *first)
		distribution = first;
	if (!release && space)
		release = space + 1;
	if (distribution)
		jw_string(w, "distribution", distribution);
	else
		jw_null(w, "distribution");
	if (release)
		jw_string(w, "release", release);
	else
		jw_null(w, "release");
}

static void write_content(struct json_writer *w, int images, const struct json *j, const char *id)
{
	static const char *const content[] = {
		"arch", "os", "init", "size", "entries", "machine_id_cleared", "left_out", NULL};
	copy_keys(w, j, content);
	jw_bool(w, "broken", store_damage(images, id) != NULL);
}

static const char *const origin_keys[] = {"created", "template", "version", "mirror", "metadata", "source", NULL};

/* One name; `name` NULL: a newer image took its name, and VEs may hold it. */
static void write_image(struct json_writer *w, struct ve_host *host, int images, const char *name, const char *id)
{
	cleanup_json struct json *j = NULL;
	jw_object(w, NULL);
	if (name)
		jw_string(w, "name", name);
	else
		jw_null(w, "name");
	jw_string(w, "id", id);
	if (image_describe(images, id, &j) == 0) {
		const struct json *origin = image_origin(j, name);
		const char *was = name ? NULL : json_string(origin, "name");
		if (was)
			jw_string(w, "was", was);
		write_release(w, j, origin);
		write_content(w, images, j, id);
		copy_keys(w, origin, origin_keys);
	}
	write_users(w, host, id);
	jw_end(w);
}

static int list(struct ve_host *host, char **ret_json, struct error *e)
{
	static const char tried[] = "listing images";
	cleanup_free struct ref *refs = NULL;
	cleanup_free char(*ids)[IMAGE_ID_SIZE] = NULL;
	size_t n_refs = 0, n_ids = 0;
	cleanup_fd int images = store_open(host, 0, e);
	if (images < 0 && images != -ENOENT)
		return images;
	int r = images < 0 ? 0 : store_refs(images, &refs, &n_refs);
	if (r == 0 && images >= 0)
		r = store_ids(images, &ids, &n_ids);
	if (r < 0)
		return error_sys(e, -r, tried, "images");
	struct json_writer *w = jw_new(1);
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_array(w, "images");
	for (size_t i = 0; i < n_refs; i++)
		if (store_has(images, refs[i].id))
			write_image(w, host, images, refs[i].name, refs[i].id);
	for (size_t i = 0; i < n_ids; i++) {
		int named = 0;
		for (size_t k = 0; k < n_refs; k++)
			named |= !strcmp(refs[k].id, ids[i]);
		if (!named)
			write_image(w, host, images, NULL, ids[i]);
	}
	jw_end(w);
	jw_end(w);
	r = jw_finish(w, ret_json);
	return r < 0 ? error_sys(e, -r, tried, "JSON") : 0;
}

int ve_image_list_json(struct ve_host *host, char **ret_json)
{
	struct error *e = host_begin(host);
	return list(host, ret_json, e);
}

/* ---- one image, by name or id */

int image_find(int images, const char *image, const char *tried, char ret_id[IMAGE_ID_SIZE], struct error *e)
{
	cleanup_free char(*ids)[IMAGE_ID_SIZE] = NULL;
	size_t count = 0, length = strlen(image), found = 0;
	int is_prefix = length >= PREFIX_MIN && strspn(image, "0123456789abcdef") == length;
	int r = is_prefix ? 0 : image_name_check(image, e);
	if (r < 0)
		return r;
	/* A full id is too long for a name; for a shorter one a name goes first. */
	r = images < 0 || length >= IMAGE_ID_SIZE - 1 ? -ENOENT : store_lookup(images, image, ret_id);
	if (r != -ENOENT)
		return r < 0 ? error_sys(e, -r, tried, image) : 0;
	r = images < 0 || !is_prefix ? 0 : store_ids(images, &ids, &count);
	if (r < 0)
		return error_sys(e, -r, tried, image);
	for (size_t i = 0; i < count; i++)
		if (!strncmp(ids[i], image, length) && found++ == 0)
			strcpy(ret_id, ids[i]);
	if (found == 0)
		return error_set(e, VE_E_NO_IMAGE, ENOENT, tried, "vectl image list shows what is there",
			"%s: no such image", image);
	if (found > 1)
		return error_set(e, VE_E_USAGE, EINVAL, tried, "give more digits of the id",
			"%s: %zu images have ids that begin so", image, found);
	return 0;
}

static int info(struct ve_host *host, const char *image, char **ret_json, struct error *e)
{
	static const char tried[] = "showing an image";
	cleanup_free struct ref *refs = NULL;
	cleanup_json struct json *j = NULL;
	char id[IMAGE_ID_SIZE], path[PATH_MAX];
	size_t n_refs = 0;
	cleanup_fd int images = store_open(host, 0, e);
	if (images < 0 && images != -ENOENT)
		return images;
	int r = image_find(images, image, tried, id, e);
	if (r < 0)
		return r;
	if ((r = image_describe(images, id, &j)) < 0 || (r = store_refs(images, &refs, &n_refs)) < 0)
		return error_sys(e, -r, tried, image);
	const struct json *origin = image_origin(j, image), *origins = json_get(j, "origins");
	struct json_writer *w = jw_new(1);
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_object(w, "image");
	jw_string(w, "id", id);
	jw_array(w, "names");
	for (size_t i = 0; i < n_refs; i++)
		if (!strcmp(refs[i].id, id))
			jw_string(w, NULL, refs[i].name);
	jw_end(w);
	write_release(w, j, origin);
	write_content(w, images, j, id);
	copy_keys(w, origin, origin_keys);
	if (image_rootfs(host, id, path, sizeof(path)) == 0)
		jw_string(w, "path", path);
	jw_bool(w, "manifest", has_file(images, id, "manifest"));
	jw_array(w, "origins");
	for (const struct json *o = origins ? origins->child : NULL; o; o = o->next)
		jw_copy(w, NULL, o);
	jw_end(w);
	write_users(w, host, id);
	jw_end(w);
	jw_end(w);
	r = jw_finish(w, ret_json);
	return r < 0 ? error_sys(e, -r, tried, "JSON") : 0;
}

int ve_image_info_json(struct ve_host *host, const char *image, char **ret_json)
{
	struct error *e = host_begin(host);
	return info(host, image, ret_json, e);
}

int ve_image_exists(struct ve_host *host, const char *image)
{
	struct error *e = host_begin(host);
	char id[IMAGE_ID_SIZE];
	int r = image_name_check(image, e);
	if (r < 0)
		return r;
	cleanup_fd int images = store_open(host, 0, e);
	if (images < 0)
		return images == -ENOENT ? 0 : images;
	r = store_lookup(images, image, id);
	if (r < 0 && r != -ENOENT)
		return error_sys(e, -r, "looking for the image", image);
	return r == 0;
}
