/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/host/conf.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/host/ids.h"
#include "lib/spec/format.h"

static const char tried[] = "read vectl.conf";

enum { POOL_BASE = 0x70000000, POOL_COUNT = 0x10000000 };

static const struct setting {
	const char *group, *name; /* group "": at the top */
	enum json_type type;
	int or_false;
} settings[] = {
	{"", "format", JSON_INTEGER},
	{"", "idpool", JSON_OBJECT},
	{"", "network", JSON_OBJECT},
	{"idpool", "base", JSON_INTEGER},
	{"idpool", "count", JSON_INTEGER},
	{"network", "type", JSON_STRING},
	{"network", "bridge", JSON_STRING},
	{"network", "ipv4", JSON_STRING},
	{"network", "ipv6", JSON_STRING, 1},
	{"network", "nat", JSON_BOOL},
};

static const struct {
	const char *group, *form, *members;
} groups[] = {
	{"", "write {\"idpool\": {\"base\": N, \"count\": N}}", "settings are format, idpool and network"},
	{"idpool", "write {\"base\": N, \"count\": N}", "settings are idpool.base and idpool.count"},
	{"network", "write {\"type\": \"bridge\"}",
		"settings are network.type, network.bridge, network.ipv4, network.ipv6 and network.nat"},
};

static const struct {
	const char *wrong, *remedy;
} types[] = {
	[JSON_INTEGER] = {"no integer", "write a plain number"},
	[JSON_OBJECT] = {"no object", NULL},
	[JSON_STRING] = {"no string", "write it in quotes"},
	[JSON_BOOL] = {"neither true nor false", "write true or false"},
};

struct file {
	const char *path;
	struct error *e;
};

static int wrong_value(const struct file *f, const struct json *j, const char *remedy, const char *wrong)
{
	return error_set(f->e, VE_E_HOST, EINVAL, tried, remedy, "%s:%u:%u: `%.64s` %s", f->path, j->line, j->column,
		j->key, wrong);
}

static size_t group_of(const char *name)
{
	size_t i = 0;
	while (i < ARRAY_SIZE(groups) && strcmp(groups[i].group, name))
		i++;
	return i;
}

/* What is misspelt is said, not passed over. */
static int check_group(const struct file *f, const struct json *object, const char *group)
{
	for (const struct json *j = object->child; j; j = j->next) {
		const struct setting *s = settings, *end = settings + ARRAY_SIZE(settings);
		while (s < end && (strcmp(s->group, group) || strcmp(s->name, j->key)))
			s++;
		if (s == end)
			return error_set(f->e, VE_E_HOST, EINVAL, tried, groups[group_of(group)].members,
				"%s:%u:%u: there is no setting `%.64s`", f->path, j->key_line, j->key_column, j->key);
		if (j->type != s->type && !(s->or_false && j->type == JSON_BOOL && !j->integer))
			return error_set(f->e, VE_E_HOST, EINVAL, tried,
				types[s->type].remedy ?: groups[group_of(s->name)].form, "%s:%u:%u: `%.64s` is %s",
				f->path, j->line, j->column, j->key, types[s->type].wrong);
		int r = s->type == JSON_OBJECT ? check_group(f, j, s->name) : 0;
		if (r)
			return r;
	}
	return 0;
}

static int read_idpool(const struct file *f, const struct json *pool, struct host_conf *c)
{
	int64_t base = json_integer(pool, "base", POOL_BASE), count = json_integer(pool, "count", POOL_COUNT);
	if (base < 65536 || count < 2 * IDS_COUNT || base % IDS_COUNT || count % IDS_COUNT ||
		count > (1ll << 31) - base)
		return error_set(f->e, VE_E_HOST, EINVAL, tried,
			"use multiples of 65536 from 65536 to 2147483648, two ranges at least",
			"%s: idpool.base %lld and idpool.count %lld are no usable range", f->path, (long long)base,
			(long long)count);
	c->idpool.base = (uint32_t)base;
	c->idpool.count = (uint32_t)count;
	return 0;
}

