# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The contract of templates/README.md, kept by both sides.

T_TEMPLATES=$VECTL_ROOT/etc/vectl/templates

template() { # NAME: a template of the host's own, its text on stdin after the usual beginning
	mkdir -p "$T_TEMPLATES"
	{
		echo '#!/bin/sh'
		cat
	} >"$T_TEMPLATES/$1"
	chmod 0755 "$T_TEMPLATES/$1"
}

no_templates() {
	rm -rf "$T_TEMPLATES"
	rm -rf "$VECTL_ROOT/var/lib/vectl/images/cache"
	rm -f "$VECTL_ROOT"/var/lib/vectl/images/log-*
}

# fails STATUS "ERROR PATTERN" for `image build NAME`, with nothing left but, perhaps, the log.
build_fails() { # STATUS NAME PATTERN
	fails "$1" vectl image build "$2"
	like "$ERR" "$3" "error of $2"
	local said=$ERR
	eq "$(ls -A "$VECTL_ROOT/var/lib/vectl/images/tmp")" '' 'work in progress'
	ok vectl image list --names
	unlike "$OUT" "^$2\$"
	ERR=$said
}

# The example of the documentation, as it stands there.
test_readme_example() {
	mkdir -p "$T_TEMPLATES"
	sed -n '/^```$/,/^```$/p' "$T_HERE/../../templates/README.md" | sed '/^```$/d' >"$T_TEMPLATES/tiny"
	grep -q VECTL_METADATA "$T_TEMPLATES/tiny" || die 'no example in templates/README.md'
	chmod 0755 "$T_TEMPLATES/tiny"
	build_fails 1 tiny/2 'building tiny/2: tiny/2: there is tiny/1 alone$'
	ok vectl create tiny --image tiny/1 --start
	guest tiny echo hello
	eq "$OUT" hello
	ok vectl image list --json
	eq "$(json "[i['metadata']['distribution'] for i in d['images'] if i['name'] == 'tiny/1'][0]" <<<"$OUT")" tiny
	# It has no os-release: what it is comes from its template.
	ok vectl image list
	like "$OUT" '^tiny/1 +[0-9a-f]{12} +tiny 1 +[0-9]'
	ok vectl image info tiny/1
	like "$OUT" '^  System +tiny 1$'
	unlike "$OUT" 'Description'
	ok vectl image list --names --json
	like "$(json "[i['name'] for i in d['images']]" <<<"$OUT")" '"tiny/1"'
	ok vectl destroy --force tiny
	ok vectl image remove tiny/1
	no_templates
}

# Everything that a template is promised.
test_what_a_template_is_given() {
	template given <<-'TEMPLATE'
		{
			echo "words $# $1 $2"
			env | sort
			ls -l /proc/self/fd
			readlink /proc/self/fd/0
			[ "$VECTL_WORK" = "$TMPDIR" ] && echo same-tmpdir
			[ -d "$VECTL_WORK" ] && [ "$(ls -A "$VECTL_WORK")" = notes ] && echo empty-work
			[ -d "$VECTL_CACHE" ] && echo cache "$(cat "$VECTL_CACHE/kept" 2>/dev/null)"
			[ -e "$VECTL_OUTPUT" ] || [ -e "$VECTL_METADATA" ] || echo no-result-yet
			[ -z "$VECTL_SOURCE" ] && echo no-source
		} >"$VECTL_WORK/notes"
		echo first-build >"$VECTL_CACHE/kept"
		mkdir -p "$VECTL_WORK/root/etc"
		mv "$VECTL_WORK/notes" "$VECTL_WORK/root/etc/notes"
		ln -s "$VECTL_WORK/root" "$VECTL_OUTPUT"
	TEMPLATE
	export SECRET=of-the-caller VECTL_MIRROR=http://mirror.example/ SOURCE_DATE_EPOCH=1700000000
	ok vectl image build given/a/b
	local notes=$VECTL_ROOT/var/lib/vectl/images/ref/given/a/b/rootfs/etc/notes
	cat "$notes" >&2
	local line
	for line in 'words 2 build a/b' 'VECTL_CONTRACT=1' 'VECTL_MIRROR=http://mirror.example/' same-tmpdir empty-work \
		'cache ' no-result-yet no-source /dev/null SOURCE_DATE_EPOCH=1700000000 HOME=/root LANG=C.UTF-8 TERM=dumb; do
		grep -qxF -- "$line" "$notes" || die "not given: $line"
	done
	unlike "$(cat "$notes")" 'SECRET|VECTL_ROOT|VECTL_SOURCE='
	like "$(cat "$notes")" ' 3 -> pipe:'
	unlike "$(cat "$notes")" ' [5-9] -> '
	ok vectl image build given/a/b
	grep -qxF 'cache first-build' "$notes" || die 'the cache was not kept'
	ok vectl image remove given/a/b
	no_templates
}

