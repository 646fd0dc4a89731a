/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making a VE and taking it away. Neither copies nor walks the image: a VE holds it by a link. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"
#include "lib/image/image.h"
#include "lib/net/lease.h"
#include "lib/run/event.h"
#include "lib/run/first_boot.h"
#include "lib/run/run.h"
#include "lib/storage/disk.h"

static const char tried[] = "create";

static int put_uuid(struct spec *s, struct error *e)
{
	unsigned char b[16];
	char text[37];
	if (getrandom(b, sizeof b, 0) != sizeof b)
		return error_sys(e, errno, tried, "getrandom");
	b[6] = (b[6] & 0x0f) | 0x40; /* RFC 9562: version 4, variant 1 */
	b[8] = (b[8] & 0x3f) | 0x80;
	FORMAT(text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
		b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return spec_put(s, "uuid", text, e);
}

/* `--set image=` is allowed here and nowhere else, since afterwards the image is what the VE's disk lies upon. */
static int assign(struct spec *s, const char *assignment, struct error *e)
{
	if (!strncmp(assignment, "image=", 6))
		return spec_put(s, "image", assignment + 6, e);
	return spec_assign(s, assignment, e);
}

static int make_spec(struct ve *ve, const struct ve_create_options *o, struct spec **ret, struct error *e)
{
	cleanup_spec struct spec *s = NULL;
	int r = 0;
	if (o->config)
		r = spec_parse(o->config, strlen(o->config), o->config_name ? o->config_name : "config", &s, e);
	else if (!(s = spec_new()))
		r = error_sys(e, ENOMEM, tried, "memory");
	for (const char *const *a = o->assignments; !r && a && *a; a++)
		r = assign(s, *a, e);
	if (!r)
		r = spec_put(s, "name", ve->name, e);
	if (!r)
		r = put_uuid(s, e);
	if (!r && o->hostname)
		r = spec_put(s, "hostname", o->hostname, e);
	if (!r && o->image)
		r = spec_put(s, "image", o->image, e);
	if (!r && !spec_string(s, "image"))
		r = error_set(e, VE_E_USAGE, EINVAL, tried,
			"name one with --image; `vectl image list` shows those that there are", "no image was named");
	if (!r)
		r = net_defaults(ve->host, s, e);
	if (!r)
		r = spec_check(s, e);
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

static int check_init(struct ve_host *host, const struct spec *s, const char *id, struct error *e)
{
	static const char *const usual[] = {"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init", NULL};
	const char *const *own = spec_list(s, "init");
	const char *const first[] = {own && *own ? *own : NULL, NULL};
	int r = image_find_init(host, id, first[0] ? first : usual, e);
	return r < 0 ? r : 0;
}

/* Everything in a folder of another name, renamed at the end: a VE is there whole or not at all. With the ids' lock. */
static int fill_folder(struct ve *ve, int dir, struct spec *s, const struct ve_create_options *o, const char *id,
	const char *path, struct error *e)
{
	struct id_range ids;
	char text[16];
	int r = ids_pick(ve->host, (uint32_t)spec_integer(s, "userns.base", 0), NULL, &ids, e);
	if (r)
		return r;
	FORMAT(text, "%u", ids.base);
	if ((r = spec_put(s, "userns.base", text, e)) || (r = ids_link(dir, &ids, e)))
		return r;
	if ((r = image_hold(ve->host, spec_string(s, "image"), id, dir, e)) || (r = check_init(ve->host, s, id, e)))
		return r;
	if ((r = first_boot_write(ve->host, dir, id, o, e)) || (r = net_take(ve, dir, s, e)))
		return r;
	cleanup_free char *json = NULL;
	if ((r = spec_write(s, &json, e)))
		return r;
	if ((r = write_file_atomic_at(dir, "ve.json", json, strlen(json), 0600)) < 0)
		return error_sys(e, -r, tried, "ve.json");
	return disk_prepare(path, e);
}

/*
 * A VE's folder under another name than its own: with it go its leases, also those that were taken and not written down
 * yet. Under the lock of the VE's name.
 */
static int remove_folder(struct ve_host *host, const char *path, const char *name)
{
	struct error ignored = {0};
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0) {
		net_release_in(host, dir, NULL, NULL, &ignored);
		lease_drop_stale(host, name);
	}
	return remove_tree_at(AT_FDCWD, path);
}

/* What a killed create or destroy left, of whatever VE that nobody is changing now. */
static void sweep(struct ve_host *host, const char *except)
{
	static const char *const prefix[] = {".create-", ".destroy-"};
	char path[PATH_MAX], folder[PATH_MAX];
	FORMAT(path, "%s/ve", host->data);
	DIR *d = opendir(path);
	struct dirent *de;
	while (d && (de = readdir(d)))
		for (size_t i = 0; i < ARRAY_SIZE(prefix); i++) {
			const char *name = de->d_name + strlen(prefix[i]);
			if (strncmp(de->d_name, prefix[i], strlen(prefix[i])) || !strcmp(name, except))
				continue;
			struct error ignored = {0};
			FORMAT(path, "%s/.lock/%s", host->run, name);
			cleanup_fd int lock = lock_file(path, &ignored, tried);
			FORMAT(folder, "%s/ve/%s", host->data, de->d_name);
			if (lock >= 0 && remove_folder(host, folder, name) >= 0)
				unlink(path);
		}
	if (d)
		closedir(d);
}

static int create_folder(
	struct ve *ve, struct spec *s, const struct ve_create_options *o, const char *id, struct error *e)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	FORMAT(temporary, "%s/ve/.create-%s", ve->host->data, ve->name);
	sweep(ve->host, ve->name);
	int r = remove_folder(ve->host, temporary, ve->name); /* of a create that was killed */
	if (r < 0)
		return error_sys(e, -r, tried, temporary);
	if (mkdir(temporary, 0700))
		return error_sys(e, errno, tried, temporary);
	/* Until it has its name: who looks for free ids reads folder after folder, and would miss one that is renamed.
	 */
	cleanup_fd int ids = ids_lock(ve->host, e);
	if (ids < 0) {
		remove_folder(ve->host, temporary, ve->name);
		return ids;
	}
	cleanup_fd int dir = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? error_sys(e, errno, tried, temporary) : fill_folder(ve, dir, s, o, id, temporary, e);
	if (!r && host_cancelled(ve->host, e))
		r = -EINTR;
	if (!r) {
		struct json_writer *w = event_begin("created");
		jw_string(w, "image", spec_string(s, "image"));
		event_end_in(temporary, w);
	}
	fault_point("create", 1);
	if (!r && (fsync(dir) || rename(temporary, path)))
		r = error_sys(e, errno, tried, path);
	if (r)
		remove_folder(ve->host, temporary, ve->name);
	return r;
}

