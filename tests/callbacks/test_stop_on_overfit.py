"""Training stops where the criterion says, and ends with the best weights."""

import keras
import numpy as np
import pytest

from keras_decay.callbacks import LearningCurve
from keras_decay.callbacks.stop_on_overfit import criteria

EPOCHS = 60


@pytest.fixture
def overfits():
    """A model that soon overfits 20 rows, the rows, and others for validation."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 6)).astype("float32")
    y = (x[:, :1] + rng.normal(size=(120, 1))).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(64, "relu", kernel_regularizer="l2"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model, x[:20], y[:20], (x[20:], y[20:])


class Weights(keras.callbacks.Callback):
    """The weights of every epoch."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.model.get_weights())


def fit(overfits, curve, *callbacks, epochs=EPOCHS, **settings):
    model, x, y, validation = overfits
    callbacks = [curve, *callbacks]
    settings = {"validation_data": validation, **settings}
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=callbacks, **settings)


def stops(curve, name, threshold, k=5):
    """Oracle: the criterion by its formula, epoch by epoch, on means over k epochs.

    For "up" that of two rises in succession.
    """
    val = [row["val_data_loss"] for row in curve.rows]
    train = [row["data_loss"] for row in curve.rows]
    for t in range(k - 1, len(val)):
        levels = [np.mean(val[s - k + 1 : s + 1]) for s in range(k - 1, t + 1)]
        gl = 100 * (levels[-1] / min(levels) - 1)
        last = train[t - k + 1 : t + 1]
        gain = 1000 * (np.mean(last) / min(last) - 1)
        ups = levels[::-k][:3]
        rising = len(ups) == 3 and ups[0] > ups[1] > ups[2]
        if rising if name == "up" else {"gl": gl, "pq": gl / gain}[name] > threshold:
            return t
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "name", "threshold"),
    [("gl", "gl", 5), ({"pq": 0.25}, "pq", 0.25), ({"up": 2}, "up", None)],
)
def test_it_stops_by_the_formula_with_the_best_weights(
    overfits, given, name, threshold
):
    curve, weights = LearningCurve(stop_on_overfit=given), Weights()
    fit(overfits, curve, weights)
    ended = len(curve.rows) - 1
    assert ended < EPOCHS - 1
    assert stops(curve, name, threshold) == ended
    best = int(np.argmin([row["val_data_loss"] for row in curve.rows]))
    # Not the best by the penalised loss, which falls on: the penalty shrinks.
    assert best < ended
    for ours, theirs in zip(overfits[0].get_weights(), weights.seen[best], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_training_that_does_not_overfit_ends_with_its_best_weights_too(overfits):
    curve, weights = LearningCurve(stop_on_overfit={"gl": 1e6}), Weights()
    fit(overfits, curve, weights, epochs=12, validation_freq=2)
    assert len(curve.rows) == 12
    val = [row.get("val_data_loss", np.inf) for row in curve.rows]
    for ours, theirs in zip(
        overfits[0].get_weights(), weights.seen[int(np.argmin(val))], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["callback", "generator"])
def test_after_an_exception(overfits, bomb, where):
    """The weights are left, and the best can still be had; the next `fit` is new."""
    model, x, y, validation = overfits
    curve, weights = LearningCurve(stop_on_overfit="up"), Weights()

    def batches():
        for _ in range(33):
            yield x, y
        raise RuntimeError("bomb")

    if where == "callback":
        given, callbacks = (x, y), [weights, bomb(epoch=32)]
    else:
        given, callbacks = (batches(),), [weights]
    settings = {"epochs": EPOCHS, "validation_data": validation, "verbose": 0}
    curve._stop.criteria["up"] = 1000
    with pytest.raises(Exception, match="bomb"):
        model.fit(*given, steps_per_epoch=1, callbacks=[curve, *callbacks], **settings)
    best = int(np.argmin([row["val_data_loss"] for row in curve.rows]))
    assert best < len(weights.seen) - 1
    curve.restore_best_weights()
    for ours, theirs in zip(model.get_weights(), weights.seen[best], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    if where == "generator":
        # On JAX the optimizer's variables have gone down with `fit`; weights have not.
        assert np.isfinite(model.evaluate(x, y, verbose=0))
        return
    before = len(curve.rows)
    # From a poor start, whatever is best in this `fit` is worse than the best before.
    model.set_weights([w + 1 for w in model.get_weights()])
    fit(overfits, curve, weights, epochs=3)
    val = [row["val_data_loss"] for row in curve.rows[before:]]
    assert min(val) > curve.rows[best]["val_data_loss"]
    for ours, theirs in zip(
        model.get_weights(), weights.seen[int(np.argmin(val))], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_without_validation_it_says_so(build, data):
    curve = LearningCurve(stop_on_overfit="gl")
    with pytest.warns(UserWarning, match="no finite validation loss"):
        build().fit(*data, verbose=0, callbacks=[curve])
    for one in (curve, LearningCurve()):
        with pytest.raises(ValueError, match="no best weights"):
            one.restore_best_weights()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (True, TypeError),
        (5.0, TypeError),
        ("early", ValueError),
        ({}, ValueError),
        ({"strip": 3}, ValueError),
        ({"gl": 0}, ValueError),
        ({"gl": 5, "patience": 3}, ValueError),
        ({"up": 1.5}, TypeError),
        ({"gl": 5, "strip": 0}, ValueError),
    ],
    ids=str,
)
def test_bad_criteria_are_named(value, error):
    with pytest.raises(error, match="`stop_on_overfit"):
        LearningCurve(stop_on_overfit=value)


def test_criteria():
    assert criteria(None) is None
    assert criteria("up") == {"strip": 5, "up": 3}
    given = {"gl": 2, "strip": 10}
    assert criteria(given) == {"strip": 10, "gl": 2.0}
    assert given == {"gl": 2, "strip": 10}
