/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may come into an image. */
#include <endian.h>
#include <linux/capability.h>
#include <string.h>

#include "cmd/ve-unpack/unpack.h"
#include "lib/base/util.h"

const char *check_path(const char *entry, const char *path, const char *what)
{
	if (path[0] == '/')
		refuse(entry, "%s is absolute", what);
	while (path[0] == '.' && path[1] == '/') {
		path += 2;
		path += strspn(path, "/");
	}
	if (!strcmp(path, "."))
		path++;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.')
			refuse(entry, "%s has a '..' component", what);
		p += n;
		p += strspn(p, "/");
	}
	return path;
}

void check_ids(const char *entry, int64_t uid, int64_t gid)
{
	if (uid < 0 || uid > ID_MAX)
		refuse(entry, "owner %lld is not in 0..%d", (long long)uid, ID_MAX);
	if (gid < 0 || gid > ID_MAX)
		refuse(entry, "group %lld is not in 0..%d", (long long)gid, ID_MAX);
}

/* user.overlay.* steers an overlay mounted with userxattr, which is how a VE's root is mounted. */
static const struct {
	const char *prefix;
	int keep;
} xattr_rules[] = {
	{"security.capability", 1},
	{"user.overlay.", 0},
	{"user.", 1},
};

int check_xattr(const char *entry, const char *name, const void *value, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(xattr_rules); i++) {
		if (strncmp(name, xattr_rules[i].prefix, strlen(xattr_rules[i].prefix)))
			continue;
		if (!strcmp(name, "security.capability") && size == XATTR_CAPS_SZ_3) {
			struct vfs_ns_cap_data cap;
			memcpy(&cap, value, sizeof(cap));
			if (cap.rootid)
				refuse(entry, "its file capability belongs to the user namespace of id %u",
					le32toh(cap.rootid));
		}
		return xattr_rules[i].keep;
	}
	return 0;
}

void check_acl(const char *entry, const void *value, size_t size)
{
	/* linux/posix_acl_xattr.h: a le32 version, then {le16 tag, le16 perm, le32 id} each. */
	enum { HEAD = 4, ITEM = 8, TAG_USER = 2, TAG_GROUP = 8 };
	const unsigned char *p = value;
	for (size_t at = HEAD; at + ITEM <= size; at += ITEM) {
		uint16_t tag;
		uint32_t id;
		memcpy(&tag, p + at, sizeof(tag));
		memcpy(&id, p + at + 4, sizeof(id));
		tag = le16toh(tag);
		if ((tag == TAG_USER || tag == TAG_GROUP) && le32toh(id) > ID_MAX)
			refuse(entry, "its access list names id %u, which is not in 0..%d", le32toh(id), ID_MAX);
	}
}
