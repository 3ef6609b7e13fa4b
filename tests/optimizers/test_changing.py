"""`set_weight_decay`: λ acts from the next step on, wherever the optimizer is."""

import keras
import numpy as np
import pytest
from support import to_numpy

import keras_decay as kd

K = keras.optimizers
multi = pytest.mark.skipif(not hasattr(K, "MultiOptimizer"), reason="Keras has none")


def wrapped(strength=0.0, rules=None):
    """Decay by itself: c_t is 1, and the steps of SGD are 0."""
    inner = K.SGD(0.0)
    return kd.DecoupledWeightDecay(inner, strength, rules=rules, coupling="independent")


def net(optimizer):
    layers = [keras.layers.Dense(2, use_bias=False, name=n) for n in ("a", "b", "c")]
    model = keras.Sequential([keras.Input((2,)), *layers])
    for weight in model.weights:
        weight.assign(np.ones((2, 2)))
    model.compile(optimizer, "mse")
    return model


X = np.ones((8, 2))


def fit(model, callback=None, epochs=1):
    callbacks = [callback] if callback else None
    model.fit(X, X, batch_size=2, epochs=epochs, verbose=0, callbacks=callbacks)
    return [float(to_numpy(w)[0, 0]) for w in model.trainable_variables]


def outer(name, make=wrapped):
    if name == "alone":
        return make()
    if name == "loss scaling":
        return K.LossScaleOptimizer(make(), initial_scale=2.0)
    several = K.MultiOptimizer(K.OptimizerMap(make(), {".*b/kernel": make()}))
    return K.LossScaleOptimizer(several) if name == "both" else several


OUTER = ["alone", "loss scaling", pytest.param("several", marks=multi)]


@pytest.mark.parametrize("name", OUTER)
def test_it_acts_through_other_optimizers(name):
    model = net(outer(name))
    assert fit(model) == [1, 1, 1]
    kd.set_weight_decay(model, 0.5)
    np.testing.assert_allclose(fit(model), [0.5**4] * 3)
    kd.set_weight_decay(model, 0.0)
    np.testing.assert_allclose(fit(model), [0.5**4] * 3)


class AtBatch(keras.callbacks.Callback):
    """Sets λ within an epoch, of a model that it was given.

    On JAX `self.model` would bring the model's state along.
    """

    def __init__(self, given, strength):
        super().__init__()
        self.given, self.strength = given, strength

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            kd.set_weight_decay(self.given, self.strength)


@pytest.mark.parametrize("name", ["alone", "loss scaling"])
def test_it_acts_from_the_next_step_on(name):
    """Two of the four steps; on JAX too, where the state is elsewhere meanwhile."""
    model = net(outer(name))
    np.testing.assert_allclose(fit(model, AtBatch(model, 0.5)), [0.25] * 3)


def test_the_strength_of_one_rule():
    rules = [("a/", 0.5), kd.Rule("b/", 0.25), kd.Rule("zzz|c/", learning_rate=2.0)]
    model = net(wrapped(0.125, rules))
    kd.set_weight_decay(model, 0.0, rule="a/")
    kd.set_weight_decay(model, 0.5, rule=rules[1])
    np.testing.assert_allclose(fit(model), [1, 0.5**4, 0.875**4])
    kd.set_weight_decay(model, 0.0)
    kd.set_weight_decay(model, np.float32(0), rule="b/")
    np.testing.assert_allclose(fit(model), [1, 0.5**4, 0.875**4])
    assert model.optimizer.get_config()["rules"][0] == ["a/", 0.0, None]


def test_a_form_of_decay_has_a_strength_that_can_be_set():
    rules = [("a/", kd.DecayToward(0.0, np.zeros((2, 2)))), ("[bc]/", None)]
    model = net(
        kd.DecoupledWeightDecay(K.SGD(0.0), rules=rules, coupling="independent")
    )
    kd.set_weight_decay(model, 0.5, rule="a/")
    np.testing.assert_allclose(fit(model), [0.5**4, 1, 1])


