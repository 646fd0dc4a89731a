/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mount.*: what its keys come to together, checked when they are set and used when a start is planned. */
#include <errno.h>
#include <linux/mount.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

/* Words that the kernel takes as a mount's attributes; what else there is belongs to the file system. */
static const struct {
	const char *word;
	unsigned set, clear;
} attributes[] = {
	{"ro", MOUNT_ATTR_RDONLY, 0},
	{"rw", 0, MOUNT_ATTR_RDONLY},
	{"nosuid", MOUNT_ATTR_NOSUID, 0},
	{"suid", 0, MOUNT_ATTR_NOSUID},
	{"nodev", MOUNT_ATTR_NODEV, 0},
	{"dev", 0, MOUNT_ATTR_NODEV},
	{"noexec", MOUNT_ATTR_NOEXEC, 0},
	{"exec", 0, MOUNT_ATTR_NOEXEC},
	{"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
};

#define BIND_WORDS "ro rw nosuid suid nodev dev noexec exec relatime noatime strictatime nodiratime bind rbind"

/* Made by vectl itself, or of no use without a process that serves them. */
static const char *const own_types[] = {"proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "mqueue", "fuse",
	"fuseblk", "overlay", "bind", "none", "debugfs", "tracefs", "securityfs"};

/* Where vectl shows things of its own, or the kernel does. */
static const char *const own_places[] = {"/proc", "/sys", "/dev", "/run/host"};

static bool is_attribute(const char *word, unsigned *attr)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(attributes); i++)
		if (!strcmp(attributes[i].word, word)) {
			*attr = (*attr & ~attributes[i].clear) | attributes[i].set;
			return true;
		}
	return false;
}

static int check_options(const struct spec *s, const struct place *at, struct spec_mount *m)
{
	char key[64];
	size_t used = 0;
	const char *const *o;

	snprintf(key, sizeof(key), "%.40s.options", m->key);
	for (o = spec_list(s, key); o && *o; o++) {
		int n;

		if (is_attribute(*o, &m->attr))
			continue;
		if (!m->type && (!strcmp(*o, "bind") || !strcmp(*o, "rbind"))) {
			m->recursive = (*o)[0] == 'r';
			continue;
		}
		if (!m->type)
			return spec_fail(at, key, VE_E_SPEC, EINVAL, "a bind mount takes " BIND_WORDS,
				"%s: `%.64s` is not an option of a bind mount", key, *o);
		n = snprintf(m->options + used, sizeof(m->options) - used, "%s%s", used ? "," : "", *o);
		if (n < 0 || (size_t)n >= sizeof(m->options) - used)
			return spec_fail(at, key, VE_E_SPEC, E2BIG, "shorten them", "%s: more than %zu bytes", key,
				sizeof(m->options) - 1);
		used += (size_t)n;
	}
	return 0;
}

static int lacks(const struct place *at, const struct spec_mount *m, const char *what)
{
	char key[64], remedy[160];

	snprintf(key, sizeof(key), "%.40s.%s", m->key, what);
	snprintf(remedy, sizeof(remedy), "set it together with the others: vectl set NAME %s=/PATH", key);
	return spec_fail(at, key, VE_E_SPEC, EINVAL, remedy, "%s is not set", key);
}

static int check_place(const struct place *at, const struct spec_mount *m)
{
	char key[64];
	size_t i;

	snprintf(key, sizeof(key), "%.40s.target", m->key);
	for (i = 0; i < ARRAY_SIZE(own_places); i++) {
		size_t n = strlen(own_places[i]);

		if (!strncmp(m->target, own_places[i], n) && (!m->target[n] || m->target[n] == '/'))
			return spec_fail(at, key, VE_E_SPEC, EINVAL,
				strcmp(own_places[i], "/dev") ? "choose another place" : "device.D.path is for devices",
				"%s: nothing can be mounted in %s", key, own_places[i]);
	}
	return 0;
}

