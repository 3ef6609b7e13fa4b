"""Every kind of layer that units pass through, between two layers that have units."""

import keras
import pytest
from keras import layers
from pruned_models import (
    C1,
    C2,
    C3,
    DEPTHWISE,
    FLAT,
    IMAGE,
    ROW,
    SEPARABLE,
    SERIES,
    TRANSPOSED,
    UNITS,
    VOLUME,
    D,
    a,
    assert_equal_outputs,
    b,
    edit,
    filled,
    pruned,
    quietly,
    unit_counts,
    zero_units,
    zero_uses,
)

BACKEND = keras.backend.backend()
# Name: shape of the input, layers, units of `a` that stay (of 6).
CHAINS = {
    "dense": (ROW, lambda: [a(D, "sigmoid"), b(D)], 3),
    "noise": (
        ROW,
        lambda: [
            a(D),
            layers.Activation("gelu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.GaussianNoise(1.0),
            layers.GaussianDropout(0.5),
            layers.AlphaDropout(0.5),
            b(D),
        ],
        3,
    ),
    "activation layers": (
        ROW,
        lambda: [
            a(D, layers.ELU()),
            layers.LeakyReLU(),
            layers.PReLU(),
            layers.Rescaling(2.0, 1.0),
            layers.ReLU(threshold=0.1),
            b(D, "softmax"),
        ],
        3,
    ),
    "no biases": (ROW, lambda: [a(D, "sigmoid", False), b(D, use_bias=False)], 3),
    "dense on a sequence": (SERIES, lambda: [a(D, "softplus"), b(D)], 3),
    "valid": (IMAGE, lambda: [a(C2, 3, activation="softplus"), b(C2, 3)], 3),
    "strides": (
        IMAGE,
        lambda: [
            a(C2, 3, strides=2, padding="same", activation="silu"),
            b(C2, 2, dilation_rate=2),
        ],
        3,
    ),
    "same, constant 0": (
        IMAGE,
        lambda: [
            a(C2, 3, padding="same", activation="relu", use_bias=False),
            b(C2, 3, padding="same"),
        ],
        3,
    ),
    "same, constant not 0": (
        IMAGE,
        lambda: [a(C2, 3, activation="sigmoid"), b(C2, 3, padding="same")],
        5,
    ),
    "same, pointwise": (
        IMAGE,
        lambda: [a(C2, 3, activation="sigmoid"), b(C2, 1, strides=2, padding="same")],
        3,
    ),
    "pooling": (
        IMAGE,
        lambda: [
            a(C2, 3, activation="sigmoid"),
            layers.MaxPooling2D(2, 1, padding="same"),
            layers.AveragePooling2D(3, 2, padding="same"),
            layers.SpatialDropout2D(0.5),
            FLAT(),
            b(D),
        ],
        3,
    ),
    "normalised, global mean": (
        IMAGE,
        lambda: [
            a(C2, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            b(D),
        ],
        3,
    ),
    "normalised without scale": (
        IMAGE,
        lambda: [
            a(C2, 3),
            layers.BatchNormalization(scale=False),
            layers.BatchNormalization(center=False),
            b(C2, 3),
        ],
        3,
    ),
    "global maximum": (
        IMAGE,
        lambda: [
            a(C2, 3, activation="tanh"),
            layers.GlobalMaxPooling2D(keepdims=True),
            layers.PReLU(shared_axes=[1, 2]),
            b(C2, 1),
        ],
        3,
    ),
    "series": (
        SERIES,
        lambda: [
            a(C1, 3, activation="sigmoid"),
            layers.SpatialDropout1D(0.5),
            layers.UpSampling1D(2),
            layers.Cropping1D(1),
            layers.AveragePooling1D(2),
            b(C1, 2),
            layers.GlobalAveragePooling1D(),
        ],
        3,
    ),
    "causal, constant 0": (
        SERIES,
        lambda: [
            a(C1, 3, activation="tanh", use_bias=False),
            b(C1, 3, padding="causal"),
        ],
        3,
    ),
    "causal, constant not 0": (
        SERIES,
        lambda: [a(C1, 3), b(C1, 3, padding="causal")],
        5,
    ),
    "volume": (
        VOLUME,
        lambda: [
            a(C3, 3, activation="sigmoid"),
            layers.MaxPooling3D(2),
            layers.UpSampling3D(2),
            FLAT(),
            b(D),
        ],
        3,
    ),
    "padding, constant 0": (
        IMAGE,
        lambda: [
            a(C2, 3, activation="elu", use_bias=False),
            layers.ZeroPadding2D(1),
            layers.UpSampling2D(2, interpolation="bilinear"),
            b(C2, 3),
        ],
        3,
    ),
    "padding, constant not 0": (
        IMAGE,
        lambda: [a(C2, 3), layers.ZeroPadding2D(1), FLAT(), b(D)],
        5,
    ),
    "depthwise": (
        IMAGE,
        lambda: [
            a(C2, 3, activation="sigmoid"),
            DEPTHWISE(3, depth_multiplier=1, activation="softplus"),
            b(C2, 2),
        ],
        3,
    ),
    "depthwise, same": (
        IMAGE,
        lambda: [
            a(C2, 3, activation="sigmoid"),
            DEPTHWISE(3, padding="same"),
            b(C2, 1),
        ],
        5,
    ),
    "separable": (
        IMAGE,
        lambda: [
            a(SEPARABLE, 3, depth_multiplier=2, activation="sigmoid"),
            b(SEPARABLE, 3, depth_multiplier=2),
        ],
        3,
    ),
    "transposed": (
        IMAGE,
        lambda: [
            a(TRANSPOSED, 3, strides=2, activation="sigmoid"),
            b(C2, 3),
        ],
        3,
    ),
    "into transposed, constant 0": (
        IMAGE,
        lambda: [
            a(C2, 3, use_bias=False, activation="relu"),
            b(TRANSPOSED, 3, strides=2),
        ],
        3,
    ),
    "into transposed, constant not 0": (
        IMAGE,
        lambda: [a(C2, 3), b(TRANSPOSED, 3)],
        5,
    ),
    "reshapes": (
        IMAGE,
        lambda: [
            a(C2, 3, activation="sigmoid"),
            layers.Reshape((36, UNITS)),
            layers.Reshape((-1, UNITS)),
            layers.Reshape((36 * UNITS,)),
            b(D),
        ],
        3,
    ),
    "repeated": (
        ROW,
        lambda: [a(D, "exponential"), layers.RepeatVector(7), b(C1, 3)],
        3,
    ),
    "channels first": (
        IMAGE,
        lambda: [
            a(C2, 3, data_format="channels_first", activation="sigmoid"),
            layers.BatchNormalization(axis=1),
            layers.PReLU(shared_axes=[2, 3]),
            layers.MaxPooling2D(1, data_format="channels_first"),
            layers.Flatten(data_format="channels_first"),
            b(D),
        ],
        3,
    ),
}


def chain(name):
    shape, make, _ = CHAINS[name]
    if name == "channels first":
        shape = (2, 8, 8)
    model = filled(keras.Sequential([keras.Input(shape), *make()]))
    zero_units(model.get_layer("a"), [0, 2])
    zero_uses(model.get_layer("b"), [3], UNITS)
    return model


@pytest.mark.parametrize("name", CHAINS)
def test_chain(name):
    if name == "channels first" and BACKEND == "tensorflow":
        pytest.skip("TensorFlow convolves channels first on GPUs alone")
    model, left = chain(name), CHAINS[name][2]
    small, warned = pruned(model)
    assert len(warned) == (left != 3)
    assert all("2 of 'a', as their constant" in text for text in warned)
    assert unit_counts(small)["a"] == left
    assert unit_counts(small)["b"] == 3
    assert_equal_outputs(small, model)
    assert [x.name for x in small.layers] == [x.name for x in model.layers]


def test_a_constant_of_normalisation():
    """A scale of zero makes a constant, too: the way of network slimming."""
    normal = layers.BatchNormalization(name="normal")
    chain = [C2(UNITS, 3, name="a"), normal, layers.ReLU(), FLAT(), D(2)]
    model = filled(keras.Sequential([keras.Input(IMAGE), *chain]))
    edit(normal.gamma, lambda w: w.__setitem__([1, 4], 0))
    edit(normal.beta, lambda w: w.__setitem__([1, 4], [2, -2]))
    small = quietly(model)
    assert unit_counts(small)["a"] == 4
    assert_equal_outputs(small, model)
