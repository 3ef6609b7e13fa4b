"""Checks of arguments, in one form of words.

Every message reads "`name` must be …. Received: name=value", then what to do. The
checks run in constructors, on plain Python values, before any training starts. Keras is
imported only by the checks that accept tensors, so that arithmetic does not load it.
"""

import math
import os
from numbers import Real
from pathlib import Path

import numpy as np


def received(name, value, must, remedy=""):
    """The text of an error about the argument `name`, in the house's form."""
    text = f"`{name}` must be {must}. Received: {name}={value!r}"
    if not isinstance(value, (str, int, float, bool, type(None), list, tuple, dict)):
        text += f" (of type {type(value).__name__})"
    return f"{text}. {remedy}".rstrip() if remedy else text


def is_number(value):
    """Whether `value` is a real number: NumPy scalars are, `True` is not."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iuf"
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def number(name, value, *, minimum=-math.inf, above=-math.inf, maximum=math.inf):
    """`value` as a plain finite float within the bounds, or a clear error."""
    must = "a finite number"
    if above > -math.inf:
        must += f" greater than {above:g}"
    elif minimum > -math.inf:
        must += f" of at least {minimum:g}"
    if maximum < math.inf:
        must += f" and at most {maximum:g}"
    if not is_number(value):
        raise TypeError(received(name, value, must))
    try:
        plain = float(value)
    except OverflowError:
        plain = math.inf
    if not (math.isfinite(plain) and above < plain and minimum <= plain <= maximum):
        raise ValueError(received(name, value, must))
    return plain


def integer(name, value, *, minimum):
    """`value` as a plain int of at least `minimum`, or a clear error."""
    must = f"a whole number of at least {minimum}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(received(name, value, must))
    if value < minimum:
        raise ValueError(received(name, value, must))
    return int(value)


def boolean(name, value):
    """`value` as a plain bool, or a clear error."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(received(name, value, "True or False"))
    return bool(value)


def choice(name, value, options, remedy=""):
    """`value`, which must be one of `options`, or a clear error.

    Args:
        name: The argument's name.
        value: The argument.
        options: The allowed values, texts or booleans.
        remedy: What to do instead, in a sentence.
    """
    options = list(options)
    # By type, too: 1 equals True, and an array compares with each of its entries.
    if any(isinstance(value, type(option)) and value == option for option in options):
        return value
    must = f"one of {', '.join(map(repr, options)) or 'none'}"
    raise ValueError(received(name, value, must, remedy))


def path(name, value, must="a path"):
    """`value` as a `pathlib.Path` with `~` expanded, or a clear error.

    Args:
        name: The argument's name.
        value: A text or path-like object.
        must: What the argument must be, for the error.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(received(name, value, must))
    return Path(value).expanduser()


def is_scalar_tensor(value):
    """Whether `value` is a `keras.Variable` or backend tensor of shape ()."""
    import keras

    if isinstance(value, (str, bytes)) or not (
        isinstance(value, keras.Variable) or keras.ops.is_tensor(value)
    ):
        return False
    return tuple(value.shape) == () and "float" in keras.backend.standardize_dtype(
        value.dtype
    )


def strength(name, value):
    """A penalty's strength: a plain float, or a scalar variable or tensor as it is.

    The value of a tensor cannot be checked: it may change, or be traced.
    """
    if _is_tensor(name, value):
        return value
    return number(name, value, minimum=0)


def scale(name, value):
    """As `strength`, for a prior's scale: a number must be greater than zero."""
    if _is_tensor(name, value):
        return value
    return number(name, value, above=0)


def _is_tensor(name, value):
    """Whether `value` is a scalar variable or tensor; an error for other tensors."""
    import keras

    if isinstance(value, np.ndarray) or not (
        isinstance(value, keras.Variable) or keras.ops.is_tensor(value)
    ):
        return False
    if not is_scalar_tensor(value):
        raise ValueError(
            received(name, value, "a number or a floating-point tensor of shape ()")
        )
    return True


def array(name, value):
    """A copy of `value` as a NumPy array of finite floats, or a clear error.

    Numbers of other kinds than NumPy's own floats become float64.
    """
    import keras

    must = "an array of finite numbers"
    if isinstance(value, keras.Variable) or keras.ops.is_tensor(value):
        value = keras.ops.convert_to_numpy(value)
    try:
        copy = np.array(value)  # the user's may change
        if copy.dtype.kind in "USOcMm":
            raise TypeError(f"an array of type {copy.dtype}")
        copy = copy.astype(copy.dtype.newbyteorder("="))
        if copy.dtype.name not in ("float16", "float32", "float64"):
            copy = copy.astype("float64")
    except (TypeError, ValueError) as error:
        raise TypeError(received(name, value, must)) from error
    if not np.all(np.isfinite(copy)):
        raise ValueError(received(name, value, must))
    return copy
