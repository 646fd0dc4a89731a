/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one undo list: failed start, stop, destroy, the reaper and the next vectl after a crash all run it. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"
#include "lib/run/event.h"
#include "lib/run/first_boot.h"
#include "lib/run/hooks.h"
#include "lib/run/network.h"
#include "lib/run/run.h"
#include "lib/run/spawn.h"
#include "lib/storage/disk.h"

/* The record's path, checked against the name: what undo kills and removes is this VE's or nothing. */
static int recorded_cgroup(struct ve *ve, const char *text, char *buf, size_t size)
{
	const char *l = strstr(text, "\ncgroup ");
	if (!l)
		return -ENODATA;
	l += strlen("\ncgroup ");
	int n = snprintf(buf, size, "%.*s", (int)strcspn(l, "\n"), l);
	const char *base = n > 0 && (size_t)n < size ? strrchr(buf, '/') : NULL;
	return base && !strcmp(base + 1, ve->name) && strstr(buf, "/vectl") ? 0 : -EINVAL;
}

static void forget_id_lock(struct ve *ve)
{
	struct id_range ids;
	struct error ignored = {0};
	char path[64];
	if (ids_of(ve, &ids, &ignored) || ids_lock_path(&ids, path, sizeof path))
		return;
	/* Removed only by who holds it: one that is held is a running VE's. */
	cleanup_fd int fd = lock_file(path, &ignored, "release the host ids");
	if (fd >= 0)
		unlink(path);
}

/* A keeper says itself when its VE has ended; one that left another word behind was killed. */
static void log_lost(struct ve *ve, int dir)
{
	cleanup_free char *state = NULL;
	if (read_file_at(dir, "state", 2 * STATE_RECORD, &state, NULL) < 0)
		return;
	int rebooting = strstr(state, "\nstate starting\n") && !strstr(state, "\nboot 1\n");
	if (!rebooting && !strstr(state, "\nstate running\n"))
		return;
	struct json_writer *w = event_begin("stopped");
	jw_string(w, "how", "lost");
	event_end(ve, w);
}

/* Where the caller of the start was killed before it could; kept where no init was ever exec'd. */
static int drop_first_boot(struct ve *ve, int dir, const char *path, struct error *e)
{
	cleanup_free char *state = NULL;
	if (read_file_at(dir, "state", 2 * STATE_RECORD, &state, NULL) < 0)
		return 0;
	if (strlen(state) > STATE_RECORD)
		state[STATE_RECORD] = 0; /* the keeper's own record */
	if (!strstr(state, "\nran 1\n"))
		return 0;
	int r = first_boot_drop(path);
	return r < 0 ? error_sys(e, -r, "remove what the VE left", "first-boot") : 0;
}

int undo(struct ve *ve, struct error *e)
{
	cleanup_fd int dir = runtime_open_dir(ve->host, ve->name);
	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return error_sys(e, -dir, "remove what the VE left", ve->host->run);
	cleanup_free char *text = NULL;
	char cgroup[512] = "", path[PATH_MAX];
	int r = hooks_end_cut(dir, e);
	if (r)
		return r;
	r = read_file_at(dir, "undo", 4096, &text, NULL);
	/* No record, or an empty one: the start died before it made anything but the folder. */
	if (r >= 0 && *text && recorded_cgroup(ve, text, cgroup, sizeof cgroup))
		return error_set(e, VE_E_FAILED, EBADMSG, "remove what the VE left",
			"remove its cgroup and then that folder by hand", "%s/%s/undo: damaged", ve->host->run,
			ve->name);
	if (r >= 0 && *text && (r = cgroup_destroy(cgroup, e)) < 0)
		return r;
	int links = network_undo(ve, dir, e);
	if (links < 0)
		return links;
	log_lost(ve, dir);
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	if ((r = drop_first_boot(ve, dir, path, e)))
		return r;
	disk_settle(path);
	hooks_pay_post_stop(ve, dir);
	forget_id_lock(ve);
	FORMAT(path, "%s/%s", ve->host->run, ve->name);
	/* The record goes last, with its folder, so that an undo that is killed is run again. */
	const char *before[] = {"control", "plan", "state", "lock"};
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		unlinkat(dir, before[i], 0);
	r = remove_tree_at(AT_FDCWD, path);
	if (links && *cgroup) { /* the reaper's to remove, which no VE that runs may have started */
		*strrchr(cgroup, '/') = 0;
		reaper_wake(ve->host, cgroup);
	}
	return r < 0 ? error_sys(e, -r, "remove what the VE left", path) : 0;
}

int end_and_undo(struct ve *ve, const struct runtime *rt, struct error *e)
{
	struct error ignored = {0};
	cleanup_fd int keeper = runtime_open_keeper(ve, rt, &ignored), init = runtime_open_init(ve, rt, &ignored);
	int r = end_now(ve, rt, init, keeper, e);
	return r < 0 ? r : undo(ve, e);
}

int undo_cut_start(struct ve *ve, struct runtime *rt, struct error *e)
{
	if (!rt->alive || !hooks_start_is_owed(ve))
		return 0;
	int r = end_and_undo(ve, rt, e);
	return r < 0 ? r : runtime_read(ve->host, ve->name, rt, e);
}

/* Whether it is to be started anew after that. */
static int reap(struct ve *ve, int *ret_again, struct error *e)
{
	struct runtime rt;
	cleanup_fd int lock = change_lock_try(ve, e);
	if (lock == -EAGAIN)
		return error_set(e, VE_E_BUSY, EAGAIN, "reap", "try again", "somebody is changing it right now");
	int r = lock < 0 ? lock : runtime_read(ve->host, ve->name, &rt, e);
	if (r < 0)
		return r;
	int cut = rt.alive;
	if ((r = undo_cut_start(ve, &rt, e)))
		return r;
	if (!rt.present || rt.alive)
		return cut && !rt.present;
	*ret_again = rt.again;
	r = undo(ve, e);
	return r < 0 ? r : 1;
}

int ve_reap(struct ve *ve)
{
	struct error *e = host_begin(ve->host);
	int again = 0;
	ve->reaping = 1;
	int r = reap(ve, &again, e);
	ve->reaping = 0;
	if (r < 0)
		return error_of(ve, e, r);
	/* The events say what becomes of it; of two who see it, one starts it. */
	if (again)
		ve_start(ve, NULL);
	return r;
}

/*
 * The reaper holds RUN/.reaper while it watches. It lets go first and looks for VEs once more after that, so that one
 * started in between is seen by it or by the reaper that is started here.
 */
void reaper_wake(struct ve_host *host, const char *top)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/.reaper", host->run);
	int held;
	{
		cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		held = fd < 0 || lock_is_held(fd) > 0;
	}
	if (held)
		return;
	char program[PATH_MAX];
	FORMAT(program, "%s/ve-reaper", host_libexec_dir);
	char leaf[600];
	FORMAT(leaf, "%s/" REAPER_CGROUP, top);
	const char *argv[] = {"ve-reaper", *host->root ? host->root : "/", leaf, NULL};
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[] = {null, null, null};
	mkdir(leaf, 0755);
	cleanup_fd int cgroup = open(leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (spawn_detached(cgroup, program, argv, fds, 3) && cgroup >= 0)
		spawn_detached(-1, program, argv, fds, 3); /* one that just went took the cgroup along */
}
