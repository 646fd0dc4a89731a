#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check_docs.sh VECTL KEYS2MAN SOURCE-ROOT VE.JSON.5 LIBVE.SO VECTL-TEMPLATE.7 VERB:PAGE...: the manual pages name all
# that there is. TAP. Every verb of `vectl --help` has its page (verb_pages in man/meson.build) and is in the list of
# vectl(1); its page describes it with every option; every key of the key table is in ve.json(5); every function, option
# and error code of ve.h in libve(3), every exported symbol in ve.h; and the pages are free of what man warns about.
set -u

vectl=$1 keys2man=$2 top=$3 spec_page=$4 library=$5 template_page=$6
shift 6
pages=$*
header=$top/include/ve/ve.h
command_page=$top/man/vectl.1 library_page=$top/man/libve.3

n=0
result() { # WHAT MISSING...: ok when nothing is missing
	what=$1
	shift
	n=$((n + 1))
	if [ $# = 0 ]; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		printf '# missing: %s\n' "$@"
	fi
}
enough() { # WHAT COUNT MINIMUM: a check that looked at next to nothing proves nothing
	n=$((n + 1))
	if [ "$2" -ge "$3" ]; then
		echo "ok $n - $1: $2"
	else
		echo "not ok $n - $1: $2, fewer than $3"
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# ---- vectl(1) and the pages of verbs

verbs=$("$vectl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
# shellcheck disable=SC2086 # a list of words
set -- $verbs
enough 'verbs of vectl --help' $# 15

page_of() { # VERB: the file of its page
	for pair in $pages; do
		[ "${pair%%:*}" != "$1" ] || echo "$top/man/${pair#*:}.1"
	done
}

# The part of a page about one verb: from its item to the next verb's. Options are written "Fl -name".
item() { # VERB PAGE
	awk -v verb="$1" '
		/^\.It Cm [a-z]/ { on = ($3 == verb) }
		/^\.S[hs] / { on = 0 }
		on { print }' "$2"
}

unpaged='' missing='' unlisted='' options_missing=''
options_seen=0
for verb in $verbs; do
	page=$(page_of "$verb")
	if [ -z "$page" ]; then
		unpaged="$unpaged $verb"
		continue
	fi
	text=$(item "$verb" "$page")
	[ -n "$text" ] || missing="$missing $verb($page)"
	grep -qE "^\.It Cm $verb( |\$)" "$command_page" || unlisted="$unlisted $verb"
	# What follows "Example:" may be a guest's.
	for option in $("$vectl" help "$verb" | sed '/^Example:/d' | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
		options_seen=$((options_seen + 1))
		printf '%s\n' "$text" | grep -qE "Fl -${option#--}( |\$)" || options_missing="$options_missing $verb:$option"
	done
done
# shellcheck disable=SC2086
result 'every verb has a page (verb_pages in man/meson.build)' $unpaged
# shellcheck disable=SC2086
result 'every verb is an item of its page' $missing
# shellcheck disable=SC2086
result 'every verb is in the list of vectl(1)' $unlisted
# shellcheck disable=SC2086
result 'every option of a verb is in its page' $options_missing
enough 'options of verbs' "$options_seen" 25

# What the verbs accept: the rows of "struct option X_options[]", or of options[] for each verb_X of the file.
accepted=$(for file in "$top"/cmd/vectl/*.c; do
	awk '
		/struct option [a-z_]*\[\] = / { table = $0; sub(/.*struct option /, "", table); sub(/\[.*/, "", table) }
		table { for (line = $0; match(line, /\{"[a-z-]+",/); line = substr(line, RSTART + RLENGTH))
			rows[++n] = table " " substr(line, RSTART + 2, RLENGTH - 4) }
		/;$/ { table = "" }
		/^int verb_[a-z]+\(/ { verb = $0; sub(/^int verb_/, "", verb); sub(/\(.*/, "", verb); verbs[verb] }
		END { for (i = 1; i <= n; i++) {
			split(rows[i], f, " ")
			if (sub(/_options$/, "", f[1])) print f[1] ":" f[2]
			else for (verb in verbs) print verb ":" f[2] } }' "$file"
done | grep -v '^main:')
missing=''
for pair in $accepted; do
	"$vectl" help "${pair%%:*}" | sed '/^Example:/d' | grep -qE -- "--${pair#*:}([^a-z-]|\$)" ||
		missing="$missing ${pair%%:*}:--${pair#*:}"
done
# shellcheck disable=SC2086
result 'every option that a verb accepts is in its help' $missing
# shellcheck disable=SC2086
set -- $accepted
enough 'options that verbs accept' $# 40

wide=$(for verb in '' $verbs; do
	# shellcheck disable=SC2086 # none at first
	"$vectl" help $verb | awk -v verb="$verb" 'length > 80 && !/^Example:/ { print "help_" verb ":" NR }'
done)
# shellcheck disable=SC2086
result 'help fits 80 columns' $wide

missing=''
for pair in $pages; do
	text=$("$vectl" help "${pair%%:*}" 2>&1) || missing="$missing ${pair%%:*}"
done
# shellcheck disable=SC2086
result 'every verb that has a page is a verb' $missing

missing=''
for option in $("$vectl" --help | sed -n '/^Options/,/^$/p' | grep -oE -- '--[a-z]+' | sort -u); do
	grep -qE "^\.It .*Fl -${option#--}( |\$)" "$command_page" || missing="$missing $option"
done
# shellcheck disable=SC2086
result 'every global option is in vectl(1)' $missing

# ---- ve.json(5)

keys=$("$keys2man" --list | sed 's/\t.*//')
count=0
missing=''
for key in $(printf '%s\n' "$keys" | sed 's/\*/K/g'); do
	count=$((count + 1))
	grep -qxF ".It Va $key" "$spec_page" || missing="$missing $key"
done
# shellcheck disable=SC2086
result 'every key is in ve.json(5)' $missing
enough 'keys of the table' "$count" 50

# ---- libve(3)

# Functions as ve.h declares them: a name before "(" on a line that is not a comment's.
functions=$(sed 's,/\*.*\*/,,' "$header" | grep -E '^[a-z].*\);?|^[a-z].*\($' |
	grep -oE '\bve_[a-z_]+\(' | tr -d '(' | sort -u)
# shellcheck disable=SC2086
set -- $functions
enough 'functions of ve.h' $# 50
synopsis=''
described=''
for function in $functions; do
	grep -qE "^\.F[no] $function( |\$)" "$library_page" || synopsis="$synopsis $function"
	grep -qE "^\.It .*Fn $function( |\$)" "$library_page" || described="$described $function"
done
# shellcheck disable=SC2086
result 'every function is in the synopsis of libve(3)' $synopsis
# shellcheck disable=SC2086
result 'every function is described in libve(3)' $described

missing=''
codes=$(grep -oE '\bVE_E_[A-Z_]+' "$header" | sort -u)
for code in $codes; do
	grep -qE "^\.It Dv $code\$" "$library_page" || missing="$missing $code"
done
# shellcheck disable=SC2086
result 'every error code is in libve(3)' $missing

if command -v nm >/dev/null; then
	missing=''
	symbols=$(nm -D --defined-only "$library" | sed -n 's/.* [TDBRW] \(ve_[a-z_]*\).*/\1/p')
	for symbol in $symbols; do
		printf '%s\n' "$functions" | grep -qxF "$symbol" || missing="$missing $symbol(exported)"
	done
	for function in $functions; do
		printf '%s\n' "$symbols" | grep -qxF "$function" || missing="$missing $function(declared)"
	done
	# shellcheck disable=SC2086
	result 'the library exports what ve.h declares, and nothing else' $missing
else
	skip 'the library exports what ve.h declares, and nothing else' 'nm is not installed'
fi

# ---- form

for page in "$top"/man/*.[1-8] "$spec_page" "$template_page"; do
	name=$(basename "$page")
	if command -v man >/dev/null && command -v groff >/dev/null; then
		# Not justified: that a prototype is too long for even gaps is no fault of the page.
		warnings=$(LC_ALL=C man --no-justification --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
		n=$((n + 1))
		if [ -z "$warnings" ]; then
			echo "ok $n - man has no warning about $name"
		else
			echo "not ok $n - man has no warning about $name"
			printf '%s\n' "$warnings" | sed 's/^/# /'
		fi
	else
		skip "man has no warning about $name" 'man or groff is not installed'
	fi
done
echo "1..$n"
