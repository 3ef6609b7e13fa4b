"""What comes of trainings, as arrays and as learning curves."""

import numpy as np

from keras_decay.ground import schema

SCORE = schema.VAL_DATA_LOSS
# Of a loss that divides each batch by the sum of its weights: see `_weighting`.
BY_WEIGHT = "val_data_loss_by_weight"


def history_array(outcomes, epochs):
    """For each name an array of the shape of `outcomes`, and the epochs.

    Args:
        outcomes: Nested lists, two deep, of `Outcome`s and None.
        epochs: The largest number of epochs.

    Returns:
        A dict of float arrays, NaN in epochs that were not trained.
    """
    found = [o for row in outcomes for o in row if o is not None]
    names = list(dict.fromkeys(name for o in found for name in o.history))
    names = [name for name in names if name != BY_WEIGHT]
    shape = (len(outcomes), len(outcomes[0]), epochs)
    history = {name: np.full(shape, np.nan) for name in names}
    for i, row in enumerate(outcomes):
        for j, outcome in enumerate(row):
            for name in names if outcome else ():
                values = outcome.history.get(name, ())
                history[name][i, j, : len(values)] = values
    return history


def curve_of(outcome):
    """The rows of a training's learning curve; none if it was not trained."""
    if outcome is None:
        return []
    epochs = max(map(len, outcome.history.values()), default=0)
    shown = {k: values for k, values in outcome.history.items() if k != BY_WEIGHT}
    return [
        {
            schema.EPOCH: epoch,
            **{k: float(values[epoch]) for k, values in shown.items()},
        }
        for epoch in range(epochs)
    ]


def final(outcome, name):
    """A quantity for the weights in the end, NaN if it is not known.

    They are those of the last epoch, unless early stopping has restored others.
    """
    values = None if outcome is None else outcome.history.get(name)
    if values is None or not len(values):
        return np.nan
    epoch = outcome.best_epoch
    return float(values[-1 if epoch is None else epoch])


def has_failed(outcome):
    """Whether a training has ended in NaN or infinity."""
    losses = [final(outcome, name) for name in (schema.LOSS, schema.VAL_LOSS)]
    known = [name in outcome.history for name in (schema.LOSS, schema.VAL_LOSS)]
    return any(k and not np.isfinite(v) for k, v in zip(known, losses, strict=True))


def engine_of(outcomes):
    """The engines that trained, in words."""
    names = {outcome.engine for outcome in outcomes if outcome is not None}
    return " and ".join(sorted(names, reverse=True))
