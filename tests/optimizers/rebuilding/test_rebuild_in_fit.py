"""Going on with other variables in `fit`.

The oracle: a fresh optimizer in a clone of the model, whose state was copied by hand.
"""

import re

import keras
import numpy as np
import pytest
from keras import layers, optimizers
from support import recent_keras, slow, to_numpy

import keras_decay as kd

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X[:, :1]


def network():
    keras.utils.set_random_seed(1)
    x = keras.Input((4,))
    y = layers.Dense(4, "tanh", name="first")(x)
    y = layers.Dense(4, "tanh", name="second")(y)
    return keras.Model(x, layers.Dense(1, name="head", dtype="float32")(y))


def fit(model, callbacks=(), epochs=1):
    return model.fit(
        X,
        Y,
        batch_size=6,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )


def set_trainable(model, *names):
    for layer in model.layers:
        layer.trainable = layer.name in names


def in_parts():
    if not hasattr(optimizers, "OptimizerMap"):
        pytest.skip("this Keras has no MultiOptimizer")
    body, head = kd.SGDW(0.01, 0.1), kd.AdamW(0.1, 0.5, use_ema=True)
    return optimizers.MultiOptimizer(
        optimizers.OptimizerMap(body, {"head/.*": head, "second/.*": head})
    )


def scaled():
    return optimizers.LossScaleOptimizer(kd.AdamW(0.05, 0.5), initial_scale=8.0)


OPTIMIZERS = {
    "plain": lambda: kd.AdamW(0.05, 0.5, coupling="schedule", rules=[("bias", 0.1)]),
    "everything": lambda: kd.AdamW(
        0.05,
        kd.DecayToward(0.5),
        use_ema=True,
        ema_momentum=0.5,
        gradient_accumulation_steps=3,
    ),
    "loss scaling": scaled,
    "parts": in_parts,
    "parts in loss scaling": lambda: optimizers.LossScaleOptimizer(in_parts()),
}


def by_role(optimizer):
    """The variables of an optimizer, by names without the numbers that Keras gives."""
    found: dict = {}
    for variable in optimizer.variables:
        owner, *rest = variable.path.split("/")
        found.setdefault((re.sub(r"_\d+$", "", owner), *rest), []).append(variable)
    return found


def copied_by_hand(model, make):
    """A clone of the model; a fresh optimizer has what the model's knew, by name."""
    clone = keras.models.clone_model(model)
    for layer, original in zip(clone.layers, model.layers, strict=True):
        layer.trainable = original.trainable
    clone.set_weights(model.get_weights())
    clone.compile(make(), "mse")
    clone.optimizer.build(clone.trainable_variables)
    known = by_role(model.optimizer)
    for role, variables in by_role(clone.optimizer).items():
        for variable, source in zip(variables, known.get(role, []), strict=False):
            variable.assign(to_numpy(source))
    return clone


