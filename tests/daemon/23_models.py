#!/usr/bin/python3
"""23_models.py - this proves that each stream is taken by the first model whose globs match it.

Models do not touch each other, also within one message and one turn.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cases
import daemon as D
import library
import sp

MODEL2 = D.MODEL.replace("small.onnx", "small2.onnx")


def models():
    return [{"name": "exact", "file": D.MODEL, "streams": ["pump/1"]},
            {"name": "pumps", "file": MODEL2, "streams": ["pump/*", "fan/[0-3]"]},
            {"name": "deep", "file": D.MODEL, "streams": ["*/deep/*"]},
            {"name": "rest", "file": MODEL2, "streams": ["?"]}]


TAKES = {"pump/1": "exact", "pump/10": "pumps", "pump/a/b": "pumps", "pump/deep/x": "pumps",
         "fan/2": "pumps", "fan/7": None, "a/deep/b/c": "deep", "x": "rest", "xy": None}


def test_streams_when_several_models_match_then_the_first_takes_them():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=models()))
        daemon.start()
        with sp.Req(daemon.url("ack")) as req:
            for name, model in TAKES.items():
                reply = D.feed(req, [D.frame(name, [1, 2, 3])])
                cases.same(reply["accepted"], 1 if model else 0, name)
        listed = daemon.control("streams")["streams"]
        cases.same({s["stream"]: s["model"] for s in listed},
                   {name: model for name, model in TAKES.items() if model})
        by_model = {m["name"]: m["streams"] for m in daemon.status()["models"]}
        cases.same(by_model, {"exact": 1, "pumps": 4, "deep": 1, "rest": 1})


def test_models_when_fed_in_one_message_then_each_computes_its_own():
    with D.Daemon(start=False) as daemon:
        daemon.write(daemon.default(models=models()))
        daemon.start()
        names = [name for name, model in TAKES.items() if model]
        files = {m["name"]: m["file"] for m in models()}
        frames = {name: [[i + t, -t, 0.5] for t in range(6)] for i, name in enumerate(names)}
        with daemon.subscribe(daemon.url("all")) as sub, sp.Req(daemon.url("ack")) as req:
            D.feed(req, [D.frame(n, frames[n][t]) for t in range(6) for n in names])
            got = {}
            for _, r in D.records(sub, len(names) * 6 * 5):
                for tensor, values in r["tensors"].items():
                    got[r["stream"], r["seq"], r["layer"], tensor] = values
        for name in names:
            network = library.Network(files[TAKES[name]])
            for seq, tensors in enumerate(network.run(frames[name]), 1):
                for (layer, tensor), values in tensors.items():
                    cases.same(got.pop((name, seq, layer, tensor)), values, name)
        cases.same(got, {})


cases.run(globals())
