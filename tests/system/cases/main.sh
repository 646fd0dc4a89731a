# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The main job on a busybox VE, from create to destroy; no systemd, so every step is quick.
# privileged: main_job data_survives_restart image_is_not_changed pause_resume wait guest_poweroff_and_reboot
# privileged: stop_force_and_timeout logs_and_boots console ps_and_info hostname_and_uuid env_reaches_init
# privileged: uptime_is_its_own exec_leaves_no_cgroup

test_main_job() {
	ok vectl create b1 --image busybox
	eq "$(state b1)" stopped
	ok vectl start b1
	eq "$(state b1)" running
	guest b1 echo hello
	eq "$OUT" hello
	ok vectl ps b1
	like "$OUT" init
	ok vectl info b1
	like "$OUT" b1
	ok vectl list
	like "$OUT" '^b1 +running'
	ok vectl logs b1
	ok vectl stop b1
	eq "$(state b1)" stopped
	eq "$(pids_of b1)" '' 'processes of a stopped VE'
	[ ! -e "$VECTL_ROOT/run/vectl/b1" ] || die 'a stopped VE has a runtime folder'
	ok vectl destroy --force b1
	ok vectl list --names
	unlike "$OUT" b1
}

test_create_start_in_one() {
	ok vectl create b2 --image busybox --start
	eq "$(state b2)" running
	ok vectl destroy --force b2
}

test_several_names() {
	ok vectl create m1 --image busybox
	ok vectl create m2 --image busybox
	ok vectl start m1 m2
	eq "$(state m1) $(state m2)" 'running running'
	ok vectl restart m1 m2
	ok vectl stop --all
	eq "$(state m1) $(state m2)" 'stopped stopped'
	ok vectl start --all
	eq "$(state m1) $(state m2)" 'running running'
	# Of several names the worst status counts, and the good ones are done.
	exits 3 vectl stop m1 nosuch
	eq "$(state m1)" stopped
	ok vectl destroy --force m1 m2
}

test_data_survives_restart() {
	busybox_ve d1
	guest d1 sh -c 'echo kept > /root/file'
	ok vectl restart d1
	guest d1 cat /root/file
	eq "$OUT" kept
	ok vectl stop d1
	ok vectl start d1
	guest d1 cat /root/file
	eq "$OUT" kept
	ok vectl destroy --force d1
}

test_image_is_not_changed() {
	busybox_ve i1
	guest i1 sh -c 'echo x > /bin/intruder; rm -f /bin/vi; echo y > /root/y'
	ok vectl create i2 --image busybox
	ok vectl start i2
	try vectl exec i2 -- ls /bin/intruder
	ne "$STATUS" 0 'a file of another VE'
	guest i2 ls /bin/vi
	ok vectl destroy --force i1 i2
}

test_start_twice() {
	busybox_ve t1
	fails 4 vectl start t1
	ok vectl stop t1
	fails 4 vectl stop t1
	ok vectl destroy --force t1
}

test_destroy_of_running_wants_force() {
	busybox_ve r1
	try vectl destroy r1
	ne "$STATUS" 0 'destroy of a running VE without --force'
	eq "$(state r1)" running
	ok vectl destroy --force r1
	fails 3 vectl info r1
}

test_pause_resume() {
	busybox_ve p1
	guest p1 sh -c 'while :; do date +%s%N > /root/tick; done >/dev/null 2>&1 & echo started'
	ok vectl pause p1
	eq "$(state p1)" paused
	local upper a b
	upper=$VECTL_ROOT/var/lib/vectl/ve/p1/disk/upper/root/tick
	a=$(stat -c %y "$upper")
	python3 -c 'import select; select.select([], [], [], 0.3)'
	b=$(stat -c %y "$upper")
	eq "$b" "$a" 'a paused VE still writes: time of change'
	fails 4 vectl pause p1
	ok vectl resume p1
	eq "$(state p1)" running
	until_ 5 sh -c "[ \"\$(stat -c %y $upper)\" != '$b' ]"
	fails 4 vectl resume p1
	ok vectl pause p1
	ok vectl stop p1 --timeout 5
	eq "$(state p1)" stopped
	ok vectl start p1
	ok vectl pause p1
	ok vectl destroy --force p1
}

