"""The file of a curve while a `fit` writes it."""

from keras_decay.callbacks.output import history_file
from keras_decay.curves.data import rows as _rows
from keras_decay.ground import files


class CurveFile:
    """The file at `path`, which one training at a time may write; None for no file."""

    def __init__(self, path):
        self.path = path
        self._lock = None

    @property
    def was_killed(self):
        """Whether the last training that wrote the file was killed."""
        return self._lock is not None and self._lock.was_killed

    def open(self, fit):
        """Make sure that the file can be written, and that nobody else writes it.

        Args:
            fit: The `RunningFit`, which holds the file until it is left.
        """
        self.close()
        if self.path is None:
            return
        files.check_writable("path", self.path)
        self._lock = files.WriteLock(self.path, fit.is_running)
        self._lock.acquire()
        fit.when_left(self._lock.release)

    def close(self):
        """Let others write the file."""
        if self._lock is not None:
            self._lock.release()

    def resume(self, rows, step, *, epoch, overwrite, writes):
        """The rows that the coming epochs follow on; see `history_file.resume`.

        Args:
            rows, step, epoch, overwrite: As there.
            writes: Whether this process writes the file; else it follows its own rows.
        """
        return history_file.resume(
            self.path if writes else None,
            rows,
            step,
            epoch=epoch,
            overwrite=overwrite,
            was_killed=self.was_killed,
        )

    def append(self, row):
        """Write a row, at once, unless a later training has taken the file over."""
        if self._lock is not None:
            self._lock.check()
        if self.path is not None:
            _rows.append(self.path, row)
