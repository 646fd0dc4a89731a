/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "lib/spec/format.h"

/* clang-format off: one row a line */
const struct spec_trait spec_traits[] = {
	{"name", NULL, NULL, "web1", NULL},
	{"uuid", NULL, NULL, "01234567-89ab-cdef-0123-456789abcdef", NULL},
	{"hostname", NULL, NULL, "web1.example.org", NULL},
	{"image", &format_image, NULL, "debian/13", NULL},
	{"arch", &format_arch, NULL, "x86_64", NULL},
	{"init", NULL, NULL, "/sbin/init,--log-level=debug", NULL},
	{"env.*", NULL, NULL, "Europe/Vienna", "TZ"},
	{"userns.base", NULL, NULL, "1879179264", NULL},
	{"privileged", NULL, NULL, "true", NULL},
	{"cpu.count", NULL, NULL, "2", NULL},
	{"cpu.limit", NULL, NULL, "150%", NULL},
	{"cpu.weight", NULL, NULL, "200", NULL},
	{"cpu.set", &format_cpus, NULL, "0-3,7", NULL},
	{"memory.max", NULL, NULL, "2G", NULL},
	{"memory.high", NULL, NULL, "1800M", NULL},
	{"memory.low", NULL, NULL, "256M", NULL},
	{"memory.swap", NULL, NULL, "512M", NULL},
	{"pids.max", NULL, NULL, "4096", NULL},
	{"hugetlb.*", NULL, &format_hugepage, "64", "2M"},
	{"rlimit.as", NULL, NULL, "8589934592", NULL},
	{"rlimit.core", NULL, NULL, "0", NULL},
	{"rlimit.cpu", NULL, NULL, "3600", NULL},
	{"rlimit.data", NULL, NULL, "8589934592", NULL},
	{"rlimit.fsize", NULL, NULL, "8589934592", NULL},
	{"rlimit.locks", NULL, NULL, "1024", NULL},
	{"rlimit.memlock", NULL, NULL, "67108864", NULL},
	{"rlimit.msgqueue", NULL, NULL, "819200", NULL},
	{"rlimit.nice", NULL, NULL, "20", NULL},
	{"rlimit.nofile", NULL, NULL, "65536", NULL},
	{"rlimit.nproc", NULL, NULL, "4096", NULL},
	{"rlimit.rss", NULL, NULL, "8589934592", NULL},
	{"rlimit.rtprio", NULL, NULL, "0", NULL},
	{"rlimit.rttime", NULL, NULL, "1000000", NULL},
	{"rlimit.sigpending", NULL, NULL, "4096", NULL},
	{"rlimit.stack", NULL, NULL, "8388608", NULL},
	{"io.weight", NULL, NULL, "200", NULL},
	{"io.*.rbps", NULL, NULL, "50M", "sda"},
	{"io.*.wbps", NULL, NULL, "20M", "sda"},
	{"io.*.riops", NULL, NULL, "1000", "sda"},
	{"io.*.wiops", NULL, NULL, "500", "sda"},
	{"disk.size", NULL, NULL, "20G", NULL},
	{"disk.inodes", NULL, NULL, "1000000", NULL},
	{"storage", NULL, NULL, "overlay", NULL},
	{"network", NULL, NULL, "private", NULL},
	{"net.*.type", NULL, &format_interface, "bridge", "lan"},
	{"net.*.link", &format_host_interface, &format_interface, "br0", "lan"},
	{"net.*.mac", &format_mac, &format_interface, "02:00:5e:10:00:01", "lan"},
	{"net.*.ipv4", &format_ipv4, &format_interface, "10.0.0.2/24", "lan", "net.lan.link=br0"},
	{"net.*.ipv6", &format_ipv6, &format_interface, "2001:db8::2/64", "lan", "net.lan.link=br0"},
	{"net.*.gateway", &format_address, &format_interface, "10.0.0.1,2001:db8::1", "lan",
		"net.lan.link=br0 net.lan.ipv4=10.0.0.2/24 net.lan.ipv6=2001:db8::2/64"},
	{"net.*.mtu", NULL, &format_interface, "1500", "lan"},
	{"net.*.vlan", NULL, &format_interface, "100", "lan", "net.lan.link=br0"},
	{"net.*.rate_in", NULL, &format_interface, "100m", "lan"},
	{"net.*.rate_out", NULL, &format_interface, "50m", "lan"},
	{"net.*.filter", NULL, &format_interface, "mac,ipv4,ipv6", "lan"},
	{"net.*.ports", &format_port, &format_interface, "8080:80/tcp", "lan", "net.lan.ipv4=auto"},
	{"dns.servers", &format_address, NULL, "10.0.0.53", NULL},
	{"dns.search", &format_domain, NULL, "example.org", NULL},
	{"mount.*.source", NULL, NULL, "/srv/data", "data", "mount.data.target=/srv/data"},
	{"mount.*.target", &format_target, NULL, "/srv/data", "data", "mount.data.source=/srv/data"},
	{"mount.*.type", &format_filesystem, NULL, "tmpfs", "data", "mount.data.target=/srv/data"},
	{"mount.*.options", &format_mount_option, NULL, "ro,nosuid", "data",
		"mount.data.source=/srv/data mount.data.target=/srv/data"},
	{"mount.*.idmap", NULL, NULL, "false", "data", "mount.data.source=/srv/data mount.data.target=/srv/data"},
	{"device.*.path", &format_device, NULL, "/dev/fuse", "fuse"},
	{"device.*.mode", &format_file_mode, NULL, "0660", "fuse", "device.fuse.path=/dev/fuse"},
	{"device.*.uid", NULL, NULL, "0", "fuse", "device.fuse.path=/dev/fuse"},
	{"device.*.gid", NULL, NULL, "44", "fuse", "device.fuse.path=/dev/fuse"},
	{"device.*.access", &format_access, NULL, "rw", "fuse", "device.fuse.path=/dev/fuse"},
	{"features", NULL, NULL, "fuse,tun", NULL},
	{"caps.keep", &format_capability, NULL, "sys_rawio", NULL},
	{"caps.drop", &format_capability, NULL, "net_raw,mknod", NULL},
	{"seccomp", &format_seccomp, NULL, "default", NULL},
	{"apparmor", &format_apparmor, NULL, "unconfined", NULL},
	{"sysctl.*", NULL, &format_sysctl, "1", "net.ipv4.ip_forward"},
	{"boot.auto", NULL, NULL, "true", NULL},
	{"boot.order", NULL, NULL, "10", NULL},
	{"boot.delay", NULL, NULL, "5", NULL},
	{"boot.on_exit", NULL, NULL, "restart-on-failure", NULL},
	{"stop.signal", NULL, NULL, "SIGRTMIN+3", NULL},
	{"stop.timeout", NULL, NULL, "30", NULL},
	{"hooks.*", NULL, NULL, "/usr/local/sbin/hook", NULL},
	{"labels.*", NULL, NULL, "shop", "owner"},
	{"suspended", NULL, NULL, "unpaid since May", NULL},
	{NULL},
};
/* clang-format on */

const struct spec_trait *spec_trait(const struct spec_key *row)
{
	const struct spec_trait *t = spec_traits;

	/* A trait of `rlimit.*` is one of all rows that begin so. */
	for (; t->key; t++) {
		size_t n = strcspn(t->key, "*");

		if (!strcmp(t->key, row->key) ||
			(t->key[n] && !t->key[n + 1] && !strncmp(t->key, row->key, n) && !strchr(row->key + n, '.')))
			break;
	}
	return t;
}
