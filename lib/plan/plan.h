/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plan: everything that a start will do, as a flat list of typed steps, computed before anything is done. Building
 * it is a pure function of the spec and of facts; whoever executes it decides nothing any more.
 */
#ifndef VE_PLAN_H
#define VE_PLAN_H

#include "lib/base/json.h"
#include "lib/host/facts.h"
#include "lib/host/ids.h"
#include "lib/net/net.h"
#include "lib/plan/wire.h"
#include "lib/spec/spec.h"

struct plan_device {
	const char *path;   /* beneath /dev, on the host and inside */
	unsigned mode;      /* with its type, S_IFCHR or S_IFBLK */
	unsigned uid, gid;  /* inside */
	const char *access; /* of "rwm" */
	unsigned major, minor;
};

struct plan_input {
	const struct spec *spec;
	const struct host_facts *facts;
	const char *name;
	const char *root_id;    /* "" for the default root */
	const char *run_dir;    /* /run/vectl/NAME */
	const char *data_dir;   /* /var/lib/vectl/ve/NAME */
	const char *image_root; /* the image's root file system */
	const char *supervisor; /* path of the program */
	const struct plan_device *devices;
	size_t ndevices;
	const struct net_interface *interfaces; /* what net.* comes to */
	size_t ninterfaces;
	const char *resolver;         /* text of the guest's resolv.conf; NULL: none */
	const struct net_own *own;    /* vectl's own network; NULL: no interface is on its bridge */
	const unsigned char *exposed; /* of each of spec_mounts: every user of the host reaches its files; NULL: none */
	struct id_range ids;
	unsigned listen_fds;  /* how many init gets (sd_listen_fds) */
	int places;           /* of plan_live: mounts and devices, too */
	int first_boot;       /* data_dir/first-boot holds something to be carried out */
	int credentials;      /* data_dir/credentials holds some */
	uint64_t caps;        /* bit n: processes of the VE may have capability n */
	uint64_t keeper_caps; /* of a privileged VE: what its keeper boots it with again */
};

struct plan_step {
	enum plan_op op;
	enum plan_actor actor;
	int optional;
	char *s[3];
	size_t len[3];
	int64_t n[3];
};

struct plan {
	char name[64];
	struct id_range ids; /* base 0: privileged */
	unsigned listen_fds;
	struct plan_step *step;
	size_t nsteps, room;
	char **note; /* what was left out, and why; each a sentence for the user */
	size_t nnotes;
};

int plan_build(const struct plan_input *in, struct plan **ret, struct error *e);
/* Of such a plan the steps alone that can be changed while the VE runs. Looks at spec, facts, name, devices, places. */
int plan_live(const struct plan_input *in, struct plan **ret, struct error *e);
/* Of such a plan the device filter alone, of `cgroup`: one step, or none where it needs none. Looks at spec, devices.
 */
int plan_filter(const struct plan_input *in, const char *cgroup, struct plan **ret, struct error *e);
void plan_free(struct plan *p);
static inline void plan_free_p(struct plan **p)
{
	plan_free(*p);
}
#define cleanup_plan __attribute__((cleanup(plan_free_p)))

const char *plan_actor_name(int actor);
const char *plan_op_name(int op);
/* The step in words, numbers and strings filled in; cut where it does not fit. */
void plan_step_text(const struct plan_step *s, char *buf, size_t size);
int plan_text(const struct plan *p, char **ret, struct error *e);
int plan_json(const struct plan *p, char **ret, struct error *e);

/* The plan as wire.h has it, in one sealed memfd, with the blobs (data NULL: none). Returns the fd. */
struct plan_blob {
	const void *data;
	size_t size;
};
int plan_encode(const struct plan *p, const struct plan_blob blobs[BLOB_COUNT], uint32_t fault_step, struct error *e);

/*
 * What plan_live made as live.h has it, in a buffer of LIVE_SLOT bytes, of the rlimits those of `resources` (bit n:
 * resource n). flags: enum live_flags. Its size, or -E2BIG.
 */
int live_encode(const struct plan *p, uint32_t resources, uint32_t flags, uint64_t sequence, void *buf);

#endif