static int check_mount(const struct spec *s, const struct place *at, struct spec_mount *m)
{
	char key[64];
	size_t i;
	int r;

	if (!m->target)
		return lacks(at, m, "target");
	for (i = 0; m->type && i < ARRAY_SIZE(own_types); i++)
		if (!strcmp(m->type, own_types[i]))
			return spec_fail(at, m->key, VE_E_SPEC, EINVAL,
				"leave `type` out for a bind mount; tmpfs and file systems of block devices are "
				"possible",
				"%s.type: %s cannot be mounted from outside", m->key, m->type);
	m->in_guest = m->type && !strcmp(m->type, "tmpfs");
	if (!m->source && !m->in_guest)
		return lacks(at, m, "source");
	snprintf(key, sizeof(key), "%.40s.idmap", m->key);
	if (m->in_guest && spec_is_set(s, key))
		return spec_fail(at, key, VE_E_SPEC, EINVAL, "leave it out", "%s: a tmpfs is the VE's own anyhow", key);
	m->idmap = !m->in_guest && spec_integer(s, key, 1);
	/* A device node of the host's that lies there is not the VE's, unless somebody says so. */
	m->attr = MOUNT_ATTR_NODEV;
	r = check_options(s, at, m);
	return r < 0 ? r : check_place(at, m);
}

static int by_target(const void *a, const void *b)
{
	return strcmp(((const struct spec_mount *)a)->target, ((const struct spec_mount *)b)->target);
}

/* The one that the value at `path` is of; values of one name stand together. */
static struct spec_mount *named(const char *path, struct spec_mount *list, size_t *n, size_t max)
{
	const char *rest = path + strlen("mount.");
	size_t length = (size_t)(rest - path) + spec_component(rest);

	if (*n > 0 && strlen(list[*n - 1].key) == length && !memcmp(list[*n - 1].key, path, length))
		return &list[*n - 1];
	if (*n == max)
		return NULL;
	list[*n] = (struct spec_mount){0};
	snprintf(list[*n].key, sizeof(list[*n].key), "%.*s", (int)length, path);
	return &list[(*n)++];
}

static int collect(const struct spec *s, const struct place *at, struct spec_mount *list, size_t max)
{
	size_t i, n = 0;
	int r = 0;

	for (i = 0; i < s->n; i++) {
		const struct value *v = &s->values[i];
		struct spec_mount *m;
		const char *last = strrchr(v->path, '.');

		if (strncmp(v->row->key, "mount.*.", 8) != 0)
			continue;
		m = named(v->path, list, &n, max);
		if (!m)
			return spec_fail(at, v->path, VE_E_SPEC, E2BIG, "unset what is not needed",
				"mount: more than %zu mounts", max);
		if (!strcmp(last, ".source"))
			m->source = v->text;
		else if (!strcmp(last, ".target"))
			m->target = v->text;
		else if (!strcmp(last, ".type"))
			m->type = v->text;
	}
	for (i = 0; !r && i < n; i++)
		r = check_mount(s, at, &list[i]);
	if (r < 0)
		return r;
	qsort(list, n, sizeof(*list), by_target);
	for (i = 1; i < n; i++)
		if (!strcmp(list[i - 1].target, list[i].target))
			return spec_fail(at, list[i].key, VE_E_SPEC, EEXIST, "give one of them another target",
				"%s and %s are both at %.128s", list[i - 1].key, list[i].key, list[i].target);
	return (int)n;
}

int spec_mounts(const struct spec *s, struct spec_mount **ret, struct error *e)
{
	const struct place at = {.tried = "check the spec", .error = e};
	struct spec_mount *list = calloc(SPEC_MOUNTS_MAX, sizeof(*list));
	int n;

	if (!list)
		return spec_fail_memory(&at);
	n = collect(s, &at, list, SPEC_MOUNTS_MAX);
	if (n < 0) {
		free(list);
		return n;
	}
	*ret = list;
	return n;
}
