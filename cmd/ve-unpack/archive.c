/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/ve-unpack/digest.h"
#include "cmd/ve-unpack/unpack.h"
#include "lib/base/util.h"

/* Without filters that are programs: after the chroot they would be the image's. */
static int (*const filters[])(struct archive *) = {
	archive_read_support_filter_gzip,
	archive_read_support_filter_bzip2,
	archive_read_support_filter_xz,
	archive_read_support_filter_lzma,
	archive_read_support_filter_lzip,
	archive_read_support_filter_zstd,
	archive_read_support_filter_lz4,
	archive_read_support_filter_compress,
};

/* libarchive marks broken input by errno values of its own; those say nothing that its text does not. */
static int system_errno(struct archive *a)
{
	int errnum = archive_errno(a);
	return errnum > 0 && errnum != EILSEQ && errnum != EINVAL ? errnum : 0;
}

static const char *reason(struct archive *a)
{
	const char *text = archive_error_string(a);
	return text ? text : "broken";
}

static _Noreturn void read_failed(struct archive *in, const char *entry)
{
	int errnum = system_errno(in);
	if (errnum && errnum != ENOENT)
		fail(entry, errnum, "%s", reason(in));
	refuse(entry, "%s", reason(in));
}

static _Noreturn void write_failed(struct archive *out, const char *entry)
{
	/* What an entry asks for and the tree so far does not allow; all else is this machine's trouble. */
	static const int of_the_archive[] = {
		EILSEQ, EINVAL, ELOOP, ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EEXIST, ENAMETOOLONG};
	int errnum = system_errno(out);
	const char *text = reason(out);
	for (size_t i = 0; i < ARRAY_SIZE(of_the_archive); i++)
		if (archive_errno(out) == of_the_archive[i])
			refuse(entry, "%s", text);
	if (archive_errno(out) <= 0)
		refuse(entry, "%s", text);
	fail(entry, strstr(text, strerror(errnum)) ? 0 : errnum, "%s", text);
}

static struct archive *open_input(struct unpack *u)
{
	struct archive *in = archive_read_new();
	if (!in)
		no_memory("archive");
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		if (filters[i](in) != ARCHIVE_OK)
			fail("libarchive", 0, "was built without a compression that images come in");
	if (archive_read_support_format_tar(in) != ARCHIVE_OK)
		fail("libarchive", 0, "was built without tar");
	if (archive_read_open_fd(in, u->source, 1 << 18) != ARCHIVE_OK)
		read_failed(in, "archive");
	return in;
}

static struct archive *open_output(void)
{
	struct archive *out = archive_write_disk_new();
	if (!out)
		no_memory("archive");
	/* No lookup of user names is set, so the numbers count. */
	archive_write_disk_set_options(
		out, ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_ACL |
			     ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_SPARSE | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
			     ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
	return out;
}

static void filter_xattrs(struct unpack *u, struct archive_entry *entry, const char *name)
{
	int count = archive_entry_xattr_reset(entry);
	if (count == 0)
		return;
	struct {
		char *name;
		void *value;
		size_t size;
	} *kept = calloc(count, sizeof(*kept));
	int n = 0;
	if (!kept)
		no_memory(name);
	for (int i = 0; i < count; i++) {
		const char *key;
		const void *value;
		size_t size;
		if (archive_entry_xattr_next(entry, &key, &value, &size) != ARCHIVE_OK)
			break;
		/* Only files and folders can carry user.*; elsewhere they would be an error. */
		int type = archive_entry_filetype(entry);
		if (!check_xattr(name, key, value, size) || (type != AE_IFREG && type != AE_IFDIR)) {
			u->xattrs++;
			continue;
		}
		if (size > XATTR_VALUE_MAX)
			refuse(name, "extended attribute %s is too long", key);
		kept[n].name = strdup(key);
		kept[n].value = malloc(size + 1);
		kept[n].size = size;
		if (!kept[n].name || !kept[n].value)
			no_memory(name);
		memcpy(kept[n++].value, value, size);
	}
	archive_entry_xattr_clear(entry);
	for (int i = 0; i < n; i++) {
		archive_entry_xattr_add_entry(entry, kept[i].name, kept[i].value, kept[i].size);
		free(kept[i].name);
		free(kept[i].value);
	}
	free(kept);
}

static void check_entry_acl(struct archive_entry *entry, const char *name)
{
	int type, permset, tag, id;
	const char *who;
	const int all = ARCHIVE_ENTRY_ACL_TYPE_ACCESS | ARCHIVE_ENTRY_ACL_TYPE_DEFAULT;
	if (archive_entry_acl_reset(entry, all) == 0)
		return;
	while (archive_entry_acl_next(entry, all, &type, &permset, &tag, &id, &who) == ARCHIVE_OK) {
		if (tag != ARCHIVE_ENTRY_ACL_USER && tag != ARCHIVE_ENTRY_ACL_GROUP)
			continue;
		if (id < 0)
			refuse(name, "its access list names '%s' without a number", who ? who : "?");
		if (id > ID_MAX)
			refuse(name, "its access list names id %d, which is not in 0..%d", id, ID_MAX);
	}
}

/* 1: to be written, 0: to be left out. */
static int check_entry(struct unpack *u, struct archive_entry *entry)
{
	const char *raw = archive_entry_pathname(entry);
	if (!raw || !*raw)
		refuse("archive", "an entry has no name that can be read");
	const char *path = check_path(raw, raw, "its path");
	const char *hardlink = archive_entry_hardlink(entry);
	int type = archive_entry_filetype(entry);

	check_ids(raw, archive_entry_uid(entry), archive_entry_gid(entry));
	if (hardlink) {
		/* Links to the root itself and to itself come to nothing good in libarchive. */
		hardlink = check_path(raw, hardlink, "the target of its hard link");
		if (!*hardlink || !strcmp(hardlink, path))
			refuse(raw, "it is a hard link to itself or to the root folder");
	} else if (type == AE_IFCHR || type == AE_IFBLK) {
		u->devices++;
		return 0;
	} else if (type == AE_IFSOCK) {
		u->sockets++;
		return 0;
	} else if (type == AE_IFLNK) {
		const char *target = archive_entry_symlink(entry);
		if (!target || !*target)
			refuse(raw, "its target cannot be read");
	} else if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFIFO) {
		refuse(raw, "it is of an unknown type");
	}
	if (!*path && type != AE_IFDIR)
		refuse(raw, "the root must be a folder");
	filter_xattrs(u, entry, raw);
	check_entry_acl(entry, raw);

