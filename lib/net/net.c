/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What net.* comes to on this host: addresses that are the VE's alone, gateways, hardware addresses. */
#include "lib/net/net.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/fault.h"
#include "lib/base/hash.h"
#include "lib/base/util.h"
#include "lib/host/conf.h"
#include "lib/net/internal.h"
#include "lib/net/lease.h"

static const char tried[] = "give the VE its addresses";

/* Of each interface of each VE another one, and always the same. */
static uint64_t hash_of(const char *uuid, const char *interface, unsigned turn)
{
	char text[LEASE_UUID + IF_NAMESIZE + 16];
	FORMAT(text, "%s/%s/%u", uuid, interface, turn);
	return net_mix(hash_string(text));
}

void net_mac(const char *uuid, const char *interface, unsigned char ret[6])
{
	uint64_t h = hash_of(uuid, interface, 0);
	for (int i = 0; i < 6; i++)
		ret[i] = (unsigned char)(h >> 8 * i);
	ret[0] = (ret[0] & 0xfc) | 2;
}

void net_ip(const struct net_address *a, struct veth_ip *ret)
{
	*ret = (struct veth_ip){.family = (unsigned char)a->family,
		.prefix = (unsigned char)a->prefix,
		.size = a->family == AF_INET ? 4 : 16};
	memcpy(ret->byte, a->byte, sizeof ret->byte);
}

static const char *family_key(int family)
{
	return family == AF_INET ? "ipv4" : "ipv6";
}

/* ---- vectl's own network, as far as a VE is on it */

static const struct net_address *pool_of(const struct net_own *own, int family)
{
	return family == AF_INET ? &own->ipv4 : &own->ipv6;
}

static int uses_own(const struct net_wish *w)
{
	return w->i.managed || w->auto_ipv4 || w->auto_ipv6;
}

static int no_pool(const struct net_wish *w, const struct net_own *own, int family, struct error *e)
{
	char key[48], remedy[96];
	FORMAT(key, "net.%s.%s", w->i.name, family_key(family));
	FORMAT(remedy, "unset it: vectl unset NAME %s", key);
	return error_set(e, VE_E_HOST, EAFNOSUPPORT, tried, remedy,
		own->no_ipv6 ? "%s: vectl.conf says that vectl's own network has no IPv6"
			     : "%s: IPv6 is switched off on this host",
		key);
}

/* An address, or a gateway, of a VE on the own bridge is of its network. */
static int check_own(const struct net_wish *w, const struct net_own *own, const struct net_address *a, const char *last,
	struct error *e)
{
	const struct net_address *pool = pool_of(own, a->family);
	struct net_address network = *pool;
	char text[NET_ADDRESS_TEXT], pool_text[NET_ADDRESS_TEXT], remedy[160];
	int is_address = strcmp(last, "gateway") != 0;
	if (net_address_is_link_local(a))
		return 0;
	if (!pool->family)
		return no_pool(w, own, a->family, e);
	net_address_text(a, is_address, text);
	for (unsigned i = pool->prefix; i < net_address_bits(pool); i++)
		network.byte[i / 8] &= (unsigned char)~(0x80 >> i % 8);
	net_address_text(&network, 1, pool_text);
	if (is_address && net_address_same(a, pool))
		return error_set(e, VE_E_BUSY, EADDRINUSE, tried, "write another one of that network, or auto",
			"net.%s.%s: %s is the host's own in vectl's network", w->i.name, last, text);
	if (net_address_within(a, pool) && (!is_address || a->prefix == pool->prefix))
		return 0;
	if (is_address)
		FORMAT(remedy, "write one of it with /%u, or auto, or name a bridge of the host's: net.%s.link=BRIDGE",
			pool->prefix, w->i.name);
	else
		FORMAT(remedy, "leave it out: it is the host then");
	return error_set(e, VE_E_SPEC, EINVAL, tried, remedy, "net.%s.%s: %s is not of vectl's own network, %s",
		w->i.name, last, text, pool_text);
}

/* ---- taking */

