# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Errors that no other case comes by, printed once each. What a user reads is the point here: the words, and that it is
# one line. A whole run fails for a message that no test has printed and that messages-not-printed does not excuse.

# The spec refuses ASSIGNMENT with these words.
spec_says() {
	try vectl create bad --image busybox --set "$2"
	case $STATUS in 1 | 2) ;; *) die "status $STATUS of --set $2" ;; esac
	eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
	like "$ERR" "$1" "message of --set $2"
}

json_says() { # REGEX TEXT: a ve.json with this text is refused with these words
	printf '%b' "$2" >"$T_TMP.json"
	try vectl create bad --image busybox --config "$T_TMP.json"
	case $STATUS in 1 | 2) ;; *) die "status $STATUS of: $2" ;; esac
	eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
	like "$ERR" "$1" "message of: $2"
}

test_command_line() {
	says 2 'names and --all exclude each other' vectl start a --all
	says 2 'wanted are: NAME' vectl set web1
	says 125 'a command is missing' vectl exec web1
	says 2 '[-]-root needs a value' vectl --root
	says 2 '[-]-output needs a value' vectl list -o
	says 2 '[-]-json takes no value' vectl list --json=yes
	says 2 '[-]-progress=loud: it is one of auto, json, none' vectl list --progress=loud
	says 2 '[-]-state=asleep: no such state' vectl list --state=asleep
	says 2 'no such column: nam' vectl list -o nam
	says 2 'at most [0-9]+ columns' vectl list -o "$(printf 'name,%.0s' $(seq 40))name"
	says 2 'is a number of lines' vectl logs web1 -n many
	says 2 'the name of one VE' vectl console a b
	says 2 'not one of list, info' vectl image lst
	says 2 'wants NAME' vectl image build
	says 2 'belongs to list' vectl image build x --names
	says 2 'exclude one another' vectl image verify --all --unused
	says 2 'does not carry it out yet' vectl clone a b
	says 2 'a number of seconds, or max' vectl stop a --timeout=soon
	says 2 'it is running or ready' vectl start a --wait=up
	says 2 'one of running, ready, stopped, paused' vectl wait a --state=up
	says 125 'the name of a VE is missing' vectl attach
	says 125 '[-]-env=X: it is KEY=VALUE' vectl exec --env=X a true
	says 2 '[-]-dry-run belongs to --repair' vectl doctor --dry-run
	says 2 'give one of them' vectl create a --image busybox --password --password-file /dev/null
	says 2 'a number of events' vectl events -n many
	says 2 'it is a time such as' vectl events --since=whenever
	says 2 '[-]-color=pink: it is one of auto, always, never' vectl list --color=pink
	says 2 '[-]-interval=x: it is a number of seconds' vectl stat --interval=x
	says 2 '-d x: it is a number of seconds, 0.1 or more' vectl top -d x
	says 2 '-n x: it is a number of frames' vectl top -n x
	says 2 '[-]-sort=x: it is one of cpu, memory' vectl top --sort=x
	says 2 '-b x: it is a number: 0 for the last boot' vectl logs a -b x
	says 2 '-f goes on with the last boot' vectl logs a -f -b -1
	says 2 '[-]-credential=x: it is NAME=FILE' vectl create a --image busybox --credential x
	says 2 'asks on a terminal, and here is none: use --password-file' setsid vectl create a --image busybox --password
	try vectl start a --console --json
	eq "$STATUS" 2
	says 2 'are for one VE' vectl start a b --foreground
}

test_not_confirmed() {
	ok vectl create timid --image busybox
	try pty --expect 'timid' --send 'n\r' -- vectl destroy timid
	ne "$STATUS" 0 'status of a destroy that was not confirmed'
	like "$OUT" 'not confirmed, nothing was done'
	printf '%s\n' "$OUT" >>"$T_BUILD/tmp/messages" # a terminal's stderr is its stdout
	ok vectl info timid
	ok vectl destroy --force timid
}

