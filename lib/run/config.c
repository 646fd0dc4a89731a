/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ve.json of a VE: reading, changing, and what follows a change. */
#include <fcntl.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/net/net.h"
#include "lib/run/event.h"
#include "lib/run/live.h"
#include "lib/run/network.h"
#include "lib/run/run.h"

static int load_file(struct ve *ve, const char *file, struct spec **ret, struct error *e)
{
	char path[PATH_MAX];
	cleanup_free char *text = NULL;
	size_t size;
	FORMAT(path, "%s/ve/%s/%s", ve->host->data, ve->name, file);
	int r = read_file_at(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size);
	return r < 0 ? error_sys(e, -r, "read ve.json", path) : spec_parse(text, size, path, ret, e);
}

static int has_its_name(const struct ve *ve, const struct spec *s)
{
	const char *name = spec_string(s, "name");
	return name && !strcmp(name, ve->name);
}

/* The folder's name is the VE's; a rename that was killed in its middle left the ve.json that goes with it. */
int spec_load(struct ve *ve, struct spec **ret, struct error *e)
{
	cleanup_spec struct spec *s = NULL, *renamed = NULL;
	struct error ignored = {0};
	int r = load_file(ve, "ve.json", &s, e);
	if (r)
		return r;
	if (!has_its_name(ve, s)) {
		if (!load_file(ve, SPEC_RENAMED, &renamed, &ignored) && has_its_name(ve, renamed)) {
			*ret = TAKE_PTR(renamed);
			return 0;
		}
		if ((r = spec_put(s, "name", ve->name, e)))
			return r;
	}
	*ret = TAKE_PTR(s);
	return 0;
}

struct changes {
	const struct spec *than;
	struct json_writer *w;
	int n;
	int only_missing; /* keys that the other one has not at all */
};

static int note_change(const char *path, const char *text, void *arg)
{
	struct changes *c = arg;
	cleanup_free char *other = spec_is_set(c->than, path) ? spec_text(c->than, path) : NULL;
	if (c->only_missing ? other != NULL : other && !strcmp(other, text))
		return 0;
	jw_string(c->w, NULL, path);
	c->n++;
	return 0;
}

/* Keys alone: the values of some are nobody's business. NULL: nothing has changed. */
static struct json_writer *changes_of(const struct spec *before, const struct spec *after)
{
	struct json_writer *w = event_begin("changed");
	struct changes set = {.than = before, .w = w}, unset = {.than = after, .w = w, .only_missing = 1};
	cleanup_free char *ignored = NULL;
	jw_array(w, "keys");
	spec_each(after, note_change, &set);
	spec_each(before, note_change, &unset);
	jw_end(w);
	if (set.n + unset.n)
		return w;
	jw_end(w);
	jw_finish(w, &ignored);
	return NULL;
}

int spec_save(struct ve *ve, const struct spec *s, struct error *e)
{
	char path[PATH_MAX];
	cleanup_free char *text = NULL;
	cleanup_spec struct spec *before = NULL;
	struct error ignored = {0};
	int r = spec_write(s, &text, e);
	if (r)
		return r;
	spec_load(ve, &before, &ignored);
	FORMAT(path, "%s/ve/%s/ve.json", ve->host->data, ve->name);
	r = write_file_atomic_at(AT_FDCWD, path, text, strlen(text), 0600);
	if (r < 0)
		return error_sys(e, -r, "write ve.json", path);
	FORMAT(path, "%s/ve/%s/" SPEC_RENAMED, ve->host->data, ve->name);
	unlink(path); /* what a killed rename left is in what was just written */
	event_end(ve, before ? changes_of(before, s) : NULL);
	return 0;
}

int ve_get(struct ve *ve, const char *key, char **ret_text)
{
	struct error *e = host_begin(ve->host);
	cleanup_spec struct spec *s = NULL;
	int r = spec_load(ve, &s, e);
	if (r)
		return error_of(ve, e, r);
	if (spec_is_group(key) && !spec_find_key(key))
		return error_of(ve, e,
			error_set(e, VE_E_SPEC, EISDIR, "get", "ve_get_json has all of them",
				"'%s' stands for several keys", key));
	if (!spec_find_key(key)) {
		const char *near = spec_nearest_key(key);
		char remedy[200] = "`man ve.json` lists the keys";
		if (near)
			FORMAT(remedy, "the nearest is '%s'", near);
		return error_of(ve, e, error_set(e, VE_E_SPEC, EINVAL, "get", remedy, "'%s' is no key", key));
	}
	char *text = spec_text(s, key);
	if (!text)
		return error_of(ve, e,
			error_set(e, VE_E_SPEC, ENODATA, "get", "set it: vectl set NAME KEY=VALUE",
				"%s: not set, and it has no default", key));
	*ret_text = text;
	return 0;
}

int ve_get_json(struct ve *ve, char **ret_json)
{
	struct error *e = host_begin(ve->host);
	cleanup_spec struct spec *s = NULL;
	int r = spec_load(ve, &s, e);
	return error_of(ve, e, r ? r : spec_write(s, ret_json, e));
}

/* A change of userns.base moves the VE to other host ids; nothing on disk knows them. */
static int save_with_ids(struct ve *ve, struct spec *s, struct error *e)
{
	struct id_range now, next;
	struct runtime rt;
	char path[PATH_MAX], text[16];
	int r = ids_of(ve, &now, e);
	if (r)
		return r;
	uint32_t want = (uint32_t)spec_integer(s, "userns.base", 0);
	if (want == now.base)
		return live_save(ve, s, e);
	if ((r = runtime_read(ve->host, ve->name, &rt, e)))
		return r;
	/* What a crash left may still run with the old ones. */
	if (rt.present && !rt.alive && (r = undo(ve, e)))
		return r;
	if (rt.alive)
		return error_set(e, VE_E_STATE, EBUSY, "set userns.base", "stop the VE first",
			"host ids cannot change while it runs");
	cleanup_fd int lock = ids_lock(ve->host, e);
	if (lock < 0)
		return lock;
	if ((r = ids_pick(ve->host, want, ve->name, &next, e)))
		return r;
	FORMAT(text, "%u", next.base);
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_sys(e, errno, "set userns.base", path);
	if ((r = spec_put(s, "userns.base", text, e)) || (r = ids_link(dir, &next, e)))
		return r;
	return spec_save(ve, s, e);
}