/* What a take has come to so far. */
struct taking {
	struct ve *ve;
	const char *uuid;
	const struct net_own *own;
	struct lease_file *before, *after; /* after: what is asked for now */
	struct net_address *fresh;         /* taken now: given back on failure */
	unsigned nfresh;
	struct error *e;
};

static int hold(struct taking *t, const struct net_wish *w, const struct net_address *a, int is_auto, int take_over,
	char holder[64])
{
	if (t->after->n == LEASES_MAX)
		return error_set(t->e, VE_E_SPEC, E2BIG, tried, "unset what is not needed", "more than %d addresses",
			LEASES_MAX);
	int r = lease_take(t->ve, t->uuid, w->i.name, a, take_over, holder, t->e);
	if (r < 0)
		return r;
	if (r > 0)
		t->fresh[t->nfresh++] = *a;
	fault_point("net", 1);
	struct lease *l = &t->after->lease[t->after->n++];
	*l = (struct lease){.is_auto = is_auto, .address = *a};
	FORMAT(l->interface, "%s", w->i.name);
	return 0;
}

static int hold_static(struct taking *t, const struct net_wish *w, const struct net_address *a)
{
	char holder[64] = "", text[NET_ADDRESS_TEXT];
	if (net_address_is_link_local(a))
		return 0; /* everybody's, on each link */
	int r = w->i.managed ? check_own(w, t->own, a, family_key(a->family), t->e) : 0;
	if (r || (r = hold(t, w, a, 0, 1, holder)) != -EADDRINUSE || t->e->code)
		return r;
	net_address_text(a, 0, text);
	if (!*holder)
		return error_set(t->e, VE_E_FAILED, EBADMSG, tried, "vectl doctor --repair",
			"net.%s.%s: the lease of %s is damaged", w->i.name, family_key(a->family), text);
	return error_set(t->e, VE_E_BUSY, EADDRINUSE, tried, "choose another one, or take it from that VE first",
		"net.%s.%s: %s is the address of VE '%s'", w->i.name, family_key(a->family), text, holder);
}

/* The n-th that a VE may try: IPv4 all of the pool, one after the other; IPv6 any. -EADDRNOTAVAIL: not one for a VE. */
static int candidate(const struct net_address *pool, uint64_t hash, uint64_t n, struct net_address *ret)
{
	unsigned bits = net_address_bits(pool) - pool->prefix;
	struct net_address a = *pool;
	uint64_t host = pool->family == AF_INET ? (hash + n) & ((1ull << bits) - 1) : net_mix(hash + n);
	for (unsigned i = 0; i < bits; i++) {
		unsigned bit = net_address_bits(pool) - 1 - i, mask = 0x80u >> bit % 8;
		unsigned set = i < 64 ? host >> i & 1 : 0;
		a.byte[bit / 8] = (unsigned char)((a.byte[bit / 8] & ~mask) | (set ? mask : 0));
	}
	*ret = a;
	return net_address_is_network(&a) || net_address_is_broadcast(&a) || net_address_same(&a, pool) ? -EADDRNOTAVAIL
													: 0;
}

static int pick(struct taking *t, const struct net_wish *w, int family, int take_over)
{
	const struct net_address *pool = pool_of(t->own, family);
	unsigned bits = net_address_bits(pool) - pool->prefix;
	uint64_t hash = hash_of(t->uuid, w->i.name, 1), n = 0, most = bits < 24 ? 1ull << bits : 1 << 24;
	/* Of 2^64 the first is free, and a few more are for who fears that it is not. */
	if (family == AF_INET6 && most > 65536)
		most = 65536;
	for (; n < most; n++) {
		struct net_address a;
		char holder[64] = "";
		if (candidate(pool, hash, n, &a) || lease_find(t->after, &a))
			continue;
		int r = hold(t, w, &a, 1, take_over, holder);
		if (r != -EADDRINUSE || t->e->code)
			return r;
	}
	return -EADDRINUSE;
}

