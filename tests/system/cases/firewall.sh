# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The firewall without VEs: network namespaces with a veth each stand for them, and firewall-probe does for them what
# libve does. Each test has a host of its own, in a namespace of its own.

PROBE=$T_BUILD/tests/system/firewall-probe
declare -A PIDS
HELPERS=()

end_helpers() {
	[ "${#HELPERS[@]}" = 0 ] || kill "${HELPERS[@]}" 2>/dev/null || true
}

# A network namespace: hold NAME
hold() {
	unshare -n -- sleep 1000 &
	PIDS[$1]=$!
	HELPERS+=("$!")
	trap end_helpers EXIT
	until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do :; done
	in_ "$1" ip link set lo up
}

in_() { # NAME COMMAND...
	local pid=${PIDS[$1]}
	shift
	nsenter -t "$pid" -n -- "$@"
}

# What libve would do: firewall VERB [ARGUMENT...] <RECORD
firewall() { in_ host "$PROBE" "$@"; }

# A host with vectl's bridge, and an uplink to a machine `out`. Frames on a bridge are no packets of the host's, as on a
# host without br_netfilter, unless a test says so.
host_and_out() {
	export VECTL_ROOT=$T_TMP/firewall
	mkdir -p "$VECTL_ROOT"
	hold host
	hold out
	in_ host sh -ec '
		for name in iptables ip6tables arptables; do
			[ ! -e /proc/sys/net/bridge/bridge-nf-call-$name ] || echo 0 >/proc/sys/net/bridge/bridge-nf-call-$name
		done
		echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		ip link add vebr0 address 02:00:00:00:00:01 type bridge
		ip link set vebr0 up
		ip addr add 10.1.0.1/16 dev vebr0
		ip addr add fd00::1/64 dev vebr0 nodad
		ip link add out0 type veth peer name eth0 netns '"${PIDS[out]}"'
		ip link set out0 up
		ip addr add 192.0.2.1/24 dev out0
		ip addr add 2001:db8::1/64 dev out0 nodad'
	in_ out sh -ec '
		ip link set eth0 up
		ip addr add 192.0.2.2/24 dev eth0
		ip addr add 2001:db8::2/64 dev eth0 nodad'
	READY=(ready 10.1.0.1/16 fd00::1/64)
	ok firewall "${READY[@]}"
}

# One that is on the bridge: bridged NAME LETTER NUMBER; its record is what `record` prints then.
bridged() {
	hold "$1"
	in_ host sh -ec "
		ip link add $1 type veth peer name eth0 address 02:00:00:00:00:0$2 netns ${PIDS[$1]}
		ip link set $1 master vebr0 up"
	in_ "$1" sh -ec "
		ip link set eth0 up
		ip addr add 10.1.0.$3/16 dev eth0
		ip addr add fd00::$3/64 dev eth0 nodad
		ip route add default via 10.1.0.1
		ip route add default via fd00::1"
}

