/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libve and ve-enter say to each other. Both are of one build (the version string is compared), so native
 * structures are safe. No libc beyond <stdint.h>: static programs share this file.
 */
#ifndef VE_RUN_ENTER_WIRE_H
#define VE_RUN_ENTER_WIRE_H

#include <stdint.h>

/* Fds that ve-enter gets, beside the command's own 0, 1, 2. */
enum enter_fd {
	EFD_PLAN = 3, /* /run/vectl/NAME/plan, read-only */
	EFD_REQUEST,  /* sealed memfd: struct enter_request and its strings */
	EFD_INIT,     /* pidfd of the VE's init, verified */
	EFD_CGROUP,   /* the leaf that the command is started in */
	EFD_LIVE,     /* /run/vectl/NAME/live, read-only; /dev/null where there is none */
	EFD_CONTROL,  /* SOCK_SEQPACKET: uint32_t signal numbers in, one int32_t exit status out */
	EFD_REPORT,   /* SOCK_SEQPACKET, closed by the command's exec: struct enter_report */
	EFD_END,
};

#define ENTER_MAGIC 0x31544e45u          /* "ENT1" */
enum { ENTER_TTY = 1, ENTER_LOGIN = 2 }; /* as VE_EXEC_... */
enum { ENTER_REQUEST_MAX = 4 << 20 };

struct enter_request {
	uint32_t magic;
	uint32_t size; /* of the whole */
	char version[32];
	uint32_t flags;
	uint16_t rows, columns;
	/* Offsets of NUL-terminated strings from the start; 0: none. argv and env: the first of several in a row. */
	uint32_t user, cwd, argv, env;
	uint32_t argc, envc;
};

/* step, its name, what was tried */
#define ENTER_STEPS(X)                                                                                                 \
	X(REQUEST, "request", "reading what to execute")                                                               \
	X(PLAN, "plan", "reading the VE's plan")                                                                       \
	X(RLIMIT, "rlimit", "setting the resource limits of the VE")                                                   \
	X(SETNS, "setns", "entering the VE's namespaces")                                                              \
	X(CLONE, "clone", "starting a process in the VE's cgroup")                                                     \
	X(SESSION, "session", "starting a session in the VE")                                                          \
	X(BECOME_ROOT, "become-root", "becoming root of the VE")                                                       \
	X(BOUNDING_SET, "bounding-set", "limiting the capabilities")                                                   \
	X(KEYRING, "keyring", "joining a new session keyring")                                                         \
	X(USER, "user", "looking up the user in the VE")                                                               \
	X(USER_UNKNOWN, "user", "looking up the user in the VE")                                                       \
	X(GROUPS, "groups", "looking up the user's groups in the VE")                                                  \
	X(PTY, "pty", "making a terminal in the VE (/dev/pts)")                                                        \
	X(SECCOMP, "seccomp", "loading the VE's seccomp program")                                                      \
	X(BECOME_USER, "become-user", "becoming the user")                                                             \
	X(CWD, "cwd", "changing to the folder in the VE")                                                              \
	X(EXEC, "exec", "executing in the VE")                                                                         \
	X(TTY_READY, "tty", "the terminal's master: a message, not a failure")

enum enter_step {
#define X(step, name, tried) ENTER_##step,
	ENTER_STEPS(X)
#undef X
		ENTER_STEP_COUNT
};

/* What to do about the failure of a step with that errno; step -1: of libve's own part. "NAME" is the VE's. Never NULL.
 */
const char *enter_remedy(int step, int err);

struct enter_report {
	uint32_t step; /* enum enter_step */
	int32_t err;   /* positive errno; 0 with TTY_READY, which carries the pty's master */
};

#endif
