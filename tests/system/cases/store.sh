# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The store: images named by their content, verified, shared, removed; and operations that are killed or run out of room.

S_IMAGES=$VECTL_ROOT/var/lib/vectl/images

# A root file system with something of everything that a manifest tells.
tree() { # FOLDER
	mkdir -p "$1"/{bin,sbin,etc,dev,proc,sys,run,tmp,root,data}
	cp "$(command -v busybox)" "$1/bin/busybox"
	local name
	for name in sh cat echo sleep reboot poweroff; do ln -s busybox "$1/bin/$name"; done
	ln -s ../bin/busybox "$1/sbin/init"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo '::sysinit:/bin/echo booted' >"$1/etc/inittab"
	for name in content gone mode owner attribute 'a name with spaces' first; do echo "this is $name" >"$1/data/$name"; done
	echo "${FUNCNAME[1]}" >"$1/data/test" # an id of this test's own
	ln -s content "$1/data/target"
	ln "$1/data/first" "$1/data/second"
	mkfifo "$1/data/fifo"
	find "$1" -depth -exec touch -h -d '2024-02-03 04:05:06' {} +
}

attribute() { # set|remove FILE NAME [VALUE]
	python3 -c 'import os, sys; getattr(os, sys.argv[1] + "xattr")(*sys.argv[2:4], *(v.encode() for v in sys.argv[4:]))' "$@"
}

image() { # NAME EXPRESSION: of its row in image list
	vectl image list --json | json "(lambda d: $2)([i for i in d['images'] if i['name'] == '$1'][0])"
}

id_of() { vectl image info "$1" --json | json "d['image']['id']"; }

rootfs_of() { vectl image info "$1" --json | json "d['image']['path']"; }

stored() { ls "$S_IMAGES/store"; }

# All that the store consists of is what the list shows: nothing is at work, locked, replaced or unnamed.
clean_store() {
	ok vectl image remove --unused
	# What a killed vectl had started may be dying still, with a file in its hand.
	# shellcheck disable=SC2016
	until_ 10 sh -c 'vectl image remove --unused && [ -z "$(ls -A "$1")" ]' _ "$S_IMAGES/tmp"
	eq "$(cd "$S_IMAGES" && ls -d lock-* replaced 2>/dev/null)" '' 'locks and replaced images'
	eq "$(find "$S_IMAGES/store" "$S_IMAGES/ref" -name '.new-*')" '' 'files half written'
	eq "$(stored)" "$(vectl image list --json | json "'\n'.join(sorted({i['id'] for i in d['images']}))")" 'the store'
	local id
	for id in $(stored); do
		eq "$(cd "$S_IMAGES/store/$id" && find . -mindepth 1 -maxdepth 1 ! -name broken | sort | tr '\n' ' ')" \
			'./image.json ./manifest ./rootfs ' "$id"
	done
}

# ---- what is in them names them

test_same_content_is_stored_once() {
	tree "$T_TMP/r"
	local before id
	before=$(stored)
	ok vectl image import same/folder "$T_TMP/r"
	id=$(id_of same/folder)
	like "$id" '^[0-9a-f]{64}$'
	eq "$(sha256sum "$S_IMAGES/store/$id/manifest" | cut -d' ' -f1)" "$id" 'the digest of the manifest'
	tar -C "$T_TMP/r" -cf "$T_TMP.tar" .
	ok vectl image import same/tar "$T_TMP.tar"
	tar -C "$T_TMP/r" --sort=name -czf "$T_TMP.tar.gz" .
	ok vectl image import same/compressed "$T_TMP.tar.gz"
	eq "$(id_of same/tar)" "$id" 'the same tree from a tarball'
	eq "$(id_of same/compressed)" "$id" 'and in another order'
	eq "$(comm -13 <(echo "$before") <(stored))" "$id" 'what came into the store'
	eq "$(vectl image info "${id:0:12}" --json | json "d['image']['names']")" '["same/compressed", "same/folder", "same/tar"]'
	eq "$(vectl image info same/tar --json | json "d['image']['source']['path']")" "$T_TMP.tar"
	eq "$(vectl image info same/folder --json | json "d['image']['source']['folder']")" true
	# A second more or less is another content.
	touch -d '2024-02-03 04:05:07' "$T_TMP/r/data/content"
	ok vectl image import same/later "$T_TMP/r"
	ne "$(id_of same/later)" "$id" 'the id of another tree'
	# One name is as good as another.
	ok vectl create same --image same/folder
	ok vectl image remove same/tar
	fails 1 vectl image remove same/folder
	like "$ERR" 'used by same: '
	ok vectl image verify same/folder
	ok vectl start same
	guest same cat /data/content
	eq "$OUT" 'this is content'
	ok vectl destroy --force same
	ok vectl image remove same/folder same/later
	eq "$(id_of same/compressed)" "$id" 'what one name is left of'
	ok vectl image remove same/compressed
	eq "$(stored)" "$before" 'the store'
	clean_store
}

