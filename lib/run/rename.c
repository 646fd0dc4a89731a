/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Another name for a stopped VE. The one rename of its folder is what does it: before it the VE has the old name and
 * nothing but one file more, after it the new one. That file is the ve.json of the new name; one that a crash kept from
 * its place is read instead of the old one (spec_load), so that no reader ever sees a VE under a name that is not its.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/net/net.h"
#include "lib/run/event.h"
#include "lib/run/run.h"

static const char tried[] = "rename";

/* An explicit host name is kept; one that only repeats the VE's name follows it, as the unset one does by itself. */
static int renamed_spec(struct ve *ve, const char *name, char **ret, struct error *e)
{
	cleanup_spec struct spec *s = NULL;
	int r = spec_load(ve, &s, e);
	if (r)
		return r;
	const char *hostname = spec_is_set(s, "hostname") ? spec_string(s, "hostname") : NULL;
	if (hostname && !strcmp(hostname, ve->name) && (r = spec_put(s, "hostname", name, e)))
		return r;
	if ((r = spec_put(s, "name", name, e)) || (r = spec_check(s, e)))
		return r;
	return spec_write(s, ret, e);
}

static int check_target(struct ve *ve, struct ve *target, struct error *e)
{
	char path[PATH_MAX];
	struct stat st;
	struct runtime rt;
	FORMAT(path, "%s/ve/%s", ve->host->data, target->name);
	if (!lstat(path, &st))
		return error_set(e, VE_E_EXISTS, EEXIST, tried, "choose another name, or destroy that one first",
			"there is a VE '%s' already", target->name);
	int r = runtime_read(target->host, target->name, &rt, e);
	if (r < 0)
		return r;
	if (rt.alive)
		return error_set(e, VE_E_EXISTS, EEXIST, tried, "`vectl doctor` tells more",
			"a VE '%s' runs, though its folder is gone", target->name);
	return rt.present ? undo(target, e) : 0;
}

static int move_folder(struct ve *ve, struct ve *target, struct error *e)
{
	const char *name = target->name;
	char from[PATH_MAX], to[PATH_MAX], top[PATH_MAX];
	cleanup_free char *json = NULL;
	FORMAT(from, "%s/ve/%s", ve->host->data, ve->name);
	FORMAT(to, "%s/ve/%s", ve->host->data, name);
	FORMAT(top, "%s/ve", ve->host->data);
	cleanup_fd int dir = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
		       parent = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || parent < 0)
		return error_sys(e, errno, tried, from);
	int r = renamed_spec(ve, name, &json, e);
	if (r)
		return r;
	fault_point("rename", 1);
	if ((r = write_file_atomic_at(dir, SPEC_RENAMED, json, strlen(json), 0600)) < 0)
		return error_sys(e, -r, tried, SPEC_RENAMED);
	fault_point("rename", 2);
	/* Who looks for free ids meanwhile reads folder after folder, and would miss this one. */
	cleanup_fd int ids = ids_lock(ve->host, e);
	if (ids < 0) {
		unlinkat(dir, SPEC_RENAMED, 0);
		return ids;
	}
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE)) {
		r = error_sys(e, errno, tried, to);
		unlinkat(dir, SPEC_RENAMED, 0);
		return r;
	}
	fault_point("rename", 3);
	/* From here on it has the new name; what fails now is made good by spec_load and the next change. */
	fsync(parent);
	if (!renameat(dir, SPEC_RENAMED, dir, "ve.json"))
		fsync(dir);
	fault_point("rename", 4);
	net_renamed(target, dir);
	struct json_writer *w = event_begin("renamed");
	jw_string(w, "from", ve->name);
	jw_string(w, "to", name);
	event_end_in(to, w);
	return 0;
}

static void forget_lock(struct ve *ve)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/.lock/%s", ve->host->run, ve->name);
	unlink(path);
}

static int rename_locked(struct ve *ve, struct ve *target, struct error *e)
{
	char path[PATH_MAX];
	struct runtime rt;
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	if (access(path, F_OK))
		return error_set(e, VE_E_NO_VE, ENOENT, tried, "`vectl list` shows those that there are",
			"it was destroyed or renamed meanwhile");
	int r = runtime_read(ve->host, ve->name, &rt, e);
	if (r < 0)
		return r;
	if (rt.alive)
		return error_set(e, VE_E_STATE, EBUSY, tried, "stop it first: vectl stop NAME", "it is %s",
			ve_state_name(rt.state));
	if ((rt.present && (r = undo(ve, e))) || (r = check_target(ve, target, e)))
		return r;
	return move_folder(ve, target, e);
}

/* Both names are locked, in one order, so that two renames never wait for each other. */
static int rename_to(struct ve *ve, const char *name, struct error *e)
{
	struct ve target = {.host = ve->host};
	int r = spec_valid_name(name, e);
	if (r)
		return r;
	if (!strcmp(name, ve->name))
		return error_set(e, VE_E_EXISTS, EEXIST, tried, "choose another name", "that is its name already");
	snprintf(target.name, sizeof target.name, "%s", name);
	int in_order = strcmp(ve->name, name) < 0;
	cleanup_fd int first = change_lock_new(in_order ? ve : &target, e);
	if (first < 0)
		return first;
	cleanup_fd int second = change_lock_new(in_order ? &target : ve, e);
	r = second < 0 ? second : rename_locked(ve, &target, e);
	/* A lock file goes with what it guards, under the lock: of the name that leads nowhere now. */
	if (r == -ENOENT || !r)
		forget_lock(ve);
	if (r && r != -EEXIST && second >= 0)
		forget_lock(&target);
	return r;
}

int ve_rename(struct ve *ve, const char *name)
{
	struct error *e = host_begin(ve->host);
	int r = name ? rename_to(ve, name, e)
		     : error_set(e, VE_E_USAGE, EINVAL, tried, "give one", "no name was given");
	if (r < 0)
		return error_of(ve, e, r);
	snprintf(ve->name, sizeof ve->name, "%s", name);
	return 0;
}
