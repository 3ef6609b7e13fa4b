"""What else the smaller model is: settings, files, dtypes, state."""

import json

import keras
import numpy as np
import pytest
from keras import layers, ops
from pruned_models import (
    C2,
    FLAT,
    IMAGE,
    ROW,
    UNITS,
    D,
    a,
    assert_equal_outputs,
    filled,
    mlp,
    pruned,
    quietly,
    unit_counts,
    zero_units,
    zero_uses,
)
from support import to_numpy

import keras_decay as kd


class Trained(keras.Model):
    """A class that changes training alone."""

    def train_step(self, *arguments):
        return super().train_step(*arguments)


def scaled(x):
    return 2 * x


@pytest.mark.slow
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
    trained = [v.path for v in model.trainable_variables]
    assert [v.path for v in small.trainable_variables] == trained
    assert len(trained) == 3
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
    [("float16", 4e-3), ("mixed_bfloat16", 4e-2)],
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
    # Keras on PyTorch multiplies matrices of float64 in float32.
    tolerance = 1e-6 if keras.backend.backend() == "torch" else 1e-14
    assert_equal_outputs(small, model, tolerance)


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
