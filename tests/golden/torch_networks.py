"""torch_networks.py - networks as PyTorch users write them, exported by torch.onnx.export.

Each has its oracle beside it: float64 equations (oracle.py) on the module's own parameters.  Every
network is exported at several opsets, with and without dynamic axes; all graphs of one network hold
the same weights and must give the same layers.
"""
import copy
import io
import warnings

import torch
from torch import nn

import oracle
from oracle import Network, layer

warnings.filterwarnings("ignore")
OPSETS = (9, 13, 14, 17)


def export(module, arguments, opset, inputs=("x",), outputs=("y",), dynamic=None):
    file = io.BytesIO()
    torch.onnx.export(module.eval(), arguments, file, opset_version=opset, dynamic_axes=dynamic,
                      input_names=list(inputs), output_names=list(outputs))
    return file.getvalue()


def array(parameter):
    return parameter.detach().numpy()


def gates(parameter, names):
    """PyTorch stacks the gates of a layer: i f g o in an LSTM, r z n in a GRU."""
    return dict(zip(names, array(parameter).reshape(len(names), -1, *parameter.shape[1:])))


def run_lstm(x, module, k=0):
    p = {n: getattr(module, f"{n}_l{k}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    bias = gates(p["bias_ih"].double() + p["bias_hh"].double(), "ifgo")
    return oracle.lstm(x, gates(p["weight_ih"], "ifgo"), gates(p["weight_hh"], "ifgo"), bias)


def run_gru(x, module, k=0):
    p = [gates(getattr(module, f"{n}_l{k}"), "rzn")
         for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    return oracle.gru(x, *p, reset_after=True)


def run_rnn(x, module, k=0, f=oracle.TANH):
    bias = getattr(module, f"bias_ih_l{k}").double() + getattr(module, f"bias_hh_l{k}").double()
    return oracle.rnn(x, array(getattr(module, f"weight_ih_l{k}")),
                      array(getattr(module, f"weight_hh_l{k}")), array(bias), f)


def run_linear(x, module):
    return oracle.dense(x, array(module.weight), array(module.bias))


# ---- Linear - ReLU - Linear ------------------------------------------------------------------

def mlp():
    net = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    graphs = {}
    for opset in OPSETS:
        graphs[f"opset{opset}"] = export(net, torch.randn(1, 10), opset)
        graphs[f"opset{opset}_dynamic"] = export(net, torch.randn(4, 10), opset,
                                                 dynamic={"x": {0: "batch"}, "y": {0: "batch"}})
        graphs[f"opset{opset}_sequence"] = export(      # MatMul and Add instead of Gemm
            net, torch.randn(1, 7, 10), opset,
            dynamic={"x": {0: "batch", 1: "time"}, "y": {0: "batch", 1: "time"}})

    def run(x):
        a = run_linear(x, net[0])
        b = oracle.np.maximum(a, 0)
        y = run_linear(b, net[2])
        return [layer("0", "Dense", a), layer("1", "Relu", b), layer("2", "Dense", y),
                layer("@output", "Output", {"y": y})]

    return Network("torch_mlp", 10, graphs, run)


# ---- recurrent layers, the last timestep through a Linear ------------------------------------

class LastStep(nn.Module):
    """One recurrent layer `rnn`, or a ModuleList of them, then `fc` on the last timestep."""

    def __init__(self, layers, name, batch_first):
        super().__init__()
        self.name, self.batch_first, self.channels_first = name, batch_first, False
        setattr(self, name, nn.ModuleList(layers) if len(layers) > 1 else layers[0])
        self.fc = nn.Linear(layers[-1].hidden_size, 2)

    def forward(self, x):
        x = x.transpose(1, 2) if self.channels_first else x
        layers = getattr(self, self.name)
        for one in layers if isinstance(layers, nn.ModuleList) else [layers]:
            x, _ = one(x)
        return self.fc(x[:, -1] if self.batch_first else x[-1])


def last_step(network_name, make, sizes, name, kind, run_one):
    """Batch first and time-major, with a static shape of 1 and of several, and dynamic axes."""
    nets = {}
    for batch_first in (True, False):
        layers = [make(x, h, batch_first=batch_first) for x, h in zip(sizes, sizes[1:])]
        nets[batch_first] = LastStep(layers, name, batch_first)
    nets[False].load_state_dict(nets[True].state_dict())
    graphs = {}
    for opset in OPSETS:
        for batch_first, net in nets.items():
            order = "" if batch_first else "_timemajor"
            axes = {0: "batch", 1: "time"} if batch_first else {0: "time", 1: "batch"}
            shape = (1, 7, sizes[0]) if batch_first else (7, 1, sizes[0])
            graphs[f"opset{opset}{order}"] = export(net, torch.randn(shape), opset)
            graphs[f"opset{opset}{order}_dynamic"] = export(
                net, torch.randn(shape), opset, dynamic={"x": axes, "y": {0: "batch"}})
    net = nets[True]
    graphs["opset13_one_step"] = export(net, torch.randn(1, 1, sizes[0]), 13)
    graphs["opset13_batch3"] = export(net, torch.randn(3, 7, sizes[0]), 13)
    channels = copy.copy(net)  # [batch, channels, time], as convolutions have it
    channels.channels_first = True
    graphs["opset13_channels"] = export(channels, torch.zeros(1, sizes[0], 7), 13)
    graphs["opset13_channels_dynamic"] = export(channels, torch.zeros(1, sizes[0], 7), 13,
                                                dynamic={"x": {0: "batch", 2: "time"}})

    def run(x):
        result, value, many = [], x, len(sizes) > 2
        for k in range(len(sizes) - 1):
            one = getattr(net, name)[k] if many else getattr(net, name)
            tensors = run_one(value, one)
            value = tensors["h"]
            result.append(layer(f"{name}.{k}" if many else name, kind, tensors))
        y = run_linear(value, net.fc)
        return result + [layer("fc", "Dense", y), layer("@output", "Output", {"y": y})]

    return Network(network_name, sizes[0], graphs, run)


# ---- three layers in one module, states in and out -------------------------------------------

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(5, 8, num_layers=3)

    def forward(self, x, h0, c0):
        y, (hn, cn) = self.encoder(x, (h0, c0))
        return y, hn, cn


def lstm_states(bare):
    """`bare`: the nn.LSTM itself is exported, so that its nodes have no module path."""
    net = Encoder()
    target = net.encoder if bare else net
    zeros = torch.zeros(3, 1, 8)
    x = torch.randn(7, 1, 5)
    arguments = (x, (zeros, zeros)) if bare else (x, zeros, zeros)
    names = {"inputs": ("x", "h0", "c0"), "outputs": ("y", "hn", "cn")}
    dynamic = {"x": {0: "time", 1: "batch"}, "y": {0: "time", 1: "batch"},
               **{n: {1: "batch"} for n in ("h0", "c0", "hn", "cn")}}
    graphs = {}
    for opset in OPSETS:
        graphs[f"opset{opset}"] = export(target, arguments, opset, **names)
        graphs[f"opset{opset}_dynamic"] = export(target, arguments, opset, **names, dynamic=dynamic)

    def run(x):
        layers, value = [], x
        for k in range(3):
            layers.append(run_lstm(value, net.encoder, k))
            value = layers[-1]["h"]
        states = {n: oracle.np.concatenate([t[n[0]] for t in layers], axis=1) for n in ("hn", "cn")}
        name = "lstm" if bare else "encoder"
        return [layer(f"{name}.l{k}", "LSTM", t) for k, t in enumerate(layers)] + \
            [layer("@output", "Output", {"y": value, **states})]

    return Network("torch_lstm_bare" if bare else "torch_lstm_states", 5, graphs, run)


# ---- buffers, layer normalisation, a skip connection -----------------------------------------

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.3, -0.2, 0.1, 0.0, 1.0]))
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 0.7, 1.3, 1.5]))
        self.embed = nn.Linear(5, 8)
        self.norm = nn.LayerNorm(8)
        self.act = nn.LeakyReLU(0.1)
        self.mid = nn.Linear(8, 8)
        self.soft = nn.Softplus()
        self.head = nn.Linear(8, 2)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.uniform_(self.norm.bias, -0.5, 0.5)

    def forward(self, x):
        x = (x - self.mean) / self.scale
        x = self.act(self.norm(self.embed(x)))
        x = x + self.soft(self.mid(x))
        return self.head(x)


