"""The parts of the loss under a train_step of the user's.

Oracle, unless a test names another: what Keras' own train_step logs and `LearningCurve`
records on the same model and data, where the user's does the same.
"""

import keras
import numpy as np
import pytest
from keras import ops
from support import slow

import keras_decay as kd
from keras_decay.callbacks import LearningCurve

BACKEND = keras.backend.backend()
# Two float32 means of the same numbers, summed in a different order.
CLOSE = {"rtol": 1e-5}
STATELESS = pytest.mark.skipif(BACKEND != "jax", reason="JAX's stateless steps")
STATEFUL = pytest.mark.skipif(BACKEND == "jax", reason="the other backends' steps")


def gradient_step(model, x, y, compute):
    """One step on `compute(y_pred)`; returns the loss and the predictions."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            y_pred = model(x, training=True)
            loss = compute(y_pred)
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss, y_pred
    import torch

    y_pred = model(x, training=True)
    model.zero_grad()
    loss = compute(y_pred)
    loss.backward()
    gradients = [v.value.grad for v in model.trainable_variables]
    with torch.no_grad():
        model.optimizer.apply(gradients, model.trainable_variables)
    return loss, y_pred


def updates_all_metrics(self, data):
    """As Keras' guide on customising fit has it."""
    x, y = data
    loss, y_pred = gradient_step(
        self, x, y, lambda y_pred: self.compute_loss(y=y, y_pred=y_pred)
    )
    for metric in self.metrics:
        if metric.name == "loss":
            metric.update_state(loss)
        else:
            metric.update_state(y, y_pred)
    return {metric.name: metric.result() for metric in self.metrics}


def resets_all_metrics(self, data):
    for metric in self.metrics:
        metric.reset_state()
    return updates_all_metrics(self, data)


def returns_its_own(self, data):
    return {"mine": updates_all_metrics(self, data)["loss"]}


def returns_its_own_of_two_losses(self, data):
    x, y = data
    self.compute_loss(y=y, y_pred=self(x))
    return returns_its_own(self, data)


def doubles_the_loss(self, data):
    x, y = data
    loss, _ = gradient_step(self, x, y, lambda p: self.compute_loss(y=y, y_pred=p))
    (tracker,) = self.metrics
    tracker.update_state(2 * loss)
    return {"loss": tracker.result()}


def logs_the_last_batch(self, data):
    x, y = data
    loss, _ = gradient_step(self, x, y, lambda p: self.compute_loss(y=y, y_pred=p))
    return {"loss": loss}


def has_a_loss_of_its_own(self, data):
    x, y = data
    loss, _ = gradient_step(self, x, y, lambda p: ops.mean(ops.square(y - p)))
    return {"loss": loss}


def logs_a_penalty_of_its_own(self, data):
    return {**updates_all_metrics(self, data), "penalty": ops.ones(())}


def evaluates_all_metrics(self, data):
    x, y = data
    y_pred = self(x, training=False)
    loss = self.compute_loss(y=y, y_pred=y_pred)
    for metric in self.metrics:
        if metric.name == "loss":
            metric.update_state(loss)
        else:
            metric.update_state(y, y_pred)
    return {metric.name: metric.result() for metric in self.metrics}


def stateless(compute):
    """The train_step of Keras' guide for JAX, with `compute` for the loss."""
    import jax

    def train_step(self, state, data):
        trainable, others, optimizer, metrics = state
        x, y = data
        gradient = jax.value_and_grad(compute, argnums=1, has_aux=True)
        (loss, (y_pred, others, metrics)), gradients = gradient(
            self, trainable, others, metrics, x, y
        )
        trainable, optimizer = self.optimizer.stateless_apply(
            optimizer, gradients, trainable
        )
        logs, new = {}, []
        for metric in self.metrics:
            its = metrics[len(new) : len(new) + len(metric.variables)]
            given = (loss,) if metric.name == "loss" else (y, y_pred)
            its = metric.stateless_update_state(its, *given)
            logs[metric.name] = metric.stateless_result(its)
            new += its
        return logs, (trainable, others, optimizer, new)

    return train_step


