"""judge.py - what alarms are, by labels.csv, and which of the labels they found.

An alarm lasts from its begin to its end.  It is what it overlaps: an artefact before a wide beat
before a fusion beat; else it is "other".  A label is found when an alarm overlaps it.  Right are
the alarms at what should be found: artefacts and wide beats.  All times are seconds of the
recording.
"""
import collections
import csv
import os

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ("artefact", "wide", "fusion", "other")
RIGHT = ("artefact", "wide")
LEARNT_S = 60  # of the recording: the minute that the model and its detector learn from
CLEAN_S = (181, 187)  # nothing but normal beats

Label = collections.namedtuple("Label", "begin end kind")
Alarm = collections.namedtuple("Alarm", "begin end")


def labels(path=os.path.join(HERE, "labels.csv")):
    """[Label] behind the minute that was learnt."""
    with open(path, encoding="ascii", newline="") as file:
        rows = [Label(float(row["begin_s"]), float(row["end_s"]), row["kind"])
                for row in csv.DictReader(file)]
    return [row for row in rows if row.begin >= LEARNT_S]


def overlap(one, other):
    return one.begin < other.end and other.begin < one.end


def kind(alarm, marked):
    met = {label.kind for label in marked if overlap(alarm, label)}
    return next((name for name in KINDS if name in met), "other")


class Judged:
    """by_kind: {kind: [Alarm]};  found, missed: {kind: [Label]};  right: share of the alarms."""

    def __init__(self, alarms, marked):
        self.by_kind = {name: [] for name in KINDS}
        self.found, self.missed = ({name: [] for name in KINDS} for _ in range(2))
        for alarm in alarms:
            self.by_kind[kind(alarm, marked)].append(alarm)
        for label in marked:
            hit = any(overlap(alarm, label) for alarm in alarms)
            (self.found if hit else self.missed)[label.kind].append(label)
        self.n_right = sum(len(self.by_kind[name]) for name in RIGHT)
        self.right = self.n_right / len(alarms) if alarms else 0.0
        self.clean = [alarm for alarm in alarms if overlap(alarm, Alarm(*CLEAN_S))]
