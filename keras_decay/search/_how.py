"""The arguments that say how a search runs, checked before anything is built."""

import os

import numpy as np

from keras_decay import _validation

ENGINES = ("auto", "vectorized", "sequential")


def check_how(engine, max_parallel, n_jobs, memory):
    """Refuse what `run` does not take.

    Raises:
        TypeError, ValueError: The error names the argument and its value.
    """
    if not isinstance(engine, str) or engine not in ENGINES:
        must = "'auto', 'vectorized' or 'sequential'"
        raise ValueError(_validation.received("engine", engine, must))
    if not (isinstance(max_parallel, str) and max_parallel == "auto"):
        must = "'auto' or a whole number of at least 1"
        if not _is_whole(max_parallel):
            text = _validation.received("max_parallel", max_parallel, must)
            raise TypeError(text)
        if max_parallel < 1:
            text = _validation.received("max_parallel", max_parallel, must)
            raise ValueError(text)
    if n_jobs is not None:
        must = "None or a whole number other than 0, as joblib takes it"
        if not _is_whole(n_jobs):
            raise TypeError(_validation.received("n_jobs", n_jobs, must))
        if n_jobs == 0:
            raise ValueError(_validation.received("n_jobs", n_jobs, must))
    if memory is not None and not isinstance(memory, (str, os.PathLike)):
        must = "None or the path of a folder"
        raise TypeError(_validation.received("memory", memory, must))


def _is_whole(value):
    if isinstance(value, (bool, np.bool_)):
        return False
    return isinstance(value, (int, np.integer))