def within_a_scope(self, trainable, others, metrics, x, y):
    loss, (_, y_pred, others, metrics) = self.compute_loss_and_updates(
        trainable, others, metrics, x, y, None, training=False
    )
    return loss, (y_pred, others, metrics)


def outside_of_any_scope(self, trainable, others, metrics, x, y):
    y_pred, others = self.stateless_call(trainable, others, x, training=True)
    return self.compute_loss(x, y, y_pred), (y_pred, others, metrics)


@pytest.fixture
def custom(build):
    """A function that builds the model of `build` as a subclass with these methods."""

    def custom(metrics=("mse",), strength=0.5, loss="mse", compiled=None, **methods):
        model = build(compiled=False, strength=strength)
        model = type("Custom", (keras.Sequential,), methods)(model.layers)
        metrics = metrics and list(metrics)
        given = {"loss": loss, "metrics": metrics, **(compiled or {})}
        model.compile(keras.optimizers.SGD(0.01), **given)
        return model

    return custom


def fit(model, x, y, curve=None, **settings):
    curve = curve or LearningCurve()
    settings = {
        "epochs": 2,
        "verbose": 0,
        "batch_size": 25,
        "shuffle": False,
    } | settings
    model.fit(x, y, callbacks=[curve], **settings)
    return curve.rows


def same(rows, expected, columns=("loss", "data_loss", "penalty")):
    assert len(rows) == len(expected) == 2
    for row, other in zip(rows, expected, strict=True):
        for column in columns:
            np.testing.assert_allclose(row[column], other[column], **CLOSE)
        assert "data_loss_note" not in row


def unknown(rows, *words, prefix=""):
    assert rows
    for row in rows:
        assert row[prefix + "data_loss"] is row[prefix + "penalty"] is None
        assert all(word in row["data_loss_note"] for word in words)
        assert "penalties" not in row


@STATEFUL
@pytest.mark.parametrize("metrics", [("mse",), slow(None)], ids=["metrics", "none"])
def test_a_step_that_updates_all_metrics(custom, data, metrics):
    model = custom(
        metrics, train_step=updates_all_metrics, test_step=evaluates_all_metrics
    )
    rows = fit(model, *data, validation_data=data)
    expected = fit(custom(metrics), *data, validation_data=data)
    same(rows, expected)
    same(rows, expected, ("val_loss", "val_data_loss", "val_penalty"))
    if metrics:
        # Keras 3.12 logs the validation's under this name, with such a test_step.
        assert rows[1]["data_loss"] == pytest.approx(expected[1]["mse"], rel=1e-5)
    assert rows[1]["penalty"] > 0


@pytest.mark.slow
@STATEFUL
def test_a_step_that_weights_all_batches_alike(custom, data):
    """The last batch has 2 of 50 rows. Oracle: each batch by itself, at a rate of 0."""
    model = custom(None, train_step=updates_all_metrics)
    model.optimizer.learning_rate = 0.0
    parts = [
        model.evaluate(x, y, verbose=0)
        for x, y in zip(*(np.split(one, [16, 32, 48]) for one in data), strict=True)
    ]
    mse = custom()
    alone = [
        mse.evaluate(x, y, verbose=0, return_dict=True)["mse"]
        for x, y in zip(*(np.split(one, [16, 32, 48]) for one in data), strict=True)
    ]
    for row in fit(model, *data, batch_size=16):
        assert row["loss"] == pytest.approx(np.mean(parts), rel=1e-5)
        assert row["data_loss"] == pytest.approx(np.mean(alone), rel=1e-5)
        assert row["data_loss"] + row["penalty"] == pytest.approx(row["loss"], rel=1e-5)


