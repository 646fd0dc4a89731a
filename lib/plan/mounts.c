/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.*: trees of the host's are opened by root before the keeper leaves the host's mounts, made the VE's own
 * (owners, attributes) in the minimal root, and shown by each boot's init at their places; so they outlast reboots.
 */
#include <linux/mount.h>

#include "lib/base/util.h"
#include "lib/plan/build.h"

void plan_open_mounts(struct builder *b)
{
	for (int i = 0; i < b->nmounts && !b->failed; i++) {
		const struct spec_mount *m = &b->mounts[i];
		if (m->in_guest)
			continue;
		struct plan_step *s = plan_add(b, m->type ? OP_MAKE_MOUNT : OP_OPEN_MOUNT);
		plan_set_text(b, s, 0, "%s", m->source);
		s->n[0] = i;
		if (m->type) {
			plan_set_text(b, s, 1, "%s", m->type);
			/* The file system too: a device that is read-only can be mounted only so. */
			plan_set_text(b, s, 2, "%s%s%s", m->attr & MOUNT_ATTR_RDONLY ? "ro" : "",
				m->attr & MOUNT_ATTR_RDONLY && *m->options ? "," : "", m->options);
		} else {
			plan_set_text(b, s, 1, "%s", m->key);
			s->n[1] = m->recursive;
		}
	}
}

/* Its root is uid 0 there, on the host's disk as well. A privileged VE is not contained anyhow, and that is said. */
static void note_exposed(struct builder *b, const struct spec_mount *m)
{
	plan_note(b,
		"%s: root of the VE can make setuid files of the host's root in %s, and every user of the host can "
		"execute them: keep it in a folder that others cannot enter (chmod o-rwx; its own mode the VE can "
		"change), or set options=ro or idmap=false",
		m->key, m->source);
}

void plan_attach_mounts(struct builder *b)
{
	int privileged = spec_integer(b->in->spec, "privileged", 0) != 0; /* its owners are the host's anyhow */
	for (int i = 0; i < b->nmounts && !b->failed; i++) {
		const struct spec_mount *m = &b->mounts[i];
		if (m->in_guest)
			continue;
		if (b->in->exposed && b->in->exposed[i] && !privileged)
			note_exposed(b, m);
		struct plan_step *s = plan_add(b, OP_ATTACH_MOUNT);
		plan_set_text(b, s, 0, "%s", m->key);
		s->n[0] = i;
		s->n[1] = m->attr;
		s->n[2] = (m->idmap && !privileged ? ATTACH_IDMAP : 0) | (m->recursive ? ATTACH_RECURSIVE : 0);
	}
}

void plan_bind_mounts(struct builder *b)
{
	for (int i = 0; i < b->nmounts && !b->failed; i++) {
		const struct spec_mount *m = &b->mounts[i];
		struct plan_step *s = plan_add(b, m->in_guest ? OP_MOUNT_INSIDE : OP_BIND_MOUNT);
		plan_set_text(b, s, m->in_guest ? 1 : 0, "%s", m->target);
		if (m->in_guest) {
			plan_set_text(b, s, 0, "%s", m->type);
			plan_set_text(b, s, 2, "%s", m->options);
			s->n[0] = m->attr;
		} else {
			plan_set_text(b, s, 1, "%s", m->key);
			s->n[0] = i;
		}
	}
}
