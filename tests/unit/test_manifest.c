/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image's id follows from: digests of files, the lines of a manifest, and their order. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/ve-unpack/manifest.h"
#include "lib/base/file.h"
#include "lib/base/util.h"

#define SHA_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA_OF_ABC     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* The program ends with these; here that is a failure. */
static _Noreturn void end(const char *subject, const char *fmt, va_list args)
{
	fprintf(stderr, "%s: ", subject);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	abort();
}

void refuse(const char *subject, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	end(subject, fmt, args);
}

void fail(const char *subject, int errnum, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	end(subject, fmt, args);
}

void progress(struct unpack *u, uint64_t done, uint64_t total)
{
}

/* ---- digests */

static struct digest d;

static const char *ended(void)
{
	static char text[DIGEST_TEXT_SIZE];
	unsigned char raw[SHA256_DIGEST_SIZE];
	cr_assert_eq(digest_end(&d, raw), 0);
	digest_text(raw, text);
	return text;
}

Test(manifest, digests_that_everybody_knows)
{
	digest_begin(&d, 0);
	cr_expect_str_eq(ended(), SHA_OF_NOTHING);
	digest_begin(&d, 3);
	digest_feed(&d, 0, "abc", 3);
	cr_expect_str_eq(ended(), SHA_OF_ABC);
	digest_begin(&d, 3);
	digest_feed(&d, 0, "a", 1);
	digest_feed(&d, 1, "", 0);
	digest_feed(&d, 1, "bc", 2);
	cr_expect_str_eq(ended(), SHA_OF_ABC, "in pieces");
}

/* 200000 zeros, an x, 99999 zeros: one plain SHA-256 */
#define SHA_OF_HOLES "3c6eed52215acedecddb08249ef5c32bfe9d020420600c9cffeaa3a876bcbb15"

Test(manifest, holes_are_zeros)
{
	static char zeros[200000];
	digest_begin(&d, 300000);
	digest_feed(&d, 200000, "x", 1);
	cr_expect_str_eq(ended(), SHA_OF_HOLES);
	digest_begin(&d, 300000);
	digest_feed(&d, 0, zeros, 7);
	digest_feed(&d, 7, zeros, 199993);
	digest_feed(&d, 200000, "x", 1);
	digest_feed(&d, 200001, zeros, 99999);
	cr_expect_str_eq(ended(), SHA_OF_HOLES);
}

Test(manifest, what_comes_out_of_order_is_not_believed)
{
	static const struct {
		uint64_t first, second;
		size_t length;
	} rows[] = {{4, 0, 4}, {0, 2, 4}, {0, 5, 4}, {0, 9, 1}, {0, UINT64_MAX, 4}};
	unsigned char raw[SHA256_DIGEST_SIZE];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		digest_begin(&d, 8);
		digest_feed(&d, rows[i].first, "abcd", rows[i].length);
		digest_feed(&d, rows[i].second, "abcd", rows[i].length);
		cr_expect_eq(digest_end(&d, raw), -EINVAL, "row %zu", i);
	}
}

/* Beyond 1 GiB: each block of 64 KiB that is not all zero, after its offset. */
#define SHA_OF_LARGE "6b268a1e2ebd49ee9efab304230dfe53d3340f333b6df3898159a2658a7166c8"

Test(manifest, large_files_are_read_by_their_data)
{
	static const uint64_t HELLO = 3ULL << 29, END = 2ULL << 30, SIZE = (2ULL << 30) + 5;
	static char zeros[70000];
	unsigned char raw[SHA256_DIGEST_SIZE];
	char text[DIGEST_TEXT_SIZE], path[] = "/tmp/test-manifest-XXXXXX";
	digest_begin(&d, SIZE);
	digest_feed(&d, HELLO + 3, "hel", 3);
	digest_feed(&d, HELLO + 6, "lo", 2);
	digest_feed(&d, HELLO + 8, zeros, sizeof(zeros));
	digest_feed(&d, END + 4, "!", 1);
	cr_expect_str_eq(ended(), SHA_OF_LARGE);

	cleanup_fd int fd = mkostemp(path, O_CLOEXEC);
	cr_assert_geq(fd, 0);
	unlink(path);
	cr_assert_eq(ftruncate(fd, (off_t)SIZE), 0);
	cr_assert_eq(pwrite(fd, "hello", 5, (off_t)HELLO + 3), 5);
	cr_assert_eq(pwrite(fd, zeros, sizeof(zeros), 12345), (ssize_t)sizeof(zeros));
	cr_assert_eq(pwrite(fd, "!", 1, (off_t)END + 4), 1);
	cr_assert_eq(digest_fd(fd, SIZE, raw), 0);
	digest_text(raw, text);
	cr_expect_str_eq(text, SHA_OF_LARGE, "of the file");
	cr_expect_eq(digest_fd(fd, SIZE - 5, raw), 0);
	digest_text(raw, text);
	cr_expect_str_neq(text, SHA_OF_LARGE, "of its beginning");
}

