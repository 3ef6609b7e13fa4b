"""Early stopping of every task by itself, within the program.

The rule is that of `keras.callbacks.EarlyStopping`. A task that has stopped keeps the
state it had, while the others go on.
"""

from typing import Any, NamedTuple

import keras
from keras import ops


class Watch(NamedTuple):
    """The state of early stopping, for each task.

    Attributes:
        best: The best value so far, as one that is better when lower.
        wait: Epochs since then.
        best_epoch: Its number; −1 before there is one.
        epochs: How many epochs were trained.
        stopped: Whether the task has stopped.
        weights: The weights of the best epoch, if they are to be restored.
        predictions: The predictions of the best epoch, likewise.
    """

    best: Any
    wait: Any
    best_epoch: Any
    epochs: Any
    stopped: Any
    weights: Any
    predictions: Any


def watched(rule, names, before, after, values, epoch):
    """The chunk after an epoch, where tasks that had stopped are as before.

    Args:
        rule: The `Stopping`, or None.
        names: The names of the values.
        before, after: The `Chunk` before and after the epoch.
        values: The values of the epoch, (tasks, names).
        epoch: The number of the epoch.

    Returns:
        The `Chunk`, and which tasks had stopped before this epoch, (tasks,).
    """
    watch = before.watch
    stopped = watch.stopped
    epochs = watch.epochs + ops.cast(ops.logical_not(stopped), watch.epochs.dtype)
    if rule is None:
        return after._replace(watch=watch._replace(epochs=epochs)), stopped
    sign = -1.0 if rule.mode == "max" else 1.0
    value = sign * values[:, names.index(rule.monitor)]
    counts = ops.logical_and(ops.logical_not(stopped), epoch >= rule.start)
    better = ops.logical_and(counts, value + rule.min_delta < watch.best)
    resets = better
    if rule.baseline is not None:
        beats = value + rule.min_delta < sign * rule.baseline
        resets = ops.logical_and(better, beats)
    wait = ops.where(counts, watch.wait + 1, watch.wait)
    wait = ops.where(resets, ops.zeros_like(wait), wait)
    stops = ops.logical_and(counts, ops.logical_not(better))
    stops = ops.logical_and(stops, wait >= rule.patience)
    stops = ops.logical_and(stops, epoch > 0)
    # The first epoch that counts is kept, even if its value is not a number.
    first = ops.logical_and(counts, watch.best_epoch < 0)
    kept = ops.logical_or(better, first)
    number = ops.cast(epoch, watch.best_epoch.dtype)
    state = where(stopped, before.state, after.state)
    predictions = where(stopped, before.predictions, after.predictions)
    weights, best_predictions = watch.weights, watch.predictions
    if rule.restore_best_weights:
        now = [*state.trainable, *state.others]
        weights = where(kept, now, weights)
        best_predictions = where(kept, predictions, best_predictions)
    watch = Watch(
        best=ops.where(better, value, watch.best),
        wait=wait,
        best_epoch=ops.where(kept, number, watch.best_epoch),
        epochs=epochs,
        stopped=ops.logical_or(stopped, stops),
        weights=weights,
        predictions=best_predictions,
    )
    return after._replace(state=state, watch=watch, predictions=predictions), stopped


def where(chosen, these, those):
    """For each task the arrays of one of two trees, (tasks, …)."""

    def choose(this, that):
        shape = (-1, *(1 for _ in this.shape[1:]))
        return ops.where(ops.reshape(chosen, shape), this, that)

    return keras.tree.map_structure(choose, these, those)
