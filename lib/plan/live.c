/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps that can be changed while the VE runs, in the plan of a start and by themselves (live.h). */
#include <string.h>

#include "lib/base/util.h"
#include "lib/plan/build.h"
#include "lib/plan/live.h"

static int add_sysctl(const char *path, const char *text, void *arg)
{
	struct builder *b = arg;
	if (strncmp(path, "sysctl.", 7))
		return 0;
	struct plan_step *s = plan_add(b, OP_SYSCTL);
	plan_set_text(b, s, 0, "%s", path + 7);
	plan_set_text(b, s, 1, "%s", text);
	return 0;
}

void plan_sysctls(struct builder *b)
{
	spec_each(b->in->spec, add_sysctl, b);
}

void plan_hostname(struct builder *b)
{
	struct plan_step *s = plan_add(b, OP_HOSTNAME);
	int own = spec_is_set(b->in->spec, "hostname");
	plan_set_text(b, s, 0, "%s", own ? spec_string(b->in->spec, "hostname") : b->in->name);
	s->n[0] = own;
}

void plan_on_exit(struct builder *b)
{
	const char *what = spec_string(b->in->spec, "boot.on_exit");
	int policy = !what                                 ? 0
		     : !strcmp(what, "restart")            ? ON_EXIT_RESTART
		     : !strcmp(what, "restart-on-failure") ? ON_EXIT_RESTART_FAILED
							   : 0;
	if (policy)
		plan_add(b, OP_ON_EXIT)->n[0] = policy;
}

static void places(struct builder *b)
{
	cleanup_free struct spec_mount *asked = NULL;
	int n = spec_mounts(b->in->spec, &asked, b->e);
	if (n < 0) {
		b->failed = n;
		return;
	}
	b->mounts = asked;
	b->nmounts = n;
	plan_open_mounts(b);
	plan_attach_mounts(b);
	plan_make_devices(b);
	plan_show_devices(b);
	plan_bind_mounts(b);
	b->mounts = NULL;
	b->nmounts = 0;
}

int plan_live(const struct plan_input *in, struct plan **ret, struct error *e)
{
	cleanup_plan struct plan *p = calloc(1, sizeof *p);
	if (!p)
		return error_sys(e, ENOMEM, "set", "memory");
	struct builder b = {.in = in, .plan = p, .e = e};
	plan_on_exit(&b);
	plan_sysctls(&b);
	plan_hostname(&b);
	plan_check_rlimits(&b);
	plan_rlimits(&b);
	if (in->places && !b.failed)
		places(&b);
	if (b.failed) {
		snprintf(e->tried, sizeof e->tried, "set");
		return b.failed;
	}
	*ret = TAKE_PTR(p);
	return 0;
}

static int put_step(const struct plan_step *from, struct live_record *r, struct wire_step *to)
{
	*to = (struct wire_step){.actor = from->actor, .op = from->op, .optional = (uint16_t)from->optional};
	for (int i = 0; i < 3; i++) {
		to->n[i] = from->n[i];
		if (!from->s[i])
			continue;
		if (from->len[i] + 1 > LIVE_SLOT - r->size)
			return -E2BIG;
		to->s[i] = r->size;
		to->len[i] = (uint32_t)from->len[i];
		memcpy((char *)r + r->size, from->s[i], from->len[i] + 1);
		r->size += (uint32_t)from->len[i] + 1;
	}
	return 0;
}

static int is_wanted(const struct plan_step *s, uint32_t resources)
{
	return s->op != OP_RLIMIT || resources & (1u << s->n[0]);
}

int live_encode(const struct plan *p, uint32_t resources, uint32_t flags, uint64_t sequence, void *buf)
{
	struct live_record *r = buf;
	memset(buf, 0, LIVE_SLOT);
	*r = (struct live_record){.magic = LIVE_MAGIC, .size = sizeof *r, .sequence = sequence, .flags = flags};
	for (size_t i = 0; i < p->nsteps; i++)
		r->size += is_wanted(&p->step[i], resources) ? sizeof r->step[0] : 0;
	for (size_t i = 0; r->size <= LIVE_SLOT && i < p->nsteps; i++)
		if (is_wanted(&p->step[i], resources) && put_step(&p->step[i], r, &r->step[r->nsteps++]))
			return -E2BIG;
	if (r->size > LIVE_SLOT)
		return -E2BIG;
	r->sum = live_sum(r);
	return (int)r->size;
}
