#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh CORPUS FUZZ_SPEC: the corpus of the key table, and changes of it, through the readers. TAP.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

"$1" "$folder/corpus" || {
	echo 'not ok 1 - the corpus is written'
	echo '1..1'
	exit 1
}
count=$(find "$folder/corpus" -type f | wc -l)
if [ "$count" -ge 500 ]; then
	echo "ok 1 - the corpus has $count inputs"
else
	echo "not ok 1 - the corpus has $count inputs, fewer than 500"
fi
if out=$("$2" "$folder/corpus" 20000 2>"$folder/err"); then
	echo "ok 2 - $out"
else
	echo 'not ok 2 - the readers take or refuse all of it'
	sed 's/^/# /' "$folder/err"
fi
echo 1..2
