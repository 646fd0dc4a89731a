/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ve-guard [--writable DIR]... PROGRAM ARG...
 *
 * Runs a template in a pid and mount namespace of its own, so that whatever happens to the caller, kill -9 included,
 * nothing of it goes on running or stays mounted: its processes end with the first of them, its mounts with the last.
 * The host's file systems are read-only there, but for each DIR: what a template gets wrong stays in its own folders.
 * Ends as PROGRAM does, with the same signal where it was one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SELF = 125 };

/* What ends a build is meant for PROGRAM; this stays to tell how it ended. */
static const int stopping[] = {SIGTERM, SIGINT, SIGHUP};

static void set_stopping(void (*action)(int))
{
	for (size_t i = 0; i < sizeof(stopping) / sizeof(stopping[0]); i++)
		signal(stopping[i], action);
}

static int complain(const char *what)
{
	fprintf(stderr, "ve-guard: %s: %s\n", what, strerror(errno));
	return EXIT_SELF;
}

/* Read-only all over, and then writable again where the template works. */
static int protect_host(char **writable, int count)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY}, read_write = {.attr_clr = MOUNT_ATTR_RDONLY};
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return complain("making mounts private");
	for (int i = 0; i < count; i++)
		if (mount(writable[i], writable[i], NULL, MS_BIND, NULL) < 0)
			return complain(writable[i]);
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof(read_only)) < 0)
		return complain("making the host's files read-only");
	for (int i = 0; i < count; i++)
		if (mount_setattr(AT_FDCWD, writable[i], 0, &read_write, sizeof(read_write)) < 0)
			return complain(writable[i]);
	return 0;
}

/*
 * The first process of the namespace, when which is killed all are. PROGRAM is the second: the first is deaf to signals
 * that it does not handle, and a shell script handles none.
 */
static int first(char **argv, int report)
{
	int status;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return complain("mounting /proc");
	pid_t child = fork();
	if (child < 0)
		return complain("fork");
	if (child == 0) {
		set_stopping(SIG_DFL);
		execv(argv[0], argv);
		_exit(complain(argv[0]));
	}
	for (pid_t ended; (ended = waitpid(-1, &status, 0)) != child;)
		if (ended < 0 && errno != EINTR)
			return complain("waitpid");
	if (write(report, &status, sizeof(status)) != sizeof(status))
		return complain("write");
	return 0;
}

static void end_as(int status)
{
	const struct rlimit no_core = {0};
	if (WIFSIGNALED(status)) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	/* Not exit(): a sanitizer's leak check would start a process in the namespace that has ended. */
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	char *writable[8];
	int count = 0, at = 1, status, result, alive[2], report[2];
	pid_t caller = getppid(), child;
	while (at + 1 < argc && !strcmp(argv[at], "--writable") && count < 8) {
		writable[count++] = argv[at + 1];
		at += 2;
	}
	if (at >= argc || argv[at][0] != '/') {
		fputs("usage: ve-guard [--writable DIR]... PROGRAM ARG...\n", stderr);
		return EXIT_SELF;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return complain("PR_SET_PDEATHSIG");
	if (getppid() != caller)
		return EXIT_SELF; /* it died before that */
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
		return complain("unshare");
	if ((status = protect_host(writable, count)))
		return status;
	if (pipe2(alive, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
		return complain("pipe2");
	set_stopping(SIG_IGN);
	child = fork();
	if (child < 0)
		return complain("fork");
	if (child == 0) {
		/* pid 1 of its namespace. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
			_exit(complain("PR_SET_PDEATHSIG"));
		/* A parent outside of the namespace shows as 0, dead or not; its end of the pipe tells. */
		struct pollfd parent = {.fd = alive[0]};
		close(alive[1]);
		if (poll(&parent, 1, 0) != 0)
			_exit(EXIT_SELF);
		_exit(first(argv + at, report[1]));
	}
	close(report[1]);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return complain("waitpid");
	if (read(report[0], &result, sizeof(result)) == sizeof(result))
		status = result;
	end_as(status);
}
