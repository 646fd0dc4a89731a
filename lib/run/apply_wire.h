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
	/* With places alone: */
	AFD_MINIMAL, /* the keeper's mount namespace, which has the minimal root */
	AFD_MOUNTS,  /* init's mount namespace */
	AFD_USER,    /* the VE's user namespace; of a privileged VE the host's */
	AFD_END,
};

#define APPLY_MAGIC 0x324c5041u /* "APL2" */
enum {
	APPLY_CHANGES_MAX = 512,
	APPLY_PLACES_MAX = 256,
	APPLY_REQUEST_MAX = 1 << 20,
	APPLY_NAME_MAX = 256,
	APPLY_VALUE_MAX = 2048,
	APPLY_PATH_MAX = 4096
};

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

/* A mount or a device, as it is shown in the VE or is to be. */
enum shown_kind { SHOWN_NOT, SHOWN_BIND, SHOWN_INSIDE, SHOWN_DEVICE };
struct apply_shown {
	uint32_t kind;
	uint32_t slot;                  /* its number in the minimal root; of INSIDE: none */
	uint32_t target;                /* offset: absolute, of a device the path beneath /dev */
	uint32_t type, source, options; /* offsets, 0: none. A device's source is its numbers, "c 10:200" */
	uint32_t recursive, attr, flags;
	uint32_t mode, uid, gid; /* of a device: of the host's ids */
};

/* One takes the other's place: `was` goes, `want` comes; either may be SHOWN_NOT. */
struct apply_place {
	uint32_t stays;    /* `was` is not to be touched, and is here to be known of */
	uint32_t may_wait; /* what cannot be done is left as it is, and the rest is done */
	uint32_t attached; /* `want` is in the minimal root, and may be shown already */
	uint32_t reserved;
	struct apply_shown was, want;
};

struct apply_request {
	uint32_t magic;
	uint32_t size; /* of the whole */
	char version[32];
	uint32_t privileged; /* the VE has no user namespace of its own */
	uint32_t nchanges, nplaces;
	uint32_t again; /* the VE has booted since it was asked for the first time: some may be as they are to be */
	/* Drop: of the minimal root all is taken away that has none of these numbers; nothing else is done. */
	uint32_t drop;
	uint64_t mounts[2], devices;
	struct apply_place place[APPLY_PLACES_MAX];
	struct apply_change change[APPLY_CHANGES_MAX];
};

enum { APPLY_NONE = -1 };
struct apply_report {
	int32_t err;    /* 0: all is done; else a positive errno, and all is as it was. ESRCH: init ended meanwhile */
	int32_t change; /* which one failed; APPLY_NONE: none in particular */
	int32_t place;  /* likewise */
	int32_t op;     /* enum plan_op: what of the place failed */
	char subject[120]; /* what a place failed at */
	/*
	 * Why a place waits, a positive errno, or 0. What the VE itself has made of it: EBUSY: it is in use; ESTALE: it
	 * is not at its target any more; EMLINK: it is elsewhere, too; EADDRINUSE: the new one would hide another.
	 */
	int32_t waits[APPLY_PLACES_MAX];
};

#endif
