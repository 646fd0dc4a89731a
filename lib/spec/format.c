/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

#include "lib/base/util.h"
#include "lib/spec/format.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static const char general[] = ""; /* the format's name says it */
static const char too_long[] = "it is too long";

static const char *same(const char *text, char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%s", text) >= size ? too_long : NULL;
}

/* Only of these characters, and of at most `max` of them. */
static const char *of(const char *text, const char *allowed, size_t max, char *buf, size_t size)
{
	size_t n = strlen(text);

	if (strspn(text, allowed) != n)
		return "it has characters that are not allowed";
	return n > max ? too_long : same(text, buf, size);
}

/* A decimal number at *p without signs, blanks or superfluous digits; -1: none, or above `most`. */
static long number(const char **p, long most)
{
	long n = 0;
	size_t digits = strspn(*p, DIGITS);

	if (digits == 0 || digits > 9)
		return -1;
	for (; digits > 0; digits--)
		n = n * 10 + (*(*p)++ - '0');
	return n > most ? -1 : n;
}

/* ---- identity */

static const char *check_arch(const char *text, char *buf, size_t size)
{
	return of(text, LOWER DIGITS "_", 32, buf, size);
}
const struct spec_format format_arch = {"an architecture", "write it as uname -m does: x86_64", "^[a-z0-9_]{1,32}$",
	check_arch, "x86_64\naarch64", "x86-64\nX86", NULL};

static const char *check_image(const char *text, char *buf, size_t size)
{
	for (const char *p = text; *p; p++)
		if (*p == ' ')
			return "a blank is in it";
	return same(text, buf, size);
}
const struct spec_format format_image = {"an image's name", "`vectl image list` has the names",
	"^[^\\u0000-\\u0020\\u007f-\\u009f]+$", check_image, "debian/13\nbusybox", "a b", NULL};

/* ---- limits */

enum { CPU_LAST = 8191 }; /* NR_CPUS of the largest kernels */

static const char *check_cpus(const char *text, char *buf, size_t size)
{
	const char *p = text;
	long first = number(&p, CPU_LAST), last = first;

	if (first >= 0 && *p == '-') {
		p++;
		last = number(&p, CPU_LAST);
	}
	if (first < 0 || last < 0 || *p)
		return general;
	if (last < first)
		return "the range ends before it begins";
	snprintf(buf, size, first == last ? "%ld" : "%ld-%ld", first, last);
	return NULL;
}
const struct spec_format format_cpus = {"a CPU or a range of CPUs", "write 0-3 or 7", "^[0-9]{1,9}(-[0-9]{1,9})?$",
	check_cpus, "0\n0-3\n8191", "a\n1-\n-1\n1-2-3\n0x1\n1 2", "3-1\n8192"};

static const char *check_hugepage(const char *text, char *buf, size_t size)
{
	size_t n = strspn(text, DIGITS);

	if (n == 0 || n > 6 || text[0] == '0' || !strchr("KMG", text[n]) || !text[n] || text[n + 1])
		return general;
	return same(text, buf, size);
}
const struct spec_format format_hugepage = {"a size of huge pages", "write 2M or 1G", "^[1-9][0-9]{0,5}[KMG]$",
	check_hugepage, "2M\n1G\n64K", "2\nM\n2MB\n02M\n2m", NULL};

/* ---- devices and mounts */

/* The target replaces what is there inside: never the whole root. */
static const char *check_target(const char *text, char *buf, size_t size)
{
	if (text[0] != '/')
		return general;
	return text[strspn(text, "/")] ? same(text, buf, size) : "it is the VE's root itself";
}
const struct spec_format format_target = {"a path inside the VE", "name a folder or file beneath /", "^/+[^/]",
	check_target, "/srv/data\n/a b", "/\n//\nsrv", "/a/../b\n/.."};

static const char *check_device(const char *text, char *buf, size_t size)
{
	return strncmp(text, "/dev/", 5) || !text[5] ? general : same(text, buf, size);
}
const struct spec_format format_device = {"a device node", "name one beneath /dev: /dev/fuse", "^/dev/.", check_device,
	"/dev/fuse\n/dev/net/tun", "/dev\n/dev/\n/srv/fuse\nfuse", "/dev/../etc"};

static const char *check_file_mode(const char *text, char *buf, size_t size)
{
	size_t n = strlen(text);

	if (n < 3 || n > 4 || strspn(text, "01234567") != n)
		return general;
	if (n == 4 && text[0] != '0')
		return "a device has no setuid, setgid or sticky bit";
	snprintf(buf, size, "%s%s", n == 3 ? "0" : "", text);
	return NULL;
}
const struct spec_format format_file_mode = {"a mode in octal", "write 0660", "^0?[0-7]{3}$", check_file_mode,
	"0660\n0600", "rw\n66\n0888\n00660\n1666", NULL};

