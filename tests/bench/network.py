# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the rows with a network are measured on: a bridge, VEs' interfaces there, plain network namespaces beside them."""
import json
import os
import shutil
import socket
import subprocess

from peers import STUCK, Failure, Floor, Lxc, Vectl, poll

IPERF = "/usr/bin/iperf3"
IPERF_SECONDS = 1
FLOOD_PORT = 9
FLOOD_THOUSANDS = 100


def ip(machine, *words):
    return machine.run("/usr/sbin/ip", *words)


class Links:
    """The network devices of the host: what comes and goes is waited for off the clock."""

    def __init__(self):
        self.known = None

    def remember(self):
        self.known = set(os.listdir("/sys/class/net"))

    def settle(self):
        if self.known is not None:
            poll("links go", lambda: set(os.listdir("/sys/class/net")) <= self.known)


class Bridge:
    """One for all that is measured beside one another, with an address of the host's."""
    NAME, NETWORK = "vbench", "10.71.0.{}"

    def __init__(self, machine):
        self.links = Links()
        ip(machine, "link", "add", self.NAME, "type", "bridge")
        ip(machine, "addr", "add", self.address(1) + "/16", "dev", self.NAME)
        ip(machine, "link", "set", self.NAME, "up")
        self.links.remember()

    def address(self, number):
        return self.NETWORK.format(number)


class Routed:
    """A VE's one interface, with addresses of vectl's own network and no bridge."""

    def __init__(self, links):
        self.settle = links.settle

    @staticmethod
    def for_vectl():
        return "net.eth0.type=routed", "net.eth0.ipv4=auto", "net.eth0.ipv6=auto"


class Veth:
    """A VE's one interface: a port of the bridge, with an IPv4 address."""
    made = 0

    def __init__(self, bridge, number):
        self.bridge, self.settle, self.address = bridge, bridge.links.settle, bridge.address(number)

    def for_floor(self):
        Veth.made += 1  # a name that is another one at each start never meets the one before
        return self.bridge.NAME, f"vbf{Veth.made}", self.address + "/16"

    def for_vectl(self):
        return "net.eth0.type=bridge", f"net.eth0.link={self.bridge.NAME}", f"net.eth0.ipv4={self.address}/16"

    def for_lxc(self):
        return (f"lxc.net.0.type = veth\nlxc.net.0.link = {self.bridge.NAME}\nlxc.net.0.flags = up\n"
                f"lxc.net.0.name = eth0\nlxc.net.0.ipv4.address = {self.address}/16")

    def answers(self):
        """What has the address refuses a connection; where nobody has it, this takes its time and fails."""
        try:
            socket.create_connection((self.address, FLOOD_PORT), STUCK).close()
        except ConnectionRefusedError:
            return
        except OSError as e:
            raise Failure(f"{self.address} does not answer: {e}") from None
        raise Failure(f"{self.address}: something listens there")


def veth_peers(machine, image, shifted, maps, bridge):
    """The three, each with an interface there."""
    return (Floor(machine, image, Veth(bridge, 2)), Vectl(machine, image, "root-veth", Veth(bridge, 3)),
            Lxc(machine, shifted, maps, "lxc-veth", Veth(bridge, 4)))


# ---- programs in two VEs, and in two plain namespaces, on one bridge

