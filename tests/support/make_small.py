#!/usr/bin/python3
"""make_small.py - makes small.onnx and small2.onnx, the networks of the daemon's tests.

    3 values -> lstms.0: LSTM, 5 units -> lstms.1: LSTM, 4 units -> fc: 2 outputs      (random weights)

Needs python3-torch; the tests need only the files.  small2.onnx is the same network with other
weights: what a changed model file is.
"""
import os

import torch


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstms = torch.nn.ModuleList([torch.nn.LSTM(3, 5, batch_first=True),
                                          torch.nn.LSTM(5, 4, batch_first=True)])
        self.fc = torch.nn.Linear(4, 2)

    def forward(self, x):
        for lstm in self.lstms:
            x, _ = lstm(x)
        return self.fc(x)


for seed, name in ((1, "small.onnx"), (2, "small2.onnx")):
    torch.manual_seed(seed)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    torch.onnx.export(Small().eval(), torch.zeros(1, 7, 3), path, opset_version=14,
                      input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "batch", 1: "time"}, "y": {0: "batch", 1: "time"}})
