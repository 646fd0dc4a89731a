# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# needs: faults
# limit test_every_step 900
#
# In a build with -Dfaults=true, VECTL_FAULT=ACTOR:STEP kills that actor by SIGKILL right after that step of the plan.
# For every step of the plan: the start fails, or the VE runs; list tells the truth at once; the next start works, and
# leaves nothing of the one before.

truth() { # NAME: list says what is so
	local said
	said=$(state "$1")
	case $said in
	# A caller that was killed leaves a keeper that notices: it is on its way, and gets there by itself.
	starting | stopping)
		until_ 5 sh -c "[ -n \"\$(vectl list --names --state running; vectl list --names --state stopped)\" ]"
		truth "$1"
		;;
	stopped) ;;
	running)
		local init
		init=$(info "$1" "d['pid']")
		[ -e "/proc/$init/ns/pid" ] || die "list says running, but init $init is not there"
		;;
	*) die "list says '$said'" ;;
	esac
}

# What must be the same after a crash was mended and the VE stopped as after a clean start and stop.
ground() {
	python3 "$T_HERE/snapshot.py" take | grep -v '/console\.'
}

# No VE's end is being cleaned up after.
quiet() { ! ground | grep -qE 've-reaper|/\.links/'; }

# settled BEFORE: `after` is what there is once the reaper had its moment for links whose VE has ended.
settled() {
	local turn
	for turn in $(seq 60); do
		after=$(ground)
		[ "$after" != "$1" ] || return 0
		python3 -c 'import select; select.select([], [], [], 0.1)'
	done
	note "still different after $turn looks"
}

every_step() { # NAME
	local name=$1 before after actor step op died=0 ran=0 total=0
	ok vectl start "$name"
	ok vectl stop "$name" --timeout 30
	ok vectl plan "$name" --json
	json "[print(s['actor'], s['index'], s['op']) for s in d['steps']] and ''" <<<"$OUT" | grep . >"$T_TMP.steps"
	[ "$(wc -l <"$T_TMP.steps")" -ge 30 ] || die 'the plan has fewer than 30 steps'
	until_ 20 quiet
	before=$(ground)
	while read -r actor step op; do
		total=$((total + 1))
		note "killed: $actor after step $step, $op"
		try env VECTL_FAULT="$actor:$step" timeout 30 vectl start "$name"
		ne "$STATUS" 124 'a start that hangs'
		truth "$name"
		if [ "$STATUS" = 0 ]; then
			ran=$((ran + 1))
		else
			died=$((died + 1))
			# One line, and what the console said below it.
			[ "$actor" = caller ] || like "$(head -n 1 "$T_TMP.err")" "^vectl: $name: start: "
		fi
		# The next vectl that touches the VE mends it; a caller that was killed may have left a VE that runs.
		if [ "$(state "$name")" = running ]; then
			guest "$name" true
			ok vectl stop "$name" --force
		fi
		ok vectl start "$name"
		guest "$name" true
		ok vectl stop "$name" --force
		settled "$before"
		[ "$after" = "$before" ] || die "left after $actor:$step ($op): $(diff <(echo "$before") <(echo "$after"))"
	done <"$T_TMP.steps"
	note "$total steps: $died starts failed, $ran ran"
	# A build without faults would make every start run.
	[ "$died" -ge $((total / 2)) ] || die "only $died of $total starts failed: are the faults built in?"
}

test_every_step() {
	ok vectl create f1 --image busybox
	every_step f1
	ok vectl destroy --force f1
}

# Without a user namespace: other steps, and a keeper that stays root.
# limit test_every_step_privileged 900
test_every_step_privileged() {
	ok vectl create f6 --image busybox --privileged
	every_step f6
	ok vectl destroy --force f6
}

