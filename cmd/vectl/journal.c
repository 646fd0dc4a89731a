/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "filter.h"
#include "journal.h"
#include "json.h"

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int say_none(struct cli *cli, struct ve *ve)
{
	if (ve_error_code(cli->host) != VE_E_NO_COMMAND)
		return cli_fail(cli);
	return cli_error(cli, ve_name(ve), "logs", ENOENT, "this guest keeps no journal: it has no journalctl",
		"what its console printed is in `vectl logs` without --journal");
}

/* A guest that was made of the host's own disk writes entries that cannot be told from the host's. */
static int refuse_the_hosts(struct cli *cli, struct ve *ve)
{
	char *text cleanup_text = NULL;

	if (ve_info_json(ve, &text) < 0)
		return cli_fail(cli);
	yajl_val document cleanup_json = json_read(cli, text);
	if (!document)
		return EXIT_FAILED;
	if (!json_true(json_at(json_at(document, "ve"), "machine_id_is_the_hosts")))
		return 0;
	return cli_error(cli, ve_name(ve), "logs", EEXIST,
		"its machine id is the host's, so its journal cannot be told from the host's",
		"empty its /etc/machine-id and restart it: it takes one of its own then");
}

int journal_open(struct cli *cli, struct ve *ve, int follow, const struct selection *selection, struct journal *ret)
{
	char count[32] = "all";
	char boot[40], since[40];
	const char *argv[12] = {"journalctl", "--no-pager", "--quiet", "-n", count};
	int argc = 5;
	int fds[5] = {-1, -1, -1, -1, -1}; /* pipe, pipe, null */
	int r = refuse_the_hosts(cli, ve);

	if (r)
		return r;
	if (selection->lines >= 0)
		snprintf(count, sizeof(count), "%ld", selection->lines);
	snprintf(boot, sizeof(boot), "--boot=%ld", selection->boot);
	snprintf(since, sizeof(since), "--since=@%lld", (long long)selection->since);
	if (selection->has_boot)
		argv[argc++] = boot;
	if (selection->since)
		argv[argc++] = since;
	if (follow)
		argv[argc++] = "--follow";
	if (pipe2(fds, O_CLOEXEC) || pipe2(fds + 2, O_CLOEXEC) ||
		(fds[4] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
		int e = errno;
		close_all(fds, 5);
		return cli_error(cli, ve_name(ve), "logs", e, strerror(e), NULL);
	}
	struct ve_exec_options o = {
		.size = sizeof(o), .argv = argv, .stdin_fd = fds[4], .stdout_fd = fds[1], .stderr_fd = fds[3]};
	r = ve_exec(ve, &o, &ret->process);
	close_all((int[]){fds[1], fds[3], fds[4]}, 3);
	if (r < 0) {
		close_all((int[]){fds[0], fds[2]}, 2);
		return say_none(cli, ve);
	}
	ret->out = fds[0];
	ret->err = fds[2];
	return 0;
}

/* 0 at the end of `fd`. */
static ssize_t take(int fd, char *chunk, size_t room)
{
	ssize_t n;

	do
		n = read(fd, chunk, room);
	while (n < 0 && errno == EINTR);
	return n > 0 ? n : 0;
}

int journal_relay(struct cli *cli, const char *name, struct journal *j,
	void (*emit)(void *arg, const char *data, size_t size), void *arg)
{
	/* What a guest says goes to a terminal only as text. */
	struct filter said = {.mode = isatty(STDERR_FILENO) ? FILTER_PLAIN : FILTER_RAW};
	struct pollfd p[] = {{cli->cancel_fd, POLLIN, 0}, {j->out, POLLIN, 0}, {j->err, POLLIN, 0}};
	char chunk[16384];
	ssize_t n;
	int silent = 1;

	while (p[1].fd >= 0 || p[2].fd >= 0) {
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return EXIT_FAILED;
		if (p[0].revents || ferror(stdout)) {
			ve_process_signal(j->process, SIGTERM);
			return p[0].revents ? EXIT_INTERRUPTED : EXIT_FAILED;
		}
		if (p[1].revents && (n = take(j->out, chunk, sizeof(chunk))))
			emit(arg, chunk, (size_t)n);
		else if (p[1].revents)
			p[1].fd = -1;
		fflush(stdout);
		if (p[2].revents && (n = take(j->err, chunk, sizeof(chunk)))) {
			if (silent)
				fprintf(stderr, "vectl: %s: logs: journalctl: ", name);
			silent = 0;
			filter_write(&said, chunk, (size_t)n, stderr);
		} else if (p[2].revents)
			p[2].fd = -1;
	}
	return ve_process_wait(j->process) ? EXIT_FAILED : EXIT_DONE;
}

void journal_close(struct journal *j)
{
	ve_process_close(j->process);
	close_all((int[]){j->out, j->err}, 2);
}
