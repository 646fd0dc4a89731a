/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libve: virtual environments (system containers) on one Linux host.
 *
 * Results: functions that return int give 0 or a non-negative value, or a negative errno; then outputs are untouched
 * and the host handle holds the details (ve_error_*). Functions that return a pointer say what NULL means.
 *
 * Ownership: `char **ret_...` outputs are allocated with malloc and the caller's to free with ve_free. Strings that the
 * ve_error_* functions return belong to the host handle and stay valid until the next call with it or a VE of it; that
 * of ve_name until ve_close. Nothing that is passed in is kept, but `progress`, `on_progress` and `progress_arg`.
 * Descriptors that the library opens are close-on-exec.
 *
 * Threads: one host handle, with the VE handles opened from it, serves one thread at a time; so does a process handle.
 * Handles are independent of one another. The library has no global state, starts no thread that outlives a call,
 * installs no signal handler, prints nothing and never forks without exec.
 *
 * Any call may fail with -ENOMEM, and with the errno of a system call that failed (VE_E_FAILED); one that waits with
 * -EINTR and VE_E_INTERRUPTED when cancel_fd is readable. What else there is stands with each function.
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
	VE_E_FAILED = 1, /* a system call or a step failed: see errno, step and subject */
	VE_E_USAGE = 2,  /* an argument that can never be right */
	VE_E_NO_VE = 3,  /* no VE of that name */
	VE_E_STATE = 4,  /* the VE is in the wrong state for this */
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
	VE_E_TEMPLATE = 15,       /* a template failed */
	VE_E_ARCHIVE = 16,        /* an archive is broken or unsafe */
	VE_E_NOT_EXECUTABLE = 17, /* exec: the command is there and cannot be executed */
	VE_E_NO_COMMAND = 18,     /* exec: the command is not there */
};

/* ---- host */

/* How far long work is. Strings live until the callback returns. */
struct ve_progress {
	size_t size;
	const char *what;           /* "building debian/13" */
	const char *step;           /* "unpacking"; a template's own words; or "" */
	int percent;                /* of all of it; -1: not known */
	int64_t bytes, bytes_total; /* of this step; -1: not known */
};

struct ve_host_options {
	size_t size;
	const char *root; /* NULL or "": /etc/vectl, /var/lib/vectl, /run/vectl; else all three under this folder */
	int cancel_fd; /* readable: give up what is waited for, undo it, return -EINTR. -1 or 0: none. Not read from */
	void (*progress)(void *arg, const char *what, int percent); /* long work; percent -1: not known. NULL: quiet */
	void *progress_arg;
	void (*on_progress)(
		void *arg, const struct ve_progress *progress); /* in place of `progress`, with progress_arg */
};
/*
 * `options` may be NULL. *ret is always set, but when memory is out (-ENOMEM): with another failure it carries the
 * error and nothing else, and is to be closed still. -EPERM and VE_E_PERMISSION: not root; -EINVAL and VE_E_USAGE: no
 * size. `progress` and `on_progress` are called in the caller's thread,
 * within a call that builds, imports or verifies an image.
 */
int ve_host_open(const struct ve_host_options *options, struct ve_host **ret);
void ve_host_close(struct ve_host *host); /* after its VE handles; NULL is allowed */

/*
 * What the last call with the host or a VE of it came to; VE_E_NONE and empty strings when it did not fail. The strings
 * are never NULL and are the host's: see Ownership. Tried, message and remedy make a line that is safe on a terminal.
 * ve_process_*, ve_console_write and ve_console_resize leave all of them as they are.
 */
int ve_error_code(const struct ve_host *host);            /* enum ve_error_code */
int ve_error_errno(const struct ve_host *host);           /* positive, or 0 */
const char *ve_error_ve(const struct ve_host *host);      /* the VE's name, or "" */
const char *ve_error_step(const struct ve_host *host);    /* the step of the plan, or "" */
const char *ve_error_subject(const struct ve_host *host); /* the file, key or command that it was about, or "" */
const char *ve_error_tried(const struct ve_host *host);
const char *ve_error_message(const struct ve_host *host); /* what is wrong */
const char *ve_error_remedy(const struct ve_host *host);  /* what to do, or "" */

const char *ve_version(void); /* constant */
void ve_free(void *p);        /* what an output of type char * points to; NULL is allowed */

/* ---- VEs */