record() { # NAME LETTER NUMBER FILTER [PORT-LINE...]
	printf 'interface eth0 %s vebr0 0 1 02:00:00:00:00:0%s %s\n' "$1" "$2" "$4"
	printf 'address 10.1.0.%s/16\naddress fd00::%s/64\n' "$3" "$3"
	[ $# -lt 5 ] || printf 'port %s\n' "${@:5}"
}

# As a start does: record, elements, links. put NAME <RECORD
put() {
	mkdir -p "$VECTL_ROOT/run/vectl/$1"
	cat >"$VECTL_ROOT/run/vectl/$1/net"
	firewall add <"$VECTL_ROOT/run/vectl/$1/net" && close_port "$1"
}

# What a start does with the port of a VE whose hardware address is filtered, and with the bridge for published ports.
close_port() {
	local record=$VECTL_ROOT/run/vectl/$1/net bridge mac filter
	read -r _ _ _ bridge _ _ mac filter <"$record"
	[ "$bridge" != - ] || return 0
	# shellcheck disable=SC2016
	in_ host sh -ec '
		learning=on
		[ $(($4 & 1)) = 0 ] || learning=off
		bridge link set dev "$1" learning $learning guard on mcast_router 0
		[ $learning = on ] || bridge fdb replace "$2" dev "$1" master static sticky
		[ -z "$3" ] || echo 1 >/proc/sys/net/ipv4/conf/vebr0/route_localnet
	' _ "$1" "$mac" "$(grep '^port' "$record" || true)" "$filter"
}

# As a stop does.
take() {
	firewall remove <"$VECTL_ROOT/run/vectl/$1/net" &&
		rm -r "$VECTL_ROOT/run/vectl/$1"
}

serve() { # NAME WORD PORT...: a service there; SERVED is the file of what was asked of it
	SERVED=$T_TMP/served.$1
	python3 -B "$T_HERE/talk.py" serve "${PIDS[$1]}" "${@:2}" >>"$SERVED" &
	HELPERS+=("$!")
	until_ 30 grep -q ready "$SERVED"
}

# One process for all that a test asks and sends: ANSWER is what it printed.
client() { # LINE
	[ -n "${CLIENT_PID:-}" ] || {
		coproc CLIENT { exec python3 -B "$T_HERE/talk.py" client; }
		HELPERS+=("$CLIENT_PID")
	}
	echo "$*" >&"${CLIENT[1]}"
	read -r ANSWER <&"${CLIENT[0]}"
}

asks() { # NAME ADDRESS PORT WANTED
	local seconds=30 # on a machine that is busy with other things
	[ "$4" != 'no answer' ] || seconds=2
	client ask "${PIDS[$1]}" "$2" "$3" "$seconds"
	eq "$ANSWER" "$4" "$1 asks $2 $3"
}

sends() { # NAME HEX | NAME MAC SOURCE DESTINATION PORT
	client send "${PIDS[$1]}" "${@:2}"
	eq "$ANSWER" sent "what $1 sends"
}

tables() { in_ host nft list ruleset; }

# The same, fit to be compared: sorted, without counts and handles.
same_tables() {
	in_ host nft -j list ruleset | python3 -c '
import json, sys
def plain(v):
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items() if k not in ("handle", "packets", "bytes")}
    if isinstance(v, list):
        return [plain(x) for x in v]
    return v
for entry in json.load(sys.stdin)["nftables"]:
    for kind, thing in plain(entry).items():
        if kind in ("set", "map"):
            thing["elem"] = sorted(json.dumps(x, sort_keys=True) for x in thing.get("elem", []))
        print(kind, json.dumps(thing, sort_keys=True))'
}

# ---- what a VE may send

# Each frame arrives without the filter; with all of it, only what is its own; and each part of it alone.
# limit test_spoofed_frames 300
test_spoofed_frames() {
	local filter
	host_and_out
	bridged veA a 10
	bridged veB b 11
	record veB b 11 31 | put veB
	for filter in 0 31 30 29 27 23 15 1 2 4 8 16; do
		record veA a 10 "$filter" | put veA
		ok python3 -B "$T_HERE/frames.py" spoof "${PIDS[veA]}" "${PIDS[veB]}" "$filter"
		[ "$filter" != 0 ] || like "$OUT" '^([0-9]+) of \1 arrived'
		take veA
	done
}

fdb() { in_ host bridge fdb show br vebr0 | sed -n "s/^02:00:00:00:00:0b dev \([^ ]*\) .*/\1/p"; }

# A bridge learns from a frame for 01:80:c2:00:00:0e before any rule sees it.
test_bridge_learns_nothing() {
	local lldp=0180c200000e02000000000b88cc0000 pause=0180c200000302000000000b88cc0000
	host_and_out
	bridged veA a 10
	bridged veB b 11
	asks veB 10.1.0.1 9/udp refused
	like "$(fdb)" '^veB$'
	hijacked() { # veB may send something itself meanwhile, so it is tried more than once
		sends veA "$lldp"
		[ "$(fdb)" = veA ]
	}
	until_ 30 hijacked # without the filter: what is for veB goes to veA

	record veB b 11 31 | put veB
	record veA a 10 31 | put veA
	like "$(fdb)" '^veB$'
	for frame in "$lldp" "$pause" "${lldp/0e02/0002}"; do
		sends veA "$frame"
	done
	asks veA 10.1.0.11 9/udp refused # behind them in the queue
	eq "$(fdb)" veB 'where the bridge has veB'
	asks veB 10.1.0.1 9/udp refused
}

