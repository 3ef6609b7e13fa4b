"""Going on with other variables.

The oracle of what is known: the training that nothing interrupts, or a fresh optimizer
whose state was copied by hand. The oracle of what is new: Adam's equations in NumPy.
"""

import inspect
import re

import keras
import numpy as np
import pytest
from keras import ops, optimizers
from support import decisions, mostly_slow, to_numpy

import keras_decay as kd

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X[:, :1]
SHAPES = {"a": (3, 4), "b": (4,), "c": (4, 4), "d": (2, 2)}


def weights(*names, dtype="float32"):
    rng = np.random.default_rng(1)
    values = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    found = []
    for name in names:
        with keras.name_scope(name):
            found.append(keras.Variable(values[name], dtype=dtype, name="kernel"))
    return found


def gradients(step, variables):
    rng = np.random.default_rng(10 + step)
    by_shape = {shape: rng.normal(size=shape) for shape in SHAPES.values()}
    return [
        ops.convert_to_tensor(by_shape[tuple(v.shape)], dtype=v.dtype)
        for v in variables
    ]


def steps(optimizer, variables, numbers):
    if not optimizer.built:
        optimizer.build(variables)  # within `apply` variables have longer names
    for number in numbers:
        optimizer.apply(gradients(number, variables), variables)


def arrays(optimizer):
    return [(v.path, to_numpy(v)) for v in optimizer.variables]


def by_end(optimizer):
    """The variables that have a path of their own, by its end."""
    ends = [v.path.split("/")[-1] for v in optimizer.variables]
    return {
        end: to_numpy(variable)
        for end, variable in zip(ends, optimizer.variables, strict=True)
        if ends.count(end) == 1
    }


def assert_same(ones, others):
    assert [path for path, _ in ones] == [path for path, _ in others]
    for (path, one), (_, other) in zip(ones, others, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=path)


INNER = {
    "SGD": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "Adam": lambda: optimizers.Adam(0.1, amsgrad=True),
    "accumulation": lambda: optimizers.Adam(0.1, gradient_accumulation_steps=3),
    "RMSprop": lambda: optimizers.RMSprop(0.1, momentum=0.9, centered=True),
    "Nadam": lambda: optimizers.Nadam(0.1),
    "Adafactor": lambda: optimizers.Adafactor(0.1),
    "Adadelta": lambda: optimizers.Adadelta(0.1),
    "Adagrad": lambda: optimizers.Adagrad(0.1),
    "Adamax": lambda: optimizers.Adamax(0.1),
    "Lamb": lambda: optimizers.Lamb(0.1),
    "Lion": lambda: optimizers.Lion(0.1),
}
if "adam_weight_decay" in inspect.signature(optimizers.Muon).parameters:
    INNER["Muon"] = lambda: optimizers.Muon(
        0.1, weight_decay=None, adam_weight_decay=None
    )


QUICK = ["SGD", "accumulation", list(INNER)[-1]]


@pytest.mark.parametrize("name", mostly_slow(INNER, QUICK))
def test_what_is_known_goes_on_as_if_nothing_had_happened(name):
    def optimizer():
        return kd.DecoupledWeightDecay(INNER[name](), 0.1, use_ema=True)

    undisturbed, known = optimizer(), weights("a", "b")
    steps(undisturbed, known, range(9))
    disturbed, again = optimizer(), weights("a", "c", "b", "d")
    a, c, b, d = again
    steps(disturbed, [a, b], range(4))  # within a window of three
    disturbed.rebuild([c, a, b])
    steps(disturbed, [c, a, b], range(4, 7))
    disturbed.rebuild([b, a, d])
    steps(disturbed, [b, a, d], range(7, 9))
    for one, other in zip(known, (a, b), strict=True):
        np.testing.assert_array_equal(to_numpy(one), to_numpy(other))
    ours, theirs = by_end(undisturbed), by_end(disturbed)
    for end in ours.keys() & theirs.keys():
        np.testing.assert_array_equal(ours[end], theirs[end], err_msg=end)
    # Some variables of Nadam and Adafactor have no name of their own.
    assert len(ours.keys() & theirs.keys()) >= 5


