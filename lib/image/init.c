/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a root file system says of itself. It is a stranger's: no path in it is followed out of it. */
#include <ctype.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/image/image.h"
#include "lib/image/store.h"

const char *const image_default_inits[] = {"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init", NULL};

int rootfs_open(int rootfs, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	/* EAGAIN: a rename somewhere on the machine while ".." was resolved. */
	for (int i = 0; i < 32; i++) {
		int fd = (int)syscall(SYS_openat2, rootfs, path, &how, sizeof(how));
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

const char *rootfs_find_init(int rootfs, const char *const *candidates)
{
	for (; *candidates; candidates++) {
		struct stat st;
		cleanup_fd int fd = rootfs_open(rootfs, *candidates, O_PATH);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111)
			return *candidates;
	}
	return NULL;
}

/* A regular file's first bytes, NUL-terminated. */
static int read_some(int rootfs, const char *path, char *buf, size_t size)
{
	struct stat st;
	cleanup_fd int fd = rootfs_open(rootfs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	ssize_t n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	return (int)n;
}

/* KEY=value or KEY="value" of os-release; only what is harmless to print. */
static void release_value(const char *text, const char *key, char *buf, size_t size)
{
	size_t length = strlen(key), used = 0;
	buf[0] = 0;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) || line[length] != '=')
			continue;
		const char *p = line + length + 1;
		char quote = *p == '"' || *p == '\'' ? *p++ : 0;
		for (; *p && *p != '\n' && *p != quote && used < size - 1; p++)
			if (isalnum((unsigned char)*p) || strchr("._+-", *p))
				buf[used++] = *p;
		buf[used] = 0;
		return;
	}
}

void rootfs_os(int rootfs, char *buf, size_t size)
{
	char text[8192], id[32], version[32];
	buf[0] = 0;
	if (read_some(rootfs, "etc/os-release", text, sizeof(text)) < 0 &&
		read_some(rootfs, "usr/lib/os-release", text, sizeof(text)) < 0)
		return;
	release_value(text, "ID", id, sizeof(id));
	release_value(text, "VERSION_ID", version, sizeof(version));
	snprintf(buf, size, "%s%s%s", id, *id && *version ? " " : "", version);
}

void rootfs_arch(int rootfs, const char *init, char *buf, size_t size)
{
	static const struct {
		unsigned machine, class;
		const char *uname, *name;
	} arches[] = {
		{EM_X86_64, ELFCLASS64, "x86_64", "amd64"},
		{EM_386, ELFCLASS32, "i686", "i386"},
		{EM_AARCH64, ELFCLASS64, "aarch64", "arm64"},
		{EM_ARM, ELFCLASS32, "armv7l", "armhf"},
		{EM_RISCV, ELFCLASS64, "riscv64", "riscv64"},
		{EM_PPC64, ELFCLASS64, "ppc64le", "ppc64el"},
		{EM_S390, ELFCLASS64, "s390x", "s390x"},
	};
	char head[sizeof(Elf64_Ehdr) + 1];
	struct utsname un;
	Elf64_Half machine = EM_NONE;
	if (init && read_some(rootfs, init, head, sizeof(head)) == sizeof(Elf64_Ehdr) && !memcmp(head, ELFMAG, SELFMAG))
		memcpy(&machine, head + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
	for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
		if (machine == EM_NONE ? uname(&un) == 0 && !strcmp(un.machine, arches[i].uname)
				       : machine == arches[i].machine && head[EI_CLASS] == arches[i].class) {
			snprintf(buf, size, "%s", arches[i].name);
			return;
		}
	}
	snprintf(buf, size, "%s", machine == EM_NONE && uname(&un) == 0 ? un.machine : "unknown");
}

static int clear_file(int rootfs, const char *path, int remove, struct error *e)
{
	static const char tried[] = "clearing the image's machine-id";
	struct stat st;
	const char *name = strrchr(path, '/') + 1;
	char folder[64];
	if (FORMAT(folder, "%.*s", (int)(name - 1 - path), path) < 0)
		return 0;
	cleanup_fd int dir = open_beneath(rootfs, folder, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	/* A file of its own in its place: it may be a hard link to something else of the image. */
	if (unlinkat(dir, name, 0) < 0)
		return error_sys(e, errno, tried, path);
	if (remove)
		return 1;
	/* With its time too: the same archive makes the same image. */
	const struct timespec times[2] = {st.st_atim, st.st_mtim};
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || futimens(fd, times) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 ||
		fchmod(fd, st.st_mode & 07777) < 0 || fsync(fd) < 0)
		return error_sys(e, errno, tried, path);
	return 1;
}

int rootfs_clear_machine_id(int rootfs, struct error *e)
{
	int etc = clear_file(rootfs, "etc/machine-id", 0, e);
	if (etc < 0)
		return etc;
	/* systemd would take an id that D-Bus remembers for the machine's. */
	int dbus = clear_file(rootfs, "var/lib/dbus/machine-id", 1, e);
	return dbus < 0 ? dbus : etc || dbus;
}

int image_rootfs(struct ve_host *host, const char *id, char *buf, size_t size)
{
	if (!image_id_valid(id))
		return -EINVAL;
	int n = snprintf(buf, size, "%s/images/store/%s/rootfs", host->data, id);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int image_find_init(struct ve_host *host, const char *id, const char *const *candidates, struct error *e)
{
	static const char tried[] = "looking for the image's init";
	char path[PATH_MAX], list[256] = "";
	int r = image_rootfs(host, id, path, sizeof(path));
	if (r < 0)
		return error_sys(e, -r, tried, id);
	cleanup_fd int rootfs = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rootfs < 0)
		return error_sys(e, errno, tried, path);
	const char *found = rootfs_find_init(rootfs, candidates);
	for (int i = 0; candidates[i]; i++) {
		if (found == candidates[i])
			return i;
		size_t used = strlen(list);
		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", candidates[i]);
	}
	return error_set(e, VE_E_NO_INIT, ENOENT, tried, "take an image with an init, or name it with --set init=PATH",
		"no executable file in the image at %s", list);
}
