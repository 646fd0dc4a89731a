/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "lib/base/util.h"
#include "lib/image/store.h"

static int is_first(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int is_rest(char c)
{
	return is_first(c) || (c && strchr(".+_-", c));
}

int image_name_check(const char *name, struct error *e)
{
	static const char tried[] = "reading the name of an image";
	static const char remedy[] =
		"a name is like debian/13: up to 3 parts of a-z 0-9 . + _ -, each at most 63 long and "
		"starting with a letter or digit; a path starts with / or ./";
	const char *p = name;
	for (int parts = 1;; parts++) {
		size_t n = 0;
		if (parts > IMAGE_COMPONENTS)
			return error_set(e, VE_E_USAGE, EINVAL, tried, remedy, "'%s' has more than %d parts", name,
				IMAGE_COMPONENTS);
		if (*p == 0 || *p == '/')
			return error_set(e, VE_E_USAGE, EINVAL, tried, remedy, "'%s' has an empty part", name);
		if (!is_first(*p))
			return error_set(
				e, VE_E_USAGE, EINVAL, tried, remedy, "a part of '%s' starts with '%c'", name, *p);
		while (is_rest(p[n]))
			n++;
		if (p[n] && p[n] != '/')
			return error_set(e, VE_E_USAGE, EINVAL, tried, remedy, "'%s' has a '%c'", name, p[n]);
		if (n > IMAGE_COMPONENT_MAX)
			return error_set(e, VE_E_USAGE, EINVAL, tried, remedy, "a part of '%s' is %zu long", name, n);
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

int image_is_path(const char *image)
{
	return image[0] == '/' || !strncmp(image, "./", 2) || !strncmp(image, "../", 3) || !strcmp(image, ".") ||
	       !strcmp(image, "..");
}

int image_name_of_path(const char *path, unsigned n, char ret[IMAGE_NAME_SIZE])
{
	static const char *const endings[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma", ".lz", ".Z", ".tar",
		".tgz", ".txz", ".tbz2", ".tbz", ".tzst"};
	enum { ROOM = IMAGE_COMPONENT_MAX - 8 }; /* for "-n" */
	char base[IMAGE_COMPONENT_MAX + 1];
	size_t end = strlen(path);
	while (end > 1 && path[end - 1] == '/')
		end--;
	size_t start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t length = strlen(endings[i]);
		if (end - start > length && !strncmp(path + end - length, endings[i], length)) {
			end -= length;
			if (!strcmp(endings[i], ".tar") || endings[i][1] == 't')
				break;
			i = (size_t)-1; /* .tar may be before it */
		}
	}
	size_t used = 0;
	for (size_t i = start; i < end && used < ROOM; i++) {
		char c = path[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!is_rest(c))
			c = '-';
		if (used == 0 && !is_first(c))
			continue;
		base[used++] = c;
	}
	if (used == 0)
		base[used++] = 'x';
	base[used] = 0;
	int r = n > 1 ? snprintf(ret, IMAGE_NAME_SIZE, "local/%s-%u", base, n)
		      : snprintf(ret, IMAGE_NAME_SIZE, "local/%s", base);
	return r < 0 || r >= IMAGE_NAME_SIZE ? -ENAMETOOLONG : 0;
}

int image_ref_target(const char *name, const char *id, char *buf, size_t size)
{
	int depth = 1;
	for (const char *p = name; *p; p++)
		depth += *p == '/';
	int n = snprintf(buf, size, "%.*sstore/%s", depth * 3, "../../../", id);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int image_id_valid(const char *id)
{
	enum { EARLIER_SIZE = 32 };
	size_t length = strlen(id);
	return (length == IMAGE_ID_SIZE - 1 || length == EARLIER_SIZE) && strspn(id, "0123456789abcdef") == length;
}

void image_flat_name(const char *name, char ret[IMAGE_NAME_SIZE])
{
	snprintf(ret, IMAGE_NAME_SIZE, "%s", name);
	for (char *p = ret; *p; p++)
		if (*p == '/')
			*p = ',';
}
