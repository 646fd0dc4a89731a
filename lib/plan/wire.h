/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plan as the programs in libexec get it: one sealed memfd, read-only, made by the libve of the same build (the
 * version string is compared, so native structures are safe here). No libc beyond <stdint.h>: static programs share it.
 *
 * What enters a VE later may be of a later version than its plan: it reads the header, the blobs, and the steps
 * OP_HOST_RLIMIT, OP_RLIMIT, OP_BOUNDING_SET and OP_KEYRING. What is set later (live.h) has the form of steps, too. So
 * operations are appended at the end of the list below, never moved or taken away, and WIRE_MAGIC changes with the form
 * of the structures.
 */
#ifndef VE_PLAN_WIRE_H
#define VE_PLAN_WIRE_H

#include <stdint.h>

#define WIRE_MAGIC 0x31504556u /* "VEP1" */

/* Who carries a step out. */
enum plan_actor {
	ACTOR_CALLER,  /* libve in the caller's process, as root */
	ACTOR_KEEPER,  /* once, at the first boot */
	ACTOR_ENTRANT, /* each boot: child of the keeper that enters the VE's user namespace */
	ACTOR_INIT,    /* each boot: the VE's first process, up to its exec */
	ACTOR_COUNT,
};

/* op, actor, name. What strings (s0..) and numbers (n0..) mean is said in the third column. */
#define PLAN_OPS(X)                                                                                                    \
	X(RESERVE_IDS, CALLER, "reserve-ids", "hold ids n0 to n0+65535 and owner uid n1 on this host (lock s0)")       \
	X(RUNTIME_DIR, CALLER, "runtime-dir", "make the runtime folder s0")                                            \
	X(CGROUP_MAKE, CALLER, "cgroup-make", "make the cgroup s0")                                                    \
	X(CGROUP_SET, CALLER, "cgroup-set", "write s1 to s0")                                                          \
	X(CGROUP_OWN, CALLER, "cgroup-own", "give the cgroup file or folder s0 to uid n0")                             \
	X(DISK_LAYER, CALLER, "disk-layer", "provide the writable layer s0/disk (upper, and an empty work folder)")    \
	X(CONSOLE_LOG, CALLER, "console-log", "open the console's log s0, n0 bytes in each of two files")              \
	X(CONTROL_SOCKET, CALLER, "control-socket", "listen on s0")                                                    \
	X(SECCOMP_COMPILE, CALLER, "seccomp-compile", "compile, or take from the cache, the seccomp program s0")       \
	X(SPAWN_SUPERVISOR, CALLER, "spawn-supervisor", "start s0 in the cgroup s1")                                   \
	X(OPEN_LAYER, KEEPER, "open-layer", "clone the tree s0 as layer n0{0=0, writable}")                            \
	X(HOST_RLIMIT, KEEPER, "host-rlimit", "limit r0: n1 (the user namespace's creator caps the whole VE)")         \
	X(BECOME_OWNER, KEEPER, "become-owner", "become uid and gid n0, keeping capabilities for the steps below")     \
	X(PRIVATE_MOUNTS, KEEPER, "private-mounts", "leave the host's mounts for a minimal root")                      \
	X(RUN_HOST, KEEPER, "run-host",                                                                                \
		"fill /run/host: container-manager s0, uuid s1, notify socket{0&1, credentials}")                      \
	X(USER_NAMESPACE, KEEPER, "user-namespace",                                                                    \
		"make the user namespace{2&1, and the network namespace,} with the entrant in it, map 0 to n0 for n1 " \
		"ids")                                                                                                 \
	X(ATTACH_LAYER, KEEPER, "attach-layer", "attach layer n0 at s0{1&1, read-only}{2&1, id-mapped}")               \
	X(ENTER, KEEPER, "enter", "let the entrant go")                                                                \
	X(SPAWN_SERVER, KEEPER, "spawn-server", "start the supervisor process, confine it")                            \
	X(DROP_CAPABILITIES, KEEPER, "drop-capabilities",                                                              \
		"give up all capabilities, keep c0, wait until init is set up and the supervisor process "             \
		"confined, let init exec")                                                                             \
	X(JOIN_USER_NAMESPACE, ENTRANT, "join-user-namespace",                                                         \
		"be in the VE's user namespace: born there, or at a reboot by setns")                                  \
	X(TIME_NAMESPACE, ENTRANT, "time-namespace", "make the time namespace, boot time zero now")                    \
	X(CLONE_INIT, ENTRANT, "clone-init", "clone3 with the namespaces f0 into the VE's cgroup")                     \
	X(BECOME_ROOT, INIT, "become-root", "uid and gid 0 of the VE, no groups")                                      \
	X(OVERLAY, INIT, "overlay", "mount the root: lower s0, upper s1, work s2")                                     \
	X(DEV, INIT, "dev", "mount /dev with its nodes and links; devpts with options s0 and n0 ptys at most")         \
	X(CONSOLE, INIT, "console", "make the console's pty, bind it to /dev/console")                                 \
	X(MOUNT, INIT, "mount", "mount s0 at /s1, options \"s2\", attributes a0")                                      \
	X(BIND_RUN_HOST, INIT, "bind-run-host", "show /run/host, read-only")                                           \
	X(BOOT_ID, INIT, "boot-id", "bind a fresh boot_id")                                                            \
	X(MASK, INIT, "mask", "hide from ordinary users, beneath /proc: s0")                                           \
	X(PIVOT_ROOT, INIT, "pivot-root", "switch to the VE's root, drop the old one")                                 \
	X(HOSTNAME, INIT, "hostname", "set the UTS name to s0{0&1, and /etc/hostname}")                                \
	X(LOOPBACK, INIT, "loopback", "bring lo up")                                                                   \
	X(KEYRING, INIT, "keyring", "join a new session keyring")                                                      \
	X(RLIMIT, INIT, "rlimit", "limit r0: soft n1, hard n2")                                                        \
	X(BOUNDING_SET, INIT, "bounding-set", "keep the capabilities c0 in the bounding set, clear the ambient set")   \
	X(AWAIT_KEEPER, INIT, "await-keeper", "hand over the console, wait until the keeper is unprivileged")          \
	X(SECCOMP, INIT, "seccomp", "load the seccomp program s0")                                                     \
	X(EXEC, INIT, "exec", "execute the first of: s0 (arguments: s1; environment: s2)")                             \
	X(CGROUP_DEVICES, CALLER, "cgroup-devices", "let the cgroup s0 use these devices alone: s1")                   \
	X(ON_EXIT, KEEPER, "on-exit",                                                                                  \
		"start init again when it ended by itself{0=1, whatever it said}{0=2, with a failure}")                \
	X(HOST_RELEASE, KEEPER, "host-release", "read s0, or s1, for /run/host/os-release")                            \
	X(SHARE_MOUNTS, INIT, "share-mounts", "make the VE's mounts shared, as those of a machine are")                \
	X(PROC_READ_ONLY, INIT, "proc-read-only", "make read-only, beneath /proc: s0; but not: s1")                    \
	X(OPEN_MOUNT, KEEPER, "open-mount", "open s0{1&1, with what is mounted below it}, as mount n0 (s1)")           \
	X(MAKE_MOUNT, KEEPER, "make-mount", "mount s1 from s0 with options \"s2\" as mount n0")                        \
	X(ATTACH_MOUNT, KEEPER, "attach-mount",                                                                        \
		"give mount n0 (s0) attributes a1{2&1, id-mapped}{2&2, with all below it}")                            \
	X(BIND_MOUNT, INIT, "bind-mount", "show mount n0 (s1) at s0")                                                  \
	X(MOUNT_INSIDE, INIT, "mount-inside", "mount s0 at s1 in the VE's root, options \"s2\", attributes a0")        \
	X(FIRST_BOOT_OPEN, INIT, "first-boot-open", "open s0, at the first boot")                                      \
	X(FIRST_BOOT, INIT, "first-boot", "carry out what lies there, once: root's password and keys")                 \
	X(SYSCTL, INIT, "sysctl", "set s0 to s1")                                                                      \
	X(HOOKS, CALLER, "hooks", "run the hook pre-start: s0; keep in mind post-stop: s1")                            \
	X(DEVICE_NODE, KEEPER, "device-node", "make s0, the device s1 (s2), mode x0, owner n1 and group n2 of the VE") \
	X(DEVICE, INIT, "device", "show s0 at /dev/s1")                                                                \
	X(LIVE, INIT, "live", "at a reboot: sysctl, hostname, rlimit and on-exit as they were set while the VE ran")   \
	X(LIVE_PLACES, INIT, "live-places", "at a reboot: mounts and devices as they were set while the VE ran")       \
	X(BRIDGE, CALLER, "bridge",                                                                                    \
		"make sure of the bridge s0{0&1, with the addresses s1, and that the host forwards}")                  \
	X(FIREWALL, CALLER, "firewall", "let the links s0 through, as net.* allows; all else of theirs is dropped")    \
	X(FORWARDING, CALLER, "forwarding", "make sure that the host forwards packets")                                \
	X(NETWORK_NAMESPACE, KEEPER, "network-namespace", "make the VE's network namespace")                           \
	X(LINK, KEEPER, "link",                                                                                        \
		"make the link s0 and its other end s1 (m1) in the VE{2&1, on the bridge }s2{2&8, in one VLAN alone}"  \
		"{2&2, which learns no other address there}{2&4, and let the host's loopback through}")                \
	X(LINK_ADDRESS, KEEPER, "link-address", "give the host's end s0 the address s1")                               \
	X(LINK_ROUTE, KEEPER, "link-route", "route s1 to s0")                                                          \
	X(JOIN_NETWORK, ENTRANT, "join-network",                                                                       \
		"be in the VE's network namespace; at a reboot make another, and take the interfaces along")           \
	X(ADDRESS, INIT, "address", "give s0 the address s1")                                                          \
	X(LINK_UP, INIT, "link-up", "bring s0 up")                                                                     \
	X(ROUTE, INIT, "route", "send what has no other way to s1 on s0")                                              \
	X(RUN_FILE, INIT, "run-file", "write /run/s0")                                                                 \
	X(RESOLVER, INIT, "resolver", "write /etc/resolv.conf{0&1, also where the guest has written its own}")         \
	X(LINK_RATE, KEEPER, "link-rate",                                                                              \
		"let n0 bits a second through s0 to the VE, and from it n1 by way of s1; 0: all")                      \
	X(LIVE_LINKS, INIT, "live-links", "at a reboot: interfaces as they were set while the VE ran")                 \
	X(PROXY, CALLER, "proxy", "answer for s0 on s1")                                                               \
	X(PARENT, CALLER, "parent", "make sure of the device s0, for macvlans of MTU n0{0=0, whatever it has}")        \
	X(MACVLAN, KEEPER, "macvlan", "make s1 (m1) in the VE, a macvlan on the device s0")                            \
	X(BIND_SYS, INIT, "bind-sys", "show the host's /sys, read-only")