# Each exit status has its own error: what the last line said, and a remedy of vectl's where there is one.
test_exit_statuses() {
	template ends <<-'TEMPLATE'
		echo 'some words before'
		echo "ended with $2" >&2
		exit "$2"
	TEMPLATE
	local images=$VECTL_ROOT/var/lib/vectl/images
	local row status code remedy
	for row in "1|template|see $images/log-ends,1" "2|template|see $images/log-ends,2" '10|no-image|' '11|host|' \
		"12|template|check the network and VECTL_MIRROR, and try again; see $images/log-ends,12" \
		"13|archive|see $images/log-ends,13" "14|template|see $images/log-ends,14" \
		"125|template|see $images/log-ends,125"; do
		IFS='|' read -r status code remedy <<<"$row"
		fails 1 vectl image build "ends/$status"
		eq "$ERR" "vectl: building ends/$status: ended with $status${remedy:+: $remedy}" 'the error'
		case $status in
		10 | 11) [ ! -e "$images/log-ends,$status" ] || die 'a log that says no more than the error' ;;
		*) grep -qx 'some words before' "$images/log-ends,$status" || die 'no log' ;;
		esac
		exits 1 vectl image build --json "ends/$status"
		eq "$(json "d['error']['code']" <<<"$OUT")" "$code" 'code'
	done
	no_templates
	template silent <<-'TEMPLATE'
		[ "$2" != signal ] || kill -9 $$
		exit 9
	TEMPLATE
	build_fails 1 silent/x "building silent/x: the template $T_TEMPLATES/silent ended with status 9 without saying why\$"
	build_fails 1 silent/signal "building silent/signal: the template $T_TEMPLATES/silent was killed by signal 9\$"
	template nothing </dev/null
	build_fails 1 nothing "building nothing: the template ended well but left nothing at VECTL_OUTPUT: correct the template $T_TEMPLATES/nothing\$"
	template fifo <<<'mkfifo "$VECTL_OUTPUT"'
	build_fails 1 fifo 'VECTL_OUTPUT is neither a tar file nor a folder: correct'
	template nowhere <<<'ln -s /no/such/file "$VECTL_OUTPUT"'
	build_fails 1 nowhere 'VECTL_OUTPUT is a link that leads nowhere: correct'
	template garbage <<<'head -c 4096 /dev/urandom >"$VECTL_OUTPUT"'
	build_fails 1 garbage 'building garbage: .*[Uu]nrecognized archive format'
	printf '#!/no/such/interpreter\n' >"$T_TEMPLATES/interpreter"
	chmod 755 "$T_TEMPLATES/interpreter"
	build_fails 1 interpreter 'interpreter: No such file or directory'
	no_templates
}

test_metadata_is_checked() {
	template meta <<-'TEMPLATE'
		mkdir -p "$VECTL_OUTPUT/etc"
		case $2 in
		broken) echo '{"format": 1,' ;;
		list) echo '[1]' ;;
		noformat) echo '{"release": "1"}' ;;
		format2) echo '{"format": 2}' ;;
		unknown) printf '{"format": 1,\n "distributor": "x"}' ;;
		number) echo '{"format": 1, "release": 13}' ;;
		lines) printf '%s\n' '{"format": 1, "release": "1\n2"}' ;;
		twice) echo '{"format": 1, "release": "1", "release": "2"}' ;;
		long) printf '{"format": 1, "release": "%0257d"}' 0 ;;
		huge) printf '{"format": 1, "release": "%070000d"}' 0 ;;
		esac >"$VECTL_METADATA"
		[ "$2" != folder ] || { rm "$VECTL_METADATA"; mkdir "$VECTL_METADATA"; }
	TEMPLATE
	local row kind pattern
	for row in 'broken|VECTL_METADATA:2:1: ' 'list|VECTL_METADATA is not a JSON object' \
		'noformat|VECTL_METADATA has no "format": 1' 'format2|VECTL_METADATA has no "format": 1' \
		"unknown|VECTL_METADATA:2:2: unknown key 'distributor'; the keys are format, distribution, release" \
		"number|VECTL_METADATA:1:26: 'release' must be a text of 1 to 256 bytes on one line" \
		"lines|VECTL_METADATA:1:26: 'release' must be a text" 'twice|VECTL_METADATA:1:31: `release` is there twice' \
		"long|VECTL_METADATA:1:26: 'release' must be" 'huge|VECTL_METADATA cannot be read: File too large' \
		'folder|VECTL_METADATA cannot be read: Is a directory'; do
		IFS='|' read -r kind pattern <<<"$row"
		build_fails 1 "meta/$kind" "^vectl: building meta/$kind: $pattern"
		like "$ERR" "correct the template $T_TEMPLATES/meta\$"
	done
	no_templates
}

