/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hashing a password in the caller's process: what is stored, and for a short time, is crypt(3)'s hash alone. */
#include <crypt.h>
#include <dlfcn.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/run/first_boot.h"

static const char tried[] = "create";

/* Loaded when it is needed: each vectl that hashes nothing would pay for it otherwise. */
struct crypt_library {
	char *(*gensalt)(const char *prefix, unsigned long count, const char *random, int size, char *out, int room);
	char *(*hash)(const char *phrase, const char *setting, void *data, int size);
};

static int load(struct crypt_library *c)
{
	static const char *const names[] = {"libcrypt.so.1", "libcrypt.so.2"};
	void *lib = NULL;
	for (size_t i = 0; !lib && i < ARRAY_SIZE(names); i++)
		lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	void *gensalt = lib ? dlsym(lib, "crypt_gensalt_rn") : NULL, *hash = lib ? dlsym(lib, "crypt_rn") : NULL;
	if (!gensalt || !hash)
		return -ENOENT;
	memcpy(&c->gensalt, &gensalt, sizeof gensalt);
	memcpy(&c->hash, &hash, sizeof hash);
	return 0;
}

int password_hash(const char *password, int yescrypt, char **ret, struct error *e)
{
	static const char *const prefix[] = {"$6$", "$y$"};
	struct crypt_library c;
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	if (load(&c))
		return error_set(e, VE_E_HOST, ENOENT, tried, "install it: apt install libcrypt1",
			"this host has no libcrypt to hash the password with");
	struct crypt_data *data = calloc(1, sizeof *data);
	if (!data)
		return error_sys(e, ENOMEM, tried, "memory");
	/* A count of 0 is the library's own choice of how long a guess shall take. */
	char *hash = c.gensalt(prefix[!!yescrypt], 0, NULL, 0, setting, sizeof setting)
			     ? c.hash(password, setting, data, sizeof *data)
			     : NULL;
	int wrong = errno;
	char *copy = hash && *hash != '*' ? strdup(hash) : NULL;
	explicit_bzero(data, sizeof *data);
	free(data);
	if (!copy)
		return error_sys(e, wrong ? wrong : EINVAL, tried, "hash of the password");
	*ret = copy;
	return 0;
}

int password_check(const char *password, struct error *e)
{
	size_t n = strlen(password);
	if (!n)
		return error_set(e, VE_E_USAGE, EINVAL, tried, "leave it out for an account without one",
			"the password is empty");
	if (n >= CRYPT_MAX_PASSPHRASE_SIZE)
		return error_set(e, VE_E_USAGE, E2BIG, tried, "choose a shorter one",
			"the password has more than %d bytes", CRYPT_MAX_PASSPHRASE_SIZE - 1);
	if (strpbrk(password, "\n\r"))
		return error_set(e, VE_E_USAGE, EINVAL, tried, "put it on one line, alone",
			"the password has more than one line, and no login program could take it");
	return 0;
}

int password_hash_check(const char *hash, struct error *e)
{
	size_t n = strlen(hash);
	int ok = n >= 13 && n < CRYPT_OUTPUT_SIZE && *hash == '$' && strchr(hash + 1, '$');
	for (const char *p = hash; ok && *p; p++)
		ok = *p > ' ' && *p < 127 && !strchr(":;*!\\", *p);
	/* Not shown: it may well be a password that was taken for a hash. */
	return ok ? 0
		  : error_set(e, VE_E_USAGE, EINVAL, tried, "give what `openssl passwd -6` prints",
			    "the hash of root's password is none of crypt(3)");
}
