# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# doctor: what it says of this host is so, and each kind of leftover, made for real, is named, left alone by a dry run,
# and mended without harm to what runs.
# shellcheck disable=SC2016 # scripts for sh -c
# limit test_beside_others 180
# limit test_killed_changes 180
# limit test_killed_start 180

examine() { # COMMAND... whose output is a document of doctor's: DOC is that, STATUS its exit status
	note "+ $*"
	STATUS=0
	DOC=$("$@") || STATUS=$?
	[ "$STATUS" -le 1 ] || die "status $STATUS"
	json "'\n'.join('%s %s: %s' % (c['status'], c['name'], c['what']) for c in d['checks'] if c['status'] == 'fail')" <<<"$DOC" >&2
	json "'\n'.join(str(f) for f in d['leftovers'])" <<<"$DOC" >&2
}
doctor() { examine vectl doctor --json "$@"; }
check() { # NAME: status of one check
	json "([c['status'] for c in d['checks'] if c['name'] == '$1'] or ['absent'])[0]" <<<"$DOC"
}
leftovers() { # "KIND VE STATUS" a line
	json "'\n'.join(sorted('%s %s %s' % (f['kind'], f['ve'] or '-', f['status']) for f in d['leftovers']))" <<<"$DOC"
}

all() { # what a dry run must leave as it is: also files that the leak check passes over
	python3 "$T_HERE/snapshot.py" take | grep -v '^mount '
	find "$VECTL_ROOT" \( -path '*/disk/*' -o -path '*/rootfs' \) -prune -o -printf '%P %y %m %l\n' | sort
}

same() { # BEFORE WHAT
	local now
	now=$(all)
	[ "$now" = "$1" ] || die "$2: $(diff <(echo "$1") <(echo "$now") || true)"
}

slay() {
	kill -9 "$@"
	local pid
	for pid; do until_ 5 sh -c "! kill -0 $pid || grep -q '^State:.*Z' /proc/$pid/status"; done
}

# Nothing reaps behind the test's back.
without_reaper() {
	local pid
	for pid in $(pgrep -x ve-reaper || true); do
		[ "$(readlink "/proc/$pid/exe")" != "$T_PREFIX/libexec/vectl/ve-reaper" ] || slay "$pid"
	done
}

# found LINE...: doctor names exactly these; a dry run changes nothing; a repair mends them; then nothing is left.
found() {
	local line want=() would=() mended=() before
	for line; do want+=("$line found") would+=("$line would-mend") mended+=("$line mended"); done
	before=$(all)
	doctor
	eq "$STATUS" 1 'exit status with leftovers'
	eq "$(leftovers)" "$(printf '%s\n' "${want[@]}")" 'what doctor names'
	same "$before" 'what is there after a look'
	doctor --repair --dry-run
	eq "$STATUS" 1 'exit status of a dry run with leftovers'
	eq "$(leftovers)" "$(printf '%s\n' "${would[@]}")" 'what a dry run says'
	same "$before" 'what is there after a dry run'
	doctor --repair
	eq "$STATUS" 0 'exit status of a repair'
	eq "$(leftovers)" "$(printf '%s\n' "${mended[@]}")" 'what a repair mends'
	doctor
	eq "$STATUS" 0 'exit status of the look after it'
	eq "$(leftovers)" '' 'what is left after a repair'
}

test_host() {
	doctor
	eq "$STATUS" 0
	eq "$(leftovers)" ''
	# VEs run on this host, so what they need is there.
	local name
	for name in user-namespace namespaces time-namespace idmap overlay seccomp clone-into-cgroup ve-supervisor ve-enter \
		pool overlap space; do
		eq "$(check $name)" ok "$name"
	done
	# Controllers: exactly those of the tree.
	local have
	have=$(cat /sys/fs/cgroup/cgroup.controllers)
	for name in cpu cpuset memory pids io hugetlb; do
		case " $have " in
		*" $name "*) eq "$(check $name)" ok "controller $name" ;;
		*) eq "$(check $name)" warn "controller $name" ;;
		esac
	done
	if awk 'NR > 1 && $2 { found = 1 } END { exit !found }' /proc/cgroups; then
		eq "$(check layout)" warn 'a hybrid layout'
		like "$(json "[c['remedy'] for c in d['checks'] if c['name'] == 'layout'][0]" <<<"$DOC")" cgroup_no_v1=all
	else
		eq "$(check layout)" ok
	fi
	# Every line that is not right has its remedy.
	eq "$(json "[c['name'] for c in d['checks'] if c['status'] != 'ok' and not c['remedy']]" <<<"$DOC")" '[]'
	ok vectl doctor
	like "$OUT" '^kernel$'
	unlike "$OUT" "$(printf '\033')"
	like "$(tail -n 1 <<<"$OUT")" '^[0-9]+ right, [0-9]+ to look at, 0 wrong; 0 left by crashes$'
	fails 2 vectl doctor --dry-run
	fails 2 vectl doctor web1
}

