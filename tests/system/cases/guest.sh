# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What a guest finds of the host (/run/host), what it shares, and its first boot. On Debian 12 and 13, and on busybox.
# privileged: run_host_incoming
# privileged: run_host_unix_export
# privileged: inaccessible_paths
# privileged: mounts_are_shared
# privileged: first_boot_busybox
# privileged: first_boot_debian
# privileged: credentials root_password_by_credential root_password_hash
# privileged: journal journal_of_the_hosts_id
# privileged: first_boot_keeps_what_is_there first_boot_hostile_image first_boot_is_tried_once hostname_is_a_file
# privileged: password_is_asked_for nothing_else_is_written

debians() { # the releases that there are acceptance images of; without one the tests that want them are skipped
	local release any=''
	for release in 12 13; do
		[ ! -e "$T_CACHE/debian-$release.tar" ] || any+=" $release"
	done
	[ -n "$any" ] || skip 'no acceptance image of Debian'
	printf '%s\n' "$any"
}

debian_ve() { # NAME RELEASE [OPTION...]: created and ready
	local name=$1 release=$2
	shift 2
	ok vectl create "$name" --image "plain/$release" "$@"
	ok vectl start "$name" --wait=ready --timeout 60
}

# ---- /run/host

test_run_host() {
	busybox_ve h1
	guest h1 cat /run/host/os-release
	eq "$OUT" "$(cat /etc/os-release)" "the host's os-release"
	guest h1 sh -c 'cd /run/host/inaccessible && stat -c "%n %F %a %u" *'
	eq "$OUT" "$(printf '%s\n' 'blk block special file 0 0' 'chr character special file 0 0' 'dir directory 0 0' \
		'fifo fifo 0 0' 'reg regular empty file 0 0' 'sock socket 0 0')" 'inaccessible nodes'
	inside h1 'cat /run/host/inaccessible/chr'
	ne "$STATUS" 0 'reading a node that stands for none'
	local path
	for path in . inaccessible incoming; do
		inside h1 "touch /run/host/$path/x"
		ne "$STATUS" 0 "a file in /run/host/$path"
	done
	inside h1 'mount -o remount,rw /run/host'
	ne "$STATUS" 0 'making /run/host writable'
	inside h1 'mount -o remount,rw /run/host/incoming; touch /run/host/incoming/x'
	ne "$STATUS" 0 'a file in incoming after a remount'
	ok vectl destroy --force h1
}

# Root of the host mounts a folder in the keeper's copy of `incoming`, and the guest has it; over a reboot too.
test_run_host_incoming() {
	busybox_ve h2
	mkdir -p "$T_TMP/from-host"
	echo here >"$T_TMP/from-host/file"
	ok "$T_BUILD/tmp/probe" place "$(info h2 "d['keeper']")" "$T_TMP/from-host" /host/incoming/new
	guest h2 cat /run/host/incoming/new/file
	eq "$OUT" here
	inside h2 'umount /run/host/incoming/new && cat /run/host/incoming/new/file'
	[ "$STATUS" = 0 ] || note 'the guest took it away from itself'
	try vectl exec h2 -- reboot
	until_ 20 sh -c "vectl info h2 --json | grep -q '\"boot\": *2\b'"
	until_ 20 vectl exec h2 -- cat /run/host/incoming/new/file
	# Nothing that the guest mounts comes out.
	inside h2 'mount -t tmpfs none /run/host/incoming'
	eq "$(grep -c ' /host/incoming ' "/proc/$(info h2 "d['keeper']")/mountinfo")" 1 "the keeper's mounts on incoming"
	ok vectl destroy --force h2
}

test_run_host_unix_export() {
	busybox_ve h3
	guest h3 sh -c 'echo from-guest >/run/host/unix-export/note; ln -s /etc/passwd /run/host/unix-export/link'
	local folder
	folder=/proc/$(info h3 "d['keeper']")/root/host/unix-export
	eq "$(cat "$folder/note")" from-guest
	# A link of the guest's would lead to the host's own file.
	if cat "$folder/link" >/dev/null 2>&1; then die 'a link in unix-export was followed on the host'; fi
	# shellcheck disable=SC2016
	inside h3 'i=0; while [ $i -lt 100 ] && echo x >/run/host/unix-export/$i; do i=$((i+1)); done 2>/dev/null; ls /run/host/unix-export | wc -l'
	[ "$OUT" -lt 40 ] || die "$OUT files fit into unix-export"
	ok vectl destroy --force h3
}

