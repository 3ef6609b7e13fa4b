"""Records in memory: a History, a dict of lists, a list of rows, a data frame."""

import os
from collections.abc import Iterable, Mapping

from keras_decay.curves.data.numbers import is_number, number
from keras_decay.curves.data.readers import huggingface, jsons, paths
from keras_decay.curves.data.readers.found import Log, Record, Told
from keras_decay.ground import schema, validation

_MUST = (
    "a LearningCurve, a Keras History, a list of dicts with one dict per epoch, a dict "
    "of lists, a data frame, or the path of a file or folder of these"
)


def log(source, name):
    """The `Log` of any source.

    Args:
        source: See `read_curves`.
        name: Name of the argument, for errors.

    Raises:
        TypeError: If `source` is of no kind that is known, or an epoch is no number.
    """
    if isinstance(source, (str, os.PathLike)):
        return paths.log(source)
    told = Told(f"`{name}`", "row")
    if hasattr(source, "to_dict") and hasattr(source, "columns"):
        found = jsons.of_rows(source.to_dict("records"), told, "the record")
        found.gaps = True
        return found
    history = getattr(source, "history", None)
    if isinstance(history, Mapping):
        epochs = getattr(source, "epoch", None)
        return jsons.of_columns(_lists(history, name), told, epochs, "the record")
    # Hugging Face's trainer.state
    rows = getattr(source, huggingface.STATE, None)
    if isinstance(rows, list):
        return huggingface.log({huggingface.STATE: rows}, told)
    if isinstance(source, Mapping):
        if isinstance(source.get(huggingface.STATE), list):
            return huggingface.log(source, told)
        flat = jsons.flat(dict(source)) if _is_nested(source) else None
        columns = _lists(source if flat is None else flat, name)
        return jsons.of_columns(columns, told, where="the record")
    if isinstance(source, (list, tuple)) and source and all(map(_is_path, source)):
        return paths.logs(source)
    is_rows = isinstance(source, (list, tuple)) and all(
        isinstance(row, Mapping) for row in source
    )
    if not is_rows:
        raise TypeError(validation.received(name, source, _MUST))
    _check_epochs(source)
    if source and all(isinstance(row, dict) for row in source):
        return jsons.of_rows(list(source), told, "the record")
    return Log([[Record(i, dict(r)) for i, r in enumerate(source, 1)]], told)


def _is_path(value):
    return isinstance(value, (str, os.PathLike))


def _is_nested(source):
    return any(isinstance(value, Mapping) for value in source.values())


def _lists(columns, name):
    lists = {}
    for key, values in columns.items():
        is_other = isinstance(values, (str, bytes, Mapping))
        if is_other or not isinstance(values, Iterable):
            must = "a dict of lists, with one value for every epoch"
            raise TypeError(validation.received(f"{name}[{key!r}]", values, must))
        lists[key] = list(values)
    return lists


def _check_epochs(rows):
    for row in rows:
        epoch = row.get(schema.EPOCH, 0)
        if epoch is not None and not is_number(number(epoch)):
            raise TypeError(validation.received("epoch", epoch, "a number"))
