/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What VEs use, taken out of ve_stat_json's document: for stat and top. */
#ifndef VECTL_USAGE_H
#define VECTL_USAGE_H

#include <stddef.h>

struct cli;
struct table;

struct usage { /* numbers: negative where the host does not know */
	char name[64], state[16];
	int runs, ready; /* ready -1: its init cannot say */
	double percent;  /* of one CPU */
	long long cpu_ns, memory, cache, pids, read_bytes, write_bytes, uptime;
	long long net_in, net_out; /* of all its interfaces; negative: it never had one, too */
};

/* The rows of a document; the caller frees them. -1: it cannot be read, which is said. */
int usage_read(struct cli *cli, const char *text, struct usage **ret, size_t *ret_n);

enum usage_order { BY_CPU, BY_MEMORY, BY_PIDS, BY_NAME, BY_TIME, BY_UPTIME, USAGE_ORDERS };
extern const char *const usage_order_names[USAGE_ORDERS];
void usage_sort(struct usage *rows, size_t n, int order, int reverse);
/* Percentages from what was seen `seconds` before. */
void usage_compare(struct usage *rows, size_t n, const struct usage *before, size_t n_before, double seconds);

const char *usage_percent(char buf[16], double percent);
/* All rows as a table on stdout. An exit status. */
int usage_print(struct cli *cli, const struct usage *rows, size_t n);

#endif