test_wait() {
	ok vectl create w1 --image busybox
	ok vectl wait w1 --state stopped --timeout 1
	fails 5 vectl wait w1 --state running --timeout 1
	vectl wait w1 --state running --timeout 20 &
	local waiter=$!
	ok vectl start w1
	wait "$waiter"
	vectl wait w1 --state stopped --timeout 20 &
	waiter=$!
	ok vectl stop w1
	wait "$waiter"
	fails 3 vectl wait nosuch --state running --timeout 1
	ok vectl destroy --force w1
}

test_guest_poweroff_and_reboot() {
	busybox_ve g1
	local keeper init boot
	keeper=$(info g1 "d['keeper']")
	init=$(info g1 "d['pid']")
	boot=$(info g1 "d['boot']")
	guest g1 sh -c 'echo kept > /root/file'
	try vectl exec g1 -- reboot
	until_ 15 sh -c "vectl info g1 --json | grep -q '\"boot\": *$((boot + 1))\b'"
	until_ 5 vectl exec g1 -- true
	eq "$(info g1 "d['keeper']")" "$keeper" 'pid of the keeper after a reboot in place'
	ne "$(info g1 "d['pid']")" "$init" 'pid of init after a reboot'
	guest g1 cat /root/file
	eq "$OUT" kept
	try vectl exec g1 -- poweroff
	ok vectl wait g1 --state stopped --timeout 15
	eq "$(pids_of g1)" '' 'processes after poweroff'
	ok vectl start g1
	guest g1 cat /root/file
	eq "$OUT" kept
	ok vectl destroy --force g1
}

test_stop_force_and_timeout() {
	busybox_ve f1
	ok vectl stop --force f1
	eq "$(state f1)" stopped
	# An init that hears no signal: the time-out passes, then everything is killed.
	ok vectl create f2 --image busybox --set 'init=/bin/sh,-c,trap "" USR1 USR2 TERM PWR INT; while :; do sleep 1; done'
	ok vectl start f2
	local began=$SECONDS
	ok vectl stop f2 --timeout 2
	eq "$(state f2)" stopped
	[ $((SECONDS - began)) -le 8 ] || die "stop --timeout 2 took $((SECONDS - began)) s"
	[ $((SECONDS - began)) -ge 1 ] || die 'stop --timeout 2 did not wait for the signal to be heard'
	ok vectl destroy --force f1 f2
}

test_logs_and_boots() {
	ok vectl create l1 --image busybox --set 'init=/bin/sh,-c,echo line-one; echo line-two; exec /sbin/init'
	ok vectl start l1
	until_ 10 sh -c 'vectl logs l1 | grep -q line-two'
	ok vectl stop l1
	ok vectl logs l1
	like "$OUT" line-one 'logs of a stopped VE'
	ok vectl start l1
	until_ 10 sh -c '[ "$(vectl logs l1 | grep -c line-one)" = 2 ]'
	ok vectl logs l1 -n 1
	eq "$(wc -l <<<"$OUT")" 1 'lines of logs -n 1'
	ok vectl destroy --force l1
}

test_log_is_bounded() {
	busybox_ve l2
	guest l2 sh -c 'head -c 8000000 /dev/zero | tr "\0" "x" | fold -w 99 > /dev/console; echo the-end > /dev/console'
	until_ 20 sh -c 'vectl logs l2 -n 5 | grep -q the-end'
	local size
	size=$(cat "$VECTL_ROOT"/var/lib/vectl/ve/l2/console.* | wc -c)
	[ "$size" -le 4194304 ] || die "the console's log has $size bytes after 8 MB of output"
	ok vectl destroy --force l2
}

test_console() {
	ok vectl create c1 --image busybox --set 'init=/bin/sh,-c,while read -r l; do echo "got $l"; done'
	ok vectl start c1
	ok pty --expect '.' --send 'ping\r' --expect 'got ping' --send '\x1d\x1d' -- sh -c 'echo ready; vectl console c1'
	eq "$(state c1)" running 'state after the console was left'
	ok vectl destroy --force c1
}

