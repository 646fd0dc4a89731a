# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Addresses of routed interfaces that lie in the network of the host's uplink: a machine there, which has no route to
# them, reaches them as if they were on that link, and reaches no others.
# privileged: neighbours

# asks ADDRESS: the outside machine, which has forgotten whom it knew
asks() { # [SECONDS]
	ok nsenter -t "$INTERNET" -n ip neigh flush dev inet
	nsenter -t "$INTERNET" -n ping -n -q -c 1 -W "${2:-5}" "$1" >/dev/null
}
asks_in_vain() { ! asks "$1" 1; }
# What the host answers for, "ADDRESS DEVICE" a line
answered() { ip neigh show proxy | awk '{ print $1, $3 }' | sort | tr '\n' ' '; }
is_answered() { [ "$(answered)" = "$1" ]; }

test_neighbours() {
	internet_up
	# Else the kernel lets whoever asks wait for a random time.
	echo 0 | tee /proc/sys/net/ipv[46]/neigh/outside/proxy_delay >/dev/null
	eq "$(answered)" '' 'before'
	asks_in_vain 192.0.2.9 || die 'somebody answers for 192.0.2.9 before there is a VE'
	busybox_ve web1 --set net.eth0.type=routed --set net.eth0.ipv4=192.0.2.9/32,10.207.1.1/32 --set net.eth0.ipv6=2001:db8:1::9/128
	# Written with the network's length, which is not that of anything in the VE.
	busybox_ve web2 --set net.eth0.type=routed --set net.eth0.ipv4=192.0.2.10/24 --set net.eth0.ipv6=2001:db8:1::10/64
	eq "$(answered)" '192.0.2.10 outside 192.0.2.9 outside 2001:db8:1::10 outside 2001:db8:1::9 outside ' 'what the host answers for'
	ok vectl stop web1 --force
	ok vectl plan web1
	like "$OUT" 'answer for 2001:db8:1::9 on outside'
	ok vectl start web1 --wait=ready
	local address
	for address in 192.0.2.9 192.0.2.10 2001:db8:1::9 2001:db8:1::10; do
		asks "$address" || die "$address is not reached from outside"
		like "$(nsenter -t "$INTERNET" -n ip neigh show "$address")" "lladdr $(cat /sys/class/net/outside/address)" 'who answers'
	done
	for address in 192.0.2.2 2001:db8:1::2 192.0.2.10 2001:db8:1::10; do
		inside web1 "ping -q -c 1 -W 5 $address"
		eq "$STATUS" 0 "web1 to $address"
	done
	inside web2 'ping -q -c 1 -W 5 192.0.2.2'
	eq "$STATUS" 0 'web2, written with /24, to its neighbour'
	for address in 192.0.2.11 2001:db8:1::11 10.207.1.1; do
		asks_in_vain "$address" || die "somebody answers for $address"
	done
	# Another link has another network, and answers for none of these.
	eq "$(ip neigh show proxy | grep -vc outside || true)" 0 'entries elsewhere'
	# The cable is pulled, and back.
	local all
	all=$(answered)
	ok nsenter -t "$INTERNET" -n ip link set inet down
	until_ 10 grep -qx 0 /sys/class/net/outside/carrier
	eq "$(answered)" "$all" 'without a carrier'
	ok nsenter -t "$INTERNET" -n sh -c 'ip link set inet up; ip -6 address add 2001:db8:1::2/64 dev inet nodad'
	until_ 10 grep -qx 1 /sys/class/net/outside/carrier
	until_ 10 asks 192.0.2.9
	until_ 10 asks 2001:db8:1::9
	ok vectl stop web1 --force
	eq "$(answered)" '192.0.2.10 outside 2001:db8:1::10 outside ' 'after a stop'
	asks_in_vain 192.0.2.9 || die '192.0.2.9 is answered for after a stop'
	asks_in_vain 2001:db8:1::9 || die '2001:db8:1::9 is answered for after a stop'
	ok vectl restart web2 --wait=ready
	eq "$(answered)" '192.0.2.10 outside 2001:db8:1::10 outside ' 'after a restart'
	asks 192.0.2.10 || die 'not reached after a restart'
	cleanup_ve web1 web2
	eq "$(answered)" '' 'after all'
	internet_down
}

