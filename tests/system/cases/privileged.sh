# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What is special about a privileged VE: what it is kept from, what is said of it, and the way there and back.
# limit test_debian_there_and_back 180

setup() {
	ok vectl create p1 --image busybox --privileged
	ok vectl start p1 --wait=ready
	ok sh -c "vectl exec p1 -- sh -c 'cat > /bin/probe && chmod 755 /bin/probe' < $T_BUILD/tmp/probe"
}

teardown() {
	ok vectl destroy --force p1
}

refused() { # NAME SCRIPT WHAT [ERROR]: fails inside, with these words
	inside "$1" "$2"
	ne "$STATUS" 0 "$3"
	like "$OUT$ERR" "${4:-Read-only file system|Operation not permitted|nonexistent directory}" "$3"
}

test_it_is_said() {
	ok vectl create p2 --image busybox --privileged
	like "$ERR" 'p2: privileged' 'what create says'
	like "$ERR" 'not contained' 'what create says'
	like "$ERR" 'mounted read-only .* root inside can make writable' 'what create says'
	eq "$(vectl get p2 privileged)" true
	ok vectl info p2
	like "$OUT" 'Privileged +yes'
	like "$OUT" 'not contained'
	unlike "$OUT" 'Host ids'
	ok vectl plan p2
	like "$OUT" 'note: privileged'
	unlike "$OUT" 'user-namespace'
	ok vectl set p2 privileged=false
	eq "$ERR" ''
	eq "$(info p2 "str(d['privileged']) + str(len(d['lost'])) + str(d['userns']['count'])")" False065536
	ok vectl set p2 privileged=true
	like "$ERR" 'not contained' 'what set says'
	ok vectl destroy p2
	ok vectl -q create p2 --image busybox --privileged
	eq "$OUT$ERR" '' 'create -q'
	ok vectl destroy p2
	ok vectl create p2 --image busybox --privileged --json
	eq "$ERR" ''
	like "$(json "d['lost'][0]" <<<"$OUT")" 'not contained'
	ok vectl destroy p2
	ok vectl create p2 --image busybox --json
	unlike "$OUT" lost
	ok vectl destroy p2
}

# It is the host's root for the kernel; else the tests below would test something else.
test_no_user_namespace() {
	local init
	init=$(info p1 "d['pid']")
	eq "$(readlink "/proc/$init/ns/user")" "$(readlink /proc/self/ns/user)" 'user namespace'
	local ns
	for ns in mnt pid net uts ipc cgroup time; do
		ne "$(readlink "/proc/$init/ns/$ns")" "$(readlink "/proc/self/ns/$ns")" "namespace $ns of the host"
	done
	guest p1 sh -c 'echo x > /root/mine; chown 1000:1000 /root/mine'
	eq "$(stat -c %u:%g "$VECTL_ROOT/var/lib/vectl/ve/p1/disk/upper/root/mine")" 1000:1000 'owner on the disk'
	ok vectl ps p1 --json
	eq "$(json "[p['guest_uid'] for p in d['processes'] if p['guest_pid'] == 1][0]" <<<"$OUT")" 0
}

test_devices() {
	local node
	busybox_ve p6 --privileged
	for node in 'b 8 0' 'b 7 0' 'b 254 0' 'c 1 1' 'c 1 11' 'c 4 0' 'c 10 237' 'c 10 229' 'c 10 200' 'c 29 0' 'c 0 1'; do
		refused p6 "rm -f /root/node; mknod /root/node $node" "mknod $node" 'Operation not permitted'
	done
	# Nodes of what may be used may be made, as debootstrap does; the host's console can still not be opened.
	guest p6 sh -c 'rm -f /root/n; mknod /root/n c 1 3; echo x > /root/n; mknod /root/z c 1 5; head -c 4 /root/z | wc -c'
	eq "$OUT" 4
	guest p6 sh -c 'mknod /root/console c 5 1'
	refused p6 'echo x > /root/console' "writing the host's console" 'Operation not permitted'
	refused p6 'head -c 1 /root/console' "reading the host's console" 'Operation not permitted'
	# One that the host makes in the VE's own folder: its root finds it, and cannot open it.
	mknod "$VECTL_ROOT/var/lib/vectl/ve/p6/disk/upper/mem" c 1 1
	mknod "$VECTL_ROOT/var/lib/vectl/ve/p6/disk/upper/kmsg" c 1 11
	ok vectl restart p6
	guest p6 ls /mem /kmsg
	refused p6 'head -c 1 /mem' 'opening /dev/mem' 'Operation not permitted'
	refused p6 'head -c 1 /kmsg' 'opening /dev/kmsg' 'Operation not permitted'
	refused p6 'echo x > /kmsg' 'writing /dev/kmsg' 'Operation not permitted'
	ok vectl destroy --force p6
}