test_spec_values() {
	spec_says 'not a multiple of 65536' userns.base=65537
	spec_says 'bytes long, where' "labels.x=$(printf 'x%.0s' $(seq 5000))"
	spec_says 'items, where' "init=$(printf '/x,%.0s' $(seq 70))/x"
	spec_says 'cannot be in a key' 'labels.a b=c'
	spec_says 'cannot be a name|not carried out' 'mount.a/b.source=/x'
	spec_says 'is not an absolute path' mount.x.target=x/y
	spec_says 'is none of those that there are|not carried' features=nonsense
	spec_says 'is not a capability' caps.drop=sys_nothing
	json_says 'cannot end with' '{"format": 1, "labels": {"x-": "y"}}'
	spec_says 'item 2 is empty' init=/sbin/init,,x
	spec_says 'not valid UTF-8' $'labels.x=\xff\xfe'
	spec_says 'signal .* is out of range' stop.signal=99
	json_says 'the list is empty' '{"format": 1, "init": []}'
	spec_says 'the value is empty' hostname=
	spec_says 'not a list' hostname+=x
	spec_says 'stands for several keys' stop=5
	spec_says 'key is longer than' "labels.$(printf 'x%.0s' $(seq 400))=y"
	spec_says 'NAME=value has' "env.X=$(printf 'x%.0s' $(seq 300))"
	says 2 'mount.x and mount.y are both at /a' vectl create bad --image busybox --set mount.x.source=/srv \
		--set mount.x.target=/a --set mount.y.source=/srv --set mount.y.target=/a
	spec_says 'is in the path' mount.x.source=/a/../b
	spec_says 'the name is too long' "sysctl.net.$(printf 'x%.0s' $(seq 200))=1"
	says 2 'since a privileged VE' vectl create bad --image busybox --set privileged=true --set sysctl.user.max_user_namespaces=5
	json_says 'more than [0-9]+ mounts' "{\"format\": 1, \"mount\": {$(for i in $(seq 200); do printf '"m%d": {"source": "/srv", "target": "/m%d"},' "$i" "$i"; done) \"z\": {\"source\": \"/srv\", \"target\": \"/z\"}}}"
	json_says 'env: at most' "{\"format\": 1, \"env\": {$(for i in $(seq 260); do printf '"A%d": "x",' "$i"; done) \"Z\": \"z\"}}"
	json_says 'is not a UUID' '{"format": 1, "uuid": "me"}'
	json_says 'format: it is missing' '{"hostname": "x"}'
	json_says 'written as nested objects' '{"format": 1, "stop.timeout": 5}'
	json_says 'a key longer than' "{\"format\": 1, \"$(printf 'x%.0s' $(seq 400))\": 1}"
	json_says 'a whole number is expected' '{"format": "one"}'
	json_says 'half a surrogate' '{"format": 1, "hostname": "\\ud800"}'
	json_says 'more than [0-9]+ values' "{\"format\": 1, \"init\": [$(printf '1,%.0s' $(seq 120000))1]}"
	json_says 'bytes, where at most' "{\"format\": 1, \"hostname\": \"$(head -c 3000000 /dev/zero | tr '\0' x)\"}"
	[ -z "$(vectl list --names)" ] || die 'something was made'
}

test_spec_of_a_ve() {
	busybox_ve settled
	says 2 "'stop.timeot' is no key" vectl get settled stop.timeot
	says 1 'not set and has no default' vectl get settled stop.signal
	says 2 'is not in the list' vectl set settled init-=nothing
	says 4 'host ids cannot change while it runs' vectl set settled userns.base=131072
	cleanup_ve settled
}

test_names_of_images() {
	local name
	ok mkdir -p "$T_TMP.tree/sbin"
	says 2 "has an empty part" vectl image import a//b "$T_TMP.tree"
	says 2 "has more than" vectl image import a/b/c/d/e/f/g/h "$T_TMP.tree"
	says 2 "has a '!'" vectl image import 'a!' "$T_TMP.tree"
	says 2 "a part of .* is [0-9]+ long" vectl image import "$(printf 'x%.0s' $(seq 200))" "$T_TMP.tree"
	says 2 "starts with '-'" vectl image import -- -x "$T_TMP.tree"
	says 1 'first part of this name is there already' vectl image import busybox/x "$(dirname "$(command -v vectl)")"
	says 1 'names begin with it' vectl image import plain "$(dirname "$(command -v vectl)")"
	says 1 'is there already' vectl image import busybox "$(dirname "$(command -v vectl)")"
	says 1 'the folder is empty' vectl image import empty "$(mktemp -d "$T_TMP.XXXX")"
	says 2 'neither a tarball nor a folder' vectl image import null /dev/null
	says 1 'holds the image store itself' vectl image import self "$VECTL_ROOT/var"
	for name in a a! plain null self empty; do
		! vectl image list --names | grep -qx "$name" || die "$name was made"
	done
}

