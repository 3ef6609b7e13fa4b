"""Float64 within an experiment, also after layers were made in float32."""

import keras
import pytest

from keras_decay.experiments import _double


def test_layers_are_float64_meanwhile_whatever_came_before():
    before = keras.layers.Dense(1)
    with pytest.raises(KeyError), _double.precision():
        within = keras.layers.Dense(1)
        within.build((None, 2))
        raise KeyError
    after = keras.layers.Dense(1)
    after.build((None, 2))
    assert (
        before.compute_dtype == after.compute_dtype == after.kernel.dtype == "float32"
    )
    assert within.compute_dtype == within.kernel.dtype == "float64"
