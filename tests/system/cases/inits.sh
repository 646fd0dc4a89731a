# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Guests with other inits than systemd, from Debian's packages as they are. Each becomes ready when it is, reboots, and
# goes down by itself: a service of its own writes down when it was started and stopped.
# privileged: sysvinit_13 runit_13 console_login busybox unknown hostile_inittab
# limit test_sysvinit_12 180
# limit test_sysvinit_13 180
# limit test_openrc_13 240
# limit test_openrc_init_13 240
# limit test_runit_13 180

image_of() { # GUEST
	[ -e "$T_CACHE/$1.tar" ] || skip "no acceptance image $1: tests/system/images .cache $1"
	ok vectl image import "inits/$1" "$T_CACHE/$1.tar"
}

# A service that takes its time: an init that is called ready before it is shows here.
marker() { # NAME
	cat >"$T_TMP.marker" <<'EOF'
#!/bin/sh
### BEGIN INIT INFO
# Provides:          marker
# Required-Start:    $local_fs
# Required-Stop:     $local_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: writes down that it was started and stopped
### END INIT INFO
case $1 in
start)
	sleep 1
	echo up >>/root/marks
	;;
stop) echo down >>/root/marks ;;
esac
EOF
	ok sh -c "vectl exec $1 -- sh -c 'cat >/etc/init.d/marker && chmod 755 /etc/init.d/marker' <$T_TMP.marker"
	guest "$1" update-rc.d marker defaults
	guest "$1" sh -c 'echo made >/root/marks'
}

# Seen from the host, of one that runs or not; and begun anew with what is there now.
marks() { # NAME WANTED
	eq "$(paste -sd' ' "$VECTL_ROOT/var/lib/vectl/ve/$1/disk/upper/root/marks")" "$2" 'what the guest started and stopped'
	: >"$VECTL_ROOT/var/lib/vectl/ve/$1/disk/upper/root/marks"
}

ready() { # NAME: as list shows it
	vectl list --json | json "[v['ready'] for v in d['ves'] if v['name'] == '$1'][0]"
}

booted() { # NAME N
	until_ 60 sh -c "vectl info $1 --json | grep -q '\"boot\": *$2\b'"
	ok vectl wait "$1" --state ready --timeout 60
}

stops() { # NAME: by itself
	ok vectl stop "$1" --timeout 60
	unlike "$ERR" killed 'what stop says'
	eq "$(state "$1")" stopped
	eq "$(pids_of "$1")" '' 'processes of a stopped VE'
}

everyday() { # NAME GUEST INIT REBOOT POWEROFF
	local name=$1 guest=$2 init=$3 reboot=$4 poweroff=$5
	image_of "$guest"
	ok vectl create "$name" --image "inits/$guest" --set "init=$init"
	ok vectl start "$name" --wait=ready --timeout 60
	eq "$(ready "$name")" true 'ready'
	marker "$name"
	ok vectl restart "$name" --wait=ready --timeout 60
	unlike "$ERR" killed 'what restart says'
	# Whether the service was stopped as well is the init's affair: it was not running.
	guest "$name" tail -n 1 /root/marks
	eq "$OUT" up 'a VE that is ready has started its service'
	guest "$name" sh -c ': >/root/marks'

	note 'reboot by the guest'
	local boot
	boot=$(info "$name" "d['boot']")
	# shellcheck disable=SC2086
	try vectl exec "$name" -- $reboot
	booted "$name" $((boot + 1))
	marks "$name" 'down up'
	ok vectl ps "$name"
	ok vectl list -o name,ready
	like "$OUT" "^$name +yes"

	note 'stop'
	stops "$name"
	marks "$name" down

	note 'poweroff by the guest'
	ok vectl start "$name" --wait=ready --timeout 60
	# shellcheck disable=SC2086
	try vectl exec "$name" -- $poweroff
	ok vectl wait "$name" --state stopped --timeout 60
	eq "$(pids_of "$name")" '' 'processes after poweroff'
	marks "$name" 'up down'

	note 'stop in the middle of its boot'
	ok vectl start "$name"
	eq "$(ready "$name")" false 'ready, right after the start'
	stops "$name"
	ok vectl start "$name"
	until_ 30 sh -c "vectl logs $name -n 3 | grep -q ."
	stops "$name"

	note 'stop while it reboots'
	ok vectl start "$name" --wait=ready --timeout 60
	# shellcheck disable=SC2086
	try vectl exec "$name" -- $reboot
	stops "$name"
	ok vectl destroy --force "$name"
	ok vectl image remove "inits/$guest"
}

