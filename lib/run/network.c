/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/run/network.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/net/bridge.h"
#include "lib/net/firewall.h"
#include "lib/net/netlink.h"
#include "lib/net/proxy.h"
#include "lib/net/rate.h"
#include "lib/net/resolver.h"
#include "lib/net/traffic.h"
#include "lib/net/watch.h"
#include "lib/run/event.h"
#include "lib/run/hosts.h"
#include "lib/run/spawn.h"

/* In the root's runtime folder: an empty file for each link whose VE has ended, named after it. */
#define GONE ".links"

enum { GRACE_MS = 500 /* a namespace ends within 43 ms, 62 at worst */, RECORD_MAX = 1 << 20 };

int network_of(struct ve *ve, const struct spec *s, int take, struct network *ret, struct error *e)
{
	struct network n = {0};
	int r = (take ? net_resolve : net_look)(ve, s, &n.interfaces, e);
	if (r < 0)
		return r;
	n.n = (size_t)r;
	/* Also where no interface is on it: the firewall's rules are one for all VEs of a root. */
	r = n.n ? net_own(ve->host, &n.own, e) : 0;
	if (r >= 0)
		r = proxy_find(n.interfaces, n.n, e);
	if (r >= 0 && (n.n || !strcmp(spec_string(s, "network"), "host")))
		r = net_resolver(ve->host, s, &n.resolver, e);
	if (r < 0) {
		network_free_p(&n);
		return r;
	}
	*ret = n;
	return 0;
}

int network_save_traffic(struct ve *ve, const struct net_interface *i, size_t n, int wait)
{
	int r = traffic_save(ve->host, ve->name, i, n, wait);
	if (r) {
		struct json_writer *w = event_begin("traffic-lost");
		jw_string(w, "subject", TRAFFIC_FILE);
		jw_integer(w, "errno", r < 0 ? -r : EBADMSG);
		event_end(ve, w);
	}
	fault_point("traffic", 1);
	return r;
}

