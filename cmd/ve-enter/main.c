/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Executes one command in a running VE. A program of its own, since only a single-threaded process can enter a user
 * namespace. This process stays on the host's side, out of the guest's sight, waits and passes signals on; the
 * command's process does the rest (child.c).
 *
 * Installed with mode 0700: a guest that has `#!/proc/self/exe` executed cannot open this file (CVE-2019-5736).
 */
#include "cmd/ve-enter/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "lib/plan/live.h"

#define ENTER_NAMESPACES                                                                                               \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWTIME)

_Noreturn void enter_fail(enum enter_step step, int err)
{
	struct enter_report report = {.step = step, .err = err ? err : EIO};

	send(EFD_REPORT, &report, sizeof(report), MSG_NOSIGNAL);
	_exit(125);
}

/* The whole of an open file, mapped. */
static const void *map_file(int fd, size_t least, size_t most, size_t *ret_size, enum enter_step step)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		enter_fail(step, errno);
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)least || st.st_size > (off_t)most)
		enter_fail(step, EBADMSG);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		enter_fail(step, errno);
	*ret_size = (size_t)st.st_size;
	return p;
}

/* The string at `offset`, which must end inside the request. NULL for offset 0. */
static char *request_string(const struct enter_request *r, uint32_t offset)
{
	if (!offset)
		return NULL;
	if (offset < sizeof(*r) || offset >= r->size || !memchr((const char *)r + offset, '\0', r->size - offset))
		enter_fail(ENTER_REQUEST, EBADMSG);
	return (char *)r + offset;
}

static char **request_strings(const struct enter_request *r, uint32_t offset, uint32_t count)
{
	char **list = count < ENTER_REQUEST_MAX ? calloc(count + 1, sizeof(*list)) : NULL;

	if (!list)
		enter_fail(ENTER_REQUEST, ENOMEM);
	for (uint32_t i = 0; i < count; i++) {
		list[i] = request_string(r, offset);
		if (!list[i])
			enter_fail(ENTER_REQUEST, EBADMSG);
		offset += (uint32_t)strlen(list[i]) + 1;
	}
	return list;
}

static void read_request(struct enter *e)
{
	size_t size;
	const struct enter_request *r = map_file(EFD_REQUEST, sizeof(*r), ENTER_REQUEST_MAX, &size, ENTER_REQUEST);

	if (r->magic != ENTER_MAGIC || r->size != size || strncmp(r->version, VE_VERSION, sizeof(r->version)) != 0)
		enter_fail(ENTER_REQUEST, EBADMSG);
	e->request = r;
	e->user = request_string(r, r->user);
	e->cwd = request_string(r, r->cwd);
	e->argv = request_strings(r, r->argv, r->argc);
	e->env = request_strings(r, r->env, r->envc);
	if (!e->argv[0] && !(r->flags & ENTER_LOGIN))
		enter_fail(ENTER_REQUEST, EINVAL);
}

/*
 * Here, as root of the host, so that a VE's limits may be above those of the caller. Where CAP_SYS_RESOURCE is missing
 * the hard limit is what there is: the keeper met the same for init.
 */
static void set_rlimit(int64_t resource, int64_t soft, int64_t hard)
{
	struct rlimit limit = {(rlim_t)soft, (rlim_t)hard}, now;

	if (setrlimit((int)resource, &limit) == 0)
		return;
	if (errno != EPERM || getrlimit((int)resource, &now) < 0)
		enter_fail(ENTER_RLIMIT, errno);
	if (limit.rlim_max > now.rlim_max)
		limit.rlim_max = now.rlim_max;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (setrlimit((int)resource, &limit) < 0)
		enter_fail(ENTER_RLIMIT, errno);
}

/* What the VE's init got, from the same plan. What is missing there is a failure, not a command without it. */
static void read_plan(struct enter *e)
{
	enum { PLAN_MAX = 16 << 20 };
	size_t size;
	const struct wire_header *plan = map_file(EFD_PLAN, sizeof(*plan), PLAN_MAX, &size, ENTER_PLAN);
	const struct wire_blob *blob = &plan->blob[BLOB_SECCOMP_VE];
	static _Alignas(struct live_record) char record[LIVE_SLOT];
	const struct live_record *live = live_read(EFD_LIVE, record);
	int bounded = 0;

	/* Of whatever version: a VE outlives upgrades, and what is read here keeps its form (wire.h). */
	if (plan->magic != WIRE_MAGIC || plan->size != size ||
		plan->nsteps > (size - sizeof(*plan)) / sizeof(plan->step[0]))
		enter_fail(ENTER_PLAN, EBADMSG);
	if (blob->size == 0 || blob->size % sizeof(struct sock_filter) ||
		blob->size / sizeof(struct sock_filter) > BPF_MAXINSNS || blob->offset > size ||
		blob->size > size - blob->offset)
		enter_fail(ENTER_SECCOMP, ENODATA);
	e->plan = plan;
	e->seccomp = (const char *)plan + blob->offset;
	e->seccomp_size = blob->size;
	for (uint32_t i = 0; i < plan->nsteps; i++) {
		const struct wire_step *s = &plan->step[i];

		if (s->op == OP_RLIMIT) {
			const struct wire_step *changed = live_find(live, OP_RLIMIT, s->n[0]);

			s = changed ? changed : s;
		}
		switch (s->op) {
		case OP_HOST_RLIMIT:
			set_rlimit(s->n[0], s->n[1], s->n[1]);
			break;
		case OP_RLIMIT:
			set_rlimit(s->n[0], s->n[1], s->n[2]);
			break;
		case OP_BOUNDING_SET:
			e->caps = (uint64_t)s->n[0];
			bounded = 1;
			break;
		case OP_KEYRING:
			e->keyring = 1;
			break;
		}
	}
	if (!bounded)
		enter_fail(ENTER_BOUNDING_SET, ENODATA);
}

