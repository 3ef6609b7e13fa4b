"""The residuals of half-precision weights: what rounding takes from them is kept.

A bfloat16 weight has 8 significant bits, so that a decay by a ten-thousandth rounds to
nothing, at every step anew. Here the weight w is held as the sum of the half-precision
variable and a float32 residual r of less than half a unit in its last place: decay and
penalty act on w + r. That takes 4 bytes for each entry of a decayed half-precision
weight; float32 and float64 weights have none.

The rounding of the wrapped optimizer's own step is not made up for.
"""

import keras
from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import HALF

RESIDUAL = "residual"


def needs_residual(variable):
    """Whether `variable` is of half precision."""
    return keras.backend.standardize_dtype(variable.dtype) in HALF


def whole(weight, residual):
    """The weight with its residual, in float32.

    A residual with which the sum does not round to `weight` is dropped: it belongs to
    an earlier weight, and the variable has been set from outside since.

    Args:
        weight: A half-precision tensor.
        residual: A float32 tensor of its shape.
    """
    wide = ops.cast(weight, "float32")
    fits = ops.equal(backend.current().rounded(wide + residual, weight.dtype), weight)
    return ops.where(fits, wide + residual, wide)


def parted(value, dtype):
    """Split a float32 tensor into a half-precision one and its residual."""
    weight = backend.current().rounded(value, dtype)
    return weight, value - ops.cast(weight, "float32")
