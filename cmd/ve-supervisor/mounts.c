/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.* and device.* of the spec. The keeper opens each source as root, gives it the VE's owners and its attributes,
 * and attaches it in the minimal root, of which each boot's mount namespace is a copy: there its attributes are locked.
 * Init shows it at its target, to which every path leads inside the VE's root and nowhere else. What is set while the
 * VE runs is attached in the minimal root by ve-apply, and shown by the inits that follow as the record has it.
 */
#include <string.h>

#include "cmd/ve-supervisor/keeper.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"

static int tree[PLAN_MOUNTS_MAX]; /* detached, by the plan's numbers */

static int number_ok(const struct wire_step *s)
{
	return s->n[0] >= 0 && s->n[0] < PLAN_MOUNTS_MAX;
}

static int keep(const struct wire_step *s, int fd)
{
	return fd < 0 ? fd : (tree[s->n[0]] = fd, 0);
}

int open_mount(const struct wire_step *s)
{
	return number_ok(s) ? keep(s, tree_open(wire_string(plan, s, 0), s->n[1])) : -EINVAL;
}

int make_mount(const struct wire_step *s)
{
	return number_ok(s)
		       ? keep(s, tree_make(wire_string(plan, s, 1), wire_string(plan, s, 0), wire_string(plan, s, 2)))
		       : -EINVAL;
}

int attach_mount(const struct wire_step *s, int userns)
{
	if (!number_ok(s))
		return -EINVAL;
	int t = tree[s->n[0]], r = tree_own(t, wire_string(plan, s, 0), s->n[1], s->n[2], userns);
	if (!r)
		r = tree_attach(t, s->n[0]);
	close(t);
	return r;
}

int device_node(const struct wire_step *s)
{
	return node_make(wire_string(plan, s, 0), wire_string(plan, s, 1), wire_string(plan, s, 2), s->n[0],
		plan->base + s->n[1], plan->base + s->n[2]);
}

/* ---- init's part */

static int show_tree(int t, const struct inside *in, const char *target)
{
	int r = t < 0 ? t : tree_show(t, in, target);
	if (t >= 0)
		close(t);
	return r;
}

static int show_node(const char *node, int dev, const char *path)
{
	int t = TRY(node, sys_open_tree(AT_FDCWD, node, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW));
	int r = node_show(t, dev, path);
	close(t);
	return r;
}

/* s: the step's strings. */
static int show(const struct wire_step *step, const char *const s[3], const struct inside *in, int dev)
{
	switch (step->op) {
	case OP_BIND_MOUNT:
		return show_tree(tree_copy(step->n[0]), in, s[0]);
	case OP_MOUNT_INSIDE:
		return show_tree(tree_make_inside(s[0], s[2], step->n[0]), in, s[1]);
	case OP_DEVICE:
		return show_node(s[0], dev, s[1]);
	}
	return 0;
}

int show_place(const struct wire_step *s, const struct inside *in, int dev)
{
	const char *const text[] = {wire_string(plan, s, 0), wire_string(plan, s, 1), wire_string(plan, s, 2)};
	return live_has_places(live) ? 0 : show(s, text, in, dev);
}

int show_live_places(const struct inside *in, int dev)
{
	for (uint32_t i = 0; live_has_places(live) && i < live->nsteps; i++) {
		const struct wire_step *s = &live->step[i];
		const char *const text[] = {live_string(live, s, 0), live_string(live, s, 1), live_string(live, s, 2)};
		int r = s->optional == LIVE_COMING ? 0 : show(s, text, in, dev);
		if (r < 0)
			return r;
	}
	return 0;
}
