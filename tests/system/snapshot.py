#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What exists on this machine that a VE could leave behind, as a sorted set of lines.

snapshot.py take        all of it: cgroups, mounts, processes, ids, files, network devices
snapshot.py pids NAME [supervisor|ve]   pids in the cgroup of one VE

A VE that runs is one element for its guest's processes and one for its guest's cgroups, since those come and go by
themselves. Other roots' VEs are left out unless T_ALONE is set: somebody else may be starting them just now.
"""
import os
import re
import stat
import sys

CGROUP = "/sys/fs/cgroup"
ROOT = os.environ.get("VECTL_ROOT", "")
PREFIX = os.environ.get("T_PREFIX", "")
ALONE = bool(os.environ.get("T_ALONE"))
IDS = "/run/lock/vectl"
GUEST_UIDS = 0x70000000


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def own_tops():
    """Folders of the cgroup tree that belong to the roots of this run (one a line, written by the runner)."""
    return set(read(os.environ.get("T_CGROUPS", "/dev/null")).split())


def top_of(path):
    """The component vectl… of a cgroup path, and what follows it."""
    parts = path.strip("/").split("/")
    for i, part in enumerate(parts):
        if re.fullmatch(r"vectl(-[0-9a-z]+)?", part):
            return "/" + "/".join(parts[: i + 1]), parts[i + 1:]
    return None, parts


def foreign(path):
    top, _ = top_of(path)
    return top is not None and not ALONE and top not in own_tops()


def cgroup_of(pid):
    for line in read(f"/proc/{pid}/cgroup").splitlines():
        if line.startswith("0::"):
            return line[3:]
    return ""


def cgroups():
    for path, folders, _ in os.walk(CGROUP):
        relative = path[len(CGROUP):] or "/"
        top, rest = top_of(relative)
        if relative != "/" and not ALONE and top not in own_tops():
            folders[:] = []
            continue
        if top and len(rest) >= 3 and re.fullmatch(r"root\d+", rest[2]):
            folders[:] = []
            yield f"cgroup {top}/{rest[0]}/{rest[1]}/rootN"
        else:
            yield f"cgroup {relative}"


def mounts():
    for line in read("/proc/self/mountinfo").splitlines():
        fields = line.split()
        yield "mount " + " ".join(fields[2:])


def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        status = read(f"/proc/{pid}/status")
        if not status or "\nState:\tZ" in status:  # dead: whoever is its parent now reaps it
            continue
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            exe = ""
        cgroup = cgroup_of(pid)
        top, rest = top_of(cgroup)
        if top and not foreign(cgroup):
            if len(rest) >= 2 and rest[1] == "ve":
                yield f"process guest of {rest[0]}"
            else:
                yield f"process {pid} {exe} in {cgroup}"
            continue
        uid = int(re.search(r"^Uid:\s+(\d+)", status, re.M).group(1))
        if PREFIX and exe.startswith(PREFIX + "/"):
            yield f"process {pid} {exe} in {cgroup}"
        elif ALONE and GUEST_UIDS <= uid < 0xFFFFFFFE and not foreign(cgroup):
            yield f"process {pid} uid {uid:#x} {exe} in {cgroup}"


def ids():
    """Locked id ranges: the locks that some process holds on files of /run/lock/vectl."""
    if not os.path.isdir(IDS):
        return
    inodes = {}
    for path, _, files in os.walk(IDS):
        for name in files:
            try:
                st = os.stat(os.path.join(path, name))
            except OSError:
                continue
            inodes[st.st_ino] = os.path.join(path, name)
    if ALONE:
        for line in read("/proc/locks").splitlines():
            fields = line.split()
            if "->" in fields:
                continue
            inode = int(fields[5].split(":")[-1])
            if inode in inodes:
                yield f"id {inodes[inode]} {':'.join(fields[-2:])}"


def files():
    if not ROOT:
        return
    for path, folders, names in os.walk(ROOT):
        if os.path.basename(path) == "images":
            folders[:] = []
            continue
        relative = path[len(ROOT):]
        # What a VE wrote to its own disk is its own affair while it is there.
        if re.fullmatch(r"/var/lib/vectl/ve/[^/]+/disk/(upper|work)", relative):
            folders[:] = []
            names = []
        for name in folders + names:
            full = os.path.join(path, name)
            try:
                kind = stat.filemode(os.lstat(full).st_mode)[0]
            except OSError:
                continue
            yield f"file {kind} {relative}/{name}"
    if ALONE:
        for place in ("/etc/vectl", "/var/lib/vectl", "/run/vectl", "/run/vectl-hosts"):
            if os.path.lexists(place):
                yield f"file {place}"


def devices():
    """Ends of VEs' interfaces have another name after each start: of them it is the number that counts."""
    ends = 0
    for name in os.listdir("/sys/class/net"):
        if name.startswith("vebr"):
            continue  # once made, vectl's own bridge of a root is there for the next VE
        if re.fullmatch(r"(ve|v[0-9a-z]{1,8})-[0-9a-z]{5,10}", name):
            ends += 1
        else:
            yield f"network device {name}"
    yield f"network devices of VEs: {ends}"


def take():
    lines = set()
    for source in (cgroups, mounts, processes, ids, files, devices):
        lines.update(source())
    for line in sorted(lines):
        print(line)


def pids(name, part):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if "\nState:\tZ" in read(f"/proc/{pid}/status"):
            continue
        cgroup = cgroup_of(pid)
        top, rest = top_of(cgroup)
        if not top or foreign(cgroup) or not rest or rest[0] != name:
            continue
        if part and (len(rest) < 2 or rest[1] != part):
            continue
        print(pid)


if sys.argv[1] == "take":
    take()
else:
    pids(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
