/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libve and ve-apply say to each other: changes to a VE that runs. Both are of one build (the version string is
 * compared), so native structures are safe. No libc beyond <stdint.h>: static programs share this file.
 */
#ifndef VE_RUN_APPLY_WIRE_H
#define VE_RUN_APPLY_WIRE_H

#include <stdint.h>

enum apply_fd {
	AFD_REQUEST = 3, /* sealed memfd: struct apply_request and its strings */
	AFD_INIT,        /* pidfd of the VE's init, verified */
	AFD_REPORT,      /* SOCK_SEQPACKET: one struct apply_report */
	AFD_END,
};

#define APPLY_MAGIC 0x314c5041u /* "APL1" */
enum { APPLY_CHANGES_MAX = 512, APPLY_REQUEST_MAX = 1 << 20, APPLY_NAME_MAX = 256, APPLY_VALUE_MAX = 2048 };

enum apply_kind {
	APPLY_RLIMIT = 1, /* resource, soft, hard: of init */
	APPLY_SYSCTL,     /* name, value; value 0: as in namespaces that were just made */
	APPLY_HOSTNAME,   /* value */
	APPLY_ETC_HOSTNAME,
};

struct apply_change {
	uint32_t kind, resource;
	int64_t soft, hard;
	uint32_t name, value; /* offsets of NUL-terminated strings from the start; 0: none */
};

struct apply_request {
	uint32_t magic;
	uint32_t size; /* of the whole */
	char version[32];
	uint32_t privileged; /* the VE has no user namespace of its own */
	uint32_t nchanges;
	struct apply_change change[];
};

enum { APPLY_NONE = -1 };
struct apply_report {
	int32_t err;    /* 0: all is done; else a positive errno, and all is as it was. ESRCH: init ended meanwhile */
	int32_t change; /* which one failed; APPLY_NONE: none in particular */
};

#endif
