/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper: carries the plan's first boot out, gives up everything it was trusted with, and then only waits: for the
 * VE's init, whose end it alone can read, and for its server. It never reads a byte that the guest wrote.
 */
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "cmd/ve-supervisor/event.h"
#include "cmd/ve-supervisor/keeper.h"
#include "cmd/ve-supervisor/log.h"
#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"
#include "config.h"

static struct keeper {
	struct boot boot;
	unsigned boots_before; /* the start */
	int layer[16];         /* detached trees, by the plan's numbers */
	int notify;            /* the guest's readiness socket */
	int sync;              /* the keeper's end; -1 between boots */
	int pidfd, console;    /* of this boot's init */
	pid_t init, entrant, server;
	int server_sock;
	int64_t booted; /* when init was exec'd, CLOCK_MONOTONIC in milliseconds */
	unsigned server_deaths;
	uint32_t sequence;
	int first;   /* the caller still waits for a report */
	int signals; /* signalfd of SIGTERM: root wants the VE to end, so a reboot would be against its will */
	int ending;
	int restarting; /* init ended, and boot.on_exit wants another */
	int again;      /* a reboot that cannot be done in place: root is to start the VE anew */
	int on_exit;    /* enum on_exit_policy */
} k = {.notify = -1, .sync = -1, .pidfd = -1, .console = -1, .server_sock = -1, .boot = {.userns = -1, .netns = -1}};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* Never waits for the server: it reads hostile bytes, and one that was brought to a halt is killed and followed. */
static void tell_server(const struct sync_message *m, int fd)
{
	if (k.server_sock >= 0 && sync_send_flags(k.server_sock, m, fd, MSG_DONTWAIT) == -EAGAIN)
		kill(k.server, SIGKILL);
}

/* Test builds alone. */
static void kill_server_for_test(void)
{
	if (VE_FAULTS && k.server > 0)
		kill(k.server, SIGKILL);
}

static void report(const struct wire_report *r)
{
	if (k.first)
		send(SFD_REPORT, r, sizeof *r, MSG_NOSIGNAL);
	else if (r->kind != REPORT_RUNNING) {
		if (r->kind == REPORT_FAILED)
			event_reboot_failed(r);
		struct sync_message m = {.kind = SERVER_NOTE, .step = r->step, .err = r->err};
		memcpy(m.subject, r->subject, sizeof m.subject);
		tell_server(&m, -1);
	}
}

static void report_sync(const struct sync_message *m, int kind)
{
	struct wire_report r = {.kind = kind, .step = m->step, .err = m->err};
	memcpy(r.subject, m->subject, sizeof r.subject - 1);
	report(&r);
}

/* As the console's log counts them, over stops. */
static unsigned boots(void)
{
	return k.boots_before + k.boot.number;
}

static void write_state(const char *state)
{
	char body[STATE_RECORD];
	struct text t = {body, body + sizeof body};
	struct timespec real, boottime;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boottime);
	static struct timespec since[2];
	static unsigned since_boot;
	if (since_boot != k.boot.number) {
		since_boot = k.boot.number;
		since[0] = real;
		since[1] = boottime;
	}
	const struct {
		const char *key;
		uint64_t value[2];
		int values;
	} line[] = {
		{"format", {1}, 1},
		{"keeper", {getpid(), start_time(getpid())}, 2},
		{"server", {k.server, k.server ? start_time(k.server) : 0}, 2},
		{"init", {k.init, k.init ? start_time(k.init) : 0}, 2},
		{"ids", {plan->owner, plan->base}, 2},
		{"boot", {k.boot.number}, 1},
		{"boots", {boots()}, 1},     /* before this start too */
		{"ran", {k.booted != 0}, 1}, /* whether an init was exec'd at all */
		{"again", {k.again && !k.ending}, 1},
		{"started", {since[0].tv_sec, since[1].tv_sec * 1000000000ull + since[1].tv_nsec}, 2},
	};
	text_add(&t, "state ");
	text_add(&t, state);
	text_add(&t, "\n");
	for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
		text_add(&t, line[i].key);
		for (int v = 0; v < line[i].values; v++) {
			text_add(&t, " ");
			text_number(&t, line[i].value[v]);
		}
		text_add(&t, "\n");
	}
	state_write(SFD_STATE, 0, ++k.sequence, body);
}