test_inaccessible_paths() {
	local releases release name
	releases=$(debians)
	for release in $releases; do
		name=i$release
		debian_ve "$name" "$release"
		guest "$name" readlink -f /run/systemd/inaccessible
		eq "$OUT" /run/host/inaccessible
		# A folder, a file, a socket and a device node; root, since a mode of 0 alone would not stop it.
		inside "$name" 'systemd-run --quiet --wait --pipe -p InaccessiblePaths="/srv /etc/hostname /run/host/notify /dev/full" \
			sh -c "touch /srv/x; echo \$?; test -s /etc/hostname; echo \$?; stat -c %a /run/host/notify; test -c /dev/full; echo \$?"'
		eq "$STATUS" 0 'a service with InaccessiblePaths='
		eq "$OUT" "$(printf '%s\n' 1 1 0 1)" 'what it reaches of them'
		inside "$name" 'systemd-run --quiet --wait --pipe -p User=nobody -p InaccessiblePaths="/etc/hostname /dev/full" \
			sh -c "cat /etc/hostname; echo \$?; cat /dev/full; echo \$?; head -c1 /dev/zero | wc -c"'
		eq "$OUT" "$(printf '%s\n' 1 1 1)" 'what an ordinary user reaches of them, and of /dev/zero'
		ok vectl destroy --force "$name"
	done
}

# ---- mounts

test_mounts_are_shared() {
	local releases release name pid
	busybox_ve m1
	guest m1 cat /proc/self/mountinfo
	eq "$(grep -cv ' shared:' <<<"$OUT")" 0 'mounts that are not shared'
	ok vectl destroy --force m1
	releases=$(debians)
	mkdir -p "$T_TMP/late"
	echo late >"$T_TMP/late/file"
	for release in $releases; do
		name=m$release
		debian_ve "$name" "$release"
		guest "$name" mkdir -p /mnt/late
		guest "$name" systemd-run --quiet --unit=apart -p PrivateTmp=yes sleep 600
		guest "$name" systemctl show -P MainPID apart
		pid=$OUT
		guest "$name" sh -c "[ \"\$(readlink /proc/$pid/ns/mnt)\" != \"\$(readlink /proc/1/ns/mnt)\" ]"
		ok "$T_BUILD/tmp/probe" place "$(info "$name" "d['pid']")" "$T_TMP/late" /mnt/late
		guest "$name" cat /mnt/late/file
		guest "$name" cat "/proc/$pid/root/mnt/late/file"
		eq "$OUT" late 'in the mount namespace of a service that was there before'
		ok vectl destroy --force "$name"
	done
}

# ---- first boot

keys() { # a pair in $T_TMP; what it needs is on the test's own host, not in a guest
	command -v ssh-keygen >/dev/null || skip 'no ssh-keygen here: apt install openssh-client'
	ssh-keygen -q -t ed25519 -N '' -C one@test -f "$T_TMP/one"
	ssh-keygen -q -t rsa -b 2048 -N '' -C two@test -f "$T_TMP/two"
}

# login(1) of the guest takes the password, and no other.
# shellcheck disable=SC2016
logs_in() { # NAME PASSWORD
	ok pty --expect 'assword:' --send "$2\\r" --expect '[#$] ' --send 'echo $((6*7)) $(id -u)\r' --expect '42 0' \
		--send 'exit\r' -- vectl exec -t "$1" -- login root
}

no_login() { # NAME PASSWORD
	try pty --expect 'assword:' --send "$2\\r" --expect 'ncorrect' --hangup -- vectl exec -t "$1" -- login root
	like "$OUT" 'ncorrect'
}

# Neither the password nor its hash is anywhere that somebody might look.
no_trace() { # NAME PASSWORD
	local hash
	guest "$1" sh -c 'sed -n "s/^root:\([^:]*\):.*/\1/p" /etc/shadow'
	hash=$OUT
	like "$hash" '^\$[6y]\$.{20,}' "root's field of /etc/shadow"
	ok vectl plan "$1"
	unlike "$OUT" 'first-boot' 'the plan of the next start'
	[ ! -e "$VECTL_ROOT/var/lib/vectl/ve/$1/first-boot" ] || eq "$(ls -A "$VECTL_ROOT/var/lib/vectl/ve/$1/first-boot")" ''
	if grep -rlaF -e "$2" -e "$hash" "$VECTL_ROOT/run" "$VECTL_ROOT/var/lib/vectl/ve/$1" --exclude-dir=disk; then
		die 'the password or its hash was kept'
	fi
}

