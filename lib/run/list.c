/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What there is and how it is: a small read or two for each VE and no conversation, so one stuck VE hangs nothing. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"
#include "lib/confine/confine.h"
#include "lib/net/links.h"
#include "lib/net/traffic.h"
#include "lib/run/live.h"
#include "lib/run/network.h"
#include "lib/run/proc.h"
#include "lib/run/run.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int ve_list_names(struct ve_host *host, char ***ret_names)
{
	struct error *e = host_begin(host);
	char path[PATH_MAX];
	FORMAT(path, "%s/ve", host->data);
	DIR *d = opendir(path);
	if (!d && errno != ENOENT)
		return error_sys(e, errno, "list the VEs", path);
	char **names = calloc(1, sizeof *names);
	size_t n = 0;
	struct dirent *de;
	while (names && d && (de = readdir(d))) {
		struct stat st;
		if (de->d_name[0] == '.' ||
			(de->d_type == DT_UNKNOWN &&
				(fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))) ||
			(de->d_type != DT_DIR && de->d_type != DT_UNKNOWN))
			continue;
		char **more = realloc(names, (n + 2) * sizeof *names);
		if (!more || !(more[n] = strdup(de->d_name))) {
			ve_free_names(more ? more : names);
			names = NULL;
			break;
		}
		names = more;
		names[++n] = NULL;
	}
	if (d)
		closedir(d);
	if (!names)
		return error_sys(e, ENOMEM, "list the VEs", "memory");
	qsort(names, n, sizeof *names, by_name);
	*ret_names = names;
	return 0;
}

void ve_free_names(char **names)
{
	for (char **n = names; n && *n; n++)
		free(*n);
	free(names);
}

static void write_memory(struct json_writer *w, const struct runtime *rt)
{
	char path[600];
	FORMAT(path, "%s/ve", rt->cgroup);
	int64_t memory = rt->alive ? cgroup_number(path, "memory.current") : -1;
	if (memory < 0)
		jw_null(w, "memory"); /* stopped, or this host's cgroup2 tree has no memory controller */
	else
		jw_integer(w, "memory", memory);
}

/* In the order of the interfaces' names, and of the spec. */
static void write_addresses(struct json_writer *w, struct ve *ve, const struct json *s)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	cleanup_fd int dir = json_get(s, "net") ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir >= 0) {
		net_addresses_json(dir, w, "addresses");
		return;
	}
	jw_array(w, "addresses");
	jw_end(w);
}

/*
 * What list and info have in common, from ve.json as a plain tree: a list of a thousand checks no keys. One that cannot
 * be read does not hide the VE: its error stands there instead.
 */
static void write_ve(
	struct json_writer *w, struct ve *ve, const struct runtime *rt, const struct json *s, const struct error *bad)
{
	jw_string(w, "name", ve->name);
	jw_string(w, "state", ve_state_name(rt->state));
	int ready = runtime_is_ready(rt);
	if (ready < 0)
		jw_null(w, "ready"); /* an init of which nothing is known */
	else
		jw_bool(w, "ready", ready);
	jw_bool(w, "stale", rt->present && !rt->alive);
	if (s)
		jw_string(w, "image", json_string(s, "image"));
	else
		jw_string(w, "error", bad->wrong);
	if (rt->alive && rt->init) {
		struct timespec now;
		clock_gettime(CLOCK_BOOTTIME, &now);
		jw_integer(w, "pid", rt->init);
		jw_integer(w, "boot", rt->boots);
		jw_double(w, "uptime", (now.tv_sec * 1e9 + now.tv_nsec - (double)rt->started_ns) / 1e9);
	} else {
		jw_null(w, "pid");
		jw_null(w, "boot");
		jw_null(w, "uptime");
	}
	write_memory(w, rt);
	write_addresses(w, ve, s);
	const char *suspended = json_string(s, "suspended");
	if (suspended)
		jw_string(w, "suspended", suspended);
	else
		jw_null(w, "suspended");
	const struct json *labels = json_get(s, "labels");
	if (labels)
		jw_copy(w, "labels", labels);
	else {
		jw_object(w, "labels");
		jw_end(w);
	}
}

