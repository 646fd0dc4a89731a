# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Mounts that a running VE takes at once, and gives back; and what a hostile guest makes of it.
# privileged: add_and_remove of_the_start refused_changes_nothing what_the_guest_made_of_it lets_the_source_go
# privileged: source_was_removed

# limit test_refused_changes_nothing 180
# limit test_what_the_guest_made_of_it 400
# limit test_target_changes_meanwhile 180

source_folder() { # makes $T_TMP/src
	rm -rf "$T_TMP/src"
	mkdir -p "$T_TMP/src/sub"
	chmod 755 "$T_TMP" "$T_TMP/src"
	echo content >"$T_TMP/src/file"
	chown 1000:1000 "$T_TMP/src/file"
}

# What the VE's own init has mounted, but for what every VE has.
mounted() { # NAME TARGET: how many times
	grep -c " $2 " "/proc/$(info "$1" "d['pid']")/mountinfo" || true
}

test_add_and_remove() {
	source_folder
	busybox_ve lm1
	local init
	init=$(info lm1 "d['pid']")
	ok vectl set lm1 "mount.data.source=$T_TMP/src" mount.data.target=/srv/data/deep
	like "$ERR" '^lm1: in effect: mount.data.source, mount.data.target$'
	eq "$(pending lm1)" '[]'
	guest lm1 sh -c 'stat -c %u:%g /srv/data/deep/file; cat /srv/data/deep/file; echo new >/srv/data/deep/new'
	eq "$OUT" $'1000:1000\ncontent'
	eq "$(stat -c %u:%g "$T_TMP/src/new")" 0:0 'owner on the host of a file made inside'
	unlike "$(cat /proc/self/mountinfo)" "$T_TMP/src"
	# Boots that follow have it.
	reboot_ve lm1
	guest lm1 cat /srv/data/deep/file
	eq "$OUT" content 'after a reboot'
	ok vectl set lm1 mount.data.options=ro
	like "$ERR" '^lm1: in effect: mount.data.options$'
	inside lm1 'touch /srv/data/deep/x'
	like "$ERR" 'Read-only'
	eq "$(mounted lm1 /srv/data/deep)" 1 'mounts at the target'
	ok vectl set lm1 mount.data.target=/mnt/other
	guest lm1 sh -c 'cat /mnt/other/file; ls /srv/data/deep'
	eq "$OUT" content 'at another target'
	ok vectl unset lm1 mount.data
	like "$ERR" '^lm1: in effect: mount.data$'
	guest lm1 ls /mnt/other
	eq "$OUT" '' 'what is there when it was unset'
	eq "$(mounted lm1 /mnt/other)" 0
	reboot_ve lm1
	guest lm1 ls /mnt/other
	eq "$OUT" '' 'after the next reboot'
	eq "$(cat "$T_TMP/src/file")" content
	ne "$(info lm1 "d['pid']")" "$init"
	ok vectl destroy --force lm1
}

test_of_the_start() {
	source_folder
	busybox_ve lm2 --set "mount.data.source=$T_TMP/src" --set mount.data.target=/data --set mount.s.type=tmpfs \
		--set mount.s.target=/scratch
	ok vectl unset lm2 mount.data
	like "$ERR" 'in effect: mount.data'
	guest lm2 ls /data
	eq "$OUT" ''
	guest lm2 touch /scratch/kept
	ok vectl set lm2 mount.t.type=tmpfs mount.t.target=/scratch/t mount.t.options=size=1M,noexec
	guest lm2 sh -c 'grep /scratch/t /proc/mounts; ls /scratch'
	like "$OUT" ' /scratch/t tmpfs rw,.*nodev,noexec.*size=1024k'
	like "$OUT" kept
	reboot_ve lm2
	guest lm2 sh -c 'grep -c scratch /proc/mounts; ls /data'
	eq "$OUT" 2 'in the next boot'
	ok vectl unset lm2 mount
	guest lm2 sh -c '! grep scratch /proc/mounts'
	eq "$(pending lm2)" '[]'
	ok vectl destroy --force lm2
}