/* The numbers of the trees that OPEN_LAYER clones. */
enum plan_layer { LAYER_DISK, LAYER_IMAGE, LAYER_FIRST_BOOT = 14, LAYER_CREDENTIALS = 15 };

enum plan_op {
#define X(op, actor, name, doc) OP_##op,
	PLAN_OPS(X)
#undef X
		OP_COUNT
};

enum on_exit_policy { ON_EXIT_RESTART = 1, ON_EXIT_RESTART_FAILED = 2 };

enum link_flags { LINK_BRIDGED = 1, LINK_FILTERED = 2, LINK_LOOPBACK = 4, LINK_VLAN = 8 };
enum { LINK_VLAN_SHIFT = 16 /* its number */ };
enum attach_flags { ATTACH_IDMAP = 1, ATTACH_RECURSIVE = 2 };
enum { PLAN_MOUNTS_MAX = 64, PLAN_DEVICES_MAX = 32 };
/* Numbers of mounts and devices in the minimal root: the plan's first; while one takes another's place both are there.
 */
enum { MOUNT_SLOTS = 2 * PLAN_MOUNTS_MAX, DEVICE_SLOTS = 2 * PLAN_DEVICES_MAX };
/* What a file system that a boot mounts in the VE has as its source. */
#define INSIDE_SOURCE "vectl"

