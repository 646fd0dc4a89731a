/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/firewall.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/net/listeners.h"
#include "lib/net/nft.h"
#include "lib/net/traffic.h"

static const char tried_ready[] = "set up the firewall";
static const char tried_add[] = "put the VE into the firewall";
static const char tried_remove[] = "take the VE out of the firewall";

enum {
	RULES = 2, /* number of the ruleset in cmd/ve-firewall: another one with each change there */
	COMMENT_MAX = 128,
	RECORD_LIMIT = 1 << 20,
	MAKE_TIMEOUT_MS = 60000,
	REMOVE_TURNS = 8,
};

static const int families[] = {ELEMENT_BRIDGE, ELEMENT_INET, ELEMENT_ARP};

void firewall_table(const char *root_id, char buf[FIREWALL_TABLE_MAX])
{
	snprintf(buf, FIREWALL_TABLE_MAX, *root_id ? "vectl-%s" : "vectl", root_id);
}

static int lock_firewall(struct ve_host *host, const char *tried, struct error *e)
{
	char path[PATH_MAX];
	FORMAT(path, "%s/.firewall", host->run);
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(e, errno, tried, path);
	int r = lock_wait(fd);
	return r < 0 ? error_sys(e, -r, tried, path) : TAKE_FD(fd);
}

/* ---- the tables */

static void address_text(const struct net_address *a, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "";
	if (!a->family || !inet_ntop(a->family, a->byte, text, sizeof text))
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%s/%u", text, a->prefix);
}

/* What the tables are made for; it stands in them as their comment. */
struct wanted {
	char table[FIREWALL_TABLE_MAX], comment[COMMENT_MAX];
	char ipv4[64], ipv6[64];
	const char *nat;
};

static void want(const struct ve_host *host, const struct net_own *own, struct wanted *ret)
{
	static const struct net_own none = {.forbid_nat = 1};
	if (!own)
		own = &none;
	firewall_table(host->id, ret->table);
	address_text(&own->ipv4, ret->ipv4, sizeof ret->ipv4);
	address_text(&own->ipv6, ret->ipv6, sizeof ret->ipv6);
	ret->nat = own->forbid_nat ? "plain" : "nat";
	snprintf(ret->comment, sizeof ret->comment, "vectl: rules %d, %s %s %s", RULES, ret->nat, ret->ipv4, ret->ipv6);
}

struct tables {
	const struct wanted *wanted;
	unsigned good;
	int counting; /* one that has counters is there */
	int foreign;  /* a family whose table of this name is not vectl's */
};

static int comment_of(const struct nlmsghdr *h, char buf[COMMENT_MAX + 1])
{
	const struct nlattr *a;
	*buf = 0;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		/* A list of type, length, value; the comment, with its NUL, is of type 0. */
		const unsigned char *data = mnl_attr_get_payload(a);
		if (mnl_attr_get_type(a) == NFTA_TABLE_USERDATA && mnl_attr_get_payload_len(a) >= 2 && !data[0] &&
			data[1] <= COMMENT_MAX && data[1] + 2 <= mnl_attr_get_payload_len(a))
			snprintf(buf, COMMENT_MAX + 1, "%.*s", data[1], (const char *)data + 2);
	}
	return !*buf;
}

static unsigned rules_of(const struct nlmsghdr *h)
{
	const struct nlattr *a;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFTA_CHAIN_USE && mnl_attr_get_payload_len(a) == 4)
			return ntohl(mnl_attr_get_u32(a));
	}
	return 0;
}

/* Chains that the kernel calls, by whose rules it is seen whether somebody has flushed a table. */
static const struct {
	int family;
	const char *name;
} hooks[] = {{ELEMENT_BRIDGE, "from_port"}, {ELEMENT_INET, "from_port"}, {ELEMENT_ARP, "from_port"},
	{ELEMENT_INET, "publish_outside"}, {ELEMENT_INET, "publish_host"}, {ELEMENT_INET, "leave"}};

