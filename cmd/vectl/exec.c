/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "enter.h"
#include "terminal.h"

enum { OPT_USER = 300, OPT_ENV, OPT_CWD };
static const struct option options[] = {{"tty", no_argument, NULL, 't'}, {"user", required_argument, NULL, OPT_USER},
	{"env", required_argument, NULL, OPT_ENV}, {"cwd", required_argument, NULL, OPT_CWD}, CLI_OPTIONS, {0}};

struct streams {
	int fds[3];   /* the command's */
	int given[3]; /* those of them that are pipes made here */
	struct channel *channels[3];
	int n_channels;
};

static void cleanup_process(struct ve_process **p)
{
	ve_process_close(*p);
}

/* Both are the user's one terminal: through one pipe, what is written first also shows first. */
static int same_terminal(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_rdev == sb.st_rdev;
}

/* The user's terminal never gets into the VE: a command there could type into it (TIOCSTI, CVE-2016-10124). */
static int relay_terminal(struct streams *s, int fd)
{
	static struct channel channels[3];
	struct channel *c = &channels[fd];
	int pair[2], ours, input = fd == STDIN_FILENO;

	if (fd == STDERR_FILENO && s->given[STDOUT_FILENO] && same_terminal(STDOUT_FILENO, STDERR_FILENO)) {
		s->fds[fd] = s->fds[STDOUT_FILENO];
		return 0;
	}
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	ours = pair[input];
	fcntl(ours, F_SETFL, O_NONBLOCK);
	s->fds[fd] = pair[!input];
	s->given[fd] = 1;
	c->from = input ? fd : ours;
	c->to = input ? ours : fd;
	c->flags = input ? CHANNEL_OWN_TO : CHANNEL_OWN_FROM;
	s->channels[s->n_channels++] = c;
	return 0;
}

/*
 * What the command alone shall hold is let go of: the reader of a pipe sees its end when the command closes it, not
 * when vectl ends. stderr stays for a message.
 */
static void let_go(const struct streams *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (s->given[fd])
			close(s->fds[fd]);
		else if (fd != STDERR_FILENO && s->fds[fd] == fd && null >= 0)
			dup2(null, fd);
	if (null >= 0)
		close(null);
}

static int exec_on_streams(struct cli *cli, const char *name, struct ve_exec_options *o)
{
	__attribute__((cleanup(cleanup_process))) struct ve_process *process = NULL;
	struct ve *ve cleanup_ve = NULL;
	struct streams s = {.fds = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}};
	int r = cli_open_ve(cli, name, &ve);

	if (r)
		return r;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (terminal_is(fd) && (r = relay_terminal(&s, fd)) < 0)
			return cli_error(
				cli, name, "making a pipe", -r, strerror(-r), "let vectl open more files: ulimit -n");
	o->stdin_fd = s.fds[STDIN_FILENO];
	o->stdout_fd = s.fds[STDOUT_FILENO];
	o->stderr_fd = s.fds[STDERR_FILENO];
	if (ve_exec(ve, o, &process) < 0)
		return cli_fail(cli);
	let_go(&s);
	return enter_status(cli, name, relay_process(cli, process, s.channels, s.n_channels));
}

static int add_env(struct cli *cli, const char ***env, size_t *n, const char *entry)
{
	const char **grown;

	if (*entry == '=' || !strchr(entry, '='))
		return cli_usage(cli, "exec", "--env=%s: it is KEY=VALUE", entry);
	grown = realloc(*env, (*n + 2) * sizeof(*grown));
	if (!grown)
		return cli_error(cli, NULL, "reading --env", ENOMEM, strerror(ENOMEM), "free some memory");
	*env = grown;
	grown[(*n)++] = entry;
	grown[*n] = NULL;
	return 0;
}

int verb_exec(struct cli *cli, int argc, char **argv)
{
	struct ve_exec_options o = {.size = sizeof(o)};
	const char *name = NULL, **env = NULL, *term;
	size_t n_env = 0;
	int tty = 0, r = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (int c; r == 0 && (c = cli_getopt(cli, argc, argv, "+t", options)) != -1;)
			switch (c) {
			case 't':
				tty = 1;
				break;
			case OPT_USER:
				o.user = optarg;
				break;
			case OPT_CWD:
				o.cwd = optarg;
				break;
			case OPT_ENV:
				r = add_env(cli, &env, &n_env, optarg);
				break;
			default:
				free(env);
				return cli->status;
			}
		if (r == 0 && optind >= argc)
			r = cli_usage(cli, "exec", name ? "a command is missing" : "the name of a VE is missing");
		if (r == 0 && !name)
			name = argv[optind++];
	}
	term = tty ? enter_term() : NULL;
	for (size_t i = 0; term && i < n_env; i++)
		if (strncmp(env[i], "TERM=", 5) == 0)
			term = NULL;
	if (r == 0 && term)
		r = add_env(cli, &env, &n_env, term);
	if (r == 0) {
		o.argv = (const char *const *)argv + optind;
		o.env = env;
		r = tty ? enter_on_tty(cli, name, &o) : exec_on_streams(cli, name, &o);
	}
	free(env);
	return r;
}
