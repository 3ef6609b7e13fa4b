"""All that decides how a model trains, as a digest that is equal in every process.

It walks the objects that a model holds: numbers, arrays, variables, functions with what
they close over, objects of the user's own classes. It passes over names, and over what
a layer of Keras' own holds and does not read once it is built: its initializers, and
the regularizers and constraints that its variables took when they were made.
"""

import collections
import contextlib
import functools
import hashlib
import random
import types
import weakref
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_decay.models import layers_of
from keras_decay.search._code import _is_of_a_library, _named
from keras_decay.search._conditions import conditions

# Objects that are looked at: beyond it a digest is not known.
BUDGET = 200_000
LARGEST = 2**24  # numbers of an array
_PLAIN = (type(None), bool, int, float, complex, bytes, range, slice)
_BACKENDS = ("tensorflow", "torch", "jax", "jaxlib", "_thread", "threading")
# Names, caches, and copies of arguments that are not read again.
_SKIPPED = {
    *("name", "_name", "path", "_path", "_lock", "_tracker", "_auto_config"),
    *("_compile_config", "_call_signature", "_unique_id"),
    *("_distribute_strategy", "_distribution_strategy", "_nodes"),
    *("_trainable_variables_indices", "_torch_params", "_parameters", "_buffers"),
    *("_modules", "_loss_ids", "_parent_path", "_api_export_path", "__doc__"),
    *("__module__", "__dict__", "__weakref__", "__firstlineno__", "__qualname__"),
    *("__static_attributes__", "_abc_impl", "_jax_state", "_call_context_args"),
}
_NAMED = (types.ModuleType, types.BuiltinFunctionType, np.ufunc)
_AT_BUILDING = ("_regularizer", "_constraint", "_initializer")


