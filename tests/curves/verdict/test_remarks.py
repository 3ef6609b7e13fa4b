"""What is said besides the verdict, and any metric in either direction."""

import numpy as np
import pytest

from keras_decay.curves import diagnose

FALLING = np.geomspace(1, 0.05, 20)
FLAT = 0.4 + 0.6 * np.exp(-np.arange(20.0))
TURNED = [1, 0.6, 0.5, *np.linspace(0.5, 1.2, 17)]


def lists(train, val, **more):
    columns = {"loss": train, "val_loss": val, **more}
    return {name: list(map(float, values)) for name, values in columns.items()}


def test_a_large_gap_is_said_and_changes_no_verdict():
    """Oracle: 0.4 against 0.05, smoothed over the last two epochs."""
    found = diagnose(lists(FALLING, FLAT))
    assert found.verdict == "good fit"
    assert "gap is large: validation loss is 7.4 times training loss" in str(found)
    near = diagnose(lists(FLAT - 0.05, FLAT))
    assert near.verdict == "good fit"
    assert "large" not in str(near)
    assert near.gap == pytest.approx(0.05)


@pytest.mark.parametrize("name", ["val_accuracy", "val_acc", "val_top_5"])
def test_overconfidence(name):
    rising = np.linspace(0.5, 0.8, 20)
    found = diagnose(lists(FALLING, TURNED, **{name: rising}))
    assert found.verdict == "overfitting"
    assert f"{name} rose from" in str(found)
    assert "overconfident" in str(found)
    falling = diagnose(lists(FALLING, TURNED, **{name: rising[::-1]}))
    assert falling.verdict == "overfitting"
    assert "overconfident" not in str(falling)


def test_a_metric_that_should_be_high():
    """Oracle: the verdict on 1 less the metric, told in its own words."""
    train = 1 - 0.5 * FALLING
    val = 1 - 0.4 * np.array(TURNED)
    curve = {"accuracy": train.tolist(), "val_accuracy": val.tolist()}
    found = diagnose(curve, metric="accuracy", mode="max")
    assert found.verdict == "overfitting"
    assert "validation accuracy has fallen" in str(found)
    assert "below its best while training accuracy rose" in str(found)
    assert found.column == "accuracy"
    assert found.best_val == pytest.approx(0.8, abs=0.02)
    assert found.final_val < found.best_val
    assert found.gap < 0
    assert diagnose(curve, metric="accuracy").verdict != "overfitting"


def test_a_forecast_of_a_share_stays_below_1():
    val = 1 - np.geomspace(0.5, 0.01, 40)
    found = diagnose(
        {"auc": val.tolist(), "val_auc": val.tolist()}, metric="auc", mode="max"
    )
    if found.verdict == "improving":
        told = float(str(found).split("would bring ")[1].split(" %")[0])
        assert found.final_val * (1 + told / 100) <= 1


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"metric": ""}, TypeError),
        ({"metric": 3}, TypeError),
        ({"mode": "auto"}, ValueError),
        ({"n_validation": 0}, ValueError),
        ({"n_validation": True}, ValueError),
        ({"n_validation": 1.5}, ValueError),
    ],
    ids=str,
)
def test_bad_arguments(given, error):
    with pytest.raises(error, match=next(iter(given))):
        diagnose(lists(FALLING, FLAT), **given)


def test_a_metric_that_is_not_there_is_named():
    found = diagnose(lists(FALLING, FLAT), metric="mae")
    assert found.verdict == "inconclusive"
    assert "no validation mae is known among 'loss', 'val_loss'" in str(found)


@pytest.mark.parametrize("name", ["penalty", "regularization_loss", "reg_loss", "l2"])
def test_a_penalised_loss_is_said_to_be_one(name):
    plain, told = lists(FALLING, FLAT), "this loss holds a penalty"
    assert told in str(diagnose(plain | {name: [0.1] * 20}))
    apart = {"data_loss": plain["loss"], "val_data_loss": plain["val_loss"]}
    assert told not in str(diagnose(plain | {name: [0.1] * 20} | apart))
    assert told not in str(diagnose(plain | {"level": [0.1] * 20}))


def test_few_rows_hide_a_rise():
    """20 rows may differ from others by more than a rise of a fifth."""
    val = list(np.linspace(1, 1.2, 9))
    curve = lists(np.geomspace(1, 0.1, 9), val)
    assert diagnose(curve, n_validation=20_000).verdict == "overfitting"
    found = diagnose(curve, n_validation=20)
    assert found.verdict == "inconclusive"
    assert "20 validation rows" in str(found)


def test_confidence():
    sure, healthy = diagnose(lists(FALLING, TURNED)), diagnose(lists(FLAT, FLAT))
    assert sure.confidence > 0.9
    assert healthy.confidence > 0.9
    assert "not sure" not in str(sure) + str(healthy)
    assert diagnose({"loss": [1.0, 0.5, 0.4]}).confidence is None
    assert diagnose(lists([1, np.nan], [1, np.nan])).confidence is None


def test_a_doubtful_verdict_is_modest():
    for end in np.linspace(0.41, 0.6, 20):
        val = FLAT + np.linspace(0, end - 0.4, 20)
        found = diagnose(lists(FALLING, val))
        if found.verdict != "inconclusive":
            assert ("not sure" in str(found)) == (found.confidence < 0.8)
