/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server: everything that reads what a guest or a client wrote. One epoll loop, no blocking call, no allocation,
 * its own seccomp allowlist and no_new_privs; if it is made to die, the keeper starts another and the VE goes on.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>

#include "cmd/ve-supervisor/log.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"
#include "lib/run/protocol.h"

enum { CLIENTS = 8, INPUT = 4096 };
enum source { KEEPER, CONSOLE, CONTROL, NOTIFY, CLIENT, MEMORY };

struct client {
	int fd; /* 0: free; 0 is never a client's, since it is /dev/null */
	int hello, console;
	uint64_t sent; /* of the console's bytes, counted as `printed` */
	uint32_t have;
	uint8_t frame[PROTOCOL_HEADER + PROTOCOL_PAYLOAD_MAX];
};

static struct {
	struct server *s;
	struct log log;
	int epoll;
	uint64_t printed; /* console bytes since the server began */
	char ring[PROTOCOL_BACKLOG_MAX];
	char input[INPUT]; /* typed, not yet taken by the console */
	size_t input_have;
	uint32_t sequence;
	int ready;
	uint64_t oom_kills;
	char status[128];
	struct client client[CLIENTS];
} v;

static void watch(int fd, uint32_t events, enum source source, unsigned index)
{
	struct epoll_event e = {.events = events, .data.u64 = (uint64_t)source << 32 | index};
	if (epoll_ctl(v.epoll, EPOLL_CTL_ADD, fd, &e) && errno == EEXIST)
		epoll_ctl(v.epoll, EPOLL_CTL_MOD, fd, &e);
}

static void write_state(void)
{
	char body[STATE_RECORD];
	struct text t = {body, body + sizeof body};
	text_add(&t, "boot ");
	text_number(&t, v.s->boot);
	text_add(&t, v.ready ? "\nready 1\nstatus " : "\nready 0\nstatus ");
	text_add(&t, v.status);
	text_add(&t, "\n");
	state_write(v.s->state, STATE_RECORD, ++v.sequence, body);
}

/* ---- console */

static void drop_client(struct client *c)
{
	if (c->fd)
		close(c->fd);
	c->fd = 0;
}

static void feed_client(struct client *c)
{
	/* One that does not keep up loses the oldest bytes; the VE and the others never wait for it. */
	if (v.printed - c->sent > sizeof v.ring)
		c->sent = v.printed - sizeof v.ring;
	while (c->sent < v.printed) {
		size_t at = c->sent % sizeof v.ring, n = sizeof v.ring - at;
		if (n > v.printed - c->sent)
			n = v.printed - c->sent;
		ssize_t w = send(c->fd, v.ring + at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno != EAGAIN) {
			drop_client(c);
			return;
		}
		if (w <= 0)
			break;
		c->sent += w;
	}
	watch(c->fd, EPOLLIN | (c->sent < v.printed ? EPOLLOUT : 0), CLIENT, c - v.client);
}

static void console_output(const char *data, size_t size)
{
	log_write(&v.log, data, size);
	for (size_t i = 0; i < size;) {
		size_t at = v.printed % sizeof v.ring, n = sizeof v.ring - at;
		if (n > size - i)
			n = size - i;
		memcpy(v.ring + at, data + i, n);
		v.printed += n;
		i += n;
	}
	for (int i = 0; i < CLIENTS; i++)
		if (v.client[i].fd && v.client[i].console)
			feed_client(&v.client[i]);
}

/* Edge-triggered: a pty's master reports a hang-up for as long as nobody has the slave open. */
static void read_console(void)
{
	char b[4096];
	/* Bounded, so that a guest that prints for ever does not keep the clients waiting: rearm instead. */
	for (int i = 0; i < 64 && v.s->console >= 0; i++) {
		ssize_t n = read(v.s->console, b, sizeof b);
		if (n <= 0)
			return;
		console_output(b, n);
	}
	if (v.s->console >= 0)
		watch(v.s->console, EPOLLIN | EPOLLOUT | EPOLLET, CONSOLE, 0);
}

static void write_console(void)
{
	if (v.s->console < 0)
		v.input_have = 0;
	if (!v.input_have)
		return;
	ssize_t n = write(v.s->console, v.input, v.input_have);
	if (n > 0) {
		v.input_have -= n;
		memmove(v.input, v.input + n, v.input_have);
	}
}

static const char *after(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	return p ? p + strlen(key) : NULL;
}

/* A server that follows one that died in this boot goes on with what that one knew. Returns whether it did. */
static int restore(unsigned boot)
{
	char b[STATE_RECORD + 1];
	ssize_t n = pread(v.s->state, b, STATE_RECORD, STATE_RECORD);
	if (n != STATE_RECORD)
		return 0;
	b[n] = 0;
	const char *was = after(b, "\nboot "), *ready = after(b, "\nready "), *status = after(b, "\nstatus "),
		   *sequence = after(b, "seq ");
	if (!was || !ready || !status || !sequence || strtoul(was, NULL, 10) != boot)
		return 0;
	v.sequence = strtoul(sequence, NULL, 10);
	v.ready = *ready == '1';
	size_t size = strcspn(status, "\n");
	if (size >= sizeof v.status)
		size = sizeof v.status - 1;
	memcpy(v.status, status, size);
	v.status[size] = 0;
	return 1;
}

