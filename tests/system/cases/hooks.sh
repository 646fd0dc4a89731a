# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# hooks.*: what root's executables are told, when they run, how often, and which are refused.
# privileged: each_in_its_time what_a_hook_gets failing_pre_start failing_start_hook post_stop_after_a_crash
# privileged: hooks_that_others_could_change what_a_hook_leaves_running hooks_that_a_ve_could_have_written
# privileged: start_killed_in_pre_start start_killed_in_the_start_hook start_interrupted_in_the_start_hook

test_each_in_its_time() {
	hooks_folder
	hook all "echo \"\$VE_HOOK \$1 \$2 \$VE_NAME \$VE_UUID\" >> $LOG"
	ok vectl create hk --image busybox --set "hooks.pre-start=$HOOKS/all" --set "hooks.start=$HOOKS/all" \
		--set "hooks.stop=$HOOKS/all" --set "hooks.post-stop=$HOOKS/all"
	local uuid
	uuid=$(vectl get hk uuid)
	eq "$(cat "$LOG")" '' 'hooks of a create'
	ok vectl start hk --wait=ready
	eq "$(cat "$LOG")" "pre-start hk pre-start hk $uuid"$'\n'"start hk start hk $uuid"
	: >"$LOG"
	try vectl exec hk -- reboot
	until_ 15 sh -c "vectl info hk --json | grep -q '\"boot\": *2\b'"
	eq "$(cat "$LOG")" '' 'hooks of a reboot in place'
	ok vectl stop hk
	eq "$(cat "$LOG")" "stop hk stop hk $uuid"$'\n'"post-stop hk post-stop hk $uuid"
	: >"$LOG"
	ok vectl start hk
	ok vectl stop --force hk
	eq "$(awk '{ print $1 }' "$LOG" | paste -sd ' ')" 'pre-start start post-stop' 'with stop --force'
	: >"$LOG"
	ok vectl start hk
	ok vectl destroy --force hk
	eq "$(awk '{ print $1 }' "$LOG" | paste -sd ' ')" 'pre-start start post-stop' 'with destroy'
}

test_what_a_hook_gets() {
	hooks_folder
	hook env "env | sort > $HOOKS/env.out; cat >> $HOOKS/env.out; ls -l /proc/\$\$/fd; pwd -P; cut -d' ' -f1,6 /proc/\$\$/stat; echo said"
	ok vectl create he --image busybox --set "hooks.start=$HOOKS/env"
	SECRET=mine vectl start he 9</etc/passwd
	like "$(cat "$HOOKS/env.out")" '^VE_NAME=he$'
	like "$(cat "$HOOKS/env.out")" '^VE_HOOK=start$'
	like "$(cat "$HOOKS/env.out")" "^VE_INIT_PID=$(info he "d['pid']")\$"
	like "$(cat "$HOOKS/env.out")" "^VECTL_ROOT=$VECTL_ROOT\$"
	like "$(cat "$HOOKS/env.out")" "^VE_SPEC=$VECTL_ROOT/var/lib/vectl/ve/he/ve.json\$"
	unlike "$(cat "$HOOKS/env.out")" 'SECRET|^HOME='
	local said
	said=$(cat "$VECTL_ROOT/var/lib/vectl/ve/he/hooks.log")
	like "$said" '^said$'
	eq "$(grep -c -- '->' <<<"$said")" 4 'open files of a hook, with its script'
	like "$said" ' 0 -> .*/run/vectl/he/hook' 'its empty standard input'
	like "$said" '^/$' 'its folder'
	like "$said" '^([0-9]+) \1$' 'its session'
	ok vectl destroy --force he
}

test_failing_pre_start() {
	hooks_folder
	hook bad "echo post >> $LOG.post; echo some; echo 'the disk is not there'; exit 7"
	hook post "echo post-stop >> $LOG"
	ok vectl create hf --image busybox --set "hooks.pre-start=$HOOKS/bad" --set "hooks.post-stop=$HOOKS/post"
	try vectl start hf
	eq "$STATUS" 1
	like "$ERR" "hooks.pre-start: $HOOKS/bad: exit status 7: the disk is not there"
	eq "$(state hf)" stopped
	eq "$(pids_of hf)" ''
	[ ! -e "$VECTL_ROOT/run/vectl/hf" ] || die 'a refused start left a runtime folder'
	eq "$(cat "$LOG")" '' 'post-stop after a pre-start that failed'
	# A start that fails after pre-start is undone, and so is what that prepared.
	hook bad true
	ok vectl set hf init=/no/such/init
	exits 1 vectl start hf
	eq "$(cat "$LOG")" post-stop 'post-stop after a start that failed'
	ok vectl destroy --force hf
	eq "$(cat "$LOG")" post-stop
}

