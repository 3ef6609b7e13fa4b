"""Every record of a training becomes the same rows."""

import keras
import numpy as np
import pytest

from keras_decay.callbacks import LearningCurve
from keras_decay.curves.data import columns

ROWS = [
    {"epoch": 0, "loss": 1.0, "val_loss": 2.0},
    {"epoch": 1, "loss": 0.5, "val_loss": 1.5},
]


def history():
    record = keras.callbacks.History()
    record.epoch = [0, 1]
    record.history = {"loss": [1.0, 0.5], "val_loss": [2.0, 1.5]}
    return record


def curve():
    record = LearningCurve()
    record.rows = ROWS
    return record


def frame():
    import pandas

    return pandas.DataFrame(ROWS)


@pytest.mark.parametrize(
    "source",
    [
        lambda: ROWS,
        lambda: tuple(ROWS),
        lambda: {"loss": [1.0, 0.5], "val_loss": np.array([2.0, 1.5])},
        history,
        curve,
        pytest.param(frame, marks=pytest.mark.needs("pandas")),
    ],
    ids=["rows", "tuple", "lists", "history", "curve", "frame"],
)
def test_every_source_gives_the_rows(source):
    assert columns.as_rows(source()) == ROWS


@pytest.mark.parametrize("source", [None, 3, b"run.jsonl", [1, 2], [None], {1, 2}])
def test_what_is_no_curve_is_refused(source):
    with pytest.raises(TypeError, match="`source` must be"):
        columns.as_rows(source)


def test_an_epoch_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="`epoch`"):
        columns.as_rows([{"epoch": "first"}])


@pytest.mark.parametrize("epochs", [4, 5, 9])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_validation_at_every_kth_epoch(epochs, every):
    """Oracle: what Keras does with `validation_freq`, for at least two validations."""
    when = [e for e in range(epochs) if (e + 1) % every == 0]
    if len(when) < 2:
        pytest.skip("One validation could have been anywhere")
    lists = {"loss": list(range(epochs)), "val_loss": when}
    if epochs // len(when) != every:
        pytest.skip("Two frequencies give as many validations")
    series = columns.series(columns.as_rows(lists), "val_loss")
    assert list(series.epochs) == when


@pytest.mark.needs("pandas")
def test_empty_cells_of_a_frame_are_not_recorded_values():
    import pandas

    table = pandas.DataFrame([{"loss": 1.0, "val_loss": 1.0}, {"loss": 0.5}])
    assert "val_loss" not in columns.as_rows(table)[1]
    table.loc[1, "loss"] = np.nan
    assert np.isnan(columns.as_rows(table)[1]["loss"])


def test_the_loss_without_penalty_comes_first():
    both = {"data_loss": [1.0], "val_data_loss": [1.0], "loss": [2.0], "val_loss": [2]}
    rows = columns.as_rows(both)
    assert columns.loss_columns(rows) == "data_loss"
    silent = columns.as_rows({**both, "data_loss": [None], "val_data_loss": [None]})
    assert columns.loss_columns(silent) == "loss"
    assert columns.metrics(rows) == ["data_loss", "loss"]