# What route_localnet, which published ports on 127.0.0.1 need, opens: the host's loopback, from every VE.
# limit test_host_loopback_is_closed 300
test_host_loopback_is_closed() {
	host_and_out
	bridged veA a 10
	bridged veB b 11
	record veB b 11 0 'tcp - 8080 8080 80' | put veB
	serve host HOST 127.0.0.1:5000/udp 5001/udp
	eq "$(in_ host cat /proc/sys/net/ipv4/conf/vebr0/route_localnet)" 1 route_localnet
	in_ host sh -c 'echo 1 >/proc/sys/net/ipv4/conf/vebr0/accept_local' # else the kernel itself refuses its own addresses

	rm -r "$VECTL_ROOT/run/vectl/veB"
	ok firewall gone
	sends veA 020000000001 10.1.0.10 127.0.0.1 5000
	sends veA 020000000001 127.0.0.1 10.1.0.1 5001
	sends veA 0180c200000e 10.1.0.99 10.1.0.1 5001
	until_ 30 grep -q 'HOST 5000 from 10.1.0.10' "$SERVED"
	until_ 30 grep -q 'HOST 5001 from 127.0.0.1' "$SERVED"
	until_ 30 grep -q 'HOST 5001 from 10.1.0.99' "$SERVED" # a bridge's port hands it to the host, with any source

	: >"$SERVED"
	ok firewall "${READY[@]}"
	record veA a 10 31 | put veA
	sends veA 020000000001 10.1.0.10 127.0.0.1 5000
	sends veA 020000000001 127.0.0.1 10.1.0.1 5001
	sends veA 0180c200000e 10.1.0.99 10.1.0.1 5001
	asks veA 10.1.0.1 5001/udp 'HOST 5001 from 10.1.0.10' # behind them in the queue
	eq "$(grep -vc 'HOST 5001 from 10.1.0.10' "$SERVED" || true)" 0 'datagrams that should not arrive'
	# Also without a filter of its own.
	take veA
	record veA a 10 0 | put veA
	sends veA 020000000001 10.1.0.10 127.0.0.1 5000
	sends veA 020000000001 127.0.0.1 10.1.0.1 5001
	asks veA 10.1.0.1 5001/udp 'HOST 5001 from 10.1.0.10'
	eq "$(grep -vc 'HOST 5001 from 10.1.0.10' "$SERVED" || true)" 0 'datagrams that should not arrive'
}

# A routed VE: its link is the host's alone, and so are the packets that it may send there.
test_routed() {
	host_and_out
	hold veR
	in_ host sh -ec "
		ip link add veR type veth peer name eth0 address 02:00:00:00:00:0a netns ${PIDS[veR]}
		ip link set veR address 02:00:00:00:00:01 up
		echo 1 >/proc/sys/net/ipv4/conf/veR/proxy_arp
		ip route add 10.2.0.10 dev veR
		ip route add fd02::10 dev veR
		ip addr add fe80::1/64 dev veR nodad"
	in_ veR sh -ec '
		ip link set eth0 up
		ip addr add 10.2.0.10/32 dev eth0
		ip addr add fd02::10/128 dev eth0 nodad
		ip route add 10.1.0.1 dev eth0
		ip route add default via 10.1.0.1 src 10.2.0.10
		ip route add default via fe80::1 dev eth0 src fd02::10'
	serve host HOST 5001/udp 5001/tcp
	routed_record() { printf 'interface eth0 veR - 1 0 02:00:00:00:00:0a %s\naddress 10.2.0.10/32\naddress fd02::10/128\n' "$1"; }
	neighbour() { in_ host ip neigh show dev veR | grep -q "^$1 "; }
	claim() { # SENDER'S ADDRESS, hex: it asks for the host's own
		sends veR "ffffffffffff02000000000a0806000108000604000102000000000a${1}0000000000000a010001"
	}

	routed_record 0 | put veR
	sends veR 020000000001 10.9.9.9 10.1.0.1 5001
	until_ 30 grep -q 'from 10.9.9.9' "$SERVED"
	claim 0a090901
	until_ 30 neighbour 10.9.9.1
	take veR

	: >"$SERVED"
	routed_record 31 | put veR
	sends veR 020000000001 10.9.9.9 10.1.0.1 5001
	sends veR 0180c200000e 10.9.9.9 10.1.0.1 5001
	claim 0a090902
	claim 0a02000a # its own
	until_ 30 neighbour 10.2.0.10
	asks veR 10.1.0.1 5001/tcp 'HOST 5001 from 10.2.0.10'
	asks veR fd00::1 5001/tcp 'HOST 5001 from fd02::10'
	asks veR 192.0.2.1 5001/tcp 'HOST 5001 from 10.2.0.10'
	eq "$(grep -c 'from 10.9.9.9' "$SERVED" || true)" 0 'datagrams from another address'
	! neighbour 10.9.9.2 || die 'an address that is not its own is believed'
}