test_failing_start_hook() {
	hooks_folder
	hook bad 'exit 1'
	hook post "echo post-stop >> $LOG"
	ok vectl create hs --image busybox --set "hooks.start=$HOOKS/bad" --set "hooks.post-stop=$HOOKS/post"
	try vectl start hs
	eq "$STATUS" 1
	like "$ERR" 'hooks.start: .*exit status 1'
	eq "$(state hs)" stopped
	eq "$(pids_of hs)" ''
	eq "$(cat "$LOG")" post-stop
	ok vectl destroy --force hs
}

# What one VE's hook waits for is nothing to the others: theirs is removed meanwhile.
test_slow_post_stop_holds_up_nobody() {
	hooks_folder
	hook slow "echo begin >> $LOG; while [ ! -e $HOOKS/go-on ]; do sleep 0.1; done; echo end >> $LOG"
	ok vectl create hs1 --image busybox --set "hooks.post-stop=$HOOKS/slow"
	ok vectl create hs2 --image busybox
	ok vectl start hs1 hs2 --wait=ready
	# Ended by themselves, so that it is the reaper's to clean up. Nothing here asks vectl about them, which would do it too.
	try vectl exec hs1 -- poweroff
	until_ 20 grep -q begin "$LOG"
	try vectl exec hs2 -- poweroff
	until_ 20 [ ! -e "$VECTL_ROOT/run/vectl/hs2" ]
	eq "$(cat "$LOG")" begin 'the other hook, meanwhile'
	[ -e "$VECTL_ROOT/run/vectl/hs1" ] || die 'what the hook is to clean up after has gone before it has ended'
	: >"$HOOKS/go-on"
	until_ 20 [ ! -e "$VECTL_ROOT/run/vectl/hs1" ]
	eq "$(cat "$LOG")" $'begin\nend' 'the hook, once'
	ok vectl destroy --force hs1 hs2
}

test_post_stop_after_a_crash() {
	hooks_folder
	hook post "echo post-stop >> $LOG"
	ok vectl create hc --image busybox --set "hooks.post-stop=$HOOKS/post"
	ok vectl start hc --wait=ready
	kill -KILL "$(info hc "d['keeper']")"
	until_ 10 [ -s "$LOG" ]
	until_ 10 [ ! -e "$VECTL_ROOT/run/vectl/hc" ]
	ok vectl start hc --wait=ready
	eq "$(cat "$LOG")" post-stop 'after a keeper that was killed'
	: >"$LOG"
	# The guest powers itself off: nobody stops it but itself, and the reaper sees it.
	try vectl exec hc -- poweroff
	until_ 15 [ -s "$LOG" ]
	until_ 10 [ ! -e "$VECTL_ROOT/run/vectl/hc" ]
	eq "$(cat "$LOG")" post-stop 'after a poweroff inside'
	ok vectl destroy --force hc
	eq "$(cat "$LOG")" post-stop
}

test_hooks_that_others_could_change() {
	hooks_folder
	hook good true
	ok vectl create hb --image busybox
	local wrong
	refused_hook() { # PATTERN PATH
		ok vectl set hb "hooks.stop=$2"
		fails 1 vectl start hb
		like "$ERR" "hooks.stop: $1"
		eq "$(state hb)" stopped
	}
	refused_hook "$HOOKS/none: No such file" "$HOOKS/none"
	chmod 775 "$HOOKS/good"
	refused_hook "$HOOKS/good can be written to by others" "$HOOKS/good"
	chmod 644 "$HOOKS/good"
	refused_hook "$HOOKS/good is not an executable file" "$HOOKS/good"
	chmod 755 "$HOOKS/good"
	chown 1000 "$HOOKS/good"
	refused_hook "$HOOKS/good is not root's" "$HOOKS/good"
	chown 0 "$HOOKS/good"
	refused_hook "$HOOKS is not an executable file" "$HOOKS"
	mkdir "$HOOKS/open"
	cp "$HOOKS/good" "$HOOKS/open/good"
	chmod 777 "$HOOKS/open"
	refused_hook "$HOOKS/open can be written to by others" "$HOOKS/open/good"
	chmod 1777 "$HOOKS/open"
	refused_hook "$HOOKS/open can be written to by others" "$HOOKS/open/good"
	ln -s open/good "$HOOKS/link"
	refused_hook "$HOOKS/open can be written to by others" "$HOOKS/link"
	ln -s "$HOOKS/good" "$HOOKS/open/back"
	ln -s "$HOOKS/open/back" "$HOOKS/twice"
	refused_hook "$HOOKS/open can be written to by others" "$HOOKS/twice"
	ln -s self "$HOOKS/self"
	refused_hook '.*' "$HOOKS/self"
	# A link of root's in folders of root's is as good as what it leads to.
	ln -s ../"${HOOKS##*/}"/good "$HOOKS/fine"
	ok vectl set hb "hooks.stop=$HOOKS/fine"
	ok vectl start hb
	ok vectl destroy --force hb
}

