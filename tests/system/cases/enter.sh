# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# exec and attach, on a busybox VE.
# privileged: input_through_pty output_closed_early statuses not_running attach attach_without_terminal
# privileged: terminal_is_controlling window_size terminal_is_given_back hangup fds_inside fds_closed_by_the_caller
# privileged: folder_as_stdin_is_refused environment user_and_groups cwd same_rights_as_init_children dangerous_calls
# privileged: proc_self_exe_as_target exec_does_not_reach_the_host many_at_once command_ends_with_the_caller
# privileged: background_child_does_not_hold_exec listen_fds

setup() {
	busybox_ve e1
	ok sh -c "vectl exec e1 -- sh -c 'cat > /bin/probe && chmod 755 /bin/probe' < $T_BUILD/tmp/probe"
	guest e1 sh -c 'grep -q ^daemon: /etc/passwd || echo daemon:x:1:1:daemon:/tmp:/bin/sh >> /etc/passwd
		echo tester:x:1000:1000::/home/tester:/bin/sh >> /etc/passwd
		grep -q ^staff: /etc/group || echo staff:x:50:tester >> /etc/group
		echo tester:x:1000: >> /etc/group
		echo games:x:60:daemon,tester >> /etc/group
		mkdir -p /home/tester && chown 1000:1000 /home/tester'
}

teardown() {
	ok vectl destroy --force e1
}

# limit test_streams 300
test_streams() {
	ok python3 "$T_HERE/streams.py" e1 "$(dirname "$T_TMP")"
}

# 1 MB each way through the pty of exec -t.
test_stream_through_pty() {
	ok pty --limit 30 --expect 'ready' --send 'x' --expect '1048576' \
		-- vectl exec -t e1 -- sh -c 'stty raw -echo; echo ready; head -c 1 >/dev/null; head -c 1048576 /dev/urandom > /tmp/u
			od -An -v -tx1 /tmp/u | tr -d " \n"; echo; sha256sum /tmp/u | cut -c1-64; stat -c %s /tmp/u'
	python3 - "$T_TMP.out" <<'PYTHON' || die 'the bytes that came are not those that were sent'
import hashlib, re, sys
text = open(sys.argv[1], "rb").read()
data = re.search(rb"([0-9a-f]{2097152})\s+([0-9a-f]{64})", text)
assert data, len(text)
assert hashlib.sha256(bytes.fromhex(data.group(1).decode())).hexdigest() == data.group(2).decode()
PYTHON
}

test_input_through_pty() {
	python3 - <<'PYTHON' || die 'input through the pty arrives changed'
import hashlib, os, pty, re, select, sys
pid, master = pty.fork()
if pid == 0:
    os.execvp("vectl", ["vectl", "exec", "-t", "e1", "--", "sh", "-c",
                        "stty raw -echo; echo ready; head -c 1048576 | sha256sum"])
data = hashlib.shake_256(b"x").digest(1 << 20)
seen, sent = b"", 0
while b"ready" not in seen:
    seen += os.read(master, 1000)
os.set_blocking(master, False)
seen = b""
while not re.search(rb"[0-9a-f]{64}", seen):
    r, w, _ = select.select([master], [master] if sent < len(data) else [], [], 20)
    assert r or w, f"stuck after {sent} bytes"
    if r:
        try:
            seen += os.read(master, 65536)
        except OSError:
            break
    if w:
        try:
            sent += os.write(master, data[sent:sent + 4096])
        except BlockingIOError:
            pass
os.waitpid(pid, 0)
assert hashlib.sha256(data).hexdigest().encode() in seen, seen
PYTHON
}

test_output_closed_early() {
	ok bash -c 'set -o pipefail; vectl exec e1 -- sh -c "yes | head -c 4000000" | head -c 10 | wc -c || true'
	like "$OUT" '^10$'
	until_ 5 sh -c '! vectl exec e1 -- ps | grep -q "[y]es"'
}

# says STATUS WRONG REMEDY COMMAND...: one line, "vectl: e1: what was tried: WRONG: REMEDY".
says() {
	local status=$1 wrong=$2 remedy=$3
	shift 3
	fails "$status" "$@"
	like "$ERR" "^vectl: e1: [^:]+: $wrong: $remedy"
}

