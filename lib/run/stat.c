/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What VEs use, at this moment. A few small reads a VE and a question to the firewall, no conversation with it. What
 * this host's cgroup2 tree has no controller for is null; memory and the number of processes are then taken from /proc.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/cgroup/cgroup.h"
#include "lib/net/traffic.h"
#include "lib/run/run.h"

static const char tried[] = "read what VEs use";
enum { FILE_MAX = 16384 };

struct sample {
	char name[64];
	struct runtime rt;
	int cgroup;     /* folder NAME/ve, or -1: nothing runs */
	int64_t cpu_ns; /* -1: not known */
	int64_t at_ns;
};

static int64_t monotonic_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* ---- cgroup files. -1 and empty texts where the host has them not */

static void read_small(int dir, const char *file, char buf[FILE_MAX])
{
	cleanup_fd int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, FILE_MAX - 1);
	buf[n > 0 ? n : 0] = 0;
}

/* Of a file that is one number; "max" is none. */
static int64_t one_number(int dir, const char *file)
{
	char b[FILE_MAX], *end;
	read_small(dir, file, b);
	int64_t n = strtoll(b, &end, 10);
	return end == b ? -1 : n;
}

/* Of lines "key number". */
static int64_t keyed(const char *text, const char *key)
{
	size_t n = strlen(key);
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (!strncmp(p, key, n) && p[n] == ' ')
			return strtoll(p + n + 1, NULL, 10);
	return -1;
}

/* Of lines "DEVICE key=number ...", the sum over the devices. */
static int64_t summed(const char *text, const char *key)
{
	char want[16];
	int64_t sum = 0;
	int n = FORMAT(want, " %s=", key);
	for (const char *p = text; (p = strstr(p, want)); p += n)
		sum += strtoll(p + n, NULL, 10);
	return sum;
}

/* ---- writing */

static void number(struct json_writer *w, const char *key, int64_t n)
{
	if (n < 0)
		jw_null(w, key);
	else
		jw_integer(w, key, n);
}

static int64_t cpu_ns(int cgroup)
{
	char b[FILE_MAX];
	read_small(cgroup, "cpu.stat", b);
	int64_t us = keyed(b, "usage_usec");
	return us < 0 ? -1 : us * 1000;
}

static void write_cpu(struct json_writer *w, const struct sample *now, const struct sample *before)
{
	static const struct {
		const char *key, *file_key;
	} times[] = {{"usage_ns", "usage_usec"}, {"user_ns", "user_usec"}, {"system_ns", "system_usec"},
		{"throttled_ns", "throttled_usec"}};
	char b[FILE_MAX];
	read_small(now->cgroup, "cpu.stat", b);
	jw_object(w, "cpu");
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int64_t us = keyed(b, times[i].file_key);
		number(w, times[i].key, us < 0 ? -1 : us * 1000);
	}
	/* a start in between began anew */
	if (before && before->cpu_ns >= 0 && now->cpu_ns >= before->cpu_ns && now->at_ns > before->at_ns &&
		before->rt.keeper == now->rt.keeper)
		jw_double(w, "percent",
			100.0 * (double)(now->cpu_ns - before->cpu_ns) / (double)(now->at_ns - before->at_ns));
	else
		jw_null(w, "percent");
	jw_end(w);
}

struct processes {
	int64_t count, rss;
};

static int add_process(pid_t pid, void *arg)
{
	struct processes *p = arg;
	char path[64], b[128];
	long long pages;
	FORMAT(path, "/proc/%d/statm", pid);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof b - 1);
	b[n > 0 ? n : 0] = 0;
	if (sscanf(b, "%*d %lld", &pages) != 1)
		return 0; /* gone meanwhile */
	p->count++;
	p->rss += pages * sysconf(_SC_PAGESIZE);
	return 0;
}

static void write_memory(struct json_writer *w, const struct sample *s, const struct processes *p)
{
	int64_t usage = one_number(s->cgroup, "memory.current");
	char b[FILE_MAX];
	jw_object(w, "memory");
	read_small(s->cgroup, "memory.stat", b);
	jw_string(w, "source", usage >= 0 ? "cgroup" : "processes");
	number(w, "usage", usage >= 0 ? usage : p->rss);
	number(w, "cache", usage >= 0 ? keyed(b, "file") : -1);
	number(w, "swap", one_number(s->cgroup, "memory.swap.current"));
	number(w, "max", one_number(s->cgroup, "memory.max"));
	jw_end(w);
	read_small(s->cgroup, "memory.events", b);
	number(w, "oom_kills", keyed(b, "oom_kill"));
}

static void write_pids(struct json_writer *w, const struct sample *s, const struct processes *p)
{
	int64_t current = one_number(s->cgroup, "pids.current");
	jw_object(w, "pids");
	jw_string(w, "source", current >= 0 ? "cgroup" : "processes");
	number(w, "current", current >= 0 ? current : p->count);
	number(w, "max", one_number(s->cgroup, "pids.max"));
	jw_end(w);
}

static void write_io(struct json_writer *w, const struct sample *s)
{
	static const struct {
		const char *key, *file_key;
	} sums[] = {{"read_bytes", "rbytes"}, {"write_bytes", "wbytes"}, {"reads", "rios"}, {"writes", "wios"}};
	char b[FILE_MAX];
	if (faccessat(s->cgroup, "io.stat", R_OK, 0)) {
		jw_null(w, "io");
		return;
	}
	read_small(s->cgroup, "io.stat", b);
	jw_object(w, "io");
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
		jw_integer(w, sums[i].key, summed(b, sums[i].file_key));
	jw_end(w);
}

