# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the cases of the system tier use. A case is a function test_… in cases/*.sh, run by tests/system/run in a bash of
# its own with a time limit, in the private namespaces that the runner made. It ends by its first failing command.
#
# Given by the runner: T_BUILD (build folder), T_PREFIX (where that build is installed), VECTL_ROOT (the VEs' root),
# T_TMP (scratch folder, emptied for each test), T_CACHE (acceptance tarballs), T_FULL (set: the long cases too).

set -eEuo pipefail
# shellcheck disable=SC2154 # status is set by the trap itself
trap 'status=$?; note "line ${BASH_LINENO[0]:-?} of ${FUNCNAME[0]:-main}: status $status: $BASH_COMMAND"; exit $status' ERR

T_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
STATUS=0 OUT='' ERR=''

note() { printf '# %s\n' "$*" >&2; }

skip() {
	printf '%s\n' "$*" >"$T_TMP.skip"
	exit 77
}

die() {
	note "$*"
	exit 1
}

# Runs a command; its stdin is the test's, which is empty unless redirected. STATUS, OUT and ERR are what it gave. Never fails itself.
try() {
	note "+ $*"
	STATUS=0
	"$@" >"$T_TMP.out" 2>"$T_TMP.err" || STATUS=$?
	OUT=$(tr -d '\0' <"$T_TMP.out")
	ERR=$(tr -d '\0' <"$T_TMP.err")
	[ -z "$OUT" ] || head -c 6000 <<<"$OUT" | sed 's/^/#   /' >&2
	[ -z "$ERR" ] || head -c 6000 <<<"$ERR" | sed 's/^/# ! /' >&2
	{ # for messages.py; a terminal's stderr and an error as JSON come on stdout
		head -c 6000 "$T_TMP.err"
		grep -ao 'vectl: .*\|"message":".*' "$T_TMP.out" | head -c 6000
	} >>"$T_BUILD/tmp/messages" || true
	[ "$STATUS" = 0 ] || note "status $STATUS"
}

# The command must succeed.
ok() {
	try "$@"
	[ "$STATUS" = 0 ] || die "should have succeeded: $*"
}

# fails STATUS COMMAND...: with this exit status, and exactly one line on stderr, nothing on stdout.
fails() {
	local want=$1
	shift
	try "$@"
	[ "$STATUS" = "$want" ] || die "exit status $STATUS, not $want: $*"
	[ "$(wc -l <"$T_TMP.err")" = 1 ] || die "stderr has $(wc -l <"$T_TMP.err") lines, not one: $*"
	[ ! -s "$T_TMP.out" ] || die "stdout is not empty: $*"
}

# exits STATUS COMMAND...: with this exit status, whatever it prints.
exits() {
	local want=$1
	shift
	try "$@"
	[ "$STATUS" = "$want" ] || die "exit status $STATUS, not $want: $*"
}

eq() { # ACTUAL WANTED WHAT
	[ "$1" = "$2" ] || die "${3:-value}: '$1', not '$2'"
}

ne() { # ACTUAL UNWANTED WHAT
	[ "$1" != "$2" ] || die "${3:-value}: '$1' again"
}

like() { # TEXT EXTENDED-REGEX WHAT
	grep -qE -- "$2" <<<"$1" || die "${3:-text}: no match for '$2' in: $1"
}

unlike() {
	! grep -qE -- "$2" <<<"$1" || die "${3:-text}: '$2' is in: $1"
}

# says STATUS EXTENDED-REGEX COMMAND...: ends with STATUS, and the one line on stderr matches
says() {
	local want=$1 pattern=$2
	shift 2
	try "$@"
	eq "$STATUS" "$want" "exit status of: $*"
	eq "$(wc -l <"$T_TMP.err")" 1 "lines on stderr of: $*"
	like "$ERR" "$pattern" "message of: $*"
	like "$ERR" '^vectl: ' "message of: $*"
}

# json EXPRESSION <DOCUMENT: a Python expression over the document d; true, false and null print as in JSON.
json() {
	python3 -c '
import json, sys
d = json.load(sys.stdin)
v = eval(sys.argv[1])
print(v if isinstance(v, str) else json.dumps(v))' "$1"
}

# guest NAME COMMAND...: output of a command inside, which must succeed.
guest() {
	local name=$1
	shift
	ok vectl exec "$name" -- "$@"
}

# inside NAME SCRIPT: output of a shell script inside, whatever its status (STATUS has it).
inside() {
	try vectl exec "$1" -- /bin/sh -c "$2"
}

