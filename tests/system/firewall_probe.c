/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * firewall-probe VERB [ARGUMENT...]: what libve does to the firewall for a VE, for network namespaces of a test's own.
 * Interfaces are read from stdin, as records of lib/net/record.c; the root folder is VECTL_ROOT.
 *
 *	ready [IPV4/LEN|- IPV6/LEN|- [plain]]
 *	add | remove | traffic		with the interfaces of stdin
 *	gone
 *	time TURNS				medians of ready, add and remove in microseconds
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/base/util.h"
#include "lib/net/firewall.h"

static int say(const struct error *e)
{
	fprintf(stderr, "%d: %s: %s%s%s\n", e->code, e->tried, e->wrong, *e->remedy ? ": " : "", e->remedy);
	return 1;
}

static int read_stdin(struct net_interface **ret)
{
	static char text[1 << 16];
	size_t n = fread(text, 1, sizeof text - 1, stdin);
	text[n] = 0;
	int count = firewall_parse(text, ret);
	if (count < 0)
		fprintf(stderr, "stdin is no record: %s\n", strerror(-count));
	return count;
}

static void read_own(const char *text, int family, struct net_address *ret)
{
	char alone[64];
	if (!strcmp(text, "-"))
		return;
	snprintf(alone, sizeof alone, "%.*s", (int)strcspn(text, "/"), text);
	ret->family = family;
	ret->prefix = (unsigned)atoi(text + strcspn(text, "/") + 1);
	inet_pton(family, alone, ret->byte);
}

static int ready(struct ve_host *host, int argc, char **argv, struct error *e)
{
	struct net_own own = {.bridge = "vebr0"};
	if (argc < 4)
		return firewall_ready(host, NULL, e);
	read_own(argv[2], AF_INET, &own.ipv4);
	read_own(argv[3], AF_INET6, &own.ipv6);
	own.forbid_nat = argc > 4;
	return firewall_ready(host, &own, e);
}

static int traffic(struct ve_host *host, const struct net_interface *i)
{
	static const char *const classes[] = {"near", "far"};
	struct firewall_counters c;
	int r = firewall_traffic(host, i, 1, &c);
	const struct firewall_traffic t = c.traffic;
	if (!r && !c.table)
		r = -ENOENT;
	for (int k = 0; k < 2 && !r; k++)
		printf("%s %s sent %llu %llu received %llu %llu\n", i->name, classes[k],
			(unsigned long long)t.sent[k].packets, (unsigned long long)t.sent[k].bytes,
			(unsigned long long)t.received[k].packets, (unsigned long long)t.received[k].bytes);
	return r;
}

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

enum { TURNS_MAX = 1000 };

/* As starts are, one after the other: a stop just before makes the kernel wait for it. */
static int measure(struct ve_host *host, struct net_interface *i, size_t n, int turns, struct error *e)
{
	static double took[3][TURNS_MAX];
	int r = 0;
	for (int k = 0; k < turns && !r; k++) {
		snprintf(i->host, sizeof i->host, "time%d", k);
		double t0 = now_us();
		r = firewall_ready(host, NULL, e);
		double t1 = now_us();
		if (!r)
			r = firewall_add(host, i, n, e);
		took[0][k] = t1 - t0;
		took[1][k] = now_us() - t1;
	}
	for (int k = 0; k < turns && !r; k++) {
		snprintf(i->host, sizeof i->host, "time%d", k);
		double t = now_us();
		r = firewall_remove(host, i, n, NULL, e);
		took[2][k] = now_us() - t;
	}
	for (int k = 0; k < 3; k++)
		qsort(took[k], (size_t)turns, sizeof took[k][0], by_value);
	if (!r)
		printf("ready %.0f add %.0f remove %.0f\n", took[0][turns / 2], took[1][turns / 2], took[2][turns / 2]);
	return r;
}

int main(int argc, char **argv)
{
	struct ve_host_options options = {.size = sizeof options, .root = getenv("VECTL_ROOT")};
	struct ve_host *host;
	cleanup_free struct net_interface *i = NULL;
	struct error *e;
	int n = 0, r = ve_host_open(&options, &host);
	const char *verb = argc > 1 ? argv[1] : "";

	if (r)
		return say(&host->error);
	e = host_begin(host);
	if (strcmp(verb, "ready") && strcmp(verb, "gone") && (n = read_stdin(&i)) < 0)
		return 2;
	if (!strcmp(verb, "ready"))
		r = ready(host, argc, argv, e);
	else if (!strcmp(verb, "add"))
		r = firewall_add(host, i, (size_t)n, e);
	else if (!strcmp(verb, "remove"))
		r = firewall_remove(host, i, (size_t)n, NULL, e);
	else if (!strcmp(verb, "gone"))
		r = firewall_gone(host, e);
	else if (!strcmp(verb, "traffic"))
		for (int k = 0; k < n && !r; k++)
			r = traffic(host, &i[k]);
	else if (!strcmp(verb, "time") && argc > 2 && atoi(argv[2]) > 0 && atoi(argv[2]) <= TURNS_MAX)
		r = measure(host, i, (size_t)n, atoi(argv[2]), e);
	else
		return 2;
	if (r < 0 && e->code)
		r = say(e);
	else if (r < 0)
		fprintf(stderr, "%s\n", strerror(-r));
	ve_host_close(host);
	return r != 0;
}
