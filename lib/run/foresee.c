/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/run/foresee.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/util.h"

/* As the keeper opens it. */
static int source_opens(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	cleanup_fd int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	return fd < 0 ? -errno : 0;
}

/* A device or a file; what is no path is a server's, or a word that says nothing. */
static int source_is_there(const char *source)
{
	struct stat st;
	return *source == '/' && stat(source, &st) ? -errno : 0;
}

/* net.ipv4.conf.eth0.*: an interface of the VE's is not the host's to see. */
static int is_of_interface(const char *name)
{
	static const char *const anywhere[] = {"all.", "default.", "lo."};
	const char *at = strstr(name, ".conf.") ?: strstr(name, ".neigh.");
	if (strncmp(name, "net.", 4) || !at)
		return 0;
	at = strchr(at + 1, '.') + 1;
	for (size_t i = 0; i < ARRAY_SIZE(anywhere); i++)
		if (!strncmp(at, anywhere[i], strlen(anywhere[i])))
			return 0;
	return 1;
}

/* What a VE has of them, the namespaces that we are in have too. */
static int sysctl_is_there(const char *name)
{
	char path[256];
	if (is_of_interface(name) || FORMAT(path, "/proc/sys/%s", name) < 0)
		return 0;
	for (char *p = path + strlen("/proc/sys/"); *p; p++)
		*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
	return access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR) ? -ENOENT : 0;
}

int foresee(const struct plan *p, struct wire_report *ret)
{
	for (size_t i = 0; i < p->nsteps; i++) {
		const struct plan_step *s = &p->step[i];
		int r = s->optional              ? 0
			: s->op == OP_OPEN_MOUNT ? source_opens(s->s[0])
			: s->op == OP_MAKE_MOUNT ? source_is_there(s->s[0])
			: s->op == OP_SYSCTL     ? sysctl_is_there(s->s[0])
						 : 0;
		if (!r)
			continue;
		*ret = (struct wire_report){.kind = REPORT_FAILED, .step = (uint32_t)i, .err = -r};
		snprintf(ret->subject, sizeof ret->subject, "%.*s", (int)sizeof ret->subject - 1, s->s[0]);
		return 1;
	}
	return 0;
}
