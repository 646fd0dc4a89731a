/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/base/error.h"
#include "lib/base/util.h"
#include "lib/host/host.h"
#include "lib/run/protocol.h"
#include "lib/run/state.h"

#define TRIED "opening the VE's console"

enum { ANSWER_MS = 5000 };

/* One frame in one piece: where there is room for a part of it only, the rest is waited for. */
static int send_frame(int fd, uint8_t type, const void *payload, size_t size)
{
	uint8_t frame[PROTOCOL_HEADER + PROTOCOL_PAYLOAD_MAX];
	size_t done = 0;

	if (size > PROTOCOL_PAYLOAD_MAX)
		return -EMSGSIZE;
	put_frame_header(frame, (uint32_t)size, type);
	if (size)
		memcpy(frame + PROTOCOL_HEADER, payload, size);
	while (done < PROTOCOL_HEADER + size) {
		ssize_t n = send(fd, frame + done, PROTOCOL_HEADER + size - done, MSG_NOSIGNAL);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN && done > 0) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			if (poll(&p, 1, ANSWER_MS) <= 0)
				return -EPIPE; /* half a frame is out: the connection is of no use any more */
		} else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Exactly `size` bytes within the time for an answer; a supervisor that is stuck holds nobody. */
static int receive(int fd, uint8_t *to, size_t size)
{
	while (size > 0) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int r = poll(&p, 1, ANSWER_MS);
		ssize_t n;

		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r < 0)
			continue;
		n = recv(fd, to, size, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			to += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int greet(int fd)
{
	uint8_t hello[4], answer[PROTOCOL_HEADER + sizeof(hello)];
	int r;

	put_le32(hello, PROTOCOL_VERSION);
	r = send_frame(fd, FRAME_HELLO, hello, sizeof(hello));
	if (r == 0)
		r = receive(fd, answer, sizeof(answer));
	if (r < 0)
		return r;
	if (get_le32(answer) != sizeof(hello) || answer[4] != FRAME_HELLO ||
		get_le32(answer + PROTOCOL_HEADER) != PROTOCOL_VERSION)
		return -EPROTONOSUPPORT;
	return 0;
}

/* By way of the folder's fd: the path may be longer than a socket address holds. */
static int connect_control(int dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (FORMAT(address.sun_path, "/proc/self/fd/%d/control", dir) < 0)
		return -ENAMETOOLONG;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int ve_console_open(struct ve *ve)
{
	struct error *e = host_begin(ve->host);
	cleanup_fd int dir = -EBADF, fd = -EBADF;
	char remedy[128];
	struct runtime rt;
	int r;

	snprintf(e->ve, sizeof(e->ve), "%s", ve->name);
	(void)FORMAT(remedy, "vectl start %s", ve->name);
	r = runtime_read(ve->host, ve->name, &rt, e);
	if (r < 0)
		return r;
	if (!rt.alive)
		return error_set(e, VE_E_STATE, ESRCH, TRIED, remedy, "the VE is %s", ve_state_name(VE_STOPPED));
	dir = runtime_open_dir(ve->host, ve->name);
	if (dir < 0)
		return error_sys(e, -dir, TRIED, ve->host->run);
	fd = connect_control(dir);
	if (fd < 0)
		return error_sys(e, -fd, TRIED, "control socket");
	r = greet(fd);
	if (r == -EPROTONOSUPPORT) {
		(void)FORMAT(remedy, "vectl restart %s", ve->name);
		return error_set(e, VE_E_STATE, EPROTONOSUPPORT, TRIED, remedy,
			"the VE was started by a version of vectl with another protocol");
	}
	if (r == 0)
		r = send_frame(fd, FRAME_CONSOLE, NULL, 0);
	if (r < 0)
		return error_sys(e, -r, TRIED, "supervisor");
	return TAKE_FD(fd);
}

int ve_console_write(int fd, const void *bytes, size_t size)
{
	int r;

	if (size > PROTOCOL_PAYLOAD_MAX)
		size = PROTOCOL_PAYLOAD_MAX;
	r = size ? send_frame(fd, FRAME_INPUT, bytes, size) : 0;
	return r < 0 ? r : (int)size;
}

int ve_console_resize(int fd, unsigned short rows, unsigned short columns)
{
	uint8_t size[4];

	put_le16(size, rows);
	put_le16(size + 2, columns);
	return send_frame(fd, FRAME_RESIZE, size, sizeof(size));
}
