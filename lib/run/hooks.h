/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_RUN_HOOKS_H
#define VE_RUN_HOOKS_H

#include "lib/run/run.h"

/* Whether each that the spec names is root's alone, executable, and nothing that is written to inside a VE. */
int hooks_check(struct ve *ve, const struct spec *s, struct error *e);

/* The same of those that a VE which runs has before it still: stop and post-stop. */
int hooks_check_running(struct ve *ve, const struct spec *s, struct error *e);

/* Runs the spec's hook `key` ("hooks.start"), if there is one; its failure is an error. init 0: there is none. */
int hooks_run(struct ve *ve, const struct spec *s, const char *key, pid_t init, struct error *e);

/*
 * post-stop is owed from before pre-start runs until undo, whoever does that; a pre-start that fails forgets it. `dir`:
 * the runtime folder.
 */
int hooks_owe_post_stop(struct ve *ve, const struct spec *s, struct error *e);
void hooks_forget_post_stop(struct ve *ve);
/* Of a VE that runs, with the change lock held: what is owed becomes what the spec says. */
int hooks_change_post_stop(struct ve *ve, const struct spec *s, struct error *e);
void hooks_pay_post_stop(struct ve *ve, int dir);

/*
 * hooks.start is owed from before anything is made until it has succeeded: a VE that runs while it is owed and the
 * change lock is free was left by a start that was killed. Such a one is no started VE, and is ended and undone
 * (undo_cut_start).
 */
int hooks_owe_start(int dir, const struct spec *s);
void hooks_forget_start(struct ve *ve);
int hooks_start_is_owed(struct ve *ve);

/* Ends what still runs of a hook whose vectl was killed meanwhile. With the change lock held; -EBUSY: it does not end.
 */
int hooks_end_cut(int dir, struct error *e);

#endif
