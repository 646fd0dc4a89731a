/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The firewall of a root as a start and a stop use it, for VEs that are not there; its tables must be:
 *
 *   elements ROOT add FIRST LAST      puts in what bridged VEs of these numbers, up to 65535, would have there
 *   elements ROOT remove FIRST LAST
 *   elements ROOT time NUMBER N       N times in and out; prints nanoseconds of in and of out: medians
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/util.h"
#include "lib/net/firewall.h"
#include "ve/ve.h"

enum { TIMES = 1000 };

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* As `create` makes them: an IPv4 and an IPv6 address, all filters. */
static void interface_of(unsigned number, struct net_interface *ret)
{
	const unsigned char high = number >> 8 & 0xff, low = number & 0xff;
	struct net_interface i = {.type = NET_BRIDGE,
		.filter = NET_FILTER_ALL,
		.mac = {0x02, 'v', 'b', 0, high, low},
		.naddresses = 2,
		.address = {{.family = AF_INET, .prefix = 16, .byte = {10, 72, high, low}},
			{.family = AF_INET6, .prefix = 64, .byte = {0xfd, 'v', 'b', [14] = high, [15] = low}}}};
	FORMAT(i.name, "eth0");
	FORMAT(i.host, "vbench-%u", number & 0xffff);
	FORMAT(i.link, "vbench");
	*ret = i;
}

/* What a start does, its record aside: it looks whether the tables are whole, and puts its elements in. */
static int put(struct ve_host *host, unsigned number, struct error *e)
{
	struct net_interface i;
	struct net_own own;
	int r = net_own(host, &own, e);
	interface_of(number, &i);
	if (!r)
		r = firewall_ready(host, &own, e);
	return r ? r : firewall_add(host, &i, 1, e);
}

static int drop(struct ve_host *host, unsigned number, struct error *e)
{
	struct net_interface i;
	interface_of(number, &i);
	return firewall_remove(host, &i, 1, NULL, e);
}

static int measure(struct ve_host *host, unsigned number, unsigned n, struct error *e)
{
	static int64_t in[TIMES], out[TIMES];
	int r = n < 1 || n > TIMES ? -EINVAL : 0;
	for (unsigned k = 0; !r && k < n; k++) {
		int64_t before = now(), between;
		r = put(host, number, e);
		between = now();
		if (!r)
			r = drop(host, number, e);
		in[k] = between - before;
		out[k] = now() - between;
	}
	if (r)
		return r;
	qsort(in, n, sizeof *in, compare);
	qsort(out, n, sizeof *out, compare);
	printf("%lld %lld\n", (long long)in[n / 2], (long long)out[n / 2]);
	return 0;
}

int main(int argc, char **argv)
{
	struct ve_host_options o = {.size = sizeof o};
	struct ve_host *host = NULL;
	struct error e = {0};
	int r = 0;

	if (argc != 5 || (strcmp(argv[2], "add") && strcmp(argv[2], "remove") && strcmp(argv[2], "time"))) {
		fprintf(stderr, "usage: elements ROOT add|remove FIRST LAST | ROOT time NUMBER N\n");
		return 2;
	}
	unsigned first = atoi(argv[3]), last = atoi(argv[4]);
	o.root = argv[1];
	r = ve_host_open(&o, &host);
	if (!r && !strcmp(argv[2], "time"))
		r = measure(host, first, last, &e);
	else
		for (unsigned number = first; !r && number <= last; number++)
			r = (strcmp(argv[2], "add") ? drop : put)(host, number, &e);
	if (r)
		fprintf(stderr, "elements: %s\n", e.code ? e.wrong : strerror(-r));
	ve_host_close(host);
	return r != 0;
}
