/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing a manifest, and comparing one with what is there. */
#include "cmd/ve-unpack/manifest.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/util.h"

#define FIRST_LINE "#mtree"

enum { DIFFERENCES_SHOWN = 1000, FIELDS_MAX = 256 };

/* ---- writing */

struct writer {
	FILE *out;
	struct sha256_ctx sha;
};

static void write_line(void *arg, const char *line, uint64_t bytes)
{
	struct writer *w = arg;
	size_t length = strlen(line);
	sha256_update(&w->sha, length, (const uint8_t *)line);
	sha256_update(&w->sha, 1, (const uint8_t *)"\n");
	if (fwrite(line, 1, length, w->out) != length || putc('\n', w->out) == EOF)
		fail("manifest", errno, "cannot be written");
}

static void id_of(struct sha256_ctx *sha, char ret_id[DIGEST_TEXT_SIZE])
{
	unsigned char raw[SHA256_DIGEST_SIZE];
	sha_end(sha, raw);
	digest_text(raw, ret_id);
}

void manifest_write(
	int root, const struct digest_table *known, int fd, char ret_id[DIGEST_TEXT_SIZE], struct walk_result *ret)
{
	struct writer w = {.out = fdopen(fd, "w")};
	if (!w.out)
		fail("manifest", errno, "cannot be written");
	sha256_init(&w.sha);
	write_line(&w, FIRST_LINE, 0);
	walk_root(root, known, write_line, &w, ret);
	if (fflush(w.out) != 0)
		fail("manifest", errno, "cannot be written");
	id_of(&w.sha, ret_id);
}

/* ---- order */

/* A character of an escaped path in the order of a walk: the end, '/', all bytes. Steps over it. */
static int next_rank(const char **p)
{
	const char *s = *p;
	if (*s == 0 || *s == ' ')
		return 0;
	if (*s == '/') {
		*p = s + 1;
		return 1;
	}
	if (*s == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
		*p = s + 4;
		return 2 + ((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
	}
	*p = s + 1;
	return 2 + (unsigned char)*s;
}

int manifest_path_compare(const char *a, const char *b)
{
	for (;;) {
		int x = next_rank(&a), y = next_rank(&b);
		if (x != y)
			return x < y ? -1 : 1;
		if (x == 0)
			return 0;
	}
}

/* ---- comparing */

struct verify {
	struct unpack *u;
	char *line, *end; /* the next one of the manifest */
	uint64_t differences, bytes, total;
};

/* Paths and values are escaped already, but for what is special in JSON. */
static void print_json(const char *key, const char *text, size_t length)
{
	printf(",\"%s\":\"", key);
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"' || text[i] == '\\')
			putchar('\\');
		if ((unsigned char)text[i] >= ' ')
			putchar(text[i]);
	}
	putchar('"');
}

static void differ(struct verify *v, const char *path, const char *what, const char *expected, const char *found)
{
	enum { VALUE_MAX = 256 };
	if (++v->differences > DIFFERENCES_SHOWN)
		return;
	printf("{\"what\":\"%s\"", what);
	print_json("path", path, strcspn(path, " "));
	if (expected)
		print_json("expected", expected, strnlen(expected, VALUE_MAX));
	if (found)
		print_json("found", found, strnlen(found, VALUE_MAX));
	printf("}\n");
}

struct field {
	const char *key, *value;
	int seen;
};

/* "PATH key=value key=value", which is cut up. */
static size_t cut_fields(char *line, struct field fields[FIELDS_MAX])
{
	size_t count = 0;
	char *save = NULL;
	strtok_r(line, " ", &save);
	for (char *p; count < FIELDS_MAX && (p = strtok_r(NULL, " ", &save));) {
		char *equals = strchr(p, '=');
		if (!equals)
			continue;
		*equals = 0;
		fields[count++] = (struct field){.key = p, .value = equals + 1};
	}
	return count;
}

static struct field *find_field(struct field *fields, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(fields[i].key, key))
			return &fields[i];
	return NULL;
}

