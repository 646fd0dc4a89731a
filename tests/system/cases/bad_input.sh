# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Bad input: one clear line, the right exit status, nothing left (the leak check around each test sees to that).

nothing_made() { # NAME
	[ -z "$(vectl list --names)" ] || die "made all the same: $(vectl list --names)"
	[ ! -e "$VECTL_ROOT/var/lib/vectl/ve/$1" ] || die "its folder is there"
}

refused() { # PATTERN ASSIGNMENT...: create with these is refused, and the line says why
	local pattern=$1 status
	shift
	local words=()
	for assignment; do words+=(--set "$assignment"); done
	try vectl create bad --image busybox "${words[@]}"
	status=$STATUS
	case $status in 1 | 2) ;; *) die "status $status of: $*" ;; esac
	eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
	like "$ERR" "$pattern"
	nothing_made bad
}

test_misspelt_key() {
	refused 'memory\.max' memory.mx=1G
	refused 'hostname' hostnam=x
	refused 'cpu\.weight' cpu.wieght=5
	refused 'nonsense' completely.nonsense=1
}

test_wrong_type() {
	refused 'pids.max' pids.max=many
	refused 'memory.max' memory.max=1Q
	refused 'stop.timeout' stop.timeout=soon
	refused 'privileged' privileged=maybe
	refused 'stop.signal' stop.signal=SIGNOTHING
}

test_out_of_range() {
	refused 'pids.max' pids.max=-1
	refused 'cpu.weight' cpu.weight=100000
	refused 'memory.max' memory.max=99999999999999999999
	refused 'userns.base' userns.base=-5
	refused 'stop.timeout' stop.timeout=-1
}

test_not_yet_carried_out() {
	refused 'net.eth0.vlan' net.eth0.vlan=5
	refused 'net.eth0.vlan' net.eth0.vlan=4095 net.eth0.link=br0
	refused 'phys' net.eth0.type=phys
	refused 'net.eth0.link' net.eth0.type=macvlan
}

test_malformed_assignments() {
	refused '.' hostname
	refused '.' =x
	refused '.' ''
	refused '.' 'hostname=a b'
	refused '.' 'hostname=-x'
	refused '.' "hostname=$(printf 'x%.0s' $(seq 300))"
	refused '.' $'hostname=a\nb'
	refused '.' 'name=other'
}

config() { # PATTERN: create with $T_TMP.json is refused with one line
	try vectl create bad --image busybox --config "$T_TMP.json"
	case $STATUS in 1 | 2) ;; *) die "status $STATUS" ;; esac
	eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
	like "$ERR" "$1"
	nothing_made bad
}

test_json() {
	printf '{"format": 1, "hostnam": "x"}' >"$T_TMP.json"
	config 'hostname'
	printf '{"format": 1,\n "stop": {"timeout": "soon"}}' >"$T_TMP.json"
	config ':2:[0-9]+: stop\.timeout'
	printf '{"format": 1, "hostname": "a", "hostname": "b"}' >"$T_TMP.json"
	config 'hostname'
	printf '{"format": 2}' >"$T_TMP.json"
	config 'format'
	printf '{"format": 1, ' >"$T_TMP.json"
	config '.'
	printf '' >"$T_TMP.json"
	config '.'
	printf '[]' >"$T_TMP.json"
	config '.'
	printf 'null' >"$T_TMP.json"
	config '.'
	printf '{"format": 1} trailing' >"$T_TMP.json"
	config '.'
	printf '{"format": 1, "hostname": "\xff\xfe"}' >"$T_TMP.json"
	config '.'
	printf '{"format": 1, "hostname": "a\\u0000b"}' >"$T_TMP.json"
	config '.'
	printf '{"format": 1, "hostname": 7}' >"$T_TMP.json"
	config 'hostname'
	printf '{"format": 1, "stop": {"timeout": 1e400}}' >"$T_TMP.json"
	config ':1:'
	printf '{"format": 1, "stop": {"timeout": 99999999999999999999999}}' >"$T_TMP.json"
	config ':1:'
}

test_json_deep() {
	python3 -c 'print("{\"format\": 1, \"labels\": " + "[" * 200000 + "]" * 200000 + "}")' >"$T_TMP.json"
	config '.'
	python3 -c 'print("{\"a\": " * 100000 + "1" + "}" * 100000)' >"$T_TMP.json"
	config '.'
}