test_info() {
	tree "$T_TMP/r"
	printf 'ID=tiny\nVERSION_ID="7"\n' >"$T_TMP/r/etc/os-release"
	ok vectl image import info/one "$T_TMP/r"
	ok vectl create info --image info/one
	ok vectl image info info/one
	like "$OUT" "^  Id +$(id_of info/one)\$"
	like "$OUT" '^  Names +info/one$'
	like "$OUT" '^  System +tiny 7$'
	like "$OUT" '^  Init +/sbin/init$'
	like "$OUT" '^  Used by +info$'
	like "$OUT" "^  Source +$T_TMP/r\$"
	ok vectl image info info/one --json
	eq "$(json "d['image']['ves'], d['image']['ve_count'], d['image']['manifest'], d['image']['broken']" <<<"$OUT")" \
		'[["info"], 1, true, false]'
	eq "$(json "d['image']['entries']" <<<"$OUT")" "$(find "$T_TMP/r" | wc -l)" 'entries'
	fails 1 vectl image info info/two
	like "$ERR" 'info/two: no such image'
	fails 1 vectl image info 00000000
	fails 2 vectl image info ../../etc
	ok vectl destroy info
	ok vectl image remove info/one
}

# ---- whether they are what they were

# One change is found, named and shown; its repair makes the image good again.
changed() { # EXPECTED-LINE WHAT PATH COMMAND...
	local line=$1 what=$2 path=$3
	shift 3
	(cd "$r" && "$@")
	exits 1 vectl image verify check
	like "$OUT" "^  \./$path  $line\$"
	eq "$(wc -l <<<"$OUT")" 2 'lines: the image, and the one difference'
	like "$ERR" '^vectl: verifying check: broken, 1 difference: build it again, or import it'
	exits 1 vectl image verify check --json
	eq "$(json "[d['result'], d['difference_count'], d['differences'][0]['what'], d['differences'][0]['path']]" <<<"$OUT")" \
		"[\"broken\", 1, \"$what\", \"./$path\"]"
	eq "$(image check "d['broken']")" true broken
}

good() {
	ok vectl image verify check
	like "$ERR" '^check: good, [0-9]+ entries, '
	eq "$(image check "d['broken']")" false 'broken'
}

test_verify() {
	local r old='2024-02-03 04:05:06'
	tree "$T_TMP/r"
	attribute set "$T_TMP/r/data/attribute" user.colour red
	tar --xattrs -C "$T_TMP/r" -cf "$T_TMP.tar" .
	ok vectl image import check "$T_TMP.tar"
	r=$(rootfs_of check)
	good
	ok vectl image verify check --json
	eq "$(json "[d['result'], d['differences'], d['image']]" <<<"$OUT")" '["good", [], "check"]'

	changed 'content changed' content data/content sh -c "printf X | dd of=data/content conv=notrunc status=none; touch -d '$old' data/content"
	printf t | dd of="$r/data/content" conv=notrunc status=none
	touch -d "$old" "$r/data/content"
	good
	changed 'size 16, now 17' size data/content sh -c "echo >>data/content; touch -d '$old' data/content"
	truncate -s 16 "$r/data/content"
	touch -d "$old" "$r/data/content"
	good
	changed 'time [0-9]+, now [0-9]+' time data/content touch -d '2024-02-03 04:05:09' data/content
	touch -d "$old" "$r/data/content"
	good
	changed missing missing data/gone mv data/gone "$T_TMP/kept"
	mv "$T_TMP/kept" "$r/data/gone"
	good
	changed added added 'data/new' touch data/new
	rm "$r/data/new"
	good
	mv "$r/data/a name with spaces" "$r/data/gone elsewhere"
	exits 1 vectl image verify check
	like "$OUT" '^  \./data/a\\040name\\040with\\040spaces  missing$'
	like "$OUT" '^  \./data/gone\\040elsewhere  added$'
	like "$ERR" 'broken, 2 differences'
	mv "$r/data/gone elsewhere" "$r/data/a name with spaces"
	good
	changed 'mode 0644, now 4755' mode data/mode chmod 4755 data/mode
	chmod 644 "$r/data/mode"
	good
	changed 'owner 0, now 1000' owner data/owner chown 1000 data/owner
	chown 0 "$r/data/owner"
	good
	changed 'group 0, now 50' group data chgrp 50 data
	chgrp 0 "$r/data"
	good
	changed 'attribute 726564, now 626c7565' attribute data/attribute attribute set data/attribute user.colour blue
	attribute set "$r/data/attribute" user.colour red
	good
	changed 'attribute none, now 31' attribute data/content attribute set data/content user.more 1
	attribute remove "$r/data/content" user.more
	good
	changed 'target content, now /etc/passwd' target data/target sh -c "ln -sfn /etc/passwd data/target; touch -h -d '$old' data/target"
	ln -sfn content "$r/data/target"
	touch -h -d "$old" "$r/data/target"
	good
	changed 'type fifo, now dir' type data/fifo sh -c 'rm data/fifo; mkdir data/fifo'
	rmdir "$r/data/fifo"
	mkfifo "$r/data/fifo"
	touch -d "$old" "$r/data/fifo"
	good
	changed 'hard link ./data/first, now none' 'hard link' data/second \
		sh -c "rm data/second; cp -p data/first data/second"
	ln -f "$r/data/first" "$r/data/second"
	good
	ok vectl image remove check
	clean_store
}

