/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/run/places.h"

#include <string.h>

#include "config.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/plan/build.h"
#include "lib/plan/live.h"
#include "lib/plan/wire_read.h"
#include "lib/run/devices.h"

static const char tried[] = "set";

/* One mount or device, from steps of the plan's or a record's. "" where there is no such string. */
struct place {
	int op, mark; /* OP_BIND_MOUNT, OP_MOUNT_INSIDE or OP_DEVICE; enum live_mark */
	int paired;
	int64_t slot; /* -1: none yet, or none at all */
	char key[80];
	const char *target, *type, *source, *options; /* a device's source is its numbers */
	int64_t recursive, attr, flags, mode, uid, gid;
};

enum { PLACES_MAX = APPLY_PLACES_MAX };
struct places_pair {
	struct place *was, *want;
	int stays, attached, may_wait, waits; /* as of struct apply_place; a positive errno */
};
struct places {
	const struct places_change *c;
	int unknown;  /* the VE is of another version: what it has cannot be told */
	int missing;  /* a device of the spec's has gone from the host: all stay as they are */
	int recorded; /* the record has them */
	struct live_record *record;
	char *file;          /* the saved plan */
	struct plan *wanted; /* what the strings of `want` belong to */
	struct place was[PLACES_MAX], want[PLACES_MAX];
	size_t nwas, nwant;
	struct places_pair pair[PLACES_MAX];
	size_t npairs;
};

void places_free(struct places *p)
{
	if (!p)
		return;
	plan_free(p->wanted);
	free(p->record);
	free(p->file);
	free(p);
}

/* ---- from steps */

struct view {
	int op, mark;
	const char *s[3];
	int64_t n[3];
};

static int64_t slot_of(const struct view *v)
{
	return v->op == OP_DEVICE || v->op == OP_DEVICE_NODE ? atoll(v->s[0] + strlen("/d")) : v->n[0];
}

static void start_place(const struct view *v, struct place *list, size_t *n)
{
	if (*n == PLACES_MAX || (v->op != OP_BIND_MOUNT && v->op != OP_MOUNT_INSIDE && v->op != OP_DEVICE))
		return;
	struct place *p = &list[(*n)++];
	*p = (struct place){.op = v->op, .mark = v->mark, .type = "", .source = "", .options = ""};
	p->target = v->s[v->op != OP_BIND_MOUNT];
	p->slot = v->op == OP_MOUNT_INSIDE ? -1 : slot_of(v);
	if (v->op == OP_BIND_MOUNT)
		snprintf(p->key, sizeof p->key, "%s", v->s[1]);
	if (v->op == OP_MOUNT_INSIDE) {
		p->type = v->s[0];
		p->options = v->s[2];
		p->attr = v->n[0];
	}
}

static struct place *find_slot(struct place *list, size_t n, int op, int64_t slot)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].op == op && list[i].slot == slot)
			return &list[i];
	return NULL;
}

static void complete_place(const struct view *v, struct place *list, size_t n)
{
	struct place *p;
	if (v->op == OP_DEVICE_NODE && (p = find_slot(list, n, OP_DEVICE, slot_of(v)))) {
		p->source = v->s[2];
		p->mode = v->n[0];
		p->uid = v->n[1];
		p->gid = v->n[2];
	}
	if ((v->op != OP_OPEN_MOUNT && v->op != OP_MAKE_MOUNT && v->op != OP_ATTACH_MOUNT) ||
		!(p = find_slot(list, n, OP_BIND_MOUNT, slot_of(v))))
		return;
	if (v->op == OP_ATTACH_MOUNT) {
		p->attr = v->n[1];
		p->flags = v->n[2];
		return;
	}
	p->source = v->s[0];
	p->recursive = v->op == OP_OPEN_MOUNT ? v->n[1] : 0;
	if (v->op == OP_MAKE_MOUNT) {
		p->type = v->s[1];
		p->options = v->s[2];
	}
}

