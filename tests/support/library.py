"""library.py - libcelltap.so through ctypes: what a stream's tensors must be, from the library.

    for tensors in Network(path).run(frames):   {(layer, tensor): bytes of float32}
"""
import ctypes
import os
import subprocess
import sys

from daemon import BUILD

FLOATS = ctypes.POINTER(ctypes.c_float)
PATH = os.path.join(BUILD, "libcelltap.so.0")


def preload():
    """A library with a sanitizer needs its runtime first: begins this program anew with it.  The
    programs that it starts have the runtime of their own (daemon.environment)."""
    with open(PATH, "rb") as file:
        content = file.read()
    for name, options in (("asan", "ASAN_OPTIONS"), ("tsan", "TSAN_OPTIONS")):
        if b"lib%s.so" % name.encode() in content and "CELLTAP_PRELOADED" not in os.environ:
            runtime = subprocess.run(["gcc", "-print-file-name=lib%s.so" % name], check=True,
                                     stdout=subprocess.PIPE).stdout.decode().strip()
            os.environ.update(CELLTAP_PRELOADED=options + "=" + os.environ.get(options, ""),
                              LD_PRELOAD=runtime)
            os.environ[options] = "detect_leaks=0" if name == "asan" else "report_bugs=0"
            sys.stdout.flush()
            os.execv(sys.executable, [sys.executable] + sys.argv)


def load():
    library = ctypes.CDLL(PATH)
    for name in ("celltap_model_n_values", "celltap_model_n_layers", "celltap_layer_n_tensors",
                 "celltap_tensor_size"):
        getattr(library, name).restype = ctypes.c_size_t
    library.celltap_layer_name.restype = ctypes.c_char_p
    library.celltap_tensor_name.restype = ctypes.c_char_p
    library.celltap_panel_tensor.restype = FLOATS
    return library


class Network:
    def __init__(self, path):
        self.library = load()
        self.model, self.panel = ctypes.c_void_p(), ctypes.c_void_p()
        assert self.library.celltap_model_load(path.encode(), ctypes.byref(self.model), None) == 0
        assert self.library.celltap_panel_new(self.model, ctypes.c_size_t(1),
                                              ctypes.byref(self.panel)) == 0
        self.n_values = self.library.celltap_model_n_values(self.model)
        self.tensors = []
        for layer in range(self.library.celltap_model_n_layers(self.model)):
            at = (self.model, ctypes.c_size_t(layer))
            for tensor in range(self.library.celltap_layer_n_tensors(*at)):
                size = self.library.celltap_tensor_size(*at, ctypes.c_size_t(tensor))
                self.tensors.append((
                    (self.library.celltap_layer_name(*at).decode(),
                     self.library.celltap_tensor_name(*at, ctypes.c_size_t(tensor)).decode()),
                    layer, tensor, size))

    def step(self, stream, values):
        """One timestep; {(layer, tensor): bytes of float32}."""
        x = (ctypes.c_float * len(values))(*values)
        assert self.library.celltap_step(self.panel, stream, x, ctypes.c_size_t(len(values))) == 0
        shown = {}
        for name, layer, tensor, size in self.tensors:
            at = self.library.celltap_panel_tensor(self.panel, ctypes.c_size_t(0),
                                                   ctypes.c_size_t(layer), ctypes.c_size_t(tensor))
            shown[name] = ctypes.string_at(at, 4 * size)
        return shown

    def stream(self):
        stream = ctypes.c_void_p()
        assert self.library.celltap_stream_new(self.model, ctypes.byref(stream)) == 0
        return stream

    def reset(self, stream):
        self.library.celltap_stream_reset(stream)

    def run(self, frames):
        """The tensors of every frame, fed to one fresh stream."""
        stream = self.stream()
        for values in frames:
            yield self.step(stream, values)


preload()