test_verify_several() {
	local status
	tree "$T_TMP/r"
	ok vectl image import several/a "$T_TMP/r"
	ok vectl image import several/b "$T_TMP/r"
	echo other >"$T_TMP/r/data/other"
	ok vectl image import several/c "$T_TMP/r"
	ok vectl image verify --all
	# Each image once, under the first of its names.
	eq "$(grep -c '^several/' <<<"$ERR")" 2 'images verified'
	rm "$(rootfs_of several/c)/data/other"
	exits 1 vectl image verify --all
	like "$OUT" '^several/c:$'
	like "$OUT" '^  \./data/other  missing$'
	like "$ERR" '^several/a: good'
	exits 1 vectl image verify several/a several/c --json
	eq "$(json "[r['result'] for r in d['results']]" <<<"$OUT")" '["good", "broken"]'
	ok vectl image list
	like "$OUT" '^several/c .* broken$'
	exits 1 vectl image verify several/a several/missing
	like "$ERR" 'several/missing: no such image'
	fails 2 vectl image verify
	fails 2 vectl image verify --all several/a
	ok vectl image remove several/a several/b several/c
	clean_store
}

# Who changes the manifest too has the id against him; one that is none at all is said, and one that is missing.
test_damaged_manifest() {
	local id manifest
	tree "$T_TMP/r"
	ok vectl image import forged "$T_TMP/r"
	id=$(id_of forged)
	manifest=$S_IMAGES/store/$id/manifest
	cp "$manifest" "$T_TMP/manifest"
	chmod 600 "$(rootfs_of forged)/data/mode"
	sed -i 's,^\(./data/mode type=file mode=\)0644,\10600,' "$manifest"
	cmp -s "$manifest" "$T_TMP/manifest" && die 'the manifest was not changed'
	exits 1 vectl image verify forged
	like "$OUT" '^  the manifest  manifest changed$'
	eq "$(wc -l <<<"$OUT")" 2 'lines of a forged manifest'
	chmod 644 "$(rootfs_of forged)/data/mode"
	local damage round=0
	# shellcheck disable=SC2016
	for damage in ': >"$1"' 'head -c 4096 /dev/urandom >"$1"' 'truncate -s -1 "$1"' 'rm "$1"'; do
		round=$((round + 1))
		sh -c "$damage" sh "$manifest"
		fails 1 vectl image verify forged
		like "$ERR" '^vectl: verifying forged: .*(manifest: it is damaged|its manifest is missing): build it again, or import it'
		eq "$(image forged "[d['id'], d['broken']]")" "[\"$id\", true]"
		ok vectl image import "forged-$round" "$T_TMP/r"
		ok vectl image verify forged
		cmp "$manifest" "$T_TMP/manifest"
		ok vectl image remove "forged-$round"
	done
	ok vectl image remove forged
	clean_store
}

# What is known to be damaged makes no VE: by its mark, or at a glance. The refusal says how it is mended.
refused() { # IMAGE WHAT REMEDY
	fails 1 vectl create refused --image "$1"
	like "$ERR" "^vectl: refused: taking the image: $1 is damaged: .*$2.*: .*again.*: $3\$"
	[ ! -e "$VECTL_ROOT/var/lib/vectl/ve/refused" ] || die 'something of the VE is left'
}

