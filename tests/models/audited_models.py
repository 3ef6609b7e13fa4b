"""Small models for the tests of `audit`."""

import keras
import numpy as np
from support import apply_as_fit_does

from keras_decay.ground import backend

X, Y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")


def dense(optimizer=None, penalty=None, dtype=None, **arguments):
    """Dense, LayerNormalization, Dense, compiled with the optimizer if there is one."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(
                5, name="first", kernel_regularizer=penalty, dtype=dtype, **arguments
            ),
            layers.LayerNormalization(name="ln", dtype=dtype),
            layers.Dense(1, name="head", dtype=dtype),
        ]
    )
    if optimizer is not None:
        model.compile(optimizer, "mse")
    return model


def kernels(optimizer=None, **arguments):
    """Two kernels and nothing else, so that nothing is decayed that should not be."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, use_bias=False, name="first", **arguments),
            keras.layers.Dense(1, use_bias=False, name="head"),
        ]
    )
    if optimizer is not None:
        model.compile(optimizer, "mse")
    return model


L1 = keras.regularizers.L1(0.01)


def assigned_late():
    """A penalty on the layer alone, so that it does not act."""
    model = kernels("adam")
    model.layers[0].kernel_regularizer = L1
    return model


def assigned_to_variable():
    """A penalty on the variable alone, so that it is not saved."""
    model = kernels("adam")
    model.layers[0].kernel.regularizer = L1
    return model


def tokens(optimizer):
    """An embedding and a kernel."""
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            keras.layers.Embedding(7, 4, name="tokens"),
            keras.layers.Flatten(),
            keras.layers.Dense(1, use_bias=False, name="head"),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def after(steps, model):
    """The model after optimizer steps with random gradients."""
    rng = np.random.default_rng(0)
    variables = model.trainable_variables
    if not model.optimizer.built:
        model.optimizer.build(variables)
    with backend.current().no_grad():
        for _ in range(steps):
            grads = [rng.normal(size=v.shape).astype("float32") for v in variables]
            grads = [
                keras.ops.cast(g, v.dtype)
                for g, v in zip(grads, variables, strict=True)
            ]
            apply_as_fit_does(model.optimizer, grads, variables)
    return model


def state(model):
    """The bytes of everything that the model and its optimizer hold."""
    variables = [
        *model.variables,
        *(model.optimizer.variables if model.optimizer else []),
    ]
    return [bytes(keras.ops.convert_to_numpy(v).tobytes()) for v in variables]