/* How much of the last ten seconds something waited for it, in percent. */
static void write_pressure(struct json_writer *w, const struct sample *s)
{
	static const char *const of[] = {"cpu", "memory", "io"};
	jw_object(w, "pressure");
	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		char file[32], b[FILE_MAX];
		double some;
		FORMAT(file, "%s.pressure", of[i]);
		read_small(s->cgroup, file, b);
		if (sscanf(b, "some avg10=%lf", &some) == 1)
			jw_double(w, of[i], some);
		else
			jw_null(w, of[i]);
	}
	jw_end(w);
}

static void write_use(struct json_writer *w, const struct sample *s, const struct sample *before)
{
	static const char *const none[] = {"cpu", "memory", "oom_kills", "pids", "io", "pressure"};
	struct processes p = {0};
	char path[600];
	if (s->cgroup < 0) {
		for (size_t i = 0; i < ARRAY_SIZE(none); i++)
			jw_null(w, none[i]);
		return;
	}
	if (faccessat(s->cgroup, "memory.current", R_OK, 0) || faccessat(s->cgroup, "pids.current", R_OK, 0)) {
		FORMAT(path, "%s/ve", s->rt.cgroup);
		cgroup_each_pid(path, add_process, &p);
	}
	write_cpu(w, s, before);
	write_memory(w, s, &p);
	write_pids(w, s, &p);
	write_io(w, s);
	write_pressure(w, s);
}

static void write_sample(
	struct ve_host *host, struct json_writer *w, const struct sample *s, const struct sample *before)
{
	struct timespec now;
	int ready = s->rt.alive ? runtime_is_ready(&s->rt) : 0;
	clock_gettime(CLOCK_BOOTTIME, &now);
	jw_object(w, NULL);
	jw_string(w, "name", s->name);
	jw_string(w, "state", ve_state_name(s->rt.state));
	if (ready < 0)
		jw_null(w, "ready");
	else
		jw_bool(w, "ready", ready);
	if (s->rt.alive && s->rt.init) {
		jw_integer(w, "boot", s->rt.boots);
		jw_double(w, "uptime", (now.tv_sec * 1e9 + now.tv_nsec - (double)s->rt.started_ns) / 1e9);
	} else {
		jw_null(w, "boot");
		jw_null(w, "uptime");
	}
	write_use(w, s, before);
	traffic_json(host, s->name, w, "traffic");
	jw_end(w);
}

/* ---- taking */

static void take_sample(struct ve_host *host, const char *name, struct sample *ret)
{
	struct error ignored = {0};
	char path[600];
	*ret = (struct sample){.cgroup = -1, .cpu_ns = -1};
	snprintf(ret->name, sizeof ret->name, "%.63s", name);
	if (runtime_read(host, name, &ret->rt, &ignored) || !ret->rt.alive || !*ret->rt.cgroup)
		return;
	FORMAT(path, "%s/ve", ret->rt.cgroup);
	ret->cgroup = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	ret->cpu_ns = ret->cgroup < 0 ? -1 : cpu_ns(ret->cgroup);
	ret->at_ns = monotonic_ns();
}

/* A thousand VEs are no reason to hold a thousand folders open. */
static void let_go(struct sample *s)
{
	close_fd_p(&s->cgroup);
	s->cgroup = -1;
}

static int check_names(struct ve_host *host, const char *const *names)
{
	for (; *names; names++) {
		struct ve *ve;
		int r = ve_open(host, *names, &ve);
		if (r)
			return r;
		ve_close(ve);
	}
	return 0;
}

static int wait_interval(struct ve_host *host, int ms, struct error *e)
{
	struct pollfd p = {.fd = host->cancel_fd, .events = POLLIN};
	for (int64_t end = now_ms() + ms, left; (left = end - now_ms()) > 0;)
		if (poll(&p, 1, (int)left) > 0)
			return error_set(e, VE_E_INTERRUPTED, EINTR, tried, NULL, "interrupted");
	return 0;
}

static int write_all_of(
	struct ve_host *host, const char *const *names, const struct sample *before, struct json_writer *w)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_integer(w, "time_ns", now.tv_sec * 1000000000ll + now.tv_nsec);
	jw_array(w, "ves");
	for (size_t i = 0; names[i]; i++) {
		struct sample s;
		take_sample(host, names[i], &s);
		write_sample(host, w, &s, before ? &before[i] : NULL);
		let_go(&s);
	}
	jw_end(w);
	jw_end(w);
	return 0;
}

static int measure(struct ve_host *host, const char *const *names, int interval_ms, char **ret_json, struct error *e)
{
	cleanup_free struct sample *before = NULL;
	size_t n = 0;
	int r = 0;
	while (names[n])
		n++;
	if (interval_ms > 0 && !(before = calloc(n + 1, sizeof *before)))
		return error_sys(e, ENOMEM, tried, "memory");
	for (size_t i = 0; before && i < n; i++) {
		take_sample(host, names[i], &before[i]);
		let_go(&before[i]);
	}
	if (before && (r = wait_interval(host, interval_ms, e)))
		return r;
	struct json_writer *w = jw_new(0);
	write_all_of(host, names, before, w);
	r = jw_finish(w, ret_json);
	return r ? error_sys(e, -r, tried, "memory") : 0;
}

int ve_stat_json(struct ve_host *host, const struct ve_stat_options *options, char **ret_json)
{
	struct error *e = host_begin(host);
	struct ve_stat_options o = {0};
	char **all = NULL;
	if (options)
		memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
	int r = o.names ? check_names(host, o.names) : ve_list_names(host, &all);
	if (!r)
		r = measure(host, o.names ? o.names : (const char *const *)all, o.interval_ms, ret_json, e);
	ve_free_names(all);
	return r;
}
