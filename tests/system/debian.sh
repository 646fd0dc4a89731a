# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The cases for a plain Debian guest whose release is in $release: sourced by cases/debian12.sh and debian13.sh.
# shellcheck disable=SC2154

ve=deb$release
image=plain/$release

setup() {
	[ -e "$T_CACHE/debian-$release.tar" ] || skip "no acceptance image of Debian $release: tests/system/images .cache"
	ok vectl create "$ve" --image "$image" --hostname "host$release"
	ok vectl start "$ve" --wait=ready --timeout 60
	ok sh -c "vectl exec $ve -- sh -c 'cat > /usr/local/bin/probe && chmod 755 /usr/local/bin/probe' < $T_BUILD/tmp/probe"
}

teardown() {
	ok vectl destroy --force "$ve"
}

healthy() { # NAME: `running`, nothing failed
	local state=''
	ok vectl wait "$1" --state ready --timeout 60
	# READY=1 comes before the last jobs are done: systemd itself can wait for those.
	try vectl exec "$1" -- systemctl is-system-running --wait
	state=$OUT
	try vectl exec "$1" -- systemctl --failed --no-legend --plain
	eq "$OUT" '' 'failed units'
	eq "$state" running 'is-system-running'
}

# ---- the main job

test_a_running_and_nothing_failed() {
	healthy "$ve"
}

test_b_main_job() {
	local name=j$release
	ok vectl create "$name" --image "$image"
	ok vectl start "$name" --wait=ready --timeout 60
	eq "$(info "$name" "d['ready']")" true
	healthy "$name"
	ok vectl ps "$name"
	like "$OUT" systemd
	ok vectl info "$name"
	ok vectl list
	like "$OUT" "^$name +running"
	ok vectl logs "$name"
	like "$OUT" 'Debian GNU/Linux'
	ok pty --expect '[#$] ' --send 'echo $((6*7)); exit 5\r' --expect '42' -- sh -c "vectl attach $name; echo status \$?"
	like "$OUT" 'status 5'
	guest "$name" sh -c 'echo kept > /root/file'

	note 'pause and resume'
	ok vectl pause "$name"
	eq "$(state "$name")" paused
	ok vectl resume "$name"
	healthy "$name"

	note 'restart'
	ok vectl restart "$name"
	ok vectl wait "$name" --state running --timeout 30
	healthy "$name"

	note 'reboot by the guest'
	local keeper boot
	keeper=$(info "$name" "d['keeper']")
	boot=$(info "$name" "d['boot']")
	try vectl exec "$name" -- systemctl reboot
	until_ 40 sh -c "vectl info $name --json | grep -q '\"boot\": *$((boot + 1))\b'"
	until_ 20 vectl exec "$name" -- true
	healthy "$name"
	eq "$(info "$name" "d['keeper']")" "$keeper" 'the keeper after a reboot in place'
	guest "$name" cat /root/file
	eq "$OUT" kept
	like "$(grep NoNewPrivs "/proc/$(info "$name" "d['pid']")/status")" '0$' 'init after a reboot'
	guest "$name" su -s /bin/sh -c 'id -u' nobody
	eq "$OUT" 65534

	note 'poweroff by the guest'
	try vectl exec "$name" -- systemctl poweroff
	ok vectl wait "$name" --state stopped --timeout 40
	eq "$(pids_of "$name")" '' 'processes after poweroff'

	ok vectl start "$name" --wait=ready
	guest "$name" cat /root/file
	eq "$OUT" kept
	local began=$SECONDS
	ok vectl stop "$name" --timeout 40
	[ $((SECONDS - began)) -lt 30 ] || die "stop took $((SECONDS - began)) s: init did not hear the signal"
	eq "$(state "$name")" stopped
	ok vectl destroy --force "$name"
}

test_c_reboot_three_times() {
	local name=r$release i
	ok vectl create "$name" --image "$image"
	ok vectl start "$name" --wait=ready --timeout 60
	for i in 2 3 4; do
		try vectl exec "$name" -- systemctl reboot
		until_ 40 sh -c "vectl info $name --json | grep -q '\"boot\": *$i\b'"
		until_ 20 vectl exec "$name" -- true
		healthy "$name"
	done
	ok vectl destroy --force "$name"
}

# A re-used cgroup shows here: services die without a word.
rounds() {
	local name=n$release count=200 i
	[ -z "${T_SANITIZED:-}" ] || count=15
	ok vectl create "$name" --image "$image"
	for i in $(seq "$count"); do
		note "round $i"
		ok vectl start "$name" --wait=ready --timeout 60
		healthy "$name"
		ok vectl stop "$name" --timeout 40
	done
	ok vectl destroy --force "$name"
}

