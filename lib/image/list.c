/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in the store, and taking it out. */
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/image.h"
#include "lib/image/store.h"

enum { USERS_TEXT = 4096 };

static void write_users(struct json_writer *w, struct ve_host *host, const char *id)
{
	char users[USERS_TEXT], *save = NULL;
	int count = store_users(host, id, users, sizeof(users));
	jw_integer(w, "ve_count", count);
	jw_array(w, "ves");
	/* Names that do not fit are counted alone. */
	if (strlen(users) < sizeof(users) - 1)
		for (char *p = strtok_r(users, ", ", &save); p; p = strtok_r(NULL, ", ", &save))
			jw_string(w, NULL, p);
	jw_end(w);
}

/* One image; `name` NULL: a newer one took its name, and VEs hold it. */
static void write_image(struct json_writer *w, struct ve_host *host, int images, const char *name, const char *id)
{
	static const char *const keys[] = {"arch", "os", "template", "init", "created", "size", "entries",
		"machine_id_cleared", "left_out", "source", "metadata"};
	char path[64];
	cleanup_free char *text = NULL;
	cleanup_json struct json *j = NULL;
	size_t size;
	jw_object(w, NULL);
	if (name)
		jw_string(w, "name", name);
	else
		jw_null(w, "name");
	jw_string(w, "id", id);
	if (FORMAT(path, "store/%s/image.json", id) >= 0 &&
		read_file_at(images, path, IMAGE_JSON_MAX, &text, &size) >= 0 &&
		json_parse(text, size, path, "reading an image", &j, NULL) >= 0)
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			const struct json *value = json_get(j, keys[i]);
			if (value)
				jw_copy(w, keys[i], value);
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
	char id[IMAGE_ID_SIZE];
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
		if (store_lookup(images, refs[i].name, id) == 0)
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

int ve_image_remove(struct ve_host *host, const char *image)
{
	struct error *e = host_begin(host);
	static const char tried[] = "removing an image";
	cleanup_name_lock struct name_lock lock = {.fd = -EBADF};
	char id[IMAGE_ID_SIZE], users[256];
	int r = image_name_check(image, e);
	if (r < 0)
		return r;
	cleanup_fd int images = store_open(host, 0, e);
	if (images < 0 && images != -ENOENT)
		return images;
	r = images < 0 ? -ENOENT : store_lookup(images, image, id);
	if (r == -ENOENT)
		return error_set(e, VE_E_NO_IMAGE, ENOENT, tried, "vectl image list shows what is there",
			"%s: no such image", image);
	if (r == 0)
		r = name_lock(host, images, image, &lock, e);
	if (r == 0)
		r = store_lookup(images, image, id);
	if (r == 0 && store_users(host, id, users, sizeof(users)) > 0)
		r = error_set(e, VE_E_BUSY, EBUSY, tried, "destroy these VEs first", "%s is used by %s", image, users);
	if (r == 0)
		r = store_unname(images, image);
	/* An image without a name and without a VE is what is collected. */
	if (r == 0)
		store_collect(host, images);
	name_unlock(&lock);
	return r < 0 ? error_sys(e, -r, tried, image) : 0;
}