test_devices_after_a_reboot() {
	local boot
	busybox_ve p6 --privileged
	boot=$(info p6 "d['boot']")
	try vectl exec p6 -- reboot
	until_ 15 sh -c "vectl info p6 --json | grep -q '\"boot\": *$((boot + 1))\b'"
	until_ 5 vectl exec p6 -- true
	refused p6 'mknod /root/b b 8 0' 'mknod b 8 0' 'Operation not permitted'
	refused p6 'echo 1 > /proc/sys/kernel/panic' 'a write of /proc/sys/kernel/panic' 'Read-only'
	guest p6 sed -n 's/^CapBnd:\t//p' /proc/1/status
	local again=$OUT
	ok vectl restart p6
	guest p6 sed -n 's/^CapBnd:\t//p' /proc/1/status
	eq "$again" "$OUT" 'bounding set after a reboot, and after a start'
	ok vectl destroy --force p6
}

test_settings_of_the_host() {
	local file before
	for file in kernel/core_pattern kernel/modprobe kernel/sysrq kernel/panic vm/drop_caches vm/overcommit_memory \
		fs/file-max kernel/hotplug kernel/poweroff_cmd kernel/randomize_va_space; do
		[ -e "/proc/sys/$file" ] || continue
		before=$(cat "/proc/sys/$file" 2>/dev/null || true)
		refused p1 "echo 1 > /proc/sys/$file" "a write of /proc/sys/$file" 'Read-only file system'
		eq "$(cat "/proc/sys/$file" 2>/dev/null || true)" "$before" "the host's $file"
	done
	[ ! -d /proc/irq ] || refused p1 'touch /proc/irq/default_smp_affinity' '/proc/irq'
	refused p1 'echo h > /proc/sysrq-trigger' 'sysrq-trigger'
	refused p1 'touch /sys/x' '/sys'
	refused p1 'echo 1 > /sys/kernel/mm/transparent_hugepage/enabled' 'a setting below /sys' 'Read-only|nonexistent'
	refused p1 'echo "|/bin/sh" > /sys/kernel/uevent_helper' 'uevent_helper' 'Read-only|nonexistent'
	for file in kcore kallsyms keys kmsg timer_list kpageflags vmallocinfo; do
		inside p1 "[ ! -e /proc/$file ] || head -c 16 /proc/$file 2>/dev/null | tr -d '\\0'"
		eq "$OUT" '' "what /proc/$file shows"
	done
	guest p1 cat /proc/mounts
	unlike "$OUT" '/dev/.vectl' 'a proc that nothing guards'
}

test_settings_of_its_own() {
	local host
	host=$(uname -n)
	guest p1 sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward'
	eq "$OUT" 1
	guest p1 sh -c 'echo 70000 > /proc/sys/kernel/shmmni || echo 7000 > /proc/sys/kernel/shmmni; cat /proc/sys/kernel/shmmni'
	ne "$OUT" "$(cat /proc/sys/kernel/shmmni)" "the host's shmmni"
	guest p1 sh -c 'echo other > /proc/sys/kernel/hostname; hostname'
	eq "$OUT" other
	eq "$(uname -n)" "$host" "the host's own name"
}