# The supervisor process dies while the others are at that step: the start fails, or the keeper starts another one.
# limit test_supervisor_after_every_step 600
test_supervisor_after_every_step() {
	ok vectl create f3 --image busybox
	ok vectl start f3
	ok vectl stop f3 --timeout 30
	ok vectl plan f3 --json
	json "[print(s['actor'], s['index'], s['op']) for s in d['steps'] if s['actor'] != 'caller'] and ''" <<<"$OUT" |
		grep . >"$T_TMP.steps"
	local before after actor step op died=0 ran=0
	until_ 20 quiet
	before=$(ground)
	while read -r actor step op; do
		note "killed: the supervisor after step $step of the $actor, $op"
		try env VECTL_FAULT="supervisor:$step" timeout 30 vectl start f3
		ne "$STATUS" 124 'a start that hangs'
		truth f3
		if [ "$STATUS" = 0 ]; then
			ran=$((ran + 1))
			guest f3 true
		else
			died=$((died + 1))
			like "$(head -n 1 "$T_TMP.err")" '^vectl: f3: start: '
			ok vectl start f3
		fi
		ok vectl stop f3 --force
		settled "$before"
		[ "$after" = "$before" ] || die "left after supervisor:$step ($op): $(diff <(echo "$before") <(echo "$after"))"
	done <"$T_TMP.steps"
	note "$died starts failed, $ran ran"
	[ "$died" -ge 1 ] || die "only $died starts failed: is the supervisor killed at all?"
	ok vectl destroy --force f3
}

# After a crash, destroy alone must clean up as well.
# limit test_destroy_after_every_step 600
test_destroy_after_every_step() {
	ok vectl create f2 --image busybox
	ok vectl plan f2 --json
	json "[print(s['actor'], s['index'], s['op']) for s in d['steps']] and ''" <<<"$OUT" | grep . >"$T_TMP.steps"
	ok vectl destroy --force f2
	local before after actor step op
	until_ 20 quiet
	before=$(ground)
	while read -r actor step op; do
		note "killed: $actor after step $step, $op"
		ok vectl create f2 --image busybox
		try env VECTL_FAULT="$actor:$step" timeout 30 vectl start f2
		ne "$STATUS" 124 'a start that hangs'
		ok vectl destroy --force f2
		settled "$before"
		[ "$after" = "$before" ] || die "left after $actor:$step ($op): $(diff <(echo "$before") <(echo "$after"))"
	done <"$T_TMP.steps"
}

# A change of a running VE that dies at each of its points: the spec is whole, what the VE runs with and what is pending
# tell the truth, and the next change, of whatever, brings it to the spec.
test_live_change_after_every_step() {
	local point now
	ok vectl create f6 --image busybox --hostname old
	ok vectl start f6 --wait=ready
	for point in 1 2 3 4; do
		try env VECTL_FAULT="live:$point" vectl set f6 hostname="new$point" sysctl.net.ipv4.ip_forward=1
		eq "$STATUS" 137 'a change that dies'
		eq "$(vectl get f6 hostname)" old 'the spec'
		eq "$(info f6 "sorted(d['pending'])")" '["hostname", "sysctl.net.ipv4.ip_forward"]'
		ok vectl exec f6 -- hostname
		[ "$point" -le 2 ] && now=old || now=new$point
		eq "$OUT" "$now" "the host name after dying at $point"
		ok vectl set f6 labels.a="$point"
		eq "$(info f6 "d['pending']")" '[]'
		ok vectl exec f6 -- sh -c 'hostname; cat /proc/sys/net/ipv4/ip_forward'
		eq "$OUT" $'old\n0' 'after the next change'
	done
	try vectl exec f6 -- reboot
	until_ 15 sh -c "vectl info f6 --json | grep -q '\"boot\": *2\b'"
	until_ 5 vectl exec f6 -- true
	ok vectl exec f6 -- hostname
	eq "$OUT" old 'after a reboot'
	ok vectl destroy --force f6
}

