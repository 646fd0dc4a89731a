/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that show one document of one VE: the name, the handle, --json, the parse, then `print`. */
#ifndef VECTL_SHOW_H
#define VECTL_SHOW_H

#include "json.h"
#include "vectl.h"

/* get: the library's text. print NULL: it is printed as it is. */
int cli_show(struct cli *cli, int argc, char **argv, int (*get)(struct cli *cli, struct ve *ve, char **ret_text),
	int (*print)(yajl_val document));

#endif