test_create_refuses_a_damaged_image() {
	local folder again
	tree "$T_TMP/r"
	tar -C "$T_TMP/r" -cf "$T_TMP.tar" .
	ok vectl image import damaged/a "$T_TMP.tar"
	folder=$S_IMAGES/store/$(id_of damaged/a)
	again="vectl image import NEW $T_TMP.tar"
	ok vectl create before --image damaged/a
	mv "$folder/rootfs/data/gone" "$T_TMP/gone"
	# Nothing of the tree is read by create: as long as nobody has looked, it is taken.
	ok vectl create unseen --image damaged/a
	ok vectl destroy unseen
	exits 1 vectl image verify damaged/a
	refused damaged/a 'image verify. found it broken' "$again"
	ok vectl start before
	mv "$T_TMP/gone" "$folder/rootfs/data/gone"
	refused damaged/a 'image verify. found it broken' "$again"
	ok vectl image verify damaged/a
	ok vectl create after --image damaged/a
	cleanup_ve before after

	mv "$folder/manifest" "$T_TMP/manifest"
	refused damaged/a 'its manifest is missing' "$again"
	eq "$(image damaged/a "d['broken']")" true 'broken, with nobody having looked'
	: >"$folder/manifest"
	refused damaged/a 'its manifest is missing' "$again"
	mv "$T_TMP/manifest" "$folder/manifest"
	mv "$folder/rootfs" "$T_TMP/rootfs"
	refused damaged/a 'its tree is missing' "$again"
	# The remedy is one, and a path that has not changed is imported anew, too.
	ok vectl image import damaged/b "$T_TMP.tar"
	ok vectl image verify damaged/a
	ok vectl create after --image damaged/a
	ok vectl create path --image "$T_TMP.tar"
	mv "$folder/manifest" "$T_TMP/manifest"
	ok vectl create again --image "$T_TMP.tar"
	ok vectl image verify damaged/a
	cleanup_ve after path again
	ok vectl image remove damaged/a damaged/b local/t
	clean_store

	# One of a template: that is how it is mended. At once, since the other tests' VEs are made from it.
	ok vectl image build busybox
	: >"$S_IMAGES/store/$(id_of busybox)/broken"
	try vectl create refused --image busybox
	local said="$STATUS $ERR"
	ok vectl image build busybox
	like "$said" '^1 vectl: refused: .*busybox is damaged: .*found it broken: build it again: vectl image build busybox$'
	ok vectl create after --image busybox
	cleanup_ve after
	clean_store
}

# The same content again takes the place of a broken image. A VE that runs keeps what it was started with.
test_mended_by_another_import() {
	local id kept
	tree "$T_TMP/r"
	ok vectl image import mend/a "$T_TMP/r"
	id=$(id_of mend/a)
	ok vectl create m1 --image mend/a
	ok vectl start m1
	ok vectl create m2 --image mend/a
	rm "$(rootfs_of mend/a)/data/gone"
	# Not known to be broken: the stored one is kept.
	ok vectl image import mend/b "$T_TMP/r"
	exits 1 vectl image verify mend/b
	like "$OUT" '^  \./data/gone  missing$'
	ok vectl image import mend/c "$T_TMP/r"
	ok vectl image verify mend/a
	eq "$(id_of mend/a)" "$id"
	eq "$(image mend/a "d['broken']")" false
	eq "$(vectl image info mend/a --json | json "[o['name'] for o in d['image']['origins']]")" \
		'["mend/a", "mend/b", "mend/c"]' 'where it came from'
	# What it has not read yet is there for it, until it is stopped.
	guest m1 cat '/data/a name with spaces'
	ok vectl image import mend/d "$T_TMP/r"
	guest m1 cat /data/owner
	eq "$OUT" 'this is owner'
	# Nor is what it runs on taken for a leftover.
	kept=$(ls "$S_IMAGES/replaced")
	like "$kept" "^$id[.]"
	vectl doctor --repair >/dev/null || true
	ok vectl image remove --unused
	eq "$(ls "$S_IMAGES/replaced")" "$kept" 'what a VE runs on'
	eq "$(ls -A "$S_IMAGES/tmp")" '' 'work in progress'
	guest m1 cat /data/mode
	eq "$OUT" 'this is mode'
	try vectl exec m1 -- reboot
	until_ 60 sh -c "[ \$(vectl logs m1 | grep -c booted) -ge 2 ]"
	until_ 20 vectl exec m1 -- cat /data/content
	ok vectl start m2
	guest m2 cat /data/gone
	ok vectl stop --timeout 5 m1
	ok vectl stop --timeout 5 m2
	ok vectl image remove --unused
	eq "$(ls -d "$S_IMAGES/replaced" 2>/dev/null || true)" '' 'with the last VE that ran on it'
	ok vectl start m1
	ok vectl restart m1
	guest m1 cat /data/gone
	ok vectl destroy --force m1 m2
	ok vectl image remove mend/a mend/b mend/c mend/d
	clean_store
}

