#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check_docs.sh VECTL KEYS2MAN SOURCE-ROOT BUILT-VE.JSON.5 LIBVE.SO: the man pages name all that there is. TAP.
# Every verb and option of `vectl --help` in vectl(1), every key of the key table in ve.json(5), every function, option
# and error code of ve.h in libve(3), every exported symbol in ve.h; and the pages are free of what man warns about.
set -u

vectl=$1 keys2man=$2 top=$3 spec_page=$4 library=$5
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

# ---- vectl(1)

verbs=$("$vectl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
# shellcheck disable=SC2086 # a list of words
set -- $verbs
enough 'verbs of vectl --help' $# 15

# The part of the page about one verb: from its item to the next verb's. Options are written "Fl -name".
item() {
	awk -v verb="$1" '
		/^\.It Cm [a-z]/ { on = ($3 == verb) }
		/^\.S[hs] / { on = 0 }
		on { print }' "$command_page"
}

missing=''
options_missing=''
options_seen=0
for verb in $verbs; do
	text=$(item "$verb")
	if [ -z "$text" ]; then
		missing="$missing $verb"
		continue
	fi
	# What follows "Example:" may be a guest's.
	for option in $("$vectl" help "$verb" | sed '/^Example:/d' | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
		options_seen=$((options_seen + 1))
		printf '%s\n' "$text" | grep -qE "Fl -${option#--}( |\$)" || options_missing="$options_missing $verb:$option"
	done
done
# shellcheck disable=SC2086
result 'every verb is in vectl(1)' $missing
# shellcheck disable=SC2086
result 'every option of a verb is in vectl(1)' $options_missing
enough 'options of verbs' "$options_seen" 25

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

for page in "$command_page" "$library_page" "$spec_page"; do
	name=$(basename "$page")
	if command -v man >/dev/null && command -v groff >/dev/null; then
		warnings=$(LC_ALL=C man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
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