# What it finds wrong is wrong: the same checks, with what they look at taken away.
test_host_that_lacks_something() {
	local root=$T_TMP.root
	mkdir -p "$root/var/lib/vectl" "$root/etc/vectl"
	# Data on an overlay, which cannot carry another one.
	mkdir -p "$T_TMP.l" "$T_TMP.u/u" "$T_TMP.u/w"
	examine unshare -m sh -c 'mount -t tmpfs none "$2.u" && mkdir "$2.u/u" "$2.u/w" &&
		mount -t overlay -o "lowerdir=$2.l,upperdir=$2.u/u,workdir=$2.u/w" none "$1/var/lib/vectl" &&
		exec vectl --root "$1" doctor --json' sh "$root" "$T_TMP"
	eq "$STATUS" 1
	eq "$(check type)" fail 'overlay as the data folder'
	eq "$(check overlay)" fail 'overlay on overlay, tried'
	# Mounted noexec, and from a user namespace's point of view: no namespaces left.
	examine unshare -m sh -c 'mount -t tmpfs -o noexec none "$1/var/lib/vectl" && exec vectl --root "$1" doctor --json' sh "$root"
	eq "$(check options)" fail noexec
	eq "$(check type)" warn 'tmpfs as the data folder'
	# An id pool that somebody else has.
	echo '{"idpool": {"base": 1879048192, "count": 131072}}' >"$root/etc/vectl/vectl.conf"
	examine unshare -m sh -c 'echo "ada:1879048192:65536" >"$2.subuid"; touch /etc/subuid
		mount --bind "$2.subuid" /etc/subuid && exec vectl --root "$1" doctor --json' sh "$root" "$T_TMP"
	eq "$STATUS" 1
	eq "$(check overlap)" fail
	like "$(json "[c['what'] for c in d['checks'] if c['name'] == 'overlap'][0]" <<<"$DOC")" ada
	echo '{"idpool": {"base": 1}}' >"$root/etc/vectl/vectl.conf"
	examine vectl --root "$root" doctor --json
	eq "$STATUS" 1
	eq "$(check pool)" fail 'a wrong vectl.conf'
	chmod 0777 "$root/var/lib/vectl"
	examine vectl --root "$root" doctor --json
	eq "$(check folder)" ok # the first is etc
	like "$(json "[c['what'] for c in d['checks'] if c['name'] == 'folder' and c['status'] == 'fail'][0]" <<<"$DOC")" 777
	rm -r "$root"
}

test_keeper_and_reaper_killed() {
	busybox_ve dr1
	busybox_ve dr2
	without_reaper
	slay "$(info dr1 "d['keeper']")"
	until_ 10 sh -c "[ -z \"\$(python3 $T_HERE/snapshot.py pids dr1)\" ]"
	local base
	base=$(cut -d' ' -f1 <<<"$(readlink "$VECTL_ROOT/var/lib/vectl/ve/dr1/ids")")
	[ -e "/run/lock/vectl/$base" ] || die 'no id lock is left'
	local before after all_before
	before=$(info dr2 "d['pid']")
	# Its runtime folder, the lock of its ids, and nobody to reap: dr2 runs on, and the reaper is missed by it.
	doctor
	eq "$STATUS" 1
	eq "$(leftovers)" "$(printf '%s\n' 'id-lock - found' 'reaper - found' 'runtime dr1 found')"
	all_before=$(all)
	doctor --repair --dry-run
	same "$all_before" 'what is there after a dry run'
	exits 1 vectl doctor --repair --dry-run
	like "$(tail -n 1 <<<"$OUT")" '; 3 left by crashes$'
	ok vectl doctor --repair
	like "$(tail -n 1 <<<"$OUT")" '^[0-9]+ right, [0-9]+ to look at, 0 wrong; 0 left by crashes, [1-3] mended$' # some go with others
	after=$(info dr2 "d['pid']")
	eq "$after" "$before" 'the VE that ran through it'
	guest dr2 true
	doctor
	eq "$STATUS $(leftovers)" '0 '
	[ ! -e "/run/lock/vectl/$base" ] || die 'the id lock is still there'
	[ ! -e "$VECTL_ROOT/run/vectl/dr1" ] || die 'the runtime folder is still there'
	ok vectl start dr1
	guest dr1 true
	ok vectl destroy --force dr1 dr2
}