# ---- the guest interface, by the rows of its table

test_row01_container() {
	guest "$ve" sh -c 'tr "\0" "\n" </proc/1/environ | sed -n s/^container=//p'
	local value=$OUT
	[ -n "$value" ] || die 'PID 1 has no container='
	guest "$ve" cat /run/systemd/container
	eq "$OUT" "$value"
	guest "$ve" sh -c 'od -An -c /run/host/container-manager | tail -n 1'
	like "$OUT" '\\n$'
	guest "$ve" cat /run/host/container-manager
	eq "$OUT" "$value"
	guest "$ve" stat -c %a /run/host/container-manager
	eq "$OUT" 444
	guest "$ve" systemd-detect-virt -c
	inside "$ve" 'echo x > /run/host/container-manager'
	ne "$STATUS" 0 'writing /run/host'
}

test_row02_uuid() {
	guest "$ve" cat /run/host/container-uuid
	local uuid=$OUT
	like "$uuid" '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
	guest "$ve" cat /etc/machine-id
	eq "$OUT" "${uuid//-/}" 'machine-id'
	guest "$ve" sh -c 'tr "\0" "\n" </proc/1/environ | sed -n s/^container_uuid=//p'
	eq "$OUT" "$uuid"
	eq "$(info "$ve" "d['uuid']")" "$uuid"
}

test_row03_hostname() {
	guest "$ve" uname -n
	eq "$OUT" "host$release"
	guest "$ve" cat /etc/hostname
	eq "$OUT" "host$release"
	guest "$ve" sh -c 'hostname other && hostname'
	eq "$OUT" other 'a name that the guest sets'
	guest "$ve" hostname "host$release"
	ne "$(uname -n)" "host$release" "the host's own name"
}

test_row04_sys() {
	inside "$ve" 'touch /sys/x'
	ne "$STATUS" 0 'touch /sys/x'
	inside "$ve" 'echo 1 > /sys/kernel/mm/transparent_hugepage/enabled'
	ne "$STATUS" 0 'a write below /sys'
	guest "$ve" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward'
	eq "$OUT" 1
	local file
	for file in kernel/sysrq vm/drop_caches kernel/core_pattern kernel/panic fs/file-max kernel/modprobe; do
		[ ! -e "/proc/sys/$file" ] || {
			inside "$ve" "echo 1 > /proc/sys/$file"
			ne "$STATUS" 0 "a write of /proc/sys/$file"
		}
	done
}

test_row05_masks() {
	local file
	for file in kcore kallsyms keys timer_list; do
		inside "$ve" "[ ! -e /proc/$file ] || [ -z \"\$(head -c 16 /proc/$file 2>/dev/null | tr -d '\\0')\" ]"
		eq "$STATUS" 0 "what /proc/$file shows"
	done
	inside "$ve" 'echo h > /proc/sysrq-trigger'
	ne "$STATUS" 0 'a write of /proc/sysrq-trigger'
}

test_row06_dev() {
	local node
	for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
		IFS=: read -r name major minor <<<"$node"
		guest "$ve" stat -L -c '%F %t:%T %a %u' "/dev/$name"
		eq "$OUT" "$(printf 'character special file %x:%x 666 0' "$major" "$minor")" "/dev/$name"
	done
	guest "$ve" readlink /dev/ptmx
	eq "$OUT" pts/ptmx
	guest "$ve" sh -c 'head -c 4 /dev/urandom | wc -c; echo x > /dev/null; head -c 3 /dev/zero | wc -c'
	guest "$ve" sh -c 'grep " /dev/pts " /proc/mounts'
	like "$OUT" 'ptmxmode=666' 'devpts'
	ok pty -- vectl exec -t "$ve" -- sh -c 'stat -c "%g %a" "$(tty)"'
	like "$OUT" '^5 620' 'group and mode of a terminal'
	guest "$ve" stat -f -c %T /dev/shm
	eq "$OUT" tmpfs
	guest "$ve" sh -c 'grep -c " /dev/mqueue mqueue " /proc/mounts'
	inside "$ve" 'ls /dev/tty1 /dev/kmsg /dev/mem /dev/sda /dev/vda /dev/loop-control /dev/fuse 2>/dev/null'
	eq "$OUT" '' 'devices that must not be there'
	guest "$ve" sh -c 'cd /dev && ls -d * | grep -vxE "console|core|fd|full|initctl|log|mqueue|net|null|ptmx|pts|random|shm|stderr|stdin|stdout|tty|urandom|zero" || true'
	# systemd mounts hugetlbfs where no user namespace is in the way.
	eq "${OUT#"${T_PRIVILEGED:+hugepages}"}" '' 'unexpected in /dev'
	guest "$ve" systemd-run --quiet --wait -p PrivateDevices=yes /bin/true
}

