/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The floor: the fewest system calls that give a system container's isolation. Nothing can be restarted, limited,
 * undone after a crash or asked about; there is no seccomp program and no plan. What a runtime takes above this is
 * what its features cost.
 *
 *   floor start CGROUP LOWER DIR BASE INIT [BRIDGE PORT ADDRESS]
 *                                            DIR has upper, work and root (empty folders); stays, copies the console to
 *                                            stdout; first line there: "init PID". Ends with init. With a bridge: eth0
 *                                            inside has that address, "10.0.0.2/24", and PORT is its other end.
 *   floor enter PID CGROUP COMMAND...        one command in the container of that init
 *   floor stop PID kill|power                PID is that of `floor start`; returns when it has ended
 *
 * No kernel headers: musl's compiler wrapper hides them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's words for what the C library may not know yet. */
enum {
	TREE_CLONE = 1,
	TREE_CLOEXEC = O_CLOEXEC,
	EMPTY_PATH = 0x1000,     /* AT_EMPTY_PATH */
	MOVE_F_EMPTY_PATH = 4,   /* MOVE_MOUNT_F_EMPTY_PATH */
	ATTR_IDMAP = 0x100000,   /* MOUNT_ATTR_IDMAP */
	NEWTIME = 0x80,          /* CLONE_NEWTIME */
	PIDFD = 0x1000,          /* CLONE_PIDFD */
	UNLOCK_PTY = 0x40045431, /* TIOCSPTLCK */
	PTY_PEER = 0x5441,       /* TIOCGPTPEER */
	NEW_LINK = 16,           /* RTM_NEWLINK, which is for changes too */
	NEW_ADDRESS = 20,        /* RTM_NEWADDR */
	REQUEST = 1,             /* NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL and NLM_F_CREATE */
	ACK = 4,
	FRESH = 0x600,
	LINK_NAME = 3, /* IFLA_IFNAME and so on */
	LINK_MASTER = 10,
	LINK_INFO = 18,
	LINK_NET_NS_PID = 19,
	INFO_KIND = 1,
	INFO_DATA = 2,
	VETH_PEER = 1,
	ADDRESS_LOCAL = 2, /* IFA_LOCAL */
};
#define INTO_CGROUP 0x200000000ULL
#define NAMESPACES                                                                                                     \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

struct mount_attributes {
	uint64_t set, clear, propagation, userns_fd;
};

/* Messages to the kernel's routing socket, one after the other: nlmsghdr, ifinfomsg, ifaddrmsg and rtattr by hand. */
struct header {
	uint32_t length;
	uint16_t type, flags;
	uint32_t sequence, port;
};

struct link_header {
	uint8_t family, padding;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};

struct address_header {
	uint8_t family, prefix, flags, scope;
	uint32_t index;
};

struct messages {
	_Alignas(8) char b[512]; /* more than all that is ever sent */
	uint32_t used;
	struct header *last;
};

struct clone_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
		cgroup;
};

static int die(const char *step)
{
	fprintf(stderr, "floor: %s: %s\n", step, strerror(errno));
	_exit(1);
}

static int check(int result, const char *step)
{
	return result < 0 ? die(step) : result;
}

static pid_t spawn(uint64_t flags, int cgroup, int *pidfd)
{
	struct clone_arguments a = {
		.flags = flags | INTO_CGROUP,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup,
	};

	return check(syscall(SYS_clone3, &a, sizeof a), "clone3");
}

static void become_root(void)
{
	check(setgroups(0, NULL), "setgroups");
	check(setresgid(0, 0, 0), "setresgid");
	check(setresuid(0, 0, 0), "setresuid");
}

static void attach(int tree, const char *target)
{
	check(syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_F_EMPTY_PATH), target);
}

