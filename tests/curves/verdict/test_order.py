"""Tests for a rise by order, against brute force and scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from keras_decay.curves.verdict import order


@pytest.mark.parametrize("n", [3, 5, 7])
def test_mann_kendall_of_independent_values(n):
    """Oracle: S and its variance by counting over all orders of n values.

    For fewer than 8 values nothing is corrected.
    """
    from itertools import permutations

    scores = []
    for values in permutations(range(n)):
        pairs = [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]
        scores.append(sum(1 if b > a else -1 for a, b in pairs))
    deviation = math.sqrt(np.mean(np.square(scores)))
    values = np.array([2.0, 1, 3, 5, 4, 7, 6][:n])
    pairs = np.sign(np.subtract.outer(values, values))
    score = np.tril(pairs, -1).sum()
    oracle = (score - np.sign(score)) / deviation
    assert order.mann_kendall(values) == pytest.approx(oracle)


def test_autocorrelation_makes_a_rise_less_sure():
    """Without a correction one in two walks of 40 values has a trend at 5 %."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        errors = [0.0]
        for fresh in rng.normal(size=40):
            errors.append(0.8 * errors[-1] + fresh)
        found.append(abs(order.mann_kendall(np.array(errors[1:]))) > 1.96)
    assert np.mean(found) < 0.3


def test_few_values_have_no_trend():
    assert order.mann_kendall(np.array([1.0, 2.0])) == 0
    assert order.mann_kendall(np.ones(20)) == 0


def test_the_fit_that_never_falls():
    """Oracle: scikit-learn's isotonic regression."""
    values = np.random.default_rng(0).normal(size=60) + np.linspace(0, 2, 60)
    oracle = IsotonicRegression().fit_transform(np.arange(60), values)
    np.testing.assert_allclose(order.rising(values), oracle, rtol=1e-12)


def test_curvature_is_no_noise():
    t = np.arange(12.0)
    assert order.left_by_a_turn(np.exp(-t)) == (0.0, 0.0)
    assert order.left_by_a_turn((t - 4) ** 2) == (0.0, 0.0)


def test_noise_about_a_turn_is_what_is_left():
    """Noise of standard deviation 0.5, of which the fit takes at most a third."""
    turn = np.abs(np.linspace(-1, 1, 60))
    noise = [np.random.default_rng(seed).normal(0, 0.5, 60) for seed in range(100)]
    found = [order.left_by_a_turn(turn + one)[0] for one in noise]
    assert 0.33 < np.median(found) < 0.5


def test_long_series_are_quick():
    """Oracle: the blocks' means, which are the values of a curve 100 times as short."""
    short = 0.01 * (np.arange(100.0) - 20) ** 2
    repeated = order.mann_kendall(np.repeat(short, 100))
    assert repeated == pytest.approx(order.mann_kendall(short), rel=1e-3)
