"""Strengths and proximal steps, made ready to multiply weights.

A penalty holds a strength as the user gave it: a plain number, a `keras.Variable` or a
tensor. These functions turn it into something that multiplies a tensor of weights.
"""

import keras
from keras import ops

from keras_decay.ground import backend, validation
from keras_decay.ground.arithmetic import computable, larger

TINY = 1e-37  # a normal number in float32, as is its reciprocal


def plain(strength):
    """The strength's present value as a plain float, for a config."""
    if isinstance(strength, float):
        return strength
    return float(ops.convert_to_numpy(strength))


def strength_for(strength, w):
    """The strength as something that multiplies the tensor `w`.

    Raises:
        RuntimeError: If the strength is a variable whose present value would be
            compiled into a program as a constant, so that later changes would be
            ignored.
    """
    if not isinstance(strength, keras.Variable):
        if ops.is_tensor(strength):
            return ops.cast(strength, w.dtype)
        return strength
    value = strength.value
    if backend.current().is_baked(value):
        raise RuntimeError(
            f"The strength {strength.path!r} is a keras.Variable that is no part of "
            "the model's state, so JAX would compile its present value into the "
            "training step and ignore later changes. Call `kd.track_strength(layer, "
            "penalty)`, which makes it part of the state; or give the penalty a plain "
            "number, or give it to `DecoupledWeightDecay(penalty=…)`."
        )
    return ops.cast(value, w.dtype)


def step_for(step, w):
    """A proximal step as something that multiplies the tensor `w`."""
    if ops.is_tensor(step) or isinstance(step, keras.Variable):
        return ops.cast(step, w.dtype)
    return validation.number("step", step, minimum=0)


def scalar(value, w):
    """A number, variable or tensor as a tensor of shape () in the precision of `w`."""
    return ops.convert_to_tensor(strength_for(value, w), dtype=w.dtype)


def divisor(value, w):
    """`scalar` for a positive value, kept from rounding to zero, to divide by."""
    return larger(scalar(value, w), scalar(TINY, w))


def wide_prox(prox, w, step):
    """prox(w, step), computed in float32 at least, in the dtype of `w`."""
    wide = computable(w)
    return ops.cast(prox(wide, step_for(step, wide)), w.dtype)


def weighted_value(function, w, strength):
    """strength · function(w), a scalar, computed in float32 at least."""
    w = computable(w)
    return strength_for(strength, w) * function(w)


def weighted_prox(shrink, w, step, strength):
    """shrink(w, step · strength), computed in float32 at least, in the dtype of `w`."""

    def prox(w, step):
        return shrink(w, step * strength_for(strength, w))

    return wide_prox(prox, w, step)
