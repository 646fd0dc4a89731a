/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_BASE_UTIL_H
#define VE_BASE_UTIL_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Scope-bound ownership. TAKE_* hands what is owned to somebody else and leaves nothing to clean up. */
static inline void close_fd_p(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}
static inline void free_p(void *p)
{
	free(*(void **)p);
}
static inline void fclose_p(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define cleanup_fd   __attribute__((cleanup(close_fd_p)))
#define cleanup_free __attribute__((cleanup(free_p)))
#define cleanup_file __attribute__((cleanup(fclose_p)))
#define TAKE_FD(fd)                                                                                                    \
	({                                                                                                             \
		int t_ = (fd);                                                                                         \
		(fd) = -EBADF;                                                                                         \
		t_;                                                                                                    \
	})
#define TAKE_PTR(p)                                                                                                    \
	({                                                                                                             \
		__typeof__(p) t_ = (p);                                                                                \
		(p) = NULL;                                                                                            \
		t_;                                                                                                    \
	})
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* snprintf into an array; a negative errno (-ENAMETOOLONG) where it does not fit. */
#define FORMAT(buf, ...)                                                                                               \
	({                                                                                                             \
		int n_ = snprintf((buf), sizeof(buf), __VA_ARGS__);                                                    \
		n_ < 0 || (size_t)n_ >= sizeof(buf) ? -ENAMETOOLONG : n_;                                              \
	})

#endif
