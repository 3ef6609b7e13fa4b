"""`kd.Rule(learning_rate=m)` around each of Keras' optimizers, in training.

Oracle: a second Keras optimizer at the rate m η, plain where nothing decays, else in a
wrapper without rules whose η_0 is m times as large. All in float64.
"""

import keras
import numpy as np
import pytest
from keras import ops
from support import (
    apply_as_fit_does,
    make_variables,
    mostly_slow,
    recorded_gradients,
    replay,
    to_numpy,
)

import keras_decay as kd

K = keras.optimizers
STEPS, ETA, M = 100, 0.01, 0.25  # a power of 2: schedules are computed in float32
START, GRADIENTS = recorded_gradients(STEPS, dtype="float64")
FAST = ["dense/kernel", "dense/bias"]
PROPORTIONAL = {
    "SGD": lambda rate, **more: K.SGD(rate, **more),
    "SGD momentum": lambda rate, **more: K.SGD(rate, 0.9, **more),
    "SGD Nesterov": lambda rate, **more: K.SGD(rate, 0.9, True, **more),
    "RMSprop": lambda rate, **more: K.RMSprop(
        rate, momentum=0.5, centered=True, **more
    ),
    "Adam": lambda rate, **more: K.Adam(rate, **more),
    "Adam amsgrad": lambda rate, **more: K.Adam(rate, amsgrad=True, **more),
    "AdamW": lambda rate, **more: K.AdamW(rate, weight_decay=0.0, **more),
    "Adadelta": lambda rate, **more: K.Adadelta(rate, **more),
    "Adagrad": lambda rate, **more: K.Adagrad(rate, **more),
    "Adamax": lambda rate, **more: K.Adamax(rate, **more),
    "Nadam": lambda rate, **more: K.Nadam(rate, **more),
    "Lion": lambda rate, **more: K.Lion(rate, **more),
    "Lamb": lambda rate, **more: K.Lamb(rate, **more),
    "Muon": lambda rate, **more: K.Muon(
        rate, adam_weight_decay=0.0, weight_decay=0.0, **more
    ),
}
NOT_PROPORTIONAL = ("Adafactor",)
REFUSED_ANYWAY = ("Ftrl", "ScheduleFreeAdamW", "LossScaleOptimizer", "MultiOptimizer")


def constant(rate):
    return rate


def cosine(rate):
    return K.schedules.CosineDecay(rate, STEPS, warmup_target=4 * rate, warmup_steps=9)


# By name: the learning rate, and settings of the inner optimizer and of the wrapper.
MODES = {
    "constant": (constant, {}, {}),
    "schedule": (cosine, {}, {}),
    "accumulation": (constant, {"gradient_accumulation_steps": 4}, {}),
    "clipnorm": (constant, {"clipnorm": 0.5}, {}),
    "clipvalue": (constant, {"clipvalue": 0.5}, {}),
    "global_clipnorm": (cosine, {"global_clipnorm": 0.5}, {}),
    "EMA": (
        constant,
        {},
        {"use_ema": True, "ema_momentum": 0.75, "ema_overwrite_frequency": 7},
    ),
}
# Keras' Muon in float64 fails under a schedule, which is in float32.
FAILS = [("Muon", "schedule"), ("Muon", "global_clipnorm")]
CASES = [(n, m) for n in PROPORTIONAL for m in MODES if (n, m) not in FAILS]
QUICK = [
    ("SGD momentum", "schedule"),
    ("Adam", "EMA"),
]


def assert_equal_rates(ours, faster, plain):
    for name in START:
        expected = faster if name in FAST else plain
        np.testing.assert_allclose(ours[name], expected[name], 1e-9, err_msg=name)
    far = np.abs(ours["dense/kernel"] - plain["dense/kernel"]).max()
    assert far > 1e-5  # else there was nothing to tell apart


def run(optimizer, compiled="graph"):
    return replay(optimizer, START, GRADIENTS, compiled=compiled)


@pytest.mark.parametrize("name, mode", mostly_slow(CASES, QUICK))
def test_a_rule_is_the_optimizer_at_that_multiple_of_its_rate(name, mode, float64):
    rate, inner, settings = MODES[mode]
    make = PROPORTIONAL[name]
    rules = [kd.Rule("dense", None, learning_rate=M), ("conv", None)]
    ours = kd.DecoupledWeightDecay(make(rate(ETA), **inner), rules=rules, **settings)
    more = {**inner, **settings}
    faster, plain = run(make(rate(M * ETA), **more)), run(make(rate(ETA), **more))
    assert_equal_rates(run(ours), faster, plain)