static void write_own(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0) {
		/* of the caller's, and only to be had back with capabilities that it may lack */
	}
	close(fd);
}

/*
 * What nohup or a background job ignores is none of the command's business, and libve has blocked all signals. Raw:
 * the wrapper refuses the two that a libc keeps for itself.
 */
static void reset_signals(void)
{
	unsigned long kernel_sigaction[4] = {0};
	sigset_t none;

	for (int number = 1; number <= 64; number++)
		syscall(SYS_rt_sigaction, number, kernel_sigaction, NULL, sizeof(uint64_t));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What is the caller's own and would go along: its audit login (pam_loginuid inside fails over it), its OOM score. */
static void shed_caller(void)
{
	write_own("/proc/self/loginuid", "4294967295");
	write_own("/proc/self/oom_score_adj", "0");
	umask(022);
}

struct spawned {
	pid_t pid;
	int err;
	enum enter_step step;
};

/*
 * A process in between enters and has the command's process made as this one's child; it ends at once. So nobody but
 * the command's own processes holds the VE's namespaces: a mount namespace that outlives init would keep the overlay,
 * and a reboot could not mount it anew (EBUSY).
 */
static _Noreturn void enter_namespaces(const struct enter *e, struct spawned *ret)
{
	struct clone_args args = {.flags = CLONE_PARENT | CLONE_INTO_CGROUP, .cgroup = EFD_CGROUP};
	pid_t pid;

	ret->step = ENTER_SETNS;
	/* dumpable again: new credentials may have set it to fs.suid_dumpable */
	if (setns(EFD_INIT, e->plan->base ? ENTER_NAMESPACES : ENTER_NAMESPACES & ~CLONE_NEWUSER) == 0 &&
		prctl(PR_SET_DUMPABLE, 0) == 0) {
		ret->step = ENTER_CLONE;
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		if (pid == 0)
			enter_child(e);
		ret->pid = pid;
	}
	ret->err = errno;
	_exit(0);
}

static pid_t spawn_child(const struct enter *e, int *ret_pidfd)
{
	/* Not vfork: who shares memory counts as a thread, and a time namespace takes only the single-threaded
	 * (EUSERS). */
	struct clone_args args = {.exit_signal = SIGCHLD};
	struct spawned *spawned =
		mmap(NULL, sizeof(*spawned), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t between = spawned == MAP_FAILED ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (between < 0)
		enter_fail(ENTER_CLONE, errno);
	if (between == 0)
		enter_namespaces(e, spawned);
	waitpid(between, NULL, 0);
	if (spawned->pid <= 0)
		enter_fail(spawned->step, spawned->err);
	/* not reaped yet, so the number is its own */
	*ret_pidfd = (int)syscall(SYS_pidfd_open, spawned->pid, 0);
	if (*ret_pidfd < 0) {
		int err = errno;

		kill(spawned->pid, SIGKILL);
		enter_fail(ENTER_CLONE, err);
	}
	return spawned->pid;
}

/*
 * Signals go to the command's process group, as a terminal's do; the command is a session's leader and cannot leave
 * it. It is not reaped yet, so its number is nobody else's. Before its setsid() it has no group: the process alone.
 */
static void pass_signal(pid_t pid, uint32_t number)
{
	if (number == 0 || number > 64)
		return;
	if (kill(-pid, (int)number) < 0)
		kill(pid, (int)number);
}

static int await_child(pid_t pid, int pidfd)
{
	struct pollfd p[2] = {{.fd = EFD_CONTROL, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	siginfo_t info = {0};
	int32_t status;

	while (!p[1].revents) {
		uint32_t number;
		ssize_t n;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return 125;
		if (!p[0].revents)
			continue;
		n = recv(EFD_CONTROL, &number, sizeof(number), MSG_DONTWAIT);
		if (n == (ssize_t)sizeof(number))
			pass_signal(pid, number);
		else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0; /* nobody waits any more: the command goes on */
	}
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return 125;
	status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	send(EFD_CONTROL, &status, sizeof(status), MSG_NOSIGNAL);
	return 0;
}

int main(void)
{
	struct enter e = {0};
	pid_t pid;
	int pidfd;

	/* Until its exec the command's process is seen by the guest: nothing of it may be opened or traced. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		enter_fail(ENTER_SETNS, errno);
	for (int fd = EFD_PLAN; fd < EFD_END; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return 125;
	setsid(); /* what the caller's terminal sends is the caller's to pass on */
	reset_signals();
	read_request(&e);
	read_plan(&e);
	shed_caller();
	pid = spawn_child(&e, &pidfd);
	/* A pipe of the command's ends when the command closes it: hold none. EFD_CONTROL and pidfd remain. */
	syscall(SYS_close_range, 0, EFD_CONTROL - 1, 0);
	close(EFD_REPORT);
	_exit(await_child(pid, pidfd)); /* a leak checker would trace across namespaces */
}