/* A network with room for VEs, not one of its addresses. */
static int read_pool(
	const struct file *f, const struct json *j, int family, unsigned least, unsigned most, struct net_address *ret)
{
	const char *remedy = family == AF_INET
				     ? "write a network of private addresses, /8 to /29: 10.97.0.0/16"
				     : "write a network of private addresses, /16 to /112: fd12:3456:789a::/64";
	struct net_address a;
	char canonical[FORMAT_MAX];
	if (net_address_parse(j->string, &a) || a.family != family)
		return wrong_value(f, j, remedy, family == AF_INET ? "is no IPv4 network" : "is no IPv6 network");
	if (a.prefix < least || a.prefix > most)
		return wrong_value(f, j, remedy, "is of a prefix length that is not possible");
	if (!net_address_is_network(&a))
		return wrong_value(f, j, remedy, "is an address in a network, not the network");
	a.byte[net_address_bits(&a) / 8 - 1] |= 1; /* the first that a host can have tells whether any can */
	char text[NET_ADDRESS_TEXT];
	net_address_text(&a, 1, text);
	if ((family == AF_INET ? &format_ipv4 : &format_ipv6)->check(text, canonical, sizeof canonical) ||
		net_address_is_link_local(&a))
		return wrong_value(f, j, remedy, "is a network that no host's addresses are of");
	*ret = a;
	return 0;
}

static int read_network(const struct file *f, const struct json *network, struct host_conf *c)
{
	static const char *const words[] = {[CONF_BRIDGE] = "bridge", [CONF_ROUTED] = "routed", [CONF_NONE] = "none"};
	const struct json *type = json_get(network, "type"), *bridge = json_get(network, "bridge"),
			  *ipv4 = json_get(network, "ipv4"), *ipv6 = json_get(network, "ipv6"),
			  *nat = json_get(network, "nat");
	char canonical[FORMAT_MAX];
	for (c->network.type = 0; type && strcmp(words[c->network.type], type->string);)
		if (++c->network.type == ARRAY_SIZE(words))
			return wrong_value(f, type, "write bridge, routed or none", "is none of those that there are");
	if (bridge) {
		if (!*bridge->string || format_host_interface.check(bridge->string, canonical, sizeof canonical))
			return wrong_value(f, bridge, "`ip link` shows them", "is no name of a bridge");
		if (c->network.type != CONF_BRIDGE)
			return wrong_value(
				f, bridge, "leave it out, or write type bridge", "is of use with type bridge alone");
		snprintf(c->network.bridge, sizeof c->network.bridge, "%s", bridge->string);
	}
	int r = ipv4 ? read_pool(f, ipv4, AF_INET, 8, 29, &c->network.ipv4) : 0;
	if (!r && ipv6 && ipv6->type == JSON_STRING)
		r = read_pool(f, ipv6, AF_INET6, 16, 112, &c->network.ipv6);
	c->network.no_ipv6 = ipv6 && ipv6->type == JSON_BOOL;
	c->network.nat = nat ? !!nat->integer : 1;
	return r;
}

int conf_read(struct ve_host *host, struct host_conf *ret, struct error *e)
{
	char path[PATH_MAX];
	cleanup_free char *text = NULL;
	cleanup_json struct json *j = NULL;
	struct file f = {.path = path, .e = e};
	struct host_conf c = {0};
	size_t size;
	if (FORMAT(path, "%s/vectl.conf", host->etc) < 0)
		return error_sys(e, ENAMETOOLONG, tried, host->etc);
	int r = read_file_at(AT_FDCWD, path, JSON_MAX_BYTES, &text, &size);
	if (r < 0 && r != -ENOENT)
		return error_sys(e, -r, tried, path);
	if (!r && (r = json_parse(text, size, path, tried, &j, e)))
		return r;
	if (j && j->type != JSON_OBJECT)
		return error_set(
			e, VE_E_HOST, EINVAL, tried, groups[0].form, "%s:%u:%u: no object", path, j->line, j->column);
	if ((j && (r = check_group(&f, j, ""))) || (r = read_idpool(&f, json_get(j, "idpool"), &c)) ||
		(r = read_network(&f, json_get(j, "network"), &c)))
		return r;
	*ret = c;
	return 0;
}