info() { # NAME EXPRESSION
	vectl info "$1" --json | json "(lambda d: $2)(d['ve'])"
}

state() { # NAME: as list shows it
	vectl list --json | json "[v['state'] for v in d['ves'] if v['name'] == '$1'][0]"
}

# A process of the caller's that waits for something in poll.
in_poll() { # PID
	case $(cat "/proc/$1/syscall") in
	"$POLL "*) ;;
	*) return 1 ;;
	esac
}
POLL=$(python3 -c 'import os; print({"x86_64": 7, "aarch64": 73}[os.uname().machine])')

# later_says STATUS REGEX PID FILE: what was started in the background, its stderr to FILE, ends like this
later_says() {
	local status=0
	wait "$3" || status=$?
	says "$1" "$2" sh -c "cat '$4' >&2; exit $status"
}

# interrupted REGEX COMMAND...: gets a Ctrl-C once it waits, and ends with 130 and these words
interrupted() {
	local pattern=$1 pid
	shift
	# What a shell starts in the background ignores the signal.
	env --default-signal=INT "$@" >"$T_TMP.out" 2>"$T_TMP.interrupted" &
	pid=$!
	until_ 30 in_poll "$pid"
	kill -INT "$pid"
	later_says 130 "$pattern" "$pid" "$T_TMP.interrupted"
}

# Waits until a condition holds: until_ SECONDS COMMAND...
until_() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || die "did not come about in time: $*"
		python3 -c 'import select; select.select([], [], [], 0.05)'
	done
}

cleanup_ve() {
	local name
	for name; do
		vectl destroy --force "$name" >/dev/null 2>&1 || true
	done
}

# A folder that only root can change, all the way up; where the tests' own is not, the cases cannot be.
hooks_folder() {
	HOOKS=/var/lib/vectl-test-hooks.$$
	rm -rf "$HOOKS"
	mkdir -m 755 "$HOOKS"
	LOG=$HOOKS/log
	: >"$LOG"
	trap 'rm -rf "$HOOKS"' EXIT
}

hook() { # NAME SCRIPT
	printf '#!/bin/sh\n%s\n' "$2" >"$HOOKS/$1"
	chmod 755 "$HOOKS/$1"
}

# The VE's processes that run on the host's side, from the kernel and not from vectl: pids whose cgroup lies in it.
pids_of() { # NAME [supervisor|ve]
	python3 "$T_HERE/snapshot.py" pids "$1" "${2:-}"
}

pty() { python3 "$T_HERE/pty_run.py" "$@"; }

busybox_ve() { # NAME [OPTION...]: created and running
	local name=$1
	shift
	ok vectl create "$name" --image busybox "$@"
	ok vectl start "$name" --wait=ready
}

pending() { info "$1" "sorted(d['pending'])"; } # NAME: keys that wait for the next start

boot_of() { info "$1" "d['boot']"; }
booted() { [ "$(boot_of "$1")" -ge "$2" ]; }

# A reboot that the guest asks for, until its next boot is ready.
reboot_ve() { # NAME
	local next=$(($(boot_of "$1") + 1))
	try vectl exec "$1" -- reboot
	until_ 60 booted "$1" "$next"
	ok vectl wait "$1" --state ready --timeout 60
	until_ 30 vectl exec "$1" -- true
}

# A host behind this one, which knows no way back to what is not this host's own address.
internet_up() {
	ip link del outside 2>/dev/null || true # of a test that failed
	unshare -n sleep infinity &
	INTERNET=$!
	trap 'kill $INTERNET 2>/dev/null' EXIT
	until_ 5 sh -c "[ \"\$(readlink /proc/$INTERNET/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
	ok ip link add outside type veth peer name inet netns "$INTERNET"
	ok ip address add 192.0.2.1/24 dev outside
	ok ip -6 address add 2001:db8:1::1/64 dev outside nodad
	ok ip link set outside up
	ok nsenter -t "$INTERNET" -n sh -c 'ip link set lo up; ip link set inet up
		ip address add 192.0.2.2/24 dev inet; ip -6 address add 2001:db8:1::2/64 dev inet nodad'
	ok ip route add default via 192.0.2.2
	ok ip -6 route add default via 2001:db8:1::2
}
internet_down() {
	trap - EXIT
	kill "$INTERNET"
	wait "$INTERNET" 2>/dev/null || true
	until_ 10 sh -c '! [ -e /sys/class/net/outside ]'
}

host_arch_busybox() { command -v busybox; }
