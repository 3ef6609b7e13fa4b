"""Colours of figures, and places of labels."""

import numpy as np

from keras_decay.ground import looks


def test_labels_are_spread_no_more_than_need_be():
    """Oracle: those far apart stay, a group keeps its centre, all lie inside."""
    assert looks.spread([10, 50, 90], 10, 0, 100) == [10, 50, 90]
    assert looks.spread([50, 50, 50], 10, 0, 100) == [40, 50, 60]
    assert looks.spread([0, 0, 100], 10, 0, 100) == [5, 15, 95]
    rng = np.random.default_rng(0)
    for _ in range(50):
        places = looks.spread(sorted(rng.uniform(0, 100, size=9)), 10, 0, 100)
        assert np.diff(places).min() >= 10 - 1e-9
        assert places[0] >= 5 - 1e-9 and places[-1] <= 95 + 1e-9


def test_labels_in_any_order_and_without_limits():
    values = np.array([0.50, 0.52, 1.0, 0.51])
    placed = looks.spread(values, 0.1)
    np.testing.assert_allclose(placed, [0.41, 0.61, 1.0, 0.51])
    np.testing.assert_array_equal(looks.spread(values, 0.001), values)
    assert looks.spread([], 1.0) == []


def test_32_curves_look_different():
    assert len({looks.colour_and_style(index) for index in range(32)}) == 32
