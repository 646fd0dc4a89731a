/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking images out of the store. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/image.h"
#include "lib/image/store.h"

static int other_names(int images, const char *id, const char *name)
{
	cleanup_free struct ref *refs = NULL;
	size_t count = 0;
	int others = 0, r = store_refs(images, &refs, &count);
	for (size_t i = 0; i < count; i++)
		others += !strcmp(refs[i].id, id) && strcmp(refs[i].name, name);
	return r < 0 ? r : others;
}

/* Of VEs, "a, b": those whose spec names the image so. Others hold the content alone, which another name keeps. */
static int created_under(struct ve_host *host, const char *name, char *users, char *buf, size_t size)
{
	char *save = NULL;
	size_t used = 0;
	int count = 0;
	buf[0] = 0;
	for (char *ve = strtok_r(users, ", ", &save); ve; ve = strtok_r(NULL, ", ", &save)) {
		char path[PATH_MAX];
		cleanup_free char *text = NULL;
		cleanup_json struct json *j = NULL;
		size_t length;
		if (FORMAT(path, "%s/ve/%s/ve.json", host->data, ve) < 0 ||
			read_file_at(AT_FDCWD, path, JSON_MAX_BYTES, &text, &length) < 0 ||
			json_parse(text, length, path, "reading ve.json", &j, NULL) < 0)
			continue;
		const char *image = json_string(j, "image");
		if (!image || strcmp(image, name))
			continue;
		int n = used < size ? snprintf(buf + used, size - used, "%s%s", count ? ", " : "", ve) : 0;
		used += n > 0 ? (size_t)n : 0;
		count++;
	}
	return count;
}

int ve_image_remove(struct ve_host *host, const char *image)
{
	struct error *e = host_begin(host);
	static const char tried[] = "removing an image";
	cleanup_name_lock struct name_lock lock = {.fd = -EBADF};
	char id[IMAGE_ID_SIZE], users[4096], holders[256];
	int r = image_name_check(image, e);
	if (r < 0)
		return r;
	cleanup_fd int images = store_open(host, 0, e);
	if (images < 0 && images != -ENOENT)
		return images;
	r = images < 0 ? -ENOENT : store_lookup(images, image, id);
	if (r == 0)
		r = name_lock(host, images, image, &lock, e);
	if (r == 0)
		r = store_lookup(images, image, id);
	if (r == -ENOENT)
		r = error_set(e, VE_E_NO_IMAGE, ENOENT, tried, "vectl image list shows what is there",
			"%s: no such image", image);
	if (r == 0 && store_users(host, id, users, sizeof(users)) > 0) {
		snprintf(holders, sizeof(holders), "%.255s", users);
		int others = other_names(images, id, image);
		if (others <= 0 || created_under(host, image, users, holders, sizeof(holders)) > 0)
			r = error_set(e, VE_E_BUSY, EBUSY, tried, "destroy these VEs first", "%s is used by %s", image,
				holders);
	}
	if (r == 0)
		r = store_unname(images, image);
	/* An image without a name and without a VE is what is collected. */
	if (r == 0)
		store_collect(host, images, NULL, NULL);
	name_unlock(&lock);
	return r < 0 ? error_sys(e, -r, tried, image) : 0;
}

/* ---- what nobody uses */

struct removed {
	struct json_writer *w;
	int64_t size;
};

static void on_removed(void *arg, int images, const char *path, const char *id)
{
	struct removed *removed = arg;
	cleanup_free char *text = NULL;
	cleanup_json struct json *j = NULL;
	char file[IMAGE_PATH_SIZE + 16];
	size_t length;
	if (FORMAT(file, "%s/image.json", path) >= 0 && read_file_at(images, file, IMAGE_JSON_MAX, &text, &length) >= 0)
		json_parse(text, length, file, "reading an image", &j, NULL);
	int64_t size = json_integer(j, "size", 0);
	const char *name = json_string(image_origin(j, NULL), "name");
	removed->size += size;
	jw_object(removed->w, NULL);
	jw_string(removed->w, "id", id);
	if (name)
		jw_string(removed->w, "was", name);
	else
		jw_null(removed->w, "was");
	jw_integer(removed->w, "size", size);
	jw_end(removed->w);
}

/* Caches of templates that are not at work. */
static void empty_caches(int images)
{
	int fd = open_beneath(images, "cache", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	if (fd >= 0 && !d)
		close(fd);
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		cleanup_fd int cache = openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (cache >= 0 && flock(cache, LOCK_EX | LOCK_NB) == 0)
			remove_tree_at(dirfd(d), entry->d_name);
	}
	if (d)
		closedir(d);
}

int ve_image_remove_unused(struct ve_host *host, char **ret_json)
{
	struct error *e = host_begin(host);
	struct removed removed = {.w = jw_new(1)};
	cleanup_fd int images = store_open(host, 0, e);
	if (images < 0 && images != -ENOENT)
		return images;
	jw_object(removed.w, NULL);
	jw_integer(removed.w, "format", 1);
	jw_array(removed.w, "removed");
	if (images >= 0) {
		store_collect(host, images, on_removed, &removed);
		empty_caches(images);
	}
	jw_end(removed.w);
	jw_integer(removed.w, "size", removed.size);
	jw_end(removed.w);
	int r = jw_finish(removed.w, ret_json);
	return r < 0 ? error_sys(e, -r, "removing unused images", "JSON") : 0;
}
