/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a tarball or a folder to an image in the store. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/build.h"

enum { EXIT_REFUSED = 3, SAID_MAX = 4096 };

enum { SUMMARY_MAX = 1024 };

struct report_lines {
	struct ve_host *host;
	const struct unpack_run *run;
	int last;
	char summary[SUMMARY_MAX];
};

static void on_line(void *arg, const char *line)
{
	struct report_lines *l = arg;
	int percent;
	long long done, total;
	if (*line == '{') {
		snprintf(l->summary, sizeof(l->summary), "%s", line);
		return;
	}
	if (sscanf(line, "%d %lld %lld", &percent, &done, &total) != 3)
		return;
	int shown = l->run->from + percent * (100 - l->run->from) / 100;
	if (shown == l->last)
		return;
	l->last = shown;
	/* Of a folder, entries are counted and not bytes. */
	int bytes = !l->run->source || !l->run->source->is_folder;
	host_progress(l->host, l->run->what, "unpacking", shown, bytes ? done : -1, bytes ? total : -1);
}

/* What the program said: on `said`, a memfd. */
static void read_said(int said, char buf[SAID_MAX])
{
	ssize_t n = pread(said, buf, SAID_MAX - 1, 0);
	buf[n > 0 ? n : 0] = 0;
	buf[strcspn(buf, "\n")] = 0;
}

int unpack_failed(const char *what, const char *data, int status, const char *said, struct error *e)
{
	char remedy[256] = "";
	int errnum = 0;
	if (WIFSIGNALED(status))
		return error_set(e, VE_E_FAILED, 0, what, "look whether memory was out: dmesg",
			"ve-unpack was killed by signal %d", WTERMSIG(status));
	/* Its words are all that comes back; the errno is told by them. */
	for (int i = 1; i < 134 && !errnum; i++)
		if ((i == EPERM || error_remedy(i)) && strstr(said, strerror(i)))
			errnum = i;
	const char *usual = errnum == EPERM                 ? "run vectl as the host's root, outside of containers"
			    : strstr(said, "memory is out") ? error_remedy(ENOMEM)
			    : *said                         ? error_remedy(errnum)
							    : "install vectl again";
	if (errnum == ENOSPC)
		snprintf(remedy, sizeof(remedy), "make room below %.180s/images", data);
	return error_set(e, VE_E_FAILED, errnum, what, *remedy ? remedy : usual, "%s",
		*said ? said : "ve-unpack failed without saying why");
}

static int report(const struct unpack_run *run, const struct ve_host *host, int status, int err, struct error *e)
{
	char said[SAID_MAX];
	read_said(err, said);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_REFUSED)
		return error_set(e, VE_E_ARCHIVE, 0, run->what,
			run->source && run->source->is_folder ? "mend that in the folder"
							      : "mend the archive, or get it again",
			"%s: %s", run->archive, said);
	return unpack_failed(run->what, host->data, status, said, e);
}

