"""Penalties that are sums over entries, once more in NumPy, and their brute force.

Written from the papers' formulas, case by case, in float64, and without the library.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import keras_decay as kd


@dataclass
class Family:
    """A penalty: how to make it, and its value and slope at magnitudes m ≥ 0.

    `make`, `value` and `slope` take the settings as keywords; `settings` are the
    strategies to draw them by.
    """

    make: Any
    value: Any
    slope: Any
    settings: dict
    # Of the proximal step, where it differs: Lp's is that of ε = 0.
    prox_value: Any = None
    prox_slope: Any = None


def mcp(m, strength, gamma):
    inside = strength * m - m**2 / (2 * gamma)
    return np.where(m <= gamma * strength, inside, gamma * strength**2 / 2)


def scad(m, strength, a):
    lam = strength
    middle = (2 * a * lam * m - m**2 - lam**2) / (2 * (a - 1))
    return np.where(
        m <= lam, lam * m, np.where(m <= a * lam, middle, lam**2 * (a + 1) / 2)
    )


def scad_slope(m, strength, a):
    lam = strength
    return np.where(m <= lam, lam, np.maximum(a * lam - m, 0) / (a - 1))


def huber(m, strength, delta):
    return strength * np.where(m <= delta, m**2 / (2 * delta), m - delta / 2)


def power_slope(m, strength, p):
    with np.errstate(divide="ignore"):
        return strength * p * m ** (p - 1.0)


def student(m, df, scale, n_samples):
    return (df + 1) / (2 * n_samples) * np.log1p(m**2 / (df * scale**2))


def horseshoe(m, scale, n_samples):
    bound = np.log1p(2 * scale**2 / (m**2 + (1e-3 * scale) ** 2))
    return -np.log(bound) / n_samples


def horseshoe_slope(m, scale, n_samples):
    q = m**2 + (1e-3 * scale) ** 2
    bound = np.log1p(2 * scale**2 / q)
    inner = -4 * scale**2 * m / (q**2 * (1 + 2 * scale**2 / q))
    return -inner / bound / n_samples


def horseshoe_rise(m, scale, n_samples):
    """horseshoe(m) − horseshoe(0), near 0 without the cancellation."""
    e, x2 = 1e-6, np.minimum(m / scale, 0.01) ** 2
    fall = np.log1p(-2 * x2 / ((x2 + e) * (e + 2)))
    near = -np.log1p(fall / np.log1p(2 / e)) / n_samples
    far = horseshoe(m, scale, n_samples) - horseshoe(0 * m, scale, n_samples)
    return np.where(m < 0.01 * scale, near, far)


def numbers(low, high, *special):
    """Numbers between the bounds, and the special ones often."""
    return st.sampled_from(special) | st.floats(low, high)


STRENGTHS = numbers(1e-4, 50, 0.0, 0.1, 3.0)
SCALES = numbers(1e-3, 20, 0.05, 1.0)
SAMPLES = st.sampled_from([1, 10, 1000])
EXPONENTS = numbers(0.05, 0.95, 0.5, 2 / 3, 1, 2) | numbers(1.05, 6, 1.5, 3)
FAMILIES = {
    "Lp": Family(
        kd.Lp,
        lambda m, strength, p: strength * ((m**2 + 1e-12) ** (p / 2) - 1e-6**p),
        lambda m, strength, p: strength * p * m * (m**2 + 1e-12) ** (p / 2 - 1),
        {"strength": STRENGTHS, "p": EXPONENTS},
        lambda m, strength, p: strength * m ** float(p),
        power_slope,
    ),
    "HuberL1": Family(
        kd.HuberL1,
        huber,
        lambda m, strength, delta: strength * np.minimum(m / delta, 1),
        {"strength": STRENGTHS, "delta": numbers(1e-6, 30, 1)},
    ),
    "MCP": Family(
        kd.MCP,
        mcp,
        lambda m, strength, gamma: np.maximum(strength - m / gamma, 0),
        {"strength": STRENGTHS, "gamma": numbers(1.001, 40, 3)},
    ),
    "SCAD": Family(
        kd.SCAD, scad, scad_slope, {"strength": STRENGTHS, "a": numbers(2.001, 40, 3.7)}
    ),
    "LogSum": Family(
        kd.LogSum,
        lambda m, strength, epsilon: strength * np.log1p(m / epsilon),
        lambda m, strength, epsilon: strength / (epsilon + m),
        {"strength": STRENGTHS, "epsilon": numbers(1e-6, 30, 0.01)},
    ),
    "GaussianPrior": Family(
        kd.GaussianPrior,
        lambda m, scale, n_samples: m**2 / (2 * n_samples * scale**2),
        lambda m, scale, n_samples: m / (n_samples * scale**2),
        {"scale": SCALES, "n_samples": SAMPLES},
    ),
    "LaplacePrior": Family(
        kd.LaplacePrior,
        lambda m, scale, n_samples: m / (n_samples * scale),
        lambda m, scale, n_samples: np.ones_like(m) / (n_samples * scale),
        {"scale": SCALES, "n_samples": SAMPLES},
    ),
    "StudentTPrior": Family(
        kd.StudentTPrior,
        student,
        lambda m, df, scale, n_samples: (
            (df + 1) / n_samples * m / (df * scale**2 + m**2)
        ),
        {"df": numbers(0.3, 50, 1, 1e6), "scale": SCALES, "n_samples": SAMPLES},
    ),
    "HorseshoePrior": Family(
        kd.HorseshoePrior,
        horseshoe,
        horseshoe_slope,
        {"scale": SCALES, "n_samples": SAMPLES},
        horseshoe_rise,
    ),
}

FRACTIONS = np.union1d(np.linspace(0, 1, 1001), np.geomspace(1e-12, 1, 600))


def objective(x, w, step, value):
    """(½(x − w)² + step · value(|x|)) − (the same at x = 0), for each entry.

    The difference, since near a large w the objective itself would lose it in rounding.
    """
    zero = np.zeros_like(w)
    return x * (0.5 * x - w) + step * (value(np.abs(x)) - value(zero))


def excess(v, w, step, value):
    """By how much v is above the best point of a fine grid between 0 and w.

    Relative to the two terms of the objective, whose rounding it cannot undercut.
    """
    grid = FRACTIONS[:, None] * w
    best = objective(grid, np.broadcast_to(w, grid.shape), step, value).min(0)
    size = w**2 + step * np.abs(value(np.abs(v)) - value(np.zeros_like(v)))
    found = objective(v, w, step, value)
    return (found - best) / np.where(size > 0, size, 1)