# In the minimal root that boots start from: what pins sources on the host.
kept() { grep -c ' /b/' "/proc/$(info "$1" "d['keeper']")/mountinfo" || true; }

test_attributes_are_locked() {
	source_folder
	mknod "$T_TMP/src/zero" c 1 5
	chmod 666 "$T_TMP/src/zero"
	cp "$(host_arch_busybox)" "$T_TMP/src/busybox"
	busybox_ve lm3
	ok vectl set lm3 "mount.ro.source=$T_TMP/src" mount.ro.target=/ro mount.ro.options=ro,noexec,nosuid \
		"mount.rw.source=$T_TMP/src" mount.rw.target=/rw
	guest lm3 sh -c 'grep -E " /r[ow] " /proc/mounts'
	like "$OUT" ' /ro .* ro,nosuid,nodev,noexec'
	inside lm3 'mount -o remount,bind,rw,dev,exec,suid /ro; touch /ro/x'
	like "$ERR" 'Read-only'
	inside lm3 '/ro/busybox true'
	ne "$STATUS" 0 'execution from a noexec mount'
	inside lm3 'mount -o remount,bind,dev,rw /rw; head -c 1 /rw/zero'
	ne "$STATUS" 0 'opening a device node in a bind mount'
	ok vectl destroy --force lm3
}

test_refused_changes_nothing() {
	source_folder
	mkdir "$T_TMP/witness"
	ln -s /etc "$T_TMP/src/link"
	busybox_ve lm4 --set "mount.old.source=$T_TMP/src" --set mount.old.target=/old
	guest lm4 sh -c "mkdir /srv; ln -s / /srv/top; ln -s /dev/shm /srv/shm; ln -s /run/host /srv/runhost
		ln -s /proc/sys /srv/sys; ln -s /proc/self/fd/3 /srv/fd; ln -s loop /srv/loop; ln -s /no/thing /srv/dangling
		ln -s ../../../../../../../..$T_TMP/witness /srv/upwards; touch /srv/plain"
	local text list init keeper
	text=$(vectl get lm4)
	init=$(info lm4 "d['pid']")
	keeper=$(info lm4 "d['keeper']")
	list=$(cut -d' ' -f3-6 "/proc/$init/mountinfo" | sort)
	refuses() { # PATTERN ASSIGNMENT...
		local pattern=$1
		shift
		fails 1 vectl set lm4 hostname=bad mount.old.options=ro "$@"
		like "$ERR" "$pattern"
		eq "$(vectl get lm4)" "$text" 'the spec'
		eq "$(cut -d' ' -f3-6 "/proc/$init/mountinfo" | sort)" "$list" "the VE's mounts"
		eq "$(grep -c ' /b/' "/proc/$keeper/mountinfo")" 1 'what the keeper has'
	}
	refuses '^vectl: lm4: set: mount.new: .*/nothing: No such file or directory: make it' \
		"mount.new.source=$T_TMP/src/nothing" mount.new.target=/new
	refuses 'mount.new: .*symbolic link is in the source' "mount.new.source=$T_TMP/src/link" mount.new.target=/new
	refuses 'mount.new: .*does not know that file system' mount.new.source=/dev/null mount.new.type=nosuchfs \
		mount.new.target=/new
	refuses 'mount.new: nonsense: ' mount.new.type=tmpfs mount.new.target=/new mount.new.options=nonsense=7
	local where
	for where in top shm runhost sys; do
		refuses "mount.new: /srv/$where: .*leads to /, or into /dev, /run/host" \
			"mount.new.source=$T_TMP/src" "mount.new.target=/srv/$where"
	done
	for where in fd loop dangling; do
		refuses "mount.new: /srv/$where: .*choose another target" "mount.new.source=$T_TMP/src" \
			"mount.new.target=/srv/$where"
	done
	refuses 'mount.new: /srv/plain: .*there is a file' "mount.new.source=$T_TMP/src" mount.new.target=/srv/plain
	refuses 'mount.new: /srv: .*name the file' "mount.new.source=$T_TMP/src/file" mount.new.target=/srv
	# What fails when the mounts are there already takes them back.
	refuses 'sysctl.net.ipv4.no_such: ' "mount.new.source=$T_TMP/src" mount.new.target=/new sysctl.net.ipv4.no_such=1
	guest lm4 sh -c 'hostname; cat /old/file; touch /old/writable'
	eq "$OUT" $'lm4\ncontent'
	eq "$(pending lm4)" '[]'
	# However often: nothing of them is kept.
	local i many=()
	for ((i = 0; i < 50; i++)); do many+=("mount.m$i.source=$T_TMP/src" "mount.m$i.target=/m$i"); done
	for i in 1 2 3 4; do
		refuses 'sysctl.net.ipv4.no_such: ' "${many[@]}" sysctl.net.ipv4.no_such=1
	done
	# Nor in the boots that follow.
	reboot_ve lm4
	guest lm4 sh -c 'hostname; cat /old/file; touch /old/writable'
	eq "$OUT" $'lm4\ncontent' 'after a reboot'
	ok vectl set lm4 labels.a=1
	eq "$(pending lm4)" '[]'
	try vectl set lm4 "mount.new.source=$T_TMP/src" mount.new.target=/srv/upwards/x
	[ -z "$(ls -A "$T_TMP/witness")" ] || die 'a link led to the host'
	ok vectl destroy --force lm4
}