first_boot() { # NAME IMAGE HASH-PREFIX
	local name=$1 key
	mkdir -p "$T_TMP"
	printf 'correct horse\n' >"$T_TMP/password"
	ok vectl create "$name" --image "$2" --hostname "$name.example" --password-file "$T_TMP/password" \
		--ssh-key "$T_TMP/one.pub" --ssh-key "$T_TMP/two.pub"
	ok vectl plan "$name"
	like "$OUT" 'first-boot'
	unlike "$OUT" '\$[6y]\$' 'a hash in the plan'
	eq "$(stat -c '%a %u' "$VECTL_ROOT/var/lib/vectl/ve/$name/first-boot/password")" '600 0'
	like "$(cat "$VECTL_ROOT/var/lib/vectl/ve/$name/first-boot/password")" "^\\\$$3\\\$"
	ok vectl start "$name" --wait=ready --timeout 60
	eq "$ERR" ''
	guest "$name" hostname
	eq "$OUT" "$name.example"
	guest "$name" stat -c '%a %u %g' /root/.ssh /root/.ssh/authorized_keys
	eq "$OUT" "$(printf '700 0 0\n600 0 0')" 'modes of the keys'
	guest "$name" cat /root/.ssh/authorized_keys
	eq "$OUT" "$(cat "$T_TMP/one.pub" "$T_TMP/two.pub")"
	logs_in "$name" 'correct horse'
	no_login "$name" 'wrong horse'
	no_trace "$name" 'correct horse'
	# What the guest changes stays: it was done once.
	key=$(sed -n 1p "$T_TMP/one.pub")
	guest "$name" sh -c "echo '$key' >/root/.ssh/authorized_keys; printf 'new horse\nnew horse\n' | passwd root"
	ok vectl restart "$name" --wait=ready
	logs_in "$name" 'new horse'
	guest "$name" cat /root/.ssh/authorized_keys
	eq "$OUT" "$key"
	ok vectl destroy --force "$name"
}

test_first_boot_busybox() {
	mkdir -p "$T_TMP"
	keys
	first_boot f1 busybox 6
}

# limit test_first_boot_debian 240
test_first_boot_debian() {
	local releases release
	releases=$(debians)
	mkdir -p "$T_TMP"
	keys
	for release in $releases; do
		first_boot "f$release" "plain/$release" y
	done
}

# The files of an image, as somebody else might have made them.
test_first_boot_keeps_what_is_there() {
	mkdir -p "$T_TMP/image"
	keys
	busybox_ve base
	ok vectl exec base -- sh -c 'mkdir -p /real/ssh /etc/safe; cd /etc
		printf "daemon:*:1::::::\nroot:!:1:0:9:7:::\nlast:*:1::::::" >safe/shadow; ln -sf safe/shadow shadow
		chmod 640 safe/shadow; chown 0:5 safe/shadow
		sed -i s/root:x:/root::/ passwd
		ln -s /real/ssh /root/.ssh; echo "# mine" >/real/ssh/authorized_keys; chmod 644 /real/ssh/authorized_keys
		echo 0123456789abcdef0123456789abcdef >/etc/machine-id'
	ok vectl exec base -- sh -c "cat >>/real/ssh/authorized_keys" <"$T_TMP/one.pub"
	vectl exec base -- tar -c -C / bin sbin usr etc root real >"$T_TMP/image.tar"
	printf 'secret' >"$T_TMP/password"
	ok vectl create f2 --image "$T_TMP/image.tar" --password-file "$T_TMP/password" --ssh-key "$T_TMP/one.pub" --ssh-key "$T_TMP/two.pub"
	ok vectl start f2
	eq "$ERR" ''
	guest f2 sh -c 'cut -d: -f1,3-4 /etc/safe/shadow | head -n 3; stat -c "%a %u %g" /etc/safe/shadow; readlink /etc/shadow'
	like "$OUT" "^root:$(($(date +%s) / 86400)):0$" 'the day of the change'
	like "$OUT" '^640 0 5$'
	like "$OUT" '^safe/shadow$' 'the link'
	guest f2 grep -c . /etc/shadow
	eq "$OUT" 3 'lines of shadow'
	guest f2 grep ^root: /etc/passwd
	like "$OUT" '^root:x:0:0:'
	logs_in f2 secret
	guest f2 cat /real/ssh/authorized_keys
	eq "$OUT" "$(echo '# mine'; cat "$T_TMP/one.pub" "$T_TMP/two.pub")" 'no key twice'
	guest f2 stat -c %a /real/ssh/authorized_keys
	eq "$OUT" 644
	# The id of the machine that the image was once is no VE's.
	guest f2 cat /etc/machine-id
	eq "$OUT" '' 'machine-id'
	ok vectl destroy --force f2 base
	ok vectl image remove local/image
}

