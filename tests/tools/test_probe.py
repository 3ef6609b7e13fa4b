"""The probe: measured against closed forms, and everything put back afterwards."""

import math

import keras
import numpy as np
import pytest
from audited_models import X, Y, after, dense, kernels, state
from support import mostly_slow

import keras_decay as kd
from keras_decay.tools import _probe
from keras_decay.tools._keras_view import ADAPTIVE, REBUILDING, SETTINGS

K = keras.optimizers
BACKEND = keras.backend.backend()
NAMES = [name for name in ("SGD", *ADAPTIVE) if hasattr(K, name)]
if keras.__version__.startswith("3.12") and BACKEND == "tensorflow":
    NAMES.remove("Muon")  # it fails at its first step if it shall decay weights


def row_of(report, path):
    (row,) = [row for row in report.rows if row["path"].endswith(path)]
    return row


@pytest.mark.parametrize("name", mostly_slow(NAMES, list(NAMES)[::3]))
def test_every_optimizer_is_measured_and_put_back(name):
    settings = {"momentum": 0.9} if name == "SGD" else {}
    optimizer = getattr(K, name)(1e-2, weight_decay=0.1, **settings)
    model = after(2, dense(optimizer))
    before = state(model)
    given = {s: getattr(optimizer, s) for s in SETTINGS if hasattr(optimizer, s)}
    report = kd.audit(model)
    assert state(model) == before
    assert {s: getattr(optimizer, s) for s in given} == given
    row = row_of(report, "first/kernel")
    assert row["promised_shrink"] == pytest.approx(1e-3, rel=1e-6)
    if name in REBUILDING:
        assert row["measured_shrink"] < 0.9e-3
    else:
        # The difference of two float32 runs in which momentum moves the weights.
        assert row["measured_shrink"] == pytest.approx(1e-3, rel=2e-2)
        assert row["probe"] == "as promised"


BASE = 0.02
COUPLINGS = {
    "learning_rate": 0.01,
    "schedule": 0.01 / BASE,
    "independent": 1.0,
    "corrected": 0.01**2 / BASE,
}


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_couplings_are_measured(coupling):
    optimizer = kd.DecoupledWeightDecay(
        K.Adam(0.01), 0.1, coupling=coupling, base_learning_rate=BASE
    )
    row = row_of(kd.audit(dense(optimizer)), "first/kernel")
    share = 0.1 * COUPLINGS[coupling]
    assert row["measured_shrink"] == pytest.approx(share, rel=1e-3)
    assert row["promised_shrink"] == pytest.approx(share, rel=1e-6)
    assert row["coupling"] == coupling


@pytest.mark.parametrize("coupling", mostly_slow(COUPLINGS, ["learning_rate"]))
def test_a_factor_on_the_rate_is_measured(coupling):
    """Also while momentum moves the weights, m times as far as the optimizer would."""
    m = 0.25
    optimizer = kd.DecoupledWeightDecay(
        K.Adam(0.01),
        0.1,
        coupling=coupling,
        base_learning_rate=BASE,
        rules=[kd.Rule("first", learning_rate=m), kd.Rule("ln", learning_rate=2)],
    )
    model = after(2, dense(optimizer))
    before = state(model)
    report = kd.audit(model)
    assert state(model) == before and report.ok
    row = row_of(report, "first/kernel")
    c = COUPLINGS[coupling] * (m if coupling in ("learning_rate", "corrected") else 1)
    assert row["measured_shrink"] == pytest.approx(0.1 * c, rel=2e-2)
    assert row["promised_shrink"] == pytest.approx(0.1 * c, rel=1e-6)
    assert row["probe"] == "as promised" and row["rate_factor"] == m
    assert row_of(report, "first/bias")["rate_factor"] == m
    assert row_of(report, "first/bias")["probe"] == "spared"
    assert row_of(report, "ln/gamma")["rate_factor"] == 2
    assert row_of(report, "head/kernel")["rate_factor"] == 1
    assert "rate ×" in str(report) and "0.25" in str(report)
    assert "rate ×" not in str(kd.audit(dense(kd.AdamW(0.01, 0.1))))


def test_a_rule_that_cannot_act_is_a_finding():
    rules = [kd.Rule("first", learning_rate=0.5)]
    optimizer = kd.DecoupledWeightDecay(K.Adam(0.01), 0.1, rules=rules)
    report = kd.audit(kernels(optimizer, kernel_constraint="non_neg"))
    (finding,) = report.warnings
    assert finding.code == "rate-of-constrained-variable"
    assert "`rules[0].learning_rate` must be 1" in finding.sentence


