"""Penalties that are sums over entries, once more in NumPy, and their brute force.

Written from the papers' formulas, case by case, in float64, and without the library.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import keras_decay as kd


@dataclass
class Family:
    """A penalty: how to make it, and its value and slope at magnitudes m ≥ 0.

    `make`, `value` and `slope` take the settings as keywords; `settings` are those by
    which the tests go, {name: values}.
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
    """horseshoe(m) − horseshoe(0), without the cancellation."""
    e = 1e-6
    q = (m / scale) ** 2 + e
    fall = np.log1p(-2 * (m / scale) ** 2 / (q * (e + 2)))
    return -np.log1p(fall / np.log1p(2 / e)) / n_samples


STRENGTHS = [0.0, 1e-3, 0.1, 0.7, 3.0, 50.0]
SCALES = [1e-3, 0.05, 1.0, 20.0]
SAMPLES = [1, 10, 1000]
FAMILIES = {
    "Lp": Family(
        kd.Lp,
        lambda m, strength, p: strength * ((m**2 + 1e-12) ** (p / 2) - 1e-6**p),
        lambda m, strength, p: strength * p * m * (m**2 + 1e-12) ** (p / 2 - 1),
        {
            "strength": STRENGTHS,
            "p": [0.01, 0.3, 0.5, 2 / 3, 0.9, 0.99, 1, 1.05, 1.2, 1.5, 2, 3, 7],
        },
        lambda m, strength, p: strength * m ** float(p),
        power_slope,
    ),
    "HuberL1": Family(
        kd.HuberL1,
        huber,
        lambda m, strength, delta: strength * np.minimum(m / delta, 1),
        {"strength": STRENGTHS, "delta": [1e-6, 0.1, 1, 30]},
    ),
    "MCP": Family(
        kd.MCP,
        mcp,
        lambda m, strength, gamma: np.maximum(strength - m / gamma, 0),
        {"strength": STRENGTHS, "gamma": [1.001, 2, 3.0, 40]},
    ),
    "SCAD": Family(
        kd.SCAD, scad, scad_slope, {"strength": STRENGTHS, "a": [2.001, 2.5, 3.7, 40]}
    ),
    "LogSum": Family(
        kd.LogSum,
        lambda m, strength, epsilon: strength * np.log1p(m / epsilon),
        lambda m, strength, epsilon: strength / (epsilon + m),
        {"strength": STRENGTHS, "epsilon": [1e-6, 0.01, 0.5, 30]},
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
        {"df": [0.3, 1, 4, 1e6], "scale": SCALES, "n_samples": SAMPLES},
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
    """By how much v is above the best of a fine grid between 0 and w, relative to w².

    And by how much |step · value|, whose rounding counts as well, exceeds w².
    """
    grid = FRACTIONS[:, None] * w
    best = objective(grid, np.broadcast_to(w, grid.shape), step, value).min(0)
    size = w**2 + step * np.abs(value(np.abs(v)) - value(np.zeros_like(v)))
    found = objective(v, w, step, value)
    return (found - best) / np.where(size > 0, size, 1)
