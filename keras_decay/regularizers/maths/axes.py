"""What `axis` means: a group of weights is one slice of the kernel along it.

With `axis=-1` the entries that share their last index are a group: all that leads to
one output of a `Dense` or `Conv` layer. With `axis=(0, 1)` the entries of a group share
their first two indices.
"""

import math

import numpy as np
from keras import ops

from keras_decay.ground import validation

# `regularize` resolves these into numbers, by the kind of the layer.
AXIS_NAMES = ("input", "output", "head")
MUST = "an int, a tuple of different ints, or one of " + ", ".join(
    map(repr, AXIS_NAMES)
)


def checked_axis(name, value):
    """`value` as an int, a tuple of ints, or a name for `regularize`; else an error."""
    if isinstance(value, str):
        if value not in AXIS_NAMES:
            raise ValueError(validation.received(name, value, MUST))
        return value
    several = isinstance(value, (list, tuple))
    for index in value if several else [value]:
        if isinstance(index, (bool, np.bool_)) or not isinstance(
            index, (int, np.integer)
        ):
            raise TypeError(validation.received(name, value, MUST))
    if not several:
        return int(value)
    plain = tuple(int(index) for index in value)
    if len(set(plain)) < len(plain):
        raise ValueError(validation.received(name, value, MUST))
    return plain


def axis_config(value):
    """A checked axis for a config."""
    return list(value) if isinstance(value, tuple) else value


def kept_axes(value, shape):
    """A checked axis as sorted, non-negative numbers, for weights of that shape.

    Raises:
        ValueError: If the weights have no such axis, or the axis is still a name.
    """
    if isinstance(value, str):
        raise ValueError(
            f"`axis` is the name {value!r}, which only `kd.regularize` can resolve, "
            "by the kind of the layer. Attach the penalty with it, or give the axis as "
            f"a number. Received: axis={value!r}"
        )
    rank = len(shape)
    kept = set()
    for index in value if isinstance(value, tuple) else (value,):
        if not -rank <= index < rank:
            raise ValueError(
                f"`axis` must be an axis of the weights, which have the shape "
                f"{tuple(shape)}. Received: axis={value!r}"
            )
        kept.add(index % rank)
    return tuple(sorted(kept))


def within_axes(value, shape):
    """The axes along which the entries of one group lie."""
    kept = kept_axes(value, shape)
    return tuple(index for index in range(len(shape)) if index not in kept)


def root_of_group_size(value, w):
    """√|g|, |g| the size of a group; a tensor for activities of unknown batch size."""
    sizes = ops.shape(w)
    size = math.prod([sizes[index] for index in within_axes(value, w.shape)])
    if isinstance(size, int):
        return size**0.5
    return ops.sqrt(ops.cast(size, w.dtype))
