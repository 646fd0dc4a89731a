/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands before vectl in the tests' PATH and keeps what it prints as JSON, for schemas.py to check. T_VECTL: the real
 * one; T_DOCUMENTS: the folder for PID-TIME.args (NUL-terminated words) and PID-TIME.out. What prints no JSON, and what
 * prints to something else than a pipe or a file, is executed in place.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void pass_on(int signal_number)
{
	if (child > 0)
		kill(child, signal_number);
}

static int prints_json(char **argv)
{
	struct stat st;
	int json = 0;
	for (int i = 1; argv[i] && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "exec") || !strcmp(argv[i], "attach") || !strcmp(argv[i], "enter"))
			break;
		json |= !strcmp(argv[i], "--json") || !strcmp(argv[i], "--progress=json");
	}
	return json && !fstat(1, &st) && (S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode));
}

static int open_record(char **argv)
{
	char path[4096];
	struct timespec t;
	const char *folder = getenv("T_DOCUMENTS");
	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(path, sizeof path, "%s/%d-%lld%09ld.args", folder ? folder : "/nonexistent", (int)getpid(),
		(long long)t.tv_sec, t.tv_nsec);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	for (int i = 1; argv[i]; i++)
		if (write(fd, argv[i], strlen(argv[i]) + 1) < 0)
			return -1;
	close(fd);
	strcpy(path + strlen(path) - strlen("args"), "out");
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int write_all(int fd, const char *b, ssize_t n)
{
	for (ssize_t w; n > 0; b += w, n -= w)
		if ((w = write(fd, b, n)) < 0) {
			if (errno != EINTR)
				return -1;
			w = 0;
		}
	return 0;
}

static void relay(int from, int record)
{
	static char b[65536];
	for (;;) {
		struct pollfd p[2] = {{.fd = from, .events = POLLIN}, {.fd = 1}};
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents & POLLERR)
			return; /* its reader has gone: vectl is to see the same */
		ssize_t n = p[0].revents ? read(from, b, sizeof b) : -1;
		if (n == 0)
			return;
		if (n < 0)
			continue;
		write_all(record, b, n);
		if (write_all(1, b, n))
			return;
	}
}

int main(int argc, char **argv)
{
	const char *vectl = getenv("T_VECTL");
	int out[2], record, status;
	(void)argc;
	if (!vectl)
		return 99;
	if (!prints_json(argv) || (record = open_record(argv)) < 0 || pipe2(out, O_CLOEXEC)) {
		execv(vectl, argv);
		return 99;
	}
	struct sigaction action = {.sa_handler = pass_on}, ignore = {.sa_handler = SIG_IGN};
	const int passed[] = {SIGINT, SIGTERM, SIGHUP};
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		execv(vectl, argv);
		_exit(99);
	}
	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
		struct sigaction old;
		if (!sigaction(passed[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(passed[i], &action, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
	close(out[1]);
	relay(out[0], record);
	close(out[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}
