/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Brings a running VE to what was set: mounts and devices, rlimits of its init, sysctls of its namespaces, its host
 * name. A program of its own, since only a single-threaded process can enter a user namespace. This process stays on
 * the host's side and waits, for a limited time; what has to be done in the VE is in places.c and inside.c.
 */
#include "cmd/ve-apply/apply.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cmd/ve-supervisor/sys.h"
#include "config.h"
#include "lib/plan/wire.h"

/* A file system of the guest's own may never answer. */
enum { TIMEOUT_MS = 10000 };

static _Noreturn void send_report(const struct apply_report *r)
{
	send(AFD_REPORT, r, sizeof(*r), MSG_NOSIGNAL);
	_exit(r->err != 0);
}

static _Noreturn void report(int err, int change)
{
	const struct apply_report r = {.err = err, .change = change, .place = APPLY_NONE};

	send_report(&r);
}

/* The string at `offset`, which must end inside the request and be no longer than `most`. */
static const char *request_string(const struct apply_request *r, uint32_t offset, size_t most)
{
	const char *s = (const char *)r + offset;
	size_t room = offset < r->size ? r->size - offset : 0;

	if (offset < sizeof(*r) || !room || !memchr(s, '\0', room < most ? room : most))
		report(EBADMSG, APPLY_NONE);
	return s;
}

static void read_shown(const struct apply_request *r, const struct apply_shown *s, struct shown *ret)
{
	const struct {
		uint32_t at;
		const char **to;
	} text[] = {{s->target, &ret->target}, {s->type, &ret->type}, {s->source, &ret->source},
		{s->options, &ret->options}};

	ret->asked = s;
	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		*text[i].to = text[i].at ? request_string(r, text[i].at, APPLY_PATH_MAX) : "";
	if (s->kind > SHOWN_DEVICE || s->slot >= (s->kind == SHOWN_DEVICE ? DEVICE_SLOTS : MOUNT_SLOTS) ||
		(s->kind && !*ret->target))
		report(EBADMSG, APPLY_NONE);
}

static const struct apply_request *read_request(struct apply *a)
{
	const struct apply_request *r;
	struct stat st;

	if (fstat(AFD_REQUEST, &st) < 0 || st.st_size < (off_t)sizeof(*r) || st.st_size > APPLY_REQUEST_MAX)
		report(EBADMSG, APPLY_NONE);
	r = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, AFD_REQUEST, 0);
	if (r == MAP_FAILED)
		report(errno, APPLY_NONE);
	if (r->magic != APPLY_MAGIC || r->size != (size_t)st.st_size ||
		strncmp(r->version, VE_VERSION, sizeof(r->version)) != 0 || r->nchanges > APPLY_CHANGES_MAX ||
		r->nplaces > APPLY_PLACES_MAX)
		report(EBADMSG, APPLY_NONE);
	a->privileged = r->privileged != 0;
	a->nchanges = (int)r->nchanges;
	for (int i = 0; i < a->nchanges; i++) {
		const struct apply_change *c = &r->change[i];

		a->change[i] = (struct change){
			.asked = c,
			.name = c->name ? request_string(r, c->name, APPLY_NAME_MAX) : "",
			.value = c->value ? request_string(r, c->value, APPLY_VALUE_MAX) : NULL,
		};
		if (!a->change[i].value && (c->kind == APPLY_HOSTNAME || c->kind == APPLY_ETC_HOSTNAME))
			report(EBADMSG, APPLY_NONE);
	}
	a->nplaces = (int)r->nplaces;
	for (int i = 0; i < a->nplaces; i++) {
		a->place[i].stays = r->place[i].stays != 0;
		a->place[i].may_wait = r->place[i].may_wait != 0;
		a->place[i].attached = r->place[i].attached != 0;
		read_shown(r, &r->place[i].was, &a->place[i].was);
		read_shown(r, &r->place[i].want, &a->place[i].want);
	}
	return r;
}

/*
 * Not through the VE's /proc, over which the guest may have mounted what it likes. What is found beneath sys/ follows
 * the namespaces of who looks, not those of the mount. Where we may not mount one (in a VE ourselves) the one there is
 * serves.
 */
static void open_proc(struct apply *a)
{
	int fs = sys_fsopen("proc"), proc = -1;

	if (fs >= 0 && sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		proc = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	a->proc = proc >= 0 ? proc : open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	a->sysctls = openat(a->proc, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a->sysctls < 0)
		report(errno, APPLY_NONE);
}

/* net.ipv4.conf.eth0.forwarding is, of an interface that was just made, as net.ipv4.conf.default.forwarding is. */
static int default_of_interface(int sysctls, const char *name, char buf[APPLY_VALUE_MAX])
{
	static const char *const groups[] = {"net.ipv4.conf.", "net.ipv6.conf.", "net.ipv4.neigh.", "net.ipv6.neigh."};
	char other[APPLY_NAME_MAX];

	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		size_t n = strlen(groups[i]);
		const char *last = strrchr(name, '.');

		if (strncmp(name, groups[i], n) != 0 || last <= name + n ||
			n + strlen("default") + strlen(last) >= sizeof(other))
			continue;
		memcpy(other, groups[i], n);
		strcpy(other + n, "default");
		strcat(other, last);
		return sysctl_get(sysctls, other, buf);
	}
	return -ENOENT;
}

