"""L2 is weight decay under plain SGD. Oracle: the algebra, to rounding in float64."""

import keras
import numpy as np
import pytest

from keras_decay.experiments import equivalence

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def numbers(found):
    return found("equivalence").numbers


@pytest.mark.parametrize("pair", equivalence.PAIRS, ids=lambda pair: pair.title)
def test_what_the_algebra_says(numbers, pair):
    distance = numbers["distance"][pair.title]
    assert len(distance) == numbers["steps"] == 100
    if pair.claim:
        assert distance.max() < 1e-14
    else:
        assert distance[-1] > 0.02


def test_one_step_by_hand(numbers):
    """At the first step the two differ by what is left out."""
    rate, decay = equivalence.RATE, equivalence.DECAY
    # w − ηg − ηλ'w against w − ηg − η²λ'w, where the η is forgotten.
    missing = rate * decay * (1 - rate)
    found = numbers["distance"]["SGD, independent, η forgotten"][0]
    # ‖w‖ before and after the step are the same to a per cent.
    np.testing.assert_allclose(found, missing, rtol=0.05)


def test_adam_spares_weights_with_large_gradients(numbers):
    correlation = numbers["adam"]["rank_correlation"]
    assert correlation["l2"] > 0.5
    assert abs(correlation["decoupled"]) < 0.25
    assert len(numbers["adam"]["root_v"]) == 10 * equivalence.UNITS + equivalence.UNITS


def test_floats_are_as_before(numbers):
    del numbers
    assert keras.config.floatx() == "float32"
    assert keras.Variable(1.0).dtype == "float32"
