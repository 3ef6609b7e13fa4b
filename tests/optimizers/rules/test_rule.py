"""`kd.Rule`: what it decides, how it is saved, and what it refuses."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from support import decisions, make_variables, to_numpy

import keras_decay as kd

K = keras.optimizers
NAMES = ["a/kernel", "a/bias", "b/kernel", "b/bias"]
SHAPES = {name: (2, 2) if "kernel" in name else 2 for name in NAMES}
START = {name: np.ones(shape, "float32") for name, shape in SHAPES.items()}


def shrunk(rules, **arguments):
    """What one step without gradients at η = 0.5 leaves of each variable of ones."""
    optimizer = kd.DecoupledWeightDecay(K.SGD(0.5), rules=rules, **arguments)
    variables = make_variables(START)
    optimizer.apply([ops.zeros(v.shape) for v in variables], variables)
    return [float(to_numpy(v).ravel()[0]) for v in variables]


def test_default_is_what_the_variable_has_without_rules():
    assert shrunk([kd.Rule("^a")], weight_decay=0.5) == [0.75, 1, 0.75, 1]
    assert shrunk([kd.Rule("^a", learning_rate=2)], weight_decay=0.5) == [
        0.5,
        1,
        0.75,
        1,
    ]
    penalty = shrunk([kd.Rule("^a", learning_rate=2)], penalty=kd.L1(0.25))
    assert penalty == [0.75, 1, 0.875, 1]
    assert shrunk([("^b", 0.5), kd.Rule("^a")]) == [1, 1, 0.75, 0.75]


def test_other_strengths_are_those_of_tuples():
    for strength in (0.5, keras.Variable(0.5), lambda step: 0.5, kd.TargetNormDecay(0)):
        given = shrunk([kd.Rule("^a", strength)], weight_decay=0.25)
        assert given == shrunk([("^a", strength)], weight_decay=0.25)
    assert shrunk([kd.Rule("^a", kd.L1(0.5), "independent")]) == [0.5, 0.5, 1, 1]
    assert shrunk([kd.Rule("^a", None)], weight_decay=0.5) == [1, 1, 0.75, 1]
    other = [kd.Rule("^a", coupling="independent", learning_rate=2.0)]
    assert shrunk(other, weight_decay=0.5) == [0.5, 1, 0.75, 1]


def test_the_default_strength_is_one_variable_of_all_that_have_it():
    rules = [kd.Rule("^a", learning_rate=2), kd.Rule("^b", coupling="independent")]
    optimizer = kd.DecoupledWeightDecay(K.SGD(0.5), 0.1, rules=rules)
    variables = make_variables(START)
    optimizer.build(variables)
    assert (
        sum("weight_decay" in v.path.split("/")[-1] for v in optimizer.variables) == 1
    )
    optimizer.weight_decay = 0.25
    optimizer.apply([ops.zeros(v.shape) for v in variables])
    assert [float(to_numpy(v).ravel()[0]) for v in variables] == [0.75, 1, 0.75, 1]


RULES = {
    "default": lambda: kd.Rule("^a", learning_rate=0.5),
    "spared": lambda: kd.Rule("^a", None, learning_rate=2),
    "number": lambda: kd.Rule("^a", 0.1, "schedule"),
    "schedule": lambda: kd.Rule("^a", K.schedules.ExponentialDecay(0.1, 5, 0.9)),
    "penalty": lambda: kd.Rule("^a", kd.L1(0.1) + 0.5 * kd.L2(0.1), "corrected", 0.1),
    "form": lambda: kd.Rule("^a", kd.TargetNormDecay(0.1, norm=2.0), learning_rate=3),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_survives_json_by_itself_and_in_an_optimizer(name):
    rule = RULES[name]()
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(rule)))
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == rule.get_config() and type(again) is kd.Rule
    rules = [("b/bias", None), rule]
    optimizer = kd.DecoupledWeightDecay(K.SGD(0.1), 0.1, rules=rules)
    config = optimizer.get_config()
    text = json.dumps(config)
    twin = kd.DecoupledWeightDecay.from_config(json.loads(text))
    assert json.dumps(twin.get_config()) == text
    for one in (optimizer, twin):
        one.build(make_variables(START))
    plans = optimizer._plan, twin._plan
    for index in range(len(START)):
        one, other = (plan.decay_of(index) for plan in plans)
        assert (one is None) == (other is None)
        if one is not None:
            assert (
                one.rate_factor
                == other.rate_factor
                == (rule.learning_rate if index < 2 else 1)
            )
            assert one.coupling == other.coupling


def test_a_strength_that_was_set_is_what_the_config_holds():
    optimizer = kd.DecoupledWeightDecay(K.SGD(0.1), rules=[kd.Rule("^a", 0.25)])
    optimizer._plan.rules[0].decay.strength.set(0.5)
    (rule,) = optimizer.get_config()["rules"]
    assert rule["config"]["strength"] == 0.5


def net(scope, rules, **arguments):
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(3, "tanh", name=f"{scope}_1"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile(kd.DecoupledWeightDecay(K.Adam(0.1), 0.5, rules=rules), "mse")
    return model


X = np.sin(np.arange(16.0)).reshape(8, 2)


def test_a_model_goes_on_with_its_rates_after_loading(tmp_path):
    rules = [kd.Rule("a_1", learning_rate=0.25), ("bias", None)]
    model = net("a", rules)
    model.fit(X, X[:, :1], verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        decided = [(e["rule"], e.get("decays")) for e in decisions(each.optimizer)]
        assert decided == [(0, True), (0, False), ("default", None), (1, None)]
    for each in (model, loaded):
        each.fit(X, X[:, :1], verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_match_says_whether_the_default_decays():
    """The names of variables may change on loading, and with them the default."""
    optimizer = kd.DecoupledWeightDecay(K.SGD(0.5), 0.5, rules=[kd.Rule(".")])
    variables = [keras.Variable(np.ones((2, 2)), name="weight")]
    optimizer.build(variables)
    store = {}
    optimizer.save_own_variables(store)
    twin = type(optimizer).from_config(optimizer.get_config())
    twin.build([keras.Variable(np.ones((2, 2)), name="weight_1")])
    (entry,) = decisions(twin)
    entry["decays"] = False  # as if its new name were one that is spared
    twin.load_own_variables(store)
    assert decisions(twin)[0]["decays"] is True


BAD = {
    "pattern": (lambda: kd.Rule(3), TypeError, "`pattern` must be a regular"),
    "expression": (lambda: kd.Rule("("), ValueError, "`pattern` must be a regular"),
    "word": (lambda: kd.Rule("^a", "none"), ValueError, "`strength` must be a non-n"),
    "negative": (lambda: kd.Rule("^a", -1), ValueError, "`strength` must be a finite"),
    "true": (lambda: kd.Rule("^a", True), TypeError, "`strength` must be a non-neg"),
    "Keras' L2": (
        lambda: kd.Rule("^a", keras.regularizers.L2()),
        TypeError,
        "`strength` must be a non-negative number",
    ),
    "coupling": (lambda: kd.Rule("^a", coupling="x"), ValueError, "`coupling` must be"),
    "rate": (
        lambda: kd.Rule("^a", learning_rate=-0.5),
        ValueError,
        "`learning_rate` must be a finite number of at least 0. Received: "
        "learning_rate=-0.5",
    ),
    "no rate": (
        lambda: kd.Rule("^a", learning_rate=None),
        TypeError,
        "`learning_rate` must be a finite number",
    ),
    "infinite rate": (
        lambda: kd.Rule("^a", learning_rate=np.inf),
        ValueError,
        "`learning_rate` must be a finite number",
    ),
    "coupling of nothing": (
        lambda: shrunk([kd.Rule("^a", coupling="independent")]),
        ValueError,
        "`rules[0].coupling` must be given with a strength",
    ),
    "coupling of a form without one": (
        lambda: shrunk([kd.Rule("^a", kd.ConstrainedDecay(1.0), "independent")]),
        ValueError,
        "`rules[0].coupling` must not be given with ConstrainedDecay",
    ),
    "a rule outside a list": (
        lambda: shrunk(kd.Rule("^a")),
        TypeError,
        "`rules` must be a list of kd.Rule or tuples",
    ),
    "a rule for nothing": (
        lambda: shrunk([kd.Rule("zzz", learning_rate=0.5)]),
        ValueError,
        "the pattern 'zzz' matches no variable",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name):
    call, kind, text = BAD[name]
    with pytest.raises(kind) as error:
        call()
    assert text in str(error.value)


def test_numbers_become_plain():
    rule = kd.Rule("^a", np.float32(0.5), learning_rate=np.float64(2))
    assert type(rule.strength) is float and type(rule.learning_rate) is float
    assert rule == kd.Rule("^a", 0.5, learning_rate=2)
    assert repr(rule).startswith("Rule(pattern='^a', strength=0.5")
