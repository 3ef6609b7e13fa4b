"""After training the model is as it was, however training ended."""

import keras
import numpy as np
import pytest
from support import slow

from keras_decay.callbacks import LearningCurve

BACKEND = keras.backend.backend()
PATCHED = {
    "compute_loss",
    "train_step",
    "test_step",
    "make_train_function",
    "make_test_function",
}


def assert_clean(model):
    assert not PATCHED & set(vars(model))
    assert [metric.name for metric in model.metrics] == ["loss", "compile_metrics"]


def test_after_fit(build, data):
    model, curve = build(), LearningCurve()
    model.fit(*data, verbose=0)
    model.evaluate(*data, verbose=0)
    functions = model.train_function, model.test_function
    settings = {"validation_data": data, "verbose": 0}
    history = model.fit(*data, callbacks=[curve], **settings).history
    assert "val_data_loss" in history
    assert_clean(model)
    assert (model.train_function, model.test_function) == functions
    assert set(model.fit(*data, **settings).history) == {
        "loss",
        "mse",
        "val_loss",
        "val_mse",
    }
    assert set(model.evaluate(*data, return_dict=True, verbose=0)) == {"loss", "mse"}


def test_an_attribute_of_the_users_is_put_back(build, data):
    model = build()
    own = model.compute_loss
    model.compute_loss = own
    model.fit(*data, callbacks=[LearningCurve()], verbose=0)
    assert vars(model)["compute_loss"] is own


def fails_in_a_callback(build, data, bomb):
    return build(), data, [bomb()]


def fails_in_the_generator(build, data, bomb):
    x, y = data

    def batches():
        for _ in range(7):
            yield x[:10], y[:10]
        raise RuntimeError("bomb")

    return build(), (batches(),), []


def fails_in_the_step(build, data, bomb):
    class Model(keras.Sequential):
        def train_step(self, *args):
            raise RuntimeError("bomb")

    model = Model(build(compiled=False).layers)
    model.compile("sgd", "mse", metrics=["mse"])
    return model, data, []


FAILURES = [fails_in_a_callback, fails_in_the_generator, fails_in_the_step]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("use", ["fit", slow("train_on_batch"), slow("curve")])
def test_after_an_exception(build, data, bomb, failure, use):
    """The model's next training finds it as it was."""
    model, given, callbacks = failure(build, data, bomb)
    settings = {"epochs": 3, "validation_data": data, "verbose": 0}
    callbacks = [LearningCurve(), *callbacks]
    # TensorFlow turns the generator's error into one of its own.
    with pytest.raises(Exception, match="bomb"):
        model.fit(*given, epochs=4, steps_per_epoch=5, callbacks=callbacks, verbose=0)
    if failure is fails_in_the_step:
        assert_clean(model)  # at once, where it is a step that fails
        return
    if use == "fit":
        assert "data_loss" not in model.fit(*data, **settings).history
    elif use == "train_on_batch":
        assert len(model.train_on_batch(*data)) == 2
    else:
        curve = LearningCurve()
        model.fit(*data, callbacks=[curve], **settings)
        for row in curve.rows:
            np.testing.assert_allclose(row["data_loss"], row["mse"], rtol=1e-6)
    assert_clean(model)


def test_evaluate_after_an_epoch_finds_the_model_as_it_was(build, data, bomb):
    """Also in a callback of a `fit` that goes on, which the curve outlives."""
    seen = []

    class Evaluates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.evaluate(*data, return_dict=True, verbose=0))
            assert_clean(self.model)

    model, curve = build(), LearningCurve()
    settings = {"epochs": 3, "validation_data": data, "verbose": 0}
    with pytest.raises(RuntimeError, match="bomb"):
        callbacks = [Evaluates(), curve, bomb(epoch=2)]
        model.fit(*data, callbacks=callbacks, **settings)
    assert [set(one) for one in seen] == [{"loss", "mse"}] * 3
    for row in curve.rows:
        np.testing.assert_allclose(row["data_loss"], row["mse"], rtol=1e-6)
        np.testing.assert_allclose(row["val_data_loss"], row["val_mse"], rtol=1e-6)
    assert set(model.evaluate(*data, return_dict=True, verbose=0)) == {"loss", "mse"}
    assert_clean(model)


