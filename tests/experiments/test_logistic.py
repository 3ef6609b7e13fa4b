"""Logistic regression with λ/(2m) Σw². Oracle: scikit-learn's LogisticRegression."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss

from keras_decay.experiments import logistic

pytestmark = pytest.mark.slow

# Of Keras' float64: on PyTorch it multiplies matrices in float32, and on JAX the
# gradient of its cross-entropy is measured to be up to 5e-10 off.
ROUNDING = {"tensorflow": 1e-10, "jax": 1e-8, "torch": 1e-5}[keras.backend.backend()]


@pytest.fixture(scope="module")
def numbers(found):
    return found("logistic").numbers


@pytest.fixture(scope="module")
def rows():
    return logistic.load(0)


def oracle(rows, strength):
    # Another solver than the experiment's own comparison.
    model = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=100_000)
    return model.fit(rows.x, rows.y)


def test_rows_are_standardised_on_training_rows_alone(rows):
    np.testing.assert_allclose(rows.x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(rows.x.std(axis=0), 1)
    assert len(rows.y) + len(rows.y_test) == 569
    assert np.abs(rows.x_test.mean(axis=0)).max() > 1e-2


def test_the_weights_are_scikit_learns(numbers, rows):
    strengths = numbers["strengths"][1:]
    assert len(strengths) == 3
    np.testing.assert_allclose(
        numbers["weights"][1:], numbers["oracle"], rtol=0, atol=ROUNDING
    )
    for strength, weights in zip(strengths, numbers["weights"][1:], strict=True):
        model = oracle(rows, strength)
        # lbfgs ends where it no longer sees the loss fall.
        np.testing.assert_allclose(weights[:-1], model.coef_[0], atol=1e-4)
        np.testing.assert_allclose(weights[-1], model.intercept_[0], atol=1e-4)


def test_the_gradient_of_the_stated_loss_vanishes(numbers, rows):
    """Of (1/m) Σ −log p + λ/(2m) Σw², the bias not penalised."""
    count = len(rows.y)
    inputs = np.column_stack([rows.x, np.ones(count)])
    for strength, weights in zip(
        numbers["strengths"][1:], numbers["weights"][1:], strict=True
    ):
        p = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (p - rows.y) / count
        gradient[:-1] += strength / count * weights[:-1]
        assert np.abs(gradient).max() < ROUNDING


def test_losses_and_accuracies_are_scikit_learns(numbers, rows):
    for index in (1, 2):
        model = oracle(rows, numbers["strengths"][index])
        p = model.predict_proba(rows.x_test)
        np.testing.assert_allclose(
            numbers["test"]["loss"][index], log_loss(rows.y_test, p), atol=1e-4
        )
        assert numbers["test"]["accuracy"][index] == accuracy_score(
            rows.y_test, model.predict(rows.x_test)
        )


def test_without_a_penalty_the_weights_go_on_growing(numbers, rows):
    assert numbers["separable"]
    # Next to no penalty tells all rows rightly: so would twice the weights, and better.
    plain = LogisticRegression(C=1e6, solver="newton-cholesky").fit(rows.x, rows.y)
    assert plain.score(rows.x, rows.y) == 1
    norms = np.linalg.norm(numbers["weights"], axis=1)
    assert norms[0] > 2 * norms[1]
    assert np.all(np.diff(numbers["train_curves"][0]) < 0)


def test_classes_that_overlap_are_not_separable(rows):
    flipped = rows._replace(y=rows.y.copy())
    flipped.y[:40] = 1 - flipped.y[:40]
    assert not logistic._separable(flipped)


def test_a_forgotten_factor_is_two_m(numbers, rows):
    assert numbers["strengths"][-1] == 2 * len(rows.y) * logistic.FORGOTTEN