# A broken image that cannot be mended, since the name given is not possible, is at least not lost.
test_broken_image_survives_a_refused_name() {
	tree "$T_TMP/r"
	ok vectl image import kept/a "$T_TMP/r"
	rm "$(rootfs_of kept/a)/data/gone"
	exits 1 vectl image verify kept/a
	fails 1 vectl image import kept "$T_TMP/r"
	like "$ERR" "whose names begin with it"
	[ -e "$(rootfs_of kept/a)/data/content" ] || die 'the image went with the name that was refused'
	fails 1 vectl create k --image kept/a
	like "$ERR" 'kept/a is damaged'
	ok vectl image remove kept/a
	clean_store
}

# ---- what goes and what stays

test_remove_unused() {
	local old
	tree "$T_TMP/r"
	ok vectl image import unused/a "$T_TMP/r"
	old=$(id_of unused/a)
	ok vectl create u1 --image unused/a
	mkdir -p "$VECTL_ROOT/etc/vectl/templates"
	# The name is given to something else, as by a rebuild.
	cat >"$VECTL_ROOT/etc/vectl/templates/unused" <<-TEMPLATE
		#!/bin/sh
		cp -a "$T_TMP/r" "\$VECTL_WORK/root" && date +%N >"\$VECTL_WORK/root/data/built" && ln -s "\$VECTL_WORK/root" "\$VECTL_OUTPUT"
	TEMPLATE
	chmod 0755 "$VECTL_ROOT/etc/vectl/templates/unused"
	ok vectl image build unused/a
	ne "$(id_of unused/a)" "$old"
	ok vectl image list
	like "$OUT" "^\(unused/a\) .* old\$"
	ok vectl image remove --unused
	[ -d "$S_IMAGES/store/$old" ] || die 'the image of a stopped VE is gone'
	ok vectl start u1
	guest u1 cat /data/content
	fails 1 vectl image remove "${old:0:12}"
	ok vectl destroy --force u1
	ok vectl image list
	like "$OUT" "^\(unused/a\) .* unused\$"
	ok vectl image remove --unused --json
	eq "$(json "[(r['id'], r['was']) for r in d['removed']]" <<<"$OUT")" "[[\"$old\", \"unused/a\"]]"
	[ "$(json "d['size'] == d['removed'][0]['size'] > 500000" <<<"$OUT")" = true ] || die 'its size'
	[ ! -e "$S_IMAGES/store/$old" ] || die 'an image that nobody uses is there still'
	[ ! -e "$S_IMAGES/cache/unused" ] || die 'the cache of the template is there still'
	ok vectl image remove --unused
	eq "$ERR" 'nothing to remove: each image has a name, or a VE that uses it'
	# Said to a human, too.
	old=$(id_of unused/a)
	ok vectl create u2 --image unused/a
	ok vectl image build unused/a
	ok vectl destroy u2
	ok vectl image remove --unused
	like "$ERR" "^${old:0:12}: removed, it was unused/a\$"
	like "$ERR" '^1 removed, [0-9.]+[KM]$'
	ok vectl image remove unused/a
	rm -r "$VECTL_ROOT/etc/vectl/templates"
	clean_store
}

# What cannot be looked at is not taken for absent: with few file descriptors nothing goes that is used or named.
test_nothing_is_lost_without_file_descriptors() {
	[ -z "${T_SANITIZED:-}" ] || skip 'the leak checker wants file descriptors of its own'
	local before after limit
	tree "$T_TMP/r"
	ok vectl image import few "$T_TMP/r"
	ok vectl create few --image few
	before=$(vectl image list --json | json "[(i['name'], i['id'], i['ve_count']) for i in d['images']]")
	for limit in 4 5 6 7 8 9 10 11 12 13 14; do
		try prlimit --nofile="$limit" vectl image remove --unused
		after=$(vectl image list --json | json "[(i['name'], i['id'], i['ve_count']) for i in d['images']]")
		eq "$after" "$before" "images after --unused with $limit file descriptors"
	done
	ok vectl destroy few
	ok vectl image remove few
	clean_store
}

