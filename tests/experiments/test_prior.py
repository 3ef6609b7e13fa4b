"""MAP estimates are L2 and L1. Oracles: the closed forms, and scikit-learn's Lasso."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from keras_decay.experiments import _linear, prior

pytestmark = pytest.mark.slow

# What 300 plain steps leave of the way, where the patients are worst conditioned.
ARRIVED = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(scope="module")
def numbers(found):
    return found("prior").numbers


def test_the_gaussian_map_is_the_mean_of_the_posterior(numbers):
    """(XᵀX/s² + I/σ²)⁻¹ Xᵀy/s², for every sample and scale."""
    x, y, _, _ = numbers["samples"].values()
    noise, one = numbers["noise_variance"], numbers["gaussian"]
    for index, scale in enumerate(one["scale"]):
        precision = np.einsum("pri,prj->rij", x, x) / noise + np.eye(7) / scale**2
        slopes = np.einsum("pri,pr->ri", x, y) / noise
        expected = np.linalg.solve(precision, slopes[..., None])[..., 0].T
        np.testing.assert_allclose(one["map"][index], expected, **ARRIVED)


def test_the_laplace_map_is_scikit_learns_lasso(numbers):
    x, y, _, _ = numbers["samples"].values()
    one = numbers["laplace"]
    for index, scale in enumerate(one["scale"]):
        # Σ residual²/(2n) + α Σ|w|, so that α = s²/(nb).
        alpha = numbers["noise_variance"] / (prior.PATIENTS * scale)
        lasso = Lasso(alpha=alpha, fit_intercept=False, tol=1e-14, max_iter=100_000)
        for sample in (0, 1, 50, 139):
            expected = lasso.fit(x[:, sample], y[:, sample]).coef_
            found = one["map"][index][:, sample]
            np.testing.assert_allclose(found, expected, **ARRIVED)
            np.testing.assert_array_equal(found == 0, expected == 0)
    assert np.any(one["map"] == 0) and not np.any(numbers["gaussian"]["map"] == 0)


def test_a_prior_is_its_penalty(numbers):
    assert prior.apart(numbers) < 1e-13
    noise, patients = numbers["noise_variance"], prior.PATIENTS
    g, b = (numbers[f]["scale"] for f in prior.FAMILIES)
    strengths = [numbers[f]["strength"] for f in prior.FAMILIES]
    np.testing.assert_allclose(strengths[0], noise / (patients * g**2), rtol=1e-12)
    np.testing.assert_allclose(strengths[1], 2 * noise / (patients * b), rtol=1e-12)


def test_a_single_weight_ends_at_the_mode_of_its_posterior(numbers):
    for name, one in numbers["alone"].items():
        x, y = _linear.standardised(0, (name,))
        chosen = numbers["samples"]["chosen"][0]
        x, y = x[chosen, 0], y[chosen, 0]
        free, pull = (x @ y) / (x @ x), one["noise_variance"] / (x @ x)
        least = pull / one["laplace"]["scale"]
        modes = {
            "gaussian": free / (1 + pull / one["gaussian"]["scale"] ** 2),
            "laplace": np.sign(free) * max(abs(free) - least, 0),
        }
        step = one["grid"][1] - one["grid"][0]
        for family, mode in modes.items():
            np.testing.assert_allclose(one[family]["map"], mode, rtol=0, atol=1e-12)
            density = one[family]["posterior"]
            assert abs(one["grid"][density.argmax()] - mode) <= step
            assert abs(density.sum() * step - 1) < 1e-12
    weak, strong = (numbers["alone"][name]["laplace"]["map"] for name in prior.ALONE)
    assert weak == 0 and strong > 0.2


def test_the_error_is_what_the_algebra_expects(numbers):
    """E over weights from N(0, σ₀²) and noise, for the samples' own patients."""
    x, _, truth, chosen = numbers["samples"].values()
    rows, _ = _linear.standardised(0)
    noise, one = numbers["noise_variance"], numbers["gaussian"]
    drawn = range(20, 20 + one["simulated"].shape[1])
    for index, scale in enumerate(one["scale"]):
        expected = []
        for sample in drawn:
            gram = x[:, sample].T @ x[:, sample]
            others = np.delete(rows, chosen[sample], axis=0)
            weight = others.T @ others / len(others)
            a = np.linalg.inv(gram + noise / scale**2 * np.eye(7))
            bias = a @ gram - np.eye(7)
            spread = numbers["typical"]["gaussian"] ** 2 * bias @ bias.T
            expected.append(np.trace(weight @ (spread + noise * a @ gram @ a)))
        errors = one["simulated"][index]
        off = errors.mean() - np.mean(expected)
        assert abs(off) < 3 * errors.std(ddof=1) / np.sqrt(len(errors))
    assert truth.shape == (7, 140)


@pytest.mark.parametrize("family", prior.FAMILIES)
def test_a_wrong_scale_costs(numbers, family):
    ratio, significance = prior.costs(numbers, family)
    assert ratio[1] == 1 and significance[1] == 0
    assert ratio[0] > 2 and ratio[2] > 1.1
    assert significance[0] > 3 and significance[2] > 3