static void on_table(void *arg, unsigned request, int error, const struct nlmsghdr *answer)
{
	struct tables *t = arg;
	char comment[COMMENT_MAX + 1];
	if (error)
		return;
	if (request >= ARRAY_SIZE(families)) {
		t->good += rules_of(answer) > 0;
		return;
	}
	t->counting |= families[request] != ELEMENT_ARP;
	comment_of(answer, comment);
	if (!strcmp(comment, t->wanted->comment))
		t->good++;
	else if (strncmp(comment, "vectl: ", 7))
		t->foreign = families[request];
}

static const char *family_name(int family)
{
	return family == ELEMENT_BRIDGE ? "bridge" : family == ELEMENT_INET ? "inet" : "arp";
}

/*
 * 1: all is there; 0: not. One question to the kernel, which is what each start pays. `surely`: the lock is held.
 * Without it there may be a table that is none: while a transaction ends, what it made and removed again can be seen.
 * *ret_counting: one that has counters is there.
 */
static int look(const struct wanted *w, int surely, int *ret_counting, struct error *e)
{
	cleanup_nft struct nft n = {0};
	struct tables t = {.wanted = w};
	int r = nft_open(&n, w->table);
	if (r < 0)
		return error_sys(e, -r, tried_ready, "netlink");
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		nft_get_table(&n, families[i]);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		nft_get_chain(&n, hooks[i].family, hooks[i].name);
	r = nft_send(&n, on_table, &t);
	*ret_counting = t.counting;
	if (t.foreign && surely)
		return error_set(e, VE_E_HOST, EEXIST, tried_ready, "give that table another name",
			"there is a table `%s %s` that is not vectl's", family_name(t.foreign), w->table);
	return !r && t.good == ARRAY_SIZE(families) + ARRAY_SIZE(hooks);
}

static void on_line(void *arg, const char *line)
{
	snprintf(arg, 256, "%s", line);
}

static int make(struct ve_host *host, const struct wanted *w, int counting, int lock, struct error *e)
{
	char program[PATH_MAX], said[256] = "", prefix[IF_NAMESIZE];
	net_host_prefix(host, prefix);
	/* What goes with the old ones. Without those nothing is filtered until this is done. */
	if (counting)
		traffic_save_all(host);
	if (FORMAT(program, "%s/ve-firewall", host_libexec_dir) < 0)
		return error_sys(e, ENAMETOOLONG, tried_ready, host_libexec_dir);
	const char *const argv[] = {program, w->table, w->comment, host->run, w->nat, w->ipv4, w->ipv6, prefix, NULL};
	struct host_child child = {.argv = argv,
		.in = lock, /* held until it has ended, should this process be killed */
		.out = -1,
		.err = -1,
		.timeout_ms = MAKE_TIMEOUT_MS,
		.on_line = on_line,
		.arg = said};
	int status = host_run(host, &child, e);
	if (status < 0)
		return status;
	/* An older libnftables dies over what a newer one has left in the kernel. */
	if (WIFSIGNALED(status))
		return error_set(e, VE_E_HOST, EIO, tried_ready,
			"see whether `nft list tables` works: what another version left can end it: reboot, or remove "
			"it",
			"ve-firewall was ended by signal %d", WTERMSIG(status));
	if (status)
		return error_set(e, VE_E_HOST, EOPNOTSUPP, tried_ready,
			"a VE with a network needs the kernel's nf_tables for the families inet, bridge and arp",
			"nftables: %s", *said ? said : "ve-firewall ended without a word");
	return 0;
}

int firewall_is_used(const struct ve_host *host)
{
	char path[PATH_MAX];
	DIR *d = opendir(host->run);
	int used = !d && errno != ENOENT; /* that it cannot be told is no reason to have none */
	for (const struct dirent *entry; d && !used && (entry = readdir(d));)
		used = entry->d_name[0] != '.' &&
		       FORMAT(path, "%s/%s/" FIREWALL_RECORD, host->run, entry->d_name) >= 0 && !access(path, F_OK);
	if (d)
		closedir(d);
	return used;
}