test_capabilities_and_calls() {
	guest p1 probe caps
	local line=$OUT bit mask
	mask=$((16#$(sed -n 's/^CapBnd:\t//p' <<<"$line")))
	# dac_read_search linux_immutable sys_module sys_rawio sys_pacct sys_time mac_* syslog wake_alarm … bpf
	for bit in 2 9 16 17 20 25 30 32 33 34 35 36 37 38 39; do
		[ $((mask >> bit & 1)) = 0 ] || die "capability $bit is in the bounding set"
	done
	for bit in 0 1 5 6 7 8 12 13 18 19 21 22 27; do
		[ $((mask >> bit & 1)) = 1 ] || die "capability $bit is not in the bounding set"
	done
	like "$line" 'CapInh:[[:space:]]0000000000000000'
	like "$line" 'CapAmb:[[:space:]]0000000000000000'
	like "$line" 'NoNewPrivs:[[:space:]]0'
	like "$line" 'Seccomp:[[:space:]]2'
	guest p1 probe syscalls
	local name
	for name in kexec_load init_module finit_module delete_module open_by_handle_at swapon iopl syslog bpf; do
		like "$OUT" "^$name EPERM$"
	done
	guest p1 probe privileged
	like "$OUT" '^FIFREEZE EPERM$'
	like "$OUT" '^TIOCCONS EPERM$'
	like "$OUT" '^reboot.CAD EINVAL$' 'Ctrl-Alt-Del of the host'
	like "$OUT" '^clock EPERM$'
}

# What a caller's own credentials hold does not get inside, where no user namespace clears it.
test_credentials_of_the_caller() {
	ok vectl create p3 --image busybox --privileged
	ok setpriv --inh-caps=+chown,+net_raw --groups 4,27 --securebits=+noroot_locked,+noroot -- true ||
		skip 'setpriv cannot set these here'
	ok setpriv --inh-caps=+chown,+net_raw,+sys_admin --groups 4,27 -- vectl start p3
	ok setpriv --inh-caps=+chown,+net_raw,+sys_admin --groups 4,27 -- vectl exec p3 -- sh -c \
		'grep -E "^(CapInh|CapAmb|Groups)" /proc/1/status /proc/self/status'
	unlike "$OUT" 'Cap(Inh|Amb):[[:space:]].*[1-9a-f]' 'capabilities that the caller had inheritable'
	unlike "$OUT" 'Groups:[[:space:]].*[1-9]' "the caller's groups"
	ok setpriv --securebits=+no_setuid_fixup -- vectl exec p3 -- sh -c \
		'echo u:x:1000:1000::/:/bin/sh >> /etc/passwd; su u -c "grep CapEff /proc/self/status"'
	like "$OUT" '0000000000000000$' 'capabilities of a user after su'
	ok vectl destroy --force p3
}

test_processes_behind() {
	local pid keeper server mask bit
	keeper=$(info p1 "d['keeper']")
	server=$(pids_of p1 supervisor | grep -vx "$keeper")
	[ -n "$server" ] || die 'no supervisor process beside the keeper'
	# Who reads what the guest says is nobody.
	unlike "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$server/status")" '\b0\b' 'uid'
	unlike "$(awk '/^Gid:/ { print $2, $3, $4, $5 }' "/proc/$server/status")" '\b0\b' 'gid'
	like "$(grep Groups "/proc/$server/status")" '^Groups:[[:space:]]*$'
	for pid in CapEff CapPrm CapInh CapAmb; do
		like "$(grep $pid "/proc/$server/status")" '0000000000000000$'
	done
	like "$(grep NoNewPrivs "/proc/$server/status")" '1$'
	like "$(grep Seccomp: "/proc/$server/status")" '2$'
	# The keeper stays root for the reboots, without what those do not need.
	mask=$((16#$(sed -n 's/^CapEff:\t//p' "/proc/$keeper/status")))
	for bit in 16 17 30 34 39; do
		[ $((mask >> bit & 1)) = 0 ] || die "the keeper has capability $bit"
	done
	like "$(grep Groups "/proc/$keeper/status")" '^Groups:[[:space:]]*$'
}

# The host's programs, which root inside finds behind /proc/PID/exe, lie on a read-only mount (CVE-2019-5736). Asked here
# by root outside, since what enters is there for too short a time; the mount is the same.
test_programs_of_the_host() {
	local before pid count=0
	before=$(find "$T_PREFIX" -type f -perm /111 -exec sha256sum {} + | sort)
	vectl exec p1 -- sleep 7777 &
	until_ 5 sh -c 'vectl exec p1 -- ps | grep -q "[s]leep 7777"'
	for pid in /proc/[0-9]*; do
		# Those of other roots are none of ours.
		case $(stat -Lc %d:%i "$pid/exe" 2>/dev/null || true) in
		"$(stat -c %d:%i "$T_PREFIX/libexec/vectl/ve-enter")") ;;
		"$(stat -c %d:%i "$T_PREFIX/libexec/vectl/ve-supervisor")") ;;
		*) continue ;;
		esac
		count=$((count + 1))
		like "$(readlink "$pid/exe")" '^/ve-(enter|supervisor)$'
		try touch -c "$pid/exe"
		like "$ERR" 'Read-only file system' "touching the program of $(cat "$pid/comm")"
	done
	guest p1 killall sleep
	wait
	[ "$count" -ge 3 ] || die "$count processes found, not keeper, supervisor and what entered"
	guest p1 sh -c 'printf "#!/proc/self/exe\n" > /tmp/evil && chmod 755 /tmp/evil'
	for pid in 1 2 3 4 5; do try timeout 20 vectl exec p1 -- /tmp/evil; done
	eq "$(find "$T_PREFIX" -type f -perm /111 -exec sha256sum {} + | sort)" "$before" "the host's programs"
}

