/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vectl's own network of a root: what vectl.conf says of it, and where that says nothing, a network that nobody on this
 * host uses, picked once and kept in DATA/net/own.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/host/conf.h"
#include "lib/net/internal.h"

static const char tried[] = "pick a network for VEs";

enum { TENS = 256, SEVENTEENS = 16, NINETEENS = 256, CANDIDATES = TENS + SEVENTEENS + NINETEENS };

/* All private networks (RFC 1918) in the pieces that may be ours, from 10.128.0.0/16 on. */
void own_candidate(unsigned n, struct net_address *ret)
{
	struct net_address a = {.family = AF_INET, .prefix = 16, .byte = {10, 0, 0, 1}};
	if (n < TENS) {
		a.byte[1] = (unsigned char)(128 + n);
	} else if (n < TENS + SEVENTEENS) {
		a.byte[0] = 172;
		a.byte[1] = (unsigned char)(16 + n - TENS);
	} else {
		a.byte[0] = 192;
		a.byte[1] = 168;
		a.byte[2] = (unsigned char)(n - TENS - SEVENTEENS);
		a.prefix = 24;
	}
	*ret = a;
}

/* ---- what the host uses */

struct in_use {
	unsigned own_bridge; /* its index: what leads there is no obstacle */
	unsigned char taken[CANDIDATES];
};

static void mark(struct in_use *u, const struct net_address *used)
{
	for (unsigned i = 0; i < CANDIDATES; i++) {
		struct net_address c;
		own_candidate(i, &c);
		if (net_address_within(&c, used) || net_address_within(used, &c))
			u->taken[i] = 1;
	}
}

static int on_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct net_address to = {.family = AF_INET, .prefix = m->rtm_dst_len};
	struct in_use *u = arg;
	const struct nlattr *a;
	/* The default route leads everywhere, and one that refuses what has no better one is none. */
	if (m->rtm_family != AF_INET || !m->rtm_dst_len || m->rtm_dst_len > 32 ||
		(m->rtm_dst_len < 16 && m->rtm_type >= RTN_BLACKHOLE && m->rtm_type <= RTN_THROW))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof *m)
	{
		if (mnl_attr_get_payload_len(a) != 4)
			continue;
		if (mnl_attr_get_type(a) == RTA_DST)
			memcpy(to.byte, mnl_attr_get_payload(a), 4);
		if (mnl_attr_get_type(a) == RTA_OIF && u->own_bridge && mnl_attr_get_u32(a) == u->own_bridge)
			return MNL_CB_OK;
	}
	mark(u, &to);
	return MNL_CB_OK;
}

/* Also of links that are down: they have no routes until they are up. */
static int on_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct net_address at = {.family = AF_INET, .prefix = m->ifa_prefixlen};
	struct in_use *u = arg;
	const struct nlattr *a;
	if (m->ifa_family != AF_INET || m->ifa_prefixlen > 32 || (u->own_bridge && m->ifa_index == u->own_bridge))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof *m)
	{
		int type = mnl_attr_get_type(a);
		if ((type != IFA_ADDRESS && type != IFA_LOCAL) || mnl_attr_get_payload_len(a) != 4)
			continue;
		memcpy(at.byte, mnl_attr_get_payload(a), 4);
		mark(u, &at);
	}
	return MNL_CB_OK;
}

static int ask(struct mnl_socket *nl, int type, mnl_cb_t cb, struct in_use *u)
{
	char buf[32768];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = (uint32_t)type;
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->rtm_family = AF_INET; /* where ifaddrmsg has it as well */
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	for (int r = MNL_CB_OK; r > MNL_CB_STOP;) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof buf);
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, (unsigned)type, mnl_socket_get_portid(nl), cb, u);
		if (r < 0)
			return -errno;
	}
	return 0;
}

static int look_around(const char *bridge, struct in_use *u)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl)
		return -errno;
	u->own_bridge = if_nametoindex(bridge);
	int r = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : ask(nl, RTM_GETROUTE, on_route, u);
	if (!r)
		r = ask(nl, RTM_GETADDR, on_address, u);
	mnl_socket_close(nl);
	return r;
}

/* ---- picking */

static int pick(struct ve_host *host, struct net_own *own, struct error *e)
{
	struct in_use u = {0};
	int r = -EINTR; /* what is asked for has changed meanwhile */
	for (int turn = 0; r == -EINTR && turn < 16; turn++) {
		u = (struct in_use){0};
		r = look_around(own->bridge, &u);
	}
	if (r)
		return error_sys(e, -r, tried, "the host's routes");
	/* Roots start at different places, so that two of them meet only where one has not yet used its network. */
	unsigned first = (unsigned)(net_mix(hash_string(host->root)) % (TENS / 2)), i = 0, n = 0;
	for (; i < CANDIDATES; i++) {
		n = i < TENS / 2 ? (first + i) % (TENS / 2) : i;
		if (!u.taken[n])
			break;
	}
	if (i == CANDIDATES)
		return error_set(e, VE_E_HOST, EADDRNOTAVAIL, tried,
			"name one in vectl.conf: {\"network\": {\"ipv4\": \"10.97.0.0/16\"}}",
			"this host has routes to all private networks");
	own_candidate(n, &own->ipv4);
	/* RFC 4193: 40 random bits. */
	own->ipv6 = (struct net_address){.family = AF_INET6, .prefix = 64, .byte = {0xfd, [15] = 1}};
	if (getrandom(own->ipv6.byte + 1, 5, 0) != 5)
		return error_sys(e, errno, tried, "getrandom");
	return 0;
}

