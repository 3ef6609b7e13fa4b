"""A small search, as the layers above the engines hand it to them."""

import keras
import numpy as np

import keras_decay as kd
from keras_decay.search._work import Data, Job, Settings, Split, Task

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]]) + 0.5).astype("float32")
ROWS = np.arange(40)
# 27 and 26 rows to train on: chunks of two sizes.
SPLITS = [Split(ROWS[:27], ROWS[27:]), Split(ROWS[14:], ROWS[:14])]


def build(l2=0.0, eager=False):
    """A linear model; run eagerly it is none that the program can train."""
    layer = keras.layers.Dense(1, kernel_regularizer=kd.L2(l2))
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=eager)
    return model


def job(candidates, build=build, splits=SPLITS, x=X, **settings):
    """A `Job` and its `Task`s with one seed."""
    settings = Settings(**{"epochs": 2, "batch_size": 10, "predict": True, **settings})
    tasks = [Task(c, s, 0) for c in range(len(candidates)) for s in range(len(splits))]
    return Job(build, candidates, splits, Data(x, Y), settings), tasks


def strengths(count, **others):
    """Candidates that one program trains."""
    return [{"l2": 0.01 * i, **others} for i in range(count)]


def assert_equal(ours, theirs, rtol=0.0):
    """Outcomes hold the same numbers; the times that they took aside."""
    for one, other in zip(ours, theirs, strict=True):
        assert one.history.keys() == other.history.keys()
        assert (one.engine, one.best_epoch) == (other.engine, other.best_epoch)
        pairs = [(v, other.history[k]) for k, v in one.history.items()]
        pairs.append((one.predictions, other.predictions))
        pairs += zip(one.weights or [], other.weights or [], strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
