/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>

#include "vectl.h"

enum { OPT_FORCE = 300 };
static const struct option options[] = {{"force", no_argument, NULL, OPT_FORCE}, CLI_OPTIONS, {0}};

/* 1: yes; 0: no, or nobody there to say so; -EINTR. Reads the terminal a byte at a time, to leave nothing unread. */
static int confirmed(struct cli *cli, const char *name)
{
	struct pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {cli->cancel_fd, POLLIN, 0}};
	char first = 0, c;

	fprintf(stderr, "destroy %s with its disk? [y/N] ", name);
	for (;;) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return 0;
		if (polled[1].revents) {
			fputc('\n', stderr);
			return -EINTR;
		}
		if (!polled[0].revents)
			continue;
		if (read(STDIN_FILENO, &c, 1) != 1 || c == '\n')
			return first == 'y' || first == 'Y';
		if (!first)
			first = c;
	}
}

static int destroy_one(struct cli *cli, struct ve *ve, void *p)
{
	int force = *(int *)p;

	/* a running one is refused by the library without force: no need to ask first */
	if (!force && isatty(STDIN_FILENO) && ve_state(ve) == VE_STOPPED) {
		int yes = confirmed(cli, ve_name(ve));
		if (yes == -EINTR)
			return EXIT_INTERRUPTED;
		if (!yes)
			return cli_error(cli, ve_name(ve), "destroy", ECANCELED, "not confirmed, nothing was done",
				"answer y, or give --force");
	}
	if (ve_destroy(ve, force) < 0)
		return cli_fail(cli);
	return cli_done(cli, ve_name(ve), "destroyed");
}

int verb_destroy(struct cli *cli, int argc, char **argv)
{
	struct names names cleanup_names = {0};
	int force = 0;

	for (int c; (c = cli_getopt(cli, argc, argv, "", options)) != -1;) {
		if (c != OPT_FORCE)
			return cli->status;
		force = 1;
	}
	int r = cli_names(cli, argc, argv, 0, &names);
	return r ? r : cli_each(cli, &names, destroy_one, &force);
}