static void new_boot(const struct sync_message *m, int console)
{
	if (v.s->console >= 0)
		close(v.s->console);
	v.s->console = console;
	v.s->init = m->pid;
	if (v.sequence || !restore(m->step)) {
		v.ready = 0;
		v.status[0] = 0;
		log_boot(&v.log, v.s->boots_before + m->step);
	}
	v.s->boot = m->step;
	write_state();
	if (console >= 0)
		watch(console, EPOLLIN | EPOLLOUT | EPOLLET, CONSOLE, 0);
	read_console();
}

static void end(void)
{
	read_console();
	for (int i = 0; i < CLIENTS; i++)
		drop_client(&v.client[i]);
	_exit(0);
}

static void from_keeper(void)
{
	struct sync_message m;
	int fd = -1;
	if (sync_recv(v.s->keeper, &m, &fd) <= 0)
		end();
	if (m.kind == SERVER_BOOT) {
		new_boot(&m, fd);
		return;
	}
	char b[256];
	struct text t = {b, b + sizeof b};
	m.subject[sizeof m.subject - 1] = 0;
	text_add(&t, v.log.midline ? "\n" : "");
	text_add(&t, "--- vectl: the reboot failed: ");
	if (m.step < plan->nsteps) {
		text_add(&t, "step ");
		text_number(&t, m.step);
		text_add(&t, ": ");
	}
	text_add(&t, m.subject);
	text_add(&t, ": ");
	text_add(&t, strerror(m.err));
	text_add(&t, " ---\n");
	log_write(&v.log, b, t.at - b);
}

/* ---- what the keeper logs: one that has no time for it now hears of the next one */

static int tell_keeper(int kind, uint32_t count)
{
	struct sync_message m = {.kind = kind, .step = count};
	return sync_send_flags(v.s->keeper, &m, -1, MSG_DONTWAIT);
}

static uint64_t read_oom_kills(void)
{
	char b[512];
	ssize_t n = pread(v.s->memory, b, sizeof b - 1, 0);
	b[n > 0 ? n : 0] = 0;
	const char *kills = after(b, "\noom_kill ");
	return kills ? strtoull(kills, NULL, 10) : v.oom_kills;
}

static void memory_event(void)
{
	uint64_t now = read_oom_kills();
	if (now <= v.oom_kills || !tell_keeper(SYNC_OOM_KILLS, (uint32_t)(now - v.oom_kills)))
		v.oom_kills = now;
}

/* ---- the guest's readiness (sd_notify(3)): only the VE's first process is believed */

static void notify_line(const char *line, size_t size)
{
	int was = v.ready;
	if (size == 7 && !memcmp(line, "READY=1", 7))
		v.ready = 1;
	if (size == 10 && !memcmp(line, "STOPPING=1", 10))
		v.ready = 0;
	if (v.ready != was)
		tell_keeper(v.ready ? SYNC_READY : SYNC_STOPPING, 0);
	if (size >= 7 && !memcmp(line, "STATUS=", 7)) {
		size_t n = 0;
		for (size_t i = 7; i < size && n < sizeof v.status - 1; i++)
			v.status[n++] = line[i] >= ' ' && line[i] < 127 ? line[i] : '?';
		v.status[n] = 0;
	}
}

static void from_guest(void)
{
	char b[2048];
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(sizeof(struct ucred))]; /* no room for fds: the kernel closes what is sent along */
	} control;
	struct iovec iov = {b, sizeof b};
	for (int i = 0; i < 16; i++) {
		struct msghdr h = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.b};
		ssize_t n = recvmsg(v.s->notify, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0)
			return;
		struct cmsghdr *c = CMSG_FIRSTHDR(&h);
		if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
			c->cmsg_len != CMSG_LEN(sizeof(struct ucred)))
			continue;
		struct ucred from;
		memcpy(&from, CMSG_DATA(c), sizeof from);
		if (from.pid != v.s->init || h.msg_flags & MSG_TRUNC)
			continue;
		for (char *p = b, *e = b + n; p < e;) {
			char *nl = memchr(p, '\n', e - p);
			notify_line(p, (nl ? nl : e) - p);
			p = nl ? nl + 1 : e;
		}
		write_state();
	}
}

/* ---- clients */

static void accept_client(void)
{
	int fd = accept4(v.s->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct ucred peer;
	socklen_t n = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == 0)
		for (int i = 0; i < CLIENTS; i++)
			if (!v.client[i].fd) {
				v.client[i] = (struct client){.fd = fd};
				watch(fd, EPOLLIN, CLIENT, i);
				return;
			}
	close(fd);
}