test_json_huge() {
	python3 -c 'print("{\"format\": 1, \"hostname\": \"" + "x" * 50000000 + "\"}")' >"$T_TMP.json"
	config '.'
	python3 -c '
print("{\"format\": 1, \"labels\": {" + ",".join("\"k%d\": \"v\"" % i for i in range(1000000)) + "}}")' >"$T_TMP.json"
	config '.'
	ln -sf /dev/zero "$T_TMP.json"
	config '.'
	rm "$T_TMP.json"
}

test_config_file_missing() {
	fails 1 vectl create bad --image busybox --config /no/such/file
	fails 1 vectl create bad --image busybox --config /etc
	nothing_made bad
}

test_names() {
	local name
	for name in a/b .. . '' a- -a 'a b' A aB ../x /x 'a_b' 'é' a. $'a\nb' "$(printf 'x%.0s' $(seq 64))"; do
		if [[ $name == -* ]]; then
			try vectl create --image busybox -- "$name"
		else
			try vectl create "$name" --image busybox
		fi
		case $STATUS in 1 | 2) ;; *) die "status $STATUS of the name '$name'" ;; esac
		eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
		[ -z "$(vectl list --names)" ] || die "'$name' was taken"
		try vectl start -- "$name"
		case $STATUS in 2 | 3) ;; *) die "start: status $STATUS of the name '$name'" ;; esac
		eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
	done
	name=$(printf 'x%.0s' $(seq 63))
	ok vectl create "$name" --image busybox
	ok vectl start "$name"
	guest "$name" true
	ok vectl destroy --force "$name"
	ok vectl create 101 --image busybox
	ok vectl destroy --force 101
}

test_existing_name() {
	ok vectl create x1 --image busybox --hostname first
	try vectl create x1 --image busybox --hostname second
	case $STATUS in 1 | 4) ;; *) die "status $STATUS" ;; esac
	eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
	eq "$(info x1 "d['spec']['hostname']")" first
	ok vectl destroy --force x1
}

test_no_such_ve() {
	local verb
	for verb in start stop restart pause resume destroy ps info logs console plan; do
		fails 3 vectl "$verb" nosuch
	done
}

test_usage() {
	fails 2 vectl nosuchverb
	fails 2 vectl create
	fails 2 vectl create x1
	fails 2 vectl create x1 --nosuchoption
	fails 2 vectl start
	fails 2 vectl start x1 --timeout soon
	fails 2 vectl start x1 --wait=nothing
	fails 2 vectl list surplus
	fails 2 vectl wait x1 --state nothing
	exits 2 vectl
	exits 0 vectl --help
	exits 0 vectl --version
	like "$OUT" '[0-9]+\.[0-9]+'
}

test_unknown_image() {
	fails 1 vectl create bad --image nosuchimage
	like "$ERR" nosuchimage
	fails 1 vectl create bad --image /no/such/file.tar
	fails 1 vectl create bad --image debian/99
	fails 1 vectl create bad --image ../../etc
	nothing_made bad
}

test_image_without_init() {
	mkdir -p "$T_TMP/root/etc" "$T_TMP/root/bin"
	cp "$(command -v busybox)" "$T_TMP/root/bin/busybox"
	tar -C "$T_TMP/root" -cf "$T_TMP.tar" .
	try vectl create bad --image "$T_TMP.tar"
	[ "$STATUS" = 0 ] || {
		eq "$STATUS" 1
		eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
	}
	if [ "$STATUS" = 0 ]; then
		fails 1 vectl start bad
		ok vectl destroy --force bad
	fi
	like "$ERR" init
	nothing_made bad
}

test_image_is_rubbish() {
	head -c 100000 /dev/urandom >"$T_TMP.tar"
	fails 1 vectl create bad --image "$T_TMP.tar"
	: >"$T_TMP.tar"
	fails 1 vectl create bad --image "$T_TMP.tar"
	tar -C / -cf "$T_TMP.tar" etc/passwd
	head -c 700 "$T_TMP.tar" >"$T_TMP.short.tar"
	try vectl create bad --image "$T_TMP.short.tar"
	ne "$STATUS" 0
	nothing_made bad
}

test_not_root() {
	fails 1 setpriv --reuid=65534 --regid=65534 --clear-groups -- vectl create bad --image busybox
	like "$ERR" root
	fails 1 setpriv --reuid=65534 --regid=65534 --clear-groups -- vectl start bad
	nothing_made bad
}

test_no_cgroup2() {
	ok vectl create g1 --image busybox
	fails 1 unshare -m --propagation private -- sh -c 'umount -l /sys/fs/cgroup && exec vectl start g1'
	like "$ERR" cgroup
	eq "$(state g1)" stopped
	ok vectl start g1
	ok vectl destroy --force g1
}

