/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VECTL_ENTER_H
#define VECTL_ENTER_H

#include "vectl.h"

/* Executes on a pty of the VE's and relays the user's terminal, or whatever stdin and stdout are. The exit status. */
int enter_on_tty(struct cli *cli, const char *name, struct ve_exec_options *options);

/* "TERM=..." of the user's terminal in a static buffer, or NULL when it has none that is safe to pass on. */
const char *enter_term(void);

/* The exit status for what relay_process returned. */
int enter_status(struct cli *cli, const char *name, int result);

#endif