/* ---- the record */

static int read_member(const struct json *j, const char *key, int family, struct net_address *ret)
{
	const char *text = json_string(j, key);
	struct net_address a;
	if (!text || net_address_parse(text, &a) || a.family != family || a.prefix >= net_address_bits(&a) ||
		net_address_is_network(&a))
		return -EBADMSG;
	*ret = a;
	return 0;
}

static int read_record(const char *path, struct net_own *own, struct error *e)
{
	cleanup_free char *text = NULL;
	cleanup_json struct json *j = NULL;
	struct error ignored = {0};
	size_t size;
	int r = read_file_at(AT_FDCWD, path, 4096, &text, &size);
	if (r == -ENOENT)
		return r;
	if (r < 0)
		return error_sys(e, -r, tried, path);
	if (json_parse(text, size, path, tried, &j, &ignored) || read_member(j, "ipv4", AF_INET, &own->ipv4) ||
		read_member(j, "ipv6", AF_INET6, &own->ipv6))
		return error_set(e, VE_E_FAILED, EBADMSG, tried,
			"remove it: another network is picked, and VEs get addresses of that", "%s: damaged", path);
	return 0;
}

static int write_record(const char *path, const struct net_own *own, struct error *e)
{
	char ipv4[NET_ADDRESS_TEXT], ipv6[NET_ADDRESS_TEXT];
	cleanup_free char *text = NULL;
	struct json_writer *w = jw_new(1);
	net_address_text(&own->ipv4, 1, ipv4);
	net_address_text(&own->ipv6, 1, ipv6);
	jw_object(w, NULL);
	jw_integer(w, "format", 1);
	jw_string(w, "ipv4", ipv4);
	jw_string(w, "ipv6", ipv6);
	jw_end(w);
	int r = w ? jw_finish(w, &text) : -ENOMEM;
	if (!r)
		r = write_file_atomic_at(AT_FDCWD, path, text, strlen(text), 0600);
	return r < 0 ? error_sys(e, -r, tried, path) : 0;
}

static int pick_once(struct ve_host *host, const char *path, struct net_own *own, struct error *e)
{
	char lock[PATH_MAX];
	int r = net_make_folder(host, e);
	if (r)
		return r;
	FORMAT(lock, "%s/net/.lock", host->data);
	cleanup_fd int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(e, errno, tried, lock);
	r = lock_wait(fd);
	if (r < 0)
		return error_sys(e, -r, tried, lock);
	r = read_record(path, own, e);
	if (r != -ENOENT)
		return r;
	r = pick(host, own, e);
	return r ? r : write_record(path, own, e);
}

/* ---- */

/* A network namespace without IPv6 has not even the folder. */
static int has_ipv6(void)
{
	static const char *const path[] = {
		"/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6"};
	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		cleanup_free char *text = NULL;
		if (read_file_at(AT_FDCWD, path[i], 64, &text, NULL) < 0 || atoi(text) != 0)
			return 0;
	}
	return 1;
}

int own_read(struct ve_host *host, int make, struct net_own *ret, struct error *e)
{
	char path[PATH_MAX];
	struct host_conf c;
	struct net_own own = {0};
	int r = conf_read(host, &c, e);
	if (r)
		return r;
	if (*host->id)
		FORMAT(own.bridge, "vebr-%s", host->id);
	else
		FORMAT(own.bridge, "vebr0");
	FORMAT(path, "%s/net/own", host->data);
	if (!c.network.ipv4.family || (!c.network.ipv6.family && !c.network.no_ipv6)) {
		r = read_record(path, &own, e);
		if (r == -ENOENT && make)
			r = pick_once(host, path, &own, e);
		if (r)
			return r;
	}
	if (c.network.ipv4.family)
		own.ipv4 = c.network.ipv4;
	if (c.network.ipv6.family)
		own.ipv6 = c.network.ipv6;
	if (c.network.no_ipv6 || !has_ipv6())
		own.ipv6.family = 0;
	own.no_ipv6 = c.network.no_ipv6;
	own.forbid_nat = !c.network.nat;
	*ret = own;
	return 0;
}

int net_own(struct ve_host *host, struct net_own *ret, struct error *e)
{
	return own_read(host, 1, ret, e);
}