struct wire_step {
	uint16_t actor, op;
	uint16_t index;    /* in the whole plan */
	uint16_t optional; /* a failure is reported, the start goes on */
	uint32_t s[3];     /* offsets of NUL-terminated strings from the start of the memfd; 0: none */
	uint32_t len[3];   /* bytes of each, its last NUL left out (lists hold NULs) */
	int64_t n[3];
};

/* The kernel takes 4096 instructions; struct sock_fprog would count 65536 of them as none. */
#define WIRE_BLOB_MAX (4096 * 8)

#define FAULT_NEVER  0xffffffffu
#define FAULT_SERVER 0x40000000u

struct wire_blob {
	uint32_t offset, size; /* size 0: none */
};

enum wire_blob_id {
	BLOB_SECCOMP_VE,         /* struct sock_filter[] for init and for what enters */
	BLOB_SECCOMP_SUPERVISOR, /* for the supervisor process */
	BLOB_COUNT,
};

struct wire_header {
	uint32_t magic;
	uint32_t size; /* of the whole */
	char version[32];
	char name[64];
	uint32_t owner, base; /* base: the host id of the VE's root; 0: privileged, there is no user namespace */
	uint32_t nsteps;
	uint32_t fault_step; /* test builds alone: who did this step dies after it, or with FAULT_SERVER the server */
	uint32_t listen_fds; /* handed over from SFD_COUNT_END on: init's from 3 on */
	struct wire_blob blob[BLOB_COUNT];
	struct wire_step step[];
};

