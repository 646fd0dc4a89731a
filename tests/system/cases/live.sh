# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Changes that a running VE takes at once: hostname, sysctl, rlimit and boot.on_exit.
# privileged: takes_them_at_once unset_goes_back refused_changes_nothing while_paused on_exit
# privileged: rlimit_raised hostile_proc in_a_crash_loop while_it_reboots edit of_debian
# limit test_of_debian 180

sees() { # NAME HOSTNAME IP_FORWARD OPEN-FILES
	guest "$1" sh -c 'hostname; cat /proc/sys/net/ipv4/ip_forward; ulimit -n; ulimit -Hn'
	eq "$OUT" "$(printf '%s\n' "$2" "$3" "$4" "$4")" 'host name, sysctl and limit'
	like "$(grep 'Max open files' "/proc/$(info "$1" "d['pid']")/limits")" "^Max open files +$4 +$4 " "init's limit"
}

can_raise() { # CAP_SYS_RESOURCE
	local caps
	caps=$(sed -n 's/^CapEff:\t//p' /proc/self/status)
	[ $((16#$caps >> 24 & 1)) = 1 ]
}

test_takes_them_at_once() {
	busybox_ve lv1 --set rlimit.nofile=3000
	local before init
	before=$(cat /proc/sys/net/ipv4/ip_forward)
	init=$(info lv1 "d['pid']")
	sees lv1 lv1 "$(vectl exec lv1 -- cat /proc/sys/net/ipv4/ip_forward)" 3000
	ok vectl set lv1 hostname=other.example sysctl.net.ipv4.ip_forward=1 rlimit.nofile=2000
	like "$ERR" '^lv1: in effect: hostname, sysctl.net.ipv4.ip_forward, rlimit.nofile$'
	unlike "$ERR" waits
	eq "$(info lv1 "d['pending']")" '[]'
	sees lv1 other.example 1 2000
	guest lv1 cat /etc/hostname
	eq "$OUT" other.example /etc/hostname
	eq "$(info lv1 "d['pid']")" "$init" 'init after a change'
	eq "$(cat /proc/sys/net/ipv4/ip_forward)" "$before" "the host's own"
	reboot_ve lv1
	sees lv1 other.example 1 2000
	# Changed again in the second boot, for the third.
	ok vectl set lv1 hostname=third rlimit.nofile=1900
	reboot_ve lv1
	sees lv1 third 1 1900
	ok vectl restart lv1 --wait=ready
	sees lv1 third 1 1900
	eq "$(info lv1 "d['pending']")" '[]'
	ok vectl destroy --force lv1
}

test_unset_goes_back() {
	busybox_ve lv2 --set hostname=first --set sysctl.net.ipv4.ip_default_ttl=77 --set boot.on_exit=restart
	guest lv2 cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/net/ipv4/conf/lo/rp_filter
	local filter=${OUT#*$'\n'}
	eq "${OUT%$'\n'*}" 77
	ok vectl set lv2 sysctl.net.ipv4.conf.lo.rp_filter=2
	guest lv2 cat /proc/sys/net/ipv4/conf/lo/rp_filter
	eq "$OUT" 2
	ok vectl unset lv2 hostname sysctl boot.on_exit
	like "$ERR" 'in effect: hostname, sysctl, boot.on_exit'
	for boot in 1 2; do
		eq "$(boot_of lv2)" "$boot"
		guest lv2 sh -c 'hostname; cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/net/ipv4/conf/lo/rp_filter'
		eq "$OUT" "$(printf '%s\n' lv2 64 "$filter")" "what is unset, in boot $boot"
		[ "$boot" = 2 ] || reboot_ve lv2
	done
	# Nor does it start again any more.
	try vectl exec lv2 -- poweroff
	ok vectl wait lv2 --state stopped --timeout 15
	ok vectl destroy --force lv2
}

test_rlimit_raised() {
	busybox_ve lv3 --set rlimit.nofile=1000 --set rlimit.core=0
	local text
	text=$(vectl get lv3)
	if can_raise; then
		ok vectl set lv3 rlimit.nofile=1500
		sees lv3 lv3 "$(vectl exec lv3 -- cat /proc/sys/net/ipv4/ip_forward)" 1500
		reboot_ve lv3
		sees lv3 lv3 "$(vectl exec lv3 -- cat /proc/sys/net/ipv4/ip_forward)" 1500
		ok vectl unset lv3 rlimit.nofile
		like "$(grep 'Max open files' "/proc/$(info lv3 "d['pid']")/limits")" '^Max open files +1024 +524288 '
	else
		fails 1 vectl set lv3 rlimit.nofile=1500 hostname=no
		like "$ERR" 'rlimit.nofile: .*CAP_SYS_RESOURCE.*while the VE is stopped'
		fails 1 vectl unset lv3 rlimit.nofile
		eq "$(vectl get lv3)" "$text" 'the spec'
		guest lv3 hostname
		eq "$OUT" lv3
		reboot_ve lv3
		like "$(grep 'Max open files' "/proc/$(info lv3 "d['pid']")/limits")" '^Max open files +1000 +1000 '
	fi
	ok vectl destroy --force lv3
}

test_refused_changes_nothing() {
	busybox_ve lv4 --set rlimit.nofile=3000
	local text key
	ok vectl set lv4 hostname=good sysctl.net.ipv4.ip_forward=1
	text=$(vectl get lv4)
	for key in sysctl.net.ipv4.no_such_thing=1 sysctl.net.ipv4.ip_default_ttl=many rlimit.nofile=max; do
		fails 1 vectl set lv4 hostname=bad sysctl.net.ipv4.ip_forward=0 "$key" rlimit.core=0 labels.a=b
		like "$ERR" "^vectl: lv4: set: ${key%=*}: "
		eq "$(vectl get lv4)" "$text" 'the spec'
		eq "$(info lv4 "d['pending']")" '[]'
		sees lv4 good 1 3000
	done
	# A sysctl that nobody knows the default of, since its file is gone, is no key that can be unset into nothing.
	reboot_ve lv4
	sees lv4 good 1 3000
	# /etc/hostname is what the guest makes of it; nothing of ours hangs on it, or is led out by it.
	guest lv4 sh -c 'rm /etc/hostname; mkfifo /etc/hostname'
	try timeout 20 vectl set lv4 hostname=bad
	eq "$STATUS" 1 'with a FIFO for /etc/hostname'
	like "$ERR" 'hostname: /etc/hostname: it is no ordinary file'
	sees lv4 good 1 3000
	guest lv4 sh -c 'rm /etc/hostname; ln -s /proc/self/fd/4 /etc/hostname'
	try timeout 20 vectl set lv4 hostname=bad
	eq "$STATUS" 1 'with a magic link for /etc/hostname'
	sees lv4 good 1 3000
	guest lv4 sh -c 'rm /etc/hostname; ln -s /../../../../../../tmp/there /etc/hostname; echo a long line of old text >/tmp/there'
	ok vectl set lv4 hostname=linked
	guest lv4 cat /tmp/there
	eq "$OUT" linked 'through a link that stays inside'
	ok vectl destroy --force lv4
}

# Over /proc lies what the guest put there: our changes do not go there, and its own see them.
test_hostile_proc() {
	busybox_ve lv5
	guest lv5 sh -c 'mount -t tmpfs none /proc/sys && mkdir -p /proc/sys/net/ipv4 && echo 7 >/proc/sys/net/ipv4/ip_forward'
	ok vectl set lv5 sysctl.net.ipv4.ip_forward=1 hostname=hp
	guest lv5 sh -c 'cat /proc/sys/net/ipv4/ip_forward; umount /proc/sys; cat /proc/sys/net/ipv4/ip_forward; hostname'
	eq "$OUT" $'7\n1\nhp'
	guest lv5 sh -c 'umount -l /proc; mount -t tmpfs none /dev/.vectl || true'
	ok vectl unset lv5 sysctl.net.ipv4.ip_forward hostname
	guest lv5 sh -c 'mount -t proc proc /proc || exit 0; cat /proc/sys/net/ipv4/ip_forward'
	ok vectl destroy --force lv5
}

test_while_paused() {
	busybox_ve lv6 --set rlimit.nofile=3000
	ok vectl pause lv6
	ok vectl set lv6 hostname=cold sysctl.net.ipv4.ip_forward=1 rlimit.nofile=2500
	like "$ERR" 'in effect: hostname'
	eq "$(state lv6)" paused
	ok vectl resume lv6
	sees lv6 cold 1 2500
	ok vectl destroy --force lv6
}

test_on_exit() {
	busybox_ve lv7
	ok vectl set lv7 boot.on_exit=restart
	like "$ERR" 'in effect: boot.on_exit'
	try vectl exec lv7 -- poweroff
	until_ 20 booted lv7 2
	until_ 10 vectl exec lv7 -- true
	ok vectl set lv7 boot.on_exit=restart-on-failure
	try vectl exec lv7 -- poweroff
	ok vectl wait lv7 --state stopped --timeout 15
	ok vectl destroy --force lv7
}

# An init that ends again and again: between two of them there is none to change.
test_in_a_crash_loop() {
	ok vectl create lv8 --image busybox --set boot.on_exit=restart --set 'init=/bin/sh,-c,hostname; exit 3'
	ok vectl start lv8
	until_ 20 sh -c '[ "$(vectl logs lv8 | grep -c "^--- boot")" -ge 2 ]'
	ok timeout 30 vectl set lv8 boot.on_exit=stop
	ok vectl wait lv8 --state stopped --timeout 90
	ok vectl destroy --force lv8
}

is_in() { [ "$(state "$1")" = "$2" ]; }

# Between two inits, for so long that the change does not wait for the next one; which comes while it is recorded.
test_while_a_restart_is_long_due() {
	[ -z "${T_SANITIZED:-}" ] || skip 'a minute of waiting, which the plain build has'
	mkdir -p "$T_TMP/src"
	chmod 755 "$T_TMP" "$T_TMP/src"
	echo content >"$T_TMP/src/file"
	ok vectl create lv14 --image busybox --set boot.on_exit=restart \
		--set 'init=/bin/sh,-c,sleep 5; [ ! -e /data/file ] || sleep 1000; exit 3'
	ok vectl start lv14
	# After this boot it is 16 seconds.
	until_ 120 booted lv14 5
	until_ 60 is_in lv14 running
	until_ 60 is_in lv14 starting
	ok timeout 100 vectl set lv14 "mount.data.source=$T_TMP/src" mount.data.target=/data
	if [ "$(info lv14 "d['pending']")" = '[]' ]; then
		local i next
		for i in 1 2; do
			next=$(($(boot_of lv14) + 1))
			try vectl exec lv14 -- reboot -f
			until_ 60 booted lv14 "$next"
			until_ 30 vectl exec lv14 -- true
			guest lv14 cat /data/file
			eq "$OUT" content
		done
	else
		note 'no init came in time'
	fi
	ok vectl destroy --force lv14
}

# Boots and changes at once: whatever a change said it did is so in the end.
test_while_it_reboots() {
	ok vectl create lv9 --image busybox --set 'init=/bin/sh,-c,sleep 0.3; reboot -f'
	ok vectl start lv9
	local i done_ones=0
	for i in 1 2 3 4 5 6; do
		try timeout 60 vectl set lv9 "hostname=n$i"
		if [ "$STATUS" = 0 ]; then
			done_ones=$((done_ones + 1))
			eq "$(vectl get lv9 hostname)" "n$i"
		fi
	done
	[ "$done_ones" -ge 1 ] || die 'no change succeeded'
	[ "$(state lv9)" = stopped ] || until_ 20 sh -c "vectl logs lv9 | grep -q boot"
	ok vectl destroy --force lv9
}

test_edit() {
	busybox_ve lv10
	printf '#!/bin/sh\nsed -i %s "$1"\n' "'s/\"name\"/\"hostname\": \"edited\", \"name\"/'" >"$T_TMP.editor"
	chmod +x "$T_TMP.editor"
	EDITOR=$T_TMP.editor ok vectl edit lv10
	guest lv10 hostname
	eq "$OUT" edited
	ok vectl destroy --force lv10
}

test_of_debian() {
	local release any=''
	for release in 12 13; do
		[ -e "$T_CACHE/debian-$release.tar" ] || continue
		any=yes
		ok vectl create "lvd$release" --image "plain/$release" --set rlimit.nofile=15000
		ok vectl start "lvd$release" --wait=ready --timeout 60
		ok vectl set "lvd$release" hostname=renamed sysctl.net.ipv4.ip_default_ttl=99 rlimit.nofile=12000 \
			boot.on_exit=restart
		for boot in 1 2; do
			eq "$(boot_of "lvd$release")" "$boot"
			guest "lvd$release" sh -c 'hostname; hostnamectl hostname; cat /proc/sys/net/ipv4/ip_default_ttl; ulimit -n; cat /etc/hostname'
			eq "$OUT" $'renamed\nrenamed\n99\n12000\nrenamed' "in boot $boot"
			like "$(grep 'Max open files' "/proc/$(info "lvd$release" "d['pid']")/limits")" ' 12000 +files'
			guest "lvd$release" systemd-run -q --wait --pipe sh -c 'ulimit -Hn'
			eq "$OUT" 12000 'of a service that was just started'
			[ "$boot" = 2 ] || reboot_ve "lvd$release"
		done
		ok vectl destroy --force "lvd$release"
	done
	[ "$any" ] || skip 'no acceptance image of Debian'
}
