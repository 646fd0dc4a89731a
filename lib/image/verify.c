/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether an image is still what it was. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/build.h"
#include "lib/image/image.h"

enum { EXIT_REFUSED = 3 }; /* by ve-unpack: the manifest or the image is not what it can read */

static const char remedy_again[] = "build it again, or import it under another name";

enum { SAID_MAX = 4096, SUMMARY_MAX = 1024, DIFFERENCES_TEXT_MAX = 4 << 20 };

struct report_lines {
	struct ve_host *host;
	const char *what;
	char summary[SUMMARY_MAX];
};

static void on_line(void *arg, const char *line)
{
	struct report_lines *l = arg;
	int percent;
	long long done, total;
	if (*line == '{')
		snprintf(l->summary, sizeof(l->summary), "%s", line);
	else if (sscanf(line, "%d %lld %lld", &percent, &done, &total) == 3)
		host_progress(l->host, l->what, "comparing", percent, done, total);
}

static int read_memfd(int fd, size_t limit, char **ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	size_t size = (uint64_t)st.st_size < limit ? (size_t)st.st_size : limit;
	cleanup_free char *text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	ssize_t n = pread(fd, text, size, 0);
	if (n < 0)
		return -errno;
	text[n] = 0;
	*ret = TAKE_PTR(text);
	return 0;
}

/* Each line of ve-unpack becomes a member. */
static int write_differences(struct json_writer *w, char *lines, const char *what, struct error *e)
{
	char *save = NULL;
	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cleanup_json struct json *j = NULL;
		int r = json_parse(line, strlen(line), "ve-unpack", what, &j, e);
		if (r < 0)
			return r;
		jw_copy(w, NULL, j);
	}
	return 0;
}

static int compare(
	struct ve_host *host, const char *id, const char *what, int differences, char *summary, struct error *e)
{
	char program[PATH_MAX], rootfs[PATH_MAX], manifest[PATH_MAX];
	if (FORMAT(program, "%s/ve-unpack", host_libexec_dir) < 0 ||
		image_rootfs(host, id, rootfs, sizeof(rootfs)) < 0 ||
		FORMAT(manifest, "%s/images/store/%s/manifest", host->data, id) < 0)
		return error_sys(e, ENAMETOOLONG, what, host->data);
	cleanup_fd int err = memfd_create("ve-unpack stderr", MFD_CLOEXEC);
	if (err < 0)
		return error_sys(e, errno, what, "memfd_create");
	struct report_lines lines = {.host = host, .what = what};
	const char *const argv[] = {program, "--verify", rootfs, "--report-fd", "3", manifest, NULL};
	const struct host_child child = {
		.argv = argv, .in = -1, .out = differences, .err = err, .on_line = on_line, .arg = &lines};
	host_progress(host, what, "", 0, -1, -1);
	struct error inner = {0};
	int status = host_run(host, &child, &inner);
	if (status == -EINTR)
		return error_set(e, VE_E_INTERRUPTED, EINTR, what, NULL, "interrupted");
	if (status < 0)
		return error_set(e, inner.code, inner.errnum, what, inner.remedy, "%s: %s", inner.tried, inner.wrong);
	if (status != 0) {
		int refused = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_REFUSED;
		cleanup_free char *said = NULL;
		read_memfd(err, SAID_MAX, &said);
		if (said)
			said[strcspn(said, "\n")] = 0;
		return refused ? error_set(e, VE_E_FAILED, EBADMSG, what, remedy_again, "%s", said ? said : "")
			       : unpack_failed(what, host->data, status, said ? said : "", e);
	}
	memcpy(summary, lines.summary, SUMMARY_MAX);
	return 0;
}

/* Remembered, so that the same content is taken from the next build or import in its place. */
static void mark(int images, const char *id, int broken)
{
	char path[IMAGE_PATH_SIZE];
	struct stat st;
	if (FORMAT(path, "store/%s/broken", id) < 0)
		return;
	int marked = fstatat(images, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (broken && !marked)
		write_file_atomic_at(images, path, "", 0, 0600);
	if (!broken && marked)
		unlinkat(images, path, 0);
}

static int verify(struct ve_host *host, const char *image, char **ret_json, struct error *e)
{
	cleanup_json struct json *summary = NULL;
	cleanup_free char *lines = NULL;
	char id[IMAGE_ID_SIZE], what[160], text[SUMMARY_MAX], path[IMAGE_PATH_SIZE];
	struct stat st;
	snprintf(what, sizeof(what), "verifying %.140s", image);
	cleanup_fd int images = store_open(host, 0, e);
	if (images < 0 && images != -ENOENT)
		return images;
	int r = image_find(images, image, what, id, e);
	if (r < 0)
		return r;
	if (strlen(id) < IMAGE_ID_SIZE - 1)
		return error_set(e, VE_E_UNSUPPORTED, ENODATA, what, remedy_again,
			"there is nothing to compare it with: it was made by version 0.1.0, which kept no manifest");
	if (FORMAT(path, "store/%s/manifest", id) < 0 || fstatat(images, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		mark(images, id, 1);
		return error_set(e, VE_E_FAILED, EBADMSG, what, remedy_again,
			"there is nothing to compare it with: its manifest is missing");
	}
	cleanup_fd int differences = memfd_create("ve-unpack stdout", MFD_CLOEXEC);
	if (differences < 0)
		return error_sys(e, errno, what, "memfd_create");
	r = compare(host, id, what, differences, text, e);
	if (r == -EBADMSG)
		mark(images, id, 1);
	if (r == 0 && !store_has(images, id))
		r = error_set(e, VE_E_NO_IMAGE, ENOENT, what, "vectl image list shows what is there",
			"%s was removed meanwhile", image);
	if (r == 0)
		r = json_parse(text, strlen(text), "ve-unpack", what, &summary, e);
	if (r == 0 && (r = read_memfd(differences, DIFFERENCES_TEXT_MAX, &lines)) < 0)
		r = error_sys(e, -r, what, "ve-unpack");
	if (r < 0)
		return r;
	/* The id is the digest of the manifest: who changed both is found, too. */
	const char *manifest_id = json_string(summary, "id");
	int forged = !manifest_id || strcmp(manifest_id, id);
	int64_t count = json_integer(summary, "differences", 0) + forged;
	struct json_writer *w = jw_new(1);
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_string(w, "image", image);
	jw_string(w, "id", id);
	jw_string(w, "result", count ? "broken" : "good");
	jw_integer(w, "entries", json_integer(summary, "entries", 0));
	jw_integer(w, "size", json_integer(summary, "bytes", 0));
	jw_integer(w, "difference_count", count);
	jw_array(w, "differences");
	if (forged) {
		jw_object(w, NULL);
		jw_string(w, "what", "manifest");
		jw_null(w, "path");
		jw_string(w, "expected", id);
		jw_string(w, "found", manifest_id ? manifest_id : "");
		jw_end(w);
	}
	r = write_differences(w, lines, what, e);
	jw_end(w);
	jw_end(w);
	cleanup_free char *document = NULL;
	int finished = jw_finish(w, &document);
	if (r < 0 || finished < 0)
		return r < 0 ? r : error_sys(e, -finished, what, "JSON");
	mark(images, id, count > 0);
	*ret_json = TAKE_PTR(document);
	return count > 0;
}

int ve_image_verify(struct ve_host *host, const char *image, char **ret_json)
{
	struct error *e = host_begin(host);
	return verify(host, image, ret_json, e);
}
