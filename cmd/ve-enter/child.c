/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cmd/ve-enter/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/ve-enter/account.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What the command runs as. */
struct identity {
	struct account account;
	int ngroups;
	gid_t groups[ACCOUNT_GROUPS_MAX];
};

/*
 * The cgroup namespace is entered here and not with the others: on a cgroup2 mounted with nsdelegate (every systemd
 * host) CLONE_INTO_CGROUP is ENOENT for whom the target lies in its cgroup namespace and its own cgroup does not.
 */
static void leave_host(void)
{
	if (setns(EFD_INIT, CLONE_NEWCGROUP) < 0)
		enter_fail(ENTER_SETNS, errno);
	/* Before any path of the guest's is followed: the leaf is a folder of the host's (CVE-2024-21626). */
	if (syscall(SYS_close_range, EFD_PLAN, EFD_CONTROL, 0) < 0 || syscall(SYS_close_range, EFD_END, ~0U, 0) < 0)
		enter_fail(ENTER_SETNS, errno);
	if (setsid() < 0)
		enter_fail(ENTER_SESSION, errno);
}

static void become(enum enter_step step, uint32_t uid, uint32_t gid, int ngroups, const gid_t *groups)
{
	/* raw: the wrappers look for other threads to tell */
	if (syscall(SYS_setgroups, ngroups, groups) < 0 || syscall(SYS_setresgid, gid, gid, gid) < 0 ||
		syscall(SYS_setresuid, uid, uid, uid) < 0)
		enter_fail(step, errno);
	prctl(PR_SET_DUMPABLE, 0); /* new credentials may have set it to fs.suid_dumpable */
}

static void limit_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	/* Bits of the caller's would change what a setuid program inside does. Locked ones are refused. */
	if (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != SECUREBITS_DEFAULT &&
		prctl(PR_SET_SECUREBITS, SECUREBITS_DEFAULT, 0, 0, 0) < 0)
		enter_fail(ENTER_BOUNDING_SET, errno);
	for (int cap = 0; cap < 64; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break; /* past the kernel's last */
			enter_fail(ENTER_BOUNDING_SET, errno);
		}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		enter_fail(ENTER_BOUNDING_SET, errno);
	/* Entering a user namespace has emptied the inheritable set; where there is none the caller's came along. */
	if (syscall(SYS_capget, &h, d) < 0)
		enter_fail(ENTER_BOUNDING_SET, errno);
	d[0].inheritable = d[1].inheritable = 0;
	if (syscall(SYS_capset, &h, d) < 0)
		enter_fail(ENTER_BOUNDING_SET, errno);
}

