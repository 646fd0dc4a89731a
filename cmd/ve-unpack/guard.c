/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ve-guard PROGRAM ARG...
 *
 * Runs a template in a pid and mount namespace of its own, so that whatever happens to the caller, kill -9 included,
 * nothing of it goes on running or stays mounted: its processes end with the first of them, its mounts with the last.
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
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SELF = 125 };

static int complain(const char *what)
{
	fprintf(stderr, "ve-guard: %s: %s\n", what, strerror(errno));
	return EXIT_SELF;
}

static int run(char **argv)
{
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return complain("mounting /proc");
	execv(argv[0], argv);
	return complain(argv[0]);
}

int main(int argc, char **argv)
{
	pid_t caller = getppid(), child;
	int status, alive[2];
	if (argc < 2) {
		fputs("usage: ve-guard PROGRAM ARG...\n", stderr);
		return 2;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return complain("PR_SET_PDEATHSIG");
	if (getppid() != caller)
		return EXIT_SELF; /* it died before that */
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
		return complain("unshare");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return complain("making mounts private");
	if (pipe2(alive, O_CLOEXEC) < 0)
		return complain("pipe2");
	child = fork();
	if (child < 0)
		return complain("fork");
	if (child == 0) {
		/* pid 1 of its namespace: when it is killed, all are. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
			_exit(complain("PR_SET_PDEATHSIG"));
		/* A parent outside of the namespace shows as 0, dead or not; its end of the pipe tells. */
		struct pollfd parent = {.fd = alive[0]};
		close(alive[1]);
		if (poll(&parent, 1, 0) != 0)
			_exit(EXIT_SELF);
		_exit(run(argv + 1));
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return complain("waitpid");
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "ve-guard: %s was killed by signal %d\n", argv[1], WTERMSIG(status));
		_exit(1);
	}
	_exit(WEXITSTATUS(status)); /* a sanitizer's leak check would start a process in the namespace that has ended */
}
