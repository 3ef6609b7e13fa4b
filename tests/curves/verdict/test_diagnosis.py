"""The verdict on curves whose verdict is known because they were made for it."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import slow

from keras_decay.curves import Diagnosis, diagnose
from keras_decay.curves.verdict import smoothing

VERDICTS = {
    "underfitting",
    "improving",
    "good fit",
    "overfitting",
    "diverged",
    "inconclusive",
}
SEEDS = 200
SHAPES = ("plateau", "settles")


def share(verdict, curves, **shape):
    found = Counter(
        diagnose(curves(seed=seed, **shape)).verdict for seed in range(SEEDS)
    )
    return found[verdict] / SEEDS


@pytest.mark.parametrize("n", [20, 100, 500])
def test_a_turn_upwards_is_overfitting(curves, n):
    found = diagnose(curves("u", n))
    assert found.verdict == "overfitting"
    # The lowest point of the curve is where its slope is zero, at t = 0.196.
    assert abs(found.onset_epoch / n - 0.2) < 0.06
    assert abs(found.best_epoch / n - 0.2) < 0.06
    risen = found.final_val / found.best_val - 1
    assert found.rise == pytest.approx(risen)
    assert f"since epoch {found.onset_epoch}" in str(found)
    assert f"{100 * risen:.0f} %" in str(found)


@pytest.mark.parametrize(("noise", "power"), [(0.02, 1.0), (0.1, 0.9)])
def test_overfitting_is_found_under_noise(curves, noise, power):
    assert share("overfitting", curves, shape="u", noise=noise) >= power


@pytest.mark.parametrize("shape", ["plateau", "settles", "long plateau"])
@pytest.mark.parametrize("n", [20, slow(100)])
@pytest.mark.parametrize("noise", [slow(0.02), 0.1, slow(0.3)])
def test_noise_on_a_plateau_is_not_overfitting(curves, shape, n, noise):
    """At most 4 of 100; measured none."""
    assert share("overfitting", curves, shape=shape, n=n, noise=noise) <= 0.04


@pytest.mark.parametrize("shape", ["plateau", "settles"])
def test_noise_that_wanders_is_seldom_overfitting(curves, shape):
    """At most 8 of 100, at a correlation of 0.5 between epochs; measured 1."""
    given = {"noise": 0.1, "correlation": 0.5}
    assert share("overfitting", curves, shape=shape, **given) <= 0.08


@pytest.mark.slow
@pytest.mark.parametrize(
    ("correlation", "most"), [(0.0, 0.03), (0.5, 0.14), (0.8, 0.34), (0.95, 0.33)]
)
def test_short_curves_that_wander_are_not_always_overfitting(curves, correlation, most):
    """20 epochs. The measured shares are just below these bounds; docs/verdicts.md."""
    given = {"noise": 0.1, "correlation": correlation, "n": 20}
    shares = [share("overfitting", curves, shape=s, **given) for s in SHAPES]
    assert sum(shares) / 2 <= most


def test_a_rise_that_comes_to_rest_is_overfitting(curves):
    curve = curves("plateau", noise=0.01)
    t = np.arange(100)
    curve["val_loss"] = list(np.array(curve["val_loss"]) * (1 - 0.4 * np.exp(-t / 8)))
    assert diagnose(curve).verdict == "overfitting"


@pytest.mark.parametrize(
    ("jitter", "rise", "verdict"),
    [(0.0, 0.5, "overfitting"), (0.0, 0.02, "good fit"), (0.1, 0.5, "overfitting")],
)
def test_a_rise_that_is_over_soon_and_comes_to_rest(jitter, rise, verdict):
    """What was learned up to epoch 3 is lost in part by epoch 10, with waves since."""
    t = np.arange(50)
    train = 0.02 + np.exp(-t / 3)
    waves = 0.03 * np.sin(t / 6)
    val = 0.5 + np.exp(-2 * t) + rise * 0.5 * (1 - np.exp(-t / 4)) * (1 + waves)
    val *= np.exp(jitter * np.random.default_rng(0).normal(size=50))
    assert diagnose(lists(train, val)).verdict == verdict


def test_a_rise_known_by_its_size_tells_how_much_is_lost():
    """A rise in waves, half of which was undone. Oracle: E_va is 0.4 at best and 0.6 at
    the end, and E_tr began at 1.4: a fifth of what was learned is taken back.
    """
    waves = 0.55 + 0.05 * np.cos(2 * np.pi * np.arange(41) / 20)
    val = [1.0, 0.6, *[0.4] * 5, *waves]
    found = diagnose(lists(1.4 * np.exp(-np.arange(48) / 9), val))
    told = "50 % above its best, which takes back 20 % of what was learned, while"
    assert found.verdict == "overfitting"
    assert told in str(found)


def test_a_small_part_of_what_was_learned_is_a_wave():
    """A third above its best, which is a thirtieth of the fall: it goes on falling."""
    t = np.arange(50)
    val = np.exp(-t / 15) * (1 + 0.25 * np.sin(t / 2.5))
    assert diagnose(lists(np.exp(-t / 10), val)).verdict == "improving"


@pytest.mark.parametrize("n", [20, 100])
def test_noise_on_a_plateau_is_seldom_improving(curves, n):
    """At most 6 of 100; measured 4 and 0."""
    given = {"noise": 0.1, "n": n}
    shares = [share("improving", curves, shape=s, **given) for s in SHAPES]
    assert sum(shares) / 2 <= 0.06


@pytest.mark.parametrize(("power", "verdict"), [(0.2, "improving"), (0.04, "good fit")])
def test_what_half_as_many_epochs_would_bring(power, verdict):
    """Oracle: t^−p, which falls by 1 − 1.5^−p: 7.8 % and 1.6 %; the goal is 4 %."""
    t = np.arange(1, 51.0)
    found = diagnose(lists(t**-0.5, t**-power))
    assert found.verdict == verdict, str(found)


def lists(train, val=None):
    columns = {"loss": list(map(float, train))}
    return columns if val is None else columns | {"val_loss": list(map(float, val))}


t = np.arange(60) / 60
CASES = {
    "improving": [
        lists(np.exp(-t), 1.1 * np.exp(-t)),
        lists(np.linspace(1, 0.2, 8), np.linspace(1, 0.3, 8)),
    ],
    "good fit": [
        lists(0.4 + np.exp(-12 * t), 0.5 + np.exp(-12 * t)),
        # The gap is wide, but nothing is lost by training longer.
        lists(0.01 + np.exp(-12 * t), 0.5 + np.exp(-12 * t)),
    ],
    "underfitting": [
        lists(np.full(20, 0.693), np.full(20, 0.694)),
        lists(1 - 0.03 * np.exp(-t), 1.02 - 0.03 * np.exp(-t)),
        # The penalty has won: a constant prediction, on a hard validation set.
        lists([1.2, 1.0] + [0.97] * 20, [1.6, 1.5] + [1.45] * 20),
    ],
    "diverged": [
        lists([1, 0.5, math.nan], [1, 1, math.nan]),
        lists([1, 0.5, 0.4], [1, 1, math.inf]),
        lists(np.exp(8 * t), np.exp(8 * t)),
        lists(np.exp(8 * t)),
        # Thrown out by the first steps, and stuck there.
        lists([13.0] + [14.4] * 20, [14.5] * 21),
        # Learned, and then lost: a step into a dead region.
        lists([2.0] + [0.2] * 30 + [1.9] * 20, [2.0] + [0.3] * 30 + [1.9] * 20),
        lists([math.nan] * 3),
    ],
    "inconclusive": [
        {},
        [],
        lists([1, 0.5]),
        lists([1, 0.5], [1, 0.6]),
        lists(np.exp(-t)),
        {"val_loss": [1.0] * 10},
        # Both rise: no overfitting, which is a trade.
        lists(0.5 + 0.2 * (2 * t - 1) ** 2, 0.6 + 0.5 * (2 * t - 1) ** 2),
    ],
}


@pytest.mark.parametrize(
    ("verdict", "curve"), [(v, c) for v, cases in CASES.items() for c in cases]
)
def test_known_shapes(verdict, curve):
    found = diagnose(curve)
    assert found.verdict == verdict, str(found)
    assert str(found).startswith(verdict)
    assert (found.onset_epoch is None) == (verdict != "overfitting")


def test_the_penalty_is_not_judged(curves):
    """The penalised loss falls with its penalty while the data's loss turns up."""
    n = 60
    turned = curves("u", n)
    shrinking = 5 * np.exp(-3 * np.arange(n) / n)
    rows = {
        "loss": list(turned["loss"] + shrinking),
        "val_loss": list(turned["val_loss"] + shrinking),
    }
    assert diagnose(rows).verdict == "improving"
    rows |= {"data_loss": turned["loss"], "val_data_loss": turned["val_loss"]}
    found = diagnose(rows)
    assert found.verdict == "overfitting"
    assert found.column == "data_loss"


