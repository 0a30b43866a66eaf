#!/usr/bin/python3
"""74_demo_model.py - this proves that the demo finds what is wrong with the electrocardiogram.

The shipped model, configuration and recording go through the real daemon as fast as it takes them;
labels.csv says what its alarms should be.  Figures, not bits: they are what the demo promises.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import celltap
import daemon as D

DEMO = os.path.join(D.ROOT, "config", "demo")
for folder in ("config/demo", "examples"):
    sys.path.insert(0, os.path.join(D.ROOT, folder))
import demo
import findings
import judge
import recording

N_ROWS = 36000
ARTEFACT_S = 208.95  # one begins
SCORE = ("--time", "seconds", "--warmup", "7200", "--horizons", "6,12,18", "--smooth", "24",
         "--level", "0.6,1.5")  # celltapd.yaml's options, as timesteps
RUN = {}  # what one run through the daemon has found, for all cases


def play(folder):
    """The recording through a daemon of the demo's configuration: its alarms."""
    rows, config = os.path.join(folder, "ecg.csv"), os.path.join(folder, "celltapd.yaml")
    recording.write(rows)
    demo.configure(config, folder)
    player = demo.Demo(D.BUILD, folder)
    with D.Daemon(start=False) as daemon:
        daemon.path = config
        daemon.start()
        found = findings.Findings(player.tap("anomalies"))
        found.start()
        D.wait_until(lambda: player.status()["taps"][1]["subscribers"] == 1, "the subscriber")
        celltap.run("feed", rows, "--dial", player.ingest, "--stream", demo.STREAM, "--time",
                    "seconds", "--rate", "max")
        D.wait_until(lambda: player.status()["accepted"] == N_ROWS, "all frames")
    found.join(D.TIMEOUT_S)  # a daemon that ends has published what it had accepted
    assert not found.is_alive(), "the tap is still open"
    return found.alarms(N_ROWS / recording.RATE_HZ)


def alarms():
    if not RUN:
        with tempfile.TemporaryDirectory(prefix="ct") as folder:
            RUN["alarms"] = play(folder)
            RUN["scores"] = celltap.run("score", os.path.join(DEMO, "demo.onnx"),
                                        os.path.join(folder, "ecg.csv"), *SCORE).out
    return [alarm for alarm, _ in RUN["alarms"]]


def promised(judged):
    """What the demo promises of the beats."""
    return (len(judged.found["wide"]) >= 75 and judged.right >= 0.88 and not judged.clean)


def test_recording_when_played_then_wide_beats_are_found_and_clean_rhythm_is_not():
    judged = judge.Judged(alarms(), judge.labels())
    cases.same(len(judged.found["wide"]) + len(judged.missed["wide"]), 87, "wide beats")
    assert promised(judged), (len(judged.found["wide"]), judged.right, judged.clean)


def test_artefact_when_it_begins_then_is_found_within_a_second():
    begins = [alarm.begin for alarm in alarms()]
    assert any(ARTEFACT_S <= begin <= ARTEFACT_S + 1 for begin in begins), begins


def test_promise_when_alarms_are_elsewhere_then_is_broken():
    for late in (-0.6, 0.6, 30):
        moved = [judge.Alarm(alarm.begin + late, alarm.end + late) for alarm in alarms()]
        assert not promised(judge.Judged(moved, judge.labels())), late
    assert not promised(judge.Judged([judge.Alarm(60, 300)], judge.labels())), "one long alarm"


def test_alarms_when_scored_offline_then_are_the_same():
    found, was = [], 0
    wanted = [alarm.begin for alarm in alarms()]
    for line in RUN["scores"].splitlines()[1:]:
        seq, *_, alarm = line.split(",")
        if int(alarm) > was:
            found.append(recording.seconds(int(seq)))
        was = int(alarm)
    cases.same(found, wanted, "begins")


def test_records_when_an_alarm_begins_then_name_the_channel_and_units():
    alarms()
    for _, record in RUN["alarms"]:
        cases.same(record["channels"][0]["name"], "mlii_mv", "channel")
        assert 1 <= len(record["units"]) <= 8, record


def test_labels_when_made_again_then_are_the_same():
    made = subprocess.run([sys.executable, os.path.join(DEMO, "label.py")], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if "No module named 'scipy'" in made.stderr:
        return  # only who labels needs it
    with open(os.path.join(DEMO, "labels.csv"), encoding="ascii") as file:
        cases.same(made.stdout, file.read(), "labels")


if __name__ == "__main__":
    cases.run(globals())
