# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What interfaces carried: both directions, both classes, and that no number is lost or counted twice, whatever happens.
# limit test_kept 300
# privileged: kept

address() { info "$1" "[a.split('/')[0] for i in d['interfaces'] if i['name'] == '${2:-eth0}' for a in i['addresses'] if ':' not in a][0]"; }
pid() { info "$1" "d['pid']"; }
folder() { echo "$VECTL_ROOT/var/lib/vectl/ve/$1"; }
rebooted_to() { [ "$(info "$1" "d['boot']")" = "$2" ]; }
stopped() { [ "$(state "$1")" = stopped ]; }

# Another host, behind this one, which knows the way to addresses that are routed here.
outside_up() {
	internet_up
	ok nsenter -t "$INTERNET" -n ip route add 10.207.0.0/16 via 192.0.2.1
}

# carry FROM TO ADDRESS [COUNT]: pids of whose networks they are. 100 datagrams of 1000 bytes, each answered by one of 500:
# with their headers, 102800 bytes and 52800.
carry() {
	ok python3 - "$1" "$2" "$3" "${4:-100}" <<-'SCRIPT'
		import ctypes, os, socket, sys
		libc = ctypes.CDLL(None, use_errno=True)
		def at(pid):
		    fd = os.open("/proc/%s/ns/net" % pid, os.O_RDONLY)
		    assert libc.setns(fd, 0x40000000) == 0, os.strerror(ctypes.get_errno())
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    s.settimeout(20)
		    return s
		a, b = at(sys.argv[1]), at(sys.argv[2])
		b.bind(("0.0.0.0", 7777))
		for _ in range(int(sys.argv[4])):
		    a.sendto(b"x" * 1000, (sys.argv[3], 7777))
		    data, back = b.recvfrom(2000)
		    b.sendto(data[:500], back)
		    a.recv(2000)
	SCRIPT
}

# The numbers of an interface, in this order: near in, near out, far in, far out; bytes, and as many packets. By stat, and
# info, a moment later, has no less.
numbers() { # NAME [INTERFACE]
	python3 - "$1" "${2:-eth0}" <<-'SCRIPT' || die "no such numbers of $1"
		import json, subprocess, sys
		def of(*command):
		    return json.loads(subprocess.check_output(("vectl", "--json") + command))
		def numbers(traffic):
		    t = [t for t in traffic if t["interface"] == sys.argv[2]][0]
		    return [t[c][d + u] for u in ("_bytes", "_packets") for c in ("near", "far") for d in ("in", "out")]
		stat = numbers(of("stat", "-i", "0.01", sys.argv[1])["ves"][0]["traffic"])
		info = numbers(of("info", sys.argv[1])["ve"]["traffic"])
		if any(a > b for a, b in zip(stat, info)):
		    sys.exit("stat has %s, and then info %s" % (stat, info))
		print(*stat)
	SCRIPT
}

# grew BEFORE AFTER IN OUT IN OUT WHAT: near, and far, by as many bytes, and what little a network says by itself
grew() {
	local before after want=("${@:3:4}") k got packets
	read -ra before <<<"$1"
	read -ra after <<<"$2"
	note "$7: $1 -> $2"
	for k in 0 1 2 3; do
		got=$((after[k] - before[k])) packets=$((after[k + 4] - before[k + 4]))
		# 1028 and 528 bytes a packet.
		((got >= want[k] && got < want[k] + 30000 && packets >= want[k] / 1028 && packets < want[k] / 528 + 300)) ||
			die "$7: number $k grew by $got bytes and $packets packets, not by ${want[k]} bytes"
	done
}