test_settings() {
	local conf=$VECTL_ROOT/etc/vectl/vectl.conf
	mkdir -p "$VECTL_ROOT/etc/vectl"
	conf_says() {
		printf '%s' "$2" >"$conf"
		says 1 "$1" vectl create conf --image busybox
	}
	conf_says 'there is no setting .idpol' '{"idpol": {}}'
	conf_says 'is no integer' '{"idpool": {"base": "x"}}'
	conf_says 'no object' '[]'
	conf_says 'are no usable range' '{"idpool": {"base": 5, "count": 7}}'
	rm "$conf"
	says 1 'are the owner uids of all VEs' vectl create conf --image busybox --set userns.base=1879048192
	ok vectl create conf --image busybox --set userns.base=655360000
	says 1 "are those of VE 'conf'" vectl create conf2 --image busybox --set userns.base=655360000
	printf '{"idpool": {"base": 655360000, "count": 131072}}' >"$conf"
	says 1 'ranges of the pool are taken' sh -c 'vectl create conf3 --image busybox && exec vectl create conf4 --image busybox'
	rm "$conf"
	cleanup_ve conf conf2 conf3
}

# A host whose /etc is another: nobody's real accounts are touched.
test_ids_of_others() {
	cp -a /etc "$T_TMP.etc"
	over_etc() { unshare -m sh -c 'mount --bind "$0" /etc && exec "$@"' "$T_TMP.etc" "$@"; }
	printf 'root:x:0:0::/:/bin/sh\ntenant:x:655360007:100::/:/bin/sh\n' >"$T_TMP.etc/passwd"
	printf 'tenant:655360000:65536\n' >"$T_TMP.etc/subuid"
	says 1 'gives some away: .*: choose another userns.base' over_etc vectl create ids --image busybox --set userns.base=655360000
	: >"$T_TMP.etc/subuid"
	says 1 "is the host's user 'tenant'" over_etc vectl create ids --image busybox --set userns.base=655360000
}

misuse() { # [CASE NAME]
	if [ -n "${T_SANITIZED:-}" ]; then
		note 'not from python, which the sanitizers want to be loaded before'
		return 0
	fi
	python3 "$T_HERE/misuse.py" "$T_PREFIX" "$VECTL_ROOT" "$@" >"$T_TMP.misuse" 2>&1 || die "$(cat "$T_TMP.misuse")"
	cat "$T_TMP.misuse" >>"$T_BUILD/tmp/messages"
}

test_misuse_of_the_library() {
	[ -z "${T_SANITIZED:-}" ] || skip 'the sanitizers want to be loaded before python'
	misuse
}

no_reaper() { ! pgrep -f "^ve-reaper $VECTL_ROOT " >/dev/null; }

test_damaged_state() {
	busybox_ve hurt
	local keeper run=$VECTL_ROOT/run/vectl/hurt
	no_reaper && die 'no reaper watches it'
	chmod 0644 "$run/plan"
	chown 1 "$run/plan"
	says 125 'is not root.s alone' vectl exec hurt true
	chown 0 "$run/plan"
	chmod 0600 "$run/plan"
	cp "$run/plan" "$T_TMP.plan"
	printf 'XXXX' | dd of="$run/plan" conv=notrunc status=none
	says 125 'plans this one cannot read' vectl exec hurt true
	cp "$T_TMP.plan" "$run/plan"
	ok vectl exec hurt true
	keeper=$(awk '$1 == "keeper" {print $2}' "$run/state")
	cp "$run/undo" "$T_TMP.undo"
	printf 'format 1\ncgroup /sys/fs/cgroup/elsewhere\n' >"$run/undo"
	kill -9 "$keeper"
	until_ 10 test ! -e "/proc/$keeper/stat"
	# The reaper cannot undo it, and has nobody else to wait for.
	until_ 10 no_reaper
	says 1 'undo: damaged' vectl start hurt
	mv "$T_TMP.undo" "$run/undo"
	ok vectl start hurt
	mv "$VECTL_ROOT/var/lib/vectl/ve/hurt/image" "$T_TMP.image"
	ln -s ../../images/store/gone "$VECTL_ROOT/var/lib/vectl/ve/hurt/image"
	ok vectl stop --force hurt
	says 1 'its image is not in the store any more' vectl start hurt
	cleanup_ve hurt
}