@STATEFUL
@pytest.mark.parametrize(
    "step", [resets_all_metrics, doubles_the_loss, logs_the_last_batch]
)
def test_a_step_that_logs_another_loss(custom, data, step):
    curve = LearningCurve(track_penalty="layers", track_batches=2)
    rows = fit(custom(None, train_step=step), *data, curve=curve)
    unknown(rows, "the logged loss is", "train_step")
    # What single batches cost is known all the same.
    assert len(rows[0]["batches"]["data_loss"]) == 2
    assert curve.diagnose().column == "loss"


@pytest.mark.slow
@STATEFUL
def test_a_step_with_a_loss_of_its_own(custom, data):
    model = custom(None, train_step=has_a_loss_of_its_own)
    rows = fit(model, *data, validation_data=data)
    unknown(rows, "does not call compute_loss")
    expected = fit(custom(None), *data, validation_data=data, epochs=1)
    assert all(row["val_penalty"] > 0 for row in rows + expected)


@pytest.mark.slow
@STATEFUL
def test_a_step_that_logs_no_loss(custom, data):
    rows = fit(custom(train_step=returns_its_own), *data)
    expected = fit(custom(), *data)
    same(rows, expected, ("data_loss", "penalty"))
    assert "loss" not in rows[0]
    step = returns_its_own_of_two_losses
    unknown(fit(custom(train_step=step), *data), "more than once")


@pytest.mark.slow
@STATEFUL
def test_a_step_that_logs_a_column_of_ours(custom, data):
    rows = fit(custom(train_step=logs_a_penalty_of_its_own), *data)
    expected = fit(custom(), *data)
    for row, other in zip(rows, expected, strict=True):
        assert row["penalty"] == 1.0
        assert row["data_loss"] == pytest.approx(other["data_loss"], rel=1e-5)
        assert "`penalty`" in row["data_loss_note"]


@STATELESS
def test_a_stateless_step(custom, data):
    step = stateless(within_a_scope)
    rows = fit(custom(train_step=step), *data)
    same(rows, fit(custom(), *data))


@STATELESS
def test_a_stateless_step_that_leaves_the_scope(custom, data):
    """What it computes is not kept, and no traced value outlives the step."""
    # Keras itself cannot compute a penalty there.
    layers = [keras.Input((4,)), keras.layers.Dense(1)]
    step = stateless(outside_of_any_scope)
    model = type("Custom", (keras.Sequential,), {"train_step": step})(layers)
    model.compile("sgd", "mse", metrics=["mse"])
    unknown(fit(model, *data, validation_data=data), "JAX")
    assert np.isfinite(model.evaluate(*data, verbose=0)).all()


def own_metrics(self):
    return [self.tracker, self.mae]


def test_metrics_of_its_own(custom, data):
    """A model that lists its own metrics alone. Oracle: one that does not."""
    model = custom(compute_loss=tracks_the_loss)
    model.tracker = keras.metrics.Mean(name="tracked")
    model.mae = keras.metrics.MeanAbsoluteError(name="mae")
    model.__class__.metrics = property(own_metrics)
    names = [variable.path for variable in model.metrics_variables]
    rows = fit(model, *data, validation_data=data)
    expected = fit(custom(), *data, validation_data=data)
    for row, other in zip(rows, expected, strict=True):
        for name in ("data_loss", "penalty", "val_data_loss", "val_penalty"):
            assert row[name] == pytest.approx(other[name], rel=1e-5)
    assert [variable.path for variable in model.metrics_variables] == names


def tracks_the_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
    loss = keras.Model.compute_loss(self, x, y, y_pred, sample_weight)
    self.tracker.update_state(loss)
    return loss


class Watches(keras.callbacks.Callback):
    """What the model's own code and other callbacks see."""

    def __init__(self):
        super().__init__()
        self.seen, self.logged = set(), set()

    def on_train_batch_end(self, batch, logs=None):
        self.seen |= {metric.name for metric in self.model.metrics}

    def on_epoch_end(self, epoch, logs=None):
        self.logged |= {*logs}


