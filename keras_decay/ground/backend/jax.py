"""JAX' side of the interface described in `keras_decay.ground.backend`."""

import contextlib

import jax
import keras
from keras import ops

from keras_decay.ground.backend.dense import (
    assign,
    feed,
    is_tracing,
    sparse_rows,
    svd,
    touched_rows,
    untrack,
)
from keras_decay.ground.backend.recorded import uncompiled

__all__ = [
    "as_decayed",
    "assign",
    "can_compile",
    "compiled",
    "eager",
    "feed",
    "gpus",
    "gradient",
    "has_value",
    "is_baked",
    "is_chief",
    "is_tracing",
    "kept_randomness",
    "largest_by",
    "no_grad",
    "read",
    "rounded",
    "running_sums",
    "snapshot",
    "sparse_rows",
    "subtract",
    "svd",
    "sync",
    "touched_rows",
    "uncompiled",
    "untrack",
    "wide",
]

no_grad = contextlib.nullcontext
eager = contextlib.nullcontext
kept_randomness = contextlib.nullcontext


@contextlib.contextmanager
def wide():
    """Allow 64-bit numbers within the context."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def compiled(function):
    """`function` itself: Keras compiles the whole training step."""
    return function


def can_compile(tensors, fixed, wanted):
    """Never: see `compiled`."""
    del tensors, fixed, wanted
    return False


def snapshot(variable):
    """The present value of `variable`. JAX arrays are immutable."""
    return ops.convert_to_tensor(variable)


read = snapshot


def has_value(variable):
    """Whether `variable` can be read.

    Keras empties variables while it trains, and does not always fill them again where
    an exception ends `fit`.
    """
    return variable._value is not None


def subtract(variable, amount):
    """Take `amount` from `variable`."""
    variable.assign(variable - amount)


def sync(model):
    """Put the state of a `fit` that is running into the model's variables.

    Raises:
        ValueError: If the trainable variables are no longer those of the state.
    """
    state = None if model._jax_state_synced else getattr(model, "_jax_state", None)
    if state:
        given = [tuple(value.shape) for value in state["trainable_variables"]]
        if given != [tuple(v.shape) for v in model.trainable_variables]:
            raise ValueError(
                "On JAX `model.jax_state_sync()` must be called within an epoch before "
                "layers are frozen or thawed, since their weights are not in the model "
                "then. Between epochs they are."
            )
    model.jax_state_sync()


def is_chief(model):
    """Whether this process is the first of those that train together."""
    del model
    return jax.process_index() == 0


def is_baked(value):
    """Whether a function is being traced in which `value` would be a constant.

    While a function is traced, every operation yields a tracer, even an operation on
    constants. A value that is no tracer then becomes a constant of the program, unless
    Keras traces for shapes alone, as it does when `fit` begins.
    """
    tracing = isinstance(jax.numpy.add(1.0, 1.0), jax.core.Tracer)
    if not tracing or isinstance(value, jax.core.Tracer):
        return False
    with keras.SymbolicScope() as scope:
        return scope.original_scope is None


def as_decayed(fraction):
    """The fraction of a weight that decay takes away, as it is."""
    return fraction


def rounded(x, dtype):
    """A float32 tensor rounded to a half-precision `dtype`.

    XLA drops a cast to half precision and back, unless bit casts stand in between.
    """
    bits = jax.lax.bitcast_convert_type(x.astype(dtype), "uint16")
    return jax.lax.bitcast_convert_type(bits, dtype)


def gradient(function, w):
    """The gradient of a scalar function at the tensor `w`."""
    return jax.grad(function)(w)


def gpus():
    """The names of the GPUs that the backend can use."""
    return [d.device_kind for d in jax.devices() if d.platform == "gpu"]


def largest_by(number, values, count):
    """For each number below `count` the largest of the values that have it."""
    return jax.ops.segment_max(values, number, num_segments=count)


def running_sums(x):
    """The sums of the first, the first two, … entries along the last axis."""
    return jax.numpy.cumsum(x, axis=-1)