def copy_with_libraries(program, top):
    """Where it is on this host, so that one and the same runs on both sides."""
    said = subprocess.run(["ldd", program], capture_output=True, check=True).stdout.decode()
    paths = [word for line in said.splitlines() for word in line.split() if word.startswith("/")]
    for path in [program, *paths]:
        target = os.path.join(top, path.lstrip("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(path, target)


class Pair:
    """Two ends that talk: the first serves."""
    name = ""

    def __init__(self, machine, addresses):
        self.machine, self.addresses, self.servers = machine, addresses, []

    def command(self, end, *words):
        raise NotImplementedError

    def serve(self, *words):
        # pylint: disable=consider-using-with
        self.servers.append(subprocess.Popen(self.command(0, *words), stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                             env=self.machine.environment))

    def ask(self, *words):
        return self.machine.run(*self.command(1, *words))

    def begin(self):
        self.serve(IPERF, "-s")
        self.serve("/bin/flood", "sink", str(FLOOD_PORT))

        def ready():
            try:
                return self.throughput()
            except Failure:
                if any(server.poll() is not None for server in self.servers):
                    raise
                return None
        poll(f"{self.name}: iperf3 serves", ready)
        self.packet()

    def throughput(self):
        """bit/s that arrived."""
        said = json.loads(self.ask(IPERF, "-c", self.addresses[0], "-t", str(IPERF_SECONDS), "-J"))
        if "sum_received" not in said["end"]:
            raise Failure(f"iperf3: {said.get('error', 'no result')}")
        return said["end"]["sum_received"]["bits_per_second"]

    def packet(self):
        """ns a datagram"""
        return int(self.ask("/bin/flood", "send", self.addresses[0], str(FLOOD_PORT), str(FLOOD_THOUSANDS)))

    def end(self):
        for server in self.servers:
            server.kill()
            server.wait()


class VePair(Pair):
    name = "vectl"

    def __init__(self, machine, vectl, bridge):
        veths = [Veth(bridge, number) for number in (10, 11)]
        super().__init__(machine, [v.address for v in veths])
        self.vectl, self.ves = vectl, [f"{machine.prefix}pair{i}" for i in range(2)]
        for ve, veth in zip(self.ves, veths):
            vectl.create(ve, vectl.image, veth)
            vectl.start(ve)

    def command(self, end, *words):
        return self.vectl.exec_command(self.ves[end], *words)

    def end(self):
        for ve in self.ves:
            self.vectl.destroy(ve)
        super().end()


class PlainPair(Pair):
    """Two network namespaces with a veth each; the programs are the host's own, with no limit and no filter."""
    name = "plain"

    def __init__(self, machine, bridge, flood):
        super().__init__(machine, [bridge.address(number) for number in (20, 21)])
        self.flood, self.holders = flood, []
        for i, address in enumerate(self.addresses):
            # pylint: disable=consider-using-with
            holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], env=machine.environment)
            self.holders.append(holder)
            mine = os.readlink("/proc/self/ns/net")
            poll("a plain namespace", lambda pid=holder.pid: os.readlink(f"/proc/{pid}/ns/net") != mine)
            ip(machine, "link", "add", f"vbp{i}", "master", bridge.NAME, "up", "type", "veth", "peer", "name", "eth0",
               "netns", str(holder.pid))
            self.inside(i, "/usr/sbin/ip", "addr", "add", address + "/16", "dev", "eth0")
            self.inside(i, "/usr/sbin/ip", "link", "set", "eth0", "up")

    def inside(self, end, *words):
        return self.machine.run(*self.command(end, *words))

    def command(self, end, *words):
        words = [self.flood if w == "/bin/flood" else w for w in words]
        return ("nsenter", f"--net=/proc/{self.holders[end].pid}/ns/net", *words)

    def end(self):
        super().end()
        for holder in self.holders:
            holder.kill()
            holder.wait()


class Elements:
    """The firewall's tables of a root, filled with elements of VEs that are not there."""
    TIMES = 50

    def __init__(self, machine, root):
        self.machine, self.root = machine, root
        self.program = os.path.join(machine.build, "tests/bench/bench-elements")
        self.there = 0

    def run(self, *words):
        return self.machine.run(self.program, self.root, *[str(w) for w in words])

    def fill(self, upto):
        """So many are there then."""
        if upto > self.there:
            self.run("add", self.there + 1, upto)
        elif upto < self.there:
            self.run("remove", upto + 1, self.there)
        self.there = upto

    def time(self):
        """ns of one in, and of one out"""
        return [int(word) for word in self.run("time", self.there + 1, self.TIMES).split()]
