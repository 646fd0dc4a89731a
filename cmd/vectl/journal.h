/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's journal, as the guest's own journalctl shows it: see vectl-guest(7) for why it is not read from outside.
 */
#ifndef VECTL_JOURNAL_H
#define VECTL_JOURNAL_H

#include "logs.h"
#include "vectl.h"

struct journal {
	struct ve_process *process;
	int out, err; /* what it prints */
};

/* 0, or the exit status with the error said already. */
int journal_open(struct cli *cli, struct ve *ve, int follow, const struct selection *selection, struct journal *ret);
/* Passes on what it prints until it ends, or the user interrupts it; the exit status. */
int journal_relay(struct cli *cli, const char *name, struct journal *j,
	void (*emit)(void *arg, const char *data, size_t size), void *arg);
void journal_close(struct journal *j);

#endif
