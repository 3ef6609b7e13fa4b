"""Loading where a model has changed, and the optimizer is inside another one.

The oracle is the same training without an interruption, bit for bit.
"""

import pickle
import warnings

import keras
import numpy as np
import pytest
from keras import layers, optimizers
from support import slow, to_numpy

import keras_decay as kd

X = np.random.default_rng(4).normal(size=(12, 5)).astype("float32")
Y = X[:, :1]


def network(*names):
    keras.utils.set_random_seed(2)
    x = y = keras.Input((5,))
    for name in names:
        y = layers.Dense(3, "tanh", name=name)(y)
    return keras.Model(x, layers.Dense(1, name="out")(y))


def scaled():
    return optimizers.LossScaleOptimizer(
        kd.AdamW(0.02, 0.4, rules=[("out/k", 0.1)]), initial_scale=4.0
    )


def in_parts():
    if not hasattr(optimizers, "OptimizerMap"):
        pytest.skip("this Keras has no MultiOptimizer")
    map_ = optimizers.OptimizerMap(kd.AdamW(0.02, 0.4), {"one/.*": kd.SGDW(0.02, 0.1)})
    return optimizers.MultiOptimizer(map_)


def fit(model, epochs=1):
    model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return model


def trained(make, epochs=2):
    model = network("one", "two")
    model.compile(make(), "mse")
    return fit(model, epochs)


def by_file(model, path):
    model.save(path)
    return keras.saving.load_model(path)


def by_pickle(model, path):
    return pickle.loads(pickle.dumps(model))


def assert_same_weights(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("copied", [by_file, by_pickle])
@pytest.mark.parametrize("make", [scaled, in_parts])
def test_they_resume_exactly(make, copied, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = copied(trained(make), tmp_path / "model.keras")
    assert_same_weights(fit(model), trained(make, epochs=3))


@pytest.mark.slow
@pytest.mark.parametrize("make", [scaled, in_parts])
def test_frozen_models_load_and_rebuild_goes_on(make, tmp_path):
    model = trained(make)
    model.trainable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Keras' own, about its wrappers
        loaded = by_file(model, tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(X, verbose=0), model.predict(X, verbose=0)
    )
    loaded.trainable = True
    loaded.compile(loaded.optimizer, "mse")
    kd.rebuild(loaded)
    before = loaded.get_weights()
    fit(loaded)
    assert not np.array_equal(before[0], loaded.get_weights()[0])
    if make is scaled:  # a MultiOptimizer gives what was loaded to nobody
        inner = loaded.optimizer.inner_optimizer
        assert int(to_numpy(inner.iterations)) == 9
        assert_same_weights(loaded, trained(make, epochs=3))


@pytest.mark.slow
def test_one_part_is_frozen(tmp_path):
    model = trained(in_parts)
    model.get_layer("one").trainable = False
    with pytest.warns(UserWarning):
        loaded = by_file(model, tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(X, verbose=0), model.predict(X, verbose=0)
    )
    fit(loaded)


@pytest.mark.parametrize(
    "names, said",
    [
        (["one", "two", "more"], "New: more/kernel, more/bias."),
        slow((["one"], "Gone: two/kernel, two/bias.")),
    ],
)
def test_weights_of_a_model_with_other_layers(names, said, tmp_path):
    path = tmp_path / "model.weights.h5"
    source = trained(lambda: kd.AdamW(0.02, 0.4, rules=[("out/k", 0.1)]))
    source.save_weights(path)
    model = network(*names)
    model.compile(kd.AdamW(0.02, 0.4, rules=[("out/k", 0.1)]), "mse")
    model.optimizer.build(model.trainable_variables)
    with pytest.warns(UserWarning) as seen:
        model.load_weights(path, skip_mismatch=True)
    texts = [str(w.message) for w in seen if "afresh" in str(w.message)]
    assert len(texts) == 1 and said in texts[0]
    np.testing.assert_array_equal(
        to_numpy(model.get_layer("one").kernel),
        to_numpy(source.get_layer("one").kernel),
    )
    assert int(to_numpy(model.optimizer.iterations)) == 0
    fit(model)


@pytest.mark.slow
def test_h5_of_a_sequential_model_resumes_exactly(tmp_path):
    def sequential(epochs):
        keras.utils.set_random_seed(2)
        hidden = layers.Dense(3, "tanh", name="hidden")
        model = keras.Sequential(
            [keras.Input((5,)), hidden, layers.Dense(1, name="out")]
        )
        # Keras reads no losses by name from this format.
        model.compile(scaled().inner_optimizer, keras.losses.MeanSquaredError())
        return fit(model, epochs)

    loaded = by_file(sequential(2), tmp_path / "model.h5")
    assert_same_weights(fit(loaded), sequential(3))
