/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The programs are run here by a small interpreter of their own, over every call of the build host's table, and once
 * for real by confine_probe.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "config.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/confine/confine.h"
#include "lib/confine/program.h"

/* CALL(read, 0) …: what <asm/unistd.h> of the build host names */
#define CALL(call, n) {#call, n},
static const struct {
	const char *name;
	unsigned number;
} host_calls[] = {
#include "confine_host_calls.h"
};

struct program {
	struct sock_filter *code;
	size_t n;
};

enum { BROKEN = 0xdead };

/* Classic BPF as far as seccomp programs use it. */
static uint32_t run(const struct program *p, const struct seccomp_data *data)
{
	uint32_t a = 0, word;

	for (size_t pc = 0; pc < p->n; pc++) {
		const struct sock_filter *i = &p->code[pc];
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k > sizeof(*data) - sizeof(word))
				return BROKEN;
			memcpy(&word, (const char *)data + i->k, sizeof(word));
			a = word;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			return BROKEN;
		}
	}
	return BROKEN;
}

static uint32_t decide(const struct program *p, int number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct seccomp_data data = {.nr = number, .arch = seccomp_arch_native(), .args = {a0, a1, a2, a3}};

	return run(p, &data);
}

static uint32_t decide_named(
	const struct program *p, const char *name, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	int number = seccomp_syscall_resolve_name(name);

	cr_assert_geq(number, 0, "%s", name);
	return decide(p, number, a0, a1, a2, a3);
}

static struct program compiled(const char *profile)
{
	struct program p;
	struct error e = {0};
	void *code;
	size_t size;

	cr_assert_eq(program_compile(profile_find(profile), &code, &size, &e), 0, "%s: %s", e.tried, e.wrong);
	p.code = code;
	p.n = size / sizeof(struct sock_filter);
	return p;
}

/* How often a profile names a call; *ret_verdict: as what, -1 for by argument. */
static unsigned count_name(const struct profile *profile, const char *wanted, int *ret_verdict)
{
	unsigned n = 0;

	for (size_t i = 0; i < profile->n_rows; i++) {
		const char *names = profile->rows[i].calls;
		char name[CALL_NAME_MAX];
		int number, r;
		while ((r = profile_next_call(&names, name, &number)) > 0) {
			if (strcmp(name, wanted) == 0) {
				n++;
				*ret_verdict = (int)profile->rows[i].verdict;
			}
		}
		cr_assert_eq(r, 0, "row %zu of %s is malformed", i, profile->name);
	}
	for (size_t i = 0; i < profile->n_filtered; i++) {
		if (strcmp(profile->filtered[i].call, wanted) == 0) {
			n++;
			*ret_verdict = -1;
		}
	}
	return n;
}

Test(confine, every_call_of_the_build_host_is_decided_once)
{
	static const uint32_t actions[] = {SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ERRNO(ENOSYS)};
	const struct profile *profile = profile_find("default");
	struct program p = compiled("default");

	cr_assert_gt(ARRAY_SIZE(host_calls), 250);
	for (size_t i = 0; i < ARRAY_SIZE(host_calls); i++) {
		const char *name = host_calls[i].name;
		int verdict = -2;
		unsigned n = count_name(profile, name, &verdict);
		cr_expect_eq(n, 1, "%s stands %u times in the profile", name, n);
		if (n != 1 || verdict < 0)
			continue;
		uint32_t got = decide(&p, (int)host_calls[i].number, 0, 0, 0, 0);
		cr_expect_eq(got, actions[verdict], "%s (%u): %x", name, host_calls[i].number, got);
	}
	free(p.code);
}

