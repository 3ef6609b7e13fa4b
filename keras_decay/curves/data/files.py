"""A curve from a file, whoever wrote it: JSON lines, a table of CSV, a dict in JSON."""

import csv
import json
import os
from pathlib import Path

from keras_decay.curves.data import known_names
from keras_decay.curves.data.numbers import number
from keras_decay.curves.data.runs import MISSING, Record, Told
from keras_decay.ground import schema

_SEPARATORS = ",;\t|"
UNREADABLE = "unreadable lines are left out"
TORN = "the torn last line is left out"


def read(path):
    """What the file holds.

    Args:
        path: Path of a file of `LearningCurve`, of one written by `keras.callbacks.
            CSVLogger`, by another logger as a table with a header, or as CSV by pandas;
            or of `history.history` dumped as JSON.

    Returns:
        A list of `Record`, or a dict of lists; and the `Told` of what was left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of these.
    """
    path = Path(os.fspath(path)).expanduser()
    told = Told(repr(str(path)), "line")
    try:
        text = _decoded(path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no learning curve at {str(path)!r}: no such file."
        ) from None
    if text.lstrip("\0 \t\r\n")[:1] not in ("{", "["):
        return _table(path, text, told), told
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and _is_lists(whole):
        return whole, told
    if isinstance(whole, list) and all(isinstance(row, dict) for row in whole):
        told = Told(repr(str(path)), "row")
        return [Record(place, row) for place, row in enumerate(whole, 1)], told
    return _json_lines(path, text, told), told


def _decoded(content):
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def _is_lists(columns):
    return bool(columns) and all(isinstance(one, list) for one in columns.values())


def _json_lines(path, text, told):
    """The rows of JSON lines; a line that is none is left out and told."""
    lines = [line.strip("\0 \t\r") for line in text.split("\n")]
    numbers = [number for number, line in enumerate(lines, 1) if line]
    records, unreadable = [], []
    for place in numbers:
        row = _json_row(lines[place - 1])
        if row is None:
            unreadable.append(place)
        else:
            records.append(Record(place, row))
    if not records and _is_torn_row(lines, numbers):
        told.add(TORN, 1)
        return []
    if not _is_curve(records) or len(unreadable) > len(records):
        place = (unreadable or numbers)[0]
        raise ValueError(
            f"Line {place} of {str(path)!r} is no row of a learning curve: a JSON "
            f"object with a loss was expected, found {lines[place - 1][:40]!r}. Is it "
            "another file?"
        )
    for place in unreadable:
        told.add(TORN if place == numbers[-1] else UNREADABLE, place)
    return records


def _json_row(line):
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _is_torn_row(lines, numbers):
    """Whether this is all that a crash has left of the first row of our own."""
    start = '{"epoch": '
    first = lines[numbers[0] - 1] if len(numbers) == 1 else ""
    return bool(first) and start.startswith(first[: len(start)])


def _is_curve(records):
    return any(
        key in schema.LOSSES or key == schema.EPOCH or known_names.canonical(key)
        for one in records
        for key in one.row
    )


def _table(path, text, told):
    """The rows of a table with a header; what is no row of it is left out and told."""
    lines = text.replace("\0", "").splitlines()
    while lines and _is_before_the_header(lines[0]):
        del lines[0]
    start = len(text.replace("\0", "").splitlines()) - len(lines)
    header = lines[0] if lines else ""
    separator = max(_SEPARATORS, key=header.count)
    # CSVLogger puts the epoch first, and its separator may be anything.
    if header.startswith("epoch") and header[5:6] and not header[5].isidentifier():
        separator = header[5] if header[5] != " " else separator
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    names, section, records, unreadable = None, 0, [], []
    last = 0
    for record in reader:
        place, cells = reader.line_num + start, [cell.strip() for cell in record]
        if not any(cells):
            continue
        last = place
        if _is_header(cells):
            names, section = cells, section + 1
        elif names is None:
            break
        elif not _fits(cells, names):
            unreadable.append((place, len(cells), len(names)))
        else:
            row = {n: _value(cell) for n, cell in zip(names, cells, strict=False) if n}
            row = {name: value for name, value in row.items() if value is not None}
            records.append(Record(place, row, section))
    if names is None:
        raise ValueError(
            f"{str(path)!r} is no learning curve: JSON lines or a table with a column "
            f"'loss' was expected, found {header[:200]!r}. Is it another file?"
        )
    is_torn = bool(unreadable) and unreadable[-1][0] == last and _is_short(unreadable)
    if len(unreadable) - is_torn > len(records):
        place, found, wanted = unreadable[0]
        raise ValueError(
            f"Line {place} of {str(path)!r} has {found} fields, and the header has "
            f"{wanted}."
        )
    for place, _, _ in unreadable:
        told.add(TORN if is_torn and place == last else UNREADABLE, place)
    return records


def _is_before_the_header(line):
    """Whether this line is empty, a comment, or a spreadsheet's `sep=;`."""
    line = line.strip("\ufeff \t")
    return not line or line.startswith(("#", "sep="))


def _is_header(cells):
    """Whether these are names, a loss among them."""
    if any(number(cell) is not None for cell in cells):
        return False
    losses = {*schema.LOSSES}
    return any({cell, known_names.canonical(cell)} & losses for cell in cells)


def _fits(cells, names):
    """Whether there is a cell for every name; empty ones may follow."""
    return len(cells) >= len(names) and not any(cells[len(names) :])


def _is_short(unreadable):
    """Whether the last of these lines ends before its time."""
    _, found, wanted = unreadable[-1]
    return found < wanted


def _value(cell):
    """A cell as a number; None for what is missing, and text as it is."""
    found = number(cell)
    if found is not None:
        return found
    return None if cell.lower() in MISSING else cell