static int client_hello(struct client *c, const uint8_t *payload, uint32_t size)
{
	uint8_t answer[PROTOCOL_HEADER + 4];
	if (size != 4)
		return -1;
	put_frame_header(answer, 4, FRAME_HELLO);
	put_le32(answer + PROTOCOL_HEADER, PROTOCOL_VERSION);
	c->hello = get_le32(payload) == PROTOCOL_VERSION;
	if (send(c->fd, answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof answer)
		return -1;
	return c->hello ? 0 : -1;
}

static int client_frame(struct client *c, uint8_t type, const uint8_t *payload, uint32_t size)
{
	if (type == FRAME_HELLO)
		return client_hello(c, payload, size);
	if (!c->hello)
		return -1;
	if (type == FRAME_CONSOLE) {
		c->console = 1;
		c->sent = 0;
		feed_client(c);
		return 0;
	}
	if (type == FRAME_RESIZE && size == 4 && c->console) {
		struct winsize w = {.ws_row = get_le16(payload), .ws_col = get_le16(payload + 2)};
		if (v.s->console >= 0)
			ioctl(v.s->console, TIOCSWINSZ, &w);
		return 0;
	}
	if (type == FRAME_INPUT && c->console) {
		memcpy(v.input + v.input_have, payload, size);
		v.input_have += size;
		write_console();
		return 0;
	}
	return -1;
}

/* Input waits in the client's own frame until the console took the earlier one. */
static int input_room(const struct client *c)
{
	return c->frame[4] != FRAME_INPUT || v.input_have + get_le32(c->frame) <= sizeof v.input;
}

static void client_readable(struct client *c)
{
	for (int i = 0; i < 16 && c->fd; i++) {
		uint32_t want = PROTOCOL_HEADER;
		if (c->have >= PROTOCOL_HEADER) {
			if (get_le32(c->frame) > PROTOCOL_PAYLOAD_MAX) {
				drop_client(c);
				return;
			}
			want += get_le32(c->frame);
		}
		if (c->have == want) {
			if (!input_room(c)) {
				watch(c->fd, EPOLLHUP, CLIENT, c - v.client);
				return;
			}
			c->have = 0;
			if (client_frame(c, c->frame[4], c->frame + PROTOCOL_HEADER, want - PROTOCOL_HEADER))
				drop_client(c);
			continue;
		}
		ssize_t n = recv(c->fd, c->frame + c->have, want - c->have, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			drop_client(c);
		if (n <= 0)
			return;
		c->have += n;
	}
}

static void console_writable(void)
{
	write_console();
	if (v.input_have)
		return;
	for (int i = 0; i < CLIENTS; i++)
		if (v.client[i].fd && v.client[i].console && v.client[i].have >= PROTOCOL_HEADER) {
			client_readable(&v.client[i]);
			if (v.client[i].fd)
				feed_client(&v.client[i]); /* listens again */
		}
}

/* ---- */

static void confine(void)
{
	prctl(PR_SET_NAME, "ve-server");
	unblock_signals();
	/* One that was taken over could fill the disk through the files that it holds. */
	struct rlimit size = {v.s->log_limit + 65536, v.s->log_limit + 65536};
	setrlimit(RLIMIT_FSIZE, &size);
	signal(SIGXFSZ, SIG_IGN);
	if (drop_all_capabilities() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0) ||
		load_seccomp(&plan->blob[BLOB_SECCOMP_SUPERVISOR]))
		_exit(1); /* fails closed: the keeper sees it and ends the start */
}

static void dispatch(const struct epoll_event *e)
{
	unsigned index = (uint32_t)e->data.u64;
	switch ((enum source)(e->data.u64 >> 32)) {
	case KEEPER:
		from_keeper();
		break;
	case CONSOLE:
		if (e->events & EPOLLOUT)
			console_writable();
		read_console();
		break;
	case CONTROL:
		accept_client();
		break;
	case NOTIFY:
		from_guest();
		break;
	case CLIENT: {
		struct client *c = &v.client[index % CLIENTS];
		if (c->fd && e->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			client_readable(c);
		if (c->fd && c->console && e->events & EPOLLOUT)
			feed_client(c);
		if (c->fd && e->events & (EPOLLERR | EPOLLHUP))
			drop_client(c);
		break;
	}
	case MEMORY:
		memory_event();
		break;
	}
}

void serve(struct server *s)
{
	v.s = s;
	v.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (v.epoll < 0)
		_exit(1);
	confine();
	struct sync_message confined = {.kind = SYNC_NOTE};
	if (sync_send(s->keeper, &confined, -1))
		_exit(1);
	log_open(&v.log, s->log, s->log_limit);
	watch(s->keeper, EPOLLIN, KEEPER, 0);
	watch(s->control, EPOLLIN, CONTROL, 0);
	watch(s->notify, EPOLLIN, NOTIFY, 0);
	v.oom_kills = read_oom_kills();
	watch(s->memory, EPOLLPRI, MEMORY, 0); /* refused, with nothing lost, where it is /dev/null */
	for (;;) {
		struct epoll_event e[16];
		int n = epoll_wait(v.epoll, e, 16, -1);
		if (n < 0 && errno != EINTR)
			_exit(1);
		for (int i = 0; i < n; i++)
			dispatch(&e[i]);
	}
}
