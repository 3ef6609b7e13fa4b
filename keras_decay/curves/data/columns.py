"""Any record of a training as rows, and any quantity in rows as a series.

Rows are the common form: one dict per epoch. Keras' `History`, a dict of lists, a data
frame and the files of `LearningCurve` and `CSVLogger` are turned into rows.
"""

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from keras_decay.curves.data import files, runs
from keras_decay.curves.data.numbers import is_number, number
from keras_decay.ground import schema, validation


class Series(NamedTuple):
    """One quantity against the epoch, where it was recorded; NaN if it was NaN."""

    epochs: np.ndarray
    values: np.ndarray

    def __len__(self):
        return len(self.values)


def as_rows(source, name="rows_or_history"):
    """`source` as a list of rows; of several trainings the last, with a warning.

    Args:
        source: A list of dicts, a dict of lists, a Keras `History`, a data frame,
            anything with `rows`, as a `LearningCurve` has, or the path of a file: JSON
            lines as `LearningCurve` writes them, a table of `CSVLogger` or of pandas,
            or `history.history` as JSON.
        name: Name of the argument, for the error.

    Returns:
        A `Run`, a list of dicts, each with the key `epoch`.

    Raises:
        TypeError: If `source` is none of these, or an epoch is no number.
        FileNotFoundError: If there is no file at that path.
        ValueError: If the file is no learning curve.
    """
    run = as_run(source, name)
    if run.n_runs > 1 and run is not source:
        warnings.warn(f"This is {run}.", stacklevel=3)
    return run


def as_run(source, name="rows_or_history"):
    """`source` as the `Run` that is judged: the last one. See `as_rows`."""
    original, where = source, "the record"
    if hasattr(source, "rows"):
        source = source.rows
        if isinstance(source, list) and all(_has_epoch(row) for row in source):
            return source if isinstance(source, runs.Run) else runs.Run(source)
    if isinstance(source, runs.Run):
        return source
    told = runs.Told(f"`{name}`", "row")
    if isinstance(source, (str, os.PathLike)):
        source, told = files.read(source)
        where = "the file"
    is_frame = hasattr(source, "to_dict") and hasattr(source, "columns")
    if is_frame:
        source = source.to_dict("records")
    elif hasattr(source, "history") and isinstance(source.history, Mapping):
        source = _from_columns(source.history, getattr(source, "epoch", None), name)
    elif isinstance(source, Mapping):
        source = _from_columns(source, source.get("epoch"), name)
    if not isinstance(source, (list, tuple)) or not all(
        isinstance(row, (Mapping, runs.Record)) for row in source
    ):
        must = (
            "a LearningCurve, a Keras History, a list of dicts with one dict per "
            "epoch, a dict of lists, a data frame, or the path of a file of these"
        )
        raise TypeError(validation.received(name, original, must))
    records = [
        row if isinstance(row, runs.Record) else runs.Record(place, row)
        for place, row in enumerate(source, 1)
    ]
    for record in records:
        epoch = record.row.get("epoch", 0)
        if where != "the file" and not is_number(number(epoch)):
            raise TypeError(validation.received("epoch", epoch, "a number"))
    found = runs.runs(records, told, where, gaps=is_frame)
    told.warn(stacklevel=4)
    return found[-1]


def _has_epoch(row):
    return isinstance(row, Mapping) and is_number(row.get("epoch"))


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
            if key not in schema.PLACES and is_number(value):
                names[key.removeprefix(schema.VALIDATION)] = None
    return sorted(names)


def names(rows):
    """The names of all columns but the epoch's, in their order."""
    columns = dict.fromkeys(key for row in rows for key in row)
    return [name for name in columns if name != "epoch"]


def loss_columns(rows):
    """The column that the loss is judged by: apart from the penalty, if recorded."""
    for column in (schema.DATA_LOSS, schema.LOSS):
        validated = schema.VALIDATION + column
        if len(series(rows, column)) and len(series(rows, validated)):
            return column
    has_data_loss = len(series(rows, schema.DATA_LOSS))
    return schema.DATA_LOSS if has_data_loss else schema.LOSS


def _from_columns(columns, epochs, name):
    """A dict of lists as rows.

    With `validation_freq=k` Keras' lists of validation are k times as short, and it
    does not say which epochs they belong to: it is every k-th.
    """
    lists = {}
    for key, values in columns.items():
        is_other = isinstance(values, (str, bytes, Mapping))
        if is_other or not isinstance(values, Iterable):
            must = "a dict of lists, with one value for every epoch"
            raise TypeError(validation.received(f"{name}[{key!r}]", values, must))
        lists[key] = list(values)
    count = max(map(len, lists.values()), default=0)
    if epochs is None or len(epochs) != count:
        epochs = range(count)
    rows = [{"epoch": epoch} for epoch in epochs]
    for key, values in lists.items():
        if key == "epoch" or not values:
            continue
        every = count // len(values)
        if count // every != len(values):
            warnings.warn(
                f"`{name}`: {key!r} has {len(values)} values for {count} epochs. They "
                "are taken for those of the first epochs"
                + (f", one in {every}." if every > 1 else "."),
                stacklevel=4,
            )
        for index, value in enumerate(values, start=1):
            rows[index * every - 1][key] = value
    return rows
