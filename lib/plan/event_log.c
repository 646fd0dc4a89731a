/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/plan/event_log.h"

uint64_t event_log_file_number(int fd)
{
	char b[64];
	uint64_t n = 0;
	ssize_t size = pread(fd, b, sizeof b - 1, 0);
	size_t at = sizeof EVENT_LOG_MAGIC - 1;
	if (size <= (ssize_t)at || memcmp(b, EVENT_LOG_MAGIC, at))
		return 0;
	for (; at < (size_t)size && b[at] >= '0' && b[at] <= '9' && n < UINT32_MAX; at++)
		n = n * 10 + (uint64_t)(b[at] - '0');
	return n < UINT32_MAX ? n : 0;
}

/* Which of the two is written now, and its number; 0 when there is none yet. */
static int current(const int fd[2], uint64_t *ret_number)
{
	uint64_t a = event_log_file_number(fd[0]), b = event_log_file_number(fd[1]);
	*ret_number = b > a ? b : a;
	return b > a;
}

static int fits(int fd, size_t size)
{
	struct stat st;
	return fstat(fd, &st) || st.st_size + (off_t)size <= EVENT_LOG_LIMIT;
}

/* The other file, emptied and begun. */
static int begin(const int fd[2], int which, uint64_t number)
{
	char b[64] = EVENT_LOG_MAGIC, digits[24], *d = digits + sizeof digits;
	size_t at = sizeof EVENT_LOG_MAGIC - 1;
	*--d = 0;
	do
		*--d = (char)('0' + number % 10);
	while (number /= 10);
	while (*d)
		b[at++] = *d++;
	b[at++] = '}';
	b[at++] = '\n';
	if (ftruncate(fd[which], 0) || write(fd[which], b, at) < 0)
		return -errno;
	return which;
}

/*
 * The writers are processes that know nothing of one another: who turns the files over does so under a lock, and who
 * finds it taken writes on where it is, past the limit by a line.
 */
static int turn_over(const int fd[2], int which, size_t size)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	uint64_t number;
	if (fcntl(fd[0], F_OFD_SETLK, &lock))
		return which;
	which = current(fd, &number);
	if (!number)
		which = begin(fd, 0, 1);
	else if (!fits(fd[which], size))
		which = begin(fd, !which, number + 1);
	int saved = errno;
	lock.l_type = F_UNLCK;
	fcntl(fd[0], F_OFD_SETLK, &lock);
	errno = saved;
	return which;
}

int event_log_append(const int fd[2], const char *line, size_t size)
{
	uint64_t number;
	if (size > EVENT_LINE_MAX)
		return -EMSGSIZE;
	int which = current(fd, &number);
	if (!number || !fits(fd[which], size))
		which = turn_over(fd, which, size);
	if (which < 0)
		return which;
	return write(fd[which], line, size) == (ssize_t)size ? 0 : -EIO;
}