static void collect(const struct view *v, size_t nsteps, struct place *list, size_t *n)
{
	for (size_t i = 0; i < nsteps; i++)
		start_place(&v[i], list, n);
	for (size_t i = 0; i < nsteps; i++)
		complete_place(&v[i], list, *n);
}

static int collect_wire(const void *base, const struct wire_step *s, size_t nsteps, int marks, struct places *p)
{
	cleanup_free struct view *v = calloc(nsteps + 1, sizeof *v);
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < nsteps; i++) {
		v[i].op = s[i].op;
		v[i].mark = marks ? s[i].optional : 0;
		for (int k = 0; k < 3; k++) {
			v[i].s[k] = s[i].s[k] ? (const char *)base + s[i].s[k] : "";
			v[i].n[k] = s[i].n[k];
		}
	}
	collect(v, nsteps, p->was, &p->nwas);
	return 0;
}

static int collect_plan(const struct plan *plan, struct places *p)
{
	cleanup_free struct view *v = calloc(plan->nsteps + 1, sizeof *v);
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < plan->nsteps; i++) {
		v[i].op = (int)plan->step[i].op;
		for (int k = 0; k < 3; k++) {
			v[i].s[k] = plan->step[i].s[k] ?: "";
			v[i].n[k] = plan->step[i].n[k];
		}
	}
	collect(v, plan->nsteps, p->want, &p->nwant);
	return 0;
}

/* ---- the keys that they are of */

struct device_search {
	const char *path;
	char *key;
	size_t size;
};

static int name_device(const char *path, const char *text, void *arg)
{
	struct device_search *s = arg;
	const char *last = strrchr(path, '.');
	if (!strncmp(path, "device.", 7) && !strcmp(last, ".path") && !strcmp(text + strlen("/dev/"), s->path))
		snprintf(s->key, s->size, "%.*s", (int)(last - path), path);
	return 0;
}

static void name_place(const struct spec *s, struct place *p)
{
	cleanup_free struct spec_mount *list = NULL;
	struct error ignored = {0};
	if (p->op == OP_DEVICE) {
		snprintf(p->key, sizeof p->key, "features");
		spec_each(s, name_device, &(struct device_search){p->target, p->key, sizeof p->key});
		return;
	}
	int n = spec_mounts(s, &list, &ignored);
	for (int i = 0; i < n; i++)
		if (!strcmp(list[i].target, p->target))
			snprintf(p->key, sizeof p->key, "%s", list[i].key);
}

/* ---- what is to be done */