def test_what_is_new_starts_with_moments_of_zero_at_the_present_step():
    optimizer = kd.AdamW(0.1, 0.5)
    a, c = weights("a", "c")
    steps(optimizer, [a], range(3))
    optimizer.rebuild([a, c])
    w, m, v = to_numpy(c), 0.0, 0.0
    for t in range(4, 7):
        (gradient,) = (to_numpy(g) for g in gradients(t, [c]))
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        rate = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w = w - rate * m / (np.sqrt(v) + 1e-7) - 0.1 * 0.5 * w
        steps(optimizer, [a, c], [t])
    # Adam divides by 1 − 0.999ᵗ, in which float32 loses digits.
    np.testing.assert_allclose(to_numpy(c), w, rtol=5e-5)


def test_what_left_and_comes_back_is_new():
    optimizer = kd.AdamW(0.1, kd.DecayToward(0.5), use_ema=True)
    a, c = weights("a", "c")
    steps(optimizer, [a, c], range(2))
    optimizer.rebuild([c])
    assert not any("a_kernel" in v.path for v in optimizer.variables)
    optimizer.rebuild([a, c])
    for variable in optimizer.variables:
        value = to_numpy(variable)
        if re.search("a_kernel_(momentum|velocity)", variable.path):
            assert not value.any()
        elif re.search("a_kernel_(reference|average)", variable.path):
            np.testing.assert_array_equal(value, to_numpy(a))
        elif re.search("c_kernel_", variable.path):
            assert value.any()


def test_the_same_variables_change_nothing():
    optimizer = kd.AdamW(0.1, 0.5, use_ema=True)
    a, c = weights("a", "c")
    steps(optimizer, [a, c], range(2))
    before, inner = arrays(optimizer), optimizer.optimizer
    optimizer.rebuild(v for v in (a, c))
    assert_same(arrays(optimizer), before)
    assert optimizer.optimizer is inner
    optimizer.rebuild([c, a])  # another order, by which gradients come
    assert sorted(p for p, _ in before) == sorted(p for p, _ in arrays(optimizer))
    optimizer.rebuild([a, c])
    assert_same(arrays(optimizer), before)


def test_rates_steps_and_strengths_are_the_same_objects():
    schedule = optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    strength = keras.Variable(0.3, name="mine")
    for rate in (0.1, schedule, lambda: 0.1):
        inner = optimizers.SGD(rate, momentum=0.9, clipnorm=1.0)
        optimizer = kd.DecoupledWeightDecay(inner, strength, rules=[("a", 0.2)])
        a, c = weights("a", "c")
        steps(optimizer, [a, c], range(2))
        optimizer.clipnorm, inner.momentum = 2.0, 0.5
        iterations, given = inner.iterations, inner._learning_rate
        optimizer.rebuild([c, a])
        new = optimizer.optimizer
        assert new is not inner and type(new) is type(inner)
        assert new.iterations is iterations and new._learning_rate is given
        assert inner._learning_rate is given
        assert (new.clipnorm, new.momentum, new.name) == (2.0, 0.5, inner.name)
        assert optimizer.weight_decay is strength
        optimizer.learning_rate = schedule if callable(rate) else 0.5
        steps(optimizer, [c, a], range(1))
        assert int(to_numpy(optimizer.iterations)) == 3


def test_half_precision_keeps_its_residuals():
    def optimizer():
        return kd.DecoupledWeightDecay(
            optimizers.SGD(1e-3), 0.1, use_ema=True, name="ours"
        )

    undisturbed, known = optimizer(), weights("a", dtype="bfloat16")
    steps(undisturbed, known, range(6))
    disturbed, (a, c) = optimizer(), weights("a", "c", dtype="bfloat16")
    steps(disturbed, [a], range(3))
    disturbed.rebuild([c, a])
    steps(disturbed, [c, a], range(3, 6))
    state = {v.path.split("/")[-1]: to_numpy(v) for v in disturbed.variables}
    residuals = [v for v in undisturbed.variables if "residual" in v.path]
    assert len(residuals) == 2 and all(to_numpy(v).any() for v in residuals)
    for variable in undisturbed.variables:
        value = state[variable.path.split("/")[-1]]
        np.testing.assert_array_equal(to_numpy(variable), value)


