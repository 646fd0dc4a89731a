/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/internal.h"

#define COUNT_TOP (INT64_MAX - 1) /* what is above is SPEC_MAX, "max" */
#define ID_TOP    (((int64_t)1 << 31) - 65536)
#define U         SPEC_UNSUPPORTED
#define APPLIED   (SPEC_LIVE | SPEC_APPLIED)
#define RLIMIT(name, doc)                                                                                              \
	{                                                                                                              \
		"rlimit." name, SPEC_COUNT, APPLIED, 0, COUNT_TOP, NULL, NULL, doc                                     \
	}

/*
 * Rows of one group stand together. Lists have no fallback: what an absent list means is said where it is used.
 * clang-format off: one row a line.
 */
/* clang-format off */
const struct spec_key spec_keys[] = {
	{"name", SPEC_NAME, SPEC_READONLY, 0, 0, NULL, NULL, "The VE's name."},
	{"uuid", SPEC_UUID, SPEC_READONLY, 0, 0, NULL, NULL, "Fresh for each create and clone; what the guest's machine id comes from."},
	{"hostname", SPEC_HOSTNAME, APPLIED, 0, 64, NULL, NULL, "The UTS name, and what /etc/hostname is set to. Not set: the VE's name until the guest's init sets what its /etc/hostname says; that file is left alone, also by unset."},
	{"image", SPEC_STRING, SPEC_READONLY, 0, 255, NULL, NULL, "The image that the VE was created from."},
	{"arch", SPEC_STRING, SPEC_READONLY, 0, 32, NULL, NULL, "The image's architecture, as uname -m has it."},
	{"init", SPEC_LIST, 0, 0, 63, NULL, NULL, "The command line of PID 1. Not set: the first of /usr/lib/systemd/systemd, /lib/systemd/systemd, /sbin/init."},
	{"env.*", SPEC_STRING, SPEC_FREE_KEY | SPEC_EMPTY, 0, 4096, NULL, NULL, "A variable in PID 1's environment; it may be empty. Refused are those that vectl gives it itself: container, container_uuid, CREDENTIALS_DIRECTORY, NOTIFY_SOCKET, LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES."},
	{"userns.base", SPEC_INTEGER, 0, 65536, ID_TOP, NULL, NULL, "The first of the VE's 65536 host ids, a multiple of 65536. Not set: from the pool of vectl.conf."},
	{"privileged", SPEC_BOOL, 0, 0, 0, NULL, "false", "True: no user namespace. Root inside is root of the host for the kernel, and is not contained when hostile."},
	{"cpu.count", SPEC_INTEGER, U, 1, 8192, NULL, NULL, "How many CPUs the guest sees."},
	{"cpu.limit", SPEC_PERCENT, U, 1, 819200, NULL, NULL, "CPU quota in per cent of one CPU: 150%."},
	{"cpu.weight", SPEC_INTEGER, U, 1, 10000, NULL, NULL, "Share of the CPU under contention."},
	{"cpu.set", SPEC_LIST, U, 0, 0, NULL, NULL, "CPUs that the VE may run on: 0-3,7."},
	{"memory.max", SPEC_SIZE, U, 1, COUNT_TOP, NULL, NULL, "Memory that the VE can have."},
	{"memory.high", SPEC_SIZE, U, 1, COUNT_TOP, NULL, NULL, "Memory above which the VE is slowed down."},
	{"memory.low", SPEC_SIZE, U, 0, COUNT_TOP, NULL, NULL, "Memory that is left to the VE while others can give some up."},
	{"memory.swap", SPEC_SIZE, U, 0, COUNT_TOP, NULL, NULL, "Swap, on top of memory.max."},
	{"pids.max", SPEC_COUNT, U, 1, COUNT_TOP, NULL, NULL, "Processes and threads at once."},
	{"hugetlb.*", SPEC_COUNT, U, 0, COUNT_TOP, NULL, NULL, "Huge pages of that size: hugetlb.2M."},
	RLIMIT("as", "Address space of one process, bytes. Soft and hard limit, as all of rlimit; set in a VE that runs, it holds for init and for what is started from then on."),
	RLIMIT("core", "Core files, bytes."),
	RLIMIT("cpu", "CPU time of one process, seconds."),
	RLIMIT("data", "Data segments, bytes."),
	RLIMIT("fsize", "Size of a file, bytes."),
	RLIMIT("locks", "File locks."),
	RLIMIT("memlock", "Locked memory, bytes."),
	RLIMIT("msgqueue", "POSIX message queues, bytes."),
	RLIMIT("nice", "Ceiling of the nice value, as 20 minus it."),
	RLIMIT("nofile", "Open files of one process."),
	RLIMIT("nproc", "Processes of one user."),
	RLIMIT("rss", "Resident memory, bytes; without effect on Linux."),
	RLIMIT("rtprio", "Ceiling of the real-time priority."),
	RLIMIT("rttime", "Real-time CPU time without a blocking call, microseconds."),
	RLIMIT("sigpending", "Queued signals."),
	RLIMIT("stack", "Stack, bytes."),
	{"io.weight", SPEC_INTEGER, U, 1, 10000, NULL, NULL, "Share of block I/O under contention."},
	{"io.*.rbps", SPEC_SIZE, U, 1, COUNT_TOP, NULL, NULL, "Bytes read from that device in a second."},
	{"io.*.wbps", SPEC_SIZE, U, 1, COUNT_TOP, NULL, NULL, "Bytes written to that device in a second."},
	{"io.*.riops", SPEC_COUNT, U, 1, COUNT_TOP, NULL, NULL, "Reads from that device in a second."},
	{"io.*.wiops", SPEC_COUNT, U, 1, COUNT_TOP, NULL, NULL, "Writes to that device in a second."},
	{"disk.size", SPEC_SIZE, U, 1 << 20, COUNT_TOP, NULL, NULL, "Quota on what the VE writes."},
	{"disk.inodes", SPEC_COUNT, U, 1, COUNT_TOP, NULL, NULL, "Quota on files that the VE makes."},
	{"storage", SPEC_ENUM, 0, 0, 0, "overlay|btrfs|loop|dir", "overlay", "How the VE's disk is kept."},
	{"network", SPEC_ENUM, 0, 0, 0, "private|none|host", "private", "private: a network namespace of its own; none: one with loopback alone; host: the host's, which the VE can use, and not change; see vectl-network(7)."},
	{"net.*.type", SPEC_ENUM, 0, 0, 0, "bridge|routed|macvlan|phys", NULL, "bridge, which is meant when it is not set: a port of a bridge. routed: no bridge, but a route of the host's for each address. macvlan: on a device of the host's, unfiltered, so with filter=off alone; see vectl-network(7)."},
	{"net.*.link", SPEC_STRING, 0, 0, 15, NULL, NULL, "The host's bridge; of type macvlan, the device that it is on; of type routed, the device whose neighbours the host answers for the VE's addresses. Not set: vectl's own network, see vectl.conf(5); of type routed, for each address the device on whose network it is."},
	{"net.*.mac", SPEC_STRING, 0, 0, 17, NULL, NULL, "Its hardware address. Not set: made from the VE's uuid and the interface's name."},
	{"net.*.ipv4", SPEC_LIST, APPLIED, 0, 16, NULL, NULL, "IPv4 addresses, with prefix length; auto is one of vectl's own network, kept until the VE is destroyed or this is changed. No two VEs can have the same."},
	{"net.*.ipv6", SPEC_LIST, APPLIED, 0, 16, NULL, NULL, "IPv6 addresses, as net.*.ipv4."},
	{"net.*.gateway", SPEC_LIST, APPLIED, 0, 2, NULL, NULL, "Where default routes lead, one a family. Not set: to the host in vectl's own network and with type routed, else nowhere."},
	{"net.*.mtu", SPEC_INTEGER, APPLIED, 68, 65535, NULL, NULL, "Largest packet, in bytes. Not set: as the bridge, or a macvlan's device, has it."},
	{"net.*.vlan", SPEC_INTEGER, 0, 1, 4094, NULL, NULL, "The one VLAN that the VE is in, untagged, on a bridge of the host's that has vlan_filtering on."},
	{"net.*.rate_in", SPEC_RATE, APPLIED, 1000, COUNT_TOP, NULL, NULL, "Bits that the VE receives in a second, at most."},
	{"net.*.rate_out", SPEC_RATE, APPLIED, 1000, COUNT_TOP, NULL, NULL, "Bits that the VE sends in a second, at most."},
	{"net.*.filter", SPEC_LIST, APPLIED, 0, 0, "mac|ipv4|ipv6|dhcp|ra|off", NULL, "What the VE is kept from sending: mac, ipv4 and ipv6 from addresses that are not its own; dhcp and ra what only a server or router sends. Not set: all of it. off: nothing."},
	{"net.*.ports", SPEC_LIST, APPLIED, 0, 64, NULL, NULL, "Ports of the host that lead to the VE, [ADDRESS:]HOST:VE[/PROTOCOL], a port or a range each: 8080:80/tcp."},
	{"dns.servers", SPEC_LIST, 0, 0, 16, NULL, NULL, "The name servers in the guest's /etc/resolv.conf. Not set: the host's, but for those that only the host can reach."},
	{"dns.search", SPEC_LIST, 0, 0, 32, NULL, NULL, "The search domains there. Not set: the host's, with its servers."},
	{"mount.*.source", SPEC_PATH, APPLIED, 0, 0, NULL, NULL, "The host's path, through no symbolic link: a folder or a file; with `type` what the file system is mounted from."},
	{"mount.*.target", SPEC_PATH, APPLIED, 0, 0, NULL, NULL, "The path inside; made where it is missing, reached through no link that leaves the VE."},
	{"mount.*.type", SPEC_STRING, APPLIED, 0, 32, NULL, NULL, "File system type: tmpfs, or that of a block device. Not set: a bind mount."},
	{"mount.*.options", SPEC_LIST, APPLIED, 0, 0, NULL, NULL, "Of ro, rw, nosuid, noexec, dev, noatime, relatime, bind, rbind and their opposites; with `type` the file system's too. nodev unless dev is asked for."},
	{"mount.*.idmap", SPEC_BOOL, APPLIED, 0, 0, NULL, NULL, "Whether owners are mapped, so that 0 there is 0 inside; not set: they are. False: as the host sees them."},
	{"device.*.path", SPEC_PATH, APPLIED, 0, 0, NULL, NULL, "The host's device node; it is at the same path inside, beneath /dev."},
	{"device.*.mode", SPEC_STRING, APPLIED, 0, 4, NULL, NULL, "Its mode inside, in octal; not set: 0660."},
	{"device.*.uid", SPEC_INTEGER, APPLIED, 0, 65535, NULL, NULL, "Its owner inside; not set: 0."},
	{"device.*.gid", SPEC_INTEGER, APPLIED, 0, 65535, NULL, NULL, "Its group inside; not set: 0."},
	{"device.*.access", SPEC_STRING, APPLIED, 0, 3, NULL, NULL, "What may be done with it, of r, w and m; not set: rw."},
	{"features", SPEC_LIST, 0, 0, 0, "nesting|fuse|tun|keyctl|mknod", NULL, "What the guest may do beyond the default: fuse and tun are its devices, /dev/fuse and /dev/net/tun, mode 0666."},
	{"caps.keep", SPEC_LIST, 0, 0, 64, NULL, NULL, "Capabilities, over the VE's own namespaces, that the guest has besides the default ones: sys_rawio. Some break the guest's own start."},
	{"caps.drop", SPEC_LIST, 0, 0, 64, NULL, NULL, "Capabilities that nothing in the VE has: net_raw,mknod."},
	{"seccomp", SPEC_STRING, 0, 0, 4096, NULL, "default", "The system call filter: default, strict, unconfined, or a file."},
	{"apparmor", SPEC_STRING, U, 0, 255, NULL, NULL, "The AppArmor profile."},
	{"sysctl.*", SPEC_STRING, SPEC_FREE_KEY | APPLIED, 0, 1024, NULL, NULL, "A sysctl that belongs to one of the VE's namespaces, set before init is there: net.*, user.*, fs.mqueue.*, kernel.shm*, kernel.msg*, kernel.sem."},
	{"boot.auto", SPEC_BOOL, U, 0, 0, NULL, NULL, "Whether the VE starts with the host."},
	{"boot.order", SPEC_INTEGER, U, 0, 1000000, NULL, NULL, "Lower starts first."},
	{"boot.delay", SPEC_SECONDS, U, 0, 86400, NULL, NULL, "Wait after this VE before the next one is started."},
	{"boot.on_exit", SPEC_ENUM, APPLIED, 0, 0, "stop|restart|restart-on-failure", "stop", "What follows an init that ended by itself: restart also after a poweroff inside, restart-on-failure only where it crashed or exited with a failure. Never after a stop."},
	{"stop.signal", SPEC_SIGNAL, SPEC_LIVE, 1, 64, NULL, NULL, "The signal that asks init to shut down. Not set: what the kind of init understands, see vectl-lifecycle(1)."},
	{"stop.timeout", SPEC_SECONDS, SPEC_LIVE, 1, 86400, NULL, "90", "How long stop waits before it kills."},
	{"hooks.pre-start", SPEC_PATH, 0, 0, 0, NULL, NULL, "Executable of the host's, run before the start; its failure refuses that."},
	{"hooks.start", SPEC_PATH, 0, 0, 0, NULL, NULL, "Run when init has been executed; its failure undoes the start."},
	{"hooks.stop", SPEC_PATH, APPLIED, 0, 0, NULL, NULL, "Run before init is asked to shut down; not by stop --force."},
	{"hooks.post-stop", SPEC_PATH, APPLIED, 0, 0, NULL, NULL, "Run once when all of the VE has gone, after a crash too."},
	{"labels.*", SPEC_STRING, SPEC_FREE_KEY | SPEC_LIVE, 0, 4096, NULL, NULL, "A tag of your own; nothing looks at it but `list --label`."},
	{"suspended", SPEC_STRING, SPEC_LIVE, 0, 1024, NULL, NULL, "A reason: start and restart are refused with it. Setting it stops nothing."},
	{NULL},
};
/* clang-format on */

