/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Executing a command in a running VE: the caller's side. The rest is ve-enter's (cmd/ve-enter). */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "config.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/host/host.h"
#include "lib/plan/wire.h"
#include "lib/run/enter_wire.h"
#include "lib/run/run.h"
#include "lib/run/spawn.h"

#define TRIED       "executing in the VE"
#define LEAF_PREFIX "attach"

struct ve_process {
	int control;   /* EFD_CONTROL's other end */
	int tty;       /* the pty's master, or -1 */
	int cgroup;    /* the folder that the leaf lies in */
	char leaf[32]; /* "" once it is removed */
	int ended;     /* status is known */
	int status;
};

/* ---- what is handed over */

static int check_stdio(const struct ve_exec_options *o, struct error *e)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	const int fds[] = {o->stdin_fd, o->stdout_fd, o->stderr_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		const char *wrong = NULL;
		struct termios t;
		struct stat st;
		int flags = fcntl(fds[i], F_GETFL);

		if (flags < 0 || fstat(fds[i], &st) < 0)
			return error_sys(e, errno, TRIED, names[i]);
		/* A folder or O_PATH fd is a way out of the VE (CVE-2024-21626), a terminal one into it (TIOCSTI,
		 * CVE-2016-10124). */
		if (flags & O_PATH)
			wrong = "is an O_PATH descriptor";
		else if (S_ISDIR(st.st_mode))
			wrong = "is a folder";
		else if (S_ISBLK(st.st_mode))
			wrong = "is a block device";
		else if (S_ISCHR(st.st_mode) && tcgetattr(fds[i], &t) == 0)
			wrong = "is a terminal";
		if (wrong)
			return error_set(e, VE_E_USAGE, EINVAL, TRIED, "redirect it to a file or a pipe", "%s %s",
				names[i], wrong);
	}
	return 0;
}

static size_t count_strings(const char *const *list, size_t *total)
{
	size_t n = 0;

	for (; list && list[n]; n++)
		*total += strlen(list[n]) + 1;
	return n;
}

static uint32_t put_string(char *to, size_t *at, const char *s)
{
	size_t n = strlen(s) + 1, offset = *at;

	memcpy(to + offset, s, n);
	*at += n;
	return (uint32_t)offset;
}

static uint32_t put_strings(char *to, size_t *at, const char *const *list)
{
	uint32_t first = (uint32_t)*at;

	for (size_t i = 0; list && list[i]; i++)
		put_string(to, at, list[i]);
	return first;
}

static int check_request(const struct ve_exec_options *o, struct error *e)
{
	if (o->flags & ~(VE_EXEC_TTY | VE_EXEC_LOGIN))
		return error_set(e, VE_E_USAGE, EINVAL, TRIED, "give it VE_EXEC_TTY, VE_EXEC_LOGIN or both",
			"unknown flags 0x%x", o->flags);
	if ((!o->argv || !o->argv[0]) && !(o->flags & VE_EXEC_LOGIN))
		return error_set(e, VE_E_USAGE, EINVAL, TRIED, "give a command", "no command");
	if (o->cwd && o->cwd[0] != '/')
		return error_set(e, VE_E_USAGE, EINVAL, TRIED, "give an absolute path",
			"working folder '%s' is not absolute", o->cwd);
	for (size_t i = 0; o->env && o->env[i]; i++)
		if (o->env[i][0] == '=' || !strchr(o->env[i], '='))
			return error_set(
				e, VE_E_USAGE, EINVAL, TRIED, "give KEY=VALUE", "environment entry '%s'", o->env[i]);
	return 0;
}

