"""Stopping where the model overfits, with the weights of its best epoch."""

import math
import warnings
from collections.abc import Mapping

import numpy as np

from keras_decay.curves.data import columns
from keras_decay.curves.verdict import prechelt, smoothing
from keras_decay.ground import validation

# Prechelt's finding: slower criteria generalise a little better and cost much more
# time. These are his middle ones.
THRESHOLDS = {"gl": 5.0, "pq": 1.0, "up": 3}


def criteria(value):
    """`stop_on_overfit` as a dict of thresholds and the strip, or None for never."""
    names = ", ".join(f'"{name}"' for name in THRESHOLDS)
    must = f"None, one of {names}, or a dict from these to thresholds"
    if value is None:
        return None
    given = {value: THRESHOLDS.get(value)} if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise TypeError(validation.received("stop_on_overfit", value, must))
    wanted = dict(given)
    strip = wanted.pop("strip", prechelt.STRIP)
    if not wanted or not wanted.keys() <= THRESHOLDS.keys():
        raise ValueError(validation.received("stop_on_overfit", value, must))
    checked = {
        name: validation.integer(f"stop_on_overfit['{name}']", threshold, minimum=1)
        if name == "up"
        else validation.number(f"stop_on_overfit['{name}']", threshold, above=0)
        for name, threshold in wanted.items()
    }
    strip = validation.integer("stop_on_overfit['strip']", strip, minimum=1)
    return {"strip": strip, **checked}


class StopOnOverfit:
    """Looks at the rows of one `fit`, and keeps the weights of the best epoch.

    Args:
        value: What `LearningCurve` takes as `stop_on_overfit`.
    """

    def __init__(self, value):
        self.criteria = criteria(value)
        self.begin([])

    def begin(self, rows):
        """A `fit` begins; `rows` are those before it."""
        self._before = len(rows)
        self._model = self._weights = None
        self._best = math.inf
        self.best_epoch = self.reason = None

    def epoch(self, model, rows):
        """Called with the rows after every epoch; stops training if it is time."""
        if self.criteria is None:
            return
        rows = rows[self._before :]
        column = columns.loss_columns(rows)
        val = columns.series(rows[-1:], f"val_{column}")
        if not len(val):
            return
        if val.values[0] < self._best:
            self._best, self.best_epoch = float(val.values[0]), int(val.epochs[0])
            self._model, self._weights = model, model.get_weights()
        self.reason = _reason(
            columns.series(rows, column).values,
            columns.series(rows, f"val_{column}").values,
            **self.criteria,
        )
        if self.reason is not None:
            model.stop_training = True

    def finish(self):
        """Training has ended, by itself or by us: the best weights it is."""
        if self.criteria is None:
            return
        if self._weights is None:
            warnings.warn(
                "`stop_on_overfit` has seen no finite validation loss, and could not "
                "do anything: give `fit` validation data.",
                stacklevel=2,
            )
        else:
            self.restore()

    def restore(self):
        """Give the model the weights of the best epoch, if there is one."""
        if self._model is None:
            raise ValueError(
                "There are no best weights to restore: they are kept with "
                "`stop_on_overfit`, from the first epoch with validation on."
            )
        self._model.set_weights(self._weights)


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
