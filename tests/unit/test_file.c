/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/file.h"
#include "lib/base/util.h"

static char folder[] = "/tmp/ve-test-file-XXXXXX";
static int dir = -1;

static void make_folder(void)
{
	cr_assert_not_null(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0);
}

static void remove_folder(void)
{
	close(dir);
	cr_expect_eq(remove_tree_at(AT_FDCWD, folder), 0);
	cr_expect_eq(access(folder, F_OK), -1);
}

TestSuite(file, .init = make_folder, .fini = remove_folder, .timeout = 60);

static void put(const char *name, const char *text)
{
	cr_assert_eq(write_file_atomic_at(dir, name, text, strlen(text), 0644), 0, "%s", name);
}

static void expect_text(const char *name, const char *text)
{
	cleanup_free char *have = NULL;
	size_t n = 0;

	cr_expect_eq(read_file_at(dir, name, 4096, &have, &n), 0, "%s", name);
	if (have) {
		cr_expect_str_eq(have, text);
		cr_expect_eq(n, strlen(text));
	}
}

static unsigned entries(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	unsigned n = 0;

	cr_assert_not_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

Test(file, open_beneath_refuses_links_and_ways_out)
{
	cleanup_fd int fd = -EBADF;

	put("real", "x");
	cr_assert_eq(mkdirat(dir, "sub", 0755), 0);
	put("sub/file", "y");
	cr_assert_eq(symlinkat("real", dir, "link"), 0);
	cr_assert_eq(symlinkat("sub", dir, "sublink"), 0);
	cr_assert_eq(symlinkat("/etc/passwd", dir, "out"), 0);
	cr_expect_eq(open_beneath(dir, "link", O_RDONLY, 0), -ELOOP);
	cr_expect_eq(open_beneath(dir, "sublink/file", O_RDONLY, 0), -ELOOP);
	cr_expect_eq(open_beneath(dir, "out", O_RDONLY, 0), -ELOOP);
	cr_expect_eq(open_beneath(dir, "../x", O_RDONLY, 0), -EXDEV);
	cr_expect_eq(open_beneath(dir, "/etc/passwd", O_RDONLY, 0), -EXDEV);
	cr_expect_eq(open_beneath(dir, "nothing", O_RDONLY, 0), -ENOENT);
	fd = open_beneath(dir, "sub/../sub/file", O_RDONLY, 0);
	cr_expect_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	fd = open_beneath(dir, "made", O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_expect_geq(fd, 0);
}

Test(file, read_limits_and_kinds)
{
	char *untouched = (char *)"x", *text = untouched;
	cleanup_free char *big = malloc(100000), *proc = NULL;
	size_t n = 7;

	put("five", "12345");
	put("empty", "");
	cr_expect_eq(read_file_at(dir, "five", 4, &text, &n), -EFBIG);
	cr_expect_eq(read_file_at(dir, "nothing", 4, &text, &n), -ENOENT);
	cr_expect_eq(read_file_at(dir, ".", 4, &text, &n), -EISDIR);
	cr_assert_eq(mkfifoat(dir, "fifo", 0600), 0);
	cr_expect_eq(read_file_at(dir, "fifo", 4, &text, &n), -EINVAL);
	cr_assert_eq(symlinkat("five", dir, "link"), 0);
	cr_expect_eq(read_file_at(dir, "link", 5, &text, &n), -ELOOP);
	cr_expect(text == untouched && n == 7);
	cr_expect_eq(read_file_at(dir, "five", 5, &text, NULL), 0);
	cr_expect_str_eq(text, "12345");
	free(text);
	expect_text("empty", "");
	memset(big, 'a', 100000);
	cr_assert_eq(write_file_atomic_at(dir, "big", big, 100000, 0600), 0);
	cr_expect_eq(read_file_at(dir, "big", 99999, &text, &n), -EFBIG);
	cr_expect_eq(read_file_at(dir, "big", 100000, &text, &n), 0);
	cr_expect(n == 100000 && !memcmp(text, big, n));
	free(text);
	/* A file whose size the kernel does not know beforehand, by a host path. */
	cr_expect_eq(read_file_at(AT_FDCWD, "/proc/self/status", SIZE_MAX, &proc, &n), 0);
	cr_expect(n > 100 && !strncmp(proc, "Name:", 5));
}

Test(file, atomic_write)
{
	struct stat before, after, st;
	mode_t mask = umask(077);

	put("f", "one");
	cr_assert_eq(fstatat(dir, "f", &before, 0), 0);
	cr_expect_eq(before.st_mode & 07777, 0644); /* whatever the umask */
	put("f", "two!");
	expect_text("f", "two!");
	cr_assert_eq(fstatat(dir, "f", &after, 0), 0);
	cr_expect_neq(before.st_ino, after.st_ino);
	umask(mask);
	/* A link in the place is replaced, not followed. */
	cr_assert_eq(symlinkat("f", dir, "link"), 0);
	put("link", "three");
	cr_assert_eq(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect(S_ISREG(st.st_mode));
	expect_text("f", "two!");
	/* Failures leave no temporary file. */
	cr_assert_eq(mkdirat(dir, "d", 0755), 0);
	cr_expect_eq(write_file_atomic_at(dir, "d", "x", 1, 0600), -EISDIR);
	cr_expect_eq(write_file_atomic_at(dir, "no/f", "x", 1, 0600), -ENOENT);
	cr_expect_eq(write_file_atomic_at(dir, "..", "x", 1, 0600), -EINVAL);
	cr_expect_eq(write_file_atomic_at(dir, "d/", "x", 1, 0600), -EINVAL);
	cr_expect_eq(write_file_atomic_at(dir, "../x", "x", 1, 0600), -EXDEV);
	cr_expect_eq(write_file_soon_at(dir, "d", "x", 1, 0600), -EISDIR);
	cr_expect_eq(entries(dir, "."), 3);
	cr_expect_eq(write_file_soon_at(dir, "f", "soon", 4, 0600), 0);
	expect_text("f", "soon");
	cr_assert_eq(fstatat(dir, "f", &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(entries(dir, "."), 3);
}

/* Readers see the old text or the new one, whole, whenever they look. */
Test(file, atomic_write_under_readers)
{
	char text[9000];
	pid_t pid;
	int i;

	memset(text, 'a', sizeof(text));
	cr_assert_eq(write_file_atomic_at(dir, "f", text, sizeof(text), 0600), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		for (i = 0;; i++) {
			memset(text, 'a' + i % 26, sizeof(text));
			if (write_file_atomic_at(dir, "f", text, sizeof(text), 0600) < 0)
				_exit(1);
		}
	}
	for (i = 0; i < 300; i++) {
		cleanup_free char *have = NULL;
		size_t n;

		cr_assert_eq(read_file_at(dir, "f", sizeof(text), &have, &n), 0);
		cr_assert_eq(n, sizeof(text));
		memset(text, have[0], sizeof(text));
		cr_assert_eq(memcmp(have, text, n), 0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Writing that breaks off in the middle: the old file stays, and nothing beside it. */
Test(file, atomic_write_that_fails)
{
	char text[9000] = "";
	struct rlimit limit = {4096, 4096};
	int status;
	pid_t pid;

	put("f", "old");
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(write_file_atomic_at(dir, "f", text, sizeof(text), 0600) == -EFBIG ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	expect_text("f", "old");
	cr_expect_eq(entries(dir, "."), 1);
}

Test(file, write_string)
{
	put("f", "a longer text");
	cr_expect_eq(write_string_at(dir, "f", "short"), 0);
	expect_text("f", "short");
	cr_expect_eq(write_string_at(dir, "none", "x"), -ENOENT);
	cr_expect_eq(write_string_at(AT_FDCWD, "/dev/full", "x"), -ENOSPC);
}

Test(file, mkdir_parents)
{
	char path[256];
	struct stat st;
	mode_t mask = umask(077);

	snprintf(path, sizeof(path), "%s//a/b/../c/", folder);
	cr_expect_eq(mkdir_parents(path, 0755), 0);
	cr_expect_eq(mkdir_parents(path, 0700), 0);
	umask(mask);
	cr_expect_eq(fstatat(dir, "a/c", &st, 0), 0);
	cr_expect(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0755);
	put("f", "x");
	snprintf(path, sizeof(path), "%s/f", folder);
	cr_expect_eq(mkdir_parents(path, 0755), -ENOTDIR);
	snprintf(path, sizeof(path), "%s/f/g", folder);
	cr_expect_eq(mkdir_parents(path, 0755), -ENOTDIR);
	cr_expect_eq(mkdir_parents("", 0755), -ENOENT);
}

Test(file, remove_tree_follows_no_link)
{
	cr_assert_eq(mkdirat(dir, "keep", 0755), 0);
	put("keep/file", "precious");
	cr_assert_eq(mkdirat(dir, "tree", 0755), 0);
	cr_assert_eq(mkdirat(dir, "tree/sub", geteuid() ? 0700 : 0), 0); /* a mode that stops all but root */
	put("tree/file", "x");
	cr_assert_eq(symlinkat("../keep", dir, "tree/link"), 0);
	cr_assert_eq(symlinkat("nothing", dir, "tree/dangling"), 0);
	cr_assert_eq(mkfifoat(dir, "tree/fifo", 0600), 0);
	cr_expect_eq(remove_tree_at(dir, "tree"), 0);
	cr_expect_eq(faccessat(dir, "tree", F_OK, 0), -1);
	expect_text("keep/file", "precious");
	/* A link in the tree's own place is removed itself; a link on the way is refused. */
	cr_assert_eq(symlinkat("keep", dir, "link"), 0);
	cr_expect_eq(remove_tree_at(dir, "link/file"), -ELOOP);
	cr_expect_eq(remove_tree_at(dir, "link"), 0);
	expect_text("keep/file", "precious");
	cr_expect_eq(remove_tree_at(dir, "../x"), -EXDEV);
	cr_expect_eq(remove_tree_at(dir, "keep/.."), -EINVAL);
	cr_expect_eq(remove_tree_at(dir, "nothing"), 0);
	cr_expect_eq(remove_tree_at(dir, "no/thing"), 0);
	cr_expect_eq(remove_tree_at(dir, "keep/file"), 0);
	cr_expect_eq(entries(dir, "keep"), 0);
}

Test(file, remove_tree_deep_and_wide)
{
	int at, next, i;
	char name[16];

	cr_assert_eq(mkdirat(dir, "tree", 0755), 0);
	/* A name that the removal would like to use itself. */
	put("tree/.vectl-removing-0", "x");
	at = openat(dir, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < 3000; i++) {
		cr_assert_eq(mkdirat(at, "d", 0755), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert_geq(next, 0);
		if (i % 500 == 0)
			cr_assert_eq(mkdirat(at, ".vectl-removing-1", 0755), 0);
		close(at);
		at = next;
	}
	close(at);
	for (i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "tree/%d", i);
		cr_assert_eq(mkdirat(dir, name, 0755), 0);
	}
	cr_expect_eq(remove_tree_at(dir, "tree"), 0);
	cr_expect_eq(entries(dir, "."), 0);
}

Test(file, locks)
{
	cleanup_fd int a = -EBADF, b = -EBADF;

	put("lock", "");
	a = open_beneath(dir, "lock", O_RDWR, 0);
	b = open_beneath(dir, "lock", O_RDWR, 0);
	cr_assert(a >= 0 && b >= 0);
	cr_expect_eq(lock_is_held(b), 0);
	cr_expect_eq(lock_try(a), 0);
	cr_expect_eq(lock_try(a), 0); /* its own */
	cr_expect_eq(lock_is_held(a), 0);
	cr_expect_eq(lock_is_held(b), 1);
	cr_expect_eq(lock_try(b), -EAGAIN);
	cr_expect_eq(lock_try(-1), -EBADF);
	close(a);
	a = -EBADF;
	cr_expect_eq(lock_is_held(b), 0);
	cr_expect_eq(lock_try(b), 0);
}

static void nothing(int signal)
{
	(void)signal;
}

Test(file, lock_wait)
{
	struct sigaction action = {.sa_handler = nothing};
	cleanup_fd int a = -EBADF, b = -EBADF;
	char byte = 'x';
	int pipes[2], status;
	pid_t pid;

	put("lock", "");
	a = open_beneath(dir, "lock", O_RDWR, 0);
	cr_assert_eq(lock_try(a), 0);
	cr_assert_eq(pipe(pipes), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		/* The parent's lock belongs to the description that the child shares, so it needs one of its own. */
		close(a);
		b = open_beneath(dir, "lock", O_RDWR, 0);
		if (lock_try(b) != -EAGAIN || write(pipes[1], &byte, 1) != 1)
			_exit(1);
		if (lock_wait(b) != 0)
			_exit(2);
		_exit(0);
	}
	cr_assert_eq(read(pipes[0], &byte, 1), 1);
	close(a);
	a = -EBADF;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	/* A signal ends the wait. */
	a = open_beneath(dir, "lock", O_RDWR, 0);
	b = open_beneath(dir, "lock", O_RDWR, 0);
	cr_assert_eq(lock_wait(a), 0);
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	cr_expect_eq(lock_wait(b), -EINTR);
	alarm(0);
}