Test(manifest, table_of_digests)
{
	struct digest_table *t = digest_table_new();
	unsigned char raw[SHA256_DIGEST_SIZE] = {0};
	cr_assert_not_null(t);
	for (unsigned i = 1; i <= 20000; i++) {
		memcpy(raw, &i, sizeof(i));
		cr_assert_eq(digest_table_put(t, (ino_t)i * 4096, i, raw), 0);
	}
	for (unsigned i = 1; i <= 20000; i++) {
		const unsigned char *found = digest_table_find(t, (ino_t)i * 4096, i);
		cr_assert_not_null(found, "%u", i);
		cr_assert_eq(memcmp(found, &i, sizeof(i)), 0, "%u", i);
	}
	cr_expect_null(digest_table_find(t, 4096, 2), "another size");
	cr_expect_null(digest_table_find(t, 4097, 1), "another file");
	digest_table_drop(t, 4096);
	digest_table_drop(t, 4097);
	cr_expect_null(digest_table_find(t, 4096, 1), "dropped");
	cr_expect_not_null(digest_table_find(t, 8192, 2));
	memset(raw, 7, sizeof(raw));
	cr_assert_eq(digest_table_put(t, 4096, 5, raw), 0);
	cr_expect_not_null(digest_table_find(t, 4096, 5), "written again");
}

/* ---- order */

Test(manifest, order_of_paths)
{
	static const char *const sorted[] = {".", "./\\001", "./\\040", "./!", "./a", "./a/b", "./a/b/c", "./a/z",
		"./a\\001", "./a\\040b", "./a!", "./a.b", "./a0", "./aa", "./b", "./b\\134", "./b~", "./z/z", "./z0",
		"./\\303\\251", "./\\377"};
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		for (size_t k = 0; k < ARRAY_SIZE(sorted); k++) {
			int r = manifest_path_compare(sorted[i], sorted[k]);
			cr_expect_eq((r > 0) - (r < 0), (i > k) - (i < k), "%s, %s", sorted[i], sorted[k]);
		}
	cr_expect_eq(manifest_path_compare("./a type=file", "./a type=dir"), 0, "the path alone");
}

/* ---- a small tree */

static char base[] = "/tmp/test-manifest-XXXXXX";
static int root = -1;

static void put_file(const char *path, const char *text, mode_t mode)
{
	cleanup_fd int fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
}

