# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# How much interfaces let through. What is measured is measured by iperf3 over some seconds, whichever those are.
# limit test_both_ways 240
# limit test_fair 120
# limit test_routed 120
# privileged: filter_stays

# serve NAME: iperf3 serves in the VE's network, from the host's file system. The VE's own root has none.
serve() {
	rm -f "$T_TMP.served.$1.${2:-5201}"
	nsenter -t "$(info "$1" "d['pid']")" -n iperf3 -s --forceflush -p "${2:-5201}" >"$T_TMP.served.$1.${2:-5201}" 2>&1 &
	SERVERS+=($!)
	until_ 10 grep -q listening "$T_TMP.served.$1.${2:-5201}"
}
served() {
	kill "${SERVERS[@]}" 2>/dev/null || true
	SERVERS=()
}
SERVERS=()

address() { info "$1" "[a.split('/')[0] for i in d['interfaces'] if i['name'] == 'eth0' for a in i['addresses'] if ':' not in a][0]"; }

# measure ADDRESS OPTION...: megabits a second that arrived after the bucket was empty
measure() {
	local to=$1
	shift
	iperf3 -c "$to" -J -O 1 -t 4 "$@" >"$T_TMP.measured" || die "iperf3: $(grep -m 1 '"error"' "$T_TMP.measured")"
	json "round(d['end']['sum_received']['bits_per_second'] / 1e6, 2)" <"$T_TMP.measured"
}

# between LOW HIGH VALUE WHAT
between() { awk "BEGIN { exit !($3 >= $1 && $3 <= $2) }" || die "$4: $3, not from $1 to $2"; }

shaping_links() { ip -o link show type ifb | cut -d' ' -f2 | grep -E '^i[0-9a-z]{1,8}-' || true; }
no_shaping_links() { [ -z "$(shaping_links)" ]; }

test_both_ways() {
	[ -z "${T_SANITIZED:-}" ] || skip 'it measures the kernel, and the plain build has it do so; test_routed goes both ways, too'
	busybox_ve web1 --set net.eth0.ipv4=auto --set net.eth0.rate_in=20m --set net.eth0.rate_out=40m
	busybox_ve web2
	eq "$(shaping_links | wc -l)" 1 'links for what comes from a VE'
	serve web1
	local to
	to=$(address web1)
	# The goodput of TCP is the rate without headers, 5 % at most.
	between 18 22 "$(measure "$to")" 'to the VE, one flow'
	between 18 22 "$(measure "$to" -P 4)" 'to the VE, four flows'
	between 36 44 "$(measure "$to" -R)" 'from the VE, one flow'
	between 36 44 "$(measure "$to" -R -P 4)" 'from the VE, four flows'
	# The guest's root has no say in it.
	inside web1 'ip link set eth0 qlen 10000; ip link set eth0 down; ip link set eth0 up'
	try nsenter -t "$(info web1 "d['pid']")" -n tc qdisc replace dev eth0 root pfifo limit 10000
	between 36 44 "$(measure "$to" -R)" 'from the VE whose root has tried'
	# Nor is it the host that is slow.
	served
	serve web2
	local free
	free=$(measure "$(address web2)")
	between 100 1000000 "$free" 'to a VE without a rate'
	served
	# An in-place reboot keeps it.
	local boot
	boot=$(info web1 "d['boot']")
	try vectl exec web1 -- reboot
	until_ 20 sh -c "[ \"\$(vectl info web1 --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"ve\"][\"boot\"])')\" = $((boot + 1)) ]"
	ok vectl wait web1 --state ready --timeout 30
	serve web1
	between 18 22 "$(measure "$to")" 'to the VE after a reboot'
	between 36 44 "$(measure "$to" -R)" 'from the VE after a reboot'
	served
	ok vectl stop web1 --force
	until_ 20 no_shaping_links
	cleanup_ve web1 web2
}

# Two that send as much as they can do not take it from one another.
test_fair() {
	busybox_ve web1 --set net.eth0.ipv4=auto --set net.eth0.rate_out=20m
	busybox_ve web2 --set net.eth0.ipv4=auto --set net.eth0.rate_out=20m
	busybox_ve sink
	serve sink 5201
	serve sink 5202
	local to one two p=()
	to=$(address sink)
	nsenter -t "$(info web1 "d['pid']")" -n iperf3 -c "$to" -p 5201 -J -O 1 -t 5 >"$T_TMP.one" &
	p+=($!)
	nsenter -t "$(info web2 "d['pid']")" -n iperf3 -c "$to" -p 5202 -J -O 1 -t 5 -P 8 >"$T_TMP.two" &
	p+=($!)
	wait "${p[@]}" || die "iperf3: $(cat "$T_TMP.one" "$T_TMP.two")"
	one=$(json "round(d['end']['sum_received']['bits_per_second'] / 1e6, 2)" <"$T_TMP.one")
	two=$(json "round(d['end']['sum_received']['bits_per_second'] / 1e6, 2)" <"$T_TMP.two")
	between 18 22 "$one" 'one flow beside eight'
	between 18 22 "$two" 'eight flows beside one'
	served
	cleanup_ve web1 web2 sink
}

test_routed() {
	busybox_ve web1 --set net.eth0.type=routed --set net.eth0.ipv4=10.207.3.1/32 --set net.eth0.rate_in=20m --set net.eth0.rate_out=20m
	serve web1
	between 18 22 "$(measure 10.207.3.1)" 'to the VE'
	between 18 22 "$(measure 10.207.3.1 -R)" 'from the VE'
	served
	cleanup_ve web1
}

# What the filter keeps from the host it keeps from it behind the detour, too.
test_filter_stays() {
	busybox_ve web1 --set net.eth0.ipv4=auto --set net.eth0.rate_out=20m
	local host
	host=$(ip -o -4 address show | grep -v 127.0.0.1 | grep -o 'inet [0-9.]*' | cut -d' ' -f2 | head -n 1)
	inside web1 "ping -q -c 1 -W 5 $host"
	eq "$STATUS" 0 'a packet from its own address'
	inside web1 "ip address add 203.0.113.7/32 dev lo; ! ping -q -c 1 -W 2 -I 203.0.113.7 $host"
	eq "$STATUS" 0 'a packet from an address that is not its own'
	cleanup_ve web1
}

test_words() {
	ok vectl create web1 --image busybox
	local bad
	for bad in 0 999 -5 20M ten 99999999999999999999; do
		fails 2 vectl set web1 "net.eth0.rate_in=$bad"
		like "$ERR" 'net.eth0.rate_in'
	done
	ok vectl set web1 net.eth0.rate_in=1000 net.eth0.rate_out=9223372036854775806
	ok vectl start web1 --wait=ready
	ok vectl stop web1 --force
	ok vectl set web1 net.eth0.rate_in=max net.eth0.rate_out=max
	ok vectl start web1 --wait=ready
	no_shaping_links || until_ 20 no_shaping_links
	local end
	end=$(ip -o link show type veth | cut -d' ' -f2 | grep -E '^v[0-9a-z]{1,8}-' | cut -d@ -f1)
	unlike "$(tc qdisc show dev "$end")" 'tbf|ingress' 'max is no limit'
	cleanup_ve web1
}

test_start_that_fails_leaves_none() {
	ok vectl create web1 --image busybox --set net.eth0.rate_out=20m
	ok vectl set web1 init=/no/such/init
	fails 1 vectl start web1
	like "$ERR" '/no/such/init'
	until_ 20 no_shaping_links
	cleanup_ve web1
}
