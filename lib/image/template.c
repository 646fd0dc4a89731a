/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Templates: executables that make the tarball of an image. Their contract is templates/README.md. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/image/build.h"

enum { LOG_TAIL = 8192, EXIT_NO_VERSION = 2, MAX_ENV = 16 };

/* Whoever can write a template is root: 1 when that is root alone. */
static int is_template(int dir, const char *name)
{
	struct stat st;
	return fstatat(dir, name, &st, 0) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0100 && st.st_uid == 0 &&
	       !(st.st_mode & 022);
}

/* The host's own ones come first. */
static int template_folder(struct ve_host *host, int i, char *buf, size_t size)
{
	int n = i == 0 ? snprintf(buf, size, "%s/templates", host->etc) : snprintf(buf, size, "%s", host_template_dir);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int template_find(struct ve_host *host, const char *image, char *buf, size_t size)
{
	char folder[PATH_MAX], family[IMAGE_COMPONENT_MAX + 1];
	if (FORMAT(family, "%.*s", (int)strcspn(image, "/"), image) < 0)
		return -ENOENT;
	for (int i = 0; i < 2; i++) {
		if (template_folder(host, i, folder, sizeof(folder)) < 0)
			continue;
		cleanup_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 || !is_template(dir, family))
			continue;
		int n = snprintf(buf, size, "%s/%s", folder, family);
		return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
	}
	return -ENOENT;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void template_list(struct ve_host *host, char *buf, size_t size)
{
	char folder[PATH_MAX], *names[64];
	size_t count = 0, used = 0;
	for (int i = 0; i < 2; i++) {
		DIR *d = template_folder(host, i, folder, sizeof(folder)) < 0 ? NULL : opendir(folder);
		struct dirent *entry;
		while (d && count < ARRAY_SIZE(names) && (entry = readdir(d))) {
			int known = image_name_check(entry->d_name, NULL) < 0 || !strcmp(entry->d_name, "tarball") ||
				    !is_template(dirfd(d), entry->d_name);
			for (size_t k = 0; k < count; k++)
				known |= !strcmp(names[k], entry->d_name);
			if (!known && (names[count] = strdup(entry->d_name)))
				count++;
		}
		if (d)
			closedir(d);
	}
	buf[0] = 0;
	qsort(names, count, sizeof(*names), by_name);
	for (size_t k = 0; k < count; k++) {
		int n = used < size ? snprintf(buf + used, size - used, "%s%s", k ? ", " : "", names[k]) : 0;
		used += n > 0 ? (size_t)n : 0;
		free(names[k]);
	}
}

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

static void env_fill(struct env *env, const struct template_run *run)
{
	static const char *const passed[] = {
		"VECTL_MIRROR", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "SOURCE_DATE_EPOCH"};
	char arch[65];
	env_add(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env_add(env, "HOME", "/root");
	env_add(env, "LANG", "C.UTF-8");
	env_add(env, "TERM", "dumb");
	env_add(env, "TMPDIR", run->scratch);
	env_add(env, "VECTL_ARCH", machine_arch(arch));
	env_add(env, "VECTL_WORK", run->scratch);
	env_add(env, "VECTL_OUTPUT", run->output);
	env_add(env, "VECTL_SOURCE", run->source);
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		env_add(env, passed[i], getenv(passed[i]));
}

/* ---- running */

struct progress_lines {
	struct ve_host *host;
	const struct template_run *run;
};

static void on_line(void *arg, const char *line)
{
	struct progress_lines *p = arg;
	char what[256], *rest;
	long percent = strtol(line, &rest, 10);
	if (rest == line || percent < 0 || percent > 100)
		return;
	rest += strspn(rest, " ");
	snprintf(what, sizeof(what), "%s%s%.150s", p->run->what, *rest ? ": " : "", rest);
	host_progress(p->host, what, (int)percent * p->run->until / 100);
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

static int report(struct ve_host *host, const struct template_run *run, int status, int log, struct error *e)
{
	char text[LOG_TAIL + 1], flat[IMAGE_NAME_SIZE], name[IMAGE_NAME_SIZE + 8], remedy[256] = "";
	off_t size = lseek(log, 0, SEEK_END), from = size > LOG_TAIL ? size - LOG_TAIL : 0;
	ssize_t n = pread(log, text, LOG_TAIL, from);
	text[n > 0 ? n : 0] = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_VERSION)
		return error_set(e, VE_E_NO_IMAGE, ENOENT, run->what, NULL, "%s", last_line(text));
	/* With the tarball template there is no more to know; of a build, all that it said last is kept. */
	if (run->source && WIFEXITED(status))
		return error_set(e, VE_E_ARCHIVE, 0, run->what, NULL, "%s", last_line(text));
	image_flat_name(run->image, flat);
	int kept = n > 0 && FORMAT(name, "log-%s", flat) >= 0 &&
		   write_file_atomic_at(run->images, name, text, (size_t)n, 0600) == 0;
	if (!kept || FORMAT(remedy, "see %s/images/%s", host->data, name) < 0)
		remedy[0] = 0;
	if (WIFSIGNALED(status))
		return error_set(e, VE_E_TEMPLATE, 0, run->what, remedy, "the template %s was killed by signal %d",
			run->path, WTERMSIG(status));
	const char *last = last_line(text);
	return error_set(
		e, VE_E_TEMPLATE, 0, run->what, remedy, "%s", *last ? last : "the template failed without saying why");
}

int template_run(struct ve_host *host, const struct template_run *run, struct error *e)
{
	const char *version = strchr(run->image, '/');
	char guard[PATH_MAX], log_path[PATH_MAX], flat[IMAGE_NAME_SIZE], old_log[IMAGE_NAME_SIZE + 8];
	struct stat st;
	if (FORMAT(guard, "%s/ve-guard", host_libexec_dir) < 0 || FORMAT(log_path, "%s.log", run->output) < 0)
		return error_sys(e, ENAMETOOLONG, run->what, host_libexec_dir);
	cleanup_fd int log = open(log_path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		return error_sys(e, errno, run->what, log_path);
	if (mkdir(run->scratch, 0755) < 0)
		return error_sys(e, errno, run->what, run->scratch);

	struct env env = {0};
	env_fill(&env, run);
	struct progress_lines lines = {.host = host, .run = run};
	const char *const argv[] = {guard, run->path, "build", version ? version + 1 : "", NULL};
	const struct host_child child = {
		.argv = argv,
		.envp = (const char *const *)env.items,
		.in = -1,
		.out = log,
		.err = log,
		.line_fd = 3,
		.on_line = on_line,
		.arg = &lines,
	};
	host_progress(host, run->what, 0);
	int status = env.failed ? error_sys(e, ENOMEM, run->what, run->path) : run_child(host, &child, run->what, e);
	env_free(&env);
	if (status < 0)
		return status;
	if (status != 0)
		return report(host, run, status, log, e);
	if (stat(run->output, &st) < 0)
		return error_set(e, VE_E_TEMPLATE, 0, run->what, NULL,
			"the template %s ended well but wrote nothing to VECTL_OUTPUT", run->path);
	image_flat_name(run->image, flat);
	if (FORMAT(old_log, "log-%s", flat) >= 0)
		unlinkat(run->images, old_log, 0);
	return 0;
}
