/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libve: virtual environments (system containers) on one Linux host.
 *
 * Results: functions that return int give 0 or a non-negative value, or a negative errno; then outputs are untouched
 * and the host handle holds the details (ve_error_*). Functions that return a pointer say what NULL means.
 *
 * Ownership: `char **ret_...` outputs are allocated with malloc and the caller's to free with ve_free. Strings that the
 * ve_error_* functions and ve_name return belong to the handle and stay valid until the next call with it.
 *
 * Threads: one host handle, with the VE handles opened from it, serves one thread at a time. Handles are independent of
 * one another. The library has no global state, starts no thread that outlives a call, installs no signal handler,
 * prints nothing and never forks without exec.
 *
 * Units: bytes, seconds; nanoseconds where a name ends in _ns. Timeouts are in milliseconds, negative for none.
 *
 * Structures that start with `size` are extensible: set it to sizeof and the rest to zero first.
 *
 * Since 0.1, all of it.
 */
#ifndef VE_VE_H
#define VE_VE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct ve_host; /* one root directory on this machine */
struct ve;      /* one virtual environment of a host */

/* Append-only. */
enum ve_error_code {
	VE_E_NONE = 0,
	VE_E_FAILED = 1,      /* a system call or a step failed: see errno, step and subject */
	VE_E_USAGE = 2,       /* an argument that can never be right */
	VE_E_NO_VE = 3,       /* no VE of that name */
	VE_E_STATE = 4,       /* the VE is in the wrong state for this */
	VE_E_TIMEOUT = 5,
	VE_E_EXISTS = 6,      /* a VE or image of that name is there already */
	VE_E_NO_IMAGE = 7,    /* no such image, and no template that makes it */
	VE_E_SPEC = 8,        /* ve.json or a KEY=VALUE is wrong */
	VE_E_UNSUPPORTED = 9, /* known, but not carried out by this version */
	VE_E_HOST = 10,       /* this host lacks something that was asked for */
	VE_E_PERMISSION = 11, /* not root */
	VE_E_NO_INIT = 12,    /* the image has no init */
	VE_E_BUSY = 13,       /* in use: an image that VEs refer to, an id range that a running VE holds */
	VE_E_INTERRUPTED = 14,
	VE_E_TEMPLATE = 15,   /* a template failed */
	VE_E_ARCHIVE = 16,    /* an archive is broken or unsafe */
	VE_E_NOT_EXECUTABLE = 17, /* exec: the command is there and cannot be executed */
	VE_E_NO_COMMAND = 18, /* exec: the command is not there */
};

/* ---- host */

struct ve_host_options {
	size_t size;
	const char *root; /* NULL or "": /etc/vectl, /var/lib/vectl, /run/vectl; else all three under this folder */
	int cancel_fd;    /* readable: give up what is waited for, undo it, return -EINTR. -1 or 0: none. Not read from */
	void (*progress)(void *arg, const char *what, int percent); /* long work; percent -1: not known. NULL: quiet */
	void *progress_arg;
};
/* *ret is always set, but when memory is out (-ENOMEM): with another failure it carries the error and nothing else. */
int ve_host_open(const struct ve_host_options *options, struct ve_host **ret);
void ve_host_close(struct ve_host *host); /* after its VE handles; NULL is allowed */

int ve_error_code(const struct ve_host *host); /* of the last call that failed */
int ve_error_errno(const struct ve_host *host); /* positive, or 0 */
const char *ve_error_ve(const struct ve_host *host);
const char *ve_error_step(const struct ve_host *host);
const char *ve_error_subject(const struct ve_host *host);
const char *ve_error_tried(const struct ve_host *host);
const char *ve_error_message(const struct ve_host *host); /* what is wrong */
const char *ve_error_remedy(const struct ve_host *host);

const char *ve_version(void);
void ve_free(void *p);

/* ---- VEs */

struct ve_create_options {
	size_t size;
	const char *image;              /* NULL: from the assignments or the config text */
	const char *config;             /* text of a ve.json to start from, or NULL */
	const char *config_name;        /* its name for messages */
	const char *hostname;           /* or NULL */
	const char *const *assignments; /* KEY=VALUE, NULL-terminated, or NULL */
};
int ve_create(struct ve_host *host, const char *name, const struct ve_create_options *options, struct ve **ret);
int ve_open(struct ve_host *host, const char *name, struct ve **ret); /* -ENOENT and VE_E_NO_VE */
void ve_close(struct ve *ve);                                         /* NULL is allowed */
const char *ve_name(const struct ve *ve);

enum ve_state {
	VE_STOPPED,
	VE_STARTING,
	VE_RUNNING,
	VE_PAUSED,
	VE_STOPPING,
};
const char *ve_state_name(int state);
int ve_state(struct ve *ve); /* enum ve_state */

