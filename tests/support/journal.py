"""journal.py - a reader of the journal, written from celltap-journal(7) and from nothing else.

    for entry in read(directory):      dict(stream, hash, detector, seq, ts, reset, mark, born,
                                            rewarm, values, missing)
    snapshot(path)                     {"position", "streams": {name: dict(seq, state, ...)}}

Reads records up to the first that is not whole.
"""
import os
import struct


def _table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    return table


TABLE = _table()


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def names(directory, kind):
    """Positions of the files of a kind, rising."""
    return sorted(int(name.split(".")[0], 16) for name in os.listdir(directory)
                  if name.endswith("." + kind))


def path(directory, position, kind):
    return os.path.join(directory, "%016x.%s" % (position, kind))


def whole_record(data, at, position):
    """The record's length, or None."""
    if len(data) - at < 32 or data[at:at + 4] != b"CTR1":
        return None
    crc, n_bytes, _, where, _ = struct.unpack_from("<IIIQQ", data, at + 4)
    if where != position or n_bytes < 32 or n_bytes > len(data) - at:
        return None
    return n_bytes if crc == crc32c(data[at + 8:at + n_bytes]) else None


def entries(data, at, n_entries, streams):
    for _ in range(n_entries):
        word, = struct.unpack_from("<I", data, at)
        at += 4
        if word & 1 << 26:
            model, n_values, n_name = struct.unpack_from("<QIB", data, at)
            at += 13
            assert word & 0xFFFFFF == len(streams)
            name, detector = data[at:at + n_name].decode(), 0
            at += n_name
            if word & 1 << 27:
                detector, = struct.unpack_from("<Q", data, at)
                at += 8
            streams.append((name, model, detector, n_values))
        name, model, detector, n_values = streams[word & 0xFFFFFF]
        entry = dict(stream=name, hash=model, detector=detector, reset=bool(word & 1 << 24),
                     mark=bool(word & 1 << 25), rewarm=bool(word & 1 << 29),
                     born=bool(word & 1 << 30), seq=struct.unpack_from("<Q", data, at)[0])
        at += 8
        if not entry["mark"]:
            entry["ts"], = struct.unpack_from("<q", data, at)
            entry["values"] = data[at + 8:at + 8 + 4 * n_values]
            at += 8 + 4 * n_values
            mask = data[at:at + (n_values + 7) // 8] if word & 1 << 28 else b""
            at += len(mask)
            entry["missing"] = [i for i in range(8 * len(mask)) if mask[i // 8] >> i % 8 & 1]
        yield entry


def records(directory):
    """(position, synced, [entry, ...]) of every record."""
    expected = None
    for position in names(directory, "seg"):
        assert expected in (None, position), "a segment is missing before %x" % position
        with open(path(directory, position, "seg"), "rb") as file:
            data = file.read()
        if len(data) < 40 or data[:8] != b"CELLTAPJ":
            return
        crc, version, where, _, _ = struct.unpack_from("<IIQQQ", data, 8)
        assert crc == crc32c(data[12:40]) and version == 1 and where == position
        at, streams = 40, []
        while at < len(data):
            n_bytes = whole_record(data, at, position + at)
            if n_bytes is None:
                return
            n_entries, = struct.unpack_from("<I", data, at + 12)
            synced, = struct.unpack_from("<Q", data, at + 24)
            yield position + at, synced, list(entries(data, at + 32, n_entries, streams))
            at += n_bytes
        expected = position + at


def read(directory):
    for _, _, some in records(directory):
        yield from some


def snapshot(file_path):
    with open(file_path, "rb") as file:
        data = file.read()
    crc, version, n_bytes, position, epoch, n_streams = struct.unpack_from("<IIQQQQ", data, 8)
    assert data[:8] == b"CELLTAPS" and version == 1 and n_bytes == len(data)
    assert crc == crc32c(data[12:])
    at, streams = 48, {}
    for _ in range(n_streams):
        model, seq, ts, frames, _, _, flags, n_held, n_state, n_name = struct.unpack_from(
            "<QQqQQQIIIB", data, at)
        at += 61
        name = data[at:at + n_name].decode()
        at += n_name
        detector = 0
        if flags & 2:
            detector, = struct.unpack_from("<Q", data, at)
            at += 8
        held = data[at:at + 4 * n_held]
        at += 4 * n_held
        streams[name] = dict(hash=model, detector=detector, seq=seq, ts=ts, frames=frames,
                             reset_next=flags & 1, held=held, state=data[at:at + n_state])
        at += n_state
    assert at == len(data)
    return {"position": position, "epoch": epoch, "streams": streams}


def hash_of(data):
    value = 0xCBF29CE484222325 ^ len(data)
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
