# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The spec from the command line: groups of keys, what waits, and `edit`.

test_groups_of_keys() {
	ok vectl create web1 --image busybox --set labels.owner=shop --set labels.a.b=1 --set 'env.LIST=x,y'
	eq "$(vectl get web1 labels)" $'labels.a.b=1\nlabels.owner=shop' 'get of a group'
	eq "$(vectl get web1 labels --json | json 'd["value"]')" '{"a.b": "1", "owner": "shop"}' 'get --json of a group'
	eq "$(vectl get web1 mount)" '' 'a group of which nothing is set'
	fails 2 vectl get web1 nett
	ok vectl unset web1 labels
	eq "$(vectl get web1 labels)" '' 'labels after unset'
	eq "$(vectl get web1 env)" 'env.LIST=x,y' 'the rest'
	fails 2 vectl unset web1 stop.timeot
	like "$ERR" 'did you mean .stop.timeout'
	# One key is in JSON what it is in the whole spec, and a default is of the same type.
	ok vectl get web1 stop.timeout --json
	like "$OUT" '"value":90}' 'a default that is a number'
	ok vectl set web1 stop.timeout=30 labels.n.o=12 privileged=false 'caps.drop=mknod,net_raw'
	ok vectl get web1 stop.timeout --json
	like "$OUT" '"value":30}' 'a number'
	ok vectl get web1 privileged --json
	like "$OUT" '"value":false}' 'true or false'
	ok vectl get web1 labels.n.o --json
	like "$OUT" '"value":"12"}' 'a label'
	eq "$(vectl get web1 caps.drop --json | json 'd["value"]')" '["mknod", "net_raw"]' 'a list'
	ok vectl unset web1 caps.drop
	# What get prints is what set takes, also where an item of a list has a comma.
	ok vectl set web1 'init=/sbin/init,a\,b,c\\d'
	line=$(vectl get web1 | grep ^init=)
	ok vectl unset web1 init
	ok vectl set web1 "$line"
	eq "$(vectl get web1 --json | json 'd["init"]')" '["/sbin/init", "a,b", "c\\d"]' 'init by way of get'
	cleanup_ve web1
}

test_what_waits() {
	busybox_ve web1
	ok vectl set web1 labels.owner=shop hostname=other env.A=1
	like "$ERR" '^web1: in effect: labels.owner, hostname$'
	like "$ERR" '^web1: waits for the next start: env.A$'
	# A command line of init that waits is not shown as that of what runs.
	ok vectl set web1 init=/bin/other
	ok vectl info web1
	like "$(sed -n '/^Identity/,/^$/p' <<<"$OUT")" '^  At next start +init' 'what waits'
	like "$(sed -n '/^Identity/,/^$/p' <<<"$OUT")" '^  Init +/bin/other' 'what is set'
	unlike "$(sed -n '/^On the host/,/^$/p' <<<"$OUT")" '^  Init ' 'what runs'
	ok vectl unset web1 init
	ok vectl set web1 stop.timeout=20 --json
	eq "$(json 'd["live"]' <<<"$OUT") $(json 'd["pending"]' <<<"$OUT")" '["stop.timeout"] ["env.A"]' 'the document'
	ok vectl unset web1 env.A
	unlike "$ERR" waits
	cleanup_ve web1
}

# editor SCRIPT: an editor that does this to the file $1.
editor() {
	mkdir -p "$T_TMP/tmp"
	printf '#!/bin/sh\nset -e\n%s\n' "$1" >"$T_TMP/editor"
	chmod +x "$T_TMP/editor"
	export EDITOR=$T_TMP/editor TMPDIR=$T_TMP/tmp
	unset VISUAL
}
kept() { find "$T_TMP/tmp" -type f; }

test_edit() {
	ok vectl create web1 --image busybox --set stop.timeout=70
	# shellcheck disable=SC2016 # the editor's own
	editor 'stat -c "%a %u" "$1" "$(dirname "$1")"'
	ok vectl edit web1
	eq "$OUT" $'600 0\n700 0' 'modes of the copy and its folder'
	like "$ERR" 'web1: unchanged'
	# shellcheck disable=SC2016
	editor 'sed -i s/:.70/:30/ "$1"'
	ok vectl edit web1
	eq "$(vectl get web1 stop.timeout)" 30
	eq "$(find "$T_TMP/tmp" -mindepth 1)" '' 'left of the copies'
	VISUAL='sed -i -e s/:.30/:31/' ok vectl edit web1
	eq "$(vectl get web1 stop.timeout)" 31 'VISUAL with arguments'
	cleanup_ve web1
}

