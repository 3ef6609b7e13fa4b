"""The optimizer's variables, created before the first step."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_decay.models import build_optimizer

X = np.ones((8, 3), "float32")


def compiled(cls=keras.Sequential, metrics=None):
    model = cls([keras.Input((3,)), layers.Dense(1)])
    model.compile("adam", "mse", metrics=metrics)
    return model


def counting():
    """A class whose `compute_loss` is called in every trace, and the list of calls."""
    calls = []

    class Counting(keras.Sequential):
        def compute_loss(self, *args, **kwargs):
            calls.append(1)
            return super().compute_loss(*args, **kwargs)

    return Counting, calls


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="traces twice")
def test_the_step_is_traced_once():
    for is_built_before, traces in ((False, 2), (True, 1)):
        cls, calls = counting()
        model = compiled(cls)
        if is_built_before:
            build_optimizer(model)
        model.fit(X, X[:, :1], batch_size=4, epochs=2, verbose=0)
        assert len(calls) == traces


def test_a_step_of_the_users_own_is_left_alone():
    class Own(keras.Sequential):
        def train_step(self, *args):
            return super().train_step(*args)

    model = compiled(Own)
    build_optimizer(model)
    assert not model.optimizer.built


def test_a_frozen_model_and_one_that_is_built_are_left_alone():
    model = compiled()
    model.trainable = False
    build_optimizer(model)
    assert not model.optimizer.built
    model = compiled()
    build_optimizer(model)
    before = model.optimizer.variables
    build_optimizer(model)
    assert len(model.optimizer.variables) == len(before) == 6


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")
def test_under_a_strategy():
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = compiled()
    build_optimizer(model)
    model.fit(X, X[:, :1], batch_size=4, verbose=0)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 2
