"""From recorded rows to runs: names, numbers, rows of one epoch, and several trainings.

Whatever is left out is counted, and told in one warning.
"""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

from keras_decay.curves.data import known_names
from keras_decay.curves.data.numbers import is_nan, is_number, number
from keras_decay.ground import schema

# What stands for no value.
MISSING = frozenset(("", "-", "na", "n/a", "none", "null", "<na>"))
# Numbers of a row that may differ between the rows of one epoch.
_PLACES = (*schema.PLACES, "time", "timestamp", "wall_time")
_MOST_PLACES = 8


class Record(NamedTuple):
    """A row as it was found.

    Attributes:
        place: The number of its line or row, from 1.
        row: A dict.
        section: The number of the header above it.
    """

    place: int
    row: dict
    section: int = 0


class Run(list):
    """The rows of one training.

    Attributes:
        n_runs: How many trainings were recorded together, this being the last.
        where: "the file", or "the record".
    """

    def __init__(self, rows=(), n_runs=1, where="the record"):
        super().__init__(rows)
        self.n_runs, self.where = n_runs, where

    def __str__(self):
        return f"the last of {in_words(self.n_runs)} runs in {self.where}"


class Told:
    """What was left out of a record, by reason and place."""

    def __init__(self, name, unit):
        self._name, self._unit = name, unit
        self._places = {}

    def add(self, reason, place):
        self._places.setdefault(reason, []).append(place)

    def warn(self, stacklevel):
        """One warning of all, if there is anything to tell."""
        if not self._places:
            return
        parts = [
            f"{reason} ({self._listed(sorted(set(places)))})"
            for reason, places in self._places.items()
        ]
        text = "; ".join(parts)
        warnings.warn(f"{self._name}: {text}.", stacklevel=stacklevel + 1)

    def _listed(self, places):
        shown = ", ".join(map(str, places[:_MOST_PLACES]))
        more = len(places) - _MOST_PLACES
        unit = self._unit if len(places) == 1 else f"{self._unit}s"
        return f"{unit} {shown}" + (f" and {more} more" if more > 0 else "")


CELLS = "cells that are no number are left out"
NO_EPOCH = "rows without an epoch are left out"
REPLACED = "rows are replaced by later ones of the same epoch"
NO_LOSS = "rows have no training loss"


def runs(records, told, where="the record", gaps=False):
    """The trainings in `records`, the last one last; at least one, which may be empty.

    Rows of one epoch that follow on one another are one row: training and validation
    may be logged apart. Where the epochs begin again, another training begins; where
    they go back by less, a training was resumed, and what was recorded from that epoch
    on is replaced. Without epochs a training begins below every header.

    Args:
        records: List of `Record`.
        told: `Told`, which takes what is left out.
        where: "the file" or "the record".
        gaps: Whether NaN may stand for a missing value, as in a data frame.
    """
    records = _numbers(_renamed(records), told)
    if any(is_number(one.row.get("epoch")) for one in records):
        found = _by_epoch(records, told, gaps)
    else:
        found = _by_section(records)
    if gaps:
        found = [[(p, _without_gaps(row)) for p, row in run] for run in found]
    for place, row in found[-1]:
        if any("loss" in other for _, other in found[-1]) and "loss" not in row:
            told.add(NO_LOSS, place)
    count = len(found)
    return [Run([row for _, row in run], count, where) for run in found]


def _renamed(records):
    columns = dict.fromkeys(key for one in records for key in one.row)
    names = known_names.renamed(columns)
    if not names:
        return records
    return [
        one._replace(row={names.get(key, key): v for key, v in one.row.items()})
        for one in records
    ]


def _numbers(records, told):
    """Texts as numbers, in the columns that hold numbers."""
    columns = {schema.EPOCH, *schema.LOSSES}
    for one in records:
        columns.update(key for key, value in one.row.items() if is_number(value))
    return [one._replace(row=_with_numbers(one, columns, told)) for one in records]


def _with_numbers(record, columns, told):
    row = {}
    for key, value in record.row.items():
        if key in columns and not is_number(value) and not isinstance(value, Mapping):
            found = number(value)
            if found is not None:
                value = found
            elif isinstance(value, str):
                if value.strip().lower() not in MISSING:
                    told.add(CELLS, record.place)
                continue
            elif value is not None and key in schema.LOSSES:
                told.add(CELLS, record.place)
                continue
        row[key] = value
    return row


def _by_epoch(records, told, gaps):
    found: list[list] = [[]]
    for place, row, _ in records:
        epoch = row.get("epoch")
        if not is_number(epoch) or is_nan(epoch):
            told.add(NO_EPOCH, place)
            continue
        run = found[-1]
        if run and epoch == run[-1][1]["epoch"]:
            before, last = run.pop()
            if _conflict(last, row):
                told.add(REPLACED, before)
            run.append((place, _merged(last, row, gaps)))
            continue
        if run and epoch <= run[0][1]["epoch"]:
            found.append([])
        while run and run[-1][1]["epoch"] >= epoch and run is found[-1]:
            told.add(REPLACED, run.pop()[0])
        found[-1].append((place, row))
    return found


def _by_section(records):
    found: list[list] = [[]]
    section = None
    for place, row, its in records:
        if its != section and found[-1]:
            found.append([])
        section = its
        found[-1].append((place, {"epoch": len(found[-1]), **row}))
    return found


def _conflict(row, other):
    """Whether two rows of an epoch give the loss two values."""
    return any(
        is_number(row.get(name))
        and is_number(other.get(name))
        and not is_nan(row[name])
        and not is_nan(other[name])
        for name in schema.LOSSES
    )


def _merged(row, other, gaps):
    """One row of both; the later one decides."""
    new = {k: v for k, v in other.items() if v is not None or k not in row}
    if gaps:
        new = {k: v for k, v in new.items() if not is_nan(v) or k not in row}
    return {**row, **new}


def _without_gaps(row):
    """A data frame's row without its empty cells, which it writes as NaN.

    A training that has diverged has no finite validation loss either: there all is
    kept.
    """
    has_diverged = any(
        is_nan(row.get(name)) and not _is_finite(row.get(f"val_{name}"))
        for name in (schema.LOSS, schema.DATA_LOSS)
    )
    if has_diverged:
        return row
    return {key: value for key, value in row.items() if not is_nan(value)}


def _is_finite(value):
    return is_number(value) and abs(value) < float("inf")


_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def in_words(count):
    """A small number as a word."""
    return _WORDS[count] if count < len(_WORDS) else str(count)