/* 1: they are whole; 0: with `used`, no VE has a record. */
static int ready(struct ve_host *host, const struct net_own *own, int used, struct error *e)
{
	struct wanted w;
	want(host, own, &w);
	int counting = 0, r = look(&w, 0, &counting, e);
	if (r)
		return r;
	r = host_make_folders(host, e);
	if (r < 0)
		return r;
	cleanup_fd int lock = lock_firewall(host, tried_ready, e);
	if (lock < 0)
		return lock;
	if (used && !firewall_is_used(host)) /* asked with the lock, as firewall_gone does */
		return 0;
	r = look(&w, 1, &counting, e); /* somebody else may have made them while this one waited */
	if (r)
		return r;
	r = make(host, &w, counting, lock, e);
	return r < 0 ? r : 1;
}

int firewall_ready(struct ve_host *host, const struct net_own *own, struct error *e)
{
	int r = ready(host, own, 0, e);
	return r < 0 ? r : 0;
}

int firewall_repair(struct ve_host *host, const struct net_own *own, struct error *e)
{
	return ready(host, own, 1, e);
}

/* ---- elements */

struct list {
	struct element *element;
	int *state; /* errno of the last request that was about it, or what the function keeps there */
	size_t n, size;
};

static void list_free(struct list *l)
{
	free(l->element);
	free(l->state);
}
#define cleanup_list __attribute__((cleanup(list_free)))

static int on_element(void *arg, const struct element *element)
{
	struct list *l = arg;
	if (l->n == l->size) {
		size_t size = l->size ? 2 * l->size : 64;
		struct element *more = realloc(l->element, size * sizeof *more);
		if (!more)
			return -ENOMEM;
		l->element = more;
		l->size = size;
	}
	l->element[l->n++] = *element;
	return 0;
}

static int list_elements(const struct net_interface *i, size_t n, struct list *l)
{
	int r = 0;
	for (size_t k = 0; k < n && !r; k++)
		r = elements_of(&i[k], on_element, l);
	if (!r && !(l->state = calloc(l->n + 1, sizeof *l->state)))
		r = -ENOMEM;
	return r;
}

static int has_ports(const struct net_interface *i, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (i[k].nports)
			return 1;
	return 0;
}

static int same_key(const struct element *a, const struct element *b)
{
	return a->family == b->family && a->nkey == b->nkey && !strcmp(a->set, b->set) &&
	       !memcmp(a->key, b->key, a->nkey);
}

/* ---- whose a port is */

struct holder {
	const struct element *wanted;
	int found;
};

static int on_held(void *arg, const struct element *element)
{
	struct holder *h = arg;
	h->found = same_key(element, h->wanted);
	return h->found;
}

/* 1: a record other than that of `own` has it; a negative errno: it cannot be told, and may. */
static int record_holds(
	struct ve_host *host, const char *name, const struct net_interface *own, size_t n, const struct element *wanted)
{
	char path[PATH_MAX];
	cleanup_free char *text = NULL;
	cleanup_free struct net_interface *other = NULL;
	struct holder h = {.wanted = wanted};
	size_t size;
	if (FORMAT(path, "%s/%s/" FIREWALL_RECORD, host->run, name) < 0)
		return -ENAMETOOLONG;
	int r = read_file_at(AT_FDCWD, path, RECORD_LIMIT, &text, &size);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	int count = firewall_parse(text, &other);
	if (count < 0)
		return count;
	for (int k = 0; k < count; k++)
		for (size_t m = 0; m < n; m++)
			if (!strcmp(other[k].host, own[m].host))
				return 0;
	for (int k = 0; k < count && !h.found; k++)
		elements_of(&other[k], on_held, &h);
	return h.found;
}

/* 1: *ret_who has it, or may have it. */
static int find_holder(struct ve_host *host, const struct net_interface *own, size_t n, const struct element *wanted,
	char *ret_who, size_t size)
{
	DIR *d = opendir(host->run);
	int found = 0;
	if (!d)
		snprintf(ret_who, size, "a VE perhaps: %s: %s", host->run, strerror(errno));
	for (const struct dirent *entry; d && !found && (entry = readdir(d));) {
		if (entry->d_name[0] == '.')
			continue;
		found = record_holds(host, entry->d_name, own, n, wanted);
		if (found)
			snprintf(ret_who, size,
				found > 0 ? "VE %s" : "VE %s perhaps, whose record `net` cannot be read",
				entry->d_name);
	}
	if (d)
		closedir(d);
	return found || !d;
}

