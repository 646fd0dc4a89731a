/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/util.h"
#include "lib/host/host.h"

const char host_libexec_dir[] = VE_LIBEXEC_DIR;
const char host_template_dir[] = VE_TEMPLATE_DIR;

struct error *host_begin(struct ve_host *host)
{
	error_clear(&host->error);
	return &host->error;
}

int host_cancelled(struct ve_host *host, struct error *e)
{
	struct pollfd p = {.fd = host->cancel_fd, .events = POLLIN};
	if (host->cancel_fd < 0 || poll(&p, 1, 0) <= 0 || !p.revents)
		return 0;
	error_set(e, VE_E_INTERRUPTED, EINTR, "wait", NULL, "interrupted");
	return 1;
}

void host_progress(
	struct ve_host *host, const char *what, const char *step, int percent, int64_t bytes, int64_t bytes_total)
{
	const struct ve_progress p = {.size = sizeof(p),
		.what = what,
		.step = step,
		.percent = percent,
		.bytes = bytes,
		.bytes_total = bytes_total};
	char text[512];
	if (host->on_progress) {
		host->on_progress(host->progress_arg, &p);
	} else if (host->progress) {
		snprintf(text, sizeof(text), "%s%s%s", what, *step ? ": " : "", step);
		host->progress(host->progress_arg, text, percent);
	}
}

static int set_root(struct ve_host *h, const char *root, struct error *e)
{
	static const char tried[] = "open the root folder";
	if (root && *root && strcmp(root, "/")) {
		/* Resolved once: two ways to write a folder are one root, with one short id. */
		cleanup_free char *real = realpath(root, NULL);
		if (!real && errno == ENOENT && !mkdir_parents(root, 0700))
			real = realpath(root, NULL);
		if (!real)
			return error_sys(e, errno, tried, root);
		if (FORMAT(h->root, "%s", real) < 0)
			return error_sys(e, ENAMETOOLONG, tried, root);
		FORMAT(h->id, "%08x", (unsigned)(hash_string(h->root) >> 32));
	}
	if (FORMAT(h->etc, "%s/etc/vectl", h->root) < 0 || FORMAT(h->data, "%s/var/lib/vectl", h->root) < 0 ||
		FORMAT(h->run, "%s/run/vectl", h->root) < 0)
		return error_sys(e, ENAMETOOLONG, tried, root);
	return 0;
}

int ve_host_open(const struct ve_host_options *options, struct ve_host **ret)
{
	struct ve_host *h = calloc(1, sizeof *h);
	if (!h)
		return -ENOMEM;
	h->cancel_fd = -1;
	*ret = h;
	if (options && options->size < sizeof(size_t))
		return error_set(&h->error, VE_E_USAGE, EINVAL, "open the host",
			"set size to sizeof(struct ve_host_options)", "options of size %zu", options->size);
	struct ve_host_options o = {0};
	if (options)
		memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
	if (o.cancel_fd > 0)
		h->cancel_fd = o.cancel_fd;
	h->progress = o.progress;
	h->on_progress = o.on_progress;
	h->progress_arg = o.progress_arg;
	int r = set_root(h, o.root, &h->error);
	if (!r && geteuid() != 0)
		r = error_set(&h->error, VE_E_PERMISSION, EPERM, "open the host",
			"run it as root, with sudo for example", "VEs are made and entered by root alone");
	return r;
}

void ve_host_close(struct ve_host *host)
{
	free(host);
}

int host_make_folders(struct ve_host *host, struct error *e)
{
	const char *sub[] = {"%s/etc/vectl", "%s/var/lib/vectl/ve", "%s/var/lib/vectl/images", "%s/run/vectl/.lock",
		"%s/run/vectl/.cache"};
	char path[PATH_MAX];
	for (size_t i = 0; i < ARRAY_SIZE(sub); i++) {
		FORMAT(path, sub[i], host->root);
		int r = access(path, F_OK) ? mkdir_parents(path, 0700) : 0;
		if (r < 0)
			return error_sys(e, -r, "make vectl's folders", path);
	}
	const char *own[] = {host->data, host->run};
	for (int i = 0; i < 2; i++) {
		struct stat st;
		if (lstat(own[i], &st))
			return error_sys(e, errno, "make vectl's folders", own[i]);
		/* A VE's setuid files lie beneath: nobody but root may come near them. */
		if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077 && chmod(own[i], 0700)))
			return error_set(e, VE_E_HOST, EPERM, "make vectl's folders",
				"make it a folder of root's with mode 0700", "%s: not a folder of root's", own[i]);
	}
	return 0;
}

/*
 * A lock file that is removed with what it guards: whoever got the lock of a file that has no name any more starts
 * over.
 */
int lock_file(const char *path, struct error *e, const char *tried)
{
	for (int i = 0; i < 1000; i++) {
		struct stat held, named;
		cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return error_sys(e, errno, tried, path);
		int r = lock_try(fd);
		if (r == -EAGAIN)
			return r;
		if (r < 0)
			return error_sys(e, -r, tried, path);
		if (!fstat(fd, &held) && !stat(path, &named) && held.st_ino == named.st_ino &&
			held.st_dev == named.st_dev)
			return TAKE_FD(fd);
	}
	return error_sys(e, EBUSY, tried, path);
}

int ve_open(struct ve_host *host, const char *name, struct ve **ret)
{
	struct error *e = host_begin(host);
	struct stat st;
	char path[PATH_MAX];
	int r = name ? spec_valid_name(name, e)
		     : error_set(e, VE_E_USAGE, EINVAL, "open the VE", "give one", "no name was given");
	if (r)
		return r;
	FORMAT(path, "%s/ve/%s", host->data, name);
	if (lstat(path, &st) || !S_ISDIR(st.st_mode)) {
		snprintf(e->ve, sizeof e->ve, "%s", name);
		return error_set(e, VE_E_NO_VE, ENOENT, "open the VE", "`vectl list` shows those that there are",
			"there is no VE of that name");
	}
	struct ve *ve = calloc(1, sizeof *ve);
	if (!ve)
		return error_sys(e, ENOMEM, "open the VE", "memory");
	ve->host = host;
	snprintf(ve->name, sizeof ve->name, "%s", name);
	*ret = ve;
	return 0;
}

void ve_close(struct ve *ve)
{
	free(ve);
}

const char *ve_name(const struct ve *ve)
{
	return ve->name;
}

const char *ve_version(void)
{
	return VE_VERSION;
}

void ve_free(void *p)
{
	free(p);
}

int ve_error_code(const struct ve_host *host)
{
	return host->error.code;
}

int ve_error_errno(const struct ve_host *host)
{
	return host->error.errnum;
}

#define TEXT(function, field)                                                                                          \
	const char *function(const struct ve_host *host)                                                               \
	{                                                                                                              \
		return host->error.field;                                                                              \
	}
TEXT(ve_error_ve, ve)
TEXT(ve_error_step, step)
TEXT(ve_error_subject, subject)
TEXT(ve_error_tried, tried)
TEXT(ve_error_message, wrong)
TEXT(ve_error_remedy, remedy)