struct ve_credential {
	const char *name; /* as systemd has them: 1 to 255 printable characters without : and / */
	const void *data;
	size_t size; /* of all together: at most 1 MiB */
};
struct ve_create_options {
	size_t size;
	const char *image;              /* NULL: from the assignments or the config text */
	const char *config;             /* text of a ve.json to start from, or NULL */
	const char *config_name;        /* its name for messages */
	const char *hostname;           /* or NULL */
	const char *const *assignments; /* KEY=VALUE, NULL-terminated, or NULL */
	/*
	 * For root inside, carried out once, by the VE's first start; all may be NULL. The password is hashed here with
	 * crypt(3), as the guest does it, and neither kept nor copied: wiping it is the caller's. The hash of one may
	 * be given in its place, as in shadow(5). Keys as in authorized_keys(5), a line each; a private key is refused.
	 */
	const char *root_password, *root_password_hash, *authorized_keys;
	/*
	 * What each boot finds in its CREDENTIALS_DIRECTORY, or NULL. passwd.hashed-password.root and
	 * passwd.plaintext-password.root are root's password as well, as the members above are; the text is not kept,
	 * its hash takes its place under the first of the two names. -EINVAL and VE_E_USAGE: more than one of the four.
	 */
	const struct ve_credential *credentials;
	size_t n_credentials;
};
/*
 * Makes a VE and opens it; the caller closes *ret. It is there whole or not at all. An image that is not there is built
 * or imported, so it may take minutes. -EINVAL with VE_E_USAGE (the name, or no image) or VE_E_SPEC, -EEXIST and
 * VE_E_EXISTS, -EOPNOTSUPP and VE_E_UNSUPPORTED, -ENOENT with VE_E_NO_IMAGE or VE_E_NO_INIT, -EADDRINUSE and VE_E_BUSY
 * (host ids), -EINTR and VE_E_INTERRUPTED, and what ve_image_build gives.
 */
int ve_create(struct ve_host *host, const char *name, const struct ve_create_options *options, struct ve **ret);
/* The caller closes *ret, before the host. -ENOENT and VE_E_NO_VE; -EINVAL and VE_E_USAGE: it cannot be a name. */
int ve_open(struct ve_host *host, const char *name, struct ve **ret);
void ve_close(struct ve *ve); /* the VE runs on. NULL is allowed */
const char *ve_name(const struct ve *ve);

enum ve_state {
	VE_STOPPED,
	VE_STARTING,
	VE_RUNNING,
	VE_PAUSED,
	VE_STOPPING,
};
const char *ve_state_name(int state); /* constant; "unknown" for no state */
int ve_state(struct ve *ve);          /* enum ve_state, at this moment; asks no process */

enum { VE_WAIT_RUNNING = 0, VE_WAIT_READY = 1 };
enum { VE_LISTEN_FDS_MAX = 16 };
struct ve_start_options {
	size_t size;
	int wait;       /* VE_WAIT_... */
	int timeout_ms; /* of VE_WAIT_READY; 0: 120,000 */
	/*
	 * Sockets, FIFOs or character devices that init finds at 3 and up with LISTEN_FDS and LISTEN_PID set
	 * (sd_listen_fds(3)), in each boot until the VE is stopped; at most VE_LISTEN_FDS_MAX. They stay the caller's.
	 * Anything else: -EINVAL and VE_E_USAGE.
	 */
	const int *listen_fds;
	size_t n_listen_fds;
};
/*
 * `options` may be NULL. Returns when init has been exec'd, or, with VE_WAIT_READY, when it is ready; -ETIMEDOUT and
 * VE_E_TIMEOUT, or -EINTR in that wait: the VE runs on. Any other failure leaves nothing behind: -EALREADY and
 * VE_E_STATE: it is not stopped; -EPERM and VE_E_STATE: it is suspended; VE_E_HOST: the spec asks for what this host
 * lacks; -EADDRINUSE and VE_E_BUSY: a VE of another root has its host ids; VE_E_FAILED: a step.
 */
int ve_start(struct ve *ve, const struct ve_start_options *options);
/* What the last start went on without, a line each, while the VE runs; else "". The caller frees it. */
int ve_start_notes(struct ve *ve, char **ret_text);
/*
 * Whether a start would be begun, by spec and host, whatever state the VE is in now: what to ask before a stop that is
 * to be followed by a start. 0, or as of ve_start, also for a step that is bound to fail, as far as that is seen
 * beforehand: a mount's source that is missing, a sysctl that this kernel lacks. Does nothing.
 */
int ve_check_start(struct ve *ve);
/*
 * Asks init to shut down, and kills what is left after timeout_ms, which returns 1; 0: the spec's stop.timeout. force
 * non-zero: kills at once. -ESRCH and VE_E_STATE: it is not running; -EAGAIN and VE_E_STATE: it is still starting
 * (without force); -EINTR: it has been asked, and goes on shutting down.
 */
