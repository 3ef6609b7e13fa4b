"""Sums and multiples of penalties, and penalties of the user's own.

Oracles: closed forms, and for the iteration the known proximal step of the sparse group
lasso (Simon et al., A Sparse-Group Lasso, 2013: soft threshold, then block shrinkage).
"""

import json

import keras
import numpy as np
import pytest
from keras import ops
from support import slow, to_numpy

import keras_decay as kd
from keras_decay.regularizers.maths.dykstra import dykstra


@keras.saving.register_keras_serializable(package="tests")
class RowNorms(kd.Penalty):
    """strength · Σ_rows ‖w_row‖₂, a user's own penalty."""

    def __init__(self, strength):
        self.strength = strength

    def __call__(self, w):
        return self.strength * ops.sum(ops.sqrt(ops.sum(ops.square(w), -1)))

    def prox(self, w, step):
        norm = ops.sqrt(ops.sum(ops.square(w), -1, keepdims=True))
        kept = ops.relu(norm - step * self.strength)
        return w * kept / ops.where(norm > 0, norm, ops.ones_like(norm))

    def get_config(self):
        return {"strength": self.strength}


class Columns(RowNorms):
    """The same for columns."""

    def __call__(self, w):
        return super().__call__(ops.transpose(w))

    def prox(self, w, step):
        return ops.transpose(super().prox(ops.transpose(w), step))


def weights():
    return np.random.default_rng(1).normal(size=(6, 4))


def sparse_group_prox(w, l1, group, l2):
    """argmin ½‖v − w‖² + l1‖v‖₁ + group Σ‖v_row‖ + l2‖v‖², in NumPy."""
    soft = np.sign(w) * np.maximum(np.abs(w) - l1, 0)
    norm = np.linalg.norm(soft, axis=-1, keepdims=True)
    shrunk = soft * np.maximum(norm - group, 0) / np.where(norm > 0, norm, 1)
    return shrunk / (1 + 2 * l2)


def test_values_add_up_and_scale():
    w = ops.convert_to_tensor(weights(), dtype="float32")
    a, b = kd.L1(0.3), RowNorms(0.2)
    expected = to_numpy(a(w)) + 0.5 * to_numpy(b(w))
    np.testing.assert_allclose(to_numpy((a + 0.5 * b)(w)), expected, rtol=1e-6)
    np.testing.assert_allclose(to_numpy(sum([a, 0.5 * b])(w)), expected, rtol=1e-6)
    np.testing.assert_allclose(
        to_numpy((np.float32(0.5) * b + a)(w)), expected, rtol=1e-6
    )
    np.testing.assert_allclose(to_numpy((b * 0.5 + a)(w)), expected, rtol=1e-6)


def test_prox_with_one_further_term_and_l2_is_closed(float64):
    w, penalty = weights(), RowNorms(0.8) + kd.L2(0.3)
    actual = to_numpy(penalty.prox(ops.convert_to_tensor(w), 0.7))
    expected = sparse_group_prox(w, 0, 0.56, 0.21)
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("step", [0.0, slow(0.1), 0.7, slow(5.0)])
def test_prox_by_iteration_reaches_the_documented_accuracy(step, float64):
    w = weights()
    penalty = kd.L1(0.4) + RowNorms(0.8) + 0.5 * kd.L2(0.6)
    actual = to_numpy(penalty.prox(ops.convert_to_tensor(w), step))
    expected = sparse_group_prox(w, 0.4 * step, 0.8 * step, 0.3 * step)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * np.abs(w).max())


@pytest.mark.slow
def test_prox_by_iteration_of_overlapping_groups_is_optimal(float64):
    # No closed form is known: check the optimality condition of the sum instead, by
    # random directions in which a convex objective must not fall.
    w, terms = weights(), [RowNorms(0.5), Columns(0.4), kd.L1(0.1)]
    penalty = terms[0] + terms[1] + terms[2]
    v = to_numpy(penalty.prox(ops.convert_to_tensor(w), 1.0))

    def objective(point):
        tensor = ops.convert_to_tensor(point)
        return 0.5 * np.square(point - w).sum() + float(to_numpy(penalty(tensor)))

    best, rng = objective(v), np.random.default_rng(2)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(100):
            assert objective(v + size * rng.normal(size=v.shape)) >= best - 1e-12