# A hierarchy of cgroup v1 that is mounted inside shows at most the VE's own place: nothing there runs a program.
test_release_agent() {
	guest p1 cat /proc/mounts
	unlike "$OUT" ' cgroup (rw|ro)' 'a hierarchy of cgroup v1'
	unlike "$OUT" "$VECTL_ROOT" "the host's path in the VE's mounts"
	inside p1 'mkdir -p /tmp/c; mount -t cgroup -o none,name=vectltest none /tmp/c'
	ne "$STATUS" 0 'a new hierarchy of cgroup v1'
	inside p1 'find /sys/fs/cgroup -name release_agent'
	eq "$OUT" ''
	inside p1 'cat /proc/self/cgroup'
	unlike "$OUT" '\.\.' 'a cgroup outside of the namespace'
	inside p1 'cat /sys/fs/cgroup/../cgroup/cgroup.procs'
	local pid
	for pid in $OUT; do
		inside p1 "[ $pid = 0 ] || [ -d /proc/$pid ]"
		eq "$STATUS" 0 "pid $pid of another namespace in the VE's cgroup"
	done
}

# Its disk is the same for both: owners, set-user-id files, capabilities and deleted folders.
there_and_back() { # NAME: created, stopped
	local name=$1 round want
	for round in true false true; do
		ok vectl set "$name" privileged="$round"
		ok vectl start "$name" --wait=ready --timeout 60
		eq "$(info "$name" "str(d['privileged']).lower()")" "$round"
		if [ "$round" = true ] && [ ! -e "$T_TMP.made" ]; then
			: >"$T_TMP.made"
			guest "$name" sh -c 'mkdir -p /srv/d && echo a > /srv/d/a && chown 1234:4321 /srv/d/a && chmod 4755 /srv/d/a
				rm -rf /etc/init.d /usr/share/doc; mkdir -p /etc/init.d && echo new > /etc/init.d/only'
		fi
		guest "$name" sh -c 'stat -c "%u:%g %a" /srv/d/a; ls /etc/init.d; stat -c %u:%g / /etc /etc/passwd'
		[ -n "${want:-}" ] || want=$OUT
		eq "$OUT" "$want" "the disk with privileged=$round"
		ok vectl stop "$name" --timeout 40
	done
	like "$want" '1234:4321 4755'
	rm -f "$T_TMP.made"
}

test_there_and_back() {
	ok vectl create p4 --image busybox
	there_and_back p4
	ok vectl start p4
	ok vectl set p4 privileged=false
	like "$ERR" 'waits for the next start: privileged'
	eq "$(info p4 "d['privileged']")" true 'what runs'
	guest p4 true
	ok vectl destroy --force p4
}

test_debian_there_and_back() {
	[ -e "$T_CACHE/debian-13.tar" ] || skip 'no acceptance image of Debian 13: tests/system/images .cache'
	ok vectl create p5 --image plain/13 --privileged
	there_and_back p5
	ok vectl start p5 --wait=ready
	try vectl exec p5 -- systemctl --failed --no-legend --plain
	eq "$OUT" '' 'failed units'
	guest p5 sh -c 'mkdir /root/c && cp /bin/true /root/c/t && (command -v setcap >/dev/null || exit 0; setcap cap_net_raw+ep /root/c/t)'
	ok vectl destroy --force p5
}
