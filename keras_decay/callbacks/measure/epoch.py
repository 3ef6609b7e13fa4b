"""One epoch: its losses by phase, its time, and its row."""

import time

import numpy as np

from keras_decay.callbacks.measure import record
from keras_decay.callbacks.measure.parts import NOT_CALLED, unknown
from keras_decay.ground import schema


class Epoch:
    """One epoch under way, with validation at its end.

    Args:
        meter: The `DataLossMeter` on the model.
        batches: The `SampledBatches` of the callback, or None.
        reevaluation: The `Reevaluation` of the training data, or None.
    """

    def __init__(self, meter, batches=None, reevaluation=None):
        self._meter = meter
        self._batches = batches
        self._reevaluation = reevaluation
        self._validation = None
        if batches is not None:
            batches.begin()
        self._began = time.perf_counter()
        meter.begin_epoch()

    def begin_test(self):
        """Training is over, and validation begins."""
        self._meter.validating = True

    def keep_batch(self, model):
        """Keep the losses of the batch that has just ended."""
        loss = self._meter.last_batch()
        if loss is not None:
            self._batches.keep(record.steps_made(model), loss)

    def end_test(self):
        """Validation is over."""
        self._validation = self._meter.parts("test")
        self._meter.validating = False

    def row(self, number, model, logs):
        """The row of the epoch with this number."""
        seconds = time.perf_counter() - self._began
        row = {schema.EPOCH: number, schema.STEP: record.steps_made(model)}
        row.update({key: record.plain(value) for key, value in logs.items()})
        training = self._meter.parts("train")
        losses, notes = self._losses("", training, logs)
        is_logged = any(key.startswith(schema.VALIDATION) for key in logs)
        if self._validation is not None or is_logged:
            validation = self._validation or unknown(NOT_CALLED)
            more, further = self._losses(schema.VALIDATION, validation, logs)
            losses, notes = losses | more, notes + further
        if self._reevaluation is not None:
            row.update(self._reevaluated(model))
            again = self._meter.parts("test").why_not
            notes += [] if again is None else [again]
        row.update(losses)
        if notes:
            row[schema.NOTE] = notes[0]
        # Callbacks that change the rate at the end of an epoch log the one before.
        row.setdefault(schema.LEARNING_RATE, record.learning_rate(model))
        row.update(record.decay(model, row[schema.LEARNING_RATE]))
        row[schema.SECONDS] = seconds
        layers = None if training.why_not else self._meter.layers()
        if layers is not None:
            row[schema.PENALTIES] = layers
        if self._batches is not None:
            row[schema.BATCHES] = self._batches.columns()
        return row

    def _reevaluated(self, model):
        """The training data's own losses and metrics, as validation measures them."""
        with self._meter.measuring():
            logs = self._reevaluation(model)
        values = {key: record.plain(value) for key, value in logs.items()}
        parts = self._meter.parts("test")
        values.update({name: parts.values[name] for name in self._meter.names})
        return {schema.REEVALUATED + key: value for key, value in values.items()}

    def _losses(self, prefix, parts, logs):
        """The columns of one loss, and the notes on them.

        A train_step of the user's may log something under one of our names. It stays.
        """
        losses, notes = {}, []
        for name in self._meter.names:
            value, column = parts.values[name], prefix + name
            theirs = record.plain(logs.get(column))
            if theirs is None or _is_same(theirs, value):
                losses[column] = value
            else:
                notes.append(f"`{column}` is what the model's own train_step logs")
        return losses, notes if parts.why_not is None else [parts.why_not]


def _is_same(one, other):
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)