test_templates_that_fail() {
	local folder=$VECTL_ROOT/etc/vectl/templates
	mkdir -p "$folder"
	printf '#!/bin/sh\nkill -9 $$\n' >"$folder/dies"
	printf '#!/bin/sh\nexit 0\n' >"$folder/nothing"
	chmod 0755 "$folder/dies" "$folder/nothing"
	says 1 'was killed by signal 9' vectl image build dies
	says 1 'left nothing at VECTL_OUTPUT' vectl image build nothing
	rm -r "$folder"
}

# Archives that each have one thing wrong.
test_broken_archives() {
	python3 - "$T_TMP" <<'PYTHON'
import io, struct, sys, tarfile
def archive(name, *entries, cut=0):
    path = f"{sys.argv[1]}-{name}.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as t:
        for m, data in entries:
            t.addfile(m, io.BytesIO(data))
    if cut:
        with open(path, "r+b") as f:
            f.truncate(cut)
def entry(name, kind=tarfile.REGTYPE, link="", data=b"", uid=0, gid=0, pax={}):
    m = tarfile.TarInfo(name)
    m.type, m.linkname, m.size, m.uid, m.gid, m.pax_headers = kind, link, len(data), uid, gid, pax
    return m, data
def xattr(name, value):
    return {"SCHILY.xattr." + name: value.decode("utf-8", "surrogateescape")}
archive("owner", entry("f", uid=70000))
archive("group", entry("f", gid=70000))
archive("self", entry("f", tarfile.LNKTYPE, "f"))
archive("absolute", entry("/f"))
archive("parent", entry("a/../../f"))
archive("parent-link", entry("a", tarfile.LNKTYPE, "../f"))
archive("nameless", entry(""))
archive("targetless", entry("l", tarfile.SYMTYPE))
archive("root", entry(".", tarfile.REGTYPE))
archive("devices", entry("null", tarfile.CHRTYPE))
archive("cut", entry("f", data=b"x" * 512), cut=1024)
archive("acl-name", entry("f", pax={"SCHILY.acl.access": "user::rw-,user:nobody-here:rwx,group::r--,mask::rwx,other::r--"}))
archive("acl-id", entry("f", pax={"SCHILY.acl.access": "user::rw-,user:x:rwx:70000,group::r--,mask::rwx,other::r--"}))
archive("long", entry("f", pax=xattr("user.long", b"x" * 70000)))
archive("caps", entry("f", pax=xattr("security.capability", struct.pack("<IIIIII", 0x03000001, 1, 0, 0, 0, 5))))
PYTHON
	refuses() { # ARCHIVE REGEX
		says 1 "$2" vectl image import broken "$T_TMP-$1.tar"
	}
	refuses owner 'owner 70000 is not in'
	refuses group 'group 70000 is not in'
	refuses absolute '/f: its path is absolute: mend the archive'
	refuses parent "its path has a '..' component"
	refuses parent-link "the target of its hard link has a '..' component"
	refuses nameless 'an entry has no name that can be read'
	refuses targetless 'l: its target cannot be read'
	refuses self 'hard link to itself'
	refuses root 'the root must be a folder'
	refuses devices 'it has no files'
	refuses cut 'is cut short'
	refuses acl-name 'without a number'
	refuses acl-id 'names id 70000'
	refuses long 'is too long'
	refuses caps 'user namespace of id 5'
	! vectl image list --names | grep -qx broken || die 'an image was made'
}

test_folders_that_cannot_be() {
	local deep=$T_TMP.deep
	python3 - "$deep" <<'PYTHON'
import os, sys
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
PYTHON
	says 1 'nested deeper than|are too long' vectl image import deep "$deep"
	rm -rf "$deep"
	mkdir -p "$T_TMP.ids"
	: >"$T_TMP.ids/f"
	chown 70000 "$T_TMP.ids/f"
	says 1 'owner 70000 is not in' vectl image import ids "$T_TMP.ids"
}

test_hosts() {
	ok vectl create somewhere --image busybox
	says 1 'by root alone' setpriv --reuid 65534 --clear-groups "$(command -v vectl)" list
	says 1 'not a folder of root.s alone' unshare -m sh -c \
		'mount -t tmpfs tmpfs /run/lock && mkdir /run/lock/vectl && chown 1 /run/lock/vectl && exec vectl start somewhere'
	eq "$(state somewhere)" stopped
	cleanup_ve somewhere
}

