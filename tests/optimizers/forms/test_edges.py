"""Forms of decay at their edges; their formulas are in test_papers.py."""

import keras
import numpy as np
import pytest
from keras import ops
from support import make_variables, recorded_gradients, replay, to_numpy

import keras_decay as kd

START, GRADIENTS = recorded_gradients(4)
ZEROS = [{name: np.zeros_like(w) for name, w in START.items()}] * 4


def wrapped(form, inner=None, **kwargs):
    return kd.DecoupledWeightDecay(inner or keras.optimizers.SGD(0.1), form, **kwargs)


@pytest.mark.parametrize(
    "make, problem",
    [
        (lambda: kd.DecayToward(0.1, "first"), "`reference` must be 'initial'"),
        (lambda: kd.DecayToward(0.1, [["a"]]), "`reference` must be an array"),
        (
            lambda: kd.DecayToward(0.1, {"kernel": [np.nan]}),
            r"`reference\['kernel'\]` must be an array of finite",
        ),
        (lambda: kd.TargetNormDecay(0.1, 1.0, initial_factor=1.0), "Only one of"),
        (lambda: kd.TargetNormDecay(0.1, norm=-1), "`norm` must be"),
        (lambda: kd.TargetNormDecay(0.1, initial_factor="1"), "`initial_factor` must"),
        (lambda: kd.ConstrainedDecay(), "Exactly one of"),
        (lambda: kd.ConstrainedDecay(1.0, warmup_steps=3), "Exactly one of"),
        (lambda: kd.ConstrainedDecay(0.0), "`bound` must be"),
        (lambda: kd.ConstrainedDecay(initial_factor=np.inf), "`initial_factor` must"),
        (lambda: kd.ConstrainedDecay(warmup_steps=0), "`warmup_steps` must be"),
        (lambda: kd.ConstrainedDecay(warmup_steps=1.5), "`warmup_steps` must be"),
        (lambda: kd.ConstrainedDecay(1.0, rate=0), "`rate` must be"),
        (lambda: wrapped(kd.DecayToward), "`weight_decay` must be"),
        (
            lambda: wrapped(kd.StableDecay(0.1)),
            "`weight_decay` must not be StableDecay",
        ),
        (
            lambda: wrapped(0.1, rules=[("kernel", kd.StableDecay(0.1))]),
            r"`rules\[0\]\[1\]` must not be StableDecay",
        ),
        (
            lambda: wrapped(
                None, rules=[("kernel", kd.ConstrainedDecay(1.0), "schedule")]
            ),
            r"`rules\[0\]\[2\]` must not be given with ConstrainedDecay",
        ),
    ],
)
def test_bad_arguments_get_one_clear_sentence(make, problem):
    with pytest.raises((TypeError, ValueError), match=problem):
        make()


def test_a_reference_that_does_not_fit_is_refused_when_built():
    variables = make_variables(START)
    for reference, problem in [
        ({"dense/kernel": np.ones((5, 4))}, "but lacks 'conv/kernel'"),
        (np.ones((5, 4)), r"the weight 'conv/kernel', \(3, 3, 2, 4\)"),
    ]:
        optimizer = wrapped(kd.DecayToward(0.1, reference))
        with pytest.raises(ValueError, match=problem):
            optimizer.build(variables)


def test_a_reference_for_one_variable_draws_it_there():
    target = np.full((5, 4), 2.0)
    optimizer = wrapped(None, rules=[("dense/kernel", kd.DecayToward(5.0, target))])
    after = replay(optimizer, START, ZEROS)
    expected = target + 0.5**4 * (START["dense/kernel"] - target)
    np.testing.assert_allclose(after["dense/kernel"], expected, rtol=1e-5)
    np.testing.assert_array_equal(after["conv/kernel"], START["conv/kernel"])


