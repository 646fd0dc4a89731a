# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Errors that take a failing system call, or a moment between two of them: strace makes the call fail, or stops the
# process there until the test has done what a race would. What a user does alone is in messages.sh.

setup() {
	[ -z "${T_SANITIZED:-}" ] || skip 'strace and the leak sanitizer both want to be the tracer'
	strace -f -qq -o /dev/null true || die 'strace cannot trace here'
}

# failing CALL:error=ERRNO[:when=N] COMMAND...: with that call failing, in its children too; ON: for this path alone;
# ALONE set: not in its children, which may live on
failing() {
	local call=$1
	shift
	strace ${ALONE--f} -qq -o /dev/null ${ON:+-P "$ON"} -e "trace=${call%%:*}" -e "inject=$call" -- "$@"
}

# Runs COMMAND in the background and waits until it or a child of it stands still after CALL[:when=N]: HELD is that
# process, TRACER what waits for it all.
held() { # CALL[:when=N] COMMAND...
	local call=$1
	shift
	: >"$T_TMP.trace"
	strace -f -qq -o "$T_TMP.trace" -e "trace=${call%%:*}" -e "inject=${call%%:*}:signal=SIGSTOP${call#"${call%%:*}"}" \
		-- "$@" 2>"$T_TMP.held" &
	TRACER=$!
	until_ 30 grep -q 'stopped by SIGSTOP' "$T_TMP.trace"
	HELD=$(sed -n 's/^\([0-9]*\) .*stopped by SIGSTOP.*/\1/p' "$T_TMP.trace")
}

# released STATUS REGEX: what was held goes on, and ends with these words
released() {
	kill -CONT "$HELD"
	later_says "$1" "$2" "$TRACER" "$T_TMP.held"
}

import_says() { # REGEX CALL:error=ERRNO[:when=N] FOLDER
	says 1 "^vectl: importing .* as failing: $1" failing "$2" vectl image import failing "$3"
}

test_copying_a_folder() {
	local t=$T_TMP.tree
	mkdir -p "$t".{file,link,fifo,hard,id/etc}
	echo content >"$t.file/f"
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"x")' "$t.file/f"
	ln -s target "$t.link/l"
	mkfifo "$t.fifo/p"
	echo content >"$t.hard/a"
	ln "$t.hard/a" "$t.hard/b"
	echo 0123456789abcdef0123456789abcdef >"$t.id/etc/machine-id"
	import_says 'f: owner and mode cannot be set: Operation not permitted' fchown:error=EPERM "$t.file"
	import_says 'f: times cannot be set' utimensat:error=EPERM "$t.file"
	import_says 'f: extended attributes cannot be read: .*: look for the device.s errors: dmesg' flistxattr:error=EIO "$t.file"
	import_says 'f: extended attribute user.note cannot be read' fgetxattr:error=EIO "$t.file"
	import_says 'f: extended attribute user.note cannot be set: .*: make room below' fsetxattr:error=ENOSPC "$t.file"
	ON=$t.file/f import_says 'f: cannot be copied: Input/output error' pread64:error=EIO "$t.file"
	import_says 'f: cannot be written: .*: make room there, or raise' pwrite64:error=EDQUOT "$t.file"
	import_says 'l: cannot be made: Read-only file system: mount' symlinkat:error=EROFS "$t.link"
	import_says 'l: owner and times cannot be set' fchownat:error=EPERM "$t.link"
	import_says 'p: mode cannot be set' fchmodat:error=EPERM "$t.fifo"
	import_says '[ab]: cannot be linked: Too many links' linkat:error=EMLINK "$t.hard"
	import_says 'machine-id: cannot be cleared' fsync:error=EIO "$t.id"
	import_says '/: cannot be written to disk' syncfs:error=EIO "$t.file"
	import_says 'output folder: cannot be entered: .*: run vectl as the host.s root' chroot:error=EPERM "$t.file"
	import_says 'no_new_privs: cannot be set' prctl:error=EINVAL "$t.file"
	import_says 'capabilities: cannot be dropped' capset:error=EPERM "$t.file"
	import_says 'seccomp: cannot be set up' seccomp:error=EINVAL "$t.file"
	! vectl image list --names | grep -qx failing || die 'an image was made'
}

test_a_file_that_is_replaced() {
	mkdir "$T_TMP.tree"
	echo content >"$T_TMP.tree/f"
	# The first look counts, the second one copies.
	held statx:when=2 vectl image import replaced "$T_TMP.tree"
	rm "$T_TMP.tree/f"
	mkfifo "$T_TMP.tree/f"
	released 1 'f: it was replaced while it was copied'
}

