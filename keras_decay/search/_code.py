"""What a function does, as a text: equal in every process, whatever its lines and name.

It tells of the functions and classes of the user's that it calls by name, of constants
and defaults, and of what closures hold; of libraries' by name only.
"""

import contextlib
import functools
import re
import sys
import types
from pathlib import Path

import numpy as np

_VALUES = (int, float, complex, str, bytes, tuple, np.ndarray)
_FOLLOWED = (types.FunctionType, type, functools.partial, *_VALUES)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def code_of(thing):
    """The text of a function, class, or other callable."""
    return text_of(_code(thing, set()))


def text_of(value):
    """`repr`, without what differs from process to process."""
    if isinstance(value, (set, frozenset)):
        value = sorted(map(repr, value))
    if isinstance(value, np.ndarray):
        value = (value.dtype, value.tolist())
    return _ADDRESS.sub("", repr(value))


def _code(thing, seen):
    if isinstance(thing, functools.partial):
        parts = [*thing.args, *sorted(thing.keywords.items())]
        return [_code(thing.func, seen), [_code(part, seen) for part in parts]]
    if isinstance(thing, types.CodeType):
        constants = [_code(constant, seen) for constant in thing.co_consts]
        return [thing.co_code.hex(), thing.co_names, constants]
    if isinstance(thing, types.MethodType):
        return [_code(thing.__func__, seen), _code(thing.__self__, seen)]
    if isinstance(thing, (staticmethod, classmethod)):
        return _code(thing.__func__, seen)
    if isinstance(thing, property):
        return _code(thing.fget, seen)
    if not isinstance(thing, (types.FunctionType, type)):
        own = [_code(type(thing), seen)] if callable(thing) else []
        return [*own, text_of(thing)]
    if id(thing) in seen or _is_of_a_library(thing.__module__):
        return thing.__qualname__
    seen.add(id(thing))
    if isinstance(thing, type):
        kinds = (types.FunctionType, staticmethod, classmethod, property)
        own = sorted(item for item in vars(thing).items() if isinstance(item[1], kinds))
        return [thing.__qualname__, [(name, _code(part, seen)) for name, part in own]]
    parts = [thing.__code__, thing.__defaults__, thing.__kwdefaults__]
    return [_code(part, seen) for part in [*parts, *_held(thing), *_named(thing)]]


def _is_of_a_library(module):
    """Whether a module is no file of the user's."""
    if not isinstance(module, str):  # that of a class may be any attribute
        return False
    first = module.split(".")[0]
    if first == "__main__":  # its file may be that of a launcher
        return False
    if first == "keras_decay" or first in sys.stdlib_module_names:
        return True
    path = getattr(sys.modules.get(first), "__file__", None)
    if path is None:
        return False
    # Not this environment's folder alone: others may be on the path too.
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


def _named(function):
    """What a function takes from its module, and from modules that it names."""
    names = _names(function.__code__)
    for name in names:
        thing = function.__globals__.get(name)
        if isinstance(thing, _FOLLOWED):
            yield thing
        if isinstance(thing, types.ModuleType) and not _is_of_a_library(thing.__name__):
            found = (vars(thing).get(other) for other in names)
            yield from (each for each in found if isinstance(each, _FOLLOWED))


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