test_interrupted() {
	local folder=$VECTL_ROOT/etc/vectl/templates
	busybox_ve waited
	interrupted 'the VE was left as it is' vectl wait waited --state stopped
	cleanup_ve waited
	mkdir -p "$folder"
	printf '#!/bin/sh\nexec sleep 60\n' >"$folder/slow"
	chmod 0755 "$folder/slow"
	interrupted 'nothing of it was kept' vectl image build slow
	rm -r "$folder"
}

test_first_boots_that_cannot_be() {
	printf '# nothing\n' >"$T_TMP.key"
	says 2 'there is none in it' vectl create keyless --image busybox --ssh-key "$T_TMP.key"
	head -c 2000 /dev/zero | tr '\0' x >"$T_TMP.password"
	try vectl create keyless --image busybox --password-file "$T_TMP.password"
	ne "$STATUS" 0
	says 1 'no executable file in the image at /no/such' vectl create keyless --image busybox --set init=/no/such
	[ -z "$(vectl list --names)" ] || die 'something was made'
}

test_folders_of_others() {
	ok vectl create here --image busybox
	chown 1 "$VECTL_ROOT/run/vectl"
	try vectl start here
	chown 0 "$VECTL_ROOT/run/vectl"
	eq "$STATUS" 1
	like "$ERR" "not a folder of root's"
	ok vectl start here
	ok vectl create there --image busybox
	mv "$VECTL_ROOT/var/lib/vectl/ve/here" "$T_TMP.here"
	says 1 'runs, though its folder is gone' vectl rename there here
	mv "$T_TMP.here" "$VECTL_ROOT/var/lib/vectl/ve/here"
	cleanup_ve here there
}

test_edit_as_json() {
	ok vectl create edited --image busybox
	ok env EDITOR='sed -i s/busybox/busybox/' vectl edit edited --json
	# What the editor prints is not among it.
	ok env EDITOR='sed -n -e s/busybox/busybox/p' vectl edit edited --json
	eq "$(json "d['format']" <<<"$OUT")" 1 'a document and nothing else'
	like "$ERR" busybox 'what the editor printed'
	ok env EDITOR='sed -n -e s/busybox/busybox/p' vectl edit edited
	like "$OUT" busybox 'what the editor printed'
	cleanup_ve edited
}

# Text is not printed where a document was asked for.
test_help_as_json() {
	local how
	for how in help 'help start' 'start --help' --help 'help --verbs' 'help --keys'; do
		# shellcheck disable=SC2086
		exits 2 vectl $how --json
		eq "$(json "d['error']['message']" <<<"$OUT")" 'the help of a command is no document: leave out --json; `vectl help keys --json` has the keys' "$how"
	done
	ok vectl help keys --json
	ok vectl help stop.timeout --json
	ok vectl start --help
}

# A hook that waits holds the VE's start, and later its end, for as long as this test wants.
test_while_another_changes_it() {
	local a b holder gate
	hooks_folder
	gate=$HOOKS/gate
	mkfifo "$gate"
	hook wait "echo \$VE_HOOK >>$LOG; read -r line <$gate"
	ok vectl create busy --image busybox --set "hooks.pre-start=$HOOKS/wait" --set "hooks.post-stop=$HOOKS/wait"
	vectl start busy >"$T_TMP.start" 2>&1 &
	holder=$!
	until_ 30 grep -q pre-start "$LOG"
	says 4 'it is still starting' vectl stop busy
	interrupted 'interrupted while another vectl was changing it' vectl set busy labels.x=y
	misuse meanwhile busy
	echo >"$gate"
	wait "$holder" || die "$(cat "$T_TMP.start")"
	vectl destroy --force busy >"$T_TMP.destroy" 2>&1 &
	holder=$!
	until_ 30 grep -q post-stop "$LOG"
	vectl set busy labels.x=y >"$T_TMP.a" 2>&1 &
	a=$!
	vectl rename busy idle >"$T_TMP.b" 2>&1 &
	b=$!
	until_ 30 in_poll "$a"
	until_ 30 in_poll "$b"
	echo >"$gate"
	wait "$holder" || die "$(cat "$T_TMP.destroy")"
	later_says 3 'busy: .*: it was destroyed meanwhile' "$a" "$T_TMP.a"
	later_says 3 'busy: rename: it was destroyed or renamed meanwhile' "$b" "$T_TMP.b"
}

