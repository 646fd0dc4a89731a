/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user's terminal, and bytes between it and a VE: what exec, attach and console share. */
#ifndef VECTL_TERMINAL_H
#define VECTL_TERMINAL_H

#include <poll.h>
#include <stddef.h>

struct cli;
struct ve_process;

/* ---- the terminal */

int terminal_is(int fd);
/* Raw mode until terminal_restore, which runs at exit as well. A no-op when stdin is no terminal. */
void terminal_raw(void);
void terminal_restore(void);
/* The size of the first of stdin, stdout and stderr that is a terminal; 0 by 0 when none is. */
void terminal_size(unsigned short *ret_rows, unsigned short *ret_columns);
/* A pollable fd that becomes readable when the size may have changed; -1: none of the three is a terminal. */
int terminal_watch(void);
/* After that fd was readable. Raw mode is set again: a shell that stopped and continued us has changed it. */
void terminal_changed(unsigned short *ret_rows, unsigned short *ret_columns);

/* ---- one direction of bytes */

enum {
	CHANNEL_OWN_FROM = 1, /* `from` is ours: closed when nobody takes its bytes any more */
	CHANNEL_OWN_TO = 2,   /* `to` is ours: closed at the end of input */
	CHANNEL_FROM_TTY = 4, /* `from` is a pty's master: EIO says that nobody has its other side open now */
	CHANNEL_TO_TTY = 8,   /* `to` is a pty's master: the end of input is its end-of-file character */
	CHANNEL_BUFFER = 32768,
};
struct channel {
	int from, to; /* -1: done with */
	int flags;
	int idle; /* a pty's other side is closed; another process may open it again */
	char last;
	size_t start, end;
	char data[CHANNEL_BUFFER];
};

/* Fills two; channel_step does what they say is possible. */
void channel_poll(struct channel *c, struct pollfd *p);
void channel_step(struct channel *c, const struct pollfd *p);
/* What is there to read now goes out, unless the user interrupts it. */
void channel_drain(struct cli *cli, struct channel *c);

/*
 * Relays until the process has ended; passes signals on and, with a pty, the size. Returns its status, -errno, or
 * 128+n when a signal ended the relay of a pty.
 */
int relay_process(struct cli *cli, struct ve_process *process, struct channel *const *channels, int n_channels);

#endif