/* Words for people; a key that is not here is its own word. */
static const char *word_of(const char *key)
{
	static const char *const words[][2] = {{"uid", "owner"}, {"gid", "group"}, {"link", "target"},
		{"sha256digest", "content"}, {"blocksdigest", "content"}, {"hardlink", "hard link"}};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i][0], key))
			return words[i][1];
	return strncmp(key, "xattr.", 6) ? key : "attribute";
}

static void compare_entry(struct verify *v, char *expected, const char *found)
{
	struct field want[FIELDS_MAX], have[FIELDS_MAX];
	cleanup_free char *copy = strdup(found);
	if (!strcmp(expected, found))
		return;
	if (!copy)
		no_memory("manifest");
	uint64_t before = v->differences;
	size_t n_want = cut_fields(expected, want), n_have = cut_fields(copy, have);
	const struct field *a = find_field(want, n_want, "type"), *b = find_field(have, n_have, "type");
	if (a && b && strcmp(a->value, b->value)) {
		differ(v, expected, "type", a->value, b->value);
		return; /* the rest follows from that */
	}
	if (!a || !b) {
		const struct field *link = find_field(a ? have : want, a ? n_have : n_want, "hardlink");
		differ(v, expected, "hard link", a || !link ? NULL : link->value, b || !link ? NULL : link->value);
		return;
	}
	int resized = 0;
	for (size_t i = 0; i < n_want; i++) {
		struct field *f = find_field(have, n_have, want[i].key);
		if (f)
			f->seen = 1;
		if (f && !strcmp(f->value, want[i].value))
			continue;
		resized |= !strcmp(want[i].key, "size");
		/* Another size is another content. */
		if (!(resized && !strcmp(word_of(want[i].key), "content")))
			differ(v, expected, word_of(want[i].key), want[i].value, f ? f->value : NULL);
	}
	for (size_t i = 0; i < n_have; i++)
		if (!have[i].seen && !(resized && !strcmp(word_of(have[i].key), "content")))
			differ(v, expected, word_of(have[i].key), NULL, have[i].value);
	if (v->differences == before)
		differ(v, expected, "line", NULL, NULL);
}

static char *take_line(struct verify *v)
{
	char *line = v->line, *newline = line < v->end ? memchr(line, '\n', (size_t)(v->end - line)) : NULL;
	if (!newline)
		return NULL;
	*newline = 0;
	v->line = newline + 1;
	return line;
}

static void verify_line(void *arg, const char *found, uint64_t bytes)
{
	struct verify *v = arg;
	v->bytes += bytes;
	progress(v->u, v->bytes, v->total);
	while (v->line < v->end) {
		int order = manifest_path_compare(v->line, found);
		if (order > 0)
			break;
		char *expected = take_line(v);
		if (order == 0) {
			compare_entry(v, expected, found);
			return;
		}
		differ(v, expected, "missing", NULL, NULL);
	}
	differ(v, found, "added", NULL, NULL);
}

static uint64_t sum_sizes(const char *text, const char *end)
{
	uint64_t total = 0;
	for (const char *p = text; p < end && (p = strstr(p, " size="));) {
		p += strlen(" size=");
		total += strtoull(p, NULL, 10);
	}
	return total;
}

uint64_t manifest_verify(struct unpack *u, char *text, size_t size, struct walk_result *ret)
{
	struct verify v = {.u = u, .line = text, .end = text + size, .total = sum_sizes(text, text + size)};
	if (size == 0 || text[size - 1] != '\n' || memchr(text, 0, size) ||
		strncmp(text, FIRST_LINE "\n", strlen(FIRST_LINE "\n")))
		refuse("manifest", "it is damaged");
	take_line(&v);
	walk_root(u->root, NULL, verify_line, &v, ret);
	for (char *line; (line = take_line(&v));)
		differ(&v, line, "missing", NULL, NULL);
	return v.differences;
}
