/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cmd/ve-supervisor/account.h"

#include <errno.h>
#include <string.h>

/* Takes the first line off `text`; its newline is not a part of it. 0 at the end. */
static int next_line(struct span *text, struct span *ret)
{
	if (!text->size)
		return 0;
	const char *end = memchr(text->at, '\n', text->size);
	ret->at = text->at;
	ret->size = end ? (size_t)(end - text->at) : text->size;
	size_t taken = ret->size + (end != NULL);
	text->at += taken;
	text->size -= taken;
	return 1;
}

struct output {
	char *at;
	size_t used, room;
};

static void put(struct output *o, const char *at, size_t size)
{
	if (o->used <= o->room && size <= o->room - o->used)
		memcpy(o->at + o->used, at, size);
	else
		size = o->room + 1 - o->used; /* one more than there is: full for good */
	o->used += size;
}

static ssize_t result(const struct output *o)
{
	return o->used > o->room ? -ENOSPC : (ssize_t)o->used;
}

static int is_line_of(struct span line, const char *user)
{
	size_t n = strlen(user);
	return line.size > n && !memcmp(line.at, user, n) && line.at[n] == ':';
}

static void put_with_field(struct output *o, struct span line, int field, const char *value)
{
	const char *p = line.at, *end = line.at + line.size;
	for (int i = 0;; i++) {
		const char *colon = memchr(p, ':', end - p), *stop = colon ? colon : end;
		if (i == field)
			put(o, value, strlen(value));
		else
			put(o, p, stop - p);
		if (!colon && i >= field)
			return;
		put(o, ":", 1);
		p = colon ? colon + 1 : end;
	}
}

ssize_t account_set(struct span text, const char *user, int field, const char *value, char *out, size_t room)
{
	struct output o = {out, 0, room};
	struct span line;
	int found = 0;
	while (next_line(&text, &line)) {
		if (!found && is_line_of(line, user)) {
			put_with_field(&o, line, field, value);
			found = 1;
		} else
			put(&o, line.at, line.size);
		put(&o, "\n", 1);
	}
	return found ? result(&o) : -ENOENT;
}

static int has_line(struct span text, struct span wanted)
{
	struct span line;
	while (next_line(&text, &line))
		if (line.size == wanted.size && !memcmp(line.at, wanted.at, line.size))
			return 1;
	return 0;
}

ssize_t lines_add(struct span text, struct span more, char *out, size_t room)
{
	struct output o = {out, 0, room};
	struct span line;
	put(&o, text.at, text.size);
	if (text.size && text.at[text.size - 1] != '\n')
		put(&o, "\n", 1);
	while (next_line(&more, &line)) {
		struct span written = {out, o.used <= room ? o.used : 0};
		if (!line.size || has_line(written, line))
			continue;
		put(&o, line.at, line.size);
		put(&o, "\n", 1);
	}
	return result(&o);
}