test_edit_that_is_wrong() {
	ok vectl create web1 --image busybox --set stop.timeout=70
	before=$(vectl get web1)
	# shellcheck disable=SC2016
	editor 'sed -i s/timeout/tmeout/ "$1"'
	fails 2 vectl edit web1
	like "$ERR" 'web1.json:[0-9]+:[0-9]+: stop.tmeout: .*did you mean .stop.timeout.*the text is kept in '
	eq "$(vectl get web1)" "$before" 'the spec'
	eq "$(grep -c tmeout "$(kept)")" 1 'the text'
	like "$ERR" "kept in $(kept)\$"
	rm "$(kept)"
	fails_json=$(vectl edit web1 --json) || true
	eq "$(json 'd["error"]["kept"]' <<<"$fails_json")" "$(kept)" 'kept, as JSON'
	# An editor that fails after it wrote something: that is kept, too.
	rm "$(kept)"
	# shellcheck disable=SC2016
	editor 'sed -i s/:.70/:71/ "$1"; exit 3'
	exits 1 vectl edit web1
	like "$ERR" 'ended with status 3; nothing was changed'
	eq "$(grep -c '"timeout":71' "$(kept)")" 1 'the text of a failed editor'
	EDITOR=/no/such/editor exits 1 vectl edit web1
	like "$ERR" 'set EDITOR'
	eq "$(vectl get web1)" "$before" 'the spec'
	# Identity stays.
	rm "$(kept)"
	# What the editor took away is not said to be kept.
	# shellcheck disable=SC2016
	editor 'rm "$1"'
	mkdir "$T_TMP/gone"
	TMPDIR=$T_TMP/gone fails 1 vectl edit web1
	like "$ERR" 'No such file or directory: the spec is as it was$'
	eq "$(ls -A "$T_TMP/gone")" '' 'what is left'
	# shellcheck disable=SC2016
	editor 'sed -i s/\"web1\"/\"web2\"/ "$1"'
	fails 2 vectl edit web1
	like "$ERR" 'name: .web1. cannot become .web2.'
	cleanup_ve web1
}

test_edit_again() {
	ok vectl create web1 --image busybox --set stop.timeout=70
	# Wrong the first time, right the second.
	# shellcheck disable=SC2016
	editor 'if grep -q x70 "$1"; then sed -i s/x70/71/ "$1"; else sed -i s/:.70/:x70/ "$1"; fi'
	ok pty --expect 'edit it again' --send 'y\r' -- vectl edit web1
	eq "$(vectl get web1 stop.timeout)" 71
	exits 2 pty --expect 'edit it again' --send 'n\r' -- env EDITOR='sed -i s/:.71/:x71/' vectl edit web1
	like "$OUT" 'the text is kept in '
	eq "$(vectl get web1 stop.timeout)" 71
	cleanup_ve web1
}

test_edit_while_somebody_sets() {
	ok vectl create web1 --image busybox --set stop.timeout=70
	# shellcheck disable=SC2016
	editor 'vectl set web1 labels.other=1; sed -i s/:.70/:71/ "$1"'
	fails 1 vectl edit web1
	like "$ERR" 'it was changed meanwhile.*the text is kept in '
	eq "$(vectl get web1 stop.timeout) $(vectl get web1 labels.other)" '70 1' 'what the other one set'
	# On a terminal, editing again is to mean it.
	# shellcheck disable=SC2016
	editor 'if grep -q :.72 "$1"; then exit 0; fi; vectl set web1 labels.other=2; sed -i s/:.70/:72/ "$1"'
	ok pty --expect 'edit it again' --send 'y\r' -- vectl edit web1
	eq "$(vectl get web1 stop.timeout) $(vectl get web1 labels.other)" '72 1' 'what the editor had'
	cleanup_ve web1
}

