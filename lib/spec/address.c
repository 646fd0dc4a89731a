/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Forms of what a network is made of. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/spec/format.h"

static const char general[] = ""; /* the format's name says it */

enum { IFNAME = 15 }; /* IFNAMSIZ without the NUL */

static const char *check_host_interface(const char *text, char *buf, size_t size)
{
	if (!strcmp(text, ".") || !strcmp(text, ".."))
		return general;
	if (strpbrk(text, "/: "))
		return "it has characters that are not allowed";
	return strlen(text) > IFNAME || (size_t)snprintf(buf, size, "%s", text) >= size ? "it is too long" : NULL;
}
const struct spec_format format_host_interface = {"a network device of the host", "`ip link` shows them",
	"^[^/:\\u0000-\\u0020\\u007f-\\u009f]{1,15}$", check_host_interface, "br0\nenp3s0.7", "a/b\na b\na:b", "..\n."};

/* Also a folder of /proc/sys/net/ipv4/conf, where `all` and `default` are something else. */
static const char *check_interface(const char *text, char *buf, size_t size)
{
	if (!strcmp(text, "lo") || !strcmp(text, "all") || !strcmp(text, "default"))
		return "the kernel has that name for something else";
	return check_host_interface(text, buf, size);
}
const struct spec_format format_interface = {"a name of an interface", "use up to 15 letters, digits, _ and -: eth0",
	"^(?!(lo|all|default)$)[A-Za-z0-9_-]{1,15}$", check_interface, "eth0\nwan-1", "lo\nall\nabcdefghijklmnop",
	NULL};

static const char *check_mac(const char *text, char *buf, size_t size)
{
	unsigned char mac[6];
	bool any = false;
	size_t i;

	if (strlen(text) != 17)
		return general;
	for (i = 0; i < 6; i++) {
		const char *p = text + i * 3;
		if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) || (i < 5 && p[2] != ':'))
			return general;
		mac[i] = (unsigned char)strtoul((char[]){p[0], p[1], '\0'}, NULL, 16);
		any |= mac[i] != 0;
	}
	if (mac[0] & 1)
		return "it is a group address (the first byte is odd)";
	if (!any)
		return general;
	snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return NULL;
}
const struct spec_format format_mac = {"a hardware address", "write six bytes: 02:00:5e:10:00:01",
	"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$", check_mac, "02:00:5e:10:00:01",
	"02:00:5e:10:00\n02-00-5e-10-00-01\n0g:00:5e:10:00:01", "00:00:00:00:00:00\n01:00:5e:10:00:01"};

/* An address that a host can have. */
static const char *host_address(int family, const void *address)
{
	const unsigned char *b = address;

	if (family == AF_INET) {
		if (b[0] >= 240)
			return "it is reserved";
		return b[0] == 0 ? "it is no host's address" : b[0] >= 224 ? "it is a multicast address" : NULL;
	}
	if (b[0] == 0xff)
		return "it is a multicast address";
	return IN6_IS_ADDR_UNSPECIFIED((const struct in6_addr *)address) ? "it is no host's address"
	       : IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address)  ? "write an IPv4 address as one"
									 : NULL;
}

static bool is_loopback(int family, const void *address)
{
	return family == AF_INET ? *(const unsigned char *)address == 127
				 : IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)address);
}

