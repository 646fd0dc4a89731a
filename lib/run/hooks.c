/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hooks.*: executables of the host's that run as root around a VE's life. Nobody but root may have a say in what they
 * are. Of the caller's they get umask and resource limits, which posix_spawn has no word for, and nothing else. Their
 * time is bounded, and their process group ends with them; a process that took a session of its own lives on.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/run/hooks.h"

enum { TIMEOUT_MS = 60000, LINKS_MAX = 16, LOG_MAX = 256 << 10 };

/* In the runtime folder while post-stop is owed: its path and the VE's uuid, a line each. */
#define OWED "post-stop"
/* There until hooks.start has succeeded. */
#define START_OWED "start-hook"
/* There while a hook runs whose vectl holds the lock, and that hook's empty standard input: by it is found who is one.
 */
#define RUNNING "hook"

static const char tried[] = "run the hook";

static int refuse(struct error *e, const char *key, const char *path, const char *wrong, const char *remedy)
{
	int r = error_set(e, VE_E_FAILED, EPERM, tried, remedy, "%s: %s %s", key, path, wrong);
	snprintf(e->subject, sizeof e->subject, "%.200s", path);
	return r;
}

/* What is root's on the host's disk may have been written by a VE's root there: nothing of that is executed. */
struct reach {
	const struct stat *st;
	int in;
};

/* By what it is and not by name, so that a bind mount is no way around. */
static void compare(const char *place, struct reach *reach)
{
	struct stat st;
	reach->in |= !stat(place, &st) && st.st_dev == reach->st->st_dev && st.st_ino == reach->st->st_ino;
}

static int compare_source(const char *key, const char *text, void *reach)
{
	if (!strncmp(key, "mount.", 6) && !strcmp(strrchr(key, '.'), ".source"))
		compare(text, reach);
	return 0;
}

/* s NULL: its mounts were looked at when the VE was started, or when they or the hook were set. */
static int is_in_reach(struct ve *ve, const struct spec *s, const struct stat *st)
{
	static const char *const shared[] = {"ve", "images"}, *const own[] = {"", "disk", "image/rootfs"};
	struct reach reach = {.st = st};
	char place[PATH_MAX];
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (FORMAT(place, "%s/%s", ve->host->data, shared[i]) >= 0)
			compare(place, &reach);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (FORMAT(place, "%s/ve/%s/%s", ve->host->data, ve->name, own[i]) >= 0)
			compare(place, &reach);
	if (s)
		spec_each(s, compare_source, &reach);
	return reach.in;
}

/* A link of procfs's leads elsewhere than it reads: into a VE, for example. */
static int is_magic_link(const char *folder, const struct stat *st)
{
	struct statfs fs;
	return S_ISLNK(st->st_mode) && (statfs(*folder ? folder : "/", &fs) || fs.f_type == PROC_SUPER_MAGIC);
}

static int check_entry(const char *key, const char *path, const struct stat *st, int last, struct error *e)
{
	if (st->st_uid != 0)
		return refuse(e, key, path, "is not root's", "give it to root: chown root:root");
	if (S_ISLNK(st->st_mode))
		return 0;
	if (st->st_mode & 022)
		return refuse(e, key, path, "can be written to by others than root", "chmod go-w, or move the hook");
	if (!last && !S_ISDIR(st->st_mode))
		return refuse(e, key, path, "is not a folder", "correct the path");
	if (last && (!S_ISREG(st->st_mode) || !(st->st_mode & 0111)))
		return refuse(e, key, path, "is not an executable file", "chmod +x, or correct the path");
	return 0;
}