# As version 0.1.0 stored it: an id of 32 random digits, no manifest, one origin in the description itself.
test_store_of_an_earlier_version() {
	local new id=0123456789abcdef0123456789abcdef
	tree "$T_TMP/r"
	ok vectl image import earlier "$T_TMP/r"
	new=$(id_of earlier)
	mv "$S_IMAGES/store/$new" "$S_IMAGES/store/$id"
	rm "$S_IMAGES/store/$id/manifest"
	python3 - "$S_IMAGES/store/$id/image.json" "$id" <<-'PYTHON'
		import json, sys
		d = json.load(open(sys.argv[1]))
		d.update(d.pop("origins")[0], id=sys.argv[2])
		json.dump(d, open(sys.argv[1], "w"))
	PYTHON
	ln -sfn "../store/$id" "$S_IMAGES/ref/earlier"
	ok vectl image list
	like "$OUT" "^earlier +${id:0:12} "
	ok vectl image info earlier
	like "$OUT" "^  Id +$id\$"
	eq "$(vectl image info 01234567 --json | json "[d['image']['names'], d['image']['manifest']]")" '[["earlier"], false]'
	fails 1 vectl image verify earlier
	like "$ERR" 'there is nothing to compare it with: .*0\.1\.0.*: build it again, or import it'
	ok vectl create e1 --image earlier --start
	guest e1 cat /data/content
	fails 1 vectl image remove earlier
	like "$ERR" 'used by e1'
	ok vectl stop e1
	ok vectl image remove --unused
	ok vectl start e1
	ok vectl destroy --force e1
	ok vectl image remove earlier
	[ ! -e "$S_IMAGES/store/$id" ] || die 'it was not removed'
	clean_store
}

# ---- killed, at once, without room

# One that takes long enough to be met in each of its steps.
large_tree() { # FOLDER
	tree "$1"
	mkdir "$1/many"
	python3 - "$1/many" <<-'PYTHON'
		import os, sys
		for i in range(500):
		    with open(f"{sys.argv[1]}/{i}", "wb") as f:
		        f.write(b"%d" % i * 50)
		with open(f"{sys.argv[1]}/large", "wb") as f:
		    f.write(os.urandom(1 << 20) * 12)
	PYTHON
}

S_DELAYS='0.002 0.004 0.006 0.008 0.012 0.02 0.03 0.04 0.06 0.08 0.1 0.15 0.2 0.3'

killed_after() { # DELAY COMMAND...: counts in `met` those that were killed and did not end before
	try timeout --foreground -s KILL "$@"
	[ "$STATUS" != 137 ] || met=$((met + 1))
}

# limit test_import_killed 240
test_import_killed() {
	local delay met=0 id before
	large_tree "$T_TMP/r"
	tar -C "$T_TMP/r" -cf "$T_TMP.tar" .
	before=$(stored)
	ok vectl image import killed "$T_TMP.tar"
	id=$(id_of killed)
	ok vectl image remove killed
	for delay in $S_DELAYS; do
		killed_after "$delay" vectl image import killed "$T_TMP.tar"
		# It is there and whole, or not there.
		ok vectl image list --names
		if grep -qx killed <<<"$OUT"; then
			ok vectl image verify killed
		else
			ok vectl image import killed "$T_TMP.tar"
		fi
		eq "$(id_of killed)" "$id"
		ok vectl image remove killed
		eq "$(stored)" "$before" "the store after a kill at $delay s"
	done
	[ "$met" -ge 6 ] || die "$met of the imports were killed in their midst"
	ok vectl image import killed "$T_TMP/r"
	ok vectl create killed --image killed --start
	guest killed cat /many/499
	ok vectl destroy --force killed
	ok vectl image remove killed
	clean_store
}