/* Between finding the image and holding it, it may be rebuilt and the old one removed: then the new one is meant. */
static int create_from_image(
	struct ve *ve, struct spec *s, const struct ve_create_options *o, char **ret_imported, struct error *e)
{
	enum { TURNS = 16 };
	cleanup_free char *wanted = strdup(spec_string(s, "image"));
	int r = wanted ? -ESTALE : error_sys(e, ENOMEM, tried, "memory");
	for (int turn = 0; turn < TURNS && r == -ESTALE; turn++) {
		cleanup_free char *id = NULL, *image = NULL;
		int imported = 0;
		error_clear(e);
		r = image_resolve(ve->host, wanted, 1, &id, &image, &imported, e);
		if (!r)
			r = spec_put(s, "image", image, e);
		if (!r)
			r = create_folder(ve, s, o, id, e);
		if (imported && !*ret_imported)
			*ret_imported = TAKE_PTR(image);
	}
	return r;
}

static int create(struct ve *ve, const struct ve_create_options *o, struct error *e)
{
	cleanup_spec struct spec *s = NULL;
	cleanup_free char *imported = NULL;
	char path[PATH_MAX];
	struct stat st;
	int r = make_spec(ve, o, &s, e);
	if (r || (r = first_boot_check(o, e)))
		return r;
	cleanup_fd int lock = change_lock_new(ve, e);
	if (lock < 0)
		return lock;
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	if (!lstat(path, &st))
		return error_set(e, VE_E_EXISTS, EEXIST, tried, "choose another name, or destroy that one first",
			"there is a VE of that name");
	r = create_from_image(ve, s, o, &imported, e);
	if (r) {
		char lock_path[PATH_MAX];
		FORMAT(lock_path, "%s/.lock/%s", ve->host->run, ve->name);
		unlink(lock_path);
		struct error why = *e;
		if (imported)
			ve_image_remove(ve->host, imported); /* brought in for this VE alone */
		*e = why;
	}
	return r;
}

