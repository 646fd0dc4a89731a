# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The image store and the templates.

small_root() { # FOLDER: a root file system with busybox as everything
	mkdir -p "$1"/{bin,sbin,etc,dev,proc,sys,run,tmp,root,usr/bin}
	cp "$(command -v busybox)" "$1/bin/busybox"
	local name
	for name in sh ls cat echo sleep mount reboot poweroff stat id; do ln -s busybox "$1/bin/$name"; done
	ln -s ../bin/busybox "$1/sbin/init"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$1/etc/passwd"
	printf '::sysinit:/bin/echo booted\n' >"$1/etc/inittab"
}

test_list() {
	ok vectl image list
	like "$OUT" busybox
	ok vectl image list --json
	eq "$(json "'busybox' in [i['name'] for i in d['images']]" <<<"$OUT")" true
}

test_import_folder_and_tarball() {
	small_root "$T_TMP/r"
	ok vectl image import small "$T_TMP/r"
	ok vectl create s1 --image small --start
	guest s1 ls /
	tar -C "$T_TMP/r" -czf "$T_TMP.tar.gz" .
	ok vectl image import smalltar "$T_TMP.tar.gz"
	ok vectl create s2 --image smalltar --start
	guest s2 stat -c '%u %a' /bin/busybox
	eq "$OUT" '0 755'
	fails 1 vectl image remove small
	like "$ERR" s1
	ok vectl destroy --force s1 s2
	ok vectl image remove small
	ok vectl image remove smalltar
	fails 1 vectl image remove small
	ok vectl image list
	unlike "$OUT" small
}

test_create_from_path() {
	small_root "$T_TMP/r"
	tar -C "$T_TMP/r" -cf "$T_TMP.tar" .
	ok vectl create s3 --image "$T_TMP.tar" --start
	rm "$T_TMP.tar"
	guest s3 ls /
	ok vectl restart s3
	ok vectl create s4 --image "$T_TMP/r" --start
	rm -r "$T_TMP/r"
	guest s4 ls /
	ok vectl destroy --force s3 s4
}

# An archive that tries to leave the folder it is unpacked in, and one with device nodes.
test_hostile_archives() {
	small_root "$T_TMP/r"
	local host=$T_TMP.outside
	python3 - "$T_TMP/r" "$T_TMP" "$host" <<'PYTHON'
import io, sys, tarfile
root, out, host = sys.argv[1:]
def archive(name, *extra):
    with tarfile.open(f"{out}-{name}.tar", "w", format=tarfile.PAX_FORMAT) as t:
        t.add(root, ".")
        for member, data in extra:
            t.addfile(member, io.BytesIO(data) if data else None)
def entry(name, kind=tarfile.REGTYPE, link="", data=b"", mode=0o644, dev=(0, 0)):
    m = tarfile.TarInfo(name)
    m.type, m.linkname, m.size, m.mode = kind, link, len(data), mode
    m.devmajor, m.devminor = dev
    return m, data
archive("dotdot", entry("../../../../../../../.." + host, data=b"x"))
archive("absolute", entry(host, data=b"x"))
archive("link", entry("etc/out", tarfile.SYMTYPE, "/" + "/".join(host.split("/")[1:-1])),
        entry("etc/out/" + host.split("/")[-1], data=b"x"))
archive("hardlink", entry("etc/shadow2", tarfile.LNKTYPE, "/etc/shadow"))
archive("device", entry("dev/sda", tarfile.BLKTYPE, dev=(8, 0)), entry("etc/null", tarfile.CHRTYPE, dev=(1, 3)))
PYTHON
	local kind
	for kind in dotdot absolute link hardlink; do
		try vectl image import "hostile/$kind" "$T_TMP-$kind.tar"
		[ ! -e "$host" ] || die "the archive $kind wrote outside"
		if [ "$STATUS" = 0 ]; then
			ok vectl create "h-$kind" --image "hostile/$kind" --start
			inside "h-$kind" 'cat /etc/shadow2'
			unlike "$OUT" '^root:[^x]' "the host's file"
			ok vectl destroy --force "h-$kind"
			ok vectl image remove "hostile/$kind"
		else
			eq "$(wc -l <"$T_TMP.err")" 1 'lines on stderr'
		fi
	done
	ok vectl image import hostile/device "$T_TMP-device.tar"
	ok vectl create h-device --image hostile/device --start
	inside h-device 'ls -l /etc/null /dev/sda 2>/dev/null'
	unlike "$OUT" '^[bc]' 'a device node that an image brought'
	ok vectl destroy --force h-device
	ok vectl image remove hostile/device
}

test_set_user_id_survives_import() {
	small_root "$T_TMP/r"
	cp "$(command -v busybox)" "$T_TMP/r/bin/suid"
	chmod 4755 "$T_TMP/r/bin/suid"
	ok vectl image import suid "$T_TMP/r"
	ok vectl create suid --image suid --start
	guest suid stat -c %a /bin/suid
	eq "$OUT" 4755
	ok vectl destroy --force suid
	ok vectl image remove suid
}

# Creating is independent of the image's size, and a VE's own files belong to its own root.
test_create_copies_nothing() {
	[ -e "$T_CACHE/debian-13.tar" ] || skip 'no acceptance image: tests/system/images .cache'
	ok vectl create c13 --image plain/13
	local kilobytes
	kilobytes=$(du -sk "$VECTL_ROOT/var/lib/vectl/ve/c13" | cut -f1)
	[ "$kilobytes" -lt 2048 ] || die "create wrote $kilobytes KB"
	ok vectl destroy --force c13
}

# limit test_template_debian 400
test_template_debian() {
	# What it runs is not ours, and takes minutes; the plain build's run has it.
	[ -z "${T_SANITIZED:-}" ] || skip 'mmdebstrap and the guest are the same under the sanitizers'
	[ -n "${T_NET_FD:-}" ] || skip 'no way to the package archive from here'
	ok nsenter --net="/proc/self/fd/$T_NET_FD" -- vectl image build debian/13
	ok vectl create web1 --image debian/13
	ok vectl start web1 --wait=ready --timeout 60
	try vectl exec web1 -- systemctl is-system-running --wait
	eq "$OUT" running
	ok vectl destroy --force web1
	ok vectl image remove debian/13
}

test_stub_init_sees_three_fds() {
	small_root "$T_TMP/r"
	rm "$T_TMP/r/sbin/init"
	cp "$T_BUILD/tmp/probe" "$T_TMP/r/bin/probe"
	printf '#!/bin/sh\n/bin/probe fds > /root/fds\nexec /bin/sleep 1000\n' >"$T_TMP/r/sbin/init"
	chmod 755 "$T_TMP/r/sbin/init"
	ok vectl image import stub "$T_TMP/r"
	ok vectl create stub --image stub
	ok vectl start stub
	until_ 10 vectl exec stub -- cat /root/fds
	guest stub cat /root/fds
	# 10 is what the shell itself keeps of its script.
	eq "$(cut -d' ' -f1 <<<"$OUT" | grep -vx 10 | paste -sd' ')" '0 1 2' 'fds of init'
	unlike "$OUT" '(memfd|socket|lock|vectl)'
	ok vectl destroy --force stub
	ok vectl image remove stub
}
