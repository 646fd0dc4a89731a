/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/image/store.h"

Test(image, names_that_are_allowed)
{
	static const char *const names[] = {"busybox", "debian/13", "local/a.b+c_d-e", "a/b/c", "0", "debian/13.1",
		"a23456789b123456789c123456789d123456789e123456789f123456789g123"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct error e = {0};
		cr_expect_eq(image_name_check(names[i], &e), 0, "%s: %s", names[i], e.wrong);
	}
}

Test(image, names_that_are_refused)
{
	static const struct {
		const char *name, *wrong;
	} rows[] = {
		{"", "empty part"},
		{"/", "empty part"},
		{"/etc/passwd", "empty part"},
		{"debian/", "empty part"},
		{"a//b", "empty part"},
		{"a/../b", "starts with '.'"},
		{"..", "starts with '.'"},
		{"./a", "starts with '.'"},
		{"-a", "starts with '-'"},
		{"Debian", "starts with 'D'"},
		{"dEbian", "has a 'E'"},
		{"a b", "has a ' '"},
		{"a\nb", "has a ' '"},
		{"a,b", "has a ','"},
		{"a:b", "has a ':'"},
		{"a/b/c/d", "more than 3 parts"},
		{"a23456789b123456789c123456789d123456789e123456789f123456789g1234", "64 long"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct error e = {0};
		cr_expect_eq(image_name_check(rows[i].name, &e), -EINVAL, "%s", rows[i].name);
		cr_expect_eq(e.code, VE_E_USAGE);
		cr_expect(strstr(e.wrong, rows[i].wrong), "%s: %s", rows[i].name, e.wrong);
		cr_expect(*e.remedy);
	}
}

Test(image, paths_are_told_from_names)
{
	cr_expect(image_is_path("/a"));
	cr_expect(image_is_path("./a"));
	cr_expect(image_is_path("../a"));
	cr_expect(image_is_path(".."));
	cr_expect_not(image_is_path("a/b"));
	cr_expect_not(image_is_path("a.tar"));
	cr_expect_not(image_is_path(".a"));
	cr_expect_not(image_is_path(""));
}

Test(image, names_made_of_paths)
{
	static const struct {
		const char *path;
		unsigned n;
		const char *name;
	} rows[] = {
		{"/x/trixie.tar", 1, "local/trixie"},
		{"/x/trixie.tar.zst", 1, "local/trixie"},
		{"/x/trixie.tgz", 2, "local/trixie-2"},
		{"/x/Root FS.tar.xz", 1, "local/root-fs"},
		{"/x/folder/", 1, "local/folder"},
		{"/", 1, "local/x"},
		{"/x/.tar", 1, "local/tar"},
		{"/x/--", 1, "local/x"},
		{"/x/a.gz.tar", 1, "local/a.gz"},
		{"/x/\xc3\xa9t\xc3\xa9", 1, "local/t--"},
	};
	char name[IMAGE_NAME_SIZE];
	struct error e = {0};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_assert_eq(image_name_of_path(rows[i].path, rows[i].n, name), 0);
		cr_expect_str_eq(name, rows[i].name, "%s: %s", rows[i].path, name);
		cr_expect_eq(image_name_check(name, &e), 0, "%s", name);
	}
	char path[400] = "/x/";
	memset(path + 3, 'a', 300);
	cr_assert_eq(image_name_of_path(path, 999, name), 0);
	cr_expect_eq(image_name_check(name, &e), 0, "%s", name);
}

Test(image, refs_lead_to_the_store)
{
	static const char id[] = "0123456789abcdef0123456789abcdef";
	char target[64], flat[IMAGE_NAME_SIZE];
	cr_expect_eq(image_ref_target("busybox", id, target, sizeof(target)), 0);
	cr_expect_str_eq(target, "../store/0123456789abcdef0123456789abcdef");
	cr_expect_eq(image_ref_target("debian/13", id, target, sizeof(target)), 0);
	cr_expect_str_eq(target, "../../store/0123456789abcdef0123456789abcdef");
	cr_expect_eq(image_ref_target("a/b/c", id, target, sizeof(target)), 0);
	cr_expect_str_eq(target, "../../../store/0123456789abcdef0123456789abcdef");
	cr_expect_eq(image_ref_target("a", id, target, 20), -ENAMETOOLONG);
	image_flat_name("a/b/c", flat);
	cr_expect_str_eq(flat, "a,b,c");
}