int ve_stop(struct ve *ve, int timeout_ms, int force);
int ve_pause(struct ve *ve);  /* all processes are frozen on return. -EINVAL and VE_E_STATE: it is not running */
int ve_resume(struct ve *ve); /* -EINVAL and VE_E_STATE: it is not paused */
/*
 * Waits for `state`, and with VE_RUNNING and `ready` non-zero until init is ready; does nothing to the VE. timeout_ms 0
 * looks once. Of inits that do not say READY=1 it is seen from outside, which takes a look every 100 ms. -ETIMEDOUT and
 * VE_E_TIMEOUT; with `ready`: -ESRCH and VE_E_STATE: it is stopped; -ESRCH and VE_E_FAILED: it ended before it was
 * ready.
 */
int ve_wait(struct ve *ve, int state, int ready, int timeout_ms);
/*
 * Another name for a stopped VE, in one step; the handle means it under the new name then. Its disk, ids, uuid and logs
 * stay; so does `hostname`, unless it is the old name. -EBUSY and VE_E_STATE: it is not stopped; -EEXIST and
 * VE_E_EXISTS: there is a VE of that name; -EINVAL and VE_E_USAGE: it cannot be a name.
 */
int ve_rename(struct ve *ve, const char *name);
/* With its disk; the handle is to be closed still. -EBUSY and VE_E_STATE: it runs, and force is 0. */
int ve_destroy(struct ve *ve, int force);
/*
 * Removes what a crash left: 1 when there was something, 0 when not. A VE that ended with a reboot that could not be
 * carried out in place, since the guest had deleted one of its interfaces, is started anew. Waits for nobody: -EAGAIN
 * and VE_E_BUSY: somebody is starting, stopping or changing it right now.
 */
int ve_reap(struct ve *ve);
/*
 * Deletes network links of VEs that have ended, which a connection that nobody closes keeps alive with their namespace.
 * Most go by themselves a moment after their VE, so they are given that. Returns in how many milliseconds to call it
 * again, 0 when nothing is left. Never fails.
 */
int ve_reap_links(struct ve_host *host);
/*
 * Pollable fd that becomes readable when the rules of the host's nftables were changed, by whomever: what VEs may send
 * is not filtered any more when somebody has flushed them all. Starts and stops do not wake it. The caller closes it.
 * VE_E_HOST: this kernel, or this process, has no nftables. ve_firewall_repair makes vectl's tables anew if they are
 * not whole, with all that the VEs that run have in them, as the next start would: 1 when some VE has a network, and
 * they are whole now, 0 when none has. It reads the fd, unless it is negative, empty before it looks.
 */
int ve_firewall_fd(struct ve_host *host);
int ve_firewall_repair(struct ve_host *host, int fd);
/*
 * Pollable fd that becomes readable when the VE has stopped; a reboot inside is no stop. -ESRCH and VE_E_STATE: it is
 * not running; -EAGAIN and VE_E_STATE: it is being started. The caller closes it.
 */
int ve_stopped_fd(struct ve *ve);

/*
 * ---- spec and state as text: JSON documents with "format": 1, to which members may be added; the caller frees them.
 */

/* The value or the default. VE_E_SPEC with -ENODATA: neither; -EINVAL: no such key; -EISDIR: several begin with it. */
int ve_get(struct ve *ve, const char *key, char **ret_text);
/*
 * KEY=VALUE, KEY+=VALUE and KEY-=VALUE, NULL-terminated: all or none. VE_E_SPEC with -EINVAL, -ERANGE and others;
 * -EOPNOTSUPP and VE_E_UNSUPPORTED; userns.base: -EBUSY and VE_E_STATE while it runs, -EADDRINUSE and VE_E_BUSY.
 */
int ve_set(struct ve *ve, const char *const *assignments);
/* NULL-terminated, all or none; errors as of ve_set. What keys begin with is all of them: mount.data, env. */
int ve_unset(struct ve *ve, const char *const *keys);
/*
 * What the last change of the spec through this handle left for the next start though it can be made in a VE that runs,
 * and why, a line each; else "". The caller frees it.
 */
int ve_change_notes(struct ve *ve, char **ret_text);
int ve_get_json(struct ve *ve, char **ret_json); /* ve.json */
/* The whole spec anew; file_name is for messages. Name, UUID and image cannot change. Errors as of ve_set. */
int ve_set_json(struct ve *ve, const char *text, const char *file_name);
/*
 * As ve_set_json, unless the spec is not `expected` any more, which is what ve_get_json gave: -ESTALE and VE_E_BUSY.
 * For editors, which may not undo what somebody else set meanwhile.
 */
