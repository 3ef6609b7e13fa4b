"""Arithmetic on tensors: gradients at zero, large numbers, precision.

Oracles: NumPy, and derivatives by hand.
"""

import numpy as np
import pytest
from keras import ops
from support import gradient, to_numpy

from keras_decay.ground.arithmetic import (
    computable,
    is_double,
    larger,
    limits,
    magnitude,
    one_unless,
    positive_or_one,
    smaller,
    unit_of,
    zero_unless,
)

VALUES = np.array([-2.0, 0.0, 1e-3, 3.0])


def test_magnitude_has_the_gradient_zero_at_zero():
    w = VALUES.astype("float32")
    np.testing.assert_array_equal(
        to_numpy(magnitude(ops.convert_to_tensor(w))), np.abs(w)
    )
    found = gradient(lambda w: ops.sum(magnitude(w)), w)
    np.testing.assert_array_equal(found, np.sign(w))


def test_minimum_and_maximum_keep_the_precision(float64):
    x, y = ops.convert_to_tensor(VALUES), ops.convert_to_tensor(VALUES[::-1] + 1e-12)
    for function, oracle in ((smaller, np.minimum), (larger, np.maximum)):
        found = function(x, y)
        assert is_double(found)
        np.testing.assert_array_equal(
            to_numpy(found), oracle(VALUES, VALUES[::-1] + 1e-12)
        )


def test_a_guarded_root_and_quotient_have_finite_gradients():
    w = VALUES.astype("float32")

    def root(w):
        return ops.sum(zero_unless(w > 0, ops.sqrt(one_unless(w > 0, w))))

    def inverse(w):
        return ops.sum(zero_unless(w > 0, 1 / positive_or_one(w)))

    positive = np.where(w > 0, w, 1)
    expected = np.where(w > 0, 0.5 / np.sqrt(positive), 0)
    np.testing.assert_allclose(gradient(root, w), expected, rtol=1e-5)
    expected = np.where(w > 0, -1 / positive**2, 0)
    np.testing.assert_allclose(gradient(inverse, w), expected, rtol=1e-5)


def test_the_unit_is_the_largest_magnitude_or_one():
    w = ops.convert_to_tensor(np.array([[-3.0, 1.0], [0.0, 0.0]], "float32"))
    assert to_numpy(unit_of(w)) == 3
    np.testing.assert_array_equal(to_numpy(unit_of(w, axis=1)), [[3], [1]])
    np.testing.assert_array_equal(to_numpy(unit_of(w, axis=())), [[3, 1], [1, 1]])
    scaled = gradient(lambda w: ops.sum(w / unit_of(w)), to_numpy(w))
    np.testing.assert_allclose(scaled, np.full((2, 2), 1 / 3), rtol=1e-5)


@pytest.mark.parametrize(
    "given, computed",
    [
        ("float16", "float32"),
        ("bfloat16", "float32"),
        ("float32", "float32"),
        ("int32", "float32"),
    ],
)
def test_half_precision_and_integers_are_computed_in_float32(given, computed):
    w = computable(ops.cast(ops.convert_to_tensor([1.0, 2.0]), given))
    assert to_numpy(w).dtype == computed


def test_limits_are_those_of_numpy():
    found = limits(ops.convert_to_tensor(VALUES.astype("float32")))
    numpy = np.finfo("float32")
    assert found == (numpy.eps, numpy.tiny, numpy.max)
    assert all(type(value) is float for value in found)
