# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Another name for a VE: what stays, what is refused, and a rename that is killed.
# privileged: keeps_what_it_has host_name refused after_a_crash two_at_once killed

tree() { # NAME: what must be the same under any name
	(cd "$VECTL_ROOT/var/lib/vectl/ve/$1" && find . -path ./disk/work -prune -o -printf '%P %y %U %m %l\n' | sort)
}

uuid() { vectl get "$1" uuid; }

test_keeps_what_it_has() {
	local before id ids
	busybox_ve rn1 --set labels.owner=ada
	guest rn1 sh -c 'echo kept > /root/kept; echo on-the-console > /dev/console'
	until_ 10 sh -c 'vectl logs rn1 | grep -q on-the-console'
	ok vectl stop rn1
	before=$(tree rn1) id=$(uuid rn1) ids=$(readlink "$VECTL_ROOT/var/lib/vectl/ve/rn1/ids")
	ok vectl rename rn1 rn2
	eq "$OUT$ERR" '' 'what rename says'
	eq "$(tree rn2)" "$before" 'the folder'
	eq "$(uuid rn2)" "$id" uuid
	eq "$(vectl get rn2 name)" rn2
	eq "$(readlink "$VECTL_ROOT/var/lib/vectl/ve/rn2/ids")" "$ids" ids
	like "$(vectl logs rn2)" on-the-console
	fails 3 vectl info rn1
	eq "$(find "$VECTL_ROOT/run/vectl/.lock" -name rn1)" '' 'the lock of the old name'
	ok vectl start rn2
	eq "$(guest rn2 hostname && printf %s "$OUT")" rn2 'the host name'
	ok vectl exec rn2 cat /root/kept
	eq "$OUT" kept
	eq "$(vectl list --label owner=ada --names)" rn2
	ok vectl destroy --force rn2
}

test_host_name() {
	ok vectl create rn3 --image busybox --hostname www.example.org
	ok vectl rename rn3 rn4
	eq "$(vectl get rn4 hostname)" www.example.org
	ok vectl set rn4 hostname=rn4
	ok vectl rename rn4 rn5
	eq "$(vectl get rn5 hostname)" rn5 'a host name that is the name'
	ok vectl rename rn5 rn6 --json
	eq "$(json "d['ve'] + ' ' + d['state']" <<<"$OUT")" 'rn6 stopped'
	ok vectl destroy --force rn6
}

test_refused() {
	busybox_ve rn7
	ok vectl create rn8 --image busybox
	fails 4 vectl rename rn7 rn9
	like "$ERR" '^vectl: rn7: rename: it is running: stop it first: vectl stop rn7$'
	ok vectl pause rn7
	fails 4 vectl rename rn7 rn9
	ok vectl resume rn7
	fails 1 vectl rename rn8 rn7
	like "$ERR" "^vectl: rn8: rename: there is a VE 'rn7' already: "
	fails 1 vectl rename rn8 rn8
	local name
	for name in '' . .. a/b -x A 'a b' .create-x "$(printf 'a%.0s' {1..64})"; do
		fails 2 vectl rename -- rn8 "$name"
	done
	fails 2 vectl rename rn8
	fails 2 vectl rename rn8 rn9 rn10
	fails 3 vectl rename rn9 rn10
	eq "$(vectl list --names | grep ^rn | tr '\n' ' ')" 'rn7 rn8 '
	guest rn7 true
	ok vectl destroy --force rn7 rn8
}

# A VE whose keeper was killed is mended first, so that nothing stays under the old name.
test_after_a_crash() {
	busybox_ve rn11
	kill -9 "$(info rn11 "d['keeper']")"
	until_ 10 sh -c 'vectl rename rn11 rn12'
	ok vectl start rn12
	guest rn12 true
	eq "$(find "$VECTL_ROOT/run/vectl" -name rn11)" ''
	ok vectl destroy --force rn12
}

# Both ways at once, again and again: never stuck, never two, never none.
test_two_at_once() {
	local left
	ok vectl create rn13 --image busybox
	for _ in 1 2 3 4 5 6 7 8; do
		timeout 20 vectl rename rn13 rn14 2>/dev/null &
		timeout 20 vectl rename rn14 rn13 2>/dev/null &
		timeout 20 vectl rename rn13 rn15 2>/dev/null &
		wait
		left=$(vectl list --names | grep '^rn1[345]$')
		eq "$(wc -l <<<"$left")" 1 'VEs that are left'
		[ "$left" = rn13 ] || ok vectl rename "$left" rn13
	done
	eq "$(find "$VECTL_ROOT/run/vectl/.lock" -name 'rn1[45]')" ''
	ok vectl destroy --force rn13
}

test_killed() {
	local delay now other id
	ok vectl create rn16 --image busybox
	id=$(uuid rn16)
	for delay in 0.0005 0.001 0.0015 0.002 0.0025 0.003 0.004 0.005 0.001 0.002 0.003; do
		now=$(vectl list --names | grep '^rn1[67]$')
		[ "$now" = rn16 ] && other=rn17 || other=rn16
		try timeout --foreground -s KILL "$delay" vectl rename "$now" "$other"
		now=$(vectl list --names | grep '^rn1[67]$')
		eq "$(wc -l <<<"$now")" 1 'names that are left'
		eq "$(uuid "$now")" "$id"
		eq "$(vectl get "$now" name)" "$now"
	done
	ok vectl start "$now"
	guest "$now" true
	ok vectl destroy --force "$now"
	# The lock file of a name that a killed rename took or left goes with the next VE of that name.
	for now in rn16 rn17; do
		ok vectl create "$now" --image busybox
		ok vectl destroy "$now"
	done
}
