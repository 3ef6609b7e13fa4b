"""HoyerSquare: value, gradient, and the proximal step in closed form.

Oracles: the formula in NumPy, central differences, and for the proximal step a search
from many starts, over every support, by SciPy.
"""

import functools
import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.optimize import minimize
from support import gradient, mostly_slow, one_program, to_numpy

import keras_decay as kd


def hoyer(w):
    squares = np.sum(np.square(w))
    return np.square(np.abs(w).sum()) / squares if squares > 0 else 0.0


def objective(v, w, cost):
    return 0.5 * np.sum(np.square(v - w)) + cost * hoyer(v)


@functools.cache
def program():
    """The proximal step as a function of weights and cost, compiled once on JAX."""

    def run(w, cost):
        return kd.HoyerSquare(cost).prox(w, 1.0)

    return one_program(run)


def prox(w, cost):
    w = ops.convert_to_tensor(w)
    return to_numpy(program()(w, ops.convert_to_tensor(cost, dtype=w.dtype)))


def brute_force(w, cost):
    """The lowest objective, from random starts on every support, with w's signs."""
    best, rng = objective(0 * w, w, cost), np.random.default_rng(0)
    for size in range(1, len(w) + 1):
        for support in map(list, itertools.combinations(range(len(w)), size)):
            part, rest = np.abs(w[support]), 0.5 * np.sum(w**2)
            rest -= 0.5 * np.sum(part**2)
            for start in (part, *rng.uniform(size=(2, size)) * np.abs(w).max()):
                found = minimize(
                    objective,
                    start + 1e-3,
                    args=(part, cost),
                    bounds=[(0, None)] * size,
                )
                best = min(best, found.fun + rest)
    return best


def test_value_and_gradient(float64):
    w = np.random.default_rng(0).normal(size=(3, 4))
    value = to_numpy(kd.HoyerSquare(0.3)(ops.convert_to_tensor(w)))
    np.testing.assert_allclose(value, 0.3 * hoyer(w), rtol=1e-12)
    slope = gradient(kd.HoyerSquare(0.3), w)
    for index in np.ndindex(*w.shape):
        bump = np.zeros_like(w)
        bump[index] = 1e-6
        rise = 0.3 * (hoyer(w + bump) - hoyer(w - bump)) / 2e-6
        np.testing.assert_allclose(slope[index], rise, rtol=1e-6, atol=1e-8)
    # The value does not change with the scale.
    np.testing.assert_allclose(np.sum(slope * w), 0, atol=1e-14)


@pytest.mark.parametrize("scale", [0.0, 1e-45, 1e-35, 1e-30, 1e-10, 1.0, 1e37])
def test_gradient_is_finite_at_any_scale(scale):
    w = (scale * np.array([[1.0, -0.5, 0.0], [0.25, 0.0, 0.3]])).astype("float32")
    slope = gradient(kd.HoyerSquare(1.0), w)
    assert np.all(np.isfinite(slope))
    value = to_numpy(kd.HoyerSquare(1.0)(ops.convert_to_tensor(w)))
    if scale < 1e-31:
        assert value == 0
        np.testing.assert_array_equal(slope, 0)
    else:
        np.testing.assert_allclose(value, hoyer(w.astype("float64")), rtol=1e-5)
        assert np.all(slope[w == 0] == 0)


WEIGHTS = {
    "normal": np.random.default_rng(1).normal(size=5),
    "equal": np.array([0.7, -0.7, 0.7, 0.7, 0.7]),
    "two sizes": np.array([1.0, 1.0, -0.5, 0.5, 0.5]),
    "with zeros": np.array([1.0, 0.0, -0.4, 0.0, 0.9]),
    "one large": np.array([3.0, 0.1, -0.1, 0.05, 0.2]),
}


@pytest.mark.parametrize("name", mostly_slow(WEIGHTS, ["equal", "with zeros"]))
def test_prox_is_no_worse_than_brute_force(name, float64_for_hypothesis):
    w = WEIGHTS[name]
    for cost in (0.003, 0.05, 0.15, 0.4):
        v = prox(w, cost)
        assert objective(v, w, cost) <= brute_force(w, cost) + 1e-9
        assert np.all(v * w >= 0)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([1, 2, 30]),
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from([1e-100, 1.0, 1e130]),
    st.sampled_from([0.0, 1e-12, 1e-4, 0.02, 0.1, 0.49, 0.51, 7.0, 1e9]),
)
def test_prox_is_stationary_and_beats_other_points(
    float64_for_hypothesis, size, seed, ties, scale, relative
):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=size)
    w = np.round(w) if ties else w
    largest = np.abs(w).max()
    cost = relative * largest**2
    v = prox(scale * w, cost * scale * scale) / scale
    assert np.all(np.isfinite(v)) and np.all(v * w >= 0)
    if cost == 0:
        np.testing.assert_allclose(v, w, rtol=1e-15)
    if relative >= 0.5:
        np.testing.assert_array_equal(v, 0)
    reached = objective(v, w, cost)
    if v.any():
        kept, signs = v != 0, np.sign(v)
        ratio = np.abs(v).sum() / np.square(v).sum()
        slope = v - w + 2 * cost * (ratio * signs - ratio**2 * v)
        np.testing.assert_allclose(slope[kept], 0, atol=1e-6 * largest)
        # What is zero is the smallest.
        if not kept.all():
            assert np.abs(w[kept]).min() >= np.abs(w[~kept]).max()
    order = np.argsort(-np.abs(w))
    tolerance = 1e-12 * max(largest**2, 1e-300) * size
    for count in range(size + 1):
        other = np.where(np.argsort(order) < count, w, 0)
        for point in (other, other + 0.01 * largest * rng.normal(size=size)):
            assert reached <= objective(point, w, cost) + tolerance
    for reach in (1e-2, 1e-4):
        for _ in range(5):
            near = v * (1 + reach * rng.normal(size=size))
            assert reached <= objective(near, w, cost) + tolerance


def test_single_precision_agrees_with_double(float64_for_hypothesis):
    w = np.random.default_rng(0).normal(size=20_000)
    for cost in (1e-4, 1e-3):
        expected, found = prox(w, cost), prox(w.astype("float32"), cost)
        assert found.dtype == np.float32
        assert 0 < np.count_nonzero(expected) < w.size
        differ = (found == 0) != (expected == 0)
        # Neighbours of the border, where v is small, may fall on either side.
        assert differ.sum() <= 5
        np.testing.assert_allclose(found[~differ], expected[~differ], atol=1e-5)


@pytest.mark.slow
def test_zeros_are_exact_in_training():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, use_bias=False)])
    penalty = kd.HoyerSquare(0.02)
    model.compile(
        kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), penalty=penalty), "mse"
    )
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    model.fit(x, x[:, :2].sum(1), batch_size=64, epochs=60, verbose=0)
    kernel = to_numpy(model.layers[0].kernel)[:, 0]
    assert np.all(kernel[:2] > 0.8) and np.all(kernel[2:] == 0)