Test(confine, no_name_stands_twice)
{
	static const char *const profiles[] = {"default", "privileged", "supervisor"};

	for (size_t k = 0; k < ARRAY_SIZE(profiles); k++) {
		const struct profile *profile = profile_find(profiles[k]);
		for (size_t i = 0; i < profile->n_rows; i++) {
			const char *names = profile->rows[i].calls;
			char name[CALL_NAME_MAX];
			int number, verdict;
			while (profile_next_call(&names, name, &number) > 0)
				cr_expect_eq(count_name(profile, name, &verdict), 1, "%s in %s", name, profiles[k]);
			cr_expect(profile->rows[i].why[0]);
		}
	}
}

Test(confine, names_of_the_table)
{
	static const char *const malformed[] = {" read", "read  write", "=3", "read=", "read=-1", "read=3x"};
	const char *names = "read cachestat=451 write";
	char name[CALL_NAME_MAX];
	int number;

	cr_assert_eq(profile_next_call(&names, name, &number), 1);
	cr_assert_str_eq(name, "read");
	cr_assert_eq(number, -1);
	cr_assert_eq(profile_next_call(&names, name, &number), 1);
	cr_assert_str_eq(name, "cachestat");
	cr_assert_eq(number, 451);
	cr_assert_eq(profile_next_call(&names, name, &number), 1);
	cr_assert_str_eq(name, "write");
	cr_assert_eq(profile_next_call(&names, name, &number), 0);
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		int r;
		names = malformed[i];
		while ((r = profile_next_call(&names, name, &number)) > 0)
			;
		cr_expect_eq(r, -EINVAL, "'%s': %d", malformed[i], r);
	}
}

Test(confine, numbers_that_nobody_knows_are_enosys)
{
	struct program p = compiled("default");

	for (int number = 480; number < 4096; number++)
		cr_assert_eq(decide(&p, number, 0, 0, 0, 0), SCMP_ACT_ERRNO(ENOSYS), "%d", number);
	/* Calls that libseccomp 2.5.4 does not know go by the table's own number. */
	cr_expect_eq(decide(&p, 452, 0, 0, 0, 0), SCMP_ACT_ALLOW, "fchmodat2");
	cr_expect_eq(decide(&p, -1, 0, 0, 0, 0), SCMP_ACT_ERRNO(ENOSYS));
	free(p.code);
}

Test(confine, socket_families)
{
	struct program p = compiled("default");

	for (uint64_t family = 0; family < 300; family++) {
		int allowed = family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_PACKET ||
			      family == AF_NETLINK;
		uint32_t expected = allowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT);
		cr_expect_eq(decide_named(&p, "socket", family, SOCK_RAW, 0, 0), expected, "family %d", (int)family);
		cr_expect_eq(decide_named(&p, "socket", family | UINT64_C(1) << 32, SOCK_RAW, 0, 0), expected,
			"family %d with high bits", (int)family);
		cr_expect_eq(decide_named(&p, "socketpair", family, SOCK_STREAM, 0, 0),
			family == AF_UNIX ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT), "pair of %d", (int)family);
	}
	cr_expect_eq(decide_named(&p, "socket", UINT64_MAX, 0, 0, 0), SCMP_ACT_ERRNO(EAFNOSUPPORT));
	for (uint64_t high = 0; high <= UINT64_C(1) << 63; high = high ? high << 1 : UINT64_C(1) << 32) {
		cr_expect_eq(decide_named(&p, "socket", AF_NETLINK, SOCK_RAW, high | NETLINK_AUDIT, 0),
			SCMP_ACT_ERRNO(EAFNOSUPPORT));
		if (high == UINT64_C(1) << 63)
			break;
	}
	cr_expect_eq(
		decide_named(&p, "socket", AF_NETLINK, SOCK_RAW, NETLINK_CRYPTO, 0), SCMP_ACT_ERRNO(EPROTONOSUPPORT));
	cr_expect_eq(
		decide_named(&p, "socket", AF_INET, SOCK_RAW, NETLINK_AUDIT, 0), SCMP_ACT_ALLOW, "another family's 9");
	free(p.code);
}