test_classes() {
	local before other
	outside_up
	busybox_ve web1
	busybox_ve web2
	before=$(numbers web1) other=$(numbers web2)
	carry "$(pid web1)" "$(pid web2)" "$(address web2)"
	grew "$before" "$(numbers web1)" 52800 102800 0 0 'among VEs, who sent'
	grew "$other" "$(numbers web2)" 102800 52800 0 0 'among VEs, who received'
	before=$(numbers web1)
	carry "$(pid web1)" "$INTERNET" 192.0.2.2
	grew "$before" "$(numbers web1)" 0 0 52800 102800 'with another host'
	before=$(numbers web1)
	carry $$ "$(pid web1)" "$(address web1)"
	grew "$before" "$(numbers web1)" 102800 52800 0 0 'with this host'
	ok vectl stat
	like "$OUT" '^web1 .* [0-9.]+K +[0-9.]+K '
	ok vectl info web1
	like "$OUT" 'Traffic +eth0 near [0-9.]+K in [0-9.]+K out, far [0-9.]+K in [0-9.]+K out'
	cleanup_ve web1 web2
	# Routed ones, without a bridge.
	busybox_ve web1 --set net.eth0.type=routed --set net.eth0.ipv4=10.207.1.1/32
	busybox_ve web2 --set net.eth0.type=routed --set net.eth0.ipv4=10.207.1.2/32 --set net.eth0.filter=off
	eq "$(info web1 "len(d['traffic'])")" 1 'interfaces of a new VE of the same name'
	before=$(numbers web1) other=$(numbers web2)
	carry "$(pid web1)" "$(pid web2)" 10.207.1.2
	carry "$INTERNET" "$(pid web1)" 10.207.1.1
	carry "$INTERNET" "$(pid web2)" 10.207.1.2
	grew "$before" "$(numbers web1)" 52800 102800 102800 52800 'routed'
	grew "$other" "$(numbers web2)" 102800 52800 102800 52800 'routed, without a filter'
	before=$(numbers web1)
	carry "$(pid web1)" $$ 192.0.2.1
	grew "$before" "$(numbers web1)" 52800 102800 0 0 'routed, with this host'
	cleanup_ve web1 web2
	internet_down
}

# Whatever becomes of a VE, its numbers go on from what they were.
test_kept() {
	local before init boot
	outside_up
	busybox_ve web1 --set net.eth0.ipv4=auto
	carry "$(pid web1)" "$INTERNET" 192.0.2.2
	carry $$ "$(pid web1)" "$(address web1)"
	before=$(numbers web1)
	unchanged() {
		grew "$before" "$(numbers web1)" 0 0 0 0 "after $1"
		before=$(numbers web1)
		carry "$(pid web1)" "$INTERNET" 192.0.2.2
		carry $$ "$(pid web1)" "$(address web1)"
		grew "$before" "$(numbers web1)" 102800 52800 52800 102800 "and on, after $1"
		before=$(numbers web1)
	}
	ok vectl stop --force web1
	grew "$before" "$(numbers web1)" 0 0 0 0 'of a stopped VE'
	like "$(vectl stat web1)" '^web1 +stopped .* [0-9.]+K +[0-9.]+K '
	before=$(numbers web1)
	eq "$(numbers web1)" "$before" 'of a stopped VE, twice'
	ok vectl start web1 --wait=ready
	unchanged 'a stop and a start'
	ok vectl restart web1 --wait=ready
	unchanged 'a restart'
	boot=$(info web1 "d['boot']")
	try vectl exec web1 -- reboot
	until_ 20 rebooted_to web1 $((boot + 1))
	ok vectl wait web1 --state ready --timeout 30
	unchanged 'a reboot'
	init=$(pid web1)
	kill -KILL "$(info web1 "d['keeper']")" "$(info web1 "d['supervisor']")"
	until_ 20 sh -c "! [ -e /proc/$init ]"
	until_ 20 stopped web1
	ok vectl start web1 --wait=ready
	unchanged 'an end of what stands behind it'
	ok vectl set web1 net.eth0.filter=off
	unchanged 'a change of the filter'
	ok vectl unset web1 net.eth0.filter
	ok vectl set web1 net.eth0.mtu=1400 net.eth0.ipv6=auto
	unchanged 'a change of addresses'
	ok vectl stop --force web1
	ok vectl rename web1 web2
	ok vectl rename web2 web1
	ok vectl start web1 --wait=ready
	unchanged 'a rename'
	cleanup_ve web1
	ok vectl create web1 --image busybox
	eq "$(info web1 "d['traffic']")" '[]' 'of another VE of that name'
	cleanup_ve web1
	internet_down
}

