/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/ve-supervisor/log.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "lib/plan/console_log.h"

static void begin_file(struct log *l, int which, uint64_t sequence)
{
	char b[LOG_HEADER + 1];
	struct text t = {b, b + sizeof b};
	text_add(&t, LOG_MAGIC);
	text_number(&t, sequence);
	memset(t.at, ' ', b + LOG_HEADER - t.at);
	b[LOG_HEADER - 1] = '\n';
	ssize_t n = ftruncate(l->fd[which], 0);
	n = pwrite(l->fd[which], b, LOG_HEADER, 0);
	(void)n; /* a full disk loses console output, never the VE */
	l->current = which;
	l->sequence = sequence;
	l->size = LOG_HEADER;
}

void log_open(struct log *l, const int fd[2], uint64_t limit)
{
	*l = (struct log){.fd = {fd[0], fd[1]}, .limit = limit};
	uint64_t best = 0;
	for (int i = 0; i < 2; i++) {
		char b[LOG_HEADER + 1] = "";
		if (pread(fd[i], b, LOG_HEADER, 0) != LOG_HEADER || strncmp(b, LOG_MAGIC, strlen(LOG_MAGIC)))
			continue;
		uint64_t sequence = strtoull(b + strlen(LOG_MAGIC), NULL, 10);
		if (sequence > best) {
			best = sequence;
			l->current = i;
		}
	}
	if (!best) {
		begin_file(l, 0, 1);
		return;
	}
	struct stat st;
	char last = '\n';
	l->sequence = best;
	l->size = fstat(fd[l->current], &st) ? l->limit : (uint64_t)st.st_size;
	if (l->size > LOG_HEADER && pread(fd[l->current], &last, 1, l->size - 1) == 1)
		l->midline = last != '\n';
}

void log_write(struct log *l, const char *data, size_t size)
{
	if (!size)
		return;
	if (l->size + size > l->limit)
		begin_file(l, !l->current, l->sequence + 1);
	ssize_t n = pwrite(l->fd[l->current], data, size, l->size);
	if (n > 0)
		l->size += n;
	l->midline = data[size - 1] != '\n';
}

static void two_digits(struct text *t, unsigned n, const char *after)
{
	char b[3] = {'0' + n / 10 % 10, '0' + n % 10, 0};
	text_add(t, b);
	text_add(t, after);
}

void log_mark(struct log *l, const char *what, unsigned number)
{
	char b[128];
	struct text t = {b, b + sizeof b};
	struct tm tm;
	time_t now = time(NULL);
	gmtime_r(&now, &tm);
	text_add(&t, l->midline ? "\n--- " : "--- ");
	text_add(&t, what);
	text_add(&t, " ");
	text_number(&t, number);
	text_add(&t, ", ");
	text_number(&t, tm.tm_year + 1900);
	text_add(&t, "-");
	two_digits(&t, tm.tm_mon + 1, "-");
	two_digits(&t, tm.tm_mday, " ");
	two_digits(&t, tm.tm_hour, ":");
	two_digits(&t, tm.tm_min, ":");
	two_digits(&t, tm.tm_sec, " UTC ---\n");
	log_write(l, b, t.at - b);
}
