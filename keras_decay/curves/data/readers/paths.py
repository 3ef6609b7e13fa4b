"""What the path of a file or of a folder holds: a reader is chosen by the first bytes.

The names of files and folders matter only where a program fixes them.
"""

import os
from pathlib import Path

from keras_decay.curves.data.readers import (
    delimited,
    events,
    exports,
    foreign,
    found,
    huggingface,
    jsons,
    mlflow,
    pickled,
)
from keras_decay.curves.data.readers.found import Told

_LARGEST = 2**30
_MOST_FILES = 10_000
# Files that a folder of a training may have, the best first.
_TABLES = (
    "metrics.csv",
    "results.csv",
    "history.csv",
    "*.csv",
    "*.jsonl",
    "history.json",
    "*.log",
)


def log(source):
    """The `Log` of a path.

    Raises:
        FileNotFoundError: If there is nothing at that path.
        ImportError: If a package is missing that reads such files.
        ValueError: If it is no learning curve; the message says what it is.
    """
    path = Path(os.fspath(source)).expanduser()
    if path.is_dir():
        return _log_of_folder(path)
    name = repr(str(path))
    if not path.exists():
        raise FileNotFoundError(f"There is no learning curve at {name}: no such file.")
    if not path.is_file():
        raise found.no_curve(name, "it is no regular file", "Give a file or a folder.")
    if path.stat().st_size > _LARGEST:
        remedy = "Keep the rows of one training, or one row for every epoch."
        raise found.no_curve(name, "it is larger than 1 GiB", remedy)
    return _log_of_file(path, name, path.read_bytes())


def logs(sources):
    """The `Log` of several files: downloads from TensorBoard, one tag each."""
    each = [log(source) for source in sources]
    names = ", ".join(repr(os.fspath(source)) for source in sources)
    if not all(log.by_step and len(log.parts) == 1 for log in each):
        raise found.no_curve(
            names,
            "several paths are read as one training only if each is a download from "
            "TensorBoard",
            "Read other files one by one.",
        )
    return exports.joined(each, Told(f"{len(sources)} files ({names})"), "the files")


def _log_of_file(path, name, content):
    if events.is_event_file(path, content):
        return events.log_of_file(path, content)
    if mlflow.is_database(content):
        return mlflow.log_of_database(path)
    foreign.refuse(path, name, content)
    if pickled.is_pickle(path, content):
        return pickled.log(name, content)
    text = _decoded(content)
    if not text.strip("\0 \t\r\n\ufeff"):
        raise found.no_curve(name, "it is empty", "Has the training begun?")
    tag = exports.tag_of(path.stem)
    if jsons.is_json(text):
        return jsons.log(name, text, tag)
    if foreign.looks_binary(content):
        raise found.no_curve(
            name,
            "it is a binary file of a kind that is not known",
            "Export it as CSV with a header, or hand over a dict of lists: "
            "{'loss': […], 'val_loss': […]}.",
        )
    return delimited.log(name, text, tag)


def _decoded(content):
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    head = content[:200]
    even, odd = head[::2], head[1::2]
    if odd.count(0) > 0.9 * len(odd) and even.count(0) < 0.1 * len(even):
        return content.decode("utf-16-le", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _log_of_folder(folder):
    """The `Log` of a folder that one program has written."""
    name = repr(str(folder))
    states = [folder / huggingface.FILE]
    if not states[0].is_file():
        states = sorted(folder.glob(f"checkpoint-*/{huggingface.FILE}"), key=_step)
    if states and states[-1].is_file():
        return log(states[-1])
    files = _files(folder)
    event_files = [path for path in files if events.is_name(path)]
    if event_files:
        return events.log_of_folder(folder, event_files)
    runs = mlflow.runs_in(folder)
    if runs:
        return mlflow.log_of_folder(folder, runs)
    downloads = [path for path in files if exports.is_name(path)]
    if downloads:
        return logs(sorted(downloads))
    for pattern in _TABLES:
        tables = sorted(folder.glob(pattern))
        if len(tables) == 1:
            return log(tables[0])
        if tables:
            shown = found.listed(path.name for path in tables)
            remedy = "Give one of its files."
            raise found.no_curve(name, f"it holds several logs: {shown}", remedy)
    shown = found.listed(sorted(path.name for path in folder.iterdir())[:20])
    raise found.no_curve(
        name,
        f"it is a folder without a log that is known (it holds {shown or 'nothing'})",
        "Give the file of the log: a table with a header, JSON, or event files.",
    )


def _files(folder):
    """The files in a folder, at any depth, a bounded number."""
    found_ = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        found_ += [Path(parent) / name for name in sorted(names)]
        if len(found_) > _MOST_FILES:
            break
    return found_


def _step(path):
    digits = path.parent.name.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else -1
