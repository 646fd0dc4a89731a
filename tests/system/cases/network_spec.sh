# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# net.* before anything is started: what is refused, who has which address, and that no two VEs ever have the same.
# limit test_many_at_once 300
# limit test_pool_that_is_full 180
# limit test_refused_by_name 120

leases() { # "ADDRESS NAME INTERFACE" a line
	find "$VECTL_ROOT/var/lib/vectl/net/leases" -mindepth 1 -printf '%f %l\n' | awk '{ print $1, $3, $4 }' | sort
}
of() { # NAME [FAMILY]: its addresses
	leases | awk -v name="$1" -v family="${2:-}" '$2 == name && (!family || (family == 6) == ($1 ~ /:/)) { print $1 }'
}
pool() { # PREFIX of the default pool: 10.N.
	python3 -c '
import json, sys
print(json.load(open(sys.argv[1]))["ipv4"].split("/")[0].rsplit(".", 2)[0])' "$VECTL_ROOT/var/lib/vectl/net/own"
}
conf() { # JSON
	mkdir -p "$VECTL_ROOT/etc/vectl"
	printf '%s\n' "$1" >"$VECTL_ROOT/etc/vectl/vectl.conf"
}
no_conf() { rm -f "$VECTL_ROOT/etc/vectl/vectl.conf"; }
has_ipv6() { [ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null)" = 0 ]; }

# The network that is picked stays with the root.
setup() {
	ok ip link add br0 type bridge
	ok vectl create ns0 --image busybox
	ok vectl destroy --force ns0
}

teardown() { ok ip link delete br0; }

test_default() {
	ok vectl create nd1 --image busybox
	eq "$(vectl get nd1 net.eth0.type)" bridge
	eq "$(vectl get nd1 net.eth0.ipv4)" auto
	local before
	before=$(of nd1)
	eq "$(of nd1 4 | wc -l)" 1 'IPv4 addresses'
	like "$(of nd1 4)" "^$(pool | sed 's/[.]/[.]/g')[.][0-9]+[.][0-9]+$"
	if has_ipv6; then
		eq "$(vectl get nd1 net.eth0.ipv6)" auto
		like "$(of nd1 6)" '^fd'
	else
		fails 1 vectl get nd1 net.eth0.ipv6
		fails 1 vectl set nd1 net.eth0.ipv6=auto
		like "$ERR" 'IPv6 is switched off on this host'
	fi
	# It keeps them over whatever does not concern them, and gives them back at its end.
	ok vectl set nd1 labels.a=b hostname=other net.eth0.mtu=1400
	ok vectl start nd1
	ok vectl set nd1 net.eth0.filter=mac
	ok vectl restart nd1
	ok vectl stop nd1
	eq "$(of nd1)" "$before" 'after a life'
	ok vectl rename nd1 nd2
	eq "$(of nd1)" '' 'under the old name'
	eq "$(of nd2)" "$before" 'under the new name'
	ok vectl destroy --force nd2
	eq "$(leases)" '' 'after destroy'
}

test_nothing_is_added() {
	ok vectl create nn1 --image busybox --set network=none
	fails 1 vectl get nn1 net.eth0.type
	ok vectl create nn2 --image busybox --set net.wan.mtu=1500
	fails 1 vectl get nn2 net.eth0.type
	conf '{"network": {"type": "none"}}'
	ok vectl create nn3 --image busybox
	fails 1 vectl get nn3 net.eth0.type
	conf '{"network": {"type": "bridge", "bridge": "br7"}}'
	ok vectl create nn4 --image busybox
	eq "$(vectl get nn4 net.eth0.link) $(vectl get nn4 net.eth0.filter)" 'br7 mac,dhcp,ra'
	conf '{"network": {"type": "routed", "ipv6": false}}'
	ok vectl create nn5 --image busybox
	eq "$(vectl get nn5 net.eth0.type) $(vectl get nn5 net.eth0.ipv4)" 'routed auto'
	fails 1 vectl get nn5 net.eth0.ipv6
	fails 1 vectl set nn5 net.eth0.ipv6=auto
	like "$ERR" 'vectl.conf says that vectl.s own network has no IPv6'
	no_conf
	eq "$(leases | awk '{ print $2 }')" nn5 'who has leases'
	cleanup_ve nn1 nn2 nn3 nn4 nn5
	eq "$(leases)" ''
}

# What was picked stays; another root picks another network, and none that the host has a route to.
test_own_network() {
	local first route
	ok vectl create no1 --image busybox
	first=$(pool)
	ok vectl create no2 --image busybox
	eq "$(pool)" "$first" 'the network of the second VE'
	ok cp -a "$VECTL_ROOT/var/lib/vectl/net/own" "$T_TMP.own"
	cleanup_ve no1 no2
	# Where all it would take first is in use, another one; and back when the record is there again.
	rm "$VECTL_ROOT/var/lib/vectl/net/own"
	ok ip link add name d0 type veth peer name d1
	ok ip address add "$first.0.9/16" dev d0 # on a link that is down: no route leads there yet
	ok vectl create no1 --image busybox
	ne "$(pool)" "$first" 'the network of an address of the host'
	ok ip link delete d0
	cleanup_ve no1
	rm "$VECTL_ROOT/var/lib/vectl/net/own"
	ok ip route add unreachable 10.0.0.0/8 # refuses what has no better route
	ok vectl create no1 --image busybox
	eq "$(pool)" "$first" 'the network beside a route that refuses'
	cleanup_ve no1
	rm "$VECTL_ROOT/var/lib/vectl/net/own"
	ok ip route add "local" 10.128.0.0/9 dev lo
	ok ip route add "local" 10.0.0.0/10 dev lo
	ok ip route add "local" 10.64.0.0/11 dev lo
	ok vectl create no1 --image busybox
	like "$(pool)" '^10[.](9[6-9]|1[01][0-9]|12[0-7])$' 'what the routes left'
	cleanup_ve no1
	rm "$VECTL_ROOT/var/lib/vectl/net/own"
	ok ip route add "local" 10.96.0.0/11 dev lo
	ok ip route add "local" 172.16.0.0/12 dev lo
	ok ip route add "local" 192.168.0.0/16 dev lo
	fails 1 vectl create no1 --image busybox
	like "$ERR" 'this host has routes to all private networks: name one in vectl.conf'
	ok ip route delete unreachable 10.0.0.0/8
	for route in 10.128.0.0/9 10.0.0.0/10 10.64.0.0/11 10.96.0.0/11 172.16.0.0/12 192.168.0.0/16; do
		ok ip route delete "local" "$route" dev lo
	done
	echo '{"format": 1, "ipv4": "10.0.0.0/16"}' >"$VECTL_ROOT/var/lib/vectl/net/own"
	fails 1 vectl create no1 --image busybox
	like "$ERR" 'net/own: damaged: remove it'
	ok mv "$T_TMP.own" "$VECTL_ROOT/var/lib/vectl/net/own"
	eq "$(vectl list --names)" '' 'VEs of creates that were refused'
	eq "$(leases)" ''
}

test_vectl_conf() {
	conf '{"network": {"ipv4": "10.9.8.0/24", "ipv6": "fd99:1::/64"}}'
	ok vectl create nc1 --image busybox
	like "$(of nc1 4)" '^10[.]9[.]8[.][0-9]+$'
	! has_ipv6 || like "$(of nc1 6)" '^fd99:1:'
	# Of another pool it has another address from the next change on.
	conf '{"network": {"ipv4": "10.9.9.0/24"}}'
	ok vectl set nc1 net.eth0.mtu=1400
	like "$(of nc1 4 | tr '\n' ' ')" '^10[.]9[.]9[.][0-9]+ $'
	cleanup_ve nc1
	refused() {
		conf "$1"
		fails 1 vectl create nc2 --image busybox
		like "$ERR" "read vectl.conf: .*/vectl.conf:1:$2"
	}
	refused '{"network": {"type": "macvlan"}}' '22: `type` is none of those that there are: write bridge'
	refused '{"network": {"bridge": "a/b"}}' '24: `bridge` is no name of a bridge'
	refused '{"network": {"type": "none", "bridge": "b"}}' '40: `bridge` is of use with type bridge alone'
	refused '{"network": {"ipv4": "10.9.8.1/24"}}' '22: `ipv4` is an address in a network, not the network'
	refused '{"network": {"ipv4": "10.9.8.0"}}' '22: `ipv4` is of a prefix length that is not possible'
	refused '{"network": {"ipv4": "10.9.8"}}' '22: `ipv4` is no IPv4 network'
	refused '{"network": {"ipv4": "127.0.0.0/8"}}' '22: `ipv4` is a network that no host'
	refused '{"network": {"ipv4": false}}' '22: `ipv4` is no string'
	refused '{"network": {"ipv6": true}}' '22: `ipv6` is no string'
	refused '{"network": {"ipv6": "10.9.8.0/24"}}' '22: `ipv6` is no IPv6 network'
	refused '{"network": {"ipv6": "fe80::/64"}}' '22: `ipv6` is a network that no host'
	refused '{"network": {"nat": 1}}' '21: `nat` is neither true nor false'
	refused '{"network": {"nta": true}}' '14: there is no setting `nta`'
	refused '{"network": 5}' '13: `network` is no object: write'
	no_conf
}

# An address is one VE's, however it came to it.
test_refused_by_name() {
	local mine p
	ok vectl create nr1 --image busybox
	ok vectl create nr2 --image busybox --set net.lan.link=br0 --set net.lan.ipv4=192.0.2.7/24 \
		--set net.lan.ipv6=2001:db8::7/64
	mine=$(of nr1 4) p=$(pool)
	says() { # STATUS PATTERN ASSIGNMENT...: neither set nor create
		local before words=() assignment
		before=$(leases)
		fails "$1" vectl set nr2 "${@:3}"
		like "$ERR" "$2"
		for assignment in "${@:3}"; do words+=(--set "$assignment"); done
		fails "$1" vectl create nr3 --image busybox "${words[@]}"
		like "$ERR" "$2"
		eq "$(leases)" "$before" 'the leases after a refusal'
		[ ! -e "$VECTL_ROOT/var/lib/vectl/ve/nr3" ] || die 'made all the same'
	}
	says 1 "net.eth1.ipv4: $mine is the address of VE 'nr1': choose another one" "net.eth1.ipv4=$mine/16"
	says 1 "net.eth1.ipv4: $p.0.1/16 is the host's own in vectl's network" net.eth1.ipv4="$p.0.1/16"
	says 2 "net.eth1.ipv4: $p.3.4/24 is not of vectl's own network, $p.0.0/16: write one of it with /16" \
		net.eth1.ipv4="$p.3.4/24"
	says 2 "is not of vectl's own network" net.eth1.ipv4=198.51.100.7/24
	says 2 "net.eth1.gateway: 198.51.100.1 is not of vectl's own network" net.eth1.ipv4=auto \
		net.eth1.gateway=198.51.100.1
	says 2 'net.eth1.ipv4: .* is the address of the network itself' net.eth1.link=br0 net.eth1.ipv4=198.51.100.0/24
	fails 1 vectl set nr1 net.lan.link=br1 net.lan.ipv4=198.51.100.7/24,192.0.2.7/24
	like "$ERR" "net.lan.ipv4: 192.0.2.7 is the address of VE 'nr2'"
	fails 1 vectl set nr1 net.lan.link=br1 net.lan.ipv6=2001:db8::7/128
	like "$ERR" "net.lan.ipv6: 2001:db8::7 is the address of VE 'nr2'"
	eq "$(of nr1 4)" "$mine" 'after refusals'
	# What it gives up is free for others; what it had by lease it can have for good.
	ok vectl set nr2 net.lan.ipv4=192.0.2.8/24
	ok vectl set nr1 net.lan.link=br1 net.lan.ipv4=192.0.2.7/24
	ok vectl set nr1 net.eth0.ipv4="$mine/16"
	eq "$(of nr1 4 | sort | tr '\n' ' ')" "$(printf '%s\n' "$mine" 192.0.2.7 | sort | tr '\n' ' ')"
	ok vectl unset nr1 net
	eq "$(of nr1)" ''
	ok vectl set nr2 net.lan.ipv4+=192.0.2.7/24
	eq "$(of nr2 4 | tr '\n' ' ')" '192.0.2.7 192.0.2.8 '
	cleanup_ve nr1 nr2
	eq "$(leases)" ''
}

# A VE that runs keeps what it runs with until it stops, whatever its spec says by then.
test_running() {
	local lan=(--set net.lan.link=br0 --set net.lan.ipv4=192.0.2.7/24)
	busybox_ve nu1 "${lan[@]}"
	# Another link waits for the next start, and the address with it.
	ok vectl set nu1 net.lan.link=br1 net.lan.ipv4=192.0.2.8/24
	like "$ERR" 'waits for the next start: .*net.lan.ipv4'
	eq "$(of nu1 | tr '\n' ' ')" '192.0.2.7 192.0.2.8 ' 'while it runs'
	fails 1 vectl create nu2 --image busybox "${lan[@]}"
	like "$ERR" "is the address of VE 'nu1'"
	ok vectl set nu1 net.lan.link=br0
	ok vectl restart nu1
	eq "$(of nu1)" 192.0.2.8 'from the next start on'
	ok vectl create nu2 --image busybox "${lan[@]}"
	# An address alone is in effect at once, and the one before is free.
	ok vectl set nu1 net.lan.ipv4=192.0.2.9/24
	like "$ERR" 'in effect: net.lan.ipv4'
	eq "$(of nu1)" 192.0.2.9
	ok vectl set nu2 net.lan.ipv4=192.0.2.8/24
	cleanup_ve nu1 nu2
}

test_many_at_once() {
	local n=50 i pids=() failed=0
	for i in $(seq $n); do
		vectl create "nm$i" --image busybox >"$T_TMP.$i" 2>&1 </dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || failed=$((failed + 1)); done
	[ "$failed" = 0 ] || {
		cat "$T_TMP".[0-9]* >&2
		die "$failed creates failed"
	}
	eq "$(leases | awk '$1 !~ /:/ { print $1 }' | sort -u | wc -l)" $n 'different IPv4 addresses'
	eq "$(leases | awk '$1 !~ /:/ { print $2 }' | sort -u | wc -l)" $n 'VEs with one'
	# Nor is a host id of two of them.
	for i in $(seq $n); do vectl get "nm$i" userns.base; done | sort -n >"$T_TMP.bases"
	eq "$(wc -l <"$T_TMP.bases")" $n 'ranges of ids'
	eq "$(awk 'NR > 1 && $1 < last + 65536 { print last, $1 } { last = $1 }' "$T_TMP.bases")" '' 'ranges that overlap'
	# One address, and all want it: one gets it.
	pids=() failed=0
	for i in $(seq 10); do
		vectl set "nm$i" net.lan.link=br0 net.lan.ipv4=192.0.2.7/24 >"$T_TMP.$i" 2>&1 </dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || failed=$((failed + 1)); done
	eq "$failed" 9 'VEs that were refused'
	for i in $(seq $n); do
		vectl destroy --force "nm$i" >"$T_TMP.$i" 2>&1 </dev/null &
	done
	wait
	eq "$(vectl list --names)" ''
	eq "$(leases)" ''
}

test_pool_that_is_full() {
	local i
	conf '{"network": {"ipv4": "10.9.8.0/29", "ipv6": false}}' # 8, less the network's, the bridge's, the broadcast
	for i in 1 2 3 4 5; do ok vectl create "np$i" --image busybox; done
	fails 1 vectl create np6 --image busybox
	like "$ERR" 'net.eth0.ipv4: all addresses of vectl.s own network are taken \(10.9.8.1/29\): destroy VEs'
	eq "$(leases | awk '{ print $1 }' | tr '\n' ' ')" '10.9.8.2 10.9.8.3 10.9.8.4 10.9.8.5 10.9.8.6 '
	# A lease of nobody's is found when nothing else is left.
	local free
	free=$(of np3)
	ok vectl destroy --force np3
	ln -s "01234567-89ab-cdef-0123-456789abcdef gone eth0" "$VECTL_ROOT/var/lib/vectl/net/leases/$free"
	ok vectl create np6 --image busybox
	eq "$(of np6)" "$free"
	[ ! -e "$VECTL_ROOT/run/vectl/.lock/gone" ] || die 'a lock of a VE that never was'
	no_conf
	cleanup_ve np1 np2 np4 np5 np6
	eq "$(leases)" ''
}

# What was taken and not written down when a create was killed goes with the rest of it; what somebody has stays.
test_stale_leases() {
	local ves=$VECTL_ROOT/var/lib/vectl/ve folder=$VECTL_ROOT/var/lib/vectl/net/leases
	local nobody=01234567-89ab-cdef-0123-456789abcdef
	ok vectl create nt1 --image busybox --set net.lan.link=br0 --set net.lan.ipv4=192.0.2.7/24
	mkdir "$ves/.create-nt2" "$ves/.destroy-nt1" "$ves/.create-nt3"
	ln -s "$nobody nt2 lan" "$folder/192.0.2.8"
	ln -s "$nobody nt1 lan" "$folder/192.0.2.9" # of one before it
	ln -s "$nobody nt3 lan" "$folder/192.0.2.10"
	ln -s "$nobody nt4 lan" "$folder/192.0.2.11" # there is nothing else of it
	ok vectl create nt3 --image busybox --set network=none
	eq "$(leases)" $'192.0.2.11 nt4 lan\n192.0.2.7 nt1 lan'
	ok vectl doctor --repair
	cleanup_ve nt1 nt3
	eq "$(leases)" ''
}

test_doctor() {
	local folder=$VECTL_ROOT/var/lib/vectl/net/leases doc uuid
	ok vectl create ndr1 --image busybox --set net.lan.link=br0 --set net.lan.ipv4=192.0.2.7/24
	uuid=$(vectl get ndr1 uuid)
	ln -s "01234567-89ab-cdef-0123-456789abcdef ndr9 eth0" "$folder/192.0.2.9" # of no VE
	ln -s "01234567-89ab-cdef-0123-456789abcdef ndr1 eth0" "$folder/192.0.2.10" # of one before it
	ln -s "$uuid ndr1 lan" "$folder/192.0.2.11"                                 # that it has no more
	echo nonsense >"$folder/192.0.2.12"
	ln -s "01234567-89ab-cdef-0123-456789abcdef ndr9 eth0" "$folder/.new-0123456789abcdef"
	found() {
		doc=$(vectl doctor --json "$@" || true)
		json '" ".join(sorted("%s:%s:%s" % (f["path"].rsplit("/", 1)[1], f["ve"], f["status"]) for f in d["leftovers"] if f["kind"] == "lease"))' <<<"$doc"
	}
	local all='.new-0123456789abcdef:ndr9:S 192.0.2.10:ndr1:S 192.0.2.11:ndr1:S 192.0.2.12:None:S 192.0.2.9:ndr9:S'
	eq "$(found)" "${all//S/found}"
	fails 1 vectl set ndr1 net.lan.ipv4=192.0.2.12/24
	like "$ERR" 'the lease of 192.0.2.12 is damaged: vectl doctor --repair'
	eq "$(found --repair)" "${all//S/mended}"
	eq "$(found)" ''
	eq "$(leases)" '192.0.2.7 ndr1 lan'
	[ ! -e "$VECTL_ROOT/run/vectl/.lock/ndr9" ] || die 'a lock of a VE that never was'
	# Whoever wants such an address need not wait for doctor.
	ln -s "01234567-89ab-cdef-0123-456789abcdef ndr9 eth0" "$folder/192.0.2.9"
	ok vectl set ndr1 net.lan.ipv4=192.0.2.9/24
	eq "$(leases)" '192.0.2.9 ndr1 lan'
	cleanup_ve ndr1
}

# What cannot go together, each in the words that say so.
test_refused_together() {
	says() { # PATTERN ASSIGNMENT...
		local pattern=$1 a sets=()
		shift
		for a; do sets+=(--set "$a"); done
		exits 2 vectl create nr1 --image busybox "${sets[@]}"
		like "$ERR" "$pattern"
		[ -z "$(vectl list --names)" ] || unlike "$(vectl list --names)" '^nr1$'
	}
	says 'off is there beside others' net.eth0.ipv4=auto net.eth0.filter=off,mac
	says 'two gateways for IPv4, where one is possible' net.eth0.link=br0 net.eth0.ipv4=10.99.0.2/24 \
		net.eth0.gateway=10.99.0.1,10.99.0.3
	says '1000 is less than IPv6 needs' net.eth0.link=br0 net.eth0.ipv6=fd00:99::2/64 net.eth0.mtu=1000
	says 'is that of net.eth0 already' net.eth0.link=br0 net.eth0.ipv4=10.99.0.2/24 net.eth1.link=br0 \
		net.eth1.ipv4=10.99.0.2/24
}
