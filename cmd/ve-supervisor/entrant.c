/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entrant: a short-lived child of the keeper that enters the VE's user namespace and makes the VE's first process
 * there, as a child of the keeper. A start and a reboot take the same way, and neither needs a capability on the host.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/*
 * The VE's boot time is zero now. CLONE_NEWTIME in clone3 would freeze the offsets before they could be written, so:
 * unshare, write, and step into it.
 */
static int time_namespace(void)
{
	struct timespec t;
	char line[64];
	struct text x = {line, line + sizeof line};
	clock_gettime(CLOCK_BOOTTIME, &t);
	/* -(s + ns) = -(s + 1) + (1e9 - ns): the file takes a signed second and a non-negative nanosecond */
	text_add(&x, "boottime -");
	text_number(&x, t.tv_sec + (t.tv_nsec > 0));
	text_add(&x, " ");
	text_number(&x, t.tv_nsec > 0 ? 1000000000 - t.tv_nsec : 0);
	text_add(&x, "\n");
	TRY("time namespace", unshare(CLONE_NEWTIME));
	TRY("/proc/self/timens_offsets", write_at(AT_FDCWD, "/proc/self/timens_offsets", line));
	int fd = TRY("/proc/self/ns/time_for_children", open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC));
	TRY("time namespace", setns(fd, CLONE_NEWTIME));
	close(fd);
	return 0;
}

static int clone_init(uint64_t flags, struct boot *b)
{
	int pidfd = -1;
	struct clone_args a = {
		.flags = flags | CLONE_PARENT | CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uintptr_t)&pidfd,
		.cgroup = b->cgroup,
	};
	pid_t pid = TRY("clone3", sys_clone3(&a));
	if (!pid)
		init_of_ve(b);
	struct sync_message m = {.kind = SYNC_INIT, .pid = pid};
	return sync_send(b->sync, &m, pidfd);
}

/* The first boot's entrant was born there, and waits until the keeper has made the place ready. */
static int join_user_namespace(struct boot *b)
{
	struct sync_message m;
	int fd;
	if (b->number > 1) {
		TRY("user namespace", setns(b->userns, CLONE_NEWUSER));
		return 0;
	}
	if (sync_recv(b->sync, &m, &fd) <= 0)
		_exit(1); /* the keeper died, or gave up */
	return 0;
}

static int entrant_step(const struct wire_step *s, struct boot *b)
{
	switch (s->op) {
	case OP_JOIN_USER_NAMESPACE:
		return join_user_namespace(b);
	case OP_TIME_NAMESPACE:
		return time_namespace();
	case OP_JOIN_NETWORK:
		return join_network(b);
	case OP_CLONE_INIT:
		return clone_init(s->n[0], b);
	}
	return -ENOSYS;
}

void entrant(struct boot *b)
{
	close(b->keeper_end);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 1); /* else /proc/self/timens_offsets is root's, and writing it EACCES */
	run_steps(ACTOR_ENTRANT, entrant_step, b);
	_exit(0);
}
