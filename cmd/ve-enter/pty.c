/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cmd/ve-enter/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static void send_master(int master)
{
	struct enter_report report = {.step = ENTER_TTY_READY};
	struct iovec iov = {&report, sizeof(report)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master, sizeof(int));
	if (sendmsg(EFD_REPORT, &message, MSG_NOSIGNAL) < 0)
		enter_fail(ENTER_PTY, errno);
}

/* The guest may have put anything at /dev/ptmx and over /dev/pts: no link is followed and what is there is checked. */
static int open_master(void)
{
	struct open_how how = {.flags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/dev/pts/ptmx", &how, sizeof(how)), zero = 0;
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		enter_fail(ENTER_PTY, errno);
	if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		enter_fail(ENTER_PTY, ENODEV);
	if (ioctl(fd, TIOCSPTLCK, &zero) < 0)
		enter_fail(ENTER_PTY, errno);
	return fd;
}

void enter_pty(const struct enter *e, uint32_t uid)
{
	struct winsize size = {.ws_row = e->request->rows, .ws_col = e->request->columns};
	int master = open_master();
	/* not by name: /dev/pts/N could be another's by now (CVE-2025-52565) */
	int tty = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (tty < 0 || ioctl(tty, TIOCSCTTY, 0) < 0 || ioctl(tty, TIOCSWINSZ, &size) < 0 ||
		fchown(tty, uid, (gid_t)-1) < 0)
		enter_fail(ENTER_PTY, errno);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(tty, fd) < 0)
			enter_fail(ENTER_PTY, errno);
	send_master(master);
	close(master);
	close(tty);
}