def scaled():
    net = Scaled()
    graphs = {}
    for opset in OPSETS:
        graphs[f"opset{opset}"] = export(net, torch.randn(1, 5), opset)
        graphs[f"opset{opset}_dynamic"] = export(net, torch.randn(4, 5), opset,
                                                 dynamic={"x": {0: "batch"}, "y": {0: "batch"}})
        graphs[f"opset{opset}_sequence"] = export(
            net, torch.randn(1, 7, 5), opset,
            dynamic={"x": {0: "batch", 1: "time"}, "y": {0: "batch", 1: "time"}})

    def run(x):
        np, alpha = oracle.np, float(oracle.np.float32(0.1))
        a = x - array(net.mean).astype(float)
        b = a / array(net.scale).astype(float)
        c = run_linear(b, net.embed)
        epsilon = float(np.float32(net.norm.eps))
        d = oracle.layer_norm(c, array(net.norm.weight), array(net.norm.bias), epsilon)
        e = np.where(d >= 0, d, alpha * d)
        f = run_linear(e, net.mid)
        g = oracle.softplus(f)
        h = e + g
        y = run_linear(h, net.head)
        return [layer("sub", "Sub", a), layer("div", "Div", b), layer("embed", "Dense", c),
                layer("norm", "LayerNormalization", d), layer("act", "LeakyRelu", e),
                layer("mid", "Dense", f), layer("soft", "Softplus", g), layer("add", "Add", h),
                layer("head", "Dense", y), layer("@output", "Output", {"y": y})]

    return Network("torch_scaled", 5, graphs, run)


