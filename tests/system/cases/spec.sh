# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the keys of the spec do to a VE that is started with them, as its processes see it.
# privileged: rlimits capabilities suspended restart_refused_for_a_bad_spec_stops_nothing on_exit_restart
# privileged: on_exit_restart_on_failure on_exit_restart_after_poweroff sysctl sysctl_of_ipc device device_refused
# privileged: features

# refuses PATTERN STATUS COMMAND...: one line on stderr that matches.
refuses() {
	local pattern=$1 status=$2
	shift 2
	fails "$status" "$@"
	like "$ERR" "$pattern"
}

# nap SECONDS
nap() { python3 -c 'import select, sys; select.select([], [], [], float(sys.argv[1]))' "$1"; }

boots() { vectl logs "$1" | grep -c '^--- boot' || true; }
booted() { [ "$(boots "$1")" -ge "$2" ]; }

test_rlimits() {
	ok vectl create rl --image busybox --set rlimit.nofile=700 --set rlimit.core=0 --set rlimit.stack=4194304
	ok vectl start rl --wait=ready
	ok cat "/proc/$(info rl "d['pid']")/limits"
	like "$OUT" '^Max open files +700 +700 '
	like "$OUT" '^Max core file size +0 +0 '
	like "$OUT" '^Max stack size +4194304 +4194304 '
	# A default stays a default.
	like "$OUT" '^Max address space +unlimited +unlimited'
	guest rl sh -c 'ulimit -n; ulimit -Hn'
	eq "$OUT" $'700\n700' 'open files of what exec starts'
	ok vectl stop rl
	local most
	most=$(cat /proc/sys/fs/nr_open)
	ok vectl set rl "rlimit.nofile=$((most + 1))"
	refuses 'rlimit\.nofile: .*(nr_open|hard limit)' 1 vectl start rl
	eq "$(state rl)" stopped
	[ ! -e "$VECTL_ROOT/run/vectl/rl" ] || die 'a refused start left a runtime folder'
	ok vectl destroy --force rl
}

capabilities() { # NAME PID-INSIDE: the bounding set of a process
	guest "$1" sed -n 's/^CapBnd:[[:space:]]*//p' "/proc/$2/status"
}