# ---- NAT and published ports

# limit test_nat_and_ports 300
test_nat_and_ports() {
	host_and_out
	bridged veA a 10
	bridged veB b 11
	record veA a 10 31 | put veA
	record veB b 11 31 'tcp - 8080 8082 80' 'udp - 53 53 5353' 'tcp 192.0.2.1 99 99 80' 'udp 2001:db8::1 99 99 5353' |
		put veB
	serve veB B 80/tcp 81/tcp 82/tcp 5353/udp
	serve out OUT 80/tcp 53/udp
	serve host HOST 22/tcp
	# Out, and to one another.
	asks veA 192.0.2.2 80/tcp 'OUT 80 from 192.0.2.1'
	asks veA 2001:db8::2 53/udp 'OUT 53 from 2001:db8::1'
	asks veA 10.1.0.11 80/tcp 'B 80 from 10.1.0.10'
	asks veA fd00::11 82/tcp 'B 82 from fd00::10'
	# In.
	asks out 192.0.2.1 8080/tcp 'B 80 from 192.0.2.2'
	asks out 192.0.2.1 8082/tcp 'B 82 from 192.0.2.2'
	asks out 192.0.2.1 8083/tcp refused
	asks out 192.0.2.1 53/udp 'B 5353 from 192.0.2.2'
	asks out 2001:db8::1 8081/tcp 'B 81 from 2001:db8::2'
	asks out 2001:db8::1 53/udp 'B 5353 from 2001:db8::2'
	asks out 192.0.2.1 22/tcp 'HOST 22 from 192.0.2.2'
	# On one address.
	asks out 192.0.2.1 99/tcp 'B 80 from 192.0.2.2'
	asks out 2001:db8::1 99/udp 'B 5353 from 2001:db8::2'
	asks out 2001:db8::1 99/tcp refused
	asks out 192.0.2.1 99/udp refused
	# From the host itself; ::1 is refused, not left without an answer.
	asks host 192.0.2.1 8080/tcp 'B 80 from 192.0.2.1'
	asks host 127.0.0.1 8080/tcp 'B 80 from 10.1.0.1'
	asks host 127.0.0.1 53/udp 'B 5353 from 10.1.0.1'
	asks host 2001:db8::1 8081/tcp 'B 81 from 2001:db8::1'
	asks host ::1 8080/tcp refused
	asks host 127.0.0.1 99/tcp refused
	# From VEs, itself included, by way of the host's address.
	asks veA 192.0.2.1 8080/tcp 'B 80 from 10.1.0.1'
	asks veA 10.1.0.1 53/udp 'B 5353 from 10.1.0.1'
	asks veA 2001:db8::1 8080/tcp 'B 80 from fd00::1'
	asks veB 192.0.2.1 8081/tcp 'B 81 from 10.1.0.1'
	asks veB fd00::1 8081/tcp 'B 81 from fd00::1'
	take veB
	asks out 192.0.2.1 8080/tcp refused
	asks host 127.0.0.1 8080/tcp refused
	# The pool's addresses as they are, where vectl.conf wants that.
	ok firewall "${READY[@]}" plain
	in_ out ip route add 10.1.0.0/16 via 192.0.2.1
	asks veA 192.0.2.2 80/tcp 'OUT 80 from 10.1.0.10'
}