def test_a_variable_that_was_given_is_set():
    strength = keras.Variable(0.0)
    model = net(wrapped(strength))
    kd.set_weight_decay(model, 0.5)
    assert float(to_numpy(strength)) == 0.5


RULES = [("a/", 0.5), ("b/", None), kd.Rule("c/", learning_rate=2.0)]
BAD = {
    "no model": (lambda: kd.set_weight_decay(3, 0.1), TypeError, "`model` must be"),
    "no optimizer": (
        lambda: kd.set_weight_decay(keras.Sequential([keras.Input((2,))]), 0.1),
        ValueError,
        "`model` must be compiled with a DecoupledWeightDecay",
    ),
    "another optimizer": (
        lambda: kd.set_weight_decay(net("adam"), 0.1),
        ValueError,
        "`model` must be compiled with a DecoupledWeightDecay",
    ),
    "negative": (
        lambda: kd.set_weight_decay(net(wrapped()), -1),
        ValueError,
        "`strength` must be a finite number of at least 0. Received: strength=-1",
    ),
    "text": (
        lambda: kd.set_weight_decay(net(wrapped()), "0.1"),
        TypeError,
        "`strength` must be a finite number",
    ),
    "an unknown rule": (
        lambda: kd.set_weight_decay(net(wrapped(0.1, RULES)), 0.1, rule="a"),
        ValueError,
        "`rule` must be the pattern of a rule, as it was given: ['a/', 'b/', 'c/']. "
        "Received: rule='a'",
    ),
    "a rule of another kind": (
        lambda: kd.set_weight_decay(net(wrapped(0.1, RULES)), 0.1, rule=0),
        TypeError,
        "`rule` must be the pattern of a rule, a kd.Rule, or None",
    ),
    "a rule that spares": (
        lambda: kd.set_weight_decay(net(wrapped(0.1, RULES)), 0.1, rule="b/"),
        ValueError,
        "`rule` must be a rule with a λ",
    ),
    "a rule with the default": (
        lambda: kd.set_weight_decay(net(wrapped(0.1, RULES)), 0.1, rule=RULES[2]),
        ValueError,
        "call set_weight_decay without `rule`",
    ),
    "a schedule": (
        lambda: kd.set_weight_decay(net(wrapped(lambda step: 0.1)), 0.1),
        TypeError,
        "`weight_decay` was given as a schedule or callable",
    ),
    "rules alone": (
        lambda: kd.set_weight_decay(net(wrapped(None, [(".", 0.1)])), 0.1),
        ValueError,
        "`rule` must be one of the patterns ['.'], since no λ was given",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name):
    call, kind, text = BAD[name]
    with pytest.raises(kind) as error:
        call()
    assert text in str(error.value)


def test_what_is_refused_changes_nothing():
    """One of two parts has a schedule, so neither is set."""
    schedule = wrapped(lambda step: 0.0)
    if not hasattr(K, "MultiOptimizer"):
        pytest.skip("Keras has none")
    parts = K.OptimizerMap(wrapped(), {".*b/kernel": schedule})
    model = net(K.MultiOptimizer(parts))
    with pytest.raises(TypeError, match="schedule or callable"):
        kd.set_weight_decay(model, 0.5)
    assert fit(model) == [1, 1, 1]


@pytest.mark.parametrize("name", OUTER[1:])
def test_audit_finds_a_strength_that_an_outer_optimizer_ignores(name):
    model = net(outer(name))
    assert "setting-of" not in str(kd.audit(model))
    model.optimizer.weight_decay = 0.5
    assert fit(model) == [1, 1, 1]
    (finding,) = [
        w for w in kd.audit(model).warnings if w.code.startswith("setting-of")
    ]
    assert "weight_decay is set to 0.5, which has no effect" in finding.sentence
    assert "kd.set_weight_decay(model, 0.5)" in finding.remedy
