"""Keys of tasks: equal only if a training would give the same numbers again.

A key is made of what a training depends on: the model's config with its numbers, its
initial weights, the loss that it computes for some rows, the code of `build`, the data,
the rows, the settings, the seed, and the versions of Keras and of its backend.
"""

import contextlib
import functools
import hashlib
import re
import sys
import types

import keras
import numpy as np
from keras import ops

import keras_decay
from keras_decay._backend import PACKAGES
from keras_decay.search._building import first_rows
from keras_decay.search._conditions import conditions
from keras_decay.search._groups import ROWS
from keras_decay.search._signature import rates_of, signature
from keras_decay.search._slots import slots_of

_LIBRARIES = ("keras", "keras_decay", "builtins", "numpy", *PACKAGES.values())
_FOLLOWED = (types.FunctionType, type, int, float, complex, str, bytes, tuple)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class Keys:
    """The keys of a job's tasks.

    Args:
        job: The `Job`.
        engine: The engine that was asked for.
    """

    def __init__(self, job, engine):
        self._job = job
        backend = keras.backend.backend()
        self._common = _digest(
            engine,
            tuple(conditions()),
            getattr(sys.modules.get(PACKAGES.get(backend, "")), "__version__", None),
            keras_decay.__version__,
            job.settings,
            code_of(job.build),
            *_arrays(list(vars(job.data).values())),
        )
        self._splits = {}
        self._models = {}

    def see(self, candidate, model):
        """Take notice of a candidate's model, which is built and not trained."""
        job = self._job
        slots = slots_of(model)
        text = signature(model, slots)
        if text is None:  # no config that says all of it
            text = job.candidates[candidate]
        numbers = [float(ops.convert_to_numpy(rate)) for rate in rates_of(model)]
        numbers += [slot.number for slot in slots]
        self._models[candidate] = _digest(
            text, numbers, _loss(model, job.data), *_arrays(model.get_weights())
        )

    def of(self, task):
        """The key of a task whose candidate's model was seen."""
        if task.split not in self._splits:
            split = self._job.splits[task.split]
            rows = [np.asarray(rows, "int64") for rows in (split.train, split.valid)]
            self._splits[task.split] = _digest(*_arrays(rows))
        model, split = self._models[task.candidate], self._splits[task.split]
        return _digest(self._common, model, split, int(task.seed))[:40]


def code_of(thing):
    """What a function does, as a text that no comment and no line number changes.

    It tells of the functions and classes of the user's that it names, of constants,
    defaults, and of what closures hold.
    """
    return _text(_code(thing, set()))


def _code(thing, seen):
    if isinstance(thing, functools.partial):
        parts = [thing.args, sorted(thing.keywords.items())]
        return [_code(thing.func, seen), _text(parts)]
    if isinstance(thing, types.CodeType):
        constants = [_code(constant, seen) for constant in thing.co_consts]
        return [thing.co_code.hex(), thing.co_names, constants]
    if isinstance(thing, types.MethodType):
        return [_code(thing.__func__, seen), _text(thing.__self__)]
    if isinstance(thing, (staticmethod, classmethod)):
        return _code(thing.__func__, seen)
    if isinstance(thing, property):
        return _code(thing.fget, seen)
    if not isinstance(thing, (types.FunctionType, type)):
        if callable(thing):
            return [_code(type(thing), seen), _text(thing)]
        return _text(thing)
    if id(thing) in seen or thing.__module__.split(".")[0] in _LIBRARIES:
        return thing.__qualname__
    seen.add(id(thing))
    if isinstance(thing, type):
        kinds = (types.FunctionType, staticmethod, classmethod, property)
        own = sorted(item for item in vars(thing).items() if isinstance(item[1], kinds))
        return [thing.__qualname__, [(name, _code(part, seen)) for name, part in own]]
    named = [
        (name, _code(thing.__globals__[name], seen))
        for name in _names(thing.__code__)
        if isinstance(thing.__globals__.get(name), _FOLLOWED)
    ]
    held = [_code(cell, seen) for cell in _held(thing)]
    return [_code(thing.__code__, seen), named, held, _text(thing.__defaults__)]


def _names(code):
    """The names that a function's code, and that of functions within it, uses."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= set(_names(constant))
    return sorted(names)


def _held(function):
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # empty: its name is not bound yet
            yield cell.cell_contents


def _text(value):
    if isinstance(value, (set, frozenset)):  # their order differs between processes
        value = sorted(map(repr, value))
    return _ADDRESS.sub("", repr(value))


def _loss(model, data):
    """The loss of some rows, to five digits; None for models that have another way."""
    weight = None if data.weight is None else first_rows(data.weight, ROWS)
    x, y = first_rows(data.x, ROWS), first_rows(data.y, ROWS)
    try:
        predicted = model(x, training=False)
        loss = model.compute_loss(x, y, predicted, weight, training=False)
        return f"{float(ops.convert_to_numpy(loss)):.4e}"
    except Exception:
        return None


def _arrays(tree):
    """What tells apart the arrays of a tree, for `_digest`."""
    for path, array in keras.tree.flatten_with_path(tree):
        array = np.asarray(array)
        yield [list(map(str, path)), array.shape, str(array.dtype)]
        if array.dtype.hasobject:
            yield repr(array.tolist())
        else:
            yield np.ascontiguousarray(array).reshape(-1).view("uint8")


def _digest(*parts):
    found = hashlib.sha256()
    for part in parts:
        if not isinstance(part, np.ndarray):
            part = np.frombuffer(_text(part).encode(), "uint8")
        found.update(f"{len(part)}:".encode())
        found.update(part.data)
    return found.hexdigest()