static int hold_auto(struct taking *t, const struct net_wish *w, int family)
{
	const struct net_address *pool = pool_of(t->own, family);
	char holder[64] = "", text[NET_ADDRESS_TEXT];
	int r;
	if (!pool->family)
		return no_pool(w, t->own, family, t->e);
	/* What it had it keeps, as long as the pool is the same. */
	for (unsigned i = 0; i < t->before->n; i++) {
		const struct lease *l = &t->before->lease[i];
		struct net_address a = l->address;
		a.prefix = pool->prefix;
		if (!l->is_auto || a.family != family || strcmp(l->interface, w->i.name) ||
			!net_address_within(&a, pool) || net_address_same(&a, pool) || lease_find(t->after, &a))
			continue;
		r = hold(t, w, &a, 1, 1, holder);
		if (r != -EADDRINUSE || t->e->code)
			return r;
	}
	/* Stale leases are looked for only when nothing else is left. */
	r = pick(t, w, family, 0);
	if (r == -EADDRINUSE && !t->e->code)
		r = pick(t, w, family, 1);
	if (r != -EADDRINUSE || t->e->code)
		return r;
	net_address_text(pool, 1, text);
	return error_set(t->e, VE_E_BUSY, ENOSPC, tried,
		"destroy VEs that are not needed, or name a larger network in vectl.conf",
		"net.%s.%s: all addresses of vectl's own network are taken (%s)", w->i.name, family_key(family), text);
}

static int hold_all(struct taking *t, const struct net_wish *w, int n)
{
	int r = 0;
	/* Those that are asked for by name first: what is picked keeps away from them. */
	for (int i = 0; !r && i < n; i++)
		for (unsigned k = 0; !r && k < w[i].i.naddresses; k++)
			r = hold_static(t, &w[i], &w[i].i.address[k]);
	for (int i = 0; !r && i < n; i++) {
		for (unsigned k = 0; w[i].i.managed && !r && k < w[i].i.ngateways; k++)
			r = check_own(&w[i], t->own, &w[i].i.gateway[k], "gateway", t->e);
		if (!r && w[i].auto_ipv4)
			r = hold_auto(t, &w[i], AF_INET);
		if (!r && w[i].auto_ipv6)
			r = hold_auto(t, &w[i], AF_INET6);
	}
	return r;
}

static int same_file(const struct lease_file *a, const struct lease_file *b)
{
	if (a->n != b->n || strcmp(a->uuid, b->uuid))
		return 0;
	for (unsigned i = 0; i < a->n; i++) {
		const struct lease *x = &a->lease[i], *y = &b->lease[i];
		if (strcmp(x->interface, y->interface) || x->is_auto != y->is_auto ||
			x->address.prefix != y->address.prefix || !net_address_same(&x->address, &y->address))
			return 0;
	}
	return 1;
}

/* What it holds already stays in the file, behind what is asked for, until it is given back. */
static int record(struct taking *t, int dir)
{
	for (unsigned i = 0; i < t->before->n; i++)
		if (!lease_find(t->after, &t->before->lease[i].address) && t->after->n < LEASES_MAX)
			t->after->lease[t->after->n++] = t->before->lease[i];
	return same_file(t->before, t->after) ? 0 : lease_write(dir, t->after, t->e);
}

static void free_taking(struct taking *t)
{
	free(t->before);
	free(t->after);
	free(t->fresh);
}

/* *ret_file, when it is wanted: what the VE holds now. */
static int take(struct ve *ve, int dir, const struct spec *s, const struct net_wish *w, int n,
	const struct net_own *own, struct lease_file **ret_file, struct error *e)
{
	__attribute__((cleanup(free_taking))) struct taking t = {.ve = ve,
		.uuid = spec_string(s, "uuid"),
		.own = own,
		.before = calloc(1, sizeof *t.before),
		.after = calloc(1, sizeof *t.after),
		.fresh = calloc(LEASES_MAX, sizeof *t.fresh),
		.e = e};
	if (!t.before || !t.after || !t.fresh)
		return error_sys(e, ENOMEM, tried, "memory");
	if (!t.uuid)
		return error_set(e, VE_E_SPEC, ENODATA, tried, "create the VE anew", "it has no uuid");
	int r = lease_read(dir, t.before, e);
	if (r)
		return r;
	if (strcmp(t.before->uuid, t.uuid))
		*t.before = (struct lease_file){0};
	FORMAT(t.after->uuid, "%s", t.uuid);
	r = hold_all(&t, w, n);
	fault_point("net", 2);
	if (!r)
		r = record(&t, dir);
	fault_point("net", 3);
	for (unsigned i = 0; r && i < t.nfresh; i++)
		lease_drop(ve->host, t.uuid, &t.fresh[i]);
	if (!r && ret_file)
		*ret_file = TAKE_PTR(t.after);
	return r;
}