# Each error of exec and attach says what to do, and names the VE in what can be pasted.
test_errors_say_what_to_do() {
	guest e1 sh -c 'printf "echo script\n" >/root/plain; printf "#!/no/such/shell\n" >/root/gone; printf "#!/bin/sh\n" >/root/closed
		chmod 755 /root/plain /root/gone; ln -sf loop /root/loop; mkdir -p /root/mine; chmod 700 /root /root/mine'
	says 127 '/no/such/command: no such command' 'install it in the VE' vectl exec e1 -- /no/such/command
	says 127 'nosuchcommand: no such command' 'install it in the VE' vectl exec e1 -- nosuchcommand
	says 127 '/root/gone: no such command' '.*what its first line names must be there' vectl exec e1 -- /root/gone
	says 126 '/root/closed: Permission denied' 'make it executable' vectl exec e1 -- /root/closed
	says 126 '/root/plain: Exec format error' '.*: vectl exec e1 -- sh FILE$' vectl exec e1 -- /root/plain
	says 126 '/root/loop: Too many levels of symbolic links' 'mend the symbolic links' vectl exec e1 -- /root/loop
	says 125 '/no/such: No such file or directory' 'make it in the VE, or give --cwd' vectl exec e1 --cwd /no/such -- true
	says 125 '/etc/passwd: Not a directory' 'give --cwd a folder$' vectl exec e1 --cwd /etc/passwd -- true
	says 125 '/root/mine: Permission denied' 'give --cwd a folder that this user may enter' \
		vectl exec e1 --cwd /root/mine --user tester -- true
	says 125 "no user 'nosuch'" 'name one of its /etc/passwd' vectl exec e1 --user nosuch -- true
	says 125 'stdin is a folder' 'redirect it to a file or a pipe' sh -c 'exec vectl exec e1 -- true </etc'
	guest e1 rm -rf /root/plain /root/gone /root/closed /root/loop /root/mine
	guest e1 cp /etc/passwd /etc/passwd.kept
	guest e1 sed -i 's,^root:.*,root:x:0:0:root:/root:/etc/passwd,' /etc/passwd
	exits 126 pty -- vectl attach e1
	local said=$OUT
	guest e1 cp /etc/passwd.kept /etc/passwd
	like "$said" '^vectl: e1: [^:]+: the login shell: Permission denied: make it executable'
}

test_too_few_descriptors_say_what_to_do() {
	[ -z "${T_SANITIZED:-}" ] || skip 'the leak checker wants file descriptors of its own'
	fails 125 sh -c 'ulimit -n 9; exec vectl exec e1 -- true'
	like "$ERR" '^vectl: e1: .*: Too many open files: allow the caller more open files: ulimit -n$'
}

test_statuses() {
	exits 0 vectl exec e1 -- true
	exits 1 vectl exec e1 -- false
	exits 42 vectl exec e1 -- sh -c 'exit 42'
	exits 137 vectl exec e1 -- sh -c 'kill -9 $$'
	exits 143 vectl exec e1 -- sh -c 'kill -15 $$'
	exits 42 pty -- vectl exec -t e1 -- sh -c 'exit 42'
	fails 127 vectl exec e1 -- /no/such/command
	fails 127 vectl exec e1 -- nosuchcommand
	fails 126 vectl exec e1 -- /etc/passwd
	fails 126 vectl exec e1 -- /tmp
	fails 125 vectl exec nosuch -- true
	fails 125 vectl exec e1
	fails 125 vectl exec --nosuchoption e1 -- true
	fails 125 vectl exec e1 --cwd /no/such/folder -- true
	fails 125 vectl exec e1 --user nosuch -- true
	fails 125 vectl attach nosuch
	# A guest's own 125 is the guest's.
	exits 125 vectl exec e1 -- sh -c 'exit 125'
	eq "$ERR" ''
}

test_not_running() {
	ok vectl create e2 --image busybox
	fails 125 vectl exec e2 -- true
	fails 125 vectl attach e2
	ok vectl destroy --force e2
}

test_attach() {
	ok pty --expect '[#$] ' --send 'echo $((40+2)); tty; exit 7\r' --expect '42' --expect '/dev/pts/[0-9]+' \
		-- sh -c 'vectl attach e1; echo status $?'
	like "$OUT" 'status 7'
	exits 3 pty --expect '[#$] ' --send 'exit 3\r' -- vectl enter e1
	ok pty -- vectl attach e1 -- echo given
	like "$OUT" given
}

