"""A pickled history: `pickle.dump(history.history, file)`.

A log is a stranger's file, and unpickling can run anything. So this unpickler knows
dicts, lists, texts, numbers, and NumPy's scalars and arrays, for which it has stand-ins
of its own: no name in the file is ever imported.
"""

import io
import pickle
from collections import OrderedDict
from typing import ClassVar

import numpy as np

from keras_decay.curves.data.readers import found, jsons
from keras_decay.curves.data.readers.found import Told

_KINDS = "iufb"
_MOST, _DEEPEST = 10**7, 4
_PROTOCOLS = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
_SUFFIXES = (".pkl", ".pickle")


def is_pickle(path, content):
    """Whether this begins as a pickle of protocol 2 or later, or is called one."""
    return content.startswith(_PROTOCOLS) or path.suffix.lower() in _SUFFIXES


def log(name, content):
    """The `Log` of a pickled dict of lists or list of rows.

    Raises:
        ValueError: If it holds anything else.
    """
    try:
        plain = _plain(_Unpickler(io.BytesIO(content)).load())
    except _Refused as error:
        raise found.no_curve(
            name,
            f"it is a pickle that names {error}, which could run code and is not "
            "loaded",
            "In the program that made it, save the numbers alone: "
            "json.dump(history.history, file).",
        ) from None
    except Exception as error:
        kind = type(error).__name__
        raise found.no_curve(
            name,
            f"it is a damaged pickle ({kind})",
            "Write the history as JSON instead: json.dump(history.history, file).",
        ) from None
    told = Told(name, "row")
    if isinstance(plain, dict):
        lists = jsons.flat(plain.get("history") or plain)
        if lists:
            return jsons.of_columns(lists, told, where="the file")
    if isinstance(plain, list) and plain and all(isinstance(r, dict) for r in plain):
        return jsons.of_rows(plain, told)
    raise found.no_curve(name, "it is a pickle, and not of a dict of lists of numbers")


class _Refused(Exception):
    """A name that the unpickler does not know."""


class _DType:
    """Stands in for `numpy.dtype`, of numbers only."""

    def __init__(self, text="", *settings):
        self.text, self.order = str(text)[:8], "<"

    def set(self, state):
        order = state[1]
        self.order = order if order in ("<", ">", "|", "=") else "<"

    def real(self):
        dtype = np.dtype(self.order + self.text)
        if dtype.kind not in _KINDS:
            raise ValueError("no numbers")
        return dtype


class _Array:
    """Stands in for `numpy.ndarray`."""

    def __init__(self, *settings):
        self.values = []

    def set(self, state):
        _, shape, dtype, _, content = state
        if len(shape) > 1 and max(shape) != int(np.prod(shape)):
            raise ValueError("no list of numbers")
        self.values = np.frombuffer(content, dtype.real()).tolist()


def _scalar(dtype, content):
    return np.frombuffer(content, dtype.real())[0].item()


def _encoded(text, encoding="latin1"):
    return text.encode("latin1")


def _from_buffer(content, dtype, shape, order):
    array = _Array()
    array.set((1, shape, dtype, False, content))
    return array


def _defaults(factory=None):
    return {}


_KNOWN = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): _defaults,
    ("builtins", "list"): list,
    ("__builtin__", "list"): list,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encoded,
}
for _module in ("numpy.core", "numpy._core"):
    _KNOWN[f"{_module}.multiarray", "scalar"] = _scalar
    _KNOWN[f"{_module}.multiarray", "_reconstruct"] = _Array
    _KNOWN[f"{_module}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python, without any import.

    The one in C reserves as much memory as a file of a few bytes tells it to.
    """

    dispatch: ClassVar[dict] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        if (module, name) not in _KNOWN:
            raise _Refused(f"{module}.{name}"[:80])
        return _KNOWN[module, name]

    def persistent_load(self, pid):
        raise _Refused("an object elsewhere")

    def get_extension(self, code):
        raise _Refused(f"extension {code}")

    def load_build(self):
        stack: list = vars(self)["stack"]
        state = stack.pop()
        target = stack[-1]
        if type(target) not in (_Array, _DType):
            raise _Refused(f"the state of a {type(target).__name__}")
        target.set(state)

    dispatch[pickle.BUILD[0]] = load_build


def _plain(value, depth=0, budget=None):
    """Dicts and lists as JSON would give them.

    A few bytes can name one list a thousand times over at every depth, so that what is
    looked at is bounded.
    """
    budget = [_MOST] if budget is None else budget
    if isinstance(value, _Array):
        value = value.values
    if not isinstance(value, (dict, list, tuple)):
        return value
    budget[0] -= len(value)
    if depth > _DEEPEST or budget[0] < 0:
        raise ValueError("too much")
    if isinstance(value, dict):
        return {
            key: _plain(each, depth + 1, budget)
            for key, each in value.items()
            if isinstance(key, str)
        }
    if all(type(each) in (float, int) for each in value):
        return list(value)
    return [_plain(each, depth + 1, budget) for each in value]
