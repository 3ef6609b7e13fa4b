"""What an optimizer's settings promise to do to a variable."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_decay.ground.arithmetic import HALF


class Promise(NamedTuple):
    """The decay of one variable, as its optimizer's settings say it.

    `key` is equal for promises that are equal; `share` gives the fraction of the weight
    that real step t takes away, and is None where that depends on the weight;
    `expected` gives what the step leaves of the array w when no gradient comes, and is
    None where only a measurement can tell. `center` is the array that the weight is
    decayed toward, None for zero; shares are then those of the distance to it.
    """

    key: object
    strength: float | None
    text: str
    coupling: str
    share: Callable[[int], float] | None
    expected: Callable[[np.ndarray, int], np.ndarray] | None
    center: np.ndarray | None = None


def number(value):
    """A scalar variable, tensor or number as a plain float."""
    return float(as_numpy(value))


def as_numpy(tensor):
    """The tensor as an array of float64, in which shares can be compared."""
    tensor = ops.convert_to_tensor(tensor)
    if str(tensor.dtype).endswith(HALF):
        tensor = ops.cast(tensor, "float32")
    return np.asarray(ops.convert_to_numpy(tensor), "float64")


def shrinkage(before, after):
    """The share of `before` that `after` lacks: 1 − ⟨after, before⟩ / ‖before‖².

    NaN if `before` is zero throughout or not finite.
    """
    before, after = np.ravel(before), np.ravel(after)
    with np.errstate(all="ignore"):
        return float(np.dot(before - after, before) / np.dot(before, before))