static void make_dev(void)
{
	static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
	char from[32], to[32];

	check(mount("dev", "dev", "tmpfs", MS_NOSUID, "mode=755"), "dev");
	for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++) {
		snprintf(from, sizeof from, "/dev/%s", nodes[i]);
		snprintf(to, sizeof to, "dev/%s", nodes[i]);
		check(mknod(to, S_IFREG | 0666, 0), to);
		check(mount(from, to, NULL, MS_BIND, NULL), to);
	}
	check(mkdir("dev/pts", 0755), "dev/pts");
	check(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"),
		"devpts");
	check(symlink("pts/ptmx", "dev/ptmx"), "dev/ptmx");
}

static int make_console(int *ret_master)
{
	int unlock = 0, master = check(open("dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), "ptmx");

	check(ioctl(master, UNLOCK_PTY, &unlock), "unlock the console");
	check(mknod("dev/console", S_IFREG | 0600, 0), "dev/console");
	check(mount("dev/pts/0", "dev/console", NULL, MS_BIND, NULL), "dev/console");
	*ret_master = master;
	return check(ioctl(master, PTY_PEER, O_RDWR | O_NOCTTY), "open the console");
}

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof fd)] = {0}, byte = 0;
	struct iovec v = {&byte, 1};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_len = CMSG_LEN(sizeof fd);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	check(sendmsg(sock, &h, 0), "send the console");
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte;
	struct iovec v = {&byte, 1};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	int fd;

	if (recvmsg(sock, &h, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&h))
		die("receive the console");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof fd);
	return fd;
}

static void *put(struct messages *m, const void *data, size_t size)
{
	void *p = m->b + m->used;

	memcpy(p, data, size);
	m->used += (size + 3) & ~3u;
	m->last->length = m->b + m->used - (char *)m->last;
	return p;
}

static void put_message(struct messages *m, uint16_t type, uint16_t flags, const void *header, size_t size)
{
	struct header h = {.type = type, .flags = REQUEST | flags};

	m->last = (void *)(m->b + m->used);
	put(m, &h, sizeof h);
	put(m, header, size);
}

/* Gives its length, for what is nested in it: the caller ends it with `end`. */
static uint16_t *put_attribute(struct messages *m, uint16_t type, const void *data, size_t size)
{
	uint16_t h[2] = {sizeof h + size, type}, *p = put(m, h, sizeof h);

	put(m, data, size);
	return p;
}

static void end(struct messages *m, uint16_t *attribute)
{
	*attribute = m->b + m->used - (char *)attribute;
}

static int index_of(int sock, const char *name)
{
	struct ifreq r = {0};

	strncpy(r.ifr_name, name, sizeof r.ifr_name - 1);
	check(ioctl(sock, SIOCGIFINDEX, &r), name);
	return r.ifr_ifindex;
}

/* The last message asks for an answer; those before it answer when they fail, and that is read then. */
static void send_messages(int sock, const struct messages *m, const char *step)
{
	struct {
		struct header h;
		int32_t error;
		char request[sizeof m->b];
	} answer;

	check(send(sock, m->b, m->used, 0), step);
	check(recv(sock, &answer, sizeof answer, 0), step);
	errno = -answer.error;
	check(answer.error, step);
}

/* One message: the pair, its host's end a port of the bridge and up, the other end born in the new namespace. */
static void make_veth(pid_t pid, const char *bridge, const char *port)
{
	const struct link_header host = {.flags = IFF_UP, .change = IFF_UP}, inner = {0};
	int sock = check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), "netlink"), master = index_of(sock, bridge);
	uint16_t *info, *data, *peer;
	struct messages m = {0};

	put_message(&m, NEW_LINK, ACK | FRESH, &host, sizeof host);
	put_attribute(&m, LINK_NAME, port, strlen(port) + 1);
	put_attribute(&m, LINK_MASTER, &master, sizeof master);
	info = put_attribute(&m, LINK_INFO, "", 0);
	put_attribute(&m, INFO_KIND, "veth", sizeof "veth");
	data = put_attribute(&m, INFO_DATA, "", 0);
	peer = put_attribute(&m, VETH_PEER, &inner, sizeof inner);
	put_attribute(&m, LINK_NAME, "eth0", sizeof "eth0");
	put_attribute(&m, LINK_NET_NS_PID, &pid, sizeof pid);
	end(&m, peer);
	end(&m, data);
	end(&m, info);
	send_messages(sock, &m, "veth");
	close(sock);
}

