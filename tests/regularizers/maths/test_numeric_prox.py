"""The proximal step from a penalty's value alone, against closed forms.

The penalties here are written as a user would, in a few lines, and know nothing of
proximal steps.
"""

import keras
import numpy as np
import pytest
from keras import ops
from support import mostly_slow, to_numpy

import keras_decay as kd


@keras.saving.register_keras_serializable(package="tests")
class Own(kd.Penalty):
    """strength · formula(w), one of `FORMULAS`."""

    def __init__(self, formula, strength):
        self.formula, self.strength = formula, strength

    def __call__(self, w):
        return self.strength * FORMULAS[self.formula](w)

    def get_config(self):
        return {"formula": self.formula, "strength": self.strength}


FORMULAS = {
    "absolute": lambda w: ops.sum(ops.abs(w)),
    "squares": lambda w: ops.sum(ops.square(w)),
    "toward one": lambda w: ops.sum(ops.abs(w - 1)),
    "both": lambda w: ops.sum(ops.abs(w) + ops.square(w)),
    "square of the sum": lambda w: ops.square(ops.sum(w)),
    "logarithm": lambda w: ops.sum(ops.log(ops.square(w) + 1)),
    "norm": lambda w: ops.sqrt(ops.sum(ops.square(w))),
    "constant": lambda w: ops.ones((), dtype=w.dtype),
}


def soft(w, t):
    return np.sign(w) * np.maximum(np.abs(w) - t, 0)


CLOSED = {
    "absolute": soft,
    "squares": lambda w, t: w / (1 + 2 * t),
    "toward one": lambda w, t: 1 + soft(w - 1, t),
    "both": lambda w, t: soft(w, t) / (1 + 2 * t),
    "square of the sum": lambda w, t: w - 2 * t * w.sum() / (1 + 2 * t * w.size),
    "norm": lambda w, t: w * max(1 - t / np.linalg.norm(w), 0),
    "constant": lambda w, t: w,
}


def weights(scale=1.0):
    return scale * np.random.default_rng(1).normal(size=(6, 4))


@pytest.mark.parametrize("step", [0.0, 0.3, 40.0])
@pytest.mark.parametrize("formula", mostly_slow(sorted(CLOSED), sorted(CLOSED)[::5]))
def test_closed_forms_are_found(formula, step, float64):
    w = weights()
    found = to_numpy(Own(formula, 0.8).prox(ops.convert_to_tensor(w), step))
    expected = CLOSED[formula](w, 0.8 * step)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(w).max())
    np.testing.assert_array_equal(found == 0, expected == 0)


@pytest.mark.parametrize("formula", ["absolute", "squares", "square of the sum"])
def test_single_and_half_precision(formula):
    w = weights().astype("float32")
    expected = CLOSED[formula](w, 0.24)
    found = to_numpy(Own(formula, 0.8).prox(ops.convert_to_tensor(w), 0.3))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    half = Own(formula, 0.8).prox(ops.cast(w, "float16"), 0.3)
    assert keras.backend.standardize_dtype(half.dtype) == "float16"
    np.testing.assert_allclose(to_numpy(half), expected, rtol=0, atol=5e-3)


def test_a_penalty_that_is_not_convex_ends_at_a_minimum(float64):
    w, penalty = weights(3.0), Own("logarithm", 2.0)
    v = to_numpy(penalty.prox(ops.convert_to_tensor(w), 0.5))
    slope = v - w + 2 * v / (v**2 + 1)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_zero_weights_stay_zero(float64):
    for formula in ("absolute", "squares", "norm"):
        v = Own(formula, 1.0).prox(ops.zeros((3, 2)), 0.5)
        np.testing.assert_array_equal(to_numpy(v), 0)


@pytest.mark.slow
def test_ten_lines_work_in_every_role(tmp_path):
    penalty = Own("absolute", 0.05)
    layers = [
        keras.Input((5,), dtype="int32"),
        keras.layers.Embedding(7, 3, embeddings_regularizer=penalty),
        keras.layers.Flatten(),
        keras.layers.Dense(
            4,
            kernel_regularizer=2 * penalty,
            bias_regularizer=penalty + kd.L2(0.1),
            activity_regularizer=penalty,
        ),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    sgd = keras.optimizers.SGD(0.1)
    model.compile(kd.DecoupledWeightDecay(sgd, rules=[("dense_1", penalty)]), "mse")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 7, (32, 5)), rng.normal(size=(32, 1))
    loss = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    model(x)
    assert np.all(np.isfinite(loss)) and len(model.losses) == 4
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for m in (model, loaded):
        m.fit(x, y, epochs=1, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
