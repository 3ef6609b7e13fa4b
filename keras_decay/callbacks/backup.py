"""Backups of a training from which it goes on after it was killed at any moment."""

import json
import re
import shutil
import warnings

import keras

from keras_decay.callbacks import order
from keras_decay.ground import backend, files, validation

WEIGHTS, METADATA = "training.weights.h5", "training.json"
_NAME = re.compile(r"backup-(\d+)")
_HIDDEN = re.compile(r"\.backup-\d+\.(new|old)")


class BackupAndRestore(keras.callbacks.Callback):
    """Backs a training up, and goes on from the backup when it is started again.

    Keras' own callback of this name writes weights and epoch into files that it
    overwrites: a process that is killed meanwhile leaves files that cannot be opened,
    or that do not belong together. Here weights, the optimizer's state and the epoch
    change together: each backup is a new folder, written under another name, written
    through to the disk and renamed. So a process may be killed at any moment, and the
    next one finds a whole backup.

    To go on, run the same program again: at the start of `fit` the backup is loaded,
    and the epochs before it are skipped. Weights are then those of a training without
    an interruption if the order of the data is, as with `shuffle=False`, and no layer
    draws random numbers.

    A `LearningCurve` comes before it in the list of callbacks.

    Args:
        directory: Path of a folder for the backups, made if it is missing. Each
            training has its own.
        save_freq: "epoch", or after how many batches to make a backup, an integer of at
            least 1. The epoch of a backup within it is begun again.
        double_checkpoint: Whether to keep the backup before the last one too. It is
            taken where the last one cannot be read.
        delete_checkpoint: Whether to remove the backups when training has ended.

    Raises:
        TypeError, ValueError: If an argument is not of its kind.
        ValueError: If the model is not built when `fit` begins.
        OSError: Before the first step, if the folder cannot be written.

    Example:

    ```python
    curve = kd.LearningCurve("run.jsonl")
    backup = kd.BackupAndRestore("run-backup")
    model.fit(x, y, epochs=100, callbacks=[curve, backup])
    ```
    """

    def __init__(
        self,
        directory,
        save_freq="epoch",
        double_checkpoint=False,
        delete_checkpoint=True,
    ):
        super().__init__()
        self.directory = validation.path("directory", directory, "the path of a folder")
        self.save_freq = save_freq
        if save_freq != "epoch":
            must = '"epoch" or an integer of at least 1'
            if not validation.is_number(save_freq):
                raise TypeError(validation.received("save_freq", save_freq, must))
            validation.integer("save_freq", save_freq, minimum=1)
            # Not a method: Keras waits for every batch where a callback has one.
            self.on_train_batch_end = self._end_batch
        self.double_checkpoint = validation.boolean(
            "double_checkpoint", double_checkpoint
        )
        self.delete_checkpoint = validation.boolean(
            "delete_checkpoint", delete_checkpoint
        )
        self._epoch = 0
        self._writes = True

    def on_train_begin(self, logs=None):
        """Called by Keras: go on from the last backup, if there is one."""
        order.begin(self)
        model = self.model
        if not model.built:
            raise ValueError(
                "The model must be built before `fit` to be restored. Received: a "
                "model without weights. Give it an Input, or call it on a batch."
            )
        self._writes = backend.current().is_chief(model)
        if self._writes:
            files.check_writable("directory", self.directory / METADATA)
            for folder in self.directory.iterdir():
                if _HIDDEN.fullmatch(folder.name):  # a killed process has left it
                    shutil.rmtree(folder, ignore_errors=True)
        self._epoch, self._batches, self._last = 0, 0, -1
        found = self._backups()
        while found:
            folder = found.pop()
            try:
                self._load(folder)
                return
            except OSError as error:
                if not found:
                    raise
                warnings.warn(
                    f"The backup {str(folder)!r} cannot be read: {error}. Training "
                    "goes on from the one before.",
                    stacklevel=2,
                )

    def on_epoch_begin(self, epoch, logs=None):
        """Called by Keras."""
        self._epoch = epoch
        # Keras would skip the epochs of the next `fit` too.
        self.model._initial_epoch = None

    def on_epoch_end(self, epoch, logs=None):
        """Called by Keras: the next epoch is the first one after the backup."""
        self._epoch, self._last = epoch + 1, -1
        if self.save_freq == "epoch":
            self._save()

    def on_train_end(self, logs=None):
        """Called by Keras: training is over, and so is the need for backups."""
        self.model._initial_epoch = None
        if self.delete_checkpoint and self._writes:
            for folder in self._backups():
                _remove(folder)
            if self.directory.is_dir() and not any(self.directory.iterdir()):
                self.directory.rmdir()

    def _end_batch(self, batch, logs=None):
        # With `steps_per_execution` Keras tells of the last of several batches.
        self._batches += batch - self._last
        self._last = batch
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save()

    def _backups(self):
        """The folders of whole backups, the last one at the end."""
        if not self.directory.is_dir():
            return []
        found = [one for one in self.directory.iterdir() if _NAME.fullmatch(one.name)]
        return sorted(found, key=_number)

    def _load(self, folder):
        model = self.model
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        metadata = json.loads((folder / METADATA).read_text())
        model.load_weights(folder / WEIGHTS)
        self._epoch = model._initial_epoch = metadata["epoch"]

    def _save(self):
        if not self._writes:
            return
        before = self._backups()
        number = _number(before[-1]) + 1 if before else 0

        def fill(folder):
            self.model.save_weights(folder / WEIGHTS)
            (folder / METADATA).write_text(json.dumps({"epoch": self._epoch}))

        try:
            files.new_folder(self.directory / f"backup-{number}", fill)
        except OSError as error:
            warnings.warn(
                f"No backup could be written to {str(self.directory)!r}: {error}. "
                "Training goes on; the backup before, if any, is kept.",
                stacklevel=2,
            )
            return
        kept = 1 if self.double_checkpoint else 0
        for folder in before[: len(before) - kept]:
            _remove(folder)


def _remove(folder):
    """Remove a backup: it is whole, or it is none."""
    hidden = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(hidden, ignore_errors=True)
    folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _number(folder):
    return int(re.sub(_NAME, r"\1", folder.name))