# Links of a hostile image lead nowhere but into its own VE.
test_first_boot_hostile_image() {
	mkdir -p "$T_TMP"
	keys
	echo untouched >"$T_TMP/outside"
	busybox_ve base
	ok vectl exec base -- sh -c "rm -rf /root/.ssh; ln -s $T_TMP /root/.ssh; rm /etc/shadow; ln -s $T_TMP/outside /etc/shadow"
	vectl exec base -- tar -c -C / bin sbin usr etc root >"$T_TMP/hostile.tar"
	printf sesame-77 >"$T_TMP/password"
	ok vectl create f3 --image "$T_TMP/hostile.tar" --password-file "$T_TMP/password" --ssh-key "$T_TMP/one.pub"
	ok vectl start f3
	like "$ERR" 'f3: start: it runs without first-boot: /etc/shadow: No such file or directory'
	ok vectl info f3
	like "$OUT" 'it runs without first-boot'
	eq "$(cat "$T_TMP/outside")" untouched
	[ ! -e "$T_TMP/authorized_keys" ] || die "a link of the image's was followed on the host"
	ok vectl stop f3
	# A way that only a process has: to whatever is open.
	ok vectl exec base -- sh -c 'ln -sfn /proc/self/fd/3/password /etc/shadow; rm /root/.ssh; ln -s /proc/1/root/tmp /root/.ssh'
	vectl exec base -- tar -c -C / bin sbin usr etc root >"$T_TMP/hostile2.tar"
	ok vectl create f4 --image "$T_TMP/hostile2.tar" --password-file "$T_TMP/password" --ssh-key "$T_TMP/one.pub"
	ok vectl start f4
	like "$ERR" 'f4: start: it runs without first-boot: /etc/shadow'
	like "$ERR" 'not done: password, authorized_keys; it is not tried again'
	ok vectl destroy --force base f3 f4
	ok vectl image remove local/hostile
	ok vectl image remove local/hostile2
}

image_without_shadow() { # imported as local/bare by the first VE
	busybox_ve base
	ok vectl exec base -- rm -f /etc/shadow
	vectl exec base -- tar -c -C / bin sbin usr etc root >"$T_TMP/bare.tar"
	ok vectl destroy --force base
	printf 'of-create' >"$T_TMP/password"
}

# A VE that has run is the guest's: what could not be done then is neither done later nor kept.
test_first_boot_is_tried_once() {
	local folder=$VECTL_ROOT/var/lib/vectl/ve/f5/first-boot
	mkdir -p "$T_TMP"
	image_without_shadow
	ok vectl create f5 --image "$T_TMP/bare.tar" --password-file "$T_TMP/password"
	# As long as init was never executed, the next start tries again.
	ok vectl set f5 init=/nothing/there
	fails 1 vectl start f5
	like "$ERR" 'step exec: /nothing/there'
	[ -s "$folder/password" ] || die 'a start that failed lost the password'
	ok vectl unset f5 init
	ok vectl start f5
	like "$ERR" 'it runs without first-boot: /etc/shadow: .*not done: password; it is not tried again'
	[ ! -e "$folder" ] || die 'the hash was kept on the host'
	ok vectl exec f5 -- sh -c 'echo "root:*:1:0:99999:7:::" >/etc/shadow; printf "own horse\nown horse\n" | passwd root'
	logs_in f5 'own horse'
	ok vectl restart f5
	eq "$ERR" ''
	logs_in f5 'own horse'
	no_login f5 'of-create'
	# What a caller that was killed before it could remove it leaves, goes with the end of that run.
	mkdir -m 700 "$folder"
	echo 'x' >"$folder/password"
	ok vectl stop f5
	[ ! -e "$folder" ] || die 'the end of the VE kept what was left of its first boot'
	mkdir -m 700 "$folder"
	printf '%s' '$6$saltsalt$x' >"$folder/password"
	ok vectl plan f5
	like "$OUT" 'first-boot'
	rm -r "$folder"
	ok vectl start f5
	mkdir -m 700 "$folder"
	echo 'x' >"$folder/password"
	kill -KILL "$(info f5 "d['keeper']")"
	until_ 10 sh -c 'vectl info f5 | grep -q stopped'
	ok vectl start f5
	[ ! -e "$folder" ] || die 'a start after a killed keeper kept what was left of the first boot'
	logs_in f5 'own horse'
	ok vectl destroy --force f5
	ok vectl image remove local/bare
}