test_ends_before_it_is_ready() {
	ok vectl create brief --image busybox --set init=/bin/true
	says 1 'it ended before it was ready' vectl start brief --wait=ready
	says 1 'that is its name already' vectl rename brief brief
	cleanup_ve brief
}

# An installation that lacks something, or has it of another version: for the command alone.
test_broken_installations() {
	local libexec=$T_PREFIX/libexec/vectl crypt
	without() { # FILE SCRIPT-OR-NOTHING COMMAND...
		if [ -d "$1" ]; then
			mkdir -p "$T_TMP.empty"
			set -- "$1" "$T_TMP.empty" "${@:3}"
		else
			printf '%s' "$2" >"$T_TMP.other"
			chmod 0755 "$T_TMP.other"
			set -- "$1" "$T_TMP.other" "${@:3}"
		fi
		unshare -m sh -c 'mount --bind "$1" "$0" && shift && exec "$@"' "$@"
	}
	mkdir -p "$T_TMP.tree/sbin"
	tar -C "$T_TMP.tree" -cf "$T_TMP.tar" sbin
	says 1 'tarball is missing: install vectl again' without "$T_PREFIX/share/vectl/templates" '' \
		vectl image import torn "$T_TMP.tar"
	says 1 've-unpack is of another version' without "$libexec/ve-unpack" $'#!/bin/sh\necho "{}" >&3\n' \
		vectl image import torn "$T_TMP.tree"
	says 1 've-unpack was killed by signal 9: look whether memory was out' without "$libexec/ve-unpack" \
		$'#!/bin/sh\nkill -9 $$\n' vectl image import torn "$T_TMP.tree"
	says 1 'failed without saying why: install vectl again' without "$libexec/ve-unpack" $'#!/bin/sh\nexit 1\n' \
		vectl image import torn "$T_TMP.tree"
	! vectl image list --names | grep -qx torn || die 'an image was made'
	echo secret >"$T_TMP.password"
	crypt=$(ldconfig -p | sed -n 's/.*libcrypt\.so\.[12] .*=> //p' | head -n 1)
	says 1 'this host has no libcrypt' without "$(readlink -f "$crypt")" '' \
		vectl create torn --image busybox --password-file "$T_TMP.password"
	busybox_ve torn
	# Its report of a step that this version does not know.
	says 125 'said something unknown' without "$libexec/ve-enter" $'#!/bin/sh\nprintf "\\377\\0\\0\\0\\1\\0\\0\\0" >&9\n' \
		vectl exec torn true
	says 125 'the VE ended, or ve-enter did' without "$libexec/ve-enter" $'#!/bin/sh\n' vectl exec -t torn true
	says 1 've-apply ended before it was done: try again' without "$libexec/ve-apply" $'#!/bin/sh\n' \
		vectl set torn sysctl.net.ipv4.ip_forward=1
	cleanup_ve torn
	ok vectl create torn --image busybox
	says 1 'the supervisor ended before the VE ran: try again' without "$libexec/ve-supervisor" $'#!/bin/sh\n' vectl start torn
	cleanup_ve torn
}

# What sees to the VE is killed, or of another version.
test_processes_that_are_lost() {
	local server pid
	busybox_ve lost
	vectl exec lost sleep 1000 >"$T_TMP.exec.out" 2>"$T_TMP.exec" &
	until_ 30 vectl exec lost pidof sleep
	for pid in $(pids_of lost ve); do
		[ "$(cat "/proc/$pid/comm")" != sleep ] || kill -9 "$(awk '$1 == "PPid:" { print $2 }' "/proc/$pid/status")"
	done
	later_says 125 'waiting for the command: its exit status was lost' "$!" "$T_TMP.exec"
	mv "$VECTL_ROOT/run/vectl/lost/control" "$VECTL_ROOT/run/vectl/lost/control.own"
	(cd "$VECTL_ROOT/run/vectl/lost" && exec python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX)
s.bind("control")
s.listen()
c, _ = s.accept()
c.sendall(bytes([99] * 64))
c.recv(4096)') &
	server=$!
	until_ 30 test -S "$VECTL_ROOT/run/vectl/lost/control"
	try vectl console lost
	kill "$server" || true
	like "$ERR" 'started by a version of vectl with another protocol: vectl restart lost'
	mv -f "$VECTL_ROOT/run/vectl/lost/control.own" "$VECTL_ROOT/run/vectl/lost/control"
	cleanup_ve lost
}

