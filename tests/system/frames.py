# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames that a hostile VE may send, and which of them reach a neighbour.

frames.py spoof ATTACKER-PID VICTIM-PID FILTER: sends each frame of the table below from eth0 of the attacker's network
namespace, and looks whether it comes to eth0 of the victim's. FILTER is the number of enum net_filter's bits that the
attacker's port is filtered by; 0 is none. Prints a line a frame that is not as it should be; exit status 1 then.

The attacker is 02:00:00:00:00:0a, 10.1.0.10, fd00::10; the victim 02:00:00:00:00:0b, 10.1.0.11, fd00::11; the gateway
02:00:00:00:00:01, 10.1.0.1, fd00::1.
"""
import ctypes
import os
import select
import socket
import struct
import sys

MAC, IPV4, IPV6, DHCP, RA = 1, 2, 4, 8, 16
ALWAYS = 32  # by any filter: what the rules cannot judge
NEVER = 0  # may pass always

A, V, G = (bytes.fromhex("0200000000" + x) for x in ("0a", "0b", "01"))
ALL = b"\xff" * 6
A4, V4, G4 = (socket.inet_aton("10.1.0." + x) for x in ("10", "11", "1"))


def six(text):
    return socket.inet_pton(socket.AF_INET6, text)


A6, V6, G6 = six("fd00::10"), six("fd00::11"), six("fd00::1")
AL, VL = six("fe80::ff:fe00:a"), six("fe80::ff:fe00:b")
NONE6, NODES = six("::"), six("ff02::1")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ether(kind, payload, source=A, to=V):
    return to + source + struct.pack("!H", kind) + payload


def ip4(source, protocol, payload, to=V4, fragment=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, fragment, 64, protocol, 0, source, to)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(source, following, payload, to=V6, hops=255):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), following, hops, source, to) + payload


def udp(source, to, payload=b"x" * 16):
    return struct.pack("!HHHH", source, to, 8 + len(payload), 0) + payload


def arp(operation, hardware, address, target=V4, kind=1, lengths=(6, 4)):
    return struct.pack("!HHBBH6s4s6s4s", kind, 0x0800, *lengths, operation, hardware, address, V, target)


def icmp6(kind, body, source=AL, to=NODES):
    packet = struct.pack("!BBH", kind, 0, 0) + body
    total = checksum(source + to + struct.pack("!II", len(packet), 58) + packet)
    return packet[:2] + struct.pack("!H", total) + packet[4:]


def claim(target, flags=0x20000000, hardware=A):
    return struct.pack("!I", flags) + target + b"\x02\x01" + hardware


def v4(packet, **more):
    return ether(0x0800, packet, **more)


def v6(packet, **more):
    return ether(0x86DD, packet, **more)


def nd(kind, body, source=AL, to=NODES):
    return v6(ip6(source, 58, icmp6(kind, body, source, to), to))


PLAIN4 = ip4(A4, 17, udp(1000, 2000))
ADVERTISEMENT = struct.pack("!BBHII", 64, 0, 1800, 0, 0)
RA_PACKET = icmp6(134, ADVERTISEMENT)
FRAGMENT = "!BBHI"  # following, 0, offset << 3 | more, identification
OPTIONS = b"\x01\x04\0\0\0\0"  # of a header of 8 bytes, after following and length


def options(following):
    return bytes([following, 0]) + OPTIONS


def first_fragment(following, payload):
    return ip6(AL, 44, struct.pack(FRAGMENT, following, 0, 1, 99) + payload, NODES)


CASES = {
    # What a neighbour sends.
    "IPv4": (NEVER, v4(PLAIN4)),
    "IPv6": (NEVER, v6(ip6(A6, 17, udp(1000, 2000)))),
    "IPv6 of the link": (NEVER, v6(ip6(AL, 17, udp(1000, 2000)))),
    "IPv6 with options": (NEVER, v6(ip6(A6, 60, options(17) + udp(1000, 2000)))),
    "ping": (NEVER, v4(ip4(A4, 1, struct.pack("!BBHHH", 8, 0, 0xF7FF, 0, 0)))),
    "TCP": (NEVER, v4(ip4(A4, 6, struct.pack("!HHIIBBHHH", 1000, 2000, 1, 0, 0x50, 2, 1024, 0, 0)))),
    "ARP request": (NEVER, ether(0x0806, arp(1, A, A4), to=ALL)),
    "ARP reply": (NEVER, ether(0x0806, arp(2, A, A4))),
    "ARP probe": (NEVER, ether(0x0806, arp(1, A, b"\0" * 4, A4), to=ALL)),
    "DHCP discover": (NEVER, v4(ip4(b"\0" * 4, 17, udp(68, 67), b"\xff" * 4), to=ALL)),
    "DHCP request": (NEVER, v4(ip4(A4, 17, udp(68, 67), G4))),
    "DHCPv6 solicit": (NEVER, v6(ip6(AL, 17, udp(546, 547), six("ff02::1:2")))),
    "ND solicitation": (NEVER, nd(135, b"\0" * 4 + V6 + b"\x01\x01" + A)),
    "ND of an address tried": (NEVER, nd(135, b"\0" * 4 + A6, NONE6)),
    "ND advertisement": (NEVER, nd(136, claim(A6))),
    "router solicitation": (NEVER, nd(133, b"\0" * 4)),
    "MLD report": (NEVER, v6(ip6(NONE6, 0, bytes([58, 0, 5, 2, 0, 0, 1, 0])
                                 + icmp6(143, b"\0\0\0\1" + b"\4\0\0\0" + NODES, NONE6, NODES), NODES))),
    "later fragment": (NEVER, v4(ip4(A4, 17, b"x" * 32, fragment=100))),
    "first fragment of UDP": (NEVER, v4(ip4(A4, 17, udp(1000, 2000), fragment=0x2000))),
    "later fragment of ICMPv6": (NEVER, v6(ip6(A6, 44, struct.pack(FRAGMENT, 58, 0, 100 << 3, 99) + b"x" * 32))),
    "later fragment of UDP": (NEVER, v6(ip6(A6, 44, struct.pack(FRAGMENT, 17, 0, 100 << 3, 99) + b"x" * 32))),
    "IPv6 fragments": (NEVER, v6(ip6(A6, 44, struct.pack(FRAGMENT, 17, 0, 1, 99) + udp(1000, 2000)))),
    # Another's hardware address.
    "another's MAC": (MAC, v4(PLAIN4, source=V)),
    "the gateway's MAC": (MAC, v4(PLAIN4, source=G)),
    "another's MAC in ARP": (MAC, ether(0x0806, arp(2, G, A4))),
    "ARP frame of another's": (MAC, ether(0x0806, arp(2, A, A4), source=G)),
    # Another's IPv4 address.
    "another's IPv4": (IPV4, v4(ip4(G4, 17, udp(1000, 2000)))),
    "no IPv4": (IPV4, v4(ip4(b"\0" * 4, 17, udp(1000, 2000)))),
    "ARP claim": (IPV4, ether(0x0806, arp(2, A, G4))),
    "ARP request of another's": (IPV4, ether(0x0806, arp(1, A, G4), to=ALL)),
    "gratuitous ARP": (IPV4, ether(0x0806, arp(1, A, V4, V4), to=ALL)),
    "ARP reply of nobody": (IPV4, ether(0x0806, arp(2, A, b"\0" * 4))),
    "another's IPv4, a later fragment": (IPV4, v4(ip4(G4, 17, b"x" * 32, fragment=100))),
    # Another's IPv6 address.
    "another's IPv6": (IPV6, v6(ip6(G6, 17, udp(1000, 2000)))),
    "another's IPv6 of the link": (IPV6, v6(ip6(VL, 17, udp(1000, 2000)))),
    "no IPv6": (IPV6, v6(ip6(NONE6, 17, udp(1000, 2000)))),
    "ND claim": (IPV6, nd(136, claim(G6))),
    "ND claim of a router": (IPV6, nd(136, claim(VL, 0xA0000000))),
    "ND claim behind options": (IPV6, v6(ip6(AL, 60, options(58) + icmp6(136, claim(G6)), NODES))),
    "ND claim, cut off": (IPV6, nd(136, b"\x20\0\0\0" + A6[:8])),
    "ND: that address is taken": (IPV6, nd(135, b"\0" * 4 + V6, NONE6)),
    # What routers and DHCP servers send.
    "router advertisement": (RA, nd(134, ADVERTISEMENT)),
    "router advertisement behind options": (RA, v6(ip6(AL, 0, options(58) + RA_PACKET, NODES))),
    "router advertisement behind two": (RA, v6(ip6(AL, 0, options(60) + options(58) + RA_PACKET, NODES))),
    "ND redirect": (RA, nd(137, b"\0" * 4 + V6 + V6)),
    "MLD query": (RA, nd(130, b"\0" * 20)),
    "ICMP redirect": (RA, v4(ip4(A4, 1, struct.pack("!BBH4s", 5, 1, 0, A4) + PLAIN4[:28]))),
    "IGMP query": (RA, v4(ip4(A4, 2, struct.pack("!BBH4s", 0x11, 0, 0xEEFF, b"\0" * 4), socket.inet_aton("224.0.0.1")))),
    "DHCP offer": (DHCP, v4(ip4(A4, 17, udp(67, 68), b"\xff" * 4), to=ALL)),
    "DHCP offer from elsewhere": (DHCP, v4(ip4(A4, 17, udp(1067, 68)))),
    "DHCP offer, the first fragment": (DHCP, v4(ip4(A4, 17, udp(67, 68), fragment=0x2000))),
    "DHCPv6 advertise": (DHCP, v6(ip6(AL, 17, udp(547, 546), VL))),
    "DHCPv6 advertise from elsewhere": (DHCP, v6(ip6(AL, 17, udp(1547, 546), VL))),
    "DHCPv6 advertise behind options": (DHCP, v6(ip6(AL, 60, options(17) + udp(547, 546), VL))),
    # What cannot be judged.
    "a tagged frame": (ALWAYS, ether(0x8100, struct.pack("!HH", 5, 0x0800) + PLAIN4)),
    "a tagged frame of no VLAN": (ALWAYS, ether(0x8100, struct.pack("!HH", 0, 0x0800) + ip4(G4, 17, udp(1, 2)))),
    "a frame tagged twice": (ALWAYS, ether(0x88A8, struct.pack("!HHHH", 5, 0x8100, 6, 0x0800) + PLAIN4)),
    "PPPoE": (ALWAYS, ether(0x8863, b"\x11\x09" + b"\0" * 44)),
    "RARP": (ALWAYS, ether(0x8035, arp(4, A, A4))),
    "802.3": (ALWAYS, ether(46, b"\xaa\xaa\x03" + b"\0" * 43)),
    "ARP of another hardware": (ALWAYS, ether(0x0806, arp(2, A, G4, kind=6))),
    "ARP of other lengths": (ALWAYS, ether(0x0806, arp(2, A, G4, lengths=(4, 6)))),
    "ARP cut off": (ALWAYS, ether(0x0806, arp(2, A, A4)[:7])),
    "inverse ARP": (ALWAYS, ether(0x0806, arp(9, A, A4))),
    "IPv6 whose options are cut in two": (ALWAYS, v6(first_fragment(60, options(58)[:1]))),
    "IPv6 whose options go on elsewhere": (ALWAYS, v6(first_fragment(60, bytes([58, 4]) + OPTIONS))),
    "router advertisement in fragments": (ALWAYS, v6(first_fragment(58, RA_PACKET))),
    "IPv4 of a wrong length of header": (ALWAYS, v4(b"\x41" + PLAIN4[1:])),
    "UDP cut off before its ports": (ALWAYS, v6(ip6(A6, 17, b"\x02"))),
    "UDP in a fragment too small": (ALWAYS, v4(ip4(A4, 17, b"\0", fragment=0x2000))),
    "IPv6 cut off in its options": (ALWAYS, v6(ip6(A6, 60, b"\x11"))),
}
MARK = b"this is the last one"


def enter(pid):
    with open("/proc/%s/ns/net" % pid) as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")


def packet_socket(pid, name="eth0"):
    enter(pid)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: where the kernel keeps a tag apart
    s.setsockopt(263, 1, struct.pack("iHH8s", socket.if_nametoindex(name), 1, 0, b""))  # promiscuous
    s.bind((name, 0))
    return s


def receive(s):
    """The next frame that came in, with its tag in place."""
    while True:
        if not select.select([s], [], [], 30)[0]:
            sys.exit("frames.py: even what may pass did not come")
        frame, auxiliary, _, where = s.recvmsg(4096, 256)
        if where[2] == 4:  # going out
            continue
        for level, kind, data in auxiliary:
            if level == 263 and kind == 8:
                status, _, _, _, _, tag, protocol = struct.unpack("IIIHHHH", data[:20])
                if status & 0x10:  # TP_STATUS_VLAN_VALID
                    frame = frame[:12] + struct.pack("!HH", protocol if status & 0x40 else 0x8100, tag) + frame[12:]
        return frame


def spoof(attacker, victim, mask):
    # On one CPU, so that nothing overtakes.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    here, there = packet_socket(attacker), packet_socket(victim)
    wrong = arrived = 0
    for number, (name, (bits, frame)) in enumerate(CASES.items()):
        mark = v4(ip4(A4, 17, udp(1, 2, MARK + bytes([number]))))
        here.send(frame)
        here.send(mark)
        came = False
        while (got := receive(there)) != mark:
            came = came or got.startswith(frame)
        should = not mask or bits == NEVER or not (bits & (mask | ALWAYS))
        arrived += came
        if came != should:
            print("%s: %s with filter %d" % (name, "arrived" if came else "did not arrive", mask))
            wrong += 1
    print("%d of %d arrived" % (arrived, len(CASES)))
    return 1 if wrong else 0


def send(pid, what, *datagram):
    frame = bytes.fromhex(what)
    if datagram:
        source, to, port = datagram
        frame = v4(ip4(socket.inet_aton(source), 17, udp(999, int(port)), socket.inet_aton(to)), to=frame)
    packet_socket(pid).send(frame)
    return "sent"


if __name__ == "__main__":
    sys.exit(spoof(sys.argv[2], sys.argv[3], int(sys.argv[4])))
