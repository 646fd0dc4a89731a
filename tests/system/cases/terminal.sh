# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# On a real terminal: tmux plays the user, at 80x24 and after a resize. Its server has a socket of the test's own.
# privileged: attach console start_console

tm() { tmux -S "$T_TMP.tmux" -f /dev/null "$@"; }

terminal() { # a shell on a terminal of 80x24, with a prompt that nothing else prints
	trap 'tm kill-server 2>/dev/null || true' EXIT
	tm new-session -d -x 80 -y 24 "exec env -u NO_COLOR TERM=screen PS1='outer% ' bash --norc --noprofile"
	shows '^outer%'
	types "stty -a >$T_TMP.before"
}

screen() { tm capture-pane -p; }

shows() { # REGEX [SECONDS]: the screen does, in time
	local end=$((SECONDS + ${2:-15}))
	until screen | grep -qE -- "$1"; do
		if [ "$SECONDS" -ge "$end" ]; then
			screen | sed 's/^/# |/' >&2
			die "the terminal does not show '$1'"
		fi
		python3 -c 'import select; select.select([], [], [], 0.05)'
	done
}

types() { tm send-keys -l "$1" && tm send-keys Enter; }

# The terminal is a shell's again, and as it was.
sane() {
	tm clear-history
	types "clear; stty -a >$T_TMP.after; echo \"back \$((40 + 2))\""
	shows '^back 42'
	eq "$(tm display -p '#{alternate_on}#{cursor_flag}')" 01 'alternate screen off, cursor shown'
	# the size is the test's own doing
	diff <(sed 1d "$T_TMP.before") <(sed 1d "$T_TMP.after") >&2 || die 'the terminal has other settings than before'
}

test_attach() {
	busybox_ve t1
	terminal
	types 'vectl attach t1'
	shows '#'
	types "PS1='inner# '; clear"
	shows '^inner#'
	types 'stty size'
	shows '^24 80'
	tm resize-window -x 100 -y 30
	types 'clear; stty size'
	shows '^30 100'
	# a program that fills the screen draws on all of it, and leaves it
	types 'vi /root/file'
	shows '^- /root/file'
	eq "$(screen | grep -c '^~$')" 28 'lines that vi drew'
	tm send-keys -l 'ihello'
	tm send-keys Escape
	shows '^- /root/file .Modified' # before it, what follows would be a part of an escape sequence
	types ':wq'
	types 'clear; cat /root/file'
	shows '^hello'
	# an interrupt is the command's, not ours
	types 'clear; echo go; sleep 1000'
	shows '^go'
	tm send-keys C-c
	types 'echo status $?'
	shows '^status 130'
	types 'exit 7'
	shows '^outer%'
	types 'echo left with $?'
	shows '^left with 7'
	sane
	ok vectl destroy --force t1
}

test_console() {
	busybox_ve t1
	terminal
	types 'vectl console t1'
	shows 'To leave it: Ctrl-\] Ctrl-\]'
	shows 'Please press Enter'
	tm send-keys Enter
	types "PS1='inner# '; clear"
	shows '^inner#'
	types 'stty size'
	shows '^24 80'
	tm resize-window -x 60 -y 20
	types 'clear; stty size'
	shows '^20 60'
	# one Ctrl-] is the guest's, an interrupt too
	types 'clear; echo go; sleep 1000'
	shows '^go'
	tm send-keys C-]
	tm send-keys C-c
	types 'echo status $?'
	shows '^status 130'
	tm send-keys C-] C-]
	shows 'Left the console of t1'
	sane
	# it outlasts a reboot
	types 'vectl console t1'
	shows '^inner#' # what it printed last
	types 'clear; reboot'
	until_ 20 sh -c 'vectl events t1 | grep -q rebooted'
	shows 'Please press Enter'
	tm send-keys Enter
	types 'echo boot again $((1 + 1))'
	shows '^boot again 2'
	# and its end is said
	types 'clear; poweroff'
	shows 'The console of t1 has ended'
	sane
	ok vectl destroy --force t1
}

test_start_console() {
	ok vectl create t1 --image busybox
	terminal
	types 'vectl start t1 --console'
	shows 'To leave it: Ctrl-\] Ctrl-\]'
	shows 'Please press Enter'
	tm send-keys C-] C-]
	shows 'Left the console of t1'
	sane
	ok vectl stop t1
	# a start that fails once something was printed shows it
	ok vectl set t1 'init=/bin/sh,-c,echo the last words; exit 1'
	types 'clear; vectl start t1 --wait=ready; echo status $?'
	shows 'the last words'
	shows '^status 1'
	ok vectl destroy --force t1
}