test_killed_start() {
	ok vectl create dr3 --image busybox
	local run=$VECTL_ROOT/run/vectl cg
	cg=/sys/fs/cgroup$(cat "$T_CGROUPS")
	# As a start that was killed leaves it: folder and record, cgroups, no keeper.
	mkdir -p "$run/dr3" "$cg/dr3/supervisor" "$cg/dr3/ve/root1"
	printf 'format 1\ncgroup %s/dr3\nids 1 2\ndisk x\n' "$cg" >"$run/dr3/undo"
	found 'runtime dr3'
	[ ! -e "$cg/dr3" ] || die 'the cgroup is still there'
	# A cgroup without any record, with a process in it.
	mkdir -p "$cg/dr4/supervisor" "$cg/dr4/ve/root1"
	sleep 300 &
	local pid=$!
	echo "$pid" >"$cg/dr4/ve/root1/cgroup.procs"
	found 'cgroup dr4'
	until_ 5 sh -c "! kill -0 $pid 2>/dev/null || grep -q '^State:.*Z' /proc/$pid/status"
	# The same with somebody in the supervisor's part: a VE that runs. It is named, and not touched.
	mkdir -p "$cg/dr5/supervisor" "$cg/dr5/ve/root1"
	sleep 300 &
	pid=$!
	echo "$pid" >"$cg/dr5/supervisor/cgroup.procs"
	doctor --repair
	eq "$STATUS" 1
	eq "$(leftovers)" 'cgroup dr5 by-hand'
	kill -0 "$pid"
	kill "$pid"
	wait "$pid" || true
	rmdir "$cg/dr5/supervisor" "$cg/dr5/ve/root1" "$cg/dr5/ve" "$cg/dr5"
	rmdir "$cg" || true # a reaper may be in it
	# A damaged record is refused by the undo, and said.
	mkdir "$run/dr3"
	printf 'format 1\ncgroup /sys/fs/cgroup\n' >"$run/dr3/undo"
	doctor --repair
	eq "$STATUS" 1
	eq "$(leftovers)" 'runtime dr3 failed'
	rm -r "$run/dr3"
	ok vectl destroy dr3
}

test_killed_changes() {
	ok vectl create dr6 --image busybox
	local data=$VECTL_ROOT/var/lib/vectl run=$VECTL_ROOT/run/vectl
	mkdir -p "$data/ve/.create-dr7/disk/upper" "$data/ve/.destroy-dr8/disk"
	: >"$data/ve/.destroy-dr8/file"
	: >"$data/ve/dr6/.new-0123456789abcdef"
	ln -s '1 2' "$data/ve/dr6/ids.new"
	sed 's/dr6/dr9/' "$data/ve/dr6/ve.json" >"$data/ve/dr6/ve.json.renamed"
	: >"$run/.lock/dr10"
	: >"/run/lock/vectl/$(readlink "$data/ve/dr6/ids" | cut -d' ' -f1)"
	found 'file dr6' 'file dr6' 'file dr6' 'folder dr7' 'folder dr8' 'id-lock -' 'lock dr10'
	eq "$(vectl get dr6 name)" dr6
	eq "$(vectl list --names | grep '^dr')" dr6
	# What somebody holds is his: a lock, and what it guards.
	mkdir -p "$data/ve/.create-dr7"
	python3 - "$run/.lock/dr7" "$T_TMP.held" "$T_TMP.go" <<'PYTHON' &
import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
open(sys.argv[2], "w").close()
end = time.monotonic() + 30
while not os.path.exists(sys.argv[3]) and time.monotonic() < end:
    time.sleep(0.05)
PYTHON
	until_ 10 test -e "$T_TMP.held"
	doctor --repair
	eq "$STATUS $(leftovers)" '0 ' 'what somebody holds'
	[ -d "$data/ve/.create-dr7" ] || die 'what somebody is making was taken away'
	: >"$T_TMP.go"
	wait
	doctor
	eq "$(leftovers)" "$(printf '%s\n' 'folder dr7 found' 'lock dr7 found')"
	doctor --repair
	doctor
	eq "$STATUS $(leftovers)" '0 '
	ok vectl destroy dr6
}