int ve_set_json_if(struct ve *ve, const char *expected, const char *text, const char *file_name);
/*
 * All keys with type, range, words, default, sentence and example, whether they can be set, are carried out, and take
 * effect at once; and the JSON Schema of ve.json. Neither needs a host. -ENOMEM alone.
 */
int ve_keys_json(char **ret_json);
int ve_schema_json(char **ret_json);
int ve_info_json(struct ve *ve, char **ret_json); /* everything of one VE */
int ve_ps_json(struct ve *ve, char **ret_json);   /* its processes. -ESRCH and VE_E_STATE: it is not running */
int ve_plan_json(struct ve *ve, char **ret_json); /* what ve_start would do */
int ve_plan_text(struct ve *ve, char **ret_text);
int ve_list_json(struct ve_host *host, char **ret_json);    /* all VEs with their state */
int ve_list_names(struct ve_host *host, char ***ret_names); /* sorted, NULL-terminated; free with ve_free_names */
void ve_free_names(char **names);

struct ve_stat_options {
	size_t size;
	const char *const *names; /* NULL-terminated; NULL: all VEs */
	int interval_ms;          /* CPU use in percent is measured over this; 0: it is left out */
};
/*
 * What VEs use, and their traffic. `options` may be NULL. What this host does not account for is null. -ENOENT and
 * VE_E_NO_VE; -EINTR and VE_E_INTERRUPTED in the interval.
 */
int ve_stat_json(struct ve_host *host, const struct ve_stat_options *options, char **ret_json);

/* ---- entering */

enum {
	VE_EXEC_TTY = 1,   /* a pty of the VE's own devpts; its master is handed out */
	VE_EXEC_LOGIN = 2, /* the user's login shell; argv may be NULL */
};
struct ve_exec_options {
	size_t size;
	int flags;               /* VE_EXEC_... */
	const char *user;        /* NULL: root. A name or a number of the VE's passwd */
	const char *cwd;         /* NULL: the user's home, or / */
	const char *const *argv; /* NULL-terminated */
	const char *const *env;  /* K=V, NULL-terminated, or NULL */
	/*
	 * Without VE_EXEC_TTY: given to the command as they are. Folders, O_PATH fds, block devices and terminals are
	 * refused (-EINVAL, VE_E_USAGE): each would be a way out of the VE. Relay a terminal through a pipe.
	 */
	int stdin_fd, stdout_fd, stderr_fd;
	unsigned short rows, columns; /* with VE_EXEC_TTY; 0: 24 by 80 */
};
struct ve_process;
/*
 * Returns once the command has been exec'd, confined as init's children are; the caller closes *ret, which refers to
 * neither VE nor host and may outlive both. -ENOENT and VE_E_NO_COMMAND; execve's errno and VE_E_NOT_EXECUTABLE; -ESRCH
 * and VE_E_STATE: it is not running, or paused; -EBADMSG and VE_E_STATE: it was started by another version; -EINVAL:
 * VE_E_USAGE, or no such user (VE_E_FAILED); -E2BIG and VE_E_USAGE. What cannot be confined is not executed.
 */
int ve_exec(struct ve *ve, const struct ve_exec_options *options, struct ve_process **ret);
int ve_process_fd(const struct ve_process *p);           /* readable when the command has ended; the handle's */
int ve_process_tty(const struct ve_process *p);          /* the pty's master, the handle's; -1 without VE_EXEC_TTY */
int ve_process_signal(struct ve_process *p, int signal); /* to the command's process group. -EINVAL, -ESRCH */
int ve_process_wait(struct ve_process *p);   /* blocks; exit status, or 128+n for a signal; -EPIPE when it was lost */
void ve_process_close(struct ve_process *p); /* a command that still runs goes on. NULL is allowed */

/* ---- console */

/*
 * A stream socket to read the console's bytes from, the last that it printed before first; its end is the VE's. What is
 * read is a guest's, and may steer a terminal. The caller closes it. VE_E_STATE: -ESRCH, it is not running;
 * -EPROTONOSUPPORT, it was started by a version that speaks another protocol.
 */
int ve_console_open(struct ve *ve);
/* Types bytes on the console (at most 4096 are taken). Returns how many were; -EAGAIN on a non-blocking fd, -EPIPE. */
int ve_console_write(int fd, const void *bytes, size_t size);
int ve_console_resize(int fd, unsigned short rows, unsigned short columns);
/*
 * What the console printed, oldest first, over stops, as far as it is kept. *ret_text is NUL-terminated and may have
 * NUL bytes within; *ret_size leaves the last out. The caller frees it.
 */
int ve_console_log(struct ve *ve, char **ret_text, size_t *ret_size);

