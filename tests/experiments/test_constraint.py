"""The hard form and the soft form meet. Oracle: scikit-learn's Ridge and Lasso."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso, LinearRegression, Ridge

from keras_decay.experiments import _linear, constraint

BOTH = pytest.mark.parametrize("norm", constraint.NORMS)


@pytest.fixture(scope="module", params=["all", "plane"])
def part(request, found):
    return found("constraint").numbers[request.param]


def oracle(norm, one, index, x, y):
    """scikit-learn's coefficients at the α that the found λ converts to."""
    if norm == "l2":
        model = Ridge(alpha=one["ridge_alpha"][index], fit_intercept=False)
    elif one["lasso_alpha"][index] == 0:
        model = LinearRegression(fit_intercept=False)
    else:
        alpha = one["lasso_alpha"][index]
        model = Lasso(alpha=alpha, fit_intercept=False, tol=1e-14, max_iter=100_000)
    return model.fit(x, y[:, 0]).coef_


@BOTH
def test_both_forms_are_scikit_learns(part, norm):
    x, y = _linear.standardised(0, part["inputs"])
    one = part[norm]
    for index in range(len(one["theta"])):
        expected = oracle(norm, one, index, x, y)
        # 1e-8: what a hundred plain steps leave of the initial weights' distance.
        np.testing.assert_allclose(one["hard"][index], expected, rtol=0, atol=1e-8)
        np.testing.assert_allclose(one["soft"][index], expected, rtol=0, atol=1e-8)
    if norm == "l1":
        np.testing.assert_array_equal(one["hard"] == 0, one["soft"] == 0)
        assert np.any(one["hard"][0] == 0)
    else:
        assert np.all(one["hard"] != 0)


@BOTH
def test_the_ball_is_filled_where_there_is_a_multiplier(part, norm):
    one = part[norm]
    power = {"l2": 2, "l1": 1}[norm]
    sizes = (np.abs(one["soft"]) ** power).sum(axis=1)
    binds = one["share"] < 1
    np.testing.assert_allclose(sizes[binds], one["theta"][binds], rtol=1e-10)
    assert np.all(one["multiplier"][binds] > 0.01)
    assert np.all(one["multiplier"][~binds] == 0)
    assert np.all(sizes[~binds] < one["theta"][~binds])
    # Read off the hard form alone, which knows of no λ.
    np.testing.assert_allclose(one["price"], one["multiplier"], rtol=0, atol=1e-7)
    assert list(one["multiplier"]) == sorted(one["multiplier"], reverse=True)


@BOTH
def test_the_multiplier_is_the_price_of_the_bound(part, norm):
    """By how much the loss falls as θ is raised by one: between the λ of both ends."""
    x, y = _linear.standardised(0, part["inputs"])
    one = part[norm]
    loss = ((y - x @ one["path_weights"].T) ** 2).mean(axis=0)
    # Beyond the λ where the last weight becomes zero nothing changes.
    moves = np.diff(one["path_theta"]) < -1e-9
    fall = -(np.diff(loss)[moves] / np.diff(one["path_theta"])[moves])
    low, high = (
        ends[moves]
        for ends in (one["path_multiplier"][:-1], one["path_multiplier"][1:])
    )
    assert len(fall) > 50
    assert np.all(fall > low - 1e-6) and np.all(fall < high + 1e-6)


def test_what_is_said_is_what_was_found(found):
    result = found("constraint")
    text = " ".join(result.sentences)
    assert "they meet" in text and "the same in both forms" in text
    assert constraint.farthest(result.numbers) < constraint.ROUNDING
    assert "corner of the diamond, where s6 is dropped" in text
