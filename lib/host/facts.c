/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/host/facts.h"

int facts_has_word(const char *words, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = words; (p = strstr(p, word)); p += n)
		if ((p == words || p[-1] == ' ') && (p[n] == 0 || p[n] == ' ' || p[n] == '\n'))
			return 1;
	return 0;
}

/*
 * libmount brings libblkid, libselinux and libpcre2 along, 0.5 ms of loading for each vectl that never asks it
 * anything, so it is loaded where the usual places do not answer.
 */
struct mount_library {
	struct libmnt_table *(*new_table)(const char *file);
	struct libmnt_iter *(*new_iter)(int direction);
	int (*next_fs)(struct libmnt_table *t, struct libmnt_iter *i, struct libmnt_fs **fs);
	const char *(*type)(struct libmnt_fs *fs);
	const char *(*target)(struct libmnt_fs *fs);
	const char *(*root)(struct libmnt_fs *fs);
	void (*free_iter)(struct libmnt_iter *i);
	void (*unref_table)(struct libmnt_table *t);
};

static int load_mount_library(struct mount_library *m)
{
	const struct {
		const char *name;
		void *at;
	} symbol[] = {{"mnt_new_table_from_file", &m->new_table}, {"mnt_new_iter", &m->new_iter},
		{"mnt_table_next_fs", &m->next_fs}, {"mnt_fs_get_fstype", &m->type}, {"mnt_fs_get_target", &m->target},
		{"mnt_fs_get_root", &m->root}, {"mnt_free_iter", &m->free_iter}, {"mnt_unref_table", &m->unref_table}};
	void *lib = dlopen("libmount.so.1", RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; lib && i < ARRAY_SIZE(symbol); i++) {
		void *p = dlsym(lib, symbol[i].name);
		if (!p)
			return -ENOSYS;
		memcpy(symbol[i].at, &p, sizeof p);
	}
	return lib ? 0 : -ENOENT;
}

static int is_cgroup2(const char *path)
{
	struct statfs st;
	return !statfs(path, &st) && st.f_type == CGROUP2_SUPER_MAGIC;
}

/* The last cgroup2 mount that a path still reaches: a later mount may hide an earlier one. */
static int search_cgroup2(struct host_facts *f)
{
	struct mount_library m;
	int r = load_mount_library(&m);
	if (r)
		return r;
	struct libmnt_table *t = m.new_table("/proc/self/mountinfo");
	struct libmnt_iter *i = m.new_iter(MNT_ITER_BACKWARD);
	struct libmnt_fs *fs;
	int found = -ENOENT;
	while (t && i && found && m.next_fs(t, i, &fs) == 0) {
		const char *type = m.type(fs), *target = m.target(fs), *root = m.root(fs);
		if (!type || strcmp(type, "cgroup2") || !target || !is_cgroup2(target))
			continue;
		if (root && strcmp(root, "/"))
			continue; /* a part of the tree, bound for somebody else */
		if (FORMAT(f->cgroup_mount, "%s", target) >= 0)
			found = 0;
	}
	m.free_iter(i);
	m.unref_table(t);
	return found;
}

static int find_cgroup2(struct host_facts *f)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (is_cgroup2(usual[i])) {
			FORMAT(f->cgroup_mount, "%s", usual[i]);
			return 0;
		}
	return search_cgroup2(f);
}

static void probe_rlimits(struct host_facts *f)
{
	for (int i = 0; i < FACTS_RLIMITS; i++) {
		struct rlimit l;
		f->hard[i] = getrlimit(i, &l) || l.rlim_max == RLIM_INFINITY ? RLIMIT_NONE : (int64_t)l.rlim_max;
	}
	cleanup_free char *nr_open = NULL;
	if (read_file_at(AT_FDCWD, "/proc/sys/fs/nr_open", 32, &nr_open, NULL) >= 0)
		f->nr_open = strtoll(nr_open, NULL, 10);
	cap_t caps = cap_get_proc();
	cap_flag_value_t on = CAP_CLEAR;
	if (caps)
		cap_get_flag(caps, CAP_SYS_RESOURCE, CAP_EFFECTIVE, &on);
	f->cap_sys_resource = on == CAP_SET;
	cap_free(caps);
}

static int has_filesystem(const char *list, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = list; (p = strstr(p, name)); p += n)
		if (p > list && p[-1] == '\t' && p[n] == '\n')
			return 1;
	return 0;
}

/* A module that nothing has used since boot is in no list yet: opening the file system loads it, as a mount would. */
static int opens_filesystem(const char *name)
{
	cleanup_fd int fd = syscall(SYS_fsopen, name, 1 /* FSOPEN_CLOEXEC */);
	return fd >= 0;
}

int facts_probe(struct host_facts *ret, struct error *e)
{
	struct host_facts f = {0};
	struct utsname u;
	if (uname(&u))
		return error_sys(e, errno, "probe the host", "uname");
	FORMAT(f.kernel, "%s", u.release);
	if (!find_cgroup2(&f)) {
		char path[300];
		cleanup_free char *text = NULL;
		FORMAT(path, "%s/cgroup.controllers", f.cgroup_mount);
		if (read_file_at(AT_FDCWD, path, sizeof f.controllers - 1, &text, NULL) >= 0)
			FORMAT(f.controllers, "%.*s", (int)strcspn(text, "\n"), text);
	}
	probe_rlimits(&f);
	f.time_namespace = !access("/proc/self/ns/time_for_children", F_OK);
	f.user_namespace = !access("/proc/self/ns/user", F_OK);
	/* An empty program is EFAULT or EINVAL where seccomp is there, and ENOSYS where it is not. */
	unsigned action = SECCOMP_RET_ERRNO;
	f.seccomp = !syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
	/* Too short a structure: EINVAL where clone3 is known (5.7 has INTO_CGROUP, and 5.12 id-mapped mounts besides).
	 */
	f.clone_into_cgroup = syscall(SYS_clone3, NULL, 0) < 0 && errno != ENOSYS;
	cleanup_free char *list = NULL;
	if (read_file_at(AT_FDCWD, "/proc/filesystems", 65536, &list, NULL) >= 0) {
		f.overlay = has_filesystem(list, "overlay") || opens_filesystem("overlay");
		f.mqueue = has_filesystem(list, "mqueue");
	}
	*ret = f;
	return 0;
}
