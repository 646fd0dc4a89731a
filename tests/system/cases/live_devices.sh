# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Devices that a running VE gets and gives back at once.
# privileged: add_and_remove filter

loop_device() { # sets $device, for as long as the test runs
	device='' # of the trap, too, which runs when the function has ended
	mkdir -p "$T_TMP"
	truncate -s 1M "$T_TMP/disk"
	device=$(losetup -f --show "$T_TMP/disk") || skip 'no loop device can be had on this machine'
	trap 'losetup -d "$device"' EXIT
}

test_add_and_remove() {
	loop_device
	busybox_ve ld1
	ok vectl set ld1 "device.disk.path=$device" device.disk.gid=6 device.disk.mode=640
	like "$ERR" '^ld1: in effect: device.disk.path, device.disk.gid, device.disk.mode$'
	guest ld1 stat -c '%F %a %u:%g %t:%T' "$device"
	eq "$OUT" "block special file 640 0:6 $(stat -c %t:%T "$device")"
	guest ld1 sh -c "echo from inside >$device; head -n 1 $device"
	eq "$OUT" 'from inside'
	eq "$(head -c 11 "$device")" 'from inside'
	inside ld1 'ls /dev/loop-control /dev/kmsg /dev/mem'
	eq "$OUT" '' 'other devices'
	reboot_ve ld1
	guest ld1 head -n 1 "$device"
	eq "$OUT" 'from inside' 'after a reboot'
	ok vectl set ld1 device.disk.mode=600 device.disk.gid=0
	guest ld1 stat -c '%a %u:%g' "$device"
	eq "$OUT" '600 0:0'
	# In use it stays, and waits.
	guest ld1 sh -c "(exec sleep 1000 <$device >/dev/null 2>&1 & echo \$! >/tmp/user)"
	ok vectl unset ld1 device.disk
	like "$ERR" '^ld1: device.disk waits: it is in use in the VE$'
	guest ld1 head -n 1 "$device"
	eq "$OUT" 'from inside'
	guest ld1 sh -c 'kill $(cat /tmp/user); while kill -0 $(cat /tmp/user); do :; done 2>/dev/null'
	ok vectl set ld1 labels.a=1
	eq "$(pending ld1)" '[]'
	inside ld1 "ls $device"
	eq "$OUT" '' 'the device when it was unset'
	reboot_ve ld1
	inside ld1 "ls $device"
	eq "$OUT" '' 'after the next reboot'
	ok vectl destroy --force ld1
}

# A refused change leaves what the VE may use, though the host's node has become another meanwhile.
test_refused_with_another_node() {
	loop_device
	local node=/dev/vectl-test-node major minor
	trap 'rm -f /dev/vectl-test-node; losetup -d "$device"' EXIT
	major=$((0x$(stat -c %t "$device"))) minor=$((0x$(stat -c %T "$device")))
	mknod "$node" b "$major" "$minor"
	busybox_ve ld5 --set "device.node.path=$node" --set device.node.access=r
	guest ld5 sh -c "head -c 1 $node | wc -c"
	eq "$OUT" 1
	rm "$node"
	mknod "$node" b "$major" 1048575
	fails 1 vectl set ld5 "device.other.path=$device" sysctl.net.ipv4.no_such=1
	guest ld5 sh -c "head -c 1 $node | wc -c"
	eq "$OUT" 1
	ok vectl destroy --force ld5
}

# What the kernel's filter allows follows, whatever root inside makes of the mode.
test_filter() {
	loop_device
	busybox_ve ld2 --set "device.disk.path=$device"
	guest ld2 sh -c "echo one >$device"
	ok vectl set ld2 device.disk.access=r
	like "$ERR" 'in effect: device.disk.access'
	guest ld2 head -c 3 "$device"
	inside ld2 "chmod 666 $device; echo two >$device"
	ne "$STATUS" 0 'writing to a device that may be read'
	guest ld2 sh -c 'echo x >/dev/null; head -c 1 /dev/zero | wc -c'
	eq "$OUT" 1 'the usual devices beside the filter'
	# A change that fails leaves the filter as it was.
	fails 1 vectl set ld2 device.disk.access=rw sysctl.net.ipv4.no_such=1
	inside ld2 "echo two >$device"
	ne "$STATUS" 0 'writing after a change that failed'
	reboot_ve ld2
	inside ld2 "echo two >$device"
	ne "$STATUS" 0 'writing after a reboot'
	ok vectl set ld2 device.disk.access=rw
	guest ld2 sh -c "echo two >$device"
	eq "$(head -c 3 "$device")" two
	ok vectl unset ld2 device.disk
	guest ld2 sh -c 'echo x >/dev/null; head -c 1 /dev/zero | wc -c'
	eq "$OUT" 1 'the usual devices without the filter'
	ok vectl destroy --force ld2
}

test_refused_changes_nothing() {
	loop_device
	mkdir -p "$T_TMP/witness"
	busybox_ve ld3
	local text init list
	text=$(vectl get ld3)
	init=$(info ld3 "d['pid']")
	refuses() { # STATUS PATTERN ASSIGNMENT...
		local status=$1 pattern=$2
		shift 2
		list=$(cut -d' ' -f3-6 "/proc/$init/mountinfo" | sort)
		fails "$status" vectl set ld3 hostname=bad "$@"
		like "$ERR" "$pattern"
		eq "$(vectl get ld3)" "$text" 'the spec'
		eq "$(cut -d' ' -f3-6 "/proc/$init/mountinfo" | sort)" "$list" "the VE's mounts"
	}
	refuses 1 'set: device.x.path: /dev/no-such-device: No such file' device.x.path=/dev/no-such-device
	refuses 2 'set: device.x.path: /dev/pts is not a device' device.x.path=/dev/pts
	guest ld3 sh -c "ln -s ../../../../../../../..$T_TMP/witness/node $device"
	refuses 1 "device.x: ${device#/dev/}: .*symbolic link" "device.x.path=$device"
	guest ld3 sh -c "rm $device; mkdir $device"
	refuses 1 "device.x: ${device#/dev/}: .*" "device.x.path=$device"
	guest ld3 sh -c "rmdir $device; mount --make-private /dev; umount -l /dev; mv /dev /was; ln -s $T_TMP/witness /dev"
	refuses 1 'device.x: ' "device.x.path=$device"
	[ -z "$(ls -A "$T_TMP/witness")" ] || die 'a link led to the host'
	eq "$(pending ld3)" '[]'
	ok vectl destroy --force ld3
}

# A device that has gone from the host is no reason to refuse a change of something else.
test_device_has_gone() {
	mkdir -p "$T_TMP"
	local node=/dev/vectl-test-$$
	trap "rm -f $node" EXIT
	mknod "$node" c 1 3
	busybox_ve ld4 --set "device.n.path=$node"
	rm "$node"
	ok vectl set ld4 hostname=other mount.s.type=tmpfs mount.s.target=/s
	guest ld4 sh -c "hostname; ls $node; grep -c ' /s ' /proc/mounts"
	eq "$OUT" "$(printf '%s\n' other "$node" 1)"
	ok vectl unset ld4 device.n
	inside ld4 "ls $node"
	eq "$OUT" ''
	ok vectl destroy --force ld4
}