fits() { # no line is wider than the terminal, and the last line is where it belongs
	local widest
	widest=$(screen | wc -L)
	[ "$widest" -le "$1" ] || die "a line is $widest wide, of $1"
	shows '^sorted by'
	eq "$(screen | sed -n "$2p" | cut -c1-9)" 'sorted by' "line $2"
}

test_top() {
	local name=a-name-of-a-virtual-environment-that-is-sixty-three-letters-lng pid
	busybox_ve t1
	ok vectl create "$name" --image busybox --start
	ok vectl create t2 --image busybox
	terminal
	types 'vectl top -d 0.3'
	shows '^t1 +running +[0-9.]+'
	fits 80 24
	shows '3 VEs, 2 running'
	eq "$(tm display -p '#{alternate_on}#{cursor_flag}')" 10
	tm resize-window -x 50 -y 10
	shows '^a-name-of-a-v~ +running +[0-9.]+ +[0-9.]+M'
	until_ 10 sh -c "[ \"\$(tmux -S $T_TMP.tmux capture-pane -p | sed -n 10p | cut -c1-9)\" = 'sorted by' ]"
	fits 50 10
	tm resize-window -x 132 -y 40
	shows "^$name +running"
	until_ 10 sh -c "[ \"\$(tmux -S $T_TMP.tmux capture-pane -p | sed -n 40p | cut -c1-9)\" = 'sorted by' ]"
	fits 132 40
	tm send-keys a n
	shows '^t2 +stopped'
	shows '^sorted by name'
	eq "$(screen | sed -n '5,7p' | cut -d' ' -f1 | tr '\n' ' ')" "$name t1 t2 "
	tm send-keys r
	shows '^sorted by name, reversed'
	eq "$(screen | sed -n '5,7p' | cut -d' ' -f1 | tr '\n' ' ')" "t2 t1 $name "
	tm send-keys '?'
	shows '^q +leave'
	tm send-keys q
	sane
	# interrupted, and told to end: the terminal is given back
	types 'vectl top'
	shows '^sorted by'
	tm send-keys C-c
	sane
	types "sh -c 'echo \$\$ >$T_TMP.pid; exec vectl top'"
	shows '^sorted by'
	pid=$(cat "$T_TMP.pid")
	kill -TERM "$pid"
	sane
	# stopped and continued
	types 'vectl top'
	shows '^sorted by'
	tm send-keys C-z
	shows 'Stopped'
	eq "$(tm display -p '#{alternate_on}')" 0
	types fg
	shows '^sorted by'
	tm send-keys q
	sane
	ok vectl destroy --force t1 t2 "$name"
}

# Lines of events keep to 80 columns whatever a VE is called; in a pipe the name is whole.
test_events() {
	local name=a-name-of-a-virtual-environment-that-is-sixty-three-letters-lng
	ok vectl create "$name" --image busybox --start
	ok vectl events "$name"
	like "$OUT" " $name  running  boot=1\$"
	terminal
	types 'clear; vectl events; echo done'
	shows '^done'
	shows '^[-0-9]+ [:0-9]+  a-name-of-a-virtual-env…  running  boot=1$'
	ok vectl destroy --force "$name"
}

# No colour where none is wanted, states in colour where it is.
test_colour() {
	busybox_ve t1
	terminal
	types 'clear; vectl list'
	shows '^t1 +running'
	tm capture-pane -p -e | grep -q $'\033\\[32mrunning' || die 'no colour on a terminal'
	types 'clear; NO_COLOR=1 vectl list'
	shows '^t1 +running'
	! tm capture-pane -p -e | grep -q $'\033\\[32m' || die 'colour in spite of NO_COLOR'
	ok vectl destroy --force t1
}

# Lines of OUT that are longer than that, and are not one word, id or path alone, or a command to be pasted, or a line of the spec.
longer() { # COLUMNS
	grep -E "^.{$(($1 + 1)),}\$" <<<"$OUT" | grep -vE '^ *((ok|warn|fail|note:) +)?[^ ]+$|^  (Id|Path) +[^ ]+$|^          [^#]|^  [a-z0-9.]+=' || true
}

