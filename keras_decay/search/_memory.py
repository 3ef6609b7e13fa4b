"""A folder in which outcomes are kept as they finish, each in a file named by its key.

A file appears whole or not at all, and nothing that is found in the folder is executed.
Several searches, and several processes, may use one folder at a time: whoever writes a
key writes the same content.
"""

import contextlib
import json
import time
import warnings
from pathlib import Path

import numpy as np

from keras_decay import _validation
from keras_decay.curves import _rows
from keras_decay.search._work import Outcome

MARK = "keras-decay-search.json"
FORMAT = {"keras_decay_search": 1}
# Temporary files older than this, in seconds, are those of a process that was killed.
STALE = 3600.0


class Memory:
    """Outcomes in a folder, by key.

    Args:
        path: The folder; it is made if there is none.

    Raises:
        ValueError: If the folder holds something else than outcomes.
        OSError: If it cannot be written to.
    """

    def __init__(self, path):
        self._folder = Path(path).expanduser().absolute()
        self._fails = False
        try:
            self._open()
        except OSError as error:
            raise OSError(
                f"`memory` cannot be written to {str(path)!r}: "
                f"{error.strerror or error}. Choose another folder."
            ) from error

    def _open(self):
        self._folder.mkdir(parents=True, exist_ok=True)
        mark = self._folder / MARK
        if not mark.exists():
            # Hidden files are no content: another process may just begin here too.
            found = sorted(
                p.name for p in self._folder.iterdir() if not p.name.startswith(".")
            )
            if found and MARK not in found:
                self._refuse(
                    f"It holds {found[0]!r}, which is none of a search's files"
                )
        elif not _is_ours(mark):
            self._refuse(f"Its {MARK} is not of this version of keras_decay")
        # Written even where there is one: it shows that the folder can be written to.
        _rows.replace(mark, lambda file: file.write(json.dumps(FORMAT).encode()))
        for leftover in self._folder.glob(".*.npz"):
            with contextlib.suppress(OSError):
                if time.time() - leftover.stat().st_mtime > STALE:
                    leftover.unlink()

    def _refuse(self, reason):
        must = "a new or empty folder, or one that a search has made"
        text = _validation.received("memory", str(self._folder), must)
        raise ValueError(f"{text}. {reason}.")

    def get(self, key):
        """The outcome of that key, or None if there is none that is whole."""
        try:
            with np.load(self._path(key), allow_pickle=False) as file:
                return _outcome(file)
        except Exception:  # a torn file raises of everything; the task is trained again
            return None

    def put(self, key, outcome):
        """Keep an outcome. A disk that is full ends the keeping, not the search."""
        if self._fails:
            return
        try:
            _rows.replace(
                self._path(key), lambda file: np.savez(file, **_parts(outcome))
            )
        except OSError as error:
            self._fails = True
            warnings.warn(
                f"`memory` cannot be written any more: {error!r}. The search goes on "
                "without it.",
                stacklevel=2,
            )

    def _path(self, key):
        return self._folder / f"{key}.npz"


def _is_ours(mark):
    try:
        return json.loads(mark.read_text()) == FORMAT
    except (OSError, ValueError):
        return False


def _parts(outcome):
    """The arrays of a file, by name."""
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


def _outcome(file):
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
