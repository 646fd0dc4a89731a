/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts and devices of a VE that runs. A process of the host's root makes the trees, as the keeper did at the start,
 * and attaches them in the keeper's minimal root, where the boots that follow find them. Then it goes the way of an
 * init: as the VE's root into a copy of the minimal root, where attributes are locked; takes its copies of the trees
 * along into init's mount namespace; and shows them at their targets. It stays in the host's pid namespace, out of the
 * guest's sight, and has nothing open there that the guest could get at.
 *
 * What is taken off must still be what was shown. The guest may have moved it, covered it, or taken it off itself; the
 * kernel's list of mounts tells, by the file system and the folder in it.
 */
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "cmd/ve-apply/apply.h"
#include "cmd/ve-supervisor/sys.h"
#include "cmd/ve-supervisor/tree.h"
#include "lib/plan/wire.h"

#ifndef UMOUNT_NOFOLLOW
#define UMOUNT_NOFOLLOW 8
#endif

enum { PATH_SIZE = 4096, WAS = 0, WANT = 1 };

/* What a mount is a mount of, as the kernel's list has it; of what is in the minimal root. */
static struct identity {
	char device[24], root[PATH_SIZE];
} identity[APPLY_PLACES_MAX][2];

static int tree[APPLY_PLACES_MAX][2]; /* detached; 0: none */
static struct inside in;
static int dev; /* the VE's */

static const struct shown *shown_of(const struct place *p, int which)
{
	return which == WAS ? &p->was : &p->want;
}

/* ---- the kernel's list of mounts */

struct line {
	int id;
	const char *device, *root, *point, *type, *source;
};

/* \040 and the like, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++)
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	*to = '\0';
}

static int parse_line(char *s, struct line *ret)
{
	char *word[64], *rest;
	int n = 0, dash;

	for (char *w = strtok_r(s, " ", &rest); w && n < 64; w = strtok_r(NULL, " ", &rest))
		word[n++] = w;
	for (dash = 6; dash < n && strcmp(word[dash], "-") != 0; dash++) {
	}
	if (dash + 2 >= n)
		return -EINVAL;
	*ret = (struct line){atoi(word[0]), word[2], word[3], word[4], word[dash + 1], word[dash + 2]};
	unescape(word[3]);
	unescape(word[4]);
	return 0;
}

/* Those that can be seen from our root, in the mount namespace that we are in. */
static int each_line(int proc, void (*fn)(const struct line *l, void *arg), void *arg)
{
	static char buf[16 * PATH_SIZE];
	size_t have = 0;
	ssize_t n;
	int fd = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + have, sizeof(buf) - have)) > 0) {
		char *at = buf, *end;

		have += (size_t)n;
		while ((end = memchr(at, '\n', have - (size_t)(at - buf)))) {
			struct line l;

			*end = '\0';
			if (parse_line(at, &l) == 0)
				fn(&l, arg);
			at = end + 1;
		}
		have -= (size_t)(at - buf);
		memmove(buf, at, have);
		if (have == sizeof(buf))
			break;
	}
	n = n < 0 ? -errno : have ? -E2BIG : 0;
	close(fd);
	return (int)n;
}

static void identify(const struct line *l, void *arg)
{
	const struct apply *a = arg;

	for (int i = 0; i < a->nplaces; i++)
		for (int which = 0; which < 2; which++) {
			const struct apply_shown *s = shown_of(&a->place[i], which)->asked;
			struct identity *id = &identity[i][which];
			const char *root = l->root;
			char node[32];

			if (s->kind == SHOWN_DEVICE && !strcmp(l->point, "/")) {
				snprintf(node, sizeof(node), "/d%u", s->slot);
				root = node;
			} else if (s->kind != SHOWN_BIND || strcmp(l->point, tree_path(s->slot).s) != 0) {
				continue;
			}
			snprintf(id->device, sizeof(id->device), "%s", l->device);
			snprintf(id->root, sizeof(id->root), "%s", root);
		}
}

static int is_beneath(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strcmp(top, "/") || (!strncmp(path, top, n) && (!path[n] || path[n] == '/'));
}

/* Of the same file system, and the same folder or one in it: a mount of that reaches what is in it, too. */
static int is_part(const char *device, const char *root, const struct identity *of)
{
	return *of->device && !strcmp(device, of->device) && is_beneath(root, of->root);
}

