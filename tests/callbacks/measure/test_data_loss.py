"""The loss apart from the penalty: exact, and without a trace in the training.

Oracle, unless a test names another: the column of `metrics=["mse"]`, which Keras
averages over the same batches and which knows nothing of penalties.
"""

import keras
import numpy as np
import pytest
from keras import ops
from support import slow

from keras_decay.callbacks import LearningCurve

BACKEND = keras.backend.backend()
# Two float32 means of the same numbers, summed in a different order.
CLOSE = {"rtol": 1e-6}


def fit(model, *args, curve=None, **settings):
    curve = curve or LearningCurve()
    settings = {"epochs": 2, "verbose": 0, **settings}
    model.fit(*args, callbacks=[curve], **settings)
    return curve.rows


def check(rows, validated=True):
    assert rows
    for row in rows:
        assert np.isfinite(row["loss"])
        np.testing.assert_allclose(row["data_loss"], row["mse"], **CLOSE)
        total = row["data_loss"] + row["penalty"]
        np.testing.assert_allclose(total, row["loss"], **CLOSE)
        assert row["penalty"] > 0
        if validated:
            np.testing.assert_allclose(row["val_data_loss"], row["val_mse"], **CLOSE)
            total = row["val_data_loss"] + row["val_penalty"]
            np.testing.assert_allclose(total, row["val_loss"], **CLOSE)


@pytest.mark.parametrize("settings", [{}, {"run_eagerly": True}], ids=str)
def test_it_is_the_metric_of_the_same_batches(build, data, settings):
    rows = fit(build(**settings), *data, batch_size=16, validation_split=0.2)
    check(rows)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "torch", reason="Keras has it on TensorFlow and JAX")
def test_steps_per_execution(build, data):
    check(fit(build(steps_per_execution=4), *data, batch_size=6, validation_split=0.2))


@pytest.mark.slow
def test_it_is_exact_under_a_penalty_a_hundred_times_as_large(build, data):
    model = build(strength=300.0, optimizer=keras.optimizers.Adam(0.01))
    rows = fit(model, *data, batch_size=16, validation_split=0.2)
    assert rows[0]["penalty"] > 100 * rows[0]["data_loss"]
    check(rows)


@pytest.mark.slow
def test_generator(build, data):
    x, y = data

    def batches():
        while True:
            for start in range(0, 50, 16):
                yield x[start : start + 16], y[start : start + 16]

    rows = fit(
        build(),
        batches(),
        steps_per_epoch=4,
        validation_data=batches(),
        validation_steps=4,
    )
    check(rows)


@pytest.mark.needs("tensorflow")
def test_tf_data(build, data):
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(data).batch(16)
    check(fit(build(), dataset, validation_data=dataset))


def class_of(y):
    return (y > 0).astype("int32")


@pytest.mark.parametrize("weights", ["sample_weight", slow("class_weight")])
def test_weights_count_as_in_the_loss(build, data, weights):
    """Oracle: `loss` of the same model without penalties, at a learning rate of 0."""
    x, y = data
    y = class_of(y)
    given = {
        "sample_weight": np.linspace(0, 2, 50).astype("float32"),
        "class_weight": {0: 1.0, 1: 5.0},
    }[weights]

    def train(strength, callbacks):
        model = build(
            strength=strength,
            optimizer=keras.optimizers.SGD(0.0),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=None,
        )
        history = model.fit(
            x,
            y,
            batch_size=16,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
            **{weights: given},
        )
        return history.history["loss"][0]

    curve = LearningCurve()
    train(0.5, [curve])
    oracle = train(0.0, [])
    np.testing.assert_allclose(curve.rows[0]["data_loss"], oracle, **CLOSE)


def test_training_is_bit_for_bit_the_same(build, data):
    def train(callbacks):
        model = build(dropout=0.3)
        history = model.fit(
            *data,
            batch_size=16,
            epochs=3,
            validation_split=0.2,
            verbose=0,
            callbacks=callbacks,
        )
        return model.get_weights(), history.history

    weights, history = train([LearningCurve(track_norms=True)])
    plain_weights, plain_history = train([])
    for ours, plain in zip(weights, plain_weights, strict=True):
        np.testing.assert_array_equal(ours, plain)
    # XLA adds the terms of a logged loss in an order of its own for each program.
    rounding = 2**-22 if BACKEND == "jax" else 0
    for name, values in plain_history.items():
        np.testing.assert_allclose(history[name], values, rtol=rounding, err_msg=name)


