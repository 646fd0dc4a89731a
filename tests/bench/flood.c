/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a packet costs from one network namespace to another:
 *
 *   flood sink PORT             stays; has the port, and reads nothing: what does not fit is dropped at its socket
 *   flood send ADDRESS PORT N   sends N times 1000 small datagrams there, prints nanoseconds a datagram: the median of
 *                               the N, so that what else the machine does falls into few of them
 *
 * A datagram goes all the way, through veth, bridge and firewall up to the other socket, within the call that sends it.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EACH = 1000, MOST = 10000, SIZE = 64 };

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

static int sink(int fd, const struct sockaddr_in *at)
{
	if (bind(fd, (const struct sockaddr *)at, sizeof *at))
		return fail("bind");
	for (;;)
		pause();
}

static int send_all(int fd, const struct sockaddr_in *to, int n)
{
	static long long took[MOST];
	char b[SIZE] = {0};

	if (n < 1 || n > MOST)
		return 2;
	if (connect(fd, (const struct sockaddr *)to, sizeof *to))
		return fail("connect");
	for (int i = -1; i < n; i++) { /* the first one finds the neighbour, and does not count */
		long long before = now();

		for (int k = 0; k < EACH; k++)
			if (send(fd, b, sizeof b, 0) < 0)
				return fail("send");
		if (i >= 0)
			took[i] = now() - before;
	}
	qsort(took, n, sizeof *took, compare);
	printf("%lld\n", took[n / 2] / EACH);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail("socket");
	if (argc == 3 && !strcmp(argv[1], "sink")) {
		a.sin_port = htons(atoi(argv[2]));
		return sink(fd, &a);
	}
	if (argc == 5 && !strcmp(argv[1], "send") && inet_pton(AF_INET, argv[2], &a.sin_addr) == 1) {
		a.sin_port = htons(atoi(argv[3]));
		return send_all(fd, &a, atoi(argv[4]));
	}
	fprintf(stderr, "usage: flood sink PORT | send ADDRESS PORT N\n");
	return 2;
}