@pytest.mark.slow
def test_the_model_lists_its_own_metrics_alone(build, data):
    for settings in ({"metrics": ["mse"]}, {"metrics": None}):
        plain, with_curve = Watches(), Watches()
        build(**settings).fit(*data, verbose=0, callbacks=[plain])
        build(**settings).fit(*data, verbose=0, callbacks=[LearningCurve(), with_curve])
        assert plain.seen == with_curve.seen
        assert with_curve.logged == plain.logged | {"data_loss", "penalty"}


def test_without_a_penalty_nothing_is_added_to_the_logs(data):
    """The rows have the columns all the same."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    watches, curve = Watches(), LearningCurve()
    callbacks = [curve, watches]
    model.fit(*data, validation_data=data, verbose=0, callbacks=callbacks)
    assert watches.logged == {"loss", "val_loss"}
    (row,) = curve.rows
    assert row["data_loss"] == pytest.approx(row["loss"], rel=1e-6)
    assert row["val_data_loss"] == pytest.approx(row["val_loss"], rel=1e-6)
    assert row["penalty"] == row["val_penalty"] == 0


def test_without_a_penalty_it_can_still_be_monitored(data):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    stop = keras.callbacks.EarlyStopping("val_data_loss", mode="min", patience=0)
    curve = LearningCurve()
    callbacks = [stop, curve]
    model.fit(*data, epochs=5, validation_data=data, verbose=0, callbacks=callbacks)
    assert len(curve.rows) == 2


class Evaluates(keras.callbacks.Callback):
    def __init__(self, data, moment):
        super().__init__()
        self.results = []
        x, y = data
        call = {
            "evaluate": lambda: self.model.evaluate(x, 100 * y, verbose=0),
            "test_on_batch": lambda: self.model.test_on_batch(x, 100 * y),
        }

        def act(*args, **kwargs):
            self.results += [call[name]() for name in call]

        setattr(self, moment, act)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment", ["on_epoch_begin", "on_train_batch_end", "on_epoch_end"]
)
def test_evaluations_by_other_callbacks(build, data, moment):
    """They get no more values. Keras' own loss holds those before the epoch's end."""
    evaluates, curve = Evaluates(data, moment), LearningCurve()
    build().fit(*data, epochs=2, verbose=0, callbacks=[evaluates, curve])
    assert all(len(result) == 2 for result in evaluates.results)
    for row in curve.rows:
        if moment != "on_epoch_end":
            unknown([row], "evaluat")
            continue
        total = row["data_loss"] + row["penalty"]
        assert total == pytest.approx(row["loss"], rel=1e-5)
        assert row["data_loss"] == pytest.approx(row["mse"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_low_precision_is_no_false_alarm(data, policy):
    layer = keras.layers.Dense(1, dtype=policy, kernel_regularizer=kd.L2(30.0))
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(keras.optimizers.SGD(1e-3), "mse", metrics=["mse"])
    for row in fit(model, *data, batch_size=3, validation_data=data):
        assert "data_loss_note" not in row
        assert row["data_loss"] == pytest.approx(row["mse"], rel=1e-2)
        assert row["penalty"] == pytest.approx(row["loss"] - row["mse"], rel=2e-2)


def test_a_loss_that_is_not_finite_is_no_false_alarm(build, data):
    x, y = data
    for row in fit(build(), x, y * np.nan):
        assert np.isnan(row["data_loss"]) and "data_loss_note" not in row


def test_parts_that_cancel_are_no_false_alarm(data):
    """The data's loss is −c, the penalty c and a little: their sum is rounding."""

    def negative(y_true, y_pred):
        return 0 * ops.sum(y_pred, axis=-1) - 1000.0

    class Constant(keras.regularizers.Regularizer):
        def __call__(self, w):
            return ops.sum(0 * w) + 1000.01

    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(1, kernel_regularizer=Constant())
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile("sgd", negative)
    for row in fit(model, *data, batch_size=16):
        assert row["data_loss"] == pytest.approx(-1000.0)
        assert row["penalty"] == pytest.approx(1000.01)
