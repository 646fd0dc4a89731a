/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is asked of values beyond their type, and between keys. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/capability.h>

#include "lib/base/util.h"
#include "lib/spec/interfaces.h"
#include "lib/spec/internal.h"

/* ---- capabilities */

int spec_capability(const char *word)
{
	char name[48] = "cap_";
	size_t skip = strncasecmp(word, "cap_", 4) ? 4 : 0, i;
	cap_value_t number;

	if (strlen(word) + skip >= sizeof(name))
		return -EINVAL;
	for (i = 0; word[i]; i++)
		name[skip + i] = (char)tolower((unsigned char)word[i]);
	name[skip + i] = '\0';
	/* libcap takes numbers as well; a spec that is read elsewhere has names. */
	if (!isalpha((unsigned char)name[4]) || cap_from_name(name, &number) < 0)
		return -EINVAL;
	return number;
}

static bool has_capability(const char *const *items, int number)
{
	for (; items && *items; items++)
		if (spec_capability(*items) == number)
			return true;
	return false;
}

static int check_capabilities(const struct spec *s, const struct place *at, const struct value *v)
{
	const char *const *other = spec_list(s, strcmp(v->path, "caps.keep") ? "caps.keep" : "caps.drop");
	size_t i;

	for (i = 0; v->items[i]; i++) {
		int number = spec_capability(v->items[i]);

		if (has_capability(other, number))
			return spec_fail(at, v->path, VE_E_SPEC, EINVAL, "take it out of one of the two",
				"%.64s is in both caps.keep and caps.drop", v->items[i]);
	}
	return 0;
}

static int is_host_network(const struct spec *s)
{
	const char *network = spec_string(s, "network");

	return network && !strcmp(network, "host");
}

/* ---- sysctls: the form of the key says what is of a namespace; here, whether the VE has that namespace itself */

static int check_sysctl(const struct spec *s, const struct place *at, const struct value *v)
{
	static const char *const users[] = {"sysctl.user.", "sysctl.kernel.pid_max", "sysctl.kernel.ns_last_pid"};
	size_t i;

	if (strlen(v->path) > 200)
		return spec_fail(
			at, v->path, VE_E_SPEC, E2BIG, "check its name", "%.64s...: the name is too long", v->path);
	if (!strncmp(v->path, "sysctl.net.", 11) && is_host_network(s))
		return spec_fail(at, v->path, VE_E_SPEC, EINVAL,
			"set it on the host, or give the VE a network of its own",
			"%s: with network=host it is the host's", v->path);
	for (i = 0; i < ARRAY_SIZE(users) && spec_integer(s, "privileged", 0); i++)
		if (!strncmp(v->path, users[i], strlen(users[i])))
			return spec_fail(at, v->path, VE_E_SPEC, EINVAL, "set it on the host",
				"%s: it is the host's, since a privileged VE has no user namespace of its own",
				v->path);
	return 0;
}

/* ---- environment: what init is told by vectl, and by nobody else */

static int check_variable(const struct spec *s, const struct place *at, const struct value *v)
{
	static const struct {
		const char *name, *why;
	} own[] = {
		{"container", "it says to the guest's programs what they run in"},
		{"container_uuid", "it is the VE's uuid, which the guest's machine id comes from"},
		{"CREDENTIALS_DIRECTORY", "it says where the VE's credentials are"},
		{"NOTIFY_SOCKET", "it says where init tells that it is ready"},
		{"LISTEN_FDS", "it says which sockets a start hands over"},
		{"LISTEN_PID", "it says who a start hands sockets over to"},
		{"LISTEN_FDNAMES", "it says which sockets a start hands over"},
	};
	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (!strcmp(v->path + strlen("env."), own[i].name))
			return spec_fail(at, v->path, VE_E_SPEC, EINVAL, "leave it out; `unset` takes it away",
				"%s is a variable that vectl gives init itself: %s", v->path, own[i].why);
	return 0;
}

/* ---- the host's network: what would let the VE do more there than any user of the host's could */

static int check_network(const struct spec *s, const struct place *at, const struct value *v)
{
	if (!is_host_network(s) || !spec_integer(s, "privileged", 0))
		return 0;
	return spec_fail(at, v->path, VE_E_SPEC, EINVAL, "leave network private, or set privileged=false",
		"network: a privileged VE with the host's network could change it as the host's root can");
}

/* One that somebody made and gave to nobody is everybody's who has this device (tun_not_capable of the kernel). */
static int check_tun(const struct spec *s, const struct place *at, const struct value *v)
{
	static const char *const devices[] = {"/dev/net/tun", "/dev/vhost-net"};
	int refused = 0;

	for (size_t i = 0; v->items && v->items[i]; i++)
		refused |= !strcmp(v->items[i], "tun");
	for (size_t i = 0; !v->items && i < ARRAY_SIZE(devices); i++)
		refused |= !strcmp(v->text, devices[i]);
	if (!refused || !is_host_network(s))
		return 0;
	return spec_fail(at, v->path, VE_E_SPEC, EINVAL, "take it away, or leave network private",
		"%s: with network=host the VE could take the host's own tunnels by it", v->path);
}

/* ---- devices: the other keys say something about a path */

static int check_device(const struct spec *s, const struct place *at, const struct value *v)
{
	char key[64], remedy[128];

	snprintf(key, sizeof(key), "%.*s.path", (int)(strrchr(v->path, '.') - v->path), v->path);
	if (spec_is_set(s, key))
		return 0;
	snprintf(remedy, sizeof(remedy), "set it together with the others: vectl set NAME %.60s=/dev/NODE", key);
	return spec_fail(at, key, VE_E_SPEC, EINVAL, remedy, "%s is not set", key);
}

/* ---- all */

/* By row, as the table of keys has it. */
static const struct {
	const char *key;
	int (*check)(const struct spec *s, const struct place *at, const struct value *v);
} checks[] = {
	{"caps.keep", check_capabilities},
	{"caps.drop", check_capabilities},
	{"sysctl.*", check_sysctl},
	{"env.*", check_variable},
	{"network", check_network},
	{"features", check_tun},
	{"device.*.path", check_tun},
	{"device.*.mode", check_device},
	{"device.*.uid", check_device},
	{"device.*.gid", check_device},
	{"device.*.access", check_device},
};

int spec_check_values(const struct spec *s, const struct place *at)
{
	cleanup_free struct spec_mount *mounts = NULL;
	cleanup_free struct net_wish *interfaces = NULL;
	size_t i, k;
	int r;

	for (i = 0; i < s->n; i++)
		for (k = 0; k < ARRAY_SIZE(checks); k++) {
			if (strcmp(checks[k].key, s->values[i].row->key) != 0)
				continue;
			r = checks[k].check(s, at, &s->values[i]);
			if (r < 0)
				return r;
		}
	r = spec_mounts(s, &mounts, at->error);
	if (r >= 0)
		r = spec_interfaces(s, &interfaces, at->error);
	return r < 0 ? r : 0;
}
