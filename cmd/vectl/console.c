/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "terminal.h"
#include "vectl.h"

enum { DETACH = 0x1d, /* Ctrl-], twice in a row */ PENDING_MAX = 4096 };
static const struct option options[] = {CLI_OPTIONS, {0}};

struct console {
	int fd;
	int half; /* one Ctrl-] was typed and is held back */
	int detached;
	char pending[PENDING_MAX + 1]; /* typed, not taken by the supervisor yet */
	size_t size;
};

static void type_byte(struct console *c, char byte)
{
	/* A supervisor that takes nothing loses what is typed, but the user can still leave. */
	if (c->size < PENDING_MAX)
		c->pending[c->size++] = byte;
}

static void take_typed(struct console *c, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && !c->detached; i++) {
		if (bytes[i] == DETACH && c->half) {
			c->detached = 1;
		} else if (bytes[i] == DETACH) {
			c->half = 1;
		} else {
			if (c->half)
				type_byte(c, DETACH);
			c->half = 0;
			type_byte(c, bytes[i]);
		}
	}
}

/* 0, or a negative errno when the console is gone. */
static int send_pending(struct console *c)
{
	int n = c->size ? ve_console_write(c->fd, c->pending, c->size) : 0;

	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return n;
	memmove(c->pending, c->pending + n, c->size - (size_t)n);
	c->size -= (size_t)n;
	return 0;
}

static void resize(int fd)
{
	unsigned short rows, columns;

	terminal_size(&rows, &columns);
	if (rows && columns)
		ve_console_resize(fd, rows, columns);
}

/* Until detached, the console's end (0), or a signal (128+n). */
static int relay(struct cli *cli, struct console *c, int input, int watch)
{
	static struct channel out;
	unsigned short rows, columns;
	char typed[PENDING_MAX];
	int s;

	out = (struct channel){.from = c->fd, .to = STDOUT_FILENO};
	while (!c->detached && out.from >= 0) {
		struct pollfd p[6] = {
			{.fd = cli->cancel_fd, .events = POLLIN},
			{.fd = watch, .events = POLLIN},
			{.fd = input, .events = POLLIN},
			{.fd = c->size ? c->fd : -1, .events = POLLOUT},
		};

		channel_poll(&out, &p[4]);
		if (poll(p, 6, -1) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		if (p[0].revents && (s = cli_take_signal(cli)) != 0)
			return 128 + s;
		if (p[1].revents) {
			terminal_changed(&rows, &columns);
			resize(c->fd);
		}
		if (p[2].revents) {
			ssize_t n = read(input, typed, sizeof(typed));

			if (n > 0)
				take_typed(c, typed, (size_t)n);
			else if (n == 0 || errno != EINTR)
				input = -1; /* its output is still of interest */
		}
		if (send_pending(c) < 0)
			break;
		channel_step(&out, &p[4]);
	}
	channel_drain(cli, &out);
	return 0;
}

int cli_console_relay(struct cli *cli, struct ve *ve)
{
	static struct console c;
	int on_terminal = terminal_is(STDIN_FILENO), r, watch;

	c = (struct console){.fd = ve_console_open(ve)};
	if (c.fd < 0)
		return cli_fail(cli);
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	if (on_terminal)
		cli_note(cli, "Connected to the console of %s. To leave it: Ctrl-] Ctrl-]", ve_name(ve));
	watch = terminal_watch();
	resize(c.fd);
	terminal_raw();
	r = relay(cli, &c, STDIN_FILENO, watch);
	terminal_restore();
	close(c.fd);
	if (r < 0)
		return cli_error(cli, ve_name(ve), "relaying its console", -r, strerror(-r), NULL);
	if (on_terminal && !cli->quiet && !cli->json)
		fputc('\n', stderr); /* the console's line is most likely not at its end */
	if (on_terminal)
		cli_note(cli, c.detached ? "Left the console of %s." : "The console of %s has ended.", ve_name(ve));
	return r == 128 + 2 ? EXIT_INTERRUPTED : r;
}

int verb_console(struct cli *cli, int argc, char **argv)
{
	struct ve *ve cleanup_ve = NULL;
	int r;

	if (cli_getopt(cli, argc, argv, "", options) != -1)
		return cli->status;
	if (argc - optind != 1)
		return cli_usage(cli, "console", "give the name of one VE");
	r = cli_open_ve(cli, argv[optind], &ve);
	return r ? r : cli_console_relay(cli, ve);
}