Test(confine, terminal_injection)
{
	struct program p = compiled("default");

	for (int bit = 31; bit < 64; bit++) {
		uint64_t high = bit < 32 ? 0 : UINT64_C(1) << bit;
		cr_expect_eq(decide_named(&p, "ioctl", 0, high | TIOCSTI, 0, 0), SCMP_ACT_ERRNO(EPERM));
		cr_expect_eq(decide_named(&p, "ioctl", 0, high | TIOCLINUX, 0, 0), SCMP_ACT_ERRNO(EPERM));
	}
	cr_expect_eq(decide_named(&p, "ioctl", 0, TIOCGWINSZ, 0, 0), SCMP_ACT_ALLOW);
	cr_expect_eq(decide_named(&p, "ioctl", TIOCSTI, 0, 0, 0), SCMP_ACT_ALLOW, "an fd of that number");
	free(p.code);
}

/* What an ordinary root may and root in a user namespace may not; all else is as by default. */
Test(confine, privileged_refuses_more)
{
	static const unsigned long refused[] = {TIOCSTI, TIOCLINUX, TIOCCONS, FIFREEZE, FITHAW};
	struct program p = compiled("privileged"), d = compiled("default");

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		for (uint64_t high = 0; high < 4; high++)
			cr_expect_eq(decide_named(&p, "ioctl", 0, high << 32 | refused[i], 0, 0), SCMP_ACT_ERRNO(EPERM),
				"%lx", refused[i]);
	cr_expect_eq(decide_named(&p, "ioctl", 0, TIOCGWINSZ, 0, 0), SCMP_ACT_ALLOW);
	for (int number = -1; number < 1024; number++)
		for (uint64_t arg = 0; arg < 64; arg++)
			cr_assert_eq(decide(&p, number, arg, arg, arg, arg), decide(&d, number, arg, arg, arg, arg),
				"%d", number);
	free(p.code);
	free(d.code);
}

Test(confine, other_architectures_are_refused)
{
	static const struct {
		const char *profile;
		uint32_t action;
	} cases[] = {{"default", SCMP_ACT_ERRNO(ENOSYS)}, {"privileged", SCMP_ACT_ERRNO(ENOSYS)},
		{"supervisor", SCMP_ACT_KILL_PROCESS}};
	static const uint32_t arches[] = {AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_PPC64LE, 0};

	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		struct program p = compiled(cases[k].profile);
		for (size_t i = 0; i < ARRAY_SIZE(arches); i++) {
			for (int number = 0; number < 512; number++) {
				struct seccomp_data data = {.nr = number, .arch = arches[i]};
				cr_assert_eq(run(&p, &data), cases[k].action, "%x %d", arches[i], number);
			}
		}
#if defined(__x86_64__)
		for (int number = 0; number < 600; number++) /* x32 */
			cr_assert_eq(decide(&p, 0x40000000 | number, 1, 1, 1, 1), cases[k].action, "%d", number);
#endif
		free(p.code);
	}
}

