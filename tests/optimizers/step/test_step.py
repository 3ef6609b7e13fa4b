"""One step at the room's level: a factor on the rate, and a penalty of several weights.

Oracles: the same Keras optimizer at the rate m η, and the steps' formulas in NumPy.
"""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from support import make_variables, mostly_slow, recorded_gradients, to_numpy

import keras_decay as kd
from keras_decay.ground import backend
from keras_decay.optimizers.forms import PLAIN
from keras_decay.optimizers.rules import Decay
from keras_decay.optimizers.step import (
    JointPenalty,
    Target,
    WeightMemory,
    inner_step_and_decay,
)
from keras_decay.optimizers.strength import DecayStrength, coupling_factor

RATES = [0.1, 0.1, 0.03, 0.03, 0.05, 0.05]  # as a callback would change them
BASE, DECAY = 0.1, 0.2
COUPLINGS = ["learning_rate", "schedule", "independent", "corrected"]
NOTHING = Decay(None, None, None, "learning_rate")


def decay_by(strength, coupling="learning_rate", rate_factor=1.0, penalty=None):
    """Plain decay whose λ is in a variable, as in an optimizer."""
    value = DecayStrength("weight_decay", strength)
    value.source = keras.Variable(strength, dtype=keras.config.floatx())
    return Decay(PLAIN, value, penalty, coupling, rate_factor)


def added(shape, dtype, layout, name):
    return keras.Variable(np.zeros(shape), dtype=dtype, name=name)


def stepped(inner, start, gradients, decays, base=BASE, rates=RATES, **kwargs):
    """The weights after all steps; `decays` holds the `Decay` of some by name."""
    variables = make_variables(start, kwargs.pop("constraints", None))
    by_name = dict(zip(start, variables, strict=True))
    joint = [
        j._replace(members=tuple(by_name[name] for name in j.members))
        for j in kwargs.pop("joint_penalties", ())
    ]
    memory = WeightMemory(added, lambda variable: None)
    inner.build(variables)
    for index, name in enumerate(start):
        if name in decays:
            memory.build(index, variables[index], decays[name].form)
    for rate, gradient in zip(rates, gradients, strict=True):
        inner.learning_rate = rate
        grads = [ops.convert_to_tensor(g) for g in gradient.values()]
        targets = [
            Target(variables[i], grads[i], decays[name], memory.of(i))
            for i, name in enumerate(start)
            if name in decays
        ]
        with backend.current().no_grad():
            inner_step_and_decay(
                inner,
                grads,
                variables,
                targets,
                base,
                kwargs.get("cautious", False),
                joint,
            )
    return {name: to_numpy(v) for name, v in by_name.items()}


INNER = {
    "SGD": lambda rate: keras.optimizers.SGD(rate),
    "Adam": lambda rate: keras.optimizers.Adam(rate),
    "RMSprop": lambda rate: keras.optimizers.RMSprop(rate),
    "Lion": lambda rate: keras.optimizers.Lion(rate),
}


FACTORS = list(itertools.product(COUPLINGS, INNER, [0.25, 3.0]))


@pytest.mark.parametrize("coupling, inner, m", mostly_slow(FACTORS, FACTORS[::11]))
def test_a_factor_equals_the_optimizer_at_that_multiple_of_its_rate(
    coupling, inner, m, float64
):
    start, gradients = recorded_gradients(len(RATES), dtype="float64")
    make = INNER[inner]
    names = ["dense/kernel", "dense/bias"]
    # The bias has the factor alone, and the last kernel neither factor nor decay.
    factor = {
        "dense/kernel": decay_by(DECAY, coupling, m),
        "dense/bias": NOTHING._replace(rate_factor=m),
    }
    ours = stepped(make(0.1), start, gradients, factor)
    faster = stepped(
        make(0.1),
        start,
        gradients,
        {"dense/kernel": decay_by(DECAY, coupling)},
        base=m * BASE,
        rates=[m * rate for rate in RATES],
    )
    for name in names:
        np.testing.assert_allclose(ours[name], faster[name], rtol=1e-9, err_msg=name)
    plain = stepped(make(0.1), start, gradients, {})
    np.testing.assert_array_equal(ours["conv/kernel"], plain["conv/kernel"])


