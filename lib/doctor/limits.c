/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits of the host that VEs share, and of which a default is used up by some dozen or some hundred of them. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/doctor/doctor.h"

/*
 * Per VE: what a guest with systemd and a web server or a database uses at most, from measurements of full hosts. What
 * the kernel counts for each user (inotify, keys, namespaces) does not grow with the VEs, since each has ids of its
 * own.
 */
static const struct sysctl_rule rules[] = {
	{"user.max_user_namespaces", 256, 0, "sandboxes inside a VE"},
	{"user.max_mnt_namespaces", 256, 0, "services with PrivateTmp= inside a VE"},
	{"user.max_pid_namespaces", 256, 0, "containers inside a VE"},
	{"user.max_net_namespaces", 256, 0, "services with PrivateNetwork= inside a VE"},
	{"user.max_ipc_namespaces", 256, 0, "containers inside a VE"},
	{"user.max_uts_namespaces", 256, 0, "containers inside a VE"},
	{"user.max_cgroup_namespaces", 256, 0, "containers inside a VE"},
	{"user.max_time_namespaces", 16, 0, "containers inside a VE"},
	{"fs.inotify.max_user_instances", 128, 0, "systemd and desktops inside a VE"},
	{"fs.inotify.max_user_watches", 65536, 0, "programs that watch many files inside a VE"},
	{"fs.inotify.max_queued_events", 16384, 0, "programs that watch many files inside a VE"},
	{"kernel.keys.maxkeys", 200, 0, "services of a VE, which have a keyring each"},
	{"kernel.keys.maxbytes", 20000, 0, "services of a VE, which have a keyring each"},
	{"vm.max_map_count", 65530, 0, "databases and search engines"},
	{"fs.nr_open", 1048576, 0, "rlimit.nofile of VEs"},
	{"fs.file-max", 65536, 4096, "all programs: Too many open files in system"},
	{"fs.aio-max-nr", 32768, 2048, "databases: io_setup fails"},
	{"kernel.pid_max", 8192, 512, "fork, in all VEs"},
	{"kernel.threads-max", 8192, 512, "fork, in all VEs"},
	{"kernel.pty.max", 2048, 32, "terminals, in all VEs: attach and ssh fail"},
	{"net.ipv4.neigh.default.gc_thresh2", 512, 2, "the neighbour table: connections fail"},
	{"net.ipv4.neigh.default.gc_thresh3", 1024, 4, "the neighbour table: connections fail"},
	{"net.ipv6.neigh.default.gc_thresh2", 512, 2, "the neighbour table: connections fail"},
	{"net.ipv6.neigh.default.gc_thresh3", 1024, 4, "the neighbour table: connections fail"},
	{"net.netfilter.nf_conntrack_max", 65536, 1024, "connection tracking: packets are dropped"},
};

/* Switches, where one value takes something away. */
static const struct {
	const char *name;
	int64_t bad, good;
	const char *bites;
} switches[] = {
	{"kernel.unprivileged_userns_clone", 0, 1, "containers and sandboxes inside VEs do not start"},
	{"kernel.apparmor_restrict_unprivileged_userns", 1, 0,
		"containers and sandboxes inside VEs are confined by it"},
};

int64_t sysctl_wanted(const struct sysctl_rule *rule, int64_t ves)
{
	return rule->least + rule->per_ve * ves;
}

/* Room for more of them, so that the remedy is not another one with the next VE. */
int64_t sysctl_advised(const struct sysctl_rule *rule, int64_t ves)
{
	int64_t advised = 1;

	while (advised < sysctl_wanted(rule, ves))
		advised *= 2;
	return advised;
}

int sysctl_judge(const struct sysctl_rule *rule, int64_t ves, int64_t have)
{
	if (have >= sysctl_wanted(rule, ves))
		return DOCTOR_OK;
	return have <= 0 && !strncmp(rule->name, "user.max_", 9) ? DOCTOR_FAIL : DOCTOR_WARN;
}

/* -ENOENT where it is not there: another kernel, or another network namespace than the host's first. */
static int read_sysctl(const char *name, int64_t *ret)
{
	char path[PATH_MAX], *end;
	cleanup_free char *text = NULL;
	FORMAT(path, "/proc/sys/%s", name);
	for (char *p = path + strlen("/proc/sys/"); *p; p++)
		if (*p == '.')
			*p = '/';
	int r = read_file_at(AT_FDCWD, path, 256, &text, NULL);
	if (r < 0)
		return r;
	long long n = strtoll(text, &end, 10);
	if (end == text)
		return -EINVAL;
	*ret = n;
	return 0;
}

