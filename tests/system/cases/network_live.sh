# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Interfaces that are changed while the VE runs: what reaches what at once, what a reboot keeps, what waits, what is left.
# limit test_reboot_keeps 120
# privileged: addresses interfaces reboot_keeps

address() { info "$1" "[a.split('/')[0] for i in d['interfaces'] if i['name'] == '${2:-eth0}' for a in i['addresses'] if ':' not in a][0]"; }
pending() { info "$1" "' '.join(d['pending'])"; }
pid() { info "$1" "d['pid']"; }
boot() { info "$1" "d['boot']"; }
rebooted_to() { [ "$(boot "$1")" = "$2" ]; }
reboot_() { # NAME: by itself
	local before
	before=$(boot "$1")
	try vectl exec "$1" -- reboot
	until_ 20 rebooted_to "$1" $((before + 1))
	ok vectl wait "$1" --state ready --timeout 30
}
answers() { ping -n -q -c 1 -W 5 "$1" >/dev/null; }
silent() { ! ping -n -q -c 1 -W 1 "$1" >/dev/null; }
ends() { ip -o link show type veth | cut -d' ' -f2 | cut -d@ -f1 | grep -E '^v[0-9a-z]{1,8}-' || true; }
no_ends() { [ -z "$(ends)" ]; }
tables() { nft list ruleset; }
# serve NAME PORT TEXT: says TEXT to whoever connects
serve() { inside "$1" "while :; do echo $3 | nc -l -p $2 >/dev/null 2>&1; done >/dev/null 2>&1 & sleep 0.2"; }
# says ADDRESS PORT TEXT: within some seconds
says_now() { [ "$(python3 -c '
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
s.settimeout(2)
print(s.recv(100).decode().strip())' "$1" "$2" 2>/dev/null)" = "$3" ]; }
says() { until_ 10 says_now "$@"; }
refuses() { ! python3 -c '
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)' "$1" "$2" 2>/dev/null; }

own_network() { # a bridge of the administrator's
	ip link del br7 2>/dev/null || true # of a test that failed
	ok ip link add br7 type bridge
	ok ip address add 10.208.0.1/24 dev br7
	ok ip link set br7 up
}

test_addresses() {
	own_network
	busybox_ve web1 --set net.eth0.link=br7 --set net.eth0.ipv4=10.208.0.11/24
	local init
	init=$(pid web1)
	answers 10.208.0.11 || die 'not reached before'
	silent 10.208.0.12 || die '10.208.0.12 is there before it is set'
	ok vectl set web1 net.eth0.ipv4=10.208.0.11/24,10.208.0.12/24
	eq "$(pending web1)" '' pending
	answers 10.208.0.12 || die 'the new address does not answer'
	answers 10.208.0.11 || die 'the old one does not answer any more'
	# The filter knows it, too: the VE may send from it, and from no other.
	inside web1 'ping -q -c 1 -W 5 -I 10.208.0.12 10.208.0.1'
	eq "$STATUS" 0 'from the new address'
	# The first goes: those of its network stay.
	ok vectl set web1 net.eth0.ipv4=10.208.0.12/24,10.208.0.13/24 net.eth0.gateway=10.208.0.1
	answers 10.208.0.12 || die '10.208.0.12 went with the first'
	answers 10.208.0.13 || die '10.208.0.13 is not there'
	silent 10.208.0.11 || die 'an address answers that was taken away'
	unlike "$(tables)" '10\.208\.0\.11' 'the firewall'
	inside web1 'ip route; ip address'
	like "$OUT" 'default via 10.208.0.1 dev eth0'
	unlike "$OUT" '10\.208\.0\.11/'
	# Given up, it is anybody's.
	busybox_ve web2 --set net.eth0.link=br7 --set net.eth0.ipv4=10.208.0.11/24
	fails 1 vectl set web1 net.eth0.ipv4=10.208.0.11/24
	like "$ERR" "10.208.0.11 is the address of VE 'web2'"
	answers 10.208.0.13 || die 'a refused change took an address away'
	ok vectl unset web1 net.eth0.gateway
	inside web1 'ip route'
	unlike "$OUT" default
	ok vectl set web1 net.eth0.ipv6=fd00:208::12/64
	inside web1 'ip -6 address show dev eth0'
	like "$OUT" 'fd00:208::12/64'
	eq "$(pid web1)" "$init" 'init'
	cleanup_ve web1 web2
	ok ip link del br7
}

test_ports() {
	busybox_ve web1
	busybox_ve web2
	serve web1 80 one
	serve web1 81 two
	refuses 127.0.0.1 8080 || die 'published before it was set'
	ok vectl set web1 net.eth0.ports=8080:80
	says 127.0.0.1 8080 one
	ok vectl set web1 net.eth0.ports=8080:81,9000-9002:80-82
	says 127.0.0.1 8080 two
	says 127.0.0.1 9000 one
	# Of one that is published nobody else gets any; nor is anything else lost over it.
	fails 1 vectl set web2 net.eth0.ports=8081:80,8080:80
	like "$ERR" 'port 8080/tcp of the host is taken by VE web1'
	unlike "$(tables)" ' 8081 '
	eq "$(vectl get web2 net.eth0.ports 2>/dev/null || true)" '' 'the spec'
	python3 -c '
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 8090))
s.listen()
print("listening", flush=True)
time.sleep(600)' >"$T_TMP.listener" &
	local listener=$!
	until_ 10 grep -q listening "$T_TMP.listener"
	fails 1 vectl set web1 net.eth0.ports=8090:80
	like "$ERR" 'port 8090/tcp of the host is taken by a process of the host'
	says 127.0.0.1 8080 two
	kill "$listener"
	ok vectl unset web1 net.eth0.ports
	until_ 5 refuses 127.0.0.1 8080
	unlike "$(tables)" ' 8080 '
	ok vectl set web2 net.eth0.ports=8080:80
	eq "$(pending web1)$(pending web2)" '' pending
	cleanup_ve web1 web2
}

