"""Any record of a training as rows, and any quantity in rows as a series.

Rows are the common form: one dict per epoch. Keras' `History`, a dict of lists, a data
frame and the files of `LearningCurve` and `CSVLogger` are turned into rows.
"""

import math
import os
from collections.abc import Mapping
from numbers import Real
from typing import NamedTuple

import numpy as np

from keras_decay import _validation
from keras_decay.curves import _files


class Series(NamedTuple):
    """One quantity against the epoch, where it was recorded; NaN if it was NaN."""

    epochs: np.ndarray
    values: np.ndarray

    def __len__(self):
        return len(self.values)


def as_rows(source, name="rows_or_history"):
    """`source` as a list of rows.

    Args:
        source: A list of dicts, a dict of lists, a Keras `History`, a data frame,
            anything with `rows`, as a `LearningCurve` has, or the path of a file: JSON
            lines as `LearningCurve` writes them, a table of `CSVLogger` or of pandas,
            or `history.history` as JSON.
        name: Name of the argument, for the error.

    Returns:
        A list of dicts, each with the key `epoch`.

    Raises:
        TypeError: If `source` is none of these, or an epoch is no number.
        FileNotFoundError: If there is no file at that path.
        ValueError: If the file is no learning curve.
    """
    original = source
    if isinstance(source, (str, os.PathLike)):
        source = _files.read(source)
    if hasattr(source, "rows"):
        source = source.rows
    elif hasattr(source, "history") and isinstance(source.history, Mapping):
        source = _from_columns(source.history, getattr(source, "epoch", None))
    elif hasattr(source, "to_dict") and hasattr(source, "columns"):
        source = [_without_empty_cells(row) for row in source.to_dict("records")]
    elif isinstance(source, Mapping):
        source = _from_columns(source, source.get("epoch"))
    if not isinstance(source, (list, tuple)) or not all(
        isinstance(row, Mapping) for row in source
    ):
        must = (
            "a LearningCurve, a Keras History, a list of dicts with one dict per "
            "epoch, a dict of lists, a data frame, or the path of a file of these"
        )
        raise TypeError(_validation.received(name, original, must))
    rows = [
        row if "epoch" in row else {"epoch": epoch, **row}
        for epoch, row in enumerate(source)
    ]
    for row in rows:
        if not is_number(row["epoch"]):
            raise TypeError(_validation.received("epoch", row["epoch"], "a number"))
    return rows


def series(rows, column):
    """The numbers in `column`, with their epochs; rows without one are left out."""
    pairs = [
        (float(row["epoch"]), float(row[column]))
        for row in rows
        if is_number(row.get(column))
    ]
    epochs, values = zip(*pairs, strict=True) if pairs else ((), ())
    return Series(np.array(epochs, dtype=float), np.array(values, dtype=float))


def metrics(rows):
    """The names that can be drawn: every numeric column, `val_` left away."""
    names: dict[str, None] = {}
    for row in rows:
        for key, value in row.items():
            if key not in ("epoch", "step") and is_number(value):
                names[key.removeprefix("val_")] = None
    return sorted(names)


def loss_columns(rows):
    """The column that the loss is judged by: apart from the penalty, if recorded."""
    for column in ("data_loss", "loss"):
        if len(series(rows, column)) and len(series(rows, f"val_{column}")):
            return column
    return "data_loss" if len(series(rows, "data_loss")) else "loss"


def is_number(value):
    """Whether this can be a value of a curve; booleans and texts cannot."""
    return isinstance(value, (Real, np.floating, np.integer)) and not isinstance(
        value, (bool, np.bool_)
    )


def _without_empty_cells(row):
    """A data frame's row without its empty cells, which it writes as NaN.

    Where the training loss itself is NaN, training has diverged and all is kept.
    """
    for column in ("loss", "data_loss"):
        if is_number(row.get(column)) and math.isnan(row[column]):
            return row
    return {
        key: value
        for key, value in row.items()
        if not (is_number(value) and math.isnan(value))
    }


def _from_columns(columns, epochs):
    """A dict of lists as rows.

    With `validation_freq=k` Keras' lists of validation are k times as short, and it
    does not say which epochs they belong to: it is every k-th.
    """
    lists = {key: list(values) for key, values in columns.items()}
    count = max(map(len, lists.values()), default=0)
    if epochs is None or len(epochs) != count:
        epochs = range(count)
    rows = [{"epoch": epoch} for epoch in epochs]
    for key, values in lists.items():
        if key == "epoch" or not values:
            continue
        every = count // len(values)
        for index, value in enumerate(values, start=1):
            rows[index * every - 1][key] = value
    return rows
