/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The seccomp profiles. Unknown calls get ENOSYS, so that a libc that is newer than this table falls back; what is
 * known to be dangerous gets EPERM, as the kernel itself answers an ordinary user.
 *
 * Arguments are compared in their low 32 bits: everything compared here is an int to the kernel, and a comparison of
 * all 64 bits is passed by setting the upper half (CVE-2019-10063: TIOCSTI).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "config.h"
#include "lib/base/util.h"
#include "lib/confine/profile.h"

#define EQUAL(n, v)                                                                                                    \
	{                                                                                                              \
		(n), UINT32_MAX, (v)                                                                                   \
	}
#define WITHOUT(n, bits)                                                                                               \
	{                                                                                                              \
		(n), (bits), 0                                                                                         \
	}
#define WITH(n, bits)                                                                                                  \
	{                                                                                                              \
		(n), (bits), (bits)                                                                                    \
	}
#define ALLOW_IF(...)                                                                                                  \
	{                                                                                                              \
		{__VA_ARGS__}, SCMP_ACT_ALLOW                                                                          \
	}
#define FAIL_IF(errnum, ...)                                                                                           \
	{                                                                                                              \
		{__VA_ARGS__}, SCMP_ACT_ERRNO(errnum)                                                                  \
	}

/* clang-format off: rows of a table */
static const struct call_row default_rows[] = {
	{VERDICT_ALLOW,
		"read write open close stat fstat lstat lseek pread64 pwrite64 readv writev preadv pwritev preadv2 "
		"pwritev2 access pipe pipe2 dup dup2 dup3 sendfile fcntl flock fsync fdatasync sync syncfs "
		"sync_file_range "
		"truncate ftruncate getdents getdents64 getcwd chdir fchdir rename renameat renameat2 mkdir mkdirat "
		"rmdir "
		"creat link linkat unlink unlinkat symlink symlinkat readlink readlinkat chmod fchmod fchmodat "
		"fchmodat2=452 "
		"chown fchown lchown fchownat umask utime utimes futimesat utimensat openat openat2 newfstatat statx "
		"faccessat "
		"faccessat2 mknod mknodat statfs fstatfs fallocate fadvise64 readahead cachestat=451 copy_file_range "
		"splice "
		"tee vmsplice close_range name_to_handle_at file_getattr=468 file_setattr=469",
		"files"},
	{VERDICT_ALLOW,
		"setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr "
		"removexattr lremovexattr fremovexattr setxattrat=463 getxattrat=464 listxattrat=465 removexattrat=466",
		"extended attributes"},
	{VERDICT_ALLOW,
		"poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
		"eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime inotify_init "
		"inotify_init1 "
		"inotify_add_watch inotify_rm_watch io_setup io_destroy io_getevents io_pgetevents io_submit io_cancel",
		"waiting, and the old asynchronous I/O that databases use"},
	{VERDICT_ALLOW,
		"mmap mprotect munmap brk mremap msync mincore madvise mlock mlock2 munlock mlockall munlockall "
		"remap_file_pages memfd_create memfd_secret pkey_mprotect pkey_alloc pkey_free membarrier mseal=462 "
		"map_shadow_stack=453 process_madvise process_mrelease mbind set_mempolicy get_mempolicy "
		"set_mempolicy_home_node migrate_pages move_pages",
		"memory; another process's only where ptrace would be"},
	{VERDICT_ALLOW,
		"rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigqueueinfo "
		"rt_tgsigqueueinfo rt_sigsuspend sigaltstack pause alarm getitimer setitimer kill tkill tgkill "
		"pidfd_send_signal restart_syscall",
		"signals"},
	{VERDICT_ALLOW,
		"clone clone3 fork vfork execve execveat exit exit_group wait4 waitid getpid getppid gettid "
		"set_tid_address set_robust_list get_robust_list rseq futex futex_waitv futex_wake=454 futex_wait=455 "
		"futex_requeue=456 arch_prctl prctl personality getpgid getpgrp setpgid getsid setsid pidfd_open "
		"pidfd_getfd "
		"kcmp ptrace process_vm_readv process_vm_writev",
		"processes; those that reach into another are as good as ptrace, "
		"which the user namespace bounds"},
	{VERDICT_ALLOW, "uretprobe=335 uprobe=336",
		"made by the kernel's own trampoline where the host traces a program: refused, "
		"the traced program of the guest dies (x86 alone; before 6.14 seccomp saw it)"},
	{VERDICT_ALLOW,
		"sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler "
		"sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_setaffinity "
		"sched_getaffinity "
		"sched_setattr sched_getattr getpriority setpriority ioprio_set ioprio_get getcpu getrlimit setrlimit "
		"prlimit64 "
		"getrusage times sysinfo",
		"scheduling and limits"},
	{VERDICT_ALLOW,
		"nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time timer_create timer_settime "
		"timer_gettime timer_getoverrun timer_delete adjtimex clock_adjtime",
		"time; the last two also read, and write only "
		"with CAP_SYS_TIME in the host's user namespace"},
	{VERDICT_ALLOW,
		"getuid getgid geteuid getegid getgroups getresuid getresgid setuid setgid setreuid setregid setgroups "
		"setresuid setresgid setfsuid setfsgid capget capset uname sethostname setdomainname getrandom vhangup "
		"reboot",
		"identity; reboot ends the pid namespace's init"},
	{VERDICT_ALLOW,
		"shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open "
		"mq_unlink "
		"mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
		"IPC, of the VE's own namespace"},
	{VERDICT_ALLOW,
		"connect accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown bind listen "
		"getsockname getpeername setsockopt getsockopt",
		"sockets, once made"},
	{VERDICT_ALLOW,
		"mount umount2 pivot_root chroot unshare setns open_tree open_tree_attr=467 move_mount fsopen fsconfig "
		"fsmount fspick mount_setattr statmount=457 listmount=458",
		"a system's init sandboxes its services with these; "
		"a nested VE needs them too"},
	{VERDICT_ALLOW,
		"seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_get_self_attr=459 "
		"lsm_set_self_attr=460 lsm_list_modules=461",
		"programs confine themselves further"},
	{VERDICT_ALLOW, "quotactl quotactl_fd",
		"reads of one's own quota; changes want CAP_SYS_ADMIN over the file system"},

	{VERDICT_EPERM, "kexec_load kexec_file_load", "replaces the host's kernel"},
	{VERDICT_EPERM, "init_module finit_module delete_module", "code in the host's kernel"},
	{VERDICT_EPERM, "open_by_handle_at", "opens any file of a shared file system, past every mount point"},
	{VERDICT_EPERM, "bpf", "programs in the kernel; init programs take EPERM for unprivileged_bpf_disabled"},
	{VERDICT_EPERM, "perf_event_open", "the host's counters; a long row of kernel holes"},
	{VERDICT_EPERM, "userfaultfd", "stops the kernel where it copies: the lever of most races"},
	{VERDICT_EPERM, "fanotify_init fanotify_mark", "a marked mount of a shared file system tells of others' files"},
	{VERDICT_EPERM, "swapon swapoff acct", "of the whole host"},
	{VERDICT_EPERM, "iopl ioperm pciconfig_read pciconfig_write pciconfig_iobase", "hardware"},
	{VERDICT_EPERM, "settimeofday clock_settime stime", "the host's clock"},
	{VERDICT_EPERM, "syslog", "the host's kernel log"},
	{VERDICT_EPERM, "lookup_dcookie", "profiling of the whole host"},

	{VERDICT_ENOSYS, "io_uring_setup io_uring_enter io_uring_register",
		"its operations pass no seccomp filter: it makes the "
		"sockets that socket() refuses. ENOSYS, as from a kernel without it, makes libraries fall back"},
	{VERDICT_ENOSYS, "request_key", "runs /sbin/request-key on the host, as root, with the guest's strings"},
	{VERDICT_ENOSYS, "add_key keyctl",
		"kept for the feature keyctl. ENOSYS, as from a kernel without keys, is what init "
		"programs, runc and pam_keyinit pass over"},
	{VERDICT_ENOSYS, "modify_ldt", "16-bit segments, for a numbering that is refused anyway (CVE-2015-5157)"},
	{VERDICT_ENOSYS,
		"uselib sysfs ustat _sysctl nfsservctl create_module get_kernel_syms query_module getpmsg putpmsg "
		"afs_syscall tuxcall security vserver epoll_ctl_old epoll_wait_old set_thread_area get_thread_area",
		"obsolete: most are ENOSYS in the kernel too"},
};

