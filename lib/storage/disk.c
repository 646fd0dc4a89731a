/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/storage/disk.h"

static int make(const char *dir, const char *below, mode_t mode, struct error *e)
{
	char path[PATH_MAX];
	if (FORMAT(path, "%s/%s", dir, below) < 0)
		return error_sys(e, ENAMETOOLONG, "prepare the VE's disk", dir);
	if (mkdir(path, mode) && errno != EEXIST)
		return error_sys(e, errno, "prepare the VE's disk", path);
	/* The caller's umask does not decide what the VE's root folder looks like. */
	return chmod(path, mode) ? error_sys(e, errno, "prepare the VE's disk", path) : 0;
}

int disk_prepare(const char *dir, struct error *e)
{
	char path[PATH_MAX];
	int r = FORMAT(path, "%s/disk/work", dir);
	if (r >= 0 && !access(path, F_OK))
		return 0;
	if ((r = make(dir, "disk", 0700, e)))
		return r;
	FORMAT(path, "%s/disk/upper", dir);
	if (access(path, F_OK) && (r = make(dir, "disk/upper", 0755, e)))
		return r;
	return make(dir, "disk/work", 0700, e);
}

void disk_settle(const char *dir)
{
	char path[PATH_MAX];
	if (FORMAT(path, "%s/disk/work/work", dir) >= 0)
		remove_tree_at(AT_FDCWD, path);
}