def test_the_numbers():
    """Oracle: constant curves, whose averages are their values."""
    found = diagnose(lists([0.25] * 10, [0.5] * 10))
    assert found.best_val == found.final_val == 0.5
    assert found.final_train == found.gap == 0.25
    assert found.rise == 0
    assert found.n_epochs == 10
    assert isinstance(found, Diagnosis)
    with pytest.raises(AttributeError):
        found.verdict = "good fit"


def test_epochs_are_those_of_the_rows(curves):
    curve = curves("u")
    rows = [
        {"epoch": 1000 + i, "loss": a, "val_loss": b}
        for i, (a, b) in enumerate(zip(curve["loss"], curve["val_loss"], strict=True))
    ]
    assert diagnose(rows).onset_epoch == 1000 + diagnose(curve).onset_epoch


@pytest.mark.parametrize("scale", [2.0**-60, 1e-7, 1e9])
@pytest.mark.parametrize("shape", ["u", "settles", "plateau"])
def test_the_unit_of_the_loss_does_not_matter(curves, shape, scale):
    for seed in range(20):
        curve = curves(shape, noise=0.1, seed=seed)
        scaled = {key: [scale * v for v in values] for key, values in curve.items()}
        one, other = diagnose(curve), diagnose(scaled)
        assert (one.verdict, one.onset_epoch) == (other.verdict, other.onset_epoch)
        assert one.rise == pytest.approx(other.rise)


