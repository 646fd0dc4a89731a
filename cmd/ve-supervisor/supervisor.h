/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ve-supervisor: the processes behind one running VE. The keeper (keeper.c) carries out the plan, then waits for the
 * VE's init; the server (server.c) talks to the console, to clients and to the guest; the entrant (entrant.c) lives for
 * a moment at each boot; init.c is what the VE's first process does before it becomes the guest's init.
 */
#ifndef VE_SUPERVISOR_H
#define VE_SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/ve-supervisor/step.h"
#include "cmd/ve-supervisor/tree.h"
#include "lib/plan/live.h"
#include "lib/plan/live_links.h"
#include "lib/plan/wire_read.h"

extern const struct wire_header *plan;
extern const struct live_record *live;      /* NULL: nothing was set since the start, or this is the first boot */
extern const struct live_links *live_links; /* likewise, of interfaces */
void read_live(void);

#define DEVICES(X)                                                                                                     \
	X("null", 1, 3, 0)                                                                                             \
	X("zero", 1, 5, 0) X("full", 1, 7, 0) X("random", 1, 8, 0) X("urandom", 1, 9, 0) X("tty", 5, 0, 5)

/* Keeper <-> entrant and init, one SOCK_SEQPACKET pair a boot; its end (EOF) is init's exec or death. */
enum sync_kind {
	SYNC_INIT = 1 /* + pidfd */,
	SYNC_CONSOLE /* + pty master */,
	SYNC_FAILED,
	SYNC_NOTE,
	SYNC_GO,
	SYNC_EXEC,
	SYNC_FAULT,
	SYNC_NETNS /* + the network namespace of this boot */,
	/* server to keeper, of the guest: */
	SYNC_READY,
	SYNC_STOPPING,
	SYNC_OOM_KILLS /* + how many, as `step` */
};
struct sync_message {
	uint32_t kind, step;
	int32_t err, pid;
	char subject[112];
};

enum { BOOT_LINKS_MAX = 16 };
struct boot_link {
	const char *name; /* inside */
	uint32_t index;   /* inside; stays over a move into another namespace, and a guest cannot change it */
	unsigned char mac[6];
};

struct boot {
	unsigned number;    /* 1: the first since start */
	int userns, cgroup; /* the VE's user namespace; this boot's guest root cgroup */
	int netns;          /* the VE's network namespace, where it has interfaces; -1: made with init */
	struct boot_link link[BOOT_LINKS_MAX];
	unsigned nlinks;
	int sync;       /* the child's end of the socket pair */
	int keeper_end; /* the other one; not the child's business */
};

int sync_send(int sock, const struct sync_message *m, int fd); /* fd -1: none */
int sync_send_flags(int sock, const struct sync_message *m, int fd, int flags);
int sync_recv(int sock, struct sync_message *m, int *ret_fd); /* 0: end; 1: a message; negative errno */
/* Runs the plan's steps of one actor in their order; a failure is sent over boot->sync and ends the process. */
void run_steps(int actor, int (*run)(const struct wire_step *s, struct boot *b), struct boot *b);
/* The step in hand is done without what step_subject names. */
void note_failure(int sock, const struct wire_step *s, int err);
void fault_point(const struct wire_step *s);

void entrant(struct boot *b) __attribute__((noreturn));
void init_of_ve(struct boot *b) __attribute__((noreturn));

/* Steps of the entrant's and init's (network.c). */
int join_network(struct boot *b);
int address(const struct wire_step *s);
int link_up(const struct wire_step *s);
int route(const struct wire_step *s);
int live_network(int run); /* instead of these three, and of what the guest finds in /run of them */
/* Of init's (resolver.c); the VE's root and its /run, before the pivot. */
int resolver(const struct wire_step *s, int root, int run);
int run_file(int run, const char *path, const char *text); /* init.c */
/* Steps of init's (mounts.c). One of the plan's that shows what the keeper attached, or of the record's instead. */
int show_place(const struct wire_step *s, const struct inside *in, int dev);
int show_live_places(const struct inside *in, int dev);
/* Steps of init (first_boot.c). */
int guest_first_boot_open(const char *path, struct boot *b);
int guest_first_boot(struct boot *b);

struct server {
	int keeper;  /* SOCK_SEQPACKET to the keeper */
	int control; /* listening */
	int notify;
	int log[2];
	int state;
	int memory;  /* memory.events, or what is none */
	int console; /* master of this boot, or -1 */
	pid_t init;
	unsigned boot, boots_before; /* since the start; before it */
	uint64_t log_limit;          /* bytes a file */
};
/* Keeper to server. BOOT brings the console's master. */
enum server_message_kind { SERVER_BOOT = 1, SERVER_NOTE };
void serve(struct server *s) __attribute__((noreturn));

void unblock_signals(void); /* the keeper keeps SIGTERM for its signalfd; its children do not */
int drop_all_capabilities(void);
int keep_capabilities(uint64_t keep); /* those of the mask that there are; none is inheritable or ambient */
int load_seccomp(const struct wire_blob *blob);
int write_at(int dir, const char *path, const char *text);

/* Frames a state record with its sequence number, pads it and writes it at `offset` of /run/vectl/NAME/state. */
void state_write(int fd, off_t offset, uint32_t sequence, const char *body);
uint64_t start_time(pid_t pid); /* field 22 of /proc/PID/stat; 0: no such process */

#endif