def test_an_l2_penalty_by_its_proximal_step():
    optimizer = kd.DecoupledWeightDecay(K.SGD(0.1), 0.2, penalty=kd.L2(0.3))
    row = row_of(kd.audit(dense(optimizer)), "first/kernel")
    share = 1 - (1 - 0.1 * 0.2) / (1 + 2 * 0.1 * 0.3)
    for key in ("measured_shrink", "shrink_per_step"):
        assert row[key] == pytest.approx(share, rel=1e-5)
    assert row["decay"] == "0.2 + L2 0.3 (prox)"


# By name: the form, what stands in the table, and the share that it takes at first.
FORMS = {
    "toward zero": (kd.DecayToward(0.1, np.zeros((4, 5))), "Toward 0.1", 1e-3),
    "norm": (kd.TargetNormDecay(0.1, norm=0.0), "TargetNorm 0.1", 1e-3),
    "bound": (kd.ConstrainedDecay(1e-6, rate=1e-3), "Constrained", None),
    "scale": (kd.StableDecay(0.1), "Stable 0.1", None),
    "rows": (kd.TouchedRowsDecay(0.1), "TouchedRows 0.1", None),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_decay_are_measured_and_put_back(name):
    form, text, share = FORMS[name]
    optimizer = kd.DecoupledWeightDecay(K.Adam(1e-2), rules=[("first/kernel", form)])
    model = after(2, kernels(optimizer))
    before = state(model)
    row = row_of(kd.audit(model), "first/kernel")
    assert state(model) == before
    assert row["decay"] == text and row["planned_total"] is None
    if share is None:
        assert row["probe"] == "measured" and row["promised_shrink"] is None
    else:
        assert row["probe"] == "as promised"
        assert row["promised_shrink"] == pytest.approx(share, rel=1e-3)
    # Without gradients no row is touched.
    assert (row["measured_shrink"] > 1e-5) == (name != "rows")


def test_the_total_of_decay_toward_weights_is_that_of_the_distance():
    """Oracle: Σ_{t<T} (1 + cos πt/T)/2 = (T + 1)/2."""
    schedule = K.schedules.CosineDecay(1e-2, 30)
    optimizer = kd.DecoupledWeightDecay(K.Adam(schedule), kd.DecayToward(0.1))
    model = kernels(optimizer)
    model.optimizer.build(model.trainable_variables)
    row = row_of(kd.audit(model, steps_per_epoch=10, epochs=3), "first/kernel")
    assert row["planned_total"] == pytest.approx(1e-3 * 31 / 2, rel=1e-3)
    both = kd.DecoupledWeightDecay(
        K.SGD(0.1), kd.DecayToward(0.1, np.ones((4, 5))), penalty=kd.L2(0.1),
        rules=[("head", None)],
    )  # fmt: skip
    report = kd.audit(kernels(both), steps_per_epoch=10, epochs=3)
    assert row_of(report, "first/kernel")["planned_total"] is None


def test_a_reference_is_not_taken_before_training_starts():
    model = kernels(kd.DecoupledWeightDecay(K.Adam(1e-2), kd.DecayToward(0.1)))
    report = kd.audit(model)
    assert [w.code for w in report.warnings] == ["starts-from-the-weights"]
    assert not model.optimizer.built
    model.optimizer.build(model.trainable_variables)
    assert kd.audit(model).ok


@pytest.mark.parametrize("steps", [0, 2])
def test_decay_toward_the_start_is_measured_at_a_distance_from_it(steps):
    """At the start itself there is none; the share is that of the distance."""
    model = kernels(kd.DecoupledWeightDecay(K.Adam(1e-2), kd.DecayToward(0.1)))
    model.optimizer.build(model.trainable_variables)
    model = after(steps, model) if steps else model
    before = state(model)
    report = kd.audit(model)
    said = " ".join(str(report).split())
    assert "Toward: share of the distance to the" in said
    row = row_of(report, "first/kernel")
    assert state(model) == before
    assert row["probe"] == "as promised"
    for key in ("measured_shrink", "promised_shrink", "shrink_per_step"):
        assert row[key] == pytest.approx(1e-2 * 0.1, rel=1e-3)


def test_an_exception_in_the_middle_leaves_everything_as_it_was():
    optimizer = kd.AdamW(1e-2, 0.1, use_ema=True, ema_overwrite_frequency=2)
    model = after(2, dense(optimizer))
    before = state(model)
    calls, apply = [], optimizer.optimizer.apply

    def failing(*arguments):
        calls.append(1)
        # In the second step with decay; on JAX each of both steps is recorded once.
        if len(calls) == (2 if BACKEND == "jax" else _probe.STEPS + 2):
            raise RuntimeError("out of memory")
        apply(*arguments)

    optimizer.optimizer.apply = failing
    with pytest.raises(RuntimeError, match="out of memory"):
        kd.audit(model)
    assert state(model) == before
    assert optimizer.jit_compile == "auto" and optimizer.ema_overwrite_frequency == 2


@pytest.mark.slow
def test_training_goes_on_as_if_there_had_been_no_audit():
    weights = []
    for audited in (False, True):
        keras.utils.set_random_seed(0)
        # On JAX Keras cannot fit twice with averages, whatever the optimizer.
        ema = {"use_ema": True, "ema_overwrite_frequency": 2}
        model = dense(kd.AdamW(1e-2, 0.1, **({} if BACKEND == "jax" else ema)))
        if audited:
            assert kd.audit(model).ok
        model.fit(X, Y, epochs=3, verbose=0)
        if audited:
            assert kd.audit(model).ok
        model.fit(X, Y, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_what_follows_of_the_share():
    report = kd.audit(kernels(kd.AdamW(1e-2, 0.1)), steps_per_epoch=50, epochs=20)
    row = row_of(report, "first/kernel")
    assert row["half_life_steps"] == pytest.approx(math.log(2) / -math.log1p(-1e-3))
    assert row["half_life_epochs"] == pytest.approx(row["half_life_steps"] / 50)
    assert row["shrink_per_epoch"] == pytest.approx(1 - (1 - 1e-3) ** 50)
    assert row["planned_total"] == pytest.approx(1.0)
    assert row_of(kd.audit(kernels("adam")), "first/kernel")["half_life_steps"] is None


@pytest.mark.parametrize("epochs", [3, 2000])
def test_the_total_follows_the_schedule(epochs):
    """Oracle: Σ_{t<T} (1 + cos πt/T)/2 = (T + 1)/2."""
    steps = 10 * epochs
    schedule = K.schedules.CosineDecay(1e-2, steps)
    model = kernels(K.AdamW(schedule, weight_decay=0.1))
    report = kd.audit(model, steps_per_epoch=10, epochs=epochs)
    total = row_of(report, "head/kernel")["planned_total"]
    assert total == pytest.approx(1e-3 * (steps + 1) / 2, rel=1e-3)


def test_accumulated_gradients_count_batches():
    optimizer = K.SGD(0.1, weight_decay=0.1, gradient_accumulation_steps=5)
    report = kd.audit(kernels(optimizer), steps_per_epoch=50, epochs=2)
    row = row_of(report, "head/kernel")
    assert row["measured_shrink"] == pytest.approx(1e-2, rel=1e-3)
    assert row["shrink_per_epoch"] == pytest.approx(1 - 0.99**10, rel=1e-5)
    assert row["planned_total"] == pytest.approx(0.2, rel=1e-5)


def test_where_the_rate_is_zero_now_another_step_is_looked_at():
    schedule = K.schedules.PolynomialDecay(0.0, 1000, end_learning_rate=1e-2)
    model = kernels(kd.AdamW(schedule, 0.1))
    before = state(model)
    report = kd.audit(model)
    assert row_of(report, "head/kernel")["shrink_per_step"] == pytest.approx(1e-3)
    assert "at step 1024" in report.header["learning rate"]
    assert state(model)[: len(before)] == before


def test_roles_and_variables_that_are_not_trained():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 2)),
            layers.Conv1D(3, 2, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.GRU(3, name="gru"),
            layers.Dense(1, name="head", trainable=False),
        ]
    )
    model.compile(kd.AdamW(1e-2, 0.1), "mse")
    report = kd.audit(model)
    assert report.ok
    found = {"/".join(r["path"].split("/")[-2:]): r for r in report.rows}
    roles = {path: row["role"] for path, row in found.items()}
    assert roles["norm/gamma"] == "norm scale" and roles["norm/beta"] == "norm shift"
    assert roles["norm/moving_mean"] == "statistic"
    assert roles["gru_cell/recurrent_kernel"] == "recurrent kernel"
    untrained = {path for path, row in found.items() if not row["trainable"]}
    assert untrained == {
        *("norm/moving_mean", "norm/moving_variance", "head/kernel", "head/bias")
    }
    for path in untrained:
        assert found[path]["probe"] == "not probed" and found[path]["decay"] is None