@pytest.mark.slow
def test_after_an_interrupt(build, data, bomb):
    model = build()
    with pytest.raises(KeyboardInterrupt):
        model.fit(
            *data,
            epochs=3,
            callbacks=[LearningCurve(), bomb(error=KeyboardInterrupt)],
            verbose=0,
        )
    model.evaluate(*data, verbose=0)
    assert_clean(model)


@pytest.mark.slow
def test_the_same_curve_goes_on_after_an_exception(build, data, bomb):
    model, curve = build(), LearningCurve()
    with pytest.raises(RuntimeError):
        model.fit(*data, epochs=3, callbacks=[curve, bomb()], verbose=0)
    model.evaluate(*data, callbacks=[curve], verbose=0)
    model.fit(*data, epochs=2, callbacks=[curve], verbose=0)
    assert [row["epoch"] for row in curve.rows] == [0, 1, 2, 3]
    for row in curve.rows:
        np.testing.assert_allclose(row["data_loss"], row["mse"], rtol=1e-6)


def test_evaluate_alone_writes_no_row(build, data):
    model, curve = build(), LearningCurve()
    model.evaluate(*data, callbacks=[curve], verbose=0)
    model.predict(data[0], callbacks=[curve], verbose=0)
    assert curve.rows == []
    assert_clean(model)


@pytest.mark.parametrize("again", [slow(True), False], ids=["with a curve", "without"])
def test_a_model_compiled_anew_trains_on_its_new_loss(build, data, again):
    """Oracle: the column of `metrics=["mae"]`.

    JAX takes a step for the old one as long as something keeps the old one alive.
    """
    model, kept = build(metrics=None, strength=0.0), LearningCurve()
    model.fit(*data, callbacks=[kept], verbose=0)
    callbacks = [LearningCurve()] if again else []
    model.compile(model.optimizer, "mae")
    history = model.fit(*data, batch_size=50, callbacks=callbacks, verbose=0).history
    y = data[1]
    model.compile(keras.optimizers.SGD(0.0), "mae")
    oracle = model.evaluate(*data, verbose=0)
    assert abs(history["loss"][0] - oracle) < 0.1 * oracle < np.mean(y**2)


@pytest.mark.slow
def test_two_curves_in_one_fit(build, data):
    model, one, other = build(), LearningCurve(), LearningCurve(track_norms=True)
    model.fit(*data, epochs=2, callbacks=[one, other], verbose=0)
    assert_clean(model)
    assert [row["data_loss"] for row in one.rows] == [
        row["data_loss"] for row in other.rows
    ]
    with pytest.raises(ValueError, match="track_penalty"):
        curves = [LearningCurve(), LearningCurve(track_penalty=False)]
        model.fit(*data, callbacks=curves, verbose=0)


@pytest.mark.slow
def test_saved_in_the_middle_of_fit_and_opened_without_us(
    build, data, tmp_path, run_python
):
    """Oracle: the prediction of the model that was saved."""
    model = build(optimizer=keras.optimizers.SGD(0.0))
    path = tmp_path / "model.keras"
    model.fit(
        *data,
        callbacks=[keras.callbacks.ModelCheckpoint(path), LearningCurve()],
        verbose=0,
    )
    np.save(tmp_path / "x.npy", data[0])
    np.save(tmp_path / "y.npy", model.predict(data[0], verbose=0))
    run_python(
        """
import sys, keras, numpy as np
folder = sys.argv[1]
model = keras.models.load_model(folder + "/model.keras")
x, y = (np.load(f"{folder}/{name}.npy") for name in "xy")
np.testing.assert_allclose(model.predict(x, verbose=0), y, rtol=1e-5)
assert set(model.evaluate(x, y, return_dict=True, verbose=0)) == {"loss", "mse"}
assert "keras_decay" not in sys.modules
""",
        tmp_path,
    )