static int in_ve(int (*what)(void))
{
	pid_t pid = TRY("fork", fork());
	if (!pid && !plan->base)
		_exit(what() ? 1 : 0);
	if (!pid) {
		if (setns(k.boot.userns, CLONE_NEWUSER) || syscall(SYS_setresgid, 0, 0, 0) ||
			syscall(SYS_setresuid, 0, 0, 0))
			_exit(1);
		_exit(what() ? 1 : 0);
	}
	int status = 0;
	if (waitpid(pid, &status, __WALL) != pid || status)
		return -EIO;
	return 0;
}

static int macvlans_inside(void)
{
	return delete_macvlans(&k.boot);
}

/* Before anybody is told that the VE has ended. One that the guest moved away goes with its namespace. */
static void drop_macvlans(void)
{
	read_live();
	if (has_macvlans(&k.boot))
		in_ve(macvlans_inside);
}

static void end_with(int status)
{
	if (k.pidfd >= 0)
		sys_pidfd_send_signal(k.pidfd, SIGKILL);
	if (!k.first) {
		drop_macvlans();
		event_stopped("failed", 0, k.ending);
	}
	write_state("stopped");
	_exit(status);
}

/* ---- boot: common to the first one and to reboots */

static int open_sync(void)
{
	int sp[2];
	TRY("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp));
	k.sync = k.boot.keeper_end = sp[0];
	k.boot.sync = sp[1];
	return 0;
}

static int start_entrant(void)
{
	int r = open_sync();
	if (r)
		return r;
	k.entrant = TRY("fork of the entrant", fork());
	if (!k.entrant)
		entrant(&k.boot);
	close(k.boot.sync);
	return 0;
}

/*
 * Waits until init has handed its console over, or failed. Entrant and init write into the same socket: where the
 * entrant is preempted right after its clone3, init's message comes first.
 */
static int wait_for_console(void)
{
	while (k.pidfd < 0 || k.console < 0) {
		struct sync_message m;
		int fd;
		int r = sync_recv(k.sync, &m, &fd);
		step_subject = "init, before its exec";
		if (r <= 0)
			return r ? r : -ECHILD;
		switch (m.kind) {
		case SYNC_INIT:
			k.pidfd = fd;
			k.init = m.pid;
			waitpid(k.entrant, NULL, __WALL);
			write_state("starting");
			break;
		case SYNC_CONSOLE:
			k.console = fd;
			break;
		case SYNC_NETNS:
			close(k.boot.netns);
			k.boot.netns = fd;
			break;
		case SYNC_NOTE:
			report_sync(&m, REPORT_NOTE);
			break;
		case SYNC_FAULT:
			kill_server_for_test();
			break;
		default:
			/* Said once, by the step that failed; what follows here is its consequence. */
			/* The guest deleted an interface: what the VE's root cannot make again, the host's can. */
			k.again = !k.first && m.step < plan->nsteps && plan->step[m.step].op == OP_JOIN_NETWORK;
			report_sync(&m, REPORT_FAILED);
			end_with(1);
		}
	}
	return 0;
}

/* Init may go. It says so right before its exec, and EOF without a failure after that says that it exec'd. */
static void let_init_exec(void)
{
	struct sync_message m = {.kind = SYNC_GO};
	struct sync_message died = {
		.kind = SYNC_FAILED, .step = ~0u, .err = ECHILD, .subject = "init died before its exec"};
	int fd, r, said = 0;
	sync_send(k.sync, &m, -1);
	while ((r = sync_recv(k.sync, &m, &fd)) > 0) {
		said |= m.kind == SYNC_EXEC;
		if (m.kind == SYNC_NOTE)
			report_sync(&m, REPORT_NOTE);
		if (m.kind == SYNC_FAULT)
			kill_server_for_test();
		if (m.kind == SYNC_FAILED) {
			report_sync(&m, REPORT_FAILED);
			end_with(1);
		}
	}
	if (!said) {
		report_sync(&died, REPORT_FAILED);
		end_with(1);
	}
	close(k.sync);
	k.sync = -1;
	k.booted = now_ms();
	event_boot(k.restarting ? "restarted" : k.boot.number > 1 ? "rebooted" : "running", boots());
	write_state("running");
}

static void tell_server_boot(void)
{
	struct sync_message m = {.kind = SERVER_BOOT, .step = k.boot.number, .pid = k.init};
	tell_server(&m, k.console);
}

/* Of a privileged VE too: whoever reads hostile bytes is nobody of the host's. */
static void server_identity(void)
{
	const uint32_t id = plan->owner;
	if (geteuid() == id)
		return;
	if (!id || syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, id, id, id) ||
		syscall(SYS_setresuid, id, id, id))
		_exit(1);
}