/* What neither the spec nor a VE that runs has any more; where it is not known what that has, it keeps all. */
static void give_back_addresses(struct ve *ve, const struct spec *s)
{
	cleanup_spec struct spec *running = NULL;
	struct error ignored = {0};
	struct runtime rt;
	if (runtime_read(ve->host, ve->name, &rt, &ignored))
		return;
	/* What a crash left speaks of its addresses, which are somebody else's in a moment. */
	if (rt.present && !rt.alive && undo(ve, &ignored))
		return;
	if (!rt.alive || !live_spec(ve, &running))
		net_release(ve, s, running, &ignored);
}

/* Addresses that a change asks for are the VE's before it is saved, and what it gives up is free after that. */
static int save_changed(struct ve *ve, struct spec *s, struct error *e)
{
	cleanup_spec struct spec *before = NULL;
	char path[PATH_MAX];
	int r = spec_check(s, e);
	if (r || (r = spec_load(ve, &before, e)))
		return r;
	if (net_same(before, s))
		return save_with_ids(ve, s, e);
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_sys(e, errno, "set", path);
	r = net_take(ve, dir, s, e);
	if (!r)
		r = save_with_ids(ve, s, e);
	give_back_addresses(ve, r ? before : s);
	return r;
}

static int change(struct ve *ve, const char *const *items, int (*fn)(struct spec *s, const char *item, struct error *e))
{
	struct error *e = host_begin(ve->host);
	cleanup_spec struct spec *s = NULL;
	cleanup_fd int lock = change_lock(ve, e);
	int r = lock < 0 ? lock : spec_load(ve, &s, e);
	for (; r >= 0 && *items; items++)
		r = fn(s, *items, e);
	return error_of(ve, e, r < 0 ? r : save_changed(ve, s, e));
}

int ve_set(struct ve *ve, const char *const *assignments)
{
	return change(ve, assignments, spec_assign);
}

int ve_unset(struct ve *ve, const char *const *keys)
{
	return change(ve, keys, spec_unset);
}

int ve_change_notes(struct ve *ve, char **ret_text)
{
	struct error *e = host_begin(ve->host);
	char *text = strdup(ve->notes);
	if (!text)
		return error_of(ve, e, error_sys(e, ENOMEM, "read the notes of the change", "memory"));
	*ret_text = text;
	return 0;
}

/* Whether the spec is still the one that a caller saw. */
static int expect(const struct spec *s, const char *expected, struct error *e)
{
	cleanup_free char *now = NULL;
	int r = spec_write(s, &now, e);
	if (r || !strcmp(now, expected))
		return r;
	return error_set(
		e, VE_E_BUSY, ESTALE, "set ve.json", "look at it again, and change that", "it was changed meanwhile");
}

/* Identity stays: what a text says of it must be what the VE has. */
static int replace(struct ve *ve, const char *expected, const char *text, const char *file_name)
{
	struct error *e = host_begin(ve->host);
	cleanup_spec struct spec *s = NULL, *old = NULL;
	cleanup_fd int lock = change_lock(ve, e);
	int r = lock < 0 ? lock : spec_load(ve, &old, e);
	if (r >= 0 && expected)
		r = expect(old, expected, e);
	if (r >= 0)
		r = spec_parse(text, strlen(text), file_name, &s, e);
	const char *identity[] = {"name", "uuid", "image"};
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(identity); i++) {
		const char *was = spec_string(old, identity[i]), *is = spec_string(s, identity[i]);
		if (is && was && strcmp(was, is))
			r = error_set(e, VE_E_SPEC, EINVAL, "set ve.json", "leave it as it is",
				"%s: '%s' cannot become '%s'", identity[i], was, is);
		else if (was)
			r = spec_put(s, identity[i], was, e);
	}
	return error_of(ve, e, r < 0 ? r : save_changed(ve, s, e));
}

int ve_set_json(struct ve *ve, const char *text, const char *file_name)
{
	return replace(ve, NULL, text, file_name);
}

int ve_set_json_if(struct ve *ve, const char *expected, const char *text, const char *file_name)
{
	return replace(ve, expected, text, file_name);
}

int ve_keys_json(char **ret_json)
{
	return spec_keys_json(ret_json);
}

int ve_schema_json(char **ret_json)
{
	struct error ignored = {0};
	return spec_schema(ret_json, &ignored);
}

static int show_plan(struct ve *ve, int (*show)(const struct plan *p, char **ret, struct error *e), char **ret_text)
{
	struct error *e = host_begin(ve->host);
	cleanup_spec struct spec *s = NULL;
	cleanup_plan struct plan *p = NULL;
	cleanup_network struct network n = {0};
	int r = spec_load(ve, &s, e);
	if (!r)
		r = network_of(ve, s, 0, &n, e);
	if (!r)
		r = plan_of(ve, s, &n, 0, &p, e);
	return error_of(ve, e, r ? r : show(p, ret_text, e));
}

int ve_plan_json(struct ve *ve, char **ret_json)
{
	return show_plan(ve, plan_json, ret_json);
}

int ve_plan_text(struct ve *ve, char **ret_text)
{
	return show_plan(ve, plan_text, ret_text);
}
