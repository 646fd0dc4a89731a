# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# mount.*: folders and files of the host's, and file systems, shown in a VE; and what a hostile guest makes of it.
# privileged: tmpfs file_system_of_a_block_device refused_when_set bind_maps_owners bind_read_only_and_of_a_file
# privileged: bind_without_idmap rbind bad_sources source_swapped_by_a_guest hostile_targets bind_in_debian

source_folder() { # makes $T_TMP/src with a few owners
	rm -rf "$T_TMP/src"
	mkdir -p "$T_TMP/src/sub"
	chmod 755 "$T_TMP" "$T_TMP/src"
	echo content >"$T_TMP/src/file"
	echo other >"$T_TMP/src/of-1000"
	chown 1000:1000 "$T_TMP/src/of-1000"
}

# start_refused NAME PATTERN: a start fails with one matching line before what the console said, and leaves nothing.
start_refused() {
	try vectl start "$1"
	eq "$STATUS" 1 'status of a refused start'
	like "$(head -n 1 <<<"$ERR")" "$2"
	eq "$(state "$1")" stopped
	eq "$(pids_of "$1")" '' 'processes after a refused start'
	[ ! -e "$VECTL_ROOT/run/vectl/$1" ] || die 'a refused start left a runtime folder'
}

# After what root inside did about a mount's flags, which hold it. In a privileged VE it is root of the host, and they do
# not, as `create --privileged` says.
held() { # WHAT
	if [ -n "$T_PRIVILEGED" ]; then
		eq "$STATUS" 0 "$1, by root of the host"
	else
		ne "$STATUS" 0 "$1"
	fi
}

test_bind_maps_owners() {
	source_folder
	busybox_ve mb --set "mount.data.source=$T_TMP/src" --set mount.data.target=/srv/data/deep
	guest mb stat -c '%u:%g %n' /srv/data/deep/file /srv/data/deep/of-1000
	eq "$OUT" $'0:0 /srv/data/deep/file\n1000:1000 /srv/data/deep/of-1000' 'owners inside'
	guest mb sh -c 'echo from inside > /srv/data/deep/new; chown 7:8 /srv/data/deep/new'
	eq "$(stat -c %u:%g "$T_TMP/src/new")" 7:8 'owner on the host of a file made inside'
	eq "$(cat "$T_TMP/src/new")" 'from inside'
	# nodev, locked: a device node that lies there is not opened, and the flag does not go away.
	mknod "$T_TMP/src/zero" c 1 5
	chmod 666 "$T_TMP/src/zero"
	inside mb 'head -c 1 /srv/data/deep/zero'
	ne "$STATUS" 0 'opening a device node in a bind mount'
	inside mb 'mount -o remount,bind,dev,rw /srv/data/deep'
	inside mb 'head -c 1 /srv/data/deep/zero'
	held 'opening a device node after a remount'
	# Nothing of it is in the host's own mount table.
	unlike "$(cat /proc/self/mountinfo)" "$T_TMP/src"
	# It is there after a reboot in place, and gone from the host's view when the VE has gone.
	try vectl exec mb -- reboot
	until_ 15 sh -c "vectl info mb --json | grep -q '\"boot\": *2\b'"
	until_ 5 vectl exec mb -- true
	guest mb cat /srv/data/deep/file
	eq "$OUT" content 'the file after a reboot'
	ok vectl destroy --force mb
	eq "$(cat "$T_TMP/src/file")" content 'the source after destroy'
}

test_bind_read_only_and_of_a_file() {
	source_folder
	busybox_ve mr --set "mount.conf.source=$T_TMP/src/file" --set mount.conf.target=/etc/app/conf \
		--set mount.conf.options=ro,noexec --set "mount.data.source=$T_TMP/src" --set mount.data.target=/data \
		--set mount.data.options=ro,noexec,nosuid
	guest mr cat /etc/app/conf
	eq "$OUT" content
	inside mr 'echo x > /etc/app/conf'
	like "$ERR" 'Read-only'
	inside mr 'mount -o remount,rw,bind /etc/app/conf; echo content > /etc/app/conf'
	held 'writing after a remount'
	[ -n "$T_PRIVILEGED" ] || like "$ERR" 'Read-only'
	inside mr 'touch /data/x'
	like "$ERR" 'Read-only'
	cp "$(host_arch_busybox)" "$T_TMP/src/busybox"
	inside mr '/data/busybox true'
	ne "$STATUS" 0 'execution from a noexec mount'
	guest mr sh -c 'grep " /data " /proc/mounts'
	like "$OUT" 'ro,nosuid,nodev,noexec'
	eq "$(cat "$T_TMP/src/file")" content
	ok vectl destroy --force mr
}

