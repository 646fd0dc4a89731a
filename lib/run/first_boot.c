/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/run/first_boot.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/util.h"

#define FOLDER      "first-boot"
#define CREDENTIALS "credentials"

/* As systemd has them: CREDENTIAL_SIZE_MAX and CREDENTIALS_TOTAL_SIZE_MAX. */
enum { CREDENTIAL_MAX = 1 << 20, CREDENTIALS_MAX = 1 << 20 };

static const char tried[] = "create";
static const char *const things[] = {"password", "authorized_keys"};

/* ---- what is asked for */

/* The names that systemd takes: of a file, and of an fd (printable, no colon). */
static int credential_name_ok(const char *name)
{
	size_t n = strlen(name);
	if (!n || n > 255 || !strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	for (const char *p = name; *p; p++)
		if (*p < ' ' || *p > 126 || *p == ':' || *p == '/')
			return 0;
	return 1;
}

static int check_credentials(const struct ve_create_options *o, struct error *e)
{
	size_t total = 0;
	for (size_t i = 0; i < o->n_credentials; i++) {
		const struct ve_credential *c = &o->credentials[i];
		if (!c->name || !credential_name_ok(c->name))
			return error_set(e, VE_E_USAGE, EINVAL, tried,
				"take 1 to 255 printable characters without : and /",
				"credential '%s': that cannot be a name", c->name ? c->name : "");
		for (size_t k = 0; k < i; k++)
			if (!strcmp(c->name, o->credentials[k].name))
				return error_set(e, VE_E_USAGE, EEXIST, tried, "give each name once",
					"credential %s is given twice", c->name);
		total += c->size;
		if (c->size > CREDENTIAL_MAX || total > CREDENTIALS_MAX)
			return error_set(e, VE_E_USAGE, EFBIG, tried, "put large files into the VE's disk instead",
				"credential %s: all of them together may have %d bytes", c->name, CREDENTIALS_MAX);
	}
	return 0;
}

/*
 * Credentials that systemd itself would give root a password by (systemd.system-credentials(7)). It does so where root
 * has no entry in /etc/shadow alone, and in an image it has one: so they are carried out as the options are.
 */
#define CREDENTIAL_HASH  "passwd.hashed-password.root"
#define CREDENTIAL_PLAIN "passwd.plaintext-password.root"

static const struct ve_credential *find_credential(const struct ve_create_options *o, const char *name)
{
	for (size_t i = 0; i < o->n_credentials; i++)
		if (!strcmp(o->credentials[i].name, name))
			return &o->credentials[i];
	return NULL;
}

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
}
#define cleanup_wipe __attribute__((cleanup(wipe)))

/* The text of a credential, without the newline that an editor put after it. */
static int credential_text(const struct ve_credential *c, char **ret, struct error *e)
{
	size_t n = c->size;
	if (n && memchr(c->data, 0, n))
		return error_set(
			e, VE_E_USAGE, EINVAL, tried, "give a text file", "credential %s: that is no text", c->name);
	if (n && ((const char *)c->data)[n - 1] == '\n')
		n--;
	*ret = strndup(n ? c->data : "", n);
	return *ret ? 0 : error_sys(e, ENOMEM, tried, "memory");
}

/* *ret_plain or *ret_hash is what root's password comes from, both stay NULL where none is given. */
static int root_password(const struct ve_create_options *o, char **ret_plain, char **ret_hash, struct error *e)
{
	const struct ve_credential *plain = find_credential(o, CREDENTIAL_PLAIN),
				   *hash = find_credential(o, CREDENTIAL_HASH);
	if (!!o->root_password + !!o->root_password_hash + !!plain + !!hash > 1)
		return error_set(e, VE_E_USAGE, EINVAL, tried,
			"give one of a password, a hash of one, credential " CREDENTIAL_PLAIN
			" and credential " CREDENTIAL_HASH,
			"root's password is given more than once");
	if (plain)
		return credential_text(plain, ret_plain, e);
	if (hash)
		return credential_text(hash, ret_hash, e);
	if (o->root_password && !(*ret_plain = strdup(o->root_password)))
		return error_sys(e, ENOMEM, tried, "memory");
	if (o->root_password_hash && !(*ret_hash = strdup(o->root_password_hash)))
		return error_sys(e, ENOMEM, tried, "memory");
	return 0;
}

int first_boot_check(const struct ve_create_options *o, struct error *e)
{
	cleanup_free char *keys = NULL;
	cleanup_wipe char *plain = NULL, *hash = NULL;
	int r = check_credentials(o, e);
	if (!r)
		r = root_password(o, &plain, &hash, e);
	if (!r && plain)
		r = password_check(plain, e);
	if (!r && hash)
		r = password_hash_check(hash, e);
	if (!r && o->authorized_keys)
		r = ssh_keys_check(o->authorized_keys, &keys, e);
	return r;
}

/* ---- the image */

static int mentions(int root, const char *path, const char *word)
{
	cleanup_free char *text = NULL;
	if (read_file_at(root, path, 65536, &text, NULL) < 0)
		return 0;
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (line[strspn(line, " \t")] != '#' && strcasestr(line, word))
			return 1;
	}
	return 0;
}