# Sentences are wrapped between words, with what follows under what was begun; what no terminal reads is left alone.
test_sentences_are_wrapped() {
	local why='an invoice of the customer with the long name that lives on the other side of the river is not paid'
	busybox_ve t1 --set privileged=true
	ok vectl set t1 "suspended=$why"
	local size
	for size in 80 60; do
		for verb in 'info t1' doctor 'doctor -v' 'plan t1' 'image info busybox'; do
			# shellcheck disable=SC2086
			try env NO_COLOR=1 python3 "$T_HERE/pty_run.py" --size "24x$size" -- vectl $verb
			OUT=$(tr -d '\r' <<<"$OUT")
			[ "$(wc -l <<<"$OUT")" -gt 10 ] || die "too little of $verb"
			eq "$(longer "$size")" '' "lines of $verb with more than $size columns"
		done
	done
	ok pty --size 24x80 -- vectl info t1
	OUT=$(tr -d '\r' <<<"$OUT")
	like "$OUT" '^  Suspended       an invoice .* that lives on$'
	like "$OUT" '^                  the other side of the river is not paid$'
	like "$OUT" '^  root inside is root of the host for the kernel: a hostile root in this VE is$'
	like "$OUT" '^    not contained$'
	# A path is never broken: what goes with it is, and begins further to the left where only there it fits.
	ok pty --size 24x80 -- vectl image info busybox
	eq "$(sed -n 's/^  Path  *//p' <<<"$OUT" | tr -d '\r')" "$(vectl image info busybox --json | json "d['image']['path']")"
	ok vectl info t1
	like "$OUT" "^  Suspended       $why\$"
	like "$OUT" '^  root inside is root of the host .* not contained$'
	ok vectl plan t1
	like "$OUT" '^ *[0-9]+ .{90,}$'
	ok pty --size 24x80 -- vectl create t2 --image busybox --set privileged=true
	OUT=$(tr -d '\r' <<<"$OUT")
	like "$OUT" '^  - root inside is root of the host .* is$'
	like "$OUT" '^    not contained$'
	ok vectl destroy --force t1 t2
}

json_lines() { # EXPRESSION EVENT <LINES: of each event of that kind
	python3 -c '
import json, sys
print(*[eval(sys.argv[1]) for d in map(json.loads, sys.stdin) if d["event"] == sys.argv[2]])' "$@"
}

eq_boot() { [ "$(info "$1" "d['boot']")" = "$2" ]; }

test_logs_of_a_boot() {
	ok vectl create t1 --image busybox
	ok vectl set t1 'init=/bin/sh,-c,echo first; exit 0'
	ok vectl start t1
	ok vectl wait t1 --state stopped --timeout 20
	ok vectl set t1 'init=/bin/sh,-c,echo second; exit 0'
	ok vectl start t1
	ok vectl wait t1 --state stopped --timeout 20
	like "$(vectl logs t1)" first
	like "$(vectl logs t1 -b 0)" second
	unlike "$(vectl logs t1 -b 0)" first
	like "$(vectl logs t1 -b -1)" first
	unlike "$(vectl logs t1 -b -1)" second
	like "$(vectl logs t1 -b 1)" first
	eq "$(vectl logs t1 -b 1 -n 1 | tr -d '\r')" first
	eq "$(vectl logs t1 -b -1 -n 1 --json | json "d['lines']")" '["first"]'
	like "$(vectl logs t1 -b 2)" second
	# One number for a boot, over stops, whoever tells it.
	eq "$(vectl logs t1 | sed -n 's/^--- \(boot [0-9]*\),.*/\1/p')" $'boot 1\nboot 2'
	eq "$(vectl events t1 --json | json_lines "d['boot']" running)" '1 2'
	ok vectl set t1 'init=/bin/sh,-c,echo third; exec /sbin/init'
	ok vectl start t1 --wait=ready
	eq "$(info t1 "d['boot']")" 3
	try vectl exec t1 -- reboot
	until_ 20 eq_boot t1 4
	like "$(vectl logs t1 -b 4)" '^--- boot 4, .* UTC ---'
	ok vectl stop --force t1
	# The guest may print what it likes: counted is what is kept apart from that.
	ok vectl set t1 'init=/bin/sh,-c,echo "--- boot 70, 2026-01-31 12:00:00 UTC ---"; exit 0'
	ok vectl start t1
	ok vectl wait t1 --state stopped --timeout 20
	ok vectl set t1 'init=/bin/sh,-c,exit 0'
	ok vectl start t1
	ok vectl wait t1 --state stopped --timeout 20
	like "$(vectl logs t1 -b 6)" '^--- boot 6, .* UTC ---'
	like "$(vectl logs t1 --since 1h)" second
	eq "$(vectl logs t1 --since @99999999999)" ''
	fails 1 vectl logs t1 -b 9
	like "$ERR" '^vectl: t1: logs: its log has no boot 9 but boots 1 to 6: -b 0 is the last, .*'
	fails 1 vectl logs t1 -b -7
	fails 2 vectl logs t1 -b last
	fails 2 vectl logs t1 -f -b 1
	ok vectl destroy --force t1
}