/* Each folder and link on the way is looked at: whoever can exchange one of them chooses what root executes. */
static int check_hook(struct ve *ve, const struct spec *s, const char *key, const char *path, struct error *e)
{
	static const char elsewhere[] = "keep hooks where no VE writes: in /etc/vectl/hooks, for example";
	char done[PATH_MAX] = "", rest[PATH_MAX], next[PATH_MAX], target[PATH_MAX], longer[PATH_MAX];
	struct stat st;
	int links = 0;
	if (stat("/", &st) || FORMAT(rest, "%s", path) < 0)
		return error_sys(e, ENAMETOOLONG, tried, path);
	int r = check_entry(key, "/", &st, 0, e);
	if (!r && is_in_reach(ve, s, &st))
		r = refuse(e, key, "/", "is mounted in the VE", elsewhere);
	while (!r) {
		const char *p = rest + strspn(rest, "/");
		size_t n = strcspn(p, "/");
		const char *after = p + n + strspn(p + n, "/");
		if (!n)
			return 0;
		if (n == 2 && !memcmp(p, "..", 2)) {
			*(strrchr(done, '/') ?: done) = 0;
		} else if (n != 1 || *p != '.') {
			if (FORMAT(next, "%s/%.*s", done, (int)n, p) < 0)
				return error_sys(e, ENAMETOOLONG, tried, path);
			if (lstat(next, &st))
				return error_set(e, VE_E_FAILED, errno, tried, "make it, or unset the key",
					"%s: %s: %s", key, next, strerror(errno));
			r = check_entry(key, next, &st, !*after, e);
			if (!r && is_magic_link(done, &st))
				r = refuse(e, key, next, "is a link of procfs's", "correct the path");
			if (!r && is_in_reach(ve, s, &st))
				r = refuse(e, key, next, "is a place that VEs write to", elsewhere);
			if (!r && S_ISLNK(st.st_mode)) {
				ssize_t size = readlink(next, target, sizeof target - 1);
				if (size < 0 || links++ == LINKS_MAX)
					return refuse(e, key, next,
						size < 0 ? strerror(errno) : "leads through too many links",
						"correct the path");
				target[size] = 0;
				if (FORMAT(longer, "%s/%s", target, after) < 0)
					return error_sys(e, ENAMETOOLONG, tried, next);
				if (*target == '/')
					*done = 0;
				memcpy(rest, longer, sizeof rest);
				/* without the slash that the joint put there */
				size = (ssize_t)strlen(rest);
				if (!*after && size > 1)
					rest[size - 1] = 0;
				continue;
			}
			memcpy(done, next, sizeof done);
		}
		memmove(rest, after, strlen(after) + 1);
	}
	return r;
}

static const char *const keys[] = {"hooks.pre-start", "hooks.start", "hooks.stop", "hooks.post-stop"};

static int check_from(struct ve *ve, const struct spec *s, size_t first, struct error *e)
{
	int r = 0;
	for (size_t i = first; !r && i < ARRAY_SIZE(keys); i++)
		if (spec_string(s, keys[i]))
			r = check_hook(ve, s, keys[i], spec_string(s, keys[i]), e);
	return r;
}

int hooks_check(struct ve *ve, const struct spec *s, struct error *e)
{
	return check_from(ve, s, 0, e);
}

int hooks_check_running(struct ve *ve, const struct spec *s, struct error *e)
{
	return check_from(ve, s, 2, e);
}

/* ---- */

static int open_log(struct ve *ve)
{
	char path[PATH_MAX];
	struct stat st;
	FORMAT(path, "%s/ve/%s/hooks.log", ve->host->data, ve->name);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && !fstat(fd, &st) && st.st_size > LOG_MAX && ftruncate(fd, 0)) {
		/* it grows on */
	}
	return fd;
}

