/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a crash left. Looking changes nothing, not even a lock file. Mending takes the lock that whoever works there
 * holds, looks again, and uses the same undo as start, stop, destroy and the reaper; what is held by somebody is being
 * changed and no leftover.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"
#include "lib/doctor/doctor.h"
#include "lib/net/lease.h"
#include "lib/run/hooks.h"
#include "lib/run/run.h"

static const char tried[] = "mend";

int doctor_is_held(const char *path)
{
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && lock_is_held(fd) > 0;
}

static const char *mend_now(struct doctor *d, const struct finding *f, struct error *e)
{
	if (!f->mend) {
		d->unrepaired++;
		return "by-hand";
	}
	if (d->flags & VE_DOCTOR_DRY_RUN || !(d->flags & VE_DOCTOR_REPAIR)) {
		d->unrepaired++;
		return d->flags & VE_DOCTOR_REPAIR ? "would-mend" : "found";
	}
	int r = f->mend(d, f, e);
	if (r == -EAGAIN && !e->code)
		return "in-use"; /* somebody works there after all */
	if (r < 0) {
		d->unrepaired++;
		return "failed";
	}
	return "mended";
}

void doctor_found(struct doctor *d, const struct finding *f)
{
	struct error e = {0};
	const char *status = mend_now(d, f, &e);
	jw_object(d->checks, NULL);
	jw_string(d->checks, "kind", f->kind);
	jw_string(d->checks, "ve", f->ve);
	jw_string(d->checks, "path", f->path);
	jw_string(d->checks, "what", f->what);
	jw_string(d->checks, "action", f->mend ? f->action : NULL);
	jw_string(d->checks, "status", status);
	jw_string(d->checks, "error", e.code ? e.wrong : NULL);
	jw_string(d->checks, "remedy", e.code && *e.remedy ? e.remedy : f->mend ? "vectl doctor --repair" : f->remedy);
	jw_end(d->checks);
}

/* ---- one VE's */