test_capabilities() {
	busybox_ve cp
	capabilities cp 1
	local before=$((16#$OUT)) raw=$((1 << 13)) rawio=$((1 << 17)) mknod=$((1 << 27)) now
	[ $((before & raw)) != 0 ] && [ $((before & rawio)) = 0 ] || die "unexpected default set $OUT"
	ok vectl set cp caps.drop=net_raw,CAP_MKNOD caps.keep=sys_rawio
	ok vectl restart cp --wait=ready
	capabilities cp 1
	now=$((16#$OUT))
	eq "$now" "$(((before & ~raw & ~mknod) | rawio))" "init's bounding set"
	capabilities cp self
	eq "$((16#$OUT))" "$now" 'bounding set of what exec starts'
	guest cp sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status
	eq "$((16#$OUT))" "$now" 'effective set of root inside'
	inside cp 'ping -c 1 127.0.0.1'
	ne "$STATUS" 0 'ping without net_raw'
	refuses 'caps.keep: .no_such. is not a capability' 2 vectl set cp caps.keep=no_such
	refuses 'net_raw is in both' 2 vectl set cp caps.keep+=net_raw
	refuses 'is not a capability' 2 vectl set cp caps.drop=13
	ok vectl get cp caps.keep
	eq "$OUT" sys_rawio 'caps.keep after refused changes'
	ok vectl destroy --force cp
}

test_suspended() {
	busybox_ve su
	local init
	init=$(info su "d['pid']")
	ok vectl set su 'suspended=unpaid bill of May'
	eq "$(state su)" running 'state after `set suspended`'
	eq "$(info su "d['pending']")" '[]' 'what waits for the next start'
	ok vectl list -o name,state,suspended
	like "$OUT" '^su +running \(suspended\) +unpaid bill of May$'
	refuses 'suspended: unpaid bill of May: .*vectl unset su suspended' 4 vectl restart su
	eq "$(info su "d['pid']")" "$init" 'init after a refused restart'
	ok vectl stop su
	refuses 'unpaid bill of May' 4 vectl start su
	refuses 'unpaid bill of May' 4 vectl start --all
	eq "$(state su)" stopped
	ok vectl list
	like "$OUT" '^su +stopped \(suspended\) +busybox '
	ok vectl list --state stopped --names
	like "$OUT" '^su$'
	ok vectl list --state running --names
	unlike "$OUT" '^su$'
	ok vectl list --json
	eq "$(json "[(v['state'], v['suspended']) for v in d['ves'] if v['name'] == 'su']" <<<"$OUT")" '[["stopped", "unpaid bill of May"]]'
	eq "$(info su "[d['state'], d['suspended']]")" '["stopped", "unpaid bill of May"]'
	ok vectl unset su suspended
	ok vectl list
	like "$OUT" '^su +stopped +busybox '
	eq "$(info su "d['suspended']")" null
	ok vectl start su
	ok vectl destroy --force su
}

test_restart_refused_for_a_bad_spec_stops_nothing() {
	busybox_ve rb
	ok vectl set rb hooks.pre-start=/no/such/hook
	refuses 'hooks.pre-start' 1 vectl restart rb
	eq "$(state rb)" running
	ok vectl destroy --force rb
}

# What is seen beforehand, and in the words of the step that would fail.
test_restart_refused_for_what_is_missing_stops_nothing() {
	local json=$VECTL_ROOT/var/lib/vectl/ve/rm/ve.json init hook
	hooks_folder
	hook=$HOOKS/hook
	# The kernel is asked for a sysctl of a VE that runs; so this one was written by hand, or came from another kernel.
	busybox_ve rm --set sysctl.net.ipv4.ip_forward=1
	init=$(info rm "d['pid']")
	sed -i 's/"net.ipv4.ip_forward"/"net.ipv4.no_such_thing"/' "$json"
	refuses '^vectl: rm: start: step sysctl: net.ipv4.no_such_thing: .*: this kernel has no such sysctl in a VE: unset it$' 1 vectl restart rm
	ok vectl unset rm sysctl.net.ipv4.no_such_thing
	mkdir -p "$T_TMP/source"
	ok vectl set rm "mount.data.source=$T_TMP/source" mount.data.target=/data
	rmdir "$T_TMP/source"
	refuses "^vectl: rm: start: step open-mount: mount.data: $T_TMP/source: No such .*: make it, or unset the mount\$" 1 vectl restart rm
	ln -s /usr "$T_TMP/source"
	refuses 'a symbolic link is in the source' 1 vectl restart rm
	ok vectl unset rm mount.data
	# Set while it runs it is refused at once. So this one's source has gone since.
	refuses "mount.disk: $T_TMP/no-disk: No such .*: make it, or unset the mount\$" 1 \
		vectl set rm "mount.disk.source=$T_TMP/no-disk" mount.disk.target=/disk mount.disk.type=ext4
	python3 - "$json" "$T_TMP/no-disk" <<-'EDIT'
		import json, sys
		spec = json.load(open(sys.argv[1]))
		spec.setdefault("mount", {})["disk"] = {"source": sys.argv[2], "target": "/disk", "type": "ext4"}
		json.dump(spec, open(sys.argv[1], "w"))
	EDIT
	refuses "^vectl: rm: start: step make-mount: mount.disk: $T_TMP/no-disk: No such .*: make it, or unset the mount\$" 1 vectl restart rm
	ok vectl unset rm mount.disk
	printf '#!/bin/sh\n' >"$hook"
	ok vectl set rm "hooks.pre-start=$hook"
	refuses 'is not an executable file' 1 vectl restart rm
	ok vectl unset rm hooks.pre-start
	eq "$(info rm "[d['state'], d['pid']]")" "[\"running\", $init]" 'after refused restarts'
	ok vectl restart rm
	ok vectl destroy --force rm
}

# What only the start itself finds out: then it is down, and the error says so; of a start alone it does not.
test_restart_that_fails_says_that_it_is_stopped() {
	local json=$VECTL_ROOT/var/lib/vectl/ve/rs/ve.json
	busybox_ve rs --set sysctl.net.ipv4.ip_forward=1
	sed -i 's/"net.ipv4.ip_forward": *"1"/"net.ipv4.ip_forward": "many"/' "$json"
	exits 1 vectl restart rs
	like "$ERR" '^vectl: rs: start: step sysctl: .*: set another; it is stopped now, so after that: vectl start rs$'
	eq "$(state rs)" stopped
	exits 1 vectl restart rs --json
	unlike "$OUT" 'it is stopped now'
	exits 1 vectl start rs
	unlike "$ERR" 'it is stopped now'
	ok vectl unset rs sysctl.net.ipv4.ip_forward
	ok vectl restart rs --wait=ready
	ok vectl destroy --force rs
}

test_on_exit_restart() {
	local crashing='init=/bin/sh,-c,echo up; exit 3'
	ok vectl create ox --image busybox --set boot.on_exit=restart --set "$crashing"
	ok vectl start ox
	local began=$SECONDS
	until_ 20 booted ox 3
	[ $((SECONDS - began)) -ge 2 ] || die "a crashing init was started 3 times in $((SECONDS - began)) s"
	# In the pause before the next attempt there is no init; a stop does not wait for one.
	began=$SECONDS
	ok vectl stop ox
	[ $((SECONDS - began)) -le 3 ] || die "stop took $((SECONDS - began)) s"
	eq "$(state ox)" stopped
	eq "$(pids_of ox)" '' 'processes of a stopped VE'
	local count
	count=$(boots ox)
	nap 3
	eq "$(boots ox)" "$count" 'boots after a stop'
	# An init that is asked to stop ends by itself in the end; that is no reason to start it again.
	ok vectl set ox 'init=/bin/sh,-c,trap "exit 0" TERM; while :; do sleep 0.1; done' stop.signal=TERM
	ok vectl start ox
	count=$(boots ox)
	ok vectl stop ox
	eq "$(state ox)" stopped
	eq "$(boots ox)" "$count" 'boots after a stop that init heard'
	ok vectl destroy --force ox
}

test_on_exit_restart_on_failure() {
	ok vectl create of --image busybox --set boot.on_exit=restart-on-failure --set 'init=/bin/sh,-c,sleep 1'
	ok vectl start of
	ok vectl wait of --state stopped --timeout 10
	eq "$(boots of)" 1 'boots of an init that ended well'
	ok vectl set of 'init=/bin/sh,-c,sleep 1; exit 1'
	ok vectl start of
	until_ 15 booted of 3
	ok vectl stop --force of
	eq "$(state of)" stopped
	# Killed from outside is a failure; a poweroff inside is what was wanted.
	ok vectl unset of init
	ok vectl start of --wait=ready
	local init boot
	init=$(info of "d['pid']") boot=$(info of "d['boot']")
	kill -KILL "$init"
	until_ 15 sh -c "vectl info of --json | grep -q '\"boot\": *$((boot + 1))\b'"
	until_ 10 vectl exec of -- true
	try vectl exec of -- poweroff
	ok vectl wait of --state stopped --timeout 15
	ok vectl destroy --force of
}

test_on_exit_restart_after_poweroff() {
	busybox_ve op --set boot.on_exit=restart
	try vectl exec op -- poweroff
	until_ 20 sh -c "vectl info op --json | grep -q '\"boot\": *2\b'"
	until_ 10 vectl exec op -- true
	ok vectl destroy --force op
}

test_on_exit_default() {
	ok vectl create od --image busybox --set 'init=/bin/sh,-c,exit 1'
	ok vectl start od
	ok vectl wait od --state stopped --timeout 10
	eq "$(boots od)" 1
	ok vectl destroy --force od
}

test_sysctl() {
	busybox_ve sy --set sysctl.net.ipv4.ip_forward=1 --set sysctl.net.ipv4.conf.lo.rp_filter=2 \
		--set 'sysctl.net.ipv4.ping_group_range=0 65535'
	local before
	before=$(cat /proc/sys/net/ipv4/ip_forward)
	guest sy cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/lo/rp_filter
	eq "$OUT" $'1\n2' 'sysctls of the network'
	guest sy cat /proc/sys/net/ipv4/ping_group_range
	eq "$OUT" $'0\t65535'
	eq "$(cat /proc/sys/net/ipv4/ip_forward)" "$before" "the host's own"
	# Set again at each boot.
	guest sy sh -c 'echo 0 > /proc/sys/net/ipv4/ip_forward'
	try vectl exec sy -- reboot
	until_ 15 sh -c "vectl info sy --json | grep -q '\"boot\": *2\b'"
	until_ 5 vectl exec sy -- true
	guest sy cat /proc/sys/net/ipv4/ip_forward
	eq "$OUT" 1 'after a reboot'
	ok vectl stop sy
	ok vectl set sy sysctl.net.ipv4.no_such_thing=1
	refuses_start sy 'sysctl: net.ipv4.no_such_thing: .*no such sysctl'
	ok vectl unset sy sysctl.net.ipv4.no_such_thing
	ok vectl set sy sysctl.net.ipv4.ip_forward=many
	refuses_start sy 'sysctl: net.ipv4.ip_forward: .*does not take that value'
	ok vectl unset sy sysctl.net.ipv4.ip_forward
	local key
	for key in vm.swappiness kernel.panic kernel.core_pattern fs.file-max kernel.hostname net..x; do
		fails 2 vectl set sy "sysctl.$key=1"
	done
	ok vectl destroy --force sy
}

refuses_start() { # NAME PATTERN: the first line of a start that fails
	try vectl start "$1"
	eq "$STATUS" 1 'status of a refused start'
	like "$(head -n 1 <<<"$ERR")" "$2"
	eq "$(state "$1")" stopped
	[ ! -e "$VECTL_ROOT/run/vectl/$1" ] || die 'a refused start left a runtime folder'
}

test_sysctl_of_ipc() {
	local kernel
	kernel=$(uname -r)
	[ "$(printf '%s\n' 6.9 "$kernel" | sort -V | head -n 1)" = 6.9 ] ||
		skip "on kernel $kernel the host's root alone sets kernel.shm* and fs.mqueue.* (6.9 lets a VE)"
	local before
	before=$(cat /proc/sys/kernel/shmmni)
	busybox_ve si --set sysctl.kernel.shmmni=77 --set sysctl.fs.mqueue.msg_max=5 --set 'sysctl.kernel.sem=100 200 30 40'
	guest si cat /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max
	eq "$OUT" $'77\n5'
	guest si cat /proc/sys/kernel/sem
	eq "$OUT" $'100\t200\t30\t40'
	eq "$(cat /proc/sys/kernel/shmmni)" "$before" "the host's own"
	ok vectl destroy --force si
}

test_device() {
	device='' # of the trap, too, which runs when the function has ended
	mkdir -p "$T_TMP"
	truncate -s 1M "$T_TMP/disk"
	device=$(losetup -f --show "$T_TMP/disk") || skip 'no loop device can be had on this machine'
	trap 'losetup -d "$device"' EXIT
	busybox_ve dv --set "device.disk.path=$device" --set device.disk.gid=6 --set device.disk.mode=640
	guest dv stat -c '%F %a %u:%g %t:%T' "$device"
	eq "$OUT" "block special file 640 0:6 $(stat -c %t:%T "$device")"
	guest dv sh -c "echo from inside > $device; head -n 1 $device"
	eq "$OUT" 'from inside'
	eq "$(head -c 11 "$device")" 'from inside'
	# The others of the host are not there, and no node of one can be made.
	inside dv 'ls /dev/loop-control /dev/kmsg /dev/mem'
	eq "$OUT" '' 'other devices'
	inside dv "mknod /tmp/d b $(stat -c '0x%t 0x%T' "$device" | xargs printf '%d %d')"
	ne "$STATUS" 0 'mknod inside'
	try vectl exec dv -- reboot
	until_ 15 sh -c "vectl info dv --json | grep -q '\"boot\": *2\b'"
	until_ 5 vectl exec dv -- true
	guest dv head -n 1 "$device"
	eq "$OUT" 'from inside' 'after a reboot'
	ok vectl stop dv
	# Read-only by the kernel's device filter, whatever root inside makes of the mode.
	ok vectl set dv device.disk.access=r
	ok vectl start dv --wait=ready
	guest dv head -n 1 "$device"
	eq "$OUT" 'from inside'
	inside dv "chmod 666 $device; echo again > $device"
	ne "$STATUS" 0 'writing to a device that may be read'
	guest dv sh -c 'echo x > /dev/null; head -c 1 /dev/zero | wc -c'
	eq "$OUT" 1 'the usual devices beside the filter'
	ok vectl destroy --force dv
}

test_device_refused() {
	ok vectl create dr --image busybox
	fails 2 vectl set dr device.x.mode=0660
	like "$ERR" 'device.x.path is not set'
	fails 2 vectl set dr device.x.path=/etc/passwd
	ok vectl set dr device.x.path=/dev/no-such-device
	refuses_start dr 'device.x.path: /dev/no-such-device: No such file'
	ok vectl set dr device.x.path=/dev/pts
	refuses_start dr 'device.x.path: /dev/pts is not a device'
	ok vectl destroy --force dr
}

test_features() {
	ok vectl create ft --image busybox
	fails 1 vectl set ft features=fuse,nesting
	like "$ERR" '.nesting. is known, but not carried out by this version'
	fails 1 vectl set ft features=keyctl
	fails 2 vectl set ft features=nonsense
	[ -c /dev/fuse ] && [ -c /dev/net/tun ] || skip 'this machine has no /dev/fuse or /dev/net/tun'
	ok vectl set ft features=fuse,tun
	ok vectl start ft --wait=ready
	guest ft stat -c '%a %t:%T' /dev/fuse /dev/net/tun
	eq "$OUT" $'666 a:e5\n666 a:c8'
	guest ft sh -c ': <> /dev/fuse; : <> /dev/net/tun; tunctl -t tap7; ip link show tap7'
	like "$OUT" 'tap7'
	ok vectl destroy --force ft
}
