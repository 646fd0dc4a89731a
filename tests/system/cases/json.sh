# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Each verb's document at least once; what they hold is checked against the schemas at the end of the run.

test_each_document() {
	ok vectl create j1 --image busybox --json
	ok vectl rename j1 j2 --json
	ok vectl rename j2 j1
	ok vectl start j1 --wait=ready --json
	ok vectl info j1 --json
	ok vectl ps j1 --json
	ok vectl list --json
	ok vectl list --names --json
	ok vectl plan j1 --json
	ok vectl set j1 labels.a=b --json
	ok vectl get j1 --json
	ok vectl get j1 labels.a --json
	ok vectl unset j1 labels.a --json
	ok vectl pause j1 --json
	ok vectl resume j1 --json
	ok vectl wait j1 --state running --json
	ok vectl logs j1 --json
	ok vectl events --json
	ok vectl stat --json
	ok vectl top --json -n 2 -d 0.2
	ok vectl restart j1 --json
	exits 3 vectl stop j1 nosuch --json
	exits 4 vectl stop j1 --json
	ok vectl destroy --force j1 --json
	ok vectl image list --json
	mkdir -p "$T_TMP.tree/sbin"
	cp "$(host_arch_busybox)" "$T_TMP.tree/sbin/init"
	ok vectl image import json/tree "$T_TMP.tree" --json
	ok vectl image remove json/tree --json
	ok vectl version --json
	exits 2 vectl list --nosuch --json
}
