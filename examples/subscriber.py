#!/usr/bin/python3
"""subscriber.py - prints what a tap publishes: figures of tensors, scores, or anomalies.

    subscriber.py ipc:///run/celltap/activations.ipc [--topic activations/pump/7/] [--limit N]
    subscriber.py ipc:///run/celltap/anomalies.ipc
    subscriber.py ipc:///run/celltap/activations.ipc --lossless ipc:///run/celltap/control.ipc

    tap (PUB) --message--> topic | NUL | map | map | ...      as celltap-wire(7) says

Debian has no Python binding of nng, and a subscriber needs none: the wire of nng's sockets is a
greeting of 8 bytes and then messages with their length in front.  Needs python3-msgpack and
python3-numpy.  When the daemon goes away, this waits for it to come back.
"""
import argparse
import socket
import struct
import sys
import time
import urllib.parse

import msgpack
import numpy as np

SUB, PUB, REQ, REP = 0x21, 0x20, 0x30, 0x31  # protocol numbers in the greeting
RETRY_S = 0.2


def connect(url):
    """A connected socket and the number of bytes before each message's length."""
    scheme, _, rest = url.partition("://")
    if scheme == "ipc":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(rest)
        return connection, 1  # a type byte, always 1
    address = urllib.parse.urlsplit(url)
    return socket.create_connection((address.hostname, address.port)), 0


def messages(url):
    """Every message of the tap, until the connection ends."""
    connection, n_type = connect(url)
    with connection, connection.makefile("rb", 1 << 20) as stream:
        connection.sendall(struct.pack(">4sHH", b"\0SP\0", SUB, 0))
        if stream.read(8) != struct.pack(">4sHH", b"\0SP\0", PUB, 0):
            raise ConnectionError("%s is not a tap" % url)
        while True:
            head = stream.read(n_type + 8)
            if len(head) < n_type + 8:
                return
            (n_bytes,) = struct.unpack(">Q", head[n_type:])
            message = stream.read(n_bytes)
            if len(message) < n_bytes:
                return
            yield message


def records(message):
    """The maps of one message, their tensors as arrays."""
    topic, _, body = message.partition(b"\0")
    unpacker = msgpack.Unpacker(max_buffer_size=len(body))
    unpacker.feed(body)
    for record in unpacker:
        dtype = record.get("dtype")  # none: the tensors are msgpack arrays
        for name, values in record.get("tensors", {}).items():
            record["tensors"][name] = (np.frombuffer(values, dtype) if dtype
                                       else np.array(values, "<f4"))
        yield topic.decode(), record


def subscribe(url, topic=""):
    """Every record below a topic, for ever; comes back when the daemon does."""
    prefix = topic.encode()
    waiting = False
    while True:
        try:
            for message in messages(url):
                waiting = False
                if message.startswith(prefix):
                    yield from records(message)
        except OSError as error:
            if not waiting:
                print("%s: %s; waiting" % (url, error.strerror or error), file=sys.stderr)
            waiting = True
        time.sleep(RETRY_S)


def ask(url, **request):
    """One control request; the reply."""
    connection, n_type = connect(url)
    with connection, connection.makefile("rb") as stream:
        body = struct.pack(">I", 0x80000001) + msgpack.packb(request)
        connection.sendall(struct.pack(">4sHH", b"\0SP\0", REQ, 0) + b"\1"[:n_type] +
                           struct.pack(">Q", len(body)) + body)
        if stream.read(8) != struct.pack(">4sHH", b"\0SP\0", REP, 0):
            raise ConnectionError("%s is not a control socket" % url)
        (n_bytes,) = struct.unpack(">Q", stream.read(n_type + 8)[n_type:])
        return msgpack.unpackb(stream.read(n_bytes)[4:])


def replayed(control, topic, record, first, last):
    """The records of a layer that did not come, from the daemon's journal."""
    cursor = first
    while cursor is not None:
        reply = ask(control, cmd="replay", stream=record["stream"], cursor=cursor, to=last,
                    layers=[record["layer"]], tensors=list(record["tensors"]), **{"from": first})
        if "error" in reply:
            print("seq %d..%d: %s" % (first, last, reply["error"]), file=sys.stderr)
            return
        for _, old in records(b"\0" + reply["records"]):
            yield topic, old
        cursor = reply["cursor"]


def lossless(control, live):
    """The records of `live` with every hole in seq filled; of a tap with `every: 1`."""
    seen = {}
    for topic, record in live:
        if "layer" not in record:  # a score or an anomaly: nothing to fill a hole with
            yield topic, record
            continue
        key, seq = (record["stream"], record["layer"]), record["seq"]
        if key in seen and seq > seen[key] + 1:
            yield from replayed(control, topic, record, seen[key] + 1, seq - 1)
        seen[key] = seq
        yield topic, record


def lines(record):
    """What is printed of a record."""
    head = "%s seq %d" % (record["stream"], record["seq"])
    if "tensors" in record:
        for name, values in record["tensors"].items():
            yield ("%s %s %s[%d] min %.4f mean %.4f max %.4f"
                   % (head, record["layer"], name, values.size, values.min(), values.mean(),
                      values.max()))
    elif "event" in record:
        yield "%s anomaly %ss, score %.2f" % (head, record["event"], record["score"])
        for channel in record["channels"]:
            yield ("    channel %s: %.6g, expected %.6g, %.0f %%"
                   % (channel["name"], channel["value"], channel["expected"],
                      100 * channel["share"]))
        for unit in record["units"]:
            yield ("    %s %s[%d]: %+.1f deviations"
                   % (unit["layer"], unit["tensor"], unit["unit"], unit["deviation"]))
        if record["replay"]:
            yield "    " + record["replay"]
    elif "score" in record:
        yield "%s score %.2f%s" % (head, record["score"], " alarm" if record["alarm"] else "")


def main():
    parser = argparse.ArgumentParser(description="Prints what a tap publishes.")
    parser.add_argument("url", help="where the tap listens: ipc:///path or tcp://host:port")
    parser.add_argument("--topic", default="", help="a prefix, levels ending in /: TAP/STREAM/")
    parser.add_argument("--limit", type=int, default=0, help="stop after so many records")
    parser.add_argument("--lossless", metavar="CONTROL",
                        help="fill holes from the journal; where control listens")
    options = parser.parse_args()
    live = subscribe(options.url, options.topic)
    if options.lossless:
        live = lossless(options.lossless, live)
    for n, (_, record) in enumerate(live, 1):
        for line in lines(record):
            print(line, flush=True)
        if n == options.limit:
            return


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(0)
