# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# stat and top: what VEs use, and how it is shown.

# of NAME EXPRESSION: of its row v in the document of stat
of() { vectl stat "$1" --json -i "${3:-0.1}" | json "(lambda v: $2)(d['ves'][0])"; }

test_stat() {
	ok vectl create s1 --image busybox
	eq "$(of s1 "[v['state'], v['cpu'], v['memory'], v['pids'], v['uptime']]")" '["stopped", null, null, null, null]'
	ok vectl start s1 --wait=ready
	like "$(of s1 "v['cpu']['usage_ns']")" '^[0-9]+$'
	eq "$(of s1 "v['memory']['usage'] > 100000")" true
	eq "$(of s1 "v['pids']['current'] >= 1")" true
	ok vectl stat
	like "$OUT" '^NAME +STATE +READY +CPU% +CPU +MEMORY +PIDS +READ +WRITE +NET-IN +NET-OUT +UPTIME$'
	like "$OUT" '^s1 +running'
	fails 3 vectl stat nosuch
	fails 2 vectl stat -i often
	ok vectl destroy --force s1
}

# What burns a CPU is seen to, in percent and as time, and what holds memory.
test_use_is_seen() {
	busybox_ve s1
	local before pids
	pids=$(of s1 "v['pids']['current']")
	timeout 50 vectl exec s1 -- sh -c 'while :; do :; done' &
	local burner=$!
	until_ 20 sh -c "vectl stat s1 --json -i 0.5 | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)[\"ves\"][0][\"cpu\"][\"percent\"] < 10)'"
	before=$(of s1 "v['cpu']['usage_ns']")
	until_ 20 sh -c "[ \$(vectl stat s1 --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"ves\"][0][\"cpu\"][\"usage_ns\"])') -gt $((before + 100000000)) ]"
	eq "$(of s1 "v['pids']['current'] > $pids")" true
	kill "$burner"
	wait "$burner" || true
	ok vectl destroy --force s1
}

test_batch() {
	busybox_ve s1
	ok vectl create s2 --image busybox
	ok vectl top -n 2 -d 0.2
	eq "$(grep -c '^NAME' <<<"$OUT")" 2
	eq "$(grep -c '^s1 ' <<<"$OUT")" 2
	unlike "$OUT" s2 # it does not run
	unlike "$OUT" $'\033'
	ok vectl top -n 3 -d 0.1 --json
	eq "$(wc -l <<<"$OUT")" 3
	ok vectl top -n 1 -d 0.1 --color=always
	like "$OUT" $'\033\\[32mrunning'
	fails 2 vectl top --sort colour
	fails 2 vectl top -n 0
	fails 2 vectl top -d 0
	fails 3 vectl top -n 1 nosuch
	timeout 20 vectl top -d 5 >"$T_TMP.top" &
	local top=$!
	kill -INT "$top"
	STATUS=0
	wait "$top" || STATUS=$?
	eq "$STATUS" 130
	ok vectl destroy --force s1 s2
}

test_colour() {
	busybox_ve s1
	local esc=$'\033'
	unlike "$(vectl list)" "$esc"
	like "$(vectl list --color=always)" "s1 +$esc\\[32mrunning"
	like "$(NO_COLOR=1 vectl stat --color always)" "$esc"
	like "$(vectl events --color=always)" "$esc\\[32mrunning"
	fails 2 vectl list --color=sometimes
	like "$(TERM=xterm pty -- vectl list)" "$esc"
	unlike "$(TERM=xterm NO_COLOR=1 pty -- vectl list)" "$esc"
	unlike "$(TERM=dumb pty -- vectl list)" "$esc"
	unlike "$(TERM=xterm pty -- vectl list --color=never)" "$esc"
	ok vectl destroy --force s1
}

# Tables never wrap: not at 80 columns, and not at 40.
test_width() {
	local name=a-name-of-a-virtual-environment-that-is-sixty-three-letters-lng width widest
	ok vectl create "$name" --image busybox --start
	for width in 80 40; do
		for verb in list stat 'list -o name,state,ready,image,addresses,memory,uptime,pid,boot,labels'; do
			# shellcheck disable=SC2086
			widest=$(TERM=dumb pty --size "24x$width" -- vectl $verb | tr -d '\r' | wc -L)
			[ "$widest" -le "$width" ] || die "vectl $verb is $widest wide at $width"
			[ "$widest" -gt 20 ] || die "vectl $verb printed next to nothing"
		done
	done
	like "$(vectl list)" "^$name " # a pipe gets everything
	ok vectl destroy --force "$name"
}
