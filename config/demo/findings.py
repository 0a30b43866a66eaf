"""findings.py - the alarms of a recording: collected from the tap, and told to a reader.

    anomalies tap --begin, end--> [Alarm] --judge--> what they are, which labels they found
"""
import threading

import msgpack

import judge
import recording
import subscriber

PER_LINE = 10  # times
NAMES = {"artefact": "electrode artefacts", "wide": "wide beats", "fusion": "fusion beats"}


class Findings(threading.Thread):
    """Subscribes to the tap of anomalies and keeps what it says."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url = url
        self.records = []

    def run(self):
        for message in subscriber.messages(self.url):
            unpacker = msgpack.Unpacker(max_buffer_size=len(message))
            unpacker.feed(message.partition(b"\0")[2])
            self.records.extend(unpacker)

    def alarms(self, end_s):
        """[(Alarm, the record of its begin)]; one that is still on ends with the recording."""
        begun, found = None, []
        for record in self.records + [None]:
            at = end_s if record is None else recording.seconds(record["seq"])
            if begun is not None:
                found.append((judge.Alarm(recording.seconds(begun["seq"]), at), begun))
            begun = record if record is not None and record["event"] == "begin" else None
        return found


def times(alarms):
    lines = [alarms[i:i + PER_LINE] for i in range(0, len(alarms), PER_LINE)]
    return "\n".join("    " + " ".join("%7.2f" % alarm.begin for alarm in line) for line in lines)


def strongest(record):
    """What the record says of where to look."""
    channel = record["channels"][0]
    units = ", ".join("%s %s[%d]" % (unit["layer"], unit["tensor"], unit["unit"])
                      for unit in record["units"][:3])
    return ("%s is %.2f where %.2f was expected;\n  most unusual inside: %s"
            % (channel["name"], channel["value"], channel["expected"], units))


def tell_kind(judged, kind):
    """How many there are and were found, and when."""
    mine, hits = judged.by_kind[kind], len(judged.found[kind])
    n_labels, alarms = hits + len(judged.missed[kind]), counted(len(mine))
    if mine or n_labels:
        print("  something else: %s" % alarms if kind == "other" else
              "  %s: %d of %d found, %s" % (NAMES[kind], hits, n_labels, alarms))
    if mine:
        print(times(mine))


def counted(n):
    return "%d alarm%s" % (n, "" if n == 1 else "s")


def clean(judged, end_s):
    if end_s < judge.CLEAN_S[1]:
        return ""
    return "; in clean rhythm (%d to %d s): %s" % (*judge.CLEAN_S, len(judged.clean) or "none")


def tell(found, end_s):
    """Prints what was found up to end_s.  Returns the record of the alarm to look at again: of the
    last artefact, or of the longest alarm; None if there is none."""
    if end_s <= judge.LEARNT_S:
        print("anomalies     none yet: the first %d s are what the detector learns from"
              % judge.LEARNT_S)
        return None
    alarms = [alarm for alarm, _ in found]
    judged = judge.Judged(alarms, [label for label in judge.labels() if label.end <= end_s])
    print("anomalies     %d alarms after the first %d s, which the detector learnt from;"
          "\n              they begin at second" % (len(alarms), judge.LEARNT_S))
    for kind in judge.KINDS:
        tell_kind(judged, kind)
    print("  %.0f %% of the alarms are at artefacts or wide beats" % (100 * judged.right)
          + clean(judged, end_s))
    print("  (what they are: labels.csv, made by label.py from the width of each beat)")
    return look_at(found, judged)


def look_at(found, judged):
    kind = "artefact" if judged.by_kind["artefact"] else None
    wanted = [(alarm, record) for alarm, record in found
              if kind is None or alarm in judged.by_kind[kind]]
    if not wanted:
        return None
    alarm, record = max(wanted, key=lambda pair: pair[0].end - pair[0].begin)
    print("  the longest%s, %.2f to %.2f s: %s"
          % (" artefact" if kind else "", *alarm, strongest(record)))
    return record