static int make_request(const struct ve_exec_options *o, struct error *e)
{
	enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
	size_t at = sizeof(struct enter_request), size = at;
	size_t argc = count_strings(o->argv, &size), envc = count_strings(o->env, &size);
	cleanup_fd int fd = -EBADF;
	cleanup_free char *text = NULL;
	struct enter_request *r;

	size += (o->user ? strlen(o->user) + 1 : 0) + (o->cwd ? strlen(o->cwd) + 1 : 0);
	if (size > ENTER_REQUEST_MAX)
		return error_set(e, VE_E_USAGE, E2BIG, TRIED, enter_remedy(ENTER_EXEC, E2BIG),
			"arguments and environment are too long");
	text = calloc(1, size);
	if (!text)
		return error_sys(e, ENOMEM, TRIED, "request");
	r = (struct enter_request *)text;
	*r = (struct enter_request){.magic = ENTER_MAGIC,
		.size = (uint32_t)size,
		.version = VE_VERSION,
		.flags = (o->flags & VE_EXEC_TTY ? ENTER_TTY : 0) | (o->flags & VE_EXEC_LOGIN ? ENTER_LOGIN : 0),
		.rows = o->rows ? o->rows : 24,
		.columns = o->columns ? o->columns : 80,
		.argc = (uint32_t)argc,
		.envc = (uint32_t)envc};
	r->argv = put_strings(text, &at, o->argv);
	r->env = put_strings(text, &at, o->env);
	r->user = o->user ? put_string(text, &at, o->user) : 0;
	r->cwd = o->cwd ? put_string(text, &at, o->cwd) : 0;
	fd = memfd_create("ve-enter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return error_sys(e, errno, TRIED, "memfd");
	return TAKE_FD(fd);
}

/* ---- the VE */

static int check_state(struct ve *ve, const struct runtime *rt, struct error *e)
{
	char remedy[128];

	if (rt->alive && rt->init > 0 && (rt->state == VE_RUNNING || rt->state == VE_STOPPING))
		return 0;
	if (rt->alive && rt->state == VE_PAUSED)
		(void)FORMAT(remedy, "vectl resume %s", ve->name);
	else if (rt->alive)
		(void)FORMAT(remedy, "vectl wait %s --state running", ve->name);
	else
		(void)FORMAT(remedy, "vectl start %s", ve->name);
	return error_set(e, VE_E_STATE, ESRCH, TRIED, remedy, "the VE is %s",
		rt->alive ? ve_state_name(rt->state) : ve_state_name(VE_STOPPED));
}

/* The plan that this boot was made from; *ret_base is the host id of the VE's root. It is root's alone. */
static int open_plan(struct ve *ve, uint32_t *ret_base, struct error *e)
{
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name), fd = -EBADF;
	struct wire_header h;
	struct stat st;
	char remedy[128];

	if (dir < 0)
		return error_sys(e, -dir, TRIED, ve->host->run);
	fd = openat(dir, "plan", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return error_sys(e, errno ? errno : EIO, TRIED, "plan");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
		return error_set(e, VE_E_FAILED, EPERM, TRIED, enter_remedy(ENTER_PLAN, EPERM),
			"the runtime folder's plan is not root's alone");
	if (h.magic != WIRE_MAGIC) {
		(void)FORMAT(remedy, "vectl restart %s", ve->name);
		return error_set(e, VE_E_STATE, EBADMSG, TRIED, remedy,
			"the VE was started by a version of vectl whose plans this one cannot read");
	}
	*ret_base = h.base;
	return TAKE_FD(fd);
}

/* What was set since; a VE that an earlier version started has no such file. */
static int open_live(struct ve *ve, struct error *e)
{
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	int fd = dir < 0 ? -1 : openat(dir, "live", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? error_sys(e, errno, TRIED, "live") : fd;
}

/* Leaves whose last process outlived its command, and is gone by now. A lock tells one that is just being used. */
static void sweep_leaves(int root)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		close_fd_p(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		cleanup_fd int leaf = -EBADF;

		if (strncmp(entry->d_name, LEAF_PREFIX, strlen(LEAF_PREFIX)) != 0)
			continue;
		leaf = openat(root, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (leaf >= 0 && flock(leaf, LOCK_EX | LOCK_NB) == 0)
			unlinkat(root, entry->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

/*
 * A fresh cgroup for the command beneath the guest's root: in the root itself there can be no process once the guest
 * has enabled a controller there. The name is not to be guessed, so the guest cannot have taken it. It becomes the
 * guest's, which may move the command out of it or remove it.
 */
static int make_leaf(int root, uint32_t base, char *ret_name, size_t size, struct error *e)
{
	int r = -EEXIST, swept = 0;

	for (int i = 0; i < 8; i++) {
		cleanup_fd int leaf = -EBADF;
		uint64_t random;
		char name[32];

		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return error_sys(e, EIO, TRIED, "getrandom");
		(void)FORMAT(name, LEAF_PREFIX "%016llx", (unsigned long long)random);
		r = mkdirat(root, name, 0755) < 0 ? -errno : 0;
		/* From its second boot on the guest may have limited its own root's descendants; that is no limit of
		 * ours. */
		if (r == -EAGAIN && !swept)
			write_string_at(root, "cgroup.max.descendants", "max");
		if (r == -EAGAIN && !swept++)
			sweep_leaves(root);
		else if (r < 0 && r != -EEXIST)
			break;
		if (r < 0)
			continue;
		leaf = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (leaf >= 0 && flock(leaf, LOCK_SH | LOCK_NB) == 0 &&
			fchownat(leaf, "cgroup.procs", base, base, AT_SYMLINK_NOFOLLOW) == 0 &&
			fchown(leaf, base, base) == 0) {
			snprintf(ret_name, size, "%s", name);
			return TAKE_FD(leaf);
		}
		r = -errno; /* ENOENT, EWOULDBLOCK: swept, between the two calls, by another */
		unlinkat(root, name, AT_REMOVEDIR);
	}
	if (r == -EAGAIN)
		return error_set(e, VE_E_FAILED, EAGAIN, TRIED, "remove some in the VE, or restart it",
			"the VE has used up the cgroups that it may have");
	return error_sys(e, -r, TRIED, "the VE's cgroup");
}

/* ---- ve-enter */

/* `fds`: EFD_PLAN and on. ve-enter makes itself a session: what a terminal sends is the caller's to pass on. */
static int spawn_enter(const struct ve_exec_options *o, uint32_t base, const int *fds)
{
	static const char *const argv[] = {"ve-enter", NULL};
	cleanup_fd int null = -EBADF;
	char path[PATH_MAX];
	int all[EFD_END] = {o->stdin_fd, o->stdout_fd, o->stderr_fd};

	if (FORMAT(path, "%s/ve-enter", host_libexec_dir) < 0)
		return -ENAMETOOLONG;
	if (o->flags & VE_EXEC_TTY) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null < 0)
			return -errno;
		all[0] = all[1] = all[2] = null;
	}
	memcpy(all + EFD_PLAN, fds, (EFD_END - EFD_PLAN) * sizeof(*fds));
	return (base ? spawn_detached : spawn_detached_read_only)(-1, path, argv, all, EFD_END);
}

static int step_failed(const struct enter_report *report, const struct ve_exec_options *o, struct error *e)
{
	static const struct {
		const char *name, *tried;
	} steps[] = {
#define X(step, name, tried) {name, tried},
		ENTER_STEPS(X)
#undef X
	};
	const char *command = o->argv && o->argv[0] ? o->argv[0] : "the login shell";
	const char *user = o->user ? o->user : "root";
	int err = report->err > 0 && report->err < 4096 ? report->err : EIO, r;

	if (report->step >= ENTER_STEP_COUNT)
		return error_set(e, VE_E_FAILED, EBADMSG, TRIED, enter_remedy(ENTER_REQUEST, EBADMSG),
			"ve-enter said something unknown");
	const char *tried = steps[report->step].tried, *remedy = enter_remedy((int)report->step, err);

	switch (report->step) {
	case ENTER_EXEC:
		if (err == ENOENT || err == ENOTDIR)
			r = error_set(e, VE_E_NO_COMMAND, ENOENT, tried,
				o->argv && o->argv[0]
					? enter_remedy(ENTER_EXEC, ENOENT)
					: "name one that is there in its /etc/passwd, or a command: vectl attach NAME "
					  "-- COMMAND",
				"%s: no such command", command);
		else
			r = error_set(e, VE_E_NOT_EXECUTABLE, err, tried, remedy, "%s: %s", command, strerror(err));
		break;
	case ENTER_USER_UNKNOWN:
		r = error_set(e, VE_E_FAILED, EINVAL, tried, remedy, "no user '%s'", user);
		break;
	case ENTER_USER:
	case ENTER_GROUPS:
		r = error_set(e, VE_E_FAILED, err, tried, remedy, "%s: %s", user,
			err == EINVAL ? "the file or the user's line in it is malformed" : strerror(err));
		break;
	case ENTER_CWD:
		r = error_set(e, VE_E_FAILED, err, tried, remedy, "%s: %s", o->cwd ? o->cwd : "/", strerror(err));
		break;
	case ENTER_SECCOMP:
		r = error_set(e, VE_E_FAILED, err, tried, remedy, "%s; nothing was executed without it", strerror(err));
		break;
	default:
		r = error_set(e, VE_E_FAILED, err, tried, remedy, "%s", strerror(err));
	}
	snprintf(e->step, sizeof(e->step), "%s", steps[report->step].name);
	if (report->step == ENTER_EXEC)
		snprintf(e->subject, sizeof(e->subject), "%s", command);
	return r;
}

/* One report; a pty's master that comes along goes to *ret_tty. 1, 0 when the socket was closed by an exec. */
static int receive_report(int fd, struct enter_report *ret, int *ret_tty)
{
	struct iovec iov = {ret, sizeof(*ret)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	for (c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)) &&
			*ret_tty < 0)
			memcpy(ret_tty, CMSG_DATA(c), sizeof(int));
	return n == (ssize_t)sizeof(*ret) ? 1 : -EBADMSG;
}

/* until: in now_ms, negative for none; past it -ETIMEDOUT, and nothing in `e`. */
static int await_exec(struct ve *ve, struct ve_process *p, int report_fd, int64_t until,
	const struct ve_exec_options *o, struct error *e)
{
	int cancel = ve->host->cancel_fd > 0 ? ve->host->cancel_fd : -1, r;
	struct enter_report report;

	for (;;) {
		struct pollfd fds[2] = {{.fd = report_fd, .events = POLLIN}, {.fd = cancel, .events = POLLIN}};
		int64_t left = until < 0 ? -1 : until - now_ms();

		if (until >= 0 && left <= 0)
			return -ETIMEDOUT;
		if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
			return error_sys(e, errno, TRIED, "poll");
		if (!fds[0].revents) {
			if (fds[1].revents && host_cancelled(ve->host, e))
				return -EINTR;
			continue;
		}
		r = receive_report(report_fd, &report, &p->tty);
		if (r == -EINTR)
			continue;
		if (r < 0)
			return error_sys(e, -r, TRIED, "ve-enter");
		if (r == 0)
			break;
		if (report.step != ENTER_TTY_READY)
			return step_failed(&report, o, e);
	}
	if (o->flags & VE_EXEC_TTY && p->tty < 0)
		return error_set(e, VE_E_FAILED, EPIPE, TRIED, "look at `vectl list` and `vectl logs NAME`",
			"the VE ended, or ve-enter did");
	return 0;
}

static int start_enter(struct ve *ve, struct ve_process *p, int64_t until, const struct ve_exec_options *o,
	uint32_t base, int *fds, struct error *e)
{
	cleanup_fd int control = -EBADF, report = -EBADF, report_peer = -EBADF;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(e, errno, TRIED, "socketpair");
	p->control = pair[0];
	control = pair[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(e, errno, TRIED, "socketpair");
	report = pair[0];
	report_peer = pair[1];
	fds[EFD_CONTROL - EFD_PLAN] = control;
	fds[EFD_REPORT - EFD_PLAN] = report_peer;
	r = spawn_enter(o, base, fds);
	if (r < 0)
		return error_sys(e, -r, TRIED, "ve-enter");
	/* its end alone is left, so that its exec is seen as the end of the stream */
	close(TAKE_FD(report_peer));
	close(TAKE_FD(control));
	return await_exec(ve, p, report, until, o, e);
}

/* A failure's clean-up: the command, if there is one, ends before its cgroup is removed. */
static void abandon(struct ve_process *p)
{
	if (!p->ended && p->control >= 0) {
		ve_process_signal(p, SIGKILL);
		ve_process_wait(p);
	}
	ve_process_close(p);
}

int exec_within(struct ve *ve, const struct ve_exec_options *options, int timeout_ms, struct ve_process **ret)
{
	struct error *e = host_begin(ve->host);
	cleanup_fd int init = -EBADF, plan = -EBADF, leaf = -EBADF, request = -EBADF, live = -EBADF;
	struct ve_exec_options o = {0};
	struct ve_process *p;
	struct runtime rt;
	uint32_t base = 0;
	int r;

	snprintf(e->ve, sizeof(e->ve), "%s", ve->name);
	if (!options || options->size < offsetof(struct ve_exec_options, rows))
		return error_set(e, VE_E_USAGE, EINVAL, TRIED, "set `size` to that of the structure",
			"options without their size");
	memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	r = check_request(&o, e);
	if (r == 0 && !(o.flags & VE_EXEC_TTY))
		r = check_stdio(&o, e);
	if (r == 0)
		r = runtime_read(ve->host, ve->name, &rt, e);
	if (r == 0)
		r = check_state(ve, &rt, e);
	if (r < 0)
		return r;
	init = runtime_open_init(ve, &rt, e);
	if (init < 0)
		return init;
	plan = open_plan(ve, &base, e);
	if (plan < 0)
		return plan;
	live = open_live(ve, e);
	if (live < 0)
		return live;
	request = make_request(&o, e);
	if (request < 0)
		return request;
	p = calloc(1, sizeof(*p));
	if (!p)
		return error_sys(e, ENOMEM, TRIED, "handle");
	*p = (struct ve_process){.control = -EBADF, .tty = -1, .cgroup = -EBADF};
	r = p->cgroup = runtime_open_root_cgroup(&rt, e);
	if (r >= 0)
		r = leaf = make_leaf(p->cgroup, base, p->leaf, sizeof(p->leaf), e);
	if (r >= 0)
		r = start_enter(ve, p, timeout_ms < 0 ? -1 : now_ms() + timeout_ms, &o, base,
			(int[]){plan, request, init, leaf, live, -1, -1}, e);
	if (r < 0) {
		abandon(p);
		return r;
	}
	*ret = p;
	return 0;
}

int ve_exec(struct ve *ve, const struct ve_exec_options *options, struct ve_process **ret)
{
	struct error *e = &ve->host->error;
	int r = exec_within(ve, options, -1, ret);
	if (r < 0 && !*e->remedy && e->code != VE_E_INTERRUPTED)
		snprintf(e->remedy, sizeof(e->remedy), "%s", enter_remedy(-1, e->errnum));
	return error_of(ve, e, r);
}

/* ---- the process */

int ve_process_fd(const struct ve_process *p)
{
	return p->control;
}

int ve_process_tty(const struct ve_process *p)
{
	return p->tty;
}

int ve_process_signal(struct ve_process *p, int signal)
{
	uint32_t number = (uint32_t)signal;

	if (signal <= 0 || signal >= NSIG)
		return -EINVAL;
	if (p->ended)
		return -ESRCH;
	return send(p->control, &number, sizeof(number), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/*
 * EBUSY: processes of the command's are left in it, or the guest put some there. It goes with the VE then. After a
 * signal to the command's group the last of it may be on its way out.
 */
static void remove_leaf(struct ve_process *p)
{
	enum { DYING_MS = 100 };
	int64_t until = p->status > 128 ? now_ms() + DYING_MS : 0, left;
	cleanup_fd int events = -EBADF;
	char name[64], text[256];

	if (!p->leaf[0])
		return;
	if (until && FORMAT(name, "%s/cgroup.events", p->leaf) > 0)
		events = openat(p->cgroup, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	/* reading arms the poll */
	while (events >= 0 && pread(events, text, sizeof(text), 0) > 0 &&
		unlinkat(p->cgroup, p->leaf, AT_REMOVEDIR) < 0 && errno == EBUSY && (left = until - now_ms()) > 0)
		poll(&(struct pollfd){.fd = events, .events = POLLPRI}, 1, (int)left);
	unlinkat(p->cgroup, p->leaf, AT_REMOVEDIR);
	p->leaf[0] = '\0';
}

int ve_process_wait(struct ve_process *p)
{
	int32_t status;
	int reset = 0;
	ssize_t n;

	if (p->ended)
		return p->status;
	/* A signal that ve-enter did not read any more makes a reset, which is told before the status that it sent. */
	do
		n = recv(p->control, &status, sizeof(status), 0);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !reset++)));
	if (n < 0 && errno != ECONNRESET)
		return -errno;
	p->ended = 1;
	p->status = n == (ssize_t)sizeof(status) && status >= 0 && status < 256 ? status : -EPIPE;
	remove_leaf(p);
	return p->status;
}

void ve_process_close(struct ve_process *p)
{
	if (!p)
		return;
	close_fd_p(&p->control); /* seen by ve-enter, which then leaves the command alone */
	remove_leaf(p);
	close_fd_p(&p->tty);
	close_fd_p(&p->cgroup);
	free(p);
}
