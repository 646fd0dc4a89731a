/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host ids, the data folder's file system, what is installed, and programs of others. */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/doctor/doctor.h"
#include "lib/host/ids.h"

/* ---- host ids */

static const char other_pool[] =
	"mkdir -p /etc/vectl && echo '{\"idpool\": {\"base\": 1879048192, \"count\": 268435456}}' "
	">/etc/vectl/vectl.conf   # with a range that is free";

void doctor_ids(struct doctor *d)
{
	struct error e = {0};
	struct id_pool pool;
	unsigned used = 0;
	int r = id_pool_read(d->host, &pool, &e);
	if (r) {
		doctor_say(d, DOCTOR_FAIL, "pool", "editor /etc/vectl/vectl.conf   # see vectl.conf(5)", "%s: %s",
			e.wrong, e.remedy);
		return;
	}
	unsigned ranges = pool.count / IDS_COUNT - 1;
	r = ids_count(d->host, &used, &e);
	if (r && r != -ENOENT) {
		doctor_say(d, DOCTOR_WARN, "pool", "# look at the data folder", "%s", e.wrong);
		return;
	}
	int full = used >= ranges, scarce = used + used / 4 + 1 > ranges;
	doctor_say(d, full || scarce ? DOCTOR_WARN : DOCTOR_OK, "pool", other_pool,
		"ids %u to %u: %u VEs have a range, %u more fit", pool.base,
		(unsigned)(pool.base + (uint64_t)pool.count - 1), used, full ? 0 : ranges - used);
	/* What belongs to somebody else in the part for owners stops every create, in the rest the VE that would get
	 * it. */
	error_clear(&e);
	int owners = ids_check_host(pool.base, IDS_COUNT, &e);
	int whole = owners ? owners : ids_check_host(pool.base, pool.count, &e);
	if (whole)
		doctor_say(d, owners ? DOCTOR_FAIL : DOCTOR_WARN, "overlap", other_pool, "%s", e.wrong);
	else
		doctor_say(d, DOCTOR_OK, "overlap", NULL,
			"neither /etc/subuid nor /etc/subgid nor a user of the host has ids of the pool");
}

/* ---- the data folder's file system */

static const struct {
	unsigned long magic;
	const char *name;
	int status;
	const char *why;
} file_systems[] = {
	{EXT4_SUPER_MAGIC, "ext4", DOCTOR_OK, NULL},
	{XFS_SUPER_MAGIC, "xfs", DOCTOR_OK, NULL},
	{BTRFS_SUPER_MAGIC, "btrfs", DOCTOR_OK, NULL},
	{0xf2f52010 /* F2FS */, "f2fs", DOCTOR_OK, NULL},
	{0x2fc12fc1 /* ZFS */, "zfs", DOCTOR_OK, NULL},
	{TMPFS_MAGIC, "tmpfs", DOCTOR_WARN, "the disks of VEs are gone with the next boot"},
	{OVERLAYFS_SUPER_MAGIC, "overlay", DOCTOR_FAIL,
		"the kernel refuses an overlay upon an overlay: no VE can start"},
	{NFS_SUPER_MAGIC, "nfs", DOCTOR_FAIL, "it cannot carry an overlay's upper layer: no VE can start"},
	{FUSE_SUPER_MAGIC, "fuse", DOCTOR_WARN, "few FUSE file systems can carry an overlay's upper layer"},
	{MSDOS_SUPER_MAGIC, "vfat", DOCTOR_FAIL, "it knows no owners: no VE can start"},
};

static const char elsewhere[] =
	"mount /dev/DISK /var/lib/vectl   # an ext4, xfs or btrfs file system, and in /etc/fstab";

static void say_type(struct doctor *d, const char *folder)
{
	struct statfs fs;
	if (statfs(folder, &fs)) {
		doctor_say(d, DOCTOR_FAIL, "type", elsewhere, "%s: %m", folder);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++)
		if ((unsigned long)fs.f_type == file_systems[i].magic) {
			doctor_say(d, file_systems[i].status, "type", elsewhere, "%s is on %s%s%s", folder,
				file_systems[i].name, file_systems[i].why ? ": " : "",
				file_systems[i].why ? file_systems[i].why : "");
			return;
		}
	doctor_say(
		d, DOCTOR_OK, "type", NULL, "%s is on a file system of type 0x%lx", folder, (unsigned long)fs.f_type);
}