# Where the host lets frames on bridges through its own packet filter, as Docker has it.
test_nat_and_ports_with_br_netfilter() {
	host_and_out
	in_ host test -e /proc/sys/net/bridge/bridge-nf-call-iptables || skip 'this kernel has no br_netfilter'
	in_ host sh -c 'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables; echo 1 >/proc/sys/net/bridge/bridge-nf-call-ip6tables'
	bridged veA a 10
	bridged veB b 11
	record veA a 10 31 | put veA
	record veB b 11 31 'tcp - 8080 8080 80' | put veB
	serve veB B 80/tcp
	serve out OUT 80/tcp
	asks veA 192.0.2.2 80/tcp 'OUT 80 from 192.0.2.1'
	asks veA 10.1.0.11 80/tcp 'B 80 from 10.1.0.10'
	asks veA fd00::11 80/tcp 'B 80 from fd00::10'
	asks out 192.0.2.1 8080/tcp 'B 80 from 192.0.2.2'
	asks host 127.0.0.1 8080/tcp 'B 80 from 10.1.0.1'
	asks veA 192.0.2.1 8080/tcp 'B 80 from 10.1.0.10'
	# A VE that asks itself by way of the host's address gets no answer here: see vectl-network(7).
}

test_ports_taken() {
	local before
	host_and_out
	bridged veA a 10
	bridged veB b 11
	record veA a 10 31 'tcp - 8000 8010 80' | put veA
	serve host HOST 127.0.0.1:22/tcp 53/udp
	before=$(same_tables)
	refused() { # WORDS PORT-LINE...
		local words=$1
		shift
		record veB b 11 31 "$@" >"$T_TMP/record"
		mkdir -p "$VECTL_ROOT/run/vectl/veB"
		cp "$T_TMP/record" "$VECTL_ROOT/run/vectl/veB/net"
		exits 1 firewall add <"$T_TMP/record"
		like "$ERR" "$words"
		eq "$(same_tables)" "$before" 'the tables after a refusal'
		# What a failed start does: nothing of another's goes.
		ok firewall remove <"$T_TMP/record"
		rm -r "$VECTL_ROOT/run/vectl/veB"
		eq "$(same_tables)" "$before" 'the tables after an undo'
	}
	refused 'port 8005/tcp of the host is taken by VE veA' 'udp - 1 1 1' 'tcp - 8005 8005 80'
	refused 'port 8010/tcp of the host is taken by VE veA' 'tcp - 8010 8020 80'
	refused 'port 22/tcp of the host is taken by a process of the host: python3, pid [0-9]+' 'tcp - 20 30 80'
	refused 'port 53/udp of the host is taken by a process of the host: python3, pid [0-9]+' 'udp 192.0.2.1 53 53 53'
	refused 'port 7/tcp of the host is taken by this VE already' 'tcp - 7 7 80' 'tcp - 7 7 81'
	# Elsewhere, or of the other protocol: not the same port.
	record veB b 11 31 'tcp 192.0.2.1 22 22 80' 'tcp - 53 53 53' 'udp - 8000 8010 80' | put veB
	take veB
	eq "$(same_tables)" "$before" 'the tables after a stop'
	# Whose record cannot be read may have it.
	local record=$VECTL_ROOT/run/vectl/veA/net
	mv "$record" "$T_TMP/whole"
	head -c 100 "$T_TMP/whole" >"$record"
	refused 'port 8005/tcp of the host is taken by VE veA perhaps, whose record .net. cannot be read' 'tcp - 8005 8005 80'
	rm "$record"
	mkdir "$record"
	refused 'port 8005/tcp of the host is taken by VE veA perhaps, whose record .net. cannot be read' 'tcp - 8005 8005 80'
	# A VE that has ended without its elements taken: no record holds them any more.
	rm -r "$VECTL_ROOT/run/vectl/veA"
	record veB b 11 31 'tcp - 8005 8030 80' | put veB
	ok firewall traffic <"$VECTL_ROOT/run/vectl/veB/net"
	like "$(in_ host nft list ruleset | tr -d ' \n')" 'tcp\.8005:10.1.0.11\.80'
}

test_types_without_an_end_on_the_host() {
	host_and_out
	exits 1 firewall add <<<'interface eth0 none out0 2 0 02:00:00:00:00:0a 31'
	like "$ERR" 'type macvlan.*|filter=off'
	exits 1 firewall add <<<'interface eth0 none out0 3 0 02:00:00:00:00:0a 1'
	like "$ERR" 'type phys'
	ok firewall add <<<'interface eth0 none out0 2 0 02:00:00:00:00:0a 0'
	exits 1 firewall add <<<$'interface eth0 veA vebr0 0 1 02:00:00:00:00:0a 31\nport tcp - 1 1 1'
	like "$ERR" 'the interface has no address'
}

