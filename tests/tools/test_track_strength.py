"""Strengths that change during fit, on every backend, and in every file."""

import keras
import numpy as np
import pytest
from keras import layers
from support import to_numpy

import keras_decay as kd

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = np.ones((8, 1), "float32")
BACKEND = keras.backend.backend()


def model_with(penalty, where="before"):
    """A model whose first kernel has the penalty, tracked before or after the build."""
    layer = layers.Dense(3, kernel_regularizer=penalty, name="first")
    if where == "before":
        assert kd.track_strength(layer, penalty) is layer
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1, name="head")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    if where == "after":
        kd.track_strength(layer, penalty)
    return model


def rise(strength):
    """A callback by which the strength is the number of the epoch."""
    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: strength.assign(float(epoch))
    )


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_change_during_fit_acts_without_another_trace(where):
    strength, traces = keras.Variable(0.0), []

    class Counted(kd.L1):
        def __call__(self, w):
            traces.append(1)
            return super().__call__(w)

    model = model_with(Counted(strength), where)
    kernel = to_numpy(model.get_layer("first").kernel)
    assert len(model.get_weights()) == 4 == len(model.trainable_variables)
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(X, Y, callbacks=[rise(strength)], **arguments)
    before = len(traces)
    fitted = model.fit(X, Y, epochs=4, callbacks=[rise(strength)], **arguments)
    losses = np.array(fitted.history["loss"])
    np.testing.assert_allclose(np.diff(losses), np.abs(kernel).sum(), rtol=1e-4)
    if BACKEND != "torch":  # which traces nothing
        assert len(traces) <= before + 1
    strength.assign(7.0)
    evaluated = model.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(
        evaluated, losses[0] + 7 * np.abs(kernel).sum(), rtol=1e-5
    )


def test_a_model_that_was_trained_before_it_was_tracked():
    strength = keras.Variable(0.0)
    model = model_with(None, None)
    model.fit(X, Y, verbose=0)
    kd.regularize(model, [("first/kernel", kd.L2(strength))])  # which tracks it
    losses = model.fit(X, Y, epochs=3, verbose=0, callbacks=[rise(strength)])
    squares = np.sum(to_numpy(model.get_layer("first").kernel) ** 2)
    np.testing.assert_allclose(np.diff(losses.history["loss"]), squares, rtol=1e-4)
    held = len(model.variables)
    kd.regularize(model, [("first/kernel", None)])
    assert len(model.variables) == held - 1


def test_files_hold_the_value(tmp_path):
    strength = keras.Variable(0.5)
    model = model_with(kd.L1(strength))
    strength.assign(0.25)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("first").kernel_regularizer.l1 == 0.25
    np.testing.assert_allclose(
        loaded.evaluate(X, Y, verbose=0), model.evaluate(X, Y, verbose=0), rtol=1e-6
    )
    model.save_weights(tmp_path / "m.weights.h5")
    strength.assign(0.0)
    model.load_weights(tmp_path / "m.weights.h5")
    assert float(to_numpy(strength)) == 0.25
    loaded.load_weights(tmp_path / "m.weights.h5")
    loaded.save_weights(tmp_path / "plain.weights.h5")
    strength.assign(0.75)
    model.load_weights(tmp_path / "plain.weights.h5")
    assert float(to_numpy(strength)) == 0.75
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    assert twin.count_params() == model.count_params()


def test_several_layers_and_a_second_call():
    strength, other = keras.Variable(0.5), keras.Variable(0.5)
    model = model_with(kd.L1(strength))
    head = model.layers[1]
    kd.track_strength(head, kd.ElasticNet(strength, other))
    kd.track_strength(head, kd.ElasticNet(strength, other))
    kd.track_strength(model, kd.L2(other))
    assert len(model.variables) == 6 and len(model.layers) == 2
    assert not strength.trainable
    history = model.fit(X, Y, verbose=0).history
    assert np.isfinite(history["loss"][0])


def test_one_variable_in_a_layer_and_in_the_optimizer():
    strength = keras.Variable(0.5)
    model = model_with(kd.L1(strength))
    for decay in ({"penalty": kd.L1(strength)}, {"weight_decay": strength}):
        optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), **decay)
        model.compile(optimizer, "mse")
        if BACKEND == "jax":
            with pytest.raises(ValueError, match="part of the state of the layer"):
                model.fit(X, Y, verbose=0)
        else:
            model.fit(X, Y, verbose=0)


def test_one_variable_in_the_optimizer_and_in_a_layer():
    strength = keras.Variable(0.5)
    model = model_with(None, None)
    optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), strength)
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    if BACKEND != "jax":
        kd.regularize(model, kd.L1(strength))
        model.fit(X, Y, verbose=0)
        return
    for act in (kd.regularize, lambda m, p: kd.track_strength(m.layers[0], p)):
        with pytest.raises(ValueError, match="part of the state of the optimizer"):
            act(model, kd.L1(strength))
    assert all(v.regularizer is None for v in model.weights)
    # Not once nobody uses the optimizer any more.
    model.compile("sgd", "mse")
    del optimizer
    kd.regularize(model, kd.L1(strength))
    model.fit(X, Y, verbose=0)


def test_an_activity_regularizer():
    strength = keras.Variable(0.0)
    penalty = kd.L1(strength)
    layer = layers.Dense(3, activity_regularizer=penalty)
    kd.track_strength(layer, penalty)
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[rise(strength)]).history
    size = np.abs(to_numpy(layer(X))).sum()
    rise_per_epoch = np.diff(history["loss"])
    # Later versions of Keras divide by the size of the batch.
    divisor = len(X) if rise_per_epoch[0] < size / 2 else 1
    np.testing.assert_allclose(rise_per_epoch, size / divisor, rtol=1e-4)


def test_what_is_refused():
    layer, penalty = layers.Dense(1), kd.L1(keras.Variable(0.1))
    with pytest.raises(TypeError, match="`layer` must be a keras"):
        kd.track_strength("first", penalty)
    with pytest.raises(TypeError, match="`penalty` must be a keras_decay Penalty"):
        kd.track_strength(layer, keras.regularizers.L2(0.1))
    with pytest.raises(ValueError, match="a strength is a keras"):
        kd.track_strength(layer, kd.L1(0.1))


@pytest.mark.skipif(BACKEND != "jax", reason="read anew at every step elsewhere")
def test_untracked_it_says_what_to_call():
    model = model_with(kd.L1(keras.Variable(0.1)), None)
    with pytest.raises(RuntimeError, match="`kd"):
        model.fit(X, Y, verbose=0)