/* Where one can still be told: what was counted before this start. */
static void check_traffic(struct ve *ve, int dir)
{
	char line[PATH_MAX + 128];
	if (network_save_traffic(ve, NULL, 0, 0) <= 0)
		return;
	int n = FORMAT(line,
		"the traffic that it had before, which is counted anew: %s/ve/%s/" TRAFFIC_FILE
		": damaged, kept as " TRAFFIC_DAMAGED "\n",
		ve->host->data, ve->name);
	cleanup_fd int fd = openat(dir, "notes", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (n > 0 && fd >= 0)
		write_all(fd, line, (size_t)n);
}

static int firewall_step(struct ve *ve, const struct network *n, int dir, struct error *e)
{
	cleanup_free char *record = NULL;
	check_traffic(ve, dir);
	int r = firewall_record(n->interfaces, n->n, &record);
	if (r >= 0)
		r = write_file_atomic_at(dir, FIREWALL_RECORD, record, strlen(record), 0600);
	if (r < 0)
		return error_sys(e, -r, "start", FIREWALL_RECORD);
	if ((r = firewall_ready(ve->host, &n->own, e)) < 0)
		return r;
	/* A link of its own gets this from the keeper; a bridge of the administrator's stays as it is. */
	for (size_t i = 0; i < n->n && r >= 0; i++)
		if (n->interfaces[i].managed && n->interfaces[i].nports)
			r = net_loopback_out(n->interfaces[i].link, e);
	if (r < 0 || (r = firewall_add(ve->host, n->interfaces, n->n, e)))
		return r;
	hosts_write(ve, n->interfaces, n->n);
	return 0;
}

static int proxy_step(const struct plan_step *s, struct error *e)
{
	struct net_uplink up = {.index = (unsigned)s->n[0]};
	struct net_address a;
	FORMAT(up.name, "%s", s->s[1]);
	int r = net_address_parse(s->s[0], &a);
	return r ? error_sys(e, -r, "start", s->s[0]) : proxy_add(&a, &up, e);
}

int network_step(struct ve *ve, const struct plan_step *s, const struct network *n, int dir, struct error *e)
{
	const char *addresses[3] = {0};
	size_t k = 0;
	int ipv6 = 0;
	switch (s->op) {
	case OP_BRIDGE:
		if (!s->n[0])
			return net_bridge_check(s->s[0], (unsigned)s->n[1], e);
		for (const char *p = s->s[1]; p <= s->s[1] + s->len[1] && k < 2; p += strlen(p) + 1)
			addresses[k++] = p;
		return net_bridge_make(s->s[0], addresses, e);
	case OP_PARENT:
		return net_parent(ve->host, s->s[0], (unsigned)s->n[0], NULL, e);
	case OP_FORWARDING:
		for (size_t i = 0; i < n->n; i++)
			for (unsigned j = 0; j < n->interfaces[i].naddresses; j++)
				ipv6 |= n->interfaces[i].address[j].family == AF_INET6;
		return net_forwarding(ipv6, e);
	case OP_PROXY:
		return proxy_step(s, e);
	default:
		return firewall_step(ve, n, dir, e);
	}
}

static int open_gone(struct ve_host *host)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/" GONE, host->run);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* 1: a link that is there is left to ve_reap_links; 0: it is not there, and nobody is left who would make it. */
static int mark_gone(int gone, const char *name)
{
	if (!if_nametoindex(name))
		return 0;
	cleanup_fd int fd = openat(gone, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : 1;
}

/* Where nothing can be written, it is waited for here. */
static int leave(int gone, const char *name)
{
	int r = gone < 0 ? gone : mark_gone(gone, name);
	if (r < 0)
		net_link_delete(name);
	return r;
}

/* Closed by a process that nobody waits for, when that costs nothing any more: see firewall_remove. */
static void leave_socket(const struct ve *ve, int fd)
{
	static const char *const sleep[] = {"sleep", "0.1", NULL};
	cleanup_fd int null = fd < 0 || ve->reaping ? -EBADF : open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[] = {null, null, null, fd};
	if (null >= 0)
		spawn_detached(-1, "/bin/sleep", sleep, fds, ARRAY_SIZE(fds));
}

/* The routes too: those of a link that is still there would hide from the next start where the addresses lie. */
static int undo_routed(const struct net_interface *i, struct error *e)
{
	const uint32_t index = if_nametoindex(i->host);
	cleanup_fd int fd = index ? netlink_open() : -EBADF;
	struct veth_ip ip;
	int r = 0;
	for (unsigned k = 0; k < i->naddresses && !r; k++) {
		if (i->uplink[k].index)
			r = proxy_drop(&i->address[k], &i->uplink[k], e);
		net_ip(&i->address[k], &ip);
		ip.prefix = ip.size * 8;
		if (fd >= 0)
			veth_drop_host_route(fd, index, &ip);
	}
	return r;
}

int network_undo(struct ve *ve, int dir, struct error *e)
{
	static const char tried[] = "remove what the VE left";
	cleanup_free char *text = NULL;
	cleanup_free struct net_interface *list = NULL;
	/* Without a record, too: whoever removed that may have been killed before the names. */
	hosts_forget(ve);
	int r = read_file_at(dir, FIREWALL_RECORD, RECORD_MAX, &text, NULL);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_sys(e, -r, tried, FIREWALL_RECORD);
	int n = firewall_parse(text, &list);
	if (n < 0)
		return error_set(e, VE_E_FAILED, EBADMSG, tried,
			"remove its links (ip link) and then that file by hand", "%s/%s/" FIREWALL_RECORD ": damaged",
			ve->host->run, ve->name);
	network_save_traffic(ve, list, (size_t)n, 0);
	/* In this order, since the lock is given back first then, and the socket closed last. */
	cleanup_fd int socket = -EBADF, lock = -EBADF;
	if ((r = firewall_leave(ve->host, list, (size_t)n, &lock, &socket, e)) < 0)
		return r;
	fault_point("traffic", 2);
	for (int i = 0; i < n; i++)
		if (list[i].type == NET_ROUTED && (r = undo_routed(&list[i], e)) < 0)
			return r;
	cleanup_fd int gone = open_gone(ve->host);
	int left = 0;
	for (int i = 0; i < n; i++) {
		char name[IF_NAMESIZE];
		rate_link_name(list[i].host, name);
		left |= leave(gone, list[i].host) > 0;
		if (list[i].rate_out)
			left |= leave(gone, name) > 0;
	}
	if (unlinkat(dir, FIREWALL_RECORD, 0) && errno != ENOENT)
		return error_sys(e, errno, tried, FIREWALL_RECORD);
	if (lock >= 0)
		close(TAKE_FD(lock));
	leave_socket(ve, socket);
	return left;
}

static int64_t age_ms(const struct stat *st)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - st->st_mtim.tv_sec) * 1000ll + (now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
}

int ve_reap_links(struct ve_host *host)
{
	cleanup_fd int gone = open_gone(host);
	DIR *d = gone < 0 ? NULL : fdopendir(fcntl(gone, F_DUPFD_CLOEXEC, 3));
	struct dirent *de;
	int next = 0;
	while (d && (de = readdir(d))) {
		struct stat st;
		if (de->d_name[0] == '.' || fstatat(gone, de->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		int64_t left = GRACE_MS - age_ms(&st);
		if ((left <= 0 || left > GRACE_MS) && net_link_delete(de->d_name) >= 0) {
			unlinkat(gone, de->d_name, 0);
			continue;
		}
		int due = left > 0 && left < GRACE_MS ? (int)left : GRACE_MS;
		next = !next || due < next ? due : next;
	}
	if (d)
		closedir(d);
	return next;
}

int ve_firewall_fd(struct ve_host *host)
{
	struct error *e = host_begin(host);
	int fd = watch_open();
	return fd < 0 ? error_set(e, VE_E_HOST, -fd, "watch the firewall", NULL, "nftables: %s", strerror(-fd)) : fd;
}

int ve_firewall_repair(struct ve_host *host, int fd)
{
	struct error *e = host_begin(host);
	struct net_own own;
	if (fd >= 0)
		watch_drain(fd);
	if (!firewall_is_used(host))
		return 0;
	int r = net_own(host, &own, e);
	return r < 0 ? r : firewall_repair(host, &own, e);
}
