/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ve-reaper ROOT CGROUP: one small root process for each root folder on hosts without systemd. It waits for the ends of
 * VEs and removes what their unprivileged keepers cannot: cgroups, the runtime folder. When somebody removes vectl's
 * tables from the host's firewall, it puts them back. It goes when the last VE has gone. Killed, it costs nothing: the
 * next vectl that touches the VE, or starts one, does the same.
 *
 * Each VE is reaped in a process of its own: a post-stop hook may take a minute, and what is left in a cgroup may not
 * want to go, and the others' cgroups and ids are not to wait for that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <ve/ve.h>

struct watch {
	char *name;
	int fd;      /* readable when the VE has stopped, or the process that reaps it has ended; -1: it has */
	pid_t child; /* that process; 0: none */
	int lost;
	int64_t due; /* when it is reaped then: whoever stopped it is given the time to do it, since he waits for it */
};
enum { GRACE_MS = 50, AGAIN_MS = 200, CHILDREN_MAX = 32, CHILD_AGAIN = 75 };

static int lock = -1, inotify = -1, rules = -1;
static size_t n_children;

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static struct watch *watched;
static size_t n_watched;
static int repair_after_ms; /* of a firewall that could not be repaired; 0: it is whole */
static int64_t repair_due;
static size_t n_lost; /* of those, ones that could not be reaped: until something happens, they are not tried again */

/* The same kind of lock as libve's: of the open file description, so that no close() elsewhere drops it. */
static int take_lock(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, F_OFD_SETLK, &l);
}

static void drop_lock(int fd)
{
	struct flock l = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	fcntl(fd, F_OFD_SETLK, &l);
}

static int known(const char *name)
{
	for (size_t i = 0; i < n_watched; i++)
		if (!strcmp(watched[i].name, name))
			return 1;
	return 0;
}

/* 1: it is known now; 0: memory is out, and the next vectl reaps it. */
static int watch_it(const char *name, int fd, pid_t child, int64_t due)
{
	struct watch *w = realloc(watched, (n_watched + 1) * sizeof *w);
	char *copy = w ? strdup(name) : NULL;
	if (w)
		watched = w;
	if (!copy) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	w[n_watched++] = (struct watch){copy, fd, child, 0, due};
	return 1;
}

/* The lock says that a reaper watches, and is none of this process's, which may outlive the one that does. */
static _Noreturn void reap(struct ve *ve)
{
	close(lock);
	close(inotify);
	close(rules);
	int r = ve_reap(ve);
	/* One that does not let itself be reaped is the next vectl's, unless it lives and can still be waited for. */
	_exit(r > 0 ? 0 : !r || r == -EAGAIN || ve_stopped_fd(ve) >= 0 ? CHILD_AGAIN : 1);
}

static void begin_reaping(struct ve *ve, const char *name)
{
	pid_t pid = n_children < CHILDREN_MAX ? fork() : -1;
	if (!pid)
		reap(ve);
	int fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pid < 0) {
		watch_it(name, -1, 0, now_ms() + AGAIN_MS);
	} else if (fd < 0 || !watch_it(name, fd, pid, 0)) {
		waitpid(pid, NULL, 0);
	} else {
		n_children++;
	}
}

/* Whether what it came to leaves something to look at: a lock that was held, a start that followed. */
static int end_reaping(struct watch *w)
{
	int status = 0;
	waitpid(w->child, &status, 0);
	w->child = 0;
	n_children--;
	w->due = now_ms() + (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_AGAIN ? AGAIN_MS : GRACE_MS);
	return WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == CHILD_AGAIN);
}

static int has(const char *run, const char *name, const char *file)
{
	char path[PATH_MAX + NAME_MAX];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s/%s", run, name, file);
	return !lstat(path, &st);
}

/*
 * Begins to watch one that lives; reaps one that does not. Waits for nobody: one that is being changed is looked at
 * again, so that no VE's lock keeps the others from being reaped.
 */
static void look_at(struct ve_host *host, const char *run, const char *name)
{
	struct ve *ve;
	if (ve_open(host, name, &ve))
		return;
	int fd = ve_stopped_fd(ve);
	/* One that lives is reaped, too, where its start may have been killed before its hook had succeeded. */
	if (fd >= 0 && !has(run, name, "start-hook")) {
		watch_it(name, fd, 0, 0);
	} else if (fd == -EAGAIN) {
		watch_it(name, -1, 0, now_ms() + AGAIN_MS);
	} else {
		if (fd >= 0)
			close(fd);
		if (has(run, name, ""))
			begin_reaping(ve, name);
	}
	ve_close(ve);
}

/* Those that run, or left something: a thousand that are stopped cost nothing here. */
static void look_around(struct ve_host *host, const char *run)
{
	DIR *d = opendir(run);
	struct dirent *e;
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && !known(e->d_name))
			look_at(host, run, e->d_name);
	if (d)
		closedir(d);
}

/* What was begun in the runtime folder may be a start of one that was lost. */
static void forget_lost(void)
{
	for (size_t i = n_watched; n_lost && i-- > 0;) {
		if (!watched[i].lost)
			continue;
		free(watched[i].name);
		watched[i] = watched[--n_watched];
		n_lost--;
	}
}

