/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/lease.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/net/internal.h"

static const char tried[] = "take an address";
static const char file_name[] = "leases";

int net_make_folder(struct ve_host *host, struct error *e)
{
	char path[PATH_MAX];
	int r = host_make_folders(host, e);
	if (r)
		return r;
	FORMAT(path, "%s/net/leases", host->data);
	r = access(path, F_OK) ? mkdir_parents(path, 0700) : 0;
	return r < 0 ? error_sys(e, -r, tried, path) : 0;
}

/* ---- what a VE holds */

/* "UUID\n", and "INTERFACE ADDRESS/PREFIX auto|static\n" for each. */
int lease_read(int dir, struct lease_file *ret, struct error *e)
{
	cleanup_free char *text = NULL;
	char *save, *line;
	*ret = (struct lease_file){0};
	int r = read_file_at(dir, file_name, 1 << 17, &text, NULL);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_sys(e, -r, tried, file_name);
	line = strtok_r(text, "\n", &save);
	if (line)
		snprintf(ret->uuid, sizeof ret->uuid, "%s", line);
	while (line && (line = strtok_r(NULL, "\n", &save)) && ret->n < LEASES_MAX) {
		struct lease *l = &ret->lease[ret->n];
		char address[NET_ADDRESS_TEXT], how[8];
		if (sscanf(line, "%15s %63s %7s", l->interface, address, how) != 3 ||
			net_address_parse(address, &l->address))
			continue; /* not ours; what it stood for is taken anew */
		l->is_auto = !strcmp(how, "auto");
		ret->n++;
	}
	return 0;
}

void net_addresses_json(int dir, struct json_writer *w, const char *key)
{
	cleanup_free char *text = NULL;
	char *save, *line;
	jw_array(w, key);
	if (read_file_at(dir, file_name, 1 << 17, &text, NULL) >= 0 && strtok_r(text, "\n", &save))
		while ((line = strtok_r(NULL, "\n", &save))) {
			char *address = strchr(line, ' ');
			if (!address)
				continue;
			address[1 + strcspn(address + 1, "/")] = 0;
			jw_string(w, NULL, address + 1);
		}
	jw_end(w);
}

int lease_write(int dir, const struct lease_file *f, struct error *e)
{
	enum { LINE = IF_NAMESIZE + NET_ADDRESS_TEXT + 8 };
	size_t size = LEASE_UUID + 2 + (size_t)f->n * LINE, used;
	cleanup_free char *text = malloc(size);
	if (!text)
		return error_sys(e, ENOMEM, tried, "memory");
	used = (size_t)snprintf(text, size, "%s\n", f->uuid);
	for (unsigned i = 0; i < f->n; i++) {
		char address[NET_ADDRESS_TEXT];
		net_address_text(&f->lease[i].address, 1, address);
		used += (size_t)snprintf(text + used, size - used, "%s %s %s\n", f->lease[i].interface, address,
			f->lease[i].is_auto ? "auto" : "static");
	}
	int r = write_file_atomic_at(dir, file_name, text, used, 0600);
	return r < 0 ? error_sys(e, -r, tried, file_name) : 0;
}

const struct lease *lease_find(const struct lease_file *f, const struct net_address *a)
{
	for (unsigned i = 0; i < f->n; i++)
		if (net_address_same(&f->lease[i].address, a))
			return &f->lease[i];
	return NULL;
}

/* ---- one lease */

struct holder {
	char text[160]; /* as the link has it */
	char uuid[LEASE_UUID], name[64], interface[IF_NAMESIZE];
};

