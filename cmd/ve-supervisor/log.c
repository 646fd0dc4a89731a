/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/ve-supervisor/log.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "lib/plan/console_log.h"

static void write_header(const struct log *l)
{
	char b[LOG_HEADER + 1];
	struct text t = {b, b + sizeof b};
	text_add(&t, LOG_MAGIC);
	text_number(&t, l->sequence);
	if (l->boot) {
		text_add(&t, " ");
		text_number(&t, l->boot);
	}
	memset(t.at, ' ', b + LOG_HEADER - t.at);
	b[LOG_HEADER - 1] = '\n';
	ssize_t n = pwrite(l->fd[l->current], b, LOG_HEADER, 0);
	(void)n; /* a full disk loses console output, never the VE */
}

static void begin_file(struct log *l, int which, uint64_t sequence)
{
	l->current = which;
	l->sequence = sequence;
	l->size = LOG_HEADER;
	if (ftruncate(l->fd[which], 0)) {
		/* what is too much of it is written over */
	}
	write_header(l);
}

/* 0: there is none. */
static uint64_t read_header(int fd, unsigned *ret_boot)
{
	char b[LOG_HEADER + 1] = "", *end;
	*ret_boot = 0;
	if (pread(fd, b, LOG_HEADER, 0) != LOG_HEADER || strncmp(b, LOG_MAGIC, strlen(LOG_MAGIC)))
		return 0;
	uint64_t sequence = strtoull(b + strlen(LOG_MAGIC), &end, 10);
	unsigned long boot = strtoul(end, NULL, 10);
	if (boot <= LOG_BOOT_MAX)
		*ret_boot = (unsigned)boot;
	return sequence;
}

unsigned log_boots(const int fd[2])
{
	unsigned boot, most = 0;
	for (int i = 0; i < 2; i++)
		if (read_header(fd[i], &boot) && boot > most)
			most = boot;
	return most;
}

void log_open(struct log *l, const int fd[2], uint64_t limit)
{
	*l = (struct log){.fd = {fd[0], fd[1]}, .limit = limit, .boot = log_boots(fd)};
	uint64_t best = 0;
	for (int i = 0; i < 2; i++) {
		unsigned boot;
		uint64_t sequence = read_header(fd[i], &boot);
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

void log_boot(struct log *l, unsigned number)
{
	char b[128];
	struct text t = {b, b + sizeof b};
	struct tm tm;
	time_t now = time(NULL);
	gmtime_r(&now, &tm);
	text_add(&t, l->midline ? "\n--- boot " : "--- boot ");
	text_number(&t, number);
	text_add(&t, ", ");
	text_number(&t, tm.tm_year + 1900);
	text_add(&t, "-");
	two_digits(&t, tm.tm_mon + 1, "-");
	two_digits(&t, tm.tm_mday, " ");
	two_digits(&t, tm.tm_hour, ":");
	two_digits(&t, tm.tm_min, ":");
	two_digits(&t, tm.tm_sec, " UTC ---\n");
	l->boot = number; /* before the mark: of two boots none has the other's number, whatever is cut short */
	write_header(l);
	log_write(l, b, t.at - b);
}