/* A file of the guest's: anything may be there. NULL with errno; the process never frees it. */
static char *read_guest_file(const char *path, size_t *ret_size)
{
	enum { LIMIT = 4 << 20 };
	struct open_how how = {.flags = O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	struct stat st;
	size_t size = 0;
	char *text = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0)
		goto failed;
	errno = !S_ISREG(st.st_mode) ? EINVAL : st.st_size > LIMIT ? EFBIG : 0;
	if (errno)
		goto failed;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		goto failed;
	while (size < (size_t)st.st_size) {
		ssize_t n = read(fd, text + size, (size_t)st.st_size - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto failed;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	close(fd);
	*ret_size = size;
	return text;
failed:
	close(fd);
	return NULL;
}

/* Without a user it is the VE's root whatever its passwd says, with no groups, as its init is. */
static void find_user(const struct enter *e, struct identity *ret)
{
	const char *user = e->user ? e->user : "0";
	size_t size = 0;
	char *text = read_guest_file("/etc/passwd", &size);
	int r = text ? account_find(text, size, user, &ret->account) : -errno;

	if (r < 0 && e->user && strcmp(e->user, "root") != 0 && strcmp(e->user, "0") != 0)
		enter_fail(r == -ENOENT ? ENTER_USER_UNKNOWN : ENTER_USER, -r);
	if (r == -EINVAL && e->user)
		enter_fail(ENTER_USER, EINVAL);
	if (r < 0)
		ret->account = (struct account){.name = "root", .home = "/root", .shell = "/bin/sh"};
	if (!e->user)
		ret->account.gid = 0;
	if (!e->user && !(e->request->flags & ENTER_LOGIN))
		return;
	text = read_guest_file("/etc/group", &size);
	if (!text && errno != ENOENT)
		enter_fail(ENTER_GROUPS, errno);
	r = account_groups(text, text ? size : 0, ret->account.name, ret->account.gid, ret->groups);
	if (r < 0)
		enter_fail(ENTER_GROUPS, -r);
	ret->ngroups = r;
}

static void load_seccomp(const struct enter *e)
{
	struct sock_fprog program = {
		.len = (unsigned short)(e->seccomp_size / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)e->seccomp,
	};

	/* With CAP_SYS_ADMIN in the VE and no no_new_privs, which would break su and sudo. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		enter_fail(ENTER_SECCOMP, errno);
}

static int change_folder(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)), r;

	if (fd < 0)
		return -errno;
	r = fchdir(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static const char *get_env(char *const *env, const char *key)
{
	size_t n = strlen(key);

	for (; *env; env++)
		if (strncmp(*env, key, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

/* The defaults that were not given, then what was given. */
static char **make_env(const struct enter *e, const struct account *a)
{
	const struct {
		const char *key, *value;
		int login;
	} defaults[] = {
		{"HOME", a->home, 0},
		{"PATH", DEFAULT_PATH, 0},
		{"TERM", e->request->flags & ENTER_TTY ? "linux" : "dumb", 0},
		{"USER", a->name, 0},
		{"LOGNAME", a->name, 1},
		{"SHELL", a->shell, 1},
	};
	enum { DEFAULTS = sizeof(defaults) / sizeof(defaults[0]) };
	char **env = calloc(DEFAULTS + e->request->envc + 1, sizeof(*env));
	size_t n = 0;

	if (!env)
		enter_fail(ENTER_EXEC, ENOMEM);
	for (size_t i = 0; i < DEFAULTS; i++) {
		size_t size = strlen(defaults[i].key) + strlen(defaults[i].value) + 2;

		if ((defaults[i].login && !(e->request->flags & ENTER_LOGIN)) || get_env(e->env, defaults[i].key))
			continue;
		env[n] = malloc(size);
		if (!env[n])
			enter_fail(ENTER_EXEC, ENOMEM);
		snprintf(env[n++], size, "%s=%s", defaults[i].key, defaults[i].value);
	}
	for (size_t i = 0; e->env[i]; i++)
		env[n++] = e->env[i];
	return env;
}

/* As execvpe(), but an empty element of PATH is nothing, and a file without a format is not given to a shell. */
static int exec_by_path(char **argv, char **env)
{
	const char *path = get_env(env, "PATH");
	char file[4096];
	int seen = ENOENT;

	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, env);
		return errno;
	}
	if (!*argv[0])
		return ENOENT;
	for (path = path ? path : DEFAULT_PATH; *path; path += *path == ':') {
		size_t n = strcspn(path, ":");

		if (n > 0 && snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, argv[0]) < (int)sizeof(file)) {
			execve(file, argv, env);
			if (errno == EACCES)
				seen = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENAMETOOLONG)
				return errno;
		}
		path += n;
	}
	return seen;
}

static int exec_shell(const struct account *a, char **env)
{
	char name[ACCOUNT_FIELD_MAX + 1], *argv[] = {name, NULL};
	int err;

	snprintf(name, sizeof(name), "-%s", strrchr(a->shell, '/') + 1);
	execve(a->shell, argv, env);
	err = errno;
	if (err == ENOENT) /* removed, or not installed yet */
		execve("/bin/sh", (char *[]){"-sh", NULL}, env);
	return err;
}

_Noreturn void enter_child(const struct enter *e)
{
	static struct identity id; /* too large for a stack that is to stay small */
	char **env;
	int r;

	leave_host();
	become(ENTER_BECOME_ROOT, 0, 0, 0, NULL);
	limit_capabilities(e->caps);
	if (e->keyring && syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		enter_fail(ENTER_KEYRING, errno);
	find_user(e, &id);
	env = make_env(e, &id.account);
	if (e->request->flags & ENTER_TTY)
		enter_pty(e, id.account.uid);
	/* Before the change of user: without no_new_privs it takes CAP_SYS_ADMIN. */
	load_seccomp(e);
	if (id.account.uid || id.account.gid || id.ngroups)
		become(ENTER_BECOME_USER, id.account.uid, id.account.gid, id.ngroups, id.groups);
	r = change_folder(e->cwd ? e->cwd : id.account.home);
	if (r < 0 && (e->cwd || chdir("/") < 0))
		enter_fail(ENTER_CWD, -r);
	r = e->argv[0] ? exec_by_path(e->argv, env) : exec_shell(&id.account, env);
	enter_fail(ENTER_EXEC, r);
}