/* Keys of the maps of ports begin with the protocol and end with the port. */
static unsigned port_of(const struct element *element)
{
	const unsigned char *at = element->key + element->nkey - 4;
	return (unsigned)at[0] << 8 | at[1];
}

static const char *protocol_of(const struct element *element)
{
	return element->key[0] == IPPROTO_UDP ? "udp" : "tcp";
}

static int port_taken(struct error *e, unsigned port, const char *protocol, const char *who)
{
	return error_set(e, VE_E_BUSY, EADDRINUSE, tried_add, "publish another port, or stop what has it",
		"port %u/%s of the host is taken by %s", port, protocol, who);
}

static int families_of(const struct net_interface *i)
{
	int has = 0;
	for (unsigned k = 0; k < i->naddresses; k++)
		has |= i->address[k].family == AF_INET ? LISTENERS_IPV4 : LISTENERS_IPV6;
	return has;
}

static int has_port(const struct net_interface *i, size_t n, const struct net_port *p)
{
	for (size_t k = 0; k < n; k++)
		for (unsigned m = 0; m < i[k].nports; m++) {
			const struct net_port *o = &i[k].port[m];
			if (o->udp == p->udp && o->first <= p->first && p->last <= o->last &&
				o->address.family == p->address.family &&
				(!p->address.family || net_address_same(&o->address, &p->address)))
				return 1;
		}
	return 0;
}

/* What the kernel would not refuse by itself. */
static int check_interface(const struct net_interface *i, const struct net_interface *was, size_t nwas, struct error *e)
{
	char who[128], text[192];
	unsigned number;
	if (i->type != NET_BRIDGE && i->type != NET_ROUTED && (i->filter || i->nports))
		return error_set(e, VE_E_HOST, EOPNOTSUPP, tried_add,
			"leave net.IF.ports out and set net.IF.filter=off, or use another type of interface",
			"%s: an interface of type %s has no end on the host where its packets could be filtered",
			i->name, i->type == NET_PHYS ? "phys" : "macvlan");
	const int has = families_of(i);
	for (unsigned k = 0; k < i->nports; k++) {
		const struct net_port *p = &i->port[k];
		const int wanted = p->address.family == AF_INET    ? LISTENERS_IPV4
				   : p->address.family == AF_INET6 ? LISTENERS_IPV6
								   : LISTENERS_IPV4 | LISTENERS_IPV6;
		if (!(has & wanted))
			return error_set(e, VE_E_SPEC, EINVAL, tried_add,
				"give the interface an address, or publish no port",
				"%s: port %u is published, and the interface has no %saddress", i->name, p->first,
				p->address.family == AF_INET    ? "IPv4 "
				: p->address.family == AF_INET6 ? "IPv6 "
								: "");
		if (has_port(was, nwas, p))
			continue;
		if (listeners_find(p, has & wanted, &number, who, sizeof who)) {
			FORMAT(text, "a process of the host%s%s", *who ? ": " : "", who);
			return port_taken(e, number, p->udp ? "udp" : "tcp", text);
		}
	}
	return 0;
}

static void on_state(void *arg, unsigned request, int error, const struct nlmsghdr *answer)
{
	struct list *l = arg;
	if (request < l->n)
		l->state[request] = error;
}

/*
 * Elements that were refused because something else has their key: a VE with a record has it rightly, and what no
 * record speaks of is left over from a crash, and is taken away. 0: try again.
 */
static int settle(struct ve_host *host, struct nft *n, const struct net_interface *i, size_t count,
	const struct list *l, struct error *e)
{
	char who[512];
	nft_batch(n);
	for (size_t k = 0; k < l->n; k++) {
		if (l->state[k] != -EEXIST || !l->element[k].ndata)
			continue;
		const unsigned port = port_of(&l->element[k]);
		const char *protocol = protocol_of(&l->element[k]);
		for (size_t m = 0; m < l->n; m++)
			if (m != k && same_key(&l->element[k], &l->element[m]))
				return port_taken(
					e, port, protocol, "this VE already, by another of its interfaces or ranges");
		if (find_holder(host, i, count, &l->element[k], who, sizeof who))
			return port_taken(e, port, protocol, who);
		nft_drop_element(n, &l->element[k]);
	}
	return 0;
}

