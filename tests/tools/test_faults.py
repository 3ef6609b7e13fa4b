"""Every fault of decay, planted and found; and silence on healthy models."""

import keras
import numpy as np
import pytest
from audited_models import (
    after,
    assigned_late,
    assigned_to_variable,
    dense,
    kernels,
    tokens,
)
from support import mostly_slow, recent_keras

import keras_decay as kd

K = keras.optimizers
BACKEND = keras.backend.backend()


def has(name):
    return pytest.mark.skipif(not hasattr(K, name), reason=f"this Keras has no {name}")


# Keras 3.12's Muon fails on TensorFlow at its first step if it shall decay weights.


def excluding(**what):
    optimizer = K.AdamW(1e-3, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(**what)
    return optimizer


def excluding_variables():
    model = dense(K.AdamW(1e-3, weight_decay=0.1))
    spared = [v for v in model.trainable_variables if v.name != "kernel"]
    model.optimizer.exclude_from_weight_decay(var_list=spared)
    return model


def schedule_free(trained):
    model = kernels(K.ScheduleFreeAdamW(1e-2, weight_decay=0.1))
    return after(40, model) if trained else model


def unfrozen():
    model = kernels()
    model.layers[0].trainable = False
    model.compile(kd.AdamW(1e-3, weight_decay=0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    model.layers[0].trainable = True
    return model


def with_exchanged_rules():
    model = kernels(wrapped(rules=[("first/", 0.2), ("head/", 0.1)]))
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    store: dict = {}
    optimizer.save_own_variables(store)
    exchanged = store["match"].tobytes().replace(b'"rule": 0', b'"rule": 2')
    exchanged = exchanged.replace(b'"rule": 1', b'"rule": 0')
    exchanged = exchanged.replace(b'"rule": 2', b'"rule": 1')
    store["match"] = np.frombuffer(exchanged, np.uint8)
    optimizer.load_own_variables(store)
    return model


def renamed():
    """A model that was loaded, twice, and whose layers Keras has renamed."""
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])
    model(np.ones((2, 4)))
    names = [layer.name for layer in model.layers]
    model.compile(wrapped(rules=[(f"{names[0]}/k", 0.2), (f"{names[1]}/k", 0.1)]))
    model.optimizer.build(model.trainable_variables)
    first = [v.path for v in model.trainable_variables]
    for _ in range(2):
        source = model.optimizer
        store: dict = {}
        source.save_own_variables(store)
        model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])
        model(np.ones((2, 4)))
        model.compile(type(source).from_config(source.get_config()), "mse")
        model.optimizer.build(model.trainable_variables)
        model.optimizer.load_own_variables(store)
    assert not {v.path for v in model.trainable_variables} & set(first)
    return model


def scaled(name, value):
    model = kernels(K.LossScaleOptimizer(kd.AdamW(1e-3, weight_decay=0.1)))
    setattr(model.optimizer, name, value)
    return model


def wrapped(weight_decay=0.1, rate=1e-3, **arguments):
    return kd.AdamW(rate, weight_decay=weight_decay, **arguments)


