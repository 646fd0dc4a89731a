# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured: the floor, vectl and lxc, each behind the same few methods. Durations are nanoseconds."""
import json
import os
import re
import shutil
import subprocess
import time

CGROUPS = "/sys/fs/cgroup"
FLOOR_BASE = 0x60000000   # host ids, far from what distributions and vectl's pool hand out
LXC_BASE = 0x60010000
IDS = 65536
STAMP = re.compile(rb"^first (\d{20})\r?$", re.M)
STUCK = 60                # seconds after which something is taken for hung


class Failure(Exception):
    """A peer did not do what was asked of it."""


def poll(what, condition, seconds=STUCK):
    """Waits off the clock; the condition has no fd in common for all three peers, so it is asked again and again."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.002)


class Machine:
    """Where the measuring happens: folders, the timer, and the prefix of every name that is made."""

    def __init__(self, work, build):
        self.work, self.build = work, build
        self.prefix = f"vb{os.urandom(4).hex()}-"
        self.timer = os.path.join(build, "bench-timer")
        self.init = os.path.join(build, "bench-initfirst")
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                            "LANG": "C.UTF-8", "TERM": "dumb"}
        # To be removed at the end: lxc makes this one when a monitor ends, and leaves it.
        self.own_cgroups = {"lxc.pivot"} - set(os.listdir(CGROUPS))
        self.log = os.path.join(work, "stderr")
        self.out = os.path.join(work, "stdout")

    def timed(self, *command):
        """(before exec, after the end), CLOCK_MONOTONIC. Output goes to files: what stays behind would hold a pipe."""
        read_end, write_end = os.pipe()
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            process = subprocess.Popen([self.timer, str(write_end), *command], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=log, pass_fds=[write_end], env=self.environment)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as report:
            try:
                process.wait(STUCK)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failure(f"{' '.join(command)}: hangs") from None
            words = report.read().split()
        if len(words) != 3 or int(words[2]):
            raise Failure(f"{' '.join(command)}: {self.complaint()}")
        return int(words[0]), int(words[1])

    def complaint(self):
        with open(self.log, "rb") as log:
            lines = log.read().decode(errors="replace").strip().splitlines()
        return lines[0] if lines else "failed without a word"

    def run(self, *command, ok=(0,)):
        """Off the clock."""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=self.environment,
                              timeout=900, check=False)
        if ok and done.returncode not in ok:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise Failure(f"{' '.join(command)}: exit {done.returncode}: {said[0] if said else 'not a word'}")
        return done.stdout

    def cgroups_of(self, name):
        """Folders that a peer keeps for this VE: at the top, or in one for all VEs of a root."""
        wanted = {name, f"lxc.payload.{name}", f"lxc.monitor.{name}"}
        return [path for path in folders(CGROUPS, 2) if os.path.basename(path) in wanted]


def folders(top, depth):
    """Those below `top`, so deep at most; cgroups come and go meanwhile."""
    try:
        with os.scandir(top) as entries:
            found = [e.path for e in entries if e.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    for path in found:
        yield path
        if depth > 1:
            yield from folders(path, depth - 1)


class Peer:
    """One runtime. `start` gives (to init's first byte, to the command's return or None)."""
    name = ""
    program = ""
    veth = None  # with one: its VEs have that interface (network.Veth), else none but loopback

    def __init__(self, machine, veth=None):
        self.machine = machine
        if veth:
            self.veth = veth

    def need(self):
        if not os.access(self.program, os.X_OK):
            raise Failure(f"{self.program} is not there")

    def set_up(self):
        self.need()

    def prepare(self, ve):
        """Makes a VE, stopped."""
        raise NotImplementedError

    def console(self, ve):
        raise NotImplementedError

    def first_byte(self, ve, before, also=None):
        """The newest stamp that init wrote, which must be younger than `before`. `also` may raise what went wrong."""
        def newest():
            if also:
                also()
            stamps = [int(s) for s in STAMP.findall(self.console(ve))]
            return stamps and stamps[-1] > before and stamps[-1]
        stamp = poll(f"{self.name}: first byte of {ve}", newest)
        if stamp > time.clock_gettime_ns(time.CLOCK_MONOTONIC):
            raise Failure(f"{self.name}: init's clock is not the host's")
        return stamp

    def start(self, ve):
        before, after = self.machine.timed(*self.start_command(ve))
        return self.first_byte(ve, before) - before, after - before

    def start_command(self, ve):
        raise NotImplementedError

    def exec_command(self, ve, *command):
        raise NotImplementedError

    def stop_command(self, ve, force):
        raise NotImplementedError

    def exec_true(self, ve):
        before, after = self.machine.timed(*self.exec_command(ve, "/bin/true"))
        return after - before

    def stop(self, ve, force):
        before, after = self.machine.timed(*self.stop_command(ve, force))
        self.settle(ve)
        return after - before

    def abandon(self, ve):
        """After a failure, so that the next row starts from a stopped VE; no matter whether there is one."""
        try:
            self.machine.run(*self.stop_command(ve, True), ok=())
            self.settle(ve)
        except (Failure, subprocess.SubprocessError):
            pass

    def settle(self, ve):
        """Off the clock: what is tidied up after the command returned must not fall into the next one's time."""
        poll(f"{self.name}: cgroups of {ve} go", lambda: not self.machine.cgroups_of(ve))
        if self.veth:
            self.veth.settle()

    def stays_behind(self, ve):
        """Pids of the processes that stand behind a running VE."""
        raise NotImplementedError

    def anonymous(self, ve):
        """KB of anonymous memory; Private_Dirty would count a freshly written executable's pages too."""
        total = 0
        for pid in self.stays_behind(ve):
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))
        return total


