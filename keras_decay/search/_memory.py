"""A folder in which outcomes are kept as they finish, each in a file named by its key.

A file appears whole or not at all, and nothing that is found in the folder is executed.
Several searches, and several processes, may use one folder at a time: whoever writes a
key writes the same content. What a search was like is kept beside them, so that the
next one can say in what it differs.
"""

import contextlib
import hashlib
import json
import time
import warnings

import numpy as np

from keras_decay.ground import files, validation
from keras_decay.search import _outcome_file

MARK = "keras-decay-search.json"
FORMAT = {"keras_decay_search": 1}
# Temporary files older than this, in seconds, are those of a process that was killed.
STALE = 3600.0


class Memory:
    """Outcomes in a folder, by key.

    Args:
        path: The folder; it is made if there is none.

    Raises:
        TypeError: If it is no path.
        ValueError: If the folder holds something else than outcomes.
        OSError: If it cannot be written to.
    """

    def __init__(self, path):
        must = "None or the path of a folder"
        self._folder = validation.path("memory", path, must).absolute()
        self._fails = False
        try:
            self._open()
        except OSError as error:
            raise OSError(
                f"`memory` cannot be written to {str(path)!r}: "
                f"{error.strerror or error}. Choose another folder."
            ) from error

    def _open(self):
        self._folder.mkdir(parents=True, exist_ok=True)
        mark = self._folder / MARK
        if not mark.exists():
            # Hidden files are no content: another process may just begin here too.
            found = sorted(
                p.name for p in self._folder.iterdir() if not p.name.startswith(".")
            )
            if found and MARK not in found:
                self._refuse(
                    f"It holds {found[0]!r}, which is none of a search's files"
                )
        elif _json(mark) not in (FORMAT, None):
            self._refuse(f"Its {MARK} is not of this version of keras_decay")
        # Written even where there is one: it shows that the folder can be written to.
        files.replace(mark, lambda file: file.write(json.dumps(FORMAT).encode()))
        for leftover in self._folder.glob(".*-????????.*"):  # as `files` names them
            with contextlib.suppress(OSError):
                if time.time() - leftover.stat().st_mtime > STALE:
                    leftover.unlink()

    def _refuse(self, reason):
        must = "a new or empty folder, or one that a search has made"
        text = validation.received("memory", str(self._folder), must)
        raise ValueError(f"{text}. {reason}.")

    def enter(self, about):
        """Keep what a search is like, and tell the user if it is another than before.

        Args:
            about: What the trainings have in common, texts by name.
        """
        others = [_json(p) for p in self._folder.glob("search-*.json")]
        if about in others:
            return
        content = json.dumps(about, indent=1, sort_keys=True).encode()
        name = f"search-{hashlib.sha256(content).hexdigest()[:40]}.json"
        self._write(self._folder / name, lambda file: file.write(content))
        ways = [list(_differences(about, o)) for o in others if isinstance(o, dict)]
        if ways:
            fewest = min(ways, key=lambda names: len(names))
            warnings.warn(
                "This search is new to `memory`: from the most similar one there it "
                f"differs in {', '.join(fewest)}.",
                stacklevel=2,
            )

    def get(self, key):
        """The outcome of that key, or None if there is none that is whole."""
        try:
            with np.load(self._path(key), allow_pickle=False) as file:
                return _outcome_file.outcome_of(file)
        except Exception:  # a torn file raises of everything; the task is trained again
            return None

    def put(self, key, outcome):
        """Keep an outcome."""
        self._write(
            self._path(key),
            lambda file: np.savez(file, **_outcome_file.arrays_of(outcome)),
        )

    def _write(self, path, write):
        """Write a file. A disk that is full ends the keeping, not the search."""
        if self._fails:
            return
        try:
            files.replace(path, write)
        except OSError as error:
            self._fails = True
            warnings.warn(
                f"`memory` cannot be written any more: {error!r}. The search goes on "
                "without it.",
                stacklevel=2,
            )

    def _path(self, key):
        return self._folder / f"{key}.npz"


def _json(path):
    """What a file holds; None if it is torn, as after a power cut, or gone."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _differences(about, other):
    """The names of what differs, and what a short text was before."""
    for name in sorted(about.keys() | other.keys()):
        now, before = about.get(name), other.get(name)
        if now != before:
            digest = len(str(before)) == len(str(now)) == 40
            yield name if digest else f"{name} ({now}, before {before})"
