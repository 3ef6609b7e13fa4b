"""Slow tests by turns: each runs on one backend, and all of them on some backend.

`pytest -m slow --by-turns FOLDER` deselects the slow tests whose turn another backend
has, and writes into the folder which slow tests there are and which ran.
`python tests/turns.py FOLDER`, after a run on each backend, lists those that ran on no
backend and exits with 1 if there are any.
"""

import os
import sys
import zlib
from pathlib import Path

# TensorFlow traces every program anew, and the tests about it alone are the longest.
TURNS = ("torch", "jax", "torch", "tensorflow", "jax", "torch")


def backend():
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def is_slow(item):
    return bool(item.get_closest_marker("slow"))


def runs_here(item, by_turns):
    """Whether a test belongs to this run.

    A test marked `each`, or skipped on a condition, is about the backend: it has no
    turn. A test marked `once` is not about it at all.
    """
    shared = by_turns and is_slow(item)
    if item.get_closest_marker("once"):
        return backend() == ("torch" if shared else "tensorflow")
    if not shared or any(map(item.get_closest_marker, ("each", "skipif"))):
        return True
    # Tests of one parameter share what is made for it, as the run of an experiment.
    name = getattr(getattr(item, "callspec", None), "id", item.nodeid)
    return backend() == TURNS[zlib.crc32(name.encode()) % len(TURNS)]


class Record:
    """Writes the names of the slow tests into a folder: those found, those that ran."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    def _write(self, names, kind):
        with (self._folder / f"{backend()}.{kind}").open("a") as file:
            file.writelines(f"{name}\n" for name in names)

    def collected(self, items):
        chosen = (item for item in items if not item.get_closest_marker("full"))
        self._write((item.nodeid for item in chosen if is_slow(item)), "found")

    def pytest_runtest_logreport(self, report):
        # One skipped in its call has looked at the machine itself.
        if report.when == "call" and not report.failed:
            self._write([report.nodeid], "ran")


def ran_nowhere(folder):
    """The names that some backend has found and no backend has run, in order."""

    def names(kind):
        files = Path(folder).glob(f"*.{kind}")
        return {line for file in files for line in file.read_text().splitlines()}

    return sorted(names("found") - names("ran"))


if __name__ == "__main__":
    missing = ran_nowhere(sys.argv[1])
    for name in missing:
        print(f"ran on no backend: {name}")
    sys.exit(bool(missing))
