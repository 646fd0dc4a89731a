/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/listeners.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/util.h"

enum { STATE_LISTEN = 10, STATE_UDP_FREE = 7 /* bound, and connected to nobody */ };

/* The kernel prints addresses as words of the host's byte order. */
static int read_address(const char *hex, int words, unsigned char *ret)
{
	for (int w = 0; w < words; w++) {
		char word[9] = "";
		memcpy(word, hex + (size_t)w * 8, 8);
		char *end;
		uint32_t value = (uint32_t)strtoul(word, &end, 16);
		if (end != word + 8)
			return -EBADMSG;
		memcpy(ret + (size_t)w * 4, &value, 4);
	}
	return 0;
}

static int is_any(const unsigned char *address, size_t size)
{
	static const unsigned char none[16];
	return !memcmp(address, none, size);
}

/* Does who is bound to `address` get what is sent to where `port` is published in the family `wanted`? */
static int meets(const struct net_port *port, int wanted, int family, const unsigned char *address)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	const size_t size = family == AF_INET ? 4 : 16;
	if (port->address.family && port->address.family != wanted)
		return 0;
	if (family == AF_INET6 && is_any(address, size))
		return 1; /* of both families mostly; which, is not told */
	if (family == AF_INET6 && !memcmp(address, mapped, sizeof mapped)) {
		address += sizeof mapped;
		family = AF_INET;
	}
	if (family != wanted)
		return 0;
	return !port->address.family || is_any(address, family == AF_INET ? 4 : 16) ||
	       !memcmp(address, port->address.byte, family == AF_INET ? 4 : 16);
}

static int look(const char *path, int family, const struct net_port *port, int families, unsigned *ret_port,
	unsigned long *ret_inode)
{
	const int words = family == AF_INET ? 1 : 4, wanted = port->udp ? STATE_UDP_FREE : STATE_LISTEN;
	char line[512];
	cleanup_file FILE *f = fopen(path, "re");
	if (!f || !fgets(line, sizeof line, f))
		return 0;
	while (fgets(line, sizeof line, f)) {
		char local[40], remote[48];
		unsigned char address[16];
		unsigned number, state;
		unsigned long inode;
		if (sscanf(line, " %*d: %39[0-9A-F]:%x %47s %x %*s %*s %*s %*u %*u %lu", local, &number, remote, &state,
			    &inode) != 5 ||
			strlen(local) != (size_t)words * 8 || read_address(local, words, address))
			continue;
		if (state != (unsigned)wanted) {
			if (!port->udp)
				return 0; /* those that listen are first, and there may be many others */
			continue;
		}
		if (number >= port->first && number <= port->last &&
			(((families & LISTENERS_IPV4) && meets(port, AF_INET, family, address)) ||
				((families & LISTENERS_IPV6) && meets(port, AF_INET6, family, address)))) {
			*ret_port = number;
			*ret_inode = inode;
			return 1;
		}
	}
	return 0;
}

static int has_socket(int proc, const char *pid, const char *wanted)
{
	char path[64], target[64];
	if (FORMAT(path, "%s/fd", pid) < 0)
		return 0;
	int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int found = 0;
	if (!d && fd >= 0)
		close(fd);
	for (const struct dirent *entry; d && !found && (entry = readdir(d));) {
		ssize_t n = readlinkat(fd, entry->d_name, target, sizeof target - 1);
		if (n > 0) {
			target[n] = 0;
			found = !strcmp(target, wanted);
		}
	}
	if (d)
		closedir(d);
	return found;
}

/* The name is of the process's own choosing. */
static void put_name(int proc, const char *pid, char *ret, size_t size)
{
	char path[64], name[32] = "";
	FORMAT(path, "%s/comm", pid);
	cleanup_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof name - 1);
	name[n > 0 ? n : 0] = 0;
	name[strcspn(name, "\n")] = 0;
	for (char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '?';
	snprintf(ret, size, "%s, pid %s", name, pid);
}

static void find_process(unsigned long inode, char *ret, size_t size)
{
	char wanted[48];
	DIR *d = opendir("/proc");
	*ret = 0;
	FORMAT(wanted, "socket:[%lu]", inode);
	for (const struct dirent *entry; d && !*ret && (entry = readdir(d));)
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && has_socket(dirfd(d), entry->d_name, wanted))
			put_name(dirfd(d), entry->d_name, ret, size);
	if (d)
		closedir(d);
}

/* What bind() says of it costs microseconds; the lists in /proc, milliseconds. 1: somebody may be there. */
static int try_bind(const struct net_port *p, int family, unsigned number)
{
	static const int on = 1;
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number)};
	const int is4 = family == AF_INET;
	cleanup_fd int fd = socket(family, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0; /* the host has no such family */
	if (p->address.family && is4)
		memcpy(&in4.sin_addr, p->address.byte, 4);
	else if (p->address.family)
		memcpy(&in6.sin6_addr, p->address.byte, 16);
	/* An address that comes later is none that is taken. Connections that have ended do not count. */
	setsockopt(fd, is4 ? IPPROTO_IP : IPPROTO_IPV6, is4 ? IP_FREEBIND : IPV6_FREEBIND, &on, sizeof on);
	if (!is4)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (!p->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	const struct sockaddr *at = is4 ? (const struct sockaddr *)&in4 : (const struct sockaddr *)&in6;
	return bind(fd, at, is4 ? sizeof in4 : sizeof in6) && errno == EADDRINUSE;
}

static int may_be_taken(const struct net_port *p, int families)
{
	for (unsigned number = p->first; number <= p->last; number++) {
		if ((families & LISTENERS_IPV4) && p->address.family != AF_INET6 && try_bind(p, AF_INET, number))
			return 1;
		if ((families & LISTENERS_IPV6) && p->address.family != AF_INET && try_bind(p, AF_INET6, number))
			return 1;
	}
	return 0;
}

int listeners_find(const struct net_port *port, int families, unsigned *ret_port, char *ret_who, size_t size)
{
	const char *paths[] = {port->udp ? "/proc/thread-self/net/udp" : "/proc/thread-self/net/tcp",
		port->udp ? "/proc/thread-self/net/udp6" : "/proc/thread-self/net/tcp6"};
	if (!may_be_taken(port, families))
		return 0;
	for (int k = 0; k < 2; k++) {
		unsigned long inode;
		if (!look(paths[k], k ? AF_INET6 : AF_INET, port, families, ret_port, &inode))
			continue;
		find_process(inode, ret_who, size);
		return 1;
	}
	return 0;
}
