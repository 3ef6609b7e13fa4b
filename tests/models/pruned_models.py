"""Models with dead units, and what is asked of the pruned one."""

import functools
import warnings

import keras
import numpy as np
from keras import layers, ops
from support import to_numpy

import keras_decay as kd

UNITS = 6  # of the first layer: 0 and 2 are dead, 3 is not used by the second
IMAGE, SERIES, VOLUME, ROW = (8, 8, 2), (9, 2), (6, 6, 6, 1), (5,)


def filled(model, seed=0):
    """The model with every weight random, statistics of normalisation too.

    Kernels are scaled, lest outputs be small differences of large sums.
    """
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = rng.normal(size=weight.shape)
        value /= np.sqrt(np.prod(weight.shape[:-1]))
        if "variance" in weight.path:
            value = np.abs(value) + 0.5
        weight.assign(ops.cast(value.astype("float32"), weight.dtype))
    return model


def edit(variable, change):
    """Change a variable by a function that changes an array."""
    value = np.array(to_numpy(variable))
    change(value)
    variable.assign(ops.cast(value, variable.dtype))


def zero_units(layer, units):
    """All weights into some units are zero."""
    kernel = layer.pointwise_kernel if hasattr(layer, "pointwise_kernel") else None
    kernel = layer.kernel if kernel is None else kernel
    if "Transpose" in type(layer).__name__:
        edit(kernel, lambda w: w.__setitem__((..., units, slice(None)), 0))
    else:
        edit(kernel, lambda w: w.__setitem__((..., units), 0))


def zero_uses(layer, units, count):
    """All weights from some of `count` units that enter the layer are zero."""
    kernel = layer.depthwise_kernel if hasattr(layer, "depthwise_kernel") else None
    kernel = layer.kernel if kernel is None else kernel
    axis = -1 if "Transpose" in type(layer).__name__ else -2
    rows = np.isin(np.arange(kernel.shape[axis]) % count, units)
    index = (..., rows) if axis == -1 else (..., rows, slice(None))
    edit(kernel, lambda w: w.__setitem__(index, 0))


def outputs(model, seed=1):
    """What the model puts out for random inputs, at inference."""
    rng = np.random.default_rng(seed)
    inputs = [
        ops.cast(rng.normal(size=(4, *x.shape[1:])).astype("float32"), x.dtype)
        for x in model.inputs
    ]
    found = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [to_numpy(y) for y in keras.tree.flatten(found)]


def assert_equal_outputs(small, model, rtol=1e-6):
    for found, wanted in zip(outputs(small), outputs(model), strict=True):
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=rtol * scale)


def pruned(model):
    """The pruned model, and what it was warned of, pointing to here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        small = kd.prune(model)
    ours = [w for w in caught if w.filename == __file__]
    return small, [str(w.message) for w in ours if w.category is UserWarning]


def quietly(model):
    """The pruned model, without a warning."""
    small, warned = pruned(model)
    assert not warned
    return small


def a(kind, *arguments, **keywords):
    return kind(UNITS, *arguments, name="a", **keywords)


def b(kind, *arguments, **keywords):
    return kind(3, *arguments, name="b", **keywords)


def plain(kind):
    """The class of layers, started from zeros, which no backend compiles for long."""
    names = ["kernel"]
    if kind in (layers.SeparableConv2D, layers.DepthwiseConv2D):
        names = ["depthwise", "pointwise"][: 1 + (kind is layers.SeparableConv2D)]
    return functools.partial(kind, **{f"{n}_initializer": "zeros" for n in names})


D, C1, C2, C3 = map(plain, (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D))
DEPTHWISE = plain(layers.DepthwiseConv2D)
SEPARABLE = plain(layers.SeparableConv2D)
TRANSPOSED = plain(layers.Conv2DTranspose)
FLAT = layers.Flatten


def unit_counts(model):
    """Units of every layer that has any, by name."""
    return {
        row["path"].split("/")[-1]: row["units"]
        for row in kd.sparsity(model).layers
        if row["units"] is not None
    }


def mlp(widths=(5, 4, 3), activation="sigmoid", **keywords):
    names = ["first", "second", "third", "fourth"]
    hidden = [D(n, activation, name=x) for n, x in zip(widths, names, strict=False)]
    return filled(keras.Sequential([keras.Input(ROW), *hidden, D(2, name="head")]))