# A folder that is full during create: a root of its own on a tmpfs of 8 MB, in a mount namespace of its own.
test_full_disk() {
	ok unshare -m --propagation private -- bash -c '
		set -e
		mkdir -p "$0" && mount -t tmpfs -o size=8m tmpfs "$0"
		export VECTL_ROOT=$0
		status=0
		vectl create full --image "$1" 2>"$0/../err" || status=$?
		[ "$status" = 1 ] || { echo "status $status"; exit 1; }
		[ "$(wc -l <"$0/../err")" = 1 ] || { cat "$0/../err"; exit 1; }
		grep -qi "no space" "$0/../err" || { cat "$0/../err"; exit 1; }
		[ -z "$(vectl list --names)" ] || { echo listed; exit 1; }
		used=$(find "$0" -type f -size +4k | wc -l)
		[ "$used" = 0 ] || { find "$0" -type f -size +4k; exit 1; }
	' "$T_TMP.full" "$T_CACHE/debian-13.tar"
}

interrupted() { # SECONDS-BEFORE COMMAND...: SIGINT while it works; 130 or done
	local delay=$1
	shift
	try timeout --foreground --preserve-status -s INT "$delay" "$@"
	case $STATUS in 0 | 130) ;; *) die "status $STATUS after SIGINT" ;; esac
	[ "$(wc -l <"$T_TMP.err")" -le 1 ] || die 'more than one line on stderr'
}

test_interrupted_create() {
	local delay
	for delay in 0.05 0.2 0.5 1; do
		interrupted "$delay" vectl create int --image "$T_CACHE/debian-13.tar"
		if [ "$STATUS" = 130 ]; then
			[ -z "$(vectl list --names)" ] || die 'an interrupted create made a VE'
			[ -z "$(find "$VECTL_ROOT/var/lib/vectl/images" -newer "$T_TMP.out" -maxdepth 2 -mindepth 2 -name '*tmp*' -o -name '.*' -mindepth 2 | head -n 1)" ] ||
				die "left in the store: $(find "$VECTL_ROOT/var/lib/vectl/images" -maxdepth 2)"
		else
			ok vectl destroy --force int
		fi
	done
}

test_interrupted_start() {
	ok vectl create ints --image plain/13
	local delay
	for delay in 0.002 0.004 0.006 0.01 0.05 0.1; do
		interrupted "$delay" vectl start ints --wait=ready
		case $(state ints) in
		running) ok vectl stop --force ints ;;
		stopped) eq "$(pids_of ints)" '' 'processes after an interrupted start' ;;
		*) die "state $(state ints) after an interrupted start" ;;
		esac
	done
	ok vectl destroy --force ints
}

test_two_starts_at_once() {
	ok vectl create twice --image busybox
	local round a b
	for round in 1 2 3 4 5 6; do
		vectl start twice 2>"$T_TMP.a" &
		a=$!
		vectl start twice 2>"$T_TMP.b" &
		b=$!
		local one=0 other=0
		wait "$a" || one=$?
		wait "$b" || other=$?
		note "round $round: $one $other"
		case "$one $other" in '0 4' | '4 0') ;; *) die "statuses $one and $other of two starts at once" ;; esac
		eq "$(state twice)" running
		guest twice true
		eq "$(pids_of twice supervisor | wc -l)" 2 'processes behind the VE'
		ok vectl stop --force twice
	done
	ok vectl destroy --force twice
}

test_two_creates_at_once() {
	local round a b one other
	for round in 1 2 3 4; do
		vectl create pair --image busybox 2>"$T_TMP.a" &
		a=$!
		vectl create pair --image busybox 2>"$T_TMP.b" &
		b=$!
		one=0 other=0
		wait "$a" || one=$?
		wait "$b" || other=$?
		case "$one $other" in '0 '[14] | [14]' 0') ;; *) die "statuses $one and $other of two creates at once" ;; esac
		ok vectl start pair
		ok vectl destroy --force pair
	done
}

test_damaged_spec() {
	ok vectl create dam --image busybox
	local file=$VECTL_ROOT/var/lib/vectl/ve/dam/ve.json
	cp "$file" "$T_TMP.saved"
	echo '{"format": 1, "hostnam": 3}' >"$file"
	try vectl start dam
	case $STATUS in 1 | 2) ;; *) die "status $STATUS of a start with a damaged ve.json" ;; esac
	eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
	like "$ERR" 've.json'
	ok vectl list --names
	like "$OUT" '^dam$'
	cp "$T_TMP.saved" "$file"
	ok vectl start dam
	ok vectl destroy --force dam
}
