"""Outcomes as files of NumPy's: arrays, and a text that says which is which."""

import json

import numpy as np

from keras_decay.search._work import Outcome


def arrays_of(outcome):
    """The arrays of a file, by name, for `numpy.savez`."""
    arrays: list[np.ndarray] = []
    about = {
        "history": {k: _put(arrays, v) for k, v in outcome.history.items()},
        "predictions": _tree(arrays, outcome.predictions),
        "weights": _tree(arrays, outcome.weights),
        "best_epoch": outcome.best_epoch,
        "engine": outcome.engine,
        "seconds": outcome.seconds,
    }
    return {"about": np.array(json.dumps(about))} | {
        f"array_{i}": array for i, array in enumerate(arrays)
    }


def outcome_of(file):
    """The `Outcome` of a file, as `numpy.load` opens it."""
    about = json.loads(str(file["about"]))
    return Outcome(
        history={k: _got(file, v) for k, v in about["history"].items()},
        best_epoch=about["best_epoch"],
        predictions=_untree(file, about["predictions"]),
        weights=_untree(file, about["weights"]),
        engine=about["engine"],
        seconds=about["seconds"],
    )


def _put(arrays, array):
    """Add an array, and return where it is and, if NumPy cannot write it, its type."""
    array = np.asarray(array)
    dtype = None
    if array.dtype.kind == "V":  # bfloat16 and its like
        dtype, array = array.dtype.name, array.view(f"u{array.dtype.itemsize}")
    elif array.dtype.hasobject:
        raise OSError(f"arrays of type {array.dtype} cannot be kept in a file")
    arrays.append(array)
    return [len(arrays) - 1, dtype]


def _got(file, place):
    number, dtype = place
    array = file[f"array_{number}"]
    return array if dtype is None else array.view(np.dtype(dtype))


def _tree(arrays, tree):
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {"dict": {key: _tree(arrays, value) for key, value in tree.items()}}
    if isinstance(tree, (list, tuple)):
        kind = "list" if isinstance(tree, list) else "tuple"
        return {kind: [_tree(arrays, value) for value in tree]}
    return {"array": _put(arrays, tree)}


def _untree(file, tree):
    if tree is None:
        return None
    ((kind, value),) = tree.items()
    if kind == "dict":
        return {key: _untree(file, each) for key, each in value.items()}
    if kind == "array":
        return _got(file, value)
    return (list if kind == "list" else tuple)(_untree(file, each) for each in value)
