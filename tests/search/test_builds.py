"""What `build` must do: make models of its own, which its parameters change."""

import functools
import gc
import types
import warnings

import keras
import numpy as np
import pytest
from searched_models import EAGERLY, X, Y, model_of
from support import mostly_slow, recent_keras

import keras_decay as kd
from keras_decay.search._building import build_model
from keras_decay.search._traits import Traits

L = keras.layers
ENGINES = ["auto", "sequential"]
HOW = {"cv": 2, "epochs": 1, "refit": False}


def searched(build, grid, **how):
    """The search, and what it warned of."""
    search = kd.DecaySearchCV(build, grid, **{**HOW, **how})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search.fit(X, Y)
    return search, " ".join(str(each.message) for each in told)


# Shared between two calls of `build`: what, and the words of the error.


def one_model():
    model = model_of(L.Dense(2))
    return lambda l2: model, "the model of an earlier call"


def a_model_for_each_value():
    return functools.lru_cache(
        lambda l2: model_of(L.Dense(2, kernel_regularizer=kd.L2(l2)))
    ), "the model of an earlier call"


def a_layer():
    layer = L.Dense(2, name="body")
    return lambda l2: model_of(
        layer, L.Dense(2, kernel_regularizer=kd.L2(l2))
    ), "'body'"


def a_nested_model():
    body = keras.Sequential([L.Dense(2, name="inner")], name="body")
    return lambda l2: model_of(body, L.Dense(2, kernel_regularizer=kd.L2(l2))), "'body'"


def a_layer_within_a_nested_model():
    inner = L.Dense(2, name="inner")

    def build(l2):
        body = keras.Sequential([keras.Input((3,)), inner])
        return model_of(body, L.Dense(2, kernel_regularizer=kd.L2(l2)))

    return build, "'inner'"


def a_layer_with_statistics_alone():
    norm = L.BatchNormalization(center=False, scale=False, name="norm")
    return lambda l2: model_of(norm, L.Dense(2, kernel_regularizer=kd.L2(l2))), "'norm'"


def a_layer_of_a_subclass():
    body = L.Dense(2, name="body")

    class Mine(keras.Model):
        def __init__(self, l2):
            super().__init__()
            self.body, self.head = body, L.Dense(1, kernel_regularizer=kd.L2(l2))

        def call(self, x):
            return self.head(self.body(x))

    def build(l2):
        model = Mine(l2)
        model.compile("sgd", "mse", run_eagerly=EAGERLY)
        return model

    return build, "'body'"


def an_optimizer():
    sgd = keras.optimizers.SGD(0.1, momentum=0.5)

    def build(l2):
        return model_of(L.Dense(2, kernel_regularizer=kd.L2(l2)), optimizer=sgd)

    return build, "the optimizer of an earlier call"


def a_wrapped_optimizer():
    sgd = keras.optimizers.SGD(0.1, momentum=0.5)

    def build(l2):
        return model_of(L.Dense(2), optimizer=kd.DecoupledWeightDecay(sgd, l2))

    return build, "optimizer"


def a_loss_with_a_variable():
    class Stateful(keras.losses.Loss):
        def __init__(self):
            super().__init__()
            self.count = keras.Variable(0.0)

        def call(self, y_true, y_pred):
            self.count.assign_add(1.0)
            return keras.ops.square(y_true - y_pred)

    loss = Stateful()

    def build(l2):
        return model_of(L.Dense(2, kernel_regularizer=kd.L2(l2)), loss=loss)

    return build, "the loss"


def a_strength_that_is_assigned():
    strength = keras.Variable(0.0, name="strength")

    def build(l2):
        strength.assign(l2)
        return model_of(L.Dense(2, kernel_regularizer=kd.L2(strength)))

    return build, "has assigned to the variable 'strength'"


