/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the keeper writes to the VE's event log: its own words and numbers, nothing that a guest chose. */
#ifndef VE_SUPERVISOR_EVENT_H
#define VE_SUPERVISOR_EVENT_H

#include "lib/plan/wire.h"

void event_boot(const char *event, unsigned boot); /* running, rebooted, ready */
void event_stopping(void);                         /* the guest says so */
/* how: poweroff, reboot (one that was not wanted), exited, killed, failed; number: exit status or signal. */
void event_stopped(const char *how, int number, int by_host);
void event_reboot_failed(const struct wire_report *r);
void event_oom_kills(unsigned count);

#endif