Test(image, ids)
{
	cr_expect(image_id_valid("0123456789abcdef0123456789abcdef"), "of an earlier version");
	cr_expect(image_id_valid("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
	cr_expect_not(image_id_valid("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"));
	cr_expect_not(image_id_valid("0123456789abcdef0123456789abcde"));
	cr_expect_not(image_id_valid("0123456789abcdef0123456789abcdef0"));
	cr_expect_not(image_id_valid("0123456789ABCDEF0123456789abcdef"));
	cr_expect_not(image_id_valid("../../../../../../../../../../etc"));
	cr_expect_not(image_id_valid(""));
}

/* ---- root file systems in a folder of their own; no root needed */

static char base[64];
static int rootfs = -1;

static void make_rootfs(void)
{
	strcpy(base, "/tmp/test-image-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	rootfs = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(rootfs, 0);
	static const char *const folders[] = {"etc", "usr", "usr/lib", "sbin", "var", "var/lib", "var/lib/dbus"};
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		cr_assert_eq(mkdirat(rootfs, folders[i], 0755), 0);
}

static void remove_rootfs(void)
{
	cr_expect_eq(remove_tree_at(AT_FDCWD, base), 0);
	close(rootfs);
}

static void put(const char *path, const char *text, unsigned mode)
{
	int fd = openat(rootfs, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

Test(rootfs, init_is_found_inside_alone, .init = make_rootfs, .fini = remove_rootfs)
{
	cr_expect_null(rootfs_find_init(rootfs, image_default_inits));
	/* It leads to an executable file of the host, and to nothing in the image. */
	cr_assert_eq(symlinkat("/bin/sh", rootfs, "sbin/init"), 0);
	cr_expect_null(rootfs_find_init(rootfs, image_default_inits));
	cr_assert_eq(unlinkat(rootfs, "sbin/init", 0), 0);
	cr_assert_eq(symlinkat("../../../../../../bin/sh", rootfs, "sbin/init"), 0);
	cr_expect_null(rootfs_find_init(rootfs, image_default_inits));
	cr_assert_eq(unlinkat(rootfs, "sbin/init", 0), 0);
	/* Links resolve as they would after the switch to this root. */
	put("usr/lib/run", "#!", 0644);
	cr_assert_eq(symlinkat("/usr/lib/run", rootfs, "sbin/init"), 0);
	cr_expect_null(rootfs_find_init(rootfs, image_default_inits), "not executable");
	cr_assert_eq(fchmodat(rootfs, "usr/lib/run", 0755, 0), 0);
	cr_expect_str_eq(rootfs_find_init(rootfs, image_default_inits), "/sbin/init");
	/* A folder has x bits too. */
	static const char *const folder[] = {"/usr/lib", NULL};
	cr_expect_null(rootfs_find_init(rootfs, folder));
}

Test(rootfs, os_release, .init = make_rootfs, .fini = remove_rootfs)
{
	char os[80];
	cr_assert_eq(symlinkat("/etc/../../../../../etc/os-release", rootfs, "etc/os-release"), 0);
	rootfs_os(rootfs, os, sizeof(os));
	cr_expect_str_empty(os, "the host's must not be read: %s", os);
	put("usr/lib/os-release", "NAME=x\nVERSION_ID=\"13\"\nID=debian\n", 0644);
	rootfs_os(rootfs, os, sizeof(os));
	cr_expect_str_eq(os, "debian 13");
	cr_assert_eq(unlinkat(rootfs, "etc/os-release", 0), 0);
	put("etc/os-release", "ID='\x1b[31mevil\a'\nVERSION_ID=$(rm)\n", 0644);
	rootfs_os(rootfs, os, sizeof(os));
	cr_expect_str_eq(os, "31mevil rm");
}

Test(rootfs, machine_id_is_cleared_where_it_is, .init = make_rootfs, .fini = remove_rootfs)
{
	struct error e = {0};
	struct stat st;
	cr_expect_eq(rootfs_clear_machine_id(rootfs, &e), 0, "there is none");
	put("etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0444);
	cr_assert_eq(linkat(rootfs, "etc/machine-id", rootfs, "etc/twin", 0), 0);
	put("var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n", 0444);
	cr_expect_eq(rootfs_clear_machine_id(rootfs, &e), 1);
	cr_assert_eq(fstatat(rootfs, "etc/machine-id", &st, 0), 0);
	cr_expect_eq(st.st_size, 0);
	cr_expect_eq(st.st_mode & 07777, 0444);
	cr_assert_eq(fstatat(rootfs, "etc/twin", &st, 0), 0);
	cr_expect_eq(st.st_size, 33, "what it was linked to is untouched");
	cr_expect_eq(fstatat(rootfs, "var/lib/dbus/machine-id", &st, 0), -1);
	cr_expect_eq(rootfs_clear_machine_id(rootfs, &e), 0, "empty already");
}

Test(rootfs, machine_id_behind_a_link_is_left_alone, .init = make_rootfs, .fini = remove_rootfs)
{
	struct error e = {0};
	struct stat st;
	char outside[96];
	snprintf(outside, sizeof(outside), "%s/var/id", base);
	put("var/id", "kept", 0644);
	cr_assert_eq(symlinkat(outside, rootfs, "etc/machine-id"), 0);
	cr_expect_eq(rootfs_clear_machine_id(rootfs, &e), 0);
	cr_assert_eq(fstatat(rootfs, "var/id", &st, 0), 0);
	cr_expect_eq(st.st_size, 4);
	cr_assert_eq(unlinkat(rootfs, "etc/machine-id", 0), 0);
	cr_assert_eq(renameat(rootfs, "etc", rootfs, "real"), 0);
	cr_assert_eq(symlinkat("real", rootfs, "etc"), 0);
	put("real/machine-id", "kept", 0644);
	cr_expect_eq(rootfs_clear_machine_id(rootfs, &e), 0);
	cr_assert_eq(fstatat(rootfs, "real/machine-id", &st, 0), 0);
	cr_expect_eq(st.st_size, 4);
}
