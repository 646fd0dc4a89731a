/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ve-probe FOLDER CGROUP2-MOUNT: tries what a VE needs of the kernel, by doing it, for `vectl doctor`. Writes a line
 * "NAME ERRNO" a probe to fd 3, errno 0 for one that worked. A program of its own, since entering namespaces wants a
 * process of its own, and libve never forks its caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ve-probe/probe.h"

enum { LINES = 3, LIMIT_SECONDS = 10 };

static const struct {
	const char *name;
	probe_fn *fn;
} probes[] = {
	{"user-namespace", probe_user_namespace},
	{"nested-user-namespace", probe_nested_user_namespace},
	{"namespaces", probe_namespaces},
	{"time-namespace", probe_time_namespace},
	{"idmap", probe_idmap},
	{"overlay", probe_overlay},
	{"seccomp", probe_seccomp},
	{"seccomp-notify", probe_seccomp_notify},
	{"clone-into-cgroup", probe_clone_into_cgroup},
	{"cgroup-freeze", probe_cgroup_freeze},
	{"cgroup-bpf", probe_cgroup_bpf},
	{"cgroup-kill", probe_cgroup_kill}, /* last of them: the kernel kills what comes into that cgroup later */
	{"nftables", probe_nftables},
	{"veth", probe_veth},
	{"bridge", probe_bridge},
	{"macvlan", probe_macvlan},
};

int probe_end(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* A hung kernel is an answer as well: ETIME. */
static int run(probe_fn *fn, const struct ground *g)
{
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(LIMIT_SECONDS);
		_exit(-fn(g) & 0xff);
	}
	int r = probe_end(pid);
	return r == -EINTR ? -ETIME : r;
}

static void clean(const char *folder)
{
	static const char *const below[] = {"layers/work/work", "layers/work", "layers/upper/file", "layers/upper",
		"layers", "lower", "l", "u", "probe"};
	char path[PATH_MAX];
	for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, below[i]);
		if (remove(path) && errno == ENOTEMPTY)
			return;
	}
	rmdir(folder);
}

int main(int argc, char **argv)
{
	char folder[PATH_MAX] = "", cgroup[PATH_MAX] = "";
	if (argc != 3) {
		fprintf(stderr, "usage: ve-probe FOLDER CGROUP2-MOUNT (started by vectl doctor)\n");
		return 2;
	}
	snprintf(folder, sizeof folder, "%s/.vectl-probe-%d", argv[1], (int)getpid());
	umask(022);
	if (mkdir(folder, 0755))
		snprintf(folder, sizeof folder, "%s", "");
	if (*argv[2])
		snprintf(cgroup, sizeof cgroup, "%s/vectl-probe%d", argv[2], (int)getpid());
	if (*cgroup && mkdir(cgroup, 0755))
		*cgroup = 0;
	struct ground g = {.folder = folder, .cgroup = cgroup};
	for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
		dprintf(LINES, "%s %d\n", probes[i].name, -run(probes[i].fn, &g));
	if (*folder)
		clean(folder);
	/* An exiting process holds its cgroup a moment longer than its parent's wait takes. */
	for (int i = 0; *cgroup && rmdir(cgroup) && errno == EBUSY && i < 500; i++)
		usleep(2000);
	return 0;
}
