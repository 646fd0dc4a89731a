# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The processes behind a running VE, killed.
# privileged: supervisor_killed keeper_killed keeper_killed_then_destroy keeper_and_supervisor_killed init_killed
# privileged: everything_killed

behind() { # NAME: keeper's and supervisor's pid
	keeper=$(info "$1" "d['keeper']")
	server=$(pids_of "$1" supervisor | grep -vx "$keeper" || true)
}

# A signal is only the beginning of the end: done when the process is dead.
slay() {
	kill -9 "$@"
	python3 - "$@" <<'PYTHON'
import sys, time
for pid in sys.argv[1:]:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/status") as f:
                if "\nState:\tZ" in f.read():
                    break
        except OSError:
            break
PYTHON
}

test_supervisor_killed() {
	busybox_ve k1
	behind k1
	[ -n "$server" ] || die 'no supervisor process beside the keeper'
	local old=$server init
	init=$(info k1 "d['pid']")
	kill -9 "$server"
	until_ 10 sh -c "n=\$(python3 $T_HERE/snapshot.py pids k1 supervisor | grep -vx $keeper) && [ -n \"\$n\" ] && [ \"\$n\" != $old ]"
	eq "$(state k1)" running
	eq "$(info k1 "d['pid']")" "$init" 'init of a VE whose supervisor was killed'
	guest k1 echo alive
	# It serves the console and the control socket again.
	guest k1 sh -c 'echo after-the-kill > /dev/console'
	until_ 10 sh -c 'vectl logs k1 | grep -q after-the-kill'
	ok vectl stop k1
	ok vectl destroy --force k1
}

test_supervisor_killed_again_and_again() {
	busybox_ve k2
	local i
	for i in 1 2 3; do
		behind k2
		[ -z "$server" ] || kill -9 "$server"
		until_ 10 sh -c "n=\$(python3 $T_HERE/snapshot.py pids k2 supervisor | grep -vx $keeper) && [ -n \"\$n\" ] && [ \"\$n\" != '$server' ]"
	done
	guest k2 true
	ok vectl destroy --force k2
}

# Killed the moment it is there, while init is on its way to its exec.
test_supervisor_killed_during_start() {
	local round killed=0
	ok vectl create k11 --image busybox
	for round in 1 2 3 4 5 6 7 8 9 10; do
		note "round $round"
		try python3 - "/sys/fs/cgroup$(cat "$T_CGROUPS")/k11/supervisor/cgroup.procs" <<'PYTHON'
import os, signal, subprocess, sys, time
start = subprocess.Popen(["vectl", "start", "k11"])
keeper, killed = None, False
end = time.monotonic() + 20
while not killed and time.monotonic() < end:
    try:
        with open(sys.argv[1]) as f:
            pids = [int(p) for p in f.read().split()]
    except OSError:
        pids = []
    keeper = keeper or (pids[0] if pids else None)
    for pid in pids:
        try:
            # The keeper's children are forks of it until they exec or enter: the supervisor is the one that is confined.
            confined = pid != keeper and "Seccomp:\t2" in open(f"/proc/{pid}/status").read()
        except OSError:
            continue
        if confined and not killed:
            os.kill(pid, signal.SIGKILL)
            killed = True
    if start.poll() is not None and not pids:
        break
status = start.wait(20)
print("killed" if killed else "not met")
sys.exit(status)
PYTHON
		[ "$OUT" != killed ] || killed=$((killed + 1))
		case $STATUS in
		0)
			eq "$(state k11)" running
			guest k11 true
			;;
		1) eq "$(state k11)" stopped ;;
		*) die "status $STATUS of a start whose supervisor was killed" ;;
		esac
		[ "$(state k11)" != running ] || ok vectl stop --force k11
		ok vectl start k11
		guest k11 true
		ok vectl stop --force k11
	done
	[ "$killed" -ge 5 ] || die "the supervisor was met in $killed of 10 rounds"
	ok vectl destroy --force k11
}

test_keeper_killed() {
	busybox_ve k3
	behind k3
	slay "$keeper"
	# list tells the truth at once.
	eq "$(state k3)" stopped
	until_ 5 sh -c "[ -z \"\$(python3 $T_HERE/snapshot.py pids k3)\" ]"
	ok vectl start k3
	guest k3 true
	ok vectl stop k3
	ok vectl destroy --force k3
}

test_keeper_killed_then_destroy() {
	busybox_ve k4
	behind k4
	slay "$keeper"
	ok vectl destroy k4 --force
}

test_keeper_and_supervisor_killed() {
	busybox_ve k5
	behind k5
	# shellcheck disable=SC2086 # it may be none
	slay "$keeper" $server
	eq "$(state k5)" stopped
	ok vectl start k5
	guest k5 true
	ok vectl destroy --force k5
}

test_init_killed() {
	busybox_ve k6
	kill -9 "$(info k6 "d['pid']")"
	ok vectl wait k6 --state stopped --timeout 10
	ok vectl start k6
	ok vectl destroy --force k6
}

test_everything_killed() {
	busybox_ve k7
	# shellcheck disable=SC2046 # a list of pids
	kill -9 $(pids_of k7)
	until_ 5 sh -c '[ "$(vectl list --names --state stopped)" = k7 ]'
	ok vectl start k7
	ok vectl destroy --force k7
}

test_reaper_killed() {
	busybox_ve k8
	local pid exe killed=''
	for pid in /proc/[0-9]*; do
		exe=$(readlink "$pid/exe" 2>/dev/null) || continue
		case $exe in "$T_PREFIX"/*ve-reaper*) kill -9 "${pid#/proc/}" && killed=1 ;; esac
	done
	note "a reaper was killed: ${killed:-none was there}"
	behind k8
	slay "$keeper"
	eq "$(state k8)" stopped
	ok vectl start k8
	ok vectl destroy --force k8
}

# vectl killed in the middle of what it does, at many moments.
# limit test_vectl_killed 180
test_vectl_killed() {
	ok vectl create k9 --image busybox
	local delay
	for delay in 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.010 0.015; do
		try timeout --foreground -s KILL "$delay" vectl start k9
		case $(state k9) in
		running | starting | stopping | stopped) ;;
		*) die 'no state' ;;
		esac
		try timeout --foreground -s KILL "$delay" vectl stop --force k9
		try vectl start k9
		case $STATUS in 0 | 4) ;; *) die "start after a killed vectl: $STATUS" ;; esac
		guest k9 true
		try timeout --foreground -s KILL "$delay" vectl stop --force k9
		try vectl stop --force k9
		case $STATUS in 0 | 4) ;; *) die "stop after a killed vectl: $STATUS" ;; esac
		eq "$(state k9)" stopped
		eq "$(pids_of k9)" ''
	done
	ok vectl destroy --force k9
}

test_create_and_destroy_killed() {
	local delay
	for delay in 0.0005 0.001 0.0015 0.002 0.003 0.005; do
		try timeout --foreground -s KILL "$delay" vectl create k10 --image busybox
		try vectl create k10 --image busybox
		case $STATUS in 0 | 1 | 4) ;; *) die "create after a killed create: $STATUS" ;; esac
		ok vectl start k10
		ok vectl stop --force k10
		try timeout --foreground -s KILL "$delay" vectl destroy --force k10
		if vectl list --names | grep -qx k10; then ok vectl destroy --force k10; fi
	done
	# What the last one left, leases too, goes with the next vectl that touches the name.
	ok vectl create k10 --image busybox
	ok vectl destroy --force k10
	ok vectl doctor --repair
}
