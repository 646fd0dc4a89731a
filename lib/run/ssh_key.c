/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Public keys for authorized_keys(5): looked at, so that a mistake is said now and not by a login that is refused. */
#include <string.h>

#include "lib/base/util.h"
#include "lib/run/first_boot.h"

enum { KEYS_MAX = 48 << 10 };
static const char tried[] = "create", blank[] = " \t";

static const char *const types[] = {"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
	"ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"};

static int sextet(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(alphabet, c) : NULL;
	return p ? (int)(p - alphabet) : -1;
}

/* The blob begins with the type again, as a string with its length: RFC 4253, 6.6. */
static int is_blob_of(const char *text, size_t size, const char *type)
{
	unsigned char head[64] = {0};
	size_t n = 0, body = size, want = strlen(type);
	while (body && size - body < 2 && text[body - 1] == '=')
		body--;
	if (size % 4 || body < 40)
		return 0;
	for (size_t i = 0, bits = 0, held = 0; i < body; i++) {
		int six = sextet(text[i]);
		if (six < 0)
			return 0;
		held = (held << 6 | six) & 0xffff;
		if ((bits += 6) >= 8 && n < sizeof head)
			head[n++] = held >> (bits -= 8);
		else if (bits >= 8)
			bits -= 8;
	}
	return n > 4 + want && !head[0] && !head[1] && !head[2] && head[3] == want && !memcmp(head + 4, type, want);
}

/* The next word; a blank between double quotes (of options) does not end it. */
static size_t word(const char *p, const char *end)
{
	int quoted = 0;
	const char *at = p;
	for (; at < end && (quoted || !strchr(blank, *at)); at++)
		if (*at == '"' && (at == p || at[-1] != '\\'))
			quoted = !quoted;
	return at - p;
}

static int is_key(const char *line, size_t size)
{
	const char *p = line, *end = line + size;
	/* Options may come first, in one word. */
	for (int i = 0; i < 2; i++) {
		size_t n = word(p, end);
		for (size_t k = 0; k < ARRAY_SIZE(types); k++) {
			if (n != strlen(types[k]) || memcmp(p, types[k], n))
				continue;
			p += n;
			while (p < end && strchr(blank, *p))
				p++;
			return is_blob_of(p, word(p, end), types[k]);
		}
		p += n;
		while (p < end && strchr(blank, *p))
			p++;
	}
	return 0;
}

int ssh_keys_check(const char *text, char **ret, struct error *e)
{
	size_t size = strlen(text), used = 0;
	if (size > KEYS_MAX)
		return error_set(
			e, VE_E_USAGE, EFBIG, tried, "give fewer keys", "ssh keys: more than %d bytes", KEYS_MAX);
	if (strstr(text, "PRIVATE KEY"))
		return error_set(e, VE_E_USAGE, EINVAL, tried, "give the public one, the file that ends with .pub",
			"ssh key: that is a private key, which belongs in no VE");
	cleanup_free char *out = malloc(size + 2);
	if (!out)
		return error_sys(e, ENOMEM, tried, "memory");
	int number = 0, keys = 0;
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t n = strcspn(p, "\n");
		number++;
		while (n && strchr(" \t\r", p[n - 1]))
			n--;
		const char *line = p;
		for (; n && strchr(blank, *line); n--)
			line++;
		if (!n || *line == '#')
			continue;
		if (!is_key(line, n))
			return error_set(e, VE_E_USAGE, EINVAL, tried,
				"give a public key as ssh-keygen writes it: a type such as ssh-ed25519, then its text",
				"ssh key, line %d: that is no public key", number);
		memcpy(out + used, line, n);
		out[used + n] = '\n';
		used += n + 1;
		keys++;
	}
	if (!keys)
		return error_set(e, VE_E_USAGE, EINVAL, tried, "give a file that ends with .pub",
			"ssh key: there is none in it");
	out[used] = 0;
	*ret = TAKE_PTR(out);
	return 0;
}
