"""Rows as a data frame, with pandas and without it."""

import sys

import pytest

from keras_decay.ground.frames import data_frame

ROWS = [{"epoch": 0, "loss": 0.5}, {"epoch": 1, "val_loss": 0.25}]


@pytest.mark.needs("pandas")
def test_columns_are_those_of_all_rows():
    frame = data_frame(ROWS)
    assert list(frame.columns) == ["epoch", "loss", "val_loss"]
    assert frame["loss"].isna().tolist() == [False, True]
    assert frame["val_loss"].tolist()[1] == 0.25


@pytest.mark.needs("pandas")
def test_columns_may_be_chosen_and_ordered():
    frame = data_frame(ROWS, ["val_loss", "epoch"])
    assert list(frame.columns) == ["val_loss", "epoch"]
    assert list(data_frame([], ["epoch"]).columns) == ["epoch"]


def test_without_pandas_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"needs pandas.*pip install pandas"):
        data_frame(ROWS)