/* Where the guest's own passwd(1) uses it, its libc can check it. busybox and musl know SHA-512. */
static int knows_yescrypt(int root)
{
	static const char *const policy[] = {"etc/pam.d/common-password", "etc/pam.d/system-auth", "etc/login.defs"};
	for (size_t i = 0; i < ARRAY_SIZE(policy); i++)
		if (mentions(root, policy[i], "yescrypt"))
			return 1;
	return 0;
}

/* ---- the files */

static int put(int dir, const char *name, const void *data, size_t size, unsigned mode, struct error *e)
{
	int r = write_file_atomic_at(dir, name, data, size, mode);
	return r < 0 ? error_sys(e, -r, tried, name) : 0;
}

static int make_folder(int dir, const char *name, unsigned mode, struct error *e)
{
	if (mkdirat(dir, name, 0700) && errno != EEXIST)
		return error_sys(e, errno, tried, name);
	int fd = open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || fchmod(fd, mode)) {
		int wrong = fd < 0 ? -fd : errno;
		if (fd >= 0)
			close(fd);
		return error_sys(e, wrong, tried, name);
	}
	return fd;
}

/* The hash that root gets, or NULL. */
static int make_hash(int root, const struct ve_create_options *o, char **ret, struct error *e)
{
	cleanup_wipe char *plain = NULL, *hash = NULL;
	int r = root_password(o, &plain, &hash, e);
	if (!r && plain)
		r = password_hash(plain, knows_yescrypt(root), &hash, e);
	if (!r)
		*ret = TAKE_PTR(hash);
	return r;
}

static int put_keys(int folder, const struct ve_create_options *o, struct error *e)
{
	cleanup_free char *keys = NULL;
	int r = o->authorized_keys ? ssh_keys_check(o->authorized_keys, &keys, e) : 0;
	return !r && keys ? put(folder, "authorized_keys", keys, strlen(keys), 0600, e) : r;
}

/* A password as text is not kept: in its place the guest finds the hash, under the name that systemd has for that. */
static int put_credentials(int dir, const struct ve_create_options *o, const char *hash, struct error *e)
{
	if (!o->n_credentials)
		return 0;
	cleanup_fd int folder = make_folder(dir, CREDENTIALS, 0500, e);
	int r = folder < 0 ? folder : 0;
	for (size_t i = 0; !r && i < o->n_credentials; i++) {
		const struct ve_credential *c = &o->credentials[i];
		if (!strcmp(c->name, CREDENTIAL_PLAIN))
			r = put(folder, CREDENTIAL_HASH, hash, strlen(hash), 0400, e);
		else
			r = put(folder, c->name, c->data, c->size, 0400, e);
	}
	return r;
}

int first_boot_write(
	struct ve_host *host, int dir, const char *image, const struct ve_create_options *o, struct error *e)
{
	char path[PATH_MAX];
	cleanup_wipe char *hash = NULL;
	FORMAT(path, "%s/images/store/%s/rootfs", host->data, image);
	cleanup_fd int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int folder = make_folder(dir, FOLDER, 0700, e);
	if (root < 0)
		return error_sys(e, errno, tried, path);
	int r = folder < 0 ? folder : make_hash(root, o, &hash, e);
	if (!r && hash)
		r = put(folder, "password", hash, strlen(hash), 0600, e);
	if (!r)
		r = put_keys(folder, o, e);
	if (!r)
		r = put_credentials(dir, o, hash, e);
	unlinkat(dir, FOLDER, AT_REMOVEDIR); /* where nothing is in it */
	return r;
}

/* ---- a start */

int first_boot_pending(const char *path)
{
	char file[PATH_MAX];
	for (size_t i = 0; i < ARRAY_SIZE(things); i++)
		if (FORMAT(file, "%s/" FOLDER "/%s", path, things[i]) >= 0 && !access(file, F_OK))
			return 1;
	return 0;
}

void first_boot_left(const char *path, char *buf, size_t size)
{
	char file[PATH_MAX];
	size_t n = 0;
	*buf = 0;
	for (size_t i = 0; i < ARRAY_SIZE(things); i++)
		if (FORMAT(file, "%s/" FOLDER "/%s", path, things[i]) >= 0 && !access(file, F_OK) && n < size)
			n += snprintf(buf + n, size - n, "%s%s", n ? ", " : "", things[i]);
}

int first_boot_drop(const char *path)
{
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	if (faccessat(dir, FOLDER, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
		return 0;
	int r = remove_tree_at(dir, FOLDER);
	return r < 0 ? r : fsync(dir) ? -errno : 0;
}

int credentials_present(const char *path)
{
	char folder[PATH_MAX];
	int found = 0;
	if (FORMAT(folder, "%s/" CREDENTIALS, path) < 0)
		return 0;
	DIR *d = opendir(folder);
	for (struct dirent *de; d && !found && (de = readdir(d));)
		found = de->d_name[0] != '.';
	if (d)
		closedir(d);
	return found;
}
