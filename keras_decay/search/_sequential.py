"""Tasks trained one after another by `fit`: slow, and right for every model."""

import time

import keras
import numpy as np

from keras_decay.callbacks import LearningCurve
from keras_decay.ground import schema
from keras_decay.models import build_optimizer
from keras_decay.search._building import build_model, first_rows, rows_of
from keras_decay.search._histories import BY_WEIGHT
from keras_decay.search._weighting import data_loss, divides_by_weight
from keras_decay.search._work import Outcome, epoch_order


def _batches(data, rows, seed, settings):
    """The batches of all epochs, one after the other, in the order of `epoch_order`."""
    size = settings.batch_size
    for epoch in range(settings.epochs):
        order = rows
        if settings.shuffle:
            order = rows[epoch_order(seed, epoch, len(rows))]
        for start in range(0, len(rows), size):
            batch = order[start : start + size]
            parts = [rows_of(data.x, batch), rows_of(data.y, batch)]
            if data.weight is not None:
                parts.append(data.weight[batch])
            yield tuple(parts)


def train(job, task):
    """Train one task, and return its `Outcome`."""
    start = time.perf_counter()
    data, settings = job.data, job.settings
    split = job.splits[task.split]
    params = job.candidates[task.candidate]
    model = build_model(job.build, params, task.seed, first_rows(data.x, 1))
    build_optimizer(model)
    curve = LearningCurve(live=False)
    callbacks = [curve]
    stopping = settings.stopping and _stopping(settings.stopping)
    if stopping:
        callbacks.append(stopping)
    model.fit(
        _batches(data, split.train, task.seed, settings),
        shuffle=False,  # the batches are in their order
        epochs=settings.epochs,
        steps_per_epoch=-(-len(split.train) // settings.batch_size),
        validation_data=validation(data, split.valid),
        validation_batch_size=settings.batch_size,
        verbose=0,
        callbacks=callbacks,
    )
    predictions = None
    if settings.predict and len(split.valid):
        x = rows_of(data.x, split.valid)
        predictions = model.predict(x, batch_size=settings.batch_size, verbose=0)
    restored = stopping and settings.stopping.restore_best_weights
    history = history_of(curve.rows)
    weight = data.valid_weight
    if weight is not None and len(split.valid) and divides_by_weight(model):
        x, y, weight = (rows_of(a, split.valid) for a in (data.x, data.y, weight))
        # The model has the weights of the epoch that counts, the only one looked at.
        loss = data_loss(model, x, y, weight, settings.batch_size)
        history[BY_WEIGHT] = np.full(len(curve.rows), loss)
    return Outcome(
        history=history,
        best_epoch=int(stopping.best_epoch) if restored else None,
        predictions=predictions,
        weights=model.get_weights() if settings.keep_weights else None,
        engine="sequential",
        seconds=time.perf_counter() - start,
    )


def history_of(rows):
    """The losses and metrics of a learning curve's rows, by their names."""
    names = {name for row in rows for name in row if name not in schema.RESERVED}
    history = {}
    for name in sorted(names):
        values = [row.get(name) for row in rows]
        if all(isinstance(v, (int, float)) or v is None for v in values):
            numbers = [np.nan if v is None else v for v in values]
            history[name] = np.asarray(numbers, "float64")
    return history


def validation(data, rows):
    if not len(rows):
        return None
    parts = [rows_of(data.x, rows), rows_of(data.y, rows)]
    if data.valid_weight is not None:
        parts.append(data.valid_weight[rows])
    return tuple(parts)


def _stopping(stopping):
    return keras.callbacks.EarlyStopping(
        monitor=stopping.monitor,
        min_delta=stopping.min_delta,
        patience=stopping.patience,
        mode=stopping.mode,
        baseline=stopping.baseline,
        restore_best_weights=stopping.restore_best_weights,
        start_from_epoch=stopping.start,
    )
