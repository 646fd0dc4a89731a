/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces, layers, seccomp and cgroups, each tried the way a start of a VE does it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/ve-probe/probe.h"

#define TRY(call)                                                                                                      \
	({                                                                                                             \
		long r_ = (call);                                                                                      \
		if (r_ < 0)                                                                                            \
			return -errno;                                                                                 \
		(int)r_;                                                                                               \
	})

/* Far from what distributions and vectl's own pool hand out; nothing with these ids outlives the probe. */
#define MAP "0 1610612736 65536\n"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int write_map(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
	int r = write_file(path, MAP);
	snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
	return r ? r : write_file(path, MAP);
}

static pid_t clone_child(uint64_t flags, int cgroup)
{
	struct clone_args a = {.flags = flags, .exit_signal = SIGCHLD, .cgroup = cgroup};
	return (pid_t)syscall(SYS_clone3, &a, sizeof a);
}

pid_t probe_in_userns(int (*fn)(const struct ground *g), const struct ground *g, int *ret_go, int *ret_userns)
{
	int pipe_fds[2];
	char path[64], c;
	if (pipe2(pipe_fds, O_CLOEXEC))
		return -errno;
	pid_t pid = clone_child(CLONE_NEWUSER, 0);
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(pipe_fds[1]);
		if (read(pipe_fds[0], &c, 1) < 0 || setresgid(0, 0, 0) || setresuid(0, 0, 0))
			_exit(errno);
		_exit(-fn(g) & 0xff);
	}
	close(pipe_fds[0]);
	int r = write_map(pid);
	snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
	int ns = r ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0) {
		r = r ? r : -errno;
		kill(pid, SIGKILL);
		probe_end(pid);
		return r;
	}
	*ret_go = pipe_fds[1];
	*ret_userns = ns;
	return pid;
}

static int in_userns(int (*fn)(const struct ground *g), const struct ground *g)
{
	int go, ns;
	pid_t pid = probe_in_userns(fn, g, &go, &ns);
	if (pid < 0)
		return pid;
	close(go);
	return probe_end(pid);
}

static int nothing(const struct ground *g)
{
	return getuid() == 0 ? 0 : -EPERM;
}

int probe_user_namespace(const struct ground *g)
{
	return in_userns(nothing, g);
}

static int nested(const struct ground *g)
{
	TRY(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	return 0;
}

int probe_nested_user_namespace(const struct ground *g)
{
	return in_userns(nested, g);
}

static int all_namespaces(const struct ground *g)
{
	TRY(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP));
	return 0;
}

int probe_namespaces(const struct ground *g)
{
	return in_userns(all_namespaces, g);
}

static int time_namespace(const struct ground *g)
{
	TRY(unshare(CLONE_NEWTIME));
	return 0;
}

int probe_time_namespace(const struct ground *g)
{
	return in_userns(time_namespace, g);
}

/* ---- layers */

static int attach(const char *from, const char *to, int userns)
{
	struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV, .userns_fd = userns};
	int tree = TRY(syscall(SYS_open_tree, AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	TRY(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &a, sizeof a));
	TRY(syscall(SYS_move_mount, tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH));
	return 0;
}

static int make_layers(const struct ground *g)
{
	static const char *const folders[] = {"lower", "layers", "layers/upper", "layers/work", "l", "u"};
	if (!*g->folder)
		return -EACCES;
	TRY(chdir(g->folder));
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (mkdir(folders[i], 0755) && errno != EEXIST)
			return -errno;
	TRY(unshare(CLONE_NEWNS));
	TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	return 0;
}

int probe_idmap(const struct ground *g)
{
	int go, ns, r = make_layers(g);
	pid_t pid = r ? r : probe_in_userns(nothing, g, &go, &ns);
	if (pid < 0)
		return pid;
	r = attach("layers", "u", ns);
	close(go);
	probe_end(pid);
	return r;
}

/* Inside the VE's user namespace, over id-mapped layers of the disks' file system; writable in fact. */
static int overlay(const struct ground *g)
{
	struct statvfs st;
	TRY(unshare(CLONE_NEWNS));
	int fs = TRY(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC));
	const char *option[][2] = {{"lowerdir", "l"}, {"upperdir", "u/upper"}, {"workdir", "u/work"}};
	TRY(syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0));
	for (size_t i = 0; i < sizeof option / sizeof *option; i++)
		TRY(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, option[i][0], option[i][1], 0));
	TRY(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	int root = TRY(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0));
	TRY(fstatvfs(root, &st));
	if (st.f_flag & ST_RDONLY)
		return -EROFS;
	close(TRY(openat(root, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	return 0;
}

int probe_overlay(const struct ground *g)
{
	int go, ns, r = make_layers(g);
	pid_t pid = r ? r : probe_in_userns(overlay, g, &go, &ns);
	if (pid < 0)
		return pid;
	if ((r = attach("lower", "l", ns)) || (r = attach("layers", "u", ns))) {
		kill(pid, SIGKILL);
		probe_end(pid);
		return r;
	}
	close(go);
	return probe_end(pid);
}

/* ---- seccomp */

static int filter(unsigned action, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0 /* the call's number */),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	return TRY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

int probe_seccomp(const struct ground *g)
{
	int r = filter(SECCOMP_RET_ERRNO | EXDEV, 0);
	if (r < 0)
		return r;
	return syscall(SYS_getpriority, 0, 0) < 0 && errno == EXDEV ? 0 : -ENOSYS;
}

int probe_seccomp_notify(const struct ground *g)
{
	int r = filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	return r < 0 ? r : 0;
}

/* ---- cgroups */

static int in_cgroup(const struct ground *g, const char *file)
{
	char path[PATH_MAX];
	if (!*g->cgroup)
		return -ENOENT;
	snprintf(path, sizeof path, "%s/%s", g->cgroup, file);
	return TRY(open(path, O_WRONLY | O_CLOEXEC));
}

static int open_cgroup(const struct ground *g)
{
	return *g->cgroup ? TRY(open(g->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : -ENOENT;
}

int probe_clone_into_cgroup(const struct ground *g)
{
	int fd = open_cgroup(g);
	if (fd < 0)
		return fd;
	pid_t pid = clone_child(CLONE_INTO_CGROUP, fd);
	if (!pid)
		_exit(0);
	return pid < 0 ? -errno : probe_end(pid);
}

int probe_cgroup_freeze(const struct ground *g)
{
	int fd = in_cgroup(g, "cgroup.freeze");
	if (fd < 0)
		return fd;
	TRY(write(fd, "1", 1));
	TRY(write(fd, "0", 1));
	return 0;
}

int probe_cgroup_kill(const struct ground *g)
{
	int fd = in_cgroup(g, "cgroup.kill");
	if (fd < 0)
		return fd;
	TRY(write(fd, "1", 1));
	return 0;
}

/* A device program that allows everything, put on the probe's own cgroup. */
int probe_cgroup_bpf(const struct ground *g)
{
	static const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uint64_t)(uintptr_t)code,
		.insn_cnt = sizeof code / sizeof *code,
		.license = (uint64_t)(uintptr_t) "GPL"};
	int cgroup = open_cgroup(g);
	if (cgroup < 0)
		return cgroup;
	int program = TRY(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
	union bpf_attr on = {
		.target_fd = (unsigned)cgroup, .attach_bpf_fd = (unsigned)program, .attach_type = BPF_CGROUP_DEVICE};
	TRY(syscall(SYS_bpf, BPF_PROG_ATTACH, &on, sizeof on));
	return 0; /* it goes with the cgroup */
}