/* Nothing of it is needed, or there at all, where no interface is on it. */
static int own_for(
	struct ve_host *host, const struct net_wish *w, int n, int make, struct net_own *ret, struct error *e)
{
	for (int i = 0; i < n; i++)
		if (uses_own(&w[i]))
			return own_read(host, make, ret, e);
	*ret = (struct net_own){0};
	return 0;
}

int net_take(struct ve *ve, int dir, const struct spec *s, struct error *e)
{
	cleanup_free struct net_wish *w = NULL;
	struct net_own own;
	int n = spec_interfaces(s, &w, e);
	if (n <= 0)
		return n;
	int r = own_for(ve->host, w, n, 1, &own, e);
	return r ? r : take(ve, dir, s, w, n, &own, NULL, e);
}

/* ---- giving back */

static int is_wanted(const struct lease *l, const struct net_wish *w, int n)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(w[i].i.name, l->interface))
			continue;
		if (l->is_auto)
			return l->address.family == AF_INET ? w[i].auto_ipv4 : w[i].auto_ipv6;
		for (unsigned k = 0; k < w[i].i.naddresses; k++)
			if (net_address_same(&w[i].i.address[k], &l->address))
				return 1;
	}
	return 0;
}

/* Of what was leased the file has first what holds now; a pool before it may have had another. */
static int is_outdated(const struct lease *l, const struct lease_file *keep)
{
	for (unsigned i = 0; l->is_auto && i < keep->n; i++)
		if (keep->lease[i].is_auto && keep->lease[i].address.family == l->address.family &&
			!strcmp(keep->lease[i].interface, l->interface))
			return 1;
	return 0;
}

int net_release_in(struct ve_host *host, int dir, const struct spec *s, const struct spec *also, struct error *e)
{
	cleanup_free struct lease_file *f = calloc(1, sizeof *f), *keep = calloc(1, sizeof *keep);
	cleanup_free struct net_wish *w = NULL, *more = NULL;
	int n = s ? spec_interfaces(s, &w, e) : 0, m = n < 0 ? n : also ? spec_interfaces(also, &more, e) : 0;
	if (m < 0)
		return m;
	if (!f || !keep)
		return error_sys(e, ENOMEM, tried, "memory");
	int r = lease_read(dir, f, e);
	if (r || !f->n)
		return r;
	FORMAT(keep->uuid, "%s", f->uuid);
	for (unsigned i = 0; i < f->n; i++)
		if (is_wanted(&f->lease[i], more, m) ||
			(is_wanted(&f->lease[i], w, n) && !is_outdated(&f->lease[i], keep)))
			keep->lease[keep->n++] = f->lease[i];
	/* First from the file: what is killed in between has a lease too many, not one that it lacks. */
	if (s && keep->n < f->n && (r = lease_write(dir, keep, e)))
		return r;
	fault_point("net", 4);
	for (unsigned i = 0; i < f->n; i++)
		if (!lease_find(keep, &f->lease[i].address))
			lease_drop(host, f->uuid, &f->lease[i].address);
	return 0;
}

static int open_folder(struct ve *ve, struct error *e)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/ve/%s", ve->host->data, ve->name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_sys(e, errno, tried, path) : fd;
}

int net_release(struct ve *ve, const struct spec *s, const struct spec *also, struct error *e)
{
	cleanup_fd int dir = open_folder(ve, e);
	return dir < 0 ? dir : net_release_in(ve->host, dir, s, also, e);
}