test_help_of_keys() {
	ok vectl help stop.timeout
	like "$OUT" 'seconds, 1 to 86400'
	like "$OUT" 'Default: *90'
	ok vectl help keys --json
	eq "$(json '[k["live"] for k in d["keys"] if k["key"] == "stop.timeout"][0]' <<<"$OUT")" true 'stop.timeout is live'
	ok vectl help net.eth0.mac --json
	eq "$(json '[k["key"] for k in d["keys"]]' <<<"$OUT")" '["net.*.mac"]' 'the row of a name'
	# Each verb, help itself too, tells how it is used.
	for verb in $(vectl help --verbs | cut -f 1 | grep -v ' '); do
		ok vectl "$verb" --help
		like "$OUT" "^usage: vectl $verb"
		like "$OUT" '^Example: '
	done
	fails 2 vectl help stop.timeot
	fails 2 vectl help strat
	like "$ERR" 'did you mean start'
}

# TAB in a bash, for what needs VEs: complete LINE.
complete_line() {
	bash -c '
		source "$1"
		COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=()
		_vectl
		printf "%s\n" "${COMPREPLY[@]}"' bash "$T_PREFIX/share/bash-completion/completions/vectl" "$1" | sort | tr '\n' ' '
}

test_completion_of_names() {
	ok vectl create still1 --image busybox --set labels.owner=shop
	busybox_ve runs1
	busybox_ve frozen1
	ok vectl pause frozen1
	eq "$(complete_line 'vectl start ')" 'still1 ' 'to start'
	eq "$(complete_line 'vectl stop ')" 'frozen1 runs1 ' 'to stop'
	eq "$(complete_line 'vectl pause ')" 'runs1 ' 'to pause'
	eq "$(complete_line 'vectl resume ')" 'frozen1 ' 'to resume'
	eq "$(complete_line 'vectl info ')" 'frozen1 runs1 still1 ' 'to see'
	eq "$(complete_line 'vectl stop runs1 f')" 'frozen1 ' 'the second one'
	eq "$(complete_line 'vectl info still1 ')" ' ' 'no second one'
	eq "$(complete_line "vectl --root $VECTL_ROOT start ")" 'still1 ' 'with --root'
	eq "$(VECTL_ROOT=/none complete_line "vectl --root=$VECTL_ROOT enter ")" 'frozen1 runs1 ' 'an alias, with --root='
	eq "$(complete_line 'vectl unset still1 lab')" 'labels. labels.owner ' 'a key that is set'
	like "$(complete_line 'vectl create x --image busy')" 'busybox' 'an image'
	eq "$(complete_line 'vectl image remove busyb')" 'busybox ' 'an image to remove'
	# What can be built or made is not what is there.
	local names empty
	names=$(vectl image list --names | sort | tr '\n' ' ')
	eq "$(complete_line 'vectl image remove ')" "$names" 'images to remove'
	eq "$(complete_line 'vectl image remove no-such ')" "$names" 'a second image to remove'
	eq "$(complete_line 'vectl image info ')" "$names" 'images to see'
	eq "$(complete_line 'vectl image verify ')" "$names" 'images to verify'
	empty=$(VECTL_ROOT=$T_TMP.none complete_line 'vectl image remove ')
	eq "$empty" ' ' 'images to remove of an empty store'
	eq "$(VECTL_ROOT=$T_TMP.none complete_line 'vectl image build ')" 'busybox debian/12 debian/13 ' 'images to build'
	like "$(VECTL_ROOT=$T_TMP.none complete_line 'vectl create x --image ')" 'debian/13'
	# A tab that is typed.
	printf 'source %q\nPS1="ready> "\n' "$T_PREFIX/share/bash-completion/completions/vectl" >"$T_TMP.rc"
	ok pty --expect 'ready> ' --send 'vectl start sti\t' --expect 'still1 ' --send '\x15exit 0\r' -- bash --rcfile "$T_TMP.rc" -i
	cleanup_ve still1 runs1 frozen1
}

# What help and ve.json(5) show can be pasted.
test_examples() {
	local n=0 words
	ok vectl create web1 --image busybox
	while IFS= read -r words; do
		eval "ok vectl set web1 $words"
		eval "set -- $words"
		ok vectl unset web1 "${@%%=*}"
		n=$((n + 1))
	done < <(vectl help keys --json | python3 -c '
import json, shlex, sys
for k in json.load(sys.stdin)["keys"]:
    if k["supported"] and not k["readonly"]:
        print(k.get("example_with", ""), shlex.quote(k["example"]))')
	[ "$n" -ge 40 ] || die "only $n examples"
	cleanup_ve web1
}
