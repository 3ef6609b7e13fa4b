"""Sums of penalties that are not convex: closed where possible, else searched.

Oracle: brute force on the sum of the NumPy formulas in `numpy_penalties`.
"""

import keras
import numpy as np
import pytest
from keras import ops
from numpy_penalties import FAMILIES, excess
from support import compiled, to_numpy

import keras_decay as kd
from keras_decay.regularizers.penalty import sum_prox


def term(name, factor=1, **settings):
    """(the penalty, its value of magnitudes in NumPy)."""
    family = FAMILIES[name]
    value = family.prox_value or family.value
    return factor * family.make(**settings), lambda m: factor * value(m, **settings)


MCP = term("MCP", strength=0.7, gamma=2)
SCAD = term("SCAD", 0.5, strength=0.9, a=3.7)
ROOT = term("Lp", strength=0.3, p=0.5)
L1, L2 = (kd.L1(0.2), lambda m: 0.2 * m), (kd.L2(0.4), lambda m: 0.4 * m**2)
CLOSED = {
    "MCP + L2": [MCP, L2],
    "L1 + SCAD": [L1, SCAD],
    "L1 + Lp + L2": [L1, ROOT, L2],
    "L2 + HuberL1 + L1": [L2, term("HuberL1", strength=0.5, delta=0.1), L1],
    "StudentTPrior + priors": [
        term("StudentTPrior", df=1, scale=0.1, n_samples=2),
        term("LaplacePrior", scale=0.5, n_samples=2),
        term("GaussianPrior", scale=0.5, n_samples=2),
    ],
}
SEARCHED = {
    "MCP + LogSum": [MCP, term("LogSum", strength=0.2, epsilon=0.05)],
    "all": [
        MCP,
        SCAD,
        ROOT,
        L1,
        L2,
        term("HuberL1", strength=0.5, delta=0.1),
        term("StudentTPrior", df=1, scale=0.02, n_samples=10),
        term("HorseshoePrior", scale=0.1, n_samples=3),
    ],
}


def weights():
    rng = np.random.default_rng(0)
    w = 10 ** rng.uniform(-4, 2, 400) * rng.choice([-1, 1], 400)
    w[:3] = 0, 1e6, -1e-9
    return w.reshape(4, 100)


def assert_minimal(terms, v, w, step):
    assert np.all(v * w >= 0)
    found = excess(
        v.ravel(), w.ravel(), step, lambda m: sum(value(m) for _, value in terms)
    )
    # The search compares values, of which rounding leaves 1e-8 of |w|.
    assert np.all(found <= 1e-8)


@pytest.mark.parametrize("name", CLOSED)
def test_one_term_beside_l1_and_l2_is_closed(name, float64, monkeypatch):
    for search in ("dykstra", "lowest", "numeric_prox"):
        monkeypatch.setattr(sum_prox, search, None)
    terms, w = CLOSED[name], weights()
    penalty = sum(penalty for penalty, _ in terms)
    for step in (0.3, 1.4, 40.0):
        v = to_numpy(penalty.prox(ops.convert_to_tensor(w), step))
        assert_minimal(terms, v, w, step)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHED)
def test_terms_of_entries_are_minimised_globally(name, float64):
    terms, w, traces = SEARCHED[name], weights(), []
    penalty = sum(penalty for penalty, _ in terms)
    assert not penalty.convex

    def prox(w, step):
        traces.append(1)
        return penalty.prox(w, step)

    prox = compiled(prox)
    for step in (0.0, 0.3, 1.4, 40.0):
        v = prox(ops.convert_to_tensor(w), ops.convert_to_tensor(step, "float64"))
        v = to_numpy(v)
        assert_minimal(terms, v, w, step)
        if step == 0:
            np.testing.assert_array_equal(v, w)
        elif name == "MCP + LogSum":
            assert 0 < np.count_nonzero(v) < 300  # exact zeros, as brute force says
    if keras.backend.backend() != "torch":
        assert len(traces) == 1


@pytest.mark.slow
def test_terms_beside_groups_end_at_a_local_minimum(float64):
    w = np.random.default_rng(0).normal(size=(3, 4))
    penalty = kd.LogSum(0.3, 0.5) + kd.GroupLasso(0.2)
    v = to_numpy(penalty.prox(ops.convert_to_tensor(w), 0.5))

    def objective(v):
        return 0.5 * np.sum((v - w) ** 2) + 0.5 * float(
            to_numpy(penalty(ops.convert_to_tensor(v)))
        )

    best, rng = objective(v), np.random.default_rng(1)
    assert best <= min(objective(w), objective(0 * w)) + 1e-12
    for _ in range(50):
        assert objective(v + 1e-3 * rng.normal(size=v.shape)) >= best - 1e-9
