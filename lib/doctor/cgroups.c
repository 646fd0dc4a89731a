/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cgroup tree: which layout, and which limits it can carry out. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/doctor/doctor.h"

static const struct {
	const char *name, *gives;
} controllers[] = {
	{"cpu", "cpu.limit and cpu.weight"},
	{"cpuset", "cpu.set and cpu.count"},
	{"memory", "memory limits, and list does not show their memory"},
	{"pids", "pids.max"},
	{"io", "io.weight and io limits"},
	{"hugetlb", "hugetlb limits"},
};

static const char delegate[] = "# boot a kernel that has it; in a container, have its host delegate it";
static const char pure[] =
	"sed -i 's/^GRUB_CMDLINE_LINUX=\"/&systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all /' /etc/default/grub\n"
	"update-grub && reboot";

/* 1 where cgroup v1 hierarchies are mounted with controllers: the unified tree has only what they left over. */
static int has_v1(char *list, size_t size)
{
	cleanup_free char *text = NULL;
	size_t used = 0;
	*list = 0;
	if (read_file_at(AT_FDCWD, "/proc/cgroups", 65536, &text, NULL) < 0)
		return 0;
	for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		char name[64];
		int hierarchy, cgroups, enabled;
		if (sscanf(line + 1, "%63s %d %d %d", name, &hierarchy, &cgroups, &enabled) != 4 || !hierarchy)
			continue;
		int n = snprintf(list + used, size - used, "%s%s", used ? " " : "", name);
		if (n > 0 && (size_t)n < size - used)
			used += (size_t)n;
	}
	return used > 0;
}

static void say_layout(struct doctor *d)
{
	char v1[256];
	const char *mount = d->facts.cgroup_mount;
	if (!*mount) {
		doctor_say(d, DOCTOR_FAIL, "layout", "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
			"no cgroup2 file system is mounted: no VE can start");
		return;
	}
	if (has_v1(v1, sizeof v1))
		doctor_say(d, DOCTOR_WARN, "layout", pure,
			"hybrid: cgroup2 is mounted at %s, but cgroup v1 holds these controllers: %s", mount, v1);
	else
		doctor_say(d, DOCTOR_OK, "layout", NULL, "cgroup2 alone, mounted at %s", mount);
}

void doctor_cgroups(struct doctor *d)
{
	char v1[256];
	const char *remedy = has_v1(v1, sizeof v1) ? pure : delegate;
	say_layout(d);
	for (size_t i = 0; *d->facts.cgroup_mount && i < ARRAY_SIZE(controllers); i++) {
		const char *name = controllers[i].name;
		if (facts_has_word(d->facts.controllers, name))
			doctor_say(d, DOCTOR_OK, name, NULL, "controller %s", name);
		else
			doctor_say(d, DOCTOR_WARN, name, remedy,
				"controller %s is missing in the cgroup2 tree: without it VEs have no %s", name,
				controllers[i].gives);
	}
}
