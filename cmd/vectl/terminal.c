/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "vectl.h"

enum { PIECE = 4096, IDLE_MS = 200, HANGUP_MS = 1000, DRAIN_MAX = 1 << 20 };

/* ---- the terminal */

static struct termios saved;
static int is_raw;
static int changes[2] = {-1, -1};

int terminal_is(int fd)
{
	struct termios t;

	return tcgetattr(fd, &t) == 0;
}

static void set_raw(void)
{
	struct termios raw = saved;

	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void terminal_raw(void)
{
	static int registered;

	if (is_raw || tcgetattr(STDIN_FILENO, &saved) < 0)
		return;
	if (!registered++)
		atexit(terminal_restore);
	is_raw = 1;
	set_raw();
}

void terminal_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	is_raw = 0;
}

void terminal_size(unsigned short *ret_rows, unsigned short *ret_columns)
{
	struct winsize size = {0};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0)
			break;
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col;
}

static void changed(int signal_number)
{
	int error = errno;

	if (write(changes[1], "", 1) < 0) {
		/* full: it is readable, which is all that matters */
	}
	errno = error;
}

int terminal_watch(void)
{
	struct sigaction action = {.sa_handler = changed, .sa_flags = SA_RESTART};

	if (!terminal_is(STDIN_FILENO) && !terminal_is(STDOUT_FILENO) && !terminal_is(STDERR_FILENO))
		return -1;
	if (changes[0] < 0 && pipe2(changes, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	sigaction(SIGWINCH, &action, NULL);
	sigaction(SIGCONT, &action, NULL);
	return changes[0];
}

void terminal_changed(unsigned short *ret_rows, unsigned short *ret_columns)
{
	char bytes[64];

	while (read(changes[0], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
	if (is_raw)
		set_raw();
	terminal_size(ret_rows, ret_columns);
}

/* ---- one direction of bytes */

static void close_from(struct channel *c)
{
	if (c->flags & CHANNEL_OWN_FROM && c->from >= 0)
		close(c->from);
	c->from = -1;
}

static void close_to(struct channel *c)
{
	if (c->flags & CHANNEL_OWN_TO && c->to >= 0)
		close(c->to);
	c->to = -1;
	c->start = c->end = 0;
}

/*
 * A terminal has no end but this character; on a line that is begun it takes two, as on a keyboard. A shell that turns
 * to reading single characters after it was typed sees none, so it is typed again whenever all is quiet.
 */
static void type_end_of_file(struct channel *c)
{
	struct termios t;

	if (tcgetattr(c->to, &t) < 0 || t.c_cc[VEOF] == _POSIX_VDISABLE)
		return;
	c->data[0] = c->data[1] = (char)t.c_cc[VEOF];
	c->start = 0;
	c->end = c->last && c->last != '\n' && c->last != '\r' ? 2 : 1;
	c->last = 0;
}

static int is_ended_tty(const struct channel *c)
{
	return c->from < 0 && c->to >= 0 && c->flags & CHANNEL_TO_TTY && c->start == c->end;
}

static void channel_end(struct channel *c)
{
	close_from(c);
	if (c->flags & CHANNEL_TO_TTY && c->to >= 0)
		type_end_of_file(c);
	else
		close_to(c);
}

/* 1: something was read. Only when the buffer is empty. */
static int channel_read(struct channel *c)
{
	ssize_t n = read(c->from, c->data, sizeof(c->data));

	c->idle = n < 0 && errno == EIO && c->flags & CHANNEL_FROM_TTY;
	if (c->idle || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	if (n <= 0) {
		channel_end(c);
		return 0;
	}
	c->start = 0;
	c->end = (size_t)n;
	c->last = c->data[n - 1];
	return 1;
}

/* In pieces that a pipe which polls writable takes whole: stdout is shared, so it is not made non-blocking. */
static void channel_write(struct channel *c)
{
	size_t size = c->end - c->start;
	ssize_t n = write(c->to, c->data + c->start, size > PIECE && !(c->flags & CHANNEL_OWN_TO) ? PIECE : size);

	if (n >= 0)
		c->start += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR) {
		close_to(c);
		close_from(c); /* the writer learns of it */
	}
}

void channel_poll(struct channel *c, struct pollfd *p)
{
	int full = c->start < c->end;

	p[0] = (struct pollfd){.fd = full || c->idle ? -1 : c->from, .events = POLLIN};
	p[1] = (struct pollfd){.fd = full ? c->to : -1, .events = POLLOUT};
}

void channel_step(struct channel *c, const struct pollfd *p)
{
	if (p[0].revents && c->from >= 0)
		channel_read(c);
	if (p[1].revents && c->to >= 0)
		channel_write(c);
}

void channel_drain(struct cli *cli, struct channel *c)
{
	size_t total = 0;

	for (;;) {
		struct pollfd p[2] = {{.fd = c->to, .events = POLLOUT}, {.fd = cli->cancel_fd, .events = POLLIN}};

		if (c->start == c->end) {
			/* what another process of the VE's writes for ever has no place in a command that has ended */
			if (c->from < 0 || total >= DRAIN_MAX || !channel_read(c))
				return;
			total += c->end;
		}
		if (c->to < 0 || (poll(p, 2, -1) < 0 && errno != EINTR) || p[1].revents)
			return;
		if (p[0].revents)
			channel_write(c);
	}
}

/* ---- a process */

static void resize(struct ve_process *process)
{
	struct winsize size = {0};

	terminal_changed(&size.ws_row, &size.ws_col);
	if (size.ws_row && size.ws_col)
		ioctl(ve_process_tty(process), TIOCSWINSZ, &size);
}

/* The user's terminal is gone, or somebody wants vectl gone: as for a session whose line drops. */
static int hang_up(struct ve_process *process, int signal_number)
{
	struct pollfd p = {.fd = ve_process_fd(process), .events = POLLIN};

	ve_process_signal(process, SIGHUP);
	ve_process_signal(process, SIGCONT);
	if (poll(&p, 1, HANGUP_MS) > 0)
		ve_process_wait(process);
	return 128 + signal_number;
}

int relay_process(struct cli *cli, struct ve_process *process, struct channel *const *channels, int n_channels)
{
	enum { ENDED, CANCEL, SIZE, FIRST, MAX = FIRST + 2 * 3 };
	int tty = ve_process_tty(process), status, s;
	int watch = tty >= 0 ? terminal_watch() : -1;

	for (;;) {
		struct pollfd p[MAX] = {
			[ENDED] = {.fd = ve_process_fd(process), .events = POLLIN},
			[CANCEL] = {.fd = cli->cancel_fd, .events = POLLIN},
			[SIZE] = {.fd = watch, .events = POLLIN},
		};
		int idle = 0;

		for (int i = 0; i < n_channels; i++) {
			channel_poll(channels[i], &p[FIRST + 2 * i]);
			idle |= channels[i]->idle || is_ended_tty(channels[i]);
		}
		int n = poll(p, (nfds_t)(FIRST + 2 * n_channels), idle ? IDLE_MS : -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		for (int i = 0; i < n_channels; i++) {
			channels[i]->idle = 0;
			if (n == 0 && is_ended_tty(channels[i]))
				type_end_of_file(channels[i]);
			channel_step(channels[i], &p[FIRST + 2 * i]);
		}
		if (p[SIZE].revents)
			resize(process);
		while (p[CANCEL].revents && (s = cli_take_signal(cli)) != 0) {
			if (tty >= 0)
				return hang_up(process, s);
			ve_process_signal(process, s);
		}
		if (p[ENDED].revents)
			break;
	}
	status = ve_process_wait(process);
	for (int i = 0; i < n_channels; i++)
		if (channels[i]->from == tty || channels[i]->flags & CHANNEL_OWN_FROM)
			channel_drain(cli, channels[i]);
	return status;
}
