# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What events tells of real VEs, and what follows them sees.
# privileged: life what_happens_by_itself a_start_that_fails a_supervisor_that_is_killed following systemd_is_ready

# The events of a VE, in order, each with its most telling member: "created starting running:1 ..."
told() { # NAME
	vectl events "$1" --json | python3 -c '
import json, sys
words = []
for line in sys.stdin:
	e = json.loads(line)
	more = [e[k] for k in ("boot", "how", "by", "keys") if k in e]
	words.append(":".join([e["event"]] + [",".join(m) if isinstance(m, list) else str(m) for m in more]))
print(" ".join(words))'
}

test_life() {
	ok vectl create e1 --image busybox
	ok vectl start e1
	ok vectl set e1 stop.timeout=20 labels.a=b
	ok vectl set e1 stop.timeout=20
	ok vectl pause e1
	ok vectl resume e1
	ok vectl stop e1
	eq "$(told e1)" 'created starting running:1 changed:stop.timeout,labels.a paused resumed stopping:host stopped:poweroff:host'
	ok vectl start e1
	ok vectl stop --force e1
	like "$(told e1)" 'starting running:2 stopping:host stopped:killed:host$'
	eq "$(vectl events e1 --json | tail -n 1 | json "d['signal']")" 9
	ok vectl rename e1 e2
	like "$(told e2)" 'stopped:killed:host renamed$'
	ok vectl destroy --force e2
	fails 3 vectl events e2
}

test_what_happens_by_itself() {
	busybox_ve e1
	try vectl exec e1 -- reboot
	until_ 15 vectl wait e1 --state ready --timeout 1
	until_ 15 sh -c 'vectl events e1 | grep -q rebooted'
	try vectl exec e1 -- poweroff
	ok vectl wait e1 --state stopped --timeout 20
	# Whether somebody waited for the second boot is a matter of time.
	like "$(told e1)" '^created starting running:1 ready:1:host rebooted:2( ready:2:host)? stopped:poweroff:guest$'
	# an init that ends by itself, and one that dies
	ok vectl set e1 'init=/bin/sh,-c,exit 7'
	ok vectl start e1
	ok vectl wait e1 --state stopped --timeout 20
	like "$(told e1)" 'running:3 stopped:exited:guest$'
	eq "$(vectl events e1 --json -n 1 | json "d['status']")" 7
	ok vectl destroy --force e1
}

# An init that does not say that it is ready: who waits for it says so, one of them, and once a boot.
test_seen_ready() {
	local i waiting=()
	ok vectl create e1 --image busybox
	ok vectl start e1
	for i in 1 2 3 4 5; do
		vectl wait e1 --state ready --timeout 20 &
		waiting+=($!)
	done
	for i in "${waiting[@]}"; do wait "$i"; done
	ok vectl wait e1 --state ready --timeout 20
	eq "$(told e1)" 'created starting running:1 ready:1:host'
	ok vectl restart e1 --wait=ready
	ok vectl wait e1 --state ready --timeout 20
	like "$(told e1)" ' starting running:2 ready:2:host$'
	ok vectl stop e1
	# Nobody waits: nobody says it.
	ok vectl start e1
	ok vectl stop e1
	like "$(told e1)" ' starting running:3 stopping:host stopped:[a-z]+:host$'
	ok vectl destroy --force e1
}

test_a_start_that_fails() {
	ok vectl create e1 --image busybox
	ok vectl set e1 init=/nosuch
	exits 1 vectl start e1
	eq "$(told e1)" 'created changed:init starting start-failed'
	eq "$(vectl events e1 --json -n 1 | json "d['error']['step']")" exec
	ok vectl destroy --force e1
}

test_a_supervisor_that_is_killed() {
	busybox_ve e1
	kill -9 "$(info e1 "d['keeper']")"
	ok vectl wait e1 --state stopped --timeout 20
	until_ 10 sh -c 'vectl events e1 | grep -q how=lost'
	ok vectl destroy --force e1
}

test_following() {
	timeout 50 vectl events -f -n 0 --json >"$T_TMP.followed" &
	local follower=$! poked=0
	# What happened before it began is not for it: go on when it has begun.
	ok vectl create e0 --image busybox
	poke() { vectl set e0 labels.poked=$((++poked)) && [ -s "$T_TMP.followed" ]; }
	until_ 10 poke
	ok vectl create e1 --image busybox --start
	ok vectl create e2 --image busybox
	ok vectl stop e1
	ok vectl rename e1 e3
	ok vectl destroy --force e2 e3
	until_ 10 grep -q '"ve":"e3".*"event":"destroyed"' "$T_TMP.followed"
	kill -INT "$follower"
	STATUS=0
	wait "$follower" || STATUS=$?
	eq "$STATUS" 130 'status of an interrupted events -f'
	eq "$(python3 -c '
import json, sys
last = {}
for line in open(sys.argv[1]):
	e = json.loads(line)
	if e["ve"] != "e0":
		print(e["ve"], e["event"], end="; ")' "$T_TMP.followed")" \
		'e1 created; e1 starting; e1 running; e2 created; e1 stopping; e1 stopped; e3 renamed; e2 destroyed; e3 destroyed; '
	cleanup_ve e0
}

test_since_and_lines() {
	ok vectl create e1 --image busybox
	ok vectl set e1 labels.a=1
	ok vectl set e1 labels.a=2
	eq "$(vectl events e1 -n 1 | wc -l)" 1
	eq "$(vectl events -n 0 | wc -l)" 0
	eq "$(vectl events e1 --since 1h | wc -l)" 3
	eq "$(vectl events e1 --since @99999999999 | wc -l)" 0
	like "$(vectl events e1 -n 1)" '^[0-9-]+ [0-9:]+  e1 +changed  keys=labels.a$'
	fails 2 vectl events --since soon
	fails 2 vectl events -n many
	ok vectl destroy --force e1
}

test_systemd_is_ready() {
	[ -e "$T_CACHE/debian-13.tar" ] || skip 'no Debian tarball'
	ok vectl create e1 --image "$T_CACHE/debian-13.tar"
	ok vectl start e1 --wait=ready
	ok vectl stop e1
	eq "$(told e1)" 'created starting running:1 ready:1 stopping:host stopped:poweroff:host'
	ok vectl start e1 --wait=ready
	try vectl exec e1 -- systemctl poweroff
	ok vectl wait e1 --state stopped --timeout 60
	like "$(told e1)" 'running:2 ready:2( stopping:guest)? stopped:poweroff:guest$'
	ok vectl destroy --force e1
}
