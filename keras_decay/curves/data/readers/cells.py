"""Columns of records: their names, texts as numbers, and those that were asked for."""

import re
from collections.abc import Mapping

from keras_decay.curves.data.numbers import is_number, number
from keras_decay.curves.data.readers import names
from keras_decay.curves.data.readers.found import Record, listed
from keras_decay.ground import schema, validation

# What stands for no value.
MISSING = frozenset(("", "-", "na", "n/a", "none", "null", "<na>"))

CELLS = "cells that are no number are left out"
TESTED = "the loss on the test data is taken for the validation loss"

_OF_ALL = re.compile(r"\s*(\d+)\s*/\s*\d+\s*")  # 3/50
_BIGGEST = 2**1000
_FLOAT = frozenset((float,))


def named(log, train, validation_):
    """The parts of a log as lists of `Record`, with our names and with numbers.

    Args:
        log: A `Log`.
        train, validation_: Names of columns, or None.

    Returns:
        A list of lists of `Record`.
    """
    columns, numeric = _columns(log.parts)
    ours = names.renamed(columns)
    asked = {schema.LOSS: train, schema.VAL_LOSS: validation_}
    asked = {name: column for name, column in asked.items() if column is not None}
    for argument, column in (("train", train), ("validation", validation_)):
        if column is not None and column not in columns:
            must = f"a column of {log.told.name}: {listed(columns)}"
            raise ValueError(validation.received(argument, column, must))
    if asked:
        ours = {k: v for k, v in ours.items() if v not in asked}
        gone = {*asked, schema.DATA_LOSS, schema.VAL_DATA_LOSS} - set(asked.values())
        ours.update(dict.fromkeys(gone & set(columns)))
        ours.update({column: name for name, column in asked.items()})
    elif any(names.is_tested(name) and ours.get(name) for name in columns):
        log.told.add(TESTED)
    table = {column: ours.get(column, column) for column in columns}
    numeric = {table[name] for name in numeric} | {schema.EPOCH, *schema.LOSSES}
    is_same = all(name == ours for name, ours in table.items())
    return [
        [
            one
            if is_same and _FLOAT.issuperset(map(type, one.row.values()))
            else Record(one.place, _row(one, table, numeric, log.told), one.section)
            for one in records
        ]
        for records in log.parts
    ]


def _columns(parts):
    """All names in their order, and the names of columns that hold a number."""
    columns: dict[str, None] = {}
    numeric: set[str] = set()
    for records in parts:
        for one in records:
            if one.row.keys() <= numeric:
                continue
            for key, value in one.row.items():
                if key not in numeric:
                    columns[key] = None
                    if is_number(value):
                        numeric.add(key)
    return list(columns), numeric


def _row(record, table, numeric, told):
    row = record.row
    if _FLOAT.issuperset(map(type, row.values())):
        row = dict(zip(map(table.__getitem__, row), row.values(), strict=True))
        row.pop(None, None)
        return row
    row = {}
    for key, value in record.row.items():
        name = table[key]
        if name is None:
            continue
        kind = type(value)
        if kind is float or (kind is int and -_BIGGEST < value < _BIGGEST):
            row[name] = value
        elif name in numeric and not isinstance(value, Mapping):
            value, is_value = _as_number(name, value, record.place, told)
            if is_value:
                row[name] = value
        else:
            row[name] = value
    return row


def _as_number(name, value, place, told):
    """A value of a column of numbers, and whether it stays in the row."""
    found = value if is_number(value) and type(value) is not int else number(value)
    if found is None and name == schema.EPOCH and isinstance(value, str):
        part = _OF_ALL.fullmatch(value)
        found = float(part[1]) if part else None
    if found is not None:
        return found, True
    if isinstance(value, str):
        if value.strip().lower() not in MISSING:
            told.add(CELLS, place)
        return None, False
    if value is not None and (name in schema.LOSSES or type(value) is int):
        told.add(CELLS, place)
        return None, False
    return value, True