@pytest.mark.parametrize("cautious", [False, True])
def test_a_factor_meets_a_proximal_step_and_caution(cautious, float64):
    start, gradients = recorded_gradients(len(RATES), dtype="float64")
    m, penalty = 0.5, kd.L1(0.3)
    decay = decay_by(DECAY, rate_factor=m, penalty=penalty)
    ours = stepped(
        keras.optimizers.SGD(0.1),
        start,
        gradients,
        {"dense/kernel": decay},
        cautious=cautious,
    )
    w = start["dense/kernel"]
    for rate, gradient in zip(RATES, gradients, strict=True):
        c = m * np.float64(np.float64(rate))
        u = c * gradient["dense/kernel"]
        pulled = np.where((u * w >= 0) | (not cautious), c * DECAY * w, 0)
        w = w - u - pulled
        w = np.sign(w) * np.maximum(np.abs(w) - c * 0.3, 0)
    np.testing.assert_allclose(ours["dense/kernel"], w, rtol=1e-9, atol=1e-12)


def test_a_factor_of_zero_leaves_the_weight_to_the_other_couplings(float64):
    start, gradients = recorded_gradients(len(RATES), dtype="float64")
    name = "dense/kernel"
    for coupling in ("learning_rate", "corrected"):
        decays = {name: decay_by(DECAY, coupling, 0.0)}
        after = stepped(keras.optimizers.Adam(0.1), start, gradients, decays)
        np.testing.assert_array_equal(after[name], start[name])
    decays = {name: decay_by(DECAY, "schedule", 0.0)}
    after = stepped(keras.optimizers.Adam(0.1), start, gradients, decays)
    left = np.prod([1 - rate / BASE * DECAY for rate in RATES])
    np.testing.assert_allclose(after[name], left * start[name], rtol=1e-9)


def test_a_factor_acts_on_real_steps_only(float64):
    start, gradients = recorded_gradients(len(RATES), dtype="float64")
    inner = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    decays = {"dense/kernel": decay_by(DECAY, rate_factor=0.5)}
    ours = stepped(inner, start, gradients, decays)["dense/kernel"]
    w = start["dense/kernel"]
    pairs = zip(gradients[::2], gradients[1::2], RATES[1::2], strict=True)
    for one, other, rate in pairs:
        mean = (one["dense/kernel"] + other["dense/kernel"]) / 2
        w = w - 0.5 * rate * (mean + DECAY * w)
    np.testing.assert_allclose(ours, w, rtol=1e-9)


def test_a_factor_on_half_precision_is_not_lost_in_rounding():
    """Oracle: the float32 weight; a bfloat16 alone would stay where it is."""
    start = {"dense/kernel": np.ones((4, 3), "float32")}
    gradients = [{"dense/kernel": np.zeros((4, 3), "float32")}] * 100
    variables = [keras.Variable(start["dense/kernel"], dtype="bfloat16", name="kernel")]
    memory = WeightMemory(added, lambda variable: None)
    decay = decay_by(0.01, rate_factor=0.5)
    memory.build(0, variables[0], decay.form)
    inner = keras.optimizers.SGD(0.1)
    inner.build(variables)
    for gradient in gradients:
        grads = [ops.cast(gradient["dense/kernel"], "bfloat16")]
        target = Target(variables[0], grads[0], decay, memory.of(0))
        with backend.current().no_grad():
            inner_step_and_decay(inner, grads, variables, [target], None, False)
    weight = to_numpy(variables[0]) + to_numpy(memory.of(0)["residual"])
    np.testing.assert_allclose(weight, (1 - 0.5 * 0.1 * 0.01) ** 100, rtol=1e-5)


def test_a_factor_of_one_is_the_step_without_it_bit_by_bit():
    start, gradients = recorded_gradients(len(RATES))
    decays = {"dense/kernel": decay_by(DECAY), "conv/kernel": decay_by(DECAY)}
    ours = stepped(keras.optimizers.Adam(0.1), start, gradients, decays)
    inner = keras.optimizers.Adam(0.1)
    rules = [("dense/bias", None)]
    wrapper = kd.DecoupledWeightDecay(inner, DECAY, rules=rules, jit_compile=False)
    variables = make_variables(start)
    wrapper.build(variables)
    for rate, gradient in zip(RATES, gradients, strict=True):
        wrapper.learning_rate = rate
        wrapper.apply([ops.convert_to_tensor(g) for g in gradient.values()])
    for name, variable in zip(start, variables, strict=True):
        np.testing.assert_array_equal(ours[name], to_numpy(variable), err_msg=name)