SHARED = [
    *(one_model, a_model_for_each_value, a_layer, a_nested_model),
    *(a_layer_within_a_nested_model, a_layer_with_statistics_alone),
    *(a_layer_of_a_subclass, an_optimizer, a_wrapped_optimizer),
    *(a_loss_with_a_variable, a_strength_that_is_assigned),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shared", mostly_slow(SHARED, SHARED[::5]))
def test_what_builds_share_and_training_changes_is_refused(shared, engine, monkeypatch):
    for engine_of in ("_sequential.train", "_vectorized.Runner"):
        monkeypatch.setattr(f"keras_decay.search.{engine_of}", None)
    for call in (
        lambda build, grid: searched(build, grid, engine=engine),
        lambda build, grid: kd.sweep(build, grid, X, Y, epochs=1, engine=engine),
    ):
        build, words = shared()
        with pytest.raises(ValueError, match=f"`build` must .*{words}"):
            call(build, {"l2": [1e-3, 0.1]})


def test_one_candidate_in_several_folds_is_looked_at_too():
    layer = L.Dense(2, name="body")
    for engine in ENGINES:
        with pytest.raises(ValueError, match="'body'"):
            searched(lambda l2: model_of(layer), {"l2": [0.1]}, engine=engine)


@pytest.mark.slow
def test_what_training_does_not_change_may_be_shared():
    """Layers without weights, frozen layers, adapted statistics, constants."""
    statistics = L.Normalization()
    statistics.adapt(X)
    frozen = L.Dense(3)
    frozen.build((None, 3))
    frozen.trainable = False
    shared = [L.Flatten(), L.Activation("tanh"), statistics, frozen]
    strength = keras.Variable(0.1)
    error = keras.losses.Huber()
    metric = keras.metrics.MeanAbsoluteError()

    def build(l2):
        own = L.Dense(2, kernel_regularizer=kd.L2(l2), bias_regularizer=kd.L2(strength))
        return model_of(*shared, own, loss=error, metrics=[metric])

    if keras.backend.backend() == "jax":  # there a strength is a part of the model
        strength = 0.1
    before = frozen.get_weights()
    search, told = searched(build, {"l2": [1e-3, 0.1]}, engine="sequential")
    assert "shares" not in told and np.isfinite(search.best_score_)
    for old, new in zip(before, frozen.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    dropout = L.Dropout(0.3, name="drop")
    _, told = searched(
        lambda l2: model_of(dropout, L.Dense(2, kernel_regularizer=kd.L2(l2))),
        {"l2": [1e-3, 0.1]},
        engine="sequential",
    )
    assert "shares the layer 'drop'" in told


@pytest.mark.slow
def test_models_that_are_gone_share_nothing():
    """Their `id`s are used again; what has only the same is no layer of theirs."""

    def build(l2):
        gc.collect()
        return model_of(L.Dense(2, kernel_regularizer=kd.L2(l2)))

    grid = {"l2": list(np.logspace(-4, 0, 12))}
    search, _ = searched(
        build, grid, engine="sequential", cv=[(range(9), range(9, 20))]
    )
    assert len(search.cv_results_["params"]) == 12


# Ways in which a strength reaches nothing, and ways in which it reaches something that
# no config of the model tells.


def after_building(l2):
    model = model_of(L.Dense(2))
    model.layers[0].kernel_regularizer = kd.L2(l2)
    model.layers[0].bias_constraint = kd.NormBall(l2)
    return model


def ignored(l2):
    return model_of(L.Dense(2, kernel_regularizer=kd.L2(0.1)), L.Dropout(0.2))


def of_a_frozen_layer(l2):
    layer = L.Dense(2, kernel_regularizer=kd.L2(l2))
    layer.trainable = False
    return model_of(layer)


def of_an_optimizer_that_is_not_used(l2):
    kd.AdamW(1e-3, l2)
    return model_of(L.BatchNormalization(), optimizer=kd.AdamW(1e-3, 0.1))


def by_name_alone(l2):
    return model_of(L.Dense(2, name=f"dense_of_{l2}".replace(".", "_")))


IDLE = [
    *(after_building, ignored, of_a_frozen_layer, of_an_optimizer_that_is_not_used),
    by_name_alone,
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("build", mostly_slow(IDLE, IDLE[:2]))
def test_a_parameter_that_changes_nothing_is_refused(build, engine, monkeypatch):
    for engine_of in ("_sequential.train", "_vectorized.Runner"):
        monkeypatch.setattr(f"keras_decay.search.{engine_of}", None)
    grid = {"l2": [1e-3, 0.1]}
    words = "`build` must .* another value of 'l2'.*Received: equal models"
    for refit in ("1se", True):
        with pytest.raises(ValueError, match=words):
            searched(build, grid, engine=engine, refit=refit)
    with pytest.raises(ValueError, match=words):
        kd.sweep(build, grid, X, Y, epochs=1, engine=engine)


@pytest.mark.slow
def test_beside_another_parameter_it_is_a_warning():
    def build(l2, units):
        return model_of(L.Dense(units))

    grid = {"l2": [1e-3, 0.1], "units": [2, 3]}
    _, told = searched(build, grid, engine="sequential", refit=True)
    assert "another value of 'l2'" in told and "'units'" not in told
    words = "another value of 'l2', 'units'"
    with pytest.raises(ValueError, match=words):
        searched(lambda l2, units: model_of(), grid, refit=True)


class Mine(keras.Model):
    def __init__(self, strength):
        super().__init__()
        self.head, self.strength = L.Dense(1), strength

    def call(self, x):
        return self.head(x)


def subclassed(l2):
    model = Mine(l2)
    model.compile("sgd", "mse", run_eagerly=EAGERLY)
    return model


def with_an_object_of_the_users(l2):
    model = Mine(types.SimpleNamespace(l2=[l2]))
    model.compile("sgd", "mse", run_eagerly=EAGERLY)
    return model


def by_a_training_step(l2):
    class Stepping(keras.Model):
        def train_step(self, *arguments):
            return {"loss": l2}

    inputs = keras.Input((3,))
    model = Stepping(inputs, L.Dense(1)(inputs))
    model.compile("sgd", "mse")
    return model


def by_a_closure(l2):
    def loss(y, predicted):
        return (1 + l2) * keras.ops.square(y - predicted)

    return model_of(loss=loss)


def by_a_partial(l2):
    return model_of(loss=functools.partial(scaled, factor=l2))


def scaled(y, predicted, factor):
    return factor * keras.ops.square(y - predicted)


SETTING = {"l2": 0.0}


def by_a_setting_of_the_module(l2):
    SETTING["l2"] = l2
    return model_of(loss=lambda y, predicted: SETTING["l2"] * (y - predicted) ** 2)


def by_a_callable_regularizer(l2):
    return model_of(L.Dense(2, kernel_regularizer=lambda w: l2 * keras.ops.sum(w**2)))


def by_a_variable(l2):
    model = model_of(L.Dense(2))
    model.layers[0].kernel.regularizer = kd.L2(keras.Variable(l2))
    return model


def by_a_schedule(l2):
    rate = keras.optimizers.schedules.ExponentialDecay(l2, 10, 0.5)
    return model_of(optimizer=keras.optimizers.SGD(rate))


def by_an_initializer(l2):
    return model_of(L.Dense(2, kernel_initializer=keras.initializers.Constant(l2)))


def by_the_activity(l2):
    model = model_of(L.Dense(2))
    model.layers[0].activity_regularizer = keras.regularizers.L2(l2)
    return model


def by_compile(l2):
    return model_of(loss=["mse"], loss_weights=[l2])


def by_an_opaque_object(l2):
    model = model_of(L.Dense(2))
    model.held = iter([l2])
    return model


class Unwilling:
    def __getattribute__(self, name):
        raise OSError("no")


def by_an_object_that_does_not_show_itself(l2):
    model = model_of(L.Dense(2))
    model.held = types.SimpleNamespace(what=Unwilling())
    return model


REACHING = [
    *(subclassed, with_an_object_of_the_users, by_a_training_step, by_a_closure),
    *(by_a_partial, by_a_setting_of_the_module),
    pytest.param(by_a_callable_regularizer, marks=recent_keras),
    *(by_a_variable, by_a_schedule, by_an_initializer, by_the_activity, by_compile),
    *(by_an_opaque_object, by_an_object_that_does_not_show_itself),
]


def digest(build, l2):
    return Traits(build_model(build, {"l2": l2}, 0, X)).digest


@pytest.mark.parametrize("build", REACHING)
def test_what_no_config_tells_is_seen(build):
    one, other = digest(build, 0.1), digest(build, 0.2)
    assert one is None or one != other


def test_equal_models_have_equal_digests():
    """Else nothing would ever be refused: names and random seeds do not count."""

    def attention(l2):
        inputs = keras.Input((3, 4))
        hidden = L.MultiHeadAttention(2, 2, dropout=0.1)(inputs, inputs)
        hidden = L.GRU(3)(keras.ops.relu(hidden))
        model = keras.Model(inputs, L.Dense(1)(L.LayerNormalization()(hidden)))
        loss = keras.losses.Huber(delta=0.5)
        model.compile(kd.AdamW(1e-3, 0.1), loss, metrics=["mae"])
        return model

    for build in (ignored, after_building, subclassed):
        assert digest(build, 0.1) == digest(build, 0.1) is not None
    x = np.zeros((2, 3, 4), "float32")
    found = {Traits(build_model(attention, {"l2": v}, 0, x)).digest for v in (0, 1)}
    assert len(found) == 1 and None not in found
