/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that show one document of one VE: the name, the handle, --json, the parse, then `print`. */
#ifndef VECTL_SHOW_H
#define VECTL_SHOW_H

#include "json.h"
#include "vectl.h"

/* get: the library's text; without --json print, or print_text where the text is no document (print is NULL then). */
int cli_show(struct cli *cli, int argc, char **argv, int (*get)(struct cli *cli, struct ve *ve, char **ret_text),
	int (*print)(yajl_val document), int (*print_text)(struct cli *cli, const char *text));

#endif