test_start_that_fails_shows_the_console() {
	ok vectl create s1 --image busybox --set 'init=/bin/sh,-c,echo the-last-words; exit 3'
	try vectl start s1 --wait=ready --timeout 10
	ne "$STATUS" 0 'start of an init that ends at once'
	like "$ERR" the-last-words 'the console'
	until_ 5 sh -c '[ -z "$(vectl list --names --state running)" ]'
	ok vectl destroy --force s1
}

test_json_and_quiet() {
	busybox_ve j1
	ok vectl list --json
	eq "$(json "d['format']" <<<"$OUT")" 1
	ok vectl info j1 --json
	eq "$(json "d['format']" <<<"$OUT")" 1
	eq "$(json "d['ve']['name']" <<<"$OUT")" j1
	ok vectl ps j1 --json
	eq "$(json "d['format']" <<<"$OUT")" 1
	ok vectl plan j1 --json
	eq "$(json "d['format']" <<<"$OUT")" 1
	ok vectl image list --json
	eq "$(json "d['format']" <<<"$OUT")" 1
	# An error is a document too.
	exits 3 vectl info nosuch --json
	eq "$(json "d['error']['ve']" <"$T_TMP.out")" nosuch
	ok vectl -q stop j1
	eq "$OUT$ERR" '' 'what -q prints'
	ok vectl destroy --force j1
}

test_ps_and_info() {
	busybox_ve a1
	guest a1 sh -c 'sleep 4242 >/dev/null 2>&1 & echo $!'
	local inner=$OUT outer
	ok vectl ps a1 --json
	outer=$(json "[p['pid'] for p in d['processes'] if '4242' in str(p)][0]" <<<"$OUT")
	like "$(tr '\0' ' ' <"/proc/$outer/cmdline")" 'sleep 4242'
	like "$(grep NSpid "/proc/$outer/status")" "\b$inner\$" 'guest pid'
	eq "$(pids_of a1 ve | grep -c "^$outer\$")" 1 'the process in the VE cgroup'
	local init
	init=$(info a1 "d['pid']")
	like "$(grep NSpid "/proc/$init/status")" "${init}[[:space:]]+1$" 'leader'
	ok vectl destroy --force a1
}

test_plan() {
	ok vectl create p2 --image busybox
	ok vectl plan p2
	like "$OUT" 'user-namespace'
	like "$OUT" 'pivot-root'
	eq "$(state p2)" stopped 'plan does nothing: state'
	[ ! -e "$VECTL_ROOT/run/vectl/p2" ] || die 'plan made the runtime folder'
	ok vectl destroy --force p2
}

test_hostname_and_uuid() {
	ok vectl create h1 --image busybox --hostname box.example
	ok vectl create h2 --image busybox
	ok vectl start h1 h2
	guest h1 hostname
	eq "$OUT" box.example
	guest h1 cat /etc/hostname
	eq "$OUT" box.example
	guest h2 hostname
	eq "$OUT" h2
	guest h1 cat /run/host/container-uuid
	local one=$OUT
	guest h2 cat /run/host/container-uuid
	ne "$OUT" "$one" 'uuid of another VE'
	ok vectl destroy --force h1 h2
}

test_env_reaches_init() {
	ok vectl create e1 --image busybox --set env.COLOUR=blue --set env.PATH=/bin:/sbin:/usr/bin --set env.EMPTY=
	eq "$(vectl get e1 env --json | json "repr(d['value']['EMPTY'])")" "''" 'an empty value'
	ok vectl start e1
	guest e1 sh -c 'tr "\0" "\n" </proc/1/environ'
	like "$OUT" '^COLOUR=blue$'
	like "$OUT" '^EMPTY=$'
	eq "$(grep ^PATH= <<<"$OUT")" PATH=/bin:/sbin:/usr/bin 'PATH, once'
	unlike "$OUT" '^(VECTL_ROOT|T_BUILD|OLDPWD|LS_COLORS)='
	# What vectl tells init by is nobody else's to say.
	local name
	for name in container container_uuid CREDENTIALS_DIRECTORY NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES; do
		says 2 "e1: .*env.$name is a variable that vectl gives init itself: it .*: leave it out" vectl set e1 "env.$name=x"
		grep -qw "$name" "$T_PREFIX/share/man/man5/ve.json.5" || die "ve.json(5) does not name $name"
	done
	says 2 'env.LISTEN_FDS is a variable that vectl gives init itself' vectl create e2 --image busybox --set env.LISTEN_FDS=3
	eq "$(vectl get e1 env | cut -d= -f1 | sort | paste -sd' ')" 'env.COLOUR env.EMPTY env.PATH'
	ok vectl destroy --force e1
}

