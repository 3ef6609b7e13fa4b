"""The data of `high_dimensional`, and what is known of them in closed form."""

from typing import NamedTuple

import numpy as np

INPUTS, SAMPLES, TEST_ROWS = 200, 20, 100
WEIGHT, BIAS, NOISE = 0.01, 0.05, 0.01


class Sample(NamedTuple):
    """Rows to train on and to test on."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def test_error(self, kernel, bias):
        """The mean squared error of a linear model on the test rows."""
        return float(np.mean((self.x_test @ kernel + bias - self.y_test) ** 2))


def sample(seed, number):
    """The `Sample` of this number: y = 0.05 + Σ 0.01 x + noise, all x from N(0, 1)."""
    rng = np.random.default_rng([seed, number])
    x = rng.normal(size=(SAMPLES + TEST_ROWS, INPUTS))
    y = BIAS + WEIGHT * x.sum(axis=1) + NOISE * rng.normal(size=len(x))
    return Sample(x[:SAMPLES], y[:SAMPLES], x[SAMPLES:], y[SAMPLES:])


def ridge(data, half_l2):
    """(w, b), the minimiser of ½ mean (y − xw − b)² + λ/2 Σw², λ = `half_l2` > 0."""
    mean_x, mean_y = data.x.mean(axis=0), data.y.mean()
    x, y = data.x - mean_x, data.y - mean_y
    # As many equations as samples, not as inputs: w = Xᵀ (XXᵀ + nλ)⁻¹ y.
    gram = x @ x.T + half_l2 * len(x) * np.eye(len(x))
    kernel = x.T @ np.linalg.solve(gram, y)
    return kernel, mean_y - mean_x @ kernel


def limit(data, start):
    """(w, b), where gradient descent without decay ends that starts at (`start`, 0).

    It is the solution of least norm plus what the start has in the null space of the
    samples, their column of ones for the bias included.
    """
    inputs = np.column_stack([data.x, np.ones(len(data.x))])
    first = np.append(start, 0.0)
    last = first + np.linalg.pinv(inputs) @ (data.y - inputs @ first)
    return last[:-1], last[-1]


def in_null_space(data, kernels):
    """The parts of `kernels`, an array (…, inputs), in the null space of the samples.

    No step of gradient descent changes them, since every gradient is a sum of samples.
    """
    return kernels - kernels @ (np.linalg.pinv(data.x) @ data.x)