size_t spec_component(const char *path)
{
	return strcspn(path, ".");
}

enum match { MATCH_NONE, MATCH_GROUP, MATCH_KEY };

/* GROUP: the row's key goes on where the path ends. */
static enum match match(const struct spec_key *row, const char *path)
{
	const char *key = row->key;

	for (;;) {
		size_t k = spec_component(key), p = spec_component(path);
		bool any = k == 1 && *key == '*';

		if (p == 0)
			return MATCH_NONE;
		if (any && !key[k] && row->flags & SPEC_FREE_KEY)
			return MATCH_KEY;
		if (!any && (k != p || memcmp(key, path, k) != 0))
			return MATCH_NONE;
		if (!path[p])
			return key[k] ? MATCH_GROUP : MATCH_KEY;
		if (!key[k])
			return MATCH_NONE;
		key += k + 1;
		path += p + 1;
	}
}

const struct spec_key *spec_find_key(const char *path)
{
	const struct spec_key *row;

	for (row = spec_keys; row->key; row++)
		if (match(row, path) == MATCH_KEY)
			return row;
	return NULL;
}

int spec_is_group(const char *path)
{
	const struct spec_key *row;

	for (row = spec_keys; row->key; row++)
		if (match(row, path) == MATCH_GROUP)
			return 1;
	return 0;
}