test_limits_of_the_host() {
	local most cgroup
	most=$(cat /proc/sys/fs/nr_open)
	ok vectl create limited --image busybox --set "rlimit.nofile=$((most + 1))"
	says 1 "more than the $most that this host's fs.nr_open allows" vectl start limited
	ok vectl set limited rlimit.nofile=4096
	says 1 "above the caller's hard limit of 1024, and raising that takes CAP_SYS_RESOURCE" \
		setpriv --bounding-set -sys_resource prlimit --nofile=1024:1024 vectl start limited
	ok vectl start limited --wait=ready
	cgroup=$(info limited "d['cgroup']")
	echo 1 >"$cgroup/ve/cgroup.max.descendants"
	says 125 'has used up the cgroups that it may have' vectl exec limited true
	echo max >"$cgroup/ve/cgroup.max.descendants"
	says 4 'it is running already' vectl start limited
	says 5 'it was not stopped within 0.1 seconds' vectl wait limited --state stopped --timeout 0.1
	# Another root's VE with the same ids.
	ok vectl --root "$T_TMP.root" create limited --image busybox --set "userns.base=$(vectl get limited userns.base)"
	says 1 'a VE of another root runs with the ids from' vectl --root "$T_TMP.root" start limited
	ok vectl --root "$T_TMP.root" destroy --force limited
	cleanup_ve limited
}

test_devices_that_cannot_be() {
	local i many=()
	for i in $(seq 33); do many+=(--set "device.d$i.path=/dev/d$i"); done
	ok vectl create many --image busybox "${many[@]}"
	ok vectl create twice --image busybox --set device.a.path=/dev/d1 --set device.b.path=/dev/again
	over_dev() {
		unshare -m sh -c 'mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && mknod /dev/again c 1 101 &&
			for i in $(seq 33); do mknod "/dev/d$i" c 1 $((100 + i)) || exit 9; done; exec "$@"' _ "$@"
	}
	says 1 'more than 32 devices' over_dev vectl start many
	says 1 'd1 and /dev/again are the same device|again and /dev/d1 are the same device' over_dev vectl start twice
	cleanup_ve many twice
}

test_image_store_by_hand() {
	local store=$VECTL_ROOT/var/lib/vectl/images/store id twin
	mkdir -p "$T_TMP.tree/sbin"
	echo by hand >"$T_TMP.tree/sbin/init"
	chmod 0755 "$T_TMP.tree/sbin/init"
	ok vectl image import byhand "$T_TMP.tree"
	id=$(vectl image info byhand --json | json "d['image']['id']")
	twin=${id:0:8}$(tr 0-9a-f 1-9a-f0 <<<"${id:8}")
	cp -a "$store/$id" "$store/$twin"
	says 2 'images have ids that begin so: give more digits' vectl image info "${id:0:8}"
	rm -r "${store:?}/$twin"
	mv "$store/$id/rootfs" "$T_TMP.rootfs"
	says 1 'byhand is damaged: its tree is missing from the store: import it again' vectl create byhand --image byhand
	mv "$T_TMP.rootfs" "$store/$id/rootfs"
	cp "$store/$id/manifest" "$T_TMP.manifest"
	echo nothing >"$store/$id/manifest"
	says 1 'verifying byhand: manifest: it is damaged: build it again' vectl image verify byhand
	rm "$store/$id/manifest"
	says 1 'its manifest is missing: build it again' vectl image verify byhand
	cp "$T_TMP.manifest" "$store/$id/manifest"
	ok vectl image verify byhand
	# As version 0.1.0 named it, which kept no manifest.
	cp -a "$store/$id" "$store/${id:0:32}"
	ln -s "../store/${id:0:32}" "$store/../ref/early"
	says 1 'it was made by version 0.1.0' vectl image verify early
	rm -r "$store/../ref/early" "${store:?}/${id:0:32}"
	ok vectl create byhand --image byhand
	says 1 'byhand is used by byhand: destroy these VEs first' vectl image remove byhand
	ok vectl destroy --force byhand
	ok vectl image remove byhand
}