# limit test_build_killed 240
test_build_killed() {
	local delay met=0 old
	large_tree "$T_TMP/r"
	mkdir -p "$VECTL_ROOT/etc/vectl/templates"
	cat >"$VECTL_ROOT/etc/vectl/templates/slain" <<-TEMPLATE
		#!/bin/sh
		cp -a "$T_TMP/r" "\$VECTL_WORK/root" && date +%N >"\$VECTL_WORK/root/data/built" && ln -s "\$VECTL_WORK/root" "\$VECTL_OUTPUT"
	TEMPLATE
	chmod 0755 "$VECTL_ROOT/etc/vectl/templates/slain"
	ok vectl image build slain/1
	old=$(id_of slain/1)
	ok vectl create slain --image slain/1
	for delay in $S_DELAYS; do
		killed_after "$delay" vectl image build slain/1
		# The name means a whole image, the old one or the new one, and the VE has its own.
		ok vectl image verify slain/1
		[ -d "$S_IMAGES/store/$old/rootfs" ] || die 'the image of a VE is gone'
	done
	[ "$met" -ge 6 ] || die "$met of the builds were killed in their midst"
	ok vectl image build slain/1
	ok vectl start slain
	guest slain cat /many/499
	ok vectl destroy --force slain
	ok vectl image remove slain/1
	[ ! -e "$S_IMAGES/store/$old" ] || die 'the image of no VE is there still'
	rm -r "$VECTL_ROOT/etc/vectl/templates"
	clean_store
}

# limit test_verify_and_remove_killed 240
test_verify_and_remove_killed() {
	local delay met=0 id
	large_tree "$T_TMP/r"
	ok vectl image import killed/v "$T_TMP/r"
	id=$(id_of killed/v)
	for delay in $S_DELAYS; do
		killed_after "$delay" vectl image verify killed/v
		eq "$(image killed/v "[d['id'], d['broken']]")" "[\"$id\", false]"
	done
	ok vectl image verify killed/v
	[ "$met" -ge 5 ] || die "$met of the verifications were killed in their midst"
	met=0
	for delay in 0.001 0.002 0.004 0.006 0.008 0.012 0.02 0.04; do
		killed_after "$delay" vectl image remove killed/v
		ok vectl image list --json
		# Removed, or as it was; what is half gone has no name.
		if [ "$(json "'killed/v' in [i['name'] for i in d['images']]" <<<"$OUT")" = true ]; then
			ok vectl image verify killed/v
		else
			ok vectl image import killed/v "$T_TMP/r"
		fi
	done
	[ "$met" -ge 3 ] || die "$met of the removals were killed in their midst"
	ok vectl create killed --image killed/v --start
	guest killed cat /many/499
	ok vectl destroy --force killed
	ok vectl image remove killed/v
	clean_store
}

# Of several at once under one name one goes first; the others wait, and then find it there. Whatever they say, the
# image is whole.
# limit test_at_once 180
test_at_once() {
	local i pids=() status imported=0 id
	large_tree "$T_TMP/r"
	tar -C "$T_TMP/r" -cf "$T_TMP.tar" .
	for i in 1 2 3 4; do
		vectl image import once "$T_TMP.tar" 2>"$T_TMP.once$i" &
		pids+=($!)
	done
	for i in 1 2 3 4; do
		status=0
		wait "${pids[i - 1]}" || status=$?
		case $status in
		0) imported=$((imported + 1)) ;;
		1) like "$(cat "$T_TMP.once$i")" '^vectl: importing .* as once: an image once is there already: ' ;;
		*) die "import $i ended with $status: $(cat "$T_TMP.once$i")" ;;
		esac
	done
	eq "$imported" 1 'imports of one name that succeeded'
	ok vectl image verify once
	id=$(id_of once)
	# The same content under several names: one folder, however they meet.
	pids=()
	for i in 1 2 3 4; do
		vectl -q image import "once-$i" "$T_TMP.tar" &
		pids+=($!)
	done
	for i in 1 2 3 4; do wait "${pids[i - 1]}" || die "import of once-$i"; done
	eq "$(vectl image info once --json | json "d['image']['names']")" '["once", "once-1", "once-2", "once-3", "once-4"]'
	eq "$(vectl image info once --json | json "sorted(o['name'] for o in d['image']['origins'])")" \
		'["once", "once-1", "once-2", "once-3", "once-4"]'
	eq "$(id_of once-4)" "$id"
	pids=()
	for i in 1 2 3 4; do
		vectl -q image remove "once-$i" &
		pids+=($!)
	done
	for i in 1 2 3 4; do wait "${pids[i - 1]}" || die "removal of once-$i"; done
	ok vectl image verify once
	# Two VEs of one path.
	vectl -q create once1 --image "$T_TMP.tar" &
	pids=($!)
	vectl -q create once2 --image "$T_TMP.tar" &
	wait "${pids[0]}" || die 'the first create'
	wait $! || die 'the second create'
	eq "$(info once1 "d['image']")" "$(info once2 "d['image']")" 'their image'
	local name
	name=$(vectl get once1 image)
	ok vectl destroy once1 once2
	ok vectl image remove once "$name"
	clean_store
}