# ---- the tables

test_tables_are_made_whole_again() {
	local whole
	host_and_out
	bridged veA a 10
	bridged veB b 11
	record veA a 10 31 'tcp - 8080 8080 80' | put veA
	record veB b 11 1 | put veB
	serve veA A 80/tcp
	whole=$(same_tables)
	try_again() {
		note "after $1"
		ne "$(same_tables)" "$whole" 'the tables'
		ok firewall "${READY[@]}"
		eq "$(same_tables)" "$whole" 'the tables'
		asks out 192.0.2.1 8080/tcp 'A 80 from 192.0.2.2'
		ok python3 -B "$T_HERE/frames.py" spoof "${PIDS[veA]}" "${PIDS[veB]}" 31
	}
	in_ host nft flush ruleset
	try_again 'nft flush ruleset'
	in_ host sh -c 'nft list tables | grep "table bridge" | xargs nft delete'
	try_again 'its bridge table was deleted'
	for table in $(in_ host nft list tables | sed -n 's/table inet //p'); do
		in_ host nft flush chain inet "$table" publish_outside
	done
	asks out 192.0.2.1 8080/tcp refused
	ok firewall "${READY[@]}"
	asks out 192.0.2.1 8080/tcp 'A 80 from 192.0.2.2'
	# Of another version: all the elements are there again, from the records.
	for table in $(in_ host nft list tables | sed -n 's/table inet //p'); do
		in_ host nft -f - <<-RULES
			delete table inet $table
			table inet $table { comment "vectl: rules 0"; }
		RULES
	done
	ok firewall "${READY[@]}"
	asks out 192.0.2.1 8080/tcp 'A 80 from 192.0.2.2'
	# Somebody else's table of that name stays his.
	for table in $(in_ host nft list tables | sed -n 's/table arp //p'); do
		in_ host nft "delete table arp $table; add table arp $table"
	done
	exits 1 firewall "${READY[@]}"
	like "$ERR" 'there is a table .arp vectl-[0-9a-f]+. that is not vectl.s: give that table another name'
	in_ host nft flush ruleset
	# Many at once, and it is made once.
	local pids=() pid
	for _ in 1 2 3 4 5 6 7 8; do
		firewall "${READY[@]}" &
		pids+=("$!")
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	eq "$(tables | grep -c '^table')" 3 tables
	# The tables stay while a VE has a record, and go then.
	ok firewall gone
	eq "$(tables | grep -c '^table')" 3 tables
	take veA
	take veB
	ok firewall gone
	ok firewall gone
	eq "$(tables)" '' 'the rules'
	# A stop after that.
	record veA a 10 31 'tcp - 8080 8080 80' >"$T_TMP/record"
	ok firewall remove <"$T_TMP/record"
	exits 1 firewall add <"$T_TMP/record"
	like "$ERR" 'was removed from nftables meanwhile: .* again'
}

test_no_firewall_is_no_start() {
	host_and_out
	in_ host nft flush ruleset
	record veA a 10 31 >"$T_TMP/record"
	exits 1 in_ host setpriv --bounding-set -net_admin --inh-caps -net_admin "$PROBE" "${READY[@]}"
	like "$ERR" 'set up the firewall: .+: .+'
	exits 1 in_ host setpriv --bounding-set -net_admin --inh-caps -net_admin "$PROBE" add <"$T_TMP/record"
	like "$ERR" 'put the VE into the firewall: .+'
	mkdir -p "$VECTL_ROOT/run/vectl/broken"
	printf 'interface eth0' >"$VECTL_ROOT/run/vectl/broken/net"
	# Nothing of that VE passes then; the others are not kept from starting by it.
	ok firewall "${READY[@]}"
}