def test_a_model_that_is_not_compiled_is_audited_for_its_penalties():
    report = kd.audit(dense(penalty=kd.ElasticNet(0.1, 0.2)))
    assert row_of(report, "first/kernel")["penalty"] == (
        "L1 0.1 (keras l1: λ Σ|w|) + L2 0.2 (keras l2: λ Σw²)"
    )
    assert report.ok and "not compiled" in report.header["optimizer"]
    assert {row["probe"] for row in report.rows} == {"not probed"}


class HalfBuilt(keras.Model):
    """A model with a weight of its own and a layer that waits for data."""

    def __init__(self):
        super().__init__()
        self.later = keras.layers.Dense(2, name="later")
        self.scale = self.add_weight(shape=(3,), name="scale")

    def call(self, inputs):
        return self.later(inputs * self.scale)


def test_an_optimizer_is_not_built_on_half_a_model():
    model = HalfBuilt()
    model.compile(kd.AdamW(1e-2, 0.1), "mse")
    with pytest.raises(ValueError, match="`model` must be built"):
        kd.audit(model)
    model.built = True
    with pytest.raises(ValueError, match="layers later are not"):
        kd.audit(model)
    assert not model.optimizer.built
    model(np.ones((1, 3), "float32"))
    report = kd.audit(model)
    assert report.ok and model.optimizer.built
    assert row_of(report, "later/kernel")["probe"] == "as promised"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    (
        ({"model": 3}, TypeError, "`model` must be a keras.Model.*model=3"),
        ({"epochs": 0}, ValueError, "`epochs` must be.*epochs=0"),
        ({"epochs": 2.5}, TypeError, "`epochs` must be.*epochs=2.5"),
        ({"steps_per_epoch": True}, TypeError, "`steps_per_epoch` must.*=True"),
    ),
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        kd.audit(**{"model": kernels(), **arguments})


