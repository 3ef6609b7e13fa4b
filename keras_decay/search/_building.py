"""Models made by the user's `build`, under a seed, and checked."""

import contextlib
import random
import sys

import keras
import numpy as np

# Their threads draw from Python's generator of random numbers, too, and may do so
# while a model is built.
_DRAWING = ("distributed", "ray")
ATTEMPTS = 9


@contextlib.contextmanager
def seeded(seed):
    """Seed all random numbers, as a loop over seeds would, and give Python's back.

    The generators of Python and NumPy go on afterwards where they were.
    """
    python, numpy = random.getstate(), np.random.get_state()
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def build_model(build, params, seed, x):
    """The model of these hyperparameters, compiled and built, not trained.

    Args:
        build: The user's function.
        params: Its arguments, by name.
        seed: Whole number of at least 0.
        x: A row or more of inputs, for models that are built by them.

    Raises:
        TypeError, ValueError: If what `build` returns is no compiled Keras model.
    """
    model, following = _built(build, params, seed, x)
    for _ in range(ATTEMPTS):
        if not any(name in sys.modules for name in _DRAWING):
            break
        before = following
        model, following = _built(build, params, seed, x)
        if following == before:  # nobody else has drawn
            break
    return model


def _built(build, params, seed, x):
    """The model, and the next number of each generator that it was built with."""
    with seeded(seed):
        model = build(**params)
        if not isinstance(model, keras.Model):
            raise TypeError(
                "`build` must return a keras.Model. Received: "
                f"build(**{params!r}) of type {type(model).__name__}"
            )
        if not model.compiled or model.optimizer is None:
            raise ValueError(
                "`build` must return a model that is compiled with a loss and an "
                "optimizer: call model.compile(…) in it. Received: "
                f"build(**{params!r}) that is not compiled"
            )
        if not model.built:
            model(first_rows(x, 1), training=False)
        return model, (random.random(), np.random.random())


def rows_of(tree, rows):
    """Those rows of an array, or of each array of a list or dict."""
    if tree is None:
        return None
    return keras.tree.map_structure(lambda array: np.asarray(array)[rows], tree)


def first_rows(tree, count):
    """The first rows."""
    return rows_of(tree, slice(0, count))


def length(tree):
    """The number of rows."""
    return len(keras.tree.flatten(tree)[0])