/* Whether the second is one of the mounts that look() counts for the first. */
static int is_same(const struct place *a, int i, int which, const struct place *b, int k, int other)
{
	const struct apply_shown *one = shown_of(a, which)->asked, *two = shown_of(b, other)->asked;

	if (one->kind != two->kind)
		return 0;
	return one->kind == SHOWN_INSIDE || (i == k && which == other) ||
	       is_part(identity[k][other].device, identity[k][other].root, &identity[i][which]);
}

/* How many of the VE's mounts are of the same, where they are all as they were shown. */
static int count_shown(const struct apply *a, int i, int which)
{
	int n = 0;

	for (int k = 0; k < a->nplaces; k++) {
		const struct place *p = &a->place[k];

		n += p->was.asked->kind && !p->gone && is_same(&a->place[i], i, which, p, k, WAS);
		n += p->shown && is_same(&a->place[i], i, which, p, k, WANT);
	}
	return n;
}

struct search {
	const struct shown *what;
	const struct identity *id;
	int mount;  /* the one at the target */
	char *path; /* of that */
	int count, at_target;
};

/* Of a mount whose source was removed since, a link in /proc says so behind its path: that is cut off. */
static int is_at(char *path, const char *point)
{
	size_t n = strlen(point);

	if (strncmp(path, point, n) != 0 || (path[n] && strcmp(path + n, " (deleted)") != 0))
		return 0;
	path[n] = '\0';
	return 1;
}

static void look(const struct line *l, void *arg)
{
	struct search *s = arg;
	int inside = s->what->asked->kind == SHOWN_INSIDE;

	if (inside ? strcmp(l->type, s->what->type) != 0 || strcmp(l->source, INSIDE_SOURCE) != 0
		   : !is_part(l->device, l->root, s->id))
		return;
	s->count++;
	if (!inside && strcmp(l->root, s->id->root) != 0)
		return;
	s->at_target |= s->mount == l->id && s->path && is_at(s->path, l->point);
}

static int mount_of(int fd)
{
	char path[40], text[256], *p;
	ssize_t n;

	snprintf(path, sizeof(path), "self/fdinfo/%d", fd);
	fd = openat(in.proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strstr(text, "mnt_id:");
	return p ? atoi(p + strlen("mnt_id:")) : -1;
}

static void target_of(const struct shown *s, char buf[PATH_SIZE])
{
	snprintf(buf, PATH_SIZE, "%s%s", s->asked->kind == SHOWN_DEVICE ? "/dev/" : "", s->target);
}

/* Looks for it in the VE; `real`: where the target is, with all links followed, or "". */
static int search(const struct apply *a, int i, int which, struct search *ret, char real[PATH_SIZE])
{
	char target[PATH_SIZE], link[40];
	const struct shown *s = shown_of(&a->place[i], which);
	int fd;

	target_of(s, target);
	step_subject = s->target;
	*ret = (struct search){.what = s, .id = &identity[i][which], .mount = -1};
	*real = '\0';
	fd = open_inside(&in, target);
	if (fd >= 0) {
		ssize_t n;

		snprintf(link, sizeof(link), "self/fd/%d", fd);
		n = readlinkat(in.proc, link, real, PATH_SIZE - 1);
		real[n > 0 ? n : 0] = '\0';
		ret->mount = mount_of(fd);
		ret->path = real;
		close(fd);
	}
	return each_line(in.proc, look, ret);
}

/* ---- taking off */

/* What vectl made for a device to be shown on. */
static void remove_empty(int parent, const char *name)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		unlinkat(parent, name, 0);
}