struct defaults {
	struct apply_report report;
	struct {
		int unknown; /* to the kernel, so there is nothing to put back where the VE does not have it either */
		char text[APPLY_VALUE_MAX];
	} value[];
};

static _Noreturn void read_defaults(const struct apply *a, struct defaults *ret)
{
	for (int i = 0, n = 0; i < a->nchanges; i++) {
		const struct change *c = &a->change[i];
		int r;

		if (c->asked->kind != APPLY_SYSCTL || c->value)
			continue;
		r = sysctl_get(a->sysctls, c->name, ret->value[n].text);
		if (r == -ENOENT)
			r = default_of_interface(a->sysctls, c->name, ret->value[n].text);
		ret->value[n].unknown = r == -ENOENT;
		if (r < 0 && r != -ENOENT) {
			ret->report = (struct apply_report){.err = -r, .change = i};
			_exit(1);
		}
		n++;
	}
	_exit(0);
}

/* What a sysctl that nobody set is: looked up in namespaces made for that, as the VE's own were. */
static void find_defaults(struct apply *a)
{
	struct clone_args args = {.flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID |
					   (a->privileged ? 0 : CLONE_NEWUSER),
		.exit_signal = SIGCHLD};
	struct defaults *d;
	int n = 0, status;
	pid_t pid;

	for (int i = 0; i < a->nchanges; i++)
		n += a->change[i].asked->kind == APPLY_SYSCTL && !a->change[i].value;
	if (!n)
		return;
	d = mmap(NULL, sizeof(*d) + (size_t)n * sizeof(d->value[0]), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);
	pid = d == MAP_FAILED ? -1 : sys_clone3(&args);
	if (pid < 0)
		report(errno, APPLY_NONE);
	if (pid == 0)
		read_defaults(a, d);
	if (waitpid(pid, &status, 0) != pid || status)
		report(d->report.err ? d->report.err : EIO, d->report.err ? d->report.change : APPLY_NONE);
	for (int i = 0, k = 0; i < a->nchanges; i++)
		if (a->change[i].asked->kind == APPLY_SYSCTL && !a->change[i].value) {
			a->change[i].value = d->value[k].unknown ? NULL : d->value[k].text;
			k++;
		}
}

/*
 * A process in between enters the pid namespace and has the one that does the work made as this one's child; as root of
 * the host still, whom the guest can neither trace nor signal, and which ends with the VE.
 */
static _Noreturn void enter_pid_namespace(struct apply *a)
{
	struct clone_args args = {.flags = CLONE_PARENT};
	pid_t pid = -1;

	if (setns(AFD_INIT, CLONE_NEWPID) == 0 && (pid = sys_clone3(&args)) == 0)
		apply_inside(a);
	a->pid = pid; /* not by both, after the clone: the memory is shared */
	if (pid < 0) {
		a->report.err = errno;
		a->report.change = APPLY_NONE;
		a->reported = 1;
	}
	_exit(0);
}

int await_child(int pid, const int *done)
{
	/* not reaped yet, so the number is its own */
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int r = p.fd < 0 ? -EIO : poll(&p, 1, TIMEOUT_MS) <= 0 ? -ETIMEDOUT : 0;

	if (r) {
		kill(pid, SIGKILL);
		if (p.fd >= 0)
			poll(&p, 1, TIMEOUT_MS);
	}
	close(p.fd);
	return r || *done ? r : -EIO;
}

/* A negative errno, and what failed is in the report. */
static int run_inside(struct apply *a)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	pid_t between = sys_clone3(&args);
	int r = between < 0 ? -errno : 0;

	if (between == 0)
		enter_pid_namespace(a);
	if (!r) {
		waitpid(between, NULL, 0);
		r = a->pid <= 0 ? (a->reported ? 0 : -EIO) : await_child(a->pid, &a->reported);
	}
	if (r == -EIO && a->pid > 0)
		r = -ESRCH; /* it went with the VE's init */
	if (r) {
		a->report.err = -r;
		a->report.change = APPLY_NONE;
	}
	return -a->report.err;
}

int main(void)
{
	struct apply *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct apply_request *r;
	sigset_t none;

	if (a == MAP_FAILED || prctl(PR_SET_DUMPABLE, 0) < 0)
		report(ENOMEM, APPLY_NONE);
	for (int fd = AFD_REQUEST; fd < AFD_END; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && (fd == AFD_REQUEST || fd == AFD_REPORT))
			return 125;
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL); /* libve has blocked all */
	signal(SIGCHLD, SIG_DFL);
	umask(022);
	a->report.change = a->report.place = APPLY_NONE;
	r = read_request(a);
	if (r->drop)
		report(-places_drop(r), APPLY_NONE);
	open_proc(a);
	find_defaults(a);
	if (a->nplaces && places_apply(a, r->again != 0) < 0)
		send_report(&a->report);
	if (a->nchanges && run_inside(a) < 0 && a->nplaces)
		places_undo(a);
	send_report(&a->report);
}
