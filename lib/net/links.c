/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/links.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "lib/base/util.h"

enum { LINKS_MAX = 64, ADDRESSES_MAX = 256 };

struct link {
	char name[IF_NAMESIZE], mac[24];
	unsigned index, mtu, flags;
};
struct address {
	unsigned index;
	char text[INET6_ADDRSTRLEN + 4];
};
struct links {
	struct link link[LINKS_MAX];
	struct address address[ADDRESSES_MAX];
	size_t nlinks, naddresses;
};

/*
 * A netlink socket belongs to the network namespace that its maker was in. A thread of its own goes there and ends, so
 * the caller's threads stay where they are, whatever fails.
 */
struct visit {
	int netns;
	struct mnl_socket *nl;
};

static void *visit_main(void *arg)
{
	struct visit *v = arg;
	if (!setns(v->netns, CLONE_NEWNET))
		v->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	return NULL;
}

static struct mnl_socket *open_in(pid_t pid)
{
	char path[64];
	pthread_t t;
	FORMAT(path, "/proc/%d/ns/net", pid);
	struct visit v = {.netns = open(path, O_RDONLY | O_CLOEXEC)};
	if (v.netns < 0 || pthread_create(&t, NULL, visit_main, &v)) {
		close_fd_p(&v.netns);
		return NULL;
	}
	pthread_join(t, NULL);
	close(v.netns);
	return v.nl;
}

static int on_link(const struct nlmsghdr *h, void *arg)
{
	struct links *all = arg;
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	if (all->nlinks == LINKS_MAX)
		return MNL_CB_OK;
	struct link *l = &all->link[all->nlinks++];
	const struct nlattr *a;
	l->index = i->ifi_index;
	l->flags = i->ifi_flags;
	mnl_attr_for_each(a, h, sizeof *i)
	{
		int type = mnl_attr_get_type(a);
		if (type == IFLA_IFNAME)
			snprintf(
				l->name, sizeof l->name, "%.*s", (int)mnl_attr_get_payload_len(a), mnl_attr_get_str(a));
		if (type == IFLA_MTU && mnl_attr_get_payload_len(a) == 4)
			l->mtu = mnl_attr_get_u32(a);
		if (type == IFLA_ADDRESS && mnl_attr_get_payload_len(a) == 6) {
			const unsigned char *m = mnl_attr_get_payload(a);
			FORMAT(l->mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
		}
	}
	return MNL_CB_OK;
}

static int on_address(const struct nlmsghdr *h, void *arg)
{
	struct links *all = arg;
	const struct ifaddrmsg *i = mnl_nlmsg_get_payload(h);
	const struct nlattr *a, *best = NULL;
	mnl_attr_for_each(a, h, sizeof *i)
	{
		int type = mnl_attr_get_type(a);
		if (type == IFA_LOCAL ||
			(type == IFA_ADDRESS && !best)) /* LOCAL is the own end of a point-to-point link */
			best = a;
	}
	char text[INET6_ADDRSTRLEN];
	size_t want = i->ifa_family == AF_INET ? 4 : i->ifa_family == AF_INET6 ? 16 : 0;
	if (!want || !best || mnl_attr_get_payload_len(best) != want || all->naddresses == ADDRESSES_MAX)
		return MNL_CB_OK;
	if (inet_ntop(i->ifa_family, mnl_attr_get_payload(best), text, sizeof text)) {
		struct address *to = &all->address[all->naddresses++];
		to->index = i->ifa_index;
		FORMAT(to->text, "%s/%u", text, i->ifa_prefixlen);
	}
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *nl, int type, mnl_cb_t cb, struct links *all)
{
	char buf[32768];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = type;
	struct rtgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	g->rtgen_family = AF_UNSPEC;
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	for (int r = MNL_CB_OK; r > MNL_CB_STOP;) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof buf);
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, n, type, mnl_socket_get_portid(nl), cb, all);
		if (r < 0)
			return -errno;
	}
	return 0;
}

static int read_links(pid_t pid, struct links *all)
{
	struct mnl_socket *nl = open_in(pid);
	if (!nl)
		return -EIO;
	int r = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : dump(nl, RTM_GETLINK, on_link, all);
	if (!r)
		r = dump(nl, RTM_GETADDR, on_address, all);
	mnl_socket_close(nl);
	return r;
}

int links_json(pid_t pid, struct json_writer *w, const char *key)
{
	cleanup_free struct links *all = calloc(1, sizeof *all);
	int r = all ? read_links(pid, all) : -ENOMEM;
	if (r) {
		jw_null(w, key); /* not known; an empty list would say that there are none */
		return r;
	}
	jw_array(w, key);
	for (size_t i = 0; i < all->nlinks; i++) {
		const struct link *l = &all->link[i];
		jw_object(w, NULL);
		jw_string(w, "name", l->name);
		jw_integer(w, "index", l->index);
		jw_string(w, "mac", l->mac);
		jw_integer(w, "mtu", l->mtu);
		jw_bool(w, "up", !!(l->flags & IFF_UP));
		jw_array(w, "addresses");
		for (size_t k = 0; k < all->naddresses; k++)
			if (all->address[k].index == l->index)
				jw_string(w, NULL, all->address[k].text);
		jw_end(w);
		jw_end(w);
	}
	jw_end(w);
	return 0;
}