void net_renamed(struct ve *ve, int dir)
{
	cleanup_free struct lease_file *f = calloc(1, sizeof *f);
	struct error ignored = {0};
	char holder[64];
	if (!f || lease_read(dir, f, &ignored))
		return;
	for (unsigned i = 0; i < f->n; i++)
		lease_take(ve, f->uuid, f->lease[i].interface, &f->lease[i].address, 0, holder, &ignored);
}

/* ---- the whole */

static void add_address(struct net_interface *i, const struct net_address *a)
{
	if (i->naddresses < NET_ADDRESSES_MAX)
		i->address[i->naddresses++] = *a;
}

static int has_gateway(const struct net_interface *i, int family)
{
	return (i->ngateways > 0 && i->gateway[0].family == family) ||
	       (i->ngateways > 1 && i->gateway[1].family == family);
}

static void add_gateway(struct net_interface *i, const struct net_own *own, int family)
{
	struct net_address gateway = {0};
	unsigned k = 0;
	while (k < i->naddresses && i->address[k].family != family)
		k++;
	if (k == i->naddresses || has_gateway(i, family) || i->ngateways == ARRAY_SIZE(i->gateway))
		return;
	if (i->managed)
		gateway = *pool_of(own, family);
	else if (i->type == NET_ROUTED)
		net_address_parse(family == AF_INET ? NET_ROUTED_IPV4 : NET_ROUTED_IPV6, &gateway);
	if (!gateway.family)
		return;
	gateway.prefix = net_address_bits(&gateway);
	i->gateway[i->ngateways++] = gateway;
}

static void complete(struct net_wish *w, const char *uuid, const struct net_own *own, const struct lease_file *f)
{
	struct net_interface *i = &w->i;
	for (unsigned k = 0; k < f->n; k++) {
		const struct lease *l = &f->lease[k];
		struct net_address a = l->address;
		if (!l->is_auto || strcmp(l->interface, i->name) ||
			!(a.family == AF_INET ? w->auto_ipv4 : w->auto_ipv6) ||
			!net_address_within(&a, pool_of(own, a.family)))
			continue;
		/* One of each family; what else the file has is about to be given back. */
		*(a.family == AF_INET ? &w->auto_ipv4 : &w->auto_ipv6) = 0;
		a.prefix = pool_of(own, a.family)->prefix;
		add_address(i, &a);
	}
	if (i->managed)
		FORMAT(i->link, "%s", own->bridge);
	if (!w->has_mac)
		net_mac(uuid, i->name, i->mac);
	/* Of a network there is nothing on that link but the host, by whom all of it is reached. */
	for (unsigned k = 0; i->type == NET_ROUTED && k < i->naddresses; k++)
		if (!net_address_is_link_local(&i->address[k]))
			i->address[k].prefix = net_address_bits(&i->address[k]);
	add_gateway(i, own, AF_INET);
	add_gateway(i, own, AF_INET6);
}

static int interfaces_of(struct net_wish *w, int n, struct net_interface **ret, struct error *e)
{
	struct net_interface *list = calloc((size_t)n + 1, sizeof *list);
	if (!list)
		return error_sys(e, ENOMEM, tried, "memory");
	for (int i = 0; i < n; i++)
		list[i] = w[i].i;
	*ret = list;
	return n;
}

/* The firewall drops what it does not know of this prefix, so it is nobody else's: "ve-" is systemd-nspawn's. */
void net_host_prefix(const struct ve_host *host, char buf[IF_NAMESIZE])
{
	snprintf(buf, IF_NAMESIZE, *host->id ? "v%.8s-" : "vectl-", host->id);
}

/* Of the prefix and letters that fill it up: 45 random bits, or 25 behind a root's id. */
static int name_host_end(const struct ve_host *host, char name[IF_NAMESIZE], struct error *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char random[IF_NAMESIZE];
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return error_sys(e, errno, tried, "getrandom");
	net_host_prefix(host, name);
	for (size_t n = strlen(name); n < IF_NAMESIZE - 1; n++)
		name[n] = letters[random[n] & 31];
	name[IF_NAMESIZE - 1] = 0;
	return 0;
}

