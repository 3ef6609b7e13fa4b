"""The order of a backup and a curve in the list of callbacks."""

import weakref

import keras

MESSAGE = (
    "BackupAndRestore must come after LearningCurve in the list of callbacks. It saves "
    "the model at the end of an epoch: if training stops between the two, the restored "
    "model has an epoch that the curve lacks. The other way round, the row of that "
    "epoch is written again."
)

# Our own backups whose training has begun.
_begun: weakref.WeakSet = weakref.WeakSet()


def begin(backup):
    """Training begins for one of our backups, in its place of the list."""
    _begun.add(backup)


def has_backup(curve):
    """Whether a backup of ours has begun in the `fit` of the curve."""
    return curve.params is not None and any(
        one.params is curve.params for one in _begun
    )


def check_begun(curve):
    """Refuse a curve whose turn in the same `fit` comes after that of our backup."""
    if has_backup(curve):
        raise ValueError(MESSAGE)


def check(callbacks, curve):
    """Refuse a list in which a backup of Keras stands before the curve."""
    for one in callbacks:
        if one is curve:
            return
        if isinstance(one, keras.callbacks.BackupAndRestore):
            raise ValueError(MESSAGE)