def test_several_outputs(data):
    """Oracle: the weighted sum of Keras' own column for each output's loss."""
    x, y = data

    def build():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(8, kernel_regularizer="l2")(inputs)
        outputs = {
            "a": keras.layers.Dense(1, name="a")(hidden),
            "b": keras.layers.Dense(1, name="b")(hidden),
        }
        model = keras.Model(inputs, outputs)
        model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 2, "b": 3})
        return model

    targets = {"a": y, "b": -y}
    # Whole batches: on TensorFlow, Keras does not weight these columns by batch size.
    settings = {"batch_size": 25, "shuffle": False}
    plain = build().fit(x, targets, verbose=0, **settings).history
    rows = fit(build(), x, targets, epochs=1, **settings)
    assert rows[0]["a_loss"] == plain["a_loss"][0]
    oracle = 2 * rows[0]["a_loss"] + 3 * rows[0]["b_loss"]
    np.testing.assert_allclose(rows[0]["data_loss"], oracle, **CLOSE)


@keras.saving.register_keras_serializable("tests")
class AddsLoss(keras.layers.Layer):
    def call(self, inputs):
        self.add_loss(ops.mean(ops.square(inputs)))
        return inputs


def test_added_loss_is_penalty(data):
    """Oracle: the mean square of the inputs, which the layer adds."""
    x, y = data
    model = keras.Sequential([keras.Input((4,)), AddsLoss(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mse"])
    rows = fit(model, x, y, batch_size=50)
    check(rows, validated=False)
    np.testing.assert_allclose(rows[0]["penalty"], np.mean(x**2), rtol=1e-6)


def test_without_a_compiled_loss_all_is_penalty(data):
    x, _ = data
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), AddsLoss()])
    model.compile(keras.optimizers.SGD(0.01))
    for row in fit(model, x, validation_data=(x,)):
        assert row["data_loss"] == row["val_data_loss"] == 0
        assert row["penalty"] == row["loss"]


def subclassed(base, metrics=("mse",), **methods):
    """The model of `build` as a subclass of Sequential with these methods."""
    model = base(compiled=False)
    cls = type("Subclass", (keras.Sequential,), methods)
    model = cls(model.layers)
    metrics = metrics and list(metrics)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", metrics=metrics)
    return model