/* Fills image/rootfs and image/manifest. `ret_summary` is ve-unpack's last line. */
static int fill_rootfs(
	struct ve_host *host, struct work *w, const struct unpack_run *run, struct json **ret_summary, struct error *e)
{
	char program[PATH_MAX], output[PATH_MAX];
	if (mkdirat(w->dir, "image", 0700) < 0 || mkdirat(w->dir, "image/rootfs", 0755) < 0)
		return error_sys(e, errno, run->what, w->path);
	if (FORMAT(program, "%s/ve-unpack", host_libexec_dir) < 0 ||
		FORMAT(output, "%s/images/%s/image/rootfs", host->data, w->path) < 0)
		return error_sys(e, ENAMETOOLONG, run->what, host->data);
	cleanup_fd int out = openat(w->dir, "image/manifest", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cleanup_fd int err = memfd_create("ve-unpack stderr", MFD_CLOEXEC);
	if (out < 0 || err < 0)
		return error_sys(e, errno, run->what, "manifest");
	struct report_lines lines = {.host = host, .run = run, .last = -1};
	const char *const argv[] = {program, "--output", output, "--report-fd", "3", run->archive, NULL};
	const struct host_child child = {
		.argv = argv, .in = -1, .out = out, .err = err, .on_line = on_line, .arg = &lines};
	int status = run_child(host, &child, run->what, e);
	if (status < 0)
		return status;
	if (status != 0)
		return report(run, host, status, err, e);
	if (fsync(out) < 0)
		return error_sys(e, errno, run->what, "manifest");
	int r = json_parse(lines.summary, strlen(lines.summary), "ve-unpack", run->what, ret_summary, e);
	const char *id = r < 0 ? NULL : json_string(*ret_summary, "id");
	if (r == 0 && (!id || !image_id_valid(id)))
		return error_set(e, VE_E_FAILED, 0, run->what, "install vectl again",
			"ve-unpack is of another version than the library");
	if (r == 0)
		strcpy(w->id, id);
	return r;
}

/* A mirror's address without the password that may be in it. */
static void write_mirror(struct json_writer *j)
{
	char text[512];
	const char *mirror = getenv("VECTL_MIRROR"), *host = mirror ? strstr(mirror, "://") : NULL;
	if (!mirror || !*mirror)
		return;
	const char *at = host ? strchr(host, '@') : NULL, *slash = host ? strchr(host + 3, '/') : NULL;
	if (at && (!slash || at < slash))
		snprintf(text, sizeof(text), "%.*s%s", (int)(host + 3 - mirror), mirror, at + 1);
	else
		snprintf(text, sizeof(text), "%s", mirror);
	jw_string(j, "mirror", text);
}

static void write_origin(struct json_writer *j, const struct unpack_run *run, time_t now)
{
	jw_object(j, NULL);
	jw_string(j, "name", run->name);
	jw_integer(j, "created", now);
	jw_string(j, "template", run->template);
	if (run->version) {
		jw_string(j, "version", run->version);
		write_mirror(j);
	}
	if (run->metadata)
		jw_copy(j, "metadata", run->metadata);
	if (run->source) {
		jw_object(j, "source");
		jw_string(j, "path", run->source->path);
		jw_bool(j, "folder", run->source->is_folder);
		jw_integer(j, "size", run->source->size);
		jw_integer(j, "mtime_ns", run->source->mtime_ns);
		jw_integer(j, "inode", run->source->inode);
		jw_end(j);
	}
	jw_end(j);
}

static int write_description(struct work *w, const struct unpack_run *run, const struct json *summary, struct error *e)
{
	static const char *const left_out[] = {"devices", "sockets", "xattrs", "mounts"};
	char os[80], arch[32];
	time_t now = time(NULL);
	cleanup_free char *text = NULL;
	cleanup_fd int image = openat(w->dir, "image", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int rootfs = openat(w->dir, "image/rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (image < 0 || rootfs < 0)
		return error_sys(e, errno, run->what, w->path);
	const char *init = rootfs_find_init(rootfs, image_default_inits);
	rootfs_os(rootfs, os, sizeof(os));
	rootfs_arch(rootfs, init, arch, sizeof(arch));

	struct json_writer *j = jw_new(1);
	jw_object(j, NULL);
	jw_integer(j, "format", 1);
	jw_string(j, "id", w->id);
	jw_string(j, "arch", arch);
	jw_integer(j, "created", now);
	jw_string(j, "os", os);
	jw_integer(j, "size", json_integer(summary, "bytes", 0));
	jw_integer(j, "entries", json_integer(summary, "entries", 0));
	if (init)
		jw_string(j, "init", init);
	else
		jw_null(j, "init");
	const struct json *cleared = json_get(summary, "machine_id_cleared");
	jw_bool(j, "machine_id_cleared", cleared && cleared->integer);
	jw_object(j, "left_out");
	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
		jw_integer(j, left_out[i], json_integer(summary, left_out[i], 0));
	jw_end(j);
	jw_array(j, "origins");
	write_origin(j, run, now);
	jw_end(j);
	jw_end(j);
	int r = jw_finish(j, &text);
	if (r == 0)
		r = write_file_atomic_at(image, "image.json", text, strlen(text), 0600);
	return r < 0 ? error_sys(e, -r, run->what, "image.json") : 0;
}

int unpack_run(struct ve_host *host, struct work *w, const struct unpack_run *run, struct error *e)
{
	cleanup_json struct json *summary = NULL;
	int r = fill_rootfs(host, w, run, &summary, e);
	if (r == 0)
		r = write_description(w, run, summary, e);
	if (r == 0)
		r = host_cancelled(host, NULL) ? error_set(e, VE_E_INTERRUPTED, EINTR, run->what, NULL,
							 "interrupted; nothing of it was kept")
					       : 0;
	if (r == 0)
		r = store_commit(host, w, run->name, e);
	return r;
}
