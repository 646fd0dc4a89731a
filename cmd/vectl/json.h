/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading libve's JSON documents for printing. */
#ifndef VECTL_JSON_H
#define VECTL_JSON_H

#include <stdio.h>

#include <yajl/yajl_tree.h>

struct cli;

/* NULL with the error said: a document that libve made and that does not parse is a fault of one of the two. */
yajl_val json_read(struct cli *cli, const char *text);
static inline void json_free_p(yajl_val *v)
{
	if (*v)
		yajl_tree_free(*v);
}
#define cleanup_json __attribute__((cleanup(json_free_p)))

yajl_val json_at(yajl_val v, const char *key); /* a member, NULL when it is not there or null */
size_t json_size(yajl_val v);                  /* of an array, else 0 */
const char *json_text(yajl_val v);             /* NULL when it is no string */
long long json_number(yajl_val v, long long otherwise);
int json_true(yajl_val v);
void json_write(FILE *out, yajl_val v);

/* "key=value" lines the way `set` takes them; keys are dotted paths, lists are a,b. */
void json_flatten(FILE *out, yajl_val v, const char *indent);
/* The same of what belongs to the key `prefix`, "" for all; on a terminal in two columns. */
void json_print_keys(FILE *out, yajl_val v, const char *prefix);

#endif
