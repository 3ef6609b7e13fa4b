"""JSON: a dict of lists, a list of rows, JSON lines, and what other tools write.

A file of ours is JSON lines; `history.history` is a dict of lists.
"""

import json

from keras_decay.curves.data.numbers import is_number, number
from keras_decay.curves.data.readers import exports, found, huggingface, longs
from keras_decay.curves.data.readers.found import Log, Record, Told
from keras_decay.curves.data.readers.names import meaning

_NOTHING = "\0 \t\r"
# How a row that we write begins.
_START = '{"epoch": '
_DEEPEST = 4
_DECODER = json.JSONDecoder()


def is_json(text):
    """Whether this can only be JSON."""
    return text.lstrip("\0 \t\r\n\ufeff")[:1] in ("{", "[")


def log(name, text, tag):
    """The `Log` of a text of JSON.

    Args:
        name: Name of the file, for messages.
        text: The text.
        tag: Name of the values, for a file that holds nothing but one series.

    Raises:
        ValueError: If it is no learning curve.
    """
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return _lines(name, text)
    found_ = of_value(name, whole, tag)
    return found_ if found_ is not None else _lines(name, text)


def of_value(name, value, tag=None):
    """The `Log` of decoded JSON, or None if it is a row of JSON lines or nothing."""
    told = Told(name, "row")
    if isinstance(value, dict) and huggingface.STATE in value:
        return huggingface.log(value, told)
    if isinstance(value, dict):
        return _of_dict(value, told)
    if exports.is_series(value):
        return exports.of_series(value, tag, told)
    if isinstance(value, list) and value and all(isinstance(r, dict) for r in value):
        return of_rows(value, told)
    if isinstance(value, list):
        raise found.no_curve(name, "it is a list, and not of rows with names")
    return None


def of_rows(rows, told, where="the file"):
    """The `Log` of a list of dicts."""
    records = [Record(place, row) for place, row in enumerate(rows, 1)]
    names = list({key: None for row in rows for key in row if isinstance(key, str)})
    special = longs.pivoted(records, names, told)
    if special is not None:
        special.where = where
        return special
    return Log([records], told, where)


def of_columns(columns, told, epochs=None, where="the file"):
    """The `Log` of a dict of lists.

    With `validation_freq=k` Keras' lists of validation are k times as short, and it
    does not say which epochs they belong to: it is every k-th.
    """
    if epochs is None:
        epochs = columns.get("epoch")
    count = max(map(len, columns.values()), default=0)
    if epochs is None or len(epochs) != count:
        epochs = range(count)
        columns = {k: v for k, v in columns.items() if k != "epoch"}
    other = next((key for key in columns if _is_epoch(key, columns, count)), None)
    rows = [{} if other else {"epoch": epoch} for epoch in epochs]
    for key, values in columns.items():
        if key == "epoch" or not len(values):
            continue
        every = count // len(values)
        if count // every != len(values):
            told.add(
                f"{key!r} has {len(values)} values for {count} epochs. They are taken "
                "for those of the first epochs"
                + (f", one in {every}" if every > 1 else "")
            )
        for index, value in enumerate(values, start=1):
            rows[index * every - 1][key] = value
    records = [Record(place, row) for place, row in enumerate(rows, 1)]
    return Log([records], told, where)


def flat(value, prefix="", depth=0):
    """Nested dicts of lists as one dict, names joined by `/`; None if they are none."""
    lists: dict = {}
    if not value or depth > _DEEPEST:
        return None
    for key, each in value.items():
        name = f"{prefix}{key}"
        if isinstance(each, list) and not any(map(_is_nested, each)):
            lists[name] = each
        elif isinstance(each, dict):
            further = flat(each, f"{name}/", depth + 1)
            if further is None:
                return None
            lists.update(further)
        elif not (each is None or isinstance(each, (str, bool)) or is_number(each)):
            return None
    return lists or None


