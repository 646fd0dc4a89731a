/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timer FD COMMAND...: runs the command and writes "BEFORE\n", then "AFTER STATUS\n" to FD: CLOCK_MONOTONIC right
 * before its exec and right after its end, nanoseconds, and its wait status. A small static program, because a fork of
 * a Python process takes as long as what is measured here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	static volatile unsigned long long before; /* the vfork'ed child writes it */
	unsigned long long after;
	int fd, status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: timer FD COMMAND [ARGUMENT]...\n");
		return 2;
	}
	fd = atoi(argv[1]);
	fcntl(fd, F_SETFD, FD_CLOEXEC); /* what stays behind must not hold the pipe */

	pid = vfork();
	if (pid < 0)
		return 1;
	if (!pid) {
		before = now();
		execv(argv[2], argv + 2);
		_exit(127);
	}
	if (dprintf(fd, "%llu\n", before) < 0) /* the child has been exec'd */
		return 1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	after = now();
	return dprintf(fd, "%llu %d\n", after, status) < 0;
}
