/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel, asked by doing: ve-probe tries each thing, this file says what its answer means. */
#include <limits.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/doctor/doctor.h"

static const struct feature {
	const char *name, *what;
	int status;       /* where it is missing */
	const char *loss; /* what cannot be done then */
	const char *remedy;
} features[] = {
	{"user-namespace", "user namespaces", DOCTOR_FAIL, "no VE can start",
		"sysctl -w user.max_user_namespaces=65536   # and outside of a chroot; else a kernel with "
		"CONFIG_USER_NS"},
	{"nested-user-namespace", "user namespaces inside user namespaces", DOCTOR_WARN,
		"containers and sandboxes inside VEs do not start", "sysctl -w user.max_user_namespaces=65536"},
	{"namespaces", "mount, pid, network, ipc, uts and cgroup namespaces", DOCTOR_FAIL, "no VE can start",
		"# boot a distribution's kernel of 6.1 or later"},
	{"time-namespace", "time namespaces", DOCTOR_FAIL, "no VE can start",
		"# boot a kernel with CONFIG_TIME_NS (5.6 or later)"},
	{"idmap", "id-mapped mounts on the data folder's file system", DOCTOR_FAIL, "no VE can start",
		"# put /var/lib/vectl on ext4, xfs or btrfs; kernel 6.1 or later"},
	{"overlay", "overlay in a user namespace, on the data folder's file system", DOCTOR_FAIL, "no VE can start",
		"modprobe overlay   # and /var/lib/vectl on ext4, xfs or btrfs"},
	{"seccomp", "seccomp filters", DOCTOR_FAIL, "no VE can start, since none starts unconfined",
		"# boot a kernel with CONFIG_SECCOMP_FILTER"},
	{"seccomp-notify", "seccomp user notification", DOCTOR_WARN, "calls of guests cannot be emulated",
		"# boot a kernel with CONFIG_SECCOMP_FILTER, 5.9 or later"},
	{"clone-into-cgroup", "clone3 into a cgroup", DOCTOR_FAIL, "no VE can start",
		"mount -t cgroup2 cgroup2 /sys/fs/cgroup   # where none is mounted; else a kernel of 6.1 or later"},
	{"cgroup-freeze", "the cgroup freezer", DOCTOR_WARN, "pause does not work", "# boot a kernel of 6.1 or later"},
	{"cgroup-kill", "cgroup.kill", DOCTOR_WARN, "what a VE leaves running is not ended",
		"# boot a kernel of 6.1 or later"},
	{"cgroup-bpf", "device programs on cgroups (BPF)", DOCTOR_WARN, "devices of privileged VEs are not limited",
		"# boot a kernel with CONFIG_CGROUP_BPF and CONFIG_BPF_SYSCALL"},
	{"nftables", "nftables", DOCTOR_WARN, "there is no firewall for VEs", "modprobe nf_tables"},
	{"veth", "veth devices", DOCTOR_WARN, "VEs get no network of their own", "modprobe veth"},
	{"bridge", "bridges", DOCTOR_WARN, "VEs cannot share a bridge", "modprobe bridge"},
	{"macvlan", "macvlan devices", DOCTOR_WARN, "VEs cannot be put on the host's network by macvlan",
		"modprobe macvlan"},
};

struct answers {
	int known[ARRAY_SIZE(features)], err[ARRAY_SIZE(features)];
};

static void on_line(void *arg, const char *line)
{
	struct answers *a = arg;
	char name[64];
	int err;
	if (sscanf(line, "%63s %d", name, &err) != 2)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (!strcmp(name, features[i].name)) {
			a->known[i] = 1;
			a->err[i] = err;
		}
}

static void say_features(struct doctor *d, const struct answers *a)
{
	char words[128];
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];
		if (!a->known[i])
			doctor_say(
				d, DOCTOR_WARN, f->name, "# install vectl whole", "%s: ve-probe did not tell", f->what);
		else if (!a->err[i])
			doctor_say(d, DOCTOR_OK, f->name, NULL, "%s", f->what);
		else
			doctor_say(d, f->status, f->name, f->remedy, "%s: %s: %s", f->what,
				strerror_r(a->err[i], words, sizeof words), f->loss);
	}
}

static void say_module_features(struct doctor *d)
{
	const struct {
		const char *name, *path, *what, *loss, *remedy;
	} files[] = {
		{"fuse", "/dev/fuse", "FUSE", "lxcfs and the feature fuse do not work", "modprobe fuse"},
		{"tun", "/dev/net/tun", "tun devices", "the feature tun does not work", "modprobe tun"},
		{"pressure", "/proc/pressure/memory", "pressure (PSI)", "what VEs wait for is not shown",
			"# boot with psi=1, or a kernel with CONFIG_PSI"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int there = !access(files[i].path, F_OK);
		doctor_say(d, there ? DOCTOR_OK : DOCTOR_WARN, files[i].name, files[i].remedy, "%s%s%s", files[i].what,
			there ? "" : ": not there: ", there ? "" : files[i].loss);
	}
	if (!d->facts.mqueue)
		doctor_say(d, DOCTOR_WARN, "mqueue", "# boot a kernel with CONFIG_POSIX_MQUEUE",
			"POSIX message queues: not there: VEs have no /dev/mqueue");
}

int doctor_kernel(struct doctor *d, struct error *e)
{
	char folder[PATH_MAX], program[PATH_MAX];
	struct answers a = {0};
	doctor_say(d, DOCTOR_OK, "version", NULL, "Linux %s", d->facts.kernel);
	doctor_nearest(d->host->data, folder, sizeof folder);
	FORMAT(program, "%s/ve-probe", host_libexec_dir);
	const char *argv[] = {program, folder, d->facts.cgroup_mount, NULL};
	struct host_child child = {.argv = argv, .in = -1, .out = -1, .err = -1, .on_line = on_line, .arg = &a};
	int r = host_run(d->host, &child, e);
	if (r == -EINTR || r == -ENOMEM)
		return r;
	if (r < 0) {
		doctor_say(d, DOCTOR_FAIL, "probe", "# install vectl whole", "%s", e->wrong);
		error_clear(e);
	} else {
		say_features(d, &a);
	}
	say_module_features(d);
	return 0;
}
