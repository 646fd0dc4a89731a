# SPDX-License-Identifier: LGPL-2.1-or-later
"""Peers that make less than a VE: OCI runtimes, bubblewrap, systemd-nspawn. What each leaves out stands with it.

All get the same image, an init that says when its first byte goes out, a user namespace (but where it has none), mount,
pid, ipc, uts, network and cgroup namespaces, and no network but loopback.
"""
import json
import os
import shutil
import signal
import subprocess

from peers import IDS, LXC_BASE, Failure, Peer


class Foreground(Peer):
    """One whose command stays for as long as the VE runs: there is no moment at which a start returns."""
    left_out = ""
    has_exec = shifted = False  # shifted: wants an image whose files have the mapped ids

    def __init__(self, machine, image):
        super().__init__(machine)
        self.image = image
        self.dir = os.path.join(machine.work, self.name)
        self.running = {}

    def need(self):
        found = shutil.which(self.program, path=self.machine.environment["PATH"])
        if not found:
            raise Failure(f"{self.program} is not installed")
        self.program = found

    def prepare(self, ve):
        os.makedirs(os.path.join(self.dir, ve), exist_ok=True)

    def console_file(self, ve):
        return os.path.join(self.dir, ve, "console")

    def console(self, ve):
        with open(self.console_file(ve), "rb") as f:
            return f.read()

    def start(self, ve):
        read_end, write_end = os.pipe()
        with open(self.console_file(ve), "wb") as out, open(self.machine.log, "wb") as log:
            process = subprocess.Popen(
                [self.machine.timer, str(write_end), *self.start_command(ve)], stdin=subprocess.DEVNULL, stdout=out,
                stderr=log, pass_fds=[write_end], env=self.machine.environment, start_new_session=True)
        os.close(write_end)
        self.running[ve] = process
        with os.fdopen(read_end, "rb") as report:
            before = int(report.readline())

        def ended():
            if process.poll() is not None:
                raise Failure(self.machine.complaint())
        return self.first_byte(ve, before, ended) - before, None

    def stop(self, ve, force):
        process = self.running.pop(ve)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        self.settle(ve)

    def abandon(self, ve):
        if ve in self.running:
            try:
                self.stop(ve, True)
            except (Failure, OSError, subprocess.SubprocessError):
                pass

    def exec_true(self, ve):
        return None

    def describe(self):
        said = self.machine.run(self.program, "--version").decode().splitlines()
        return {"version": said[0] if said else "", "left_out": self.left_out}


class Bubblewrap(Foreground):
    name, program = "bubblewrap", "bwrap"
    left_out = "one id mapped, no cgroup, no pty, read-only bind instead of an overlay, no seccomp; no exec"

    def start_command(self, ve):
        return (self.program, "--unshare-all", "--unshare-user", "--uid", "0", "--gid", "0", "--die-with-parent",
                "--ro-bind", self.image, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run",
                "--as-pid-1", "/sbin/init")


class Nspawn(Foreground):
    name, program = "nspawn", "systemd-nspawn"
    shifted = True
    left_out = "tmpfs over a read-only image instead of an overlay, not registered, no cgroup limits; no exec of its own"

    def start_command(self, ve):
        return (self.program, "--quiet", "--directory", self.image, "--machine", ve, "--volatile=overlay",
                "--private-users=" + f"{LXC_BASE}:{IDS}", "--private-users-ownership=off", "--private-network",
                "--register=no", "--keep-unit", "--console=pipe", "--link-journal=no", "--resolv-conf=off",
                "--timezone=off", "--settings=no", "/sbin/init")


class Oci(Peer):
    """crun and runc, of the same bundle."""
    left_out = "read-only image instead of an overlay, no pty, no limits, no seccomp"
    has_exec = shifted = True

    def __init__(self, machine, image):
        super().__init__(machine)
        self.image = image
        self.dir = os.path.join(machine.work, self.name)

    need = Foreground.need
    describe = Foreground.describe

    def bundle(self, ve):
        return os.path.join(self.dir, "bundles", ve)

    def prepare(self, ve):
        os.makedirs(self.bundle(ve), exist_ok=True)
        mapping = [{"containerID": 0, "hostID": LXC_BASE, "size": IDS}]
        caps = [f"CAP_{c}" for c in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
                                     "NET_BIND_SERVICE", "NET_ADMIN", "NET_RAW", "SYS_CHROOT", "SYS_ADMIN", "SYS_BOOT",
                                     "MKNOD", "AUDIT_WRITE", "SETFCAP")]
        config = {
            "ociVersion": "1.0.2",
            "root": {"path": self.image, "readonly": True},
            "hostname": ve,
            "process": {"args": ["/sbin/init"], "cwd": "/", "env": ["PATH=/bin:/sbin"], "user": {"uid": 0, "gid": 0},
                        "capabilities": {k: caps for k in ("bounding", "effective", "permitted", "inheritable")}},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                 "options": ["newinstance", "ptmxmode=0666", "mode=0620"]},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro", "nosuid", "nodev"]},
                {"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]}],
            "linux": {
                "cgroupsPath": f"/{ve}",
                "namespaces": [{"type": t} for t in ("user", "mount", "pid", "ipc", "uts", "network", "cgroup")],
                "uidMappings": mapping, "gidMappings": mapping}}
        with open(os.path.join(self.bundle(ve), "config.json"), "w", encoding="ascii") as f:
            json.dump(config, f)

    def command(self, *words):
        return (self.program, "--root", os.path.join(self.dir, "state"), *words)

    def console(self, ve):
        # run --detach gives init the caller's streams, which timed() sends there
        with open(self.machine.out, "rb") as f:
            return f.read()

    def start_command(self, ve):
        return self.command("run", "--detach", "--bundle", self.bundle(ve), ve)

    def exec_command(self, ve, *command):
        return self.command("exec", ve, *command)

    def stop(self, ve, force):
        self.machine.run(*self.command("delete", "--force", ve))
        self.settle(ve)

    def stop_command(self, ve, force):
        return self.command("delete", "--force", ve)


class Crun(Oci):
    name, program = "crun", "crun"


class Runc(Oci):
    name, program = "runc", "runc"


OTHERS = (Crun, Runc, Bubblewrap, Nspawn)