/* ---- out again */

/* The one element in an answer: NULL when there is none. */
static const struct nlattr *element_in(const struct nlmsghdr *h, int type)
{
	const struct nlattr *a, *b, *c;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(b, a)
		{
			mnl_attr_for_each_nested(c, b)
			{
				if (mnl_attr_get_type(c) == type)
					return c;
			}
		}
	}
	return NULL;
}

/* A port that another VE has by now has another address behind it. */
static void on_owner(void *arg, unsigned request, int error, const struct nlmsghdr *answer)
{
	struct list *l = arg;
	if (request >= l->n)
		return;
	const struct element *e = &l->element[request];
	const struct nlattr *data = answer ? element_in(answer, NFTA_SET_ELEM_DATA) : NULL, *value;
	l->state[request] = answer && !e->ndata ? 0 : -ENOENT;
	if (!data)
		return;
	mnl_attr_for_each_nested(value, data)
	{
		if (mnl_attr_get_type(value) == NFTA_DATA_VALUE && mnl_attr_get_payload_len(value) == e->ndata &&
			!memcmp(mnl_attr_get_payload(value), e->data, e->ndata))
			l->state[request] = 0;
	}
}

/* Those that are no VE's any more, or another's, are struck off the list; the order stays. */
static void strike_absent(struct list *l)
{
	size_t kept = 0;
	for (size_t k = 0; k < l->n; k++)
		if (l->state[k] != -ENOENT)
			l->element[kept++] = l->element[k];
	l->n = kept;
}

/* No nftables on this kernel, or not for this process, or no tables of ours: nothing of the VE's is there. */
static int is_absent(int r)
{
	return r == -ENOENT || r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP || r == -EINVAL ||
	       r == -EPERM;
}

int firewall_leave(
	struct ve_host *host, const struct net_interface *i, size_t n, int *ret_lock, int *ret_socket, struct error *e)
{
	const int ports = has_ports(i, n);
	struct error no_room = {0};
	cleanup_nft struct nft nft = {0};
	cleanup_list struct list l = {0};
	cleanup_fd int lock = -EBADF;
	char table[FIREWALL_TABLE_MAX];

	firewall_table(host->id, table);
	int r = list_elements(i, n, &l);
	if (!r)
		r = nft_open(&nft, table);
	if (r)
		return is_absent(r) ? 0 : error_sys(e, -r, tried_remove, "netlink");
	/* Without ports it does without where there is no room for the lock's file: who undoes needs none. */
	if (ret_lock || ports)
		lock = lock_firewall(host, tried_remove, ports ? e : &no_room);
	if (ports) {
		if (lock < 0)
			return lock;
		for (size_t k = 0; k < l.n; k++)
			nft_get_element(&nft, &l.element[k]);
		r = nft_send(&nft, on_owner, &l);
		if (r && !is_absent(r))
			return error_sys(e, -r, tried_remove, "nftables");
		strike_absent(&l);
	}
	for (int turn = 0; turn < REMOVE_TURNS && l.n; turn++) {
		memset(l.state, 0, l.n * sizeof *l.state);
		nft_batch(&nft);
		for (size_t k = 0; k < l.n; k++)
			nft_drop_element(&nft, &l.element[k]);
		r = nft_send(&nft, on_state, &l);
		if (r != -ENOENT)
			break;
		/* All or none: again, without what is gone already. */
		strike_absent(&l);
		r = 0;
	}
	if (r && !is_absent(r))
		return error_sys(e, -r, tried_remove, "nftables");
	if (ret_socket)
		*ret_socket = fcntl(mnl_socket_get_fd(nft.nl), F_DUPFD_CLOEXEC, 3);
	if (ret_lock)
		*ret_lock = TAKE_FD(lock);
	return 0;
}

int firewall_remove(struct ve_host *host, const struct net_interface *i, size_t n, int *ret_socket, struct error *e)
{
	return firewall_leave(host, i, n, NULL, ret_socket, e);
}

