/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER = 8192 };

static void *take(struct netlink *n, size_t size)
{
	size_t room = NLMSG_ALIGN(size);
	if (room > sizeof n->b - n->used) {
		n->full = 1;
		return n->nowhere; /* all that is ever put at once fits there */
	}
	void *p = n->b + n->used;
	memset(p, 0, room);
	n->used += room;
	if (n->h)
		n->h->nlmsg_len = n->b + n->used - (char *)n->h;
	return p;
}

int netlink_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

void *netlink_request(struct netlink *n, int type, int flags, size_t size)
{
	n->h = NULL;
	struct nlmsghdr *h = take(n, NLMSG_HDRLEN);
	n->h = h;
	*h = (struct nlmsghdr){.nlmsg_len = NLMSG_HDRLEN,
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags,
		.nlmsg_seq = ++n->count};
	return take(n, size);
}

void netlink_put(struct netlink *n, int type, const void *data, size_t size)
{
	struct rtattr *a = take(n, RTA_LENGTH(size));
	*a = (struct rtattr){.rta_len = RTA_LENGTH(size), .rta_type = type};
	memcpy(RTA_DATA(a), data, size);
}

void netlink_put_u32(struct netlink *n, int type, uint32_t value)
{
	netlink_put(n, type, &value, sizeof value);
}

void netlink_put_string(struct netlink *n, int type, const char *text)
{
	netlink_put(n, type, text, strlen(text) + 1);
}

struct rtattr *netlink_nest(struct netlink *n, int type)
{
	struct rtattr *a = take(n, RTA_LENGTH(0));
	a->rta_type = type;
	return a;
}

void *netlink_put_raw(struct netlink *n, size_t size)
{
	return take(n, size);
}

void netlink_end(struct netlink *n, struct rtattr *nest)
{
	nest->rta_len = n->b + n->used - (char *)nest;
}

static int answers(int fd, unsigned expected)
{
	_Alignas(struct nlmsghdr) char b[ANSWER];
	int failed = 0;
	while (expected) {
		ssize_t got = recv(fd, b, sizeof b, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		int left = (int)got;
		for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			const struct nlmsgerr *e = NLMSG_DATA(h);
			if (e->error && !failed)
				failed = e->error;
			expected -= expected > 0;
		}
	}
	return failed;
}

int netlink_send(int fd, struct netlink *n)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	unsigned count = n->count, used = n->used, full = n->full;
	n->used = n->count = n->full = 0;
	n->h = NULL;
	if (full)
		return -E2BIG;
	if (!count)
		return 0;
	if (sendto(fd, n->b, used, 0, (const struct sockaddr *)&kernel, sizeof kernel) < 0)
		return -errno;
	return answers(fd, count);
}

int netlink_find_link(int fd, const char *name, uint32_t *ret_index, uint32_t *ret_peer)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	_Alignas(struct nlmsghdr) char b[ANSWER];
	struct netlink n = {0};
	netlink_request(&n, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	n.h->nlmsg_flags = NLM_F_REQUEST; /* the link is the answer */
	netlink_put_string(&n, IFLA_IFNAME, name);
	if (sendto(fd, n.b, n.used, 0, (const struct sockaddr *)&kernel, sizeof kernel) < 0)
		return -errno;
	ssize_t got = recv(fd, b, sizeof b, 0);
	if (got < 0)
		return -errno;
	const struct nlmsghdr *h = (void *)b;
	if (!NLMSG_OK(h, (unsigned)got))
		return -EBADMSG;
	if (h->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
	if (h->nlmsg_type != RTM_NEWLINK)
		return -EBADMSG;
	const struct ifinfomsg *i = NLMSG_DATA(h);
	*ret_index = i->ifi_index;
	*ret_peer = 0;
	int left = IFLA_PAYLOAD(h);
	for (struct rtattr *a = IFLA_RTA(i); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_LINK)
			memcpy(ret_peer, RTA_DATA(a), sizeof *ret_peer);
	return 0;
}