static int unmount(char *path, int flags, int is_device)
{
	char *name = strrchr(path, '/');
	int parent, r;

	if (!name)
		return -ESTALE;
	*name++ = '\0';
	/* Of the path that the kernel told: a link that is there now was put there meanwhile. */
	parent = sys_openat2(in.root, *path ? path : "/", O_PATH | O_DIRECTORY, 0,
		RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (parent < 0)
		return -ESTALE;
	/* No fd may refer to the mount itself: that alone would keep it busy. */
	r = fchdir(parent) < 0 || sys_umount2(name, UMOUNT_NOFOLLOW | flags) < 0 ? -errno : 0;
	if (!r && is_device)
		remove_empty(parent, name);
	if (fchdir(in.root) < 0 && !r)
		r = -errno;
	close(parent);
	/* What search() found is not there any more. */
	return r == -EINVAL || r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? -ESTALE : r;
}

/*
 * 0: it is gone. As long as all mounts of the same are accounted for, one that is not at its target was taken off by
 * the VE itself; one too many was moved, or shown at another place as well.
 */
static int take_off(struct apply *a, int i, int which, int flags)
{
	struct place *p = &a->place[i];
	int *mark = which == WAS ? &p->gone : &p->shown, r, unknown;
	char real[PATH_SIZE];
	struct search s, after;

	r = search(a, i, which, &s, real);
	/* The VE made a mount whose line is too long to be read: all of them cannot be counted. */
	if (r == -E2BIG)
		return -ESTALE;
	if (r < 0)
		return r;
	unknown = s.count - count_shown(a, i, which);
	if (!s.at_target && unknown >= 0)
		return -ESTALE;
	if (s.at_target && unknown > 0 && !(flags & MNT_DETACH))
		return -EMLINK;
	*mark = which == WAS;
	r = s.at_target ? unmount(real, flags, s.what->asked->kind == SHOWN_DEVICE) : 0;
	/* The VE may have covered it just before: that is what came off. */
	if (!r && s.at_target && (search(a, i, which, &after, real) < 0 || after.count >= s.count || after.at_target))
		r = -ESTALE;
	if (r)
		*mark = which != WAS;
	return r;
}

/* ---- showing */

static int show(struct apply *a, int i, int which)
{
	const struct shown *s = shown_of(&a->place[i], which);
	int r, t = tree[i][which];

	step_subject = s->target;
	switch (s->asked->kind) {
	case SHOWN_BIND:
		return tree_show(t, &in, s->target);
	case SHOWN_INSIDE:
		t = tree_make_inside(s->type, s->options, s->asked->attr);
		r = t < 0 ? t : tree_show(t, &in, s->target);
		if (t >= 0)
			close(t);
		return r;
	case SHOWN_DEVICE:
		return dev < 0 ? dev : node_show(t, dev, s->target);
	}
	return 0;
}

/* Of a start those come first that are above others; here one would hide what is beneath it. */
static int hides_another(const struct apply *a, int i)
{
	const struct shown *want = &a->place[i].want;

	for (int k = 0; k < a->nplaces; k++) {
		const struct place *p = &a->place[k];

		if (k == i || !p->was.asked->kind || p->gone ||
			(p->was.asked->kind == SHOWN_DEVICE) != (want->asked->kind == SHOWN_DEVICE))
			continue;
		if (is_beneath(p->was.target, want->target))
			return 1;
	}
	return 0;
}

/* ---- all of them, in order */

static int showing(const struct shown *s)
{
	return s->asked->kind == SHOWN_BIND     ? OP_BIND_MOUNT
	       : s->asked->kind == SHOWN_INSIDE ? OP_MOUNT_INSIDE
						: OP_DEVICE;
}

static void order(const struct apply *a, int which, int up, int ret[APPLY_PLACES_MAX])
{
	for (int i = 0; i < a->nplaces; i++) {
		int k = i;

		for (; k > 0; k--) {
			int c = strcmp(
				shown_of(&a->place[ret[k - 1]], which)->target, shown_of(&a->place[i], which)->target);

			if (up ? c <= 0 : c >= 0)
				break;
			ret[k] = ret[k - 1];
		}
		ret[k] = i;
	}
}

static int failed(struct apply *a, int r, int i, int op)
{
	a->report.err = -r;
	a->report.place = i;
	a->report.op = op;
	snprintf(a->report.subject, sizeof(a->report.subject), "%s", step_subject);
	return r;
}

static int take_off_all(struct apply *a)
{
	int by[APPLY_PLACES_MAX];

	order(a, WAS, 0, by);
	for (int n = 0; n < a->nplaces; n++) {
		int i = by[n], r;
		struct place *p = &a->place[i];

		if (p->stays || !p->was.asked->kind || a->report.waits[i])
			continue;
		r = take_off(a, i, WAS, 0);
		if (r == -EBUSY || r == -ESTALE || r == -EMLINK || (r && p->may_wait))
			a->report.waits[i] = -r;
		else if (r)
			return failed(a, r, i, showing(&p->was));
	}
	return 0;
}

static int show_all(struct apply *a, int again)
{
	char real[PATH_SIZE];
	struct search s;
	int by[APPLY_PLACES_MAX];

	order(a, WANT, 1, by);
	for (int n = 0; n < a->nplaces; n++) {
		int i = by[n], r;
		struct place *p = &a->place[i];

		if (p->stays || !p->want.asked->kind || a->report.waits[i])
			continue;
		if ((again || p->attached) && (r = search(a, i, WANT, &s, real)) == 0 && s.at_target) {
			p->shown = 1;
			continue;
		}
		if (hides_another(a, i)) {
			r = -EADDRINUSE;
		} else {
			p->shown = 1;
			r = show(a, i, WANT);
		}
		if (!r)
			continue;
		p->shown = 0;
		if (r != -EADDRINUSE && !p->may_wait)
			return failed(a, r, i, showing(&p->want));
		a->report.waits[i] = -r;
		if (p->gone && (r = show(a, i, WAS)) < 0)
			return failed(a, r, i, showing(&p->was));
		p->gone = 0;
	}
	return 0;
}

static int undo_all(struct apply *a)
{
	char real[PATH_SIZE];
	struct search s;
	int by[APPLY_PLACES_MAX];

	order(a, WANT, 0, by);
	for (int n = 0; n < a->nplaces; n++)
		if (a->place[by[n]].shown)
			take_off(a, by[n], WANT, MNT_DETACH);
	order(a, WAS, 1, by);
	for (int n = 0; n < a->nplaces; n++)
		if (a->place[by[n]].gone && search(a, by[n], WAS, &s, real) == 0 && !s.at_target)
			show(a, by[n], WAS);
	return 0;
}

/* ---- on the way there */

/* What the keeper does with OPEN_MOUNT, MAKE_MOUNT and ATTACH_MOUNT, but for the attaching. */
static int make_trees(struct apply *a)
{
	for (int i = 0; i < a->nplaces; i++) {
		const struct shown *s = &a->place[i].want;
		int r, t, op = *s->type ? OP_MAKE_MOUNT : OP_OPEN_MOUNT;

		if (a->place[i].stays || a->place[i].attached || s->asked->kind != SHOWN_BIND)
			continue;
		t = *s->type ? tree_make(s->type, s->source, s->options) : tree_open(s->source, s->asked->recursive);
		r = t < 0 ? t : tree_own(t, s->source, s->asked->attr, (int)s->asked->flags, AFD_USER);
		if (t >= 0)
			op = OP_ATTACH_MOUNT;
		if (!r) {
			tree[i][WANT] = t;
		} else if (a->place[i].may_wait) {
			a->report.waits[i] = -r;
		} else {
			return failed(a, r, i, op);
		}
	}
	return 0;
}

static void node_path(uint32_t slot, char buf[32])
{
	snprintf(buf, 32, "/d%u", slot);
}

static void drop_slot(const char *path)
{
	sys_umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW); /* here nobody uses it */
	if (unlink(path) < 0)
		rmdir(path);
}