static int lock_of(struct doctor *d, const char *name, char *path, size_t size)
{
	int n = snprintf(path, size, "%s/.lock/%s", d->host->run, name);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int being_changed(struct doctor *d, const char *name)
{
	char path[PATH_MAX];
	return lock_of(d, name, path, sizeof path) || doctor_is_held(path);
}

static int has_folder(struct doctor *d, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	FORMAT(path, "%s/ve/%s", d->host->data, name);
	return !lstat(path, &st);
}

/* Under the VE's lock; a lock file that guards nothing goes with it. */
static int locked(struct doctor *d, const struct finding *f, struct error *e,
	int (*fn)(struct doctor *d, struct ve *ve, const struct finding *f, struct error *e))
{
	char path[PATH_MAX];
	struct ve ve = {.host = d->host};
	FORMAT(ve.name, "%s", f->ve);
	int r = host_make_folders(d->host, e);
	if (r || (r = lock_of(d, ve.name, path, sizeof path)))
		return r;
	cleanup_fd int lock = lock_file(path, e, tried);
	if (lock < 0)
		return lock;
	r = fn(d, &ve, f, e);
	if (!has_folder(d, ve.name))
		unlink(path);
	return r;
}

static int undo_runtime(struct doctor *d, struct ve *ve, const struct finding *f, struct error *e)
{
	struct runtime rt;
	int r = runtime_read(d->host, ve->name, &rt, e);
	if (!r)
		r = undo_cut_start(ve, &rt, e);
	return r < 0 || !rt.present || rt.alive ? r : undo(ve, e);
}

static int mend_runtime(struct doctor *d, const struct finding *f, struct error *e)
{
	return locked(d, f, e, undo_runtime);
}

static int cut_start(struct doctor *d, const char *name)
{
	struct ve ve = {.host = d->host};
	return FORMAT(ve.name, "%s", name) >= 0 && hooks_start_is_owed(&ve);
}

static void look_at_runtime(struct doctor *d, const char *name)
{
	char path[PATH_MAX], remedy[PATH_MAX + 64];
	struct runtime rt;
	struct error e = {0};
	FORMAT(path, "%s/%s", d->host->run, name);
	struct finding f = {.kind = "runtime", .ve = name, .path = path};
	if (runtime_read(d->host, name, &rt, &e)) {
		f.what = e.wrong;
		f.remedy = "# look at it by hand";
		doctor_found(d, &f);
	} else if (rt.alive && !has_folder(d, name)) {
		FORMAT(remedy, "kill %d   # its keeper, which ends it", rt.keeper);
		f.what = "a VE that runs, though its folder is gone";
		f.remedy = remedy;
		doctor_found(d, &f);
	} else if (rt.alive && rt.state != VE_STARTING && cut_start(d, name) && !being_changed(d, name)) {
		f.what = "a VE that runs, though its start was killed in hooks.start";
		f.action = "end it, and undo what its start made";
		f.mend = mend_runtime;
		doctor_found(d, &f);
	} else if (rt.present && !rt.alive && !being_changed(d, name)) {
		f.what = "a VE that ended without its keeper, or a start that was killed";
		f.action = "undo what its start made";
		f.mend = mend_runtime;
		doctor_found(d, &f);
	}
}

/* Calls fn with each name in a folder; 1 from fn counts, and the sum is returned. */
static int each_entry(
	const char *path, struct doctor *d, int (*fn)(struct doctor *d, const char *path, const char *name))
{
	DIR *d_ = opendir(path);
	struct dirent *de;
	int n = 0;
	while (d_ && (de = readdir(d_)))
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			n += fn(d, path, de->d_name);
	if (d_)
		closedir(d_);
	return n;
}

static int runtime_entry(struct doctor *d, const char *folder, const char *name)
{
	struct error ignored = {0};
	if (!spec_valid_name(name, &ignored))
		look_at_runtime(d, name);
	return 0;
}

/* ---- cgroups */

static void top_cgroup(struct doctor *d, char *buf, size_t size)
{
	snprintf(buf, size, "%s/vectl%s%s", d->facts.cgroup_mount, *d->host->id ? "-" : "", d->host->id);
}

static int remove_cgroup(struct doctor *d, struct ve *ve, const struct finding *f, struct error *e)
{
	char supervisor[PATH_MAX];
	struct runtime rt;
	FORMAT(supervisor, "%s/supervisor", f->path);
	int r = runtime_read(d->host, ve->name, &rt, e);
	if (r < 0)
		return r;
	if (rt.present || cgroup_is_populated(supervisor) > 0)
		return -EAGAIN; /* it came to life meanwhile */
	return cgroup_destroy(f->path, e);
}

static int mend_cgroup(struct doctor *d, const struct finding *f, struct error *e)
{
	return locked(d, f, e, remove_cgroup);
}

static int cgroup_entry(struct doctor *d, const char *folder, const char *name)
{
	char path[PATH_MAX], supervisor[PATH_MAX + 16], remedy[2 * PATH_MAX + 64];
	struct error ignored = {0};
	struct runtime rt;
	struct stat st;
	if (FORMAT(path, "%s/%s", folder, name) < 0 || lstat(path, &st) || !S_ISDIR(st.st_mode) ||
		spec_valid_name(name, &ignored) || runtime_read(d->host, name, &rt, &ignored) || rt.present ||
		being_changed(d, name))
		return 0;
	FORMAT(supervisor, "%s/supervisor", path);
	struct finding f = {.kind = "cgroup", .ve = name, .path = path};
	if (cgroup_is_populated(supervisor) > 0) {
		/* Somebody took the runtime folder away from under a VE that runs. */
		FORMAT(remedy, "echo 1 >%s/cgroup.kill && vectl doctor --repair   # ends it", path);
		f.what = "a VE that runs, though its runtime folder is gone";
		f.remedy = remedy;
	} else {
		f.what =
			cgroup_is_populated(path) > 0 ? "a cgroup of no VE, with processes in it" : "a cgroup of no VE";
		f.action = "end what is in it, and remove it";
		f.mend = mend_cgroup;
	}
	doctor_found(d, &f);
	return 0;
}

static int mend_top(struct doctor *d, const struct finding *f, struct error *e)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/" REAPER_CGROUP, f->path);
	rmdir(path);
	/* A start may be making it its own just now; then it is in use, and stays. */
	if (rmdir(f->path) && errno != ENOENT)
		return errno == EBUSY || errno == ENOTEMPTY ? -EAGAIN : error_sys(e, errno, tried, f->path);
	return 0;
}

static int is_ve_cgroup(struct doctor *d, const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	return FORMAT(path, "%s/%s", folder, name) >= 0 && !lstat(path, &st) && S_ISDIR(st.st_mode) &&
	       strcmp(name, REAPER_CGROUP);
}

static int probe_is_gone(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	if (strncmp(name, prefix, n) || !isdigit((unsigned char)name[n]))
		return 0;
	return kill(atoi(name + n), 0) < 0 && errno == ESRCH;
}

static int mend_probe_cgroup(struct doctor *d, const struct finding *f, struct error *e)
{
	return rmdir(f->path) && errno != ENOENT ? error_sys(e, errno, tried, f->path) : 0;
}