# One guest for each way to stop is enough for the sanitizers.
[ -n "${T_SANITIZED:-}" ] || test_sysvinit_12() { everyday v12 sysvinit-12 /sbin/init reboot poweroff; }
test_sysvinit_13() { everyday v13 sysvinit-13 /sbin/init 'init 6' 'shutdown -h now'; }
[ -n "${T_SANITIZED:-}" ] || test_openrc_13() { everyday o13 openrc-13 /sbin/init reboot poweroff; }
test_openrc_init_13() {
	everyday i13 openrc-13 /sbin/openrc-init 'openrc-shutdown -r now' 'openrc-shutdown -p now'
}
test_runit_13() { everyday u13 runit-13 /sbin/init reboot poweroff; }

# What the manual says to put into inittab for a login on the console.
test_console_login() {
	image_of sysvinit-13
	ok vectl create cl --image inits/sysvinit-13
	ok vectl start cl --wait=ready --timeout 60
	guest cl sh -c 'echo C0:2345:respawn:/sbin/getty -8 --noclear --keep-baud console >>/etc/inittab && telinit q'
	ok pty --expect 'login: ' --send '\x1d\x1d' -- vectl console cl
	ok vectl stop cl --timeout 60
	unlike "$ERR" killed 'what stop says'
	ok vectl destroy --force cl
	ok vectl image remove inits/sysvinit-13
}

test_busybox() {
	ok vectl create bb --image busybox
	ok vectl start bb --wait=ready
	guest bb sh -c 'printf "#!/bin/sh\nsleep 4\necho up >>/root/marks\n" >/etc/rc.local; chmod 755 /etc/rc.local
		sed "2i echo down >>/root/marks" /etc/rc.shutdown >/etc/rc.new; cat /etc/rc.new >/etc/rc.shutdown'
	ok vectl restart bb
	eq "$(ready bb)" false 'ready while its sysinit script runs'
	fails 5 vectl wait bb --state ready --timeout 0.3
	ok vectl wait bb --state ready --timeout 10
	marks bb 'down up'
	eq "$(ready bb)" true
	ok vectl wait bb --state ready --timeout 0
	try vectl exec bb -- /sbin/reboot # init may kill the command before it has ended by itself
	booted bb 3
	marks bb 'down up'
	stops bb
	marks bb down
	ok vectl start bb --wait=ready
	try vectl exec bb -- poweroff
	ok vectl wait bb --state stopped --timeout 20
	marks bb 'up down'
	ok vectl destroy --force bb
}

# Of an init that nothing is known of it cannot be told, and waiting for it ends when it has come to rest.
test_unknown() {
	ok vectl create un --image busybox --set 'init=/bin/sh,-c,trap "exit 0" PWR USR2; sleep 1000 & wait'
	ok vectl start un --wait=ready
	eq "$(ready un)" null
	stops un
	ok vectl destroy --force un
}

# /etc/inittab is the guest's: what is no plain file of its root is not read, and nothing waits for it.
test_hostile_inittab() {
	local what
	ok vectl create hi --image busybox
	ok vectl start hi --wait=ready
	for what in 'mkfifo /etc/inittab' 'mkdir /etc/inittab' 'ln -s /etc/inittab /etc/inittab' 'ln -s /dev/console /etc/inittab' \
		'ln -s /proc/1/mem /etc/inittab' 'ln -s /../../../../etc/passwd /etc/inittab' \
		'head -c 3000000 /dev/zero | tr "\0" ":" >/etc/inittab' \
		'for i in $(seq 2000); do echo "::wait:/bin/x$i"; done >/etc/inittab'; do
		guest hi sh -c "rm -rf /etc/inittab; $what"
		ok timeout 5 vectl list -o name,state,ready
		like "$OUT" '^hi +running +yes'
		ok timeout 5 vectl wait hi --state ready --timeout 3
	done
	guest hi sh -c 'rm -f /etc/inittab; echo "::respawn:/bin/sleep 1000" >/etc/inittab'
	stops hi
	ok vectl destroy --force hi
}
