/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the processes of ve-supervisor share. No allocation, no stdio. */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"
#include "config.h"

const struct wire_header *plan;

int sync_send_flags(int sock, const struct sync_message *m, int fd, int flags)
{
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec v = {(void *)m, sizeof *m};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
	if (fd >= 0) {
		h.msg_control = &control;
		h.msg_controllen = sizeof control.b;
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof fd);
	}
	return sendmsg(sock, &h, MSG_NOSIGNAL | flags) < 0 ? -errno : 0;
}

int sync_send(int sock, const struct sync_message *m, int fd)
{
	return sync_send_flags(sock, m, fd, 0);
}

int sync_recv(int sock, struct sync_message *m, int *ret_fd)
{
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec v = {m, sizeof *m};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.b};
	ssize_t n;
	do
		n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 && errno != ECONNRESET ? -errno : 0;
	*ret_fd = -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof *ret_fd);
	return n == sizeof *m ? 1 : -EBADMSG;
}

void fault_point(const struct wire_step *s)
{
#if VE_FAULTS
	if (plan->fault_step == s->index) {
		kill(getpid(), SIGKILL);
		_exit(137); /* the first process of a pid namespace cannot kill itself */
	}
#else
	(void)s;
#endif
}

static void send_failure(int sock, const struct wire_step *s, int err, int kind)
{
	struct sync_message m = {.kind = kind, .step = s->index, .err = err};
	size_t n = strnlen(step_subject, sizeof m.subject - 1);
	memcpy(m.subject, step_subject, n);
	sync_send(sock, &m, -1);
}

void note_failure(int sock, const struct wire_step *s, int err)
{
	send_failure(sock, s, err, SYNC_NOTE);
}

void run_steps(int actor, int (*run)(const struct wire_step *s, struct boot *b), struct boot *b)
{
	for (uint32_t i = 0; i < plan->nsteps; i++) {
		const struct wire_step *s = &plan->step[i];
		if (s->actor != actor)
			continue;
		step_subject = wire_string(plan, s, 0);
		int r = run(s, b);
		if (r < 0)
			send_failure(b->sync, s, -r, s->optional ? SYNC_NOTE : SYNC_FAILED);
		if (r < 0 && !s->optional)
			_exit(1);
		fault_point(s);
#if VE_FAULTS
		struct sync_message m = {.kind = SYNC_FAULT};
		if (plan->fault_step == (s->index | FAULT_SERVER))
			sync_send(b->sync, &m, -1);
#endif
	}
}

void unblock_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int drop_all_capabilities(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};
	return syscall(SYS_capset, &h, d); /* the ambient set follows permitted and inheritable */
}

int keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	if (syscall(SYS_capget, &h, d))
		return -1;
	for (int i = 0; i < 2; i++) {
		uint32_t had = d[i].permitted & (uint32_t)(keep >> 32 * i);
		d[i] = (struct __user_cap_data_struct){.effective = had, .permitted = had};
	}
	return syscall(SYS_capset, &h, d);
}

int load_seccomp(const struct wire_blob *blob)
{
	struct sock_fprog prog = {
		.len = blob->size / sizeof(struct sock_filter),
		.filter = (struct sock_filter *)((char *)plan + blob->offset),
	};
	if (!prog.len) {
		errno = ENODATA; /* fails closed: no program, no start */
		return -1;
	}
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

int write_at(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = write(fd, text, strlen(text));
	int e = errno;
	close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

void state_write(int fd, off_t offset, uint32_t sequence, const char *body)
{
	char record[STATE_RECORD + 1], tail[32];
	struct text t = {record, record + sizeof record}, e = {tail, tail + sizeof tail};
	text_add(&e, "seq ");
	text_number(&e, sequence);
	text_add(&e, "\n");
	text_add(&t, tail);
	char *room_end = record + STATE_RECORD - (e.at - tail) + 1;
	struct text b = {t.at, room_end};
	text_add(&b, body);
	/* A body that was cut must not lose its last newline, or the frame would be part of its last line. */
	if (b.at > t.at)
		b.at[-1] = '\n';
	memset(b.at, '\n', record + STATE_RECORD - b.at);
	memcpy(record + STATE_RECORD - (e.at - tail), tail, e.at - tail);
	ssize_t n = pwrite(fd, record, STATE_RECORD, offset);
	(void)n; /* tmpfs, or a full disk: readers then see the older record, and the lock tells the truth */
}

uint64_t start_time(pid_t pid)
{
	char path[40], b[512];
	struct text t = {path, path + sizeof path};
	text_add(&t, "/proc/");
	text_number(&t, pid);
	text_add(&t, "/stat");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, b, sizeof b - 1);
	close(fd);
	if (n <= 0)
		return 0;
	b[n] = 0;
	char *p = strrchr(b, ')'); /* the command's name may hold anything, ')' too; field 3 follows the last one */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}