static const char *set_sysctl(char *buf, size_t size, const char *name, int64_t value)
{
	snprintf(buf, size, "echo '%s = %" PRId64 "' >>/etc/sysctl.d/60-vectl.conf && sysctl -w %s=%" PRId64, name,
		value, name, value);
	return buf;
}

static void say_rule(struct doctor *d, const struct sysctl_rule *rule)
{
	char remedy[512];
	int64_t have, want = sysctl_wanted(rule, d->ves);
	int r = read_sysctl(rule->name, &have);
	if (r == -ENOENT)
		return;
	if (r) {
		doctor_say(d, DOCTOR_WARN, rule->name, "# look at it by hand", "%s cannot be read", rule->name);
		return;
	}
	int status = sysctl_judge(rule, d->ves, have);
	if (status == DOCTOR_OK)
		doctor_say(d, status, rule->name, NULL, "%s is %" PRId64, rule->name, have);
	else if (status == DOCTOR_FAIL)
		doctor_say(d, status, rule->name, set_sysctl(remedy, sizeof remedy, rule->name, want * 16),
			"%s is %" PRId64 ": no VE can start", rule->name, have);
	else
		doctor_say(d, status, rule->name,
			set_sysctl(remedy, sizeof remedy, rule->name, sysctl_advised(rule, d->ves)),
			"%s is %" PRId64 ", and %" PRId64 " VEs may need %" PRId64 ": it bites %s", rule->name, have,
			d->ves, want, rule->bites);
}

static void say_rlimits(struct doctor *d)
{
	static const struct {
		int resource;
		const char *name, *unit;
		int64_t want;
	} wanted[] = {
		{RLIMIT_NOFILE, "nofile", "files", 524288},
		{RLIMIT_NPROC, "nproc", "processes", 16384},
		{RLIMIT_MEMLOCK, "memlock", "bytes", 8 << 20},
		{RLIMIT_SIGPENDING, "sigpending", "signals", 4096},
	};
	if (d->facts.cap_sys_resource) {
		doctor_say(d, DOCTOR_OK, "rlimits", NULL, "rlimits can be raised (CAP_SYS_RESOURCE)");
		return;
	}
	doctor_say(d, DOCTOR_WARN, "rlimits",
		"# start vectl from a root login of the host itself, or give this container CAP_SYS_RESOURCE",
		"CAP_SYS_RESOURCE is missing: VEs live with the rlimits of who starts them");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		char remedy[128];
		int64_t have = d->facts.hard[wanted[i].resource];
		if (have == RLIMIT_NONE || have >= wanted[i].want)
			continue;
		FORMAT(remedy, "ulimit -H%c %" PRId64 "   # before vectl is started, by who may raise it",
			wanted[i].resource == RLIMIT_NOFILE    ? 'n'
			: wanted[i].resource == RLIMIT_NPROC   ? 'u'
			: wanted[i].resource == RLIMIT_MEMLOCK ? 'l'
							       : 'i',
			wanted[i].resource == RLIMIT_MEMLOCK ? wanted[i].want / 1024 : wanted[i].want);
		doctor_say(d, DOCTOR_WARN, wanted[i].name, remedy,
			"rlimit %s is %" PRId64 " %s for each VE as a whole, and guests may want %" PRId64,
			wanted[i].name, have, wanted[i].unit, wanted[i].want);
	}
}

void doctor_limits(struct doctor *d)
{
	char remedy[512];
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		say_rule(d, &rules[i]);
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		int64_t have;
		if (read_sysctl(switches[i].name, &have))
			continue;
		doctor_say(d, have == switches[i].bad ? DOCTOR_WARN : DOCTOR_OK, switches[i].name,
			set_sysctl(remedy, sizeof remedy, switches[i].name, switches[i].good), "%s is %" PRId64 "%s%s",
			switches[i].name, have, have == switches[i].bad ? ": " : "",
			have == switches[i].bad ? switches[i].bites : "");
	}
	say_rlimits(d);
}
