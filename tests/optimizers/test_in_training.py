"""DecoupledWeightDecay in the course of trainings: frozen, compiled anew, loaded."""

import copy
import itertools

import keras
import numpy as np
import pytest
from support import to_numpy

import keras_decay as kd
from keras_decay.optimizers.saving.state import own_variables

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")


def two_layers(optimizer, seed=0, **arguments):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(4, name="a", **arguments),
            keras.layers.Dense(4, name="b", **arguments),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def kernels(model):
    return [to_numpy(layer.kernel).copy() for layer in model.layers]


def train(model, epochs=1):
    model.fit(X, Y, epochs=epochs, batch_size=8, shuffle=False, verbose=0)


@pytest.mark.slow
def test_averages_find_their_weights_when_a_layer_has_been_frozen():
    model = two_layers(kd.AdamW(0.001, 0.1, use_ema=True))
    train(model)
    model.layers[0].trainable = False
    before = kernels(model)
    model.compile(model.optimizer, "mse")
    train(model)
    after = kernels(model)
    np.testing.assert_array_equal(after[0], before[0])
    assert 0 < np.abs(after[1] - before[1]).max() < 0.05


def test_the_average_of_a_layer_that_is_frozen_at_first_starts_at_its_weights():
    """On JAX at zero, once. At a rate of zero weights and averages are the same."""
    model = two_layers(kd.SGDW(0.0, 0.1, use_ema=True))
    before = kernels(model)
    model.optimizer.build(model.trainable_variables)
    model.layers[0].trainable = False
    train(model)
    model.layers[0].trainable = True
    kd.rebuild(model)
    train(model)
    for kernel, start in zip(kernels(model), before, strict=True):
        np.testing.assert_allclose(kernel, start, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [True, False])
def test_settings_changed_before_compiling_anew_are_heeded(jit_compile):
    optimizer = kd.AdamW(0.01, 0.1, jit_compile=jit_compile)
    model = two_layers(optimizer)
    train(model)
    optimizer.learning_rate = keras.optimizers.schedules.PiecewiseConstantDecay(
        [0], [0.0, 0.0]
    )
    model.compile(optimizer, "mse")
    before = kernels(model)
    train(model)
    np.testing.assert_array_equal(kernels(model), before)


def test_settings_changed_between_eager_steps_are_heeded():
    optimizer = kd.SGDW(0.1, 0.0, momentum=0.0, jit_compile=True)
    kernel = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    optimizer.build([kernel])
    grad = keras.ops.ones((2, 2))
    optimizer.apply([grad], [kernel])
    optimizer.optimizer.clipvalue = 0.01
    optimizer.apply([grad], [kernel])
    np.testing.assert_allclose(to_numpy(kernel), 1 - 0.1 - 0.001, rtol=1e-6)


FORMS = {
    "average": lambda: kd.SGDW(0.01, 0.1, momentum=0.0, use_ema=True),
    "toward": lambda: kd.SGDW(0.01, kd.DecayToward(0.5), momentum=0.0),
    "bound": lambda: kd.SGDW(0.01, kd.ConstrainedDecay(warmup_steps=2), momentum=0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_weights_loaded_before_the_first_fit_bring_what_is_remembered(name, tmp_path):
    model = two_layers(FORMS[name]())
    train(model, 2)
    model.save_weights(tmp_path / "model.weights.h5")
    other = two_layers(FORMS[name](), seed=7)
    other.load_weights(tmp_path / "model.weights.h5")
    other.optimizer.build(other.trainable_variables)
    found, expected = map(own_variables, (other.optimizer, model.optimizer))
    assert len(found) > 3 and set(found) == set(expected)
    for key, variable in expected.items():
        np.testing.assert_array_equal(to_numpy(found[key]), to_numpy(variable))
    train(other)


def test_the_state_of_another_form_is_not_taken():
    one, other = two_layers(FORMS["toward"]()), two_layers(FORMS["bound"]())
    train(one)
    train(other)
    store = {}
    one.optimizer.save_own_variables(store)
    before = [to_numpy(variable) for variable in other.optimizer.variables]
    with pytest.warns(UserWarning, match="begins afresh.*reference_0"):
        other.optimizer.load_own_variables(store)
    for variable, value in zip(other.optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), value)


@pytest.mark.slow
def test_weights_of_a_training_with_other_settings_load_with_a_warning(tmp_path):
    pretrained = two_layers(FORMS["bound"]())
    train(pretrained)
    pretrained.save_weights(tmp_path / "model.weights.h5")
    model = two_layers(FORMS["toward"](), seed=7)
    model.load_weights(tmp_path / "model.weights.h5")
    with pytest.warns(UserWarning, match="begins afresh.*reference_0"):
        train(model)
    reference = to_numpy(own_variables(model.optimizer)["reference_0"])
    np.testing.assert_array_equal(reference, kernels(pretrained)[0])


def test_an_optimizer_can_be_copied():
    model = two_layers(kd.AdamW(0.01, 0.1, use_ema=True))
    train(model)
    twin = copy.deepcopy(model.optimizer)
    assert twin.get_config() == model.optimizer.get_config()


def test_a_reference_of_arrays_is_not_lost_by_saving_too_early(tmp_path):
    form = kd.DecayToward(0.1, {"a/kernel": np.ones((4, 4))})
    rules = [("a/kernel", form)]
    model = two_layers(kd.DecoupledWeightDecay(keras.optimizers.SGD(), rules=rules))
    with pytest.raises(ValueError, match="`reference` cannot be saved before"):
        model.save(tmp_path / "model.keras")


def test_a_given_reference_is_a_copy():
    array = np.zeros(3, "float32")
    form = kd.DecayToward(0.1, array)
    array += 1
    np.testing.assert_array_equal(form.reference, 0)
    assert form.reference.dtype == np.float32


def test_a_warm_up_that_is_over_already_sets_the_bound_at_once():
    form = kd.ConstrainedDecay(warmup_steps=2, rate=1.0)
    kernel = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.0), form)
    optimizer.build([kernel])
    optimizer.iterations.assign(5)
    optimizer.apply([keras.ops.zeros((2, 2))], [kernel])
    (bound,) = [v for v in optimizer.variables if v.name.endswith("bound")]
    np.testing.assert_allclose(to_numpy(bound), 2.0)