int net_resolve(struct ve *ve, const struct spec *s, struct net_interface **ret, struct error *e)
{
	cleanup_free struct net_wish *w = NULL;
	cleanup_free struct lease_file *f = NULL;
	cleanup_fd int dir = open_folder(ve, e);
	struct net_own own;
	int n = dir < 0 ? dir : spec_interfaces(s, &w, e), r;
	if (n < 0 || (r = own_for(ve->host, w, n, 1, &own, e)) || (n > 0 && (r = take(ve, dir, s, w, n, &own, &f, e))))
		return n < 0 ? n : r;
	for (int i = 0; i < n; i++) {
		complete(&w[i], f->uuid, &own, f);
		if ((r = name_host_end(ve->host, w[i].i.host, e)))
			return r;
	}
	return interfaces_of(w, n, ret, e);
}

int net_look(struct ve *ve, const struct spec *s, struct net_interface **ret, struct error *e)
{
	cleanup_free struct net_wish *w = NULL;
	cleanup_free struct lease_file *f = calloc(1, sizeof *f);
	cleanup_fd int dir = open_folder(ve, e);
	const char *uuid = spec_string(s, "uuid");
	struct net_own own = {0};
	int n = dir < 0 ? dir : spec_interfaces(s, &w, e), r;
	if (n < 0)
		return n;
	if (!f)
		return error_sys(e, ENOMEM, tried, "memory");
	if ((r = lease_read(dir, f, e)) || ((r = own_for(ve->host, w, n, 0, &own, e)) && r != -ENOENT))
		return r;
	if (!uuid || strcmp(f->uuid, uuid))
		f->n = 0;
	for (int i = 0; i < n; i++) {
		complete(&w[i], uuid ?: "", &own, f);
		net_host_prefix(ve->host, w[i].i.host);
		strcat(w[i].i.host, "*"); /* a prefix has 10 bytes at most */
	}
	return interfaces_of(w, n, ret, e);
}

const char *const net_shared_losses[] = {
	"whatever listens on the host's 127.0.0.1 and ::1 can be reached by every program in the VE",
	"so can the host's abstract Unix sockets, which have no mode: what does not ask who connects obeys the VE",
	"programs in the VE can take any free port from 1024 on (net.ipv4.ip_unprivileged_port_start), before the "
	"host's",
	"they see the host's interfaces, addresses and connections, and speak from its addresses, unfiltered and "
	"uncounted",
	NULL,
};

/* ---- specs */

static int lacks(const char *path, const char *text, void *arg)
{
	const struct spec *other = arg;
	const char *there = !strncmp(path, "net.", 4) ? spec_string(other, path) : text;
	return !there || strcmp(there, text);
}

int net_same(const struct spec *a, const struct spec *b)
{
	return !spec_each(a, lacks, (void *)b) && !spec_each(b, lacks, (void *)a);
}

static int is_net(const char *path, const char *text, void *arg)
{
	return !strncmp(path, "net.", 4);
}

int net_defaults(struct ve_host *host, struct spec *s, struct error *e)
{
	struct host_conf c;
	struct net_own own;
	int r;
	if (strcmp(spec_string(s, "network"), "private") || spec_each(s, is_net, NULL))
		return 0;
	if ((r = conf_read(host, &c, e)) || c.network.type == CONF_NONE)
		return r;
	r = spec_put(s, "net.eth0.type", c.network.type == CONF_ROUTED ? "routed" : "bridge", e);
	/* Whose addresses there are on a bridge of the host's vectl cannot know: the guest asks, by DHCP. */
	if (!r && *c.network.bridge)
		return (r = spec_put(s, "net.eth0.link", c.network.bridge, e))
			       ? r
			       : spec_put(s, "net.eth0.filter", "mac,dhcp,ra", e);
	if (r || (r = own_read(host, 1, &own, e)) || (r = spec_put(s, "net.eth0.ipv4", "auto", e)))
		return r;
	return own.ipv6.family ? spec_put(s, "net.eth0.ipv6", "auto", e) : 0;
}