test_what_a_hook_leaves_running() {
	hooks_folder
	hook left "sleep 300 & echo \$! > $HOOKS/pid; trap '' TERM; echo here"
	ok vectl create hl --image busybox --set "hooks.start=$HOOKS/left"
	ok vectl start hl
	until_ 5 sh -c "! kill -0 $(cat "$HOOKS/pid") 2>/dev/null || grep -q '^State:.*Z' /proc/$(cat "$HOOKS/pid")/status"
	ok vectl destroy --force hl
}

test_hooks_that_a_ve_could_have_written() {
	hooks_folder
	mkdir -p "$HOOKS/root/var/lib/vectl" "$HOOKS/data/in"
	cp -a "$VECTL_ROOT/var/lib/vectl/images" "$HOOKS/root/var/lib/vectl/"
	local VECTL_ROOT=$HOOKS/root
	trap 'cleanup_ve ht; rm -rf "$HOOKS"' EXIT
	ok vectl create ht --image busybox
	ok vectl start ht --wait=ready
	inside ht "printf '#!/bin/sh\nid > /made-by-the-guest\n' > /hook; chmod 755 /hook"
	ok vectl stop --force ht
	local ve=$VECTL_ROOT/var/lib/vectl/ve/ht path
	# Without the rule it would pass: root's, and executable.
	eq "$(stat -c '%a %u' "$ve/disk/upper/hook")" '755 0'
	cp "$ve/disk/upper/hook" "$HOOKS/data/in/hook"
	chmod 755 "$HOOKS/data/in/hook"
	ln -s "$ve/disk/upper/hook" "$HOOKS/link"
	for path in "$ve/disk/upper/hook" "$ve/image/rootfs/bin/busybox" "$HOOKS/link"; do
		ok vectl set ht "hooks.post-stop=$path"
		exits 1 vectl start ht
		like "$ERR" 'hooks.post-stop: .* is a place that VEs write to'
		eq "$(state ht)" stopped
	done
	ok vectl set ht "hooks.post-stop=$HOOKS/data/in/hook"
	ok vectl start ht
	ok vectl stop --force ht
	ok vectl set ht "mount.m.source=$HOOKS/data" mount.m.target=/mnt
	exits 1 vectl start ht
	like "$ERR" "hooks.post-stop: $HOOKS/data is a place that VEs write to"
	# One that reads as if it led to the host's, and leads to another root.
	ok vectl set ht "hooks.post-stop=/proc/self/root$HOOKS/data/in/hook"
	exits 1 vectl start ht
	like "$ERR" 'hooks.post-stop: /proc/self is a link of procfs'
	ok vectl unset ht hooks.post-stop
	ok vectl start ht
	ok vectl destroy --force ht
}

# Those that a running VE has before it still are what the spec says when they come about.
test_changed_while_it_runs() {
	hooks_folder
	hook one "echo \"one \$VE_HOOK\" >> $LOG"
	hook two "echo \"two \$VE_HOOK\" >> $LOG"
	ok vectl create hl --image busybox --set "hooks.post-stop=$HOOKS/one"
	ok vectl start hl --wait=ready
	ok vectl set hl "hooks.stop=$HOOKS/two" "hooks.post-stop=$HOOKS/two" "hooks.start=$HOOKS/two"
	like "$ERR" '^hl: in effect: hooks.stop, hooks.post-stop$'
	like "$ERR" '^hl: waits for the next start: hooks.start$'
	ok vectl stop hl
	eq "$(paste -sd ' ' "$LOG")" 'two stop two post-stop'
	: >"$LOG"
	ok vectl unset hl hooks.start hooks.stop
	ok vectl start hl --wait=ready
	ok vectl unset hl hooks.post-stop
	ok vectl stop --force hl
	eq "$(cat "$LOG")" '' 'hooks that were unset'
	ok vectl start hl --wait=ready
	ok vectl set hl "hooks.post-stop=$HOOKS/one"
	chmod 777 "$HOOKS/two"
	# Refused is what others than root have a say in, with all that is set beside it.
	local key
	for key in stop post-stop; do
		fails 1 vectl set hl hostname=bad "hooks.$key=$HOOKS/two"
		like "$ERR" "hooks.$key: $HOOKS/two can be written to by others than root"
		fails 1 vectl set hl "hooks.$key=$VECTL_ROOT/var/lib/vectl/ve/hl/disk/upper/hook"
	done
	mkdir "$HOOKS/data"
	cp "$HOOKS/one" "$HOOKS/data/hook"
	ok vectl set hl "hooks.post-stop=$HOOKS/data/hook"
	fails 1 vectl set hl "mount.m.source=$HOOKS/data" mount.m.target=/mnt
	like "$ERR" "hooks.post-stop: $HOOKS/data is a place that VEs write to"
	guest hl sh -c 'hostname; ls /mnt'
	eq "$OUT" hl 'after changes that were refused'
	kill -9 "$(info hl "d['pid']")"
	ok vectl wait hl --state stopped --timeout 15
	until_ 10 grep -q . "$LOG"
	eq "$(cat "$LOG")" 'one post-stop'
	ok vectl destroy --force hl
}

