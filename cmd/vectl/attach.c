/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "enter.h"
#include "terminal.h"

enum { OPT_USER = 300 };
static const struct option options[] = {{"user", required_argument, NULL, OPT_USER}, CLI_OPTIONS, {0}};

const char *enter_term(void)
{
	static char entry[80];
	const char *term = getenv("TERM");
	size_t n = term ? strlen(term) : 0;

	if (n == 0 || n > 64 || strspn(term, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") != n)
		return NULL;
	snprintf(entry, sizeof(entry), "TERM=%s", term);
	return entry;
}

int enter_status(struct cli *cli, const char *name, int result)
{
	if (result >= 0)
		return result;
	cli_error(cli, name, "waiting for the command", -result, "its exit status was lost",
		"the VE may have ended: look at `vectl list` and `vectl logs`");
	return EXIT_OWN_FAILURE;
}

static void cleanup_process(struct ve_process **p)
{
	ve_process_close(*p);
}

int enter_on_tty(struct cli *cli, const char *name, struct ve_exec_options *o)
{
	static struct channel in, out;
	__attribute__((cleanup(cleanup_process))) struct ve_process *process = NULL;
	struct ve *ve cleanup_ve = NULL;
	int r = cli_open_ve(cli, name, &ve);

	if (r)
		return r;
	o->flags |= VE_EXEC_TTY;
	terminal_size(&o->rows, &o->columns);
	if (ve_exec(ve, o, &process) < 0)
		return cli_fail(cli);
	int master = ve_process_tty(process);

	in.from = STDIN_FILENO;
	in.to = master;
	in.flags = CHANNEL_TO_TTY;
	out.from = master;
	out.to = STDOUT_FILENO;
	out.flags = CHANNEL_FROM_TTY;
	terminal_raw();
	r = relay_process(cli, process, (struct channel *const[]){&in, &out}, 2);
	terminal_restore();
	return enter_status(cli, name, r);
}

int verb_attach(struct cli *cli, int argc, char **argv)
{
	struct ve_exec_options o = {.size = sizeof(o), .flags = VE_EXEC_LOGIN};
	const char *name = NULL, *env[] = {enter_term(), NULL};

	for (int pass = 0; pass < 2; pass++) {
		for (int c; (c = cli_getopt(cli, argc, argv, "+", options)) != -1;) {
			if (c != OPT_USER)
				return cli->status;
			o.user = optarg;
		}
		if (!name && optind >= argc)
			return cli_usage(cli, "attach", "the name of a VE is missing");
		if (!name)
			name = argv[optind++];
	}
	if (optind < argc)
		o.argv = (const char *const *)argv + optind;
	o.env = env;
	return enter_on_tty(cli, name, &o);
}
