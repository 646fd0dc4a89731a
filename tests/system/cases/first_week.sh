# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What an administrator does in the first week, typed as it would be typed, and what the terminal shows then: the
# transcript is compared with tests/system/first-week.txt, word for word, but for what differs from run to run.
# After a change that is meant: VECTL_GOLDEN_UPDATE=1 tests/run system --no-sanitize --filter first_week

# limit test_first_week 300

transcript=''

# One comment line, to make the transcript readable.
day() { printf '\n# %s\n' "$*" >>"$transcript"; }

# week COMMAND LINE: typed and run by a shell; what it prints and how it ends become part of the transcript.
week() {
	local status=0
	note "week: $1"
	printf "$ %s\n" "$1" | steady >>"$transcript"
	TMPDIR=$T_TMP.tmp bash -c "$1" </dev/null >"$T_TMP.week" 2>"$T_TMP.week.err" || status=$?
	cat "$T_TMP.week.err" >>"$T_BUILD/tmp/messages"
	# Of two streams, stdout first: their order on a terminal is not to be had from files.
	cat "$T_TMP.week" "$T_TMP.week.err" | steady >>"$transcript"
	[ "$status" = 0 ] || printf '[exit status %d]\n' "$status" >>"$transcript"
}

# Without what differs from run to run.
steady() {
	sed -E \
		-e "s|$VECTL_ROOT||g; s|$T_TMP|TMP|g; s|vectl-edit\.[A-Za-z0-9]+|vectl-edit.X|g" \
		-e 's/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/UUID/g' \
		-e 's/\b[0-9a-f]{32,64}\b/DIGEST/g' \
		-e 's/(web1[.]json):[0-9]+:[0-9]+:/\1:LINE:COLUMN:/g' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}[^ ]*/TIME/g' \
		-e 's/ +$//'
}

compare() {
	local golden=$T_HERE/first-week.txt
	if [ -n "${VECTL_GOLDEN_UPDATE:-}" ]; then
		cp "$transcript" "$golden"
		return
	fi
	diff -u "$golden" "$transcript" >&2 || die 'the transcript is another one; VECTL_GOLDEN_UPDATE=1 takes it over'
}

test_first_week() {
	[ -e "$T_CACHE/debian-13.tar" ] || die 'no Debian images'
	transcript=$T_TMP.transcript
	: >"$transcript"
	mkdir -p "$T_TMP.tmp"
	local keeper

	day 'Monday: five VEs of three images'
	week 'vectl create web1 --image plain/13 --hostname web1.example.org --set labels.customer=4711'
	week 'vectl create web2 --image plain/13 --set labels.customer=4711 --set stop.timeout=30'
	week 'vectl create db1 --image plain/12'
	week 'vectl create cache1 --image busybox --start'
	week 'vectl create old1 --image busybox'
	week 'vectl start web1 web2 db1 --wait=ready'
	week 'vectl list -o name,state,ready,image'
	week 'vectl exec web1 -- systemctl is-system-running'
	week 'vectl exec web1 hostname'
	week 'vectl exec db1 -- cat /etc/debian_version | cut -d. -f1'

	day 'Tuesday: changes while they run'
	week 'vectl set web1 hostname=www.example.org'
	week 'vectl exec web1 hostname'
	week 'vectl set web1 labels.customer=4712 stop.timeout=60'
	week 'vectl list --label customer=4712 --names'
	week 'vectl get web1 stop.timeout'
	week 'vectl set db1 env.TZ=UTC'
	week "vectl info db1 --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"ve\"][\"pending\"])'"
	week 'vectl restart db1 --wait=ready && vectl exec db1 -- sh -c "tr \"\\0\" \"\\n\" </proc/1/environ | grep ^TZ"'
	week 'vectl set web1 stop.timeot=5'
	week 'vectl set web1 stop.timeout=never'
	week 'vectl set web1 hostname=no_such_name!'
	week 'EDITOR="sed -i s/:.60/:61/" vectl edit web1 && vectl get web1 stop.timeout'
	week 'EDITOR="sed -i s/:.61/:soon/" vectl edit web1 || vectl get web1 stop.timeout'
	week 'vectl pause web2 && vectl list --state paused --names && vectl resume web2'

	day 'Wednesday: things break'
	keeper=$(awk '$1 == "keeper" {print $2}' "$VECTL_ROOT/run/vectl/cache1/state")
	kill -9 "$keeper"
	until_ 10 test ! -e "/proc/$keeper/stat"
	week 'vectl list -o name,state'
	week 'vectl start cache1 && vectl exec cache1 -- echo up again'
	week 'vectl exec web2 -- sh -c "rm -f /sbin/init /lib/systemd/systemd /usr/lib/systemd/systemd"'
	week 'vectl stop web2 --timeout 60; vectl start web2'
	week 'vectl exec web2 true'
	week 'vectl exec web9 true'
	week 'vectl exec db1 -- no-such-command'
	week 'vectl create web1 --image plain/13'
	week 'vectl create Web_1 --image plain/13'
	week 'vectl create web3 --image plain/99'
	week 'vectl start web1'
	printf '{"format": 1,\n "name": "old1",\n "stop": {"timeout": "soon"}}\n' >"$VECTL_ROOT/var/lib/vectl/ve/old1/ve.json.broken"
	week "vectl create web3 --config $VECTL_ROOT/var/lib/vectl/ve/old1/ve.json.broken --image busybox"
	rm "$VECTL_ROOT/var/lib/vectl/ve/old1/ve.json.broken"

	day 'Thursday: another name, a fresh start'
	week 'vectl rename old1 legacy1 && vectl start legacy1 && vectl exec legacy1 hostname'
	week 'vectl rename legacy1 older'
	week 'vectl stop legacy1 && vectl rename legacy1 cache1'
	week 'vectl rename legacy1 cache2 && vectl list --names'
	week 'vectl destroy web2 --force && vectl create web2 --image plain/13 --start && vectl wait web2 --state ready --timeout 60'
	week 'vectl exec web2 -- systemctl is-system-running'
	week 'vectl set cache2 suspended="invoice 12 is not paid" && vectl start cache2'
	week 'vectl unset cache2 suspended && vectl start cache2 && vectl list -o name,state'

	day 'Friday: cleaning up'
	week 'vectl image remove plain/12'
	week 'vectl destroy db1'
	week 'vectl stop db1 web1 && vectl destroy --force db1 web1'
	week 'vectl destroy --force web2 cache1 cache2'
	week 'vectl list --names'
	week 'vectl stop web1'
	compare
}
