/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * edit NAME: an editor on a copy of the spec. Nothing is taken before it has been checked as a whole, nothing that was
 * written is lost, and what somebody else set meanwhile is not undone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vectl.h"

extern char **environ;

enum { TEXT_MAX = 1 << 20 };
static const struct option options[] = {CLI_OPTIONS, {0}};

struct edit {
	struct cli *cli;
	struct ve *ve;
	char folder[PATH_MAX], file[PATH_MAX]; /* of nobody else: specs may hold what is not for all eyes */
	char *given;                           /* to the editor */
	char *expected;                        /* for ve_set_json_if: the same until somebody else sets something */
};

static int fail(struct edit *x, int e, const char *what, const char *remedy)
{
	char wrong[PATH_MAX + 128];

	snprintf(wrong, sizeof(wrong), "%s: %s", what, strerror(e));
	return cli_error(x->cli, ve_name(x->ve), "edit", e, wrong, remedy);
}

static int write_copy(struct edit *x)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(x->folder, sizeof(x->folder), "%s/vectl-edit.XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	if (!mkdtemp(x->folder)) {
		int e = errno;
		int r = fail(x, e, x->folder, "set TMPDIR to a folder that can be written");
		*x->folder = '\0';
		return r;
	}
	if ((size_t)snprintf(x->file, sizeof(x->file), "%s/%s.json", x->folder, ve_name(x->ve)) >= sizeof(x->file))
		return fail(x, ENAMETOOLONG, x->folder, "set TMPDIR to a shorter path");
	int fd = open(x->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	int e = f ? 0 : errno;
	if (f && fputs(x->given, f) < 0)
		e = errno;
	if (f && fclose(f) && !e)
		e = errno;
	if (!f && fd >= 0)
		close(fd);
	return e ? fail(x, e, x->file, "make room there, or set TMPDIR") : 0;
}

static void remove_copy(struct edit *x)
{
	if (*x->file)
		unlink(x->file);
	/* an editor's own leftovers (backups) stay, and with them the folder */
	if (*x->folder)
		rmdir(x->folder);
}

