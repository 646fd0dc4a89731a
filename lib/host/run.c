/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a program: never a fork of the caller's heap, nothing inherited, given up when the caller gives up. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/base/util.h"
#include "lib/host/host.h"

enum {
	LINE_MAX_BYTES = 1024, /* of a progress line; the rest of a longer one is dropped */
	TERM_GRACE_MS = 5000,
	FD_HIGH = 10, /* fds to be handed over wait above those that they become */
};

static const char *const clean_env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", "LANG=C.UTF-8", "TERM=dumb", NULL};

static const char tried[] = "running a program";

struct line_reader {
	const struct host_child *child;
	char text[LINE_MAX_BYTES];
	size_t length;
};

/* A copy above FD_HIGH; fd -1 is /dev/null. */
static int copy_high(int fd)
{
	cleanup_fd int null = -EBADF;
	if (fd < 0)
		fd = null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	return copy < 0 ? -errno : copy;
}

/* Signals as a program expects them: the caller may ignore or block some. */
static int set_attributes(posix_spawnattr_t *attr, int apart)
{
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	/* Of a process group of its own either way, which is what is killed. */
	int group = apart ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
	int r = posix_spawnattr_setflags(attr, group | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attr, 0);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &none);
	return -r;
}

static int spawn(const struct host_child *child, int line, pid_t *ret_pid)
{
	const int wanted[] = {child->in, child->out, child->err, line};
	int fds[ARRAY_SIZE(wanted)] = {-EBADF, -EBADF, -EBADF, -EBADF};
	const int n = line >= 0 ? 4 : 3;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	for (int i = 0; i < n && r == 0; i++) {
		fds[i] = copy_high(wanted[i]);
		r = fds[i] < 0 ? fds[i] : -posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	}
	if (r == 0)
		r = -posix_spawn_file_actions_addclosefrom_np(&actions, n);
	if (r == 0)
		r = set_attributes(&attr, child->apart);
	if (r == 0 && child->apart)
		r = -posix_spawn_file_actions_addchdir_np(&actions, "/");
	if (r == 0)
		r = -posix_spawn(ret_pid, child->argv[0], &actions, &attr, (char *const *)child->argv,
			(char *const *)(child->envp ? child->envp : clean_env));
	for (int i = 0; i < n; i++)
		close_fd_p(&fds[i]);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Takes what is in the pipe. 0: open still; 1: nobody writes to it any more. */
static int read_lines(struct line_reader *reader, int fd)
{
	char buffer[4096];
	ssize_t n;
	/* Bounded: a program that floods the pipe must not keep a cancellation from being seen. */
	for (int turn = 0; turn < 16; turn++) {
		n = read(fd, buffer, sizeof(buffer));
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : 1;
		if (n == 0)
			return 1;
		for (ssize_t i = 0; i < n; i++) {
			if (buffer[i] != '\n') {
				if (reader->length < sizeof(reader->text) - 1 && buffer[i])
					reader->text[reader->length++] = buffer[i];
				continue;
			}
			reader->text[reader->length] = 0;
			reader->length = 0;
			reader->child->on_line(reader->child->arg, reader->text);
		}
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the child has ended. Returns 1 when it was ended because the caller gave up, -ETIMEDOUT when its time was over.
 */
static int attend(struct ve_host *host, pid_t pid, int pidfd, int line, struct line_reader *reader)
{
	int64_t kill_at = reader->child->timeout_ms ? now_ms() + reader->child->timeout_ms : 0;
	int cancelled = 0, timed_out = 0;
	for (;;) {
		struct pollfd fds[] = {
			{.fd = pidfd, .events = POLLIN},
			{.fd = line, .events = POLLIN},
			{.fd = cancelled ? -1 : host->cancel_fd, .events = POLLIN},
		};
		int timeout = -1;
		if (kill_at) {
			int64_t left = kill_at - now_ms();
			timeout = left > 0 ? (int)left : 0;
		}
		int n = poll(fds, ARRAY_SIZE(fds), timeout);
		if (n < 0 && errno != EINTR) {
			kill(-pid, SIGKILL);
			return timed_out ? -ETIMEDOUT : cancelled;
		}
		if (n < 0)
			continue;
		if (n == 0) {
			kill(-pid, SIGKILL);
			kill_at = 0;
			timed_out = !cancelled;
			continue;
		}
		if (fds[1].revents && read_lines(reader, line))
			line = -1;
		if (fds[0].revents)
			return timed_out ? -ETIMEDOUT : cancelled;
		if (fds[2].revents) {
			cancelled = 1;
			kill(-pid, SIGTERM);
			kill_at = now_ms() + TERM_GRACE_MS;
		}
	}
}

int host_run(struct ve_host *host, const struct host_child *child, struct error *e)
{
	cleanup_fd int line_read = -EBADF, line_write = -EBADF, pidfd = -EBADF;
	struct line_reader reader = {.child = child};
	pid_t pid;

	if (host_cancelled(host, e))
		return -EINTR;
	if (child->on_line) {
		int ends[2];
		if (pipe2(ends, O_CLOEXEC) < 0)
			return error_sys(e, errno, tried, "pipe");
		line_read = ends[0];
		line_write = ends[1];
		/* This end alone: how the program writes is its own matter. */
		if (fcntl(line_read, F_SETFL, O_NONBLOCK) < 0)
			return error_sys(e, errno, tried, "pipe");
	}
	int r = spawn(child, line_write, &pid);
	if (r < 0)
		return error_sys(e, -r, tried, child->argv[0]);
	close_fd_p(&line_write);
	line_write = -EBADF;

	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int errnum = errno, cancelled = 0;
	if (pidfd >= 0)
		cancelled = attend(host, pid, pidfd, line_read, &reader);
	/* Before it is reaped, while its number cannot be another's: what it left running goes too. */
	kill(-pid, SIGKILL);
	int status;
	while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (pidfd < 0)
		return error_sys(e, errnum, tried, "pidfd_open");
	if (r < 0)
		return error_set(e, VE_E_FAILED, errno, tried, "let SIGCHLD have its default action",
			"%s: its exit status was taken by somebody else", child->argv[0]);
	if (line_read >= 0)
		read_lines(&reader, line_read);
	if (cancelled < 0)
		return error_set(e, VE_E_TIMEOUT, ETIMEDOUT, tried, NULL, "%s: it took longer than %g seconds",
			child->argv[0], child->timeout_ms / 1000.0);
	if (cancelled) {
		host_cancelled(host, e);
		return -EINTR;
	}
	return status;
}