static int lease_path(struct ve_host *host, const struct net_address *a, char path[PATH_MAX])
{
	char text[NET_ADDRESS_TEXT];
	net_address_text(a, 0, text);
	int n = snprintf(path, PATH_MAX, "%s/net/leases/%s", host->data, text);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* -EBADMSG: no lease of ours. */
static int read_holder(const char *path, struct holder *ret)
{
	struct holder h = {0};
	struct error ignored = {0};
	ssize_t n = readlink(path, h.text, sizeof h.text - 1);
	if (n < 0)
		return errno == EINVAL ? -EBADMSG : -errno;
	if (sscanf(h.text, "%36s %63s %15s", h.uuid, h.name, h.interface) != 3 || spec_valid_name(h.name, &ignored))
		return -EBADMSG;
	*ret = h;
	return 0;
}

/* Whether the VE in a folder beneath DATA/ve has that uuid, and says that the address is its. */
static int has_lease(int ves, const char *folder, const char *uuid, const struct net_address *a)
{
	struct error ignored = {0};
	cleanup_free struct lease_file *f = NULL;
	cleanup_fd int dir = openat(ves, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return 0;
	/* What cannot be read may say so. */
	f = malloc(sizeof *f);
	return !f || lease_read(dir, f, &ignored) < 0 || (!strcmp(f->uuid, uuid) && lease_find(f, a));
}

/* 1 when a VE has it: the one of that name, or one that a rename, killed before it came to its leases, gave another. */
static int is_held(struct ve_host *host, struct holder *h, const struct net_address *a)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve", host->data);
	DIR *d = opendir(path);
	struct dirent *de;
	if (!d)
		return errno != ENOENT;
	int held = has_lease(dirfd(d), h->name, h->uuid, a);
	while (!held && (de = readdir(d)))
		if (de->d_name[0] != '.' && has_lease(dirfd(d), de->d_name, h->uuid, a)) {
			held = 1;
			snprintf(h->name, sizeof h->name, "%.63s", de->d_name);
		}
	closedir(d);
	return held;
}

/*
 * One for each VE, by its uuid, since whoever works on its leases has its lock: what one who was killed left is in the
 * way of nobody, and goes with the next lease of the VE that is taken or dropped.
 */
static int drop_temporary(const char *path, const char *uuid, char ret[PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%.*s/.new-%.36s", (int)(strrchr(path, '/') - path), path, uuid);
	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	return unlink(ret) && errno != ENOENT ? -errno : 0;
}

/* In the place of a lease; `text` begins with the new holder's uuid. */
static int replace(const char *path, const char *text)
{
	char temporary[PATH_MAX];
	int r = drop_temporary(path, text, temporary);
	if (r)
		return r;
	if (symlink(text, temporary))
		return -errno;
	if (!rename(temporary, path))
		return 0;
	int saved = errno;
	unlink(temporary);
	return -saved;
}

/*
 * Under the lock that whoever works on the holder has, so that nobody does: it may be making or renaming it, or about
 * to find the lease its own.
 */
static int take_from(struct ve *ve, struct holder *h, const struct net_address *a, const char *path, const char *text)
{
	char lock_path[PATH_MAX], folder[PATH_MAX], name[64];
	struct holder now;
	struct error ignored = {0};
	cleanup_fd int lock = -EBADF;
	int other = strcmp(h->name, ve->name) != 0, r;
	FORMAT(name, "%s", h->name); /* the lock's; h may learn another */
	FORMAT(lock_path, "%s/.lock/%s", ve->host->run, name);
	if (other && (lock = lock_file(lock_path, &ignored, tried)) < 0)
		return -EADDRINUSE;
	r = read_holder(path, &now);
	r = r < 0 ? r : strcmp(now.text, h->text) || is_held(ve->host, h, a) ? -EADDRINUSE : replace(path, text);
	FORMAT(folder, "%s/ve/%s", ve->host->data, name);
	if (other && access(folder, F_OK))
		unlink(lock_path); /* a lock file goes with what it guards */
	return r;
}

int lease_take(struct ve *ve, const char *uuid, const char *interface, const struct net_address *a, int take_over,
	char ret_holder[64], struct error *e)
{
	char path[PATH_MAX], text[160];
	int r = net_make_folder(ve->host, e);
	if (r)
		return r;
	if (lease_path(ve->host, a, path))
		return error_sys(e, ENAMETOOLONG, tried, ve->host->data);
	FORMAT(text, "%s %s %s", uuid, ve->name, interface);
	for (int tries = 0; tries < 16; tries++) {
		struct holder h = {0};
		if (!symlink(text, path))
			return 1;
		if (errno != EEXIST)
			return error_sys(e, errno, tried, path);
		r = read_holder(path, &h);
		if (r == -ENOENT)
			continue; /* given back just now */
		if (!r && !strcmp(h.text, text))
			return 0;
		if (!r && !strcmp(h.uuid, uuid)) {
			/* Of another interface of ours, or from before a rename. */
			r = replace(path, text);
			return r ? error_sys(e, -r, tried, path) : 0;
		}
		if (!r)
			r = take_over ? take_from(ve, &h, a, path, text) : -EADDRINUSE;
		if (r == -ENOENT)
			continue;
		if (r == -EADDRINUSE || r == -EBADMSG)
			snprintf(ret_holder, 64, "%s", h.name);
		return !r ? 1 : r == -EADDRINUSE || r == -EBADMSG ? -EADDRINUSE : error_sys(e, -r, tried, path);
	}
	return error_sys(e, EBUSY, tried, path);
}

void lease_drop(struct ve_host *host, const char *uuid, const struct net_address *a)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	struct holder h;
	if (lease_path(host, a, path))
		return;
	drop_temporary(path, uuid, temporary);
	if (!read_holder(path, &h) && !strcmp(h.uuid, uuid))
		unlink(path);
}

void lease_drop_stale(struct ve_host *host, const char *name)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	FORMAT(path, "%s/net/leases", host->data);
	DIR *d = opendir(path);
	for (const struct dirent *de; d && (de = readdir(d));) {
		struct holder h;
		struct net_address a;
		if (FORMAT(path, "%s/net/leases/%s", host->data, de->d_name) < 0 || net_address_parse(de->d_name, &a) ||
			read_holder(path, &h) || strcmp(h.name, name))
			continue;
		if (is_held(host, &h, &a))
			continue;
		drop_temporary(path, h.uuid, temporary);
		unlink(path);
	}
	if (d)
		closedir(d);
}

int lease_is_stale(struct ve_host *host, const char *file, char ret_holder[64])
{
	char path[PATH_MAX];
	struct holder h = {0};
	struct net_address a;
	if (FORMAT(path, "%s/net/leases/%s", host->data, file) < 0)
		return 0;
	int r = read_holder(path, &h);
	snprintf(ret_holder, 64, "%s", h.name);
	if (r && r != -EBADMSG)
		return 0;
	if (r == -EBADMSG || net_address_parse(file, &a))
		return 1;
	return !is_held(host, &h, &a);
}