def test_rules_that_decided_go_on_and_new_variables_are_matched():
    source = kd.DecoupledWeightDecay(
        optimizers.SGD(0.0), 0.5, rules=[("^a/", 0.25)], coupling="independent"
    )
    a, c = weights("a", "c")
    steps(source, [a, c], range(1))
    store: dict = {}
    source.save_own_variables(store)
    loaded = kd.DecoupledWeightDecay.from_config(source.get_config())
    with keras.name_scope("model"):  # renamed on loading: ^a/ is not found there
        renamed = weights("a", "c")
    loaded.build(renamed)
    loaded.load_own_variables(store)
    (d,) = weights("d")
    loaded.rebuild([d, *renamed])
    assert [entry["rule"] for entry in decisions(loaded)] == ["default", 0, "default"]
    before = [to_numpy(v) for v in (d, *renamed)]
    steps(loaded, [d, *renamed], range(1))
    for v, w, left in zip((d, *renamed), before, (0.5, 0.75, 0.5), strict=True):
        np.testing.assert_allclose(to_numpy(v), left * w, rtol=1e-6)


class Hiding(optimizers.SGD):
    """Keeps its slots by name, where nobody finds them."""

    def build(self, variables):
        super().build(variables)
        self.held = {
            v.path: self.add_variable_from_reference(v, "held") for v in variables
        }


def test_what_cannot_be_done_is_refused_and_changes_nothing():
    a, c, d = weights("a", "c", "d")
    cases = {
        "at least one variable": (kd.AdamW(0.1, 0.5), []),
        "a/kernel twice": (kd.AdamW(0.1, 0.5), [a, c, a]),
        r"'a/' matches no variable(.|\n)*c/kernel\n *d/kernel": (
            kd.AdamW(0.1, 0.5, rules=[("a/", 0.1)]),
            [c, d],
        ),
        "`reference` must hold every variable": (
            kd.AdamW(0.1, kd.DecayToward(0.1, {v.path: to_numpy(v) for v in (a, c)})),
            [a, c, d],
        ),
        "neither attributes nor in lists": (
            kd.DecoupledWeightDecay(Hiding(0.1), 0.5),
            [a, c, d],
        ),
    }
    for said, (optimizer, variables) in cases.items():
        optimizer.use_ema = True
        steps(optimizer, [a, c], range(2))
        before, held = arrays(optimizer), vars(optimizer).copy()
        with pytest.raises(ValueError, match=said):
            optimizer.rebuild(variables)
        assert_same(arrays(optimizer), before)
        changed = {n for n, v in vars(optimizer).items() if held.get(n) is not v}
        assert changed <= {"_variables"}
        steps(optimizer, [a, c], range(2))


def test_a_reference_that_was_loaded_lacks_new_variables():
    a, c, d = weights("a", "c", "d")
    form = kd.DecayToward(0.1, {v.path: to_numpy(v) for v in (a, c)})
    source = kd.AdamW(0.1, form)
    steps(source, [a, c], range(1))
    store: dict = {}
    source.save_own_variables(store)
    loaded = kd.DecoupledWeightDecay.from_config(source.get_config())
    loaded.build([a, c])
    loaded.load_own_variables(store)
    before = arrays(loaded)
    with pytest.raises(ValueError, match=r"`reference` must hold.*'d/kernel'"):
        loaded.rebuild([a, c, d])
    assert_same(arrays(loaded), before)
    loaded.rebuild([c])
    reference = next(v for v in loaded.variables if "reference" in v.path)
    np.testing.assert_array_equal(to_numpy(reference), form.reference["c/kernel"])


def test_one_that_is_not_built_is_built():
    optimizer = kd.AdamW(0.1, 0.5)
    a, c = weights("a", "c")
    optimizer.rebuild([a])
    assert optimizer.built and len(optimizer.variables) == 5
    optimizer.rebuild([a, c])
    assert len(optimizer.variables) == 7
    ruled = kd.AdamW(0.1, 0.5, rules=[("d/", 0.1)])
    with pytest.raises(ValueError, match="'d/' matches no variable"):
        ruled.rebuild([a, c])
    assert not ruled.built


def test_the_rate_of_a_rule_acts_on_what_is_known_and_on_what_is_new():
    """Oracle: the optimizer without rules at that rate, on each weight alone."""
    rule = kd.Rule("^(a|c)/", learning_rate=0.25)
    a, c = weights("a", "c")
    one = kd.DecoupledWeightDecay(optimizers.SGD(0.1, 0.9), 0.5, rules=[rule])
    steps(one, [a], range(3))
    one.rebuild([a, c])
    steps(one, [a, c], range(3, 6))
    for found, first in ((a, 0), (c, 3)):
        (expected,) = weights(found.path[0])
        bare = kd.DecoupledWeightDecay(optimizers.SGD(0.025, 0.9), 0.5)
        steps(bare, [expected], range(first, 6))
        np.testing.assert_allclose(to_numpy(found), to_numpy(expected), rtol=1e-6)