Test(confine, supervisor_dies_of_what_it_never_does)
{
	static const char *const forbidden[] = {"execve", "socket", "connect", "bind", "unshare", "setns", "mount",
		"open_by_handle_at", "bpf", "keyctl", "finit_module", "memfd_create", "setuid", "capset", "chmod",
		"symlink"};
	static const char *const needed[] = {"read", "write", "writev", "recvmsg", "sendmsg", "accept4", "epoll_pwait",
		"close", "ftruncate", "exit_group", "rt_sigreturn"};
	struct program p = compiled("supervisor");

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		if (seccomp_syscall_resolve_name(forbidden[i]) >= 0)
			cr_expect_eq(
				decide_named(&p, forbidden[i], 0, 0, 0, 0), SCMP_ACT_KILL_PROCESS, "%s", forbidden[i]);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		cr_expect_eq(decide_named(&p, needed[i], 0, 0, 0, 0), SCMP_ACT_ALLOW, "%s", needed[i]);
#if !VE_SANITIZED
	cr_expect_eq(decide_named(&p, "openat", 0, 0, 0, 0), SCMP_ACT_KILL_PROCESS);
	cr_expect_eq(decide_named(&p, "clone", 0, 0, 0, 0), SCMP_ACT_KILL_PROCESS);
	cr_expect_eq(decide_named(&p, "fcntl", 3, F_SETFL, O_NONBLOCK, 0), SCMP_ACT_ALLOW);
	cr_expect_eq(decide_named(&p, "fcntl", 3, F_DUPFD, 0, 0), SCMP_ACT_KILL_PROCESS);
	cr_expect_eq(decide_named(&p, "ioctl", 3, TIOCSWINSZ, 0, 0), SCMP_ACT_ALLOW);
	cr_expect_eq(decide_named(&p, "ioctl", 3, TIOCSTI, 0, 0), SCMP_ACT_KILL_PROCESS);
	cr_expect_eq(decide_named(&p, "getsockopt", 3, SOL_SOCKET, SO_PEERCRED, 0), SCMP_ACT_ALLOW);
	cr_expect_eq(decide_named(&p, "getsockopt", 3, SOL_SOCKET, SO_RCVBUF, 0), SCMP_ACT_KILL_PROCESS);
	cr_expect_eq(
		decide_named(&p, "mmap", 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS), SCMP_ACT_ALLOW);
	cr_expect_eq(decide_named(&p, "mmap", 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE), SCMP_ACT_KILL_PROCESS);
	for (uint64_t prot = 0; prot < 8; prot++)
		if (prot & PROT_EXEC)
			cr_expect_eq(decide_named(&p, "mmap", 0, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS),
				SCMP_ACT_KILL_PROCESS);
#endif
	free(p.code);
}

/* --- the cache --- */

static struct ve_host host;
static char cache_folder[PATH_MAX + 16];

static void make_host(void)
{
	char folder[] = "/tmp/vectl-confine-XXXXXX";

	cr_assert(mkdtemp(folder));
	memset(&host, 0, sizeof(host));
	FORMAT(host.run, "%s/run", folder);
	FORMAT(cache_folder, "%s/.cache", host.run);
}

static void remove_host(void)
{
	char *end = strrchr(host.run, '/');

	if (!end)
		return;
	*end = '\0';
	cr_expect_eq(remove_tree_at(AT_FDCWD, host.run), 0);
	host.run[0] = '\0';
}

static void same_program(const struct program *expected)
{
	struct error e = {0};
	void *got = NULL;
	size_t size = 0;

	cr_assert_eq(confine_seccomp(&host, "default", &got, &size, &e), 0, "%s", e.wrong);
	cr_assert_eq(size, expected->n * sizeof(struct sock_filter));
	cr_assert_eq(memcmp(got, expected->code, size), 0);
	free(got);
}

static char *entry(char path[PATH_MAX * 2])
{
	cleanup_free char *command = NULL;
	char line[PATH_MAX] = "";
	FILE *f;

	cr_assert_geq(asprintf(&command, "ls %s", cache_folder), 0);
	f = popen(command, "r");
	cr_assert(f && fgets(line, sizeof(line), f));
	pclose(f);
	line[strcspn(line, "\n")] = '\0';
	snprintf(path, PATH_MAX * 2, "%s/%s", cache_folder, line);
	return path;
}

static void read_entry(const char *path, char **data, size_t *size)
{
	cr_assert_eq(read_file_at(AT_FDCWD, path, 1 << 20, data, size), 0);
}