class Floor(Peer):
    name = "floor"

    def __init__(self, machine, image, veth=None):
        super().__init__(machine, veth)
        self.program = os.path.join(machine.build, "bench-floor")
        self.image = image
        self.dir = os.path.join(machine.work, "floor")
        self.running = {}

    def prepare(self, ve):
        for folder in ("upper", "work", "root"):
            os.makedirs(os.path.join(self.dir, ve, folder), exist_ok=True)

    def cgroup(self, ve):
        return os.path.join(CGROUPS, ve)

    def console_file(self, ve):
        return os.path.join(self.dir, ve, "console")

    def console(self, ve):
        with open(self.console_file(ve), "rb") as f:
            return f.read()

    def start(self, ve):
        """The floor stays in the foreground, as its own keeper: there is no moment at which its command returns."""
        read_end, write_end = os.pipe()
        with open(self.console_file(ve), "wb") as out, open(self.machine.log, "wb") as log:
            process = subprocess.Popen(
                [self.machine.timer, str(write_end), self.program, "start", self.cgroup(ve), self.image,
                 os.path.join(self.dir, ve), str(FLOOR_BASE), "/sbin/init",
                 *(self.veth.for_floor() if self.veth else ())],
                stdin=subprocess.DEVNULL, stdout=out, stderr=log, pass_fds=[write_end], env=self.machine.environment)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as report:
            before = int(report.readline())
        stamp = self.first_byte(ve, before)
        self.running[ve] = process, int(re.search(rb"^init (\d+)$", self.console(ve), re.M).group(1))
        return stamp - before, None

    def exec_command(self, ve, *command):
        return (self.program, "enter", str(self.running[ve][1]), self.cgroup(ve), *command)

    def stop(self, ve, force):
        process, init = self.running.pop(ve)
        before, after = self.machine.timed(self.program, "stop", str(parent_of(init)), "kill" if force else "power")
        process.wait(STUCK)
        self.settle(ve)
        return after - before

    def abandon(self, ve):
        if ve in self.running:
            try:
                self.stop(ve, True)
            except (Failure, OSError, subprocess.SubprocessError):
                pass

    def describe(self):
        return {"base": FLOOR_BASE, "namespaces": "user mount pid net ipc uts cgroup time",
                "root": "overlay, id-mapped",
                "seccomp": False}


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return int(f.read().rpartition(")")[2].split()[1])


class Vectl(Peer):
    name = "vectl"

    def __init__(self, machine, source, root="root", veth=None):
        super().__init__(machine, veth)
        self.program = os.path.join(machine.build, "inst/bin/vectl")
        self.source, self.image = source, "bench/tiny"
        self.root = os.path.join(machine.work, root)
        # A tmpfs, as /run is on a host; the namespace's end unmounts it.
        run = os.path.join(self.root, "run")
        os.makedirs(run, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "run", run], check=True)

    def command(self, *words):
        return (self.program, "--root", self.root, *words)

    def run(self, *words, ok=(0,)):
        return self.machine.run(*self.command(*words), ok=ok)

    def set_up(self):
        self.need()
        self.import_image(self.image, self.source)

    def import_image(self, name, source):
        self.run("image", "import", name, source)

    def sets(self, veth=None):
        veth = veth or self.veth
        settings = veth.for_vectl() if veth else ("network=none",)
        return [word for setting in settings for word in ("--set", setting)]

    def create(self, ve, image, veth=None):
        before, after = self.machine.timed(*self.command("create", ve, "--image", image, *self.sets(veth)))
        return after - before

    def destroy(self, ve):
        self.run("destroy", ve, "--force")

    def prepare(self, ve):
        self.create(ve, self.image)

    def prepare_quietly(self, ve):
        """Several at once, off the clock: what is timed shares its files."""
        self.run("create", ve, "--image", self.image, *self.sets())

    def start_quietly(self, ve):
        """Roots pick ids apart from one another, so that of many VEs one may meet another root's: others then."""
        for _ in range(9):
            try:
                self.run("start", ve)
                return
            except Failure as e:
                if "runs with the ids" not in str(e):
                    raise
            self.run("unset", ve, "userns.base")
        self.run("start", ve)

    def info(self, ve):
        return json.loads(self.run("--json", "info", ve))["ve"]

    def console(self, ve):
        return self.run("logs", ve)

    def start_command(self, ve):
        return self.command("start", ve)

    def exec_command(self, ve, *command):
        return self.command("exec", ve, "--", *command)

    def stop_command(self, ve, force):
        return self.command("stop", ve, *(["--force"] if force else []))

    def stays_behind(self, ve):
        info = self.info(ve)
        return [info["keeper"], info["supervisor"]]

    def list_command(self):
        return self.command("list")

    def describe(self):
        return {"version": self.run("--version").decode().strip(), "spec": "defaults of vectl create but network=none",
                "root": "overlay, id-mapped", "seccomp": True}


