/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "cmd/ve-supervisor/keeper.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"

int mount_fs(const char *type, const char *options[][2], unsigned attr, int *ret)
{
	int fs = TRY(type, sys_fsopen(type));
	for (int i = 0; options && options[i][0]; i++)
		TRY(options[i][0], sys_fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0));
	TRY(type, sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	*ret = TRY(type, sys_fsmount(fs, attr));
	close(fs);
	return 0;
}

static int mount_on(const char *type, unsigned attr, const char *at)
{
	int m = -1, r = mount_fs(type, NULL, attr, &m);
	if (r)
		return r;
	TRY(at, sys_move_mount(m, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH));
	close(m);
	return 0;
}

/*
 * A root of our own with nothing of the host's mount table: a copy of that would pin the host's file systems for as
 * long as the VE runs. proc and sysfs are here because a user namespace may mount its own only where it sees whole
 * ones.
 */
int private_mounts(uint32_t base)
{
	const char *options[][2] = {{"mode", "755"}, {"size", "256k"}, {"nr_inodes", "512"}, {NULL, NULL}};
	int m = -1, r;
	TRY("mount namespace", unshare(CLONE_NEWNS));
	TRY("private propagation", sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if ((r = mount_fs("tmpfs", options, MOUNT_ATTR_NOSUID, &m)))
		return r;
	TRY("minimal root", sys_move_mount(m, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
	TRY("minimal root", fchdir(m));
	close(m);
	TRY("pivot_root", sys_pivot_root(".", "."));
	TRY("the host's mounts", sys_umount2(".", MNT_DETACH));
	TRY("/", chdir("/"));
	const char *folders[] = {
		MIN_LOWER, MIN_UPPER, MIN_ROOT, MIN_HOST, MIN_MOUNTS, MIN_FIRST, "/proc", "/sys", "/dev"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		TRY(folders[i], mkdir(folders[i], 0755));
#define X(name, major, minor, group)                                                                                   \
	TRY("/dev/" name, mknod("/dev/" name, S_IFCHR | 0666, makedev(major, minor)));                                 \
	TRY("/dev/" name, chown("/dev/" name, base, base + (group)));
	DEVICES(X)
#undef X
	const unsigned nothing = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	if ((r = mount_on("proc", nothing, "/proc")))
		return r;
	return mount_on("sysfs", nothing | MOUNT_ATTR_RDONLY, "/sys");
}

/*
 * The user namespace is born with the first boot's entrant, which waits for its word before it does anything there: the
 * maps have to be written, and the layers attached, by the one who still has capabilities on the host. With `network`
 * the network namespace is born there too, so that the links can be made while the rest goes on.
 */
int user_namespace(uint32_t base, uint32_t count, int network, struct boot *b, pid_t *ret_entrant)
{
	char path[40], map[48];
	struct clone_args a = {.flags = CLONE_NEWUSER | (network ? CLONE_NEWNET : 0), .exit_signal = SIGCHLD};
	pid_t pid = TRY("user namespace", sys_clone3(&a));
	if (!pid)
		entrant(b);
	struct text t = {path, path + sizeof path}, m = {map, map + sizeof map};
	text_add(&t, "/proc/");
	text_number(&t, pid);
	int proc = TRY("/proc of the new user namespace", open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	text_add(&m, "0 ");
	text_number(&m, base);
	text_add(&m, " ");
	text_number(&m, count);
	text_add(&m, "\n");
	TRY("uid_map", write_at(proc, "uid_map", map));
	TRY("gid_map", write_at(proc, "gid_map", map));
	b->userns = TRY("ns/user", openat(proc, "ns/user", O_RDONLY | O_CLOEXEC));
	if (network)
		b->netns = TRY("ns/net", openat(proc, "ns/net", O_RDONLY | O_CLOEXEC));
	close(proc);
	*ret_entrant = pid;
	return 0;
}

int attach_layer(int tree, int userns, const char *at, int read_only)
{
	struct mount_attr a = {
		/* On disk ids are the VE's own, which without a user namespace are those of the host. */
		.attr_set =
			(userns < 0 ? 0 : MOUNT_ATTR_IDMAP) | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0),
		.userns_fd = userns < 0 ? 0 : userns,
	};
	TRY(at, sys_mount_setattr(tree, "", AT_EMPTY_PATH, &a));
	TRY(at, sys_move_mount(tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH));
	close(tree);
	return 0;
}

/* Depth first; bounded, since the guest chose the depth (cgroup.max.depth bounds it too). */
int remove_cgroup_tree(int dir, const char *name, int depth)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	char buf[4096];
	long n;
	while (depth < 32 && (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0)
		for (long at = 0; at < n;) {
			struct {
				uint64_t ino, off;
				unsigned short len;
				unsigned char type;
				char name[];
			} *e = (void *)(buf + at);
			at += e->len;
			if (e->type == DT_DIR && strcmp(e->name, ".") && strcmp(e->name, ".."))
				remove_cgroup_tree(fd, e->name, depth + 1);
		}
	close(fd);
	return unlinkat(dir, name, AT_REMOVEDIR) ? -errno : 0;
}