class JointNorm:
    """λ √(Σ_i ‖w_i‖²): the group lasso of all entries of several weights."""

    def __init__(self, strength):
        self.strength = strength

    def prox(self, weights, step):
        assert isinstance(weights, list)
        norm = ops.sqrt(sum(ops.sum(ops.square(w)) for w in weights))
        share = 1 - ops.cast(step, norm.dtype) * self.strength / norm
        # `ops.maximum` would make float32 of it on PyTorch.
        share = ops.where(share > 0, share, ops.zeros_like(share))
        return [share * w for w in weights]


MEMBERS = ("dense/kernel", "dense/bias")


@pytest.mark.parametrize("accumulation", [None, 2])
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_a_penalty_of_several_weights_sees_them_after_their_own_decay(
    coupling, accumulation, float64
):
    """Of rank 1 too, and of one with nothing else; the other kernel is left alone."""
    start, gradients = recorded_gradients(len(RATES), dtype="float64")
    m, strength = 0.5, 0.7
    joint = JointPenalty(JointNorm(strength), MEMBERS, coupling, m)
    decays = {
        "dense/kernel": decay_by(DECAY, coupling, m),
        "dense/bias": NOTHING._replace(rate_factor=m),
        "conv/kernel": decay_by(DECAY),
    }
    inner = keras.optimizers.SGD(0.1, gradient_accumulation_steps=accumulation)
    after = stepped(inner, start, gradients, decays, joint_penalties=[joint])
    w = dict(start)
    size = accumulation or 1
    for last in range(size - 1, len(RATES), size):
        batch = gradients[last - size + 1 : last + 1]
        rate = RATES[last]
        c = coupling_factor(coupling, rate, BASE, m)
        mean = {name: sum(g[name] for g in batch) / size for name in w}
        w["conv/kernel"] = (
            w["conv/kernel"] * (1 - rate * DECAY) - rate * mean["conv/kernel"]
        )
        kernel, bias = w["dense/kernel"], w["dense/bias"]
        kernel = kernel * (1 - c * DECAY) - m * rate * mean["dense/kernel"]
        bias = bias - m * rate * mean["dense/bias"]
        norm = np.sqrt((kernel**2).sum() + (bias**2).sum())
        share = max(1 - c * strength / norm, 0)
        w["dense/kernel"], w["dense/bias"] = share * kernel, share * bias
    for name in start:
        np.testing.assert_allclose(after[name], w[name], rtol=1e-9, err_msg=name)


def test_a_penalty_of_several_weights_sets_them_to_zero_together():
    start, gradients = recorded_gradients(len(RATES))
    joint = JointPenalty(JointNorm(100.0), MEMBERS, "independent")
    decays = dict.fromkeys(MEMBERS, NOTHING)
    after = stepped(
        keras.optimizers.Adam(0.1), start, gradients, decays, joint_penalties=[joint]
    )
    for name in MEMBERS:
        np.testing.assert_array_equal(after[name], 0)
    assert np.all(after["conv/kernel"] != 0)


def test_constraints_hold_after_a_penalty_of_several_weights():
    start, gradients = recorded_gradients(len(RATES))
    joint = JointPenalty(JointNorm(0.1), MEMBERS, "learning_rate")
    after = stepped(
        keras.optimizers.SGD(0.1),
        start,
        gradients,
        dict.fromkeys(MEMBERS, NOTHING),
        joint_penalties=[joint],
        constraints={"dense/kernel": keras.constraints.UnitNorm(axis=0)},
    )
    norms = np.linalg.norm(after["dense/kernel"], axis=0)
    np.testing.assert_allclose(norms, 1, rtol=1e-5)


def test_rows_that_a_batch_has_not_touched_meet_a_penalty_of_several_weights():
    """Oracle: the dense gradient. A sparse one has the other rows left out."""
    table = np.arange(1.0, 13.0).reshape(6, 2).astype("float32")
    form = kd.TouchedRowsDecay(DECAY)
    decay = decay_by(DECAY)._replace(form=form)
    after = stepped(
        keras.optimizers.SGD(0.1),
        {"embedding/embeddings": table},
        [{"embedding/embeddings": np.eye(6, 2, dtype="float32")}],
        {"embedding/embeddings": decay},
        rates=[0.1],
        joint_penalties=[
            JointPenalty(JointNorm(1e6), ("embedding/embeddings",), "independent")
        ],
    )
    np.testing.assert_array_equal(after["embedding/embeddings"], 0)