class Traits:
    """What a compiled and built model is made of.

    Attributes:
        digest: A text that is equal for models that train alike; None if the model
            holds something of which this is not known.
        variables: The Keras variables that were reached and are none of the model's.
    """

    def __init__(self, model):
        self._found = hashlib.sha256()
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []  # so that no `id` is used twice
        self._left: collections.deque[Any] = collections.deque()
        self._is_known = True
        named = [model, *layers_of(model), model.optimizer]
        self._names = {each.name: str(i) for i, each in enumerate(named)}
        self._trained = {id(v) for v in model.trainable_variables}
        own = {id(v) for v in [*model.variables, *model.optimizer.variables]}
        own |= {id(v) for v in model.metrics_variables}
        self._others: list[keras.Variable] = []
        self._say(conditions())
        try:
            self._walk(model)
        except Exception:  # objects of the user's may do anything when looked at
            self._is_known = False
        self.digest = self._found.hexdigest() if self._is_known else None
        self.variables = [v for v in self._others if id(v) not in own]

    def _walk(self, model):
        self._refer(model)
        while self._left and self._is_known:
            self._describe(self._left.popleft())
            self._is_known &= len(self._alive) < BUDGET

    def _say(self, *words):
        self._found.update(repr(words).encode())

    def _refer(self, thing):
        """Say a plain value; give anything else a number, and describe it later."""
        if isinstance(thing, _PLAIN):
            self._say(type(thing).__name__, thing)
        elif isinstance(thing, str):
            parts = [self._names.get(part, part) for part in thing.split("/")]
            self._say("/".join(parts))
        elif id(thing) in self._numbers:
            self._say("number", self._numbers[id(thing)])
        else:
            self._numbers[id(thing)] = len(self._alive)
            self._alive.append(thing)
            self._left.append(thing)

    def _all(self, *things):
        for thing in things:
            self._refer(thing)

    def _describe(self, thing):
        self._say(type(thing).__qualname__)
        if isinstance(thing, keras.Variable):
            self._variable(thing)
        elif isinstance(thing, (np.ndarray, np.generic)):
            self._array(np.asarray(thing))
        elif isinstance(thing, keras.KerasTensor):
            self._all(thing.shape, thing.dtype, getattr(thing, "_keras_history", None))
        elif ops.is_tensor(thing):
            self._array(np.asarray(ops.convert_to_numpy(thing)))
        elif isinstance(thing, collections.abc.Mapping):
            self._say(len(thing))
            for key, value in thing.items():
                self._all(key, value)
        elif isinstance(thing, (list, tuple, collections.deque)):
            self._say(len(thing))
            self._all(*thing)
        elif isinstance(thing, (set, frozenset)):
            # Others have an order, and a text, of their process alone.
            plain = [each for each in thing if isinstance(each, (*_PLAIN, str))]
            self._say(len(thing), sorted(map(repr, plain)))
        elif not self._function(thing):
            self._object(thing)

    def _variable(self, variable):
        self._others.append(variable)
        self._say(variable.trainable, tuple(variable.shape), variable.dtype)
        self._array(np.asarray(ops.convert_to_numpy(variable.value)))
        if id(variable) in self._trained:
            self._all(variable.regularizer, variable.constraint)

    def _array(self, array):
        self._say(array.shape, str(array.dtype))
        if array.dtype.hasobject:
            self._all(*array.ravel().tolist())
        else:
            # Of an array as large as all data a sample.
            flat = array.reshape(-1)[:: 1 + array.size // LARGEST]
            self._found.update(flat.tobytes())

    def _function(self, thing):
        """Describe a function, a class or the like; return whether it is one."""
        if isinstance(thing, types.FunctionType):
            self._say(thing.__qualname__)
            for cell in thing.__closure__ or ():
                with contextlib.suppress(ValueError):  # empty
                    self._refer(cell.cell_contents)
            self._all(thing.__defaults__, thing.__kwdefaults__)
            if not _is_of_a_library(thing.__module__):
                self._all(thing.__code__, *_named(thing), *_globals(thing))
        elif isinstance(thing, types.CodeType):
            self._say(thing.co_code, thing.co_names)
            self._all(*thing.co_consts)
        elif isinstance(thing, types.MethodType):
            self._all(thing.__func__, thing.__self__)
        elif isinstance(thing, functools.partial):
            self._all(thing.func, thing.args, thing.keywords)
        elif isinstance(thing, (staticmethod, classmethod)):
            self._refer(thing.__func__)
        elif isinstance(thing, property):
            self._all(thing.fget, thing.fset)
        elif isinstance(thing, type):
            self._say(thing.__qualname__)
            if not _is_of_a_library(thing.__module__):
                self._all(*thing.__bases__)
                self._attributes(vars(thing))
        elif isinstance(thing, _NAMED):
            self._say(thing.__name__)
        else:
            return False
        return True

    def _object(self, thing):
        kind = type(thing)
        if isinstance(thing, random.Random):
            self._refer(thing.getstate())
        elif isinstance(thing, np.random.Generator):
            self._refer(thing.bit_generator.state)
        elif isinstance(thing, (weakref.ref, np.dtype, types.EllipsisType)):
            pass
        elif _is_of_a_library(kind.__module__) and _root(kind) in _BACKENDS:
            # Of Keras' own state; what a user holds of these is not known.
            self._is_known &= "tensorshape" in kind.__name__.lower()
        else:
            known = dict(getattr(thing, "__dict__", {}))
            for base in kind.__mro__:
                slots = base.__dict__.get("__slots__", ())
                for name in [slots] if isinstance(slots, str) else slots:
                    if hasattr(thing, name):
                        known.setdefault(name, getattr(thing, name))
            opaque = not known and not hasattr(thing, "__dict__")
            self._is_known &= not opaque or kind is object
            self._refer(kind)
            is_built = isinstance(thing, keras.Layer) and thing.built
            self._attributes(known, is_built and _is_of_a_library(kind.__module__))

    def _attributes(self, known, is_built=False):
        for name, value in known.items():
            if name in _SKIPPED or name.startswith(("_self_", "_tf_", "_obj_ref")):
                continue
            if name.endswith("_hooks") or "_hooks_" in name:  # of PyTorch
                continue
            passive = name.endswith(_AT_BUILDING) and name != "activity_regularizer"
            if not (is_built and passive):
                self._say(name)
                self._refer(value)


def _globals(function):
    """What a function takes from its module that `_named` does not follow."""
    for name in function.__code__.co_names:
        thing = function.__globals__.get(name)
        if thing is not None and not isinstance(thing, types.ModuleType):
            yield thing


def _root(kind):
    return kind.__module__.split(".")[0]