class Box(kd.Penalty):
    """A steep wall around |w| ≤ 1: 1e6 · Σ max(|w| − 1, 0)."""

    def __call__(self, w):
        return 1e6 * ops.sum(ops.relu(ops.abs(w) - 1))

    def prox(self, w, step):
        inside = ops.sign(w) * ops.minimum(ops.abs(w), ops.ones_like(w))
        return ops.where(ops.abs(w) > 1 + 1e6 * step, w, inside)


class Line(kd.Penalty):
    """A steep valley along w₀ = w₁: 1e6 · |w₀ − w₁|."""

    def __call__(self, w):
        return 1e6 * ops.abs(w[0] - w[1])

    def prox(self, w, step):
        half = (w[0] - w[1]) / 2
        moved = ops.sign(half) * ops.relu(ops.abs(half) - 1e6 * step)
        middle = (w[0] + w[1]) / 2
        return ops.stack([middle + moved, middle - moved])


@pytest.mark.slow
def test_prox_by_iteration_does_not_stop_while_it_rests(float64):
    # Projections onto a box and a line, where Dykstra's algorithm is known to stand
    # still for many cycles; the nearest point of both sets is (1, 1).
    for point in ([40.0, -10.0], [1000.0, -300.0]):
        v = (Box() + Line()).prox(ops.convert_to_tensor(np.array(point)), 1.0)
        np.testing.assert_allclose(to_numpy(v), [1, 1], atol=1e-6 * max(point))


def test_dykstra_of_one_term_is_that_term(float64):
    w = ops.convert_to_tensor(weights())
    one = dykstra(w, 0.5, [RowNorms(0.8).prox])
    np.testing.assert_allclose(
        to_numpy(one), to_numpy(RowNorms(0.8).prox(w, 0.5)), rtol=1e-10, atol=1e-14
    )


def test_variable_factors_and_strengths_are_found():
    strength, factor = keras.Variable(0.2), keras.Variable(3.0)
    penalty = kd.L1(0.1) + kd.L2(strength) * factor
    assert {id(v) for v in penalty.variables} == {id(strength), id(factor)}
    w = ops.convert_to_tensor([2.0])
    np.testing.assert_allclose(to_numpy(penalty(w)), 0.2 + 2.4, rtol=1e-6)
    np.testing.assert_allclose(
        to_numpy(penalty.prox(w, 1.0)), (2 - 0.1) / (1 + 1.2), rtol=1e-6
    )
    config = json.loads(json.dumps(penalty.get_config()))
    np.testing.assert_allclose(
        to_numpy(type(penalty).from_config(config)(w)), 2.6, rtol=1e-6
    )


def test_only_penalties_and_numbers_compose():
    for wrong in (keras.regularizers.L2(0.1), "l2", 1.0, None):
        with pytest.raises(TypeError):
            kd.L1(0.1) + wrong
    for wrong in ("2", None, True, [1.0]):
        with pytest.raises(TypeError, match="factor"):
            kd.L1(0.1) * wrong
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="factor"):
            wrong * kd.L1(0.1)


def test_repr_reads_like_the_source():
    penalty = 0.5 * (kd.L1(0.1) + kd.L2(0.2)) + kd.ElasticNet(0.3, 0.4)
    expected = "0.5 * (L1(l1=0.1) + L2(l2=0.2)) + ElasticNet(l1=0.3, l2=0.4)"
    assert repr(penalty) == expected


class Renamed(keras.regularizers.L2):
    """A class derived from Keras' own that says nothing new."""

    def get_config(self):
        return {"strength": float(self.l2)}


class Changed(keras.regularizers.L2):
    """One that has a value of its own."""

    def __call__(self, x):
        return 2 * super().__call__(x)


def test_equals_of_keras_own_regularizers():
    equal = kd.Penalty.of
    l1, l2 = equal(keras.regularizers.L1(0.1)), equal(keras.regularizers.L2(0.2))
    both = equal(keras.regularizers.L1L2(0.1, 0.2))
    assert (type(l1), type(l2), type(both)) == (kd.L1, kd.L2, kd.ElasticNet)
    np.testing.assert_allclose([l1.l1, l2.l2], [0.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose([both.l1, both.l2], [0.1, 0.2], rtol=1e-6)
    penalty = kd.MCP(0.1)
    assert equal(penalty) is penalty
    renamed = equal(Renamed(0.2))
    assert type(renamed) is kd.L2 and renamed.l2 == l2.l2
    others = [Changed(0.1), keras.regularizers.OrthogonalRegularizer(), None, "l2", abs]
    assert [equal(other) for other in others] == [None] * 5
