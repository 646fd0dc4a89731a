/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_NET_LINKS_H
#define VE_NET_LINKS_H

#include <sys/types.h>

#include "lib/base/json.h"

/* Writes the array `key` of a process's network interfaces: name, index, mac, mtu, up, addresses ("A/LEN"). */
int links_json(pid_t pid, struct json_writer *w, const char *key);

#endif