test_bind_without_idmap() {
	source_folder
	local owner=65534:65534 base
	[ -z "$T_PRIVILEGED" ] || owner=0:0 # its ids are the host's
	busybox_ve mi --set "mount.data.source=$T_TMP/src" --set mount.data.target=/data --set mount.data.idmap=false
	guest mi stat -c %u:%g /data/file
	eq "$OUT" "$owner" "owner inside of the host root's file"
	inside mi 'echo x > /data/file'
	held "writing to the host root's file"
	ok vectl stop mi
	base=$(vectl get mi userns.base)
	[ -z "$T_PRIVILEGED" ] || base=0
	chown "$base:$base" "$T_TMP/src/file"
	ok vectl start mi
	guest mi stat -c %u:%g /data/file
	eq "$OUT" 0:0 "owner inside of a file of the VE's own ids"
	ok vectl destroy --force mi
}

test_rbind() {
	source_folder
	mount -t tmpfs -o mode=755 none "$T_TMP/src/sub"
	trap 'umount "$T_TMP/src/sub"' EXIT # also of a case that fails
	echo below >"$T_TMP/src/sub/below"
	ok vectl create mx --image busybox --set "mount.data.source=$T_TMP/src" --set mount.data.target=/data
	ok vectl start mx --wait=ready
	guest mx ls /data/sub
	eq "$OUT" '' 'what is mounted below, without rbind'
	ok vectl set mx mount.data.options=rbind,ro
	ok vectl restart mx --wait=ready
	guest mx cat /data/sub/below
	eq "$OUT" below 'what is mounted below, with rbind'
	inside mx 'touch /data/sub/x'
	like "$ERR" 'Read-only' 'ro of what is mounted below'
	inside mx 'umount /data/sub && ls /data/sub'
	held 'taking off a part of a tree'
	eq "$OUT" '' 'what is below it'
	ok vectl destroy --force mx
	eq "$(cat "$T_TMP/src/sub/below")" below "the host's own mount"
}

test_tmpfs() {
	busybox_ve mt --set mount.scratch.type=tmpfs --set mount.scratch.target=/scratch \
		--set mount.scratch.options=size=1M,mode=1777,noexec --set mount.inner.type=tmpfs \
		--set mount.inner.target=/scratch/inner
	guest mt sh -c 'grep scratch /proc/mounts; stat -c %a /scratch'
	like "$OUT" '/scratch tmpfs rw,.*nodev,noexec.*size=1024k'
	like "$OUT" '^1777$'
	like "$OUT" ' /scratch/inner tmpfs'
	inside mt 'head -c 3000000 /dev/zero > /scratch/big'
	ne "$STATUS" 0 'more than the size of a tmpfs'
	ok vectl stop mt
	ok vectl set mt mount.scratch.options=size=1M,nonsense=7
	start_refused mt 'mount-inside: .*nonsense'
	ok vectl destroy --force mt
}

test_file_system_of_a_block_device() {
	device='' # of the trap, too, which runs when the function has ended
	mkdir -p "$T_TMP"
	truncate -s 32M "$T_TMP/disk"
	command -v mkfs.ext4 >/dev/null || skip 'no mkfs.ext4 on this machine'
	mkfs.ext4 -q "$T_TMP/disk"
	device=$(losetup -f --show "$T_TMP/disk") || skip 'no loop device can be had on this machine'
	trap 'losetup -d "$device"' EXIT
	busybox_ve me --set mount.disk.type=ext4 --set "mount.disk.source=$device" --set mount.disk.target=/mnt/disk
	guest me stat -c %u:%g /mnt/disk
	eq "$OUT" 0:0 'owner inside of the file system'
	guest me sh -c 'echo kept > /mnt/disk/file; grep /mnt/disk /proc/mounts'
	like "$OUT" '^/dev/.* /mnt/disk ext4 rw,nodev'
	ok vectl restart me --wait=ready
	guest me cat /mnt/disk/file
	eq "$OUT" kept
	ok vectl stop me
	ok vectl set me mount.disk.options=ro,nosuch=1
	start_refused me 'make-mount: mount.disk: '
	ok vectl set me mount.disk.type=nosuchfs mount.disk.options=ro
	start_refused me 'make-mount: mount.disk: .*does not know that file system'
	ok vectl set me "mount.disk.source=$T_TMP/disk" mount.disk.type=ext4
	start_refused me 'make-mount: mount.disk: .*block device'
	ok vectl destroy --force me
}

