/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One run of a template, by the contract of templates/README.md. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/image/build.h"

#define CONTRACT "1"

enum { LOG_TAIL = 8192, MAX_ENV = 24, METADATA_MAX = 64 * 1024, METADATA_TEXT_MAX = 256 };

/* ---- environment: a clean one, with what a download through a proxy needs */

struct env {
	char *items[MAX_ENV + 1];
	size_t count;
	int failed;
};

static void env_add(struct env *env, const char *key, const char *value)
{
	if (!value)
		return;
	if (env->count >= MAX_ENV || asprintf(&env->items[env->count], "%s=%s", key, value) < 0) {
		env->items[env->count] = NULL;
		env->failed = 1;
		return;
	}
	env->count++;
}

static void env_free(struct env *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->items[i]);
}

static const char *machine_arch(char buf[65])
{
	static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "armhf"},
		{"i686", "i386"}, {"ppc64le", "ppc64el"}};
	struct utsname un;
	if (uname(&un) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(un.machine, names[i][0]))
			return names[i][1];
	snprintf(buf, 65, "%s", un.machine);
	return buf;
}

/* The paths of one run, all beneath its folder but for the cache. */
struct paths {
	char work[PATH_MAX], output[PATH_MAX], metadata[PATH_MAX], cache[PATH_MAX];
	int cache_fd; /* a shared lock on it, so that it is not emptied meanwhile */
};