def calls_super(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
    return 2 * keras.Model.compute_loss(self, x, y, y_pred, sample_weight, training)


def adds_losses(self, x=None, y=None, y_pred=None, sample_weight=None):
    return ops.mean(ops.square(y - y_pred)) + sum(self.losses)


def forgets_losses(self, x=None, y=None, y_pred=None, sample_weight=None):
    return ops.mean(ops.square(y - y_pred))


@pytest.mark.slow
def test_own_compute_loss_without_the_argument_training(build, data):
    model = subclassed(build, compute_loss=adds_losses)
    rows = fit(model, *data, batch_size=16, validation_split=0.2)
    for row in rows:
        # The penalty is subtracted here, in float32.
        np.testing.assert_allclose(row["data_loss"], row["mse"], rtol=1e-5)
        np.testing.assert_allclose(row["val_data_loss"], row["val_mse"], rtol=1e-5)


@pytest.mark.slow
def test_own_compute_loss_that_scales_super(build, data):
    """Oracle: 2 (mse + penalty) − penalty, the total less what Keras has collected."""
    rows = fit(subclassed(build, compute_loss=calls_super), *data, batch_size=16)
    for row in rows:
        oracle = 2 * row["mse"] + row["penalty"]
        np.testing.assert_allclose(row["data_loss"], oracle, rtol=1e-5)


def test_own_compute_loss_that_may_not_add_the_penalties(build, data):
    model = subclassed(build, compute_loss=forgets_losses)
    rows = fit(model, *data, validation_split=0.2)
    for row in rows:
        assert row["data_loss"] is None
        assert row["val_data_loss"] is None
        assert "compute_loss" in row["data_loss_note"]


def silent_step(self, *args):
    logs = {"loss": ops.zeros(())}
    return (logs, args[0]) if BACKEND == "jax" else logs


def test_train_step_that_never_computes_the_loss(build, data):
    """Oracle for validation: the loss less the penalty, of one batch."""
    model = subclassed(build, metrics=None, train_step=silent_step)
    for row in fit(model, *data, validation_data=data, validation_batch_size=50):
        assert row["data_loss"] is None
        assert row["penalty"] is None
        assert "train_step" in row["data_loss_note"]
        oracle = row["val_loss"] - row["val_penalty"]
        np.testing.assert_allclose(row["val_data_loss"], oracle, rtol=1e-5)


def only_the_loss(self):
    return [self._loss_tracker]


def no_metrics(self):
    return []


NONE = pytest.param(
    no_metrics,
    marks=pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras needs one there"),
)


@pytest.mark.parametrize("listed", [only_the_loss, NONE])
def test_metrics_that_hide_those_of_keras(build, data, listed):
    """Oracle: the loss less the penalty, at one batch per epoch; or Keras' own model.

    JAX carries nothing through a step where a model lists no metric at all.
    """
    model = subclassed(build, metrics=None)
    model.__class__.metrics = property(listed)
    rows = fit(model, *data, batch_size=50, validation_data=data)
    expected = fit(build(metrics=None), *data, batch_size=50, validation_data=data)
    assert len(rows) == 2
    for row, other in zip(rows, expected, strict=True):
        for kind in ("", "val_"):
            if BACKEND == "jax" and listed is no_metrics:
                assert row[kind + "data_loss"] is None
                assert "JAX" in row["data_loss_note"]
                continue
            np.testing.assert_allclose(
                row[kind + "data_loss"], other[kind + "data_loss"], rtol=1e-5
            )


def data_loss(y_true, y_pred):
    return ops.mean(y_true - y_pred)


@pytest.mark.parametrize(
    "metric", [data_loss, keras.metrics.Mean, "penalty"], ids=["function", "object", ""]
)
def test_a_metric_of_the_same_name_is_refused(build, data, metric):
    if metric == "penalty":
        metric = keras.metrics.MeanSquaredError(name="penalty")
    elif metric is keras.metrics.Mean:
        metric = keras.metrics.MeanSquaredError(name="data_loss")
    model = build(metrics=[metric])
    before = model.get_weights()
    with pytest.raises(ValueError, match="already reports"):
        fit(model, *data)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_output_named_data_is_refused(data):
    x, y = data
    inputs = keras.Input((4,))
    outputs = [keras.layers.Dense(1, name=name)(inputs) for name in ("data", "other")]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", ["mse", "mse"])
    with pytest.raises(ValueError, match="'data_loss'"):
        fit(model, x, [y, y])


@pytest.mark.slow
def test_another_callback_that_evaluates_does_not_disturb(build, data):
    x, y = data

    class Evaluates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(x, 100 * y, verbose=0)

    curve = LearningCurve()
    model = build()
    model.fit(x, y, epochs=3, verbose=0, callbacks=[Evaluates(), curve])
    check(curve.rows, validated=False)


def test_it_can_be_monitored(build, data):
    stop = keras.callbacks.EarlyStopping("val_data_loss", mode="min", patience=0)
    curve = LearningCurve()
    model = build(optimizer=keras.optimizers.SGD(0.0))
    model.fit(*data, epochs=5, validation_split=0.2, verbose=0, callbacks=[stop, curve])
    assert len(curve.rows) == 2


def test_a_second_fit_compiles_nothing(build, data):
    if BACKEND == "torch":
        pytest.skip("PyTorch compiles nothing anyway")
    traces = []

    def loss(y_true, y_pred):
        traces.append(1)
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    model, curve = build(loss=loss, metrics=None), LearningCurve()
    settings = {"batch_size": 25, "validation_data": data, "curve": curve}
    fit(model, *data, **settings)
    first = len(traces)
    rows = fit(model, *data, **settings)
    assert len(traces) == first
    assert len(rows) == 4
    assert all(row["data_loss"] is not None for row in rows)
    model.compile("sgd", "mse", metrics=["mse"])
    curve.rows.clear()
    check(fit(model, *data, **settings))


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.distribute")
def test_mirrored_strategy(run_python):
    """Oracle: the column of `metrics=["mse"]`."""
    run_python(
        """
import keras, numpy as np, tensorflow as tf
from keras_decay.callbacks import LearningCurve
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(
        1, kernel_regularizer="l2", activity_regularizer="l2")])
    model.compile("sgd", "mse", metrics=["mse"])
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = x.sum(1, keepdims=True)
curve = LearningCurve(track_penalty="layers", track_batches=4, reevaluate=(x, y))
model.fit(x, y, batch_size=16, epochs=2, validation_data=(x, y), verbose=0,
          callbacks=[curve])
for row in curve.rows:
    np.testing.assert_allclose(row["data_loss"], row["mse"], rtol=1e-5)
    np.testing.assert_allclose(row["val_data_loss"], row["val_mse"], rtol=1e-5)
    np.testing.assert_allclose(
        row["data_loss"] + row["penalty"], row["loss"], rtol=1e-5)
    np.testing.assert_allclose(
        sum(row["penalties"].values()), row["penalty"], rtol=1e-5)
    np.testing.assert_allclose(
        np.mean(row["batches"]["data_loss"]), row["mse"], rtol=1e-5)
    np.testing.assert_allclose(row["train_mse"], row["val_mse"], rtol=1e-5)
    np.testing.assert_allclose(row["train_data_loss"], row["val_mse"], rtol=1e-5)
"""
    )
