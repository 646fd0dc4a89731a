/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/util.h"

enum {
	REQUEST_MAX = 512,  /* bytes of the largest request here */
	BATCH_SEQUENCE = 0, /* of a transaction's begin and end */
	BUFFER_FIRST = 16384,
};

int nft_open(struct nft *ret, const char *table)
{
	static const int on = 1;
	struct nft n = {.table = table};
	n.nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!n.nl)
		return -errno;
	/* An error need not bring back the request. */
	mnl_socket_setsockopt(n.nl, NETLINK_CAP_ACK, (void *)&on, sizeof on);
	if (mnl_socket_bind(n.nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;
		mnl_socket_close(n.nl);
		return r;
	}
	*ret = n;
	return 0;
}

void nft_close(struct nft *n)
{
	if (n->nl)
		mnl_socket_close(n->nl);
	free(n->buf);
	n->nl = NULL;
	n->buf = NULL;
}

/* A request's head; NULL: no memory. What follows must not be more than REQUEST_MAX. */
static struct nlmsghdr *begin(struct nft *n, int type, int family, int flags)
{
	if (n->failed)
		return NULL;
	if (n->size - n->used < REQUEST_MAX) {
		size_t size = n->size ? 2 * n->size : BUFFER_FIRST;
		unsigned char *buf = realloc(n->buf, size);
		if (!buf) {
			n->failed = -ENOMEM;
			return NULL;
		}
		n->buf = buf;
		n->size = size;
	}
	struct nlmsghdr *h = mnl_nlmsg_put_header(n->buf + n->used);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	struct nfgenmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->nfgen_family = family;
	m->version = NFNETLINK_V0;
	return h;
}

static void end(struct nft *n, struct nlmsghdr *h)
{
	n->last = n->used;
	n->used += MNL_ALIGN(h->nlmsg_len);
}

static void batch_edge(struct nft *n, int type)
{
	struct nlmsghdr *h = begin(n, type, AF_UNSPEC, 0);
	if (!h)
		return;
	struct nfgenmsg *m = mnl_nlmsg_get_payload(h);
	m->res_id = htons(NFNL_SUBSYS_NFTABLES);
	h->nlmsg_seq = BATCH_SEQUENCE;
	n->used += MNL_ALIGN(h->nlmsg_len);
}

void nft_batch(struct nft *n)
{
	batch_edge(n, NFNL_MSG_BATCH_BEGIN);
}

static struct nlmsghdr *request(struct nft *n, int type, int family, int flags)
{
	struct nlmsghdr *h = begin(n, NFNL_SUBSYS_NFTABLES << 8 | type, family, flags);
	if (h)
		h->nlmsg_seq = ++n->n;
	return h;
}

static void put_value(struct nlmsghdr *h, int attribute, const void *value, size_t size)
{
	struct nlattr *nest = mnl_attr_nest_start(h, attribute);
	mnl_attr_put(h, NFTA_DATA_VALUE, size, value);
	mnl_attr_nest_end(h, nest);
}

static void element_request(struct nft *n, int type, int flags, const struct element *e, int with_data)
{
	struct nlmsghdr *h = request(n, type, e->family, flags);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, n->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, e->set);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_value(h, NFTA_SET_ELEM_KEY, e->key, e->nkey);
	if (with_data && e->ndata)
		put_value(h, NFTA_SET_ELEM_DATA, e->data, e->ndata);
	mnl_attr_nest_end(h, one);
	mnl_attr_nest_end(h, list);
	end(n, h);
}

void nft_put_element(struct nft *n, const struct element *element)
{
	/* Without NLM_F_EXCL: the same element again is none, and one with other data is EEXIST. */
	element_request(n, NFT_MSG_NEWSETELEM, NLM_F_CREATE, element, 1);
}

void nft_drop_element(struct nft *n, const struct element *element)
{
	element_request(n, NFT_MSG_DELSETELEM, 0, element, 0);
}

void nft_get_element(struct nft *n, const struct element *element)
{
	element_request(n, NFT_MSG_GETSETELEM, 0, element, 0);
}

static void table_request(struct nft *n, int type, int family)
{
	struct nlmsghdr *h = request(n, type, family, 0);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, n->table);
	end(n, h);
}

void nft_drop_table(struct nft *n, int family)
{
	table_request(n, NFT_MSG_DELTABLE, family);
}

void nft_get_table(struct nft *n, int family)
{
	table_request(n, NFT_MSG_GETTABLE, family);
}

void nft_get_chain(struct nft *n, int family, const char *chain)
{
	struct nlmsghdr *h = request(n, NFT_MSG_GETCHAIN, family, 0);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, n->table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, chain);
	end(n, h);
}

struct answers {
	nft_answer_fn *each;
	void *arg;
	int first; /* error */
	int acked; /* the last request */
	unsigned last;
};

static void take(struct answers *a, const struct nlmsghdr *h)
{
	int error = 0;
	if (h->nlmsg_type == NLMSG_ERROR) {
		error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
		if (!error && h->nlmsg_seq == a->last)
			a->acked = 1;
		if (!error)
			return;
		if (!a->first)
			a->first = error;
	}
	if (h->nlmsg_seq != BATCH_SEQUENCE && a->each)
		a->each(a->arg, h->nlmsg_seq - 1, error, error ? NULL : h);
}

/* All is there once the request was sent: the kernel answers in the sender's own call. */
static int read_answers(const struct nft *n, struct answers *a)
{
	char answer[8192];
	for (;;) {
		ssize_t size = recv(mnl_socket_get_fd(n->nl), answer, sizeof answer, MSG_DONTWAIT);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN ? 0 : -errno;
		int left = (int)size;
		for (const struct nlmsghdr *h = (void *)answer; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			take(a, h);
	}
}

/* One message to the kernel, however long, and the answers all at once: a range of ports is an element each. */
static void make_room(const struct nft *n)
{
	enum { ANSWER = 2048, FROM = 65536 };
	const int fd = mnl_socket_get_fd(n->nl), send = (int)n->used + FROM, receive = (int)n->n * ANSWER;
	if (send > 2 * FROM)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof send);
	if (receive > FROM)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive);
}

int nft_send(struct nft *n, nft_answer_fn *each, void *arg)
{
	struct answers a = {.each = each, .arg = arg, .last = n->n};
	const struct nlmsghdr *first = (const void *)n->buf;
	const int batch = n->used && first->nlmsg_type == NFNL_MSG_BATCH_BEGIN;
	int r = n->failed;

	if (!r && n->n) {
		/* A transaction that nobody refused says so, rather than nothing. */
		((struct nlmsghdr *)(void *)(n->buf + n->last))->nlmsg_flags |= NLM_F_ACK;
		if (batch)
			batch_edge(n, NFNL_MSG_BATCH_END);
		r = n->failed;
	}
	if (!r && n->n) {
		make_room(n);
		if (mnl_socket_sendto(n->nl, n->buf, n->used) < 0)
			r = -errno;
		else
			r = read_answers(n, &a);
		if (!r)
			r = a.first ? a.first : a.acked ? 0 : -EIO;
	}
	n->used = n->n = n->last = 0;
	n->failed = 0;
	return r;
}