static const struct arg_rule default_socket[] = {
	ALLOW_IF(EQUAL(0, AF_UNIX)),
	ALLOW_IF(EQUAL(0, AF_INET)),
	ALLOW_IF(EQUAL(0, AF_INET6)),
	ALLOW_IF(EQUAL(0, AF_PACKET)),
	ALLOW_IF(EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_ROUTE)),
	ALLOW_IF(EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_KOBJECT_UEVENT)),
	ALLOW_IF(EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_GENERIC)),
	ALLOW_IF(EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_NETFILTER)),
	ALLOW_IF(EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_SOCK_DIAG)),
	ALLOW_IF(EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_XFRM)),
	ALLOW_IF(EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_USERSOCK)),
	/* not what an unknown protocol gets: PAM and journald take EAFNOSUPPORT for a kernel without audit */
	FAIL_IF(EAFNOSUPPORT, EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_AUDIT)),
	FAIL_IF(EPROTONOSUPPORT, EQUAL(0, AF_NETLINK)),
};
static const struct arg_rule default_socketpair[] = {ALLOW_IF(EQUAL(0, AF_UNIX))};
static const struct arg_rule default_ioctl[] = {
	FAIL_IF(EPERM, EQUAL(1, TIOCSTI)),
	FAIL_IF(EPERM, EQUAL(1, TIOCLINUX)),
};

