#!/usr/bin/python3
"""label.py - how labels.csv was made: what somebody who reads electrocardiograms sees in this one.

    x mV --minus running median--> low-pass 40 Hz --> peaks --width at half height--> kind of beat

A normal beat's peak is 20 to 40 ms wide at half its height.  A ventricular one is `wide`: more
than 70 ms, with a wave below the baseline behind it.  Between 45 and 70 ms lie `fusion` beats,
where both kinds meet.  The electrode `artefact`s are three and were read off by eye: the trace
jumps, decays, and shows no beat for a second at least.  Of beats in an artefact nothing is said.

Whole beats count, from 0.15 s before the peak to 0.40 s behind it.  The labels know nothing of the
model or its scores.  Every one was looked at in a plot of the trace.  Needs python3-scipy.
"""
import csv
import os
import sys

from scipy.signal import butter, filtfilt, find_peaks, medfilt

import recording

HERE = os.path.dirname(os.path.abspath(__file__))
MEDIAN_S = 1.2
LOW_PASS_HZ = 40
PEAK_MV, PEAKS_APART_S = 0.45, 0.25
WIDE_S, FUSION_S = 0.070, 0.045  # at half height
BEFORE_S, AFTER_S = 0.15, 0.40  # of the peak: a beat
ARTEFACTS_S = ((42.0, 46.0), (96.4, 99.8), (208.95, 214.0))


def half_width(y, peak):
    """Samples around a peak that are above half of it."""
    left = right = peak
    while y[left] > y[peak] / 2:
        left -= 1
    while y[right] > y[peak] / 2:
        right += 1
    return right - left


def beats(x):
    """[(peak in s, width in s)] of a trace in mV."""
    rate = recording.RAW_HZ
    flat = x - medfilt(x, int(MEDIAN_S * rate) | 1)
    y = filtfilt(*butter(2, LOW_PASS_HZ / (rate / 2)), flat)
    peaks, _ = find_peaks(y, height=PEAK_MV, prominence=PEAK_MV,
                          distance=int(PEAKS_APART_S * rate), wlen=rate // 2)
    return [(peak / rate, half_width(y, peak) / rate) for peak in peaks]


def labels(x):
    """[(begin in s, end in s, kind)], rising."""
    found = [(begin, end, "artefact") for begin, end in ARTEFACTS_S]
    for at, width in beats(x):
        if width <= FUSION_S or any(begin <= at <= end for begin, end in ARTEFACTS_S):
            continue
        kind = "wide" if width > WIDE_S else "fusion"
        found.append((at - BEFORE_S, at + AFTER_S, kind))
    return sorted(found)


def main():
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(("begin_s", "end_s", "kind"))
    for begin, end, kind in labels(recording.raw()):
        rows.writerow(("%.3f" % begin, "%.3f" % end, kind))


if __name__ == "__main__":
    main()
