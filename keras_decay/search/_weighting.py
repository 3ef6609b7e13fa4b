"""The data loss as a weighted mean: Σwl/Σw over all rows, Keras' own loss without w.

Keras divides by the number of rows, Σwl/n, so that its value grows with the weights.
Its losses are linear in the weights: a factor n/Σw makes a weighted mean of it. Only a
loss with `reduction="mean_with_sample_weight"` divides each batch by its own Σw: there
the batches are averaged by their weights.
"""

import contextlib
import inspect

import keras
import numpy as np
from keras import ops

from keras_decay.callbacks import splitter
from keras_decay.search._building import length, rows_of
from keras_decay.search._histories import BY_WEIGHT, SCORE, final


def divides_by_weight(model):
    """Whether the model's losses divide a batch by the sum of its weights.

    Raises:
        ValueError: If some of its losses do and others do not.
    """
    losses = [loss for loss in keras.tree.flatten(model.loss) if loss is not None]
    found = {
        getattr(loss, "reduction", None) == "mean_with_sample_weight" for loss in losses
    }
    if len(found) > 1:
        raise ValueError(
            "`sample_weight` must be None where some of a model's losses have "
            "reduction='mean_with_sample_weight' and others have not: there is no one "
            "weighted mean. Received: sample_weight with such losses. Give all of them "
            "the same reduction"
        )
    return True in found


def data_loss(model, x, y, weight, batch_size):
    """The loss of a trained model on some rows, without the penalty.

    Without weights it is what `model.evaluate` gives but for the penalty, batch by
    batch, for every loss and with masks.

    Args:
        model: Compiled and built.
        x, y: The rows.
        weight: One number for each row, not all of them zero; or None.
        batch_size: The number of rows in a batch.

    Returns:
        A float.
    """
    rows = length(x)
    by_weight = weight is not None and divides_by_weight(model)
    if weight is not None:
        weight = (weight * factor(weight)).astype(keras.config.floatx())
    loss_of = splitter(model, model.compute_loss)
    takes = inspect.signature(model.compute_loss).parameters
    training = {"training": False} if "training" in takes else {}
    # Under tf.distribute the loss is divided by the number of replicas in this scope.
    strategy = getattr(model, "distribute_strategy", None)
    total = shares = 0.0
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        for start in range(0, rows, batch_size):
            batch = slice(start, start + batch_size)
            inputs, targets, weights = (
                _tensors(rows_of(each, batch)) for each in (x, y, weight)
            )
            outputs = model(inputs, training=False)
            _, parts = loss_of(inputs, targets, outputs, weights, **training)
            if isinstance(parts, str):
                raise ValueError(f"`scoring` must be given: {parts}")
            share = min(batch_size, rows - start)
            if by_weight:
                share = float(np.sum(weight[batch], dtype="float64"))
            if share:
                value = ops.convert_to_numpy(parts["data_loss"])
                total += share * float(value)
                shares += share
    return total / shares


def factor(weight):
    """n/Σw, which makes Keras' Σwl/n the weighted mean Σwl/Σw; NaN if Σw is zero."""
    return len(weight) / (np.sum(weight, dtype="float64") or np.nan)


class WeightedScores:
    """The scores and training losses of folds as weighted means.

    Args:
        splits: The `Split`s.
        data: The `Data`.
    """

    def __init__(self, splits, data):
        self._held_out = _factors(data.valid_weight, [s.valid for s in splits])
        self._trained = _factors(data.weight, [s.train for s in splits])

    def of(self, outcome, fold):
        """Minus the data loss of the rows held out in this fold, in the end."""
        if BY_WEIGHT in outcome.history:
            return -final(outcome, BY_WEIGHT)
        return -final(outcome, SCORE) * self._held_out[fold]

    def training_loss(self, outcome, fold):
        """The data loss of the rows trained on, in the end."""
        loss = final(outcome, "data_loss")
        return loss if BY_WEIGHT in outcome.history else loss * self._trained[fold]


def check_folds(splits, data, given, scored):
    """Refuse folds in which no row has a weight.

    Args:
        splits: The `Split`s.
        data: The `Data`.
        given: The arguments that weight the training rows, by name, or None for each.
        scored: Whether the weights of the rows held out matter.

    Raises:
        ValueError: It names the fold.
    """
    remedy = "Mix the rows, as by cv=KFold(5, shuffle=True), or leave out those of "
    remedy += "weight zero"
    for fold, split in enumerate(splits):
        trained, held_out = f"that fold {fold} trains on", f"that fold {fold} holds out"
        check_rows(data.weight, split.train, given, trained, remedy)
        if scored:
            check_rows(data.valid_weight, split.valid, _BY_ROW, held_out, remedy)


def check_rows(weight, rows, given, where, remedy):
    """Refuse rows of which none has a weight.

    Args:
        weight: One number for each row of the pool, or None.
        rows: The numbers of the rows.
        given: The arguments that made the weights, by name, or None for each.
        where: Which rows they are.
        remedy: What to do.
    """
    if weight is None or not len(rows) or np.any(weight[rows]):
        return
    names = " times ".join(f"`{k}`" for k, value in given.items() if value is not None)
    raise ValueError(
        f"{names} must not be zero for every row {where}. Received: zero for all "
        f"{len(rows)} rows {where}. {remedy}"
    )


_BY_ROW = {"sample_weight": True}


def _factors(weight, rows_by_fold):
    if weight is None:
        return np.ones(len(rows_by_fold))
    return np.array([factor(weight[rows]) for rows in rows_by_fold])


def _tensors(tree):
    if tree is None:
        return None
    return keras.tree.map_structure(ops.convert_to_tensor, tree)
