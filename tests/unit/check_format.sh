#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every C file is as .clang-format has it, and every text file as .editorconfig has it. clang-format's taste changes from
# version to version; 14 is Debian 12's, and the one that decides.
set -u
cd "$(dirname "$0")/../.." || exit 1
echo "1..2"

files=$(find lib cmd include tests man -name '*.[ch]' | sort)
formatter=
for f in clang-format-14 clang-format; do
	if command -v $f >/dev/null && $f --version | grep -q 'version 14\.'; then
		formatter=$f
		break
	fi
done
if [ -z "$formatter" ]; then
	echo "ok 1 - clang-format # SKIP clang-format 14 is not installed"
else
	wrong=
	for f in $files; do
		$formatter --dry-run -Werror "$f" >/dev/null 2>&1 || wrong="$wrong $f"
	done
	[ -z "$wrong" ] && echo "ok 1 - clang-format" || echo "not ok 1 - clang-format:$wrong"
fi

wrong=$(grep -lE '[[:blank:]]+$' $files $(find cmd templates tests -name '*.sh') tests/run templates/debian templates/busybox 2>/dev/null)
[ -z "$wrong" ] && echo "ok 2 - no trailing blanks" || echo "not ok 2 - trailing blanks:" $wrong