/* In the minimal root. What a change that was killed left there is taken away. */
static int attach_trees(struct apply *a)
{
	char node[32];

	for (int i = 0; i < a->nplaces; i++) {
		const struct shown *s = &a->place[i].want;
		const struct apply_shown *q = s->asked;
		int r = 0;

		if (a->place[i].stays || a->place[i].attached || a->report.waits[i])
			continue;
		if (q->kind == SHOWN_BIND) {
			drop_slot(tree_path(q->slot).s);
			r = tree_attach(tree[i][WANT], q->slot);
			close(tree[i][WANT]);
			tree[i][WANT] = 0;
		} else if (q->kind == SHOWN_DEVICE) {
			node_path(q->slot, node);
			drop_slot(node);
			r = node_make(node, s->target, s->source, q->mode, q->uid, q->gid);
		}
		if (r)
			return failed(a, r, i, q->kind == SHOWN_BIND ? OP_ATTACH_MOUNT : OP_DEVICE_NODE);
	}
	return 0;
}

/* As an init of the VE's: root of it, in a copy of the minimal root that is the VE's. */
static int become_root_of_ve(const struct apply *a)
{
	if (a->privileged)
		return 0;
	if (setns(AFD_USER, CLONE_NEWUSER) < 0 || syscall(SYS_setgroups, 0, NULL) < 0 ||
		syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0 ||
		prctl(PR_SET_DUMPABLE, 0) < 0 || unshare(CLONE_NEWNS) < 0)
		return -errno;
	return 0;
}

