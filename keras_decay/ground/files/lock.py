"""One writer per file: a lock that the operating system drops when its process ends.

The lock is on the hidden file `.NAME.lock` beside the file, because the file itself is
replaced where it is mended. Its owner writes who it is into the hidden file
`.NAME.writer`. Both are removed at a normal end. A `.NAME.writer` that is found under
no lock says that the process which made it was killed. It never blocks anybody.

Within one process a table says which lock owns which file, so that a later training
can take over the file of an earlier one. The earlier one is told at its next write.
"""

import atexit
import contextlib
import errno
import os
import socket
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from keras_decay.ground import validation

# Systems on which a file cannot be locked at all, some network drives among them.
_UNABLE = {
    getattr(errno, name, None) for name in ("ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP")
}
# Seconds to wait for a lock: its owner may be about to release it, or about to write
# who it is.
_PATIENCE = 0.2

_owners: dict[str, "WriteLock"] = {}
# A lock may be released in any thread, and within another release: a training that an
# exception has ended lets go of its lock where the last of it is destroyed.
_guard = threading.RLock()
_is_prepared = False


class WriteLock:
    """The right to write the file at `path`, until `release` or the process' end.

    Args:
        path: Path of the file.

    Attributes:
        was_killed: Whether the last process that held the lock was killed.
    """

    def __init__(self, path):
        self._target = os.path.realpath(path)
        folder, name = os.path.split(self._target)
        self._path = Path(folder, f".{name}.lock")
        self._note = Path(folder, f".{name}.writer")
        self._holder: Any = None
        self._lock: Any = None
        self._is_taken_over = False
        self.was_killed = False

    def acquire(self, holder=None):
        """Take the lock, also from an earlier holder in this process.

        Args:
            holder: Any object that stands for the training that takes it. It cannot
                take a second lock on the file.

        Raises:
            ValueError: If another process or the same holder has one.
            OSError: If the lock's file is a symbolic link.
        """
        _prepare()
        with _guard:
            owner = _owners.get(self._target)
            if owner is self:
                return
            if owner is not None:
                if holder is not None and owner._holder is holder:
                    raise self._refusal()
                owner.release()
                owner._is_taken_over = True
            self._is_taken_over = False
            self._holder = holder
            self._lock = self._system_lock()
            self.was_killed = os.path.lexists(self._note)
            _owners[self._target] = self
            try:
                self._write_note()
            except BaseException:
                self.release()
                raise

    def check(self):
        """Refuse to write the file after another training has taken it over.

        Raises:
            RuntimeError: If it has.
        """
        if self._is_taken_over:
            raise RuntimeError(
                f"A later training of this process writes {self._target!r} now, and "
                "has taken the file over. Give each training a path of its own."
            )

    def release(self):
        """Give the lock back. Safe to call at any time, and twice."""
        with _guard:
            # Not the owner: released before, or the owner is the parent of this fork.
            if _owners.get(self._target) is not self:
                return
            del _owners[self._target]
            with contextlib.suppress(OSError):
                self._note.unlink()
            lock, self._lock = self._lock, None
            if lock is None:
                return
            # On Windows `lock.release` removes the file, unless another process has it
            # open by now. A file that stays tells nothing: `.NAME.writer` is gone.
            if os.name == "posix":
                # While it is locked: who waits for it sees that the file is gone.
                with contextlib.suppress(OSError):
                    self._path.unlink()
            lock.release()

    def _system_lock(self):
        """The operating system's lock, taken; None where there are no locks."""
        from filelock import FileLock, Timeout

        if self._path.is_symlink():
            raise OSError(
                f"{self._target!r} cannot be locked: {str(self._path)!r} is a symbolic "
                "link. Remove it, or choose another path."
            )
        lock = FileLock(self._path, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(timeout=_PATIENCE, poll_interval=_PATIENCE / 20)
        except Timeout:
            raise self._refusal() from None
        except OSError as error:
            if error.errno not in _UNABLE:
                raise
            warnings.warn(
                f"The folder of {self._target!r} is on a file system without "
                "locks: see to it that no other training writes the same curve.",
                stacklevel=3,
            )
            return None
        return lock

    def _write_note(self):
        with contextlib.suppress(FileNotFoundError):
            self._note.unlink()
        # "x" opens no file that exists, and follows no symbolic link.
        with open(self._note, "x") as file:
            file.write(f"{os.getpid()} on {socket.gethostname()}\n")

    def _refusal(self):
        owner = ""
        # The owner may be about to write its number.
        for _ in range(10):
            with contextlib.suppress(OSError):
                owner = self._note.read_text().strip()
            if owner:
                break
            time.sleep(0.01)
        return ValueError(
            validation.received(
                "path",
                self._target,
                "a file that no other training is writing",
                f"Process {owner or 'unknown'} writes it now: wait for its end, or "
                "give this training a path of its own.",
            )
        )


def _prepare():
    """Release all locks at a normal end; forget the parent's in a forked process."""
    global _is_prepared
    if _is_prepared:
        return
    _is_prepared = True
    atexit.register(_release_all)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_all)


def _release_all():
    for lock in list(_owners.values()):
        lock.release()


def _forget_all():
    global _guard
    _guard = threading.RLock()  # a thread that the child does not have may hold it
    _owners.clear()