test_filter() {
	own_network
	busybox_ve web1 --set net.eth0.link=br7 --set net.eth0.ipv4=10.208.0.11/24
	inside web1 'ip address add 10.208.0.66/24 dev eth0; ! ping -q -c 1 -W 2 -I 10.208.0.66 10.208.0.1'
	eq "$STATUS" 0 'from an address that is not its own'
	ok vectl set web1 net.eth0.filter=mac,ipv6
	inside web1 'ping -q -c 3 -W 5 -I 10.208.0.66 10.208.0.1'
	eq "$STATUS" 0 'without the filter'
	ok vectl set web1 net.eth0.filter=off
	inside web1 'ip link set eth0 address 02:00:00:00:00:66; ping -q -c 3 -W 5 10.208.0.1'
	eq "$STATUS" 0 'from another hardware address without the filter'
	ok vectl unset web1 net.eth0.filter
	inside web1 '! ping -q -c 1 -W 2 10.208.0.1'
	eq "$STATUS" 0 'with the filter again'
	eq "$(pending web1)" '' pending
	cleanup_ve web1
	ok ip link del br7
}

test_interfaces() {
	own_network
	busybox_ve web1
	ok vectl set web1 net.lan.link=br7 net.lan.ipv4=10.208.0.11/24 net.lan.mac=02:00:00:00:00:17 net.lan.mtu=1400
	answers 10.208.0.11 || die 'the new interface does not answer'
	answers "$(address web1)" || die 'the old one does not answer any more'
	eq "$(info web1 "[(i['mac'], i['mtu']) for i in d['interfaces'] if i['name'] == 'lan'][0]")" '["02:00:00:00:00:17", 1400]'
	eq "$(ends | wc -l)" 2 'links'
	# A routed one, beside.
	ok vectl set web1 net.up.type=routed net.up.ipv4=10.207.9.1/32
	answers 10.207.9.1 || die 'the routed one does not answer'
	ok vectl set web1 net.up.ipv4=10.207.9.2/32
	answers 10.207.9.2 || die 'its new address does not answer'
	silent 10.207.9.1 || die 'its old address answers'
	unlike "$(ip route)" '10\.207\.9\.1 ' 'routes of the host'
	ok vectl set web1 net.lan.mtu=1300
	eq "$(info web1 "[i['mtu'] for i in d['interfaces'] if i['name'] == 'lan'][0]")" 1300
	ok vectl unset web1 net.lan.mtu
	eq "$(info web1 "[i['mtu'] for i in d['interfaces'] if i['name'] == 'lan'][0]")" 1500
	ok vectl unset web1 net.lan net.up
	eq "$(info web1 "sorted(i['name'] for i in d['interfaces'])")" '["eth0", "lo"]'
	silent 10.208.0.11 || die 'an interface answers that is gone'
	eq "$(ends | wc -l)" 1 'links'
	eq "$(pending web1)" '' pending
	# The last one, and one again.
	ok vectl unset web1 net
	eq "$(info web1 "[i['name'] for i in d['interfaces']]")" '["lo"]'
	no_ends || die 'a link is left'
	ok vectl set web1 net.eth0.ipv4=auto
	answers "$(address web1)" || die 'the new first one does not answer'
	ok vectl stop web1 --force
	until_ 20 no_ends
	cleanup_ve web1
	ok ip link del br7
}

