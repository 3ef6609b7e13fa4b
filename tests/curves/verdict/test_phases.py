"""Changes in a training, and which part of the curve is judged."""

import numpy as np
import pytest

from keras_decay.curves import diagnose
from keras_decay.curves.verdict.phases import phases

T = np.arange(30)


def kinds(rates):
    rows = [{"epoch": i, "learning_rate": float(r)} for i, r in enumerate(rates)]
    return [(one.epoch, one.kind) for one in phases(rows)]


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        ([1e-3] * 10, []),
        ([1e-3] * 10 + [1e-4] * 10, [(10, "drop")]),
        ([1e-3] * 5 + [5e-4] * 5 + [5e-5] * 5, [(5, "drop"), (10, "drop")]),
        (1e-3 * 0.5**T, []),
        (1e-3 * (1 + np.cos(np.pi * T / 30)), []),
        (1e-3 * np.minimum(1, (T + 1) / 5), []),
        (
            1e-3 * (1.02 + np.cos(np.pi * (T % 10) / 10)),
            [(10, "restart"), (20, "restart")],
        ),
    ],
    ids=["constant", "drop", "drops", "decay", "cosine", "warm-up", "restarts"],
)
def test_phases_of_rates(rates, found):
    """A schedule that goes smoothly has no phase."""
    assert kinds(rates) == found


def test_an_optimizer_that_begins_anew():
    """As it does where `compile` is called after layers were thawed."""
    rows = [{"epoch": i, "step": 10 * (i % 8 + 1)} for i in range(16)]
    assert [(one.epoch, one.kind) for one in phases(rows)] == [(8, "optimizer")]


def curve(val, rates):
    train = np.geomspace(1, 0.1, len(val)).tolist()
    return {"loss": train, "val_loss": list(val), "learning_rate": list(rates)}


def test_the_part_since_a_restart_is_judged():
    """It throws the loss up, from where it falls again: that is no overfitting."""
    fall = np.geomspace(1, 0.3, 12)
    back = np.geomspace(0.9, 0.35, 12)
    cosine = np.cos(np.linspace(0, 1.5, 12))
    found = diagnose(curve([*fall, *back], [*cosine, *cosine]))
    assert found.verdict == "improving"
    assert "judged since the learning rate rose" in str(found)
    assert "at epoch 12" in str(found)
    assert found.best_epoch == 23


def test_a_loss_that_is_flat_since_a_drop_has_settled():
    """The drop brought a fall, which is no sign that more epochs would."""
    val = [*np.linspace(1, 0.6, 15), 0.45, 0.402, *np.full(13, 0.4)]
    found = diagnose(curve(val, [1e-3] * 15 + [1e-4] * 15))
    assert found.verdict == "good fit"
    assert "settled" in str(found)
    assert "judged since the learning rate fell" in str(found)


def test_a_rise_goes_beyond_a_drop():
    """The best was before it: the weights at the end are worse than those."""
    val = [*np.linspace(1, 0.5, 10), *np.linspace(0.52, 0.9, 10), *np.full(10, 0.91)]
    found = diagnose(curve(val, [1e-3] * 20 + [1e-4] * 10))
    assert found.verdict == "overfitting"
    assert 9 <= found.onset_epoch <= 11


def test_a_phase_of_four_evaluations_is_too_short_to_be_judged():
    # The average of the best epoch and its neighbours holds the first one of the next.
    val = [*np.geomspace(1, 0.3, 12), 0.9, 0.6, 0.5, 0.4]
    cosine = np.cos(np.linspace(0, 1.5, 12))
    found = diagnose(curve(val, [*cosine, *cosine[:4]]))
    assert "judged since" not in str(found)
    assert found.best_epoch == 10