static void set_time(const char *path, time_t when)
{
	const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when, .tv_nsec = 999999999}};
	cr_assert_eq(utimensat(root, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void make_tree(void)
{
	cr_assert_not_null(mkdtemp(base));
	root = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(root, 0);
	cr_assert_eq(fchdir(root), 0); /* in place of ve-unpack's chroot */
	cr_assert_eq(fchmod(root, 0755), 0);
	/* In no order. */
	cr_assert_eq(mkfifoat(root, "p", 0600), 0);
	put_file("a.b", "", 04755);
	cr_assert_eq(mkdirat(root, "a", 0700), 0);
	put_file("a/b", "abc", 0640);
	cr_assert_eq(symlinkat("a/b\nc", root, "a b"), 0);
	cr_assert_eq(linkat(root, "a.b", root, "\xc3\xa9", 0), 0);
	set_time("a/b", 1000000000);
	set_time("a b", 1000000000);
	set_time("a.b", 0);
	set_time("p", 1);
}

static void remove_tree(void)
{
	close_fd_p(&root);
	cr_expect_eq(remove_tree_at(AT_FDCWD, base), 0);
}

static const char expected[] =
	"#mtree\n"
	". type=dir mode=0755 uid=0 gid=0\n"
	"./a type=dir mode=0700 uid=0 gid=0\n"
	"./a/b type=file mode=0640 uid=0 gid=0 size=3 time=1000000000 sha256digest=" SHA_OF_ABC "\n"
	"./a\\040b type=link mode=0777 uid=0 gid=0 time=1000000000 link=a/b\\012c\n"
	"./a.b type=file mode=4755 uid=0 gid=0 size=0 time=0 sha256digest=" SHA_OF_NOTHING "\n"
	"./p type=fifo mode=0600 uid=0 gid=0 time=1\n"
	"./\\303\\251 hardlink=./a.b\n";
static const char expected_id[] = "32aa6b64df9ab8614f3ac9561d7e3f8a8955e9aca6cff0b2827c6a8339abe600";

static void id_of(const char *text, char id[DIGEST_TEXT_SIZE])
{
	unsigned char raw[SHA256_DIGEST_SIZE];
	digest_begin(&d, strlen(text));
	digest_feed(&d, 0, text, strlen(text));
	cr_assert_eq(digest_end(&d, raw), 0);
	digest_text(raw, id);
}

/* Whoever runs the test, as root's. */
static void as_root(const char *text, char *ret)
{
	char own[64];
	int length = FORMAT(own, " uid=%u gid=%u", getuid(), getgid());
	cr_assert_geq(length, 0);
	length = (int)strlen(own);
	while (*text) {
		if (!strncmp(text, own, (size_t)length)) {
			ret = stpcpy(ret, " uid=0 gid=0");
			text += length;
		} else {
			*ret++ = *text++;
		}
	}
	*ret = 0;
}

Test(manifest, of_a_small_tree, .init = make_tree, .fini = remove_tree)
{
	char id[DIGEST_TEXT_SIZE], digest[DIGEST_TEXT_SIZE], path[] = "/tmp/test-manifest-XXXXXX";
	cleanup_free char *text = NULL;
	struct walk_result seen;
	size_t size;
	int fd = mkostemp(path, O_CLOEXEC);
	cr_assert_geq(fd, 0);
	manifest_write(root, NULL, fd, id, &seen);
	cr_assert_eq(read_file_at(AT_FDCWD, path, 65536, &text, &size), 0);
	unlink(path);
	cr_expect_eq(seen.entries, 7);
	cr_expect_eq(seen.bytes, 3);
	id_of(text, digest);
	cr_expect_str_eq(id, digest, "the id is the manifest's digest");
	cleanup_free char *roots = malloc(size * 2 + 1);
	cr_assert_not_null(roots);
	as_root(text, roots);
	cr_expect_str_eq(roots, expected);
	id_of(roots, digest);
	cr_expect_str_eq(digest, expected_id);
}

/* What unpacking knows already is not read again. */
Test(manifest, takes_known_digests, .init = make_tree, .fini = remove_tree)
{
	unsigned char raw[SHA256_DIGEST_SIZE];
	char id[DIGEST_TEXT_SIZE], path[] = "/tmp/test-manifest-XXXXXX";
	cleanup_free char *text = NULL;
	struct walk_result seen;
	struct stat st;
	size_t size;
	struct digest_table *t = digest_table_new();
	int fd = mkostemp(path, O_CLOEXEC);
	cr_assert(t && fd >= 0);
	memset(raw, 0xab, sizeof(raw));
	cr_assert_eq(fstatat(root, "a/b", &st, 0), 0);
	cr_assert_eq(digest_table_put(t, st.st_ino, 3, raw), 0);
	manifest_write(root, t, fd, id, &seen);
	cr_assert_eq(read_file_at(AT_FDCWD, path, 65536, &text, &size), 0);
	unlink(path);
	cr_expect(strstr(text, "sha256digest=abababab"));
	cr_expect_not(strstr(text, SHA_OF_ABC));
}

struct order {
	char last[PATH_MAX];
	int count;
};

static void check_order(void *arg, const char *line, uint64_t bytes)
{
	struct order *o = arg;
	if (o->count++)
		cr_expect_lt(manifest_path_compare(o->last, line), 0, "%s after %s", line, o->last);
	snprintf(o->last, sizeof(o->last), "%s", line);
}

/* Verifying walks and reads the manifest side by side, so both must have one order: any byte a name can have. */
Test(manifest, a_walk_is_in_that_order, .init = make_tree, .fini = remove_tree)
{
	struct walk_result seen;
	struct order order = {0};
	int entries = 7;
	for (int c = 1; c < 256; c++) {
		char name[8] = {'a', (char)c, 0};
		if (c == '/')
			continue;
		if (mkdirat(root, name, 0755) == 0)
			entries++;
		snprintf(name, sizeof(name), "a/%cx", c);
		put_file(name, "", 0600);
		entries++;
	}
	walk_root(root, NULL, check_order, &order, &seen);
	cr_expect_eq(order.count, entries);
	cr_expect_eq(seen.entries, (uint64_t)entries);
}
