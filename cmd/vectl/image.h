/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VECTL_IMAGE_H
#define VECTL_IMAGE_H

#include <errno.h>
#include <limits.h>

#include "json.h"
#include "table.h"
#include "vectl.h"

int image_list(struct cli *cli, int names);
int image_info(struct cli *cli, char **args, int count);

#endif