static int spawn_server(void)
{
	int sp[2];
	TRY("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp));
	pid_t pid = TRY("fork of the server", fork());
	if (!pid) {
		server_identity();
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of ids clears it */
		/* The locks say that the keeper lives: the server must not hold them beyond its death. */
		const int keepers[] = {SFD_LOCK, SFD_IDLOCK, SFD_CGROUP_VE, k.boot.cgroup, SFD_PLAN, k.boot.userns,
			k.boot.netns, k.pidfd, k.sync, sp[0], k.console, k.signals, k.first ? SFD_REPORT : -1,
			SFD_EVENTS0, SFD_EVENTS1, SFD_LIVE};
		for (size_t i = 0; i < sizeof keepers / sizeof *keepers; i++)
			if (keepers[i] >= 0)
				close(keepers[i]);
		if (plan->listen_fds)
			sys_close_range(SFD_COUNT_END, SFD_COUNT_END + plan->listen_fds - 1, 0);
		struct server s = {
			.keeper = sp[1],
			.control = SFD_CONTROL,
			.notify = k.notify,
			.log = {SFD_LOG0, SFD_LOG1},
			.state = SFD_STATE,
			.memory = SFD_MEMORY_EVENTS,
			.console = -1,
			.init = k.init,
			.boot = k.boot.number,
			.boots_before = k.boots_before,
		};
		const struct wire_step *log = wire_find(plan, OP_CONSOLE_LOG);
		s.log_limit = log ? log->n[0] : 0;
		serve(&s);
	}
	close(sp[1]);
	k.server = pid;
	k.server_sock = sp[0];
	return 0;
}

/* ---- the keeper's steps */

static int host_rlimit(const struct wire_step *s)
{
	struct rlimit l = {s->n[1], s->n[1]};
	TRY(wire_string(plan, s, 0), setrlimit(s->n[0], &l));
	return 0;
}

static int become_owner(uint32_t uid)
{
	/* It would pass to everything in the VE, whose su and sudo then do nothing. */
	step_subject = "no_new_privs of the caller";
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return -EPERM;
	/*
	 * Without this bit the change of uid would take the capabilities away that the steps below need. A new user
	 * namespace starts without it; where there is none (uid 0) it would stay the guest's, for ever.
	 */
	TRY("securebits", prctl(PR_SET_SECUREBITS, uid ? SECBIT_NO_SETUID_FIXUP : SECUREBITS_DEFAULT));
	TRY("setgroups", syscall(SYS_setgroups, 0, NULL));
	TRY("setresgid", syscall(SYS_setresgid, uid, uid, uid));
	TRY("setresuid", syscall(SYS_setresuid, uid, uid, uid));
	/* Else its /proc files are root's, and the maps of the user namespace cannot be written. */
	TRY("dumpable", prctl(PR_SET_DUMPABLE, 1));
	return 0;
}

/* The place is ready: the entrant, which was born with the user namespace if there is one, may make init. */
static int enter_first(void)
{
	struct sync_message m = {.kind = SYNC_GO};
	if (!plan->base)
		return start_entrant();
	close(k.boot.sync);
	return sync_send(k.sync, &m, -1);
}

/* The caller went away (killed, or Ctrl-C): nobody would learn of this VE, so it does not come to life. */
static int caller_gone(void)
{
	struct pollfd p = {.fd = SFD_REPORT, .events = POLLIN};
	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLIN);
}

/* The server's first message says that it is confined; a server that cannot be is a start that fails. */
static int server_confined(void)
{
	struct sync_message m;
	int fd;
	step_subject = "the server's confinement";
	int r = sync_recv(k.server_sock, &m, &fd);
	if (r > 0 && fd >= 0)
		close(fd); /* it has none to give */
	return r > 0 ? 0 : r ? r : -ECHILD;
}

static int drop_and_go(uint64_t keep)
{
	TRY("capset", keep_capabilities(keep));
	/* It shares its uid with the server, which must not be able to trace it. */
	TRY("dumpable", prctl(PR_SET_DUMPABLE, 0));
	int r = wait_for_console();
	if (r || (r = server_confined()))
		return r;
	tell_server_boot();
	if (caller_gone())
		end_with(1);
	let_init_exec();
	return 0;
}

