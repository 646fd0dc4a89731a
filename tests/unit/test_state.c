/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /run/vectl/NAME as libve reads it. The keeper's and the server's records are hostile text: both are unprivileged. */
#include "tests/unit/fixture.h"

#include <limits.h>

#include "cmd/ve-supervisor/supervisor.h"
#include "lib/run/state.h"

static struct fixture f;

static void make(void)
{
	fixture_make(&f);
	cr_assert_eq(mkdir(under(&f, "run/vectl/web1"), 0700), 0);
}

static void drop(void)
{
	fixture_remove(&f);
}

TestSuite(state, .init = make, .fini = drop, .timeout = 60);

/* ---- what the files hold */

#define KEEPER                                                                                                         \
	"state running\nformat 1\nkeeper 101 5001\nserver 102 5002\ninit 103 5003\nids 1879048199 1879113728\nboot "   \
	"3\nstarted 1700000000 123456789012\n"
#define SERVER "boot 3\nready 1\nstatus Startup finished\n"

static int state_file(void)
{
	int fd = open(under(&f, "run/vectl/web1/state"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	return fd;
}

/* As the programs in libexec write them. */
static void put_records(const char *keeper, const char *server)
{
	cleanup_fd int fd = state_file();
	if (keeper)
		state_write(fd, 0, 7, keeper);
	if (server)
		state_write(fd, STATE_RECORD, 4, server);
}

static void patch(off_t at, const char *text)
{
	cleanup_fd int fd = state_file();
	cr_assert_eq(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
}

static int held = -1;

static void hold_lock(void)
{
	held = open(under(&f, "run/vectl/web1/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(held, 0);
	cr_assert_eq(lock_try(held), 0);
}

static struct runtime look(void)
{
	struct runtime rt;
	struct error e = {0};

	memset(&rt, 0x55, sizeof(rt));
	cr_assert_eq(runtime_read(&f.host, "web1", &rt, &e), 0, "%s", e.wrong);
	cr_assert_eq(e.code, 0);
	return rt;
}

/* Nothing but what the folder and the lock say. */
static void expect_nothing_said(int state)
{
	struct runtime rt = look();

	cr_expect_eq(rt.present, 1);
	cr_expect_eq(rt.state, state, "%d", rt.state);
	cr_expect_eq(rt.keeper, 0);
	cr_expect_eq(rt.server, 0);
	cr_expect_eq(rt.init, 0);
	cr_expect_eq(rt.boot, 0);
	cr_expect_eq(rt.ready, 0);
	cr_expect_str_eq(rt.status, "");
}

/* ---- whole records */

Test(state, whole)
{
	put_records(KEEPER, SERVER);
	put_text(under(&f, "run/vectl/web1/undo"), "format 1\ncgroup /sys/fs/cgroup/none/vectl/web1\nlink x\n");
	hold_lock();

	struct runtime rt = look();
	cr_expect_eq(rt.present, 1);
	cr_expect_eq(rt.alive, 1);
	cr_expect_eq(rt.state, VE_RUNNING);
	cr_expect_eq(rt.ready, 1);
	cr_expect_eq(rt.keeper, 101);
	cr_expect_eq(rt.keeper_start, 5001);
	cr_expect_eq(rt.server, 102);
	cr_expect_eq(rt.init, 103);
	cr_expect_eq(rt.init_start, 5003);
	cr_expect_eq(rt.owner, 1879048199);
	cr_expect_eq(rt.base, 1879113728);
	cr_expect_eq(rt.boot, 3);
	cr_expect_eq(rt.started, 1700000000);
	cr_expect_eq(rt.started_ns, 123456789012);
	cr_expect_str_eq(rt.cgroup, "/sys/fs/cgroup/none/vectl/web1");
	cr_expect_str_eq(rt.status, "Startup finished");
}

Test(state, states_of_the_keeper)
{
	static const struct {
		const char *record;
		int state;
	} cases[] = {
		{"state running\nboot 1\n", VE_RUNNING},
		{"state stopped\nboot 1\n", VE_STOPPING},
		{"state starting\nboot 1\n", VE_STARTING},
		{"state running and more\nboot 1\n", VE_STARTING},
		{"boot 1\n", VE_STARTING},
		{"states running\nboot 1\n", VE_STARTING},
		{"boot 1\nstate running\n", VE_RUNNING},
	};

	hold_lock();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_records(cases[i].record, "boot 1\nready 1\nstatus x\n");
		struct runtime rt = look();
		cr_expect_eq(rt.state, cases[i].state, "%s", cases[i].record);
		cr_expect_eq(rt.ready, cases[i].state == VE_RUNNING, "%s", cases[i].record);
	}
}

Test(state, server_of_another_boot)
{
	hold_lock();
	put_records(KEEPER, "boot 2\nready 1\nstatus old\n");
	struct runtime rt = look();
	cr_expect_eq(rt.boot, 3);
	cr_expect_eq(rt.ready, 0);
	cr_expect_str_eq(rt.status, "");
}

Test(state, server_has_written_nothing_yet)
{
	hold_lock();
	put_records(KEEPER, NULL);
	struct runtime rt = look();
	cr_expect_eq(rt.state, VE_RUNNING);
	cr_expect_eq(rt.init, 103);
	cr_expect_eq(rt.ready, 0);
	cleanup_fd int fd = state_file();
	cr_assert_eq(ftruncate(fd, 2 * STATE_RECORD), 0);
	rt = look();
	cr_expect_eq(rt.init, 103);
	cr_expect_eq(rt.ready, 0);
}

Test(state, ready_is_the_digit_one)
{
	static const char *const not_ready[] = {"0", "2", "yes", "", "18446744073709551616", "-1"};

	hold_lock();
	for (size_t i = 0; i < ARRAY_SIZE(not_ready); i++) {
		char record[64];
		FORMAT(record, "boot 3\nready %s\nstatus s\n", not_ready[i]);
		put_records(KEEPER, record);
		struct runtime rt = look();
		cr_expect_eq(rt.ready, 0, "ready '%s'", not_ready[i]);
		cr_expect_str_eq(rt.status, "s");
	}
}

/* A value ends with its line: the next line's numbers are not its own. */
Test(state, values_end_with_their_line)
{
	hold_lock();
	put_records("state running\nboot \n9\nkeeper 5\n6\ninit\n8\nserver \n\n\n77\n", "boot 0\nready 0\nstatus \n");
	struct runtime rt = look();
	cr_expect_eq(rt.boot, 0);
	cr_expect_eq(rt.keeper, 5);
	cr_expect_eq(rt.keeper_start, 0);
	cr_expect_eq(rt.init, 0);
	cr_expect_eq(rt.server, 0);
	cr_expect_str_eq(rt.status, "");
}

/* ---- torn and broken ones */

Test(state, torn)
{
	hold_lock();
	put_records(KEEPER, SERVER);
	cr_expect_eq(look().init, 103);
	patch(0, "seq 8\n"); /* the end says 7 still */
	expect_nothing_said(VE_STARTING);
	patch(0, "seq 7\n");
	cr_expect_eq(look().init, 103);
	/* A server that died in the middle of a write does not hide the keeper's. */
	static const struct {
		off_t at;
		const char *torn, *whole;
	} server[] = {{STATE_RECORD, "seq 5\n", "seq 4\n"}, {2 * STATE_RECORD - 2, "5", "4"}};
	for (size_t i = 0; i < ARRAY_SIZE(server); i++) {
		patch(server[i].at, server[i].torn);
		struct runtime rt = look();
		cr_expect_eq(rt.state, VE_RUNNING);
		cr_expect_eq(rt.init, 103);
		cr_expect_eq(rt.ready, 0);
		cr_expect_str_eq(rt.status, "");
		patch(server[i].at, server[i].whole);
	}
	cr_expect_eq(look().ready, 1);
}

Test(state, garbage)
{
	char noise[2 * STATE_RECORD];
	uint32_t seed = 1;

	hold_lock();
	memset(noise, 0, sizeof(noise));
	put_bytes(under(&f, "run/vectl/web1/state"), noise, sizeof(noise));
	expect_nothing_said(VE_STARTING);
	memset(noise, 'A', sizeof(noise));
	put_bytes(under(&f, "run/vectl/web1/state"), noise, sizeof(noise));
	expect_nothing_said(VE_STARTING);
	for (int i = 0; i < 200; i++) {
		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
		put_bytes(under(&f, "run/vectl/web1/state"), noise, sizeof(noise));
		expect_nothing_said(VE_STARTING);
	}
}

/* Frames alone, frames that overlap, no newline at the end: bounded, and read as nothing. */
Test(state, frames)
{
	static const char *const records[] = {"seq 1\n", "seq 1\nseq 1\n", "seq \n\nseq \n", "seq 1\nstate running",
		"\nseq 1\nseq 1\n", "seq 1", "seq 99999999999999999999\nboot 1\nseq 1\n"};

	hold_lock();
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		char b[2 * STATE_RECORD];
		memset(b, '\n', sizeof(b));
		memcpy(b, records[i], strlen(records[i]));
		put_bytes(under(&f, "run/vectl/web1/state"), b, sizeof(b));
		expect_nothing_said(VE_STARTING);
	}
}

Test(state, short_file)
{
	cleanup_fd int fd = state_file();

	hold_lock();
	put_records(KEEPER, SERVER);
	cr_assert_eq(ftruncate(fd, STATE_RECORD + 100), 0);
	struct runtime rt = look();
	cr_expect_eq(rt.init, 103, "the keeper's record is whole");
	cr_expect_eq(rt.ready, 0);
	cr_assert_eq(ftruncate(fd, STATE_RECORD - 1), 0);
	expect_nothing_said(VE_STARTING);
	cr_assert_eq(ftruncate(fd, 0), 0);
	expect_nothing_said(VE_STARTING);
}

Test(state, huge_numbers)
{
	static const char *const huge[] = {"18446744073709551615", "99999999999999999999999999", "-1", "4294967297",
		"2147483648", "-4294967295", "0x10", "+5"};

	hold_lock();
	for (size_t i = 0; i < ARRAY_SIZE(huge); i++) {
		char record[STATE_RECORD];
		FORMAT(record, "state running\nkeeper %s 1\nserver %s 1\ninit %s 1\nboot 3\n", huge[i], huge[i],
			huge[i]);
		put_records(record, SERVER);
		struct runtime rt = look();
		/* Never another process's number, nor a group of them. */
		cr_expect_eq(rt.keeper, 0, "%s: %d", huge[i], rt.keeper);
		cr_expect_eq(rt.server, 0, "%s: %d", huge[i], rt.server);
		cr_expect_eq(rt.init, 0, "%s: %d", huge[i], rt.init);
		cr_expect_eq(rt.state, VE_RUNNING);
	}
	put_records("state running\nkeeper 2147483647 1\nboot 3\n", SERVER);
	cr_expect_eq(look().keeper, INT_MAX);
	put_records(
		"state running\nids 4294967296 4294967297\nboot 4294967299\nstarted 99999999999999999999 1\n", SERVER);
	struct runtime rt = look();
	cr_expect_eq(rt.owner, 0);
	cr_expect_eq(rt.base, 0);
	cr_expect_eq(rt.boot, 0);
	cr_expect_geq(rt.started, 0);
	cr_expect_eq(rt.ready, 0, "boot 3 is not boot 4294967299");
}

Test(state, hostile_status)
{
	static const struct {
		const char *record, *status;
	} cases[] = {
		{"status \033]0;owned\007\033[2J\n", "?]0;owned??[2J"},
		{"status a\tb\rc\177\n", "a?b?c?"},
		{"status \xc2\x9b"
		 "31mred\n",
			"??31mred"},
		{"status \xff\xfe ok\n", "?? ok"},
		{"status state running\n", "state running"},
		{"status seq 4\n", "seq 4"},
		{"status %s%n%99999d\n", "%s%n%99999d"},
		{"status \n", ""},
		{"status one\nstatus two\n", "one"},
		{"nothing\n", ""},
	};

	hold_lock();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char record[STATE_RECORD];
		FORMAT(record, "boot 3\nready 1\n%s", cases[i].record);
		put_records(KEEPER, record);
		struct runtime rt = look();
		cr_expect_str_eq(rt.status, cases[i].status);
		cr_expect_eq(rt.init, 103);
		cr_expect_eq(rt.ready, 1);
	}
}

Test(state, long_status_is_cut)
{
	char record[STATE_RECORD], status[300];
	struct runtime rt;

	hold_lock();
	memset(status, 's', sizeof(status) - 1);
	status[sizeof(status) - 1] = 0;
	FORMAT(record, "boot 3\nready 1\nstatus %s\n", status);
	put_records(KEEPER, record);
	rt = look();
	cr_expect_eq(strlen(rt.status), sizeof(rt.status) - 1);
	cr_expect_eq(strspn(rt.status, "s"), sizeof(rt.status) - 1);
}

/* A body longer than its frame is cut by the writer so that the frame holds. */
Test(state, a_record_that_is_full)
{
	char body[2 * STATE_RECORD];

	hold_lock();
	memset(body, 'x', sizeof(body));
	memcpy(body, "state running\ninit 103 9\nboot 3\nfill ", 37);
	body[sizeof(body) - 1] = 0;
	put_records(body, SERVER);
	struct runtime rt = look();
	cr_expect_eq(rt.state, VE_RUNNING);
	cr_expect_eq(rt.init, 103);
	cr_expect_eq(rt.ready, 1);
}

/* ---- what the lock says */

Test(state, absent)
{
	struct runtime rt;
	struct error e = {0};

	memset(&rt, 0x55, sizeof(rt));
	cr_expect_eq(runtime_read(&f.host, "nobody", &rt, &e), 0);
	cr_expect_eq(rt.present, 0);
	cr_expect_eq(rt.alive, 0);
	cr_expect_eq(rt.state, VE_STOPPED);
	cr_expect_str_eq(rt.cgroup, "");
}

Test(state, empty_folder_is_stopped)
{
	expect_nothing_said(VE_STOPPED);
	cr_expect_eq(look().alive, 0);
}

Test(state, nobody_holds_the_lock)
{
	put_records(KEEPER, SERVER);
	struct runtime rt = look();
	cr_expect_eq(rt.present, 1);
	cr_expect_eq(rt.alive, 0);
	cr_expect_eq(rt.state, VE_STOPPED);
	put_text(under(&f, "run/vectl/web1/lock"), "");
	rt = look();
	cr_expect_eq(rt.alive, 0);
	cr_expect_eq(rt.state, VE_STOPPED);
}

Test(state, the_lock_says_alive_until_it_is_let_go)
{
	put_records(KEEPER, SERVER);
	hold_lock();
	cr_expect_eq(look().alive, 1);
	cr_expect_eq(look().state, VE_RUNNING);
	close(held);
	cr_expect_eq(look().alive, 0);
	cr_expect_eq(look().state, VE_STOPPED);
}

/* Looking takes no lock itself: what looks at the same time, or starts next, is not disturbed. */
Test(state, looking_holds_nothing)
{
	put_records(KEEPER, SERVER);
	put_text(under(&f, "run/vectl/web1/lock"), "");
	look();
	hold_lock();
	cr_expect_eq(look().alive, 1);
}

Test(state, alive_without_a_state)
{
	hold_lock();
	expect_nothing_said(VE_STARTING);
	cr_expect_eq(look().alive, 1);
}

/* ---- links and folders in the place of files */

Test(state, links_are_not_followed)
{
	put_records(KEEPER, SERVER);
	cr_assert_eq(rename(under(&f, "run/vectl/web1/state"), under(&f, "elsewhere")), 0);
	cr_assert_eq(symlink(under(&f, "elsewhere"), under(&f, "run/vectl/web1/state")), 0);
	hold_lock();
	expect_nothing_said(VE_STARTING);
	close(held);
	cr_assert_eq(rename(under(&f, "run/vectl/web1/lock"), under(&f, "lock")), 0);
	cr_assert_eq(symlink(under(&f, "lock"), under(&f, "run/vectl/web1/lock")), 0);
	held = open(under(&f, "lock"), O_RDWR | O_CLOEXEC);
	cr_assert_eq(lock_try(held), 0);
	cr_expect_eq(look().alive, 0);

	cr_assert_eq(rename(under(&f, "run/vectl/web1"), under(&f, "away")), 0);
	cr_assert_eq(symlink(under(&f, "away"), under(&f, "run/vectl/web1")), 0);
	struct runtime rt;
	struct error e = {0};
	memset(&rt, 0x55, sizeof(rt));
	cr_expect_eq(runtime_read(&f.host, "web1", &rt, &e), -ENOTDIR);
	cr_expect_eq(e.errnum, ENOTDIR);
	cr_expect_str_eq(e.tried, "read the VE's state");
	cr_expect_eq(rt.present, 0x55555555, "outputs are untouched on failure");
}

Test(state, undo_record)
{
	char line[700];

	put_text(under(&f, "run/vectl/web1/undo"), "cgroups /a\ncgroup /b/c\n");
	cr_expect_str_eq(look().cgroup, "/b/c");
	put_text(under(&f, "run/vectl/web1/undo"), "cgroup ");
	cr_expect_str_eq(look().cgroup, "");
	put_text(under(&f, "run/vectl/web1/undo"), "cgroup /no/newline");
	cr_expect_str_eq(look().cgroup, "/no/newline");
	/* Half a path is another path. */
	memset(line, 'p', sizeof(line));
	memcpy(line, "cgroup /", 8);
	line[sizeof(line) - 1] = 0;
	put_text(under(&f, "run/vectl/web1/undo"), line);
	cr_expect_str_eq(look().cgroup, "");
}

Test(state, long_names)
{
	char name[PATH_MAX + 10];
	struct runtime rt;
	struct error e = {0};

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	cr_expect_eq(runtime_read(&f.host, name, &rt, &e), -ENAMETOOLONG);
	cr_expect_eq(e.errnum, ENAMETOOLONG);
}

/* ---- who is never signalled or entered */

Test(state, no_init_is_opened_on_hearsay)
{
	struct ve ve = {.host = &f.host, .name = "web1"};
	struct runtime rt = {.alive = 1, .present = 1, .state = VE_RUNNING, .init = getpid(), .boot = 1};
	struct error e = {0};

	cr_assert_eq(mkdir(under(&f, "var/lib/vectl/ve"), 0700), 0);
	cr_assert_eq(mkdir(under(&f, "var/lib/vectl/ve/web1"), 0700), 0);
	cr_assert_eq(symlink("1879113728 1879048199", under(&f, "var/lib/vectl/ve/web1/ids")), 0);
	FORMAT(rt.cgroup, "/sys/fs/cgroup/vectl/web1");
	rt.base = 1879113728;
	rt.owner = 1879048199;

	/* This very process, pid 1 of the machine, a process that is not there, and none at all. */
	const pid_t pids[] = {getpid(), 1, INT_MAX, 0};
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		e = (struct error){0};
		rt.init = pids[i];
		cr_expect_eq(runtime_open_init(&ve, &rt, &e), -ESRCH, "%d", pids[i]);
		cr_expect_eq(e.code, VE_E_STATE);
		cr_expect_str_eq(e.ve, "web1");
		cr_expect_str_eq(e.remedy, "`vectl stop --force` ends what is left of it");
	}
	e = (struct error){0};
	rt.init = getpid();
	rt.alive = 0;
	cr_expect_eq(runtime_open_init(&ve, &rt, &e), -ESRCH);
	cr_expect_str_eq(e.wrong, "the VE's init is not running");
}

Test(state, names)
{
	cr_expect_str_eq(ve_state_name(VE_STOPPED), "stopped");
	cr_expect_str_eq(ve_state_name(VE_STARTING), "starting");
	cr_expect_str_eq(ve_state_name(VE_RUNNING), "running");
	cr_expect_str_eq(ve_state_name(VE_PAUSED), "paused");
	cr_expect_str_eq(ve_state_name(VE_STOPPING), "stopping");
	cr_expect_str_eq(ve_state_name(-1), "unknown");
	cr_expect_str_eq(ve_state_name(5), "unknown");
}
