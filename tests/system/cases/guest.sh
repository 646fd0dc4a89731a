# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What a guest finds of the host (/run/host), what it shares, and its first boot. On Debian 12 and 13, and on busybox.

debians() { # the releases that there are acceptance images of; without one the tests that want them are skipped
	local release any=''
	for release in 12 13; do
		[ ! -e "$T_CACHE/debian-$release.tar" ] || any+=" $release"
	done
	[ -n "$any" ] || skip 'no acceptance image of Debian'
	printf '%s\n' "$any"
}

debian_ve() { # NAME RELEASE [OPTION...]: created and ready
	local name=$1 release=$2
	shift 2
	ok vectl create "$name" --image "plain/$release" "$@"
	ok vectl start "$name" --wait=ready --timeout 60
}

# ---- /run/host

test_run_host() {
	busybox_ve h1
	guest h1 cat /run/host/os-release
	eq "$OUT" "$(cat /etc/os-release)" "the host's os-release"
	guest h1 sh -c 'cd /run/host/inaccessible && stat -c "%n %F %a %u" *'
	eq "$OUT" "$(printf '%s\n' 'blk block special file 0 0' 'chr character special file 0 0' 'dir directory 0 0' \
		'fifo fifo 0 0' 'reg regular empty file 0 0' 'sock socket 0 0')" 'inaccessible nodes'
	inside h1 'cat /run/host/inaccessible/chr'
	ne "$STATUS" 0 'reading a node that stands for none'
	local path
	for path in . inaccessible incoming; do
		inside h1 "touch /run/host/$path/x"
		ne "$STATUS" 0 "a file in /run/host/$path"
	done
	inside h1 'mount -o remount,rw /run/host'
	ne "$STATUS" 0 'making /run/host writable'
	inside h1 'mount -o remount,rw /run/host/incoming; touch /run/host/incoming/x'
	ne "$STATUS" 0 'a file in incoming after a remount'
	ok vectl destroy --force h1
}

# Root of the host mounts a folder in the keeper's copy of `incoming`, and the guest has it; over a reboot too.
test_run_host_incoming() {
	busybox_ve h2
	mkdir -p "$T_TMP/from-host"
	echo here >"$T_TMP/from-host/file"
	ok "$T_BUILD/tmp/probe" place "$(info h2 "d['keeper']")" "$T_TMP/from-host" /host/incoming/new
	guest h2 cat /run/host/incoming/new/file
	eq "$OUT" here
	inside h2 'umount /run/host/incoming/new && cat /run/host/incoming/new/file'
	[ "$STATUS" = 0 ] || note 'the guest took it away from itself'
	try vectl exec h2 -- reboot
	until_ 20 sh -c "vectl info h2 --json | grep -q '\"boot\": *2\b'"
	until_ 20 vectl exec h2 -- cat /run/host/incoming/new/file
	# Nothing that the guest mounts comes out.
	inside h2 'mount -t tmpfs none /run/host/incoming'
	eq "$(grep -c ' /host/incoming ' "/proc/$(info h2 "d['keeper']")/mountinfo")" 1 "the keeper's mounts on incoming"
	ok vectl destroy --force h2
}

test_run_host_unix_export() {
	busybox_ve h3
	guest h3 sh -c 'echo from-guest >/run/host/unix-export/note; ln -s /etc/passwd /run/host/unix-export/link'
	local folder
	folder=/proc/$(info h3 "d['keeper']")/root/host/unix-export
	eq "$(cat "$folder/note")" from-guest
	# A link of the guest's would lead to the host's own file.
	if cat "$folder/link" >/dev/null 2>&1; then die 'a link in unix-export was followed on the host'; fi
	# shellcheck disable=SC2016
	inside h3 'i=0; while [ $i -lt 100 ] && echo x >/run/host/unix-export/$i; do i=$((i+1)); done 2>/dev/null; ls /run/host/unix-export | wc -l'
	[ "$OUT" -lt 40 ] || die "$OUT files fit into unix-export"
	ok vectl destroy --force h3
}

# limit test_inaccessible_paths 120
test_inaccessible_paths() {
	local releases release name
	releases=$(debians)
	for release in $releases; do
		name=i$release
		debian_ve "$name" "$release"
		guest "$name" readlink -f /run/systemd/inaccessible
		eq "$OUT" /run/host/inaccessible
		# A folder, a file, a socket and a device node; root, since a mode of 0 alone would not stop it.
		inside "$name" 'systemd-run --quiet --wait --pipe -p InaccessiblePaths="/srv /etc/hostname /run/host/notify /dev/full" \
			sh -c "touch /srv/x; echo \$?; test -s /etc/hostname; echo \$?; stat -c %a /run/host/notify; test -c /dev/full; echo \$?"'
		eq "$STATUS" 0 'a service with InaccessiblePaths='
		eq "$OUT" "$(printf '%s\n' 1 1 0 1)" 'what it reaches of them'
		inside "$name" 'systemd-run --quiet --wait --pipe -p User=nobody -p InaccessiblePaths="/etc/hostname /dev/full" \
			sh -c "cat /etc/hostname; echo \$?; cat /dev/full; echo \$?; head -c1 /dev/zero | wc -c"'
		eq "$OUT" "$(printf '%s\n' 1 1 1)" 'what an ordinary user reaches of them, and of /dev/zero'
		ok vectl destroy --force "$name"
	done
}

# ---- mounts

# limit test_mounts_are_shared 120
test_mounts_are_shared() {
	local releases release name pid
	busybox_ve m1
	guest m1 cat /proc/self/mountinfo
	eq "$(grep -cv ' shared:' <<<"$OUT")" 0 'mounts that are not shared'
	ok vectl destroy --force m1
	releases=$(debians)
	mkdir -p "$T_TMP/late"
	echo late >"$T_TMP/late/file"
	for release in $releases; do
		name=m$release
		debian_ve "$name" "$release"
		guest "$name" mkdir -p /mnt/late
		guest "$name" systemd-run --quiet --unit=apart -p PrivateTmp=yes sleep 600
		guest "$name" systemctl show -P MainPID apart
		pid=$OUT
		guest "$name" sh -c "[ \"\$(readlink /proc/$pid/ns/mnt)\" != \"\$(readlink /proc/1/ns/mnt)\" ]"
		ok "$T_BUILD/tmp/probe" place "$(info "$name" "d['pid']")" "$T_TMP/late" /mnt/late
		guest "$name" cat /mnt/late/file
		guest "$name" cat "/proc/$pid/root/mnt/late/file"
		eq "$OUT" late 'in the mount namespace of a service that was there before'
		ok vectl destroy --force "$name"
	done
}
