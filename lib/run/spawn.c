/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base/util.h"
#include "lib/run/spawn.h"

enum { STACK = 64 * 1024, MAX_FDS = 64 };

struct child {
	const char *path;
	const char *const *argv;
	int fd[MAX_FDS];
	int nfds, cgroup;
	int folder;       /* path is the name of a file in it; -1: path is absolute */
	void *stack;      /* two, one for each generation */
	volatile int err; /* seen by the parent: the memory is shared */
};

/* On another stack than the sanitizers know, and in memory that the caller still uses: plain code and system calls. */
#define ON_FOREIGN_STACK __attribute__((noinline, no_sanitize("address", "undefined")))

/* Runs on a stack of its own in the caller's memory while the caller waits: system calls alone, no allocation. */
ON_FOREIGN_STACK static void child_main(struct child *c)
{
	/* First above all targets, so that no target is a source that is still wanted. */
	if (c->folder >= 0 && (c->folder = syscall(SYS_fcntl, c->folder, F_DUPFD_CLOEXEC, c->nfds)) < 0)
		goto failed;
	for (int i = 0; i < c->nfds; i++)
		if (c->fd[i] >= 0 && (c->fd[i] = syscall(SYS_fcntl, c->fd[i], F_DUPFD_CLOEXEC, c->nfds)) < 0)
			goto failed;
	for (int i = 0; i < c->nfds; i++) {
		if (c->fd[i] < 0)
			syscall(SYS_close, i);
		else if (syscall(SYS_dup3, c->fd[i], i, 0) < 0)
			goto failed;
	}
	if (syscall(SYS_close_range, c->nfds, ~0u, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		goto failed;
	static char *const no_environment[] = {NULL};
	if (c->folder >= 0)
		syscall(SYS_execveat, c->folder, c->path, c->argv, no_environment, 0);
	else
		syscall(SYS_execve, c->path, c->argv, no_environment);
failed:
	c->err = errno;
	syscall(SYS_exit_group, 127);
}

/* clone3 by hand, since libc has none: fn runs on the new stack. Returns the pid, or a negative errno. */
#if defined(__x86_64__)
ON_FOREIGN_STACK static long clone_onto(struct clone_args *a, void (*fn)(struct child *), struct child *arg)
{
	register long r __asm__("rax") = SYS_clone3;
	register void *f __asm__("r12") = (void *)fn;
	register void *p __asm__("r13") = arg;
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "hlt\n"
			 "1:"
			 : "+r"(r)
			 : "D"(a), "S"(sizeof *a), "r"(f), "r"(p)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
ON_FOREIGN_STACK static long clone_onto(struct clone_args *a, void (*fn)(struct child *), struct child *arg)
{
	register long nr __asm__("x8") = SYS_clone3;
	register long r __asm__("x0") = (long)a;
	register long size __asm__("x1") = sizeof *a;
	register void *f __asm__("x20") = (void *)fn;
	register void *p __asm__("x21") = arg;
	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, x21\n\t"
			 "blr x20\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(r)
			 : "r"(nr), "r"(size), "r"(f), "r"(p)
			 : "x30", "memory");
	return r;
}
#else
#error "clone3 onto a stack is not written for this architecture yet"
#endif

ON_FOREIGN_STACK static long vfork_onto(void *stack, int cgroup, void (*fn)(struct child *), struct child *c)
{
	struct clone_args a = {
		/* Without CLONE_FILES each child's table is a copy, so its dup3 calls are not the caller's. */
		.flags = CLONE_VM | CLONE_VFORK | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.stack = (uintptr_t)stack,
		.stack_size = STACK,
		.cgroup = cgroup >= 0 ? cgroup : 0,
	};
	return clone_onto(&a, fn, c);
}

/* Its end makes the program an orphan; it is what the caller reaps. */
ON_FOREIGN_STACK static void intermediate_main(struct child *c)
{
	long r = vfork_onto((char *)c->stack + STACK, c->cgroup, child_main, c);
	if (r < 0)
		c->err = (int)-r;
	syscall(SYS_exit_group, 0);
}

static int spawn(int cgroup, int folder, const char *path, const char *const *argv, const int *fds, int nfds)
{
	struct child c = {.path = path, .argv = argv, .nfds = nfds, .cgroup = cgroup, .folder = folder};
	if (nfds > MAX_FDS)
		return -E2BIG;
	for (int i = 0; i < nfds; i++)
		c.fd[i] = fds[i];
	c.stack = mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (c.stack == MAP_FAILED)
		return -errno;
	/* A handler of the caller's must not run in a child, in memory that both share. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	long pid = vfork_onto(c.stack, -1, intermediate_main, &c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(c.stack, 2 * STACK);
	if (pid < 0)
		return (int)pid;
	waitpid((pid_t)pid, NULL, __WALL);
	return -c.err;
}

int spawn_detached(int cgroup, const char *path, const char *const *argv, const int *fds, int nfds)
{
	return spawn(cgroup, -1, path, argv, fds, nfds);
}

int spawn_detached_read_only(int cgroup, const char *path, const char *const *argv, const int *fds, int nfds)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	char folder[PATH_MAX];
	const char *name = strrchr(path, '/');
	if (!name || FORMAT(folder, "%.*s", (int)(name - path), path) < 0)
		return -EINVAL;
	cleanup_fd int tree = syscall(SYS_open_tree, AT_FDCWD, folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &read_only, sizeof read_only))
		return -errno;
	return spawn(cgroup, tree, name + 1, argv, fds, nfds);
}
