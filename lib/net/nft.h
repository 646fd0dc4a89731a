/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nf_tables over netlink: elements put and taken in one transaction, and questions. No rules: those are ve-firewall's.
 */
#ifndef VE_NET_NFT_H
#define VE_NET_NFT_H

#include <libmnl/libmnl.h>

#include "lib/net/elements.h"

struct nft {
	struct mnl_socket *nl;
	const char *table;  /* the caller's */
	unsigned char *buf; /* requests, to be sent at once */
	size_t used, size;
	unsigned n;    /* of them; the first has the sequence number 1 */
	unsigned last; /* where the last one begins */
	int failed;    /* the first failure to put one together; 0: none */
};

int nft_open(struct nft *ret, const char *table);
void nft_close(struct nft *n);
#define cleanup_nft __attribute__((cleanup(nft_close)))

/* Requests. nft_batch begins a transaction, and the requests after it are of it. Failures are kept for nft_send. */
void nft_batch(struct nft *n);
void nft_put_element(struct nft *n, const struct element *element);
void nft_drop_element(struct nft *n, const struct element *element);
void nft_get_element(struct nft *n, const struct element *element);
void nft_drop_table(struct nft *n, int family);
void nft_get_table(struct nft *n, int family);
void nft_get_chain(struct nft *n, int family, const char *chain);

/*
 * Sends them, and calls `each` (NULL: nobody) with each answer: the number of its request, counted from 0 (a
 * transaction's begin and end not counted), the error (0: none, negative errno), and the message (NULL with an error).
 * Returns 0 when no request failed, else the first error; -errno when it could not be sent. Forgets the requests.
 */
typedef void nft_answer_fn(void *arg, unsigned request, int error, const struct nlmsghdr *answer);
int nft_send(struct nft *n, nft_answer_fn *each, void *arg);

#endif