/* What the hook said last, for the message of its failure. */
static void last_line(int log, char *buf, size_t size)
{
	char tail[512];
	struct stat st;
	*buf = 0;
	if (log < 0 || fstat(log, &st))
		return;
	off_t at = st.st_size > (off_t)sizeof tail - 1 ? st.st_size - ((off_t)sizeof tail - 1) : 0;
	ssize_t n = pread(log, tail, sizeof tail - 1, at);
	while (n > 0 && tail[n - 1] == '\n')
		n--;
	tail[n > 0 ? n : 0] = 0;
	const char *line = strrchr(tail, '\n');
	snprintf(buf, size, "%.200s", line ? line + 1 : tail);
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

/* A wait status of the hook's, as a result. */
static int judge(const char *key, const char *path, int status, int log, struct error *e)
{
	char said[256], wrong[64];
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status))
		FORMAT(wrong, "exit status %d", WEXITSTATUS(status));
	else
		FORMAT(wrong, "ended by signal %d", WTERMSIG(status));
	last_line(log, said, sizeof said);
	int r = error_set(e, VE_E_FAILED, ECANCELED, tried, "its output is in hooks.log beside the VE's ve.json",
		"%s: %s: %s%s%s", key, path, wrong, *said ? ": " : "", said);
	snprintf(e->subject, sizeof e->subject, "%.200s", path);
	return r;
}

