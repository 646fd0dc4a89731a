/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device.* and the devices of features: which node of the host's each one is, looked up when a start is planned. */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/base/util.h"
#include "lib/confine/devices.h"
#include "lib/run/devices.h"

/* Features that are a device and nothing else; what it takes besides, a user namespace gives. */
static const struct {
	const char *feature, *path;
} featured[] = {
	{"fuse", "/dev/fuse"},
	{"tun", "/dev/net/tun"},
};

/*
 * By its number: a name can lead there in many ways. An interface of the host's that somebody made and gave to nobody
 * is everybody's who has tun or vhost-net; and ppp looks in the namespace that it is opened in, which is the host's
 * then, and asks for a capability that the VE's own root has in its user namespace.
 */
static int makes_links(const struct stat *st)
{
	enum { MISC = 10, TUN = 200, VHOST_NET = 238, PPP = 108 };
	return S_ISCHR(st->st_mode) &&
	       ((major(st->st_rdev) == MISC && (minor(st->st_rdev) == TUN || minor(st->st_rdev) == VHOST_NET)) ||
		       major(st->st_rdev) == PPP);
}

static int look_up(const char *key, int host_network, struct plan_device *d, struct error *e)
{
	static const char tried[] = "plan the start";
	struct stat st;
	if (stat(d->path, &st))
		return error_set(e, VE_E_HOST, errno, tried, "load its driver, or unset the key", "%s: %s: %s", key,
			d->path, strerror(errno));
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(e, VE_E_SPEC, ENODEV, tried, "mount.M shows folders and files",
			"%s: %s is not a device", key, d->path);
	if (host_network && makes_links(&st))
		return error_set(e, VE_E_SPEC, EPERM, tried, "take it away, or set network=private",
			"%s: with network=host the VE could take the host's own interfaces by %s", key, d->path);
	d->mode |= st.st_mode & S_IFMT;
	d->major = major(st.st_rdev);
	d->minor = minor(st.st_rdev);
	return 0;
}

struct wanted {
	const struct spec *spec;
	struct plan_device *list;
	size_t n, features; /* the first ones are of features */
	int host_network;
	struct error *e;
};

/* A device of a feature may be named once more, with words of its own. */
static struct plan_device *next_device(struct wanted *w, const char *path)
{
	for (size_t i = 0; i < w->features; i++)
		if (!strcmp(w->list[i].path, path))
			return &w->list[i];
	if (w->n == PLAN_DEVICES_MAX)
		return NULL;
	w->list[w->n] = (struct plan_device){.path = path};
	return &w->list[w->n++];
}

static int add_device(const char *path, const char *text, void *arg)
{
	struct wanted *w = arg;
	char key[64], part[80];
	const char *last = strrchr(path, '.');
	if (strncmp(path, "device.", 7) || strcmp(last, ".path"))
		return 0;
	if (FORMAT(key, "%.*s", (int)(last - path), path) < 0)
		return -ENAMETOOLONG;
	struct plan_device *d = next_device(w, text);
	if (!d)
		return error_set(w->e, VE_E_SPEC, E2BIG, "plan the start", "unset what is not needed",
			"device: more than %d devices", PLAN_DEVICES_MAX);
	FORMAT(part, "%s.mode", key);
	const char *mode = spec_string(w->spec, part);
	d->mode = mode ? (unsigned)strtoul(mode, NULL, 8) : 0660;
	FORMAT(part, "%s.uid", key);
	d->uid = (unsigned)spec_integer(w->spec, part, 0);
	FORMAT(part, "%s.gid", key);
	d->gid = (unsigned)spec_integer(w->spec, part, 0);
	FORMAT(part, "%s.access", key);
	d->access = spec_string(w->spec, part) ?: "rw";
	int r = look_up(path, w->host_network, d, w->e);
	for (size_t i = 0; !r && i < w->n; i++) {
		const struct plan_device *o = &w->list[i];
		if (o != d && (o->mode & S_IFMT) == (d->mode & S_IFMT) && o->major == d->major && o->minor == d->minor)
			r = error_set(w->e, VE_E_SPEC, EEXIST, "plan the start", "unset one of the two",
				"%s: %s and %s are the same device", path, d->path, o->path);
	}
	return r;
}

int devices_of(const struct spec *s, struct plan_device *ret, size_t *ret_n, struct error *e)
{
	const char *network = spec_string(s, "network");
	struct wanted w = {.spec = s, .list = ret, .host_network = network && !strcmp(network, "host"), .e = e};
	int r = 0;
	for (const char *const *f = spec_list(s, "features"); f && *f; f++)
		for (size_t i = 0; i < ARRAY_SIZE(featured); i++) {
			if (strcmp(*f, featured[i].feature))
				continue;
			struct plan_device *d = next_device(&w, featured[i].path);
			*d = (struct plan_device){.path = featured[i].path, .mode = 0666, .access = "rw"};
			if ((r = look_up("features", w.host_network, d, e)))
				return r;
		}
	w.features = w.n;
	r = spec_each(s, add_device, &w);
	if (!r)
		*ret_n = w.n;
	return r;
}

int devices_filter(const struct spec *s, const char *cgroup, struct error *e)
{
	struct plan_device devices[PLAN_DEVICES_MAX];
	struct plan_input in = {.spec = s, .devices = devices};
	cleanup_plan struct plan *p = NULL;
	int r = devices_of(s, devices, &in.ndevices, e);
	if (r || (r = plan_filter(&in, cgroup, &p, e)))
		return r;
	const struct plan_step *step = p->nsteps ? p->step : NULL;
	return device_filter_replace(cgroup, step ? step->s[1] ?: "" : NULL, step && step->s[1] ? step->len[1] : 0, e);
}