/* What an ordinary root can do through an fd that it has, and root in a user namespace cannot. */
static const struct arg_rule privileged_ioctl[] = {
	FAIL_IF(EPERM, EQUAL(1, TIOCSTI)),
	FAIL_IF(EPERM, EQUAL(1, TIOCLINUX)),
	FAIL_IF(EPERM, EQUAL(1, TIOCCONS)),
	FAIL_IF(EPERM, EQUAL(1, FIFREEZE)),
	FAIL_IF(EPERM, EQUAL(1, FITHAW)),
};

#define FILTERED_SOCKETS                                                                                               \
	{"socket", default_socket, ARRAY_SIZE(default_socket), SCMP_ACT_ERRNO(EAFNOSUPPORT),                           \
		"every further family is kernel code that no guest needs (AF_ALG: CVE-2026-31431), loads modules of "  \
		"the host, or, "                                                                                       \
		"like AF_VSOCK, leads past the network namespace"},                                                    \
	{                                                                                                              \
		"socketpair", default_socketpair, ARRAY_SIZE(default_socketpair), SCMP_ACT_ERRNO(EAFNOSUPPORT),        \
			"makes sockets of every family as well, before it finds that they have no pairs"               \
	}
static const struct filtered_call default_filtered[] = {
	FILTERED_SOCKETS,
	{"ioctl", default_ioctl, ARRAY_SIZE(default_ioctl), SCMP_ACT_ALLOW,
		"both type into the terminal of whoever looks at it (CVE-2017-5226; TIOCLINUX pastes)"},
};
static const struct filtered_call privileged_filtered[] = {
	FILTERED_SOCKETS,
	{"ioctl", privileged_ioctl, ARRAY_SIZE(privileged_ioctl), SCMP_ACT_ALLOW,
		"two type into the terminal of whoever looks at it; TIOCCONS takes the host's console, FIFREEZE stops "
		"the file system of whatever folder was given to the VE"},
};

/*
 * The process that reads what hostile guests write. Whatever is missing here is a sign that it was taken over, so that
 * it dies; its keeper makes another.
 */
static const struct call_row supervisor_rows[] = {
	{VERDICT_ALLOW,
		"read write readv writev pread64 pwrite64 recvmsg sendmsg sendto recvfrom accept4 shutdown close",
		"fds that it was given"},
	{VERDICT_ALLOW, "epoll_wait epoll_pwait epoll_ctl poll ppoll clock_gettime", "its loop"},
	{VERDICT_ALLOW, "ftruncate lseek fstat", "its console log"},
	{VERDICT_ALLOW, "brk munmap", "the heap; mmap is below"},
	{VERDICT_ALLOW, "getpid exit exit_group rt_sigreturn rt_sigprocmask restart_syscall", "signals, and the end"},
#if VE_SANITIZED
	{VERDICT_ALLOW,
		"mmap fcntl ioctl getsockopt mprotect madvise mremap mincore futex sigaltstack open openat readlink "
		"readlinkat "
		"stat newfstatat statx access getrandom sched_yield sched_getaffinity prctl arch_prctl gettid tgkill "
		"tkill kill rt_sigaction clone clone3 wait4 "
		"ptrace getuid geteuid getgid getegid getppid getcwd getdents getdents64 uname sysinfo prlimit64 "
		"getrlimit "
		"set_robust_list rseq "
		"dup dup2 dup3 pipe pipe2 unlink nanosleep clock_nanosleep process_vm_readv",
		"what the sanitizers' run time calls"},
#endif
};

