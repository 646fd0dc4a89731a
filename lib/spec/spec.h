/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_SPEC_H
#define VE_SPEC_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/json.h"

enum spec_type {
	SPEC_STRING,
	SPEC_NAME, /* VE name rules */
	SPEC_HOSTNAME,
	SPEC_UUID,
	SPEC_PATH, /* absolute */
	SPEC_BOOL,
	SPEC_INTEGER,
	SPEC_SIZE, /* bytes, K M G T, max */
	SPEC_RATE, /* bit/s, k m g, max */
	SPEC_SECONDS,
	SPEC_COUNT,   /* integer or max */
	SPEC_PERCENT, /* 150% */
	SPEC_LIST,    /* of strings */
	SPEC_ENUM,    /* one of `choices` */
	SPEC_SIGNAL,  /* SIGRTMIN+4, TERM, 15 */
};

#define SPEC_MAX INT64_MAX /* the value "max" of SIZE, RATE, COUNT */

enum spec_flags {
	SPEC_LIVE = 1,        /* `set` can apply it to a running VE */
	SPEC_READONLY = 2,    /* not by set or --set: name, uuid */
	SPEC_UNSUPPORTED = 4, /* known, not carried out by this version: refused in those words */
	SPEC_APPLIED = 16,    /* LIVE, and not by being read when it is used: lib/run/live.c brings it into effect */
	SPEC_EMPTY = 32,      /* a STRING that may be empty */
	SPEC_FREE_KEY = 8,    /* the rest of the path is the key, dots and all: sysctl, labels, env */
};

/*
 * One row a key; parsing, writing, `set`/`get`, the JSON Schema and the man page's key list all follow from it.
 * `key` is the dotted path; one component may be `*`, a name given by the user (net.*.type), or the last one with
 * SPEC_FREE_KEY (env.*).
 */
struct spec_key {
	const char *key;
	enum spec_type type;
	unsigned flags;
	int64_t min, max;     /* numeric types: allowed range; LIST and STRING: max length when non-zero */
	const char *choices;  /* ENUM, and LIST with a fixed set: "overlay|btrfs" */
	const char *fallback; /* the default as `set` would take it, or NULL */
	const char *doc;      /* one sentence, shown in help, schema and man page */
};
extern const struct spec_key spec_keys[]; /* ends with key NULL */

struct spec; /* values by full dotted path */

struct spec *spec_new(void); /* NULL: out of memory */
void spec_free(struct spec *s);
static inline void spec_free_p(struct spec **s)
{
	spec_free(*s);
}
#define cleanup_spec __attribute__((cleanup(spec_free_p)))

/* From ve.json. Messages have `file`, line, column, key, and the nearest known key where one is misspelt. */
int spec_parse(const char *text, size_t size, const char *file, struct spec **ret, struct error *e);
/* The nested JSON document with "format": 1. */
int spec_write(const struct spec *s, char **ret_text, struct error *e);

/* One `KEY=VALUE`, `KEY+=VALUE` or `KEY-=VALUE`, as --set and set take it. Nothing is changed on failure. */
int spec_assign(struct spec *s, const char *assignment, struct error *e);
int spec_unset(struct spec *s, const char *key, struct error *e); /* or a group of keys: "mount.data" */
/* As spec_assign, for libve itself: also READONLY keys. */
int spec_put(struct spec *s, const char *key, const char *value, struct error *e);

/* The row that a full path belongs to, or NULL. */
const struct spec_key *spec_find_key(const char *path);
int spec_is_group(const char *path); /* keys begin with it: "memory", "net.eth0" */
/* The known key nearest to a misspelt one, or NULL when nothing is near. */
const char *spec_nearest_key(const char *path);

/* Values. The default where it is not set; `otherwise` or NULL where there is none either. */
int spec_is_set(const struct spec *s, const char *key);
const char *spec_string(const struct spec *s, const char *key);
int64_t spec_integer(const struct spec *s, const char *key, int64_t otherwise);
/* Items of a LIST: NULL-terminated, owned by the spec; NULL when unset with no default. */
const char *const *spec_list(const struct spec *s, const char *key);
/* The value as text, as `get` prints it; the caller frees. NULL: unset and no default. */
char *spec_text(const struct spec *s, const char *key);
/* Calls `fn` for each value set, in table order, then by name. A non-zero result ends it and is returned. */
int spec_each(const struct spec *s, int (*fn)(const char *path, const char *text, void *arg), void *arg);

/* Of the table, for people: "size, 1 or more"; "net.eth0.mtu=1500". */
const char *spec_type_name(enum spec_type type);
int spec_describe_type(const struct spec_key *row, char *buf, size_t size);
int spec_example(const struct spec_key *row, char *buf, size_t size);
/* "a|b|c": the words that there are for a key, or NULL; whether this version refuses one of them. */
const char *spec_words(const struct spec_key *row);
int spec_word_refused(const struct spec_key *row, const char *word);
/* The whole table as a document with "format": 1. */
int spec_keys_json(char **ret_text);

/* JSON Schema of what spec_parse accepts. */
int spec_schema(char **ret_text, struct error *e);

/* Checks between keys, after all are set (memory.high <= memory.max ...). */
int spec_check(const struct spec *s, struct error *e);

enum { SPEC_MOUNTS_MAX = 64 };
struct spec_mount {
	char key[40];                       /* "mount.data" */
	const char *source, *target, *type; /* the spec's; source NULL: none, type NULL: a bind mount */
	int idmap;
	int recursive;      /* rbind */
	int in_guest;       /* a file system that the VE mounts itself */
	unsigned attr;      /* MOUNT_ATTR_... */
	char options[1024]; /* the file system's, `,` between */
};
/* All of mount.*, those above others first. Returns how many; *ret is the caller's to free, and refers to the spec. */
int spec_mounts(const struct spec *s, struct spec_mount **ret, struct error *e);

/* The number of a capability, named as in capabilities(7), with or without `cap_`; -EINVAL. */
int spec_capability(const char *word);

/* 0, or -EINVAL with the rule that is broken. */
int spec_valid_name(const char *name, struct error *e);

#endif
