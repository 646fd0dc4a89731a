# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# needs: faults
# limit test_create 180
# limit test_set 180
# Killed between any two steps of taking and giving back addresses: no address is lost, and none is two VEs'.

leases() { find "$VECTL_ROOT/var/lib/vectl/net/leases" -mindepth 1 -printf '%f %l\n' | awk '{ print $1, $3, $4 }' | sort; }
leftovers() { vectl doctor --json "$@" | json '" ".join(sorted(set(f["kind"] + ":" + f["status"] for f in d["leftovers"])))' || true; }
killed() { # FAULT COMMAND...
	note "+ VECTL_FAULT=$*"
	local status=0
	VECTL_FAULT=$1 "${@:2}" >/dev/null 2>&1 || status=$?
	eq "$status" 137 "status of what was to be killed at $1"
}
static=(--set net.lan.link=br0 --set net.lan.ipv4=192.0.2.7/24)

setup() {
	ok vectl create nf0 --image busybox # the network that is picked stays with the root
	ok vectl destroy --force nf0
	ok ip link add br0 type bridge
}
teardown() { ok ip link delete br0; }

test_create() {
	local point
	for point in net:1 net:2 net:3 create:1; do
		# Another one takes the address at once.
		killed $point vectl create nf1 --image busybox "${static[@]}"
		eq "$(leases)" '192.0.2.7 nf1 lan' "after $point"
		ok vectl create nf2 --image busybox "${static[@]}"
		eq "$(leases)" '192.0.2.7 nf2 lan' "taken over after $point"
		ok vectl destroy --force nf2
		# The same one again, from the pool.
		killed $point vectl create nf1 --image busybox
		ok vectl create nf1 --image busybox
		ok vectl doctor --repair
		eq "$(leases | awk '{ print $2 }' | sort -u)" nf1
		ok vectl destroy --force nf1
		eq "$(leases)" '' "after $point and all"
		# doctor.
		killed $point vectl create nf1 --image busybox "${static[@]}"
		like "$(leftovers)" 'lease:found'
		eq "$(leftovers --repair)" 'folder:mended lease:mended' "doctor after $point"
		eq "$(leases)" '' "after $point and doctor"
	done
}

test_set() {
	local point
	ok vectl create ns1 --image busybox "${static[@]}"
	for point in net:1 net:2 net:3 net:4; do
		killed $point vectl set ns1 net.lan.ipv4=192.0.2.8/24
		# By then the spec has the one or the other, and that is its.
		local has other
		has=$(vectl get ns1 net.lan.ipv4) has=${has%/24}
		other=$([ "$has" = 192.0.2.7 ] && echo 192.0.2.8 || echo 192.0.2.7)
		leases | grep -qx "$has ns1 lan" || die "after $point it lacks $has"
		fails 1 vectl create ns2 --image busybox --set net.lan.link=br0 --set net.lan.ipv4=$has/24
		ok vectl set ns1 net.lan.ipv4=$other/24
		eq "$(leases)" "$other ns1 lan" "after $point and another set"
		ok vectl set ns1 net.lan.ipv4=192.0.2.7/24
		# What the start finds too much is given back.
		killed $point vectl set ns1 net.lan.ipv4=192.0.2.8/24
		ok vectl doctor --repair
		ok vectl start ns1
		ok vectl stop --force ns1
		has=$(vectl get ns1 net.lan.ipv4)
		eq "$(leases)" "${has%/24} ns1 lan" "after $point and a start"
		ok vectl set ns1 net.lan.ipv4=192.0.2.7/24
	done
	cleanup_ve ns1
	eq "$(leases)" ''
}

test_destroy_and_rename() {
	local point
	for point in destroy:1 net:4; do
		ok vectl create nx1 --image busybox "${static[@]}"
		killed $point vectl destroy --force nx1
		ok vectl create nx2 --image busybox "${static[@]}"
		eq "$(leases)" '192.0.2.7 nx2 lan' "taken over after $point"
		ok vectl destroy --force nx2
	done
	for point in 1 2 3 4; do
		ok vectl create nx1 --image busybox "${static[@]}"
		killed rename:$point vectl rename nx1 nx3
		fails 1 vectl create nx2 --image busybox "${static[@]}"
		like "$ERR" "192.0.2.7 is the address of VE 'nx[13]'"
		eq "$(leftovers | tr ' ' '\n' | grep -c lease || true)" 0 'leases that doctor takes for stale'
		cleanup_ve nx1 nx3
		eq "$(leases)" '' "after rename:$point"
	done
}

# What interfaces carried is counted once, when who saves it is killed before the counters end, and after.
test_traffic() {
	local point before
	ip link del br7 2>/dev/null || true # of a test that failed
	ok ip link add br7 type bridge
	ok ip address add 10.208.0.1/24 dev br7
	ok ip link set br7 up
	local lan=(net.eth0.link=br7 net.eth0.ipv4=10.208.0.11/24)
	busybox_ve nt1 --set "${lan[0]}" --set "${lan[1]}"
	received() { info nt1 "[t['near']['in_bytes'] + t['far']['in_bytes'] for t in d['traffic']][0]"; }
	carry() { ok ping -n -q -A -c 100 -s 1000 -W 5 10.208.0.11; } # 102800 bytes
	kept() { # BEFORE MORE WHAT
		local now
		now=$(received)
		((now >= $1 + $2 && now < $1 + $2 + 30000)) || die "$3: $now bytes, not $(($1 + $2))"
	}
	for point in 1 2; do
		carry
		before=$(received)
		killed traffic:$point vectl stop --force nt1
		kept "$before" 0 "after $point of a stop"
		ok vectl start nt1 --wait=ready
		kept "$before" 0 "after $point of a stop, and a start"
	done
	carry
	before=$(received)
	killed traffic:1 vectl unset nt1 net
	kept "$before" 0 'after the saving of a change'
	carry
	kept "$before" 102800 'after that, and more'
	# The end on the host is put back into the firewall, where it counts from 0 again.
	for point in 3 4 5; do
		before=$(received)
		killed interfaces:$point vectl unset nt1 net
		kept "$before" 0 "after interfaces:$point"
		ok vectl set nt1 "${lan[@]}"
		carry
		carry
		kept "$before" 205600 "after interfaces:$point, and more"
	done
	cleanup_ve nt1
	ok ip link del br7
}

