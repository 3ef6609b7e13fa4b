"""TotalVariation: value, gradient and the exact proximal step.

Oracles: the optimality conditions of the dual problem, SciPy's bounded quadratic
optimisation of it, closed forms for two and three entries.
"""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.optimize import lsq_linear
from support import gradient, one_program, to_numpy

import keras_decay as kd


@functools.cache
def program(axis):
    """The proximal step as a function of weights and level."""

    def run(w, level):
        return kd.TotalVariation(level, axis).prox(w, 1.0)

    return one_program(run)


def prox(w, level, axis=0):
    w = ops.convert_to_tensor(w)
    return to_numpy(program(axis)(w, ops.convert_to_tensor(level, dtype=w.dtype)))


def by_quadratic_program(y, level):
    """The minimiser from its dual, argmin ½‖y − Dᵀu‖² under |u| ≤ level."""
    d = np.diff(np.eye(len(y)), axis=0)
    dual = lsq_linear(d.T, y, bounds=(-level, level), tol=1e-15, method="bvls")
    return y - d.T @ dual.x


def check_optimal(y, x, level, accuracy):
    """The dual variable of x stays within level, and is ±level wherever x jumps."""
    largest = np.abs(y).max() or 1.0
    dual, jumps = -np.cumsum((y - x) / largest, axis=0), np.diff(x, axis=0)
    level = level / largest
    np.testing.assert_allclose(dual[-1], 0, atol=accuracy)
    assert np.all(np.abs(dual[:-1]) <= level + accuracy)
    at_border = level * np.sign(jumps)
    gap = np.where(jumps != 0, np.abs(dual[:-1] - at_border), 0)
    assert np.all(gap <= accuracy)


def series(length, lanes=4, seed=0):
    return np.random.default_rng(seed).normal(size=(length, lanes))


@pytest.mark.parametrize("axis", [0, -1])
def test_value_and_gradient(axis, float64):
    w = np.round(series(6, 5))  # some neighbours are equal
    penalty = kd.TotalVariation(0.3, axis)
    jumps = np.diff(w, axis=axis)
    value = to_numpy(penalty(ops.convert_to_tensor(w)))
    np.testing.assert_allclose(value, 0.3 * np.abs(jumps).sum(), rtol=1e-12)
    expected = 0.3 * -np.diff(np.sign(jumps), axis=axis, prepend=0, append=0)
    np.testing.assert_allclose(gradient(penalty, w), expected, atol=1e-15)
    same = np.full((6, 5), 0.7)
    np.testing.assert_array_equal(gradient(penalty, same), 0)


@pytest.mark.parametrize("level", [0.01, 0.4, 2.0])
def test_prox_equals_a_quadratic_program(level, float64_for_hypothesis):
    w = np.stack([series(9)[:, 0], np.round(series(9)[:, 1]), np.arange(9.0) ** 2])
    x = prox(w, level, 1)
    for row, found in zip(w, x, strict=True):
        expected = by_quadratic_program(row, level)
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_prox_of_a_peak(float64_for_hypothesis):
    # It loses a level on either side, its neighbours gain one each.
    x = prox(np.array([0.0, 5.0, 1.0]), 1.0)
    np.testing.assert_allclose(x, [1.0, 3.0, 2.0], atol=1e-15)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([1, 2, 40]),
    st.integers(0, 10**6),
    st.sampled_from(["normal", "few values", "steps", "walk", "square", "zero"]),
    st.sampled_from([1e-150, 1e-8, 1.0, 1e150]),
    st.sampled_from([0.0, 1e-9, 0.1, 1.0, 30.0, 1e9]),
)
def test_prox_is_optimal(float64_for_hypothesis, length, seed, kind, scale, relative):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(length, 3))
    if kind == "few values":
        y = np.round(y)
    elif kind == "steps":
        y = np.repeat(y, 5, axis=0)[:length]
    elif kind == "walk":
        y = np.cumsum(y, axis=0)
    elif kind == "square":
        y = np.arange(length)[:, None] ** 2.0 * np.sign(y[:1])
    elif kind == "zero":
        y = 0 * y
    y, level = scale * y, scale * relative
    x = prox(y, level, 0)
    assert x.shape == y.shape and np.all(np.isfinite(x))
    check_optimal(y, x, level, 1e-12)
    if level == 0 or length == 1:
        np.testing.assert_array_equal(x, y)
    elif relative == 1e9 or kind == "zero":
        assert np.all(x == x[0]), "a huge level leaves one piece"
        np.testing.assert_allclose(
            x[0], y.mean(0), rtol=0, atol=1e-13 * np.abs(y).max()
        )


def test_long_sequences_in_single_precision():
    y = np.cumsum(series(1000, 3), axis=0).astype("float32")
    for level in (0.5, 20.0):
        x = prox(y, level, 0)
        assert x.dtype == np.float32
        # The sum over a piece repeats the rounding of one number, 6e-8 of the largest.
        check_optimal(y.astype("float64"), x.astype("float64"), level, 1000 * 6e-8)
    jumps = np.diff(x, axis=0)
    assert 0 < (jumps != 0).sum() < 1000


def test_any_rank_and_axis(float64_for_hypothesis):
    y = series(40, 3)
    w = np.swapaxes(y, 0, 1).reshape(1, 3, 40, 1)
    expected = prox(y, 0.2)
    # XLA adds up in another order for another layout.
    found = prox(w, 0.2, -2)[0, :, :, 0].T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(
        np.diff(found, axis=0) == 0, np.diff(expected, axis=0) == 0
    )


def test_fused_lasso_is_the_soft_threshold_of_the_fused(float64_for_hypothesis):
    # Friedman et al., Pathwise coordinate optimization, 2007, proposition 1.
    y, penalty = series(40, 3), kd.TotalVariation(0.5, 0) + kd.L1(0.2)
    fused = prox(y, 0.5)
    expected = np.sign(fused) * np.maximum(np.abs(fused) - 0.2, 0)
    found = to_numpy(one_program(penalty.prox)(ops.convert_to_tensor(y), 1.0))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_axis_is_one_axis():
    for wrong in ([], (0, 1), 1.5, True, None):
        with pytest.raises(TypeError, match=r"`axis` must be an int.*Received: axis="):
            kd.TotalVariation(0.1, wrong)
    with pytest.raises(ValueError, match="Received: axis='rows'"):
        kd.TotalVariation(0.1, "rows")
    w = ops.ones((3, 4))
    with pytest.raises(ValueError, match=r"axis of the weights.*\(3, 4\).*axis=2"):
        kd.TotalVariation(0.1, 2)(w)
    named = kd.TotalVariation(0.1, "input")
    assert named.get_config()["axis"] == "input"
    with pytest.raises(ValueError, match="regularize"):
        named(w)
    for axis in (0, (0,)):
        found = named.resolved({"input": axis}.get)
        assert to_numpy(found(ops.ones((3, 4)))) == 0
        assert kd.TotalVariation.from_config(found.get_config()).axis == 0
    with pytest.raises(ValueError, match=r"a single axis.*\(0, 1\)"):
        named.resolved({"input": (0, 1)}.get)(w)
