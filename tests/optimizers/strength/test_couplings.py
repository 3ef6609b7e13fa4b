"""The factor c_t. Oracle: the table of the documentation, in Python's numbers."""

import numpy as np
import pytest
from keras import ops
from support import to_numpy

from keras_decay.optimizers import coupling_factor

RATE, BASE = 0.03, 0.1
TABLE = {
    "learning_rate": lambda m: m * RATE,
    "schedule": lambda m: RATE / BASE,
    "independent": lambda m: 1.0,
    "corrected": lambda m: m * RATE**2 / BASE,
}


@pytest.mark.parametrize("m", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("coupling", TABLE)
def test_the_table_holds_for_numbers_and_tensors(coupling, m):
    expected = TABLE[coupling](m)
    assert coupling_factor(coupling, RATE, BASE, m) == pytest.approx(expected, 1e-12)
    tensor = ops.convert_to_tensor(np.float32(RATE))
    factor = coupling_factor(coupling, tensor, BASE, m)
    np.testing.assert_allclose(to_numpy(factor), expected, rtol=1e-6)
    assert ops.is_tensor(factor)


def test_couplings_without_a_base_rate_take_none():
    assert coupling_factor("learning_rate", RATE, None) == RATE
    assert coupling_factor("independent", RATE, None) == 1