# Rules as the daemon of Debian's docker.io makes them, by iptables-nft.
docker_rules() {
	in_ host iptables-nft-restore <<-'RULES'
		*nat
		:PREROUTING ACCEPT [0:0]
		:INPUT ACCEPT [0:0]
		:OUTPUT ACCEPT [0:0]
		:POSTROUTING ACCEPT [0:0]
		:DOCKER - [0:0]
		-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
		-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
		-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
		-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
		-A DOCKER -i docker0 -j RETURN
		-A DOCKER ! -i docker0 -p tcp -m tcp --dport 9090 -j DNAT --to-destination 172.17.0.2:80
		COMMIT
		*filter
		:INPUT ACCEPT [0:0]
		:FORWARD DROP [0:0]
		:OUTPUT ACCEPT [0:0]
		:DOCKER - [0:0]
		:DOCKER-ISOLATION-STAGE-1 - [0:0]
		:DOCKER-ISOLATION-STAGE-2 - [0:0]
		:DOCKER-USER - [0:0]
		-A FORWARD -j DOCKER-USER
		-A FORWARD -j DOCKER-ISOLATION-STAGE-1
		-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A FORWARD -o docker0 -j DOCKER
		-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
		-A FORWARD -i docker0 -o docker0 -j ACCEPT
		-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
		-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
		-A DOCKER-ISOLATION-STAGE-1 -j RETURN
		-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
		-A DOCKER-ISOLATION-STAGE-2 -j RETURN
		-A DOCKER-USER -j RETURN
		COMMIT
	RULES
}

# Its tables, before and after; ours beside them. What theirs drop stays dropped, until they say otherwise.
# limit test_beside_docker 300
test_beside_docker() {
	local theirs
	host_and_out
	hold docker
	in_ host sh -ec "
		ip link add docker0 type bridge
		ip link set docker0 up
		ip addr add 172.17.0.1/16 dev docker0
		ip link add docker1 type veth peer name eth0 netns ${PIDS[docker]}
		ip link set docker1 master docker0 up"
	in_ docker sh -ec 'ip link set eth0 up; ip addr add 172.17.0.2/16 dev eth0; ip route add default via 172.17.0.1'
	in_ host nft flush ruleset
	docker_rules
	theirs() { in_ host iptables-nft-save | sed 's/^#.*//; s/\[[0-9:]*\]//'; }
	theirs=$(theirs)
	ok firewall "${READY[@]}"
	bridged veA a 10
	bridged veB b 11
	record veA a 10 31 | put veA
	record veB b 11 31 'tcp - 8080 8080 80' | put veB
	serve veB B 80/tcp
	serve docker DOCKER 80/tcp
	serve out OUT 80/tcp
	eq "$(theirs)" "$theirs" "Docker's rules"
	asks out 192.0.2.1 9090/tcp 'DOCKER 80 from 192.0.2.2'
	asks docker 192.0.2.2 80/tcp 'OUT 80 from 192.0.2.1'
	asks veA 10.1.0.11 80/tcp 'B 80 from 10.1.0.10'
	asks host 127.0.0.1 8080/tcp 'B 80 from 10.1.0.1'
	# Docker drops what is forwarded and not its own.
	asks out 192.0.2.1 8080/tcp 'no answer'
	asks veA 192.0.2.2 80/tcp 'no answer'
	in_ host iptables-nft -I DOCKER-USER -i vebr0 -j ACCEPT
	in_ host iptables-nft -I DOCKER-USER -o vebr0 -j ACCEPT
	theirs=$(theirs)
	asks out 192.0.2.1 8080/tcp 'B 80 from 192.0.2.2'
	asks veA 192.0.2.2 80/tcp 'OUT 80 from 192.0.2.1'
	asks out 192.0.2.1 9090/tcp 'DOCKER 80 from 192.0.2.2'
	take veA
	take veB
	ok firewall gone
	eq "$(theirs)" "$theirs" "Docker's rules"
	asks out 192.0.2.1 9090/tcp 'DOCKER 80 from 192.0.2.2'
}