test_image_store() {
	local images=$VECTL_ROOT/var/lib/vectl/images id=0123456789abcdef0123456789abcdef
	mkdir -p "$images/tmp/$id.1/image/rootfs"
	: >"$images/tmp/$id.1/lock"
	: >"$images/lock-nobody,1"
	mkdir -p "$images/store/$id/rootfs"
	doctor
	eq "$STATUS" 1
	eq "$(leftovers)" "$(printf 'image - found\n%.0s' 1 2 3)"
	doctor --repair --dry-run
	eq "$STATUS" 1
	[ -d "$images/tmp/$id.1/image" ] || die 'a dry run removed something'
	doctor --repair
	eq "$STATUS" 0
	doctor
	eq "$STATUS $(leftovers)" '0 '
	[ ! -e "$images/tmp/$id.1" ] && [ ! -e "$images/store/$id" ] && [ ! -e "$images/lock-nobody,1" ] || die 'not removed'
	# The image that VEs use is as it was.
	busybox_ve dr11
	ok vectl destroy --force dr11
}

test_damaged_ves() {
	local ve=$VECTL_ROOT/var/lib/vectl/ve
	ok vectl create dr12 --image busybox
	ok vectl create dr13 --image busybox
	doctor
	eq "$(check ves)" ok
	mv "$ve/dr12/ve.json" "$T_TMP.json"
	doctor --repair
	eq "$STATUS $(check dr12)" '1 fail' 'a VE without a spec'
	echo '{' >"$ve/dr12/ve.json"
	doctor --repair
	eq "$STATUS $(check dr12)" '1 fail' 'a broken spec'
	eq "$(cat "$ve/dr12/ve.json")" '{' 'what is broken is left alone'
	mv "$T_TMP.json" "$ve/dr12/ve.json"
	local link
	link=$(readlink "$ve/dr12/image")
	ln -sfn ../../images/store/ffffffffffffffffffffffffffffffff "$ve/dr12/image"
	doctor --repair
	eq "$STATUS $(check dr12)" '1 fail' 'an image that is gone'
	ln -sfn "$link" "$ve/dr12/image"
	link=$(readlink "$ve/dr13/ids")
	ln -sfn "$(readlink "$ve/dr12/ids")" "$ve/dr13/ids"
	doctor
	eq "$STATUS $(check dr13)" '1 fail' 'ids of another VE'
	ln -sfn "$link" "$ve/dr13/ids"
	doctor
	eq "$STATUS $(check ves)" '0 ok'
	ok vectl destroy dr12 dr13
}

# While others start, stop, create and destroy, a repair takes nothing from them.
test_beside_others() {
	local i worker
	: >"$T_TMP.bad"
	for worker in 1 2; do
		(
			for i in 1 2 3 4; do
				vectl create "dw$worker" --image busybox && vectl start "dw$worker" && vectl exec "dw$worker" -- true &&
					vectl rename "dw$worker" "dx$worker" 2>/dev/null && echo 'renamed while it ran' >>"$T_TMP.bad"
				vectl stop --force "dw$worker" && vectl rename "dw$worker" "dx$worker" &&
					vectl start "dx$worker" && vectl destroy --force "dx$worker" || echo "worker $worker" >>"$T_TMP.bad"
			done
		) >&2 &
	done
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		doctor --repair
	done
	wait
	eq "$(cat "$T_TMP.bad")" ''
	doctor --repair
	eq "$STATUS" 0
}