# Whatever ends it.
test_none_is_left() {
	internet_up
	busybox_ve web1 --set net.eth0.type=routed --set net.eth0.ipv4=192.0.2.9/32 --set net.eth0.ipv6=2001:db8:1::9/128
	# shellcheck disable=SC2046
	kill -KILL $(pids_of web1 supervisor)
	until_ 20 is_answered ''
	ok vectl set web1 init=/no/such/init
	fails 1 vectl start web1
	eq "$(answered)" '' 'after a start that failed'
	ok vectl unset web1 init
	# The next machine on the way is the host's to name: an end of the VE's with its address would take it from it.
	ok vectl set web1 net.eth0.gateway=192.0.2.2
	fails 1 vectl start web1
	like "$ERR" 'net.eth0.gateway: 192.0.2.2 is on the network of outside, .*: unset it'
	ok vectl unset web1 net.eth0.gateway
	ok vectl set web1 net.eth0.link=nosuch0
	fails 1 vectl start web1
	like "$ERR" 'net.eth0.link: this host has no device nosuch0: '
	# With an MTU that is too small for IPv6 the kernel has none there.
	ok ip link add small0 mtu 1000 type veth peer name small1
	ok vectl set web1 net.eth0.link=small0
	fails 1 vectl start web1
	like "$ERR" 'small0: IPv6 is off on this device: unset net.IF.ipv6, or name another device as net.IF.link'
	ok ip link del small0
	# The administrator's own, which vectl neither takes over nor away.
	ok ip neigh add proxy 192.0.2.12 dev outside
	ok vectl set web1 net.eth0.link=outside net.eth0.ipv4=192.0.2.12/32,198.51.100.7/32
	ok vectl start web1 --wait=ready
	eq "$(answered)" '192.0.2.12 outside 198.51.100.7 outside 2001:db8:1::9 outside ' 'with a device that is named'
	asks 192.0.2.12 || die '192.0.2.12 is not reached'
	ok vectl stop web1 --force
	eq "$(answered)" '192.0.2.12 outside ' 'after the stop'
	cleanup_ve web1
	ok ip neigh del proxy 192.0.2.12 dev outside
	internet_down
}

test_live() {
	internet_up
	busybox_ve web1 --set net.eth0.type=routed --set net.eth0.ipv4=192.0.2.9/32
	ok vectl set web1 net.eth0.ipv4=192.0.2.9/32,192.0.2.20/32 net.eth0.ipv6=2001:db8:1::9/128
	eq "$(answered)" '192.0.2.20 outside 192.0.2.9 outside 2001:db8:1::9 outside ' 'after set'
	asks 192.0.2.20 || die 'the new address is not reached'
	ok vectl set web1 net.eth0.ipv4=192.0.2.20/32
	eq "$(answered)" '192.0.2.20 outside 2001:db8:1::9 outside ' 'after another set'
	asks 192.0.2.20 || die 'the address that stays is not reached'
	asks_in_vain 192.0.2.9 || die 'an address is answered for that was taken away'
	# Also where the guest has deleted its interface, and so has nothing to change.
	inside web1 'ip link del eth0'
	ok vectl set web1 net.eth0.ipv4=192.0.2.21/32
	eq "$(answered)" '192.0.2.21 outside 2001:db8:1::9 outside ' 'after a set of an interface that the guest had deleted'
	asks 192.0.2.21 || die 'the address of the interface made anew is not reached'
	ok vectl set web1 net.eth0.ipv4=192.0.2.20/32
	# From one interface to another, and away with both.
	ok vectl set web1 net.up.type=routed net.up.ipv4=192.0.2.20/32 net.eth0.ipv4=192.0.2.21/32
	eq "$(answered)" '192.0.2.20 outside 192.0.2.21 outside 2001:db8:1::9 outside ' 'with another interface'
	asks 192.0.2.20 || die 'the address that moved is not reached'
	ok vectl unset web1 net.eth0
	eq "$(answered)" '192.0.2.20 outside ' 'after unset of one'
	ok vectl stop web1 --force
	eq "$(answered)" '' 'after the stop'
	# A change that comes to nothing.
	ok vectl start web1 --wait=ready
	inside web1 'ip link add lan type bridge'
	fails 1 vectl set web1 net.up.ipv4=192.0.2.22/32 net.lan.type=routed net.lan.ipv4=192.0.2.23/32
	eq "$(answered)" '192.0.2.20 outside ' 'after a change that was refused'
	cleanup_ve web1
	internet_down
}