# ---- a forecaster: what most users bring -----------------------------------------------------

class Forecaster(nn.Module):
    """A two-layer GRU and a two-layer relu RNN side by side, joined, normalised, on every step."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 6, num_layers=2, batch_first=True, dropout=0.3)
        self.rnn = nn.RNN(4, 6, num_layers=2, batch_first=True, nonlinearity="relu")
        self.head = nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 4),
                                  nn.Softmax(dim=-1))

    def forward(self, x):
        a, _ = self.gru(x)
        b, _ = self.rnn(x)
        return self.head(torch.cat([a, b], dim=-1))


def forecaster():
    net = Forecaster()
    with torch.no_grad():  # a relu network that forgets: its states stay small
        for p in net.rnn.parameters():
            p.mul_(0.6)
    graphs = {}
    for opset in OPSETS:
        graphs[f"opset{opset}"] = export(net, torch.randn(1, 7, 4), opset)
        graphs[f"opset{opset}_dynamic"] = export(
            net, torch.randn(1, 7, 4), opset,
            dynamic={"x": {0: "batch", 1: "time"}, "y": {0: "batch", 1: "time"}})

    def run(x):
        np = oracle.np
        g0 = run_gru(x, net.gru, 0)
        g1 = run_gru(g0["h"], net.gru, 1)
        r0 = run_rnn(x, net.rnn, 0, oracle.gate("Relu"))
        r1 = run_rnn(r0["h"], net.rnn, 1, oracle.gate("Relu"))
        joined = np.concatenate([g1["h"], r1["h"]], axis=1)
        a = run_linear(joined, net.head[0])
        b = np.tanh(a)
        c = run_linear(b, net.head[3])
        y = oracle.softmax(c)
        return [layer("gru.l0", "GRU", g0), layer("gru.l1", "GRU", g1),
                layer("rnn.l0", "RNN", r0), layer("rnn.l1", "RNN", r1),
                layer("concat", "Concat", joined), layer("head.0", "Dense", a),
                layer("head.1", "Tanh", b), layer("head.3", "Dense", c),
                layer("head.4", "Softmax", y), layer("@output", "Output", {"y": y})]

    return Network("torch_forecaster", 4, graphs, run)


# ---- elementwise functions and batch normalisation -------------------------------------------

class Zoo(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.elu, self.selu, self.gelu = nn.ELU(0.7), nn.SELU(), nn.GELU()
        self.fc = nn.Linear(6, 6)
        self.softsign, self.sigmoid = nn.Softsign(), nn.Sigmoid()
        for p, low, high in ((self.norm.running_mean, -0.5, 0.5), (self.norm.running_var, 0.5, 2.0),
                             (self.norm.weight, 0.5, 1.5), (self.norm.bias, -0.5, 0.5)):
            nn.init.uniform_(p, low, high)

    def forward(self, x):
        a = self.norm(x)
        b = torch.clamp(self.elu(a), -0.5, 2.0)
        c = self.fc(self.selu(b))
        gate, value = torch.chunk(c, 2, dim=1)
        return self.sigmoid(gate) * self.softsign(value), self.gelu(c), torch.exp(-torch.abs(a))


def zoo():
    net = Zoo()
    graphs = {}
    names = {"outputs": ("gated", "smooth", "near")}
    for opset in OPSETS:
        graphs[f"opset{opset}"] = export(net, torch.randn(1, 6), opset, **names)
        graphs[f"opset{opset}_dynamic"] = export(net, torch.randn(4, 6), opset, **names,
                                                 dynamic={"x": {0: "batch"}})

    def run(x):
        np = oracle.np
        n = net.norm
        mean, var, weight, bias = (array(p).astype(float)
                                   for p in (n.running_mean, n.running_var, n.weight, n.bias))
        a = (x - mean) / np.sqrt(var + float(np.float32(n.eps))) * weight + bias
        e = np.where(a >= 0, a, float(np.float32(0.7)) * np.expm1(np.minimum(a, 0)))
        b = np.clip(e, -0.5, 2.0)
        scale, alpha = (float(np.float32(v)) for v in (1.0507009873554805, 1.6732632423543772))
        s = scale * np.where(b > 0, b, alpha * np.expm1(np.minimum(b, 0)))
        c = run_linear(s, net.fc)
        gate, value = oracle.sigmoid(c[:, :3]), c[:, 3:]
        magnitude = np.abs(value)  # exporters write Softsign and GELU with simpler operators
        soft = value / (1 + magnitude)
        gated = gate * soft
        scaled = c / float(np.float32(np.sqrt(2)))
        smooth = 1 + oracle.erf(scaled)
        near = np.exp(-np.abs(a))
        inner = [("softsign.abs", "Abs", magnitude), ("softsign.add", "Add", 1 + magnitude),
                 ("softsign", "Div", soft), ("mul", "Mul", gated), ("gelu.div", "Div", scaled),
                 ("gelu.erf", "Erf", oracle.erf(scaled)), ("gelu.add", "Add", smooth),
                 ("gelu.mul", "Mul", c * smooth), ("gelu", "Mul", c * smooth / 2),
                 ("abs", "Abs", np.abs(a)), ("neg", "Neg", -np.abs(a)), ("exp", "Exp", near)]
        return [layer("norm", "BatchNormalization", a), layer("elu", "Elu", e),
                layer("clip", "Clip", b), layer("selu", "Selu", s), layer("fc", "Dense", c),
                layer("sigmoid", "Sigmoid", gate)] + [layer(*one) for one in inner] + \
            [layer("@output", "Output",
                   {"gated": gated, "smooth": c * smooth / 2, "near": near})]

    return Network("torch_zoo", 6, graphs, run)


# ---- habits of many forward() methods --------------------------------------------------------

class Univariate(nn.Module):
    """x is [batch, time]; zero states are made by hand; the last layer's final state is used."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 6, num_layers=2, batch_first=True)
        self.fc = nn.Linear(6, 1)

    def forward(self, x):
        x = x.unsqueeze(-1)
        h0 = torch.zeros(2, x.size(0), 6)
        c0 = torch.zeros(2, x.size(0), 6)
        _, (hn, _) = self.lstm(x, (h0, c0))
        return self.fc(hn[-1])


