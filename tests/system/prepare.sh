# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Run before the cases: images, the probe program, and one VE whose start fills the caches of the root.

prepare() {
	ok gcc -static -Os -o "$T_BUILD/tmp/probe" "$T_HERE/probe.c"
	ok vectl image build busybox
	local number
	for number in 12 13; do
		[ ! -e "$T_CACHE/debian-$number.tar" ] || ok vectl image import "plain/$number" "$T_CACHE/debian-$number.tar"
	done
	ok vectl create prepare --image busybox
	ok vectl start prepare
	# Which folder of the cgroup tree is this root's: asked of the kernel, by way of init's pid.
	local pid
	pid=$(info prepare "d['pid']")
	sed -n 's,^0::\(.*/vectl[^/]*\)/.*,\1,p' "/proc/$pid/cgroup" >"$T_CGROUPS"
	[ -s "$T_CGROUPS" ] || die 'the cgroup of init is not beneath vectl*'
	ok vectl destroy --force prepare
	# Their seccomp program is another.
	ok vectl create prepare --image busybox --set privileged=true
	ok vectl start prepare
	ok vectl destroy --force prepare
}