test_first_boots_that_are_too_much() {
	head -c 600000 /dev/zero >"$T_TMP.large"
	says 2 'credential x is given twice' vectl create much --image busybox --credential "x=$T_TMP.large" --credential "x=$T_TMP.large"
	says 2 'all of them together may have' vectl create much --image busybox --credential "x=$T_TMP.large" --credential "y=$T_TMP.large"
	for i in $(seq 700); do echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI$(printf 'A%.0s' $(seq 43)) $i"; done >"$T_TMP.keys"
	says 2 'ssh keys: more than' vectl create much --image busybox --ssh-key "$T_TMP.keys" --ssh-key "$T_TMP.keys"
	try pty --expect 'assword' --send '\x03' -- vectl create much --image busybox --password
	eq "$STATUS" 130
	like "$OUT" 'create: interrupted; nothing was made'
	says 2 "credential 'a:b': that cannot be a name" vectl create much --image busybox --credential "a:b=$T_TMP.keys"
	: >"$T_TMP.password"
	says 2 'the password is empty' vectl create much --image busybox --password-file "$T_TMP.password"
	printf 'one\ntwo\n' >"$T_TMP.password"
	says 2 'the password has more than one line' vectl create much --image busybox --password-file "$T_TMP.password"
	try pty --expect 'assword' --send 'one\r' --expect 'again' --send 'two\r' -- vectl create much --image busybox --password
	like "$OUT" 'create: the two passwords differ: try again'
	[ -z "$(vectl list --names)" ] || die 'something was made'
}

test_unpacking_without() {
	local deep=$T_TMP.deep long
	mkdir -p "$deep/$(printf 'd/%.0s' $(seq 60))"
	says 1 'cannot be opened: Too many open files: allow the caller more open files: ulimit -n' \
		prlimit --nofile=48:48 vectl image import without "$deep"
	mkdir "$T_TMP.names"
	if [ -z "${T_SANITIZED:-}" ]; then # whose shadow memory is more than that
		python3 -c '
import os, sys
for i in range(9000):
    os.symlink("x", "%s/%0250d" % (sys.argv[1], i))' "$T_TMP.names"
		says 1 'memory is out: free some memory' prlimit --data=2500000 vectl image import without "$T_TMP.names"
	else
		touch "$T_TMP.names/one"
	fi
	long=$(printf 'x%.0s' $(seq 250))
	mkdir -p "$T_TMP.long"
	python3 -c '
import os, sys
os.chdir(sys.argv[1])
for _ in range(17):
    os.mkdir(sys.argv[2])
    os.chdir(sys.argv[2])' "$T_TMP.long" "$long"
	says 1 'paths beneath it are too long' vectl image import without "$T_TMP.long"
	! vectl image list --names | grep -qx without || die 'an image was made'
	# By hand, which nobody has to.
	exits 1 "$T_PREFIX/libexec/vectl/ve-unpack" --output "$T_TMP.names" "$deep"
	like "$ERR" 'must be an empty folder'
	mkdir "$T_TMP.output"
	exits 3 "$T_PREFIX/libexec/vectl/ve-unpack" --output "$T_TMP.output" /dev/null
	like "$ERR" 'neither an archive nor a folder'
}

test_too_much() {
	local ref=$VECTL_ROOT/var/lib/vectl/images/ref id n many=()
	id=$(vectl image info busybox --json | json "d['image']['id']")
	mkdir -p "$T_TMP.tree/sbin" "$ref/local"
	python3 - "../../store/$id" "$ref/local/$(basename "$T_TMP.tree")" <<-'PYTHON'
		import os, sys
		for n in range(1, 1001):
		    os.symlink(sys.argv[1], sys.argv[2] + (f"-{n}" if n > 1 else ""))
	PYTHON
	says 1 'too many images of this name: give it one of your own: vectl image import' vectl create much --image "$T_TMP.tree"
	rm -r "$ref/local"
	busybox_ve much
	for n in $(seq 90); do many+=("sysctl.net.ipv4.x$n=$(printf '1%.0s' $(seq 1000))"); done
	says 2 'its sysctls and mounts are too many, or too long, to be changed while it runs: stop the VE first: vectl stop much' \
		vectl set much "${many[@]}"
	cleanup_ve much
}