# /etc/hostname of a hostile image leads to a device, or to what init holds open.
test_hostname_is_a_file() {
	local to
	busybox_ve n5 --hostname first.example
	guest n5 cat /etc/hostname
	eq "$OUT" first.example
	guest n5 sh -c 'mkdir -p /etc/real; rm /etc/hostname; ln -s real/name /etc/hostname'
	ok vectl set n5 hostname=second.example
	ok vectl restart n5
	guest n5 sh -c 'cat /etc/real/name; readlink /etc/hostname'
	eq "$OUT" $'second.example\nreal/name' 'through a link to a file that was missing'
	for to in /dev/null /dev/console /proc/self/fd/0 /proc/self/exe /etc /run/host/inaccessible/fifo; do
		guest n5 sh -c "rm /etc/hostname; ln -s $to /etc/hostname"
		ok vectl stop n5
		try vectl start n5
		eq "$STATUS" 1 "status of a start with /etc/hostname -> $to"
		like "$(head -n 1 <<<"$ERR")" 'step hostname: /etc/hostname: .*unset n5 hostname'
		ok vectl unset n5 hostname
		ok vectl start n5
		# Neither does a change in the VE that runs.
		fails 1 vectl set n5 hostname=third.example
		like "$ERR" '/etc/hostname: .*set it while the VE is stopped'
		ok vectl exec n5 -- rm /etc/hostname
		ok vectl set n5 hostname=third.example
	done
	ok vectl destroy --force n5
}

test_first_boot_bad_input() {
	mkdir -p "$T_TMP"
	keys
	local before
	before=$(names_there)
	fails 1 vectl create n1 --image busybox --ssh-key "$T_TMP/missing"
	like "$ERR" 'missing: No such file'
	fails 2 vectl create n1 --image busybox --ssh-key "$T_TMP/one"
	like "$ERR" 'that is a private key.*\.pub'
	echo rubbish >"$T_TMP/rubbish"
	fails 2 vectl create n1 --image busybox --ssh-key "$T_TMP/rubbish"
	like "$ERR" 'line 1: that is no public key'
	: >"$T_TMP/empty"
	fails 2 vectl create n1 --image busybox --password-file "$T_TMP/empty"
	like "$ERR" 'password is empty'
	printf 'a\nb\n' >"$T_TMP/two-lines"
	fails 2 vectl create n1 --image busybox --password-file "$T_TMP/two-lines"
	fails 2 vectl create n1 --image busybox --password --password-file "$T_TMP/two-lines"
	fails 2 setsid vectl create n1 --image busybox --password
	like "$ERR" 'password-file'
	fails 2 vectl create n1 --image busybox --credential novalue
	fails 2 vectl create n1 --image busybox --credential "a/b=$T_TMP/empty"
	fails 2 vectl create n1 --image busybox --credential "a=$T_TMP/empty" --credential "a=$T_TMP/empty"
	head -c 1048577 /dev/zero >"$T_TMP/large"
	fails 2 vectl create n1 --image busybox --credential "a=$T_TMP/large"
	eq "$(names_there)" "$before" 'what a refused create left'
}

names_there() { ls -A "$VECTL_ROOT/var/lib/vectl/ve"; }

