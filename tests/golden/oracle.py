"""oracle.py - recurrent networks in float64, from the equations in textbooks and manuals.

    signal(seed, T, n)          the inputs: float32 values that test_golden.c makes bit for bit too
    dense, lstm, gru, rnn, ...  [T, X] in, a dict of [T, H] tensors out, every gate included

Nothing here reads an ONNX graph or knows celltap: weights come as one matrix per gate, states start
at zero unless given, and time is a plain loop.  Sources: the PyTorch manual (LSTM, GRU, RNN), the
Keras 2 layers, the ONNX operator specification (peepholes, clip, activations).
"""
import numpy as np

TIMESTEPS = 10000
HEAD, STRIDE = 16, 193  # stored: the first and last HEAD timesteps and every STRIDE-th


def sampled():
    """The timesteps whose tensors are stored."""
    return [t for t in range(TIMESTEPS)
            if t < HEAD or t >= TIMESTEPS - HEAD or t % STRIDE == 0]


def _splitmix64(counter):
    """Output number `counter` (from 1) of splitmix64 whose state starts at 0; uint64 arrays."""
    z = counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def signal(seed, n_timesteps, n):
    """[T, n] sensor readings: N(0,1) noise (the sum of twelve 16 bit uniforms) on a triangular
    drift of +-1 whose period differs by channel; all in units of 2^-16, so exact in float32."""
    t, k = np.meshgrid(np.arange(n_timesteps), np.arange(n), indexing="ij")
    index = (np.uint64(seed << 32) + ((t * n + k) * 3).astype(np.uint64))
    noise = np.zeros(t.shape, np.int64) - 6 * 65536
    for word in range(3):
        bits = _splitmix64(index + np.uint64(word + 1))
        for part in range(4):
            noise += ((bits >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.int64)
    half = 1000 + 256 * k
    phase = (t + 700 * k) % (2 * half)
    triangle = np.where(phase < half, phase, 2 * half - phase)
    drift = triangle * 131072 // half - 65536
    return ((noise + drift) / 65536.0).astype(np.float32)


# ---- functions of one value ------------------------------------------------------------------

def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def erf(x):
    from math import erf as one
    return np.vectorize(one)(x)


GATES = {  # ONNX's functions for gates: f(x, alpha, beta), defaults of alpha and beta
    "Relu": (lambda x, a, b: np.maximum(x, 0), None, None),
    "Tanh": (lambda x, a, b: np.tanh(x), None, None),
    "Sigmoid": (lambda x, a, b: sigmoid(x), None, None),
    "Affine": (lambda x, a, b: a * x + b, 1.0, 0.0),
    "LeakyRelu": (lambda x, a, b: np.where(x >= 0, x, a * x), 0.01, None),
    "ThresholdedRelu": (lambda x, a, b: np.where(x >= a, x, 0), 1.0, None),
    "ScaledTanh": (lambda x, a, b: a * np.tanh(b * x), 1.0, 1.0),
    "HardSigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), 0.2, 0.5),
    "Elu": (lambda x, a, b: np.where(x >= 0, x, a * np.expm1(np.minimum(x, 0))), 1.0, None),
    "Softsign": (lambda x, a, b: x / (1 + np.abs(x)), None, None),
    "Softplus": (lambda x, a, b: softplus(x), None, None),
}


def gate(name, alpha=None, beta=None):
    """A gate function by its ONNX name; alpha and beta are those of a float32 file."""
    function, default_alpha, default_beta = GATES[name]
    a = np.float64(np.float32(default_alpha if alpha is None else alpha)) \
        if default_alpha is not None else None
    b = np.float64(np.float32(default_beta if beta is None else beta)) \
        if default_beta is not None else None
    return lambda x: function(x, a, b)


SIGMOID, TANH = gate("Sigmoid"), gate("Tanh")


def _f64(array):
    return np.asarray(array, np.float64)


# ---- layers ----------------------------------------------------------------------------------

def dense(x, W, b=None):
    """y = W x + b; W [Y][X]."""
    y = x @ _f64(W).T
    return y if b is None else y + _f64(b)


def lstm(x, W, R, b, P=None, f=SIGMOID, g=TANH, h=TANH, clip=np.inf, input_forget=False,
         h0=None, c0=None):
    """W, R: dicts i f g o of [H][X], [H][H]; b: dict of [H], all biases of a gate summed;
    P: dict i f o of [H] (peepholes)."""
    W, R, b = ({k: _f64(v) for k, v in d.items()} for d in (W, R, b))
    H = R["i"].shape[0]
    P = {k: _f64(v) for k, v in P.items()} if P else {k: np.zeros(H) for k in "ifo"}
    ht = np.zeros(H) if h0 is None else _f64(h0)
    ct = np.zeros(H) if c0 is None else _f64(c0)
    bound = lambda z: np.clip(z, -clip, clip)
    out = {k: np.empty((len(x), H)) for k in "hcifgo"}
    for t, xt in enumerate(x):
        z = {k: W[k] @ xt + R[k] @ ht + b[k] for k in "ifgo"}
        it = f(bound(z["i"] + P["i"] * ct))
        ft = 1 - it if input_forget else f(bound(z["f"] + P["f"] * ct))
        gt = g(bound(z["g"]))
        ct = ft * ct + it * gt
        ot = f(bound(z["o"] + P["o"] * ct))
        ht = ot * h(ct)
        for k, v in zip("hcifgo", (ht, ct, it, ft, gt, ot)):
            out[k][t] = v
    return out


def gru(x, W, R, Wb, Rb, f=SIGMOID, g=TANH, clip=np.inf, reset_after=False, h0=None):
    """W, R: dicts z r n; Wb, Rb: dicts of the input's and the recurrent biases.  reset_after (ONNX:
    linear_before_reset 1, PyTorch, Keras' default): the reset gate is applied to R h + Rb."""
    W, R, Wb, Rb = ({k: _f64(v) for k, v in d.items()} for d in (W, R, Wb, Rb))
    H = R["z"].shape[0]
    ht = np.zeros(H) if h0 is None else _f64(h0)
    bound = lambda z: np.clip(z, -clip, clip)
    out = {k: np.empty((len(x), H)) for k in "hzrn"}
    for t, xt in enumerate(x):
        zt = f(bound(W["z"] @ xt + Wb["z"] + R["z"] @ ht + Rb["z"]))
        rt = f(bound(W["r"] @ xt + Wb["r"] + R["r"] @ ht + Rb["r"]))
        if reset_after:
            nt = g(bound(W["n"] @ xt + Wb["n"] + rt * (R["n"] @ ht + Rb["n"])))
        else:
            nt = g(bound(W["n"] @ xt + Wb["n"] + R["n"] @ (rt * ht) + Rb["n"]))
        ht = (1 - zt) * nt + zt * ht
        for k, v in zip("hzrn", (ht, zt, rt, nt)):
            out[k][t] = v
    return out


def rnn(x, W, R, b, f=TANH, clip=np.inf, h0=None):
    W, R, b = _f64(W), _f64(R), _f64(b)
    ht = np.zeros(R.shape[0]) if h0 is None else _f64(h0)
    out = np.empty((len(x), R.shape[0]))
    for t, xt in enumerate(x):
        ht = f(np.clip(W @ xt + R @ ht + b, -clip, clip))
        out[t] = ht
    return {"h": out}


def layer_norm(x, weight, bias, epsilon=1e-5):
    mean = x.mean(axis=1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * _f64(weight) + _f64(bias)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# ---- what a network is made of ---------------------------------------------------------------

RECURRENT = {"LSTM": "hcifgo", "GRU": "hzrn", "RNN": "h"}


class Network:
    """A name, its graphs (all of them must give the same layers), and the oracle: `run(x)` gives
    the layers in order: (name, kind, {tensor: [T, n]})."""

    def __init__(self, name, n_values, graphs, run):
        self.name, self.n_values, self.graphs, self.run = name, n_values, graphs, run
        self.seed = sum(ord(c) * (i + 1) for i, c in enumerate(name))


def layer(name, kind, tensors):
    if kind in RECURRENT:
        tensors = {"output": tensors["h"], **tensors}
    elif not isinstance(tensors, dict):
        tensors = {"output": tensors}
    return name, kind, tensors