int spec_is_free_group(const char *path)
{
	const struct spec_key *row;
	size_t n = strlen(path);

	for (row = spec_keys; row->key; row++)
		if (row->flags & SPEC_FREE_KEY && !strncmp(row->key, path, n) && !strcmp(row->key + n, ".*"))
			return 1;
	return 0;
}

size_t spec_group_length(const char *row_key)
{
	const char *star = strstr(row_key, ".*.");

	return star ? (size_t)(star - row_key) + 2 : 0;
}

enum { WORD = 96 };

/* Edits between two words: a letter more, less or other, or two exchanged. */
static unsigned distance(const char *a, const char *b)
{
	unsigned char row[3][WORD + 1];
	unsigned char *before = row[0], *last = row[1], *now = row[2], *swap;
	size_t n = strlen(a), m = strlen(b), i, j;

	if (n > WORD || m > WORD)
		return WORD;
	for (j = 0; j <= m; j++)
		last[j] = (unsigned char)j;
	for (i = 1; i <= n; i++) {
		now[0] = (unsigned char)i;
		for (j = 1; j <= m; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1u < best)
				best = last[j] + 1u;
			if (now[j - 1] + 1u < best)
				best = now[j - 1] + 1u;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1u < best)
				best = before[j - 2] + 1u;
			now[j] = (unsigned char)best;
		}
		swap = before;
		before = last;
		last = now;
		now = swap;
	}
	return last[m];
}

