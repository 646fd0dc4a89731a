/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_RUN_HOOKS_H
#define VE_RUN_HOOKS_H

#include "lib/run/run.h"

/* Whether each that the spec names is root's alone and executable. */
int hooks_check(const struct spec *s, struct error *e);

/* Runs the spec's hook `key` ("hooks.start"), if there is one; its failure is an error. init 0: there is none. */
int hooks_run(struct ve *ve, const struct spec *s, const char *key, pid_t init, struct error *e);

/*
 * post-stop is owed from before pre-start runs until undo, whoever does that; a pre-start that fails forgets it. `dir`:
 * the runtime folder.
 */
int hooks_owe_post_stop(struct ve *ve, const struct spec *s, struct error *e);
void hooks_forget_post_stop(struct ve *ve);
void hooks_pay_post_stop(struct ve *ve, int dir);

#endif
