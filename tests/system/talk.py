# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service and its client, each in the network namespace of a process.

talk.py serve PID NAME [ADDRESS:]PORT/tcp|udp...: answers each request with "NAME PORT from PEER"; a line on stdout when
all ports are bound, and one for each request. ADDRESS in brackets for IPv6; default: all, of both families.
talk.py client: does what lines of stdin say, and prints a line for each:
    ask PID ADDRESS PORT/tcp|udp SECONDS    the answer, "refused", or "no answer" after so many seconds
    send PID HEX                            "sent": that frame, from eth0
    send PID MAC SOURCE DESTINATION PORT    "sent": a datagram from the attacker of frames.py to that hardware address
"""
import selectors
import socket
import sys

import frames


def plain(peer):
    return peer[0].removeprefix("::ffff:")


def serve(name, places):
    with selectors.DefaultSelector() as ready:
        for place in places:
            where, kind = place.split("/")
            address, _, port = where.rpartition(":")
            address = address.strip("[]")
            family = socket.AF_INET if "." in address else socket.AF_INET6
            s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if address else 0)
            s.bind((address, int(port)))
            if kind == "tcp":
                s.listen(64)
            ready.register(s, selectors.EVENT_READ, (kind, port))
        print("ready", flush=True)
        while True:
            for key, _ in ready.select():
                kind, port = key.data
                if kind == "tcp":
                    c, peer = key.fileobj.accept()
                    answer = "%s %s from %s" % (name, port, plain(peer))
                    with c:
                        c.sendall(answer.encode())
                else:
                    _, peer = key.fileobj.recvfrom(2000)
                    answer = "%s %s from %s" % (name, port, plain(peer))
                    try:
                        key.fileobj.sendto(answer.encode(), peer)
                    except OSError:
                        pass  # the peer may be one that there is not
                print(answer, flush=True)


def ask(address, where, seconds):
    port, kind = where.split("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
        s.settimeout(float(seconds))
        try:
            s.connect((address, int(port)))
            if kind == "udp":
                s.send(b"?")
            return s.recv(1000).decode() or "closed"
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "no answer"


if sys.argv[1] == "serve":
    frames.enter(sys.argv[2])
    serve(sys.argv[3], sys.argv[4:])
else:
    for line in sys.stdin:
        verb, pid, *words = line.split()
        frames.enter(pid)
        print(ask(*words) if verb == "ask" else frames.send(pid, *words), flush=True)
