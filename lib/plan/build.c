/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/plan/build.h"

static const enum plan_actor actor_of[OP_COUNT] = {
#define X(op, actor, name, doc) [OP_##op] = ACTOR_##actor,
	PLAN_OPS(X)
#undef X
};

struct plan_step *plan_add(struct builder *b, enum plan_op op)
{
	static struct plan_step nowhere;
	struct plan *p = b->plan;
	if (!b->failed && p->nsteps == p->room) {
		struct plan_step *s = realloc(p->step, (p->room + 64) * sizeof *s);
		if (s) {
			p->step = s;
			p->room += 64;
		} else
			b->failed = error_sys(b->e, ENOMEM, "plan the start", "memory");
	}
	if (b->failed)
		return &nowhere;
	struct plan_step *s = &p->step[p->nsteps++];
	*s = (struct plan_step){.op = op, .actor = actor_of[op]};
	return s;
}

void plan_set_bytes(struct builder *b, struct plan_step *s, int i, const char *text, size_t len)
{
	if (b->failed)
		return;
	s->s[i] = malloc(len + 1);
	if (!s->s[i]) {
		b->failed = error_sys(b->e, ENOMEM, "plan the start", "memory");
		return;
	}
	memcpy(s->s[i], text, len);
	s->s[i][len] = 0;
	s->len[i] = len;
}

void plan_set_text(struct builder *b, struct plan_step *s, int i, const char *format, ...)
{
	char buf[PATH_MAX];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(buf, sizeof buf, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof buf) {
		if (!b->failed)
			b->failed = error_sys(b->e, ENAMETOOLONG, "plan the start", buf);
		return;
	}
	plan_set_bytes(b, s, i, buf, n);
}

void plan_set_list(struct builder *b, struct plan_step *s, int i, const char *const *list)
{
	char buf[LIST_BYTES];
	size_t n = 0;
	for (; list && *list; list++) {
		size_t len = strlen(*list) + 1;
		if (n + len > sizeof buf) {
			if (!b->failed)
				b->failed = error_sys(b->e, E2BIG, "plan the start", *list);
			return;
		}
		memcpy(buf + n, *list, len);
		n += len;
	}
	if (n)
		plan_set_bytes(b, s, i, buf, n - 1);
}

void plan_note(struct builder *b, const char *format, ...)
{
	char **list = b->failed ? NULL : realloc(b->plan->note, (b->plan->nnotes + 1) * sizeof *list), *text = NULL;
	va_list ap;
	if (!list)
		return;
	b->plan->note = list;
	va_start(ap, format);
	if (vasprintf(&text, format, ap) >= 0)
		list[b->plan->nnotes++] = text;
	va_end(ap);
}
