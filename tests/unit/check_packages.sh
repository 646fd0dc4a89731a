#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check_packages.sh SOURCE-ROOT: each script that installs what a build needs installs all of it. The Debian package says
# what that is, and its own clean build root keeps it honest. TAP.
set -u
cd "$1" || exit 1

wanted=$(sed -n '/^Build-Depends:/,/^[A-Z]/p' cmd/debian/control | sed 's/^Build-Depends://; /<!nocheck>/d' |
	tr ',' '\n' | sed 's/([^)]*)//; s/|.*//; s/[[:blank:]]//g' | grep -E -- '-dev$|^meson$|^musl-tools$')
n=1
count=$(printf '%s\n' "$wanted" | wc -l)
[ "$count" -ge 9 ] && echo "ok 1 - packages that a build needs: $count" || echo "not ok 1 - only $count packages were found"
for script in tests/run tests/bench/run cmd/quickstart.sh; do
	n=$((n + 1))
	missing=''
	for package in $wanted; do
		tr -s '[:space:]()' '\n' <"$script" | sed "s/^.*='//; s/'\$//; s/;\$//" | grep -qxF "$package" ||
			missing="$missing $package"
	done
	[ -z "$missing" ] && echo "ok $n - $script installs them" || echo "not ok $n - $script does not install:$missing"
done
echo "1..$n"