static int keeper_step(const struct wire_step *s, struct boot *b)
{
	int r;
	switch (s->op) {
	case OP_OPEN_LAYER:
		if (s->n[0] < 0 || s->n[0] >= (int)(sizeof k.layer / sizeof *k.layer))
			return -EINVAL;
		k.layer[s->n[0]] = TRY(wire_string(plan, s, 0),
			sys_open_tree(AT_FDCWD, wire_string(plan, s, 0), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
		return 0;
	case OP_ON_EXIT:
		k.on_exit = (int)s->n[0];
		return 0;
	case OP_HOST_RLIMIT:
		return host_rlimit(s);
	case OP_BECOME_OWNER:
		return become_owner(s->n[0]);
	case OP_HOST_RELEASE:
		return host_release(wire_string(plan, s, 0), wire_string(plan, s, 1));
	case OP_PRIVATE_MOUNTS:
		return private_mounts(plan->base);
	case OP_RUN_HOST:
		return run_host(wire_string(plan, s, 0), wire_string(plan, s, 1), plan->base, s->n[0], &k.notify);
	case OP_USER_NAMESPACE:
		if ((r = open_sync()))
			return r;
		return user_namespace(s->n[0], s->n[1], s->n[2], b, &k.entrant);
	case OP_NETWORK_NAMESPACE:
		return network_namespace(b);
	case OP_LINK:
		return make_link(s, b);
	case OP_MACVLAN:
		return make_macvlan(s, b);
	case OP_LINK_RATE:
		return link_rate(s);
	case OP_LINK_ADDRESS:
		return link_address(s);
	case OP_LINK_ROUTE:
		return link_route(s);
	case OP_ATTACH_LAYER:
		return attach_layer(k.layer[s->n[0] & 15], b->userns, wire_string(plan, s, 0), s->n[1]);
	case OP_OPEN_MOUNT:
		return open_mount(s);
	case OP_MAKE_MOUNT:
		return make_mount(s);
	case OP_ATTACH_MOUNT:
		return attach_mount(s, b->userns);
	case OP_DEVICE_NODE:
		return device_node(s);
	case OP_ENTER:
		return enter_first();
	case OP_SPAWN_SERVER:
		return spawn_server();
	case OP_DROP_CAPABILITIES:
		return drop_and_go(s->n[0]);
	}
	return -ENOSYS;
}

/* A failed step of the keeper's own; run_steps is for children, which have somebody to report to. */
static void first_boot(void)
{
	for (uint32_t i = 0; i < plan->nsteps; i++) {
		const struct wire_step *s = &plan->step[i];
		if (s->actor != ACTOR_KEEPER)
			continue;
		step_subject = wire_string(plan, s, 0);
		int r = keeper_step(s, &k.boot);
		if (r < 0) {
			struct wire_report w = {
				.kind = s->optional ? REPORT_NOTE : REPORT_FAILED, .step = s->index, .err = -r};
			size_t n = strnlen(step_subject, sizeof w.subject - 1);
			memcpy(w.subject, step_subject, n);
			report(&w);
			if (!s->optional)
				end_with(1);
		}
		fault_point(s);
		if (plan->fault_step == (s->index | FAULT_SERVER))
			kill_server_for_test();
	}
}

/* ---- reboot in place */

static void root_name(char *buf, size_t size, unsigned number)
{
	struct text t = {buf, buf + size};
	text_add(&t, "root");
	text_number(&t, number);
}

/*
 * A cgroup that was killed through cgroup.kill, by the guest too, kills whatever is born into it later (kernels 6.6 to
 * 6.18), so every boot gets a tree of its own.
 */
static int fresh_cgroup(void)
{
	char old[16], new[16];
	root_name(old, sizeof old, k.boot.number);
	root_name(new, sizeof new, k.boot.number + 1);
	remove_cgroup_tree(SFD_CGROUP_VE, old, 0); /* what cannot go stays for the reaper */
	return mkdirat(SFD_CGROUP_VE, new, 0755) ? -errno : 0;
}

static int reboot_steps(void)
{
	char name[16];
	read_live();
	int r = in_ve(fresh_cgroup);
	step_subject = "fresh cgroup";
	if (r)
		return r;
	k.boot.number++;
	root_name(name, sizeof name, k.boot.number);
	close(k.boot.cgroup);
	k.boot.cgroup =
		TRY("fresh cgroup", openat(SFD_CGROUP_VE, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
	if ((r = start_entrant()) || (r = wait_for_console()))
		return r;
	tell_server_boot();
	let_init_exec();
	return 0;
}

static void take_signal(void)
{
	struct signalfd_siginfo which;
	while (read(k.signals, &which, sizeof which) == sizeof which)
		k.ending = 1;
}

/* A guest that reboots without end gets one boot a second: what a boot costs is not counted as the guest's. */
static void pace_reboots(void)
{
	enum { QUICK_MS = 1000, QUICK_MAX = 10 };
	static int64_t last;
	static int quick;
	int64_t now = now_ms();
	quick = now - last < QUICK_MS ? quick + 1 : 0;
	if (quick > QUICK_MAX) {
		struct pollfd p = {.fd = k.signals, .events = POLLIN};
		poll(&p, 1, QUICK_MS);
	}
	last = now_ms();
	take_signal();
}

/*
 * boot.on_exit: an init that ends as soon as it is there is started again after 1, 2, 4 and so on up to 60 seconds; one
 * that lived for a while, at once. Whoever stops the VE meanwhile does not wait for it.
 */
static void pace_restarts(void)
{
	enum { LIVED_MS = 10000, FIRST_MS = 1000, LONGEST_MS = 60000 };
	static int delay;
	int64_t lived = now_ms() - k.booted;
	delay = lived >= LIVED_MS ? 0 : !delay ? FIRST_MS : delay * 2 > LONGEST_MS ? LONGEST_MS : delay * 2;
	if (delay) {
		struct pollfd p = {.fd = k.signals, .events = POLLIN};
		write_state("starting");
		poll(&p, 1, delay);
	}
	take_signal();
}

/* SIGINT is how reboot(2) ends an init that powers its machine off. */
static int to_be_restarted(const siginfo_t *si)
{
	int failed = si->si_code == CLD_EXITED ? si->si_status != 0 : si->si_status != SIGINT;
	read_live();
	const struct wire_step *changed = live_find(live, OP_ON_EXIT, 0);
	int policy = changed ? (int)changed->n[0] : live ? 0 : k.on_exit;
	return policy == ON_EXIT_RESTART || (policy == ON_EXIT_RESTART_FAILED && failed);
}

static void reboot_in_place(void)
{
	close(k.pidfd);
	close(k.console);
	k.pidfd = k.console = -1;
	k.init = 0;
	write_state("starting");
	int r = reboot_steps();
	if (r < 0) {
		struct wire_report w = {.kind = REPORT_FAILED, .step = ~0u, .err = -r};
		size_t n = strnlen(step_subject, sizeof w.subject - 1);
		memcpy(w.subject, step_subject, n);
		report(&w);
		end_with(1);
	}
}

/* ---- life */

enum { SERVER_DEATHS_MAX = 16, SERVER_DEATHS_FORGOTTEN_MS = 60000 };

static void server_died(void)
{
	static int64_t last;
	if (now_ms() - last > SERVER_DEATHS_FORGOTTEN_MS)
		k.server_deaths = 0;
	last = now_ms();
	kill(k.server, SIGKILL);
	waitpid(k.server, NULL, 0);
	close(k.server_sock);
	k.server_sock = -1;
	k.server = 0;
	/* It reads hostile bytes, so it may be made to die; the VE goes on with another, but not for ever. */
	if (++k.server_deaths > SERVER_DEATHS_MAX || spawn_server() < 0)
		end_with(1);
	tell_server_boot();
	write_state("running");
}

static void end_server(void)
{
	if (k.server_sock < 0)
		return;
	close(k.console); /* the server reads what is left until its own copy hangs up */
	k.console = -1;
	shutdown(k.server_sock, SHUT_WR);
	struct pollfd p = {.fd = k.server_sock, .events = POLLIN};
	poll(&p, 1, 2000);
}

/*
 * What the server says of the guest, as fixed words; a guest that says it without end, or a server that was taken over,
 * fills no disk and hides nothing for long: a few at a time, then one a second.
 */
static int from_server(void)
{
	enum { AT_ONCE = 16 };
	static int64_t last, tokens = AT_ONCE;
	static uint32_t oom_kills;
	struct sync_message m;
	int fd = -1;
	int r = sync_recv(k.server_sock, &m, &fd);
	if (r > 0 && fd >= 0)
		close(fd);
	if (r <= 0)
		return r ? r : -ECHILD;
	if (m.kind == SYNC_NOTE) /* that it is confined: of one that followed another, nobody waits for it */
		return 0;
	int64_t now = now_ms() / 1000;
	tokens = tokens + now - last < AT_ONCE ? tokens + now - last : AT_ONCE;
	last = now;
	if (m.kind == SYNC_OOM_KILLS)
		oom_kills += m.step;
	if (tokens <= 0)
		return 0;
	tokens--;
	if (m.kind == SYNC_READY)
		event_boot("ready", boots());
	if (m.kind == SYNC_STOPPING && !k.ending)
		event_stopping();
	if (oom_kills)
		event_oom_kills(oom_kills);
	oom_kills = 0;
	return 0;
}

static void log_end(const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		event_stopped("exited", si->si_status, k.ending);
	else if (si->si_status == SIGINT)
		event_stopped("poweroff", 0, k.ending);
	else if (si->si_status == SIGHUP)
		event_stopped("reboot", 0, k.ending);
	else
		event_stopped("killed", si->si_status, k.ending);
}

static void wait_for_end(void)
{
	for (;;) {
		struct pollfd p[3] = {{.fd = k.pidfd, .events = POLLIN}, {.fd = k.server_sock, .events = POLLIN},
			{.fd = k.signals, .events = POLLIN}};
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			end_with(1);
		take_signal();
		if (p[0].revents) {
			siginfo_t si = {0};
			if (waitid(P_PID, k.init, &si, WEXITED | __WALL))
				end_with(1);
			/* How reboot(2) ends the init of a pid namespace: SIGHUP for a reboot, SIGINT for the rest. */
			int again = si.si_code != CLD_EXITED && si.si_status == SIGHUP;
			k.restarting = 0;
			k.init = 0;
			take_signal();
			if (again)
				pace_reboots();
			else if (!k.ending && (again = to_be_restarted(&si))) {
				log_end(&si);
				k.restarting = 1;
				pace_restarts();
			}
			if (again && !k.ending) {
				reboot_in_place();
				continue;
			}
			close(k.pidfd);
			k.pidfd = -1;
			if (!k.restarting) /* else it is said */
				log_end(&si);
			return;
		}
		if (p[1].revents && from_server())
			server_died();
	}
}

/* What a process inherits and a machine's PID 1 does not have. What may not be changed here stays. */
static void forget_caller(void)
{
	static unsigned char every_cpu[1024];
	struct sched_param none = {0};
	memset(every_cpu, 0xff, sizeof every_cpu);
	write_at(AT_FDCWD, "/proc/self/loginuid", "4294967295"); /* else pam_loginuid fails in the guest */
	write_at(AT_FDCWD, "/proc/self/oom_score_adj", "0");
	syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none);
	syscall(SYS_setpriority, PRIO_PROCESS, 0, 0);
	syscall(SYS_sched_setaffinity, 0, sizeof every_cpu, every_cpu);
	syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 0);
	syscall(SYS_personality, 0L);
}

static void fresh_process(void)
{
	sys_close_range(SFD_COUNT_END + plan->listen_fds, ~0u, 0);
	struct sigaction sa = {.sa_handler = SIG_DFL};
	for (int i = 1; i < NSIG; i++)
		sigaction(i, &sa, NULL);
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_SETMASK, &term, NULL);
	k.signals = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
	forget_caller();
	setsid(); /* a Ctrl-C at the caller's terminal is not for us */
	umask(0);
	prctl(PR_SET_NAME, "ve-keeper");
	sys_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
}

int main(void)
{
	plan = wire_map(SFD_PLAN, VE_VERSION);
	if (!plan)
		return 125; /* started by hand, or by another version's library */
	fresh_process();
	if (chdir("/"))
		return 125;
	k.first = 1;
	k.boot.number = 1;
	k.boot.cgroup = SFD_CGROUP_ROOT;
	k.boots_before = log_boots((const int[]){SFD_LOG0, SFD_LOG1});
	write_state("starting");
	first_boot();
	struct wire_report w = {.kind = REPORT_RUNNING, .pid = k.init};
	report(&w);
	k.first = 0;
	close(SFD_REPORT);
	wait_for_end();
	drop_macvlans();
	write_state("stopped");
	end_server();
	return 0;
}
