#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# From a clone of this repository on a bare Debian 12 or 13 to a running VE named "demo":
# installs the packages that are missing, builds, installs to /usr/local, makes the image, creates and starts the VE.
# --offline: with the busybox image, made from this machine's busybox-static; nothing is downloaded for the image.
set -eu

build_packages='build-essential meson ninja-build pkg-config musl-tools
	libseccomp-dev libcap-dev libmount-dev libyajl-dev libmnl-dev libnftables-dev libarchive-dev nettle-dev'
debian_packages='mmdebstrap debian-archive-keyring'
offline_packages='busybox-static'

ve=demo
image=debian/13
offline=

say() { printf '%s\n' "$*"; }
step() { printf '\n==> %s\n' "$*"; }
die() {
	printf 'quickstart: %s\n' "$*" >&2
	exit 1
}

usage() {
	say 'usage: sh cmd/quickstart.sh [--offline]'
	say '  builds and installs vectl on this Debian machine, then creates and starts a VE named demo'
	say '  --offline  with a busybox VE instead of Debian 13: in seconds, without downloading an image'
}

while [ $# -gt 0 ]; do
	case $1 in
	--offline) offline=1 image=busybox ;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
	shift
done

[ "$(id -u)" = 0 ] || die 'this installs packages and starts a VE: it needs root: run it as sudo sh cmd/quickstart.sh'
command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
	die 'apt-get is not here: this script is for Debian 12 and later: elsewhere see README.md'
grep -q ' cgroup2 ' /proc/self/mounts 2>/dev/null ||
	die 'no cgroup2 file system is mounted: mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup'

source_dir=$(cd -- "$(dirname -- "$0")/.." && pwd)
[ -f "$source_dir/meson.build" ] || die "$source_dir holds no meson.build: run this from a clone of the repository"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/vectl-quickstart.XXXXXX")
quit() {
	status=$?
	trap - EXIT
	rm -rf -- "$work"
	exit "$status"
}
trap quit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs a command; on a terminal its output is shown as it comes if asked for, else it is shown when the command fails.
run() { # run shown|quiet COMMAND...
	how=$1
	shift
	if [ "$how" = shown ] && [ -t 1 ]; then
		"$@" || die "$1 failed: see above"
	else
		"$@" >"$work/log" 2>&1 || {
			tail -n 40 "$work/log" >&2
			die "$* failed: its last lines are above"
		}
	fi
}

missing_of() {
	for package in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		'install ok installed') ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

packages="$build_packages $debian_packages"
[ -z "$offline" ] || packages="$build_packages $offline_packages"
# shellcheck disable=SC2086 # lists of words
missing=$(missing_of $packages)
if [ -n "$missing" ]; then
	step "Installing packages: $missing"
	export DEBIAN_FRONTEND=noninteractive
	run quiet apt-get update
	progress=
	[ ! -t 1 ] || progress='-o Dpkg::Use-Pty=0 -o APT::Status-Fd=3'
	if [ -n "$progress" ]; then
		# apt tells its progress as dlstatus:…:PERCENT:TEXT and pmstatus:…:PERCENT:TEXT, a line each.
		# shellcheck disable=SC2086 # lists of words
		{ apt-get install -y --no-install-recommends $progress $missing 3>&1 >"$work/log" 2>&1 </dev/null ||
			echo failed >"$work/failed"; } |
			while IFS=: read -r kind _ percent _; do
				case $kind in
				dlstatus) printf '\r  downloading %3s %%' "${percent%%.*}" ;;
				pmstatus) printf '\r  installing  %3s %%' "${percent%%.*}" ;;
				esac
			done
		printf '\r                      \r'
		[ ! -e "$work/failed" ] || {
			tail -n 40 "$work/log" >&2
			die 'apt-get install failed: its last lines are above'
		}
	else
		# shellcheck disable=SC2086 # lists of words
		run quiet apt-get install -y --no-install-recommends $missing
	fi
fi

step 'Building and installing to /usr/local'
run quiet meson setup --prefix=/usr/local -Dtests=false "$work/build" "$source_dir"
run shown ninja -C "$work/build"
run quiet meson install --no-rebuild -C "$work/build"
run quiet ldconfig
PATH=/usr/local/sbin:/usr/local/bin:$PATH
export PATH
hash -r
say "  $(vectl --version)"

step "The VE $ve, of the image $image"
if vectl info "$ve" >/dev/null 2>&1; then
	say "  it is there already"
else
	vectl image build "$image"
	vectl create "$ve" --image "$image"
fi
if vectl list --names --state running | grep -qx -- "$ve"; then
	say "  it runs already"
else
	vectl start "$ve" --wait=ready
fi

step "vectl ps $ve"
vectl ps "$ve"
step "vectl info $ve"
vectl info "$ve"

step 'What to type next'
say "  vectl attach $ve       a shell inside; leave it with exit"
say "  vectl stop $ve         shut it down"
say "  vectl destroy $ve      remove it with its disk"
say "  vectl --help             the rest"