test_what_the_guest_made_of_it() {
	source_folder
	busybox_ve lm5 --set "mount.data.source=$T_TMP/src" --set mount.data.target=/data
	local before=() how why
	waits() { # WHY
		like "$ERR" "^lm5: waits for the next start: mount.data.source, mount.data.target$"
		like "$ERR" "^lm5: mount.data waits: $1$"
		eq "$(pending lm5)" '["mount.data.source", "mount.data.target"]'
	}
	# In use: it waits, and comes about with a later change once it is not any more.
	guest lm5 sh -c 'cd /data; (exec sleep 1000 >/dev/null 2>&1 & echo $! >/tmp/user)'
	ok vectl unset lm5 mount.data
	waits 'it is in use in the VE'
	guest lm5 cat /data/file
	ok vectl set lm5 labels.a=1
	waits 'it is in use in the VE'
	guest lm5 sh -c 'kill $(cat /tmp/user); while kill -0 $(cat /tmp/user); do :; done 2>/dev/null'
	ok vectl set lm5 labels.a=2
	eq "$(pending lm5)" '[]'
	eq "$(mounted lm5 /data)" 0
	# Taken off by the VE itself: nothing is left to do.
	ok vectl set lm5 "mount.data.source=$T_TMP/src" mount.data.target=/data
	guest lm5 umount /data
	ok vectl unset lm5 mount.data
	eq "$(pending lm5)" '[]'
	for how in 'mount -t tmpfs none /data' 'mkdir -p /away; mount --make-private /; mount --move /data /away' \
		'mkdir -p /away; mount --bind /data /away' 'mount --bind /data/sub /data'; do
		ok vectl set lm5 "mount.data.source=$T_TMP/src" mount.data.target=/data
		guest lm5 sh -c "$how"
		why='the VE has moved or covered it'
		[[ $how != *'--bind /data /away' ]] || why='the VE shows it at another place, too'
		ok vectl unset lm5 mount.data
		waits "$why"
		# The guest's own is left alone, and a reboot is with it as long as it waits.
		case $how in
		*tmpfs*) guest lm5 sh -c 'grep " /data tmpfs" /proc/mounts' ;;
		*away) guest lm5 cat /away/file ;;
		esac
		reboot_ve lm5
		guest lm5 cat /data/file
		ok vectl set lm5 labels.a=3
		eq "$(pending lm5)" '[]'
		guest lm5 ls /data
		eq "$OUT" ''
	done
	# A part of it is a way to the host's as well.
	for how in 'mkdir -p /part; mount --bind /data/sub /part' 'touch /part-file; mount --bind /data/file /part-file'; do
		ok vectl set lm5 "mount.data.source=$T_TMP/src" mount.data.target=/data
		guest lm5 sh -c "$how"
		ok vectl unset lm5 mount.data
		waits 'the VE shows it at another place, too'
		guest lm5 umount "${how##* }"
		ok vectl set lm5 labels.a=4
		eq "$(pending lm5)" '[]'
		eq "$(mounted lm5 /data)" 0
	done
	# One that vectl shows is none of the VE's.
	ok vectl set lm5 "mount.data.source=$T_TMP/src" mount.data.target=/data "mount.sub.source=$T_TMP/src/sub" \
		mount.sub.target=/sub
	ok vectl unset lm5 mount.data
	eq "$(pending lm5)" '[]'
	ok vectl unset lm5 mount.sub
	eq "$(pending lm5)" '[]'
	# One above another would hide it.
	ok vectl set lm5 "mount.data.source=$T_TMP/src" mount.data.target=/srv/data
	ok vectl set lm5 mount.top.type=tmpfs mount.top.target=/srv
	like "$ERR" '^lm5: mount.top waits: it would hide what is mounted beneath it$'
	guest lm5 cat /srv/data/file
	ok vectl restart lm5 --wait=ready
	guest lm5 sh -c 'cat /srv/data/file; grep -c " /srv" /proc/mounts'
	eq "$OUT" $'content\n2'
	ok vectl set lm5 --json mount.top.options=size=1M
	eq "$(json "d['notes']" <<<"$OUT")" '["mount.top waits: it is in use in the VE"]'
	eq "$(json "d['pending']" <<<"$OUT")" '["mount.top.options"]'
	ok vectl destroy --force lm5
}