# The same of mounts: one that comes, one that goes, and one that becomes another. The next change mends what was left,
# and nothing of it is kept for boots to come.
# limit test_live_mounts_after_every_step 180
test_live_mounts_after_every_step() {
	local point
	mkdir -p "$T_TMP/old" "$T_TMP/new"
	chmod 755 "$T_TMP" "$T_TMP/old" "$T_TMP/new"
	touch "$T_TMP/old/old" "$T_TMP/new/new"
	ok vectl create f7 --image busybox --set "mount.stays.source=$T_TMP/old" --set mount.stays.target=/stays \
		--set "mount.goes.source=$T_TMP/old" --set mount.goes.target=/goes
	ok vectl start f7 --wait=ready
	f7_has() { # WHEN
		ok vectl exec f7 -- sh -c 'ls /stays /goes; ls -d /comes/new 2>/dev/null; grep -cE " /(stays|goes|comes) " /proc/mounts'
		eq "$(xargs <<<"$OUT")" '/goes: old /stays: old 2' "$1"
		eq "$(grep -c ' /b/' "/proc/$(info f7 "d['keeper']")/mountinfo")" 2 "what the keeper has $1"
	}
	for point in 1 2 3 4; do
		try env VECTL_FAULT="live:$point" vectl set f7 "mount.comes.source=$T_TMP/new" mount.comes.target=/comes \
			"mount.stays.source=$T_TMP/new" mount.goes.target=/elsewhere
		eq "$STATUS" 137 'a change that dies'
		eq "$(vectl get f7 mount.stays.source)" "$T_TMP/old" 'the spec'
		ne "$(info f7 "d['pending']")" '[]'
		ok vectl set f7 labels.a="$point"
		eq "$(info f7 "d['pending']")" '[]'
		f7_has "after dying at $point"
		# Cut short once more, and set again in the same words: it is not taken for done.
		try env VECTL_FAULT="live:$point" vectl set f7 "mount.stays.source=$T_TMP/new"
		eq "$STATUS" 137 'a change that dies'
		ok vectl set f7 "mount.stays.source=$T_TMP/new"
		eq "$(info f7 "d['pending']")" '[]'
		ok vectl exec f7 -- ls /stays
		eq "$OUT" new 'when it was set again'
		ok vectl set f7 "mount.stays.source=$T_TMP/old"
	done
	# Between a change that was cut short and the next one the VE reboots, as it was.
	try env VECTL_FAULT=live:2 vectl set f7 "mount.comes.source=$T_TMP/new" mount.comes.target=/comes \
		"mount.stays.source=$T_TMP/new" hostname=not-yet
	eq "$STATUS" 137 'a change that dies'
	try vectl exec f7 -- reboot
	until_ 60 sh -c "vectl info f7 --json | grep -q '\"boot\": *2\b'"
	until_ 30 vectl exec f7 -- true
	ok vectl exec f7 -- ls /stays
	eq "$OUT" old 'after a reboot'
	ok vectl exec f7 -- hostname
	eq "$OUT" f7 'host name after a reboot'
	ok vectl set f7 labels.a=again
	f7_has 'after a reboot'
	ok vectl destroy --force f7
}

# A rename that dies at each of its points: one name, with the ve.json that goes with it, and no further care needed.
test_rename_after_every_step() {
	local point name
	for point in 1 2 3 4; do
		ok vectl create f4 --image busybox --hostname f4
		try env VECTL_FAULT="rename:$point" vectl rename f4 f5
		eq "$STATUS" 137 'a rename that dies'
		[ "$point" -ge 3 ] && name=f5 || name=f4
		eq "$(vectl list --names | grep '^f[45]$')" "$name"
		eq "$(vectl get "$name" name)" "$name"
		eq "$(vectl get "$name" hostname)" "$name"
		ok vectl start "$name"
		eq "$(guest "$name" hostname && printf %s "$OUT")" "$name"
		ok vectl stop --force "$name"
		[ "$name" = f5 ] || ok vectl rename f4 f5
		ok vectl set f5 stop.timeout=7
		eq "$(find "$VECTL_ROOT/var/lib/vectl/ve/f5" -maxdepth 1 -name 've.json*' -printf '%f ')" 've.json '
		eq "$(json "d['name'] + d['hostname']" <"$VECTL_ROOT/var/lib/vectl/ve/f5/ve.json")" f5f5
		ok vectl destroy --force f5
	done
	ok vectl create f4 --image busybox # the killed one's lock file goes with it
	ok vectl destroy f4
}