static void say_mount_flags(struct doctor *d, const char *folder, unsigned long flags)
{
	char remedy[3 * PATH_MAX];
	const struct {
		unsigned long flag;
		const char *name, *clear;
		int status;
		const char *why;
	} bad[] = {
		{ST_RDONLY, "ro", "rw", DOCTOR_FAIL, "nothing can be written"},
		{ST_NOEXEC, "noexec", "exec", DOCTOR_FAIL, "no VE can execute anything"},
		{ST_NOSUID, "nosuid", "suid", DOCTOR_WARN, "sudo and su do not work inside VEs"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (flags & bad[i].flag) {
			FORMAT(remedy, "mount -o remount,%s \"$(findmnt -n -o TARGET -T %s)\"   # and in /etc/fstab",
				bad[i].clear, folder);
			doctor_say(d, bad[i].status, "options", remedy, "%s is mounted %s: %s", folder, bad[i].name,
				bad[i].why);
		}
}

static void say_room(struct doctor *d, const char *folder, const struct statvfs *st)
{
	enum { MB = 1 << 20, LEAST_MB = 64, FEW_MB = 1024, LEAST_INODES = 1000, FEW_INODES = 20000 };
	unsigned long long mb = (unsigned long long)st->f_bavail * st->f_frsize / MB, inodes = st->f_favail;
	static const char remedy[] = "vectl image list   # what no VE uses can go: vectl image remove NAME";
	doctor_say(d,
		mb < LEAST_MB ? DOCTOR_FAIL
		: mb < FEW_MB ? DOCTOR_WARN
			      : DOCTOR_OK,
		"space", remedy, "%llu MB are free in %s", mb, folder);
	if (st->f_files) /* btrfs counts none */
		doctor_say(d,
			inodes < LEAST_INODES ? DOCTOR_FAIL
			: inodes < FEW_INODES ? DOCTOR_WARN
					      : DOCTOR_OK,
			"inodes", remedy, "%llu inodes are free in %s", inodes, folder);
}

void doctor_storage(struct doctor *d)
{
	char folder[PATH_MAX];
	struct statvfs st;
	doctor_nearest(d->host->data, folder, sizeof folder);
	say_type(d, folder);
	if (statvfs(folder, &st))
		return;
	say_mount_flags(d, folder, st.f_flag);
	say_room(d, folder, &st);
}

/* ---- what is installed, and folders */

static void say_program(struct doctor *d, const char *name, unsigned want)
{
	char path[PATH_MAX], remedy[3 * PATH_MAX];
	struct stat st;
	FORMAT(path, "%s/%s", host_libexec_dir, name);
	if (stat(path, &st)) {
		doctor_say(d, DOCTOR_FAIL, name, "# install vectl whole", "%s: %m", path);
	} else if (!S_ISREG(st.st_mode) || st.st_uid || st.st_mode & 022 || !(st.st_mode & 0100)) {
		FORMAT(remedy, "chown root:root %s && chmod %o %s", path, want, path);
		doctor_say(d, DOCTOR_FAIL, name, remedy, "%s: not a program of root's alone: owner %u, mode %o", path,
			st.st_uid, st.st_mode & 07777);
	} else if (st.st_mode & 0777 & ~want) {
		FORMAT(remedy, "chmod %o %s", want, path);
		doctor_say(
			d, DOCTOR_WARN, name, remedy, "%s has mode %o: guests could open it", path, st.st_mode & 07777);
	} else {
		doctor_say(d, DOCTOR_OK, name, NULL, "%s", path);
	}
}

static void say_folder(struct doctor *d, const char *path, unsigned forbidden)
{
	char remedy[3 * PATH_MAX];
	struct stat st;
	if (lstat(path, &st)) {
		if (errno == ENOENT)
			doctor_say(
				d, DOCTOR_OK, "folder", NULL, "%s: not there yet; it is made when it is needed", path);
		else
			doctor_say(d, DOCTOR_FAIL, "folder", "# make it a folder of root's", "%s: %m", path);
		return;
	}
	int good = S_ISDIR(st.st_mode) && !st.st_uid && !(st.st_mode & forbidden);
	FORMAT(remedy, "chown root:root %s && chmod %o %s", path, 0777 & ~forbidden, path);
	doctor_say(d, good ? DOCTOR_OK : DOCTOR_FAIL, "folder", S_ISDIR(st.st_mode) ? remedy : "# remove it",
		good ? "%s" : "%s: not a folder of root's alone: owner %u, mode %o", path, st.st_uid,
		st.st_mode & 07777);
}

void doctor_installation(struct doctor *d)
{
	static const struct {
		const char *name;
		unsigned mode;
	} programs[] = {{"ve-supervisor", 0755}, {"ve-enter", 0700}, {"ve-apply", 0700}, {"ve-reaper", 0755},
		{"ve-unpack", 0755}, {"ve-guard", 0755}};
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		say_program(d, programs[i].name, programs[i].mode);
	int there = !access(host_template_dir, F_OK);
	doctor_say(d, there ? DOCTOR_OK : DOCTOR_WARN, "templates", "# install vectl whole", "%s%s", host_template_dir,
		there ? "" : ": not there: no image can be built");
	say_folder(d, d->host->etc, 0022);
	say_folder(d, d->host->data, 0077);
	say_folder(d, d->host->run, 0077);
	say_folder(d, HOST_ID_LOCKS, 0022);
}

/* ---- programs of others */

static int find_program(const char *name)
{
	static const char *const folders[] = {
		"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
	char path[PATH_MAX];
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (FORMAT(path, "%s/%s", folders[i], name) >= 0 && !access(path, X_OK))
			return 1;
	return 0;
}

void doctor_programs(struct doctor *d)
{
	/* Those of `later` are what this version does not use yet: they are shown, and nothing is wrong. */
	static const struct {
		const char *name, *package, *gives;
		int later;
	} programs[] = {
		{"mmdebstrap", "mmdebstrap", "`vectl image build debian/13`", 0},
		{"busybox", "busybox-static", "`vectl image build busybox`", 0},
		{"lxcfs", "lxcfs", "a VE's own memory and uptime in its /proc", 1},
		{"nft", "nftables", "looking at the firewall by hand", 1},
		{"skopeo", "skopeo", "images from registries", 1},
		{"criu", "criu", "checkpoints", 1},
		{"btrfs", "btrfs-progs", "the storage btrfs", 1},
		{"qemu-aarch64-static", "qemu-user-static", "VEs of other architectures", 1},
	};
	char remedy[128];
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		int there = find_program(programs[i].name);
		FORMAT(remedy, "apt install %s", programs[i].package);
		doctor_say(d, there || programs[i].later ? DOCTOR_OK : DOCTOR_WARN, programs[i].name, remedy,
			"%s%s%s%s", programs[i].name, there ? "" : " is not installed: it is for ",
			there ? "" : programs[i].gives,
			there || !programs[i].later ? "" : ", which this version does not use yet");
	}
}
