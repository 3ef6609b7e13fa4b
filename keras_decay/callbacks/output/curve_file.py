"""The file of a curve while a `fit` writes it."""

import warnings
from typing import Any

from keras_decay.callbacks.output import history_file
from keras_decay.curves.data import rows as file_of_rows
from keras_decay.ground import files


class CurveFile:
    """The file at `path`, which one training at a time may write; None for no file."""

    def __init__(self, path):
        self.path = path
        self._lock: Any = None
        # Whether rows are missing in the file.
        self._is_behind = False

    @property
    def was_killed(self):
        """Whether the last training that wrote the file was killed."""
        return self._lock is not None and self._lock.was_killed

    def open(self, fit):
        """Make sure that the file can be written, and that nobody else writes it.

        Args:
            fit: The `Training`. A later one of this process takes the file over.
        """
        self.close()
        if self.path is None:
            return
        files.check_writable("path", self.path)
        self._lock = files.WriteLock(self.path)
        self._lock.acquire(fit.params)
        self._is_behind = False
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

    def append(self, rows):
        """Write the last of the rows at once; a full disk costs rows in the file alone.

        Raises:
            RuntimeError: If a later training has taken the file over.
        """
        if self.path is None:
            return
        self._lock.check()
        try:
            if self._is_behind:
                file_of_rows.rewrite(self.path, rows)
            else:
                file_of_rows.append(self.path, rows[-1])
            self._is_behind = False
        except OSError as error:
            if not self._is_behind:
                warnings.warn(
                    f"The rows from epoch {rows[-1]['epoch']} on could not be written "
                    f"to {str(self.path)!r}: {error}. They are in `rows`, and are "
                    "written as soon as that is possible.",
                    stacklevel=2,
                )
            self._is_behind = True