/* `out`: what it gets as its standard output, where the document may be expected on vectl's own. */
static int spawn_editor(const char *command, const char *file, int out, pid_t *ret)
{
	char script[PATH_MAX + 32];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;

	/* The words are a shell's: EDITOR="code --wait" is usual. */
	if ((size_t)snprintf(script, sizeof(script), "exec %s \"$1\"", command) >= sizeof(script))
		return E2BIG;
	char *argv[] = {"sh", "-c", script, "sh", (char *)file, NULL};
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGQUIT);
	int e = posix_spawnattr_init(&attributes);
	if (e)
		return e;
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	e = posix_spawn_file_actions_init(&actions);
	if (!e) {
		e = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
		if (!e)
			e = posix_spawn(ret, "/bin/sh", &actions, &attributes, argv, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	posix_spawnattr_destroy(&attributes);
	return e;
}

static int run_editor(struct edit *x)
{
	const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
	const char *command = visual && *visual ? visual : editor && *editor ? editor : NULL;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
	char wrong[256];
	pid_t pid;
	int status = 0;

	if (!command)
		command = !access("/usr/bin/sensible-editor", X_OK) ? "sensible-editor"
			  : !access("/usr/bin/editor", X_OK)        ? "editor"
								    : "vi";
	fflush(NULL);
	/* As system(3): what is typed in the editor is the editor's, also Ctrl-C. */
	sigaction(SIGINT, &ignore, &interrupt);
	sigaction(SIGQUIT, &ignore, &quit);
	int e = spawn_editor(command, x->file, x->cli->json ? STDERR_FILENO : STDOUT_FILENO, &pid);
	while (!e && waitpid(pid, &status, 0) < 0)
		e = errno == EINTR ? 0 : errno;
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	if (e)
		return fail(x, e, "the editor", "set EDITOR");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	snprintf(wrong, sizeof(wrong), "the editor %.64s %s %d; nothing was changed", command,
		WIFSIGNALED(status) ? "was ended by signal" : "ended with status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return cli_error(x->cli, ve_name(x->ve), "edit", 0, wrong, "set EDITOR to one that works");
}

/* NULL with *ret_status set. */
static char *read_copy(struct edit *x, int *ret_status)
{
	int fd = open(x->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *text = f ? malloc(TEXT_MAX + 2) : NULL;
	size_t n = text ? fread(text, 1, TEXT_MAX + 1, f) : 0;
	int e = !f || !text || ferror(f) ? errno : n > TEXT_MAX ? EFBIG : memchr(text, '\0', n) ? EILSEQ : 0;

	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	if (!e) {
		text[n] = '\0';
		return text;
	}
	free(text);
	*ret_status = fail(x, e, x->file, "the spec is as it was");
	return NULL;
}

static int on_terminal(const struct edit *x)
{
	return !x->cli->json && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* On a terminal: an empty line is yes, the end of input and an interrupt are no. Reads a byte at a time, to leave
 * nothing unread that the editor could want. */
static int ask_again(struct edit *x)
{
	struct pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {x->cli->cancel_fd, POLLIN, 0}};
	char first = 0, c;

	if (!on_terminal(x))
		return 0;
	fprintf(stderr, "edit it again? [Y/n] ");
	fflush(stderr);
	for (;;) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return 0;
		if (polled[1].revents) {
			fputc('\n', stderr);
			return 0;
		}
		if (!polled[0].revents)
			continue;
		if (read(STDIN_FILENO, &c, 1) != 1)
			return 0;
		if (c == '\n')
			return !first || first == 'y' || first == 'Y';
		if (!first)
			first = c;
	}
}

static int say_unchanged(struct edit *x)
{
	cli_note(x->cli, "%s: unchanged", ve_name(x->ve));
	return cli_done(x->cli, ve_name(x->ve), ve_state_name(ve_state(x->ve)));
}

/* The text is the user's; where it stays is told with what is wrong, or after it on a terminal. */
static void keep(struct edit *x)
{
	cli_add_to_error(x->cli, "kept", x->file);
	*x->file = *x->folder = '\0';
}

static int take(struct edit *x, const char *text)
{
	char *now cleanup_text = NULL, more[PATH_MAX + 32] = "";
	int r = ve_set_json_if(x->ve, x->expected, text, x->file), status;

	if (r >= 0)
		return EXIT_DONE;
	if (!on_terminal(x))
		snprintf(more, sizeof(more), "the text is kept in %s", x->file);
	status = cli_fail_and(x->cli, *more ? more : NULL);
	/* Who edits again after that message means to put this text in the place of the other one. */
	if (r == -ESTALE && ve_get_json(x->ve, &now) >= 0) {
		ve_free(x->expected);
		x->expected = now;
		now = NULL;
	}
	return status;
}

static int edit(struct edit *x)
{
	for (;;) {
		int status = run_editor(x), failed = status;
		char *text = read_copy(x, &status);
		int same = text && !strcmp(text, x->given);

		if (text && !failed && !same)
			status = take(x, text);
		int readable = text != NULL;
		free(text);
		if (same && !failed)
			return say_unchanged(x);
		if (!status)
			return cli_changed(x->cli, x->ve, NULL);
		if (same || (!readable && access(x->file, F_OK))) /* nothing to keep: the editor removed it */
			return status;
		if (failed || !readable || !ask_again(x)) {
			if (failed || !readable || on_terminal(x))
				cli_note(x->cli, "%s: the text is kept in %s", ve_name(x->ve), x->file);
			keep(x);
			return status;
		}
	}
}

int verb_edit(struct cli *cli, int argc, char **argv)
{
	struct ve *ve cleanup_ve = NULL;
	const char *name;

	if (cli_getopt(cli, argc, argv, "", options) != -1)
		return cli->status;
	int r = cli_one_name(cli, argc, argv, 0, 0, &name);
	if (r || (r = cli_open_ve(cli, name, &ve)))
		return r;
	struct edit x = {.cli = cli, .ve = ve};
	if (ve_get_json(ve, &x.given) < 0)
		return cli_fail(cli);
	x.expected = strdup(x.given);
	r = x.expected ? write_copy(&x) : fail(&x, ENOMEM, "the spec", NULL);
	if (!r)
		r = edit(&x);
	remove_copy(&x);
	ve_free(x.given);
	ve_free(x.expected);
	return r;
}