# Interfaces that go and come while it runs.
test_interfaces() {
	ip link del br7 2>/dev/null || true # of a test that failed
	ok ip link add br7 type bridge
	ok ip address add 10.208.0.1/24 dev br7
	ok ip link set br7 up
	local lan=(net.lan.link=br7 net.lan.ipv4=10.208.0.11/24) before
	busybox_ve web1
	ok vectl set web1 "${lan[@]}"
	before=$(numbers web1 lan)
	carry $$ "$(pid web1)" 10.208.0.11
	grew "$before" "$(numbers web1 lan)" 0 0 102800 52800 'on a bridge of the host'
	before=$(numbers web1 lan)
	ok vectl unset web1 net.lan
	grew "$before" "$(numbers web1 lan)" 0 0 0 0 'of an interface that is gone'
	before=$(numbers web1 lan)
	ok vectl set web1 "${lan[@]}"
	carry $$ "$(pid web1)" 10.208.0.11
	grew "$before" "$(numbers web1 lan)" 0 0 102800 52800 'of one that came back'
	before=$(numbers web1 lan)
	ok vectl set web1 net.lan.ipv4=10.208.0.12/24
	carry $$ "$(pid web1)" 10.208.0.12
	grew "$before" "$(numbers web1 lan)" 0 0 102800 52800 'after another address'
	eq "$(info web1 "sorted(t['interface'] for t in d['traffic'])")" '["eth0", "lan"]'
	cleanup_ve web1
	ok ip link del br7
}

# Tables that are made anew, by a start of another VE, begin at 0.
test_tables_made_anew() {
	local before table
	busybox_ve web1
	carry $$ "$(pid web1)" "$(address web1)"
	before=$(numbers web1)
	table=$(nft list tables | sed -n 's/^table inet //p')
	ok nft flush chain inet "$table" publish_outside
	busybox_ve web2
	grew "$before" "$(numbers web1)" 0 0 0 0 'after vectl had to make its tables anew'
	before=$(numbers web1)
	# More than had been counted before: it is not taken for the same counters.
	carry $$ "$(pid web1)" "$(address web1)" 200
	grew "$before" "$(numbers web1)" 205600 105600 0 0 'in the new tables'
	# What was saved stays when somebody removes them. What came after that does not.
	before=$(numbers web1)
	ok vectl set web1 net.eth0.mtu=1400
	ok nft flush ruleset
	grew "$before" "$(numbers web1)" 0 0 0 0 'without tables'
	ok vectl restart web2 --wait=ready
	carry $$ "$(pid web1)" "$(address web1)" 400
	grew "$before" "$(numbers web1)" 411200 211200 0 0 'after they were removed'
	cleanup_ve web1 web2
}

test_damaged() {
	local before
	busybox_ve web1
	carry $$ "$(pid web1)" "$(address web1)"
	before='0 0 0 0 0 0 0 0'
	echo garbage >"$(folder web1)/traffic"
	grew "$before" "$(numbers web1)" 102800 52800 0 0 'with a damaged file'
	# Who makes the tables anew has nobody to tell, and leaves it to the stop.
	ok nft flush chain inet "$(nft list tables | sed -n 's/^table inet //p')" publish_outside
	busybox_ve web2
	eq "$(cat "$(folder web1)/traffic")" garbage 'a damaged file, and tables made anew'
	unlike "$(vectl events web1)" traffic-lost
	carry $$ "$(pid web1)" "$(address web1)"
	cleanup_ve web2
	ok vectl stop --force web1
	grew "$before" "$(numbers web1)" 102800 52800 0 0 'saved in spite of a damaged file'
	eq "$(cat "$(folder web1)/traffic.damaged")" garbage 'what is kept'
	like "$(vectl events web1)" 'traffic-lost'
	like "$(vectl info web1)" 'its traffic was once found damaged'
	rm "$(folder web1)/traffic.damaged"
	head -c 40 "$(folder web1)/traffic" >"$T_TMP.cut"
	cp "$T_TMP.cut" "$(folder web1)/traffic"
	eq "$(info web1 "d['traffic']")" '[]' 'what cannot be read'
	ok vectl start web1 --wait=ready
	like "$ERR" '^vectl: web1: start: it runs without the traffic that it had before, .*/ve/web1/traffic: damaged, kept as traffic.damaged'
	grew "$before" "$(numbers web1)" 0 0 0 0 'begun anew'
	ok cmp "$T_TMP.cut" "$(folder web1)/traffic.damaged"
	ok vectl destroy --force web1
}