# What was taken off, and what failed, pins nothing on the host any more.
test_lets_the_source_go() {
	device='' # of the trap, too, which runs when the function has ended
	mkdir -p "$T_TMP"
	truncate -s 32M "$T_TMP/disk"
	command -v mkfs.ext4 >/dev/null || skip 'no mkfs.ext4 on this machine'
	mkfs.ext4 -q "$T_TMP/disk"
	device=$(losetup -f --show "$T_TMP/disk") || skip 'no loop device can be had on this machine'
	trap 'losetup -d "$device"' EXIT
	free() { python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)' "$device"; }
	busybox_ve lm6
	free
	ok vectl set lm6 mount.disk.type=ext4 "mount.disk.source=$device" mount.disk.target=/mnt/disk
	guest lm6 sh -c 'echo kept >/mnt/disk/file; stat -c %u /mnt/disk'
	eq "$OUT" 0 'owner inside of the file system'
	try free
	ne "$STATUS" 0 'an exclusive open of what is mounted'
	ok vectl set lm6 mount.disk.target=/other
	guest lm6 cat /other/file
	eq "$(kept lm6)" 1
	ok vectl unset lm6 mount.disk
	eq "$(kept lm6)" 0
	until_ 10 free
	fails 1 vectl set lm6 mount.disk.type=ext4 "mount.disk.source=$device" mount.disk.target=/mnt/disk \
		sysctl.net.ipv4.no_such=1
	until_ 10 free
	ok vectl destroy --force lm6
}

# Removed on the host: the kernel tells it in the mount's path, which is no reason to leave it there.
test_source_was_removed() {
	source_folder
	echo alone >"$T_TMP/one"
	busybox_ve lm10 --set "mount.data.source=$T_TMP/src" --set mount.data.target=/data
	ok vectl set lm10 "mount.one.source=$T_TMP/one" mount.one.target=/srv/one
	rm -r "$T_TMP/src" "$T_TMP/one"
	eq "$(mounted lm10 /data) $(mounted lm10 /srv/one)" '1 1' 'mounts of what is gone'
	ok vectl unset lm10 mount.data mount.one
	unlike "$ERR" waits
	eq "$(mounted lm10 /data) $(mounted lm10 /srv/one)" '0 0' 'mounts that were unset'
	eq "$(pending lm10)" '[]'
	ok vectl destroy --force lm10
}

test_while_paused() {
	source_folder
	busybox_ve lm7
	ok vectl pause lm7
	ok vectl set lm7 "mount.data.source=$T_TMP/src" mount.data.target=/data
	like "$ERR" 'in effect: mount.data.source'
	ok vectl resume lm7
	guest lm7 cat /data/file
	eq "$OUT" content
	ok vectl destroy --force lm7
}

