"""The smaller model puts out what the large one does; what cannot go is said."""

import functools
import json
import re
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import to_numpy

import keras_decay as kd

BACKEND = keras.backend.backend()
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


def unit_counts(model):
    """Units of every layer that has any, by name."""
    return {
        row["path"].split("/")[-1]: row["units"]
        for row in kd.sparsity(model).layers
        if row["units"] is not None
    }


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


def mlp(widths=(5, 4, 3), activation="sigmoid", **keywords):
    names = ["first", "second", "third", "fourth"]
    hidden = [D(n, activation, name=x) for n, x in zip(widths, names, strict=False)]
    return filled(keras.Sequential([keras.Input(ROW), *hidden, D(2, name="head")]))


def test_removal_makes_units_dead_and_useless_in_turn():
    model = mlp()
    # Constants go on: all that enters unit 1 of the second are units 0 and 2.
    zero_units(model.get_layer("first"), [0, 2])
    edit(model.get_layer("second").kernel, lambda w: w.__setitem__(([1, 3, 4], 1), 0))
    # Need goes back: unit 4 of the first is used by unit 2 of the second alone, that by
    # unit 0 of the third alone, and that by nothing.
    edit(model.get_layer("second").kernel, lambda w: w.__setitem__((4, [0, 1, 3]), 0))
    edit(model.get_layer("third").kernel, lambda w: w.__setitem__((2, [1, 2]), 0))
    edit(model.get_layer("head").kernel, lambda w: w.__setitem__(0, 0))
    small = quietly(model)
    assert unit_counts(small) == {"first": 2, "second": 2, "third": 2, "head": 2}
    assert_equal_outputs(small, model)


def test_one_unit_stays_in_a_layer_of_dead_ones():
    model = mlp()
    zero_units(model.get_layer("second"), range(4))
    small = quietly(model)
    assert unit_counts(small) == {"first": 1, "second": 1, "third": 1, "head": 2}
    assert_equal_outputs(small, model)