@pytest.mark.needs("pandas")
def test_a_data_frame():
    import pandas

    frame = kd.audit(kernels("adam")).to_dataframe()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 2
    assert list(frame["role"]) == ["kernel", "kernel"]


def embedding_model(optimizer):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Embedding(5, 2), keras.layers.Flatten()]
    )
    model.compile(optimizer, "mse")
    return model


@pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA is chosen on TensorFlow only")
def test_xla_and_why_not():
    import tensorflow as tf

    def xla(model):
        return kd.audit(model).header["update compiled by XLA"]

    def adamw(**arguments):
        return kd.AdamW(1e-2, 0.1, **arguments)

    assert "small" in xla(kernels(adamw()))
    assert xla(kernels(adamw(jit_compile=True))) == "yes"
    assert "jit_compile=False" in xla(kernels(adamw(jit_compile=False)))
    assert "sparse" in xla(embedding_model(adamw()))
    assert xla(kernels("adam")).startswith("no")
    whole = kernels()
    whole.compile("adam", "mse", jit_compile=True)
    assert "whole training step" in xla(whole)
    eager = kernels()
    eager.compile(kd.AdamW(lambda: 0.1, 0.1), "mse", run_eagerly=True)
    assert "callable" in xla(eager)
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = kernels(adamw())
    before = state(model)
    report = kd.audit(model)
    assert "strategy" in report.header["update compiled by XLA"]
    assert report.ok and row_of(report, "head/kernel")["probe"] == "as promised"
    assert state(model)[: len(before)] == before


def test_mixed_precision_and_its_loss_scaling():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = after(1, dense(kd.AdamW(1e-2, 0.1)))
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, K.LossScaleOptimizer)
    before = state(model)
    report = kd.audit(model)
    assert state(model) == before and report.ok
    assert row_of(report, "first/kernel")["measured_shrink"] == pytest.approx(
        1e-3, rel=2e-2
    )
    assert report.header["optimizer"].startswith("LossScaleOptimizer: Decoupled")


def rounded_away():
    return dense(K.AdamW(1e-3, weight_decay=0.1), dtype="bfloat16")


def no_step(*arguments):
    raise AssertionError("a step was made")


