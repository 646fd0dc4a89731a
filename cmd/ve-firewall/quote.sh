#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# quote.sh RULESET SETS CLAIMS SOURCES: the ruleset with its shared parts in place, as lines of a C string.
set -eu
tab=$(printf '\t')
sed -e "/^$tab@SETS@\$/ { r $2" -e 'd }' -e "/^$tab@CLAIMS@\$/ { r $3" -e 'd }' -e "/^$tab@SOURCES@\$/ { r $4" -e 'd }' \
	"$1" | sed -e '/^[[:space:]]*#/d' -e '/^$/d' -e 's/[\\"]/\\&/g' -e 's/^/"/' -e 's/$/\\n"/'