test_bad_sources() {
	source_folder
	ln -s /etc "$T_TMP/src/link"
	ok vectl create ms --image busybox --set "mount.data.source=$T_TMP/src/nothing" --set mount.data.target=/data
	start_refused ms 'open-mount: mount.data: .*/nothing: No such file or directory: make it'
	ok vectl set ms "mount.data.source=$T_TMP/src/link"
	start_refused ms 'open-mount: mount.data: .*symbolic link is in the source'
	ok vectl set ms "mount.data.source=$T_TMP/src/link/passwd"
	start_refused ms 'open-mount: mount.data: .*symbolic link is in the source'
	ok vectl set ms mount.data.source=/proc/self
	start_refused ms 'mount.data: .*(symbolic link|idmap=false)'
	ok vectl set ms "mount.data.source=/proc/$$"
	if [ -n "$T_PRIVILEGED" ]; then # no owner is mapped, so none has to be
		ok vectl start ms
		guest ms cat /data/comm
		eq "$OUT" "$(cat "/proc/$$/comm")"
	else
		start_refused ms 'attach-mount: mount.data: .*idmap=false'
	fi
	ok vectl destroy --force ms
}

# A folder that a guest can write to is the source's parent: it puts a link to the host's /etc there.
test_source_swapped_by_a_guest() {
	source_folder
	busybox_ve mw --set "mount.all.source=$T_TMP/src" --set mount.all.target=/all
	ok vectl create mv --image busybox --set "mount.sub.source=$T_TMP/src/sub" --set mount.sub.target=/sub
	guest mw sh -c 'rmdir /all/sub; ln -s /etc /all/sub'
	start_refused mv 'symbolic link is in the source'
	guest mw sh -c 'rm /all/sub; ln -s ../../../../../../../../etc /all/sub'
	start_refused mv 'symbolic link is in the source'
	ok vectl destroy --force mw mv
}

# With owners mapped the VE's root makes setuid files of the host's root: said, where anybody could execute them.
test_exposed_source_is_said() {
	open='' # of the trap, too
	open=$(mktemp -d /var/tmp/vectl-test.XXXXXX)
	trap 'rm -rf "$open"' EXIT
	case ,$(findmnt -no OPTIONS -T "$open"), in
	*,nosuid,* | *,noexec,*) skip '/var/tmp is on a file system where nothing is setuid' ;;
	esac
	mkdir -p "$open/data"
	chmod 755 "$open"
	local note="mount.data: root of the VE can make setuid files.* in $open/data, .*options=ro or idmap=false"
	ok vectl create mo --image busybox --set "mount.data.source=$open/data" --set mount.data.target=/data
	said() { # WHEN: yes or no
		ok vectl plan mo
		if [ "$1" = yes ]; then like "$OUT" "$note"; else unlike "$OUT" 'setuid files'; fi
	}
	said yes
	ok vectl info mo
	like "$OUT" "$note"
	ok vectl set mo mount.data.options=ro
	said no
	ok vectl set mo mount.data.options=nosuid
	said yes # that is the mount's alone; the file on the host is setuid
	ok vectl set mo mount.data.idmap=false
	said no
	ok vectl unset mo mount.data.idmap
	# Its own mode is no help: the VE's root takes it back.
	chmod 700 "$open/data"
	said yes
	ok vectl start mo
	guest mo sh -c 'chmod 755 /data; cp /bin/busybox /data/x; chmod 4755 /data/x'
	eq "$(stat -c '%a %u' "$open/data" "$open/data/x")" $'755 0\n4755 0' 'what the VE made of it'
	ok vectl stop mo
	chmod 711 "$open"
	said yes
	chmod 700 "$open"
	said no
	ok vectl destroy --force mo
}