static const char *check_access(const char *text, char *buf, size_t size)
{
	size_t n = 0;

	if (strspn(text, "rwm") != strlen(text) || !*text)
		return general;
	for (const char *p = "rwm"; *p; p++) {
		const char *found = strchr(text, *p);
		if (found && strchr(found + 1, *p))
			return "a letter is there twice";
		if (found && n + 1 < size)
			buf[n++] = *p;
	}
	buf[n] = '\0';
	return NULL;
}
const struct spec_format format_access = {"an access", "write r (read), w (write) and m (mknod): rw", "^[rwm]{1,3}$",
	check_access, "r\nrw\nrwm", "x\nrwx\nrwmr\nR", "rr"};

static const char *check_filesystem(const char *text, char *buf, size_t size)
{
	return of(text, LOWER DIGITS "_.-", 32, buf, size);
}
const struct spec_format format_filesystem = {"a file system", "write its name as in /proc/filesystems: tmpfs",
	"^[a-z0-9_.-]{1,32}$", check_filesystem, "tmpfs\next4", "EXT4\na b\next4,ro", NULL};

static const char *check_mount_option(const char *text, char *buf, size_t size)
{
	size_t n = strspn(text, LOWER DIGITS "_-");

	if (n == 0 || (text[n] && text[n] != '='))
		return general;
	return same(text, buf, size);
}
const struct spec_format format_mount_option = {"a mount option", "write ro, nosuid or size=64M", "^[a-z0-9_-]+(=.*)?$",
	check_mount_option, "ro\nsize=64M\nnosuid", "RO\n=ro\na b", NULL};

/* ---- confinement */

static const char *check_capability(const char *text, char *buf, size_t size)
{
	char name[64];
	cap_value_t value;

	if (!strncasecmp(text, "cap_", 4))
		text += 4;
	if ((size_t)snprintf(name, sizeof(name), "cap_%s", text) >= sizeof(name))
		return too_long;
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	/* libcap also takes numbers, and what this libcap does not know cannot be a kernel's promise to a user. */
	if (isdigit((unsigned char)name[4]) || cap_from_name(name, &value) < 0)
		return general;
	return same(name + 4, buf, size);
}
const struct spec_format format_capability = {"a capability", "capabilities(7) has the names: net_admin",
	"^([Cc][Aa][Pp]_)?[A-Za-z][A-Za-z_0-9]{1,58}$", check_capability, "net_admin\nsys_rawio\nchown",
	"net-admin\n12\ncap net_admin", "net_adm\ncap_cap_chown"};

/* What belongs to a namespace of the VE's own; the rest is the host's and read-only inside. */
static const char *const namespaced[] = {"net.", "user.", "fs.mqueue.", "kernel.shm", "kernel.msg", "kernel.sem",
	"kernel.auto_msgmni", "kernel.domainname", "kernel.pid_max", "kernel.ns_last_pid"};

static const char *check_sysctl(const char *text, char *buf, size_t size)
{
	const char *p = text;

	for (;;) {
		size_t n = strspn(p, LOWER UPPER DIGITS "_/-");
		if (n == 0 || (p[n] && p[n] != '.'))
			return general;
		if (*p == '/' || p[n - 1] == '/')
			return "a / stands for a dot within a part, and not at its ends";
		if (!p[n])
			break;
		p += n + 1;
	}
	if (!strcmp(text, "kernel.hostname"))
		return "the key hostname is for that";
	for (size_t i = 0; i < ARRAY_SIZE(namespaced); i++) {
		size_t n = strlen(namespaced[i]);
		if (!strncmp(text, namespaced[i], n) && (namespaced[i][n - 1] != '.' || text[n]))
			return same(text, buf, size);
	}
	return "it belongs to the host, and to no namespace of a VE";
}
const struct spec_format format_sysctl = {"a sysctl of a namespace",
	"sysctls of a VE are net.*, user.*, fs.mqueue.*, and those of IPC: kernel.shm*, kernel.msg*, kernel.sem",
	"^[A-Za-z0-9_-][A-Za-z0-9_/-]*([.][A-Za-z0-9_-][A-Za-z0-9_/-]*)*$", check_sysctl,
	"net.ipv4.ip_forward\nkernel.shmmax\nfs.mqueue.msg_max\nnet.ipv4.conf.eth0/1.forwarding",
	"net..ipv4\nnet.ipv4.\n.net\nnet.ip v4\n/etc", "vm.swappiness\nkernel.hostname\nnet.a/"};

static const char *check_seccomp(const char *text, char *buf, size_t size)
{
	if (strcmp(text, "default") && strcmp(text, "strict") && strcmp(text, "unconfined") && *text != '/')
		return general;
	return (size_t)snprintf(buf, size, "%s", text) >= size ? too_long : NULL;
}
const struct spec_format format_seccomp = {"a system call filter",
	"write default, strict, unconfined, or an absolute path", "^(default|strict|unconfined|/.*)$", check_seccomp,
	"default\nstrict\nunconfined\n/etc/vectl/seccomp", "Default\nprofile.bpf\nnone", NULL};

static const char *check_apparmor(const char *text, char *buf, size_t size)
{
	return strchr(text, ' ') ? "a blank is in it" : same(text, buf, size);
}
const struct spec_format format_apparmor = {"an AppArmor profile",
	"write unconfined, or the name of a profile that is loaded", "^[^\\u0000-\\u0020\\u007f-\\u009f]+$",
	check_apparmor, "unconfined\nvectl-default", "a b", NULL};
