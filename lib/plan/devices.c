/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the host's in a VE: nodes in the minimal root, where they can be opened, shown at their places by init. */
#include <string.h>
#include <sys/stat.h>

#include "lib/base/util.h"
#include "lib/confine/devices.h"
#include "lib/plan/build.h"

static char letter(const struct plan_device *d)
{
	return S_ISBLK(d->mode) ? 'b' : 'c';
}

/* The rules add up, so what the spec says of a node takes the place of what is so without it. */
static int is_named(const struct plan_input *in, const char *rule)
{
	char node[48];
	for (size_t i = 0; i < in->ndevices; i++) {
		FORMAT(node, "%c %u:%u ", letter(&in->devices[i]), in->devices[i].major, in->devices[i].minor);
		if (!strncmp(rule, node, strlen(node)))
			return 1;
	}
	return 0;
}

void plan_device_filter(struct builder *b, const char *cgroup)
{
	const struct plan_input *in = b->in;
	const char *rules[DEVICE_RULES_MAX + 1];
	char text[PLAN_DEVICES_MAX][48];
	size_t n = 0;
	int needed = spec_integer(in->spec, "privileged", 0) != 0;
	for (size_t i = 0; device_rules_default[i]; i++)
		if (!is_named(in, device_rules_default[i]))
			rules[n++] = device_rules_default[i];
	for (size_t i = 0; i < in->ndevices; i++) {
		FORMAT(text[i], "%c %u:%u %s", letter(&in->devices[i]), in->devices[i].major, in->devices[i].minor,
			in->devices[i].access);
		rules[n++] = text[i];
		/* Without privileges no node can be made, so the nodes that are shown are all; a mode is no limit. */
		needed |= !strchr(in->devices[i].access, 'r') || !strchr(in->devices[i].access, 'w');
	}
	rules[n] = NULL;
	if (!needed)
		return;
	struct plan_step *s = plan_add(b, OP_CGROUP_DEVICES);
	plan_set_text(b, s, 0, "%s", cgroup);
	plan_set_list(b, s, 1, rules);
}

int plan_filter(const struct plan_input *in, const char *cgroup, struct plan **ret, struct error *e)
{
	cleanup_plan struct plan *p = calloc(1, sizeof *p);
	if (!p)
		return error_sys(e, ENOMEM, "set", "memory");
	struct builder b = {.in = in, .plan = p, .e = e};
	plan_device_filter(&b, cgroup);
	if (b.failed)
		return b.failed;
	*ret = TAKE_PTR(p);
	return 0;
}

void plan_make_devices(struct builder *b)
{
	for (size_t i = 0; i < b->in->ndevices; i++) {
		const struct plan_device *d = &b->in->devices[i];
		struct plan_step *s = plan_add(b, OP_DEVICE_NODE);
		plan_set_text(b, s, 0, "/d%zu", i);
		plan_set_text(b, s, 1, "%s", d->path);
		plan_set_text(b, s, 2, "%c %u:%u", letter(d), d->major, d->minor);
		s->n[0] = d->mode;
		s->n[1] = d->uid;
		s->n[2] = d->gid;
	}
}

void plan_show_devices(struct builder *b)
{
	for (size_t i = 0; i < b->in->ndevices; i++) {
		struct plan_step *s = plan_add(b, OP_DEVICE);
		plan_set_text(b, s, 0, "/d%zu", i);
		plan_set_text(b, s, 1, "%s", b->in->devices[i].path + strlen("/dev/"));
	}
}