def test_nothing_to_remove_gives_an_equal_copy():
    model = mlp()
    small = quietly(model)
    assert small is not model
    for mine, its in zip(small.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    small.layers[0].kernel.assign(0 * small.layers[0].kernel)
    assert np.all(model.get_weights()[0]), "the copy shares a weight"


def cnn():
    hidden = [
        C2(4, 2, activation="sigmoid", name="first"),
        layers.BatchNormalization(),
        C2(4, 2, padding="same", activation="relu", name="second"),
        layers.MaxPooling2D(),
        FLAT(),
    ]
    return filled(
        keras.Sequential([keras.Input((4, 4, 1)), *hidden, D(2, name="head")])
    )


@pytest.mark.parametrize("make, trials", [(lambda: mlp((4, 4)), 10), (cnn, 5)])
def test_any_pattern_of_zeros(make, trials):
    """Oracle: the large model; and what is left no second pruning removes."""
    model, rng = make(), np.random.default_rng(0)
    for trial in range(trials):
        filled(model, trial)
        for name in ("first", "second", "head"):
            kernel = model.get_layer(name).kernel
            mask = rng.random(kernel.shape[-2:]) < rng.choice([0.2, 0.5, 0.9])
            mask &= rng.random(mask.shape[1]) < 0.8
            edit(kernel, lambda w, mask=mask: w.__imul__(mask.astype("float32")))
        small, _ = pruned(model)
        assert_equal_outputs(small, model)
        assert unit_counts(pruned(small)[0]) == unit_counts(small)


def functional():
    """Branches, a concatenation and two outputs; units 0 and 2 of `a` are dead."""
    x = keras.Input(ROW, name="x")
    shared = a(D, "sigmoid")(x)
    left = D(4, "gelu", name="left")(shared)
    right = D(4, "relu", name="right")(shared)
    both = layers.Concatenate(name="both")([left, x, right])
    model = keras.Model(
        {"x": x}, {"sum": D(2, name="sum")(both), "right": D(1, name="end")(right)}
    )
    filled(model)
    zero_units(model.get_layer("a"), [0, 2])
    zero_units(model.get_layer("left"), [1])
    edit(model.get_layer("sum").kernel, lambda w: w.__setitem__([0, 9], 0))
    return model


def test_functional_model():
    model = functional()
    small = quietly(model)
    # Unit 0 of `right` is not used by `sum` but by `end`.
    counts = {"a": 4, "left": 2, "right": 4, "sum": 2, "end": 1}
    assert unit_counts(small) == counts
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    wanted, found = model({"x": x}), small({"x": x})
    assert set(found) == {"sum", "right"}
    for name, value in wanted.items():
        value = to_numpy(value)
        scale = np.abs(value).max()
        np.testing.assert_allclose(to_numpy(found[name]), value, atol=1e-6 * scale)


def mixer(kind):
    """A chain `a`, `c` that is followed, and `a` going into something that is not."""
    x = keras.Input(ROW)
    y = a(D, "sigmoid")(D(4, name="before")(x))
    if kind == "softmax":
        y = layers.Softmax(name="it")(y)
    elif kind == "normalised":
        y = layers.LayerNormalization(name="it")(y)
    elif kind == "sum":
        y = layers.Add(name="it")([y, D(UNITS, name="other")(x)])
    elif kind == "operation":
        y = ops.relu(y)
    elif kind == "dropout at inference":
        y = layers.Dropout(0.0, name="it")(y, training=True)
    elif kind == "used twice":
        layer = D(UNITS, name="it")
        y = layer(layer(y))
    elif kind == "nested":
        inner = keras.Sequential([keras.Input((UNITS,)), D(3)], name="it")
        y = inner(y)
    elif kind == "own activation":
        y = D(4, lambda z: z - ops.mean(z, -1, keepdims=True), name="own")(y)
    elif kind == "normalised over positions":
        y = layers.Reshape((UNITS, 1))(y)
        y = FLAT()(layers.BatchNormalization(name="it")(y))
    return keras.Model(x, D(2, name="end")(y))


MIXERS = (
    *("softmax", "normalised", "sum", "operation", "dropout at inference"),
    *("used twice", "nested", "normalised over positions"),
)


@pytest.mark.parametrize("kind", MIXERS)
def test_what_cannot_be_followed_keeps_units_and_is_named(kind):
    model = filled(mixer(kind))
    zero_units(model.get_layer("a"), [0, 2])
    zero_units(model.get_layer("before"), [1])
    place = "relu" if kind == "operation" else "reshape" if "over" in kind else "it"
    small, (warned,) = pruned(model)
    assert f"2 of 'a', as '{place}" in warned
    assert unit_counts(small)["a"] == UNITS and unit_counts(small)["before"] == 3
    assert_equal_outputs(small, model)


def test_own_activation_and_unseen_dead_units_are_named():
    model = filled(mixer("own activation"))
    zero_units(model.get_layer("own"), [0])
    zero_units(model.get_layer("a"), [0])
    small, (warned,) = pruned(model)
    assert "1 of 'own', as its activation" in warned
    assert unit_counts(small) == {"before": 4, "a": 5, "own": 4, "end": 2}
    assert_equal_outputs(small, model)
    model = filled(mixer("nested"))
    zero_units(model.get_layer("it").layers[0], [0])
    _, (warned,) = pruned(model)
    assert re.search("1 of '.*it/dense.*', which is not followed", warned)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = D(3)

    def call(self, x):
        return self.dense(x)


def test_refusals():
    own = Own()
    own(np.ones((1, 5), "float32"))
    with pytest.raises(ValueError, match=r"`model` must be a .*Sequential or a"):
        kd.prune(own)
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model"):
        kd.prune(D(3))
    with pytest.raises(ValueError, match="`model` must be built"):
        kd.prune(keras.Sequential([D(3)]))
    recurrent = keras.Sequential([keras.Input(SERIES), layers.LSTM(3, name="l"), D(1)])
    with pytest.raises(ValueError, match=r"another.*cannot be followed: 'l' \(LSTM\)"):
        kd.prune(recurrent)
    activation = keras.Sequential([keras.Input(ROW), D(4, "softmax", name="s"), D(2)])
    with pytest.raises(ValueError, match=r"'s' \(Dense with activation softmax\)"):
        kd.prune(activation)
    linear = keras.Sequential([keras.Input(ROW), D(2)])  # nothing to follow, nor lost
    assert_equal_outputs(quietly(linear), linear)


class Trained(keras.Model):
    """A class that changes training alone."""

    def train_step(self, *arguments):
        return super().train_step(*arguments)


def scaled(x):
    return 2 * x


def test_settings_are_carried_over_and_the_original_is_left():
    x = keras.Input(ROW)
    y = D(
        UNITS,
        "sigmoid",
        kernel_regularizer=kd.L1(0.01) + kd.L2(0.1),
        kernel_constraint=keras.constraints.MaxNorm(3.0),
        kernel_initializer=keras.initializers.Constant(np.ones((5, UNITS))),
        name="a",
    )(x)
    y = layers.BatchNormalization(name="normal", trainable=False)(y)
    y = D(4, scaled, name="b")(layers.Dropout(0.5, seed=3)(y))
    model = filled(Trained(x, D(1, name="end")(y)))
    model.compile(kd.AdamW(0.01, 0.1), "mse")
    rng = np.random.default_rng(0)
    data = rng.normal(size=(16, 5)), rng.normal(size=(16, 1))
    model.fit(*data, verbose=0)
    zero_units(model.get_layer("a"), [0, 2])
    model.get_layer("b").trainable = False
    model.get_layer("end").bias.trainable = False

    config = json.dumps(model.get_layer("a").get_config(), default=str)
    weights, state = (
        model.get_weights(),
        [to_numpy(v) for v in model.optimizer.variables],
    )
    train_function, optimizer = model.train_function, model.optimizer
    small = quietly(model)
    assert model.compiled and model.optimizer is optimizer
    assert model.train_function is train_function and len(model.losses) == 1
    assert json.dumps(model.get_layer("a").get_config(), default=str) == config
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    for before, variable in zip(state, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(before, to_numpy(variable))

    assert not small.compiled and type(small) is Trained
    assert unit_counts(small) == {"a": 4, "b": 4, "end": 1}
    assert_equal_outputs(small, model)
    assert small.get_layer("b").activation is scaled
    regularizer = small.get_layer("a").kernel_regularizer
    assert (
        regularizer.get_config() == model.get_layer("a").kernel_regularizer.get_config()
    )
    assert small.get_layer("a").kernel_constraint.max_value == 3.0
    trained = [v.path.split("/", 1)[1] for v in small.trainable_variables]
    assert trained == ["kernel", "bias", "kernel"] or len(trained) == 3
    assert not small.get_layer("end").bias.trainable
    assert small.get_layer("dropout").seed == 3
    small.compile("sgd", "mse")
    small.fit(*data, verbose=0)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


class Toward(keras.regularizers.Regularizer):
    """Holds an array of the weight's shape."""

    def __init__(self, reference):
        self.reference = np.asarray(reference, "float32")

    def __call__(self, w):
        return ops.sum((w - self.reference) ** 2)

    def get_config(self):
        return {"reference": self.reference.tolist()}


def test_a_regularizer_for_the_old_shape_is_left_out_with_a_warning():
    kept = D(4, kernel_regularizer=Toward(np.ones((UNITS, 4))), name="kept")
    made = a(D, kernel_regularizer=Toward(np.ones((5, UNITS))), bias_regularizer="l2")
    model = filled(keras.Sequential([keras.Input(ROW), made, kept, D(1)]))
    zero_uses(model.get_layer("kept"), [3], UNITS)
    small, (warned,) = pruned(model)
    for name in ("a", "kept"):
        assert f"the kernel_regularizer of '{name}'" in warned
    assert small.get_layer("a").kernel_regularizer is None
    assert small.get_layer("a").bias_regularizer is not None
    assert len(small.losses) == 1
    assert model.get_layer("a").kernel_regularizer is not None
    assert_equal_outputs(small, model)


def test_the_file_is_smaller_and_loads_in_the_ordinary_way(tmp_path):
    image = [
        keras.Input(IMAGE),
        C2(32, 3, activation="softplus", name="a"),
        layers.BatchNormalization(),
        FLAT(),
        D(64, "relu", name="b"),
        D(2),
    ]
    model = filled(keras.Sequential(image))
    zero_units(model.get_layer("a"), range(4, 32))
    small = quietly(model)
    sizes = []
    for name, one in {"large": model, "small": small}.items():
        one.save(tmp_path / f"{name}.keras")
        sizes.append((tmp_path / f"{name}.keras").stat().st_size)
    assert sizes[1] < sizes[0] / 4
    loaded = keras.saving.load_model(tmp_path / "small.keras")
    assert_equal_outputs(loaded, small)
    # The large model sums 1,008 constants in float32, which prune does in float64.
    assert_equal_outputs(loaded, model, 1e-5)


@pytest.mark.parametrize(
    "policy, tolerance",
    # Of half precision the unit in the last place, times the roundings of two layers.
    [("float16", 4e-3), ("bfloat16", 4e-2), ("mixed_bfloat16", 4e-2)],
)
def test_half_precision(policy, tolerance):
    made = [
        D(n, f, dtype=policy, name=x)
        for n, f, x in ((UNITS, "sigmoid", "a"), (3, None, "b"))
    ]
    model = filled(
        keras.Sequential([keras.Input(ROW, dtype=made[0].compute_dtype), *made])
    )
    zero_units(model.get_layer("a"), [0, 2])
    small = quietly(model)
    assert small.get_layer("a").dtype_policy.name == policy
    assert unit_counts(small)["a"] == 4
    assert_equal_outputs(small, model, tolerance)


def test_float64(float64):
    model = mlp()
    zero_units(model.get_layer("first"), [0, 2])
    small = quietly(model)
    assert unit_counts(small)["first"] == 3
    assert_equal_outputs(small, model, 1e-14)


def test_masks_and_state_beyond_weights_pass():
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True, name="tokens")(tokens)
    x = layers.GlobalAveragePooling1D()(D(UNITS, "sigmoid", name="a")(x))
    normal = layers.Normalization(name="scale")
    normal.adapt(np.random.default_rng(0).normal(3, 2, size=(50, 3)))
    numbers = keras.Input((3,))
    both = layers.Concatenate()([x, normal(numbers)])
    model = keras.Model([tokens, numbers], D(2, name="b")(both))
    rng = np.random.default_rng(0)
    for weight in (*model.get_layer("a").weights, *model.get_layer("b").weights):
        weight.assign(rng.normal(size=weight.shape).astype("float32"))
    zero_units(model.get_layer("a"), [0, 2])
    small = quietly(model)
    assert unit_counts(small)["a"] == 4
    batch = [np.array([[1, 2, 3, 0, 0, 0, 0]]), np.ones((1, 3), "float32")]
    wanted = to_numpy(model(batch))
    np.testing.assert_allclose(to_numpy(small(batch)), wanted, rtol=1e-5)
