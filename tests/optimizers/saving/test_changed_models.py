"""Loading where a model has changed: frozen, thawed, renamed, of another optimizer.

The oracle of a step: SGD at the rate 0 and decay that follows no rate leave of a weight
w exactly (1 − λ) w, whatever the gradients. The oracle of a resumed training is the
same training without an interruption, bit for bit.
"""

import copy
import pickle
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import decisions, slow, to_numpy

import keras_decay as kd

ONLY_TF = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow alone"
)
X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X[:, :1]


@keras.saving.register_keras_serializable(package="tests")
class Stack(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.Dense(4), layers.Dense(1)

    def call(self, x):
        return self.second(self.first(x))


def named():
    return [layers.Dense(4, name="a"), layers.Dense(1, name="b")]


def sequential():
    return keras.Sequential([keras.Input((4,)), *named()])


def without_input():
    return keras.Sequential(named())


def functional():
    x = keras.Input((4,))
    a, b = named()
    return keras.Model(x, b(a(x)))


def nested():
    x = keras.Input((4,))
    a, b = named()
    return keras.Model(x, b(keras.Sequential([keras.Input((4,)), a], name="body")(x)))


KINDS = [sequential, without_input, functional, nested, Stack]


def fit(model, epochs=1):
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)
    return model


def trained(kind, optimizer=None, epochs=2):
    keras.utils.set_random_seed(1)
    model = kind()
    optimizer = optimizer or kd.AdamW(0.01, 0.5, rules=[("bias", 0.1)])
    model.compile(optimizer, keras.losses.MeanSquaredError())
    return fit(model, epochs)


def reloaded(model, path):
    """The model from its file, with its predictions compared, and all warnings."""
    expected = model.predict(X, verbose=0)
    model.save(path)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        loaded = keras.saving.load_model(path)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, rtol=1e-6)
    return loaded, [str(w.message) for w in seen if "afresh" in str(w.message)]


def thawed(model):
    for layer in model._flatten_layers():
        layer.trainable = True
    return model


def pure_decay(**arguments):
    """An optimizer whose step is w ← (1 − λ) w."""
    inner = keras.optimizers.SGD(0.0)
    return kd.DecoupledWeightDecay(inner, coupling="independent", **arguments)


def assert_step(model, factors):
    """Make one step; compare each variable with a factor times itself.

    Args:
        model: A model with an optimizer of `pure_decay`.
        factors: The factor for each variable, by the end of its path.
    """
    before = {v.path: to_numpy(v) for v in model.variables}
    fit(model)
    for variable in model.variables:
        factor = next(
            (f for end, f in factors.items() if variable.path.endswith(end)), 1.0
        )
        expected = before[variable.path] * np.float32(factor)
        np.testing.assert_allclose(
            to_numpy(variable), expected, rtol=1e-6, err_msg=variable.path
        )