Test(confine, cache_is_used_and_private, .init = make_host, .fini = remove_host)
{
	struct program p = compiled("default");
	struct stat st, again;
	char path[PATH_MAX * 2];

	same_program(&p);
	cr_assert_eq(stat(cache_folder, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat(entry(path), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	same_program(&p);
	cr_assert_eq(stat(path, &again), 0);
	cr_expect_eq(st.st_ino, again.st_ino, "a hit rewrites nothing");
	free(p.code);
}

static void spoil(const char *path, char *data, size_t size, int how)
{
	size_t n = size;

	switch (how) {
	case 0: /* the program, one bit */
		data[size - 100] ^= 1;
		break;
	case 1: /* the key */
		data[10] ^= 1;
		break;
	case 2: /* torn */
		n = size / 2;
		break;
	case 3:
		n = 0;
		break;
	case 4: /* the length before the program */
		n = size - 8;
		break;
	}
	cr_assert_eq(write_file_atomic_at(AT_FDCWD, path, data, n, 0600), 0);
}

Test(confine, broken_entries_are_made_again, .init = make_host, .fini = remove_host)
{
	struct program p = compiled("default");
	char path[PATH_MAX * 2];

	same_program(&p);
	entry(path);
	for (int how = 0; how < 5; how++) {
		cleanup_free char *good = NULL, *bad = NULL, *repaired = NULL;
		size_t size, repaired_size;
		read_entry(path, &good, &size);
		bad = malloc(size);
		memcpy(bad, good, size);
		spoil(path, bad, size, how);
		same_program(&p);
		read_entry(path, &repaired, &repaired_size);
		cr_expect(repaired_size == size && memcmp(repaired, good, size) == 0, "way %d", how);
	}
	cr_assert_eq(chmod(path, 0666), 0);
	same_program(&p);
	struct stat st;
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600, "an entry that others could write is not believed");
	free(p.code);
}

/* Entries of versions that have gone, the oldest first, and what is none. */
static void put_old_entries(int count)
{
	char path[PATH_MAX * 2];

	for (int i = 0; i < count; i++) {
		const struct timespec old[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
		FORMAT(path, "%s/seccomp-%016x", cache_folder, i);
		cr_assert_eq(write_file_atomic_at(AT_FDCWD, path, "old", 3, 0600), 0);
		cr_assert_eq(utimensat(AT_FDCWD, path, old, 0), 0);
	}
	FORMAT(path, "%s/other", cache_folder);
	cr_assert_eq(write_file_atomic_at(AT_FDCWD, path, "other", 5, 0600), 0);
}

static int has_entry(const char *name)
{
	char path[PATH_MAX * 2];

	FORMAT(path, "%s/%s", cache_folder, name);
	return access(path, F_OK) == 0;
}

Test(confine, cache_keeps_the_newest_entries, .init = make_host, .fini = remove_host)
{
	struct program p = compiled("default");
	char name[32];

	cr_assert_eq(mkdir_parents(cache_folder, 0700), 0);
	put_old_entries(30);
	same_program(&p); /* stored: the 16th */
	for (int i = 0; i < 30; i++) {
		FORMAT(name, "seccomp-%016x", i);
		cr_expect_eq(has_entry(name), i >= 15, "old entry %d", i);
	}
	cr_expect(has_entry("other"), "what is no entry");
	put_old_entries(30);
	same_program(&p);
	cr_expect(has_entry("seccomp-0000000000000000"), "a hit removes nothing");
	free(p.code);
}

enum { READERS = 4, ROUNDS = 40 };

/* Others read, store and remove at the same time: each has the whole program every time. */
Test(confine, cache_is_bounded_beside_readers, .init = make_host, .fini = remove_host)
{
	struct program p = compiled("default");
	pid_t pids[READERS];
	char own[PATH_MAX * 2], command[PATH_MAX + 32];

	same_program(&p);
	entry(own);
	for (int i = 0; i < READERS; i++) {
		pids[i] = fork();
		cr_assert_geq(pids[i], 0);
		for (int round = 0; pids[i] == 0 && round < ROUNDS; round++) {
			struct error e = {0};
			void *got = NULL;
			size_t size = 0;
			char path[PATH_MAX * 2];
			/* Makes the others miss: who stores it again makes room for it. */
			if (i == 0)
				unlink(own);
			if (i == 0)
				for (int n = 0; n < 20; n++) {
					FORMAT(path, "%s/seccomp-%016x", cache_folder, round * 20 + n);
					write_file_atomic_at(AT_FDCWD, path, "new", 3, 0600);
				}
			const char *profile = round % 2 ? "default" : "supervisor";
			if (confine_seccomp(&host, profile, &got, &size, &e) < 0 ||
				(round % 2 && (size != p.n * sizeof(struct sock_filter) || memcmp(got, p.code, size))))
				_exit(1);
			free(got);
		}
		if (pids[i] == 0)
			_exit(0);
	}
	for (int i = 0; i < READERS; i++) {
		int status;
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect_eq(status, 0, "reader %d", i);
	}
	cr_assert_eq(unlink(own), 0);
	same_program(&p);
	FORMAT(command, "test $(ls %s | wc -l) = 16", cache_folder);
	cr_expect_eq(system(command), 0, "the number of entries");
	free(p.code);
}

Test(confine, cache_folder_of_others_is_not_used, .init = make_host, .fini = remove_host)
{
	struct program p = compiled("default");

	cr_assert_eq(mkdir_parents(cache_folder, 0700), 0);
	cr_assert_eq(chmod(cache_folder, 0777), 0);
	same_program(&p);
	cr_expect_eq(rmdir(cache_folder), 0, "nothing was written there");
	cr_assert_eq(symlink("/tmp", cache_folder), 0);
	same_program(&p);
	free(p.code);
}

Test(confine, unknown_profile_is_refused, .init = make_host, .fini = remove_host)
{
	struct error e = {0};
	void *got = &e;
	size_t size = 7;

	cr_assert_eq(confine_seccomp(&host, "none", &got, &size, &e), -EINVAL);
	cr_expect(got == &e && size == 7, "outputs are untouched");
	cr_expect_eq(e.code, VE_E_USAGE);
	cr_expect(strstr(e.wrong, "'none'"));
	cr_assert_eq(mkdir_parents(host.run, 0700), 0);
}

/* --- capabilities --- */

Test(confine, capabilities)
{
	uint64_t mask = confine_default_caps(0);
	static const int kept[] = {CAP_SYS_ADMIN, CAP_MKNOD, CAP_NET_ADMIN, CAP_AUDIT_WRITE, CAP_SETPCAP, CAP_SYS_BOOT};
	static const int withheld[] = {CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_TIME, CAP_MAC_ADMIN, CAP_MAC_OVERRIDE,
		CAP_AUDIT_CONTROL, CAP_SYSLOG, CAP_WAKE_ALARM, CAP_BLOCK_SUSPEND, CAP_PERFMON, CAP_BPF};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		cr_expect(mask & UINT64_C(1) << kept[i], "%d", kept[i]);
	for (size_t i = 0; i < ARRAY_SIZE(withheld); i++)
		cr_expect_not(mask & UINT64_C(1) << withheld[i], "%d", withheld[i]);
	cr_expect_eq(mask >> (CAP_LAST_CAP + 1), 0);
}

Test(confine, capabilities_of_a_privileged_ve)
{
	uint64_t plain = confine_default_caps(0), mask = confine_default_caps(1), keeper = confine_keeper_caps();

	cr_expect_eq(mask & ~plain, 0, "nothing more than without");
	cr_expect_eq(plain & ~mask, UINT64_C(1) << CAP_DAC_READ_SEARCH | UINT64_C(1) << CAP_LINUX_IMMUTABLE);
	cr_expect(mask & UINT64_C(1) << CAP_SYS_BOOT, "the guest's own reboot");
	cr_expect_eq(keeper & ~mask, UINT64_C(1) << CAP_SYS_TIME);
	cr_expect_eq(mask & ~keeper, 0, "init gets at a reboot what it had at the start");
}

/* --- for real --- */

static int line_says(const char *output, const char *check, const char *result)
{
	char wanted[96];

	FORMAT(wanted, "\n%s %s\n", check, result);
	return strstr(output, wanted) != NULL;
}

/* Runs confine_probe; its output with a newline before it. Returns the exit status. */
static int probe(const char *arguments, char *output, size_t size)
{
	cleanup_free char *command = NULL;
	size_t n;
	FILE *f;

	cr_assert_geq(asprintf(&command, "%s %s %s </dev/null", CONFINE_PROBE, host.run, arguments), 0);
	f = popen(command, "r");
	cr_assert(f);
	output[0] = '\n';
	n = fread(output + 1, 1, size - 2, f);
	output[n + 1] = '\0';
	int status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void check_loaded(const char *arguments)
{
	static const struct {
		const char *check;
		int errnum;
	} expected[] = {
		{"unix", 0},
		{"inet", 0},
		{"netlink-route", 0},
		{"netlink-uevent", 0},
		{"netlink-audit", EAFNOSUPPORT},
		{"netlink-crypto", EPROTONOSUPPORT},
		{"alg", EAFNOSUPPORT},
		{"vsock", EAFNOSUPPORT},
		{"key", EAFNOSUPPORT},
		{"family-300", EAFNOSUPPORT},
		{"alg-high-bits", EAFNOSUPPORT},
		{"audit-high-bits", EAFNOSUPPORT},
		{"pair-unix", 0},
		{"pair-tipc", EAFNOSUPPORT},
		{"getpid", 0},
		{"unknown-999", ENOSYS},
		{"init_module", EPERM},
		{"finit_module", EPERM},
		{"kexec_load", EPERM},
		{"bpf", EPERM},
		{"open_by_handle_at", EPERM},
		{"userfaultfd", EPERM},
		{"perf_event_open", EPERM},
		{"io_uring_setup", ENOSYS},
		{"keyctl", ENOSYS},
		{"syslog", EPERM},
		{"clock_settime", EPERM},
		{"adjtimex-read", 0},
		{"tiocsti", EPERM},
		{"tiocsti-high-bits", EPERM},
		{"tioclinux", EPERM},
		{"unshare-user", 0},
		{"no-new-privs", 0},
#if defined(__x86_64__)
		{"x32-getpid", ENOSYS},
		{"x32-socket-alg", ENOSYS},
#endif
	};
	char output[8192], result[16];
	int status = probe(arguments, output, sizeof(output));

	if (status == 77) {
		remove_host(); /* a skipped test's .fini is not run */
		cr_skip_test("no user namespaces or no CAP_SYS_ADMIN here");
	}
	cr_assert_eq(status, 0, "%d", status);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		FORMAT(result, "%d", expected[i].errnum);
		cr_expect(line_says(output, expected[i].check, result), "%s: %s", expected[i].check, output);
	}
#if defined(__x86_64__)
	cr_expect(line_says(output, "i386-getpid", "38") || line_says(output, "i386-getpid", "signal"));
#endif
}

Test(confine, loaded_by_root, .init = make_host, .fini = remove_host)
{
	check_loaded("default");
}

Test(confine, loaded_by_root_of_a_user_namespace, .init = make_host, .fini = remove_host)
{
	check_loaded("default -u");
}

/* A shell cannot even begin under the supervisor's program: its exec is the first forbidden call. */
Test(confine, supervisor_program_kills, .init = make_host, .fini = remove_host)
{
	char output[256];
	int status = probe("supervisor -u /bin/true", output, sizeof(output));

	if (status == 77) {
		remove_host(); /* a skipped test's .fini is not run */
		cr_skip_test("no user namespaces here");
	}
	cr_expect_eq(status, 128 + 31, "killed by SIGSYS: %d", status);
}
