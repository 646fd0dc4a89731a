# SPDX-License-Identifier: LGPL-2.1-or-later
"""vectl beside lxc, crun, runc, bubblewrap, systemd-nspawn and the floor, in turn, in one run. `run` installs what is
missing of Debian's packages (lxc crun runc bubblewrap systemd-container, and what vectl is built with), builds, makes the
namespaces and calls this. A peer that cannot be had is said, and fails --check."""
import argparse
import collections
import concurrent.futures
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import chart
import network
import stats
from others import OTHERS
from peers import CGROUPS, LXC_BASE, Failure, Floor, Lxc, Machine, Vectl, folders

MILLISECONDS = 1e6
CONSOLE_OUTPUT = 1 << 20
EXECS = 10
CREATES = 2          # times four in each round: it waits for the disk, which is as quick as others let it be
LISTED_RUNNING = 10  # one in so many of the listed VEs runs

# No target is in seconds. `shown`: the ratio that the table has; `targets`: a ratio, how, and its bound.
Row = collections.namedtuple("Row", "key group title unit shown targets")
ROWS = [
    Row("start", "start", "start to init's first byte", "ns", "vectl/lxc", (("vectl/lxc", "<=", 0.5),)),
    Row("command", "start", "start until the command returns", "ns", "vectl/lxc", ()),
    Row("exec", "start", "exec of true", "ns", "vectl/lxc", (("vectl/lxc", "<=", 0.5),)),
    Row("stop", "start", "stop, init ends by itself", "ns", "vectl/lxc", ()),
    Row("kill", "start", "stop --force", "ns", "vectl/lxc", ()),
    Row("veth-start", "network", "veth: start to init's first byte", "ns", "vectl/lxc",
        (("vectl/floor", "<=", 3), ("vectl/lxc", "<=", 0.3))),
    Row("veth-command", "network", "veth: start until the command returns", "ns", "vectl/lxc", ()),
    Row("veth-kill", "network", "veth: stop --force", "ns", "vectl/lxc", (("vectl/lxc", "<=", 0.2),)),
    Row("list", "list", "list", "ns", "vectl/lxc", (("vectl/lxc", "<=", 0.1),)),
    Row("create", "create", "create of a big and a small image", "ns", "3 GB/30 MB", (("3 GB/30 MB", "<=", 1.2),)),
    Row("memory", "memory", "anonymous memory that stays behind", "KB", "vectl/lxc", ()),
    Row("tcp", "traffic", "TCP: two VEs, two plain network namespaces", "bit/s", "vectl/plain",
        (("vectl/plain", ">=", 0.95),)),
    Row("packet", "traffic", "a datagram, VEs in the firewall", "ns", "1000 VEs/2 VEs",
        (("1000 VEs/2 VEs", "<=", 1.2),)),
    Row("enter", "traffic", "into the firewall, VEs there", "ns", "1000 VEs/2 VEs",
        (("1000 VEs/2 VEs", "<=", 1.2),)),
    Row("leave", "traffic", "out of the firewall, VEs there", "ns", "1000 VEs/2 VEs",
        (("1000 VEs/2 VEs", "<=", 1.2),)),
    Row("scale", "scale", "start of the 10th and of the last routed VE", "ns", "last/10th", (("last/10th", "<=", 1.3),)),
]
GROUPS = ("start", "others", "network", "list", "create", "memory", "traffic")
FIREWALL_VES = (2, 100, 1000)  # two send and receive, the others are elements alone
SCALE_FIRST = 10
SCALE_AT_ONCE = 2
SCALE_PAUSE = 0.3  # seconds: the kernel ends a network namespace behind the stop, and nothing tells when it has
MEMORY_LIMIT = 120  # KB, keeper and supervisor together