test_row07_capabilities() {
	guest "$ve" systemd-run --quiet --wait -p PrivateTmp=yes /bin/true
	inside "$ve" 'mknod /root/sda b 8 0 2>&1'
	ne "$STATUS" 0 'mknod b 8 0'
	like "$OUT" 'Operation not permitted'
	guest "$ve" sed -n 's/^CapBnd:\t//p' /proc/1/status
	local mask=$((16#$OUT)) bit
	for bit in 27 21 12 0 7; do
		[ $((mask >> bit & 1)) = 1 ] || die "capability $bit is not in the bounding set"
	done
	# sys_module, sys_rawio, and what reaches the host's clock, log and policy
	for bit in 16 17; do
		[ $((mask >> bit & 1)) = 0 ] || die "capability $bit is in the bounding set"
	done
	guest "$ve" sed -n 's/^NoNewPrivs:\t//p' /proc/1/status
	eq "$OUT" 0 'NoNewPrivs of init'
	guest "$ve" sed -n 's/^Seccomp:\t//p' /proc/1/status
	eq "$OUT" 2 'Seccomp of init'
}

test_row08_console() {
	guest "$ve" stat -L -c '%F %t' /dev/console
	eq "$OUT" 'character special file 88' 'a pty'
	guest "$ve" systemctl is-active console-getty.service
	eq "$OUT" active
	ok vectl logs "$ve"
	like "$OUT" "login:"
}

test_row10_cgroup() {
	guest "$ve" stat -fc %T /sys/fs/cgroup
	eq "$OUT" cgroup2fs
	# On a hybrid host the other lines are the v1 hierarchies.
	guest "$ve" grep ^0:: /proc/1/cgroup
	eq "$OUT" '0::/init.scope'
	inside "$ve" 'grep -v "^0::/" /proc/self/cgroup'
	unlike "$OUT" '\.\.' 'a cgroup outside of the namespace'
	# Root of the host may write there; the limits that count are one level above, and out of sight.
	[ -n "$T_PRIVILEGED" ] || {
		inside "$ve" 'echo max > /sys/fs/cgroup/cgroup.max.descendants'
		ne "$STATUS" 0 'raising a limit of its own root'
	}
	inside "$ve" 'mkdir /sys/fs/cgroup/own && rmdir /sys/fs/cgroup/own'
	eq "$STATUS" 0 'a cgroup of its own'
	guest "$ve" systemd-run --quiet --scope /bin/true
}

test_row11_notify() {
	eq "$(info "$ve" "d['ready']")" true
	guest "$ve" sh -c 'tr "\0" "\n" </proc/1/environ | sed -n s/^NOTIFY_SOCKET=//p'
	eq "$OUT" /run/host/notify
	# PID 1 alone is believed.
	inside "$ve" 'NOTIFY_SOCKET=/run/host/notify systemd-notify --status=from-somebody-else'
	python3 -c 'import select; select.select([], [], [], 0.2)'
	ok vectl info "$ve" --json
	unlike "$OUT" from-somebody-else
}

test_row15_boot_id() {
	guest "$ve" cat /proc/sys/kernel/random/boot_id
	local first=$OUT
	ne "$first" "$(cat /proc/sys/kernel/random/boot_id)" "the host's boot id"
	local name=b$release
	ok vectl create "$name" --image "$image"
	ok vectl start "$name" --wait=ready
	guest "$name" mkdir -p /var/log/journal
	guest "$name" systemctl restart systemd-journald
	guest "$name" journalctl --flush
	guest "$name" sh -c 'journalctl --list-boots --no-pager -q | grep -c "^ *-*[0-9]"'
	local boots=$OUT
	guest "$name" cat /proc/sys/kernel/random/boot_id
	first=$OUT
	ok vectl restart "$name"
	healthy "$name"
	guest "$name" cat /proc/sys/kernel/random/boot_id
	ne "$OUT" "$first" 'boot id of the next boot'
	guest "$name" sh -c 'journalctl --list-boots --no-pager -q | grep -c "^ *-*[0-9]"'
	eq "$OUT" $((boots + 1)) 'boots in the journal'
	ok vectl destroy --force "$name"
}

test_row16_kernel_log() {
	inside "$ve" 'dmesg 2>&1'
	ne "$STATUS" 0 'dmesg'
	inside "$ve" 'ls /dev/kmsg /proc/kmsg 2>/dev/null && cat /proc/kmsg'
	ne "$STATUS" 0 'the kernel log'
}

test_row17_audit() {
	guest "$ve" probe audit
	eq "$OUT" EAFNOSUPPORT
	guest "$ve" cat /proc/self/loginuid
	eq "$OUT" 4294967295
	# A PAM session, with pam_loginuid where the release has it.
	guest "$ve" su -l -s /bin/sh -c 'echo in' root
	eq "$OUT" in
}

test_row18_keyring() {
	local host
	host=$("$T_BUILD/tmp/probe" keyring)
	guest "$ve" probe keyring
	ne "$OUT" "$host" 'session keyring'
}

test_row22_rlimits() {
	local name=l$release
	ok vectl create "$name" --image "$image"
	ok sh -c "ulimit -Sn 123; ulimit -Sc 0; ulimit -Ss 512; vectl start $name --wait=ready"
	ok vectl exec "$name" -- cat /proc/1/limits
	local got=$OUT
	ok vectl exec "$ve" -- cat /proc/1/limits
	# The hard limits and the soft ones alike, but for what systemd raised by itself.
	eq "$(grep -vE 'Max (memory|locked)' <<<"$got")" "$(grep -vE 'Max (memory|locked)' <<<"$OUT")" "limits of two callers' VEs"
	guest "$name" sh -c 'ulimit -n'
	[ "$OUT" -ge 1024 ] || die "ulimit -n is $OUT"
	ok vectl destroy --force "$name"
}

test_row24_exit_by_signal() {
	local name=s$release
	ok vectl create "$name" --image "$image"
	ok vectl start "$name" --wait=ready
	try vectl exec "$name" -- systemctl halt
	ok vectl wait "$name" --state stopped --timeout 40
	ok vectl start "$name" --wait=ready
	try vectl exec "$name" -- systemctl --force --force poweroff
	ok vectl wait "$name" --state stopped --timeout 20
	ok vectl start "$name" --wait=ready
	local boot
	boot=$(info "$name" "d['boot']")
	try vectl exec "$name" -- systemctl --force --force reboot
	until_ 20 sh -c "vectl info $name --json | grep -q '\"boot\": *$((boot + 1))\b'"
	until_ 20 vectl exec "$name" -- true
	healthy "$name"
	ok vectl destroy --force "$name"
}

# ---- entering a full guest

test_enter_as_init_does() {
	guest "$ve" probe caps
	local entered=$OUT
	# A service, which init itself started.
	guest "$ve" systemd-run --quiet --pipe --wait /usr/local/bin/probe caps
	eq "$entered" "$OUT" 'capabilities, no_new_privs and seccomp of exec, and of a child of init'
	like "$entered" 'NoNewPrivs:[[:space:]]0'
	like "$entered" 'Seccomp:[[:space:]]2'
	guest "$ve" cat /proc/self/limits
	local limits=$OUT
	guest "$ve" cat /proc/self/uid_map
	[ -n "$T_PRIVILEGED" ] || like "$OUT" '65536$'
	[ -n "$limits" ]
}

test_enter_user_and_groups() {
	guest "$ve" useradd -m -s /bin/bash -G audio,video tester
	guest "$ve" useradd -m other
	ok vectl exec "$ve" --user tester -- id -Gn
	eq "$(tr ' ' '\n' <<<"$OUT" | sort | paste -sd' ')" 'audio tester video'
	ok vectl exec "$ve" --user tester -- sh -c 'echo $HOME $USER; pwd'
	eq "$OUT" "$(printf '/home/tester tester\n/home/tester')"
	ok vectl exec "$ve" -- id -G
	eq "$OUT" 0 "root's groups"
	ok vectl exec "$ve" --user tester -- sh -c 'grep CapEff /proc/self/status'
	like "$OUT" '0000000000000000$'
	guest "$ve" su tester -c 'id -un'
	eq "$OUT" tester
	fails 125 vectl exec "$ve" --user nosuchuser -- true
	ok pty --expect '\$ ' --send 'id -un; exit\r' --expect tester -- vectl attach "$ve" --user tester
}

test_enter_systemd_sees_no_stray() {
	guest "$ve" sh -c 'loginctl --no-legend list-sessions 2>/dev/null || true'
	healthy "$ve"
}

test_dangerous_calls() {
	guest "$ve" probe syscalls
	local name
	for name in kexec_load init_module finit_module delete_module open_by_handle_at swapon iopl syslog; do
		like "$OUT" "^$name EPERM$"
	done
	like "$OUT" '^unknown ENOSYS$'
	like "$OUT" '^settimeofday (EPERM|ENOSYS)$'
}