test_attach_without_terminal() {
	try bash -c 'echo "echo sum \$((40+2)); exit 6" | timeout 20 vectl attach e1'
	eq "$STATUS" 6
	like "$OUT" 'sum 42'
}

test_terminal_is_controlling() {
	ok pty --size 33x101 -- vectl exec -t e1 -- probe tty
	like "$OUT" 'controlling yes name /dev/pts/[0-9]+ size 33 101'
	# Ctrl-C reaches what runs in the foreground, 130 is what the shell had of it.
	ok pty --expect '[#$] ' --send 'sh -c "echo g""o; sleep 100"\r' --expect '\ngo' --send '\x03' --expect '[#$] ' --send 'echo had $?\r' --expect 'had 130' \
		--send 'exit 0\r' -- vectl attach e1
}

test_window_size() {
	ok pty --size 33x101 --expect 'ready' --resize 44x122 --expect '44 122' \
		-- vectl exec -t e1 -- sh -c 'trap "stty size; exit 0" WINCH; stty size; echo ready; while :; do sleep 0.1; done'
	like "$OUT" '33 101'
}

test_terminal_is_given_back() {
	local before after
	ok pty -- sh -c 'stty -g; vectl exec -t e1 -- sh -c "stty raw; exit 1"; stty -g'
	before=$(head -n 1 <<<"$OUT") after=$(tail -n 1 <<<"$OUT")
	eq "${after%$'\r'}" "${before%$'\r'}" "the caller's terminal settings"
	# Also when it is killed by SIGTERM.
	try pty --expect 'go' -- sh -c 'stty -g; timeout --foreground 1 vectl exec -t e1 -- sh -c "echo go; sleep 30"; stty -g'
	before=$(head -n 1 <<<"$OUT") after=$(tail -n 1 <<<"$OUT")
	eq "${after%$'\r'}" "${before%$'\r'}" "the caller's terminal settings after SIGTERM"
	until_ 5 sh -c '! vectl exec e1 -- ps | grep -q "[s]leep 30"'
}

test_hangup() {
	try pty --expect 'go' --hangup -- vectl exec -t e1 -- sh -c 'echo go; exec sleep 7777'
	until_ 5 sh -c '! vectl exec e1 -- ps | grep -q "[s]leep 7777"'
}

test_fds_inside() {
	exec 7</etc/passwd 8>/dev/null 55</etc/hostname
	ok vectl exec e1 -- probe fds
	eq "$(cut -d' ' -f1 <<<"$OUT" | paste -sd' ')" '0 1 2' 'fds of exec'
	ok pty -- vectl exec -t e1 -- probe fds
	eq "$(cut -d' ' -f1 <<<"$OUT" | paste -sd' ')" '0 1 2' 'fds of exec -t'
	like "$OUT" '^0 /dev/pts/'
	exec 7<&- 8>&- 55<&-
	guest e1 sh -c 'ls /proc/1/fd | sort -n | paste -sd" "'
	note "fds of init: $OUT"
}

test_fds_closed_by_the_caller() {
	# With stdin, stdout or stderr closed, nothing else may take their place inside.
	try sh -c 'vectl exec e1 -- probe fds <&-'
	unlike "$OUT" '(vectl|/etc|plan|socket)'
	try sh -c 'vectl exec e1 -- probe fds 2>&- </dev/null'
	unlike "$OUT" '(vectl|/etc|plan|socket)'
}

test_folder_as_stdin_is_refused() {
	fails 125 sh -c 'exec vectl exec e1 -- true </etc'
	like "$ERR" '(folder|directory)'
	fails 125 sh -c 'exec 3</ ; exec vectl exec e1 -- true <&3'
}