/* ---- events */

/*
 * What happened to VEs: created, starting, running, ready, rebooted, restarted, reboot-failed, paused, resumed,
 * changed, stopping, stopped, start-failed, oom-kill, renamed, destroyed; more may come. Each VE keeps the last few
 * hundred of its own. An event is a JSON object with `ve`, `seq` (grows within a VE), `time_ns` (since 1970), `event`
 * and, mostly, `boottime_ns` (of the host); vectl-inspect(1) has the other members.
 */
enum {
	VE_EVENTS_FOLLOW = 1, /* and those to come, of VEs to come as well unless names are given */
	VE_EVENTS_NEW = 2,    /* none of the past */
};
struct ve_events_options {
	size_t size;
	const char *const *names; /* NULL-terminated; NULL: all VEs */
	int flags;                /* VE_EVENTS_... */
	int last;                 /* of the past no more than this; 0: all that are kept */
	int64_t since_ns;         /* none earlier than this time since 1970 */
};
struct ve_events;
/* `options` may be NULL. The caller closes *ret, before the host. -ENOENT and VE_E_NO_VE: no VE of one of the names. */
int ve_events_open(struct ve_host *host, const struct ve_events_options *options, struct ve_events **ret);
int ve_events_fd(const struct ve_events *events); /* readable: call ve_events_next; the handle's; -1: not followed */
/* The next one in the order of time, without waiting: 1, 0 when there is none now. The caller frees *ret_json. */
int ve_events_next(struct ve_events *events, char **ret_json);
void ve_events_close(struct ve_events *events);     /* NULL is allowed */
int ve_events_json(struct ve *ve, char **ret_json); /* one document, with all that one VE keeps */

/* ---- the host's health */

enum { VE_DOCTOR_REPAIR = 1, VE_DOCTOR_DRY_RUN = 2 };
/*
 * What this host can and cannot do for VEs, and what a crash left, each with its remedy. With VE_DOCTOR_REPAIR the
 * leftovers are removed; with VE_DOCTOR_DRY_RUN besides they are only said. A VE that runs, or that somebody is
 * changing, is not touched. Returns 1 when a VE could not start here or a leftover stays, else 0. -EINVAL and
 * VE_E_USAGE: no such flag; -EINTR and VE_E_INTERRUPTED.
 */
int ve_doctor_json(struct ve_host *host, int flags, char **ret_json);

/* ---- images */

/*
 * Each: -EINVAL and VE_E_USAGE, it cannot be an image's name. An image's id is the SHA-256 of its manifest, which says
 * all that is in it; names are links to ids, and the same content under two names is stored once. Where it says NAME or
 * ID, the first 8 digits of the id or more are enough.
 */
int ve_image_list_json(struct ve_host *host, char **ret_json);
/* All that is known of one, by NAME or ID. -ENOENT and VE_E_NO_IMAGE; -EINVAL and VE_E_USAGE: it is many ids'
 * beginning. */
int ve_image_info_json(struct ve_host *host, const char *image, char **ret_json);
/*
 * By its template, in place of one of that name; VEs keep theirs. May take minutes. -ENOENT and VE_E_NO_IMAGE: no
 * template makes it; VE_E_HOST: the template lacks something on this host; VE_E_TEMPLATE: it failed; VE_E_ARCHIVE: what
 * it made is broken or unsafe; -EINTR and VE_E_INTERRUPTED. Of two at once for the same name the second waits.
 */
int ve_image_build(struct ve_host *host, const char *image);
/* A tarball or a folder. -EEXIST and VE_E_EXISTS; -ENOENT and VE_E_NO_IMAGE: no source; else as of ve_image_build. */
int ve_image_import(struct ve_host *host, const char *image, const char *source);
/*
 * Compares what is in the store with the image's manifest, by NAME or ID: 0 when it is as it was, 1 when not. *ret_json
 * says what differs. Reads all of it. -ENODATA and VE_E_UNSUPPORTED: of an earlier version, which kept no manifest;
 * else as of ve_image_info_json.
 */
int ve_image_verify(struct ve_host *host, const char *image, char **ret_json);
/*
 * The name, and the image when it was its last one. -EBUSY and VE_E_BUSY while VEs use it, of another name's image only
 * while VEs were created under this one; -ENOENT and VE_E_NO_IMAGE.
 */
int ve_image_remove(struct ve_host *host, const char *image);
/* Images that have no name any more and no VE, and what templates cached. *ret_json says which went. */
int ve_image_remove_unused(struct ve_host *host, char **ret_json);
int ve_image_exists(struct ve_host *host, const char *image); /* 1 or 0 */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