test_reboot_keeps() {
	own_network
	busybox_ve web1 --set net.eth0.ipv4=auto --set net.old.link=br7 --set net.old.ipv4=10.208.0.9/24
	ok vectl set web1 net.lan.link=br7 net.lan.ipv4=10.208.0.11/24
	ok vectl unset web1 net.old
	ok vectl set web1 net.eth0.mtu=1400 net.lan.ipv4+=10.208.0.12/24
	local four
	four=$(address web1)
	for turn in 1 2; do
		reboot_ web1
		eq "$(info web1 "sorted(i['name'] for i in d['interfaces'])")" '["eth0", "lan", "lo"]' "interfaces after reboot $turn"
		answers "$four" || die 'eth0'
		answers 10.208.0.11 || die 'lan'
		answers 10.208.0.12 || die 'the second address of lan'
		silent 10.208.0.9 || die 'what was taken away is back'
		eq "$(info web1 "[i['mtu'] for i in d['interfaces'] if i['name'] == 'eth0'][0]")" 1400
		[ "$turn" = 2 ] || ok vectl set web1 net.lan.filter=mac
	done
	inside web1 'ls /run/systemd/network'
	like "$OUT" '00-vectl-lan.network'
	unlike "$OUT" '00-vectl-old'
	# Of a VE that had none when it was started.
	ok vectl restart web1 --wait=ready
	answers 10.208.0.12 || die 'after a restart'
	ok vectl unset web1 net
	ok vectl restart web1 --wait=ready
	ok vectl set web1 net.late.link=br7 net.late.ipv4=10.208.0.21/24
	reboot_ web1
	answers 10.208.0.21 || die 'an interface of a VE that had none at its start'
	ok vectl unset web1 net.late
	reboot_ web1
	eq "$(info web1 "[i['name'] for i in d['interfaces']]")" '["lo"]'
	cleanup_ve web1
	until_ 20 no_ends
	ok ip link del br7
}

test_what_waits() {
	own_network
	busybox_ve web1
	local four
	four=$(address web1)
	ok vectl set web1 net.eth0.mac=02:00:00:00:00:17 net.eth0.rate_in=20m
	eq "$(pending web1)" 'net.eth0.mac net.eth0.rate_in'
	# What else is asked for is done.
	ok vectl set web1 net.lan.link=br7 net.lan.ipv4=10.208.0.11/24
	answers 10.208.0.11 || die 'another interface waits, too'
	ok vectl unset web1 net.eth0.mac
	eq "$(pending web1)" ''
	ok vectl set web1 net.eth0.type=routed
	eq "$(pending web1)" 'net.eth0.type'
	answers "$four" || die 'what waits has an effect'
	ok vectl restart web1 --wait=ready
	eq "$(pending web1)" ''
	cleanup_ve web1
	ok ip link del br7
}

test_rates() {
	busybox_ve web1
	ok vectl set web1 net.eth0.rate_in=20m net.eth0.rate_out=30m
	local end
	end=$(ends)
	like "$(tc qdisc show dev "$end")" 'tbf .* rate 20Mbit'
	like "$(tc qdisc show dev "i${end#v}")" 'tbf .* rate 30Mbit'
	ok vectl set web1 net.eth0.rate_in=50m
	like "$(tc qdisc show dev "$end")" 'tbf .* rate 50Mbit'
	ok vectl unset web1 net.eth0.rate_out net.eth0.rate_in
	unlike "$(tc qdisc show dev "$end")" 'tbf|ingress'
	[ ! -e "/sys/class/net/i${end#v}" ] || die 'the link for what comes from the VE is left'
	answers "$(address web1)" || die 'not reached any more'
	ok vectl set web1 net.eth0.rate_out=30m
	answers "$(address web1)" || die 'not reached with a rate'
	ok vectl stop web1 --force
	until_ 20 sh -c "! [ -e /sys/class/net/i${end#v} ]"
	cleanup_ve web1
}

# A change that is refused changes nothing.
test_refused() {
	busybox_ve web1
	local before ve end
	ve=$(vectl get web1 --json) before=$(tables) end=$(ends)
	inside web1 'ip link add lan type bridge'
	fails 1 vectl set web1 net.lan.ipv4=auto net.eth0.ports=8080:80
	like "$ERR" 'net.lan: the VE has made an interface of that name itself'
	fails 1 vectl set web1 net.wan.link=br9 net.wan.ipv4=10.9.0.2/24 net.eth0.rate_in=20m
	like "$ERR" 'br9: this host has no such bridge'
	eq "$(vectl get web1 --json)" "$ve" 'the spec'
	eq "$(ends)" "$end" 'links'
	unlike "$(tc qdisc show dev "$end")" 'tbf'
	eq "$(sed -E 's/packets [0-9]+ bytes [0-9]+//g' <<<"$(tables)")" "$(sed -E 's/packets [0-9]+ bytes [0-9]+//g' <<<"$before")" 'the firewall'
	eq "$(pending web1)" ''
	# What the guest deleted comes back with the next change of it.
	inside web1 'ip link del eth0'
	ok vectl set web1 net.eth0.mtu=1400
	answers "$(address web1)" || die 'it is not there again'
	cleanup_ve web1
}
