/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of an image beside its content: store/ID/image.json. */
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/store.h"

int image_describe(int images, const char *id, struct json **ret)
{
	char path[IMAGE_PATH_SIZE];
	cleanup_free char *text = NULL;
	size_t size;
	int r = FORMAT(path, "store/%s/image.json", id);
	if (r >= 0)
		r = read_file_at(images, path, IMAGE_JSON_MAX, &text, &size);
	return r < 0 ? r : json_parse(text, size, path, "reading an image", ret, NULL);
}

const struct json *image_origin(const struct json *image, const char *name)
{
	const struct json *origins = json_get(image, "origins"), *found = NULL;
	if (!origins || origins->type != JSON_ARRAY || !origins->child)
		return image;
	for (const struct json *o = origins->child; o; o = o->next) {
		const char *its = json_string(o, "name");
		if (!found || !name || (its && !strcmp(its, name)))
			found = o;
	}
	return found;
}

static int has_origin(const struct json *image, const char *name)
{
	const struct json *origins = json_get(image, "origins");
	for (const struct json *o = origins ? origins->child : NULL; o; o = o->next) {
		const char *its = json_string(o, "name");
		if (its && name && !strcmp(its, name))
			return 1;
	}
	return 0;
}

int image_merge_origins(const struct json *base, const struct json *old, const struct json *new, char **ret_text)
{
	enum { KEPT_MAX = 64 };
	const struct json *before = json_get(old, "origins"), *after = json_get(new, "origins");
	size_t count = 0, skip;
	for (const struct json *o = before ? before->child : NULL; o; o = o->next)
		count++;
	skip = count > KEPT_MAX ? count - KEPT_MAX : 0; /* the oldest ones */
	struct json_writer *j = jw_new(1);
	jw_object(j, NULL);
	for (const struct json *v = base->child; v; v = v->next)
		if (strcmp(v->key, "origins"))
			jw_copy(j, v->key, v);
	jw_array(j, "origins");
	for (const struct json *o = before ? before->child : NULL; o; o = o->next) {
		if (skip)
			skip--;
		else if (!has_origin(new, json_string(o, "name")))
			jw_copy(j, NULL, o);
	}
	for (const struct json *o = after ? after->child : NULL; o; o = o->next)
		jw_copy(j, NULL, o);
	jw_end(j);
	jw_end(j);
	return jw_finish(j, ret_text);
}