static int read_tree(struct ve *ve, struct json **ret, struct error *e)
{
	char path[PATH_MAX];
	cleanup_free char *text = NULL;
	size_t size;
	FORMAT(path, "%s/ve/%s/ve.json", ve->host->data, ve->name);
	int r = read_file_at(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size);
	return r < 0 ? error_sys(e, -r, "read ve.json", path) : json_parse(text, size, path, "read ve.json", ret, e);
}

int ve_list_json(struct ve_host *host, char **ret_json)
{
	char **names;
	int r = ve_list_names(host, &names);
	if (r)
		return r;
	struct error *e = &host->error;
	struct json_writer *w = jw_new(0);
	if (!w) {
		ve_free_names(names);
		return error_sys(e, ENOMEM, "list the VEs", "memory");
	}
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_array(w, "ves");
	for (char **n = names; *n; n++) {
		struct ve ve = {.host = host};
		struct error bad = {0};
		struct runtime rt = {0};
		cleanup_json struct json *s = NULL;
		snprintf(ve.name, sizeof ve.name, "%.63s", *n);
		if (read_tree(&ve, &s, &bad) == -ENOENT)
			continue; /* destroyed meanwhile */
		runtime_read(host, *n, &rt, &bad);
		jw_object(w, NULL);
		write_ve(w, &ve, &rt, s, &bad);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
	ve_free_names(names);
	r = jw_finish(w, ret_json);
	return r ? error_sys(e, -r, "list the VEs", "memory") : 0;
}

/* ---- info */

static void write_identity(struct json_writer *w, const struct spec *s, struct ve *ve)
{
	jw_string(w, "uuid", spec_string(s, "uuid"));
	const char *host = spec_string(s, "hostname"); /* else the guest's own, and the VE's name where it has none */
	if (host)
		jw_string(w, "hostname", host);
	else
		jw_null(w, "hostname");
	jw_array(w, "init");
	for (const char *const *i = spec_list(s, "init"); i && *i; i++)
		jw_string(w, NULL, *i);
	jw_end(w);
}

static void write_processes(struct json_writer *w, const struct runtime *rt)
{
	jw_string(w, "cgroup", rt->alive ? rt->cgroup : "");
	jw_null(w, "unit");
	jw_integer(w, "keeper", rt->alive ? rt->keeper : 0);
	jw_integer(w, "supervisor", rt->alive ? rt->server : 0);
	jw_integer(w, "started", rt->alive ? rt->started : 0);
	jw_string(w, "status", rt->status);
}

struct pending {
	struct json_writer *w;
	const struct spec *other;
	int only_missing; /* the second pass: keys that the other one has not at all */
};

static int write_pending(const char *path, const char *text, void *arg)
{
	struct pending *p = arg;
	const struct spec_key *key = spec_find_key(path);
	cleanup_free char *other = spec_is_set(p->other, path) ? spec_text(p->other, path) : NULL;
	if (key && key->flags & SPEC_LIVE && !(key->flags & SPEC_APPLIED))
		return 0;
	if (p->only_missing ? !other : !other || strcmp(other, text))
		jw_string(p->w, NULL, path);
	return 0;
}

/* Keys whose values wait for the next start. */
static void write_all_pending(struct json_writer *w, struct ve *ve, const struct spec *now)
{
	cleanup_spec struct spec *then = NULL;
	cleanup_free char *text = NULL;
	struct error ignored = {0};
	char path[PATH_MAX];
	size_t size;
	jw_array(w, "pending");
	FORMAT(path, "%s/%s/ve.json", ve->host->run, ve->name);
	if (read_file_at(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size) >= 0 &&
		!spec_parse(text, size, path, &then, &ignored)) {
		struct pending changed = {w, then, 0}, unset = {w, now, 1};
		spec_each(now, write_pending, &changed);
		spec_each(then, write_pending, &unset);
	}
	jw_end(w);
}

static void write_userns(struct json_writer *w, const struct id_range *ids, int privileged, int shares_network)
{
	jw_bool(w, "privileged", privileged);
	jw_array(w, "lost");
	for (const char *const *l = confine_privileged_losses; privileged && *l; l++)
		jw_string(w, NULL, *l);
	for (const char *const *l = net_shared_losses; shares_network && *l; l++)
		jw_string(w, NULL, *l);
	jw_end(w);
	if (privileged) {
		jw_null(w, "userns");
		return;
	}
	jw_object(w, "userns");
	jw_integer(w, "base", ids->base);
	jw_integer(w, "count", IDS_COUNT);
	jw_integer(w, "owner", ids->owner);
	jw_end(w);
}

/* Of the root file system at `root`, with no link followed; *ret is "" where there is none yet. */
static int machine_id(const char *root, char ret[static 33])
{
	cleanup_free char *text = NULL;
	cleanup_fd int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : read_file_at(dir, "etc/machine-id", 64, &text, NULL);
	*ret = 0;
	if (r >= 0 && strspn(text, "0123456789abcdef") == 32 && strspn(text + 32, "\n") == strlen(text + 32))
		snprintf(ret, 33, "%s", text);
	return r;
}

/*
 * The guest's, from its disk or its image; null where there is none yet. It is by this that journals of many machines
 * are told apart, which one that was the host's, as on a copy of its disk, does not do. 1: it is.
 */
static int write_machine_id(struct json_writer *w, struct ve *ve)
{
	char path[PATH_MAX], own[33], host[33];
	FORMAT(path, "%s/ve/%s/disk/upper", ve->host->data, ve->name);
	int r = machine_id(path, own);
	FORMAT(path, "%s/ve/%s/image/rootfs", ve->host->data, ve->name);
	if (r == -ENOENT)
		machine_id(path, own);
	machine_id("/", host);
	int same = *own && !strcmp(own, host);
	if (*own)
		jw_string(w, "machine_id", own);
	else
		jw_null(w, "machine_id");
	jw_bool(w, "machine_id_is_the_hosts", same);
	return same;
}

/* What it runs without, before what this host cannot do at all. */
static void write_start_notes(struct json_writer *w, struct ve *ve)
{
	char path[PATH_MAX], line[640];
	cleanup_free char *text = NULL;
	FORMAT(path, "%s/%s/notes", ve->host->run, ve->name);
	if (read_file_at(AT_FDCWD, path, 65536, &text, NULL) < 0)
		return;
	for (char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		snprintf(line, sizeof line, "it runs without %.*s", (int)strcspn(p, "\n"), p);
		jw_string(w, NULL, line);
	}
}

static void write_traffic_note(struct json_writer *w, struct ve *ve)
{
	char path[PATH_MAX], line[PATH_MAX + 128];
	FORMAT(path, "%s/ve/%s/" TRAFFIC_DAMAGED, ve->host->data, ve->name);
	if (access(path, F_OK))
		return;
	FORMAT(line, "its traffic was once found damaged, and is counted anew since: remove %s when you have seen it",
		path);
	jw_string(w, NULL, line);
}

int ve_info_json(struct ve *ve, char **ret_json)
{
	struct error *e = host_begin(ve->host);
	cleanup_spec struct spec *s = NULL, *running = NULL;
	cleanup_plan struct plan *p = NULL;
	struct runtime rt;
	struct id_range ids;
	cleanup_json struct json *tree = NULL;
	int r = spec_load(ve, &s, e);
	if (r || (r = read_tree(ve, &tree, e)) || (r = runtime_read(ve->host, ve->name, &rt, e)) ||
		(r = ids_of(ve, &ids, e)))
		return error_of(ve, e, r);
	struct error no_plan = {0};
	cleanup_network struct network n = {0};
	if (!network_of(ve, s, 0, &n, &no_plan))
		plan_of(ve, s, &n, 0, &p, &no_plan);
	struct json_writer *w = jw_new(1);
	if (!w)
		return error_of(ve, e, error_sys(e, ENOMEM, "info", "memory"));
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_object(w, "ve");
	write_ve(w, ve, &rt, tree, e);
	write_identity(w, s, ve);
	int same_id = write_machine_id(w, ve);
	write_processes(w, &rt);
	if (rt.alive)
		(void)live_spec(ve, &running);
	write_userns(w, &ids, rt.alive ? rt.privileged : spec_integer(s, "privileged", 0) != 0,
		!strcmp(spec_string(running ?: s, "network"), "host"));
	if (rt.alive && rt.init)
		links_json(rt.init, w, "interfaces");
	traffic_json(ve->host, ve->name, w, "traffic");
	write_all_pending(w, ve, s);
	jw_array(w, "notes");
	write_start_notes(w, ve);
	for (size_t i = 0; p && i < p->nnotes; i++)
		jw_string(w, NULL, p->note[i]);
	if (same_id)
		jw_string(w, NULL,
			"its machine id is the host's, as on a copy of the host's disk: logs --journal is refused, and "
			"whatever "
			"tells machines apart by their id takes the two for one: empty its /etc/machine-id and restart "
			"it");
	write_traffic_note(w, ve);
	if (!p)
		jw_string(w, NULL, no_plan.wrong);
	jw_end(w);
	jw_copy(w, "spec", tree);
	jw_end(w);
	jw_end(w);
	r = jw_finish(w, ret_json);
	return r ? error_of(ve, e, error_sys(e, -r, "info", "memory")) : 0;
}

/* ---- ps */

struct ps {
	struct json_writer *w;
	uint32_t base;
};

static int write_process(pid_t pid, void *arg)
{
	struct ps *ps = arg;
	struct proc_status st;
	char command[512], state[2] = "";
	if (proc_status(pid, &st))
		return 0; /* gone meanwhile */
	proc_command(pid, command, sizeof command);
	state[0] = st.state;
	jw_object(ps->w, NULL);
	jw_integer(ps->w, "pid", pid);
	jw_integer(ps->w, "guest_pid", st.ns_pid);
	jw_integer(ps->w, "uid", st.uid);
	if (st.uid >= ps->base && (!ps->base || st.uid < ps->base + IDS_COUNT))
		jw_integer(ps->w, "guest_uid", st.uid - ps->base);
	else
		jw_null(ps->w, "guest_uid");
	jw_string(ps->w, "state", state);
	jw_integer(ps->w, "rss", st.rss);
	jw_integer(ps->w, "cpu_ns", proc_cpu_ns(pid));
	jw_string(ps->w, "command", command);
	jw_end(ps->w);
	return 0;
}

int ve_ps_json(struct ve *ve, char **ret_json)
{
	struct error *e = host_begin(ve->host);
	struct runtime rt;
	int r = runtime_read(ve->host, ve->name, &rt, e);
	if (r)
		return error_of(ve, e, r);
	if (!rt.alive)
		return error_of(ve, e,
			error_set(e, VE_E_STATE, ESRCH, "ps", "start it first: vectl start NAME", "it is not running"));
	char path[600];
	struct ps ps = {jw_new(1), rt.base};
	if (!ps.w)
		return error_of(ve, e, error_sys(e, ENOMEM, "ps", "memory"));
	jw_object(ps.w, NULL);
	jw_integer(ps.w, "format", 1);
	jw_array(ps.w, "processes");
	FORMAT(path, "%s/ve", rt.cgroup);
	cgroup_each_pid(path, write_process, &ps);
	jw_end(ps.w);
	jw_end(ps.w);
	r = jw_finish(ps.w, ret_json);
	return r ? error_of(ve, e, error_sys(e, -r, "ps", "memory")) : 0;
}
