# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Many at once. The longest ones run with tests/run --full.

# limit test_storm_of_busybox 180
test_storm_of_busybox() {
	local i names=()
	for i in $(seq 40); do
		names+=("s$i")
		ok vectl create "s$i" --image busybox
	done
	ok bash -c 'fail=0; for n in "$@"; do vectl start "$n" & pids="$pids $!"; done; for p in $pids; do wait $p || fail=1; done; exit $fail' _ "${names[@]}"
	eq "$(vectl list --names --state running | wc -l)" 40 'running'
	ok vectl stop --all --force
	eq "$(vectl list --names --state running | wc -l)" 0 'running'
	ok vectl destroy --force "${names[@]}"
}

# Two after each other by each of three: who looks for free ids while another VE gets its name sees that one too.
# limit test_creates_beside_creates_share_no_ids 300
test_creates_beside_creates_share_no_ids() {
	local i
	ok bash -c 'printf "%s\n" "$@" | xargs -P3 -I{} vectl create {} --image busybox --set network=none' _ $(seq 1 120)
	eq "$(vectl list --names | wc -l)" 120 'VEs'
	eq "$(for i in $(seq 1 120); do vectl get "$i" userns.base; done | sort | uniq -d | wc -l)" 0 'ids that two have'
	ok vectl destroy --force $(seq 1 120)
}

# limit test_sixty_debians 1800
test_sixty_debians() {
	[ -n "$T_FULL" ] || skip '60 Debian VEs at once: tests/run --full'
	local i names=() bad=''
	for i in $(seq 60); do
		names+=("q$i")
		ok vectl create "q$i" --image plain/13
		ok vectl start "q$i" --wait=ready --timeout 300
	done
	for i in $(seq 60); do
		try vectl exec "q$i" -- systemctl is-system-running --wait
		[ "$OUT" = running ] || bad+=" q$i=$OUT"
	done
	eq "$bad" '' 'not running'
	ok vectl destroy --force "${names[@]}"
}
