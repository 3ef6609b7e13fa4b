"""A folder of results: a run's files appear in it once all of them are finished."""

import contextlib
import json
import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

RESULTS = "results.json"


class OutputError(ValueError):
    """A folder that results cannot or must not be written to."""


@contextlib.contextmanager
def publishing(folder, names, *, force=False):
    """A temporary folder, whose files move to `folder` when the block has succeeded.

    It lies inside `folder`, so that moving is renaming, and vanishes in any case. What
    else lies in `folder` is left alone, but for the files that the `results.json` of
    a replaced run lists as its own.

    Args:
        folder: Where the files shall be; made if need be.
        names: The names of all files that will be written, `results.json` among them.
        force: Whether files of these names may be replaced.

    Yields:
        The path of the temporary folder.

    Raises:
        OutputError: On entry, if `folder` cannot be written to or, without `force`, one
            of the files exists; on exit, if one came to exist in the meantime.
    """
    folder = Path(folder).expanduser()
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        refuse_existing(folder, names, force)
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    except OSError as error:
        remove_empty(made)
        raise OutputError(
            f"cannot write to the folder {str(folder)!r}: {error.strerror or error}"
        ) from error
    try:
        yield staging
        refuse_existing(folder, names, force)
        missing = [name for name in names if not (staging / name).is_file()]
        if missing:
            raise OutputError(f"the run has not written {in_words(missing)}")
        outdated = files_of_run(folder) - set(names)
        for name in sorted(names, key=lambda name: name == RESULTS):
            os.replace(staging / name, folder / name)
        for name in outdated:
            (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        remove_empty(made)


def refuse_existing(folder, names, force):
    """Raises `OutputError` if `folder` is no folder or the files cannot be there."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{str(folder)!r} is a file, not a folder")
    existing = [name for name in names if os.path.lexists(folder / name)]
    if existing and not force:
        raise OutputError(
            f"the folder {str(folder)!r} already holds {in_words(existing)}: name "
            "another folder, or replace the earlier results with --force"
        )
    for name in existing:
        if (folder / name).is_dir():
            raise OutputError(f"{str(folder / name)!r} is a folder and in the way")


def files_of_run(folder):
    """The names of the files that the run whose results lie in `folder` has written."""
    try:
        names = json.loads((folder / RESULTS).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    if not isinstance(names, list):
        return set()
    plain = {n for n in names if isinstance(n, str) and Path(n).name == n}
    return {name for name in plain if (folder / name).is_file()}


def remove_empty(folders):
    """Removes the empty ones of `folders`, the innermost of which comes first."""
    for path in folders:
        with contextlib.suppress(OSError):
            path.rmdir()


def in_words(names):
    """The first name, and how many there are besides."""
    if len(names) == 1:
        return names[0]
    return f"{names[0]} and {len(names) - 1} more of the files of this run"


def finite(value):
    """`value` as JSON can hold it, with None for the numbers that it does not know."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return finite(value.tolist())
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
