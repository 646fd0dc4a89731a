/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /run/host, the host's side of the container interface (systemd's CONTAINER_INTERFACE): who manages the VE, the socket
 * that its init reports to, what a service's forbidden paths are covered with, and a way in and a way out for root of
 * the host. Made once by the keeper in its minimal root, shown by each boot's init.
 */
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cmd/ve-supervisor/keeper.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"

static char release[8192];
static size_t release_size;

/* Read while the host's root is in sight. A host that has none is a host all the same. */
int host_release(const char *path, const char *other)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		fd = open(other, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, release, sizeof release);
	close(fd);
	if (n > 0 && (size_t)n < sizeof release)
		release_size = n;
	return 0;
}

static int put_file(const char *path, const char *text, size_t size, uint32_t owner)
{
	int fd = TRY(path, open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444));
	TRY(path, write(fd, text, size));
	TRY(path, fchown(fd, owner, owner));
	close(fd);
	return 0;
}

static int put_line(const char *path, const char *text, uint32_t owner)
{
	char line[128];
	struct text t = {line, line + sizeof line};
	text_add(&t, text);
	text_add(&t, "\n");
	return put_file(path, line, t.at - line, owner);
}

static int notify_socket(uint32_t base, int *ret)
{
	int on = 1, s = TRY("notify socket", socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = MIN_HOST "/notify"};
	TRY(a.sun_path, bind(s, (struct sockaddr *)&a, sizeof a));
	TRY(a.sun_path, chmod(a.sun_path, 0666));
	TRY(a.sun_path, chown(a.sun_path, base, base));
	TRY("SO_PASSCRED", setsockopt(s, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	*ret = s;
	return 0;
}

/* Device nodes too, which the VE's root could not make: what covers a node has to be one. */
static int inaccessible(uint32_t base)
{
	static const struct {
		const char *path;
		mode_t type;
	} nodes[] = {
		{MIN_HOST "/inaccessible", S_IFDIR | 0755},
		{MIN_HOST "/inaccessible/dir", S_IFDIR},
		{MIN_HOST "/inaccessible/reg", S_IFREG},
		{MIN_HOST "/inaccessible/fifo", S_IFIFO},
		{MIN_HOST "/inaccessible/sock", S_IFSOCK},
		{MIN_HOST "/inaccessible/chr", S_IFCHR},
		{MIN_HOST "/inaccessible/blk", S_IFBLK},
	};
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
		const char *path = nodes[i].path;
		TRY(path, S_ISDIR(nodes[i].type) ? mkdir(path, nodes[i].type & 07777) : mknod(path, nodes[i].type, 0));
		TRY(path, chown(path, base, base));
	}
	return 0;
}

/* A mount on the folder itself: shared, so that what root of the host mounts in it later reaches each boot's copy. */
static int incoming(void)
{
	static const char path[] = MIN_HOST "/incoming";
	int t = TRY(path, sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	struct mount_attr a = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, .attr_clr = MOUNT_ATTR_RDONLY};
	TRY(path, sys_mount_setattr(t, "", AT_EMPTY_PATH, &a));
	TRY(path, sys_move_mount(t, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
	close(t);
	TRY(path, sys_mount(NULL, path, NULL, MS_SHARED, NULL));
	return 0;
}

/* What the guest puts there (sockets) is root's of the host to connect to: a link there would lead through the host. */
static int unix_export(uint32_t base)
{
	static const char path[] = MIN_HOST "/unix-export";
	char id[24];
	struct text t = {id, id + sizeof id};
	text_number(&t, base);
	const char *options[][2] = {
		{"mode", "755"}, {"size", "64k"}, {"nr_inodes", "32"}, {"uid", id}, {"gid", id}, {NULL, NULL}};
	int m = -1, r = mount_fs("tmpfs", options,
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW, &m);
	if (r)
		return r;
	TRY(path, sys_move_mount(m, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
	close(m);
	return 0;
}

int run_host(const char *manager, const char *uuid, uint32_t base, int credentials, int *ret_notify)
{
	int r;
	if ((r = put_line(MIN_HOST "/container-manager", manager, base)) ||
		(r = put_line(MIN_HOST "/container-uuid", uuid, base)) ||
		(release_size && (r = put_file(MIN_HOST "/os-release", release, release_size, base))) ||
		(r = notify_socket(base, ret_notify)) || (r = inaccessible(base)))
		return r;
	/* `incoming` stays root's of the host, whom the VE's root may not stand in for. */
	TRY("incoming", mkdir(MIN_HOST "/incoming", 0755));
	TRY("incoming", chown(MIN_HOST "/incoming", 0, 0));
	TRY("unix-export", mkdir(MIN_HOST "/unix-export", 0755));
	TRY("unix-export", chown(MIN_HOST "/unix-export", base, base));
	if (credentials) /* attached there once there is a user namespace to map them */
		TRY("credentials", mkdir(MIN_HOST "/credentials", 0500));
	TRY(MIN_HOST, chown(MIN_HOST, base, base));
	/* Read-only here: mount flags that a less privileged mount namespace inherits are locked in it. */
	int t = TRY(MIN_HOST, sys_open_tree(AT_FDCWD, MIN_HOST, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	struct mount_attr ro = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	TRY(MIN_HOST, sys_mount_setattr(t, "", AT_EMPTY_PATH, &ro));
	TRY(MIN_HOST, sys_move_mount(t, "", AT_FDCWD, MIN_HOST, MOVE_MOUNT_F_EMPTY_PATH));
	close(t);
	return (r = incoming()) ? r : unix_export(base);
}