def test_a_reference_outlives_saving_and_is_asked_for_without_it(tmp_path):
    def build():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        reference = {model.layers[0].kernel.path: np.full((3, 2), 5.0)}
        model.compile(wrapped(kd.DecayToward(0.5, reference)), "mse")
        return model

    x, y = np.ones((4, 3)), np.ones((4, 2))
    whole, half = build(), build()
    whole.fit(x, y, epochs=4, verbose=0)
    half.fit(x, y, epochs=2, verbose=0)
    half.save(tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    loaded.fit(x, y, epochs=2, verbose=0)
    for ours, expected in zip(loaded.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)

    half.save(tmp_path / "plain.keras", include_optimizer=False)
    optimizer = kd.DecoupledWeightDecay.from_config(whole.optimizer.get_config())
    other = keras.saving.load_model(tmp_path / "plain.keras", compile=False)
    other.compile(optimizer, "mse", run_eagerly=True)
    with pytest.raises(RuntimeError, match="`reference` must be loaded"):
        other.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    "form",
    [kd.DecayToward(0.0, "initial"), kd.TargetNormDecay(0.0), kd.TouchedRowsDecay(0.0)],
)
def test_the_strength_of_a_form_is_set_and_saved_like_any(form):
    optimizer = wrapped(form)
    optimizer.weight_decay = 0.25
    config = optimizer.get_config()["weight_decay"]
    assert config["class_name"] == type(form).__name__
    assert config["config"]["weight_decay"] == 0.25
    again = kd.DecoupledWeightDecay.from_config(optimizer.get_config())
    assert float(to_numpy(again.weight_decay)) == 0.25


def test_a_form_takes_a_schedule():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.0, 5.0])
    optimizer = wrapped(kd.TargetNormDecay(schedule, norm=0.0))
    again = kd.DecoupledWeightDecay.from_config(optimizer.get_config())
    for one in (optimizer, again):
        after = replay(one, START, ZEROS)
        expected = 0.5**2 * START["dense/kernel"]
        np.testing.assert_allclose(after["dense/kernel"], expected, rtol=1e-5)


def test_zero_weights_and_zero_gradients_stay_finite():
    zero = {name: np.zeros_like(w) for name, w in START.items()}
    after = replay(wrapped(kd.TargetNormDecay(1.0, norm=3.0)), zero, ZEROS)
    np.testing.assert_array_equal(after["dense/kernel"], 0)
    adam = keras.optimizers.Adam(0.1)
    after = replay(wrapped(kd.StableDecay(1.0), adam), START, ZEROS)
    np.testing.assert_array_equal(after["dense/kernel"], START["dense/kernel"])


def test_a_bound_holds_in_the_end_and_its_multiplier_falls_back():
    optimizer = wrapped(kd.ConstrainedDecay(1.0))
    kernel = START["dense/kernel"]
    assert 0.5 * np.sum(kernel**2) > 5
    after = replay(optimizer, START, ZEROS * 25)
    assert 0.5 * np.sum(after["dense/kernel"] ** 2) <= 1.0
    multipliers = [v for v in optimizer.variables if v.name.endswith("multiplier")]
    assert [float(to_numpy(v)) for v in multipliers] == [0.0, 0.0]


def test_memory_waits_while_gradients_accumulate():
    """Oracle: every other step, without accumulation, on the mean of two gradients."""
    means = [
        {name: (a[name] + b[name]) / 2 for name in a}
        for a, b in zip(GRADIENTS[::2], GRADIENTS[1::2], strict=True)
    ]
    form = kd.ConstrainedDecay(warmup_steps=1, rate=1.0)
    inner = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    ours = replay(wrapped(form, inner), START, GRADIENTS)
    theirs = replay(wrapped(form), START, means)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_half_precision_weights_go_toward_their_reference_too():
    start = ops.cast(START["dense/kernel"], "bfloat16")
    kernel = keras.Variable(start, dtype="bfloat16", name="kernel")
    target = to_numpy(start).astype("float64") + 1
    optimizer = wrapped(
        kd.DecayToward(0.1, target), keras.optimizers.SGD(1e-2), jit_compile=False
    )
    optimizer.build([kernel])
    for _ in range(200):
        optimizer.apply([ops.zeros((5, 4), "bfloat16")], [kernel])
    expected = target - (1 - 1e-3) ** 200
    np.testing.assert_allclose(to_numpy(kernel), expected, rtol=0.004, atol=0.004)
