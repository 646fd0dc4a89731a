/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that call themselves what they like. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "cmd/ve-supervisor/supervisor.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/run/proc.h"

TestSuite(proc, .timeout = 60);

static const char *const hostile[] = {
	") 0 0 0 0 0 0 (",
	") Z 1 1 1 1 1",
	"a)b (c",
	")))))))))))))))",
	"(((",
	"x\ny\tz",
	"\nUid:\t7\t7\t7\t7",
	"Uid:\t7",
	"\nNSpid:\t1\n",
	"\033[2J\007\177",
	"%s%n%d",
	"\\",
	" ",
	"",
};

static void be_called(const char *name)
{
	cr_assert_eq(prctl(PR_SET_NAME, name), 0);
}

Test(proc, a_name_forges_no_field)
{
	struct proc_status before, st;
	uint64_t start = proc_start_time(getpid());

	cr_assert_eq(proc_status(getpid(), &before), 0);
	cr_assert_gt(start, 0);
	cr_expect_eq(start, start_time(getpid()), "what the keeper writes down and what libve reads");
	cr_expect_eq(before.uid, getuid());
	cr_expect_eq(before.ns_pid, getpid());
	cr_expect_eq(before.state, 'R');
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		be_called(hostile[i]);
		cr_expect_eq(proc_start_time(getpid()), start, "'%s'", hostile[i]);
		cr_expect_eq(start_time(getpid()), start, "'%s'", hostile[i]);
		cr_expect_geq(proc_cpu_ns(getpid()), 0, "'%s'", hostile[i]);
		memset(&st, 0x55, sizeof(st));
		cr_assert_eq(proc_status(getpid(), &st), 0, "'%s'", hostile[i]);
		cr_expect_eq(st.uid, getuid(), "'%s'", hostile[i]);
		cr_expect_eq(st.ns_pid, getpid(), "'%s'", hostile[i]);
		cr_expect_eq(st.state, 'R', "'%s'", hostile[i]);
		cr_expect_lt(strlen(st.name), sizeof(st.name));
		for (const char *p = st.name; *p; p++)
			cr_expect((unsigned char)*p >= ' ' && *p != 127, "'%s'", hostile[i]);
	}
}

Test(proc, names_as_they_are_shown)
{
	static const struct {
		const char *name, *shown;
	} cases[] = {
		{"plain", "plain"},
		{") 0 0 (", ") 0 0 ("},
		{"x\ny", "x\\ny"}, /* the kernel's own escape */
		{"t\tab", "t?ab"},
		{"\033[2J", "?[2J"},
		{"\177", "?"},
		{"back\\slash", "back\\\\slash"},
		{" lead", "lead"},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc_status st;
		be_called(cases[i].name);
		cr_assert_eq(proc_status(getpid(), &st), 0);
		cr_expect_str_eq(st.name, cases[i].shown);
	}
}

Test(proc, memory_in_bytes)
{
	enum { SIZE = 64 << 20 };
	struct proc_status before, after;

	cr_assert_eq(proc_status(getpid(), &before), 0);
	void *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	cr_assert_neq(p, MAP_FAILED);
	cr_assert_eq(proc_status(getpid(), &after), 0);
	cr_expect_gt(after.rss - before.rss, SIZE - (4 << 20));
	cr_expect_lt(after.rss - before.rss, SIZE + (4 << 20));
	munmap(p, SIZE);
}

static int64_t cpu_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

Test(proc, processor_time_in_nanoseconds)
{
	int64_t before = cpu_now();
	while (cpu_now() - before < 200000000)
		;
	int64_t low = cpu_now(), have = proc_cpu_ns(getpid()), high = cpu_now();

	/* The file counts in ticks of 10 ms, user and system time each cut. */
	cr_expect_geq(have, low - 40000000, "%lld of %lld", (long long)have, (long long)low);
	cr_expect_leq(have, high + 20000000, "%lld of %lld", (long long)have, (long long)high);
}

Test(proc, nobody)
{
	struct proc_status st = {.uid = 77};
	char b[64] = "x";

	cr_expect_eq(proc_status(INT_MAX, &st), -ENOENT);
	cr_expect_eq(st.uid, 77);
	cr_expect_eq(proc_start_time(INT_MAX), 0);
	cr_expect_eq(start_time(INT_MAX), 0);
	cr_expect_eq(proc_cpu_ns(INT_MAX), -1);
	proc_command(INT_MAX, b, sizeof(b));
	cr_expect_str_eq(b, "[]");
	cr_expect_eq(proc_status(-1, &st), -ENOENT);
	cr_expect_eq(proc_start_time(-1), 0);
}

static pid_t spawn(const char *path, char *const argv[])
{
	char *const env[] = {NULL};
	pid_t pid;
	cr_assert_eq(posix_spawn(&pid, path, NULL, NULL, argv, env), 0, "%s", path);
	return pid;
}

/* cat under another name, once it has answered: right after the exec there are no arguments for a moment. */
static pid_t spawn_cat(char *name)
{
	char *const argv[] = {name, "-", NULL}, *const env[] = {NULL};
	posix_spawn_file_actions_t actions;
	int in[2], out[2];
	pid_t pid;
	char c = 0;

	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	cr_assert_eq(posix_spawn(&pid, "/bin/cat", &actions, NULL, argv, env), 0);
	posix_spawn_file_actions_destroy(&actions);
	cr_assert_eq(write(in[1], "!", 1), 1);
	cr_assert_eq(read(out[0], &c, 1), 1);
	cr_assert_eq(c, '!');
	return pid;
}

static void end(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(proc, command)
{
	char name[] = "\033]0;evil\007 na\nme\177", b[256];
	pid_t pid = spawn_cat(name);

	proc_command(pid, b, sizeof(b));
	cr_expect_str_eq(b, "?]0;evil? na?me? -");
	for (size_t size = 1; size < 24; size++) {
		memset(b, 0x7e, sizeof(b));
		proc_command(pid, b, size);
		cr_expect_eq(strlen(b), size - 1 < 18 ? size - 1 : 18);
		cr_expect_eq(b[size], 0x7e, "written past %zu bytes", size);
	}
	cr_expect_geq(proc_start_time(pid), proc_start_time(getpid()));
	end(pid);
	cr_expect_eq(proc_start_time(pid), 0);
}

Test(proc, long_command_is_cut)
{
	char word[2000], b[4096];

	memset(word, 'w', sizeof(word));
	word[sizeof(word) - 1] = 0;
	pid_t pid = spawn_cat(word);
	proc_command(pid, b, sizeof(b));
	cr_expect_gt(strlen(b), 200, "%s", b);
	cr_expect_eq(strspn(b, "w"), strlen(b));
	end(pid);
}

/* One that has ended has no arguments any more; its name stands in brackets. */
Test(proc, zombie)
{
	char *const argv[] = {"true", NULL};
	pid_t pid = spawn("/bin/true", argv);
	siginfo_t info;
	struct proc_status st;
	char b[64], small[4] = {0x7e, 0x7e, 0x7e, 0x7e};

	cr_assert_eq(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(proc_status(pid, &st), 0);
	cr_expect_eq(st.state, 'Z');
	cr_expect_eq(st.rss, 0);
	cr_expect_gt(proc_start_time(pid), 0);
	proc_command(pid, b, sizeof(b));
	cr_expect_str_eq(b, "[true]");
	proc_command(pid, small, 3);
	cr_expect_str_eq(small, "[t");
	cr_expect_eq(small[3], 0x7e);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}