static void set_address(const char *text)
{
	int sock = check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), "netlink");
	struct link_header up = {.index = index_of(sock, "eth0"), .flags = IFF_UP, .change = IFF_UP};
	struct address_header a = {.family = AF_INET, .index = up.index};
	struct messages m = {0};
	struct in_addr ip;
	char alone[16];

	a.prefix = atoi(strchr(text, '/') + 1);
	snprintf(alone, sizeof alone, "%.*s", (int)strcspn(text, "/"), text);
	errno = EINVAL;
	check(inet_pton(AF_INET, alone, &ip) - 1, text);
	put_message(&m, NEW_LINK, 0, &up, sizeof up);
	put_message(&m, NEW_ADDRESS, ACK | FRESH, &a, sizeof a);
	put_attribute(&m, ADDRESS_LOCAL, &ip, sizeof ip);
	send_messages(sock, &m, text);
	close(sock);
}

static void inside(
	int sock, int lower_tree, int upper_tree, const char *lower, const char *dir, char *init, const char *ip)
{
	char options[1024], root[512], go;
	int master, tty;

	if (read(sock, &go, 1) != 1) /* maps and id-mapped layers */
		die("wait for the maps");
	become_root();

	/* The host's tree is this process's own copy, so the layers may cover their own places. */
	attach(lower_tree, lower);
	attach(upper_tree, dir);
	snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,userxattr", lower, dir, dir);
	snprintf(root, sizeof root, "%s/root", dir);
	check(mount("overlay", root, "overlay", 0, options), "overlay");
	check(chdir(root), root);

	make_dev();
	tty = make_console(&master);
	check(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
	check(mount("sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "sysfs");
	check(mount("cgroup2", "sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "cgroup2");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "detach the old root");
	check(sethostname("floor", 5), "sethostname");
	if (ip)
		set_address(ip);

	send_fd(sock, master);
	setsid();
	check(ioctl(tty, TIOCSCTTY, 0), "controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		check(dup2(tty, fd), "console");
	check(syscall(SYS_close_range, 3, ~0U, 0), "close_range");
	execle(init, init, NULL,
		(char *[]){"container=lxc-floor", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux", NULL});
	die(init);
}

static void write_map(pid_t pid, const char *name, const char *map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = check(open(path, O_WRONLY | O_CLOEXEC), path);
	check(write(fd, map, strlen(map)), path);
	close(fd);
}

static void map_layers(pid_t pid, int lower, int upper)
{
	struct mount_attributes a = {.set = ATTR_IDMAP};
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
	a.userns_fd = check(open(path, O_RDONLY | O_CLOEXEC), path);
	check(syscall(SYS_mount_setattr, lower, "", EMPTY_PATH, &a, sizeof a), "id-map the lower layer");
	check(syscall(SYS_mount_setattr, upper, "", EMPTY_PATH, &a, sizeof a), "id-map the upper layer");
	close(a.userns_fd);
}

static volatile sig_atomic_t wanted;

static void on_signal(int signal)
{
	wanted = signal == SIGTERM ? SIGKILL : SIGPWR;
}

/* Off the clock from here on: init has its console, and this keeps it. */
static void serve(int pidfd, int console)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = console, .events = POLLIN}};
	sigset_t block, open_mask;
	char buffer[4096];

	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &open_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	while (!(p[0].revents & POLLIN)) {
		if (wanted) {
			check(syscall(SYS_pidfd_send_signal, pidfd, (int)wanted, NULL, 0), "signal init");
			wanted = 0;
		}
		if (ppoll(p, 2, NULL, &open_mask) < 0) {
			p[0].revents = p[1].revents = 0;
			continue;
		}
		if (p[1].revents) {
			ssize_t n = read(console, buffer, sizeof buffer);

			if (n <= 0)
				p[1].fd = -1;
			else
				check(write(STDOUT_FILENO, buffer, n), "stdout");
		}
	}
}

static int start(char **argv)
{
	const char *cgroup_path = argv[0], *lower = argv[1], *dir = argv[2];
	int sock[2], pidfd, console, cgroup, lower_tree, upper_tree;
	char map[64];
	pid_t pid;

	check(mkdir(cgroup_path, 0755), cgroup_path);
	cgroup = check(open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), cgroup_path);
	lower_tree = check(syscall(SYS_open_tree, AT_FDCWD, lower, TREE_CLONE | TREE_CLOEXEC), lower);
	upper_tree = check(syscall(SYS_open_tree, AT_FDCWD, dir, TREE_CLONE | TREE_CLOEXEC), dir);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), "socketpair");

	pid = spawn(NAMESPACES | NEWTIME | PIDFD, cgroup, &pidfd);
	if (!pid) {
		close(sock[0]); /* else it would wait for itself when the parent fails */
		inside(sock[1], lower_tree, upper_tree, lower, dir, argv[4], argv[5] ? argv[7] : NULL);
	}
	close(sock[1]);
	snprintf(map, sizeof map, "0 %s 65536\n", argv[3]);
	write_map(pid, "uid_map", map);
	write_map(pid, "gid_map", map);
	map_layers(pid, lower_tree, upper_tree);
	if (argv[5])
		make_veth(pid, argv[5], argv[6]);
	check(write(sock[0], "m", 1), "send the maps");
	console = receive_fd(sock[0]);

	dprintf(STDOUT_FILENO, "init %d\n", pid);
	serve(pidfd, console);
	check(waitpid(pid, NULL, 0), "wait for init");
	return check(rmdir(cgroup_path), cgroup_path);
}

static int enter(char **argv)
{
	int pidfd = check(syscall(SYS_pidfd_open, atoi(argv[0]), 0), "pidfd_open"), status;
	int parent = check(open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC), argv[1]), leaf;
	char name[32];
	pid_t pid;

	snprintf(name, sizeof name, "enter%d", getpid());
	check(mkdirat(parent, name, 0755), name);
	leaf = check(openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), name);
	check(setns(pidfd, NAMESPACES | NEWTIME), "setns");
	pid = spawn(0, leaf, NULL);
	if (!pid) {
		become_root();
		execve(argv[2], argv + 2, (char *[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL});
		die(argv[2]);
	}
	check(waitpid(pid, &status, 0), "wait");
	check(unlinkat(parent, name, AT_REMOVEDIR), name);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int stop(char **argv)
{
	struct pollfd p = {.fd = check(syscall(SYS_pidfd_open, atoi(argv[0]), 0), "pidfd_open"), .events = POLLIN};

	check(syscall(SYS_pidfd_send_signal, p.fd, strcmp(argv[1], "kill") ? SIGUSR1 : SIGTERM, NULL, 0), "signal");
	check(poll(&p, 1, -1), "poll");
	return 0;
}

int main(int argc, char **argv)
{
	if ((argc == 7 || (argc == 10 && strchr(argv[9], '/'))) && !strcmp(argv[1], "start"))
		return start(argv + 2);
	if (argc >= 5 && !strcmp(argv[1], "enter"))
		return enter(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "stop"))
		return stop(argv + 2);
	fprintf(stderr,
		"usage: floor start CGROUP LOWER DIR BASE INIT [BRIDGE PORT ADDRESS] | enter PID CGROUP COMMAND... | "
		"stop PID kill|power\n");
	return 2;
}
