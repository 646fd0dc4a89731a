/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IP addresses as data. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/interfaces.h"

unsigned net_address_bits(const struct net_address *a)
{
	return a->family == AF_INET ? 32 : 128;
}

void net_address_text(const struct net_address *a, int with_prefix, char *buf)
{
	if (!inet_ntop(a->family, a->byte, buf, NET_ADDRESS_TEXT))
		*buf = '\0';
	else if (with_prefix)
		snprintf(buf + strlen(buf), NET_ADDRESS_TEXT - strlen(buf), "/%u", a->prefix);
}

int net_address_parse(const char *text, struct net_address *ret)
{
	struct net_address a = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	size_t n = strcspn(text, "/"), digits;
	char alone[INET6_ADDRSTRLEN];

	if (n >= sizeof(alone))
		return -EINVAL;
	memcpy(alone, text, n);
	alone[n] = '\0';
	if (inet_pton(a.family, alone, a.byte) != 1)
		return -EINVAL;
	a.prefix = net_address_bits(&a);
	if (text[n]) {
		digits = strspn(text + n + 1, "0123456789");
		if (digits < 1 || digits > 3 || text[n + 1 + digits] || (digits > 1 && text[n + 1] == '0'))
			return -EINVAL;
		a.prefix = (unsigned)atoi(text + n + 1);
		if (a.prefix > net_address_bits(&a))
			return -EINVAL;
	}
	*ret = a;
	return 0;
}

int net_address_same(const struct net_address *a, const struct net_address *b)
{
	return a->family == b->family && !memcmp(a->byte, b->byte, net_address_bits(a) / 8);
}

int net_address_within(const struct net_address *a, const struct net_address *of)
{
	unsigned whole = of->prefix / 8, rest = of->prefix % 8;

	if (a->family != of->family || memcmp(a->byte, of->byte, whole) != 0)
		return 0;
	return !rest || !((a->byte[whole] ^ of->byte[whole]) >> (8 - rest));
}

/* Whether all bits behind the prefix are `one`. */
static int host_bits_are(const struct net_address *a, int one)
{
	for (unsigned i = a->prefix; i < net_address_bits(a); i++)
		if (!!(a->byte[i / 8] & (0x80 >> i % 8)) != one)
			return 0;
	return 1;
}

/* Of two addresses both are hosts' (RFC 3021, RFC 6164), and one alone is. */
int net_address_is_network(const struct net_address *a)
{
	return a->prefix + 1 < net_address_bits(a) && host_bits_are(a, 0);
}

int net_address_is_broadcast(const struct net_address *a)
{
	return a->family == AF_INET && a->prefix + 1 < 32 && host_bits_are(a, 1);
}

int net_address_is_link_local(const struct net_address *a)
{
	return a->family == AF_INET ? a->byte[0] == 169 && a->byte[1] == 254
				    : a->byte[0] == 0xfe && (a->byte[1] & 0xc0) == 0x80;
}