test_environment() {
	ok env -i PATH="$PATH" T_VECTL="$T_VECTL" HOME=/x SECRET=1 TERM=vt220 VECTL_ROOT="$VECTL_ROOT" vectl exec e1 -- env
	eq "$(cut -d= -f1 <<<"$OUT" | sort | paste -sd' ')" "$(printf 'HOME\nPATH\nTERM\nUSER\n' | paste -sd' ')" 'names in the environment'
	like "$OUT" '^HOME=/root$'
	like "$OUT" '^USER=root$'
	like "$OUT" '^PATH=.*/bin'
	ok vectl exec e1 --env A=1 --env 'B=x y=z' -- env
	like "$OUT" '^A=1$'
	like "$OUT" '^B=x y=z$'
	ok vectl exec e1 --env PATH=/bin -- sh -c 'echo "$PATH"'
	eq "$OUT" /bin
	fails 125 vectl exec e1 --env NOVALUE -- true
	ok vectl exec e1 --user tester -- env
	like "$OUT" '^HOME=/home/tester$'
	like "$OUT" '^USER=tester$'
}

test_user_and_groups() {
	ok vectl exec e1 --user tester -- id -u
	eq "$OUT" 1000
	ok vectl exec e1 --user tester -- sh -c 'grep -E "^(Uid|Gid|Groups)" /proc/self/status | tr "\t" " "'
	like "$OUT" '^Uid: 1000 1000 1000 1000$'
	like "$OUT" '^Gid: 1000 1000 1000 1000$'
	eq "$(sed -n 's/^Groups: *//p' <<<"$OUT" | tr ' ' '\n' | grep -v '^$' | sort -n | paste -sd' ')" '50 60 1000' 'groups of tester'
	ok vectl exec e1 --user 1000 -- id -un
	eq "$OUT" tester
	fails 125 vectl exec e1 --user 4242 -- id -u
	ok vectl exec e1 -- sh -c 'grep Groups /proc/self/status | tr -d "\t "'
	unlike "$OUT" '[0-9]{2}' "root's groups"
	ok vectl exec e1 --user tester -- sh -c 'grep -E "Cap(Eff|Prm|Amb)" /proc/self/status'
	unlike "$OUT" '[1-9a-f]+$' 'capabilities of a user'
	fails 125 vectl exec e1 --user 4294967295 -- true
	fails 125 vectl exec e1 --user 70000 -- true
}

test_cwd() {
	ok vectl exec e1 -- pwd
	eq "$OUT" /root
	ok vectl exec e1 --cwd /etc -- pwd
	eq "$OUT" /etc
	ok vectl exec e1 --user tester -- pwd
	eq "$OUT" /home/tester
}

test_same_rights_as_init_children() {
	ok vectl exec e1 -- probe caps
	local entered=$OUT init
	init=$(info e1 "d['pid']")
	eq "$(grep -E '^(CapBnd|CapPrm|CapEff)' <<<"$entered")" "$(grep -E '^(CapBnd|CapPrm|CapEff)' "/proc/$init/status")" 'capabilities of exec, and of init'
	like "$entered" 'NoNewPrivs:[[:space:]]*0'
	like "$entered" 'Seccomp:[[:space:]]*2'
	eq "$(vectl exec e1 -- cat /proc/self/limits)" "$(vectl exec e1 -- cat /proc/1/limits)" 'limits of exec, and of init'
	ok vectl exec e1 -- cat /proc/self/oom_score_adj
	eq "$OUT" "$(cat "/proc/$init/oom_score_adj")" 'oom_score_adj'
	local kind
	for kind in user mnt pid net uts ipc cgroup time; do
		eq "$(vectl exec e1 -- readlink "/proc/self/ns/$kind")" "$(readlink "/proc/$init/ns/$kind")" "namespace $kind"
	done
	ok vectl exec e1 -- cat /proc/self/cgroup
	unlike "$OUT" '\.\.'
	ok vectl exec e1 -- cat /proc/self/loginuid
	eq "$OUT" 4294967295
	ok vectl exec e1 -- probe keyring
	ne "$OUT" "$("$T_BUILD/tmp/probe" keyring)" 'session keyring'
}

test_dangerous_calls() {
	guest e1 probe syscalls
	local name
	for name in kexec_load init_module finit_module delete_module open_by_handle_at swapon iopl syslog; do
		like "$OUT" "^$name EPERM$"
	done
	like "$OUT" '^unknown ENOSYS$'
}