# A change of a running VE's interfaces that dies at each of its points: the next change, of whatever, brings all of it to
# the spec, and so does a start; nothing is left.
# limit test_live_change 240
test_live_change() {
	local point before change
	ip link del br7 2>/dev/null || true # of a test that failed
	ok ip link add br7 type bridge
	ok ip address add 10.208.0.1/24 dev br7
	ok ip link set br7 up
	busybox_ve nl1 --set net.eth0.link=br7 --set net.eth0.ipv4=10.208.0.11/24 --set net.eth0.ports=8080:80
	state_of() {
		info nl1 "sorted((i['name'], i['mtu'], sorted(a for a in i['addresses'] if ':' not in a)) for i in d['interfaces'])"
		nft -j list ruleset | python3 -c '
import json, sys
for o in json.load(sys.stdin)["nftables"]:
    s = o.get("set") or o.get("map")
    if s:
        print(s["family"], s["name"], *sorted(json.dumps(e.get("elem", {}).get("val") if isinstance(e, dict) and "elem" in e else e) for e in s.get("elem", [])))'
		ip -o link show | sed -E 's/^[0-9]+: ([^:@]+).*master (.*) state.*/\1 \2/;t;d'
		ip -o link show type ifb
		ip route | sed 's/ linkdown//'
		bridge fdb show br br7 | grep sticky
	}
	before=$(state_of)
	for change in 'net.eth0.ipv4=10.208.0.12/24,10.208.0.13/24 net.eth0.ports=8080:81 net.eth0.mtu=1400 net.eth0.rate_out=20m' \
		'net.eth0.filter=off net.lan.link=br7 net.lan.ipv4=10.208.0.21/24 net.lan.rate_in=20m net.lan.rate_out=20m'; do
		for point in 1 2 3 4 5; do
			# shellcheck disable=SC2086
			killed interfaces:$point vectl set nl1 $change
			eq "$(vectl get nl1 net.eth0.ipv4)" 10.208.0.11/24 'the spec'
			ok vectl set nl1 labels.a="$point"
			eq "$(info nl1 "d['pending']")" '[]'
			diff <(echo "$before") <(state_of) >&2 || die "not as it was after $point and the next change"
		done
		# shellcheck disable=SC2086
		killed interfaces:3 vectl set nl1 $change
		# shellcheck disable=SC2086
		ok vectl set nl1 $change
		eq "$(info nl1 "d['pending']")" '[]'
		ping -n -q -c 1 -W 5 10.208.0.1"$(grep -q lan <<<"$change" && echo 1 || echo 3)" >/dev/null || die 'what was asked for again is not there'
		ok vectl unset nl1 net
		ok vectl set nl1 net.eth0.link=br7 net.eth0.ipv4=10.208.0.11/24 net.eth0.ports=8080:80
		before=$(state_of)
	done
	killed interfaces:4 vectl set nl1 net.lan.link=br7 net.lan.ipv4=10.208.0.21/24 net.lan.rate_out=20m
	ok vectl restart nl1 --wait=ready
	eq "$(info nl1 "sorted(i['name'] for i in d['interfaces'])")" '["eth0", "lo"]'
	killed interfaces:4 vectl set nl1 net.lan.link=br7 net.lan.ipv4=10.208.0.21/24 net.lan.rate_out=20m
	ok vectl stop nl1 --force
	# shellcheck disable=SC2016
	until_ 20 sh -c '[ -z "$( (ip -o link show type veth; ip -o link show type ifb) | cut -d" " -f2 | grep -E "^[vi][0-9a-z]{1,8}-")" ]'
	ok vectl destroy nl1
	ok ip link del br7
}

# A start that dies where the host answers for its addresses already: whoever comes next takes that back.
test_proxy() {
	local step
	internet_up
	ok vectl create np1 --image busybox --set net.eth0.type=routed --set net.eth0.ipv4=192.0.2.9/32 --set net.eth0.ipv6=2001:db8:1::9/128
	step=$(vectl plan np1 --json | json '[i for i, s in enumerate(d["steps"]) if s["op"] == "proxy"][-1]')
	killed "caller:$step" vectl start np1
	# shellcheck disable=SC2016
	until_ 20 sh -c '[ "$(vectl list --names --state stopped)" = np1 ]'
	ok vectl set np1 net.eth0.ipv4=192.0.2.10/32
	eq "$(ip neigh show proxy)" '' 'after the next set'
	ok vectl start np1
	like "$(ip neigh show proxy)" '192.0.2.10'
	# Both of what it was and what it is to be.
	killed interfaces:4 vectl set np1 net.eth0.ipv4=192.0.2.11/32
	ok vectl set np1 labels.a=b
	eq "$(ip neigh show proxy | grep -c 192.0.2.)" 1 'after a change that was cut short, and another'
	killed interfaces:4 vectl set np1 net.eth0.ipv4=192.0.2.11/32
	ok vectl stop np1 --force
	eq "$(ip neigh show proxy)" '' 'after the stop'
	cleanup_ve np1
	internet_down
}
