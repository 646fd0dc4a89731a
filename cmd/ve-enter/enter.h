/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_ENTER_ENTER_H
#define VE_ENTER_ENTER_H

#include <stdint.h>

#include "lib/plan/wire.h"
#include "lib/run/enter_wire.h"

/* What ve-enter was asked, checked; strings point into the mapped request. */
struct enter {
	const struct enter_request *request;
	const char *user, *cwd; /* NULL: none */
	char **argv, **env;     /* NULL-terminated; argv empty: the login shell */
	const struct wire_header *plan;
	uint64_t caps; /* of OP_BOUNDING_SET */
	int keyring;   /* OP_KEYRING is in the plan */
	const void *seccomp;
	uint32_t seccomp_size;
};

/* Reports the step with its errno to libve, ends the process. */
_Noreturn void enter_fail(enum enter_step step, int err);

/* The process in the VE, from clone3 to exec. */
_Noreturn void enter_child(const struct enter *e);

/* A pty of the VE's devpts becomes the controlling terminal and fds 0, 1, 2; its master goes to libve. */
void enter_pty(const struct enter *e, uint32_t uid);

#endif