DECAYS = {
    "number": {"weight_decay": 0.3},
    "schedule": {"weight_decay": K.schedules.ExponentialDecay(0.5, 20, 0.5)},
    "penalty": {"penalty": kd.L1(0.2) + kd.GroupLasso(0.1)},
    "both, cautious": {"weight_decay": 0.3, "penalty": kd.L1(0.1), "cautious": True},
    "toward": {"weight_decay": kd.DecayToward(0.3)},
    "target": {"weight_decay": kd.TargetNormDecay(0.3, initial_factor=0.5)},
    "constrained": {"weight_decay": kd.ConstrainedDecay(warmup_steps=10)},
    "stable": {"weight_decay": kd.StableDecay(0.3)},
    "touched rows": {"weight_decay": kd.TouchedRowsDecay(0.3)},
}
COUPLINGS = ["learning_rate", "schedule", "independent", "corrected"]
PAIRS = [(decay, coupling) for decay in DECAYS for coupling in COUPLINGS]
QUICK_PAIRS = [
    ("number", "corrected"),
    ("both, cautious", "learning_rate"),
]


def decayed(rate, base, decay, coupling, rules=None):
    # Decay in c_t = 1 is strong enough to be seen, and weak enough to leave something.
    weak = {"independent": 0.02, "schedule": 0.02}.get(coupling, 1.0)
    settings = dict(DECAYS[decay])
    for key in ("weight_decay", "penalty"):
        if isinstance(settings.get(key), (float, kd.Penalty)):
            settings[key] = weak * settings[key]
    return kd.DecoupledWeightDecay(
        K.Adam(rate),
        coupling=coupling,
        base_learning_rate=base,
        rules=rules,
        **settings,
    )


@pytest.mark.parametrize("decay, coupling", mostly_slow(PAIRS, QUICK_PAIRS))
def test_every_decay_meets_the_rate_of_its_rule(decay, coupling, float64):
    rate = cosine if coupling in ("schedule", "corrected") else constant
    peak = 4 * ETA
    rules = [kd.Rule("dense", learning_rate=M)]
    ours = decayed(rate(ETA), peak, decay, coupling, rules)
    faster = decayed(rate(M * ETA), M * peak, decay, coupling)
    plain = decayed(rate(ETA), peak, decay, coupling)
    assert_equal_rates(run(ours), run(faster), run(plain))


@pytest.mark.parametrize("m", [0.0, 1.7, 30.0])
def test_any_factor_will_do(m, float64):
    rules = [kd.Rule("dense", 0.2, "independent", learning_rate=m)]
    ours = kd.DecoupledWeightDecay(K.SGD(ETA), rules=rules)
    other = kd.DecoupledWeightDecay(
        K.SGD(m * ETA), rules=[("dense", 0.2, "independent")]
    )
    found, expected = (run(optimizer) for optimizer in (ours, other))
    for name in FAST:
        np.testing.assert_allclose(found[name], expected[name], 1e-9, err_msg=name)


@pytest.mark.parametrize("name", ["SGD momentum", "Adam"])
def test_the_compiled_step_has_the_rates_too(name, float64):
    make = PROPORTIONAL[name]
    rules = [kd.Rule("dense", learning_rate=M)]
    results = [
        replay(
            kd.DecoupledWeightDecay(
                make(ETA), 0.3, rules=rules, jit_compile=jit_compile
            ),
            START,
            GRADIENTS[:10],
        )
        for jit_compile in (False, True)
    ]
    # PyTorch's compiler holds the rate in float32, with and without factors.
    exact = 1e-6 if keras.backend.backend() == "torch" else 1e-9
    for variable in START:
        np.testing.assert_allclose(*(r[variable] for r in results), rtol=exact)


def test_every_optimizer_of_keras_is_here_or_refused():
    """A new one of Keras' must be measured before it is taken for proportional."""
    known = {name.split()[0] for name in PROPORTIONAL}
    known |= {*NOT_PROPORTIONAL, *REFUSED_ANYWAY, "Optimizer"}
    there = {
        name
        for name in dir(K)
        if isinstance(getattr(K, name), type)
        and issubclass(getattr(K, name), K.Optimizer)
    }
    assert there <= known


@pytest.mark.parametrize("name", NOT_PROPORTIONAL)
def test_what_is_not_proportional_is_refused(name, float64):
    make = getattr(K, name)
    # It is not: the same step at twice the rate is another one.
    gradients = GRADIENTS[:2]
    one, two = (replay(make(rate), START, gradients) for rate in (0.8, 1.6))
    u, v = (START["dense/kernel"] - r["dense/kernel"] for r in (one, two))
    assert np.abs(v / u - 2).max() > 0.1
    rules = [("conv", None), kd.Rule("dense", learning_rate=0.5)]
    with pytest.raises(
        ValueError,
        match=r"`rules\[1\].learning_rate` must be 1 around Adafactor.*MultiOptimizer",
    ):
        kd.DecoupledWeightDecay(make(ETA), 0.1, rules=rules)
    rules[1] = kd.Rule("dense", learning_rate=1)
    kd.DecoupledWeightDecay(make(ETA), 0.1, rules=rules)


