# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# needs: faults
# limit test_first_boot_after_a_crash 300

# A first start that is killed right after any of these steps: the next one gives root its password.
test_first_boot_after_a_crash() {
	local op actor step line
	mkdir -p "$T_TMP"
	for op in spawn-supervisor attach-layer first-boot-open pivot-root first-boot hostname seccomp; do
		ok vectl create k1 --image busybox --password-file - < <(echo "horse of $op")
		ok vectl plan k1 --json
		line=$(json "[f\"{s['actor']}:{s['index']}\" for s in d['steps'] if s['op'] == '$op'][-1]" <<<"$OUT")
		actor=${line%:*} step=${line#*:}
		try env VECTL_FAULT="$actor:$step" timeout 30 vectl start k1
		ne "$STATUS" 0 "a start that was killed after $op"
		ok vectl start k1
		eq "$ERR" ''
		# The guest's own libc says so.
		ok pty --expect 'assword:' --send "horse of $op\\r" --expect '# ' --send 'exit\r' -- vectl exec -t k1 -- login root
		[ -z "$(ls -A "$VECTL_ROOT/var/lib/vectl/ve/k1/first-boot" 2>/dev/null)" ] || die 'something is left to be done'
		ok vectl destroy --force k1
	done
}
