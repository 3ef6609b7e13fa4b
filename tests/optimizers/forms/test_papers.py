"""Every form of decay over 50 real gradients, against the papers' formulas in float64.

Oracle: `papers`, a plain NumPy writing of each. All optimizers meet all decays; one
kernel is held to unit norm, and momentum comes with clipped gradients.
"""

import keras
import numpy as np
import papers
import pytest
from keras import ops
from papers import BETA_1, BETA_2
from support import mostly_slow, recorded_gradients, replay

import keras_decay as kd

STEPS, PEAK, DECAY = 50, 0.05, 0.3
START, GRADIENTS = recorded_gradients(STEPS, dtype="float64")
# Held to unit norm over its first axis.
HELD = "dense/kernel"


def rate(step, where=np.where):
    """η_t: a linear warm-up and then a parabola, which all backends compute exactly."""
    decay = 0.1 + 0.9 * ((STEPS - step) / (STEPS - 5)) ** 2
    return PEAK * where(step < 5, step / 5, decay)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """η_t in double precision, which Keras' own schedules have on PyTorch only."""

    def __call__(self, step):
        return rate(ops.cast(step, "float64"), ops.where)


SCHEDULE = Schedule()


INNER = {
    "momentum, clipped": (
        lambda: keras.optimizers.SGD(SCHEDULE, momentum=0.875, clipvalue=1.0),
        papers.clipped(papers.sgd(0.875), 1.0),
    ),
    "Adam": (
        lambda: keras.optimizers.Adam(SCHEDULE, BETA_1, BETA_2),
        papers.adam(),
    ),
    "Lamb": (
        lambda: keras.optimizers.Lamb(SCHEDULE, BETA_1, BETA_2),
        papers.lamb(),
    ),
}


def plain(c):
    """c_t λ w; arXiv 1711.05101 and, for "corrected", 2506.02285."""
    return lambda step, name, w, u, states: c(rate(step)) * DECAY * w


def cautious(step, name, w, u, states):
    """arXiv 2510.12402: only where the step does not already lead away from zero."""
    return np.where(u * w >= 0, rate(step) * DECAY * w, 0)


def toward_start(step, name, w, u, states):
    """arXiv 1802.01483, decoupled."""
    return rate(step) * DECAY * (w - START[name])


def toward_target_norm(step, name, w, u, states):
    """AdamWN, arXiv 2311.11446, with 1.5 times the norm at the start."""
    target = 1.5 * np.linalg.norm(START[name])
    return rate(step) * DECAY * (1 - target / np.linalg.norm(w)) * w


def constrained(bound_of, multiplier_rate):
    """CPR, algorithm 1 of arXiv 2311.09058."""

    def decay(step, name, w, u, states):
        state = states[name]
        if step == 0:
            state["mu"], state["kappa"] = 0.0, None
        state["kappa"] = bound_of(step, name, w, state["kappa"])
        k = multiplier_rate or 1 / w.size
        if state["kappa"] is not None:
            state["mu"] = max(
                state["mu"] + k * (0.5 * (w**2).sum() - state["kappa"]), 0
            )
        return state["mu"] * w

    return decay


def half_of_the_start(step, name, w, kappa):
    return 0.5 * 0.5 * (START[name] ** 2).sum()


def after_ten_steps(step, name, w, kappa):
    return 0.5 * (w**2).sum() if step == 10 else kappa


def stable(step, name, w, u, states):
    """AdamS, algorithm 3 of arXiv 2011.11152: v̄ is the mean over the whole model."""
    moments = [s["v"].ravel() / (1 - BETA_2 ** (step + 1)) for s in states.values()]
    return rate(step) * DECAY * w / np.sqrt(np.concatenate(moments).mean())


def everything(value, **kwargs):
    return {"rules": [(".*", value)], **kwargs}


# By name: the wrapper's arguments, the decay and the proximal step in NumPy.
DECAYS = {
    "learning_rate": (everything(DECAY), plain(lambda eta: eta), None),
    "schedule": (
        everything(DECAY, coupling="schedule", base_learning_rate=PEAK),
        plain(lambda eta: eta / PEAK),
        None,
    ),
    "independent": (
        everything(DECAY / 10, coupling="independent"),
        plain(lambda eta: 0.1),
        None,
    ),
    "corrected": (
        everything(DECAY, coupling="corrected", base_learning_rate=PEAK),
        plain(lambda eta: eta**2 / PEAK),
        None,
    ),
    "cautious": (everything(DECAY, cautious=True), cautious, None),
    "prox": (
        everything(kd.L1(DECAY)),
        lambda step, name, w, u, states: 0.0,
        lambda step, w: papers.soft_threshold(w, rate(step) * DECAY),
    ),
    "toward": (everything(kd.DecayToward(DECAY)), toward_start, None),
    "toward given": (everything(kd.DecayToward(DECAY, START)), toward_start, None),
    "CPR": (
        everything(kd.ConstrainedDecay(initial_factor=0.5)),
        constrained(half_of_the_start, None),
        None,
    ),
    "CPR after a warm-up": (
        everything(kd.ConstrainedDecay(warmup_steps=10, rate=0.01)),
        constrained(after_ten_steps, 0.01),
        None,
    ),
    "AdamWN": (
        everything(kd.TargetNormDecay(DECAY, initial_factor=1.5)),
        toward_target_norm,
        None,
    ),
    "AdamS": (everything(kd.StableDecay(DECAY)), stable, None),
}


CASES = [(inner, decay) for inner in INNER for decay in DECAYS if decay != "AdamS"] + [
    ("Adam", "AdamS")
]


@pytest.mark.parametrize("inner, decay", mostly_slow(CASES, [*CASES[::13], CASES[-1]]))
def test_fifty_steps_are_the_papers_formula(inner, decay, float64):
    make, displacement = INNER[inner]
    arguments, taken, prox = DECAYS[decay]
    optimizer = kd.DecoupledWeightDecay(make(), jit_compile=False, **arguments)
    constraints = {HELD: keras.constraints.UnitNorm(axis=0)}
    ours = replay(optimizer, START, GRADIENTS, compiled=True, constraints=constraints)
    project = {HELD: papers.unit_norm}
    expected = papers.trajectory(
        START, GRADIENTS, displacement, rate, taken, prox, project
    )
    without = papers.trajectory(
        START, GRADIENTS, displacement, rate, lambda *_: 0.0, None, project
    )
    for name, w in expected.items():
        np.testing.assert_allclose(ours[name], w, rtol=0, atol=1e-10, err_msg=name)
    apart = max(np.abs(w - without[name]).max() for name, w in expected.items())
    assert apart > 1e-2, "decay hardly acts in this test"