anything = st.lists(
    st.one_of(
        st.none(),
        st.floats(),
        st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e-320, 1.7e308]),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@example([None] * 3 + [0.25, 2.0**1022], [0.0] * 5)
@example([None] * 4 + [0.25], [0.0] * 4 + [2.0**1022])
@given(anything, anything)
def test_it_never_fails(train, val):
    rows = [{"loss": a} for a in train]
    for row, value in zip(rows, val, strict=False):
        row["val_loss"] = value
    with np.errstate(all="raise", under="ignore"):
        found = diagnose(rows)
    assert found.verdict in VERDICTS
    assert str(found).startswith(found.verdict)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 50])
def test_moving_average(window):
    """Oracle: the mean of every window, one by one."""
    values = np.random.default_rng(0).normal(size=30)
    before, after = (window - 1) // 2, window // 2
    oracle = [
        np.mean(values[max(i - before, 0) : i + after + 1]) for i in range(len(values))
    ]
    np.testing.assert_allclose(smoothing.moving_average(values, window), oracle)


def test_noise_is_that_of_the_jitter_not_of_the_trend():
    rng = np.random.default_rng(0)
    values = 100 * np.linspace(0, 1, 5000) + rng.normal(scale=0.5, size=5000)
    assert smoothing.noise(values) == pytest.approx(0.5, rel=0.05)
    assert smoothing.noise(np.array([1.0, 2.0])) == 0


DIABETES = json.loads((Path(__file__).parents[1] / "diabetes_curves.json").read_text())


@pytest.mark.parametrize("seed", range(5))
def test_the_diabetes_experiment(seed):
    """Curves recorded with Keras on JAX: `record_diabetes_curves.py` beside this file.

    6 × Dense(128, relu) on scikit-learn's diabetes set without a penalty, and with
    L2(0.01) on every kernel.
    """
    plain = diagnose(DIABETES[f"no penalty, seed {seed}"])
    assert plain.verdict == "overfitting"
    assert 5 <= plain.best_epoch <= 25
    assert plain.best_epoch <= plain.onset_epoch <= 35
    penalised = diagnose(DIABETES[f"L2(0.01), seed {seed}"])
    assert penalised.verdict in ("good fit", "improving")
    assert penalised.gap < plain.gap / 2


FALLING = [0.257, 0.048, 0.009, 0.0013, 0.0003]


@pytest.mark.parametrize(
    "val",
    [
        [0.307, 0.356, 0.421, 0.452, 0.468],
        list(np.linspace(1, 1.2, 5)),
        list(np.linspace(1, 1.02, 5)),
        [0.5, 0.4, 0.3, 0.301, 0.302, 0.303, 0.304],
    ],
    ids=str,
)
def test_evaluations_each_worse_than_the_last_are_overfitting(val):
    """From the lowest on, four or more of them, by more than 1 % in all."""
    train = list(np.geomspace(1, 0.1, len(val)))
    found = diagnose(lists(train, val))
    assert found.verdict == "overfitting", str(found)
    assert found.onset_epoch == int(np.argmin(val))
    assert diagnose(lists(train[::-1], val)).verdict == "diverged"


@pytest.mark.parametrize(
    ("val", "words"),
    [
        ([0.6, 0.5, 0.4, 0.3, 0.31, 0.32, 0.33, 0.34], "has not fallen"),
        ([0.307, 0.3071, 0.3072, 0.3073, 0.3074], "0.1 % above its best at epoch 0"),
        ([0.40, 0.307, 0.309, 0.311, 0.314], "each of the last 3 evaluations"),
        ([0.5, 0.4, 0.41, 0.3, 0.301, 0.302, 0.303, 0.304], "last 4 evaluations"),
    ],
)
def test_a_rise_too_small_to_tell_is_never_settled(val, words):
    train = np.geomspace(1, 0.1, len(val))
    if "fallen" in words:
        train[2:] = 0.1
    found = diagnose(lists(train, val))
    assert found.verdict == "inconclusive"
    assert words in str(found)


def test_a_forecast_stays_above_zero():
    """Oracle: a loss that falls ever faster cannot fall by more than all of it."""
    val = 1 - 0.9 * np.linspace(0, 1, 40) ** 3
    found = diagnose(lists(val, val))
    assert found.verdict == "improving"
    told = float(str(found).split("would bring ")[1].split(" %")[0])
    assert 50 < told < 100