test_password_is_asked_for() {
	ok pty --expect 'root of p1: ' --send 'from tty\r' --expect 'again: ' --send 'from tty\r' -- vectl create p1 --image busybox --password
	unlike "$OUT" 'from tty' 'an echo'
	ok vectl start p1
	logs_in p1 'from tty'
	try pty --expect 'root of p2: ' --send 'one\r' --expect 'again: ' --send 'other\r' -- vectl create p2 --image busybox --password
	eq "$STATUS" 1
	like "$OUT" 'the two passwords differ'
	try pty --expect 'root of p2: ' --send '\x03' -- sh -c 'trap : INT; vectl create p2 --image busybox --password; echo status $?; stty -a'
	like "$OUT" 'status 130'
	like "$OUT" '(^| )echo( |$)' 'the terminal afterwards'
	echo from-stdin | vectl create p2 --image busybox --password-file - || die 'a password from the standard input'
	ok vectl start p2
	logs_in p2 from-stdin
	ok vectl destroy --force p1 p2
}

# ---- credentials

# limit test_credentials 180
# shellcheck disable=SC2016
test_credentials() {
	local releases release name
	mkdir -p "$T_TMP"
	printf 'tell nobody' >"$T_TMP/one"
	head -c 70000 /dev/urandom >"$T_TMP/two"
	echo 'f /srv/by-credential 0644 root root -' >"$T_TMP/tmpfiles"
	busybox_ve c1
	guest c1 sh -c 'tr "\0" "\n" </proc/1/environ'
	unlike "$OUT" CREDENTIALS_DIRECTORY 'without credentials'
	ok vectl destroy --force c1
	busybox_ve c1 --credential "my.secret=$T_TMP/one" --credential "two=$T_TMP/two"
	guest c1 sh -c 'tr "\0" "\n" </proc/1/environ | sed -n s/^CREDENTIALS_DIRECTORY=//p'
	eq "$OUT" /run/host/credentials
	guest c1 stat -c '%a %u %g' /run/host/credentials /run/host/credentials/my.secret
	eq "$OUT" "$(printf '500 0 0\n400 0 0')"
	guest c1 sh -c 'md5sum </run/host/credentials/two'
	eq "${OUT%% *}" "$(md5sum <"$T_TMP/two" | cut -d' ' -f1)"
	if [ -z "$T_PRIVILEGED" ]; then # root of the host, as far as mounts go
		inside c1 'mount -o remount,rw /run/host/credentials; echo x >/run/host/credentials/my.secret'
		ne "$STATUS" 0 'a write to a credential'
	fi
	inside c1 'su -s /bin/sh nobody -c "cat /run/host/credentials/my.secret"'
	ne "$STATUS" 0 'a credential, read by an ordinary user'
	eq "$(stat -c '%a %u' "$VECTL_ROOT/var/lib/vectl/ve/c1/credentials/my.secret")" '400 0' 'on the host'
	ok vectl destroy --force c1
	releases=$(debians)
	for release in $releases; do
		name=c$release
		debian_ve "$name" "$release" --credential "my.secret=$T_TMP/one" --credential "ssh.authorized_keys.root=$T_TMP/one" \
			--credential "tmpfiles.extra=$T_TMP/tmpfiles"
		# One that systemd itself carries out, in the releases that do.
		inside "$name" '! grep -q ssh.authorized_keys.root /usr/lib/tmpfiles.d/provision.conf || cmp /run/host/credentials/ssh.authorized_keys.root /root/.ssh/authorized_keys'
		eq "$STATUS" 0 'ssh.authorized_keys.root'
		guest "$name" systemd-creds --system cat my.secret
		eq "$OUT" 'tell nobody'
		guest "$name" cat /srv/by-credential
		inside "$name" 'systemd-run --quiet --wait --pipe -p LoadCredential=my.secret sh -c "cat \$CREDENTIALS_DIRECTORY/my.secret"'
		eq "$OUT" 'tell nobody' 'in a service'
		ok vectl restart "$name" --wait=ready
		guest "$name" systemd-creds --system cat my.secret
		eq "$OUT" 'tell nobody' 'after a restart'
		guest "$name" systemctl --failed --no-legend --plain
		eq "$OUT" '' 'failed units'
		ok vectl destroy --force "$name"
	done
}

