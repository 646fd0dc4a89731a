# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A hostile guest or image, and a caller whose own surroundings must not get inside.
# privileged: hostname_through_open_folders umask_of_the_caller scheduling_of_the_caller
# privileged: stop_meets_reboot server_stands_still

# Links of the image that lead through whatever the process that becomes init has open (CVE-2024-21626 class): with a
# folder of the host's among it, they would reach the host.
host_bait() { # makes $bait, a host folder with an init of its own, and $up, enough dots to leave any folder
	bait=$T_TMP/bait
	mkdir -p "$bait"
	chmod 0777 "$bait" # so that only the way there is in question
	cp "$(host_arch_busybox)" "$bait/init"
	up=$(printf '../%.0s' $(seq 30))
}

test_init_through_open_folders() {
	host_bait
	busybox_ve h1
	local fd
	for fd in $(seq 3 24); do
		ok vectl stop --force h1
		ok vectl start h1
		guest h1 sh -c "rm -f /sbin/init; ln -s /proc/self/fd/$fd/$up$bait/init /sbin/init; cp /bin/busybox /bin/keep"
		# A reboot and a first boot: neither finds a program there.
		vectl exec h1 -- /bin/busybox reboot -f || true
		until_ 10 sh -c '[ "$(vectl list -o name,state | grep "^h1 " | tr -s " " | cut -d" " -f2)" = stopped ]'
		exits 1 vectl start h1
		eq "$(state h1)" stopped
		ok vectl destroy h1
		busybox_ve h1
	done
	ok vectl destroy --force h1
}

test_hostname_through_open_folders() {
	host_bait
	ok vectl create h2 --image busybox --hostname h2
	ok vectl start h2
	local fd
	for fd in $(seq 3 24); do
		guest h2 sh -c "rm -f /etc/hostname; ln -s /proc/self/fd/$fd/$up$bait/written$fd /etc/hostname"
		vectl stop --force h2
		vectl start h2 2>/dev/null || {
			# A link to nowhere fails the start; what counts is that nothing was written.
			ok vectl destroy --force h2
			ok vectl create h2 --image busybox --hostname h2
			ok vectl start h2
		}
	done
	eq "$(find "$bait" -name 'written*')" '' 'files that a VE made on the host'
	ok vectl destroy --force h2
}

test_umask_of_the_caller() {
	ok vectl create h3 --image busybox
	(umask 077 && vectl start h3) || die 'no start under umask 077'
	try vectl exec h3 -- reboot # whose own end by the reboot is none of the matter
	until_ 10 sh -c 'vectl info h3 --json | grep -q "\"boot\": 2"'
	guest h3 true
	ok vectl destroy --force h3
}

test_scheduling_of_the_caller() {
	ok vectl create h4 --image busybox
	ok nice -n 7 taskset -c 0 setarch -R vectl start h4
	local init
	init=$(info h4 "d['pid']")
	eq "$(ps -o ni= -p "$init" | tr -d ' ')" 0 'nice value of init'
	eq "$(cat "/proc/$init/personality")" 00000000 'personality of init'
	eq "$(cat "/proc/$init/oom_score_adj")" 0 'oom_score_adj of init'
	eq "$(taskset -p "$init" | sed 's/.*: //')" "$(taskset -p $$ | sed 's/.*: //')" 'CPUs of init'
	ok vectl destroy --force h4
}

# A reboot loop is slowed down, and still ends when it is told to.
test_reboot_loop() {
	busybox_ve h5
	guest h5 sh -c 'printf "::sysinit:/bin/busybox reboot -f\n" >/etc/inittab'
	vectl exec h5 -- /bin/busybox reboot -f || true
	until_ 10 sh -c '[ "$(vectl info h5 --json | sed -n "s/.*\"boot\": \([0-9]*\),/\1/p")" -gt 8 ]'
	local before after
	before=$(info h5 "d['boot']")
	python3 -c 'import select; select.select([], [], [], 3)'
	after=$(info h5 "d['boot']")
	[ $((after - before)) -le 14 ] || die "$((after - before)) boots in three seconds"
	ok vectl stop --force h5
	ok vectl destroy h5
}

# A stop that meets a guest on its way to a reboot ends it all the same.
test_stop_meets_reboot() {
	local i
	busybox_ve h6
	for i in 1 2 3 4 5; do
		try vectl exec h6 -- reboot # whose own end by the reboot is none of the matter
		ok vectl stop h6 --timeout 20
		eq "$(state h6)" stopped
		ok vectl start h6
	done
	ok vectl destroy --force h6
}

# The server stands still, as one that was taken over might: nobody waits for it.
test_server_stands_still() {
	busybox_ve h7
	local keeper server i
	keeper=$(info h7 "d['keeper']")
	server=$(pids_of h7 supervisor | grep -vx "$keeper")
	kill -STOP "$server"
	eq "$(state h7)" running
	guest h7 true
	for i in 1 2 3; do
		try vectl exec h7 -- reboot # whose own end by the reboot is none of the matter
		until_ 10 sh -c "vectl info h7 --json | grep -q '\"boot\": $((i + 1))'"
	done
	ok vectl stop --force h7
	ok vectl destroy h7
}