def _is_epoch(key, columns, count):
    ours = meaning(key) if isinstance(key, str) and key != "epoch" else None
    return ours is not None and ours.name == "epoch" and len(columns[key]) == count


def _is_rows(value):
    return isinstance(value, list) and bool(value) and all(map(_is_dict, value))


def _is_dict(value):
    return isinstance(value, dict)


def _is_nested(value):
    return isinstance(value, (list, dict))


def _of_dict(value, told):
    """A dict of lists, of pandas' `to_json`, or by epoch; None for a single row."""
    for key in ("history", "metrics", "log", "logs", "results"):
        inner = value.get(key)
        if (
            isinstance(inner, list)
            and inner
            and all(isinstance(r, dict) for r in inner)
        ):
            return of_rows(inner, told)
    by_number = _by_number(value)
    if by_number is not None:
        return by_number and of_rows(by_number, told)
    inner = value.get("history")
    lists = flat(inner if isinstance(inner, dict) else value)
    return None if lists is None else of_columns(lists, told)


def _by_number(value):
    """Rows of a dict that has the epochs as keys, outside or inside; None if not."""
    if not value or not all(isinstance(each, dict) and each for each in value.values()):
        return None
    if all(_is_count(key) for key in value):
        return [{"epoch": number(key), **row} for key, row in value.items()]
    if not all(_is_count(key) for each in value.values() for key in each):
        return None
    rows: dict = {}
    for name, column in value.items():
        for key, each in column.items():
            rows.setdefault(key, {})[name] = each
    return list(rows.values())


def _is_count(key):
    return isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 15


def _lines(name, text):
    """The rows of JSON lines; a line that is none is left out and told."""
    told = Told(name, "line")
    lines = [line.strip(_NOTHING) for line in text.lstrip("\ufeff").split("\n")]
    places = [place for place, line in enumerate(lines, 1) if line]
    records, unreadable = _whole_records(lines, places), []
    for place in [] if records else places:
        rows, is_whole = _rows(lines[place - 1])
        records += [Record(place, row) for row in rows]
        if len(rows) > 1:
            told.add(found.GLUED, place)
        if not is_whole:
            unreadable.append(place)
    if not records and _is_torn_row(lines, places):
        told.add(found.TORN, 1)
        return Log([[]], told, "the file")
    if not records or len(unreadable) > len(records):
        place = (unreadable or places)[0]
        raise found.no_curve(
            name,
            f"line {place} is no row in JSON: {lines[place - 1][:40]!r}",
            "Expected were JSON lines, a list of rows, or a dict of lists with a "
            "loss. Is it another file?",
        )
    for place in unreadable:
        told.add(found.TORN if place == places[-1] else found.UNREADABLE, place)
    names = list({key: None for one in records for key in one.row})
    return longs.pivoted(records, names, told) or Log([records], told, "the file")


def _whole_records(lines, places):
    """The records of lines that are all rows, in one go; else an empty list."""
    try:
        rows = json.loads(f"[{','.join(lines[place - 1] for place in places)}]")
    except (ValueError, RecursionError):
        return []
    if len(rows) != len(places) or not all(map(_is_dict, rows)):
        return []
    return [Record(place, row) for place, row in zip(places, rows, strict=True)]


def _rows(line):
    """The rows in one line, more than one where line breaks were lost."""
    rows: list[dict] = []
    end = 0
    try:
        while end < len(line):
            row, end = _DECODER.raw_decode(line, end)
            if not isinstance(row, dict):
                return rows, False
            rows.append(row)
            while line[end : end + 1] in (" ", "\t", ","):
                end += 1
    except (ValueError, RecursionError):
        return rows, False
    return rows, True


def _is_torn_row(lines, places):
    """Whether this is all that a crash has left of the first row of our own."""
    first = lines[places[0] - 1] if len(places) == 1 else ""
    return bool(first) and _START.startswith(first[: len(_START)])