test_two_at_once_do_not_meet() {
	busybox_ve o1
	busybox_ve o2
	local a b
	a=$(info o1 "d['pid']") b=$(info o2 "d['pid']")
	ne "$(awk '{print $2}' "/proc/$a/uid_map")" "$(awk '{print $2}' "/proc/$b/uid_map")" 'id range of another VE'
	eq "$(awk '{print $3}' "/proc/$a/uid_map")" 65536 'ids of a VE'
	local ns
	for ns in user mnt pid net uts ipc cgroup time; do
		ne "$(readlink "/proc/$a/ns/$ns")" "$(readlink "/proc/$b/ns/$ns")" "namespace $ns of another VE"
		ne "$(readlink "/proc/$a/ns/$ns")" "$(readlink "/proc/self/ns/$ns")" "namespace $ns of the host"
	done
	guest o1 ps
	unlike "$OUT" vectl
	ok vectl destroy --force o1 o2
}

test_uptime_is_its_own() {
	busybox_ve u1
	guest u1 cat /proc/uptime
	local seconds=${OUT%%.*}
	[ "$seconds" -lt 30 ] || die "uptime inside is $seconds s"
	ok vectl destroy --force u1
}

# Keeper and supervisor have given up everything before the guest runs a single instruction.
test_processes_behind_have_no_power() {
	busybox_ve k1
	local pid count=0 owner
	for pid in $(pids_of k1 supervisor); do
		count=$((count + 1))
		like "$(readlink "/proc/$pid/exe")" 've-supervisor'
		like "$(grep CapEff "/proc/$pid/status")" '0000000000000000$'
		like "$(grep CapPrm "/proc/$pid/status")" '0000000000000000$'
		like "$(grep CapInh "/proc/$pid/status")" '0000000000000000$'
		owner=$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$pid/status")
		unlike "$owner" '\b0\b' 'uid'
		like "$(grep Groups "/proc/$pid/status")" '^Groups:[[:space:]]*$'
	done
	[ "$count" = 2 ] || die "$count processes behind a VE, not keeper and supervisor"
	for pid in $(pids_of k1 supervisor); do
		if [ "$pid" != "$(info k1 "d['keeper']")" ]; then
			like "$(grep NoNewPrivs "/proc/$pid/status")" '1$'
			like "$(grep Seccomp: "/proc/$pid/status")" '2$'
		fi
	done
	ok vectl destroy --force k1
}

# What entered a VE and ended leaves no cgroup of its own in it.
test_exec_leaves_no_cgroup() {
	busybox_ve x1
	local folder before i
	folder=/sys/fs/cgroup$(sed -n 's,^0::,,p' "/proc/$(info x1 "d['pid']")/cgroup")
	folder=${folder%%/ve/*}/ve
	guest x1 true
	before=$(find "$folder" -type d | wc -l)
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do guest x1 true; done
	[ "$(find "$folder" -type d | wc -l)" -le "$before" ] || die "20 execs left cgroups: $(find "$folder" -type d)"
	ok vectl destroy --force x1
}

test_rounds_of_busybox() {
	ok vectl create n1 --image busybox
	local i
	for i in $(seq 30); do
		ok vectl start n1
		guest n1 true
		ok vectl stop n1
	done
	ok vectl destroy --force n1
}

# Who waits does nothing until something happens.
test_waiting_costs_nothing() {
	busybox_ve idle
	local spent
	spent=$(python3 -c '
import resource, subprocess, sys
r = subprocess.run(["vectl", "wait", "idle", "--state=stopped", "--timeout", "2"], stderr=subprocess.DEVNULL)
u = resource.getrusage(resource.RUSAGE_CHILDREN)
print(r.returncode, int(1000 * (u.ru_utime + u.ru_stime)))')
	note "status and milliseconds of CPU: $spent"
	eq "${spent% *}" 5
	[ "${spent#* }" -lt 300 ] || die "2 seconds of waiting took ${spent#* } ms of CPU"
	cleanup_ve idle
}