# What it writes elsewhere does not come about, and is its error.
test_writes_outside() {
	local host=$T_TMP.outside
	template outside <<-TEMPLATE
		set -e
		case \$2 in
		tmp) echo x >"$host" ;;
		etc) echo x >/etc/vectl-outside ;;
		store) echo x >"$VECTL_ROOT/var/lib/vectl/images/store/x" ;;
		above) echo x >"\$(dirname "\$(dirname "\$VECTL_WORK")")/lock" ;;
		mount) mount -t tmpfs none /mnt; echo x >/mnt/x; mkdir "\$VECTL_OUTPUT" "\$VECTL_OUTPUT/etc" ;;
		esac
	TEMPLATE
	local kind why
	for kind in tmp etc store above; do
		build_fails 1 "outside/$kind" "building outside/$kind: .*outside: .*: Read-only file system: see "
	done
	ok vectl image build outside/mount
	ok vectl image remove outside/mount
	[ ! -e "$host" ] && [ ! -e /etc/vectl-outside ] && [ ! -e /mnt/x ] || die 'it wrote outside'
	no_templates
}

# One that hangs: the interrupt reaches it, and one that is deaf is killed after five seconds.
test_interrupted_template() {
	template hangs <<-'TEMPLATE'
		case $2 in
		polite) trap 'echo stopped >"$VECTL_CACHE/said"; exit 1' TERM ;;
		deaf) trap '' TERM ;;
		esac
		sleep 4321 &
		echo started >"$VECTL_CACHE/said"
		while :; do sleep 1000 & wait $!; done
	TEMPLATE
	local kind pid said=$VECTL_ROOT/var/lib/vectl/images/cache/hangs/said start
	for kind in polite plain deaf; do
		rm -f "$said"
		timeout -s KILL 30 vectl image build "hangs/$kind" 2>"$T_TMP.hangs" &
		pid=$!
		until_ 10 grep -q started "$said"
		start=$SECONDS
		# To vectl itself: timeout would hand it on to its whole group.
		kill -INT "$(ps -o pid= --ppid "$pid")"
		wait "$pid" && STATUS=0 || STATUS=$?
		eq "$STATUS" 130 'exit status'
		eq "$(cat "$T_TMP.hangs")" "vectl: building hangs/$kind: interrupted; nothing of it was kept" 'the error'
		case $kind in
		polite) eq "$(cat "$said")" stopped 'the last word of the template' ;;
		deaf) [ $((SECONDS - start)) -ge 4 ] || die 'it had no five seconds' ;;
		esac
		[ "$kind" = deaf ] || [ $((SECONDS - start)) -le 3 ] || die 'the interrupt took its time'
		! pgrep -f 'sleep 4321' >/dev/null || die 'a process of the template lives on'
		eq "$(ls -A "$VECTL_ROOT/var/lib/vectl/images/tmp")" '' 'work in progress'
	done
	no_templates
}

# Which files count as templates, and in which order they are looked for.
test_where_templates_are() {
	template busybox <<<'echo "the host own one" >&2; exit 11'
	fails 1 vectl image build busybox
	eq "$ERR" 'vectl: building busybox: the host own one'
	local kind
	for kind in 'chmod 0775' 'chmod 0757' 'chmod 0644' 'chown 65534'; do
		$kind "$T_TEMPLATES/busybox"
		ok vectl image build busybox
		chown 0 "$T_TEMPLATES/busybox"
		chmod 0755 "$T_TEMPLATES/busybox"
	done
	# One that nothing else can stand in for: why it is not taken, and what to do.
	template lonely <<<'mkdir -p "$VECTL_OUTPUT/sbin"; cp /bin/true "$VECTL_OUTPUT/sbin/init"'
	while read -r kind why; do
		$(tr _ ' ' <<<"$kind") "$T_TEMPLATES/lonely"
		says 1 "building lonely/1: $T_TEMPLATES/lonely is not taken as a template: $why: .chown root. and .chmod 0755. it" \
			vectl image build lonely/1
		chown root "$T_TEMPLATES/lonely"
		chmod 0755 "$T_TEMPLATES/lonely"
	done <<-KINDS
		chmod_0775 others than root may write it
		chmod_0757 others than root may write it
		chmod_0644 it is not executable
		chown_65534 root does not own it
	KINDS
	ok vectl image build lonely/1
	ok vectl image remove lonely/1
	no_templates
	fails 1 vectl image build nosuch/1
	like "$ERR" 'no such image, and no template that makes it: templates: busybox, debian; or: vectl image import'
}

test_progress_of_a_template() {
	template tells <<-'TEMPLATE'
		echo '0 beginning' >&3
		echo 'no number' >&3
		echo '101 too much' >&3
		echo '50 half of it' >&3
		head -c 5000 /dev/zero | tr '\0' x >&3
		echo >&3
		mkdir -p "$VECTL_OUTPUT/etc"
	TEMPLATE
	ok vectl image build tells --progress=json
	like "$OUT" 'beginning'
	like "$OUT" 'half of it'
	unlike "$OUT" 'too much|no number|xxx'
	while read -r line; do json "d['percent']" <<<"$line" >/dev/null; done <<<"$OUT"
	ok vectl image remove tells
	no_templates
}