def test_a_factor_for_a_constrained_variable_is_refused_before_the_first_step():
    constraints = {"dense/kernel": keras.constraints.NonNeg()}
    variables = make_variables(START, constraints)
    rules = [kd.Rule("dense", learning_rate=0.5)]
    optimizer = kd.DecoupledWeightDecay(K.Adam(), 0.1, rules=rules)
    message = r"`rules\[0\].learning_rate` must be 1.*'dense/kernel' has.*=0.5\. Take"
    with pytest.raises(ValueError, match=message):
        optimizer.build(variables)
    spared = [("dense/kernel", None), kd.Rule("dense", learning_rate=0.5)]
    kd.DecoupledWeightDecay(K.Adam(), 0.1, rules=spared).build(variables)


def trained_table(optimizer):
    """An embedding whose gradient is sparse on TensorFlow, trained as `fit` does."""
    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,), dtype="int32")]
    layers += [keras.layers.Embedding(7, 4, name="table"), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(1, name="head")])
    model.compile(optimizer, "mse", jit_compile="auto")
    ids = np.arange(24).reshape(8, 3) % 5
    model.fit(ids, np.ones((8, 1)), batch_size=4, epochs=3, shuffle=False, verbose=0)
    return to_numpy(model.get_layer("table").embeddings)


SPARSE = [(n, f) for n in ("SGD", "Adam") for f in (float, kd.TouchedRowsDecay)]


@pytest.mark.parametrize(
    "name, form", mostly_slow(SPARSE, [("SGD", kd.TouchedRowsDecay)])
)
def test_sparse_gradients(name, form):
    make = PROPORTIONAL[name]
    rules = [kd.Rule("table", form(0.3), learning_rate=M), (".", None)]
    found = trained_table(kd.DecoupledWeightDecay(make(0.1), rules=rules))
    # The head moves at another rate, so that the oracle has its rate by a rule, too.
    rules = [("table", form(0.3)), kd.Rule(".", None, learning_rate=1 / M)]
    expected = trained_table(kd.DecoupledWeightDecay(make(0.1 * M), rules=rules))
    np.testing.assert_allclose(found, expected, 1e-4, 1e-6)


def test_pure_bfloat16_loses_nothing_in_rounding():
    """Oracle: the product. A bfloat16 alone would stay at 1."""
    variable = keras.Variable(np.ones(6), dtype="bfloat16", name="kernel")
    rules = [kd.Rule("kernel", 0.2, learning_rate=0.5)]
    optimizer = kd.DecoupledWeightDecay(K.SGD(0.01), rules=rules)
    optimizer.build([variable])
    zeros = [ops.zeros(6, "bfloat16")]
    for _ in range(100):
        apply_as_fit_does(optimizer, zeros, [variable])
    expected = (1 - 0.5 * 0.01 * 0.2) ** 100
    np.testing.assert_allclose(to_numpy(variable), expected, rtol=1e-2)


def dense(optimizer, **arguments):
    keras.utils.set_random_seed(2)
    layers = [keras.layers.Dense(4, "tanh", name="body"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(optimizer, "mse", **arguments)
    return model


X = np.sin(np.arange(48.0)).reshape(16, 3).astype("float32")


def fitted(optimizer, **arguments):
    model = dense(optimizer, **arguments)
    model.fit(X, X[:, :1], batch_size=4, epochs=1, shuffle=False, verbose=0)
    return [to_numpy(w) for w in model.trainable_variables]


def test_loss_scaling_stays_outside():
    def make():
        rules = [kd.Rule("body", learning_rate=M)]
        return kd.DecoupledWeightDecay(K.Adam(0.05), 0.1, rules=rules)

    scaled = fitted(K.LossScaleOptimizer(make(), initial_scale=8.0))
    for one, other in zip(scaled, fitted(make()), strict=True):
        np.testing.assert_allclose(one, other, 1e-4, 1e-6)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")
def test_a_mirrored_strategy_has_the_rates():
    import tensorflow as tf

    def make():
        rules = [kd.Rule("body", learning_rate=M)]
        return kd.DecoupledWeightDecay(K.Adam(0.05), 0.1, rules=rules)

    alone = fitted(make())
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        optimizer = make()
        mirrored = fitted(optimizer)
    for one, other in zip(mirrored, alone, strict=True):
        np.testing.assert_allclose(one, other, 1e-5, 1e-6)