EVERYTHING = {
    *("first/kernel", "first/bias", "ln/gamma", "ln/beta"),
    *("head/kernel", "head/bias"),
}
UNIT = keras.constraints.UnitNorm(axis=[0, 1])
# What is built, the code that must be found, and the variables that it must name.
FAULTS = {
    "L2 in the loss under Adam": (
        lambda: dense("adam", penalty="l2"),
        "l2-under-adaptive",
        {"first/kernel"},
    ),
    "our L2 within a sum, under a wrapped RMSprop": (
        lambda: dense(
            kd.DecoupledWeightDecay(K.RMSprop(), rules=[("head/kernel", 0.1)]),
            penalty=kd.L1(0.1) + 0.5 * kd.L2(0.2),
        ),
        "l2-under-adaptive",
        {"first/kernel"},
    ),
    "L2 and decay together": (
        lambda: dense(kd.SGDW(0.1, 0.1), penalty="l2"),
        "l2-and-decay",
        {"first/kernel"},
    ),
    "AdamW decays biases and scales": (
        lambda: dense(K.AdamW(1e-3, weight_decay=0.1)),
        "bias-or-norm-decayed",
        {"first/bias", "ln/gamma", "ln/beta", "head/bias"},
    ),
    "a rule decays biases": (
        lambda: dense(wrapped(rules=[("bias", 0.1)])),
        "bias-or-norm-decayed",
        {"first/bias", "head/bias"},
    ),
    "Ftrl": (
        lambda: kernels(K.Ftrl(1e-3, weight_decay=0.1)),
        "decay-has-no-effect",
        {"first/kernel", "head/kernel"},
    ),
    "ScheduleFreeAdamW at its first steps": (
        lambda: schedule_free(trained=False),
        "decay-less-than-promised",
        {"first/kernel", "head/kernel"},
    ),
    "ScheduleFreeAdamW after training": (
        lambda: schedule_free(trained=True),
        "decay-less-than-promised",
        {"first/kernel", "head/kernel"},
    ),
    "bfloat16": (
        lambda: dense(K.AdamW(1e-3, weight_decay=0.1), dtype="bfloat16"),
        "decay-rounds-away",
        EVERYTHING,
    ),
    "float16": (
        lambda: dense(K.AdamW(1e-3, weight_decay=0.1), dtype="float16"),
        "decay-rounds-away",
        EVERYTHING,
    ),
    "a decay below the precision of float32": (
        lambda: kernels(K.SGD(1e-3, weight_decay=1e-6)),
        "decay-rounds-away",
        {"first/kernel", "head/kernel"},
    ),
    "a constraint that undoes decay": (
        lambda: kernels(wrapped(), kernel_constraint=UNIT),
        "constraint-undoes-decay",
        {"first/kernel"},
    ),
    "an exclusion by the layer's name": (
        lambda: dense(excluding(var_names=["ln"])),
        "exclusion-depends-on-backend",
        {"ln/gamma", "ln/beta"},
    ),
    "an exclusion that matches nothing": (
        lambda: kernels(excluding(var_names=["bias", "gamma"])),
        "exclusion-matches-nothing",
        {"first/kernel", "head/kernel"},
    ),
    "an exclusion, which is not saved": (
        lambda: dense(excluding(var_names=["bias", "gamma", "beta"])),
        "exclusion-not-saved",
        {"first/bias", "ln/gamma", "ln/beta", "head/bias"},
    ),
    "an exclusion of variables, which is not saved": (
        excluding_variables,
        "exclusion-not-saved",
        {"first/bias", "ln/gamma", "ln/beta", "head/bias"},
    ),
    "a strength set on loss scaling": (
        lambda: scaled("weight_decay", 0.5),
        "setting-of-loss-scaling",
        {"first/kernel", "head/kernel"},
    ),
    "clipping set on loss scaling": (
        lambda: scaled("clipnorm", 1.0),
        "setting-of-loss-scaling",
        {"first/kernel", "head/kernel"},
    ),
    "a rule that matches nothing": (
        lambda: kernels(wrapped(rules=[("embedding", None)])),
        "rule-matches-nothing",
        {"first/kernel", "head/kernel"},
    ),
    "a schedule as Keras' weight_decay": (
        lambda: kernels(K.AdamW(1e-3, weight_decay=warm_up())),
        "decay-is-no-number",
        {"first/kernel", "head/kernel"},
    ),
    "decay too weak for the plan": (
        lambda: kernels(wrapped(1e-3)),
        "decay-too-weak",
        {"first/kernel", "head/kernel"},
    ),
    "decay too strong for the plan": (
        lambda: kernels(wrapped(200.0)),
        "decay-too-strong",
        {"first/kernel", "head/kernel"},
    ),
    "decay beyond the weight": (
        lambda: kernels(wrapped(1.5, coupling="independent")),
        "decay-flips-weights",
        {"first/kernel", "head/kernel"},
    ),
    "a regularizer assigned too late": (
        assigned_late,
        "regularizer-assigned-too-late",
        {"first/kernel"},
    ),
    "a penalty that will not be saved": (
        assigned_to_variable,
        "penalty-not-saved",
        {"first/kernel"},
    ),
    "an embedding": (
        lambda: tokens(wrapped()),
        "embedding-rows-decay",
        {"tokens/embeddings"},
    ),
    "a rule that acts where its pattern is not found": (
        with_exchanged_rules,
        "rule-acts-elsewhere",
        {"first/kernel", "head/kernel"},
    ),
    "an optimizer built before layers were unfrozen": (
        unfrozen,
        "unknown-to-the-optimizer",
        {"first/kernel"},
    ),
}
# Further codes that a planted fault brings along, being faults themselves.
ALSO = {
    "bfloat16": {"bias-or-norm-decayed"},
    "float16": {"bias-or-norm-decayed"},
    "an exclusion by the layer's name": {"bias-or-norm-decayed", "exclusion-not-saved"},
    "a decay below the precision of float32": {"decay-too-weak"},
}
PLAN = {"steps_per_epoch": 100, "epochs": 10}


def short(path):
    return "/".join(path.split("/")[-2:])


@pytest.mark.parametrize("name", mostly_slow(FAULTS, list(FAULTS)[::2]))
def test_each_fault_is_found_and_no_other(name):
    build, code, paths = FAULTS[name]
    if name.startswith("ScheduleFree") and not hasattr(K, "ScheduleFreeAdamW"):
        pytest.skip("this Keras has no ScheduleFreeAdamW")
    report = kd.audit(build(), **PLAN)
    found = {warning.code: warning for warning in report.warnings}
    assert code in found, report
    assert {short(path) for path in found[code].paths} == paths
    assert found[code].remedy and found[code].sentence
    assert set(found) - {code} <= ALSO.get(name, set()), report
    assert not report.ok