def assert_same_weights(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_model_loads_and_goes_on_exactly_when_it_is_thawed(kind, tmp_path):
    model = trained(kind)
    model.trainable = False
    loaded, said = reloaded(model, tmp_path / "a.keras")
    loaded, said_again = reloaded(loaded, tmp_path / "b.keras")  # nothing is lost
    assert not said and not said_again
    thawed(loaded).compile(loaded.optimizer, "mse")
    assert_same_weights(fit(loaded), trained(kind, epochs=3))


@pytest.mark.parametrize("kind", [slow(sequential), slow(functional), nested])
def test_a_model_with_one_frozen_layer_loads_afresh(kind, tmp_path):
    rules = [("b/kernel", 0.25), ("a/kernel", 0.5)]
    model = trained(kind, pure_decay(rules=rules))
    model.get_layer("b").trainable = False
    loaded, said = reloaded(model, tmp_path / "model.keras")
    assert len(said) == 1 and "Gone: " in said[0]
    assert "b/kernel" in said[0] and "b/bias" in said[0] and "a/bias" not in said[0]
    assert "'b/kernel' matches no variable" in said[0]
    assert int(to_numpy(loaded.optimizer.iterations)) == 0
    assert_step(loaded, {"a/kernel": 0.5})


def test_a_model_with_a_thawed_layer_loads_afresh(tmp_path):
    model = functional()
    model.get_layer("b").trainable = False
    model.compile(pure_decay(weight_decay=0.5), "mse")
    fit(model).get_layer("b").trainable = True
    loaded, said = reloaded(model, tmp_path / "model.keras")
    assert len(said) == 1 and "New: b/kernel, b/bias." in said[0]
    assert_step(loaded, {"kernel": 0.5})


def test_the_same_optimizer_goes_on_with_what_is_left(tmp_path):
    model = trained(functional, pure_decay(weight_decay=0.5))
    model.get_layer("a").trainable = False
    model.compile(model.optimizer, "mse")
    assert_step(model, {"b/kernel": 0.5})
    loaded, said = reloaded(model, tmp_path / "model.keras")
    assert len(said) == 1 and "Gone: a/kernel, a/bias." in said[0]
    assert_step(loaded, {"b/kernel": 0.5})


@pytest.mark.slow
def test_a_discriminator_that_is_frozen_within_a_gan(tmp_path):
    discriminator = trained(sequential, pure_decay(weight_decay=0.25))
    discriminator.trainable = False
    x = keras.Input((4,))
    gan = keras.Model(x, discriminator(layers.Dense(4, name="generator")(x)))
    gan.compile(pure_decay(weight_decay=0.5), "mse")
    loaded, said = reloaded(fit(gan), tmp_path / "gan.keras")
    assert not said
    assert int(to_numpy(loaded.optimizer.iterations)) == 1
    assert_step(loaded, {"generator/kernel": 0.5})


@pytest.mark.parametrize("frozen", [slow(False), True])
def test_h5_resumes_exactly(frozen, tmp_path):
    model = trained(functional)
    model.trainable = not frozen
    loaded, said = reloaded(model, tmp_path / "model.h5")
    assert not said
    thawed(loaded).compile(loaded.optimizer, "mse")
    assert_same_weights(fit(loaded), trained(functional, epochs=3))


@pytest.mark.slow
def test_h5_of_other_variables_begins_afresh(tmp_path):
    optimizer = pure_decay(weight_decay=0.5, rules=[("a/kernel", 0.25)])
    model = trained(functional, optimizer)
    model.get_layer("a").trainable = False
    loaded, _ = reloaded(model, tmp_path / "model.h5")
    with pytest.warns(UserWarning, match="begins afresh.*'a/kernel' matches no"):
        loaded.optimizer.build(loaded.trainable_variables)
    assert_step(loaded, {"b/kernel": 0.5})


@pytest.mark.parametrize("is_built", [False, slow(True)])
@pytest.mark.parametrize("kind", [functional, slow(Stack)])
def test_weights_resume_exactly_before_and_after_building(kind, is_built, tmp_path):
    path = tmp_path / "model.weights.h5"
    trained(kind).save_weights(path)
    model = kind()
    model(X)
    model.compile(kd.AdamW(0.01, 0.5, rules=[("bias", 0.1)]), "mse")
    if is_built:
        model.optimizer.build(model.trainable_variables)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.load_weights(path)
        fit(model)
    assert_same_weights(model, trained(kind, epochs=3))


@pytest.mark.slow
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_resume_exactly(copied):
    model = copied(trained(functional))
    assert_same_weights(fit(model), trained(functional, epochs=3))


@pytest.mark.slow
@ONLY_TF
@pytest.mark.parametrize("is_built", [False, True])
def test_checkpoints_resume_exactly(is_built, tmp_path):
    import tensorflow as tf

    model = trained(functional)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    path = checkpoint.save(str(tmp_path / "checkpoint"))
    other = functional()
    other.compile(kd.AdamW(0.01, 0.5, rules=[("bias", 0.1)]), "mse")
    if is_built:
        other.optimizer.build(other.trainable_variables)
    tf.train.Checkpoint(model=other, optimizer=other.optimizer).restore(path)
    assert_same_weights(fit(other), trained(functional, epochs=3))


@pytest.mark.slow
def test_loss_scaling_around(tmp_path):
    optimizer = keras.optimizers.LossScaleOptimizer(
        kd.AdamW(0.01, 0.5), initial_scale=2.0
    )
    model = trained(functional, optimizer)
    loaded, said = reloaded(model, tmp_path / "whole.keras")
    assert not said
    fit(model).get_layer("a").trainable = False
    assert_same_weights(fit(loaded), model)
    loaded, said = reloaded(model, tmp_path / "part.keras")
    assert len(said) == 1 and "Gone: a/kernel, a/bias." in said[0]
    fit(loaded)


@pytest.mark.slow
def test_loss_scaling_that_keras_adds_is_not_in_the_file(tmp_path):
    """The policy of the process decides, at loading too; the warning says so."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = trained(functional)
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        loaded, said = reloaded(model, tmp_path / "model.keras")
        assert not said
    finally:
        keras.config.set_dtype_policy("float32")
    assert_same_weights(fit(loaded), fit(model))
    other, said = reloaded(model, tmp_path / "model.keras")
    assert isinstance(other.optimizer, kd.DecoupledWeightDecay)
    assert len(said) == 1 and "set_dtype_policy('mixed_float16')" in said[0]
    fit(other)


def moved(source, target, variables=None):
    """Load the state of one optimizer into another; return what is warned of."""
    store: dict = {}
    source.save_own_variables(store)
    if variables is not None:
        target.build(variables)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        target.load_own_variables(store)
    said = [w for w in seen if w.category is UserWarning]
    return " ".join(str(w.message) for w in said)


def variables_of(**shapes):
    variables = []
    for name, shape in shapes.items():
        with keras.name_scope(name):
            variables.append(keras.Variable(np.ones(shape), name="kernel"))
    return variables


def stepped(optimizer, variables):
    optimizer.apply([ops.ones(v.shape) for v in variables], variables)
    return optimizer


def rates(optimizer, variables):
    """The share of each weight that one step of `pure_decay` takes away."""
    before = [to_numpy(v) for v in variables]
    stepped(optimizer, variables)
    return [
        round(float(1 - (to_numpy(v) / w).mean()), 6)
        for v, w in zip(variables, before, strict=True)
    ]


SHAPE = (2, 2)


def test_renamed_variables_keep_their_decisions_and_their_state():
    rules = [("^dense/", 0.25), ("dense_1/", 0.5)]
    source = pure_decay(rules=rules)
    stepped(source, variables_of(dense=SHAPE, dense_1=SHAPE))
    target = kd.DecoupledWeightDecay.from_config(source.get_config())
    variables = variables_of(dense_7=SHAPE, dense_8=SHAPE)
    assert moved(source, target, variables) == ""
    assert int(to_numpy(target.iterations)) == 1
    assert rates(target, variables) == [0.25, 0.5]


def test_decisions_that_move_take_what_decay_remembers_along():
    rules = [("^dense/", kd.DecayToward(0.5)), ("dense_1/", None)]
    source = pure_decay(rules=rules)
    stepped(source, variables_of(dense=SHAPE, dense_1=SHAPE))
    target = kd.DecoupledWeightDecay.from_config(source.get_config())
    renamed = variables_of(dense_5=SHAPE, dense_6=SHAPE)
    assert moved(source, target, renamed) == ""
    renamed[0].assign(3 * np.ones(SHAPE))
    stepped(target, renamed)
    np.testing.assert_allclose(to_numpy(renamed[0]), 2.0)  # 3 − ½ (3 − 1)
    np.testing.assert_allclose(to_numpy(renamed[1]), 1.0)


@pytest.mark.parametrize("names", [("dense_1", "dense_2"), ("dense_1", "dense")])
def test_what_may_be_another_variable_is_decided_by_its_path(names):
    source = pure_decay(weight_decay=0.5, rules=[("dense_1/", 0.25)])
    stepped(source, variables_of(dense=SHAPE, dense_1=SHAPE))
    target = kd.DecoupledWeightDecay.from_config(source.get_config())
    variables = variables_of(**dict.fromkeys(names, SHAPE))
    assert "begins afresh" in moved(source, target, variables)
    assert int(to_numpy(target.iterations)) == 0
    assert rates(target, variables) == [0.25, 0.5]


def test_a_similar_name_is_not_that_of_a_variable_that_was_frozen():
    source = pure_decay(weight_decay=0.5, rules=[("dense/", 0.25)])
    first = variables_of(dense=SHAPE)
    stepped(source, first)
    first[0].trainable = False
    target = kd.DecoupledWeightDecay.from_config(source.get_config())
    variables = variables_of(dense_1=SHAPE)
    said = moved(source, target, variables)
    assert "New: dense_1/kernel. Gone: dense/kernel." in said
    assert "'dense/' matches no variable" in said
    assert rates(target, variables) == [0.5]


@pytest.mark.parametrize(
    "shapes, said",
    [
        ({"a": SHAPE}, "Gone: b/kernel."),
        ({"a": SHAPE, "b": SHAPE, "c": SHAPE}, "New: c/kernel."),
        ({"a": SHAPE, "b": (2, 3)}, "b/kernel (saved (2, 2), now (2, 3))"),
        ({"b": SHAPE, "a": SHAPE}, "told apart by their paths: a/kernel, b/kernel."),
    ],
)
def test_the_warning_says_what_has_changed(shapes, said):
    source = stepped(kd.SGDW(0.1, 0.5), variables_of(a=SHAPE, b=SHAPE))
    target = kd.SGDW(0.1, 0.5)
    variables = variables_of(**shapes)
    assert said in moved(source, target, variables)
    assert int(to_numpy(target.iterations)) == 0
    stepped(target, variables)


@pytest.mark.parametrize("before", [True, False])
def test_other_rules_begin_afresh_where_they_decide_otherwise(before):
    source = pure_decay(weight_decay=0.5, rules=[("a/", 0.25)])
    stepped(source, variables_of(a=SHAPE, b=SHAPE))
    target = pure_decay(weight_decay=0.5, rules=[("b/", 0.25)])
    variables = variables_of(a=SHAPE, b=SHAPE)
    if before:
        assert moved(source, target) == ""
        with pytest.warns(UserWarning, match="decide otherwise: a/kernel"):
            target.build(variables)
    else:
        assert "decide otherwise: a/kernel" in moved(source, target, variables)
    assert rates(target, variables) == [0.5, 0.25]


OTHERS = {
    "another class": lambda: kd.DecoupledWeightDecay(keras.optimizers.RMSprop(), 0.5),
    "of the same state": lambda: kd.DecoupledWeightDecay(
        keras.optimizers.Adamax(), 0.5
    ),
    "another setting": lambda: kd.AdamW(0.1, 0.5, amsgrad=True),
    "an average": lambda: kd.AdamW(0.1, 0.5, use_ema=True),
    "Keras' own": lambda: keras.optimizers.Adam(0.1),
}


@pytest.mark.parametrize("other", OTHERS)
def test_the_state_of_another_optimizer_is_not_taken(other):
    source = stepped(OTHERS[other](), variables_of(a=SHAPE))
    for target in (kd.AdamW(0.1, 0.5), kd.AdamW(0.1, 0.5)):
        variables = variables_of(a=SHAPE)
        assert "begins afresh" in moved(source, target, variables)
        assert int(to_numpy(target.iterations)) == 0
    late = kd.AdamW(0.1, 0.5)
    moved(source, late)
    with pytest.warns(UserWarning, match="begins afresh"):
        late.build(variables)
    assert int(to_numpy(late.iterations)) == 0


def test_arrays_of_a_reference_are_found_by_path_when_the_state_is_not_restored():
    arrays = {"a/kernel": 3 * np.ones(SHAPE), "b/kernel": 5 * np.ones(SHAPE)}
    source = pure_decay(weight_decay=kd.DecayToward(0.5, arrays))
    source.build(variables_of(a=SHAPE, b=SHAPE))
    target = kd.DecoupledWeightDecay.from_config(source.get_config())
    variables = variables_of(b=SHAPE)
    assert "Gone: a/kernel." in moved(source, target, variables)
    stepped(target, variables)
    np.testing.assert_allclose(to_numpy(variables[0]), 3.0)  # 1 − ½ (1 − 5)


def test_a_rule_is_about_the_model_at_hand():
    model = functional()
    model.get_layer("b").trainable = False
    model.compile(pure_decay(rules=[("a/kernel", 0.5)]), "mse")
    fit(model)
    model.get_layer("a").trainable, model.get_layer("b").trainable = False, True
    config = model.optimizer.get_config()
    fresh = kd.DecoupledWeightDecay.from_config
    clone = keras.models.clone_model(model)
    clone.compile(fresh(config), "mse")
    with pytest.raises(ValueError, match="'a/kernel' matches no variable"):
        fit(clone)
    model.get_layer("a").trainable = True
    model.compile(fresh(config), "mse")
    assert_step(model, {"a/kernel": 0.5})
    clone = keras.models.clone_model(model)
    clone.compile(fresh(model.optimizer.get_config()), "mse")
    assert_step(clone, {"a/kernel": 0.5})
    assert len(decisions(clone.optimizer)) == 4


def test_an_optimizer_without_variables_is_not_built():
    optimizer = pure_decay(weight_decay=0.5, use_ema=True)
    optimizer.build([])
    assert not optimizer.built
    optimizer.finalize_variable_values([])
    variables = variables_of(a=SHAPE)
    assert rates(optimizer, variables) == [0.5]