	/* libarchive takes "." for the root and wants hard links in the form in which they were written. */
	char *name = strdup(*path ? path : ".");
	char *link = hardlink ? strdup(hardlink) : NULL;
	if (!name || (hardlink && !link))
		no_memory(raw);
	archive_entry_copy_pathname(entry, name);
	if (link)
		archive_entry_copy_hardlink(entry, link);
	free(name);
	free(link);
	return 1;
}

static void copy_data(struct unpack *u, struct archive *in, struct archive *out, const char *name, uint64_t size,
	struct digest *digest)
{
	const void *block;
	size_t length;
	la_int64_t offset;
	int r;
	while ((r = archive_read_data_block(in, &block, &length, &offset)) == ARCHIVE_OK) {
		if (archive_write_data_block(out, block, length, offset) != ARCHIVE_OK)
			write_failed(out, name);
		digest_feed(digest, (uint64_t)offset, block, length);
		u->bytes += length;
		if (size)
			progress(u, (uint64_t)archive_filter_bytes(in, -1), size);
	}
	if (r != ARCHIVE_EOF)
		read_failed(in, name);
}

/* The digest of what has just been written, for the manifest; what is not certain will be read again. */
static void remember(struct unpack *u, const char *name, int is_link, struct digest *digest)
{
	unsigned char raw[SHA256_DIGEST_SIZE];
	struct stat st;
	if (fstatat(u->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	if (!is_link && (uint64_t)st.st_size == digest->size && digest_end(digest, raw) == 0) {
		if (digest_table_put(u->digests, st.st_ino, digest->size, raw) < 0)
			no_memory(name);
	} else if (!is_link || digest->at || digest->wrong) {
		digest_table_drop(u->digests, st.st_ino); /* a link that brought content changed its file's */
	}
}

void unpack_archive(struct unpack *u, uint64_t size)
{
	struct archive *in = open_input(u), *out = open_output();
	static struct digest digest;
	char last[512] = "archive";
	struct archive_entry *entry;
	int r;
	/* WARN on reading is about a name that is not UTF-8; its bytes are there all the same, or check_entry refuses.
	 */
	while ((r = archive_read_next_header(in, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		if (check_entry(u, entry)) {
			snprintf(last, sizeof(last), "%s", archive_entry_pathname(entry));
			if (archive_write_header(out, entry) != ARCHIVE_OK)
				write_failed(out, last);
			int is_link = archive_entry_hardlink(entry) != NULL;
			digest_begin(&digest, (uint64_t)archive_entry_size(entry));
			copy_data(u, in, out, last, size, &digest);
			if (archive_write_finish_entry(out) != ARCHIVE_OK)
				write_failed(out, last);
			if (archive_entry_filetype(entry) == AE_IFREG || is_link)
				remember(u, archive_entry_pathname(entry), is_link, &digest);
			u->entries++;
		}
		if (size)
			progress(u, (uint64_t)archive_filter_bytes(in, -1), size);
	}
	if (r != ARCHIVE_EOF)
		read_failed(in, last);
	/* A tar ends with a block of zeros; libarchive takes an end without one, which is how a cut-off file looks. */
	if (archive_filter_bytes(in, 0) <= archive_read_header_position(in))
		refuse(last, "the archive is cut short after this entry");
	if (u->entries == 0)
		refuse("archive", "it has no files");
	/* Modes and times of folders are set here. */
	if (archive_write_close(out) != ARCHIVE_OK)
		write_failed(out, "archive");
	archive_write_free(out);
	archive_read_free(in);
}