def assert_same_weights(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


PHASES = [
    ("plain", "float32"),
    slow(("everything", "float32")),
    slow(("parts", "float32")),
    slow(("plain", "mixed_float16")),
    slow(("everything", "mixed_float16")),
    slow(("parts in loss scaling", "mixed_float16")),
]


@pytest.mark.parametrize("name, policy", PHASES, indirect=["policy"])
def test_head_phase_then_thaw_then_freeze(name, policy):
    model = network()
    set_trainable(model, "head")
    model.compile(OPTIMIZERS[name](), "mse")
    fit(model)
    set_trainable(model, "first", "second", "head")
    before = by_role(model.optimizer)
    known = {role: [to_numpy(v) for v in vs] for role, vs in before.items()}
    kd.rebuild(model)
    for role, variables in by_role(model.optimizer).items():
        for variable, value in zip(variables, known.get(role, []), strict=False):
            np.testing.assert_array_equal(to_numpy(variable), value, str(role))
    assert any("first_kernel" in "/".join(r) for r in by_role(model.optimizer))
    by_hand = copied_by_hand(model, OPTIMIZERS[name])
    kernel = to_numpy(model.get_layer("first").kernel)
    fit(model)
    fit(by_hand)
    assert abs(kernel - to_numpy(model.get_layer("first").kernel)).max() > 1e-4
    assert_same_weights(model, by_hand)
    set_trainable(model, "head")
    kd.rebuild(model)
    assert not any("first" in "/".join(r) for r in by_role(model.optimizer))
    kernel = to_numpy(model.get_layer("first").kernel)
    fit(model)
    np.testing.assert_array_equal(kernel, to_numpy(model.get_layer("first").kernel))


@pytest.mark.slow
def test_layers_of_one_shape_change_places():
    model = network()
    set_trainable(model, "second", "head")
    model.compile(kd.AdamW(0.05, 0.5), "mse")
    fit(model)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    set_trainable(model, "first", "head")
    kd.rebuild(model)
    by_hand = copied_by_hand(model, lambda: kd.AdamW(0.05, 0.5))
    expected = by_hand.predict(X, verbose=0)
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
    assert model.evaluate(X, Y, verbose=0) == by_hand.evaluate(X, Y, verbose=0)
    fit(model)
    fit(by_hand)
    assert_same_weights(model, by_hand)


def kernel_of(model, name):
    return to_numpy(model.get_layer(name).kernel)


def moments(optimizer, end):
    """The moments of the variable whose path ends so."""
    return {
        v.path.split("/")[-1]: to_numpy(v)
        for v in optimizer.variables
        if re.search(f"{end}_(momentum|velocity)$", v.path)
    }


def head_phase(**arguments):
    model = network()
    set_trainable(model, "head")
    model.compile(kd.AdamW(0.05, 0.5, **arguments), "mse")
    fit(model)
    return model


@pytest.mark.slow
def test_lora_enabled_in_the_middle():
    model = head_phase()
    set_trainable(model, "first", "head")
    kd.rebuild(model)
    fit(model)
    layer = model.get_layer("first")
    before = {
        **moments(model.optimizer, "head_kernel"),
        **moments(model.optimizer, "first_bias"),
    }
    assert len(before) == 4 and moments(model.optimizer, "first_kernel")
    layer.enable_lora(2)
    kd.rebuild(model)
    after = {
        **moments(model.optimizer, "head_kernel"),
        **moments(model.optimizer, "first_bias"),
    }
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    assert not moments(model.optimizer, "first_kernel")
    kernel, b = to_numpy(layer._kernel), to_numpy(layer.lora_kernel_b)
    fit(model, epochs=2)
    np.testing.assert_array_equal(to_numpy(layer._kernel), kernel)
    assert abs(to_numpy(layer.lora_kernel_b) - b).max() > 1e-3
    assert int(to_numpy(model.optimizer.iterations)) == 16


@pytest.mark.slow
def test_a_new_head_on_the_same_backbone():
    model = network()
    model.compile(kd.AdamW(0.05, 0.5), "mse")
    fit(model)
    features = model.get_layer("second").output
    other = keras.Model(model.input, layers.Dense(2, name="other")(features))
    other.compile(model.optimizer, "mse")
    before = moments(model.optimizer, "second_kernel")
    kd.rebuild(other)
    after = moments(other.optimizer, "second_kernel")
    assert len(before) == 2
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    assert not moments(other.optimizer, "head_kernel")
    kernel = kernel_of(other, "other")
    other.fit(X, X[:, :2], batch_size=6, verbose=0)
    assert abs(kernel_of(other, "other") - kernel).max() > 1e-3
    assert int(to_numpy(other.optimizer.iterations)) == 8


class Thaw(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            set_trainable(self.model, "first", "head")
            kd.rebuild(self.model)


@pytest.mark.slow
@pytest.mark.parametrize("curve", [False, True])
def test_between_two_epochs_of_one_fit(curve, tmp_path):
    model = head_phase()
    callbacks = [kd.LearningCurve(tmp_path / "curve.jsonl")] if curve else []
    kernel = kernel_of(model, "first")
    fit(model, [*callbacks, Thaw(1)], epochs=3)
    other = head_phase()
    fit(other)
    np.testing.assert_array_equal(kernel_of(other, "first"), kernel)
    set_trainable(other, "first", "head")
    kd.rebuild(other)
    fit(other, epochs=2)
    assert_same_weights(model, other)
    for each in (model, other):  # nothing that was compiled before runs again
        fit(each)
    assert_same_weights(model, other)
    assert abs(kernel_of(model, "first") - kernel).max() > 1e-3


@pytest.mark.slow
def test_save_load_rebuild(tmp_path):
    model = head_phase(rules=[("head/bias", 0.1)], use_ema=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        set_trainable(each, "second", "head")
        kd.rebuild(each)
        fit(each)
    assert_same_weights(model, loaded)
    loaded.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    for each in (model, again):
        fit(each)
    assert_same_weights(model, again)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's")
def test_checkpoints_of_what_was_rebuilt(tmp_path):
    import tensorflow as tf

    def made():
        return kd.AdamW(0.05, kd.DecayToward(0.5), use_ema=True)

    model = network()
    set_trainable(model, "head")
    model.compile(made(), "mse")
    fit(model)
    set_trainable(model, "first", "second", "head")
    kd.rebuild(model)
    fit(model)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    path = checkpoint.save(str(tmp_path / "checkpoint"))
    other = network()
    other.compile(made(), "mse")
    other.optimizer.build(other.trainable_variables)
    tf.train.Checkpoint(model=other, optimizer=other.optimizer).restore(path)
    for each in (model, other):
        fit(each)
    assert_same_weights(model, other)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")
def test_under_a_strategy():
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = network()
        set_trainable(model, "head")
        model.compile(kd.AdamW(0.05, 0.5), "mse")
    fit(model)
    set_trainable(model, "first", "head")
    kd.rebuild(model)
    kernel = kernel_of(model, "first")
    fit(model)
    assert abs(kernel_of(model, "first") - kernel).max() > 1e-3


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="about JAX' state")
def test_within_an_epoch_on_jax():
    model = head_phase()
    said = []

    class Late(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                # Keras syncs the state where a callback asks for its model.
                thawed = self.model if said else model
                set_trainable(thawed, "first", "head")
                try:
                    kd.rebuild(thawed)
                except ValueError as error:
                    said.append(str(error))
                    set_trainable(thawed, "head")

    kernel = kernel_of(model, "first")
    fit(model, [Late()])
    assert "model.jax_state_sync()" in said[0]
    np.testing.assert_array_equal(kernel_of(model, "first"), kernel)
    fit(model, [Late()])
    assert len(said) == 1
    assert abs(kernel_of(model, "first") - kernel).max() > 1e-3


def test_models_that_cannot_be_rebuilt_are_told_why():
    with pytest.raises(TypeError, match="`model` must be a Keras model"):
        kd.rebuild(kd.AdamW())
    model = network()
    with pytest.raises(ValueError, match="`model` must be compiled"):
        kd.rebuild(model)
    model.compile("adam", "mse")
    with pytest.raises(TypeError, match=r"optimizer=Adam. Wrap it .*Decay\("):
        kd.rebuild(model)
    model.compile(kd.AdamW(), "mse")
    model.trainable = False
    with pytest.raises(ValueError, match="must have trainable variables"):
        kd.rebuild(model)
    unbuilt = keras.Sequential([layers.Dense(1)])
    unbuilt.compile(kd.AdamW(), "mse")
    with pytest.raises(ValueError, match="`model` must be built"):
        kd.rebuild(unbuilt)
    model.trainable = True
    kd.rebuild(model)
    assert model.optimizer.built


@recent_keras
def test_parts_change_together_or_not_at_all():
    first, second = kd.AdamW(0.1, 0.5), kd.SGDW(0.1, 0.5, rules=[("second/k", 0.1)])
    plain = optimizers.Adam(0.1)
    parts = {"first/.*": first, "second/.*": second}
    model = network()
    model.compile(
        optimizers.MultiOptimizer(optimizers.OptimizerMap(plain, parts)), "mse"
    )
    model.optimizer.build(model.trainable_variables)
    before = [(v.path, to_numpy(v)) for v in model.optimizer.variables]
    model.get_layer("first").bias.trainable = False
    model.get_layer("second").kernel.trainable = False
    with pytest.raises(ValueError, match="'second/k' matches no variable"):
        kd.rebuild(model)
    model.get_layer("second").kernel.trainable = True
    model.get_layer("head").trainable = False
    with pytest.raises(ValueError, match="is a Adam and cannot go on"):
        kd.rebuild(model)
    after = [(v.path, to_numpy(v)) for v in model.optimizer.variables]
    assert [path for path, _ in after] == [path for path, _ in before]
    model.get_layer("head").trainable = True
    kd.rebuild(model)
    assert len(first.variables) == 5  # λ, the steps, the rate and two moments
    fit(model)


@recent_keras
def test_an_optimizer_map_that_makes_optimizers_anew_is_refused():
    model = network()
    set_trainable(model, "head")
    model.compile(optimizers.MultiOptimizer(lambda variable: kd.AdamW(0.1, 0.5)), "mse")
    model.optimizer.build(model.trainable_variables)
    with pytest.raises(ValueError, match="must give the same optimizer"):
        kd.rebuild(model)