def arguments():
    p = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    p.add_argument("--rounds", type=int, default=30, metavar="N", help="rounds of each row (30)")
    p.add_argument("--rows", default="", metavar="A,B", help=f"of {','.join(GROUPS)} alone (all of them)")
    p.add_argument("--json", metavar="FILE", help="results with raw samples (build-bench/results.json)")
    p.add_argument("--svg", metavar="FILE", help="chart (build-bench/results.svg)")
    p.add_argument("--check", action="store_true", help="exit 1 when a ratio's 95 %% bound misses its target")
    p.add_argument("--ves", type=int, default=200, metavar="N", help="VEs of the list (200), a tenth of them running")
    p.add_argument("--big", type=int, default=3072, metavar="MB", help="size of the big image of create (3072)")
    p.add_argument("--storm", type=int, nargs="?", const=60, default=0, metavar="N",
                   help="start N (60) Debian VEs with systemd at once, count those that reach running")
    p.add_argument("--scale", type=int, nargs="?", const=1000, default=0, metavar="N",
                   help="also start N (1000) VEs of type routed, and compare the start of the last with the 10th's")
    p.add_argument("--debian", default="", metavar="TARBALL",
                   help="image of --storm (built from the template debian/13)")
    p.add_argument("--lxc-maps", choices=sorted(Lxc.MAPS), default="direct",
                   help="who writes the id maps of lxc (direct)")
    p.add_argument("--no-build", action="store_true", help="measure what build-bench/ holds already")
    for hidden in ("--work", "--build", "--host-pidns"):
        p.add_argument(hidden, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.rounds < 1 or a.ves < 1 or a.big < 31 or a.storm < 0:
        p.error("numbers must be positive, and the big image bigger than the small one")
    if a.scale and a.scale <= SCALE_FIRST:
        p.error(f"--scale: more than {SCALE_FIRST}")
    known = set(GROUPS)
    a.rows = set(filter(None, a.rows.split(","))) or known
    if a.rows - known:
        p.error(f"no such row: {', '.join(sorted(a.rows - known))}")
    return a


class Progress:
    def __init__(self):
        self.shown = sys.stderr.isatty()

    def say(self, words):
        if self.shown:
            sys.stderr.write(f"\r\033[K{words}")
            sys.stderr.flush()

    def done(self):
        if self.shown:
            sys.stderr.write("\r\033[K")


# ---- images

def make_image(top, init, owner=0):
    """busybox, and an init that says when its first byte goes out: the same files for all peers."""
    for folder in ("bin", "sbin", "dev", "proc", "sys", "run", "tmp", "etc", "root", "mnt", "var", "usr"):
        os.makedirs(os.path.join(top, folder))
    shutil.copy("/bin/busybox", os.path.join(top, "bin/busybox"))
    for applet in ("sh", "true", "reboot", "yes", "head", "cat"):
        os.symlink("busybox", os.path.join(top, "bin", applet))
    shutil.copy(init, os.path.join(top, "sbin/init"))
    for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("group", "root:x:0:\n"), ("os-release", "ID=bench\n")):
        with open(os.path.join(top, "etc", name), "w", encoding="ascii") as f:
            f.write(text)
    for folder, inner, files in os.walk(top):
        for name in inner + files + ["."]:
            os.chown(os.path.join(folder, name), owner, owner, follow_symlinks=False)
    return top