class Lxc(Peer):
    name = "lxc"
    program = "/usr/bin/lxc-start"
    CONFIG = """\
lxc.include = /usr/share/lxc/config/common.conf
lxc.include = /usr/share/lxc/config/userns.conf
lxc.idmap = u 0 {base} {ids}
lxc.idmap = g 0 {base} {ids}
lxc.rootfs.path = overlay:{image}:{dir}/layers/upper
{net}
lxc.console.logfile = {dir}/console
lxc.uts.name = {ve}
"""

    MAPS = {
        "direct": "newuidmap hidden: lxc-start writes the maps itself, which is its faster way",
        "newuidmap": "through newuidmap and newgidmap, as where Debian's recommended packages are installed",
    }

    def __init__(self, machine, image, maps, path="lxc", veth=None):
        super().__init__(machine, veth)
        self.image, self.maps = image, maps
        self.path = os.path.join(machine.work, path)

    def set_up(self):
        """Once a run. These mounts are seen in the benchmark's mount namespace alone."""
        self.need()
        if self.maps == "direct":
            for program in ("newuidmap", "newgidmap"):
                found = shutil.which(program, path=self.machine.environment["PATH"])
                if found:
                    self.machine.run("mount", "--no-mtab", "--bind", "/dev/null", found)
            return
        for name in ("subuid", "subgid"):
            mine = os.path.join(self.machine.work, name)
            with open(mine, "w", encoding="ascii") as f:
                f.write(f"root:{LXC_BASE}:{IDS}\n")
            self.machine.run("mount", "--no-mtab", "--bind", mine, f"/etc/{name}")

    def prepare(self, ve):
        folder = os.path.join(self.path, ve)
        layers = os.path.join(folder, "layers")
        os.makedirs(os.path.join(layers, "upper"))
        for each in (layers, os.path.join(layers, "upper")):
            os.chown(each, LXC_BASE, LXC_BASE)  # lxc makes the overlay's work folder as the mapped root
        with open(os.path.join(folder, "config"), "w", encoding="utf-8") as f:
            f.write(self.CONFIG.format(base=LXC_BASE, ids=IDS, image=self.image, dir=folder, ve=ve, net=self.net()))

    def net(self):
        return self.veth.for_lxc() if self.veth else "lxc.net.0.type = empty"

    def console(self, ve):
        try:
            with open(os.path.join(self.path, ve, "console"), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def start_command(self, ve):
        return (self.program, "-P", self.path, "-n", ve)

    def exec_command(self, ve, *command):
        return ("/usr/bin/lxc-attach", "-P", self.path, "-n", ve, "--", *command)

    def stop_command(self, ve, force):
        return ("/usr/bin/lxc-stop", "-P", self.path, "-n", ve, *(["-k"] if force else []))

    def stays_behind(self, ve):
        init = int(self.machine.run("/usr/bin/lxc-info", "-P", self.path, "-n", ve, "-pH"))
        monitor = parent_of(init)
        with open(f"/proc/{monitor}/cmdline", "rb") as f:
            if b"lxc monitor" not in f.read():
                raise Failure(f"lxc: parent of init of {ve} is not its monitor")
        return [monitor]

    def list_command(self):
        return ("/usr/bin/lxc-ls", "-P", self.path, "-f")

    def describe(self):
        return {"version": self.machine.run(self.program, "--version").decode().strip(),
                "config": self.CONFIG.replace("{net}", self.net()), "base": LXC_BASE,
                "root": "overlay, lower layer owned by the mapped ids: lxc 5 id-maps only plain folders",
                "seccomp": True, "maps": self.MAPS[self.maps], "time_namespace": False}
