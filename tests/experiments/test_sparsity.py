"""L1 selects features by a proximal step. Oracles: scikit-learn's Lasso and Ridge."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import Lasso, LinearRegression, Ridge

from keras_decay.experiments import sparsity

pytestmark = pytest.mark.slow

# On PyTorch Keras multiplies matrices of float64 in float32.
ROUNDING = 1e-6 if keras.backend.backend() == "torch" else 1e-10


@pytest.fixture(scope="module")
def numbers(found):
    return found("sparsity").numbers


@pytest.fixture(scope="module")
def train():
    rows = sparsity._rows(0)
    return rows.x["train"], rows.y["train"]


def without_outliers(numbers, arm):
    return numbers["weights"]["squared"][arm][:, :, 0]


def lasso(numbers, train):
    x, y = train
    # λ of Keras' loss is 2α of Lasso's.
    return np.array(
        [
            Lasso(l1 / 2, tol=1e-14, max_iter=100_000).fit(x, y).coef_
            for l1 in numbers["strengths"]["prox"]
        ]
    )


def test_decoys_are_columns_shuffled(train):
    x, _ = train
    np.testing.assert_allclose(x[:, :10].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x[:, :10].std(axis=0), 1)
    np.testing.assert_array_equal(
        np.sort(x[:, :10], axis=0), np.sort(x[:, 10:], axis=0)
    )
    assert np.all(np.any(x[:, :10] != x[:, 10:], axis=0))


def test_the_proximal_step_finds_lassos_support_and_weights(numbers, train):
    ours, theirs = without_outliers(numbers, "prox"), lasso(numbers, train)
    np.testing.assert_array_equal(ours != 0, theirs != 0)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDING)
    support = np.sum(ours != 0, axis=1)
    assert 0 < support.min() < support.max() < 20


def test_the_subgradient_gives_no_zero(numbers, train):
    ours, theirs = without_outliers(numbers, "l1"), lasso(numbers, train)
    assert np.all(ours != 0) and np.any(theirs == 0)
    # It is on its way to Lasso all the same, by steps of ηλ.
    for distance, zero, strength in zip(
        np.abs(ours - theirs), theirs == 0, numbers["strengths"]["l1"], strict=True
    ):
        assert np.all(distance[zero] < 2 * sparsity.RATE * strength)


def test_l2_is_ridge_shrinks_and_zeroes_none(numbers, train):
    x, y = train
    ours, strengths = without_outliers(numbers, "l2"), numbers["strengths"]["l2"]
    theirs = [Ridge(l2 * len(y)).fit(x, y).coef_ for l2 in strengths]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUNDING)
    assert np.all(ours != 0)
    least_squares = LinearRegression().fit(x, y).coef_
    norms = np.linalg.norm(ours, axis=1)
    assert np.all(np.diff(norms) > 0)  # from the strongest to the weakest
    assert norms[-1] < np.linalg.norm(least_squares)


def test_hubers_loss_is_squared_up_to_one_and_straight_beyond():
    y, prediction = np.array([[0.5, 3.0]]), np.zeros((1, 2))
    loss = keras.ops.convert_to_numpy(sparsity.huber_loss(y, prediction))
    np.testing.assert_allclose(loss, [0.5**2 + 2 * 3 - 1], rtol=1e-6)


def test_under_hubers_loss_the_gradient_vanishes(numbers, train):
    """Of the L2 arm, with outliers."""
    x, y = train
    targets = sparsity._targets(sparsity._rows(0), 0, 2)[:, 1]
    assert np.sum(targets != y) == 17
    np.testing.assert_allclose(np.abs(targets - y)[targets != y], sparsity.SIZE)
    kernel = numbers["weights"]["huber"]["l2"][0, :, 1]
    l2 = numbers["strengths"]["l2"][0]
    # First-order optimality: the mean of ψ(r) x is λ w, ψ(r) = r cut at 1.
    centred = x - x.mean(axis=0)
    # The bias is the one that makes ψ(r) sum to zero.
    low, high = -3.0, 3.0
    for _ in range(60):
        bias = (low + high) / 2
        psi = np.clip(targets - x @ kernel - bias, -1, 1)
        low, high = (bias, high) if psi.sum() > 0 else (low, bias)
    np.testing.assert_allclose(
        centred.T @ psi / len(y), l2 * kernel, atol=100 * ROUNDING
    )


def test_the_loss_is_robust_and_not_the_penalty(numbers):
    moved = {
        (loss, arm): of["moved"].mean()
        for loss, arms in numbers["outliers"].items()
        for arm, of in arms.items()
    }
    assert moved["squared", "prox"] > 0.5 * moved["squared", "l2"]
    for arm in ("prox", "l2"):
        assert moved["huber", arm] < 0.5 * moved["squared", arm]