static int equal(const struct place *a, const struct place *b)
{
	return a->op == b->op && !strcmp(a->target, b->target) && !strcmp(a->type, b->type) &&
	       !strcmp(a->source, b->source) && !strcmp(a->options, b->options) && a->recursive == b->recursive &&
	       a->attr == b->attr && a->flags == b->flags && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

static int same_values(const char *path, const char *text, void *arg)
{
	cleanup_free char *other = spec_is_set(arg, path) ? spec_text(arg, path) : NULL;
	return !other || strcmp(other, text);
}

struct group {
	const char *key;
	const struct spec *other;
	int (*fn)(const char *path, const char *text, void *arg);
	void *arg;
};

static int in_group(const char *path, const char *text, void *arg)
{
	const struct group *g = arg;
	size_t n = strlen(g->key);
	return strncmp(path, g->key, n) || path[n] != '.' ? 0 : g->fn(path, text, g->arg);
}

static int each_of(const struct spec *s, const char *key, int (*fn)(const char *, const char *, void *), void *arg)
{
	return spec_each(s, in_group, &(struct group){.key = key, .fn = fn, .arg = arg});
}

/* It waited before this change of the spec, which is of something else. */
static int is_old(const struct places *p, const char *key)
{
	return !each_of(p->c->before, key, same_values, (void *)p->c->next) &&
	       !each_of(p->c->next, key, same_values, (void *)p->c->before);
}

static struct places_pair *add_pair(struct places *p, struct place *was, struct place *want)
{
	static struct places_pair nowhere;
	if (p->npairs == PLACES_MAX)
		return &nowhere;
	struct places_pair *pair = &p->pair[p->npairs++];
	*pair = (struct places_pair){.was = was, .want = want};
	if (was)
		was->paired = 1;
	if (want)
		want->paired = 1;
	return pair;
}

/* As it is to be; one that a change which was cut short may have taken off is shown again. */
static void keep(struct places *p, struct place *was)
{
	if (p->missing && was->op == OP_DEVICE) {
		add_pair(p, was, NULL)->stays = 1;
		return;
	}
	for (size_t i = 0; i < p->nwant; i++) {
		struct place *want = &p->want[i];
		if (want->paired || was->mark == LIVE_COMING || !equal(was, want))
			continue;
		want->slot = was->slot;
		struct places_pair *pair = add_pair(p, was->mark ? NULL : was, want);
		pair->stays = !was->mark;
		pair->attached = pair->may_wait = was->mark != 0;
		was->paired = 1;
		return;
	}
}

static void replace(struct places *p, struct place *was)
{
	struct place *want = NULL;
	for (size_t i = 0; i < p->nwant && !want && was->mark != LIVE_COMING; i++)
		if (*was->key && !p->want[i].paired && !strcmp(p->want[i].key, was->key))
			want = &p->want[i];
	add_pair(p, was, want)->may_wait = was->mark == LIVE_COMING || is_old(p, was->key);
}

static void make_pairs(struct places *p)
{
	for (size_t i = 0; i < p->nwas; i++)
		keep(p, &p->was[i]);
	for (size_t i = 0; i < p->nwas; i++)
		if (!p->was[i].paired)
			replace(p, &p->was[i]);
	for (size_t i = 0; i < p->nwant; i++)
		if (!p->want[i].paired)
			add_pair(p, NULL, &p->want[i])->may_wait = is_old(p, p->want[i].key);
}

static int64_t slots_of(const struct place *one)
{
	return one->op == OP_DEVICE ? DEVICE_SLOTS : MOUNT_SLOTS;
}

static uint64_t *slot_word(uint64_t mounts[2], uint64_t *devices, const struct place *one)
{
	return one->op == OP_DEVICE ? devices : &mounts[one->slot / 64];
}

static void use_slot(uint64_t mounts[2], uint64_t *devices, const struct place *one)
{
	if (one->slot >= 0 && one->slot < slots_of(one))
		*slot_word(mounts, devices, one) |= UINT64_C(1) << (one->slot % 64);
}

/*
 * What was planned has the numbers of a start's. There are twice as many as a spec can have; but what changes that were
 * killed were to bring has some, too. -E2BIG: none is free.
 */
static int give_slots(struct places *p)
{
	uint64_t mounts[2] = {0}, devices = 0;
	for (size_t i = 0; i < p->nwas; i++)
		use_slot(mounts, &devices, &p->was[i]);
	for (size_t i = 0; i < p->npairs; i++) {
		struct place *want = p->pair[i].want;
		if (!want || p->pair[i].stays || p->pair[i].attached || want->op == OP_MOUNT_INSIDE)
			continue;
		want->slot = 0;
		while (want->slot < slots_of(want) && *slot_word(mounts, &devices, want) >> (want->slot % 64) & 1)
			want->slot++;
		if (want->slot == slots_of(want))
			return -E2BIG;
		use_slot(mounts, &devices, want);
	}
	return 0;
}

static int plan_wanted(struct ve *ve, struct places *p, struct error *e)
{
	const struct spec *next = p->c->next;
	struct error why = {0};
	struct plan_device devices[PLAN_DEVICES_MAX];
	struct host_facts facts;
	struct plan_input in = {.spec = next, .facts = &facts, .name = ve->name, .devices = devices, .places = 1};
	int r = facts_probe(&facts, e);
	if (r)
		return r;
	/* Of no concern where something else is changed. */
	if ((r = devices_of(next, devices, &in.ndevices, &why)) && !is_old(p, "device")) {
		*e = why;
		return r;
	}
	p->missing = r != 0;
	in.ndevices = r ? 0 : in.ndevices;
	return plan_live(&in, &p->wanted, e);
}

static int load_what_is(struct ve *ve, int live, struct places *p)
{
	size_t size;
	p->record = malloc(LIVE_SLOT);
	if (!p->record)
		return -ENOMEM;
	const struct live_record *r = live_read(live, p->record);
	p->recorded = live_has_places(r);
	if (p->recorded)
		return collect_wire(r, r->step, r->nsteps, 1, p);
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	int n = dir < 0 ? dir : read_file_at(dir, "plan", JSON_MAX_BYTES, &p->file, &size);
	const struct wire_header *h = n < 0 ? NULL : wire_check(p->file, size, VE_VERSION);
	/* Its boots would not look for them in the record. */
	p->unknown = !h || !wire_find(h, OP_LIVE_PLACES);
	return p->unknown ? 0 : collect_wire(h, h->step, h->nsteps, 0, p);
}

int places_load(struct ve *ve, int live, const struct places_change *c, struct places **ret, struct error *e)
{
	cleanup_places struct places *p = calloc(1, sizeof *p);
	if (!p || load_what_is(ve, live, p))
		return error_sys(e, ENOMEM, tried, "memory");
	p->c = c;
	if (!p->unknown) {
		int r = plan_wanted(ve, p, e);
		if (!r && collect_plan(p->wanted, p))
			r = error_sys(e, ENOMEM, tried, "memory");
		if (r) {
			snprintf(e->tried, sizeof e->tried, "%s", tried);
			return r;
		}
		for (size_t i = 0; i < p->nwas; i++)
			name_place(c->running, &p->was[i]);
		for (size_t i = 0; i < p->nwant; i++)
			name_place(c->next, &p->want[i]);
		make_pairs(p);
		if (p->npairs == PLACES_MAX || give_slots(p))
			return error_set(e, VE_E_SPEC, E2BIG, tried, "stop the VE first: vectl stop NAME",
				"mount: too many to be changed at once");
	}
	*ret = TAKE_PTR(p);
	return 0;
}

int places_differ(const struct places *p)
{
	for (size_t i = 0; i < p->npairs; i++)
		if (!p->pair[i].stays)
			return 1;
	return 0;
}

int places_changed(const struct places *p)
{
	return p->recorded || places_differ(p);
}

/* ---- the request */

uint32_t apply_put_text(struct apply_request *r, const char *text, int *full)
{
	size_t n = strlen(text) + 1;
	uint32_t at = r->size;
	if (n > APPLY_REQUEST_MAX - r->size)
		return *full = 1, 0;
	memcpy((char *)r + at, text, n);
	r->size += (uint32_t)n;
	return at;
}

static void put_shown(
	const struct places *p, const struct place *one, struct apply_request *r, int *full, struct apply_shown *ret)
{
	if (!one)
		return;
	*ret = (struct apply_shown){
		.kind = one->op == OP_BIND_MOUNT     ? SHOWN_BIND
			: one->op == OP_MOUNT_INSIDE ? SHOWN_INSIDE
						     : SHOWN_DEVICE,
		.slot = one->slot < 0 ? 0 : (uint32_t)one->slot,
		.target = apply_put_text(r, one->target, full),
		.type = *one->type ? apply_put_text(r, one->type, full) : 0,
		.source = *one->source ? apply_put_text(r, one->source, full) : 0,
		.options = *one->options ? apply_put_text(r, one->options, full) : 0,
		.recursive = (uint32_t)one->recursive,
		.attr = (uint32_t)one->attr,
		.flags = (uint32_t)one->flags,
		.mode = (uint32_t)one->mode,
		.uid = p->c->base + (uint32_t)one->uid,
		.gid = p->c->base + (uint32_t)one->gid,
	};
}

void places_request(const struct places *p, struct apply_request *r, int *full)
{
	r->nplaces = (uint32_t)p->npairs;
	for (size_t i = 0; i < p->npairs; i++) {
		const struct places_pair *pair = &p->pair[i];
		struct apply_place *a = &r->place[i];
		a->stays = (uint32_t)pair->stays;
		a->attached = (uint32_t)pair->attached;
		a->may_wait = (uint32_t)pair->may_wait;
		put_shown(p, pair->was, r, full, &a->was);
		put_shown(p, pair->stays ? NULL : pair->want, r, full, &a->want);
	}
}

static const char *key_of(const struct places_pair *pair)
{
	const char *key = pair->want ? pair->want->key : pair->was->key;
	return *key ? key : pair->want ? pair->want->target : pair->was->target;
}

int places_failed(const struct places *p, const struct apply_report *r, struct error *e)
{
	const char *key = r->place >= 0 && (size_t)r->place < p->npairs ? key_of(&p->pair[r->place]) : "mount",
		   *remedy = start_remedy(r->op, r->err) ?: "nothing was changed; set it while the VE is stopped";
	snprintf(e->subject, sizeof e->subject, "%s", key);
	return error_set(e, VE_E_FAILED, r->err, tried, remedy, "%s: %.*s: %s", key, (int)sizeof r->subject,
		*r->subject ? r->subject : "?", strerror(r->err));
}

/* ---- what waits */

void places_wait(struct places *p, const struct apply_report *r)
{
	for (size_t i = 0; i < p->npairs; i++)
		p->pair[i].waits = p->pair[i].stays ? 0 : r ? r->waits[i] : ESRCH;
}

static const char *reason(int err)
{
	switch (err) {
	case EBUSY:
		return "it is in use in the VE";
	case ESTALE:
		return "the VE has moved or covered it";
	case EMLINK:
		return "the VE shows it at another place, too";
	case EADDRINUSE:
		return "it would hide what is mounted beneath it";
	case ESRCH:
		return "no init runs at this moment";
	}
	return strerror(err);
}

static int put_value(const char *path, const char *text, void *arg)
{
	struct error ignored = {0};
	return spec_put(arg, path, text, &ignored);
}

static int restore(const struct places *p, const char *key, struct spec *next)
{
	struct error ignored = {0};
	spec_unset(next, key, &ignored);
	return each_of(p->c->running, key, put_value, next);
}

static int note(char *notes, size_t size, const char *key, const char *why)
{
	size_t n = strlen(notes);
	snprintf(notes + n, size - n, "%s waits: %s\n", key, why);
	return 0;
}

static int restore_all(const struct places *p, struct spec *next, char *notes, size_t size)
{
	static const char *const groups[] = {"mount", "device"};
	int r = 0;
	for (size_t i = 0; !r && i < ARRAY_SIZE(groups); i++) {
		if (!each_of(next, groups[i], same_values, (void *)p->c->running) &&
			!each_of(p->c->running, groups[i], same_values, next))
			continue;
		r = restore(p, groups[i], next);
		note(notes, size, groups[i], "another version of vectl started the VE");
	}
	return r;
}

int places_restore(const struct places *p, struct spec *next, char *notes, size_t size)
{
	int r = p->unknown ? restore_all(p, next, notes, size) : 0;
	for (size_t i = 0; !r && i < p->npairs; i++) {
		const struct places_pair *pair = &p->pair[i];
		if (!pair->waits)
			continue;
		note(notes, size, key_of(pair), reason(pair->waits));
		if (pair->was && *pair->was->key)
			r = restore(p, pair->was->key, next);
		if (!r && pair->want && *pair->want->key)
			r = restore(p, pair->want->key, next);
	}
	return r;
}

/* ---- the record */

struct recorded {
	const struct place *place;
	int mark;
};

static void record(struct recorded *list, size_t *n, const struct place *place, int mark)
{
	if (place)
		list[(*n)++] = (struct recorded){place, mark};
}

static size_t recorded(const struct places *p, enum places_when when, struct recorded *list)
{
	size_t n = 0;
	for (size_t i = 0; i < p->npairs; i++) {
		const struct places_pair *pair = &p->pair[i];
		const int was = pair->was ? pair->was->mark : 0;
		if (pair->stays) {
			record(list, &n, pair->was, 0);
		} else if (when != PLACES_AFTER) {
			record(list, &n, pair->was, was == LIVE_COMING ? LIVE_COMING : LIVE_LEAVING);
			if (when == PLACES_BEFORE || pair->attached)
				record(list, &n, pair->want, pair->attached ? LIVE_LEAVING : LIVE_COMING);
		} else if (pair->waits) {
			record(list, &n, pair->was, was);
			record(list, &n, pair->attached ? pair->want : NULL, LIVE_LEAVING);
		} else {
			record(list, &n, pair->want, 0);
		}
	}
	return n;
}

/* As at a start: devices, then mounts, those above others first. */
static int in_order(const void *a, const void *b)
{
	const struct place *one = ((const struct recorded *)a)->place, *two = ((const struct recorded *)b)->place;
	int devices = (two->op == OP_DEVICE) - (one->op == OP_DEVICE);
	return devices ?: strcmp(one->target, two->target);
}

static struct plan_step *add(
	struct builder *b, enum plan_op op, const struct recorded *r, const char *s0, const char *s1, const char *s2)
{
	struct plan_step *s = plan_add(b, op);
	const char *const text[] = {s0, s1, s2};
	s->optional = r->mark;
	for (int i = 0; i < 3; i++)
		if (text[i] && *text[i])
			plan_set_text(b, s, i, "%s", text[i]);
	s->n[0] = r->place->slot;
	return s;
}

static void add_steps(struct builder *b, const struct recorded *r)
{
	const struct place *p = r->place;
	struct plan_step *s;
	char node[32];
	if (p->op == OP_MOUNT_INSIDE) {
		add(b, p->op, r, p->type, p->target, p->options)->n[0] = p->attr;
		return;
	}
	if (p->op == OP_DEVICE) {
		FORMAT(node, "/d%d", (int)p->slot);
		s = add(b, OP_DEVICE_NODE, r, node, p->target, p->source);
		s->n[0] = p->mode;
		s->n[1] = p->uid;
		s->n[2] = p->gid;
		add(b, p->op, r, node, p->target, NULL);
		return;
	}
	if (*p->type)
		add(b, OP_MAKE_MOUNT, r, p->source, p->type, p->options);
	else
		add(b, OP_OPEN_MOUNT, r, p->source, p->key, NULL)->n[1] = p->recursive;
	s = add(b, OP_ATTACH_MOUNT, r, *p->key ? p->key : p->target, NULL, NULL);
	s->n[1] = p->attr;
	s->n[2] = p->flags;
	add(b, p->op, r, p->target, p->key, NULL);
}

int places_steps(const struct places *p, enum places_when when, struct plan *to, struct error *e)
{
	struct builder b = {.plan = to, .e = e};
	struct recorded list[2 * PLACES_MAX];
	size_t n = recorded(p, when, list);
	qsort(list, n, sizeof *list, in_order);
	for (size_t i = 0; i < n; i++)
		add_steps(&b, &list[i]);
	return b.failed;
}

void places_drop_request(const struct places *p, struct apply_request *r)
{
	struct recorded list[2 * PLACES_MAX];
	size_t n = recorded(p, PLACES_AFTER, list);
	r->drop = 1;
	for (size_t i = 0; i < n; i++)
		use_slot(r->mounts, &r->devices, list[i].place);
}
