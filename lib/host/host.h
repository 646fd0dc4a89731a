/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_HOST_H
#define VE_HOST_H

#include <limits.h>

#include "lib/base/error.h"
#include "lib/spec/spec.h"

enum { HOST_ROOT_MAX = 3072, HOST_PATH_MAX = HOST_ROOT_MAX + 64 }; /* so that what lies beneath fits PATH_MAX */

struct ve_host {
	char root[HOST_ROOT_MAX]; /* "" for the default one */
	char etc[HOST_PATH_MAX], data[HOST_PATH_MAX], run[HOST_PATH_MAX];
	char id[16];        /* short id of the root: "" for the default one; part of what is global to a host */
	struct error error; /* of the last public call that failed */
	int cancel_fd;      /* -1: none */
	void (*progress)(void *arg, const char *what, int percent);
	void (*on_progress)(void *arg, const struct ve_progress *progress); /* in place of the former */
	void *progress_arg;
};

struct ve {
	struct ve_host *host;
	char name[64];
	char notes[1024]; /* of the last change of the spec: what waits for the next start, and why; a line each */
	int reaping;      /* nobody waits for what is done */
};

/* Where the programs and templates of this build are installed (compiled in). */
extern const char host_libexec_dir[];  /* …/libexec/vectl */
extern const char host_template_dir[]; /* …/share/vectl/templates */
#define HOST_ID_LOCKS "/run/lock/vectl"

/* Public functions begin with this: forgets the last error. Returns &host->error. */
struct error *host_begin(struct ve_host *host);
/* 1 when the caller asked to give up (cancel_fd is readable); fills `e` with VE_E_INTERRUPTED then. */
int host_cancelled(struct ve_host *host, struct error *e);
/* `step` may be ""; percent, bytes and total -1 where they are not known. */
void host_progress(
	struct ve_host *host, const char *what, const char *step, int percent, int64_t bytes, int64_t bytes_total);
/* Makes etc, data and run with their subfolders, 0700, on demand. */
int host_make_folders(struct ve_host *host, struct error *e);

/* Makes and locks a file that is removed with what it guards. -EAGAIN when it is held elsewhere (and nothing in `e`).
 */
int lock_file(const char *path, struct error *e, const char *tried);

/*
 * Runs a program in a child made by vfork and exec semantics (posix_spawn), waits for it, and gives up when the host
 * handle is cancelled: the child's process group gets SIGTERM, then SIGKILL. `fds`: -1-terminated; fds[i] becomes fd i
 * of the child (-1 ends the list; nothing else is inherited). Returns the wait status, or a negative errno.
 * `on_line` gets each line that the child writes to its fd HOST_LINE_FD (the pipe is made here), NULL: none.
 */
enum { HOST_LINE_FD = 3 };

struct host_child {
	const char *const *argv; /* argv[0] is the path */
	const char *const *envp; /* NULL: a clean PATH, HOME, LANG=C.UTF-8, TERM=dumb */
	int in, out, err;        /* -1: /dev/null */
	int timeout_ms;          /* 0: none; after it the process group is killed, and the result is -ETIMEDOUT */
	int apart;               /* in a session of its own, without a terminal, and in / */
	void (*on_line)(void *arg, const char *line);
	void *arg;
};
int host_run(struct ve_host *host, const struct host_child *child, struct error *e);

#endif