#if !VE_SANITIZED
static const struct arg_rule supervisor_fcntl[] = {ALLOW_IF(EQUAL(1, F_GETFL)), ALLOW_IF(EQUAL(1, F_SETFL))};
static const struct arg_rule supervisor_ioctl[] = {ALLOW_IF(EQUAL(1, TIOCSWINSZ)), ALLOW_IF(EQUAL(1, TIOCGWINSZ))};
static const struct arg_rule supervisor_getsockopt[] = {ALLOW_IF(EQUAL(1, SOL_SOCKET), EQUAL(2, SO_PEERCRED))};
static const struct arg_rule supervisor_mmap[] = {ALLOW_IF(WITHOUT(2, PROT_EXEC), WITH(3, MAP_ANONYMOUS))};

static const struct filtered_call supervisor_filtered[] = {
	{"fcntl", supervisor_fcntl, ARRAY_SIZE(supervisor_fcntl), SCMP_ACT_KILL_PROCESS, "O_NONBLOCK alone"},
	{"ioctl", supervisor_ioctl, ARRAY_SIZE(supervisor_ioctl), SCMP_ACT_KILL_PROCESS, "the console's size"},
	{"getsockopt", supervisor_getsockopt, ARRAY_SIZE(supervisor_getsockopt), SCMP_ACT_KILL_PROCESS, "who speaks"},
	{"mmap", supervisor_mmap, ARRAY_SIZE(supervisor_mmap), SCMP_ACT_KILL_PROCESS, "the heap; never code"},
};
#endif
/* clang-format on */

static const struct profile profiles[] = {
	{
		.name = "default",
		.unknown = SCMP_ACT_ERRNO(ENOSYS),
		/* not a kill: a program that tries i386 or x32 numbers is told that there are none */
		.bad_arch = SCMP_ACT_ERRNO(ENOSYS),
		.rows = default_rows,
		.n_rows = ARRAY_SIZE(default_rows),
		.filtered = default_filtered,
		.n_filtered = ARRAY_SIZE(default_filtered),
	},
	{
		.name = "privileged",
		.unknown = SCMP_ACT_ERRNO(ENOSYS),
		.bad_arch = SCMP_ACT_ERRNO(ENOSYS),
		.rows = default_rows,
		.n_rows = ARRAY_SIZE(default_rows),
		.filtered = privileged_filtered,
		.n_filtered = ARRAY_SIZE(privileged_filtered),
	},
	{
		.name = "supervisor",
		.unknown = SCMP_ACT_KILL_PROCESS,
		.bad_arch = SCMP_ACT_KILL_PROCESS,
		.rows = supervisor_rows,
		.n_rows = ARRAY_SIZE(supervisor_rows),
#if !VE_SANITIZED
		.filtered = supervisor_filtered,
		.n_filtered = ARRAY_SIZE(supervisor_filtered),
#endif
	},
};

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

int profile_next_call(const char **names, char name[CALL_NAME_MAX], int *ret_number)
{
	size_t length = strcspn(*names, " =");
	const char *p = *names + length;
	int number = -1;

	if (**names == '\0')
		return 0;
	if (length == 0 || length >= CALL_NAME_MAX)
		return -EINVAL;
	memcpy(name, *names, length);
	name[length] = '\0';
	if (*p == '=') {
		char *end;
		number = (int)strtol(p + 1, &end, 10);
		if (end == p + 1 || number < 0)
			return -EINVAL;
		p = end;
	}
	if (*p == ' ')
		p++;
	else if (*p != '\0')
		return -EINVAL;
	*names = p;
	*ret_number = number;
	return 1;
}
