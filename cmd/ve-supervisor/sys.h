/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that a libc of 2022 does not wrap yet, as thin functions: -1 and errno on failure. */
#ifndef VE_SUPERVISOR_SYS_H
#define VE_SUPERVISOR_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static inline int sys_open_tree(int dir, const char *path, unsigned flags)
{
	return syscall(SYS_open_tree, dir, path, flags);
}
static inline int sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
	return syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}
static inline int sys_fsopen(const char *type)
{
	return syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}
static inline int sys_fsconfig(int fs, unsigned cmd, const char *key, const void *value, int aux)
{
	return syscall(SYS_fsconfig, fs, cmd, key, value, aux);
}
static inline int sys_fsmount(int fs, unsigned attr)
{
	return syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr);
}
static inline int sys_mount_setattr(int dir, const char *path, unsigned flags, struct mount_attr *a)
{
	return syscall(SYS_mount_setattr, dir, path, flags, a, sizeof *a);
}
static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
	return syscall(SYS_pivot_root, new_root, put_old);
}
static inline int sys_mount(
	const char *what, const char *where, const char *type, unsigned long flags, const void *data)
{
	return syscall(SYS_mount, what, where, type, flags, data);
}
static inline int sys_umount2(const char *where, int flags)
{
	return syscall(SYS_umount2, where, flags);
}
static inline int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
	return syscall(SYS_openat2, dir, path, &how, sizeof how);
}
static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return syscall(SYS_close_range, first, last, flags);
}
static inline int sys_clone3(struct clone_args *a)
{
	return syscall(SYS_clone3, a, sizeof *a);
}
static inline int sys_pidfd_send_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

#endif