enum { VE_WAIT_RUNNING = 0, VE_WAIT_READY = 1 };
struct ve_start_options {
	size_t size;
	int wait;       /* VE_WAIT_... */
	int timeout_ms; /* of VE_WAIT_READY; 0: 120,000 */
};
int ve_start(struct ve *ve, const struct ve_start_options *options);
/* timeout_ms 0: the spec's stop.timeout. force non-zero: at once. */
int ve_stop(struct ve *ve, int timeout_ms, int force);
int ve_pause(struct ve *ve);
int ve_resume(struct ve *ve);
int ve_wait(struct ve *ve, int state, int ready, int timeout_ms); /* -ETIMEDOUT and VE_E_TIMEOUT */
int ve_destroy(struct ve *ve, int force); /* a running one only with force */
int ve_reap(struct ve *ve);               /* removes what a crash left; 1 when there was something, 0 when not */
/* Pollable fd that becomes readable when the VE has stopped. -ESRCH: it is not running. The caller closes it. */
int ve_stopped_fd(struct ve *ve);

/* ---- spec and state as text */

int ve_get(struct ve *ve, const char *key, char **ret_text); /* -ENODATA: unset and without default */
int ve_set(struct ve *ve, const char *const *assignments);   /* all or none */
int ve_unset(struct ve *ve, const char *const *keys);
int ve_get_json(struct ve *ve, char **ret_json);             /* ve.json */
int ve_set_json(struct ve *ve, const char *text, const char *file_name);
int ve_info_json(struct ve *ve, char **ret_json);
int ve_ps_json(struct ve *ve, char **ret_json);
int ve_plan_json(struct ve *ve, char **ret_json);
int ve_plan_text(struct ve *ve, char **ret_text);
int ve_list_json(struct ve_host *host, char **ret_json);     /* all VEs with their state */
int ve_list_names(struct ve_host *host, char ***ret_names);  /* sorted, NULL-terminated; free with ve_free_names */
void ve_free_names(char **names);

/* ---- entering */

enum {
	VE_EXEC_TTY = 1,   /* a pty of the VE's own devpts; its master is handed out */
	VE_EXEC_LOGIN = 2, /* the user's login shell; argv may be NULL */
};
struct ve_exec_options {
	size_t size;
	int flags;                /* VE_EXEC_... */
	const char *user;         /* NULL: root. A name or a number of the VE's passwd */
	const char *cwd;          /* NULL: the user's home, or / */
	const char *const *argv;  /* NULL-terminated */
	const char *const *env;   /* K=V, NULL-terminated, or NULL */
	/*
	 * Without VE_EXEC_TTY: given to the command as they are. Folders, O_PATH fds, block devices and terminals are
	 * refused (-EINVAL, VE_E_USAGE): each would be a way out of the VE. Relay a terminal through a pipe.
	 */
	int stdin_fd, stdout_fd, stderr_fd;
	unsigned short rows, columns; /* with VE_EXEC_TTY; 0: 24 by 80 */
};
struct ve_process;
/* Returns once the command has been exec'd. -ENOENT and VE_E_NO_COMMAND, -EACCES and VE_E_NOT_EXECUTABLE else. */
int ve_exec(struct ve *ve, const struct ve_exec_options *options, struct ve_process **ret);
int ve_process_fd(const struct ve_process *p);  /* readable when the command has ended; the handle's */
int ve_process_tty(const struct ve_process *p); /* the pty's master, the handle's; -1 without VE_EXEC_TTY */
int ve_process_signal(struct ve_process *p, int signal); /* to the command's process group */
int ve_process_wait(struct ve_process *p); /* blocks; exit status, or 128+n for a signal; -EPIPE when it was lost */
void ve_process_close(struct ve_process *p);    /* a command that still runs goes on. NULL is allowed */

/* ---- console */

/* A stream socket to read the console's bytes from, the last that it printed before first. The caller closes it. */
int ve_console_open(struct ve *ve);
/* Types bytes on the console (at most 4096 are taken). Returns how many were; -EAGAIN on a non-blocking fd. */
int ve_console_write(int fd, const void *bytes, size_t size);
int ve_console_resize(int fd, unsigned short rows, unsigned short columns);
/* What the console printed, oldest first. *ret_text is NUL-terminated; *ret_size leaves the NUL out. */
int ve_console_log(struct ve *ve, char **ret_text, size_t *ret_size);

/* ---- images */

int ve_image_list_json(struct ve_host *host, char **ret_json);
int ve_image_build(struct ve_host *host, const char *image);                       /* by its template */
int ve_image_import(struct ve_host *host, const char *image, const char *source);  /* a tarball or a folder */
int ve_image_remove(struct ve_host *host, const char *image);                      /* VE_E_BUSY while VEs use it */
int ve_image_exists(struct ve_host *host, const char *image);                      /* 1 or 0 */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