static int probe_cgroup_entry(struct doctor *d, const char *folder, const char *name)
{
	char path[PATH_MAX];
	if (!probe_is_gone(name, "vectl-probe") || FORMAT(path, "%s/%s", folder, name) < 0)
		return 0;
	doctor_found(d, &(struct finding){.kind = "cgroup",
				.path = path,
				.what = "a cgroup of a probe that was killed",
				.action = "remove it",
				.mend = mend_probe_cgroup});
	return 0;
}

static void cgroups(struct doctor *d)
{
	char top[PATH_MAX];
	if (!*d->facts.cgroup_mount)
		return;
	top_cgroup(d, top, sizeof top);
	each_entry(top, d, cgroup_entry);
	each_entry(d->facts.cgroup_mount, d, probe_cgroup_entry);
	if (!access(top, F_OK) && !each_entry(top, d, is_ve_cgroup) && cgroup_is_populated(top) == 0)
		doctor_found(d, &(struct finding){.kind = "cgroup",
					.path = top,
					.what = "the cgroup of this root, without a VE in it",
					.action = "remove it",
					.mend = mend_top});
}

/* ---- files */

static int remove_path(struct doctor *d, struct ve *ve, const struct finding *f, struct error *e)
{
	int r = remove_tree_at(AT_FDCWD, f->path);
	return r < 0 ? error_sys(e, -r, tried, f->path) : 0;
}

static int mend_path(struct doctor *d, const struct finding *f, struct error *e)
{
	return locked(d, f, e, remove_path);
}

static int mend_probe_folder(struct doctor *d, const struct finding *f, struct error *e)
{
	return remove_path(d, NULL, f, e);
}

/* What the next change of the VE would put into its place. */
static int finish_rename(struct doctor *d, struct ve *ve, const struct finding *f, struct error *e)
{
	cleanup_spec struct spec *s = NULL;
	int r = spec_load(ve, &s, e);
	return r ? r : spec_save(ve, s, e);
}

static int mend_renamed(struct doctor *d, const struct finding *f, struct error *e)
{
	return locked(d, f, e, finish_rename);
}

static void look_into_folder(struct doctor *d, const char *folder, const char *name)
{
	DIR *dir = opendir(folder);
	struct dirent *de;
	while (dir && (de = readdir(dir))) {
		char path[PATH_MAX];
		int temporary = !strncmp(de->d_name, ".new-", 5) || !strcmp(de->d_name, "ids.new"),
		    renamed = !strcmp(de->d_name, SPEC_RENAMED);
		if ((!temporary && !renamed) || being_changed(d, name) || FORMAT(path, "%s/%s", folder, de->d_name) < 0)
			continue;
		doctor_found(d, &(struct finding){.kind = "file",
					.ve = name,
					.path = path,
					.what = renamed ? "the spec of a rename that was killed"
							: "a file of a change that was killed",
					.action = renamed ? "put it into its place" : "remove it",
					.mend = renamed ? mend_renamed : mend_path});
	}
	if (dir)
		closedir(dir);
}

static int data_entry(struct doctor *d, const char *folder, const char *name)
{
	static const struct {
		const char *prefix, *what;
	} half[] = {{".create-", "a create that was killed"}, {".destroy-", "a destroy that was killed"}};
	struct error ignored = {0};
	char path[PATH_MAX];
	if (FORMAT(path, "%s/%s", folder, name) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(half); i++) {
		const char *ve = name + strlen(half[i].prefix);
		if (strncmp(name, half[i].prefix, strlen(half[i].prefix)) || spec_valid_name(ve, &ignored) ||
			being_changed(d, ve))
			continue;
		doctor_found(d, &(struct finding){.kind = "folder",
					.ve = ve,
					.path = path,
					.what = half[i].what,
					.action = "remove it",
					.mend = mend_path});
	}
	if (!spec_valid_name(name, &ignored))
		look_into_folder(d, path, name);
	return 0;
}

static int probe_entry(struct doctor *d, const char *folder, const char *name)
{
	char path[PATH_MAX];
	if (!probe_is_gone(name, ".vectl-probe-") || FORMAT(path, "%s/%s", folder, name) < 0)
		return 0;
	doctor_found(d, &(struct finding){.kind = "folder",
				.path = path,
				.what = "a folder of a probe that was killed",
				.action = "remove it",
				.mend = mend_probe_folder});
	return 0;
}

static int drop_lock(struct doctor *d, struct ve *ve, const struct finding *f, struct error *e)
{
	return 0; /* locked() has taken it, and removes it */
}

static int mend_lock(struct doctor *d, const struct finding *f, struct error *e)
{
	return locked(d, f, e, drop_lock);
}