int ve_create(struct ve_host *host, const char *name, const struct ve_create_options *options, struct ve **ret)
{
	struct error *e = host_begin(host);
	struct ve_create_options o = {0};
	if (options)
		memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
	int r = name ? spec_valid_name(name, e)
		     : error_set(e, VE_E_USAGE, EINVAL, tried, "give one", "no name was given");
	if (r)
		return r;
	struct ve *ve = calloc(1, sizeof *ve);
	if (!ve)
		return error_sys(e, ENOMEM, tried, "memory");
	ve->host = host;
	snprintf(ve->name, sizeof ve->name, "%s", name);
	r = error_of(ve, e, create(ve, &o, e));
	if (r < 0)
		free(ve);
	else
		*ret = ve;
	return r < 0 ? r : 0;
}

static int destroy(struct ve *ve, int force, struct error *e)
{
	struct runtime rt;
	char path[PATH_MAX], gone[PATH_MAX], lock_path[PATH_MAX];
	/* All of it under the lock: nobody starts, stops or destroys it in between. */
	cleanup_fd int lock = change_lock(ve, e);
	int r = lock < 0 ? lock : runtime_read(ve->host, ve->name, &rt, e);
	if (r < 0)
		return r;
	if (rt.alive && !force)
		return error_set(e, VE_E_STATE, EBUSY, "destroy", "stop it first, or destroy it with --force",
			"it is %s", ve_state_name(rt.state));
	if (rt.alive) {
		struct error ignored = {0};
		cleanup_fd int keeper = runtime_open_keeper(ve, &rt, &ignored),
			       init = runtime_open_init(ve, &rt, &ignored);
		if ((r = end_now(ve, &rt, init, keeper, e)) < 0)
			return r;
	}
	if ((r = undo(ve, e)))
		return r;
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	FORMAT(gone, "%s/ve/.destroy-%s", ve->host->data, ve->name);
	if ((r = remove_folder(ve->host, gone, ve->name)) < 0)
		return error_sys(e, -r, "destroy", gone);
	event_log(ve, "destroyed"); /* for who follows the log, which goes with the VE */
	/* One rename, and it is gone for everybody; what follows may be killed and is done again by whoever comes by.
	 */
	if (rename(path, gone))
		return error_sys(e, errno, "destroy", path);
	fault_point("destroy", 1);
	/* Its leases while the lock is still that of its name. */
	cleanup_fd int dir = open(gone, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct error ignored = {0};
	if (dir >= 0)
		net_release_in(ve->host, dir, NULL, NULL, &ignored);
	FORMAT(lock_path, "%s/.lock/%s", ve->host->run, ve->name);
	unlink(lock_path);
	r = remove_tree_at(AT_FDCWD, gone);
	return r < 0 ? error_sys(e, -r, "destroy", gone) : 0;
}

int ve_destroy(struct ve *ve, int force)
{
	struct error *e = host_begin(ve->host);
	return error_of(ve, e, destroy(ve, force, e));
}