# A rebuild gives the name to another image and the old one goes, again and again, while VEs are made of it.
# limit test_create_beside_rebuild 180
test_create_beside_rebuild() {
	local i builder cleaner made=0 generations
	tree "$T_TMP/r"
	mkdir -p "$VECTL_ROOT/etc/vectl/templates"
	cat >"$VECTL_ROOT/etc/vectl/templates/moving" <<-TEMPLATE
		#!/bin/sh
		cp -a "$T_TMP/r" "\$VECTL_WORK/root" && date +%N >"\$VECTL_WORK/root/data/built" && ln -s "\$VECTL_WORK/root" "\$VECTL_OUTPUT"
	TEMPLATE
	chmod 0755 "$VECTL_ROOT/etc/vectl/templates/moving"
	ok vectl image build moving
	: >"$T_TMP.go"
	# shellcheck disable=SC2016
	bash -c 'while [ -e "$1" ]; do vectl -q image build moving && echo built >>"$2" || exit 1; done' _ "$T_TMP.go" "$T_TMP.built" &
	builder=$!
	# shellcheck disable=SC2016
	bash -c 'while [ -e "$1" ]; do vectl -q image remove --unused || exit 1; sleep 0.1; done' _ "$T_TMP.go" &
	cleaner=$!
	: >"$T_TMP.ids"
	for i in $(seq 100); do
		ok vectl create moving --image moving
		readlink -e "$VECTL_ROOT/var/lib/vectl/ve/moving/image/rootfs/data/built" >>"$T_TMP.ids" || die "the image of VE $i is gone"
		made=$((made + 1))
		ok vectl destroy moving
	done
	ok vectl create moving --image moving
	until_ 100 sh -c "[ \$(wc -l <$T_TMP.built) -ge 3 ]"
	rm "$T_TMP.go"
	wait "$builder" || die 'a build failed'
	wait "$cleaner" || die 'a removal failed'
	generations=$(sort -u "$T_TMP.ids" | wc -l)
	note "$made VEs of $generations images, $(wc -l <"$T_TMP.built") builds"
	[ "$generations" -ge 2 ] || die "the image changed $generations times only"
	ok vectl start moving
	guest moving cat /data/content
	ok vectl destroy --force moving
	ok vectl image remove moving
	rm -r "$VECTL_ROOT/etc/vectl/templates"
	clean_store
}

test_no_room() {
	local here=$VECTL_ROOT small=$T_TMP/small
	large_tree "$T_TMP/r"
	tar -C "$T_TMP/r" -cf "$T_TMP.tar" .
	mkdir -p "$small/var/lib/vectl/images"
	export VECTL_ROOT=$small
	local S_IMAGES=$small/var/lib/vectl/images megabytes
	mount -t tmpfs -o size=40m,mode=0700 none "$S_IMAGES"
	tree "$T_TMP/s"
	ok vectl image import small "$T_TMP/s"
	local source
	for source in "$T_TMP.tar" "$T_TMP/r"; do
		# Too little for its beginning, for nearly all of it, for all but the last.
		for megabytes in 37 30 24; do
			head -c "${megabytes}M" /dev/zero >"$S_IMAGES/filler"
			fails 1 vectl image import full "$source"
			like "$ERR" '^vectl: importing .* as full: .*No space left on device: make room below '
			eq "$(vectl image list --names)" small
			eq "$(ls -A "$S_IMAGES/tmp")" '' "left by an import without room, $megabytes MB short"
			rm "$S_IMAGES/filler"
		done
		ok vectl image import full "$source"
		ok vectl image verify full
		ok vectl image remove full
	done
	# Not one byte: what there is can be listed, verified and removed.
	head -c 70M /dev/zero >"$S_IMAGES/filler" 2>/dev/null || true
	ok vectl image list
	ok vectl image verify small
	fails 1 vectl image import more "$T_TMP/s"
	like "$ERR" 'No space left on device'
	ok vectl image remove small
	rm "$S_IMAGES/filler"
	ok vectl image import small "$T_TMP/s"
	ok vectl image remove small
	clean_store
	umount "$S_IMAGES"
	export VECTL_ROOT=$here
}

# What is to be done is said with the image's name, also by create, which has a VE's name in hand.
test_remedies_name_the_image() {
	fails 1 vectl create web3 --image nowhere/99
	like "$ERR" 'vectl image import nowhere/99 TARBALL$'
	fails 1 vectl image build nowhere/99
	like "$ERR" 'vectl image import nowhere/99 TARBALL$'
	fails 1 vectl image import busybox /usr
	like "$ERR" 'remove it first: vectl image remove busybox$'
}