static void env_fill(struct env *env, const struct template_run *run, const struct paths *paths)
{
	static const char *const passed[] = {
		"VECTL_MIRROR", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "SOURCE_DATE_EPOCH"};
	char arch[65];
	env_add(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env_add(env, "HOME", "/root");
	env_add(env, "LANG", "C.UTF-8");
	env_add(env, "TERM", "dumb");
	env_add(env, "TMPDIR", paths->work);
	env_add(env, "VECTL_CONTRACT", CONTRACT);
	env_add(env, "VECTL_ARCH", machine_arch(arch));
	env_add(env, "VECTL_WORK", paths->work);
	env_add(env, "VECTL_OUTPUT", paths->output);
	env_add(env, "VECTL_METADATA", paths->metadata);
	env_add(env, "VECTL_CACHE", *paths->cache ? paths->cache : NULL);
	env_add(env, "VECTL_SOURCE", run->source);
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		env_add(env, passed[i], getenv(passed[i]));
}

static int make_folders(struct ve_host *host, const struct template_run *run, struct paths *p, struct error *e)
{
	char cache[IMAGE_COMPONENT_MAX + 16];
	const char *name = strrchr(run->path, '/') + 1;
	if (FORMAT(p->work, "%s/work", run->folder) < 0 || FORMAT(p->output, "%s/output", run->folder) < 0 ||
		FORMAT(p->metadata, "%s/metadata.json", run->folder) < 0)
		return error_sys(e, ENAMETOOLONG, run->what, run->folder);
	if (mkdir(run->folder, 0755) < 0 || mkdir(p->work, 0755) < 0)
		return error_sys(e, errno, run->what, run->folder);
	if (run->source)
		return 0; /* nothing to keep of what only hands on */
	if (FORMAT(cache, "cache/%s", name) < 0 || FORMAT(p->cache, "%s/images/%s", host->data, cache) < 0)
		return error_sys(e, ENAMETOOLONG, run->what, name);
	/* Emptying it removes it: then the one that is locked is not the one that is there. */
	for (int turn = 0; turn < 8; turn++) {
		struct stat mine, there;
		if ((mkdirat(run->images, "cache", 0700) < 0 && errno != EEXIST) ||
			(mkdirat(run->images, cache, 0755) < 0 && errno != EEXIST))
			return error_sys(e, errno, run->what, p->cache);
		cleanup_fd int fd = open_beneath(run->images, cache, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0 || flock(fd, LOCK_SH) < 0 || fstat(fd, &mine) < 0)
			return error_sys(e, fd < 0 ? -fd : errno, run->what, p->cache);
		if (fstatat(run->images, cache, &there, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_ino == there.st_ino) {
			p->cache_fd = TAKE_FD(fd);
			return 0;
		}
	}
	return error_sys(e, EAGAIN, run->what, p->cache);
}

/* ---- what it says */

struct progress_lines {
	struct ve_host *host;
	const struct template_run *run;
};

static void on_line(void *arg, const char *line)
{
	struct progress_lines *p = arg;
	char *rest;
	long percent = strtol(line, &rest, 10);
	if (rest == line || percent < 0 || percent > 100)
		return;
	rest += strspn(rest, " ");
	host_progress(p->host, p->run->what, rest, (int)percent * p->run->until / 100, -1, -1);
}

/* The last line with anything on it; `text` is cut. */
static const char *last_line(char *text)
{
	size_t end = strlen(text);
	while (end > 0 && strchr(" \t\r\n", text[end - 1]))
		end--;
	text[end] = 0;
	char *line = strrchr(text, '\n');
	return line ? line + 1 : text;
}

/* What the contract lets it end with; all else is a failure like any other. */
static const struct ending {
	int status, code, errnum;
	int log; /* its words are worth keeping */
	const char *remedy;
} endings[] = {
	{10, VE_E_NO_IMAGE, ENOENT, 0, ""},
	{11, VE_E_HOST, 0, 0, ""},
	{12, VE_E_TEMPLATE, EAGAIN, 1, "check the network and VECTL_MIRROR, and try again"},
	{13, VE_E_ARCHIVE, EBADMSG, 1, ""},
	{-1, VE_E_TEMPLATE, 0, 1, ""},
};

static const struct ending *find_ending(int status)
{
	const struct ending *end = endings;
	while (end->status != -1 && !(WIFEXITED(status) && WEXITSTATUS(status) == end->status))
		end++;
	return end;
}

static int report(struct ve_host *host, const struct template_run *run, int status, int log, struct error *e)
{
	char text[LOG_TAIL + 1], flat[IMAGE_NAME_SIZE], name[IMAGE_NAME_SIZE + 8], remedy[256] = "";
	off_t size = lseek(log, 0, SEEK_END), from = size > LOG_TAIL ? size - LOG_TAIL : 0;
	ssize_t n = pread(log, text, LOG_TAIL, from);
	text[n > 0 ? n : 0] = 0;
	const struct ending *end = find_ending(status);
	/* With the tarball template there is no more to know than the last line. */
	image_flat_name(run->image, flat);
	int kept = end->log && !run->source && n > 0 && FORMAT(name, "log-%s", flat) >= 0 &&
		   write_file_atomic_at(run->images, name, text, (size_t)n, 0600) == 0;
	if (kept && snprintf(remedy, sizeof(remedy), "%s%ssee %s/images/%s", end->remedy, *end->remedy ? "; " : "",
			    host->data, name) >= (int)sizeof(remedy))
		kept = 0;
	if (!kept)
		snprintf(remedy, sizeof(remedy), "%s", end->remedy);
	if (WIFSIGNALED(status))
		return error_set(e, VE_E_TEMPLATE, 0, run->what, remedy, "the template %s was killed by signal %d",
			run->path, WTERMSIG(status));
	const char *last = last_line(text);
	if (*last)
		return error_set(e, end->code, end->errnum, run->what, remedy, "%s", last);
	return error_set(e, end->code, end->errnum, run->what, remedy,
		"the template %s ended with status %d without saying why", run->path, WEXITSTATUS(status));
}

/* ---- what it leaves */

static int is_plain_text(const struct json *value)
{
	if (value->type != JSON_STRING || value->length == 0 || value->length > METADATA_TEXT_MAX)
		return 0;
	for (const unsigned char *p = (const unsigned char *)value->string; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return 0;
	return 1;
}

int template_metadata_check(const struct json *metadata, const char *tried, const char *remedy, struct error *e)
{
	static const char *const keys[] = {"distribution", "release", "variant", "description", "source"};
	if (metadata->type != JSON_OBJECT)
		return error_set(e, VE_E_TEMPLATE, 0, tried, remedy, "VECTL_METADATA is not a JSON object");
	if (json_integer(metadata, "format", -1) != 1)
		return error_set(e, VE_E_TEMPLATE, 0, tried, remedy, "VECTL_METADATA has no \"format\": 1");
	for (const struct json *v = metadata->child; v; v = v->next) {
		size_t i = 0;
		if (!strcmp(v->key, "format"))
			continue;
		while (i < ARRAY_SIZE(keys) && strcmp(keys[i], v->key))
			i++;
		if (i == ARRAY_SIZE(keys))
			return error_set(e, VE_E_TEMPLATE, 0, tried, remedy,
				"VECTL_METADATA:%u:%u: unknown key '%.64s'; the keys are format, distribution, "
				"release, variant, description and source",
				v->key_line, v->key_column, v->key);
		if (!is_plain_text(v))
			return error_set(e, VE_E_TEMPLATE, 0, tried, remedy,
				"VECTL_METADATA:%u:%u: '%s' must be a text of 1 to %d bytes on one line", v->line,
				v->column, v->key, METADATA_TEXT_MAX);
	}
	return 0;
}

static int read_metadata(
	const struct template_run *run, const struct paths *paths, struct json **ret_metadata, struct error *e)
{
	cleanup_free char *text = NULL;
	cleanup_json struct json *j = NULL;
	struct error inner = {0};
	char remedy[256];
	size_t size;
	snprintf(remedy, sizeof(remedy), "correct the template %.200s", run->path);
	int r = read_file_at(AT_FDCWD, paths->metadata, METADATA_MAX, &text, &size);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(
			e, VE_E_TEMPLATE, -r, run->what, remedy, "VECTL_METADATA cannot be read: %s", strerror(-r));
	if (json_parse(text, size, "VECTL_METADATA", run->what, &j, &inner) < 0)
		return error_set(e, VE_E_TEMPLATE, 0, run->what, remedy, "%s", inner.wrong);
	r = template_metadata_check(j, run->what, remedy, e);
	if (r == 0)
		*ret_metadata = TAKE_PTR(j);
	return r;
}

static int check_output(const struct template_run *run, const struct paths *paths, struct error *e)
{
	struct stat st;
	char remedy[256];
	snprintf(remedy, sizeof(remedy), "correct the template %.200s", run->path);
	if (lstat(paths->output, &st) < 0)
		return error_set(e, VE_E_TEMPLATE, 0, run->what, remedy,
			"the template ended well but left nothing at VECTL_OUTPUT");
	if (stat(paths->output, &st) < 0)
		return error_set(e, VE_E_TEMPLATE, 0, run->what, remedy, "VECTL_OUTPUT is a link that leads nowhere");
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_set(
			e, VE_E_TEMPLATE, 0, run->what, remedy, "VECTL_OUTPUT is neither a tar file nor a folder");
	return 0;
}

/* The room of what is not needed any more may be; the output may be a link into it. */
static void drop_work(const struct paths *paths)
{
	char real[PATH_MAX];
	size_t length = strlen(paths->work);
	if (realpath(paths->output, real) &&
		(strncmp(real, paths->work, length) || (real[length] && real[length] != '/')))
		remove_tree_at(AT_FDCWD, paths->work);
}

/* ---- running */

int run_child(struct ve_host *host, const struct host_child *child, const char *what, struct error *e)
{
	struct error inner = {0};
	int status = host_run(host, child, &inner);
	if (status == -EINTR)
		return error_set(e, VE_E_INTERRUPTED, EINTR, what, NULL, "interrupted; nothing of it was kept");
	if (status < 0)
		return error_set(e, inner.code, inner.errnum, what, inner.remedy, "%s: %s", inner.tried, inner.wrong);
	return status;
}

static int run_guarded(
	struct ve_host *host, const struct template_run *run, const struct paths *paths, int log, struct error *e)
{
	const char *version = strchr(run->image, '/');
	char guard[PATH_MAX];
	struct env env = {0};
	struct progress_lines lines = {.host = host, .run = run};
	const char *argv[9] = {guard, "--writable", run->folder};
	size_t n = 3;
	if (FORMAT(guard, "%s/ve-guard", host_libexec_dir) < 0)
		return error_sys(e, ENAMETOOLONG, run->what, host_libexec_dir);
	if (*paths->cache) {
		argv[n++] = "--writable";
		argv[n++] = paths->cache;
	}
	argv[n++] = run->path;
	argv[n++] = "build";
	argv[n++] = version ? version + 1 : "";
	env_fill(&env, run, paths);
	const struct host_child child = {
		.argv = argv,
		.envp = (const char *const *)env.items,
		.in = -1,
		.out = log,
		.err = log,
		.on_line = on_line,
		.arg = &lines,
	};
	int status = env.failed ? error_sys(e, ENOMEM, run->what, run->path) : run_child(host, &child, run->what, e);
	env_free(&env);
	return status;
}

int template_run(struct ve_host *host, const struct template_run *run, char ret_output[PATH_MAX],
	struct json **ret_metadata, struct error *e)
{
	struct paths paths = {.cache_fd = -EBADF};
	char log_path[PATH_MAX], flat[IMAGE_NAME_SIZE], old_log[IMAGE_NAME_SIZE + 8];
	int r = make_folders(host, run, &paths, e);
	cleanup_fd int cache = paths.cache_fd;
	if (r < 0)
		return r;
	if (FORMAT(log_path, "%s.log", run->folder) < 0)
		return error_sys(e, ENAMETOOLONG, run->what, run->folder);
	cleanup_fd int log = open(log_path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		return error_sys(e, errno, run->what, log_path);
	host_progress(host, run->what, "", 0, -1, -1);
	int status = run_guarded(host, run, &paths, log, e);
	if (status < 0)
		return status;
	if (status != 0)
		return report(host, run, status, log, e);
	r = check_output(run, &paths, e);
	if (r == 0)
		r = read_metadata(run, &paths, ret_metadata, e);
	if (r < 0)
		return r;
	drop_work(&paths);
	image_flat_name(run->image, flat);
	if (!run->source && FORMAT(old_log, "log-%s", flat) >= 0)
		unlinkat(run->images, old_log, 0);
	memcpy(ret_output, paths.output, sizeof(paths.output));
	return 0;
}
