"""Arithmetic on tensors that survives zeros, large numbers and half precision.

A gradient flows through both branches of `where`: a branch that is not chosen must not
be NaN or infinite either, or the gradient would be NaN. Hence the guards before a
division or a root.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

HALF = ("float16", "bfloat16")


class Limits(NamedTuple):
    """The relative rounding, the smallest normal and the largest number of a type."""

    eps: float
    tiny: float
    max: float


def limits(w):
    """The `Limits` of the type of `w`, which is float32 or float64."""
    found = np.finfo(keras.backend.standardize_dtype(w.dtype))
    return Limits(float(found.eps), float(found.tiny), float(found.max))


def is_double(w):
    """Whether `w` is in float64."""
    return keras.backend.standardize_dtype(w.dtype) == "float64"


def computable(w):
    """`w` as a tensor in which sums neither overflow nor lose small terms.

    float16 and bfloat16 become float32; integers become Keras' default float.
    """
    w = ops.convert_to_tensor(w)
    dtype = keras.backend.standardize_dtype(w.dtype)
    if dtype in HALF:
        return ops.cast(w, "float32")
    if "float" not in dtype:
        return ops.cast(w, keras.config.floatx())
    return w


def smaller(x, y):
    """Elementwise minimum. `ops.minimum` downcasts float64 on PyTorch."""
    return ops.where(x < y, x, y)


def larger(x, y):
    """Elementwise maximum. `ops.maximum` downcasts float64 on PyTorch."""
    return ops.where(x > y, x, y)


def magnitude(w):
    """|w| with the gradient sign(w), which is 0 at 0.

    The gradient of `ops.abs` at 0 is 1 on JAX, which would push zeros away.
    """
    return w * ops.stop_gradient(ops.sign(w))


def zero_unless(condition, x):
    """`x` where the condition holds, else 0."""
    return ops.where(condition, x, ops.zeros_like(x))


def one_unless(condition, x):
    """`x` where the condition holds, else 1, by which one can divide."""
    return ops.where(condition, x, ops.ones_like(x))


def positive_or_one(x):
    """`x` where it is positive, else 1, by which one can divide."""
    return one_unless(x > 0, x)


def unit_of(w, axis=None):
    """The largest |w|, or 1 if all are zero, without gradient.

    In this unit no square of an entry overflows, and the largest does not vanish.

    Args:
        w: A tensor.
        axis: The axes to take the largest along, which are kept; None for all axes,
            which go.
    """
    largest = ops.amax(ops.abs(w), axis=axis, keepdims=axis is not None)
    return positive_or_one(ops.stop_gradient(largest))
