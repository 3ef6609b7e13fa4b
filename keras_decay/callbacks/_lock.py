"""One writer per file: a lock that the operating system drops when its process ends.

The lock is on a hidden file beside the curve, because the curve's own file is replaced
where it is mended. After a normal end the hidden file is removed; one that is found
unlocked tells that the process which made it was killed. It never blocks anybody.
"""

import contextlib
import errno
import os
import socket
import threading
import time
import warnings
import weakref
from pathlib import Path

from keras_decay.ground import validation

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

# Systems on which a file cannot be locked at all, some network drives among them.
_UNABLE = {
    getattr(errno, name, None) for name in ("ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP")
}
# Windows forbids others to read what is locked, so a byte far behind the text is.
_FAR = 1 << 30

_held: "weakref.WeakSet[FileLock]" = weakref.WeakSet()
_forks_are_watched = False
# A training that an exception has ended lets go of its lock in whichever thread
# destroys the last of it. Reentrant: that can be within a release, too.
_releasing = threading.RLock()


class FileLock:
    """The right to write the curve at `path`, until `release` or the process' end.

    Args:
        path: Path of the curve's file.
        is_in_use: Function that tells whether the training that holds this lock still
            runs. Within one process a lock of a training that an exception has ended
            is taken over.

    Attributes:
        was_killed: Whether the last process that held the lock was killed.
    """

    def __init__(self, path, is_in_use):
        self._target = os.path.realpath(path)
        folder, name = os.path.split(self._target)
        self._path = Path(folder, f".{name}.lock")
        self._is_in_use = is_in_use
        self._handle = None
        self.was_killed = False

    def acquire(self):
        """Take the lock.

        Raises:
            ValueError: If another training holds it.
        """
        _watch_forks()
        is_refused = False
        while self._handle is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _take(handle)
                if not _is_file(handle, self._path):
                    # Its owner has removed it between our opening and locking it.
                    os.close(handle)
                    continue
            except BlockingIOError:
                os.close(handle)
                if not self._take_over():
                    # Once more: it may just have been released in another thread.
                    if is_refused:
                        raise self._refusal() from None
                    is_refused = True
                continue
            except OSError as error:
                os.close(handle)
                if error.errno not in _UNABLE:
                    raise
                warnings.warn(
                    f"The folder of {self._target!r} is on a file system without "
                    "locks: see to it that no other training writes the same curve.",
                    stacklevel=2,
                )
                return
            self._handle = handle
        self.was_killed = os.fstat(self._handle).st_size > 0
        os.truncate(self._handle, 0)
        os.write(self._handle, f"{os.getpid()} on {socket.gethostname()}\n".encode())
        _held.add(self)

    def release(self):
        """Give the lock back. Safe to call at any time, and twice."""
        with _releasing:
            if self._handle is None:
                return
            handle, self._handle = self._handle, None
            _held.discard(self)
            # On Windows the file stays where another process has opened it by now:
            # empty, as that of one that was not killed.
            os.truncate(handle, 0)
            if fcntl is None:
                os.close(handle)
            with contextlib.suppress(OSError):
                self._path.unlink()
            if fcntl is not None:
                os.close(handle)

    def _take_over(self):
        """Whether the lock was held in this process by a training that has ended."""
        with _releasing:
            for other in list(_held):
                if other._target == self._target and not other._is_in_use():
                    other.release()
                    return True
        return False

    def _refusal(self):
        owner = ""
        # The owner may be about to write its number.
        for _ in range(10):
            with contextlib.suppress(OSError):
                owner = self._path.read_text().strip()
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

    def _forget(self):
        """In a forked process: the lock is the parent's, and must end with it."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def _take(handle):
    """Lock an open file, or raise BlockingIOError."""
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    os.lseek(handle, _FAR, os.SEEK_SET)
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            raise BlockingIOError(*error.args) from None
        raise
    finally:
        os.lseek(handle, 0, os.SEEK_SET)


def _is_file(handle, path):
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _watch_forks():
    """A forked process shares its parent's locks, and would keep them after its end."""
    global _forks_are_watched
    if not _forks_are_watched and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_all)
        _forks_are_watched = True


def _forget_all():
    global _releasing
    _releasing = threading.RLock()  # a thread that the child does not have may hold it
    for lock in list(_held):
        lock._forget()
    _held.clear()
