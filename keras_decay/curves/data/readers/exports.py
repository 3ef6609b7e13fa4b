"""Scalars that were downloaded from TensorBoard, as CSV or JSON: one tag a file.

The name of the file, `run-train-tag-epoch_loss.csv`, tells the run and the tag.
"""

import re

from keras_decay.curves.data.numbers import is_number
from keras_decay.curves.data.readers import found, longs
from keras_decay.curves.data.readers.found import Log, Record
from keras_decay.curves.data.readers.names import mark_of
from keras_decay.ground import schema

_HEADER = ("wall time", "step", "value")
_NAME = re.compile(r"run-(?P<run>.*?)-tag-(?P<tag>.+)", re.S)


def tag_of(stem):
    """The name of the values in a file of this name, as `train/loss`."""
    whole = _NAME.fullmatch(stem)
    if whole is None:
        return stem
    tag = whole["tag"].removeprefix("epoch_")
    words = [word for word in re.split(r"[^A-Za-z]+", whole["run"]) if word]
    mark = next((m for word in reversed(words) if (m := mark_of(word))), "")
    return f"{mark}{tag}"


def is_name(path):
    """Whether a file that TensorBoard has written for a download has such a name."""
    is_kind = path.suffix.lower() in (".csv", ".json")
    return is_kind and _NAME.fullmatch(path.stem) is not None


def is_table(names):
    """Whether these are the names of a table of TensorBoard."""
    return tuple(name.lower() for name in names) == _HEADER


def is_series(value):
    """Whether this is decoded JSON of TensorBoard: triples of time, step and value."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, list) and len(row) == 3 for row in value)
    )


def of_table(records, names, tag, told):
    """The `Log` of a table of TensorBoard, with the values under their tag."""
    _, step, value = names
    rows = [
        one._replace(row={schema.STEP: one.row.get(step), tag: one.row.get(value)})
        for one in records
    ]
    return Log([rows], told, "the file", by_step=True)


def of_series(triples, tag, told):
    """The `Log` of decoded JSON of TensorBoard."""
    if not tag:
        raise found.no_curve(told.name, "it does not say what its values are")
    records = [
        Record(place, {schema.STEP: step, tag: value})
        for place, (_, step, value) in enumerate(triples, 1)
    ]
    return Log([records], told, "the file", by_step=True)


def joined(logs, told, where):
    """One `Log` of several of a single tag each, from the downloads of one training."""
    series: dict = {}
    for log in logs:
        for one in log.parts[0]:
            step = one.row.get(schema.STEP)
            for tag, value in one.row.items():
                if tag != schema.STEP and is_number(step) and is_number(value):
                    series.setdefault(tag, []).append((step, value))
    return Log([longs.table(series)], told, where, by_step=True)
