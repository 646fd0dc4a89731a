/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What killed builds and imports left in the image store. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/util.h"
#include "lib/doctor/doctor.h"
#include "lib/image/store.h"

/* The store sweeps itself before each build, taking its own locks; this is the same sweep. */
static int mend_store(struct doctor *d, const struct finding *f, struct error *e)
{
	struct stat st;
	cleanup_fd int images = store_open(d->host, 0, e);
	if (images < 0)
		return images;
	store_collect(d->host, images, NULL, NULL);
	/* Swept with the first finding, the others are gone as well. What stays was taken up by somebody. */
	return lstat(f->path, &st) ? 0 : -EAGAIN;
}

/* All of them before the first is mended, since one sweep takes all of them along. */
struct found {
	struct {
		char *path;
		const char *what;
	} * list;
	size_t n;
};

static void add(struct found *f, const char *path, const char *what)
{
	void *more = reallocarray(f->list, f->n + 1, sizeof *f->list);
	char *copy = more ? strdup(path) : NULL;
	if (more)
		f->list = more;
	if (!copy)
		return; /* memory is out, which the document's writer says */
	f->list[f->n].path = copy;
	f->list[f->n++].what = what;
}

static void work_folders(struct doctor *d, struct found *f)
{
	char top[PATH_MAX], path[PATH_MAX], lock[PATH_MAX + 8];
	FORMAT(top, "%s/images/tmp", d->host->data);
	DIR *dir = opendir(top);
	struct dirent *de;
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.' || FORMAT(path, "%s/%s", top, de->d_name) < 0)
			continue;
		FORMAT(lock, "%s/lock", path);
		if (!doctor_is_held(lock))
			add(f, path, "a build or import that was killed");
	}
	if (dir)
		closedir(dir);
}

static void name_locks(struct doctor *d, struct found *f)
{
	char top[PATH_MAX], path[PATH_MAX];
	FORMAT(top, "%s/images", d->host->data);
	DIR *dir = opendir(top);
	struct dirent *de;
	while (dir && (de = readdir(dir)))
		if (!strncmp(de->d_name, "lock-", 5) && FORMAT(path, "%s/%s", top, de->d_name) >= 0 &&
			!doctor_is_held(path))
			add(f, path, "a lock of a build or import that was killed");
	if (dir)
		closedir(dir);
}

/* Replaced, or unpacked and then killed before it got its name; no VE refers to it. */
static void unnamed(struct doctor *d, struct found *f)
{
	struct error ignored = {0};
	cleanup_free char(*ids)[IMAGE_ID_SIZE] = NULL;
	cleanup_free struct ref *refs = NULL;
	size_t n_ids = 0, n_refs = 0;
	cleanup_fd int images = store_open(d->host, 0, &ignored);
	if (images < 0 || store_ids(images, &ids, &n_ids) || store_refs(images, &refs, &n_refs))
		return;
	for (size_t i = 0; i < n_ids; i++) {
		char path[PATH_MAX], users[64];
		int named = 0;
		for (size_t k = 0; k < n_refs; k++)
			named |= !strcmp(refs[k].id, ids[i]);
		FORMAT(path, "%s/images/store/%s", d->host->data, ids[i]);
		if (!named && store_users(d->host, ids[i], users, sizeof users) == 0)
			add(f, path, "an image without a name that no VE uses");
	}
}

void doctor_image_leftovers(struct doctor *d)
{
	struct found f = {0};
	work_folders(d, &f);
	name_locks(d, &f);
	unnamed(d, &f);
	for (size_t i = 0; i < f.n; i++) {
		doctor_found(d, &(struct finding){.kind = "image",
					.path = f.list[i].path,
					.what = f.list[i].what,
					.action = "remove it",
					.mend = mend_store});
		free(f.list[i].path);
	}
	free(f.list);
}