/* Fds that the caller hands to ve-supervisor, at these numbers. */
enum supervisor_fd {
	SFD_PLAN = 3,
	SFD_REPORT,  /* SOCK_SEQPACKET to the caller; struct wire_report */
	SFD_LOCK,    /* /run/vectl/NAME/lock, locked */
	SFD_IDLOCK,  /* the id range's, locked */
	SFD_STATE,   /* /run/vectl/NAME/state */
	SFD_CONTROL, /* listening */
	SFD_LOG0,
	SFD_LOG1,
	SFD_CGROUP_VE,   /* folder NAME/ve: limits; roots of later boots are made there */
	SFD_CGROUP_ROOT, /* folder NAME/ve/root1 */
	SFD_EVENTS0,     /* the event log; /dev/null where it cannot be had */
	SFD_EVENTS1,
	SFD_MEMORY_EVENTS, /* memory.events of NAME/ve; /dev/null where the host counts no memory */
	SFD_LIVE,          /* /run/vectl/NAME/live, read-only */
	SFD_COUNT_END,     /* then those that init gets */
	SFD_LISTEN_MAX = 16,
};

enum report_kind { REPORT_FAILED = 1, REPORT_RUNNING = 2, REPORT_NOTE = 3 /* an optional step failed */ };
struct wire_report {
	uint32_t kind;
	uint32_t step; /* index in the plan */
	int32_t err;   /* positive errno */
	int32_t pid;   /* RUNNING: init's */
	char subject[112];
};

/*
 * /run/vectl/NAME/state: two records of STATE_RECORD bytes, the keeper's at 0, the supervisor's after it, each text
 * ("key value\n"...), padded with newlines, written by one pwrite and framed by the same sequence number at both ends:
 * a reader that sees two different numbers reads again.
 */
#define STATE_RECORD 512

#endif
