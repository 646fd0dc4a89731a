/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which init it is, and what its inittab makes it wait for: names and files of guests, which are hostile text. */
#include "tests/unit/fixture.h"

#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/util.h"
#include "lib/run/init_kind.h"
#include "lib/run/proc.h"

TestSuite(init_kind, .timeout = 60);

extern char **environ;

Test(init_kind, programs)
{
	static const struct {
		const char *program;
		enum init_ready ready;
		enum init_stop stop;
		int signal, realtime;
	} want[] = {
		{"systemd", READY_NOTIFY, STOP_SIGNAL, 4, 1},
		{"init", READY_INITTAB, STOP_INITCTL, SIGPWR, 0},
		{"busybox", READY_INITTAB, STOP_SIGNAL, SIGUSR2, 0},
		{"openrc-init", READY_NO_CHILD, STOP_SIGNAL, SIGTERM, 0},
		{"runit", READY_CHILD, STOP_RUNLEVEL_0, SIGCONT, 0},
		{"bash", READY_UNKNOWN, STOP_SIGNAL, SIGPWR, 0},
		{"", READY_UNKNOWN, STOP_SIGNAL, SIGPWR, 0},
		{"initial", READY_UNKNOWN, STOP_SIGNAL, SIGPWR, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const struct init_kind *k = init_kind_by_name(want[i].program);
		cr_expect_eq(k->ready, want[i].ready, "'%s'", want[i].program);
		cr_expect_eq(k->stop, want[i].stop, "'%s'", want[i].program);
		cr_expect_eq(k->signal, want[i].signal, "'%s'", want[i].program);
		cr_expect_eq(k->realtime, want[i].realtime, "'%s'", want[i].program);
	}
}

static void expect_names(const char *inittab, int waits, const char *const *want)
{
	struct init_boot_names names;
	init_boot_names(inittab, &names);
	cr_expect_eq(names.waits, waits, "waits: %d", names.waits);
	size_t n = 0;
	for (; want[n]; n++)
		cr_expect(init_is_boot_name(&names, want[n]), "'%s' is not among them", want[n]);
	cr_expect_eq(names.n, n + 1, "%zu names, not %zu", names.n, n + 1);
	cr_expect(init_is_boot_name(&names, "openrc"));
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(init_kind, inittab_of_debian)
{
	expect_names("# a comment:2:wait:/no\n"
		     "id:2:initdefault:\n"
		     "si::sysinit:/etc/init.d/rcS\n"
		     "~~:S:wait:/sbin/sulogin --force\n"
		     "l0:0:wait:/etc/init.d/rc 0\n"
		     "l2:2:wait:/etc/init.d/rc 2\n"
		     "ca:12345:ctrlaltdel:/sbin/shutdown -t1 -a -r now\n"
		     "pf::powerwait:/etc/init.d/powerfail start\n"
		     "1:2345:respawn:/sbin/getty --noclear 38400 tty1\n",
		1, NAMES("rcS", "rc", "sulogin"));
}

Test(init_kind, inittab_of_busybox)
{
	expect_names("::sysinit:/sbin/openrc sysinit\n::wait:/sbin/openrc default\n::respawn:/sbin/syslogd -n\n", 1,
		(const char *const[]){NULL});
	expect_names("::sysinit: exec /etc/rc one:two\n  ::wait:-/bin/later\ntty1::askfirst:-/bin/sh\n", 1,
		NAMES("rc", "later"));
	expect_names(NULL, 1, NAMES("rcS"));
	expect_names("", 0, (const char *const[]){NULL});
	expect_names("::respawn:/bin/sh", 0, (const char *const[]){NULL});
}

/* A name that is there for good as well tells nothing: with it the VE would never be ready. */
Test(init_kind, names_that_tell_nothing)
{
	expect_names("::sysinit:/bin/sh /etc/boot\n::wait:/etc/rc\n::respawn:-/bin/sh\n", 1, NAMES("rc"));
}

Test(init_kind, hostile_inittab)
{
	static const char *const nothing[] = {NULL};
	struct init_boot_names names;
	char text[INITTAB_MAX + 1];

	/* The kernel keeps 15 bytes of a name, and so does what is looked for. */
	expect_names("::wait:/bin/a-name-that-is-too-long-to-be-kept\n", 1, NAMES("a-name-that-is-"));
	expect_names("::wait:\n::wait:/\n::wait:exec\n::wait:   \n", 0, nothing);
	expect_names(":\n::\n:::\n::::\nwait\n::wait\n::WAIT:/x\n", 0, nothing);
	expect_names("::wait:/a/b/\n", 0, nothing);

	/* More names than there is room for. */
	size_t at = 0;
	for (int i = 0; i < 900; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "::wait:/x%04d\n", i);
	init_boot_names(text, &names);
	cr_expect_leq(names.n, INIT_BOOT_NAMES);
	memset(text, ':', sizeof text - 1);
	text[sizeof text - 1] = 0;
	init_boot_names(text, &names);
	cr_expect_eq(names.waits, 0);
	memset(text, 'x', sizeof text - 1);
	memcpy(text, "::wait:/", 8);
	init_boot_names(text, &names);
	cr_expect(init_is_boot_name(&names, "xxxxxxxxxxxxxxx"));
}

static int keep(pid_t pid, void *arg)
{
	pid_t *seen = arg;
	return *seen == pid ? 1 : 0;
}

/* A program that was replaced since it was executed is still that program. */
Test(init_kind, program_of_a_process)
{
	struct fixture f;
	char name[64], copy[600];
	fixture_make(&f);
	const char *path = under(&f, "openrc-init");
	cr_assert_gt(FORMAT(copy, "cp /bin/sleep %s", path), 0);
	cr_assert_eq(system(copy), 0);
	pid_t pid;
	char *argv[] = {"something else", "60", NULL};
	cr_assert_eq(posix_spawn(&pid, path, NULL, NULL, argv, environ), 0);
	cr_expect_eq(proc_program(pid, name, sizeof name), 0);
	cr_expect_str_eq(name, "openrc-init");
	cr_expect_str_eq(init_kind_of(pid)->program, "openrc-init");
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(proc_program(pid, name, sizeof name), 0);
	cr_expect_str_eq(name, "openrc-init");
	cr_expect_eq(proc_comm(pid, name, sizeof name), 0);
	cr_expect_str_eq(name, "openrc-init");

	pid_t seen = pid;
	cr_expect_eq(proc_each_child(getpid(), keep, &seen), 1);
	seen = getpid();
	cr_expect_eq(proc_each_child(getpid(), keep, &seen), 0);
	cr_expect_eq(proc_each_child(pid, keep, &pid), 0);
	cr_expect_eq(proc_has_reaped(pid), 0);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(proc_has_reaped(getpid()), 1);
	cr_expect_str_eq(init_kind_of(pid)->program, "");
	cr_expect_lt(proc_program(pid, name, sizeof name), 0);
	fixture_remove(&f);
}
