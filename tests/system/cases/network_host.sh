# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# VEs with network=host: they use the host's network as a user of the host's could, and change nothing of it. The
# runner's network namespace is the host.
# limit test_debian_12 120
# limit test_debian_13 120

# The host's links, addresses, routes and rules, without what counts or ages.
network_now() {
	ip -o link show | sed 's/ qlen.*//'
	ip -o address show | sed 's/ valid_lft.*//'
	ip route show table all
	ip -6 route show table all | sed 's/ expires [0-9]*sec//'
	cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start
}
rebooted_to() { [ "$(info "$1" "d['boot']")" = "$2" ]; }
namespace_of() { readlink "/proc/$(info "$1" "d['pid']")/ns/net"; }
listens() { python3 -c '
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)' "$1" "$2" 2>/dev/null; }

setup() {
	ok ip link add hn0 type veth peer name hn1
	# Else an address that the kernel makes itself is tentative for a while.
	ok ip link set hn0 addrgenmode none
	ok ip link set hn1 addrgenmode none
	ok ip address add 198.51.100.1/24 dev hn0
	ok ip link set hn0 up
	ok ip link set hn1 up
}
teardown() { ok ip link del hn0; }

test_shares_and_changes_nothing() {
	local before boot what server
	ok vectl create web1 --image busybox --set network=host
	like "$ERR" "web1: on the host's network, and so:"
	like "$ERR" 'abstract Unix sockets'
	ok vectl start web1 --wait=ready
	before=$(network_now)
	eq "$(namespace_of web1)" "$(readlink /proc/self/ns/net)" 'network namespace'
	ne "$(readlink "/proc/$(info web1 "d['pid']")/ns/user")" "$(readlink /proc/self/ns/user)" 'user namespace'
	inside web1 'ip address show dev hn0; ls /sys/class/net'
	like "$OUT" 'inet 198.51.100.1/24'
	like "$OUT" '^hn0$'
	python3 -m http.server --bind 127.0.0.1 8998 >/dev/null 2>&1 &
	server=$!
	until_ 10 listens 127.0.0.1 8998
	inside web1 'wget -q -O /dev/null http://127.0.0.1:8998/'
	eq "$STATUS" 0 'the 127.0.0.1 of the host, which is said to be reached'
	kill "$server"
	inside web1 'nc -l -p 8999 >/dev/null 2>&1 & :'
	until_ 10 listens 127.0.0.1 8999
	# What the host's root alone may do, root inside may not.
	for what in 'ip link add x0 type dummy' 'ip link set hn0 down' 'ip link del hn0' 'ip address add 198.51.100.9/24 dev hn0' \
		'ip route add 203.0.113.0/24 dev hn0' 'ip link set lo down' 'echo 1 >/proc/sys/net/ipv4/conf/hn0/forwarding' \
		'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start' 'echo 9000 >/sys/class/net/hn0/mtu' \
		'mount -o remount,rw /sys' 'mount -t sysfs none /mnt' 'timeout 2 nc -l -p 80' 'arping -c 1 -w 1 -I hn0 198.51.100.2'; do
		try vectl exec web1 -- sh -c "$what"
		ne "$STATUS" 0 "status of $what"
		like "$OUT$ERR" 'not permitted|[Pp]ermission denied|Read-only file system' "what is said of $what"
	done
	ok vectl exec web1 -- true
	boot=$(info web1 "d['boot']")
	try vectl exec web1 -- reboot
	until_ 20 rebooted_to web1 $((boot + 1))
	ok vectl wait web1 --state ready --timeout 30
	eq "$(namespace_of web1)" "$(readlink /proc/self/ns/net)" 'network namespace after a reboot'
	ok vectl set web1 network=private
	like "$ERR" 'waits for the next start: network'
	eq "$(info web1 "len(d['lost'])")" 4 'what is lost until then'
	ok vectl stop web1
	eq "$(network_now)" "$before" 'the network of the host'
	ok vectl start web1 --wait=ready
	ne "$(namespace_of web1)" "$(readlink /proc/self/ns/net)" 'network namespace of network=private'
	ok vectl set web1 network=host
	eq "$(info web1 "len(d['lost'])")" 0 'what is lost while it runs as before'
	cleanup_ve web1
	eq "$(network_now)" "$before" 'the network of the host after destroy'
}