def fill(top, megabytes, files):
    """Real blocks, neither sparse nor all alike: a third of the size in many files, the rest in a few big ones."""
    rng = random.Random(megabytes)
    block = rng.randbytes(1 << 18) + b"the quick brown fox jumps over the lazy dog\n" * 6000
    small = megabytes * (1 << 20) // 3 // files
    for i in range(files):
        folder = os.path.join(top, "usr", f"{i % 97:02}")
        os.makedirs(folder, exist_ok=True)
        at = rng.randrange(len(block))
        piece = (block[at:] + block * (small // len(block) + 1))[:rng.randrange(small // 2, small * 3 // 2)]
        with open(os.path.join(folder, f"file{i}"), "wb") as f:
            f.write(piece)
    left = megabytes * (1 << 20) * 2 // 3
    number = 0
    while left > 0:
        size = min(left, 256 << 20)
        with open(os.path.join(top, "usr", f"big{number}"), "wb") as f:
            while size > 0:
                piece = rng.randbytes(8) + block[:size]
                f.write(piece)
                size -= len(piece)
                left -= len(piece)
        number += 1


# ---- the rows

class Bench:
    def __init__(self, options, machine, progress):
        self.options, self.machine, self.progress = options, machine, progress
        self.samples = {row.key: {} for row in ROWS}
        self.problems = []
        self.storm = None
        image = make_image(os.path.join(machine.work, "image"), machine.init)
        shifted = make_image(os.path.join(machine.work, "image-lxc"), machine.init, LXC_BASE)
        self.image, self.shifted = image, shifted
        self.floor, self.vectl = Floor(machine, image), Vectl(machine, image)
        self.lxc = Lxc(machine, shifted, options.lxc_maps)
        self.known_others = [kind(machine, shifted if kind.shifted else image) for kind in OTHERS]
        self.peers, self.others = [], []
        self.bridge, self.pairs = None, []
        self.other_samples = {}

    def ve(self, words):
        return self.machine.prefix + words

    def problem(self, row, words):
        self.problems.append({"row": row, "message": str(words)})
        self.progress.done()
        print(f"bench: {row}: {words}", file=sys.stderr)

    def add(self, row, series, value):
        if value is not None:
            self.samples[row].setdefault(series, []).append(value)

    def own(self, ve):
        """The top cgroups of a running VE are this run's to remove."""
        self.machine.own_cgroups |= {os.path.relpath(p, CGROUPS).split("/")[0] for p in self.machine.cgroups_of(ve)}

    def take_part(self, peers, ve):
        """A peer that cannot do one round takes no part, and is said."""
        found = []
        for peer in peers:
            try:
                peer.set_up()
                peer.prepare(ve)
                peer.start(ve)
                self.own(ve)
                if peer.veth:
                    peer.veth.answers()
                peer.exec_true(ve)
                peer.stop(ve, True)
                found.append(peer)
            except (Failure, OSError, subprocess.SubprocessError, ValueError, KeyError, AttributeError) as e:
                self.problem(peer.name, f"missing{' with a veth' if peer.veth else ''}: {e}")
                peer.abandon(ve)
        return found

    def find_others(self):
        for peer in self.known_others:
            ve = self.ve(peer.name)
            try:
                peer.set_up()
                peer.prepare(ve)
                peer.start(ve)
                self.own(ve)
                if peer.has_exec:
                    peer.exec_true(ve)
                peer.stop(ve, True)
                self.others.append(peer)
            except (Failure, OSError, subprocess.SubprocessError, ValueError, KeyError, AttributeError) as e:
                self.problem(peer.name, f"missing: {e}")
                peer.abandon(ve)

    def beside_others(self):
        """vectl once more in each round, so that the ratios are of rounds in which all of them ran."""
        self.find_others()
        if self.vectl not in self.peers or not self.others:
            return
        peers = [self.vectl, *self.others]
        for r in range(self.options.rounds):
            self.progress.say(f"other runtimes: round {r + 1} of {self.options.rounds}")
            first = r % len(peers)
            for peer in peers[first:] + peers[:first]:
                ve = self.ve("life" if peer is self.vectl else peer.name)
                mine = self.other_samples.setdefault(peer.name, {"start": [], "exec": []})
                mine["start"].append(peer.start(ve)[0])
                took = peer.exec_true(ve)
                if took is not None:
                    mine["exec"].append(took)
                peer.stop(ve, True)

    def life(self):
        """Rounds of start, exec and stop; both ways to stop in each round; a peer in turn is first."""
        ve = self.ve("life")
        for r in range(self.options.rounds):
            self.progress.say(f"start, exec, stop: round {r + 1} of {self.options.rounds}")
            for force in (True, False):
                first = r % len(self.peers)
                for peer in self.peers[first:] + self.peers[:first]:
                    byte, command = peer.start(ve)
                    self.add("start", peer.name, byte)
                    self.add("command", peer.name, command)
                    self.add("exec", peer.name, peer.exec_true(ve))
                    self.add("kill" if force else "stop", peer.name, peer.stop(ve, force))

    def need_bridge(self):
        if not self.bridge:
            self.bridge = network.Bridge(self.machine)
        return self.bridge

    def network(self):
        """Each address is asked in each round: an interface that does not work costs nothing."""
        ve = self.ve("veth")
        peers = self.take_part(network.veth_peers(self.machine, self.image, self.shifted, self.options.lxc_maps,
                                                  self.need_bridge()), ve)
        for r in range(self.options.rounds):
            self.progress.say(f"with a veth: round {r + 1} of {self.options.rounds}")
            first = r % len(peers)
            for peer in peers[first:] + peers[:first]:
                byte, command = peer.start(ve)
                peer.veth.answers()
                self.add("veth-start", peer.name, byte)
                self.add("veth-command", peer.name, command)
                self.add("veth-kill", peer.name, peer.stop(ve, True))

    def traffic(self):
        """Two VEs and two plain namespaces on the same bridge, with vectl's tables and filters there for both."""
        bridge = self.need_bridge()
        image = make_image(os.path.join(self.machine.work, "image-tools"), self.machine.init)
        network.copy_with_libraries(network.IPERF, image)
        flood = os.path.join(self.machine.build, "bench-flood")
        shutil.copy(flood, os.path.join(image, "bin/flood"))
        vectl = Vectl(self.machine, image, "root-traffic")
        vectl.set_up()
        plain = network.PlainPair(self.machine, bridge, flood)
        self.pairs.append(plain)
        ours = network.VePair(self.machine, vectl, bridge)
        self.pairs.append(ours)
        for ve in ours.ves:
            self.own(ve)
        elements = network.Elements(self.machine, vectl.root)
        elements.there = min(FIREWALL_VES)
        self.progress.say("TCP: the first time")
        for pair in self.pairs:
            pair.begin()
        for r in range(self.options.rounds):
            self.progress.say(f"TCP and firewall: round {r + 1} of {self.options.rounds}")
            for pair in self.pairs if r % 2 == 0 else self.pairs[::-1]:
                self.add("tcp", pair.name, pair.throughput())
            self.add("packet", "plain", plain.packet())
            for count in FIREWALL_VES if r % 2 == 0 else FIREWALL_VES[::-1]:
                elements.fill(count)
                self.add("packet", f"{count} VEs", ours.packet())
                enter, leave = elements.time()
                self.add("enter", f"{count} VEs", enter)
                self.add("leave", f"{count} VEs", leave)
        self.end_pairs()

    def end_pairs(self):
        while self.pairs:
            self.pairs.pop().end()

    def list(self):
        """A root of its own, so that nothing else is in the list."""
        peers = [Vectl(self.machine, self.image, "root-list"),
                 Lxc(self.machine, self.lxc.image, self.lxc.maps, "lxc-list")]
        peers = [p for p in peers if p.name in [q.name for q in self.peers]]
        ves = {p: [self.ve(f"list{i}-{p.name}") for i in range(self.options.ves)] for p in peers}
        for peer in peers:
            if peer.name == "vectl":
                peer.set_up()
            for i, ve in enumerate(ves[peer]):
                self.progress.say(f"list: {peer.name}: {i + 1} of {len(ves[peer])}")
                peer.prepare(ve)
            for ve in ves[peer][::LISTED_RUNNING]:
                peer.start(ve)
                self.own(ve)
        for r in range(self.options.rounds):
            for peer in peers if r % 2 == 0 else peers[::-1]:
                self.progress.say(f"list: round {r + 1} of {self.options.rounds}")
                before, after = self.machine.timed(*peer.list_command())
                with open(self.machine.out, "rb") as f:
                    text = f.read()
                found = text.count(self.machine.prefix.encode() + b"list"), text.lower().count(b"running")
                wanted = len(ves[peer]), len(ves[peer][::LISTED_RUNNING])
                if found != wanted:
                    raise Failure(f"{peer.name} lists {found[0]} VEs, {found[1]} running, of {wanted[0]}, {wanted[1]}")
                self.add("list", peer.name, after - before)
        for peer in peers:
            for ve in ves[peer][::LISTED_RUNNING]:
                peer.stop(ve, True)

    def create(self):
        """Images are imported before: what is measured is a VE from an image that is there."""
        if self.vectl not in self.peers:
            return
        for name, megabytes, files in (("30 MB", 30, 200), ("3 GB", self.options.big, 20000)):
            self.progress.say(f"create: making an image of {megabytes} MB")
            folder = os.path.join(self.machine.work, "fill")
            make_image(folder, self.machine.init)
            fill(folder, megabytes, files)
            self.progress.say(f"create: importing an image of {megabytes} MB")
            self.vectl.import_image(self.image_of(name), folder)
            shutil.rmtree(folder)
        os.sync()  # the import's writes are not what create is measured against
        for r in range(self.options.rounds):
            self.progress.say(f"create: round {r + 1} of {self.options.rounds}")
            for name in ("3 GB", "30 MB", "30 MB", "3 GB") * CREATES:  # neither is always first
                ve = self.ve(f"create{r}")
                self.add("create", name, self.vectl.create(ve, self.image_of(name)))
                self.vectl.destroy(ve)
        for name in ("3 GB", "30 MB"):
            self.vectl.run("image", "remove", self.image_of(name))

    @staticmethod
    def image_of(name):
        return "bench/" + name.lower().replace(" ", "")

    def memory(self):
        """What stays behind after console output, execs and a reboot that the guest made: memory that leaks shows."""
        ve = self.ve("life")
        peers = [p for p in self.peers if p is not self.floor]
        for r in range(min(self.options.rounds, 5)):
            for peer in peers:
                self.progress.say(f"memory: round {r + 1}: {peer.name}")
                peer.start(ve)
                self.machine.run(*peer.exec_command(ve, "/bin/sh", "-c",
                                                    f"yes a line of output | head -c {CONSOLE_OUTPUT} > /dev/console"))
                for _ in range(EXECS):
                    peer.exec_true(ve)
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                self.machine.run(*peer.exec_command(ve, "/bin/reboot", "-f"), ok=())
                peer.first_byte(ve, before)
                self.add("memory", peer.name, peer.anonymous(ve))
                peer.stop(ve, True)

    def scale(self):
        """
        The rounds of the 10th and of the last cannot be in turn. The floor's starts beside them, without an interface,
        say how much slower the kernel, or the machine, had become meanwhile.
        """
        if self.vectl not in self.peers:
            return
        count, links = self.options.scale, network.Links()
        vectl = Vectl(self.machine, self.image, "root-scale", network.Routed(links))
        vectl.set_up()
        ves = [self.ve(f"scale{i + 1}") for i in range(count)]

        def all_of(what, ves, step):
            done = 0
            with concurrent.futures.ThreadPoolExecutor(SCALE_AT_ONCE) as pool:
                for _ in pool.map(step, ves):
                    done += 1
                    self.progress.say(f"scale: {what}: {done} of {len(ves)}")

        def measure(series, ve):
            links.remember()
            vectl.start_quietly(ve)  # off the clock: with ids that nobody else has
            vectl.stop(ve, True)
            for r in range(self.options.rounds):
                self.progress.say(f"scale: start of the {series}: round {r + 1} of {self.options.rounds}")
                for peer in (vectl, self.floor) if r % 2 == 0 else (self.floor, vectl):
                    if peer in (vectl, *self.peers):
                        one = ve if peer is vectl else self.ve("life")
                        self.add("scale", series if peer is vectl else f"floor {series}", peer.start(one)[0])
                        peer.stop(one, True)
                        time.sleep(SCALE_PAUSE)
            vectl.start_quietly(ve)

        all_of("creating", ves, vectl.prepare_quietly)
        vectl.start_quietly(ves[0])
        self.own(ves[0])
        all_of("starting", ves[1:SCALE_FIRST - 1], vectl.start_quietly)
        measure("10th", ves[SCALE_FIRST - 1])
        all_of("starting", ves[SCALE_FIRST:count - 1], vectl.start_quietly)
        measure("last", ves[count - 1])
        running = len(vectl.run("list", "--names", "--state", "running").split())
        if running != count:
            raise Failure(f"{running} of {count} VEs run")
        all_of("removing", ves, vectl.destroy)

    # -- not a ratio: how many come up

    def run_storm(self):
        if self.vectl not in self.peers:
            return
        # The template needs the network, so `run` has had it build the image outside, into a root that is kept.
        root = "root-storm" if self.options.debian else os.path.join(self.options.build, "images")
        vectl, count = Vectl(self.machine, None, root), self.options.storm
        vectl.image = "debian/13"
        self.progress.say("storm: the image")
        if self.options.debian:
            vectl.import_image("debian/13", os.path.abspath(self.options.debian))
        for left in vectl.run("list", "--names").decode().split():  # of a run that was killed
            vectl.destroy(left)
        ves = [self.ve(f"storm{i}") for i in range(count)]
        for i, ve in enumerate(ves):
            self.progress.say(f"storm: creating {i + 1} of {count}")
            vectl.prepare(ve)

        def boot(ve):
            vectl.run("start", ve, "--wait=ready", "--timeout", "600")
            done = subprocess.run(vectl.command("exec", ve, "--", "systemctl", "is-system-running", "--wait"),
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False,
                                  env=self.machine.environment)
            return done.stdout.decode(errors="replace").strip() or done.stderr.decode(errors="replace").strip()

        def outcome(future):
            try:
                return future.result()
            except (Failure, subprocess.SubprocessError) as e:
                return str(e)

        self.progress.say(f"storm: {count} VEs boot")
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            futures = [pool.submit(boot, ve) for ve in ves]
            states = [outcome(f) for f in futures]
        seconds = time.monotonic() - began
        for ve in ves:
            self.own(ve)
        # Counted once more when all are up: one that came up and fell over does not count.
        states_now = [vectl.run("exec", ve, "--", "systemctl", "is-system-running", ok=()).strip() for ve in ves]
        running = states_now.count(b"running")
        self.storm = {"ves": count, "running": running, "seconds": round(seconds, 1),
                      "others": sorted({s for s in states if s != "running"})}
        for ve in ves:
            vectl.destroy(ve)

    def run(self):
        self.peers = self.take_part((self.floor, self.vectl, self.lxc), self.ve("life"))
        steps = (self.life, self.beside_others, self.network, self.list, self.create, self.memory, self.traffic)
        for row, step in zip(GROUPS, steps):
            if row in self.options.rows:
                self.attempt(row, step)
        if self.options.scale:
            self.attempt("scale", self.scale)
        if self.options.storm:
            self.attempt("storm", self.run_storm)

    def attempt(self, row, step):
        try:
            step()
        except (Failure, OSError, subprocess.SubprocessError, ValueError, KeyError) as e:
            self.problem(row, e)
            for peer in self.peers:
                peer.abandon(self.ve("life"))
            for peer in self.others:
                peer.abandon(self.ve(peer.name))
            try:
                self.end_pairs()
            except (Failure, OSError, subprocess.SubprocessError) as left:
                self.problem(row, left)


# ---- results

def show(unit):
    if unit == "KB":
        return lambda value: f"{value:.0f} KB"
    if unit == "bit/s":
        return lambda value: f"{value / 1e9:.2f} Gbit/s"
    return lambda value: (f"{value / 1000:.2f} us" if value < MILLISECONDS / 10 else
                          f"{value / MILLISECONDS:.{2 if value < 100 * MILLISECONDS else 0}f} ms")


def evaluate(bench):
    rows = []
    for row in ROWS:
        samples, title = bench.samples[row.key], row.title
        if row.key == "list":
            title = f"list of {bench.options.ves} VEs"
        if row.key == "scale" and bench.options.scale:
            title = f"start of the 10th and {bench.options.scale}th routed VE"
        out = {"key": row.key, "group": row.group, "title": title, "unit": row.unit, "samples": samples,
               "targets": row.targets, "shown": row.shown, "format": show(row.unit), "ratios": {},
               "spread": {name: stats.spread(values) for name, values in samples.items() if values}}
        more = ("floor last/floor 10th", "2 VEs/plain") if row.key in ("scale", "packet") else ("vectl/floor",)
        for ratio in dict.fromkeys((row.shown, *(t[0] for t in row.targets), *more)):
            over, under = ratio.split("/")
            if samples.get(over) and samples.get(under):
                out["ratios"][ratio] = stats.ratio(samples[over], samples[under])
        rows.append(out)
    return rows


def verdicts(rows, bench):
    """(what, met) of every target. A row that was asked for and has no ratio misses it."""
    out = []
    asked = bench.options.rows | ({"scale"} if bench.options.scale else set())
    for row in rows:
        if row["group"] not in asked:
            continue
        if row["key"] == "memory":
            ours, theirs = row["samples"].get("vectl"), row["samples"].get("lxc")
            worst = f"{max(ours)} KB at worst" if ours else "not measured"
            out.append((f"memory <= {MEMORY_LIMIT} KB: {worst}", bool(ours) and max(ours) <= MEMORY_LIMIT))
            out.append(("memory of lxc beside it: " + ("measured" if theirs else "not measured"), bool(theirs)))
        for name, sign, bound in row["targets"]:
            r = row["ratios"].get(name)
            worst = r and r["high" if sign == "<=" else "low"]
            out.append((f"{row['key']}: {name} {sign} {bound}: " + (f"95 % bound {worst:.3f}" if r else "not measured"),
                        bool(r) and (worst <= bound if sign == "<=" else worst >= bound)))
    if "start" in asked:
        out.append(("floor beside it: " + ("measured" if bench.samples["start"].get("floor") else "not measured"),
                    bool(bench.samples["start"].get("floor"))))
    if bench.options.storm:
        s = bench.storm or {"running": 0, "ves": bench.options.storm}
        out.append((f"storm: {s['running']} of {s['ves']} running", s["running"] == s["ves"]))
    out += [(f"{p['row']}: {p['message']}", False) for p in bench.problems]
    return out


def said(ratio):
    return f"{ratio['ratio']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})" if ratio else "-"


def table(rows):
    """At most 80 columns."""
    names = {"start": "start to 1st byte", "command": "start returns", "exec": "exec true", "stop": "stop",
             "kill": "stop --force", "memory": "memory behind", "veth-start": "veth: to 1st byte",
             "veth-command": "veth: returns", "veth-kill": "veth: --force"}
    peers = ("floor", "vectl", "lxc")
    lines = [f"{'medians':<18}{'floor':>10}{'vectl':>10}{'lxc':>10}  {'vectl/lxc (95 %)':<20}{'vectl/floor':>10}"]
    last = []
    for row in rows:
        medians = {name: row["format"](spread["median"]) for name, spread in row["spread"].items()}
        ratio, above = row["ratios"].get(row["shown"]), row["ratios"].get("vectl/floor")
        if not medians:
            continue
        if row["group"] in ("create", "traffic", "scale"):
            last += [row["title"] + ":", "  " + ", ".join(f"{name} {m}" for name, m in medians.items()),
                     "  " + (", ".join(f"{name} {said(r)}" for name, r in row["ratios"].items()) or "-")]
            continue
        cells = "".join(f"{medians.get(name, '-'):>10}" for name in peers)
        lines.append(f"{names.get(row['key'], row['title']):<18}{cells}  {said(ratio):<20}"
                     f"{format(above['ratio'], '.2f') if above else '-':>10}")
    return "\n".join((lines if len(lines) > 1 else []) + last)


def others_table(bench):
    """The other runtimes, each with its ratio to vectl of the same rounds; at most 80 columns."""
    ours = bench.other_samples.get("vectl")
    if not ours:
        return ""
    lines = [f"{'other runtimes':<14}{'start to 1st byte':>18}  {'vectl/it (95 %)':<18}{'exec true':>10}  {'vectl/it':<16}"]
    for name, samples in bench.other_samples.items():
        cells = []
        for what in ("start", "exec"):
            values = samples[what]
            if not values:
                cells += ["-", "-"]
                continue
            r = stats.ratio(ours[what], values)
            cells += [show("ns")(stats.median(values)),
                      "" if name == "vectl" else said(r)]
        lines.append(f"{name:<14}{cells[0]:>18}  {cells[1]:<18}{cells[2]:>10}  {cells[3]:<16}".rstrip())
    for peer in bench.others:
        lines += textwrap.wrap(f"{peer.name} does less: {peer.left_out}", 80, subsequent_indent="  ")
    return "\n".join(lines)


def host(bench):
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown")
    return {"kernel": platform.release(), "machine": platform.machine(), "cpus": os.cpu_count(), "cpu": model,
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "peers": {p.name: p.describe() for p in bench.peers + bench.others}}


def document(rows, bench, results, facts):
    return {"format": 1, "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "host": facts,
            "rounds": bench.options.rounds, "ves": bench.options.ves, "big_bytes": bench.options.big << 20,
            "scale": bench.options.scale, "firewall_ves": FIREWALL_VES,
            "bound": f"bootstrap over paired rounds, {stats.REPETITIONS} draws, 2.5 and 97.5 percentiles",
            "rows": [{k: v for k, v in row.items() if k != "format"} for row in rows],
            "others": bench.other_samples, "storm": bench.storm, "problems": bench.problems,
            "targets": [{"what": what, "met": met} for what, met in results]}


def draw(rows, bench, facts):
    def words(row):
        return ", ".join(f"{name} {r['ratio']:.2f} ({r['low']:.2f} to {r['high']:.2f})"
                         for name, r in row["ratios"].items())
    heading = ("vectl beside lxc and the floor",
               f"{bench.options.rounds} rounds in turn, Linux {facts['kernel']}, {facts['cpus']} CPUs; "
               "bars are medians, dots are samples, ratios have their 95 % intervals")
    notes = ["All: the same busybox image, an overlay, a user namespace, no network but loopback where none is named.",
             "floor: the fewest system calls that give the same isolation, without seccomp, limits or a way to undo.",
             "Dots past the 95th percentile of the slowest are left out; raw samples are in the JSON file."]
    if bench.storm:
        notes.append(f"{bench.storm['running']} of {bench.storm['ves']} Debian VEs with systemd, "
                     "started at once, were running.")
    return chart.draw(rows, heading, notes, words)


# ---- tidying up

def clean(machine):
    """The pid namespace is ours alone: `run` says which the host's was, and with that one nothing is touched."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in (1, os.getpid()):
            try:
                os.kill(int(entry), signal.SIGKILL)
            except ProcessLookupError:
                pass
    # A root's folder for all of its VEs has a name that says nothing to others: it is known by what is or was in it.
    tops = {name for name in machine.own_cgroups if os.path.isdir(os.path.join(CGROUPS, name))}
    tops |= {os.path.relpath(p, CGROUPS).split("/")[0] for p in folders(CGROUPS, 2)
             if machine.prefix in os.path.basename(p)}
    return [name for name in sorted(tops) if not remove_cgroup(os.path.join(CGROUPS, name))]


def remove_cgroup(top):
    for folder, _, _ in os.walk(top, topdown=False):
        for _ in range(200):
            try:
                os.rmdir(folder)
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.01)  # killed, not gone yet: there is no fd to wait on
    return not os.path.exists(top)


def end_with_caller(fifo):
    with open(fifo, "rb") as f:
        f.read()
    os.kill(os.getpid(), signal.SIGINT)


def main():
    options = arguments()
    if not options.host_pidns or os.readlink("/proc/self/ns/pid") == options.host_pidns:
        sys.exit("bench: not in namespaces of its own: start it by tests/bench/run")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background starts with it ignored
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=end_with_caller, args=(os.path.join(options.work, "alive"),), daemon=True).start()
    machine, progress = Machine(options.work, options.build), Progress()
    status = 130
    try:
        bench = Bench(options, machine, progress)
        bench.run()
        facts = host(bench)
        rows = evaluate(bench)
        results = verdicts(rows, bench)
        progress.done()
        tables = [table(rows) if any(bench.samples.values()) else "", others_table(bench)]
        print("\n\n".join(filter(None, tables)))
        if bench.storm:
            print(f"storm: {bench.storm['running']} of {bench.storm['ves']} Debian VEs running, "
                  f"{bench.storm['seconds']} s")
        print()
        for what, met in results:
            print(f"{'met   ' if met else 'MISSED'}  {what}")
        with open(options.json or os.path.join(options.build, "results.json"), "w", encoding="utf-8") as f:
            json.dump(document(rows, bench, results, facts), f, indent=1)
            f.write("\n")
        with open(options.svg or os.path.join(options.build, "results.svg"), "w", encoding="utf-8") as f:
            f.write(draw(rows, bench, facts))
        status = 1 if options.check and not all(met for _, met in results) else 0
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        progress.done()
        for path in clean(machine):
            print(f"bench: {path}: could not be removed", file=sys.stderr)
        shutil.rmtree(options.work, ignore_errors=True)  # a caller that was killed does not
    return status


if __name__ == "__main__":
    sys.exit(main())