def univariate():
    net = Univariate()
    graphs = {}
    for opset in OPSETS:
        graphs[f"opset{opset}"] = export(net, torch.randn(1, 7), opset)
        graphs[f"opset{opset}_dynamic"] = export(
            net, torch.randn(2, 7), opset,
            dynamic={"x": {0: "batch", 1: "time"}, "y": {0: "batch"}})

    def run(x):
        a = run_lstm(x, net.lstm, 0)
        b = run_lstm(a["h"], net.lstm, 1)
        y = run_linear(b["h"], net.fc)
        return [layer("lstm.l0", "LSTM", a), layer("lstm.l1", "LSTM", b), layer("fc", "Dense", y),
                layer("@output", "Output", {"y": y})]

    return Network("torch_univariate", 1, graphs, run)


class Views(nn.Module):
    """Two recurrent layers with a residual, rows flattened by view() for the Linear and back."""

    def __init__(self):
        super().__init__()
        self.first = nn.GRU(5, 5, batch_first=True)
        self.norm = nn.LayerNorm(5)
        self.second = nn.LSTM(5, 6, batch_first=True, bias=False)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        a, _ = self.first(x)
        b, _ = self.second(torch.relu(self.norm(a + x)))
        batch, time, units = b.shape
        y = self.fc(b.contiguous().view(-1, units)).view(batch, time, -1)
        return y, y[:, -1, :], torch.sigmoid(y[:, -1, 0])


