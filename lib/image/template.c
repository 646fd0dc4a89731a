/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates: executables that make the root file system of an image. Their contract is templates/README.md. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/image/build.h"

/* Whoever can write a template is root: 1 when that is root alone. 0: none; where it is a file, *ret_why says why. */
static int is_template(int dir, const char *name, const char **ret_why)
{
	struct stat st;
	*ret_why = NULL;
	if (fstatat(dir, name, &st, 0) || !S_ISREG(st.st_mode))
		return 0;
	if (st.st_uid != 0)
		*ret_why = "root does not own it";
	else if (st.st_mode & 022)
		*ret_why = "others than root may write it";
	else if (!(st.st_mode & 0100))
		*ret_why = "it is not executable";
	return !*ret_why;
}

/* The host's own ones come first. */
static int template_folder(struct ve_host *host, int i, char *buf, size_t size)
{
	int n = i == 0 ? snprintf(buf, size, "%s/templates", host->etc) : snprintf(buf, size, "%s", host_template_dir);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int template_find(struct ve_host *host, const char *image, char *buf, size_t size, const char **ret_why)
{
	char folder[PATH_MAX], family[IMAGE_COMPONENT_MAX + 1];
	const char *refused = NULL, *why;
	if (FORMAT(family, "%.*s", (int)strcspn(image, "/"), image) < 0)
		return -ENOENT;
	for (int i = 0; i < 2; i++) {
		if (template_folder(host, i, folder, sizeof(folder)) < 0)
			continue;
		cleanup_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int is = dir >= 0 && is_template(dir, family, &why);
		if (dir < 0 || (!is && !why))
			continue;
		int n = snprintf(buf, size, "%s/%s", folder, family);
		if (is || n < 0 || (size_t)n >= size)
			return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
		refused = why;
	}
	*ret_why = refused;
	return refused ? -EPERM : -ENOENT;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void template_list(struct ve_host *host, char *buf, size_t size)
{
	char folder[PATH_MAX], *names[64];
	size_t count = 0, used = 0;
	for (int i = 0; i < 2; i++) {
		DIR *d = template_folder(host, i, folder, sizeof(folder)) < 0 ? NULL : opendir(folder);
		struct dirent *entry;
		const char *why;
		while (d && count < ARRAY_SIZE(names) && (entry = readdir(d))) {
			int known = image_name_check(entry->d_name, NULL) < 0 || !strcmp(entry->d_name, "tarball") ||
				    !is_template(dirfd(d), entry->d_name, &why);
			for (size_t k = 0; k < count; k++)
				known |= !strcmp(names[k], entry->d_name);
			if (!known && (names[count] = strdup(entry->d_name)))
				count++;
		}
		if (d)
			closedir(d);
	}
	buf[0] = 0;
	qsort(names, count, sizeof(*names), by_name);
	for (size_t k = 0; k < count; k++) {
		int n = used < size ? snprintf(buf + used, size - used, "%s%s", k ? ", " : "", names[k]) : 0;
		used += n > 0 ? (size_t)n : 0;
		free(names[k]);
	}
}