# What looks for name servers on the host finds them, its loopback's too.
test_name_servers() {
	ok vectl create web1 --image busybox --set network=host --set dns.servers=127.0.0.53
	ok vectl start web1 --wait=ready
	inside web1 'cat /etc/resolv.conf'
	like "$OUT" '^nameserver 127.0.0.53$'
	cleanup_ve web1
}

test_what_would_give_more() {
	refused() { # PATTERN ASSIGNMENT...
		local pattern=$1 sets=() a
		shift
		for a; do sets+=(--set "$a"); done
		exits 2 vectl create web1 --image busybox --set network=host "${sets[@]}"
		like "$ERR" "$pattern"
		eq "$(vectl list --names)" '' VEs
	}
	refused 'a privileged VE with the host.s network could change it' privileged=true
	refused 'features: with network=host the VE could take the host.s own tunnels' features=fuse,tun
	refused 'device.t.path: with network=host the VE could take' device.t.path=/dev/net/tun
	refused 'device.t.path: with network=host the VE could take' device.t.path=/dev/vhost-net
	refused 'sysctl.net.ipv4.ip_forward: with network=host it is the host.s' sysctl.net.ipv4.ip_forward=1
	refused 'a VE with network=host has no interfaces of its own' net.eth0.ipv4=auto
	ok vectl create web1 --image busybox --set network=host --set features=fuse
	fails 2 vectl set web1 features+=tun
	fails 2 vectl set web1 privileged=true
	ok vectl set web1 network=none
	eq "$ERR" ''
	ok vectl set web1 network=host
	like "$ERR" "on the host's network, and so:"
	eq "$(info web1 "len(d['lost'])")" 4
	ok vectl info web1
	like "$OUT" "On the host's network, and so"
	# By whatever name, and whether they are there yet.
	local node
	ok mount -t tmpfs nodes /dev/shm
	trap 'umount /dev/shm' EXIT
	for node in 'tun c 10 200' 'vhost c 10 238' 'ppp c 108 0'; do
		# shellcheck disable=SC2086
		ok mknod /dev/shm/$node
		node=/dev/shm/${node%% *}
		ok vectl set web1 "device.t.path=$node"
		fails 1 vectl start web1
		like "$ERR" "device.t.path: with network=host the VE could take the host's own interfaces by $node: "
		ok vectl unset web1 device.t
	done
	# Given up with the next start, the network is the host's until then.
	ok vectl start web1 --wait=ready
	try vectl set web1 network=private device.t.path=/dev/net/tun
	eq "$STATUS" 4 'status of a set of both'
	like "$ERR" 'what the VE runs with does not allow it: .*with network=host the VE could take'
	try vectl set web1 network=private "device.t.path=$node"
	like "$ERR" "with network=host the VE could take the host's own interfaces"
	inside web1 'ls /dev'
	unlike "$OUT" 'ppp|tun'
	ok vectl get web1 network
	eq "$OUT" host 'network after what was refused'
	trap - EXIT
	ok umount /dev/shm
	cleanup_ve web1
}

debian_guest() { # RELEASE
	[ -e "$T_CACHE/debian-$1.tar" ] || skip "no acceptance image of Debian $1: tests/system/images .cache"
	local before
	before=$(network_now)
	ok vectl create "host$1" --image "plain/$1" --set network=host
	ok vectl start "host$1" --wait=ready --timeout 60
	try vectl exec "host$1" -- systemctl is-system-running --wait
	[ "$OUT" = running ] || {
		try vectl exec "host$1" -- systemctl --failed
		die "it is not running as it should: $OUT"
	}
	inside "host$1" 'su -c true nobody -s /bin/sh'
	eq "$STATUS" 0 'status of su'
	ok vectl stop "host$1"
	ok vectl start "host$1" --wait=ready --timeout 60
	eq "$(network_now)" "$before" 'the network of the host'
	cleanup_ve "host$1"
}

test_debian_12() { debian_guest 12; }
test_debian_13() { debian_guest 13; }
