"""Prechelt's criteria by their formulas, and what a verdict suggests."""

import math

import numpy as np
import pytest

from keras_decay.curves import diagnose
from keras_decay.curves.verdict import prechelt, trend
from keras_decay.curves.verdict.suggestions import suggestion


def test_the_criteria_by_their_formulas():
    """Oracle: Prechelt 1998, by hand."""
    assert prechelt.generalisation_loss([4, 2, 3]) == pytest.approx(50)
    assert prechelt.generalisation_loss([3, 2]) == 0
    # The mean of 3, 2, 1 over their minimum, less 1, in thousandths.
    assert prechelt.progress([9, 3, 2, 1], strip=3) == pytest.approx(1000)
    assert prechelt.quotient(50, 1000) == pytest.approx(0.05)
    assert prechelt.quotient(50, 0) == math.inf
    assert prechelt.quotient(0, 0) == 0
    assert prechelt.successive_rises([5, 1, 9, 2, 8, 1], strip=2) == 0
    # 3 > 2 > 1, epochs 5, 3 and 1.
    assert prechelt.successive_rises([5, 1, 9, 2, 9, 3], strip=2) == 2
    assert prechelt.successive_rises([1, 2, 3], strip=1) == 2
    assert prechelt.successive_rises([1], strip=1) == 0


def test_a_diagnosis_has_them():
    """Oracle: the formulas on averages over 3 epochs, cut off at the ends."""
    val = [1.0, 0.9, 0.6, 0.5, 0.5, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]
    train = [1.0 / (t + 1) for t in range(15)]
    smooth = [np.mean(val[max(t - 1, 0) : t + 2]) for t in range(15)]
    found = diagnose({"loss": train, "val_loss": val})
    assert found.window == 3
    gl = 100 * (smooth[-1] / min(smooth) - 1)
    gain = 1000 * (np.mean(train[-5:]) / min(train[-5:]) - 1)
    assert found.gl == pytest.approx(gl) == 100 * found.rise
    assert found.p_k == pytest.approx(gain)
    assert found.pq == pytest.approx(gl / gain)
    assert smooth[14] > smooth[9] > smooth[4]
    assert (found.up, found.strip) == (2, 5)


def test_without_validation_there_are_none():
    found = diagnose({"loss": [1.0, 0.5, 0.4]})
    assert (found.gl, found.p_k, found.pq, found.up) == (None, None, None, None)


def test_every_verdict_has_a_suggestion():
    verdicts = ("underfitting", "improving", "good fit", "overfitting", "diverged")
    texts = {word: suggestion(word, [], 3) for word in (*verdicts, "inconclusive")}
    assert len(set(texts.values())) == 6
    assert texts["overfitting"].startswith("decay more")
    assert "epoch 3" in texts["overfitting"] and "StopOnOverfit" in texts["overfitting"]
    assert texts["underfitting"].startswith("decay less")


def test_a_suggestion_knows_the_penalty():
    rows = [{"epoch": 0, "loss": 1.0, "penalty": 0.8}]
    assert "80 %" in suggestion("underfitting", rows, None)
    assert "three times as strong" in suggestion("overfitting", rows, 1)
    weak = [{"epoch": 0, "loss": 1.0, "penalty": 0.1}]
    assert "kd.audit" in suggestion("underfitting", weak, None)
    flat = {"loss": [1.0] * 9, "val_loss": [1.0] * 9, "penalty": [0.8] * 9}
    assert "80 %" in diagnose(flat).suggestion


@pytest.mark.parametrize("share", [0.05, 1 / 3, 1.0])
def test_the_slope_against_the_logarithm(share):
    """Oracle: a line in log t, with jumps in fewer than a quarter of the values."""
    values = 2.0 - 0.3 * np.log(np.arange(1, 61))
    assert trend.slope(values, share) == pytest.approx(-0.3)
    values[10::10] += 5.0
    assert trend.slope(values, share) == pytest.approx(-0.3, rel=0.05)


def test_the_slope_of_a_long_series():
    """Oracle: a line in log t once more. All pairs of 20,000 values would fill 3 GB."""
    values = 2.0 - 0.3 * np.log(np.arange(1, 20_001))
    assert trend.slope(values, 0.5) == pytest.approx(-0.3)
