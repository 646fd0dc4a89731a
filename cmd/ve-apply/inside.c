/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is done in the VE. First what may need root of the host (raising a hard limit), then, as root of the VE, in an
 * order in which what can be refused comes before what cannot be taken back: lowering a hard limit is last. Whatever
 * fails, what was done before it is undone.
 */
#include "cmd/ve-apply/apply.h"

#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "cmd/ve-supervisor/sys.h"

/* What a change found, for taking it back. */
static struct found {
	int done;
	struct rlimit limit;
	char text[APPLY_VALUE_MAX];
} found[APPLY_CHANGES_MAX];

enum { BENEATH = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH };

/* As sysctl(8) has it: a slash in a name stands for a dot, as in the name of an interface. */
int sysctl_path(const char *name, char buf[APPLY_NAME_MAX])
{
	size_t n = strlen(name);

	if (n >= APPLY_NAME_MAX)
		return -ENAMETOOLONG;
	for (size_t i = 0; i <= n; i++)
		buf[i] = name[i] == '.' ? '/' : name[i] == '/' ? '.' : name[i];
	return 0;
}

int sysctl_get(int sysctls, const char *name, char buf[APPLY_VALUE_MAX])
{
	char path[APPLY_NAME_MAX];
	int r = sysctl_path(name, path), fd = r ? -1 : sys_openat2(sysctls, path, O_RDONLY, 0, BENEATH);
	ssize_t n;

	if (fd < 0)
		return r ? r : -errno;
	n = read(fd, buf, APPLY_VALUE_MAX - 1);
	r = n < 0 ? -errno : n == APPLY_VALUE_MAX - 1 ? -E2BIG : 0;
	close(fd);
	if (r)
		return r;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return 0;
}

static int sysctl_set(int sysctls, const char *name, const char *value)
{
	char path[APPLY_NAME_MAX];
	int r = sysctl_path(name, path), fd = r ? -1 : sys_openat2(sysctls, path, O_WRONLY, 0, BENEATH);

	if (fd < 0)
		return r ? r : -errno;
	r = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* In the VE's pid namespace init is 1, and whoever asks for 1 there has gone with it when it ends. */
static int limit_of_init(const struct apply_change *c, const struct rlimit *new, struct rlimit *old)
{
	return prlimit(1, (int)c->resource, new, old) < 0 ? -errno : 0;
}

static int set_limit(const struct apply_change *c, struct found *f)
{
	struct rlimit want = {(rlim_t)c->soft, (rlim_t)c->hard};

	return limit_of_init(c, &want, &f->limit);
}

static int set_sysctl(const struct apply *a, const struct change *c, struct found *f)
{
	int r = sysctl_get(a->sysctls, c->name, f->text);

	if (!c->value) /* unset, and no default is known: only where there is nothing to put back */
		return r == -ENOENT ? 0 : r ? r : -ENOENT;
	f->done = !r;
	return r ? r : sysctl_set(a->sysctls, c->name, c->value);
}

static int set_hostname(const struct change *c, struct found *f)
{
	struct utsname u;

	if (uname(&u) < 0)
		return -errno;
	memcpy(f->text, u.nodename, sizeof(u.nodename));
	f->done = 1;
	return sethostname(c->value, strlen(c->value)) < 0 ? -errno : 0;
}

/* A link of the guest's leads nowhere but into the VE, and not to a file that we have open; a FIFO keeps nobody. */
static int write_etc_hostname(const char *name)
{
	char text[APPLY_VALUE_MAX + 1], old[APPLY_VALUE_MAX + 2];
	size_t size = strlen(name) + 1;
	struct stat st;
	ssize_t n;
	int r = 0, fd = sys_openat2(AT_FDCWD, "/etc/hostname", O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644,
			   RESOLVE_NO_MAGICLINKS);

	if (fd < 0)
		return -errno;
	memcpy(text, name, size - 1);
	text[size - 1] = '\n';
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		r = -EINVAL;
	} else {
		n = pread(fd, old, sizeof(old), 0);
		/* written before it is cut: where there is no room the old name stays */
		if ((n != (ssize_t)size || memcmp(old, text, size) != 0) &&
			(pwrite(fd, text, size, 0) != (ssize_t)size || ftruncate(fd, (off_t)size) < 0))
			r = errno ? -errno : -EIO;
	}
	close(fd);
	return r;
}

static void take_back(const struct apply *a)
{
	for (int i = a->nchanges - 1; i >= 0; i--) {
		const struct change *c = &a->change[i];

		if (!found[i].done)
			continue;
		switch (c->asked->kind) {
		case APPLY_RLIMIT:
			limit_of_init(c->asked, &found[i].limit, NULL);
			break;
		case APPLY_SYSCTL:
			sysctl_set(a->sysctls, c->name, found[i].text);
			break;
		case APPLY_HOSTNAME:
			sethostname(found[i].text, strlen(found[i].text));
			break;
		}
	}
}

static _Noreturn void finish(struct apply *a, int r, int change)
{
	if (r)
		take_back(a);
	a->report.err = -r;
	a->report.change = r ? change : APPLY_NONE;
	a->reported = 1;
	_exit(0);
}

static int is_raise(const struct apply_change *c, int *ret)
{
	struct rlimit now;
	int r = limit_of_init(c, NULL, &now);

	*ret = (rlim_t)c->hard > now.rlim_max; /* RLIM_INFINITY is the greatest */
	return r;
}

/* Raises, or all that is left. Without CAP_SYS_RESOURCE root of the host may not even look (EPERM). */
static void limits(struct apply *a, int as_host, int raises)
{
	for (int i = 0; i < a->nchanges; i++) {
		const struct apply_change *c = a->change[i].asked;
		int raise, r;

		if (c->kind != APPLY_RLIMIT || found[i].done)
			continue;
		r = is_raise(c, &raise);
		if (!r && raises && !raise)
			continue;
		if (!r)
			r = set_limit(c, &found[i]);
		if (r && !(as_host && r == -EPERM))
			finish(a, r, i);
		found[i].done = !r;
	}
}

/* All of what an ordinary process of the VE's root has; its root folder, too, is the VE's from here on. */
static int enter(const struct apply *a)
{
	const int namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	if (setns(AFD_INIT, a->privileged ? namespaces : namespaces | CLONE_NEWUSER) < 0)
		return -errno;
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
		syscall(SYS_setresuid, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	return 0;
}

static void settings(struct apply *a)
{
	for (int i = 0; i < a->nchanges; i++) {
		const struct change *c = &a->change[i];
		int r = 0;

		if (c->asked->kind == APPLY_SYSCTL)
			r = set_sysctl(a, c, &found[i]);
		else if (c->asked->kind == APPLY_HOSTNAME)
			r = set_hostname(c, &found[i]);
		if (r)
			finish(a, r, i);
	}
	/* Cannot be taken back in every case, so: when all of those are done. */
	for (int i = 0; i < a->nchanges; i++) {
		int r = a->change[i].asked->kind == APPLY_ETC_HOSTNAME ? write_etc_hostname(a->change[i].value) : 0;

		if (r)
			finish(a, r, i);
	}
}

_Noreturn void apply_inside(struct apply *a)
{
	int r;

	limits(a, 1, 1);
	r = enter(a);
	if (r)
		finish(a, r, APPLY_NONE);
	limits(a, 0, 1);
	settings(a);
	limits(a, 0, 0);
	finish(a, 0, APPLY_NONE);
}