def views():
    net = Views()
    graphs = {}
    names = {"outputs": ("all", "last", "level")}
    for opset in OPSETS:
        graphs[f"opset{opset}"] = export(net, torch.randn(1, 7, 5), opset, **names)
        graphs[f"opset{opset}_dynamic"] = export(
            net, torch.randn(2, 7, 5), opset, **names, dynamic={"x": {0: "batch", 1: "time"}})

    def run(x):
        np = oracle.np
        a = run_gru(x, net.first)
        s = a["h"] + x
        n = oracle.layer_norm(s, array(net.norm.weight), array(net.norm.bias),
                              float(np.float32(net.norm.eps)))
        r = np.maximum(n, 0)
        m = net.second
        b = oracle.lstm(r, gates(m.weight_ih_l0, "ifgo"), gates(m.weight_hh_l0, "ifgo"),
                        {k: np.zeros(6) for k in "ifgo"})
        y = run_linear(b["h"], net.fc)
        level = oracle.sigmoid(y[:, :1])
        return [layer("first", "GRU", a), layer("add", "Add", s),
                layer("norm", "LayerNormalization", n), layer("relu", "Relu", r),
                layer("second", "LSTM", b),
                layer("fc", "Dense", y), layer("sigmoid", "Sigmoid", level),
                layer("@output", "Output", {"all": y, "last": y, "level": level})]

    return Network("torch_views", 5, graphs, run)


def networks():
    torch.manual_seed(7)
    return [
        mlp(),
        last_step("torch_rnn", nn.RNN, (5, 10), "rnn", "RNN", run_rnn),
        last_step("torch_lstm", nn.LSTM, (5, 10, 10), "lstms", "LSTM", run_lstm),
        last_step("torch_gru", nn.GRU, (5, 10, 10), "grus", "GRU", run_gru),
        lstm_states(bare=False), lstm_states(bare=True), scaled(), forecaster(), zoo(),
        univariate(), views(),
    ]