test_images_that_go_meanwhile() {
	local store=$VECTL_ROOT/var/lib/vectl/images/store id
	mkdir -p "$T_TMP.tree/sbin"
	echo goes meanwhile >"$T_TMP.tree/sbin/init"
	chmod 0755 "$T_TMP.tree/sbin/init"
	ok vectl image import goes "$T_TMP.tree"
	id=$(vectl image info goes --json | json "d['image']['id']")
	# Seen when its name is looked up, and not when it is taken, again and again.
	ON=store/$id/image.json says 1 'goes: taking the image: image [0-9a-f]* was replaced and removed meanwhile: try again' \
		failing newfstatat:error=ENOENT:when=2+2 vectl create goes --image goes
	held chroot vectl image verify goes
	mv "$store/$id" "$T_TMP.image"
	released 1 'verifying goes: goes was removed meanwhile'
	mv "$T_TMP.image" "$store/$id"
	ok vectl image remove goes
}

# The supervisor stands still on its way to init's exec.
test_a_start_that_is_interrupted() {
	local vectl
	ok vectl create broken-off --image busybox
	held pivot_root env --default-signal=INT vectl start broken-off
	vectl=$(tr -d ' ' <"/proc/$TRACER/task/$TRACER/children")
	until_ 30 in_poll "$vectl"
	kill -INT "$vectl"
	later_says 130 'broken-off: start: interrupted; what was begun is undone' "$TRACER" "$T_TMP.held"
	eq "$(state broken-off)" stopped
	cleanup_ve broken-off
}

# A program that cannot be compiled or loaded: nothing runs without it.
test_seccomp_that_fails() {
	busybox_ve filtered
	says 125 'filtered: loading the VE.s seccomp program: .*; nothing was executed without it' \
		failing seccomp:error=ENOMEM vectl exec filtered true
	cleanup_ve filtered
	ok vectl create filtered --image busybox
	# With an empty cache of its own.
	ALONE='' ON=/memfd:seccomp says 1 'the profile default cannot be compiled: export: .*: install vectl again' \
		failing write:error=ENOSPC unshare -m sh -c 'mount -t tmpfs tmpfs "$0/run/vectl/.cache" && exec "$@"' \
		"$VECTL_ROOT" vectl start filtered
	cleanup_ve filtered
}

test_steps_that_fail() {
	ok vectl create stepless --image busybox
	says 1 'step private-mounts: .*No space left on device: allow more namespaces' \
		failing unshare:error=ENOSPC vectl start stepless
	says 1 'step runtime-dir: .*No space left on device: make room there' \
		failing fallocate:error=ENOSPC vectl start stepless
	ON=$VECTL_ROOT/var/lib/vectl/ve/stepless/console.0 says 1 'step console-log: .*: mount that file system read-write' \
		failing openat:error=EROFS vectl start stepless
	says 1 'step control-socket: .*: `vectl plan stepless` shows the step' failing bind:error=EACCES vectl start stepless
	cleanup_ve stepless
}

# Its minute is over at once.
test_a_hook_that_hangs() {
	hooks_folder
	hook hang 'sleep 1000'
	ok vectl create hung --image busybox --set "hooks.pre-start=$HOOKS/hang"
	says 5 "hooks.pre-start: $HOOKS/hang: killed after 60 seconds" \
		strace -qq -o /dev/null -e trace=poll -e inject=poll:retval=0:when=1..20 vectl start hung
	# One of a start that was killed, and that signals do not end.
	hook hang 'echo hangs; sleep 1000'
	vectl start hung >"$T_TMP.start" 2>&1 &
	until_ 30 grep -q hangs "$VECTL_ROOT/var/lib/vectl/ve/hung/hooks.log"
	kill -9 "$!"
	wait "$!" || true
	says 1 'hung: end a hook: a hook of an earlier start or stop does not end: look for what it waits for' \
		strace -qq -o /dev/null -e trace=kill,pidfd_send_signal -e inject=kill,pidfd_send_signal:retval=0 vectl start hung
	cleanup_ve hung
}

test_an_exit_status_that_is_taken() {
	mkdir "$T_TMP.tree"
	says 1 'its exit status was taken by somebody else' failing wait4:error=ECHILD vectl image import taken "$T_TMP.tree"
}

# As if each init that is looked for had just ended.
test_a_change_while_it_reboots() {
	busybox_ve rebooting
	ALONE='' says 1 'the VE rebooted while it was changed: try again when it does not reboot all the time' \
		failing pidfd_open:error=ESRCH vectl set rebooting sysctl.net.ipv4.ip_forward=1
	ok vectl set rebooting sysctl.net.ipv4.ip_forward=1
	cleanup_ve rebooting
}
