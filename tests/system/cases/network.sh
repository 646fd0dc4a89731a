# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Interfaces of VEs: what reaches what, what survives, what is left. The runner's network namespace is the host; an
# 'internet' is another one behind it.
# limit test_many_at_once 600
# limit test_debian_12 180
# limit test_debian_13 180
# privileged: bridged routed reboot_keeps gone_with_stop macvlan macvlan_gone_with_stop

# address NAME FAMILY [INTERFACE]: the first one that is not link-local, without its prefix length
address() {
	info "$1" "[a.split('/')[0] for i in d['interfaces'] if i['name'] == '${3:-eth0}' for a in i['addresses'] if (':' in a) == ($2 == 6) and not a.startswith('fe80')][0]"
}

mac() { info "$1" "[i['mac'] for i in d['interfaces'] if i['name'] == '${2:-eth0}'][0]"; }

# reaches FROM ADDRESS: FROM is a VE's name, or - for the host
reaches() {
	if [ "$1" = - ]; then
		ping -n -q -c 1 -W 5 "$2" >/dev/null
	else
		vectl exec "$1" -- ping -q -c 1 -W 5 "$2" >/dev/null
	fi
}

rebooted_to() { [ "$(info "$1" "d['boot']")" = "$2" ]; }

# The ends of VEs' interfaces on this host.
ends() { ip -o link show type veth | cut -d' ' -f2 | grep -E '^v[0-9a-z]{1,8}-' || true; }
no_ends() { [ -z "$(ends)" ]; }

matrix() { # VE VE: each, the host, and what lies beyond, in both families
	local a=$1 b=$2 v
	for v in 4 6; do
		reaches - "$(address "$a" $v)" || die "the host does not reach $a by IPv$v"
		reaches "$a" "$(address "$b" $v)" || die "$a does not reach $b by IPv$v"
		reaches "$b" "$(address "$a" $v)" || die "$b does not reach $a by IPv$v"
	done
	reaches "$a" 192.0.2.2 || die "$a does not reach the internet by IPv4"
	reaches "$a" 2001:db8:1::2 || die "$a does not reach the internet by IPv6"
}

# hears ADDRESS PORT: the outside machine, from the VE that says hello there
hears() {
	nsenter -t "$INTERNET" -n python3 -c '
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
s.settimeout(2)
sys.exit(s.recv(100) != b"hello\n")' "$1" "$2" 2>/dev/null
}

test_bridged() {
	internet_up
	busybox_ve web1 --set net.eth0.ipv4=auto --set net.eth0.ipv6=auto --set net.eth0.ports=8080:80
	busybox_ve web2
	matrix web1 web2
	# From outside what is published, in both families.
	inside web1 'while :; do echo hello | nc -l -p 80 >/dev/null 2>&1; done >/dev/null 2>&1 &'
	until_ 10 hears 192.0.2.1 8080
	until_ 10 hears 2001:db8:1::1 8080
	ne "$(mac web1)" "$(mac web2)" 'hardware address'
	ok vectl list -o name,addresses
	like "$OUT" "^web1 +$(address web1 4)"
	cleanup_ve web1 web2
	internet_down
}

test_routed() {
	internet_up
	busybox_ve web1 --set net.eth0.type=routed --set net.eth0.ipv4=10.207.1.1/32 --set net.eth0.ipv6=fd00:207::1/128
	busybox_ve web2 --set net.eth0.type=routed --set net.eth0.ipv4=10.207.1.2/32 --set net.eth0.ipv6=fd00:207::2/128
	ok nsenter -t "$INTERNET" -n ip route add 10.207.1.0/24 via 192.0.2.1
	ok nsenter -t "$INTERNET" -n ip -6 route add fd00:207::/64 via 2001:db8:1::1
	matrix web1 web2
	# No bridge, and none that was made for it.
	eq "$(ip -o link show type veth | grep -c ' master ' || true)" 0 'ports of bridges'
	ok nsenter -t "$INTERNET" -n ping -n -q -c 1 -W 5 10.207.1.1
	ok nsenter -t "$INTERNET" -n ping -n -q -c 1 -W 5 fd00:207::2
	cleanup_ve web1 web2
	internet_down
}

