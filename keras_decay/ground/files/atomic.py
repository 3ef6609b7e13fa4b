"""Files that appear whole or not at all, and a trial of paths before they are needed.

A file is written under a hidden temporary name beside its path, and renamed. A reader
sees the old file or the new one, never a part.
"""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path


def replace(path, write, *, temporary=None):
    """Let `write(file)` fill a temporary file, and put it in the place of `path`.

    After an exception `path` is as before, and the temporary file is gone.

    Args:
        path: Path of the file.
        write: Function that is given the temporary file, open for writing bytes.
        temporary: Name of the temporary file, for a path with a single writer: what a
            killed process has left of it is overwritten. By default the name is new.
    """
    path = Path(path).expanduser()
    if temporary is None:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix
        )
    else:
        name = path.with_name(temporary)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        # Not through a symbolic link, whose target would be overwritten.
        binary = getattr(os, "O_BINARY", 0)
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o600)
    try:
        with open(handle, "wb") as file:
            write(file)
        # mkstemp lets nobody else read; a new file would follow the umask.
        os.chmod(name, _mode(path))
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def remove_leftovers(path):
    """Remove what killed processes have left of `replace(path, ...)`."""
    path = Path(path)
    # mkstemp's names, and no other file's whose name begins alike.
    pattern = re.compile(
        re.escape(f".{path.stem}-") + r"\w{8}" + re.escape(path.suffix)
    )
    for other in path.parent.iterdir():
        if pattern.fullmatch(other.name):
            other.unlink(missing_ok=True)


def check_writable(name, path):
    """Make the folder of `path` and try to write there.

    Args:
        name: Name of the argument, for the error.
        path: A `pathlib.Path`.

    Raises:
        OSError: If the file cannot be written.
    """
    probe = path.parent / f".{path.name}-{os.getpid()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
        if path.is_dir():
            raise IsADirectoryError(f"{str(path)!r} is a folder")
        if path.exists():
            with path.open("ab"):
                pass
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f"`{name}` cannot be written to {str(path)!r}: {reason}. Choose another "
            "path."
        ) from error


def new_folder(path, fill):
    """Make the folder `path` with files in it, all at once.

    It is filled under a hidden name beside it, written through to the disk, and
    renamed: whoever finds `path` finds it whole, also after a power cut.

    Args:
        path: Path of a folder that does not exist, with a single writer. What a killed
            process has left of it is overwritten.
        fill: Function that is given the hidden folder, and writes files into it.
    """
    hidden = path.with_name(f".{path.name}.new")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    try:
        fill(hidden)
        for inner in (*hidden.iterdir(), hidden):
            _write_through(inner)
        hidden.rename(path)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    _write_through(path.parent)


def _write_through(path):
    """Let the system write a file or folder to the disk, where it can."""
    with contextlib.suppress(OSError):  # a folder on Windows
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _mode(path):
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
