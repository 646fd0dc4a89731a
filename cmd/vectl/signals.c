/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>

#include "vectl.h"

/*
 * A pipe and handlers rather than a signalfd and a blocked mask: a mask and an ignored SIGPIPE pass through exec, so
 * the VE's init would inherit them; handlers do not.
 */
static int pipe_fds[2] = {-1, -1};
static volatile sig_atomic_t pending;

static void caught(int signal_number)
{
	int saved = errno;
	unsigned char byte = (unsigned char)signal_number;

	/* Somebody who insists is not held by a call that does not watch the pipe. What is left over is reaped later.
	 */
	if (++pending >= 3) {
		signal(signal_number, SIG_DFL);
		raise(signal_number);
	}
	if (write(pipe_fds[1], &byte, 1) < 0) {
		/* full: it is readable, which is all that matters */
	}
	errno = saved;
}

static void ignored(int signal_number)
{
}

int cli_catch_signals(struct cli *cli)
{
	static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = caught, .sa_flags = SA_RESTART};

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	cli->cancel_fd = pipe_fds[0];
	for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++) {
		struct sigaction old;
		/* what nohup or a shell's background job has switched off stays off */
		if (sigaction(stopping[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaction(stopping[i], &action, NULL);
	}
	action.sa_handler = ignored;
	sigaction(SIGPIPE, &action, NULL);
	return 0;
}

int cli_take_signal(struct cli *cli)
{
	unsigned char byte;

	if (cli->cancel_fd < 0 || read(cli->cancel_fd, &byte, 1) != 1)
		return 0;
	pending = 0;
	return byte;
}
