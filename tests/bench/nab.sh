#!/bin/sh
# nab.sh - the Numenta Anomaly Benchmark's score of celltap score.
#
#     nab.sh NAB_DIR OUT_DIR [OPTION]...     NAB_DIR/<group>/<series>.csv --celltap score--> OUT_DIR
#                                            --nab_score.py--> three lines, one for each profile
#
# Every series has the same options; the warm-up is the benchmark's probation, 15 % of the rows and
# at most 750.  BUILD (build), MODEL (builtin:reservoir) and SCORER can be set.  Without the scorer
# the scores are all there is.
set -eu
nab=$1 out=$2
shift 2
build=${BUILD:-build}
scorer=${SCORER:-../shared/detect/nab_score.py}
for series in "$nab"/*/*.csv; do
    name=${series#"$nab"/}
    rows=$(($(wc -l <"$series") - 1))
    warmup=$((rows * 15 / 100))
    mkdir -p "$out/${name%/*}"
    "$build/celltap" score "${MODEL:-builtin:reservoir}" "$series" --clock day \
        --warmup $((warmup < 750 ? warmup : 750)) "$@" | cut -d, -f3 >"$out/$name"
done
if [ -e "$scorer" ]; then
    /usr/bin/python3 "$scorer" "$nab" "$out" --threshold 2.7
fi
