"""sp.py - a Scalability Protocols client of its own, on plain sockets: SUB, PUSH and REQ.

    handshake    00 'S' 'P' 00 protocol(be16) 00 00        both ways, first
    ipc message  01 length(be64) body                      tcp: without the 01
    REQ          body = request id (be32, high bit set) payload

Written from the protocols' documents and not from nng, so that a test with it tests the daemon's
wire and not nng against itself.  Every wait has a deadline; passing it raises TimeoutError.
"""
import os
import socket
import struct
import time

from patience import TIMEOUT_S

PUSH, PULL, PUB, SUB, REQ, REP = 0x50, 0x51, 0x20, 0x21, 0x30, 0x31


def connect(url, timeout_s=TIMEOUT_S):
    """A connected socket, however long its listener takes to come."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if url.startswith("ipc://"):
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.settimeout(timeout_s)
                sock.connect(url[len("ipc://"):])
            else:
                host, port = url[len("tcp://"):].rsplit(":", 1)
                sock = socket.create_connection((host.strip("[]"), int(port)), timeout_s)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Peer:
    """One connection after its handshake."""

    def __init__(self, url, protocol, peer, timeout_s=TIMEOUT_S):
        self.url = url
        self.is_ipc = url.startswith("ipc://")
        self.sock = connect(url, timeout_s)
        self.buffer = bytearray()
        self.sock.sendall(struct.pack(">4sHH", b"\0SP\0", protocol, 0))
        theirs = self._take(8)
        if theirs != struct.pack(">4sHH", b"\0SP\0", peer, 0):
            raise AssertionError("unexpected handshake %r" % theirs)

    def _take(self, n_bytes):
        while len(self.buffer) < n_bytes:
            try:
                more = self.sock.recv(1 << 18)
            except socket.timeout:
                raise TimeoutError("%s: nothing came" % self.url) from None
            if not more:
                raise EOFError("%s: the connection was closed" % self.url)
            self.buffer += more
        taken = bytes(self.buffer[:n_bytes])
        del self.buffer[:n_bytes]
        return taken

    def send(self, body):
        head = struct.pack(">BQ", 1, len(body)) if self.is_ipc else struct.pack(">Q", len(body))
        self.sock.sendall(head + body)

    def receive(self):
        if self.is_ipc and self._take(1) != b"\x01":
            raise AssertionError("an ipc message begins with 01")
        return self._take(struct.unpack(">Q", self._take(8))[0])

    def settimeout(self, timeout_s):
        self.sock.settimeout(timeout_s)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Push(Peer):
    def __init__(self, url, timeout_s=TIMEOUT_S):
        super().__init__(url, PUSH, PULL, timeout_s)


class Sub(Peer):
    """Gets everything: SP's publisher leaves the filtering to us."""

    def __init__(self, url, timeout_s=TIMEOUT_S):
        super().__init__(url, SUB, PUB, timeout_s)


class Req(Peer):
    def __init__(self, url, timeout_s=TIMEOUT_S):
        super().__init__(url, REQ, REP, timeout_s)
        self.id = int.from_bytes(os.urandom(3), "big")

    def ask(self, body):
        """Sends a request without waiting; returns its id."""
        self.id = (self.id + 1) & 0x7FFFFFFF
        self.send(struct.pack(">I", self.id | 0x80000000) + body)
        return self.id

    def answer(self):
        """The next reply: (id, payload)."""
        body = self.receive()
        return struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF, body[4:]

    def request(self, body):
        asked = self.ask(body)
        while True:
            answered, payload = self.answer()
            if answered == asked:
                return payload
