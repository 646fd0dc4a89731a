# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Names of VEs that run, for the host and for one another: files in the form of hosts(5), and a name server that reads
# them as vectl-network(7) has it.

HOSTS=$VECTL_ROOT/run/vectl-hosts

address() { info "$1" "[a.split('/')[0] for i in d['interfaces'] if i['name'] == 'eth0' for a in i['addresses'] if (':' in a) == ($2 == 6) and not a.startswith('fe80')][0]"; }
listed() { cat "$HOSTS/$1" 2>/dev/null || true; }
both() { printf '%s %s.vectl %s\n' "$(address "$1" 4)" "$1" "$1" "$(address "$1" 6)" "$1" "$1"; }
is_not_listed() { [ ! -e "$HOSTS/$1" ]; }

test_hosts() {
	ok vectl create web1 --image busybox --set hostname=shop.example
	is_not_listed web1 || die 'one that does not run is listed'
	ok vectl start web1 --wait=ready
	eq "$(listed web1)" "$(both web1)" 'the names of web1'
	eq "$(stat -c '%a %U' "$HOSTS" "$HOSTS/web1" | tr '\n' ' ')" '755 root 644 root ' 'who may read them'
	inside web1 'hostname web9; echo 192.0.2.1 web9 >>/etc/hosts'
	# Addresses that change, and that nobody can be asked for.
	ok vectl set web1 net.wan.type=routed net.wan.ipv4=10.207.9.1/32
	eq "$(listed web1)" "$(both web1; echo 10.207.9.1 web1.vectl web1)" 'after set'
	ok ip link add br7 type bridge
	ok vectl set web1 net.lan.link=br7 net.lan.ipv6=fe80::7/64
	eq "$(listed web1)" "$(both web1; echo 10.207.9.1 web1.vectl web1)" 'with an address of one link alone'
	ok vectl unset web1 net
	is_not_listed web1 || die 'one without an address is listed'
	ok vectl set web1 net.eth0.ipv4=auto net.eth0.ipv6=auto
	eq "$(listed web1)" "$(both web1)" 'with an interface again'
	# A change that comes to nothing.
	inside web1 'ip link add lan type bridge'
	fails 1 vectl set web1 net.up.type=routed net.up.ipv4=10.207.9.2/32 net.lan.link=br7 net.lan.ipv4=10.208.0.9/24
	eq "$(listed web1)" "$(both web1)" 'after a change that was refused'
	ok vectl stop web1 --force
	is_not_listed web1 || die 'one that was stopped is listed'
	ok vectl rename web1 web2
	ok vectl start web2 --wait=ready
	eq "$(listed web2)" "$(both web2)" 'under another name'
	is_not_listed web1 || die 'the old name is listed'
	# shellcheck disable=SC2046
	kill -KILL $(pids_of web2 supervisor)
	until_ 20 is_not_listed web2
	ok vectl set web2 init=/no/such/init
	fails 1 vectl start web2
	is_not_listed web2 || die 'one that did not start is listed'
	eq "$(ls -A "$HOSTS")" '' 'what is left'
	cleanup_ve web2
	ok ip link del br7
	# What somebody left who was killed.
	busybox_ve web3 --set network=none
	: >"$HOSTS/web3"
	ok vectl stop web3 --force
	is_not_listed web3 || die 'one that was stopped, and had no interface any more, is listed'
	cleanup_ve web3
}

# What programs take for something else: of these there is the name in the domain alone.
test_hosts_that_mean_something() {
	local name
	alone() { printf '%s %s.vectl\n' "$(address "$1" 4)" "$1" "$(address "$1" 6)" "$1"; }
	for name in wpad ip6-localnet; do
		busybox_ve "$name"
		eq "$(listed "$name")" "$(alone "$name")" "the names of $name"
		cleanup_ve "$name"
	done
	# The host's own, whatever that is.
	ok vectl create web1 --image busybox
	ok unshare -u sh -c 'hostname Web1.example && vectl start web1 --wait=ready'
	eq "$(listed web1)" "$(alone web1)" "the names of one that is named as the host"
	ok vectl restart web1 --wait=ready
	eq "$(listed web1)" "$(both web1)" 'the names of web1'
	cleanup_ve web1
}

# What can not be written keeps no VE from its start.
test_hosts_in_the_way() {
	rm -rf "$HOSTS"
	: >"$HOSTS"
	busybox_ve web1
	ok vectl stop web1 --force
	rm "$HOSTS"
	ok vectl start web1
	eq "$(listed web1)" "$(both web1)"
	cleanup_ve web1
}

test_name_server() {
	busybox_ve web1
	local gateway
	gateway=$(vectl exec web1 -- ip route | sed -n 's/default via \([0-9.]*\).*/\1/p')
	dnsmasq -k -C /dev/null --user=root --pid-file= --port=53 --bind-dynamic --interface='vebr*' --except-interface=lo \
		--no-hosts --no-resolv --local=/vectl/ --hostsdir="$HOSTS" >"$T_TMP.dnsmasq" 2>&1 &
	local server=$!
	trap 'kill $server 2>/dev/null' EXIT
	# told FROM NAME: the addresses that the name server says, from the host (-) or a VE
	told() {
		local ask=(busybox nslookup)
		[ "$1" = - ] || ask=(vectl exec "$1" -- nslookup)
		[ "$1" != - ] || set -- "$1" "$2" "$gateway"
		"${ask[@]}" "${@:2}" 2>/dev/null | tr -d '\r' | sed -n '/^Name:/,$s/^Address[^:]*: *//p' | sort | tr '\n' ' '
	}
	tells() { [ "$(told "$1" "$2")" = "$3" ]; }
	addresses() { printf '%s\n' "$(address "$1" 4)" "$(address "$1" 6)" | sort | tr '\n' ' '; }
	until_ 20 tells - web1.vectl "$(addresses web1)"
	eq "$(told - web1)" "$(addresses web1)" 'the short name'
	# One that comes later, and what has changed; the VE asks as its resolv.conf has it.
	busybox_ve web2 --set dns.servers="$gateway"
	until_ 20 tells web2 web1.vectl "$(addresses web1)"
	until_ 20 tells - web2.vectl "$(addresses web2)"
	eq "$(told web2 web1)" "$(addresses web1)" 'the short name, asked by a VE'
	ok vectl exec web2 -- ping -q -c 1 -W 5 "$(told web2 web1.vectl | cut -d' ' -f1)"
	ok vectl unset web1 net.eth0.ipv6
	until_ 20 tells - web1.vectl "$(address web1 4) "
	ok vectl stop web1 --force
	# Web2 asks, and is told of itself.
	only_web2() { tells web2 web1.vectl '' && tells web2 web2.vectl "$(addresses web2)"; }
	until_ 20 only_web2
	eq "$(told - web2.vectl)" "$(addresses web2)" 'the other one'
	cleanup_ve web1 web2
	kill "$server"
	wait "$server" || true
	trap - EXIT
}
