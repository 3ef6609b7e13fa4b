"""A small task and a small penalised model, for the tests of callbacks."""

import keras
import numpy as np
import pytest


@pytest.fixture
def data():
    """50 rows, so that batches of 16 leave a partial one."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4)).astype("float32")
    y = x.sum(axis=1, keepdims=True) + rng.normal(size=(50, 1))
    return x, y.astype("float32")


@pytest.fixture
def build():
    """A function that builds the same compiled model every time."""

    def build(strength=0.5, optimizer=None, dropout=0.0, compiled=True, **settings):
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(
                    8,
                    "relu",
                    kernel_regularizer=keras.regularizers.L2(strength),
                    bias_regularizer=keras.regularizers.L1(strength),
                    activity_regularizer=keras.regularizers.L2(strength),
                ),
                keras.layers.Dropout(dropout),
                keras.layers.Dense(1),
            ]
        )
        if compiled:
            # With a state: what goes on after a restart must have that, too.
            optimizer = optimizer or keras.optimizers.SGD(0.01, momentum=0.9)
            settings = {"loss": "mse", "metrics": ["mse"], **settings}
            model.compile(optimizer, **settings)
        return model

    return build


class Bomb(keras.callbacks.Callback):
    """Raises at the end of an epoch."""

    def __init__(self, epoch=1, error=RuntimeError):
        super().__init__()
        self.epoch, self.error = epoch, error

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise self.error("bomb")


@pytest.fixture
def bomb():
    return Bomb