# What a guest has put at a target before: links of every kind lead inside the VE or to a refusal.
test_hostile_targets() {
	source_folder
	mkdir -p "$T_TMP/witness"
	busybox_ve mh
	guest mh sh -c "mkdir -p /srv /inside
		ln -s /inside /srv/absolute
		ln -s ../../../../../../../..$T_TMP/witness /srv/upwards
		ln -s $T_TMP/witness /srv/host
		ln -s /proc/self/fd/3 /srv/fd
		ln -s /proc/1/root /srv/root
		ln -s /proc/sys /srv/sys
		ln -s / /srv/top
		ln -s ../../.. /srv/dots
		ln -s /dev /srv/dev
		ln -s /dev/shm /srv/shm
		ln -s /run /srv/run
		ln -s /run/host /srv/runhost
		ln -s run/host/incoming /srv/incoming
		ln -s /nothing/at/all /srv/dangling
		ln -s loop /srv/loop
		touch /srv/plain"
	ok vectl stop mh
	ok vectl set mh "mount.d.source=$T_TMP/src" mount.d.target=/srv/absolute
	ok vectl start mh
	guest mh cat /inside/file
	eq "$OUT" content 'through an absolute link, inside'
	ok vectl stop mh
	local where
	for where in upwards host; do
		ok vectl set mh "mount.d.target=/srv/$where/x"
		try vectl start mh
		[ -z "$(ls -A "$T_TMP/witness")" ] || die "/srv/$where led to the host"
		[ "$STATUS" != 0 ] || ok vectl stop --force mh
	done
	for where in fd fd/x root root/x; do
		ok vectl set mh "mount.d.target=/srv/$where"
		start_refused mh 'bind-mount: mount.d: /srv/.*(link|choose another)'
	done
	ok vectl set mh mount.d.target=/srv/sys
	start_refused mh 'bind-mount: mount.d: /srv/sys: .*/proc or /sys'
	# What is refused by name is refused where a link leads: the VE's root itself, and what vectl shows inside.
	for where in top dots dev shm runhost incoming; do
		ok vectl set mh "mount.d.target=/srv/$where"
		start_refused mh "bind-mount: mount.d: /srv/$where: .*leads to /, or into /dev, /run/host"
	done
	ok vectl set mh mount.d.target=/srv/dev/new/er
	start_refused mh 'bind-mount: mount.d: /srv/dev/new/er: .*into /dev'
	ok vectl set mh mount.t.type=tmpfs mount.t.target=/srv/top mount.d.target=/srv/absolute
	start_refused mh 'mount-inside: /srv/top: .*leads to /'
	ok vectl unset mh mount.t
	ok vectl set mh mount.d.target=/srv/top/other mount.e.source="$T_TMP/src" mount.e.target=/srv/run/app
	ok vectl start mh
	guest mh sh -c 'cat /other/file /run/app/file; ls -d /bin /dev/null /run/host/os-release'
	eq "$OUT" "$(printf '%s\n' content content /bin /dev/null /run/host/os-release)" 'below / and /run, by a link'
	ok vectl stop mh
	ok vectl unset mh mount.e
	ok vectl set mh mount.d.target=/srv/dangling
	start_refused mh 'bind-mount: mount.d: /srv/dangling: .*leads to nothing'
	ok vectl set mh mount.d.target=/srv/loop
	start_refused mh 'bind-mount: mount.d: /srv/loop'
	ok vectl set mh mount.d.target=/srv/plain
	start_refused mh 'bind-mount: mount.d: /srv/plain: .*there is a file'
	ok vectl set mh mount.d.target=/srv "mount.d.source=$T_TMP/src/file"
	start_refused mh 'bind-mount: mount.d: /srv: .*name the file'
	[ -z "$(ls -A "$T_TMP/witness")" ] || die 'a link led to the host'
	ok vectl destroy --force mh
}

test_refused_when_set() {
	ok vectl create mz --image busybox
	refused_set() { # PATTERN ASSIGNMENT...
		local pattern=$1
		shift
		fails 2 vectl set mz "$@"
		like "$ERR" "$pattern"
		fails 1 vectl get mz mount.m.source
	}
	refused_set 'mount.m.target is not set' mount.m.source=/srv
	refused_set 'mount.m.source is not set' mount.m.target=/srv mount.m.type=ext4
	refused_set 'path inside' mount.m.source=/srv mount.m.target=/
	local place
	for place in /proc /proc/sys /sys/fs /dev/x /run/host/x; do
		refused_set 'nothing can be mounted in' mount.m.source=/srv "mount.m.target=$place"
	done
	refused_set '`sync. is not an option of a bind mount' mount.m.source=/srv mount.m.target=/srv mount.m.options=ro,sync

	refused_set 'cannot be mounted from outside' mount.m.source=/x mount.m.target=/srv mount.m.type=proc
	refused_set "the VE's own anyhow" mount.m.type=tmpfs mount.m.target=/srv mount.m.idmap=true
	refused_set 'both at /srv' mount.m.source=/a mount.m.target=/srv mount.n.source=/b mount.n.target=/srv
	ok vectl destroy --force mz
}

test_bind_in_debian() {
	[ -e "$T_CACHE/debian-13.tar" ] || skip 'no Debian 13 tarball was made'
	source_folder
	ok vectl create md --image plain/13 --set "mount.www.source=$T_TMP/src" --set mount.www.target=/var/www/html \
		--set mount.run.type=tmpfs --set mount.run.target=/run/app
	ok vectl start md --wait=ready --timeout 60
	guest md cat /var/www/html/file
	eq "$OUT" content
	guest md findmnt -no FSTYPE /run/app
	eq "$OUT" tmpfs
	# A service with a file system view of its own sees it too.
	guest md systemd-run --pipe --wait -q -p ProtectSystem=strict -p PrivateTmp=yes cat /var/www/html/file
	eq "$OUT" content
	guest md systemctl is-system-running
	eq "$OUT" running
	ok vectl destroy --force md
}
