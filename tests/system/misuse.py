#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""misuse.py PREFIX ROOT: calls libve as a panel's bug would, and prints the errors that it gives for that.
misuse.py PREFIX ROOT meanwhile NAME: calls that wait for nobody, on a VE that another process is changing.

Each call must fail with the errno that the header promises, and say something.
"""
import ctypes
import errno
import glob
import os
import sys

prefix, root, *case = sys.argv[1:]
ve = ctypes.CDLL(glob.glob(f"{prefix}/**/libve.so.0", recursive=True)[0])
for name in ("ve_error_tried", "ve_error_message", "ve_error_remedy"):
    getattr(ve, name).restype = ctypes.c_char_p
failed = 0


class HostOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("root", ctypes.c_char_p), ("cancel_fd", ctypes.c_int),
                ("progress", ctypes.c_void_p), ("progress_arg", ctypes.c_void_p)]


class ExecOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("flags", ctypes.c_int), ("user", ctypes.c_char_p),
                ("cwd", ctypes.c_char_p), ("argv", ctypes.POINTER(ctypes.c_char_p)),
                ("env", ctypes.POINTER(ctypes.c_char_p)), ("stdin_fd", ctypes.c_int), ("stdout_fd", ctypes.c_int),
                ("stderr_fd", ctypes.c_int), ("rows", ctypes.c_ushort), ("columns", ctypes.c_ushort)]


class StartOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("wait", ctypes.c_int), ("timeout_ms", ctypes.c_int),
                ("listen_fds", ctypes.POINTER(ctypes.c_int)), ("n_listen_fds", ctypes.c_size_t)]


def strings(*words):
    return (ctypes.c_char_p * (len(words) + 1))(*[w.encode() for w in words], None)


def must_fail(what, result, wanted, host):
    global failed
    words = [getattr(ve, f"ve_error_{n}")(host).decode() for n in ("tried", "message", "remedy")]
    print(f"vectl: {': '.join(w for w in words if w)}")
    if result != -wanted or not words[1]:
        print(f"{what}: {result}, where {-wanted} ({errno.errorcode[wanted]}) is promised")
        failed = 1


def open_host(options):
    host = ctypes.c_void_p()
    return ve.ve_host_open(ctypes.byref(options), ctypes.byref(host)), host


r, h = open_host(HostOptions(0, root.encode(), -1))
must_fail("ve_host_open without size", r, errno.EINVAL, h)
ve.ve_host_close(h)
r, h = open_host(HostOptions(ctypes.sizeof(HostOptions), root.encode(), -1))
if r:
    sys.exit(f"ve_host_open: {r}")
v = ctypes.c_void_p()
if case[:1] == ["meanwhile"]:
    if ve.ve_open(h, case[1].encode(), ctypes.byref(v)):
        sys.exit("ve_open: " + ve.ve_error_message(h).decode())
    must_fail("ve_stopped_fd of one that is starting", ve.ve_stopped_fd(v), errno.EAGAIN, h)
    must_fail("ve_reap of one that is being changed", ve.ve_reap(v), errno.EAGAIN, h)
    ve.ve_close(v)
    ve.ve_host_close(h)
    sys.exit(failed)
must_fail("ve_open(NULL)", ve.ve_open(h, None, ctypes.byref(v)), errno.EINVAL, h)
must_fail("ve_create(NULL)", ve.ve_create(h, None, None, ctypes.byref(v)), errno.EINVAL, h)
must_fail("ve_create without image", ve.ve_create(h, b"misused", None, ctypes.byref(v)), errno.EINVAL, h)
if ve.ve_open(h, b"misused", ctypes.byref(v)) == 0:
    sys.exit("a VE was made")


class CreateOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("image", ctypes.c_char_p), ("rest", ctypes.c_void_p * 4),
                ("password", ctypes.c_char_p), ("hash", ctypes.c_char_p), ("more", ctypes.c_void_p * 8)]


full = ctypes.sizeof(CreateOptions)
o = CreateOptions(full, b"busybox", password=b"secret", hash=b"$6$salt$hash")
must_fail("a password and its hash", ve.ve_create(h, b"misused", ctypes.byref(o), ctypes.byref(v)), errno.EINVAL, h)
o = CreateOptions(full, b"busybox", hash=b"secret")
must_fail("no hash", ve.ve_create(h, b"misused", ctypes.byref(o), ctypes.byref(v)), errno.EINVAL, h)
o = CreateOptions(ctypes.sizeof(ctypes.c_size_t) * 2, b"busybox")
if ve.ve_create(h, b"misused", ctypes.byref(o), ctypes.byref(v)):
    sys.exit("ve_create: " + ve.ve_error_message(h).decode())
p = ctypes.c_void_p()
t = ctypes.c_char_p()
must_fail("ve_get of nothing", ve.ve_get(v, b"stop.signal", ctypes.byref(t)), errno.ENODATA, h)
must_fail("ve_get of a group", ve.ve_get(v, b"stop", ctypes.byref(t)), errno.EISDIR, h)
must_fail("ve_stopped_fd of a stopped VE", ve.ve_stopped_fd(v), errno.ESRCH, h)
fds = (ctypes.c_int * 17)(*[0] * 17)
s = StartOptions(ctypes.sizeof(StartOptions), 0, 0, fds, 17)
must_fail("17 fds", ve.ve_start(v, ctypes.byref(s)), errno.EINVAL, h)
folder = os.open("/", os.O_RDONLY)
s = StartOptions(ctypes.sizeof(StartOptions), 0, 0, (ctypes.c_int * 1)(folder), 1)
must_fail("a folder for init", ve.ve_start(v, ctypes.byref(s)), errno.EINVAL, h)
if ve.ve_start(v, None):
    sys.exit("ve_start: " + ve.ve_error_message(h).decode())
size = ctypes.sizeof(ExecOptions)
true = strings("true")
cases = [
    ("options without size", ExecOptions(0), errno.EINVAL),
    ("unknown flags", ExecOptions(size, 64, None, None, true), errno.EINVAL),
    ("no command", ExecOptions(size, 0, None, None, strings()), errno.EINVAL),
    ("relative cwd", ExecOptions(size, 0, None, b"tmp", true), errno.EINVAL),
    ("environment without =", ExecOptions(size, 0, None, None, true, strings("HOME")), errno.EINVAL),
    ("4 MB of arguments", ExecOptions(size, 0, None, None, strings(*["x" * 100000] * 50)), errno.E2BIG),
    ("a folder as stdin", ExecOptions(size, 0, None, None, true, None, folder, 1, 2), errno.EINVAL),
]
for what, options, wanted in cases:
    must_fail(what, ve.ve_exec(v, ctypes.byref(options), ctypes.byref(p)), wanted, h)
if ve.ve_destroy(v, 1):
    sys.exit("ve_destroy: " + ve.ve_error_message(h).decode())
ve.ve_close(v)
ve.ve_host_close(h)
sys.exit(failed)