/* undo: what is to be shown again alone. */
static int copy_trees(const struct apply *a, int undo)
{
	char node[32];

	for (int i = 0; i < a->nplaces; i++)
		for (int which = 0; which < 2; which++) {
			const struct apply_shown *s = shown_of(&a->place[i], which)->asked;
			int t = 0;

			if (a->place[i].stays || (which == WANT && (undo || a->report.waits[i])))
				continue;
			if (s->kind == SHOWN_BIND)
				t = tree_copy(s->slot);
			node_path(s->slot, node);
			if (s->kind == SHOWN_DEVICE)
				t = sys_open_tree(
					AT_FDCWD, node, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
			/* One that was is wanted again only if something fails. */
			if (t < 0 && which == WANT)
				return errno ? -errno : -EIO;
			tree[i][which] = t;
		}
	return 0;
}

static int enter_ve(const struct apply *a)
{
	if (setns(AFD_MOUNTS, CLONE_NEWNS) < 0)
		return -errno;
	in = (struct inside){.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), .proc = a->proc, .prefix = ""};
	if (in.root < 0 || fchdir(in.root) < 0)
		return -errno;
	dev = sys_openat2(
		in.root, "dev", O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	dev = dev < 0 ? -errno : dev;
	return 0;
}

enum work { APPLY, APPLY_AGAIN, UNDO, DROP_NEW };

static int work(struct apply *a, enum work what)
{
	int r;

	if (what == APPLY || what == APPLY_AGAIN) {
		r = make_trees(a);
		if (r)
			return r;
	}
	if (setns(AFD_MINIMAL, CLONE_NEWNS) < 0)
		return -errno;
	if (what == DROP_NEW) {
		char node[32];

		for (int i = 0; i < a->nplaces; i++) {
			const struct apply_shown *s = a->place[i].want.asked;

			node_path(s->slot, node);
			if (!a->place[i].stays && !a->place[i].attached &&
				(s->kind == SHOWN_BIND || s->kind == SHOWN_DEVICE))
				drop_slot(s->kind == SHOWN_BIND ? tree_path(s->slot).s : node);
		}
		return 0;
	}
	if (what != UNDO) {
		r = attach_trees(a);
		if (r)
			return r;
	}
	r = each_line(a->proc, identify, a);
	if (!r)
		r = become_root_of_ve(a);
	if (!r)
		r = copy_trees(a, what == UNDO);
	if (!r)
		r = enter_ve(a);
	if (r)
		return failed(a, r, APPLY_NONE, -1);
	if (what == UNDO)
		return undo_all(a);
	r = take_off_all(a);
	return r ? r : show_all(a, what == APPLY_AGAIN);
}

/* In a process of its own, which cannot go back and need not; and which a file system of the guest's may hold up. */
static int run(struct apply *a, enum work what)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), r;
	pid_t pid = done == MAP_FAILED ? -1 : sys_clone3(&args);

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* One that cannot be killed does not keep vectl waiting when we have gone. */
		close(AFD_REPORT);
		r = work(a, what);
		*done = 1 - r; /* 1: all is well */
		_exit(0);
	}
	r = await_child(pid, done);
	r = r ? r : 1 - *done;
	munmap(done, sizeof(*done));
	return r;
}

void places_undo(struct apply *a)
{
	const struct apply_report why = a->report;

	run(a, UNDO);
	run(a, DROP_NEW);
	a->report = why;
}

int places_apply(struct apply *a, int again)
{
	int r = run(a, again ? APPLY_AGAIN : APPLY);

	if (!r)
		return 0;
	if (!a->report.err) {
		a->report.err = -r;
		a->report.place = APPLY_NONE;
	}
	places_undo(a);
	return r;
}

/* It gave up, and what is free may be somebody else's by now. */
static int asker_has_gone(void)
{
	struct pollfd p = {.fd = AFD_REPORT};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

int places_drop(const struct apply_request *r)
{
	char node[32];

	if (setns(AFD_MINIMAL, CLONE_NEWNS) < 0)
		return -errno;
	for (unsigned i = 0; i < MOUNT_SLOTS && !asker_has_gone(); i++)
		if (!(r->mounts[i / 64] >> (i % 64) & 1))
			drop_slot(tree_path(i).s);
	for (unsigned i = 0; i < DEVICE_SLOTS && !asker_has_gone(); i++) {
		node_path(i, node);
		if (!(r->devices >> i & 1))
			drop_slot(node);
	}
	return 0;
}
