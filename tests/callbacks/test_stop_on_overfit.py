"""Training stops where the criterion says, and ends with the best weights."""

import keras
import numpy as np
import pytest

import keras_decay as kd
from keras_decay.callbacks import LearningCurve, StopOnOverfit
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


def fit(overfits, *callbacks, epochs=EPOCHS, **settings):
    model, x, y, validation = overfits
    settings = {"validation_data": validation, **settings}
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(callbacks), **settings)


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
    curve, weights = LearningCurve(), Weights()
    stop = StopOnOverfit(curve, given)
    # It acts in the same epoch wherever it stands.
    fit(overfits, *((stop, curve) if name == "pq" else (curve, stop)), weights)
    assert name.upper() in stop.reason
    ended = len(curve.rows) - 1
    assert ended < EPOCHS - 1
    assert stops(curve, name, threshold) == ended
    best = int(np.argmin([row["val_data_loss"] for row in curve.rows]))
    # Not the best by the penalised loss, which falls on: the penalty shrinks.
    assert stop.best_epoch == best < ended
    for ours, theirs in zip(overfits[0].get_weights(), weights.seen[best], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_training_that_does_not_overfit_ends_with_its_best_weights_too(overfits):
    curve, weights = LearningCurve(), Weights()
    stop = StopOnOverfit(curve, {"gl": 1e6})
    fit(overfits, stop, weights, curve, epochs=12, validation_freq=2)
    assert stop.reason is None
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
    curve, weights = LearningCurve(), Weights()
    stop = StopOnOverfit(curve, {"up": 1000})

    def batches():
        for _ in range(33):
            yield x, y
        raise RuntimeError("bomb")

    if where == "callback":
        given, callbacks = (x, y), [weights, bomb(epoch=32)]
    else:
        given, callbacks = (batches(),), [weights]
    settings = {"epochs": EPOCHS, "validation_data": validation, "verbose": 0}
    with pytest.raises(Exception, match="bomb"):
        model.fit(
            *given, steps_per_epoch=1, callbacks=[curve, stop, *callbacks], **settings
        )
    best = int(np.argmin([row["val_data_loss"] for row in curve.rows]))
    assert best < len(weights.seen) - 1
    stop.restore_best_weights()
    for ours, theirs in zip(model.get_weights(), weights.seen[best], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    if where == "generator":
        # On JAX the optimizer's variables have gone down with `fit`; weights have not.
        assert np.isfinite(model.evaluate(x, y, verbose=0))
        return
    before = len(curve.rows)
    # From a poor start, whatever is best in this `fit` is worse than the best before.
    model.set_weights([w + 1 for w in model.get_weights()])
    fit(overfits, curve, stop, weights, epochs=3)
    val = [row["val_data_loss"] for row in curve.rows[before:]]
    assert min(val) > curve.rows[best]["val_data_loss"]
    for ours, theirs in zip(
        model.get_weights(), weights.seen[int(np.argmin(val))], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_without_validation_it_says_so(build, data):
    curve = LearningCurve()
    stop = StopOnOverfit(curve)
    with pytest.warns(UserWarning, match="no finite validation loss"):
        build().fit(*data, verbose=0, callbacks=[stop, curve])
    for one in (stop, curve):
        with pytest.raises(ValueError, match="no best weights"):
            one.restore_best_weights()


def test_a_curve_of_another_fit_is_refused(build, data):
    """Also one that has recorded an earlier `fit` of this very model."""
    model, curve = build(), LearningCurve()
    stop = StopOnOverfit(curve)
    for _ in range(2):
        with pytest.raises(ValueError, match="`curve` must stand in the same list"):
            model.fit(*data, verbose=0, callbacks=[stop])
        model.fit(*data, verbose=0, callbacks=[curve])
    with pytest.raises(TypeError, match="`curve` must be the LearningCurve"):
        StopOnOverfit("gl")
    # What is refused leaves nothing behind.
    model.fit(*data, verbose=0, validation_data=data, callbacks=[curve, stop])
    assert stop.best_epoch == curve.rows[-1]["epoch"] == 2


def test_after_a_resume_it_uses_the_rows_of_that_training(overfits):
    """Oracle: the rows that a training without an interruption would have."""
    model, x, y, validation = overfits
    settings = {"validation_data": validation, "verbose": 0}
    curve = LearningCurve()
    model.fit(x, y, epochs=20, callbacks=[curve], **settings)
    seen = []
    stop = StopOnOverfit(curve, {"gl": 1e6})
    original = stop.epoch
    stop.epoch = lambda model, rows: (seen.append(len(rows)), original(model, rows))
    model.fit(x, y, initial_epoch=20, epochs=22, callbacks=[stop, curve], **settings)
    assert seen == [21, 22]
    # A `fit` that begins at 0 is a training of its own.
    model.fit(x, y, epochs=2, callbacks=[stop, curve], **settings)
    assert seen == [21, 22, 1, 2]
    assert len(curve.rows) == 24
    # It overfits by what was before the interruption alone.
    best = min(row["val_data_loss"] for row in curve.rows[:20])
    assert curve.rows[21]["val_data_loss"] > 1.05 * best
    fit(overfits, curve, StopOnOverfit(curve, {"gl": 5.0, "strip": 1}), epochs=30)
    assert len(curve.rows) > 25
    last = StopOnOverfit(curve, {"gl": 5.0, "strip": 1})
    number = len(curve.rows)
    fit(overfits, last, curve, initial_epoch=number, epochs=number + 9)
    assert len(curve.rows) == number + 1 and "GL" in last.reason


@pytest.mark.slow
def test_as_an_argument_of_the_curve_it_is_deprecated(overfits):
    with pytest.warns(DeprecationWarning, match=r"StopOnOverfit\(curve, 'gl'\)"):
        curve = kd.LearningCurve(stop_on_overfit="gl")
    weights = Weights()
    fit(overfits, curve, weights)
    assert stops(curve, "gl", 5) == len(curve.rows) - 1 < EPOCHS - 1
    best = int(np.argmin([row["val_data_loss"] for row in curve.rows]))
    curve.restore_best_weights()
    for ours, theirs in zip(overfits[0].get_weights(), weights.seen[best], strict=True):
        np.testing.assert_array_equal(ours, theirs)


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
    with pytest.raises(error, match="`criterion"):
        StopOnOverfit(LearningCurve(), value)


def test_criteria():
    assert criteria("up") == {"strip": 5, "up": 3}
    given = {"gl": 2, "strip": 10}
    assert criteria(given) == {"strip": 10, "gl": 2.0}
    assert given == {"gl": 2, "strip": 10}