# The guest changes what lies at the target all the time. Whatever comes of it: nothing outside of the VE is touched, no
# process of ours is left, and in the end all is as the spec says.
test_target_changes_meanwhile() {
	source_folder
	mkdir "$T_TMP/witness"
	busybox_ve lm8
	guest lm8 sh -c "mkdir -p /srv/t /srv/dir
		(exec >/dev/null 2>&1; while :; do
			ln -s ../../../../../../../..$T_TMP/witness /srv/l; mv -T /srv/t /srv/was; mv -T /srv/l /srv/t
			rm /srv/t; ln -s /proc/1/root /srv/t; rm /srv/t; ln -s / /srv/t; rm /srv/t
			mv -T /srv/was /srv/t; mount -t tmpfs none /srv/t; umount /srv/t
		done) & echo \$! >/tmp/swapper"
	local i done_ones=0
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		try timeout 60 vectl set lm8 "mount.data.source=$T_TMP/src" mount.data.target=/srv/t/deep
		case $STATUS in 0) done_ones=$((done_ones + 1)) ;; 1) like "$ERR" '^vectl: lm8: set: mount.data: ' ;; *) die "status $STATUS" ;; esac
		try timeout 60 vectl unset lm8 mount.data
		eq "$STATUS" 0
		[ -z "$(ls -A "$T_TMP/witness")" ] || die 'a link led to the host'
		[ ! -e "$T_TMP/src/deep" ] || die 'a target was made in the source'
	done
	note "$done_ones of 12 were mounted"
	unlike "$(cat /proc/self/mountinfo)" "$T_TMP/(src|witness)"
	guest lm8 sh -c 'kill $(cat /tmp/swapper)'
	reboot_ve lm8
	ok vectl set lm8 labels.a=1
	eq "$(pending lm8)" '[]'
	eq "$(kept lm8)" 0
	ok vectl destroy --force lm8
}

# Mount namespaces, and user namespaces, of the guest's own.
test_nested_namespaces() {
	source_folder
	busybox_ve lm9
	guest lm9 sh -c '(exec unshare -m sleep 1000 >/dev/null 2>&1 &); (exec unshare -Urm sleep 1000 >/dev/null 2>&1 &)'
	ok vectl set lm9 "mount.data.source=$T_TMP/src" mount.data.target=/data
	guest lm9 cat /data/file
	ok vectl unset lm9 mount.data
	eq "$(pending lm9)" '[]'
	eq "$(mounted lm9 /data)" 0
	# An init that has moved on to another root.
	guest lm9 sh -c 'mkdir /new; mount --make-rprivate /; mount --rbind / /new; mount --make-rprivate /new
		mkdir /new/old && pivot_root /new /new/old'
	guest lm9 ls -d /old/new
	try vectl set lm9 "mount.data.source=$T_TMP/src" mount.data.target=/data
	case $STATUS in 0 | 1) ;; *) die "status $STATUS" ;; esac
	unlike "$(cat /proc/self/mountinfo)" "$T_TMP/src"
	ok vectl destroy --force lm9
}

test_in_debian() {
	[ -e "$T_CACHE/debian-13.tar" ] || skip 'no Debian 13 tarball was made'
	source_folder
	ok vectl create lmd --image plain/13
	ok vectl start lmd --wait=ready --timeout 60
	# A service that has a view of the file system of its own already sees it come and go.
	guest lmd systemd-run -q --unit=viewer -p ProtectSystem=strict -p PrivateTmp=yes sleep 1000
	ok vectl set lmd "mount.www.source=$T_TMP/src" mount.www.target=/var/www/html
	guest lmd sh -c 'cat /proc/$(systemctl show -P MainPID viewer)/root/var/www/html/file'
	eq "$OUT" content
	ok vectl unset lmd mount.www
	eq "$(pending lmd)" '[]'
	guest lmd sh -c 'ls /proc/$(systemctl show -P MainPID viewer)/root/var/www/html'
	eq "$OUT" ''
	guest lmd systemctl is-system-running
	eq "$OUT" running
	ok vectl destroy --force lmd
}