/* The row's key with what the path has where the key has `*`: what the user may have meant. -1: it does not fit. */
static int meant(const struct spec_key *row, const char *path, char *buf, size_t size)
{
	const char *key = row->key;
	size_t used = 0;

	while (*key) {
		size_t k = spec_component(key), p = spec_component(path), n = k;
		const char *from = key;

		if (k == 1 && *key == '*' && p > 0) {
			from = path;
			n = row->flags & SPEC_FREE_KEY ? strlen(path) : p;
		}
		if (used + n + 2 > size)
			return -1;
		memcpy(buf + used, from, n);
		used += n;
		key += k;
		path += from == path ? n : p;
		path += *path == '.';
		if (*key) {
			buf[used++] = '.';
			key++;
		}
	}
	buf[used] = '\0';
	return 0;
}

static const struct spec_key *nearest(const char *path, char *buf, size_t size)
{
	const struct spec_key *row, *best = NULL;
	size_t length = strlen(path);
	unsigned least = (unsigned)(1 + length / 4);
	char words[WORD + 1];

	if (length > WORD || !length)
		return NULL;
	for (row = spec_keys; row->key; row++) {
		const char *last = strrchr(row->key, '.');
		unsigned d;

		if (meant(row, path, words, sizeof(words)) < 0)
			continue;
		d = distance(path, words);
		/* The right word without its group is as near as one slip of the finger. */
		if (d > 1 && last && !strcmp(last + 1, path))
			d = 1;
		if (d < least || (d == least && !best)) {
			if (buf && (size_t)snprintf(buf, size, "%s", words) >= size)
				continue;
			least = d;
			best = row;
		}
	}
	return best;
}

const char *spec_nearest_key(const char *path)
{
	const struct spec_key *row = nearest(path, NULL, 0);

	return row ? row->key : NULL;
}

int spec_nearest_words(const char *path, char *buf, size_t size)
{
	return nearest(path, buf, size) != NULL;
}