def test_the_average_of_half_precision_weights_moves():
    """Oracle: the average in float64 of the weights that there were."""
    optimizer = kd.SGDW(0.1, 0.0, momentum=0.0, use_ema=True, jit_compile=False)
    start = np.ones((3, 3), "float32")
    kernel = keras.Variable(start, dtype="bfloat16", name="kernel")
    optimizer.build([kernel])
    average = start.astype("float64")
    for index in range(100):
        optimizer.apply([keras.ops.full((3, 3), 0.1, "bfloat16")], [kernel])
        weight = to_numpy(kernel).astype("float64")
        average = weight if index == 0 else 0.99 * average + 0.01 * weight
    assert average.max() < 0.9
    optimizer.finalize_variable_values([kernel])
    np.testing.assert_allclose(to_numpy(kernel), average, rtol=0.004)


@pytest.mark.slow
def test_stable_decay_beside_scales_that_are_no_weights():
    model = two_layers(kd.DecoupledWeightDecay(keras.optimizers.Adam(0.1), 0.1))
    model.quantize("float8")
    adam = keras.optimizers.Adam(0.1)
    model.compile(kd.DecoupledWeightDecay(adam, kd.StableDecay(0.1)), "mse")
    train(model)
    assert all(np.all(np.isfinite(kernel)) for kernel in kernels(model))


def test_swapped_averages_are_evaluated_and_training_goes_on_from_the_weights():
    """Oracle: the same training without the callback."""
    histories, models = [], []
    for callbacks in ([], [keras.callbacks.SwapEMAWeights()]):
        optimizer = kd.SGDW(0.05, 0.5, use_ema=True, ema_momentum=0.5)
        models.append(two_layers(optimizer))
        settings = {"validation_data": (X, Y), "shuffle": False, "verbose": 0}
        history = models[-1].fit(
            X, Y, epochs=3, batch_size=8, callbacks=callbacks, **settings
        )
        histories.append(history.history)
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-6)
    apart = np.subtract(histories[0]["val_loss"], histories[1]["val_loss"])
    assert np.all(np.abs(apart) > 1e-4)


def test_a_plateau_lowers_the_rate_and_the_decay_that_is_coupled_to_it():
    class Record(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            sizes.append(kernels(self.model)[0])

    optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.5), 0.2)
    model = two_layers(optimizer, use_bias=False)
    sizes = [kernels(model)[0]]
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1)
    # Without input the loss stands still, and what moves the kernels is decay alone.
    settings = {"batch_size": 16, "epochs": 4, "verbose": 0}
    model.fit(0 * X, Y, callbacks=[plateau, Record()], **settings)
    shrink = [np.mean(b / a) for a, b in itertools.pairwise(sizes)]
    rates = np.array([0.5, 0.5, 0.05, 0.005])
    np.testing.assert_allclose(shrink, 1 - 0.2 * rates, rtol=1e-5)
