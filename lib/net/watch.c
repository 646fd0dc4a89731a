/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/watch.h"

#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The kernel puts as many messages of a transaction as fit in a page into one packet. Programs of this kind cannot go
 * back, so it is one step after the other; where there are more messages, it is heard of.
 */
enum { MESSAGES = 32, STEP = 20, TYPE = NFNL_SUBSYS_NFTABLES << 8, ALL = 0x7fffffff };

/* Lengths are below 65536, and in the host's order of bytes; a filter loads in the network's. */
#if __BYTE_ORDER == __LITTLE_ENDIAN
enum { LOW = 0, HIGH = 1 };
#else
enum { LOW = 3, HIGH = 2 };
#endif

int watch_filter(int fd)
{
	/* X, and the first cell: where the message begins. */
	static const struct sock_filter first[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, 0),
		BPF_STMT(BPF_STX, 0),
	};
	static const struct sock_filter step[STEP] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0), /* nothing but elements */
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, offsetof(struct nlmsghdr, nlmsg_type)),
	/* The next message, or an end: the kernel says in one more of each transaction that there was one. */
#if __BYTE_ORDER == __LITTLE_ENDIAN
#define TYPE_OF(message) (((TYPE | (message)) & 0xff) << 8 | (TYPE | (message)) >> 8)
#else
#define TYPE_OF(message) (TYPE | (message))
#endif
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_OF(NFT_MSG_NEWSETELEM), 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_OF(NFT_MSG_DELSETELEM), 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE_OF(NFT_MSG_NEWGEN), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, ALL),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, HIGH),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 8),
		BPF_STMT(BPF_ST, 1),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, LOW),
		BPF_STMT(BPF_LDX | BPF_MEM, 1),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, NLMSG_ALIGNTO - 1),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffff & ~(NLMSG_ALIGNTO - 1)),
		BPF_STMT(BPF_LDX | BPF_MEM, 0),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_STX, 0),
	};
	struct sock_filter code[2 + MESSAGES * STEP + 1];
	struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
	code[0] = first[0];
	code[1] = first[1];
	for (int i = 0; i < MESSAGES * STEP; i++)
		code[2 + i] = step[i % STEP];
	code[2 + MESSAGES * STEP] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ALL);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ? -errno : 0;
}

int watch_open(void)
{
	static const int group = NFNLGRP_NFTABLES;
	/* Any number, but one: what has none is passed over as if it had asked for the change itself. */
	static const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (fd < 0)
		return -errno;
	/* Without it more is heard of than is needed, and that is all. */
	(void)watch_filter(fd);
	if (bind(fd, (const struct sockaddr *)&any, sizeof any) ||
		setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group)) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int watch_drain(int fd)
{
	char byte;
	int some = 0;
	for (;;) {
		ssize_t n = recv(fd, &byte, sizeof byte, MSG_DONTWAIT);
		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			return some;
		some |= n >= 0 || errno == ENOBUFS;
	}
}