/* ---- from one state to another */

static int is_wanted(const struct list *want, const struct element *e)
{
	for (size_t k = 0; k < want->n; k++)
		if (same_key(&want->element[k], e) && want->element[k].ndata == e->ndata &&
			!memcmp(want->element[k].data, e->data, e->ndata))
			return 1;
	return 0;
}

/* What is there of `was` and is not wanted: what is not there cannot be dropped. */
static int list_unwanted(
	struct nft *nft, const struct net_interface *was, size_t n, const struct list *want, struct list *l)
{
	size_t kept = 0;
	int r = list_elements(was, n, l);
	for (size_t k = 0; !r && k < l->n; k++) {
		const struct list before = {.element = l->element, .n = kept};
		if (!is_wanted(want, &l->element[k]) && !is_wanted(&before, &l->element[k]))
			l->element[kept++] = l->element[k];
	}
	l->n = kept;
	if (r || !l->n)
		return r;
	for (size_t k = 0; k < l->n; k++)
		nft_get_element(nft, &l->element[k]);
	r = nft_send(nft, on_owner, l);
	if (!r || r == -ENOENT)
		strike_absent(l);
	return r == -ENOENT ? 0 : r;
}

/* Requests are numbered as they are put: those of `drop` come first. */
struct both {
	struct list *drop, *put;
};

static void on_both(void *arg, unsigned request, int error, const struct nlmsghdr *answer)
{
	const struct both *b = arg;
	if (request < b->drop->n)
		on_state(b->drop, request, error, answer);
	else
		on_state(b->put, request - (unsigned)b->drop->n, error, answer);
}

int firewall_change(struct ve_host *host, const struct net_interface *was, size_t nwas,
	const struct net_interface *want, size_t nwant, struct error *e)
{
	cleanup_nft struct nft nft = {0};
	cleanup_list struct list put = {0}, drop = {0};
	cleanup_fd int lock = -EBADF;
	char table[FIREWALL_TABLE_MAX];
	struct both both = {&drop, &put};
	int r = 0;

	for (size_t k = 0; k < nwant && !r; k++)
		r = check_interface(&want[k], was, nwas, e);
	if (r)
		return r;
	firewall_table(host->id, table);
	if ((r = list_elements(want, nwant, &put)) || (r = nft_open(&nft, table)))
		return error_sys(e, -r, tried_add, "netlink");
	if ((has_ports(want, nwant) || has_ports(was, nwas)) && (lock = lock_firewall(host, tried_add, e)) < 0)
		return lock;
	if ((r = list_unwanted(&nft, was, nwas, &put, &drop)))
		return error_sys(e, -r, tried_add, "nftables");
	if (!put.n && !drop.n)
		return 0;
	for (int turn = 0; turn < 2; turn++) {
		if (turn && (r = settle(host, &nft, want, nwant, &put, e)))
			return r;
		memset(put.state, 0, put.n * sizeof *put.state);
		if (!turn)
			nft_batch(&nft);
		for (size_t k = 0; k < drop.n; k++)
			nft_drop_element(&nft, &drop.element[k]);
		for (size_t k = 0; k < put.n; k++)
			nft_put_element(&nft, &put.element[k]);
		r = nft_send(&nft, on_both, &both);
		if (r != -EEXIST)
			break;
	}
	if (r == -ENOENT)
		return error_set(e, VE_E_HOST, ENOENT, tried_add, "try it again: vectl makes its tables anew",
			"the table %s was removed from nftables meanwhile", table);
	return r ? error_sys(e, -r, tried_add, "nftables") : 0;
}

int firewall_add(struct ve_host *host, const struct net_interface *i, size_t n, struct error *e)
{
	return firewall_change(host, NULL, 0, i, n, e);
}

