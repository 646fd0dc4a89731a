/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cmd/ve-enter/account.h"

#include <errno.h>
#include <string.h>

struct field {
	const char *p;
	size_t n;
};

int account_parse_id(const char *text, size_t size, uint32_t *ret)
{
	uint32_t value = 0;

	if (size == 0 || size > 5)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	if (value > ACCOUNT_ID_MAX)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* The next line without its newline; 0 at the end. */
static int next_line(const char **text, size_t *size, struct field *ret)
{
	const char *end;

	if (*size == 0)
		return 0;
	end = memchr(*text, '\n', *size);
	ret->p = *text;
	ret->n = end ? (size_t)(end - *text) : *size;
	*size -= ret->n + (end ? 1 : 0);
	*text += ret->n + (end ? 1 : 0);
	return 1;
}

/* Splits at colons. The number of fields, of which at most `max` are filled in. */
static size_t split(struct field line, struct field *ret, size_t max)
{
	size_t n = 0;

	for (;;) {
		const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
		size_t length = colon ? (size_t)(colon - line.p) : line.n;

		if (n < max)
			ret[n] = (struct field){line.p, length};
		n++;
		if (!colon)
			return n;
		line.p += length + 1;
		line.n -= length + 1;
	}
}

static int field_is(struct field f, const char *text)
{
	return f.n == strlen(text) && memcmp(f.p, text, f.n) == 0;
}

static int copy_field(struct field f, char *to)
{
	if (f.n >= ACCOUNT_FIELD_MAX || memchr(f.p, '\0', f.n))
		return -EINVAL;
	memcpy(to, f.p, f.n);
	to[f.n] = '\0';
	return 0;
}

static int fill_account(const struct field *f, struct account *ret)
{
	if (account_parse_id(f[2].p, f[2].n, &ret->uid) || account_parse_id(f[3].p, f[3].n, &ret->gid) || f[0].n == 0 ||
		copy_field(f[0], ret->name) || copy_field(f[5], ret->home) || copy_field(f[6], ret->shell))
		return -EINVAL;
	if (ret->home[0] != '/')
		strcpy(ret->home, "/");
	if (ret->shell[0] != '/')
		strcpy(ret->shell, "/bin/sh");
	return 0;
}

int account_find(const char *text, size_t size, const char *user, struct account *ret)
{
	enum { FIELDS = 7 };
	int by_uid = user[0] && strspn(user, "0123456789") == strlen(user);
	struct field line, f[FIELDS];
	struct account found;
	uint32_t want = 0, uid;

	if (!*user || (by_uid && account_parse_id(user, strlen(user), &want)))
		return -ENOENT;
	while (next_line(&text, &size, &line)) {
		size_t n = split(line, f, FIELDS);

		if (by_uid ? n != FIELDS || account_parse_id(f[2].p, f[2].n, &uid) || uid != want
			   : !field_is(f[0], user))
			continue;
		if (n != FIELDS || fill_account(f, &found))
			return -EINVAL;
		*ret = found;
		return 0;
	}
	return -ENOENT;
}

static int lists_member(struct field members, const char *name)
{
	while (members.n) {
		const char *comma = memchr(members.p, ',', members.n);
		size_t length = comma ? (size_t)(comma - members.p) : members.n;

		if (field_is((struct field){members.p, length}, name))
			return 1;
		length += comma ? 1 : 0;
		members.p += length;
		members.n -= length;
	}
	return 0;
}

int account_groups(const char *text, size_t size, const char *name, uint32_t gid, uint32_t *ret)
{
	enum { FIELDS = 4 };
	struct field line, f[FIELDS];
	int count = 1;
	uint32_t id;

	ret[0] = gid;
	while (next_line(&text, &size, &line)) {
		int seen = 0;

		if (split(line, f, FIELDS) != FIELDS || account_parse_id(f[2].p, f[2].n, &id) ||
			!lists_member(f[3], name))
			continue;
		for (int i = 0; i < count && !seen; i++)
			seen = ret[i] == id;
		if (seen)
			continue;
		if (count == ACCOUNT_GROUPS_MAX)
			return -E2BIG;
		ret[count++] = id;
	}
	return count;
}