def warm_up():
    return K.schedules.CosineDecay(0.0, 900, warmup_target=1e-2, warmup_steps=100)


def frozen():
    model = dense()
    model.layers[0].trainable = False
    model.compile(wrapped(), "mse")
    return model


HEALTHY = {
    "not compiled": lambda: dense(penalty="l2"),
    "Adam without decay": lambda: dense("adam"),
    "L2 under SGD with momentum": lambda: dense(K.SGD(0.1, momentum=0.9), penalty="l2"),
    "L1 in the loss under Adam": lambda: dense("adam", penalty="l1"),
    "our AdamW": lambda: dense(wrapped()),
    "our AdamW after training": lambda: after(3, dense(wrapped(rate=1e-2))),
    "our SGDW with momentum after training": lambda: after(
        3, dense(kd.SGDW(0.1, 0.01))
    ),
    "Keras' AdamW on kernels alone": lambda: kernels(K.AdamW(1e-3, weight_decay=0.1)),
    "Keras' AdamW after training": lambda: after(
        3, kernels(K.AdamW(1e-2, weight_decay=0.1))
    ),
    "an embedding that is spared": lambda: tokens(
        wrapped(rules=[("embeddings", None)])
    ),
    "L1 by its proximal step": lambda: dense(
        kd.DecoupledWeightDecay(K.Adam(1e-3), penalty=kd.L1(1e-2))
    ),
    "cautious after training": lambda: after(3, dense(wrapped(cautious=True))),
    "a warm-up from zero": lambda: dense(wrapped(rate=warm_up())),
    "a decay that is switched off": lambda: dense(wrapped(0.0)),
    "gradient accumulation": lambda: dense(
        wrapped(gradient_accumulation_steps=3, rate=1e-2)
    ),
    "averages that overwrite the weights": lambda: after(
        3, dense(wrapped(use_ema=True, ema_overwrite_frequency=2))
    ),
    "loss scaling": lambda: dense(K.LossScaleOptimizer(wrapped())),
    "rules that act on what was renamed": renamed,
    "frozen layers": frozen,
    "a constraint that is fulfilled": lambda: kernels(
        wrapped(), kernel_constraint=keras.constraints.NonNeg()
    ),
}


@pytest.mark.parametrize("name", mostly_slow(HEALTHY, list(HEALTHY)[::5]))
def test_healthy_models_are_left_in_peace(name):
    report = kd.audit(HEALTHY[name](), **PLAN)
    assert report.ok, report
    probed = {row["probe"] for row in report.rows if row["decay"]}
    assert probed <= {"as promised", "cautious", "off"}


def test_half_precision_says_how_it_goes_under_the_wrapper():
    """The wrapper may carry what one step cannot show; it is never called lost."""
    report = kd.audit(dense(wrapped(), dtype="bfloat16"))
    assert report.ok, report


@has("MultiOptimizer")
def test_several_optimizers_in_one():
    chosen = {"head": kd.AdamW(1e-2, weight_decay=0.2), "rest": K.SGD(0.1)}

    def choose(variable):
        return chosen["head" if "head" in variable.path else "rest"]

    model = dense(K.MultiOptimizer(choose))
    report = kd.audit(model)
    assert report.ok, report
    decays = {short(row["path"]): row["shrink_per_step"] for row in report.rows}
    assert decays["head/kernel"] == pytest.approx(2e-3, rel=1e-5)
    assert decays["first/kernel"] is None
    assert {row["optimizer"] for row in report.rows} == {
        "DecoupledWeightDecay(Adam)",
        "SGD",
    }


@recent_keras
def test_muon_decays_by_two_settings():
    optimizer = K.Muon(1e-2, weight_decay=0.1, adam_weight_decay=0.3)
    report = kd.audit(dense(optimizer))
    shares = {short(row["path"]): row["measured_shrink"] for row in report.rows}
    assert shares["first/kernel"] == pytest.approx(1e-3, rel=1e-3)
    assert shares["first/bias"] == pytest.approx(3e-3, rel=1e-3)
    assert {row["probe"] for row in report.rows} == {"as promised"}


def test_what_the_exclusion_by_a_layers_name_does_is_measured():
    """DESIGN: it spares the layer on TensorFlow only."""
    report = kd.audit(dense(excluding(var_names=["ln"])))
    (row,) = [row for row in report.rows if row["path"].endswith("ln/gamma")]
    if BACKEND == "tensorflow":
        assert row["probe"] == "spared" and row["measured_shrink"] == 0
    else:
        assert row["probe"] == "as promised"
        np.testing.assert_allclose(row["measured_shrink"], 1e-4, rtol=1e-2)