/* Of an interface; `auto` is one that is chosen for it. */
static const char *with_prefix(int family, const char *text, char *buf, size_t size)
{
	unsigned char address[sizeof(struct in6_addr)];
	char alone[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/'), *problem;
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	int most = family == AF_INET ? 32 : 128, prefix = -1;

	if (!strcmp(text, "auto")) {
		snprintf(buf, size, "%s", text);
		return NULL;
	}
	if (n >= sizeof(alone))
		return general;
	memcpy(alone, text, n);
	alone[n] = '\0';
	if (inet_pton(family, alone, address) != 1)
		return general;
	problem = is_loopback(family, address) ? "it is a loopback address" : host_address(family, address);
	if (problem)
		return problem;
	if (!slash)
		return "the prefix length is missing";
	n = strspn(slash + 1, "0123456789");
	if (n > 0 && n <= 3 && !slash[1 + n] && !(n > 1 && slash[1] == '0'))
		prefix = atoi(slash + 1);
	if (prefix < 1 || prefix > most)
		return "the prefix length is out of range";
	inet_ntop(family, address, alone, sizeof(alone));
	snprintf(buf, size, "%s/%d", alone, prefix);
	return NULL;
}

static const char *check_ipv4(const char *text, char *buf, size_t size)
{
	return with_prefix(AF_INET, text, buf, size);
}
const struct spec_format format_ipv4 = {"an IPv4 address with prefix length", "write 10.0.0.2/24, or auto",
	"^(auto|[0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,3})$", check_ipv4, "10.0.0.2/24\n192.0.2.1/32\nauto",
	"Auto\n10.0.0.2\n10.0.0/24\n10.0.0.2/\n10.0.0.2/24/8\n10.0.0.2/x\n::1/64",
	"256.0.0.1/8\n10.0.0.2/33\n10.0.0.2/0\n224.0.0.1/8\n127.0.0.2/8\n0.0.0.0/8"};

static const char *check_ipv6(const char *text, char *buf, size_t size)
{
	return with_prefix(AF_INET6, text, buf, size);
}
const struct spec_format format_ipv6 = {"an IPv6 address with prefix length", "write 2001:db8::2/64, or auto",
	"^(auto|[0-9A-Fa-f:.]{2,45}/[0-9]{1,3})$", check_ipv6, "2001:db8::2/64\nfe80::1/128\nauto",
	"any\n2001:db8::2\ng::/64\n::1/\nfe80::1%eth0/64",
	"2001:db8::2/129\n10.0.0.2/24\n::/64\n::1/128\nff02::1/64\n2001:db8:::2/64"};

static const char *check_address(const char *text, char *buf, size_t size)
{
	unsigned char address[sizeof(struct in6_addr)];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	const char *problem;

	if (inet_pton(family, text, address) != 1)
		return strchr(text, '/') ? "a prefix length does not belong here" : general;
	problem = host_address(family, address);
	if (!problem)
		inet_ntop(family, address, buf, size);
	return problem;
}
const struct spec_format format_address = {"an IP address", "write 10.0.0.1 or 2001:db8::1", "^[0-9A-Fa-f:.]{2,45}$",
	check_address, "10.0.0.1\n2001:db8::1\n127.0.0.53", "10.0.0.1/24\nlocalhost\ndns.example.org",
	"10.0.0\n300.0.0.1\n::\n1:2"};

/* ---- published ports: [ADDRESS:]HOST:VE[/PROTOCOL], a port or a range each */

/* -1: none. */
static int port(const char **p)
{
	size_t n = strspn(*p, "0123456789");
	int value;

	if (n == 0 || n > 5 || **p == '0')
		return -1;
	value = atoi(*p);
	*p += n;
	return value <= 65535 ? value : -1;
}

static bool ports(const char **p, int ret[2])
{
	ret[0] = ret[1] = port(p);
	if (ret[0] > 0 && **p == '-') {
		++*p;
		ret[1] = port(p);
	}
	return ret[0] > 0 && ret[1] >= ret[0];
}

static void put_ports(char *buf, size_t size, const int range[2])
{
	snprintf(buf, size, range[0] == range[1] ? "%d" : "%d-%d", range[0], range[1]);
}

static const char *check_port(const char *text, char *buf, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "", alone[INET6_ADDRSTRLEN + 2], host_text[16], ve_text[16];
	const char *p = text, *protocol = "tcp", *end = NULL, *problem;
	int host[2], ve[2];
	bool brackets = *p == '[';

	if (brackets)
		end = strstr(p, "]:");
	else if (strchr(p, '.'))
		end = strchr(p, ':');
	if (brackets && !end)
		return "the address does not end";
	if (end) {
		p += brackets;
		if ((size_t)(end - p) >= sizeof(address))
			return general;
		snprintf(alone, sizeof(alone), "%.*s", (int)(end - p), p);
		if (brackets == !strchr(alone, ':'))
			return general;
		problem = check_address(alone, address, sizeof(address));
		if (problem)
			return problem;
		p = end + 1 + brackets;
	}
	if (!ports(&p, host) || *p++ != ':' || !ports(&p, ve))
		return general;
	if (host[1] - host[0] != ve[1] - ve[0])
		return "the ranges differ in length";
	if (*p) {
		if (strcmp(p, "/tcp") && strcmp(p, "/udp"))
			return "the protocol is neither tcp nor udp";
		protocol = p + 1;
	}
	put_ports(host_text, sizeof(host_text), host);
	put_ports(ve_text, sizeof(ve_text), ve);
	snprintf(buf, size, "%s%s%s%s%s:%s/%s", brackets ? "[" : "", address, brackets ? "]" : "", *address ? ":" : "",
		host_text, ve_text, protocol);
	return NULL;
}
const struct spec_format format_port = {"a published port",
	"write HOST:VE, as in 8080:80/tcp, with an address of the host before it if need be",
	"^(([0-9]+[.][0-9.]+|\\[[0-9A-Fa-f:.]+\\]):)?[0-9]{1,5}(-[0-9]{1,5})?:[0-9]{1,5}(-[0-9]{1,5})?(/tcp|/udp)?$",
	check_port, "8080:80/tcp\n53:53/udp\n8000-8010:9000-9010/tcp\n192.0.2.1:22:22/tcp\n[2001:db8::1]:80:80/tcp",
	"80\n80:\n:80\n80:80/sctp\n80/tcp\na:b\n80:80:80\n::1:80:80", "0:80\n70000:80\n80:90-91\n90-80:80-90"};

static const char *check_domain(const char *text, char *buf, size_t size)
{
	const char *p = text;

	if (strlen(text) > 253)
		return "it is longer than 253 bytes";
	for (;;) {
		size_t n = strcspn(p, "."), i;

		if (!n || n > 63)
			return n ? "a part is longer than 63 bytes" : "a part is empty";
		for (i = 0; i < n; i++)
			if (!isalnum((unsigned char)p[i]) && p[i] != '-' && p[i] != '_')
				return "it has characters that are not allowed";
		if (p[0] == '-' || p[n - 1] == '-')
			return "a part starts or ends with -";
		if (!p[n] || !p[n + 1])
			break;
		p += n + 1;
	}
	snprintf(buf, size, "%s", text);
	if (buf[strlen(buf) - 1] == '.')
		buf[strlen(buf) - 1] = '\0';
	return NULL;
}
const struct spec_format format_domain = {"a domain", "write example.org",
	"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?$", check_domain, "example.org\nlan\nad.example.org",
	"-a\na b\nexample-\n.", "a..b\na.-b"};
