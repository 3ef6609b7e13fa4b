"""Curves in files that others wrote."""

import json
import math

import keras
import numpy as np
import pytest

from keras_decay.curves import diagnose, plot_curves
from keras_decay.curves.data import rows as _rows
from keras_decay.curves.data.columns import as_rows

ROWS = [
    {"epoch": 0, "loss": 1.0, "val_loss": 2.0},
    {"epoch": 1, "loss": 0.5, "val_loss": 1.5},
]


def jsonl(path):
    for row in ROWS:
        _rows.append(path, row)


def lists(path):
    columns = {"loss": [1.0, 0.5], "val_loss": [2.0, 1.5]}
    path.write_text(json.dumps(columns, indent=1))


def rows(path):
    path.write_text(json.dumps(ROWS))


def table(path, separator=",", **settings):
    import pandas

    pandas.DataFrame(ROWS).to_csv(path, sep=separator, **settings)


@pytest.mark.parametrize(
    "write",
    [
        jsonl,
        lists,
        rows,
        *(
            pytest.param(write, marks=pytest.mark.needs("pandas"))
            for write in (
                table,
                lambda path: table(path, "\t", index=False),
                lambda path: table(path, "~", index=False),
                lambda path: table(path, index=False, encoding="utf-8-sig"),
            )
        ),
    ],
    ids=["jsonl", "lists", "rows", "csv", "tsv", "tilde", "with a mark"],
)
@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_every_file_gives_the_rows(tmp_path, write, kind):
    path = tmp_path / "run.any"
    write(path)
    assert as_rows(kind(path)) == ROWS


def test_csv_logger(tmp_path):
    """Oracle: the History of the same training, of which the file holds all digits."""
    x = np.random.default_rng(0).normal(size=(30, 2))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    path = tmp_path / "run.csv"
    callbacks = [keras.callbacks.CSVLogger(path)]
    settings = {"epochs": 6, "validation_split": 0.5, "verbose": 0}
    history = model.fit(x, x[:, :1], callbacks=callbacks, **settings)
    expected = as_rows(history)
    found = as_rows(path)
    assert len(found) == 6
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-6)
    assert str(diagnose(path)) == str(diagnose(history))
    assert len(plot_curves({"run": path}).lines) >= 2


def test_missing_cells_and_infinite_ones(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text('epoch,loss,val_loss\n0,1.0,NA\n1,nan,2.0\n2,inf,"[1, 2]"\n')
    with pytest.warns(UserWarning, match=r"no number are left out \(line 4\)"):
        first, second, third = as_rows(path)
    assert first == {"epoch": 0, "loss": 1}
    assert math.isnan(second["loss"]) and second["val_loss"] == 2
    assert third == {"epoch": 2, "loss": math.inf}


def test_epochs_done_over_again_replace_the_old_ones(tmp_path):
    """CSVLogger(append=True) after a crash in epoch 3, resumed from epoch 1."""
    path = tmp_path / "run.csv"
    lines = ["epoch,loss", "0,1", "1,2", "2,3", "1,4", "2,5", "3,6"]
    path.write_text("\n".join(lines) + "\n")
    with pytest.warns(UserWarning, match=r"replaced .* \(lines 3, 4\)"):
        rows = as_rows(path)
    assert [row["loss"] for row in rows] == [1, 4, 5, 6]


@pytest.mark.parametrize("cut", [4, 5, 6, 7])
def test_a_torn_last_line_is_dropped_and_told(tmp_path, cut):
    """A line with fewer cells than the header was not written to its end."""
    path = tmp_path / "run.csv"
    path.write_text("epoch,loss,val_loss\n0,1,2\n1,12,34\n"[:-cut])
    with pytest.warns(UserWarning, match=r"torn last line is left out \(line 3\)"):
        rows = as_rows(path)
    assert rows == [{"epoch": 0, "loss": 1, "val_loss": 2}]


def test_a_last_line_without_a_line_feed_counts(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("epoch,loss,val_loss\n0,1,2\n1,12,34")
    assert as_rows(path)[-1] == {"epoch": 1, "loss": 12, "val_loss": 34}
    path.write_text('{"epoch": 0, "loss": 1}\n{"epoch": 1, "loss": 12}')
    assert as_rows(path)[-1] == {"epoch": 1, "loss": 12}


def test_a_torn_last_row_of_json_is_dropped_and_told(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"epoch": 0, "loss": 1}\n{"epoch": 1, "lo')
    with pytest.warns(UserWarning, match=r"torn last line is left out \(line 2\)"):
        assert as_rows(path) == [{"epoch": 0, "loss": 1}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it is empty"),
        ("a,b\n1,2\n", "Columns found: 'a', 'b'. Name the columns"),
        ("epoch,loss\n0,1,2\n1,2,3\n2,1\n", "line 2 has 3 fields, .* 'epoch', 'loss'"),
        ('{"a": 1}\n', "Columns found: 'a'"),
        ("\x89PNG\r\n", "no column is known"),
    ],
)
def test_another_file_is_refused(tmp_path, content, message):
    path = tmp_path / "run.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        diagnose(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        diagnose(tmp_path / "none.csv")