# systemd would give root no password by these where the image's root has an entry in /etc/shadow, which is everywhere.
# limit test_root_password_by_credential 180
test_root_password_by_credential() {
	local image name folder
	local images=(busybox)
	[ ! -e "$T_CACHE/debian-12.tar" ] || images+=(plain/12)
	[ ! -e "$T_CACHE/debian-13.tar" ] || images+=(plain/13)
	mkdir -p "$T_TMP"
	printf 'sorrel horse\n' >"$T_TMP/text"
	openssl passwd -6 'dapple horse' >"$T_TMP/hash"
	for image in "${images[@]}"; do
		name=r${image#plain/}
		folder=$VECTL_ROOT/var/lib/vectl/ve/$name
		ok vectl create "$name" --image "$image" --credential "passwd.plaintext-password.root=$T_TMP/text"
		if grep -rlaF 'sorrel horse' "$folder" --exclude-dir=disk; then die 'the password was kept as text'; fi
		eq "$(ls "$folder/credentials")" passwd.hashed-password.root 'what the guest is shown'
		ok vectl start "$name" --wait=ready --timeout 60
		eq "$ERR" ''
		logs_in "$name" 'sorrel horse'
		no_login "$name" 'dapple horse'
		guest "$name" sed -n 's/^root:\([^:]*\):.*/\1/p' /etc/shadow
		guest "$name" grep -cFx "$OUT" /run/host/credentials/passwd.hashed-password.root
		ok vectl destroy --force "$name"
		ok vectl create "$name" --image "$image" --credential "passwd.hashed-password.root=$T_TMP/hash"
		ok vectl start "$name" --wait=ready --timeout 60
		eq "$ERR" ''
		logs_in "$name" 'dapple horse'
		# Once: what the guest changes stays, though the credential is there at each boot.
		guest "$name" sh -c "printf 'new horse\nnew horse\n' | passwd root"
		ok vectl restart "$name" --wait=ready
		logs_in "$name" 'new horse'
		guest "$name" cat /run/host/credentials/passwd.hashed-password.root
		eq "$OUT" "$(cat "$T_TMP/hash")" 'the credential as it was given'
		ok vectl destroy --force "$name"
	done
}

test_root_password_hash() {
	local hash more before text hashed
	mkdir -p "$T_TMP"
	printf 'grey horse\n' >"$T_TMP/text"
	hash=$(openssl passwd -6 'roan horse')
	printf '%s\n' "$hash" >"$T_TMP/hash"
	ok vectl create r1 --image busybox --root-password-hash "$hash"
	ok vectl start r1
	eq "$ERR" ''
	logs_in r1 'roan horse'
	no_login r1 'grey horse'
	no_trace r1 'roan horse'
	# Said twice, in whatever way.
	before=$(names_there)
	text=passwd.plaintext-password.root=$T_TMP/text hashed=passwd.hashed-password.root=$T_TMP/hash
	for more in "--password-file $T_TMP/text" "--root-password-hash $hash" "--credential $hashed"; do
		# shellcheck disable=SC2086 # options with their values
		says 2 "root's password is given more than once: give one of a password, a hash" \
			vectl create r2 --image busybox --credential "$text" $more
	done
	says 2 'give one of them' vectl create r2 --image busybox --root-password-hash "$hash" --password-file "$T_TMP/text"
	says 2 "hash of root's password is none of crypt" vectl create r2 --image busybox --root-password-hash 'roan horse'
	says 2 "hash of root's password is none of crypt" vectl create r2 --image busybox --credential "passwd.hashed-password.root=$T_TMP/text"
	printf 'a\nb\n' >"$T_TMP/text"
	says 2 'more than one line' vectl create r2 --image busybox --credential "$text"
	: >"$T_TMP/text"
	says 2 'password is empty' vectl create r2 --image busybox --credential "$text"
	printf 'a\0b' >"$T_TMP/text"
	says 2 'credential passwd.plaintext-password.root: that is no text' vectl create r2 --image busybox --credential "$text"
	eq "$(names_there)" "$before" 'what a refused create left'
	ok vectl destroy --force r1
}

# ---- what is left alone

test_nothing_else_is_written() {
	local releases release name file
	releases=$(debians)
	for release in $releases; do
		name=w$release
		ok vectl create "$name" --image "plain/$release" --set network=none
		ok vectl start "$name"
		# Before init has done much: what is here came from vectl.
		for file in resolv.conf hosts nsswitch.conf localtime timezone hostname shadow passwd; do
			[ ! -e "$VECTL_ROOT/var/lib/vectl/ve/$name/disk/upper/etc/$file" ] || die "/etc/$file was written"
		done
		guest "$name" cat /sys/class/net/lo/flags
		eq "$OUT" 0x9 'lo is up'
		ok vectl destroy --force "$name"
	done
}

# ---- the journal

# limit test_journal 180
test_journal() {
	local releases release name pid
	busybox_ve j1
	fails 1 vectl logs j1 --journal
	like "$ERR" 'j1: logs: this guest keeps no journal.*without --journal'
	ok vectl destroy --force j1
	releases=$(debians)
	for release in $releases; do
		name=j$release
		ok vectl create "$name" --image "plain/$release"
		fails 4 vectl logs "$name" --journal
		ok vectl start "$name" --wait=ready --timeout 60
		guest "$name" sh -c "printf 'hello from inside\\n' | systemd-cat -t tester; journalctl --sync"
		ok vectl logs "$name" --journal
		like "$OUT" 'systemd\[1\]: .*Reached target'
		like "$OUT" 'tester\[[0-9]+\]: hello from inside$'
		ok vectl logs "$name" --journal -n 3
		eq "$(wc -l <<<"$OUT")" 3 'lines'
		ok vectl logs "$name" --journal -n 2 --json
		eq "$(json "len(d['lines'])" <<<"$OUT")" 2
		vectl logs "$name" --journal -f -n 1 >"$T_TMP.follow" 2>&1 </dev/null &
		pid=$!
		until_ 10 test -s "$T_TMP.follow"
		guest "$name" sh -c "echo 'hello again' | systemd-cat -t tester"
		until_ 10 grep -q 'tester.*hello again' "$T_TMP.follow"
		kill -INT "$pid" 2>/dev/null || true
		kill -TERM "$pid"
		wait "$pid" || true
		until_ 10 sh -c "! vectl ps $name | grep -q 'journalctl.*--follow'"
		# Escape sequences of the guest's do not reach a terminal.
		guest "$name" sh -c "printf 'evil\\033]0;title\\007x\\n' | systemd-cat -t tester; journalctl --sync"
		ok pty -- vectl logs "$name" --journal -n 5
		unlike "$OUT" $'\033]' 'an escape sequence'
		guest "$name" cat /etc/machine-id
		eq "$(info "$name" "d['machine_id']")" "$OUT"
		ok vectl destroy --force "$name"
	done
}

# on_a_host_with_id ID COMMAND...: where the host's /etc/machine-id says ID, for this command alone
# shellcheck disable=SC2016
on_a_host_with_id() {
	mkdir -p "$T_TMP/etc"
	unshare -m sh -ec 'etc=$1 id=$2
		shift 2
		mount -t tmpfs tmpfs "$etc"
		mkdir "$etc/upper" "$etc/work"
		echo "$id" >"$etc/upper/machine-id"
		mount -t overlay -o "lowerdir=/etc,upperdir=$etc/upper,workdir=$etc/work" overlay /etc
		exec "$@"' sh "$T_TMP/etc" "$@"
}

# A copy of the host's disk has its machine id, by which journals are told apart.
test_journal_of_the_hosts_id() {
	local id=0123456789abcdef0123456789abcdef other=fedcba9876543210fedcba9876543210
	busybox_ve j2
	guest j2 sh -c "echo $id >/etc/machine-id"
	says 1 'j2: logs: its machine id is the host.s, so .*: empty its /etc/machine-id and restart it' \
		on_a_host_with_id "$id" vectl logs j2 --journal
	ok on_a_host_with_id "$id" vectl info j2
	like "$OUT" 'its machine id is the host.s, as on a copy'
	ok on_a_host_with_id "$id" vectl info j2 --json
	eq "$(json "[d['ve']['machine_id'], d['ve']['machine_id_is_the_hosts']]" <<<"$OUT")" "[\"$id\", true]"
	# One of its own, and none.
	says 1 'this guest keeps no journal' on_a_host_with_id "$other" vectl logs j2 --journal
	ok on_a_host_with_id "$other" vectl info j2
	unlike "$OUT" 'machine id is the host'
	guest j2 sh -c ': >/etc/machine-id'
	says 1 'this guest keeps no journal' on_a_host_with_id "" vectl logs j2 --journal
	eq "$(on_a_host_with_id "" vectl info j2 --json | json "[d['ve']['machine_id'], d['ve']['machine_id_is_the_hosts']]")" '[null, false]'
	ok vectl destroy --force j2
}