# A host's own nftables, which drop what they do not know.
test_beside_a_host_table() {
	local theirs
	host_and_out
	in_ host nft -f - <<-'RULES'
		table inet filter {
			chain input {
				type filter hook input priority filter; policy drop;
				ct state established,related accept
				iifname "lo" accept
				meta l4proto { icmp, ipv6-icmp } accept
				tcp dport 22 accept
			}
			chain forward {
				type filter hook forward priority filter; policy drop;
				ct state established,related accept
				iifname "vebr0" accept
				ct status dnat accept
			}
		}
	RULES
	theirs=$(in_ host nft list table inet filter)
	bridged veA a 10
	bridged veB b 11
	record veA a 10 31 | put veA
	record veB b 11 31 'tcp - 8080 8080 80' | put veB
	serve veB B 80/tcp
	serve out OUT 80/tcp
	serve host HOST 22/tcp 23/tcp
	asks veA 10.1.0.1 22/tcp 'HOST 22 from 10.1.0.10'
	asks veA 10.1.0.1 23/tcp 'no answer'
	asks veA 192.0.2.2 80/tcp 'OUT 80 from 192.0.2.1'
	asks out 192.0.2.1 8080/tcp 'B 80 from 192.0.2.2'
	asks veA 192.0.2.1 8080/tcp 'B 80 from 10.1.0.1'
	asks host 127.0.0.1 8080/tcp 'B 80 from 10.1.0.1'
	eq "$(in_ host nft list table inet filter)" "$theirs" "the host's rules"
}

# ---- counting

test_traffic() {
	host_and_out
	bridged veA a 10
	bridged veB b 11
	record veA a 10 31 | put veA
	record veB b 11 31 | put veB
	# Quiet: no duplicate address detection, no router solicitations.
	traffic() { ok firewall traffic <"$VECTL_ROOT/run/vectl/$1/net"; }
	number() { # CLASS FIELD: of the last `traffic`
		awk -v class="$1" -v field="$2" '$2 == class { print $field }' <<<"$OUT"
	}
	local near far
	traffic veA
	near=$(number near 5) far=$(number far 5)
	serve veB B 80/udp
	serve out OUT 80/udp
	send_many() { # ADDRESS: 100 datagrams of 1000 bytes
		in_ veA python3 - "$1" <<-'SCRIPT'
			import socket, sys
			s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
			for _ in range(100): s.sendto(b"x" * 1000, (sys.argv[1], 80))
		SCRIPT
	}
	send_many 10.1.0.11
	traffic veA
	[ $(($(number near 5) - near)) -ge 102800 ] || die "near: $(number near 5) bytes"
	[ $(($(number far 5) - far)) -lt 20000 ] || die "far: $(number far 5) bytes"
	near=$(number near 5) far=$(number far 5)
	send_many 192.0.2.2
	traffic veA
	[ $(($(number far 5) - far)) -ge 102800 ] || die "far: $(number far 5) bytes"
	[ $(($(number near 5) - near)) -lt 20000 ] || die "near: $(number near 5) bytes"
	traffic veB
	[ "$(number near 8)" -ge 102800 ] || die "veB received $(number near 8) bytes"
	take veA
	record veA a 10 31 >"$T_TMP/record"
	exits 1 firewall traffic <"$T_TMP/record"
}

# ---- what it costs

# Elements are hashed: a start with a thousand VEs beside it costs what it costs with one.
# limit test_cost 300
test_cost() {
	local count filled=0 costs=()
	host_and_out
	# Sixteen VEs a file, as the elements that libve makes of them.
	python3 - "$T_TMP" <<-'SCRIPT'
		import sys
		for k in range(992):
		    with open("%s/%03d" % (sys.argv[1], k // 16), "a") as f:
		        print("interface eth0 other%d vebr0 0 1 02:00:00:01:%02x:%02x 31" % (k, k >> 8, k & 255), file=f)
		        print("address 10.1.%d.%d/16\naddress fd00::1:%x/64" % (10 + (k >> 8), k & 255, k), file=f)
		        print("port tcp - %d %d 80" % (10000 + k, 10000 + k), file=f)
	SCRIPT
	fill() { # FROM TO: files
		local k
		for ((k = $1; k < $2; k++)); do
			firewall add <"$T_TMP/$(printf %03d "$k")"
		done
	}
	record mine a 10 31 'tcp - 80 80 80' >"$T_TMP/record"
	for count in 0 6 62; do
		fill "$filled" "$count"
		filled=$count
		ok firewall time 51 <"$T_TMP/record"
		costs+=("$(awk '{ print $2 + $4 }' <<<"$OUT")")
	done
	note "microseconds of a start beside 0, 96 and 992 others: ${costs[*]}"
	# Not a benchmark: only that it does not grow with their number.
	[ "${costs[2]}" -lt $((5 * costs[0] + 2000)) ] || die "${costs[*]}"
}