@pytest.mark.parametrize("ours", [True, False])
def test_without_the_probe_no_step_is_made(monkeypatch, ours):
    make = kd.AdamW if ours else K.AdamW
    model = dense(make(1e-3, weight_decay=0.1))
    model.optimizer.build(model.trainable_variables)
    before = state(model)
    measured = kd.audit(model, steps_per_epoch=10, epochs=5)
    monkeypatch.setattr(type(model.optimizer), "apply", no_step)
    report = kd.audit(model, steps_per_epoch=10, epochs=5, probe=False)
    assert state(model) == before
    assert "not measured" in report.header["probe"]
    assert "probe" not in measured.header
    known = ("measured_shrink", "probe", "promised_shrink")
    for row, other in zip(report.rows, measured.rows, strict=True):
        assert row["probe"] == "not measured" and row["measured_shrink"] is None
        assert {k: v for k, v in row.items() if k not in known} == {
            k: v for k, v in other.items() if k not in known
        }
        if row["decay"]:
            assert row["promised_shrink"] == pytest.approx(other["promised_shrink"])
    assert [w.code for w in report.warnings] == [w.code for w in measured.warnings]


def test_what_only_a_step_shows_is_not_found_without_it():
    assert "decay-rounds-away" in {w.code for w in kd.audit(rounded_away()).warnings}
    report = kd.audit(rounded_away(), probe=False)
    assert {w.code for w in report.warnings} == {"bias-or-norm-decayed"}
    if hasattr(K, "ScheduleFreeAdamW"):
        model = dense(K.ScheduleFreeAdamW(1e-2, weight_decay=0.1))
        (found,) = [
            w
            for w in kd.audit(model, probe=False).warnings
            if w.code == "decay-less-than-promised"
        ]
        assert "was not measured" in found.sentence


def test_a_model_without_an_optimizer_is_not_probed_either_way():
    for probe in (True, False):
        rows = kd.audit(dense(), probe=probe).rows
        assert {row["probe"] for row in rows} == {"not probed"}


def test_probe_is_true_or_false():
    with pytest.raises(TypeError, match="`probe` must be"):
        kd.audit(dense(), probe=1)


class Counted(K.SGD):
    """Counts its calls; with `late` it moves weights from the second step on."""

    calls, late = 0, False

    def update_step(self, gradient, variable, learning_rate):
        self.calls += 1
        super().update_step(gradient, variable, learning_rate)
        if self.late:
            self.assign_add(self.seen[self._get_variable_index(variable)], 1.0)

    def build(self, variables):
        super().build(variables)
        if self.late:
            self.seen = [
                self.add_variable((), name=f"seen_{i}") for i in range(len(variables))
            ]


@pytest.mark.parametrize(("late", "steps"), [(False, 1 + 4), (True, 4 + 4)])
def test_the_run_without_decay_ends_where_nothing_changes(late, steps):
    optimizer = Counted(0.1, weight_decay=0.1)
    optimizer.late = late
    model = kernels(optimizer)
    model.optimizer.build(model.trainable_variables)
    row = row_of(kd.audit(model), "head/kernel")
    assert row["probe"] == "as promised"
    steps = 2 if BACKEND == "jax" else steps  # each of both is recorded once
    assert optimizer.calls == steps * len(model.trainable_variables)


def test_momentum_is_followed_to_the_last_step():
    optimizer = Counted(0.1, momentum=0.9, weight_decay=0.1)
    model = after(2, kernels(optimizer))
    before = optimizer.calls
    kd.audit(model)
    steps = 2 if BACKEND == "jax" else 4 + 4
    assert optimizer.calls - before == steps * len(model.trainable_variables)


@pytest.mark.skipif(BACKEND != "jax", reason="JAX compiles operations one by one")
def test_a_probe_does_not_compile_for_each_shape():
    import jax

    compiled = []

    def listen(event, seconds, **others):
        if "backend_compile" in event:
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    layers = [keras.layers.Dense(units, use_bias=False) for units in range(11, 31)]
    model = keras.Sequential([keras.Input((10,)), *layers])
    model.compile(K.AdamW(1e-2, weight_decay=0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    before = len(compiled)
    report = kd.audit(model)
    after = len(compiled)
    assert {row["probe"] for row in report.rows} == {"as promised"}
    assert after - before < len(layers)
    keras.ops.tanh(np.ones((3, 97), "float32"))
    assert len(compiled) > after  # else nothing is counted
