/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/run/proc.h"

static int read_proc(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];
	FORMAT(path, "/proc/%d/%s", pid, file);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	return (int)n;
}

static const char *field(const char *text, const char *key)
{
	size_t n = strlen(key);
	for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (!strncmp(p, key, n) && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, "\t ");
	return NULL;
}

static void printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
}

int proc_status(pid_t pid, struct proc_status *ret)
{
	char b[4096];
	int r = read_proc(pid, "status", b, sizeof b);
	if (r < 0)
		return r;
	struct proc_status st = {0};
	const char *f;
	if ((f = field(b, "Name")))
		FORMAT(st.name, "%.*s", (int)strcspn(f, "\n"), f);
	printable(st.name);
	if ((f = field(b, "State")))
		st.state = *f;
	if ((f = field(b, "Uid")))
		st.uid = (uint32_t)strtoul(f, NULL, 10);
	if ((f = field(b, "VmRSS")))
		st.rss = strtoll(f, NULL, 10) * 1024;
	if ((f = field(b, "NSpid"))) {
		const char *end = f + strcspn(f, "\n");
		while (f < end) {
			char *next;
			st.ns_pid = (pid_t)strtol(f, &next, 10);
			f = next == f ? end : next + strspn(next, "\t ");
		}
	}
	*ret = st;
	return 0;
}

/* Fields of /proc/PID/stat from the third on: the second, in parentheses, holds whatever the process called itself. */
static int stat_fields(pid_t pid, uint64_t *value, int first, int count)
{
	char b[1024];
	int r = read_proc(pid, "stat", b, sizeof b);
	char *p = r < 0 ? NULL : strrchr(b, ')');
	for (int i = 2; p && i < first; i++)
		if ((p = strchr(p + 1, ' ')) == NULL)
			return -EINVAL;
	for (int i = 0; p && i < count; i++)
		value[i] = strtoull(p, &p, 10);
	return p ? 0 : -ESRCH;
}

uint64_t proc_start_time(pid_t pid)
{
	uint64_t v = 0;
	return stat_fields(pid, &v, 22, 1) ? 0 : v;
}

int64_t proc_cpu_ns(pid_t pid)
{
	uint64_t v[2];
	if (stat_fields(pid, v, 14, 2))
		return -1;
	return (int64_t)((v[0] + v[1]) * (1000000000ull / sysconf(_SC_CLK_TCK)));
}

void proc_command(pid_t pid, char *buf, size_t size)
{
	char b[512];
	int n = read_proc(pid, "cmdline", b, sizeof b);
	while (n > 0 && b[n - 1] == 0)
		n--;
	if (n > 0) {
		for (int i = 0; i < n; i++)
			b[i] = b[i] ? b[i] : ' ';
		snprintf(buf, size, "%.*s", n, b);
	} else {
		struct proc_status st = {0};
		proc_status(pid, &st);
		snprintf(buf, size, "[%s]", st.name);
	}
	printable(buf);
}

int proc_comm(pid_t pid, char *buf, size_t size)
{
	int n = read_proc(pid, "comm", buf, size);
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = 0;
	return n < 0 ? n : 0;
}

int proc_program(pid_t pid, char *buf, size_t size)
{
	static const char gone[] = " (deleted)";
	char path[64], target[PATH_MAX];
	FORMAT(path, "/proc/%d/exe", pid);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	target[n] = 0;
	size_t tail = sizeof gone - 1;
	if ((size_t)n > tail && !strcmp(target + n - tail, gone))
		target[n - tail] = 0;
	const char *slash = strrchr(target, '/');
	snprintf(buf, size, "%s", slash ? slash + 1 : target);
	return 0;
}

int proc_each_child(pid_t pid, int (*fn)(pid_t child, void *arg), void *arg)
{
	enum { MAX = 1024 };
	char path[64];
	FORMAT(path, "/proc/%d/task/%d/children", pid, pid);
	cleanup_file FILE *f = fopen(path, "re");
	int child, r = 0;
	if (!f)
		return -errno;
	for (int i = 0; !r && i < MAX && fscanf(f, "%d", &child) == 1; i++)
		r = fn(child, arg);
	return r;
}

/* By the page faults of the children that it has waited for: there is none without. */
int proc_has_reaped(pid_t pid)
{
	uint64_t v = 0;
	return !stat_fields(pid, &v, 11, 1) && v > 0;
}