# Behind the outside machine the way is narrower, which the VE is told, through NAT, when it sends what is too large;
# later its interface is narrower still. All of it arrives, and what comes back.
# limit test_path_mtu 120
test_path_mtu() {
	internet_up
	unshare -n sleep infinity &
	local far=$! server
	trap 'kill $INTERNET $far 2>/dev/null' EXIT
	until_ 5 sh -c "[ \"\$(readlink /proc/$far/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
	ok nsenter -t "$INTERNET" -n sh -ec "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		ip link add narrow mtu 1400 type veth peer name eth0 mtu 1500 netns $far
		ip address add 198.51.100.1/24 dev narrow; ip -6 address add 2001:db8:2::1/64 dev narrow nodad; ip link set narrow up"
	ok nsenter -t "$far" -n sh -ec 'ip link set lo up; ip link set eth0 up; ip address add 198.51.100.2/24 dev eth0
		ip -6 address add 2001:db8:2::2/64 dev eth0 nodad
		ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8:2::1'
	# Says how many bytes it got, and as many back.
	nsenter -t "$far" -n python3 -c '
import socket
s = socket.create_server(("::", 7000), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    n = 0
    while n < 300000:
        b = c.recv(65536)
        if not b:
            break
        n += len(b)
    c.sendall(b"x" * n)
    c.close()' >"$T_TMP.far" 2>&1 &
	server=$!
	trap 'kill $INTERNET $far $server 2>/dev/null' EXIT
	until_ 20 grep -q ready "$T_TMP.far"
	busybox_ve web1
	local there
	for there in 198.51.100.2 2001:db8:2::2; do
		inside web1 "head -c 300000 /dev/zero | timeout 20 nc $there 7000 | wc -c"
		eq "$OUT" 300000 "bytes to and from $there"
	done
	ok vectl set web1 net.eth0.mtu=1300
	for there in 198.51.100.2 2001:db8:2::2; do
		inside web1 "head -c 300000 /dev/zero | timeout 20 nc $there 7000 | wc -c"
		eq "$OUT" 300000 "bytes to and from $there with an MTU of 1300"
	done
	ok nsenter -t "$far" -n ping -n -q -c 1 -W 5 192.0.2.1
	cleanup_ve web1
	kill "$server" "$far"
	wait "$server" "$far" 2>/dev/null || true
	internet_down
}

# An administrator's own bridge, and more than one interface; one VE has no network, and one nothing but the loopback.
test_kinds() {
	ok ip link add br7 type bridge
	ok ip address add 10.208.0.1/24 dev br7
	ok ip link set br7 up
	busybox_ve web1 --set net.eth0.ipv4=auto --set net.lan.link=br7 --set net.lan.ipv4=10.208.0.11/24 --set net.lan.mac=02:00:00:00:00:17
	reaches - 10.208.0.11 || die 'not reached over br7'
	reaches - "$(address web1 4)" || die 'not reached over the own network'
	eq "$(mac web1 lan)" 02:00:00:00:00:17 'hardware address'
	busybox_ve web2 --set network=none
	eq "$(info web2 "[i['name'] for i in d['interfaces']]")" '["lo"]' 'interfaces of network=none'
	cleanup_ve web1 web2
	ok ip link del br7
}

test_reboot_keeps() {
	busybox_ve web1
	local four six hardware host
	four=$(address web1 4) six=$(address web1 6) hardware=$(mac web1)
	inside web1 'ip link set eth0 down; ip link set eth0 name wan; ip link add br0 type bridge; ip link set wan master br0
		ip link set wan address 02:00:00:00:00:01; ip route add blackhole 198.51.100.0/24'
	local boot
	boot=$(info web1 "d['boot']")
	try vectl exec web1 -- reboot
	until_ 20 rebooted_to web1 $((boot + 1))
	ok vectl wait web1 --state ready --timeout 30
	eq "$(address web1 4) $(address web1 6) $(mac web1)" "$four $six $hardware" 'after a reboot'
	eq "$(info web1 "sorted(i['name'] for i in d['interfaces'])")" '["eth0", "lo"]' 'interfaces after a reboot'
	inside web1 'ip route'
	unlike "$OUT" 198.51.100 'routes of the boot before'
	reaches - "$four" || die 'not reached after the reboot'
	host=$(ends)
	ok vectl restart web1 --wait=ready
	ne "$(ends)" "$host" 'the name of the end on the host'
	eq "$(address web1 4) $(address web1 6) $(mac web1)" "$four $six $hardware" 'after a restart'
	reaches - "$four" || die 'not reached after the restart'
	cleanup_ve web1
}

# What the VE's own root cannot make again, the host's does: a start from nothing, with the same addresses.
test_guest_deletes_its_interface() {
	busybox_ve web1
	local four init
	four=$(address web1 4) init=$(info web1 "d['pid']")
	inside web1 'ip link del eth0; ip link'
	unlike "$OUT" eth0
	try vectl exec web1 -- reboot
	# shellcheck disable=SC2016
	until_ 30 sh -c '[ "$(vectl list --names --state running)" = web1 ] &&
		[ "$(vectl info web1 --json | python3 -c "import json, sys; print(json.load(sys.stdin)[\"ve\"][\"pid\"])")" != '"$init"' ]'
	ok vectl wait web1 --state ready --timeout 30
	eq "$(address web1 4)" "$four"
	reaches - "$four" || die 'not reached any more'
	cleanup_ve web1
}

# A peer, ADDRESS, that takes nothing from port 4000, as soon as somebody listens there: its window is zero soon.
TAKES_NOTHING='
import select, socket, sys, time
end = time.monotonic() + 20
while True:
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        s.connect((sys.argv[1], 4000))
        break
    except OSError:
        if time.monotonic() > end:
            raise
        time.sleep(0.1)
print("connected", flush=True)
select.select([], [], [], 120)'

# A connection that nobody closes keeps a network namespace, and all in it, alive: the address must not answer for it.
test_gone_with_stop() {
	busybox_ve web1
	local four reader
	four=$(address web1 4)
	inside web1 'nc -l -p 4000 </dev/zero >/dev/null 2>&1 & sleep 0.5'
	python3 -c "$TAKES_NOTHING" "$four" >"$T_TMP.peer" &
	reader=$!
	until_ 30 grep -q connected "$T_TMP.peer"
	python3 -c 'import select; select.select([], [], [], 0.5)'
	ok vectl stop web1 --force
	if ping -n -q -c 1 -W 1 "$four" >/dev/null; then die 'it answers after stop returned'; fi
	until_ 10 no_ends
	kill "$reader"
	ok vectl start web1 --wait=ready
	reaches - "$four" || die 'not reached after the next start'
	cleanup_ve web1
}

# ---- VLANs

test_vlan_refused() {
	exits 2 vectl create web1 --image busybox --set net.eth0.vlan=5
	like "$ERR" 'net.eth0.vlan: only a bridge of the host.s has VLANs to choose from: name a bridge'
	exits 2 vectl create web1 --image busybox --set net.eth0.vlan=5 --set net.eth0.type=routed --set net.eth0.ipv4=10.9.0.2/32
	like "$ERR" 'net.eth0.vlan: only a bridge'
	ok ip link add br9 type bridge
	ok vectl create web1 --image busybox --set net.eth0.link=br9 --set net.eth0.ipv4=10.9.0.2/24 --set net.eth0.vlan=5
	fails 1 vectl start web1
	like "$ERR" 'br9: the bridge does not keep VLANs apart \(vlan_filtering\), and net.IF.vlan is 5: (ip link set br9 type|this kernel lacks CONFIG_BRIDGE)'
	no_ends
	# In a VE that runs it waits, and an interface that comes with it does not come.
	ok vectl unset web1 net.eth0.vlan
	ok vectl start web1 --wait=ready
	ok vectl set web1 net.eth0.vlan=5
	like "$ERR" 'waits for the next start: net.eth0.vlan'
	fails 1 vectl set web1 net.lan.link=br9 net.lan.vlan=6
	like "$ERR" 'br9: the bridge does not keep VLANs apart'
	eq "$(info web1 "sorted(i['name'] for i in d['interfaces'])")" '["eth0", "lo"]'
	cleanup_ve web1
	ok ip link del br9
}

# Two VEs of VLAN 5 and one of VLAN 6 on a bridge whose own default is VLAN 1.
test_vlan() {
	ok ip link add br9 type bridge
	if ! ip link set br9 type bridge vlan_filtering 1 2>/dev/null ||
		! ip -d link show br9 | grep 'vlan_filtering 1' >/dev/null; then
		ip link del br9
		skip 'this kernel has no VLANs on bridges (CONFIG_BRIDGE_VLAN_FILTERING)'
	fi
	ok ip link set br9 up
	local v n
	for v in 11:5 12:5 13:6; do
		n=${v%:*}
		busybox_ve "web$n" --set net.eth0.link=br9 --set net.eth0.ipv4="10.9.0.$n/24" --set "net.eth0.vlan=${v#*:}"
	done
	eq "$(bridge vlan show | awk '$1 ~ /^v/ { print $2, $3, $4, $5 } $1 ~ /^[0-9]/ { print "more:", $0 }' | sort)" \
		$'5 PVID Egress Untagged\n5 PVID Egress Untagged\n6 PVID Egress Untagged' 'VLANs of the ports'
	reaches web11 10.9.0.12 || die 'a VE does not reach another one of its VLAN'
	if vectl exec web11 -- ping -q -c 1 -W 1 10.9.0.13 >/dev/null; then die 'a VE reaches another VLAN'; fi
	# Nor the VLAN that the bridge itself is in.
	ok ip address add 10.9.0.1/24 dev br9
	if vectl exec web11 -- ping -q -c 1 -W 1 10.9.0.1 >/dev/null; then die 'a VE reaches the VLAN of the bridge'; fi
	# With tags of its own it does not get further, even where nothing else is filtered.
	ok vectl set web11 net.eth0.filter=off
	inside web11 'ip link add link eth0 name eth0.6 type vlan id 6; ip address add 10.9.0.99/24 dev eth0.6; ip link set eth0.6 up'
	if vectl exec web11 -- ping -q -c 1 -W 1 -I eth0.6 10.9.0.13 >/dev/null; then die 'a VE reaches another VLAN by its tag'; fi
	cleanup_ve web11 web12 web13
	ok ip link del br9
}

# ---- macvlan: on the device to the outside, which has the VEs' addresses in its list for as long as they are there

outside_macvlan() { # NUMBER [ASSIGNMENT...]: web, with the address 192.0.2.NUMBER
	local number=$1 words=() a
	for a in type=macvlan link=outside filter=off "ipv4=192.0.2.$number/24" "ipv6=2001:db8:1::$number/64" gateway=192.0.2.2; do
		words+=(--set "net.eth0.$a")
	done
	shift
	for a; do words+=(--set "$a"); done
	busybox_ve "web$number" "${words[@]}"
}
from_outside() { nsenter -t "$INTERNET" -n ping -n -q -c 1 -W 5 "$1" >/dev/null; }
on() { bridge fdb show dev "$1" | grep "^$2 " >/dev/null; } # DEVICE MAC
on_outside() { on outside "$1"; }
not_outside() { ! on outside "$1"; }

test_macvlan() {
	internet_up
	outside_macvlan 11
	outside_macvlan 12
	ne "$(mac web11)" "$(mac web12)" 'hardware address'
	on_outside "$(mac web11)" || die 'it is not on the device'
	local v hardware boot init
	for v in 192.0.2. 2001:db8:1::; do
		reaches web11 "${v}12" || die "web11 does not reach web12 at ${v}12"
		reaches web12 "${v}2" || die "web12 does not reach what is outside at ${v}2"
		from_outside "${v}11" || die "web11 is not reached from outside at ${v}11"
	done
	if ping -n -q -c 1 -W 1 192.0.2.11 >/dev/null; then die 'the host reaches it, and the manual says that it does not'; fi
	# A reboot of its own keeps it, whatever the guest had made of it; a restart, too.
	hardware=$(mac web11) boot=$(info web11 "d['boot']")
	inside web11 'ip link set eth0 down; ip link set eth0 name wan; ip link set wan address 02:00:00:00:00:01; ip address flush dev wan'
	try vectl exec web11 -- reboot
	until_ 20 rebooted_to web11 $((boot + 1))
	ok vectl wait web11 --state ready --timeout 30
	eq "$(address web11 4) $(address web11 6) $(mac web11)" "192.0.2.11 2001:db8:1::11 $hardware" 'after a reboot'
	from_outside 192.0.2.11 || die 'not reached after the reboot'
	ok vectl restart web11 --wait=ready
	eq "$(mac web11)" "$hardware" 'hardware address after a restart'
	from_outside 2001:db8:1::11 || die 'not reached after the restart'
	# One that it deleted the VE's own root cannot make again.
	init=$(info web11 "d['pid']")
	inside web11 'ip link del eth0; ip link'
	unlike "$OUT" eth0
	try vectl exec web11 -- reboot
	# shellcheck disable=SC2016
	until_ 30 sh -c '[ "$(vectl list --names --state running | grep web11)" = web11 ] &&
		[ "$(vectl info web11 --json | python3 -c "import json, sys; print(json.load(sys.stdin)[\"ve\"][\"pid\"])")" != '"$init"' ]'
	ok vectl wait web11 --state ready --timeout 30
	from_outside 192.0.2.11 || die 'not reached after the guest deleted it and rebooted'
	# Where nobody is left to delete it, it goes with its namespace.
	# shellcheck disable=SC2046
	kill -KILL $(pids_of web11 supervisor)
	until_ 20 not_outside "$hardware"
	cleanup_ve web11 web12
	internet_down
}

# No firewall closes it, so it has to be gone when stop returns, also where a connection holds its namespace.
test_macvlan_gone_with_stop() {
	internet_up
	local how hardware reader
	outside_macvlan 11
	hardware=$(mac web11)
	for how in 'stop web11 --force' 'stop web11' 'exec web11 -- poweroff -f'; do
		inside web11 'nc -l -p 4000 </dev/zero >/dev/null 2>&1 & sleep 0.5'
		nsenter -t "$INTERNET" -n python3 -c "$TAKES_NOTHING" 192.0.2.11 >"$T_TMP.peer" &
		reader=$!
		until_ 30 grep -q connected "$T_TMP.peer"
		python3 -c 'import select; select.select([], [], [], 0.5)'
		from_outside 192.0.2.11 || die "not reached before vectl $how"
		on_outside "$hardware" || die 'it is not on the device'
		# shellcheck disable=SC2086
		try vectl $how
		ok vectl wait web11 --state stopped --timeout 30
		not_outside "$hardware" || die "it is still there after vectl $how"
		kill "$reader"
		wait "$reader" 2>/dev/null || true
		ok vectl start web11 --wait=ready
	done
	cleanup_ve web11
	internet_down
}

test_macvlan_of_a_running_ve() {
	internet_up
	outside_macvlan 11
	ok ip link add free type veth peer name free1
	ok ip link set free up
	ok ip link set free1 up
	local hardware before
	ok vectl set web11 net.lan.type=macvlan net.lan.link=free net.lan.filter=off net.lan.ipv4=198.51.100.11/24 net.lan.mtu=1400
	like "$ERR" 'in effect: net.lan.type, net.lan.link, net.lan.filter, net.lan.ipv4, net.lan.mtu'
	eq "$(address web11 4 lan) $(info web11 "[i['mtu'] for i in d['interfaces'] if i['name'] == 'lan'][0]")" '198.51.100.11 1400'
	hardware=$(mac web11 lan)
	on free "$hardware" || die 'it is not on the device'
	ok ip address add 198.51.100.1/24 dev free1
	reaches web11 198.51.100.1 || die 'nothing is reached by it'
	ok vectl set web11 net.lan.ipv4=198.51.100.12/24
	ok vectl unset web11 net.lan.mtu
	eq "$(address web11 4 lan) $(info web11 "[i['mtu'] for i in d['interfaces'] if i['name'] == 'lan'][0]")" '198.51.100.12 1500'
	ok vectl set web11 net.eth0.ipv4+=192.0.2.13/24
	from_outside 192.0.2.13 || die 'the new address does not answer'
	# It moves with a reboot, as it is by now.
	before=$(info web11 "d['boot']")
	try vectl exec web11 -- reboot
	until_ 20 rebooted_to web11 $((before + 1))
	ok vectl wait web11 --state ready --timeout 30
	eq "$(address web11 4 lan) $(mac web11 lan)" "198.51.100.12 $hardware" 'after a reboot'
	reaches web11 198.51.100.1 || die 'nothing is reached by it after a reboot'
	# What cannot be leaves all as it was.
	ok ip link add br9 type bridge
	ok ip link add port9 type veth peer name port9a
	ok ip link set port9 up
	ok ip link set port9 master br9
	fails 1 vectl set web11 net.bad.type=macvlan net.bad.link=port9 net.bad.filter=off
	like "$ERR" 'net.bad: a macvlan on port9: .*: it is a port of a bridge or a bond'
	# Neither a port nor a VE's end is one to choose.
	ok vectl set web11 net.up.type=routed net.up.ipv4=10.207.9.1/32
	fails 1 vectl set web11 net.bad.type=macvlan net.bad.link=none9 net.bad.filter=off
	like "$ERR" 'none9: this host has no such device: set net.IF.link to one that there is: .*outside'
	unlike "$ERR" "port9(,|\$)|$(ends | cut -d@ -f1)"
	ok vectl unset web11 net.up
	fails 1 vectl get web11 net.bad.link
	ok ip link del port9
	ok ip link del br9
	ok vectl set web11 net.lan.link=outside
	like "$ERR" 'waits for the next start: .*net.lan.link'
	ok vectl set web11 net.lan.link=free
	ok vectl unset web11 net.lan
	eq "$(info web11 "sorted(i['name'] for i in d['interfaces'])")" '["eth0", "lo"]'
	! on free "$hardware" || die 'it is still on the device'
	from_outside 192.0.2.11 || die 'the other one went with it'
	cleanup_ve web11
	ok ip link del free
	internet_down
}

test_macvlan_that_cannot_be() {
	local all=(net.eth0.type=macvlan net.eth0.link=down9 net.eth0.filter=off) words=() a
	for a in "${all[@]}"; do words+=(--set "$a"); done
	refused() { # PATTERN ASSIGNMENT...
		local pattern=$1 sets=() b
		shift
		for b; do sets+=(--set "$b"); done
		fails 2 vectl create web1 --image busybox "${sets[@]}"
		like "$ERR" "$pattern"
	}
	refused 'net.eth0.filter: a macvlan has no end on the host, so nothing keeps its guest .*: set net.eth0.filter=off if' "${all[@]:0:2}"
	refused 'net.eth0.filter: a macvlan has no end' "${all[@]:0:2}" net.eth0.filter=ra
	refused 'net.eth0.link: not set, and an interface of type macvlan is on a device' "${all[0]}" "${all[2]}"
	refused 'net.eth0.rate_in: a macvlan has no end on the host where' "${all[@]}" net.eth0.rate_in=10m
	refused 'net.eth0.rate_out: a macvlan has no end on the host where' "${all[@]}" net.eth0.rate_out=10m
	refused 'net.eth0.ports: a macvlan has no end on the host where' "${all[@]}" net.eth0.ipv4=192.0.2.7/24 net.eth0.ports=80:80
	refused 'net.eth0.ipv4: auto is an address of vectl.s own network' "${all[@]}" net.eth0.ipv4=auto
	ok vectl create web1 --image busybox "${words[@]}" --set net.eth0.ipv4=192.0.2.7/24
	starts_not() { # PATTERN
		fails 1 vectl start web1
		like "$ERR" "$1"
		eq "$(vectl list --names --state running)" '' 'running'
	}
	starts_not 'down9: this host has no such device: (set net.IF.link to one that there is|this host has none)'
	ok ip link add down9 type veth peer name down9a
	starts_not 'down9: the device is down: ip link set down9 up'
	ok ip link set down9 up
	ok vectl set web1 net.eth0.mtu=9000
	starts_not 'down9: its MTU is 1500, and net.IF.mtu of the interface on it 9000'
	ok vectl unset web1 net.eth0.mtu
	ok vectl set web1 net.eth0.mac="$(cat /sys/class/net/down9/address)"
	starts_not 'another one on that device has its hardware address'
	ok vectl unset web1 net.eth0.mac
	ok vectl set web1 net.eth0.link=lo
	starts_not 'lo: no Ethernet device'
	ok vectl set web1 net.eth0.link=down9
	ok ip link add br9 type bridge
	ok ip link set down9 master br9
	starts_not 'macvlan.*it is a port of a bridge or a bond'
	ok ip link set down9 nomaster
	ok vectl start web1 --wait=ready
	on down9 "$(mac web1)" || die 'it is not on the device'
	cleanup_ve web1
	ok ip link del br9
	ok ip link del down9
}

test_start_that_fails() {
	ok vectl create web1 --image busybox --set net.eth0.link=br9 --set net.eth0.ipv4=10.9.0.2/24
	fails 1 vectl start web1
	like "$ERR" 'br9: this host has no such bridge: '
	ok vectl set web1 'net.eth0.link=br9' 'init=/no/such/init'
	ok ip link add br9 type bridge
	fails 1 vectl start web1
	like "$ERR" '/no/such/init'
	until_ 10 no_ends
	cleanup_ve web1
	ok ip link del br9
}

# On the host: what a VE has of IPv6 is refused, and what it has not is not missed.
test_ipv6_switched_off() {
	ok vectl create web1 --image busybox --set net.eth0.ipv4=auto --set net.eth0.ipv6=auto
	ok vectl create web2 --image busybox --set net.eth0.type=routed --set net.eth0.ipv4=10.207.1.1/32 --set net.eth0.ipv6=fd00:207::1/128
	off() { echo "$1" | tee /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6 >/dev/null; }
	trap 'off 0' EXIT
	off 1
	fails 1 vectl start web1
	like "$ERR" 'net.eth0.ipv6: IPv6 is switched off on this host: unset it: vectl unset web1 net.eth0.ipv6'
	fails 1 vectl start web2
	like "$ERR" 'IPv6 is switched off on this host: unset net.IF.ipv6'
	until_ 20 no_ends
	ok vectl unset web1 net.eth0.ipv6
	ok vectl unset web2 net.eth0.ipv6
	ok vectl start web1 --wait=ready
	ok vectl start web2 --wait=ready
	reaches - "$(address web1 4)" || die 'web1 is not reached'
	reaches web1 10.207.1.1 || die 'web2 is not reached'
	cleanup_ve web1 web2
	busybox_ve web3
	fails 1 vectl get web3 net.eth0.ipv6
	reaches - "$(address web3 4)" || die 'web3 is not reached'
	cleanup_ve web3
	off 0
	trap - EXIT
	busybox_ve web3
	reaches - "$(address web3 6)" || die 'web3 is not reached by IPv6, which is back'
	cleanup_ve web3
}

# 100 at once with --full.
test_many_at_once() {
	local n=24 i names=()
	[ -z "$T_FULL" ] || n=100
	for i in $(seq "$n"); do
		names+=("many$i")
		ok vectl create "many$i" --image busybox
	done
	local turn before=''
	for turn in 1 2; do
		printf '%s\n' "${names[@]}" | xargs -P 16 -n 1 vectl start --wait=ready || die 'a start failed'
		eq "$(ends | wc -l)" "$n" 'links'
		local now
		now=$(for i in "${names[@]}"; do address "$i" 4; done)
		eq "$(sort -u <<<"$now" | wc -l)" "$n" 'different addresses'
		[ "$turn" = 1 ] || eq "$now" "$before" 'addresses in the second turn'
		before=$now
		reaches - "$(address many1 4)" || die 'many1 is not reached'
		printf '%s\n' "${names[@]}" | xargs -P 16 -n 1 vectl stop --force || die 'a stop failed'
	done
	until_ 20 no_ends
	cleanup_ve "${names[@]}"
}

# When somebody takes the firewall away, it is there again, without anybody who starts something.
test_rules_that_were_flushed() {
	local four gateway six
	busybox_ve web1 --set net.eth0.ipv4=auto --set net.eth0.ipv6=auto --set net.eth0.ports=8080:80
	busybox_ve web2
	four=$(address web1 4) six=$(address web1 6)
	gateway=$(vectl exec web1 -- ip route | sed -n 's/default via \([0-9.]*\).*/\1/p')
	guest web1 sh -c 'mkdir /tmp/w; echo served >/tmp/w/index.html; httpd -p 80 -h /tmp/w'
	# Others' roots may have had theirs here.
	local table
	table=$(nft list tables | awk '$2 == "inet" { print $3 }' | while read -r table; do
		! nft list set inet "$table" near4 | grep -qwF "$four" || echo "$table"
	done)
	tables() { nft list tables | grep -cE "^table (bridge|inet|arp) $table\$" || true; }
	three() { [ "$(tables)" = 3 ]; }
	served() { [ "$(python3 -c 'import urllib.request as u; print(u.urlopen("http://'"$gateway"':8080/", timeout=5).read().decode().strip())')" = served ]; }
	spoof() { vectl exec web1 -- ping -q -c 1 -W 1 -I "${gateway%.*}.250" "$gateway" >/dev/null; }
	guest web1 ip address add "${gateway%.*}.250/16" dev eth0
	whole() {
		three || die 'the tables are not there'
		reaches - "$four" || die 'the host does not reach web1 by IPv4'
		reaches web2 "$six" || die 'web2 does not reach web1 by IPv6'
		served || die 'the published port is not there'
		! spoof || die 'a spoofed packet got through'
	}
	until_ 10 served # httpd listens
	whole
	local rules
	for rules in 'flush ruleset' "delete table bridge $table" \
		"flush table inet $table"; do
		note "nft $rules"
		ok nft "$rules"
		until_ 60 three
		until_ 60 served
		whole
	done
	# What keeps it from that may be mended without a word: here it is a line of vectl.conf.
	local conf=$VECTL_ROOT/etc/vectl/vectl.conf
	mkdir -p "${conf%/*}"
	echo nonsense >"$conf"
	ok nft flush ruleset
	sleep 1
	eq "$(tables)" 0 'tables with a vectl.conf that cannot be read'
	rm "$conf"
	until_ 60 three
	until_ 60 served
	whole
	# With nobody to whom it is of use it stays away.
	ok vectl stop --force web1
	ok vectl stop --force web2
	ok nft flush ruleset
	eq "$(tables)" 0 'tables without a VE'
	cleanup_ve web1 web2
}

# The filter is what stops a packet, and what the kernel does not know of it stops everything.
test_unknown_to_the_firewall() {
	busybox_ve web1
	local four
	four=$(address web1 4)
	reaches - "$four" || die 'not reached before'
	ok nft flush ruleset
	reaches - "$four" || true
	busybox_ve web2 # repairs it, for both, unless the reaper has
	reaches - "$four" || die 'not reached after the repair'
	reaches web2 "$four" || die 'web2 does not reach web1'
	cleanup_ve web1 web2
}

# Row 20 of what a guest expects: addresses are there, its own network service leaves them, and apt works through NAT.
debian_guest() { # RELEASE
	local ve=net$1 four six repo=$T_TMP/repo server
	[ -e "$T_CACHE/debian-$1.tar" ] || skip "no acceptance image of Debian $1: tests/system/images .cache"
	internet_up
	mkdir -p "$repo"
	: >"$repo/Packages"
	nsenter -t "$INTERNET" -n python3 -m http.server -d "$repo" 8000 >"$T_TMP.http" 2>&1 &
	server=$!
	ok vectl create "$ve" --image "plain/$1" --set dns.servers=192.0.2.2
	ok vectl start "$ve" --wait=ready --timeout 60
	four=$(address "$ve" 4) six=$(address "$ve" 6)
	# Debian's own network services: networkd is there, and off; with nothing at all it is as it is now.
	ok vectl exec "$ve" -- systemctl enable --now systemd-networkd
	ok vectl exec "$ve" -- /usr/lib/systemd/systemd-networkd-wait-online --any --timeout=20
	eq "$(address "$ve" 4) $(address "$ve" 6)" "$four $six" 'with networkd'
	ok vectl restart "$ve" --wait=ready
	try vectl exec "$ve" -- systemctl is-system-running --wait
	eq "$OUT" running
	eq "$(address "$ve" 4) $(address "$ve" 6)" "$four $six" 'after a boot with networkd'
	guest "$ve" cat /etc/resolv.conf
	like "$OUT" '^nameserver 192.0.2.2$'
	inside "$ve" 'rm -f /etc/apt/sources.list.d/*; echo "deb [trusted=yes] http://192.0.2.2:8000/ ./" >/etc/apt/sources.list'
	ok vectl exec "$ve" -- apt-get -o Acquire::Retries=3 update
	like "$(cat "$T_TMP.http")" '"GET /./Packages.* HTTP/1.1" 200'
	cleanup_ve "$ve"
	kill "$server"
	internet_down
}

test_debian_12() { debian_guest 12; }
test_debian_13() { debian_guest 13; }
