"""Keras' `EarlyStopping` as a plain description of what it does."""

import keras

from keras_decay.ground import validation
from keras_decay.search._work import Stopping

# Of what may be monitored, what is better the larger it is, by the end of its name; and
# what is better the smaller it is.
_UPWARDS = (
    "accuracy",
    "acc",
    "auc",
    "precision",
    "recall",
    "iou",
    "f1_score",
    "fbeta_score",
    "r2_score",
)
_DOWNWARDS = (
    "loss",
    "penalty",
    "error",
    "mse",
    "mae",
    "mape",
    "msle",
    "crossentropy",
    "hinge",
    "divergence",
    "poisson",
    "logcosh",
)


def stopping_of(early_stopping, has_validation):
    """The `Stopping` that a callback describes, or None for None.

    Args:
        early_stopping: A `keras.callbacks.EarlyStopping`, or None.
        has_validation: Whether there are rows to validate on.

    Raises:
        TypeError: If it is something else; also if it is a subclass, whose own code
            could not be heeded.
        ValueError: If its mode is unknown, or it waits for what is never measured.
    """
    if early_stopping is None:
        return None
    if type(early_stopping) is not keras.callbacks.EarlyStopping:
        must = "a keras.callbacks.EarlyStopping, of no class of your own, or None"
        raise TypeError(validation.received("early_stopping", early_stopping, must))
    monitor = early_stopping.monitor
    if monitor.startswith("val_") and not has_validation:
        raise ValueError(
            f"`early_stopping` monitors {monitor!r}, but there are no rows to validate "
            "on. Give validation_data or validation_split, or monitor 'data_loss'."
        )
    number, integer = validation.number, validation.integer
    baseline = early_stopping.baseline
    if baseline is not None:
        baseline = number("early_stopping.baseline", baseline)
    return Stopping(
        monitor=monitor,
        patience=integer("early_stopping.patience", early_stopping.patience, minimum=0),
        # While it is used Keras keeps it with the sign of the mode.
        min_delta=abs(number("early_stopping.min_delta", early_stopping.min_delta)),
        mode=_mode(early_stopping),
        baseline=baseline,
        restore_best_weights=bool(early_stopping.restore_best_weights),
        start=integer(
            "early_stopping.start_from_epoch",
            early_stopping.start_from_epoch,
            minimum=0,
        ),
    )


def _mode(early_stopping):
    if early_stopping.mode in ("min", "max"):
        return early_stopping.mode
    name = early_stopping.monitor.removeprefix("val_").rstrip("_0123456789")
    if name.endswith(_UPWARDS):
        return "max"
    if name.endswith(_DOWNWARDS):
        return "min"
    raise ValueError(
        f"`early_stopping` monitors {early_stopping.monitor!r}, of which it is not "
        "known whether larger or smaller is better. Give it mode='max' or mode='min'. "
        f"Received: mode={early_stopping.mode!r}"
    )
