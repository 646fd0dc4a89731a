/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"

enum { EMPTY_TIMEOUT_MS = 10000, MAX_DEPTH = 64 };

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* Waits until cgroup.events has "KEY VALUE"; the kernel signals a change of it as POLLPRI. */
static int wait_event(int dir, const char *key, int value, int timeout_ms, int cancel_fd)
{
	cleanup_fd int fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	char want[64];
	FORMAT(want, "%s %d\n", key, value);
	for (int64_t end = now_ms() + timeout_ms;;) {
		char b[256];
		ssize_t n = pread(fd, b, sizeof b - 1, 0);
		if (n < 0) /* ENODEV: removed while we had it open */
			return errno == ENODEV ? -ENOENT : -errno;
		b[n] = 0;
		if (strstr(b, want))
			return 0;
		int64_t left = end - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		struct pollfd p[2] = {{.fd = fd, .events = POLLPRI}, {.fd = cancel_fd, .events = POLLIN}};
		if (poll(p, 2, (int)left) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			return -EINTR;
	}
}

static int remove_below(int parent, const char *name, int depth)
{
	cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (depth > MAX_DEPTH)
		return -ELOOP;
	DIR *d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
	struct dirent *de;
	while (d && (de = readdir(d)))
		if (de->d_type == DT_DIR && strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			remove_below(fd, de->d_name, depth + 1);
	if (d)
		closedir(d);
	return unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

int cgroup_destroy(const char *path, struct error *e)
{
	static const char tried[] = "remove the VE's cgroup";
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_sys(e, errno, tried, path);
	int r = wait_event(fd, "populated", 0, 0, -1);
	if (r == -ETIMEDOUT) {
		write_string_at(fd, "cgroup.kill", "1");
		r = wait_event(fd, "populated", 0, EMPTY_TIMEOUT_MS, -1);
	}
	if (r == -ENOENT)
		r = 0; /* somebody else was quicker */
	/* An exiting task may hold its cgroup a moment longer than cgroup.events says. */
	for (int i = 0; !r && i < 100; i++) {
		r = remove_below(AT_FDCWD, path, 0);
		if (r != -EBUSY)
			break;
		struct timespec pause = {0, 2000000};
		nanosleep(&pause, NULL);
		r = i == 99 ? -EBUSY : 0;
	}
	if (r)
		return error_sys(e, -r, tried, path);
	/* The root's own folder goes with its last VE; EBUSY and ENOTEMPTY say that there are others. */
	char top[PATH_MAX];
	FORMAT(top, "%s", path);
	char *slash = strrchr(top, '/'), reaper[PATH_MAX];
	if (slash) {
		*slash = 0;
		if (FORMAT(reaper, "%s/" REAPER_CGROUP, top) >= 0)
			rmdir(reaper);
		rmdir(top);
	}
	return 0;
}

int cgroup_freeze(const char *path, int frozen, int cancel_fd, struct error *e)
{
	const char *tried = frozen ? "pause the VE" : "resume the VE";
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_sys(e, errno, tried, path);
	int r = write_string_at(fd, "cgroup.freeze", frozen ? "1" : "0");
	if (r >= 0)
		r = wait_event(fd, "frozen", frozen, EMPTY_TIMEOUT_MS, cancel_fd);
	if (r < 0 && frozen)
		write_string_at(fd, "cgroup.freeze", "0");
	return r < 0 ? error_sys(e, -r, tried, "cgroup.freeze") : 0;
}

static int has_event(const char *path, const char *key)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	int r = wait_event(fd, key, 1, 0, -1);
	return r == 0 ? 1 : r == -ETIMEDOUT ? 0 : r;
}

int cgroup_is_frozen(const char *path)
{
	return has_event(path, "frozen");
}

int cgroup_is_populated(const char *path)
{
	return has_event(path, "populated");
}

int64_t cgroup_number(const char *path, const char *file)
{
	char full[PATH_MAX];
	cleanup_free char *text = NULL;
	if (FORMAT(full, "%s/%s", path, file) < 0 || read_file_at(AT_FDCWD, full, 64, &text, NULL) < 0)
		return -1;
	char *end;
	long long n = strtoll(text, &end, 10);
	return end == text ? -1 : n;
}

/* The VE's keeper, which is not root, has to get through, whatever the caller's umask. */
static int make(const char *path)
{
	return mkdir(path, 0755) ? -1 : chmod(path, 0755);
}

int cgroup_make(const char *path, struct error *e)
{
	if (!make(path))
		return 0;
	if (errno == ENOENT) {
		char top[PATH_MAX];
		FORMAT(top, "%s", path);
		*strrchr(top, '/') = 0;
		if ((!make(top) || errno == EEXIST) && !make(path))
			return 0;
	}
	return error_sys(e, errno, "make the VE's cgroup", path);
}

static int each_pid(int parent, const char *name, int depth, int (*fn)(pid_t pid, void *arg), void *arg)
{
	cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || depth > MAX_DEPTH)
		return fd < 0 ? -errno : -ELOOP;
	int procs = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC), r = 0;
	cleanup_file FILE *f = procs < 0 ? NULL : fdopen(procs, "r");
	int pid;
	while (f && !r && fscanf(f, "%d", &pid) == 1)
		r = fn(pid, arg);
	DIR *d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
	struct dirent *de;
	while (d && !r && (de = readdir(d)))
		if (de->d_type == DT_DIR && strcmp(de->d_name, ".") && strcmp(de->d_name, "..")) {
			r = each_pid(fd, de->d_name, depth + 1, fn, arg);
			if (r == -ENOENT)
				r = 0; /* gone meanwhile */
		}
	if (d)
		closedir(d);
	return r;
}

int cgroup_each_pid(const char *path, int (*fn)(pid_t pid, void *arg), void *arg)
{
	return each_pid(AT_FDCWD, path, 0, fn, arg);
}
