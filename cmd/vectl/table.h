/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aligned columns, and numbers for people. */
#ifndef VECTL_TABLE_H
#define VECTL_TABLE_H

#include <stddef.h>

struct table_column {
	const char *name;
	int right; /* numbers */
	int flex;  /* may be cut where the terminal is too narrow */
	int state; /* has the colours of colour.h */
};
struct table;

struct table *table_new(const struct table_column *columns, size_t n_columns); /* NULL: memory is out */
void table_add(struct table *t, const char *cell); /* row by row; NULL or "" is shown as - */
void table_colour(struct table *t, int on);        /* colour_wanted() */
void table_print(struct table *t);
void table_free(struct table *t);
static inline void table_free_p(struct table **t)
{
	table_free(*t);
}
#define cleanup_table __attribute__((cleanup(table_free_p)))

/* All of them fill and return `buf`; negative numbers give "-". */
enum { HUMAN = 32 };
const char *human_bytes(char buf[HUMAN], long long bytes);    /* 512K 12.3M 1.5G */
const char *human_uptime(char buf[HUMAN], long long seconds); /* 4s 5m12s 3h04m 2d03h */
const char *human_cpu(char buf[HUMAN], long long ns);         /* 0.42s 1m03s */
const char *human_count(char buf[HUMAN], long long n);

#endif