/* s: as for is_in_reach. */
static int run(struct ve *ve, const struct spec *s, const char *key, const char *path, const char *uuid, pid_t init,
	struct error *e)
{
	char env[8][PATH_MAX];
	const char *envp[10] = {0}, *hook = strchr(key, '.') + 1, *argv[] = {path, ve->name, hook, NULL};
	size_t n = 0;
	int r = check_hook(ve, s, key, path, e);
	if (r)
		return r;
	FORMAT(env[n], "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), n++;
	FORMAT(env[n], "LANG=C.UTF-8"), n++;
	FORMAT(env[n], "VE_NAME=%s", ve->name), n++;
	FORMAT(env[n], "VE_UUID=%s", uuid), n++;
	FORMAT(env[n], "VE_HOOK=%s", hook), n++;
	FORMAT(env[n], "VE_SPEC=%s/ve/%s/ve.json", ve->host->data, ve->name), n++;
	if (*ve->host->root)
		FORMAT(env[n], "VECTL_ROOT=%s", ve->host->root), n++;
	if (init > 0)
		FORMAT(env[n], "VE_INIT_PID=%d", init), n++;
	for (size_t i = 0; i < n; i++)
		envp[i] = env[i];
	cleanup_fd int log = open_log(ve);
	/* A stop asks without the lock, and several may at once: theirs is nobody's to end. */
	cleanup_fd int dir = strcmp(hook, "stop") ? runtime_open_dir(ve->host, ve->name) : -EBADF;
	cleanup_fd int in = dir < 0 ? -1 : openat(dir, RUNNING, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct host_child child = {
		.argv = argv, .envp = envp, .in = in, .out = log, .err = log, .timeout_ms = TIMEOUT_MS, .apart = 1};
	struct error why = {0};
	r = host_run(ve->host, &child, &why);
	if (in >= 0)
		unlinkat(dir, RUNNING, 0);
	if (r == -ETIMEDOUT)
		return error_set(e, VE_E_TIMEOUT, ETIMEDOUT, tried, "make it quicker, or let it start a service",
			"%s: %s: killed after %d seconds", key, path, TIMEOUT_MS / 1000);
	if (r < 0)
		return error_set(e, why.code, -r, tried, why.remedy, "%s: %s", key, why.wrong);
	return judge(key, path, r, log, e);
}

int hooks_run(struct ve *ve, const struct spec *s, const char *key, pid_t init, struct error *e)
{
	const char *path = spec_string(s, key);
	return path ? run(ve, s, key, path, spec_string(s, "uuid") ?: "", init, e) : 0;
}

static int post_stop_text(const struct spec *s, char text[PATH_MAX + 64])
{
	const char *path = spec_string(s, "hooks.post-stop"), *uuid = spec_string(s, "uuid");
	int n = path ? snprintf(text, PATH_MAX + 64, "%s\n%s\n", path, uuid ?: "") : 0;
	return n >= PATH_MAX + 64 ? -ENAMETOOLONG : n;
}

int hooks_owe_post_stop(struct ve *ve, const struct spec *s, struct error *e)
{
	char text[PATH_MAX + 64];
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	int n = post_stop_text(s, text);
	if (!n)
		return 0;
	cleanup_fd int fd = openat(dir, OWED, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = n < 0 ? n : fd < 0 ? -errno : write_all(fd, text, (size_t)n);
	return r < 0 ? error_sys(e, -r, tried, "hooks.post-stop") : 0;
}

int hooks_change_post_stop(struct ve *ve, const struct spec *s, struct error *e)
{
	char text[PATH_MAX + 64];
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	int n = post_stop_text(s, text), r = n;
	if (n > 0)
		r = write_file_atomic_at(dir, OWED, text, (size_t)n, 0600);
	else if (!n && unlinkat(dir, OWED, 0) && errno != ENOENT)
		r = -errno;
	return r < 0 ? error_sys(e, -r, "set", "hooks.post-stop") : 0;
}

void hooks_forget_post_stop(struct ve *ve)
{
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	unlinkat(dir, OWED, 0);
}

void hooks_pay_post_stop(struct ve *ve, int dir)
{
	cleanup_free char *text = NULL;
	struct error ignored = {0};
	if (read_file_at(dir, OWED, PATH_MAX + 64, &text, NULL) < 0)
		return;
	/* Before it runs, not after: whoever finds this folder when we are killed does not run it a second time. */
	if (unlinkat(dir, OWED, 0))
		return;
	char *uuid = strchr(text, '\n'), *end = uuid ? strchr(uuid + 1, '\n') : NULL;
	if (!end)
		return; /* the start was killed before it was whole, and nothing had run yet */
	*uuid++ = 0;
	*end = 0;
	/* What is to be undone is undone even if the caller has given up waiting. */
	int cancel_fd = ve->host->cancel_fd;
	ve->host->cancel_fd = -1;
	run(ve, NULL, "hooks.post-stop", text, uuid, 0, &ignored);
	ve->host->cancel_fd = cancel_fd;
}

/* ---- hooks whose vectl was killed */

int hooks_owe_start(int dir, const struct spec *s)
{
	if (!spec_string(s, "hooks.start"))
		return 0;
	cleanup_fd int fd = openat(dir, START_OWED, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : 0;
}

void hooks_forget_start(struct ve *ve)
{
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	unlinkat(dir, START_OWED, 0);
}

int hooks_start_is_owed(struct ve *ve)
{
	struct stat st;
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	return dir >= 0 && !fstatat(dir, START_OWED, &st, AT_SYMLINK_NOFOLLOW);
}

/* 1: it was one of the hook's, and was sent SIGKILL. */
static int end_one(pid_t pid, const struct stat *mark)
{
	enum { PATIENCE_MS = 1000 };
	char path[64];
	struct stat st;
	cleanup_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	FORMAT(path, "/proc/%d/fd/0", pid);
	if (fd < 0 || stat(path, &st) || st.st_dev != mark->st_dev || st.st_ino != mark->st_ino)
		return 0;
	/* With what it started in the background, whose input is another. */
	if (getpgid(pid) == pid)
		kill(-pid, SIGKILL);
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PATIENCE_MS);
	return 1;
}

/*
 * Found by the file that is its input, and not by a number that was written down: there is no moment at which it runs
 * and nothing is known of it.
 */
int hooks_end_cut(int dir, struct error *e)
{
	enum { ROUNDS = 10 };
	struct stat mark;
	int found = !fstatat(dir, RUNNING, &mark, AT_SYMLINK_NOFOLLOW);
	for (int i = 0; found && i < ROUNDS; i++) {
		DIR *proc = opendir("/proc");
		struct dirent *de;
		if (!proc)
			return error_sys(e, errno, "end a hook", "/proc");
		found = 0;
		while ((de = readdir(proc)))
			if (isdigit((unsigned char)*de->d_name))
				found += end_one((pid_t)atoi(de->d_name), &mark);
		closedir(proc);
	}
	return found ? error_set(e, VE_E_BUSY, EBUSY, "end a hook", "look for what it waits for: `ps` shows it",
			       "a hook of an earlier start or stop does not end")
		     : 0;
}
