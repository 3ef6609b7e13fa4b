"""Stopping where the model overfits, with the weights of its best epoch."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_decay.callbacks.recording import Recording
from keras_decay.curves.data.columns import loss_columns, series
from keras_decay.curves.verdict import prechelt, smoothing
from keras_decay.ground import validation

# Prechelt's finding: slower criteria generalise a little better and cost much more
# time. These are his middle ones.
THRESHOLDS = {"gl": 5.0, "pq": 1.0, "up": 3}


class StopOnOverfit(keras.callbacks.Callback):
    """Stops training where a curve overfits, by Prechelt's criteria.

    With E(t) the validation loss without penalty after epoch t, averaged over the last
    5 epochs, training stops at the end of the epoch in which

    - `"gl"`: the generalisation loss GL(t) = 100 (E(t) / min_s≤t E(s) − 1) exceeds 5 %;
    - `"pq"`: GL(t) exceeds the progress P_5(t) of the training loss, the amount in per
      mille by which its mean over these epochs exceeds its lowest value there;
    - `"up"`: E has risen over 3 times 5 epochs in succession.

    The model then ends with the weights of the epoch whose validation loss was lowest,
    stopped or not; the curve shows all epochs. The callback may stand anywhere in the
    list of callbacks: the curve calls it after each row.

    In a training that goes on after an interruption, with `initial_epoch` or
    `BackupAndRestore`, the epochs before it count. Their weights are gone: it ends with
    the best weights since.

    Args:
        curve: The `LearningCurve` in the same list of callbacks.
        criterion: "gl", "pq" or "up"; or a dict with thresholds, any of which stops:
            `{"gl": 2.0, "up": 4, "strip": 10}`, with averages over 10 epochs. GL is a
            percentage, PQ the quotient of both above 0, UP and `strip` are integers of
            at least 1.

    Attributes:
        best_epoch: The epoch of the lowest validation loss in this `fit`, or None.
        reason: The criterion that has stopped training, in words, or None.

    Raises:
        TypeError, ValueError: If an argument is not of its kind.
        ValueError: Before the first step: if `curve` is not in the same list of
            callbacks.

    Example:

    ```python
    curve = kd.LearningCurve("run.jsonl")
    stop = kd.StopOnOverfit(curve, "gl")
    model.fit(x, y, validation_split=0.2, epochs=1000, callbacks=[curve, stop])
    print(stop.reason)
    ```

    Reference: Prechelt, Early stopping, but when?, 1998.
    """

    def __init__(self, curve, criterion="gl"):
        super().__init__()
        if not isinstance(curve, Recording):
            must = "the LearningCurve in the same list of callbacks"
            raise TypeError(validation.received("curve", curve, must))
        self.curve: Any = curve
        self.criteria = criteria(criterion)
        self.begin()

    def begin(self):
        """A `fit` begins."""
        self._model = self._weights = None
        self._best = math.inf
        self.best_epoch = self.reason = None

    def on_train_begin(self, logs=None):
        """Called by Keras."""
        if self.params is None or self.curve.params is not self.params:
            raise ValueError(
                "`curve` must stand in the same list of callbacks as StopOnOverfit. "
                "Received: a LearningCurve that is not in this `fit`. Use "
                "callbacks=[curve, StopOnOverfit(curve)]."
            )
        self.begin()
        self.curve.subscribe(self.epoch)

    def on_train_end(self, logs=None):
        """Called by Keras."""
        self.finish()

    def epoch(self, model, rows):
        """Called by the curve with the rows of this training, after each row."""
        column = loss_columns(rows)
        val = series(rows[-1:], f"val_{column}")
        if not len(val):
            return
        if val.values[0] < self._best:
            self._best, self.best_epoch = float(val.values[0]), int(val.epochs[0])
            self._model, self._weights = model, model.get_weights()
        self.reason = _reason(
            series(rows, column).values,
            series(rows, f"val_{column}").values,
            **self.criteria,
        )
        if self.reason is not None:
            model.stop_training = True

    def finish(self):
        """Training has ended: restore the best weights."""
        if self._weights is None:
            warnings.warn(
                "StopOnOverfit has seen no finite validation loss, and could not do "
                "anything: give `fit` validation data.",
                stacklevel=2,
            )
        else:
            self.restore_best_weights()

    def restore_best_weights(self):
        """Give the model the weights of the best epoch, also after an exception.

        `fit` restores them itself if it ends without one.

        Raises:
            ValueError: If there was no epoch with validation in the last `fit`.

        Example:

        ```python
        try:
            model.fit(x, y, validation_split=0.2, epochs=1000, callbacks=[curve, stop])
        except KeyboardInterrupt:
            stop.restore_best_weights()
        ```
        """
        if self._model is None:
            raise ValueError(
                "There are no best weights to restore: they are kept from the first "
                "epoch with validation on."
            )
        self._model.set_weights(self._weights)


def criteria(value, name="criterion"):
    """The criterion as a dict of thresholds and the strip."""
    names = ", ".join(f'"{name}"' for name in THRESHOLDS)
    must = f"one of {names}, or a dict from these to thresholds"
    given = {value: THRESHOLDS.get(value)} if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise TypeError(validation.received(name, value, must))
    wanted = dict(given)
    strip = wanted.pop("strip", prechelt.STRIP)
    if not wanted or not wanted.keys() <= THRESHOLDS.keys():
        raise ValueError(validation.received(name, value, must))
    checked = {
        key: validation.integer(f"{name}['{key}']", threshold, minimum=1)
        if key == "up"
        else validation.number(f"{name}['{key}']", threshold, above=0)
        for key, threshold in wanted.items()
    }
    strip = validation.integer(f"{name}['strip']", strip, minimum=1)
    return {"strip": strip, **checked}


def _reason(train, val, strip, gl=None, pq=None, up=None):
    """The criterion that holds, in words, or None."""
    if not np.isfinite(val).all() or not np.isfinite(train).all():
        return None
    # Averages over a strip, so that no single epoch stops the training.
    levels = _trailing(val, strip)
    if not len(levels):
        return None
    loss = prechelt.generalisation_loss(levels)
    if gl is not None and loss > gl:
        return f"GL = {loss:.3g} % > {gl:g} %"
    if pq is not None and len(train):
        quotient = prechelt.quotient(loss, prechelt.progress(train, strip))
        if quotient > pq:
            return f"PQ = {quotient:.3g} > {pq:g}"
    if up is not None:
        rises = prechelt.successive_rises(levels, strip)
        if rises >= up:
            return f"UP: validation loss rose in {rises} strips of {strip} epochs"
    return None


def _trailing(values, strip):
    """The means over each epoch and those before it, `strip` in all."""
    centred = smoothing.moving_average(values, strip)
    return centred[(strip - 1) // 2 : len(values) - strip // 2]
