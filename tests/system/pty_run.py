#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a command on a pseudo-terminal of its own and plays a dialogue with it.

pty_run.py [--size ROWSxCOLUMNS] [--limit SECONDS] [STEP...] -- COMMAND...
Steps, in order: --expect REGEX, --send TEXT (with \\r, \\x1d...), --resize ROWSxCOLUMNS, --signal NAME, --hangup.
What the terminal showed goes to stdout; the exit status is the command's (128+n for a signal), 124 for a time-out.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time


def size(fd, text):
    rows, columns = map(int, text.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    arguments = sys.argv[1:]
    split = arguments.index("--")
    options, command = arguments[:split], arguments[split + 1:]
    window, limit, steps = "24x80", 20.0, []
    while options:
        name = options.pop(0)
        if name == "--hangup":
            steps.append((name, ""))
            continue
        value = options.pop(0)
        if name == "--size":
            window = value
        elif name == "--limit":
            limit = float(value)
        else:
            steps.append((name, value))

    start_r, start_w = os.pipe()
    pid, master = pty.fork()
    if pid == 0:
        os.close(start_w)
        os.read(start_r, 1)
        os.execvp(command[0], command)
    size(master, window)
    os.close(start_r)
    os.close(start_w)

    end = time.monotonic() + limit
    seen, mark, status, hung_up = b"", 0, None, False
    while status is None:
        progress = True
        while steps and progress:
            name, value = steps[0]
            if name == "--expect":
                match = re.search(value.encode(), seen[mark:])
                if not match:
                    progress = False
                    continue
                mark += match.end()
            elif name == "--send":
                os.write(master, codecs.decode(value, "unicode_escape").encode("latin-1"))
            elif name == "--resize":
                size(master, value)
            elif name == "--signal":
                os.kill(pid, getattr(signal, "SIG" + value))
            elif name == "--hangup":
                os.close(master)
                hung_up = True
            steps.pop(0)
        if not hung_up:
            ready, _, _ = select.select([master], [], [], 0.05)
            if ready:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    data = b""
                if data:
                    seen += data
                    continue
                select.select([], [], [], 0.02)
        else:
            select.select([], [], [], 0.05)
        done, result = os.waitpid(pid, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(result)
            status = status if status >= 0 else 128 - status
        elif time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            status = 124
    if not hung_up:
        while select.select([master], [], [], 0)[0]:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
    sys.stdout.buffer.write(seen)
    sys.stdout.flush()
    for step in steps:
        print(f"\npty_run: not reached: {step}", file=sys.stderr)
    sys.exit(status if status or not steps else 125)


main()