static int lock_entry(struct doctor *d, const char *folder, const char *name)
{
	struct error ignored = {0};
	char path[PATH_MAX];
	if (spec_valid_name(name, &ignored) || has_folder(d, name) || FORMAT(path, "%s/%s", folder, name) < 0 ||
		doctor_is_held(path))
		return 0;
	doctor_found(d, &(struct finding){.kind = "lock",
				.ve = name,
				.path = path,
				.what = "a lock of a VE that is not there",
				.action = "remove it",
				.mend = mend_lock});
	return 0;
}

static int drop_lease(struct doctor *d, struct ve *ve, const struct finding *f, struct error *e)
{
	char holder[64];
	if (!lease_is_stale(d->host, f->arg, holder))
		return -EAGAIN;
	return unlink(f->path) && errno != ENOENT ? error_sys(e, errno, tried, f->path) : 0;
}

static int mend_lease(struct doctor *d, const struct finding *f, struct error *e)
{
	return f->ve ? locked(d, f, e, drop_lease) : drop_lease(d, NULL, f, e);
}

static int lease_entry(struct doctor *d, const char *folder, const char *name)
{
	char path[PATH_MAX], holder[64];
	if (FORMAT(path, "%s/%s", folder, name) < 0 || !lease_is_stale(d->host, name, holder) ||
		(*holder && being_changed(d, holder)))
		return 0;
	doctor_found(d, &(struct finding){.kind = "lease",
				.ve = *holder ? holder : NULL,
				.path = path,
				.what = *holder ? "an address that is leased to a VE that has it no more"
						: "no lease of an address",
				.action = "remove it",
				.mend = mend_lease,
				.arg = name});
	return 0;
}

static int mend_id_lock(struct doctor *d, const struct finding *f, struct error *e)
{
	cleanup_fd int fd = lock_file(f->path, e, tried);
	if (fd < 0)
		return fd;
	return unlink(f->path) ? error_sys(e, errno, tried, f->path) : 0;
}

/* The default root is the host's own and answers for all of them; another one for those of its VEs. */
static int is_ours(struct doctor *d, const char *base)
{
	char **names = NULL;
	int ours = !*d->host->root;
	if (ours || ve_list_names(d->host, &names))
		return ours;
	for (char **n = names; !ours && *n; n++) {
		struct ve ve = {.host = d->host};
		struct error ignored = {0};
		struct id_range ids;
		char text[16];
		FORMAT(ve.name, "%s", *n);
		if (ids_of(&ve, &ids, &ignored))
			continue;
		FORMAT(text, "%u", ids.base);
		ours = !strcmp(text, base);
	}
	ve_free_names(names);
	return ours;
}

static int id_lock_entry(struct doctor *d, const char *folder, const char *name)
{
	char path[PATH_MAX];
	if (!isdigit((unsigned char)*name) || FORMAT(path, "%s/%s", folder, name) < 0 || doctor_is_held(path) ||
		!is_ours(d, name))
		return 0;
	doctor_found(d, &(struct finding){.kind = "id-lock",
				.path = path,
				.what = "host ids that no running VE holds",
				.action = "remove the lock",
				.mend = mend_id_lock});
	return 0;
}

/* ---- the reaper, on hosts where it is nobody else's work */

static int mend_reaper(struct doctor *d, const struct finding *f, struct error *e)
{
	char top[PATH_MAX];
	top_cgroup(d, top, sizeof top);
	reaper_wake(d->host, top);
	return 0;
}

static int alive_entry(struct doctor *d, const char *folder, const char *name)
{
	struct error ignored = {0};
	struct runtime rt;
	return !spec_valid_name(name, &ignored) && !being_changed(d, name) &&
	       !runtime_read(d->host, name, &rt, &ignored) && rt.alive;
}

static void reaper(struct doctor *d)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/.reaper", d->host->run);
	if (!doctor_is_held(path) && each_entry(d->host->run, d, alive_entry))
		doctor_found(d, &(struct finding){.kind = "reaper",
					.path = path,
					.what = "VEs run, and no reaper waits for their ends",
					.action = "start it",
					.mend = mend_reaper});
}

void doctor_leftovers(struct doctor *d)
{
	char path[PATH_MAX];
	each_entry(d->host->run, d, runtime_entry);
	cgroups(d);
	FORMAT(path, "%s/ve", d->host->data);
	each_entry(path, d, data_entry);
	FORMAT(path, "%s/net/leases", d->host->data);
	each_entry(path, d, lease_entry);
	doctor_nearest(d->host->data, path, sizeof path);
	each_entry(path, d, probe_entry);
	FORMAT(path, "%s/.lock", d->host->run);
	each_entry(path, d, lock_entry);
	each_entry(HOST_ID_LOCKS, d, id_lock_entry);
	reaper(d);
}