# CVE-2019-5736 and its kin: a script whose interpreter is the program that enters must never reach the host's binary.
test_proc_self_exe_as_target() {
	local before after
	before=$(find "$T_PREFIX" -type f -perm /111 -exec sha256sum {} + | sort)
	guest e1 sh -c 'printf "#!/proc/self/exe\n" > /tmp/evil && chmod 755 /tmp/evil'
	try timeout 20 vectl exec e1 -- /tmp/evil
	ne "$STATUS" 124 'time-out'
	try timeout 20 vectl exec e1 -- /proc/self/exe
	note 'a guest that opens /proc/PID/exe of what enters, for writing, as long as it can'
	guest e1 sh -c 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); for p in /proc/[0-9]*; do
			[ "$p" = "/proc/$$" ] || { t=$(readlink $p/exe) && case $t in *ve-enter*|*ve-supervisor*|*memfd*) echo "saw $p $t" >> /tmp/seen
			(echo pwned > $p/exe) 2>/dev/null && echo "WROTE $t" >> /tmp/seen;; esac; }; done; done >/dev/null 2>&1 &
		echo started'
	local i
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do try timeout 20 vectl exec e1 -- /tmp/evil; done
	guest e1 sh -c 'cat /tmp/seen 2>/dev/null || true'
	unlike "$OUT" WROTE
	after=$(find "$T_PREFIX" -type f -perm /111 -exec sha256sum {} + | sort)
	eq "$after" "$before" "the host's programs"
}

test_exec_does_not_reach_the_host() {
	guest e1 sh -c 'ls -di / /proc/1/root/. /proc/self/root/. | awk "{print \$1}" | sort -u | wc -l'
	eq "$OUT" 1 'roots'
	inside e1 'cd ..; cd ..; ls /var/lib/vectl /work 2>/dev/null'
	ne "$STATUS" 0
	inside e1 'cat /proc/mounts'
	unlike "$OUT" "$VECTL_ROOT" "the host's path in the VE's mounts"
	inside e1 'ls -l /proc/self/cwd /proc/1/cwd'
	unlike "$OUT" "$VECTL_ROOT"
}

test_many_at_once() {
	ok bash -c 'for i in $(seq 24); do vectl exec e1 -- sh -c "echo $i" & done; wait'
	eq "$(sort -n <<<"$OUT" | paste -sd' ')" "$(seq 24 | paste -sd' ')" 'answers of 24 execs at once'
}

test_command_ends_with_the_caller() {
	vectl exec e1 -- sh -c 'exec sleep 8888' </dev/null &
	local pid=$!
	until_ 5 sh -c 'vectl exec e1 -- ps | grep -q "[s]leep 8888"'
	kill -TERM "$pid"
	wait "$pid" || true
	until_ 5 sh -c '! vectl exec e1 -- ps | grep -q "[s]leep 8888"'
}

test_background_child_does_not_hold_exec() {
	local began=$SECONDS
	ok vectl exec e1 -- sh -c 'sleep 30 >/dev/null 2>&1 </dev/null & echo out'
	[ $((SECONDS - began)) -lt 10 ] || die "exec waited for a background child"
	guest e1 sh -c 'killall sleep || true'
}

# A service manager's sockets reach the VE's init, now and after a reboot (sd_listen_fds(3)); a folder does not.
test_listen_fds() {
	ok vectl create e30 --image busybox
	local activate='
import os, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
fd = os.dup(s.fileno()) if sys.argv[1] == "socket" else os.open("/", os.O_RDONLY)
os.dup2(fd, 40)
for i in range(16):
    os.dup2(40, 3 + i)
os.environ.update(LISTEN_FDS="16", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])'
	fails 2 python3 -c "$activate" folder vectl start e30
	ok python3 -c "$activate" socket vectl start e30
	local boot
	for boot in 1 2; do
		until_ 10 sh -c "vectl info e30 --json | grep -q '\"boot\": $boot'"
		guest e30 sh -c 'tr "\0" "\n" </proc/1/environ'
		like "$OUT" '^LISTEN_FDS=16$' 'environment of init'
		like "$OUT" '^LISTEN_PID=1$' 'environment of init'
		guest e30 sh -c 'readlink /proc/1/fd/3; readlink /proc/1/fd/18; ls /proc/1/fd'
		eq "$(grep -c '^socket:' <<<"$OUT")" 2 'sockets that init has at 3 and 18'
		[ "$boot" = 2 ] || try vectl exec e30 -- reboot
	done
	ok vectl destroy --force e30
}
