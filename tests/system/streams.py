#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""1 MB through `vectl exec`, byte for byte, in every combination of what stdin, stdout and stderr can be.

streams.py NAME FOLDER: for each of 4 x 4 x 4 combinations of pipe, file, terminal and /dev/null, the command inside
reads its stdin and writes 1 MB to stdout and to stderr. Prints a line a combination that is wrong; status 1 then.
"""
import hashlib
import itertools
import os
import pty
import select
import subprocess
import sys
import time
import tty

SIZE = 1 << 20
KINDS = ("pipe", "file", "tty", "null")
# Every byte value and every pair that a terminal could treat in a special way.
PAYLOAD = hashlib.shake_256(b"vectl").digest(SIZE)

# /tmp/q holds the payload already. A terminal has no end of file in raw mode: the reader counts.
SCRIPT = (
    "rm -f /tmp/p; head -c %d >/tmp/p; n=$(wc -c </tmp/p); h=$(sha256sum </tmp/p); "
    "cat /tmp/q; cat /tmp/q >&2; echo $n $h >/tmp/r" % SIZE
)


class End:
    """The host's end of one stream: feeds or collects without ever blocking."""

    def __init__(self, kind, path, feeds):
        self.kind, self.feeds = kind, feeds
        self.sent, self.got = 0, b""
        self.fd = None
        if kind == "pipe":
            r, w = os.pipe()
            self.child, self.fd = (r, w) if feeds else (w, r)
        elif kind == "tty":
            self.fd, self.child = pty.openpty()
            tty.setraw(self.child)
        elif kind == "file":
            self.path = path
            if feeds:
                with open(path, "wb") as f:
                    f.write(PAYLOAD)
                self.child = os.open(path, os.O_RDONLY)
            else:
                self.child = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        else:
            self.child = os.open("/dev/null", os.O_RDONLY if feeds else os.O_WRONLY)
        if self.fd is not None:
            os.set_blocking(self.fd, False)
            os.set_inheritable(self.fd, False)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def run(name, folder, kinds):
    ends = [End(kind, os.path.join(folder, f"s{i}"), i == 0) for i, kind in enumerate(kinds)]
    child = subprocess.Popen(
        ["vectl", "exec", name, "--", "sh", "-c", SCRIPT],
        stdin=ends[0].child, stdout=ends[1].child, stderr=ends[2].child,
    )
    for end in ends:
        if end.kind != "tty":  # a terminal whose last slave is closed throws away what was not read
            os.close(end.child)
    deadline = time.monotonic() + 30
    while True:
        reads = [e.fd for e in ends[1:] if e.fd is not None]
        writes = [ends[0].fd] if ends[0].fd is not None and ends[0].sent < SIZE else []
        r, w, _ = select.select(reads, writes, [], 0.02)
        moved = False
        for end in ends[1:]:
            if end.fd in r:
                try:
                    data = os.read(end.fd, 65536)
                except OSError:
                    data = b""
                moved = moved or bool(data)
                end.got += data
                if not data:
                    end.close()
        if w:
            try:
                ends[0].sent += os.write(ends[0].fd, PAYLOAD[ends[0].sent:ends[0].sent + 65536])
                moved = True
            except BlockingIOError:
                pass
            except OSError as error:
                return f"writing stdin: {error}"
            if ends[0].sent == SIZE and ends[0].kind == "pipe":
                ends[0].close()
        if not moved and child.poll() is not None:
            break
        if time.monotonic() > deadline:
            child.kill()
            child.wait()
            return "hangs"
    for end in ends:
        end.close()
        if end.kind == "tty":
            os.close(end.child)
    if child.returncode:
        return f"status {child.returncode}"
    want = b"" if kinds[0] == "null" else PAYLOAD
    result = subprocess.run(["vectl", "exec", name, "--", "cat", "/tmp/r"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    if result[:2] != [str(len(want)), hashlib.sha256(want).hexdigest()]:
        return f"stdin arrived as {result}"
    for what, end in zip(("stdout", "stderr"), ends[1:]):
        if end.kind == "file":
            with open(end.path, "rb") as f:
                end.got = f.read()
        if end.kind != "null" and end.got != PAYLOAD:
            same = next((i for i, (a, b) in enumerate(zip(end.got, PAYLOAD)) if a != b), min(len(end.got), SIZE))
            return f"{what}: {len(end.got)} bytes of {SIZE}, wrong from byte {same}"
    return None


def main():
    name, folder = sys.argv[1:]
    subprocess.run(["vectl", "exec", name, "--", "sh", "-c", "cat >/tmp/q"], input=PAYLOAD, check=True)
    bad = 0
    count = 0
    for kinds in itertools.product(KINDS, repeat=3):
        count += 1
        wrong = run(name, folder, kinds)
        if wrong:
            bad += 1
            print("stdin %s, stdout %s, stderr %s: %s" % (*kinds, wrong))
    print(f"{count} combinations, {bad} wrong")
    sys.exit(1 if bad else 0)


main()