test_start_killed_in_pre_start() {
	hooks_folder
	hook pre "echo \$\$ > $HOOKS/pid; echo begin >> $LOG; sleep 50; echo end >> $LOG"
	hook post "kill -0 \$(cat $HOOKS/pid) 2>/dev/null && ! grep -q '^State:.*Z' /proc/\$(cat $HOOKS/pid)/status && echo both >> $LOG; echo post-stop >> $LOG"
	ok vectl create hp --image busybox --set "hooks.pre-start=$HOOKS/pre" --set "hooks.post-stop=$HOOKS/post"
	"$T_VECTL" start hp &
	local start=$! cut
	until_ 10 [ -s "$LOG" ]
	cut=$(cat "$HOOKS/pid")
	kill -KILL "$start"
	wait "$start" || true
	kill -0 "$cut" || die 'the hook ended with its vectl: nothing is tried here'
	hook pre "echo again >> $LOG"
	ok vectl start hp
	eq "$(paste -sd ' ' "$LOG")" 'begin post-stop again'
	ok vectl destroy --force hp
	eq "$(paste -sd ' ' "$LOG")" 'begin post-stop again post-stop'
}

# A start that is killed in its start hook.
cut_start_hook() { # NAME
	hook start "echo begin >> $LOG; sleep 50; echo end >> $LOG"
	: >"$LOG"
	"$T_VECTL" start "$1" &
	local start=$!
	until_ 10 [ -s "$LOG" ]
	eq "$(state "$1")" running
	kill -KILL "$start"
	wait "$start" || true
	hook start "echo again >> $LOG"
}

test_start_killed_in_the_start_hook() {
	hooks_folder
	hook post "echo post-stop >> $LOG"
	hook start true
	ok vectl create hk --image busybox --set "hooks.start=$HOOKS/start" --set "hooks.post-stop=$HOOKS/post"
	ok vectl create other --image busybox
	cut_start_hook hk
	ok vectl start hk
	eq "$(paste -sd ' ' "$LOG")" 'begin post-stop again'
	ok vectl start other
	eq "$(state hk)" running 'one whose hook had succeeded'
	ok vectl destroy --force hk
	ok vectl destroy --force other
	ok vectl create hk --image busybox --set "hooks.start=$HOOKS/start" --set "hooks.post-stop=$HOOKS/post"
	ok vectl create other --image busybox
	cut_start_hook hk
	try vectl doctor --repair
	eq "$(state hk)" stopped 'after doctor --repair'
	eq "$(pids_of hk)" ''
	eq "$(paste -sd ' ' "$LOG")" 'begin post-stop'
	cut_start_hook hk
	ok vectl start other
	until_ 10 [ ! -e "$VECTL_ROOT/run/vectl/hk" ]
	eq "$(paste -sd ' ' "$LOG")" 'begin post-stop' 'by the reaper'
	ok vectl destroy --force hk
	ok vectl destroy --force other
}

test_start_interrupted_in_the_start_hook() {
	hooks_folder
	hook start "echo begin >> $LOG; sleep 50"
	ok vectl create hi --image busybox --set "hooks.start=$HOOKS/start"
	"$T_VECTL" start hi 2>"$HOOKS/said" &
	local start=$! status=0
	until_ 10 [ -s "$LOG" ]
	kill -TERM "$start" # as Ctrl-C: a shell has its background ignore that
	wait "$start" || status=$?
	ne "$status" 0 'exit status'
	eq "$(state hi)" stopped
	eq "$(pids_of hi)" ''
	ok vectl events hi
	like "$OUT" stopped
	unlike "$OUT" 'how=lost'
	ok vectl destroy --force hi
}