/* What inotify names alone: of a thousand that run, each start would else be compared with them all. */
static void look_at_new(struct ve_host *host, const char *run)
{
	_Alignas(struct inotify_event) char b[4096];
	int lost = 0;
	ssize_t n;
	while ((n = read(inotify, b, sizeof b)) > 0) {
		forget_lost();
		for (const char *p = b; p < b + n;) {
			const struct inotify_event *e = (const void *)p;
			lost |= e->mask & IN_Q_OVERFLOW;
			if (e->len && e->name[0] != '.' && !known(e->name))
				look_at(host, run, e->name);
			p += sizeof *e + e->len;
		}
	}
	if (lost)
		look_around(host, run);
}

static void reap_due(struct ve_host *host, const char *run)
{
	int64_t now = now_ms();
	for (size_t i = n_watched; i-- > 0;) {
		struct watch w = watched[i];
		if (w.fd >= 0 || w.lost || w.due > now)
			continue;
		watched[i] = watched[--n_watched];
		look_at(host, run, w.name); /* reaps it, or watches the start that followed */
		free(w.name);
	}
}

static int next_due_ms(void)
{
	int64_t now = now_ms(), next = -1;
	for (size_t i = 0; i < n_watched; i++)
		if (watched[i].fd < 0 && !watched[i].lost && (next < 0 || watched[i].due - now < next))
			next = watched[i].due > now ? watched[i].due - now : 0;
	return (int)next;
}

static int sooner(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* In milliseconds; -1: nothing is due. */
static int links_due(struct ve_host *host)
{
	int ms = ve_reap_links(host);
	return ms > 0 ? ms : -1;
}

/* The VE, or the process that reaped it. */
static void has_ended(size_t i)
{
	struct watch *w = &watched[i];
	close(w->fd);
	w->fd = -1;
	w->due = now_ms() + GRACE_MS;
	if (w->child && !end_reaping(w)) {
		w->lost = 1;
		n_lost++;
	}
}

/* What is wrong with the host may be mended by somebody who does not tell: until then it is tried again and again. */
static void repair(struct ve_host *host)
{
	enum { FIRST_MS = 200, LAST_MS = 10000 };
	if (ve_firewall_repair(host, rules) >= 0) {
		repair_after_ms = 0;
		return;
	}
	repair_after_ms = !repair_after_ms ? FIRST_MS : repair_after_ms < LAST_MS / 2 ? 2 * repair_after_ms : LAST_MS;
	repair_due = now_ms() + repair_after_ms;
}

/* In milliseconds; -1: nothing is to be repaired. */
static int repair_due_ms(void)
{
	int64_t left = repair_due - now_ms();
	return !repair_after_ms ? -1 : left > 0 ? (int)left : 0;
}

/* 0: nothing is left to wait for. Asked once: what was due may have gone by a second look, and then nothing would come.
 */
static int wait_for_something(struct ve_host *host, const char *run)
{
	int links = links_due(host);
	if (n_watched == n_lost && links < 0)
		return 0;
	struct pollfd *p = calloc(n_watched + 2, sizeof *p);
	size_t n = n_watched;
	if (!p)
		exit(1); /* the next vectl reaps */
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = watched[i].fd, .events = POLLIN};
	p[n] = (struct pollfd){.fd = inotify, .events = POLLIN};
	p[n + 1] = (struct pollfd){.fd = rules, .events = POLLIN};
	int ready = poll(p, n + 2, sooner(sooner(next_due_ms(), links), repair_due_ms()));
	if ((ready > 0 && p[n + 1].revents) || !repair_due_ms())
		repair(host); /* first: until then VEs may send what they like */
	if (ready > 0) {
		for (size_t i = n; i-- > 0;)
			if (p[i].revents)
				has_ended(i);
		if (p[n].revents)
			look_at_new(host, run);
	}
	free(p);
	reap_due(host, run);
	return 1;
}

/* TREE/vectl/.reaper: out of it into the tree's root, and away with it and, where no VE is left, its parent. */
static void leave_cgroup(const char *cgroup)
{
	char path[PATH_MAX];
	int up = 2;
	snprintf(path, sizeof path - 16, "%s", cgroup);
	while (up-- && strrchr(path, '/'))
		*strrchr(path, '/') = 0;
	strcat(path, "/cgroup.procs");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return;
	close(fd);
	rmdir(cgroup);
	snprintf(path, sizeof path, "%.*s", (int)(strrchr(cgroup, '/') - cgroup), cgroup);
	rmdir(path);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: ve-reaper ROOT CGROUP (started by vectl)\n");
		return 2;
	}
	setsid();
	/* Started with every signal blocked; a service or a host that stops must not wait for this. */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "ve-reaper");
	umask(077);
	if (chdir("/"))
		return 1;
	struct ve_host_options o = {.size = sizeof o, .root = argv[1]};
	struct ve_host *host = NULL;
	char run[PATH_MAX], path[PATH_MAX + 16];
	if (ve_host_open(&o, &host))
		return 1;
	snprintf(run, sizeof run, "%s/run/vectl", strcmp(argv[1], "/") ? argv[1] : "");
	snprintf(path, sizeof path, "%s/.reaper", run);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (lock < 0 || inotify < 0 || inotify_add_watch(inotify, run, IN_CREATE | IN_ONLYDIR) < 0)
		return 1;
	/* One that cannot be had is the lack of nftables, or of the right to them: nothing is to be watched then. */
	rules = ve_firewall_fd(host);
	while (!take_lock(lock)) {
		repair(host); /* what was not heard of when there was no reaper */
		look_around(host, run);
		while (wait_for_something(host, run))
			;
		drop_lock(lock);
		look_at_new(host, run);
		look_around(host, run);
		if (n_watched == n_lost)
			break;
	}
	ve_host_close(host);
	leave_cgroup(argv[2]);
	return 0;
}
