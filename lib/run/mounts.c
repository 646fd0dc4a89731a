/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/run/mounts.h"

#include <limits.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "lib/base/util.h"

/*
 * Whether everybody may enter all folders above `path`. The source's own mode says nothing: with owners mapped the VE's
 * root may change it.
 */
static int all_may_enter(const char *path)
{
	char b[PATH_MAX];
	struct stat st;
	if (FORMAT(b, "%s", path) < 0)
		return 0;
	for (char *p = strrchr(b, '/'); p; p = strrchr(b, '/')) {
		p[p == b] = 0; /* the last is "/" */
		if (stat(b, &st) || !(st.st_mode & S_IXOTH))
			return 0;
		if (p == b)
			return 1;
	}
	return 0;
}

static int is_exposed(const struct spec_mount *m)
{
	struct statvfs st;
	if (m->type || !m->idmap || m->attr & MOUNT_ATTR_RDONLY || statvfs(m->source, &st))
		return 0;
	/* With rbind, what is mounted below may allow what the source itself does not. */
	if (!m->recursive && st.f_flag & (ST_NOSUID | ST_NOEXEC | ST_RDONLY))
		return 0;
	return all_may_enter(m->source);
}

int mounts_exposed(const struct spec *s, unsigned char ret[SPEC_MOUNTS_MAX], struct error *e)
{
	cleanup_free struct spec_mount *list = NULL;
	int n = spec_mounts(s, &list, e);
	for (int i = 0; i < n; i++)
		ret[i] = (unsigned char)is_exposed(&list[i]);
	return n < 0 ? n : 0;
}
