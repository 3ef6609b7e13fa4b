"""Decay in the null space. Oracles: projection, least norm, scikit-learn's Ridge."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import Ridge

import keras_decay as kd
from keras_decay.experiments import _gaussian_data
from keras_decay.experiments.high_dimensional import DECAY

pytestmark = pytest.mark.slow

RANDOM, ZERO = "N(0, 1)", "zero"
DATA = _gaussian_data.sample(0, 0)
# On PyTorch Keras multiplies matrices of float64 in float32.
ROUNDING = 1e-6 if keras.backend.backend() == "torch" else 1e-13


@pytest.fixture(scope="module")
def numbers(found):
    return found("high-dimensional").numbers


def test_ridge_is_scikit_learns():
    # Twice the loss is the mean squared error with twice the penalty.
    l2 = kd.convert(2 * DECAY, "half_l2", "l2")
    alpha = kd.convert(l2, "l2", "sklearn_ridge", n_samples=len(DATA.y))
    oracle = Ridge(alpha, tol=1e-14).fit(DATA.x, DATA.y)
    kernel, bias = _gaussian_data.ridge(DATA, DECAY)
    np.testing.assert_allclose(kernel, oracle.coef_, rtol=1e-10)
    np.testing.assert_allclose(bias, oracle.intercept_, rtol=1e-10)


def test_the_limit_fits_the_samples_and_is_nearest_to_the_start():
    start = np.random.default_rng(1).normal(size=_gaussian_data.INPUTS)
    kernel, bias = _gaussian_data.limit(DATA, start)
    np.testing.assert_allclose(DATA.x @ kernel + bias, DATA.y, atol=1e-12)
    # What moved is a combination of samples: nothing of it is in the null space.
    inputs = np.column_stack([DATA.x, np.ones(len(DATA.y))])
    moved = np.append(kernel - start, bias)
    combination = np.linalg.lstsq(inputs.T, moved, rcond=None)[0]
    np.testing.assert_allclose(inputs.T @ combination, moved, atol=1e-12)


@pytest.mark.parametrize("start", [RANDOM, ZERO])
def test_the_null_space_sees_decay_alone(numbers, start):
    """(1 − ηλ)^steps of it is left, to rounding, whatever the data."""
    of = numbers["first"][start]
    steps = numbers["epochs"] * 4
    before = _gaussian_data.in_null_space(DATA, of["start"])
    assert (np.abs(before).max() > 1) == (start == RANDOM)
    for strength, kernel in zip(
        numbers["first"]["strengths"], of["kernels"], strict=True
    ):
        left = (1 - numbers["rate"] * strength) ** steps
        after = _gaussian_data.in_null_space(DATA, kernel)
        np.testing.assert_allclose(after, left * before, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("start", [RANDOM, ZERO])
def test_without_decay_the_limit_is_reached(numbers, start):
    of = numbers["first"][start]
    kernel, bias = _gaussian_data.limit(DATA, of["start"])
    distance = np.linalg.norm(
        np.append(of["kernels"][0] - kernel, of["biases"][0] - bias)
    )
    # What is left to go after so few epochs.
    assert distance < 1e-3 * np.linalg.norm(np.append(of["start"] - kernel, bias))
    np.testing.assert_allclose(of["test"][0], of["limit"], rtol=1e-2)


@pytest.mark.parametrize("start", [RANDOM, ZERO])
def test_with_decay_it_is_ridge_around_the_bias_reached(numbers, start):
    """But for what is left of the start: the bias is the slowest to come."""
    of = numbers["first"][start]
    targets = DATA.y - of["biases"][1]
    oracle = Ridge(len(DATA.y) * DECAY, fit_intercept=False).fit(DATA.x, targets)
    left = (1 - numbers["rate"] * DECAY) ** (4 * numbers["epochs"])
    expected = oracle.coef_ + left * _gaussian_data.in_null_space(DATA, of["start"])
    # Batches of five keep SGD moving about the minimum.
    distance = np.linalg.norm(of["kernels"][1] - expected)
    assert distance < 0.1 * np.linalg.norm(expected)


def test_much_from_a_random_start_and_little_from_zero(numbers):
    ends = {
        (start, strength): of["test"][:, -1].mean()
        for start, by_strength in numbers["curves"].items()
        for strength, of in by_strength.items()
    }
    assert 100 < ends[RANDOM, "0"] < 260
    assert 0.1 < ends[RANDOM, "3"] < 0.3
    for strength in ("0", "3"):
        assert 0.012 < ends[ZERO, strength] < 0.03
    gain = 1 - ends[ZERO, "3"] / ends[ZERO, "0"]
    assert 0 < gain < 0.1


def test_even_ridge_barely_beats_the_mean():
    data = [_gaussian_data.sample(1, number) for number in range(300)]
    zeros = np.zeros(_gaussian_data.INPUTS)
    mean = np.mean([d.test_error(zeros, d.y.mean()) for d in data])
    for strength, low, high in ((0.05, 0.01, 0.15), (DECAY, 0.01, 0.15)):
        ridge = np.mean(
            [d.test_error(*_gaussian_data.ridge(d, strength)) for d in data]
        )
        assert low < 1 - ridge / mean < high
