/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What to do about a command that could not be executed in a VE: by the step that failed and what the kernel said. */
#include <errno.h>

#include "lib/base/util.h"
#include "lib/run/enter_wire.h"

#define RESTART "if that stays so, restart the VE: vectl restart NAME"

/* The first that fits is taken; step -1, err 0: any. */
static const struct {
	int step, err;
	const char *remedy;
} remedies[] = {
	{ENTER_EXEC, ENOENT,
		"install it in the VE, or correct its path; of a script, what its first line names must be there, too"},
	{ENTER_EXEC, EACCES, "make it executable for that user (chmod +x), or name another file"},
	{ENTER_EXEC, ENOEXEC,
		"it is no program of this machine's, and a script without `#!`: give it to a shell: vectl exec NAME "
		"-- sh FILE"},
	{ENTER_EXEC, ETXTBSY, "try again when it has been written"},
	{ENTER_EXEC, E2BIG, "give it less: by standard input, or in a file in the VE"},
	{ENTER_EXEC, ELOOP, "mend the symbolic links in the VE that lead round in a circle"},
	{ENTER_CWD, ENOENT, "make it in the VE, or give --cwd a folder that is there"},
	{ENTER_CWD, ENOTDIR, "give --cwd a folder"},
	{ENTER_CWD, EACCES, "give --cwd a folder that this user may enter"},
	{ENTER_USER_UNKNOWN, 0, "name one of its /etc/passwd"},
	{ENTER_USER, 0, "see its /etc/passwd and /etc/group"},
	{ENTER_GROUPS, 0, "see its /etc/passwd and /etc/group"},
	{ENTER_PTY, ENOSPC, "close terminals that are open in the VE, or leave out -t"},
	{ENTER_PTY, ENOENT, "mount devpts on its /dev/pts again, as at its start, or restart it: vectl restart NAME"},
	{ENTER_PTY, ENODEV, "take away what the VE has put over its /dev/pts, or restart it: vectl restart NAME"},
	{ENTER_SETNS, ESRCH, "it ended meanwhile: `vectl logs NAME` may tell why"},
	{ENTER_CLONE, ESRCH, "it ended meanwhile: `vectl logs NAME` may tell why"},
	{ENTER_CLONE, EAGAIN, "end processes of the VE's, which `vectl ps NAME` shows, or raise its rlimit.nproc"},
	{ENTER_BECOME_USER, EAGAIN, "end processes of that user's in the VE, or raise its rlimit.nproc"},
	{ENTER_RLIMIT, EPERM, "lower the VE's rlimit.*, or run vectl with CAP_SYS_RESOURCE"},
	{ENTER_PLAN, 0, "restart the VE: vectl restart NAME"},
	{ENTER_SECCOMP, 0, "restart the VE: vectl restart NAME"},
	{ENTER_REQUEST, EBADMSG, "install vectl whole: its programs are of different versions"},
	{-1, EMFILE, "allow the caller more open files: ulimit -n"},
	{-1, ENFILE, "close files on the host, or raise fs.file-max"},
	{-1, ENOMEM, "free some memory"},
	{-1, ENOSPC, "free some space, or inotify watches"},
	{-1, EAGAIN, "end some processes, or raise `ulimit -u`, and try again"},
};

const char *enter_remedy(int step, int err)
{
	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if ((remedies[i].step == step || remedies[i].step == -1) &&
			(remedies[i].err == err || !remedies[i].err))
			return remedies[i].remedy;
	return "try again; " RESTART;
}