int firewall_gone(struct ve_host *host, struct error *e)
{
	char table[FIREWALL_TABLE_MAX];
	cleanup_nft struct nft n = {0};
	int r = 0;
	cleanup_fd int lock = lock_firewall(host, tried_remove, e);
	if (lock < 0)
		return lock;
	if (firewall_is_used(host))
		return 0;
	firewall_table(host->id, table);
	if ((r = nft_open(&n, table)))
		return error_sys(e, -r, tried_remove, "netlink");
	for (size_t k = 0; k < ARRAY_SIZE(families) && (!r || r == -ENOENT); k++) {
		nft_batch(&n);
		nft_drop_table(&n, families[k]);
		r = nft_send(&n, NULL, NULL);
	}
	return r && r != -ENOENT ? error_sys(e, -r, tried_remove, table) : 0;
}

/* ---- counters */

static void read_counter(const struct nlattr *expression, uint64_t *ret_bytes, uint64_t *ret_packets)
{
	const struct nlattr *a, *b;
	mnl_attr_for_each_nested(a, expression)
	{
		if (mnl_attr_get_type(a) != NFTA_EXPR_DATA)
			continue;
		mnl_attr_for_each_nested(b, a)
		{
			if (mnl_attr_get_payload_len(b) != 8)
				continue;
			if (mnl_attr_get_type(b) == NFTA_COUNTER_BYTES)
				*ret_bytes = be64toh(mnl_attr_get_u64(b));
			if (mnl_attr_get_type(b) == NFTA_COUNTER_PACKETS)
				*ret_packets = be64toh(mnl_attr_get_u64(b));
		}
	}
}

/* The questions: each family's table, and then an interface's counters, in the order of elements_counting. */
enum { TABLES = 2, COUNTERS = 4 };

struct asked {
	uint64_t table[TABLES];
	struct firewall_counters *counters;
	unsigned *found;
	size_t n;
};

static void read_table(const struct nlmsghdr *h, uint64_t *ret)
{
	const struct nlattr *a;
	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFTA_TABLE_HANDLE && mnl_attr_get_payload_len(a) == 8)
			*ret = be64toh(mnl_attr_get_u64(a));
	}
}

static void on_counter(void *arg, unsigned request, int error, const struct nlmsghdr *answer)
{
	struct asked *asked = arg;
	if (answer && request < TABLES) {
		read_table(answer, &asked->table[request]);
		return;
	}
	const struct nlattr *expression = answer ? element_in(answer, NFTA_SET_ELEM_EXPR) : NULL;
	const unsigned which = (request - TABLES) / COUNTERS, k = (request - TABLES) % COUNTERS;
	if (!expression || which >= asked->n)
		return;
	struct firewall_traffic *t = &asked->counters[which].traffic;
	const int class = k & 1 ? FIREWALL_FAR : FIREWALL_NEAR;
	asked->found[which]++;
	if (k < 2)
		read_counter(expression, &t->sent[class].bytes, &t->sent[class].packets);
	else
		read_counter(expression, &t->received[class].bytes, &t->received[class].packets);
}

static int on_counting(void *arg, const struct element *element)
{
	nft_get_element(arg, element);
	return 0;
}

int firewall_traffic(struct ve_host *host, const struct net_interface *i, size_t n, struct firewall_counters *ret)
{
	cleanup_nft struct nft nft = {0};
	cleanup_free unsigned *found = calloc(n + 1, sizeof *found);
	cleanup_free struct firewall_counters *counters = calloc(n + 1, sizeof *counters);
	struct asked asked = {.counters = counters, .found = found, .n = n};
	char table[FIREWALL_TABLE_MAX];
	if (!found || !counters)
		return -ENOMEM;
	firewall_table(host->id, table);
	int r = nft_open(&nft, table);
	if (r)
		return r;
	nft_get_table(&nft, ELEMENT_BRIDGE);
	nft_get_table(&nft, ELEMENT_INET);
	for (size_t k = 0; k < n; k++)
		elements_counting(&i[k], on_counting, &nft);
	r = nft_send(&nft, on_counter, &asked);
	if (r && r != -ENOENT)
		return r;
	for (size_t k = 0; k < n; k++) {
		ret[k] = (struct firewall_counters){0};
		if (found[k] != COUNTERS)
			continue;
		ret[k] = counters[k];
		ret[k].table = asked.table[i[k].type == NET_BRIDGE ? 0 : 1];
	}
	return 0;
}
