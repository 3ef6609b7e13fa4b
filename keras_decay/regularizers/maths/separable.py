"""What penalties share that are sums over entries, Ω(w) = Σ φ(|wᵢ|), φ not falling.

Their proximal step keeps the sign of an entry and brings it no further from zero, so
that it is enough to find it for the magnitude: a function of a = |w| ≥ 0 that gives the
global minimiser of ½(x − a)² + step · φ(x) over 0 ≤ x ≤ a.
"""

import abc

import keras
from keras import ops

from keras_decay.regularizers.penalty.algebra import (
    Penalty,
    computable,
    step_for,
    strength_for,
)

TINY = 1e-37  # still normal in float32, as is its reciprocal
BEYOND_SQUARES = 1e9  # 1 + x² is x² then in float64; no square in a formula overflows


class SumOverEntries(Penalty):
    """A penalty that is a sum over entries; a class says what it is of one of them."""

    @abc.abstractmethod
    def entrywise(self, w):
        """Ω of each entry of `w`."""

    @abc.abstractmethod
    def magnitude_prox(self, a, step):
        """The proximal step for magnitudes `a`; `step` is a scalar tensor."""

    def __call__(self, w):
        return ops.sum(self.entrywise(computable(w)))

    def prox(self, w, step):
        return prox_of_magnitudes(self.magnitude_prox, w, step)


def magnitude(w):
    """|w| with the gradient sign(w), which is 0 at 0; that of `ops.abs` is 1 on JAX."""
    return w * ops.stop_gradient(ops.sign(w))


def smaller(x, y):
    """The smaller of both; of float64, Keras' own makes float32 on PyTorch."""
    return ops.where(x < y, x, y)


def larger(x, y):
    """The larger of both; see `smaller`."""
    return ops.where(x > y, x, y)


def scalar(value, w):
    """A number, variable or tensor as a tensor of shape () in the precision of `w`."""
    return ops.convert_to_tensor(strength_for(value, w), dtype=w.dtype)


def divisor(value, w):
    """The same for a positive value that is divided by, which may not round to zero."""
    return larger(scalar(value, w), scalar(TINY, w))


def log_ratio(m, unit):
    """log(m / unit) without overflow of the ratio, for where the ratio is large.

    Returns:
        The logarithm, whether m/unit is large, and m/unit, which is 1 in large places.
    """
    ratio = m / unit
    large = ratio > BEYOND_SQUARES
    # What is not chosen must not be NaN either, or the gradient would be.
    logarithm = ops.log(ops.where(large, m, ops.ones_like(m))) - ops.log(unit)
    return logarithm, large, ops.where(large, ops.ones_like(m), ratio)


def prox_of_magnitudes(prox, w, step):
    """sign(w) · prox(|w|, step), computed in float32 at least, in the dtype of `w`.

    Args:
        prox: Function of magnitudes and of the step as a scalar tensor.
        w: A floating-point tensor of any shape.
        step: Non-negative number or scalar tensor.
    """
    wide = computable(w)
    step = ops.convert_to_tensor(step_for(step, wide), dtype=wide.dtype)
    a = ops.abs(wide)
    # Without a step no bit changes, whatever rounding the search brings.
    found = ops.where(step > 0, smaller(prox(a, step), a), a)
    return ops.cast(ops.sign(wide) * found, w.dtype)


def is_double(w):
    """Whether `w` is in float64."""
    return keras.backend.standardize_dtype(w.dtype) == "float64"
