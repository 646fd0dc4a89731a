/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was set while the VE runs (lib/plan/live.h), read again before each boot after the first. */
#include "cmd/ve-supervisor/supervisor.h"

static _Alignas(struct live_record) char record[LIVE_SLOT];
const struct live_record *live;
static struct live_links links;
const struct live_links *live_links;

void read_live(void)
{
	live = live_read(SFD_LIVE, record);
	live_links = live_links_read(SFD_LIVE, &links) ? &links : NULL;
}
